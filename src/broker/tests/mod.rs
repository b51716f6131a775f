//! Stories of clients in virtual time, one behaviour each.

mod connecting;
mod delivering;
mod retaining;
mod seeded;
mod subscribing;
mod wills;
mod world;
