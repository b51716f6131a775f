//! All that is wrong with a store, by a look at every page and every row of it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::sleep;

use rusqlite::Connection;

use super::super::aside::log_of;
use super::super::check::{describe, judge_log, one_line};
use super::super::log_file::{self, HEADER_BYTES, Log};
use super::super::look::{ONLY_LOG, unusable};
use super::super::read::check_payloads;
use super::super::schema;
use super::super::trouble::{SqlResult, is_damage};
use super::{Reader, contents, count, may_use, refuse_newer, rules};
use crate::limits::{STORE_LOG_LOOK_PAUSE, STORE_LOG_LOOKS_MAX};
use crate::store::{Findings, OpenError, OpenReport, Progress, VisitError};
use crate::time::Timestamp;

/// Checks the store at `path`, beside a gateway too.
pub fn check(path: &Path, wall: Timestamp, progress: &Progress) -> Result<Findings, VisitError> {
    let mut findings = Findings::default();
    let Ok(facts) = fs::symlink_metadata(path) else {
        if fs::symlink_metadata(log_of(path)).is_err() {
            return Err(VisitError::Absent { path: path.to_owned() });
        }
        findings.faults.push(ONLY_LOG.to_owned());
        return Ok(findings);
    };
    may_use(path)?;
    if facts.is_file() && facts.mode() & 0o077 != 0 {
        let mode = facts.mode() & 0o777;
        findings.notes.push(format!("it is open to others, with mode {mode:03o}"));
    }
    if let Some(what) = unusable(path, &facts) {
        findings.faults.push(what);
        return Ok(findings);
    }
    refuse_newer(path)?;
    let log = read_log(path)?;
    let reader = Reader::of(path, wall, progress)?;
    match reader.at_one_moment(|connection| examine(&reader, connection, log, &mut findings)) {
        Ok(()) => Ok(findings),
        // It cannot be read further.
        Err(VisitError::Damaged { what, .. }) => {
            if findings.faults.is_empty() {
                findings.faults.push(what);
            }
            Ok(findings)
        }
        Err(error) => Err(error),
    }
}

fn examine(
    reader: &Reader,
    connection: &Connection,
    log: Log,
    findings: &mut Findings,
) -> Result<(), VisitError> {
    let sql = |error: rusqlite::Error| reader.error(&error);
    if !schema::is_ours(connection).map_err(sql)? {
        findings.faults.push("it is a database of another program".to_owned());
        return Ok(());
    }
    findings.faults.extend(structure(connection).map_err(sql)?);
    if schema::version(connection).map_err(sql)? < schema::known() {
        let note = "it is of an earlier version; its rows are checked once it is up to date";
        findings.notes.push(note.to_owned());
        return Ok(());
    }
    if !schema::is_intact(connection).map_err(sql)? {
        findings.faults.push("its description of its tables is damaged".to_owned());
        return Ok(());
    }
    let mut whole = reader.load(connection)?;
    findings.contents = contents(&whole);
    let bad = &mut whole.2.bad;
    if !check_payloads(connection, || reader.progress.is_stopped(), bad).map_err(sql)? {
        return Err(VisitError::Stopped);
    }
    findings.faults.extend(describe(bad));
    findings.faults.extend(rules::broken(connection).map_err(sql)?);
    let mut report = OpenReport::default();
    judge_log(connection, log, &mut report).map_err(sql)?;
    findings.faults.extend(report.faults);
    findings.notes.extend(report.notes);
    Ok(())
}

/// What is wrong with its pages, by SQLite's own check, up to where that cannot go on.
fn structure(connection: &Connection) -> SqlResult<Vec<String>> {
    let mut statement = connection.prepare("PRAGMA integrity_check(20)")?;
    let mut rows = statement.query([])?;
    let mut faults = Vec::new();
    loop {
        match rows.next() {
            Ok(Some(row)) => faults.push(one_line(&row.get::<_, String>(0)?)),
            Ok(None) => break,
            Err(error) if is_damage(&error) && !faults.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    faults.retain(|fault| fault != "ok");
    Ok(faults)
}

/// The log as bytes. A gateway may write it at the same time: then it is looked at again.
fn read_log(path: &Path) -> Result<Log, VisitError> {
    let log = log_of(path);
    let look = || -> io::Result<(Log, bool)> {
        let before = header(&log)?;
        let found = log_file::read(&log)?;
        let is_calm = header(&log)? == before
            && !matches!(found, Log::Frames { is_unfinished: true, .. } | Log::Headless);
        Ok((found, is_calm))
    };
    let failed = |error| OpenError::Io { doing: "read", path: log.clone(), error };
    for _ in 1..STORE_LOG_LOOKS_MAX {
        match look().map_err(failed)? {
            (found, true) => return Ok(found),
            (_, false) => sleep(STORE_LOG_LOOK_PAUSE),
        }
    }
    Ok(look().map_err(failed)?.0)
}

fn header(log: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    match File::open(log) {
        Ok(file) => file.take(count(HEADER_BYTES)).read_to_end(&mut header).map(|_| header),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(header),
        Err(error) => Err(error),
    }
}
