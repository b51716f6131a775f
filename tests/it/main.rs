//! Tests of the house as a whole: its walls, its parts together, and the real binary.

mod gateway;
mod subscribers;
mod tidy;
