//! Every chip of the catalog through one bench: the real driver against a model down to registers,
//! and the pages of `hardware/` against both. What these tests find out (what is said on the bus,
//! what goes wrong and how it is named, how exact a driver is) stands in the pages: set
//! `MAISON_PAGES=write` to have it written there, and look at the difference.

mod bench;
mod drawing;
mod mishaps;
mod one_wire;
mod pages;
mod round_trip;
mod summary;
mod tables;
mod wirings;
