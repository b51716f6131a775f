//! Room on the disk, taken before it is needed: the file must always be able to take what is in its
//! log, or on a full disk not even the end of a message could be written any more.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::broker::record::{Batch, Change, Trouble};
use crate::limits::{STORE_LOG_BYTES_MAX, STORE_PAYLOAD_INLINE_BYTES_MAX, STORE_ROOM_STEP_BYTES};
use crate::mqtt::Message;
use crate::store::Failure;

/// The room that a file has. It is kept open as long as SQLite has it open, for to close it would
/// end SQLite's locks on it.
#[derive(Debug)]
pub(super) struct Room {
    /// `None` on a file system that cannot promise room.
    file: Option<File>,
    reserved: u64,
}

impl Room {
    /// Of a file that SQLite has opened.
    pub(super) fn of(path: &Path) -> Self {
        Self { file: OpenOptions::new().write(true).open(path).ok(), reserved: 0 }
    }

    /// Makes sure that the file can have so many bytes.
    pub(super) fn reserve(&mut self, bytes: u64) -> Result<(), Failure> {
        if bytes <= self.reserved {
            return Ok(());
        }
        let ahead = bytes.saturating_add(STORE_ROOM_STEP_BYTES);
        for wanted in [ahead, bytes] {
            match self.take(wanted) {
                Ok(()) => {
                    self.reserved = wanted;
                    return Ok(());
                }
                Err(Errno::NOSPC | Errno::DQUOT) => {}
                // It does not know how; SQLite will tell.
                Err(_) => {
                    self.file = None;
                    return Ok(());
                }
            }
        }
        Err(Failure::new(Trouble::Full, "no room for what would have to be kept"))
    }

    fn take(&self, bytes: u64) -> Result<(), Errno> {
        let Some(file) = &self.file else { return Ok(()) };
        fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes)
    }
}

/// Gives a log room for as much as it may have, if there is any.
pub(super) fn reserve_log(log: &Path) {
    if let Ok(file) = OpenOptions::new().write(true).open(log) {
        // Without it, messages can be ended on a full disk as far as the log already goes.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, STORE_LOG_BYTES_MAX);
    }
}

/// Bytes by which a batch can make the file larger; 0 if it only ends things.
pub(super) fn growth(batch: &Batch) -> u64 {
    /// A row without its parts, and its share of the pages above it.
    const ROW_BYTES: usize = 256;
    /// Pages that are split are half full.
    const SPLIT: usize = 2;
    let mut large = HashSet::new();
    let mut message = |message: &Message| {
        let payload = &message.payload;
        let at = (payload.as_ptr().addr(), payload.len());
        let is_counted = payload.len() > STORE_PAYLOAD_INLINE_BYTES_MAX && !large.insert(at);
        let bytes = message.weight();
        if is_counted { bytes.saturating_sub(payload.len()) } else { bytes }
    };
    let bytes = batch.changes.iter().map(|change| match change {
        Change::Session(record) => {
            let will = record.will.as_ref().map_or(0, |will| message(&will.message));
            ROW_BYTES.saturating_add(record.client_id.len()).saturating_add(will)
        }
        Change::Subscription { filter, .. } => ROW_BYTES.saturating_add(filter.len()),
        Change::Received { .. } | Change::Released { .. } => ROW_BYTES,
        Change::Queued { message: queued, .. } => {
            ROW_BYTES.saturating_add(message(&queued.message))
        }
        Change::Retained(record) => ROW_BYTES.saturating_add(message(&record.message)),
        Change::SessionEnd(_)
        | Change::SubscriptionEnd { .. }
        | Change::ReceivedEnd { .. }
        | Change::QueuedEnd { .. }
        | Change::ReleasedEnd { .. }
        | Change::RetainedEnd(_) => 0,
    });
    let bytes = bytes.fold(0_usize, usize::saturating_add).saturating_mul(SPLIT);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
