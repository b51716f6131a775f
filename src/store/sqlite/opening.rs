//! From whatever lies in the folder to a store that works.
//!
//! ```text
//!   nothing ────────────────────────────────────────────────────────▶ fresh ─┐
//!   a file ─▶ looked at as bytes ─▶ checked by SQLite, unchanged ─▶ whole ───┼─▶ opened to write
//!                    └──────────────────┴─▶ damaged ─▶ put aside ─▶ saved ───┘
//!                                                                  row by row
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::{Connection, ErrorCode};
use rustix::process::geteuid;

use super::aside::{self, beside, index_of, log_of};
use super::log_file::{self, Log};
use super::read::{BadRow, Loaded};
use super::salvage::{self, Salvaged, ask, open_to_read};
use super::trouble::{SqlResult, failure, is_damage};
use super::write::Fact;
use super::{graft, read, schema};
use crate::broker::record::Restored;
use crate::limits::STORE_CHECK_TIME_MAX;
use crate::store::lives::Lives;
use crate::store::{Contents, Durability, OpenError, OpenReport};
use crate::time::{Tick, Timestamp};

use super::payloads::Payloads;

const PRIVATE: u32 = 0o600;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A store that was found whole, or was made so.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) lives: Lives,
    pub(super) payloads: Payloads,
    pub(super) loaded: Loaded,
    pub(super) report: OpenReport,
}

/// The moment of an opening.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Tick,
    pub(super) wall: Timestamp,
}

/// Opens whatever is at `path`.
pub(super) fn open(
    path: &Path,
    durability: Durability,
    moment: Moment,
) -> Result<Opened, OpenError> {
    let mut report = OpenReport::default();
    let failed = |error: &rusqlite::Error| OpenError::Failed {
        path: path.to_owned(),
        failure: failure(error, path),
    };
    forget_drafts(path);
    let mut checked = None;
    match look(path, &mut report)? {
        Found::Nothing => make(path).map_err(|error| error.of(path))?,
        Found::Unusable => replace(path, moment, &mut report)?,
        Found::File(log) => {
            match refuse_newer(path).and_then(|()| check(path, log, moment, &mut report))? {
                Checked::Whole(whole) => checked = Some(whole),
                Checked::Older => {}
                Checked::Damaged => replace(path, moment, &mut report)?,
            }
        }
    }
    let mut connection = Connection::open(path).map_err(|error| failed(&error))?;
    schema::configure(&connection, durability).map_err(|error| failed(&error))?;
    schema::migrate(&mut connection).map_err(|error| failed(&error))?;
    let (lives, payloads, loaded) = match checked {
        Some(whole) => whole,
        None => load(&connection, moment).map_err(|error| failed(&error))?,
    };
    if !report.is_clean() {
        report.saved = contents(&loaded.restored, report.saved.others);
    }
    Ok(Opened { connection, lives, payloads, loaded, report })
}

type Whole = (Lives, Payloads, Loaded);

/// All that is in the file.
fn load(connection: &Connection, moment: Moment) -> SqlResult<Whole> {
    let (earlier, bad) = read::lives(connection)?;
    let lives = Lives::begin(earlier, moment.now, moment.wall);
    let mut payloads = Payloads::load(connection)?;
    let mut loaded = read::load(connection, &lives, &mut payloads)?;
    loaded.bad.extend(bad);
    Ok((lives, payloads, loaded))
}

fn contents(restored: &Restored, others: u64) -> Contents {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let mut contents = Contents { others, ..Contents::default() };
    contents.sessions = count(restored.sessions.len());
    contents.retained = count(restored.retained.len());
    for session in &restored.sessions {
        let waiting: u64 = session.waiting.iter().map(|run| run.messages).sum();
        contents.messages += waiting.saturating_add(count(session.sent.len()));
        contents.subscriptions += count(session.subscriptions.len());
    }
    contents
}

/// What lies in the folder, as far as can be told without SQLite.
enum Found {
    Nothing,
    /// Something, of which nothing can be read by SQLite as it is.
    Unusable,
    File(Log),
}

