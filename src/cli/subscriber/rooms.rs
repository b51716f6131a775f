//! Other rooms for somebody who is let in: all that it has besides stays.

use anyhow::{Error, Result, bail};
use clap::Args;
use serde_json::json;

use super::{hinted, list, wanted, whole_house};
use crate::access::{ALL_ROOMS, Scope, UserName};
use crate::config::{Settings, one_of};
use crate::daemon::state::{self, StateError};

/// What becomes of the rooms of a subscriber.
#[derive(Args, Debug)]
pub(super) struct Change {
    /// Who
    #[arg(value_parser = UserName::parse)]
    name: UserName,
    /// Its rooms from now on, by their slugs; `*`: all
    #[arg(value_name = "ROOM,…", value_delimiter = ',', conflicts_with_all = ["add", "remove"],
          required_unless_present_any = ["add", "remove", "write", "read_only"])]
    rooms: Vec<String>,
    /// Rooms that it has besides
    #[arg(long, value_name = "ROOM,…", value_delimiter = ',')]
    add: Vec<String>,
    /// Rooms that it has no more
    #[arg(long, value_name = "ROOM,…", value_delimiter = ',')]
    remove: Vec<String>,
    /// From now on it also publishes to its rooms [default: as before]
    #[arg(long, conflicts_with = "read_only")]
    write: bool,
    /// From now on it only reads its rooms
    #[arg(long)]
    read_only: bool,
    /// As a JSON object
    #[arg(long)]
    json: bool,
}

/// What came of it.
struct Changed {
    before: Scope,
    after: Scope,
    /// Whether it was bound to no rooms at all.
    was_free: bool,
}

impl Change {
    pub(super) fn run(&self, settings: &Settings) -> Result<()> {
        let name = &self.name;
        let folder = &settings.gateway.state_dir;
        let mut changed = None;
        state::try_edit_users(folder, |users| {
            if !users.contains(name) {
                return Err(StateError::UserUnknown(name.clone()).into());
            }
            let user = users.entry(name.clone());
            let was_free = user.scope.is_none();
            let before = user.scope.clone().unwrap_or_else(whole_house);
            let after = self.scope(settings, &before)?;
            user.scope = Some(after.clone());
            changed = Some(Changed { before, after, was_free });
            Ok(())
        })
        .map_err(|error: Error| match error.downcast::<StateError>() {
            Ok(error) => hinted(settings, error),
            Err(error) => error,
        })?;
        if let Some(changed) = changed {
            self.tell(&changed);
        }
        Ok(())
    }

    /// What it may from now on. A room that it has already, and that has gone, is its own affair.
    fn scope(&self, settings: &Settings, before: &Scope) -> Result<Scope> {
        let write = self.write || (before.write && !self.read_only);
        let rooms =
            if self.rooms.is_empty() { self.moved(&before.rooms)? } else { self.rooms.clone() };
        wanted::once(&rooms)?;
        let is_new = |room: &&String| !before.rooms.contains(room) || !self.rooms.is_empty();
        let new: Vec<String> = rooms.iter().filter(is_new).cloned().collect();
        wanted::known(settings, &new, write)?;
        wanted::speaks_for_no_sensor(settings, &rooms, write)?;
        let scope = Scope { rooms, write, ..before.clone() };
        if scope == (Scope { write, ..Scope::default() }) {
            bail!(
                "`{name}` would be let in and may nothing\n  hint: `maison subscriber revoke \
                 {name}` sends it away",
                name = self.name
            );
        }
        Ok(scope)
    }

    /// Those it had, with some and without others.
    fn moved(&self, before: &[String]) -> Result<Vec<String>> {
        let name = &self.name;
        if (!self.add.is_empty() || !self.remove.is_empty())
            && before.iter().any(|room| room == ALL_ROOMS)
        {
            bail!(
                "`{name}` has all rooms\n  hint: name those that it is to have: `maison subscriber \
                 rooms {name} ROOM,…`"
            );
        }
        let had = || before.iter().map(String::as_str);
        for room in &self.remove {
            if !before.contains(room) {
                bail!("`{name}` has no room `{room}`\n  hint: {}", one_of(room, had));
            }
        }
        let stays = before.iter().filter(|room| !self.remove.contains(room));
        Ok(stays.chain(&self.add).cloned().collect())
    }

    fn tell(&self, changed: &Changed) {
        let Changed { before, after, was_free } = changed;
        let name = &self.name;
        let only = |one: &Scope, other: &Scope| -> Vec<String> {
            one.rooms.iter().filter(|room| !other.rooms.contains(room)).cloned().collect()
        };
        let (added, removed) = (only(after, before), only(before, after));
        if self.json {
            let name = name.as_str();
            println!(
                "{}",
                json!({ "name": name, "scope": after, "added": added, "removed": removed })
            );
            return;
        }
        if before == after && !was_free {
            println!("nothing has changed: `{name}`");
        } else {
            println!("rooms changed: `{name}`");
        }
        for room in &added {
            println!("room added: {room}");
        }
        for room in &removed {
            println!("room removed: {room}");
        }
        println!("it may: {}", list::of_scope(after));
        if *was_free {
            eprintln!("note: `{name}` had the whole house, and publishes nothing any more");
        }
    }
}
