//! What may be asked of a gateway about itself, and what it says unasked.

use std::time::Duration;

/// Longest answer on the control socket, in bytes: a house of
/// [`ROOMS_MAX`](super::ROOMS_MAX) rooms, each with three quantities.
pub const CONTROL_ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Who may ask at a time: some terminals that watch, and a program. Others wait in the kernel.
pub const CONTROL_VISITORS_MAX: usize = 8;

/// Clients that a status lists: more are for `$SYS` to count.
pub const STATUS_CLIENTS_MAX: usize = 100;

/// Longest head of an HTTP request: what a browser sends, twice.
pub const HTTP_HEAD_BYTES_MAX: usize = 8 * 1024;

/// Headers of an HTTP request: a browser sends some fifteen.
pub const HTTP_HEADERS_MAX: usize = 32;

/// Longest an HTTP request may take to be asked, and its answer to be taken.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// HTTP requests at a time: Prometheus, a probe, and a person who looks. Others wait in the kernel.
pub const HTTP_VISITORS_MAX: usize = 8;

/// Lines a minute about one quantity of a sensor that is well and ill by turns: three times ill and
/// three times well; then it flaps, which is told once a minute.
pub const SENSOR_LINES_MAX: u32 = 6;

/// Times that the same warning or error is written in a [`LOG_REPEATS_WINDOW`]: what goes wrong
/// each second fills no journal, and who mends a file three times is told each time.
pub const LOG_REPEATS_MAX: u64 = 3;

/// For so long the same line is the same.
pub const LOG_REPEATS_WINDOW: Duration = Duration::from_secs(60);

/// Different lines that are known again: more at a time are not the same trouble.
pub const LOG_REPEATS_KNOWN: usize = 64;

/// Bytes below which a card is nearly full: SQLite and the journal want to write, too.
pub const DISK_FREE_BYTES_LOW: u64 = 64 * 1024 * 1024;

/// Lines about changes that nobody has asked for yet: what `maison reload` says of a house that was
/// edited for an afternoon; older ones are in the log.
pub const RELOAD_LINES_UNTOLD_MAX: usize = 100;

/// Addresses of this host that are told beside its name: one of each cable and each version of IP.
pub const ADDRESSES_TOLD_MAX: usize = 4;
