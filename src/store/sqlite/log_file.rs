//! The log as bytes, before SQLite looks at it: SQLite uses what is good at its front and says
//! nothing of what it left out.
//!
//! A log is a header and frames, each a page with the sum of all before it. At most one batch can
//! be half-written after a pulled plug, since each is synced before the next begins. If more than
//! one follows the first frame that is wrong, what was acknowledged is lost.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

pub(super) const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC_LITTLE: u32 = 0x377F_0682;
const MAGIC_BIG: u32 = 0x377F_0683;
const PAGE_BYTES_MAX: u32 = 65_536;

/// What a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// There is none, or nothing in it.
    None,
    /// It does not begin as a log does.
    Headless,
    /// There are frames, …
    Frames {
        /// … in this round of it, …
        round: u32,
        /// … in this many whole batches at the front, …
        batches: u64,
        /// … something that is no whole batch after them, …
        is_unfinished: bool,
        /// … and this many ends of batches after something wrong.
        cut_off: u64,
    },
}

/// Reads a log through.
pub(super) fn read(path: &Path) -> io::Result<Log> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Log::None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() == 0 {
        return Ok(Log::None);
    }
    let mut reader = BufReader::new(file);
    let mut header = [0; HEADER_BYTES];
    if let Filled::Part(_) = fill(&mut reader, &mut header)? {
        return Ok(Log::Headless);
    }
    match Header::parse(&header) {
        Some(header) => frames(&mut reader, header),
        None => Ok(Log::Headless),
    }
}

/// The round that a log is in; none where there is no log.
pub(super) fn round(path: &Path) -> Option<u32> {
    let mut header = [0; HEADER_BYTES];
    File::open(path).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    Header::parse(&header).map(|header| header.round())
}

/// Numbers of the pages whose last state in whole batches of the log is another than in the file.
pub(super) fn changed_pages(path: &Path, file: &mut File) -> io::Result<Vec<u32>> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut header = [0; HEADER_BYTES];
    reader.read_exact(&mut header)?;
    let Some(header) = Header::parse(&header) else { return Ok(Vec::new()) };
    let (mut last, mut batch) = (BTreeMap::new(), Vec::new());
    let page_bytes = u64::try_from(header.page_bytes).unwrap_or(u64::MAX);
    walk(&mut reader, header, |frame, page| {
        if frame.is_good {
            batch.push((frame.page, page.to_vec()));
        }
        if frame.is_good && frame.ends_batch {
            last.extend(batch.drain(..));
        }
    })?;
    let mut changed = Vec::new();
    for (number, page) in last {
        let mut before = vec![0; page.len()];
        let at = u64::from(number).saturating_sub(1).saturating_mul(page_bytes);
        file.seek(SeekFrom::Start(at))?;
        if !matches!(fill(file, &mut before)?, Filled::Whole) || before != page {
            changed.push(number);
        }
    }
    Ok(changed)
}

/// How much there was for a buffer.
enum Filled {
    Whole,
    Part(usize),
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<Filled> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => return Ok(Filled::Part(filled)),
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Filled::Whole)
}

struct Header {
    page_bytes: usize,
    salts: [u8; 8],
    sum: Sum,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let is_big = match word(bytes, 0)? {
            MAGIC_LITTLE => false,
            MAGIC_BIG => true,
            _ => return None,
        };
        let page_bytes = word(bytes, 8)?;
        if !page_bytes.is_power_of_two() || !(512..=PAGE_BYTES_MAX).contains(&page_bytes) {
            return None;
        }
        let mut sum = Sum { is_big, words: [0, 0] };
        sum.add(bytes.get(..24)?);
        let salts = bytes.get(16..24)?.try_into().ok()?;
        let page_bytes = usize::try_from(page_bytes).ok()?;
        (sum.words == [word(bytes, 24)?, word(bytes, 28)?]).then_some(Self {
            page_bytes,
            salts,
            sum,
        })
    }

    fn round(&self) -> u32 {
        word(&self.salts, 0).unwrap_or(0)
    }
}

/// One page in a log.
struct Frame {
    page: u32,
    /// Not what an earlier round of the log has left behind.
    is_of_this_round: bool,
    /// Neither it nor one before it is damaged.
    is_good: bool,
    ends_batch: bool,
    /// Batches that it shows to have ended, where something before it is damaged.
    ends_behind_damage: u64,
}

