//! What was acknowledged is kept, shown on the real binary.

mod damage;
mod disks;
mod kills;
mod trace;