fn look(path: &Path, report: &mut OpenReport) -> Result<Found, OpenError> {
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::Io { doing, path, error }
    };
    for file in [path, &log_of(path), &index_of(path)] {
        may_use(file)?;
    }
    clear_the_way(path, report)?;
    let Ok(facts) = fs::metadata(path) else {
        if fs::symlink_metadata(log_of(path)).is_ok() {
            report.faults.push("the file is gone, only its log is there".to_owned());
            report.uncounted = true;
            return Ok(Found::Unusable);
        }
        return Ok(Found::Nothing);
    };
    let unusable = |report: &mut OpenReport, what: &str| {
        report.faults.push(what.to_owned());
        report.uncounted = true;
        Ok(Found::Unusable)
    };
    if !facts.is_file() {
        return unusable(report, "it is not a file");
    }
    if facts.mode() & 0o077 != 0 {
        report.notes.push(format!("was open to others, with mode {:03o}", facts.mode() & 0o777));
        fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE))
            .map_err(io("close to others", path))?;
    }
    if facts.len() == 0 {
        return unusable(report, "the file is empty");
    }
    let mut magic = [0; MAGIC.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if magic == *MAGIC => {}
        Ok(()) => return unusable(report, "its beginning is not that of a store"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return unusable(report, "the file is cut off");
        }
        Err(error) => return unusable(report, &format!("it cannot be read: {error}")),
    }
    let log = log_of(path);
    Ok(Found::File(log_file::read(&log).map_err(io("read", &log))?))
}

/// Refuses what the permissions of a file refuse: no damage, and nothing we could mend.
fn may_use(path: &Path) -> Result<(), OpenError> {
    let Ok(facts) = fs::metadata(path) else { return Ok(()) };
    if !facts.is_file() {
        return Ok(());
    }
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(OpenError::Permission {
                path: path.to_owned(),
                owner: facts.uid(),
                mode: facts.mode() & 0o777,
                own: geteuid().as_raw(),
            })
        }
        // What else is wrong shows when it is read.
        _ => Ok(()),
    }
}

/// Moves away what stands where SQLite wants files of its own.
fn clear_the_way(path: &Path, report: &mut OpenReport) -> Result<(), OpenError> {
    let journal = beside(path, "-journal");
    for (file, is_welcome) in [(log_of(path), true), (index_of(path), true), (journal, false)] {
        let Ok(facts) = fs::symlink_metadata(&file) else { continue };
        if facts.is_file() && is_welcome {
            continue;
        }
        let aside = beside(&file, ".damaged");
        fs::rename(&file, &aside).map_err(|error| OpenError::Io {
            doing: "put aside",
            path: file.clone(),
            error,
        })?;
        report.faults.push(format!("something stood in the way: `{}`", file.display()));
        report.put_aside.push(aside);
    }
    Ok(())
}

/// What a check found.
enum Checked {
    Whole(Whole),
    /// Its structure is right. Its rows are checked when they have become today's.
    Older,
    /// As the report says.
    Damaged,
}

