//! A file whose first page is gone, given the first page of a fresh one: the schema is made in the
//! same order each time, so its tables begin at the same pages.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::aside::log_of;
use super::schema::PAGE_BYTES;

/// Pages looked at to tell whether a file may be ours.
const SAMPLE_PAGES: usize = 64;

/// Whether a file consists of pages as ours do: at least half of the first ones begin like one.
pub(super) fn is_plausible(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let page_bytes = usize::try_from(PAGE_BYTES).unwrap_or(usize::MAX);
    let mut page = vec![0; page_bytes];
    let (mut seen, mut alike) = (0_usize, 0_usize);
    file.seek(SeekFrom::Start(PAGE_BYTES.into()))?;
    while seen < SAMPLE_PAGES && file.read_exact(&mut page).is_ok() {
        // Inner pages and leaves of tables and of indices; the number of another page.
        let begins = page.first().copied().unwrap_or(u8::MAX);
        let is_blank = page.iter().all(|byte| *byte == 0);
        alike = alike.saturating_add((matches!(begins, 0 | 2 | 5 | 10 | 13) && !is_blank).into());
        seen = seen.saturating_add(1);
    }
    Ok(alike > 0 && alike.saturating_mul(2) >= seen)
}

/// Makes `to` a copy of `from`, with its log, whose `pages` (numbered from 1) are those of
/// `template`.
pub(super) fn graft(from: &Path, to: &Path, template: &Path, pages: &[u64]) -> io::Result<()> {
    fs::copy(from, to)?;
    if fs::exists(log_of(from))? {
        fs::copy(log_of(from), log_of(to))?;
    }
    let mut source = File::open(template)?;
    let mut file = OpenOptions::new().read(true).write(true).open(to)?;
    let page_bytes = u64::from(PAGE_BYTES);
    let length = file.metadata()?.len();
    let mut page = vec![0; usize::try_from(PAGE_BYTES).unwrap_or(usize::MAX)];
    for number in pages {
        let at = number.saturating_sub(1).saturating_mul(page_bytes);
        source.seek(SeekFrom::Start(at))?;
        source.read_exact(&mut page)?;
        if *number == 1 {
            let count = u32::try_from(length / page_bytes).unwrap_or(u32::MAX);
            set_size(&mut page, count);
        }
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&page)?;
    }
    Ok(())
}

/// Writes the number of pages into the header, and that none of them is free.
fn set_size(header: &mut [u8], pages: u32) {
    const SIZE_AT: usize = 28;
    const FREE_END: usize = 40;
    if let Some(field) = header.get_mut(SIZE_AT..FREE_END) {
        field.fill(0);
        if let Some(size) = field.get_mut(..4) {
            size.copy_from_slice(&pages.to_be_bytes());
        }
    }
}