fn frames(reader: &mut impl Read, header: Header) -> io::Result<Log> {
    let round = header.round();
    let (mut batches, mut is_unfinished, mut cut_off) = (0_u64, false, 0_u64);
    let is_cut = walk(reader, header, |frame, _| match (frame.is_good, frame.ends_batch) {
        (true, true) => (batches, is_unfinished) = (batches.saturating_add(1), false),
        (true, false) => is_unfinished = true,
        (false, _) => {
            is_unfinished |= frame.is_of_this_round;
            cut_off = cut_off.saturating_add(frame.ends_behind_damage);
        }
    })?;
    Ok(Log::Frames { round, batches, is_unfinished: is_unfinished || is_cut, cut_off })
}

/// Hands in each frame with its page; whether a part of one follows.
fn walk(
    reader: &mut impl Read,
    header: Header,
    mut take: impl FnMut(Frame, &[u8]),
) -> io::Result<bool> {
    let Header { page_bytes, salts, sum } = header;
    let mut bytes = vec![0; FRAME_HEADER_BYTES.saturating_add(page_bytes)];
    let mut is_good = true;
    let mut before = Before { is_big: sum.is_big, sums: [sum.words; 2], may_end: false };
    loop {
        let filled = fill(reader, &mut bytes)?;
        let (head, page) = bytes.split_at(FRAME_HEADER_BYTES);
        let is_of_this_round = head.get(8..16) == Some(&salts);
        if let Filled::Part(length) = filled {
            return Ok(is_of_this_round && length >= 16);
        }
        let told = [word(head, 16).unwrap_or(0), word(head, 20).unwrap_or(0)];
        let (follows, counted) = before.is_followed_by(head, page, told);
        let is_whole = is_of_this_round && follows;
        is_good &= is_whole;
        let ends_batch = word(head, 4) != Some(0);
        let ends_behind_damage =
            u64::from(is_whole && before.may_end).saturating_add((is_whole && ends_batch).into());
        let page_number = word(head, 0).unwrap_or(0);
        let may_end = !is_whole && ends_batch && names_pages(head);
        before = Before { is_big: sum.is_big, sums: [told, counted], may_end };
        let frame =
            Frame { page: page_number, is_of_this_round, is_good, ends_batch, ends_behind_damage };
        take(frame, page);
    }
}

/// The frame before another one.
struct Before {
    is_big: bool,
    /// Its sum as it tells it, and as it is: one of them is right if it is damaged in one place.
    sums: [[u32; 2]; 2],
    /// It is wrong and seems to end a batch. It does if the next one follows it; else it is a piece
    /// of the batch that was under way, with what lay on the disk before in its place.
    may_end: bool,
}

impl Before {
    /// Whether the next frame tells a sum that follows from this one, and what its sum is.
    fn is_followed_by(&self, head: &[u8], page: &[u8], told: [u32; 2]) -> (bool, [u32; 2]) {
        let counted = self.sums.map(|words| {
            let mut sum = Sum { is_big: self.is_big, words };
            sum.add(head.get(..8).unwrap_or_default());
            sum.add(page);
            sum.words
        });
        (counted.contains(&told), counted[0])
    }
}

/// Whether a frame names a page, and a number of pages in which that is, as no garbage does.
fn names_pages(head: &[u8]) -> bool {
    /// 128 GiB of the smallest pages there are here.
    const PAGES_MAX: u32 = 1 << 26;
    let (page, pages) = (word(head, 0).unwrap_or(0), word(head, 4).unwrap_or(0));
    (1..=pages).contains(&page) && pages <= PAGES_MAX
}

/// The sum that each frame has of itself and all before it.
struct Sum {
    is_big: bool,
    words: [u32; 2],
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let [mut first, mut second] = self.words;
        let (pairs, _) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in pairs {
            let of = if self.is_big { u32::from_be_bytes } else { u32::from_le_bytes };
            first = first.wrapping_add(of([*a, *b, *c, *d])).wrapping_add(second);
            second = second.wrapping_add(of([*e, *f, *g, *h])).wrapping_add(first);
        }
        self.words = [first, second];
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}
