//! Tests of the parts together, through the public face of the library.
#![allow(missing_docs, clippy::indexing_slicing)]

mod onewire_scratchpad;
mod onewire_tree;
