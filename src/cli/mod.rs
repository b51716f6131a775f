//! x
pub mod check;
