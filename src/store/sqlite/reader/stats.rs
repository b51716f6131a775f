//! What is in a store, and how large it is.

use rusqlite::Connection;

use super::super::aside::log_of;
use super::super::check::describe;
use super::super::opening::Whole;
use super::super::read;
use super::{Reader, count, number, size};
use crate::broker::record::{RestoredSession, Run};
use crate::store::{LifeStats, SessionStats, Stats, VisitError};
use crate::time::{Tick, Timestamp};

impl Reader {
    /// Counts everything.
    pub fn stats(&self) -> Result<Stats, VisitError> {
        self.at_one_moment(|connection| {
            let whole = self.load(connection)?;
            self.count(connection, whole).map_err(|error| self.error(&error))
        })
    }

    fn count(&self, connection: &Connection, whole: Whole) -> rusqlite::Result<Stats> {
        let (_, _, loaded) = whole;
        let of = |sql| number(connection, sql);
        let page_bytes = of("PRAGMA page_size")?;
        let retained = &loaded.restored.retained;
        let retained_bytes = retained.iter().map(|record| record.message.weight()).sum();
        let mut sessions: Vec<SessionStats> =
            loaded.restored.sessions.into_iter().map(|session| self.session(session)).collect();
        sessions.sort_by_key(|session| session.record.id);
        Ok(Stats {
            file_bytes: size(&self.path),
            free_bytes: of("PRAGMA freelist_count")?.saturating_mul(page_bytes),
            log_bytes: size(&log_of(&self.path)),
            sessions,
            retained: count(retained.len()),
            retained_bytes: count(retained_bytes),
            payloads: of("SELECT count(*) FROM payloads")?,
            payload_bytes: of("SELECT coalesce(sum(bytes), 0) FROM payloads")?,
            lives: lives(connection)?,
            damaged: describe(&loaded.bad),
        })
    }

    fn session(&self, session: RestoredSession) -> SessionStats {
        let RestoredSession { record, subscriptions, received, released, sent, waiting } = session;
        let sum = |of: fn(&Run) -> u64| waiting.iter().map(of).fold(0, u64::saturating_add);
        let expires = record.expires.filter(|at| *at != Tick::MAX);
        SessionStats {
            expires: expires.map(|at| self.time_of(at)),
            subscriptions: count(subscriptions.len()),
            queued: sum(|run| run.messages),
            queued_bytes: sum(|run| run.bytes),
            in_flight: count(sent.len()),
            released: count(released.len()),
            received: count(received.len()),
            record,
        }
    }
}

fn lives(connection: &Connection) -> rusqlite::Result<Vec<LifeStats>> {
    let (lives, _) = read::lives(connection)?;
    let stats = lives.into_iter().map(|(id, life)| LifeStats {
        number: id.0,
        seconds: life.seen.since(life.began).as_secs(),
        seen: life.seen_at().map(|millis| Timestamp::new(millis, true)),
    });
    Ok(stats.collect())
}
