//! Who is let in, where, and until when.

use anyhow::Result;
use serde_json::json;

use super::super::ca::date;
use crate::access::{ALL_ROOMS, User, UserName};
use crate::config::Settings;
use crate::daemon::state;

pub(super) fn print(settings: &Settings, as_json: bool) -> Result<()> {
    let users = state::read_users(&settings.gateway.state_dir)?;
    if as_json {
        let all: Vec<_> = users.iter().map(|(name, user)| object(name, user)).collect();
        println!("{}", serde_json::Value::Array(all));
        return Ok(());
    }
    let rows: Vec<[String; 4]> = users.iter().map(|(name, user)| row(name, user)).collect();
    let head = ["name", "may", "by", "until"].map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    for [name, may, by, until] in [&head].into_iter().chain(&rows) {
        let [name_width, may_width, by_width] = widths;
        let line = format!("{name:name_width$}  {may:may_width$}  {by:by_width$}  {until}");
        println!("{}", line.trim_end());
    }
    Ok(())
}

fn object(name: &UserName, user: &User) -> serde_json::Value {
    let certificates = user
        .certificates
        .iter()
        .map(|one| json!({ "serial": one.serial, "expires": date(one.expires) }));
    json!({
        "name": name.as_str(),
        "scope": user.scope,
        "password": user.password.is_some(),
        "certificates": certificates.collect::<Vec<_>>(),
    })
}

fn row(name: &UserName, user: &User) -> [String; 4] {
    let by = match (user.password.is_some(), user.certificates.len()) {
        (true, 0) => "password".to_owned(),
        (true, 1) => "password, certificate".to_owned(),
        (true, count) => format!("password, {count} certificates"),
        (false, 0) => "nothing".to_owned(),
        (false, 1) => "certificate".to_owned(),
        (false, count) => format!("{count} certificates"),
    };
    let ends =
        user.certificates.iter().map(|one| format!("{} ({})", date(one.expires), one.serial));
    let ends: Vec<String> = ends.collect();
    [name.to_string(), may(user), by, ends.join(", ")]
}

fn may(user: &User) -> String {
    let Some(scope) = &user.scope else { return "read the whole house".to_owned() };
    let mut parts = Vec::new();
    if scope.rooms.iter().any(|room| room == ALL_ROOMS) {
        parts.push("all rooms".to_owned());
    } else {
        parts.extend(scope.rooms.iter().cloned());
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
