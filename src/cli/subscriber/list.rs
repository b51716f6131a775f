//! Who is let in, where, and until when.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::authorities::{Authorities, Standing};
use crate::access::{ALL_ROOMS, Issued, Scope, User, UserName};
use crate::cli::ca::date;
use crate::config::Settings;
use crate::daemon::control::{self, Trouble};
use crate::daemon::state;
use crate::daemon::visits::{self, ByName, Visit};
use crate::time::Timestamp;

pub(super) fn print(settings: &Settings, as_json: bool) -> Result<()> {
    let users = state::read_users(&settings.gateway.state_dir)?;
    let seen = seen(&settings.gateway.state_dir)?;
    let authorities = Authorities::of(settings, &users);
    if as_json {
        let object = |(name, user)| object(name, user, &authorities, seen.get(name.as_str()));
        let all: Vec<_> = users.iter().map(object).collect();
        println!("{}", serde_json::Value::Array(all));
        return Ok(());
    }
    let row = |(name, user)| row(name, user, &authorities, seen.get(name.as_str()));
    let rows: Vec<[String; 5]> = users.iter().map(row).collect();
    let head = ["name", "may", "by", "until", "last seen"].map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(COLUMN_CHARS_MAX)
    };
    let [name_width, may_width, by_width, until_width] = [0, 1, 2, 3].map(width);
    for [name, may, by, until, seen] in [&head].into_iter().chain(&rows) {
        let line = format!(
            "{name:name_width$}  {may:may_width$}  {by:by_width$}  {until:until_width$}  {seen}"
        );
        println!("{}", line.trim_end());
    }
    Ok(())
}

/// What is longer pushes the rest of its line to the right, and of no other.
const COLUMN_CHARS_MAX: usize = 120;

/// Rooms that stand in the table; JSON has all.
const ROOMS_SHOWN_MAX: usize = 12;

/// From the gateway, or what it wrote when it stopped.
fn seen(state_dir: &Path) -> Result<ByName> {
    match control::visits(state_dir) {
        Ok(seen) => return Ok(seen),
        Err(Trouble::NotRunning) => {}
        Err(error) => super::super::complain(format_args!(
            "the gateway does not answer, `last seen` is what it wrote last: {error}"
        )),
    }
    Ok(visits::read(state_dir)?)
}

fn object(
    name: &UserName,
    user: &User,
    authorities: &Authorities,
    seen: Option<&Visit>,
) -> serde_json::Value {
    let certificates = user.certificates.iter().map(|one| {
        let (authority, until) = match authorities.standing(one) {
            Standing::Unknown => (None, None),
            Standing::Counts => (Some("counts"), None),
            Standing::Ends(until) => (Some("ends"), Some(date(until))),
            Standing::Ended => (Some("ended"), None),
        };
        json!({
            "serial": one.serial,
            "expires": date(one.expires),
            "authority": authority,
            "authority_until": until,
        })
    });
    json!({
        "name": name.as_str(),
        "scope": user.scope,
        "password": user.password.is_some(),
        "certificates": certificates.collect::<Vec<_>>(),
        "last_seen": seen.map(|visit| json!({
            "at": visit.at.map(time),
            "from": visit.from,
            "connections": visit.connections,
        })),
    })
}

fn row(
    name: &UserName,
    user: &User,
    authorities: &Authorities,
    seen: Option<&Visit>,
) -> [String; 5] {
    let by = match (user.password.is_some(), user.certificates.len()) {
        (true, 0) => "password".to_owned(),
        (true, 1) => "password, certificate".to_owned(),
        (true, count) => format!("password, {count} certificates"),
        (false, 0) => "nothing".to_owned(),
        (false, 1) => "certificate".to_owned(),
        (false, count) => format!("{count} certificates"),
    };
    let ends: Vec<String> =
        user.certificates.iter().map(|one| until(one, authorities.standing(one))).collect();
    let seen = seen.map_or_else(|| "never".to_owned(), said);
    [name.to_string(), may(user), by, ends.join(", "), seen]
}

/// The day, and which certificate it is; with its authority it may end before that.
fn until(one: &Issued, standing: Standing) -> String {
    let Issued { serial, expires, .. } = one;
    match standing {
        Standing::Ended => format!("over ({serial}, its authority has ended)"),
        Standing::Ends(until) if until < *expires => {
            format!("{} ({serial}, when its authority ends)", date(until))
        }
        Standing::Ends(_) | Standing::Counts | Standing::Unknown => {
            format!("{} ({serial})", date(*expires))
        }
    }
}

fn said(visit: &Visit) -> String {
    let at = visit.at.map_or_else(|| "before the clock was set".to_owned(), time);
    let from = visit.from;
    if visit.connections > 0 {
        format!("here since {at}, from {from}")
    } else {
        format!("{at}, from {from}")
    }
}

fn time(unix_s: u64) -> String {
    Timestamp::new(unix_s.saturating_mul(1000), true).to_string()
}

fn may(user: &User) -> String {
    user.scope.as_ref().map_or_else(|| "read the whole house".to_owned(), of_scope)
}

/// For people.
pub(super) fn of_scope(scope: &Scope) -> String {
    let mut parts = Vec::new();
    if scope.rooms.iter().any(|room| room == ALL_ROOMS) {
        parts.push("all rooms".to_owned());
    } else {
        parts.extend(scope.rooms.iter().take(ROOMS_SHOWN_MAX).cloned());
        let more = scope.rooms.len().saturating_sub(ROOMS_SHOWN_MAX);
        if more > 0 {
            parts.push(format!("{more} more rooms"));
        }
    }
    if scope.write {
        parts.push("write".to_owned());
    }
    if scope.admin {
        parts.push("admin".to_owned());
    }
    parts.extend(scope.read.iter().map(|filter| format!("read {}", filter.as_str())));
    parts.extend(scope.publish.iter().map(|filter| format!("publish {}", filter.as_str())));
    parts.join(", ")
}
