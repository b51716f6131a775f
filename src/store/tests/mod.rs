//! What the tests of stores have in common: a model of a store, and arbitrary records.

pub(crate) mod model;
pub(crate) mod records;
