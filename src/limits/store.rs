//! Bounds of what is kept.

use std::time::Duration;

use super::CONNECTIONS_CONFIGURABLE_MAX;

/// Longest an acknowledgement waits for its message to be kept, where a client that is there may
/// take that message before and spare the card the write: a few round trips of a slow Wi-Fi.
pub const COMMIT_DELAY_SHORT: Duration = Duration::from_millis(20);

/// Longest that the coming and going of clients waits to be kept: a second of it can be lost, and a
/// client that comes and goes writes once a second at most.
pub const COMMIT_DELAY_SOON: Duration = Duration::from_secs(1);

/// Longest that what nobody waits for is not kept: what is read is read again, what was
/// acknowledged is acknowledged again. Few enough writes for a card that lives for years.
pub const COMMIT_DELAY_LATE: Duration = Duration::from_secs(60);

/// A batch that nobody waits for comes this long after the last change that is part of it: what
/// phones that sleep between two beacons of their Wi-Fi take to acknowledge.
pub const COMMIT_QUIET: Duration = Duration::from_millis(200);

/// Changes that wait to be kept before they go without waiting for more: half a megabyte, and a
/// store writes so many as cheaply as twice as many.
pub const COMMIT_CHANGES_MAX: usize = 4096;

/// Bytes that wait to be kept before clients that publish are not read any further: what a slow
/// card takes in some seconds.
pub const COMMIT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Wait before a store in trouble is tried again, doubled up to the second: people need that long
/// to make room, and a log bears it.
pub const COMMIT_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(16));

/// Messages of one session that are fetched from the store at a time, and their bytes: some
/// milliseconds of a card, and little enough for all clients at once.
pub const PAGE_MESSAGES_MAX: usize = 256;

/// See [`PAGE_MESSAGES_MAX`].
pub const PAGE_BYTES_MAX: usize = 256 * 1024;
/// Largest payload that is stored with each message it belongs to; a larger one stands once in the
/// store, however many sessions wait for it. Beyond it a row no longer fits in two pages.
pub const STORE_PAYLOAD_INLINE_BYTES_MAX: usize = 4096;

/// Bytes of one part of a large payload: the store copies no more than this at a time.
pub const STORE_PAYLOAD_PART_BYTES: usize = 64 * 1024;

/// Pages of the store kept in memory, in KiB: what a few busy sessions change, on a board of 512
/// MB.
pub const STORE_CACHE_KIB: i64 = 2048;

/// Bytes in the store's log before they are moved to its file.
pub const STORE_LOG_BYTES: u64 = 1024 * 1024;

/// Bytes in the store's log before a commit waits until they are moved: only when there was never
/// a moment between two commits.
pub const STORE_LOG_BYTES_MAX: u64 = 4 * STORE_LOG_BYTES;

/// Room that is taken for the store's file ahead of what it needs: a call each some thousand
/// messages.
pub const STORE_ROOM_STEP_BYTES: u64 = 1024 * 1024;

/// Rows of ended sessions that are removed in one go, so that an end of a session with millions of
/// messages delays nobody.
pub const STORE_PURGE_ROWS: u32 = 1000;

/// The store writes down this seldom that the process lives, with commits that happen anyway: what
/// a crash leaves unknown of the time, where no clock is set.
pub const STORE_LIFE_INTERVAL: Duration = Duration::from_secs(60);

/// Less than this is no jump of the wall clock: it is adjusted all the time.
pub const STORE_CLOCK_JUMP_MIN: Duration = Duration::from_secs(2);

/// Damaged stores that are kept beside the good one: enough to find out what damages them.
pub const STORE_DAMAGED_KEPT_MAX: usize = 4;

/// Longest the structure of the store is checked at the start: 100 MB of messages on the card of a
/// Pi Zero. What is beyond is found when it is read.
pub const STORE_CHECK_TIME_MAX: Duration = Duration::from_secs(20);

/// Holes in a damaged table that are looked beyond: each takes some hundred looks.
pub const STORE_HOLES_MAX: u32 = 10_000;

/// Bytes of rows that are copied out of a damaged store at a time: what a full disk leaves uncopied
/// at the end.
pub const STORE_SALVAGE_BYTES: u64 = 256 * 1024;

/// Looks at the log of a store that a gateway may be writing, …
pub const STORE_LOG_LOOKS_MAX: u32 = 10;

/// … and the pause between them: longer than one batch is under way on a good card.
pub const STORE_LOG_LOOK_PAUSE: Duration = Duration::from_millis(20);

/// Messages of a store that are exported between two looks at it, with [`PAGE_BYTES_MAX`].
pub const STORE_EXPORT_MESSAGES_MAX: usize = 1000;

/// Pages of a store that are copied into a backup between two looks at whether it is still wanted:
/// 2 MB, a fraction of a second on a card.
pub const STORE_BACKUP_PAGES: i32 = 1024;

/// Wishes for pages that wait for the store: one for each session that can be there.
pub const STORE_PAGES_WAITING_MAX: usize = CONNECTIONS_CONFIGURABLE_MAX;