/// Checks a file without changing it.
fn check(
    path: &Path,
    log: Log,
    moment: Moment,
    report: &mut OpenReport,
) -> Result<Checked, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::Failed {
        path: path.to_owned(),
        failure: failure(&error, path),
    };
    let mut connection = open_to_read(path).map_err(failed)?;
    let examined = examine(&mut connection, moment, report).and_then(|checked| {
        let is_cut = matches!(checked, Checked::Whole(_)) && judge_log(&connection, log, report)?;
        Ok((checked, is_cut))
    });
    match examined {
        Ok((checked, is_cut)) => {
            if is_cut {
                report.put_aside.push(aside::copy_log(path, moment.wall)?);
            }
            Ok(checked)
        }
        Err(error) if is_damage(&error) => {
            report.faults.push(error.to_string());
            Ok(Checked::Damaged)
        }
        Err(error) if is_unreadable(&error) => {
            report.faults.push(format!("the disk cannot read it: {error}"));
            report.uncounted = true;
            Ok(Checked::Damaged)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Refuses what a later version of the program wrote.
fn refuse_newer(path: &Path) -> Result<(), OpenError> {
    // Whatever is wrong with it is found right after.
    let version = open_to_read(path).and_then(|connection| {
        let ours = schema::is_ours(&connection)?;
        Ok(if ours { schema::version(&connection)? } else { 0 })
    });
    match version {
        Ok(found) if found > schema::known() => {
            Err(OpenError::Newer { path: path.to_owned(), found, known: schema::known() })
        }
        _ => Ok(()),
    }
}

fn is_unreadable(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

fn examine(
    connection: &mut Connection,
    moment: Moment,
    report: &mut OpenReport,
) -> SqlResult<Checked> {
    if !schema::is_ours(connection)? {
        report.faults.push("it is a database of another program".to_owned());
        return Ok(Checked::Damaged);
    }
    let began = Instant::now();
    let is_over = move || began.elapsed() > STORE_CHECK_TIME_MAX;
    if let Some(what) = structure(connection, is_over)? {
        report.faults.push(what);
        return Ok(Checked::Damaged);
    }
    if schema::version(connection)? < schema::known() {
        return Ok(Checked::Older);
    }
    if !schema::is_intact(connection)? {
        report.faults.push("its description of its tables is damaged".to_owned());
        return Ok(Checked::Damaged);
    }
    let mut whole = load(connection, moment)?;
    let bad = &mut whole.2.bad;
    if !read::check_payloads(connection, is_over, bad)? {
        report.notes.push("it is too large to be checked as a whole at each start".to_owned());
    }
    if bad.is_empty() {
        return Ok(Checked::Whole(whole));
    }
    report.faults.extend(describe(bad));
    Ok(Checked::Damaged)
}

/// What is wrong with the pages of the file, by SQLite's own check, which goes on until `is_over`.
fn structure(
    connection: &mut Connection,
    is_over: impl Fn() -> bool + Send + 'static,
) -> SqlResult<Option<String>> {
    const STEPS: i32 = 100_000;
    connection.progress_handler(STEPS, Some(is_over))?;
    let answer = ask(connection, "PRAGMA quick_check(1)");
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match answer {
        Ok(Some(answer)) if answer == "ok" => Ok(None),
        Ok(Some(answer)) => Ok(Some(one_line(&answer))),
        Ok(None) => Ok(Some("its structure cannot be checked".to_owned())),
        // The note of it follows: there is no time for the payloads either.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn describe(bad: &[BadRow]) -> Vec<String> {
    let mut kinds: Vec<BadRow> = Vec::new();
    for row in bad {
        if !kinds.contains(row) {
            kinds.push(*row);
        }
    }
    let count = |kind: &BadRow| bad.iter().filter(|row| *row == kind).count();
    let describe =
        |kind: &BadRow| format!("{} of table `{}`: {}", count(kind), kind.table.name(), kind.what);
    kinds.iter().map(describe).collect()
}

/// What the log tells that SQLite has left out of it; whether there is something to be put aside
/// before it is written over.
fn judge_log(connection: &Connection, log: Log, report: &mut OpenReport) -> SqlResult<bool> {
    let sql = format!("SELECT value FROM store WHERE name = '{}'", Fact::Open.name());
    let must_be_there = ask(connection, &sql)?.as_deref() == Some("1");
    let fault = match log {
        Log::None if must_be_there => "its log is gone, with what was written last",
        Log::Headless if must_be_there => "its log is damaged at the beginning",
        // One may be the batch that was under way when the plug was pulled.
        Log::Frames { cut_off: 2.., .. } => "its log is damaged in the middle",
        Log::Frames { is_unfinished: true, .. } | Log::Headless => {
            report.notes.push("the last batch was not finished, and is left out".to_owned());
            return Ok(false);
        }
        Log::None | Log::Frames { .. } => return Ok(false),
    };
    report.faults.push(fault.to_owned());
    report.uncounted = true;
    Ok(log != Log::None)
}

/// Why a file cannot be made.
pub(super) enum MakeError {
    Io(&'static str, io::Error),
    Sql(rusqlite::Error),
}

impl MakeError {
    pub(super) fn of(self, path: &Path) -> OpenError {
        let path = path.to_owned();
        match self {
            Self::Io(doing, error) => OpenError::Io { doing, path, error },
            Self::Sql(error) => {
                let failure = failure(&error, &path);
                OpenError::Failed { path, failure }
            }
        }
    }
}

impl From<rusqlite::Error> for MakeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn draft_of(path: &Path) -> PathBuf {
    beside(path, ".new")
}

fn grafted_of(path: &Path) -> PathBuf {
    beside(path, ".grafted")
}

/// Drafts of an earlier start that did not come to an end.
fn forget_drafts(path: &Path) {
    for draft in [draft_of(path), grafted_of(path)] {
        for file in [log_of(&draft), index_of(&draft), draft] {
            // There is none as a rule.
            let _ = fs::remove_file(file);
        }
    }
}

/// Makes a fresh store under the name of a draft: a file that only its owner can read, whole and on
/// the disk.
fn draft(path: &Path) -> Result<PathBuf, MakeError> {
    let draft = draft_of(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&draft)
        .map_err(|error| MakeError::Io("make", error))?;
    let mut connection = Connection::open(&draft)?;
    schema::configure(&connection, Durability::PowerCut)?;
    schema::migrate(&mut connection)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(draft)
}

/// Gives a draft its name; both are on the disk then.
fn publish(draft: &Path, path: &Path) -> Result<(), MakeError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(draft)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(draft, path))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|error| MakeError::Io("make", error))
}

/// Makes a fresh store. Until it is whole there is none, so an empty file is always a fault.
pub(super) fn make(path: &Path) -> Result<(), MakeError> {
    publish(&draft(path)?, path)
}

/// Puts what is there aside and makes a fresh store of all that can be saved of it.
fn replace(path: &Path, moment: Moment, report: &mut OpenReport) -> Result<(), OpenError> {
    let (aside, moved) = aside::put(path, moment.wall)?;
    report.put_aside.extend(moved);
    let draft = draft(path).map_err(|error| error.of(path))?;
    match save(&aside, path, &draft) {
        Ok(Salvaged { saved, lost, uncounted, faults }) => {
            (report.saved, report.lost) = (saved, lost);
            report.uncounted |= uncounted;
            report.faults.extend(faults);
        }
        Err(error) => return Err(error.of(path)),
    }
    forget_index(&aside);
    publish(&draft, path).map_err(|error| error.of(path))?;
    forget_drafts(path);
    Ok(())
}

fn forget_index(path: &Path) {
    // SQLite makes one for each reader; it is worth nothing.
    let _ = fs::remove_file(index_of(path));
}

/// Copies what can be read of `aside` into `draft`; if that is nothing at all, with the first page
/// of a fresh file.
fn save(aside: &Path, path: &Path, draft: &Path) -> Result<Salvaged, MakeError> {
    let nothing = Salvaged { uncounted: true, ..Salvaged::default() };
    if !fs::metadata(aside).is_ok_and(|facts| facts.is_file() && facts.len() > 0) {
        return Ok(nothing);
    }
    let target = Connection::open(draft)?;
    schema::configure(&target, Durability::PowerCut)?;
    let as_it_is = open_to_read(aside).and_then(|source| {
        // A schema that is not ours makes every row look wrong.
        Ok(schema::is_intact(&source)?.then_some(source))
    });
    let salvaged = match as_it_is {
        Ok(Some(source)) => salvage::copy(&source, &target)?,
        _ if graft::is_plausible(aside).unwrap_or(false) => {
            let pages = schema::pages(&target)?;
            let grafted = grafted_of(path);
            match graft::graft(aside, &grafted, draft, &pages) {
                Ok(()) => salvage::copy(&open_to_read(&grafted)?, &target)?,
                Err(error) => Salvaged {
                    faults: vec![format!("no room to look into it further: {error}")],
                    ..nothing
                },
            }
        }
        _ => nothing,
    };
    target.close().map_err(|(_, error)| error)?;
    Ok(salvaged)
}
