//! Of `maison scan`, `read`, `record` and `replay`, which visit the buses beside the gateway.

use std::time::Duration;

/// Longest wait for a bus that another process talks on: the slowest chip on I²C or SPI takes some
/// 400 ms for a reading.
pub const BUS_TURN_TIMEOUT: Duration = Duration::from_secs(2);

/// How often it is looked whether the other process is done.
pub const BUS_TURN_POLL: Duration = Duration::from_millis(5);

/// Long enough for somebody who waits to see that a bus is free, on a busy machine too.
pub const BUS_TURN_GAP: Duration = Duration::from_millis(20);

/// Longest that one process takes turn after turn: several times in [`BUS_TURN_TIMEOUT`] there is a
/// gap for those who wait.
pub const BUS_TURNS_CROWDED_MAX: Duration = Duration::from_millis(250);

/// Addresses in a row that may hang before a survey of an I²C bus is given up: each costs the
/// kernel a second.
pub const SCAN_TIMEOUTS_MAX: u32 = 3;

/// Chips that a bus can hold up electrically (400 pF of UM10204, some 10 pF a chip): where more
/// addresses answer it is the data line that touches ground.
pub const I2C_RESIDENTS_MAX: usize = 100;

/// Searches of a 1-Wire bus on a pin, where noise breaks one off.
pub const SEARCHES_MAX: u32 = 5;

/// Readings of a scan, where the first ones fail.
pub const SCAN_TRIES_MAX: u32 = 3;

/// Events of buses that wait to be written or printed; a bus waits where there are more.
pub const EVENTS_WAITING_MAX: usize = 4096;

/// MiB that a record may have unless more is asked for: some days of a house of five sensors.
pub const RECORD_MIB_DEFAULT: u64 = 16;

/// MiB that a record may have at all: a replay holds it in memory, and takes seven times as much.
pub const RECORD_MIB_MAX: u64 = 64;

/// Room for the last line of a record, which says why it ends.
pub const RECORD_END_BYTES: u64 = 128;

/// Longest first line of a record: a configuration of [`super::CONFIG_FILE_BYTES_MAX`] with every
/// key written out, escaped.
pub const RECORD_HEADER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Longest other line: a page of a file, each byte escaped as six, or some thousand names of a
/// folder.
pub const RECORD_LINE_BYTES_MAX: u64 = 256 * 1024;

/// Damages of a record that are named, each by its line; the others are counted.
pub const RECORD_DAMAGES_NAMED: usize = 8;

/// Letters that are shown of what a record says of itself.
pub const RECORD_LETTERS_SHOWN: usize = 200;

/// How often a recorder looks whether it is to end.
pub const RECORD_POLL: Duration = Duration::from_millis(200);
