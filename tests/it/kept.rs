//! What was acknowledged is kept, shown on the real binary.

mod disks;
mod kills;
mod trace;
