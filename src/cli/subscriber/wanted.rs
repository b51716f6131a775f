//! What somebody is to be allowed who is let in, as the command line asks for it.

use anyhow::{Result, bail};

use super::Add;
use crate::access::{ALL_ROOMS, Pattern, Scope};
use crate::config::{Room, Settings, slug_fault};

/// A filter of a right.
pub(super) fn pattern(text: &str) -> Result<Pattern> {
    if text == "$share" || text.starts_with("$share/") {
        bail!(
            "rights are for topics, and `$share` is only a way to subscribe to them\n  hint: the \
             filter behind the group, as `a/b` of `$share/group/a/b`"
        );
    }
    Ok(Pattern::parse(text)?)
}

impl Add {
    /// Of a user that would be let in and may nothing, or speak for a sensor of the gateway: none.
    pub(super) fn scope(&self, settings: &Settings) -> Result<Scope> {
        if let Some(room) = twice(&self.rooms) {
            bail!("named twice: `{room}`\n  hint: each room once in `--rooms`");
        }
        for room in self.rooms.iter().filter(|room| *room != ALL_ROOMS) {
            let is_known = settings.rooms.iter().any(|known| known.slug == **room);
            if !is_known && !self.write {
                let known: Vec<&str> = settings.rooms.iter().map(|it| it.slug.as_str()).collect();
                bail!(
                    "no such room: `{room}`\n  hint: there are {}; a device brings a room of its \
                     own with `--write`",
                    known.join(", ")
                );
            }
            let has_sensors = |it: &Room| it.slug == **room && !it.sensors.is_empty();
            if self.write && settings.rooms.iter().any(has_sensors) {
                bail!(
                    "the gateway's own sensors tell of the room `{room}`\n  hint: a device has a \
                     room of its own: `--rooms {room}-device --write`"
                );
            }
            if let Some(fault) = slug_fault(room) {
                bail!("{fault}: `{room}`");
            }
        }
        self.speaks_for_no_sensor(settings)?;
        let (rooms, read, publish) = (self.rooms.clone(), self.read.clone(), self.publish.clone());
        let scope = Scope { rooms, write: self.write, admin: self.admin, read, publish };
        if scope == Scope::default() {
            bail!(
                "`{}` would be let in and may nothing\n  hint: `--rooms salon`, `--rooms '*'` for \
                 all, `--read FILTER`, `--publish FILTER` or `--admin`",
                self.name
            );
        }
        Ok(scope)
    }

    /// Who writes to all rooms must not write to those that the gateway's own sensors tell of.
    fn speaks_for_no_sensor(&self, settings: &Settings) -> Result<()> {
        if !self.write || !self.rooms.iter().any(|room| room == ALL_ROOMS) {
            return Ok(());
        }
        let measured = settings.rooms.iter().filter(|room| !room.sensors.is_empty());
        let measured: Vec<&str> = measured.map(|room| room.slug.as_str()).collect();
        if measured.is_empty() {
            return Ok(());
        }
        bail!(
            "the gateway's own sensors tell of some of all rooms: {}\n  hint: name the rooms of \
             the device, as `--rooms garage,garden --write`; `--publish FILTER` asks nothing",
            measured.join(", ")
        )
    }
}

/// The first that comes again.
fn twice(rooms: &[String]) -> Option<&String> {
    let is_again =
        |(index, room): &(usize, &String)| rooms.iter().take(*index).any(|it| it == *room);
    rooms.iter().enumerate().find(is_again).map(|(_, room)| room)
}
