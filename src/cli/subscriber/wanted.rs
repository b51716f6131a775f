//! What somebody is to be allowed who is let in, as the command line asks for it.

use anyhow::{Result, bail};

use super::Add;
use crate::access::{ALL_ROOMS, Pattern, Scope};
use crate::config::{Settings, one_of, slug_fault};
use crate::daemon::rights;

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
        once(&self.rooms)?;
        known(settings, &self.rooms, self.write)?;
        speaks_for_no_sensor(settings, &self.rooms, self.write)?;
        self.publishes_somewhere(settings)?;
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

    /// Says where a filter does not reach; one that reaches nowhere is refused.
    fn publishes_somewhere(&self, settings: &Settings) -> Result<()> {
        let rights = rights(settings);
        for pattern in &self.publish {
            let widest = pattern.widest(Some(self.name.as_str()));
            let Some(reserved) = widest.map(|filter| rights.reserved(&filter)) else { continue };
            let text = pattern.as_str();
            if reserved.is_all {
                bail!(
                    "only the gateway publishes to `{text}`\n  hint: topics outside of {reserved}"
                );
            }
            if !reserved.filters.is_empty() {
                eprintln!(
                    "note: `{text}` does not reach {reserved}: only the gateway publishes there"
                );
            }
        }
        Ok(())
    }
}

/// Each room is named once.
pub(super) fn once(rooms: &[String]) -> Result<()> {
    let is_again =
        |(index, room): &(usize, &String)| rooms.iter().take(*index).any(|it| it == *room);
    match rooms.iter().enumerate().find(is_again) {
        Some((_, room)) => bail!("named twice: `{room}`\n  hint: each room once"),
        None => Ok(()),
    }
}

/// Each is a room of the house; of who writes, one that may be.
pub(super) fn known(settings: &Settings, rooms: &[String], write: bool) -> Result<()> {
    for room in rooms.iter().filter(|room| *room != ALL_ROOMS) {
        let known = || settings.rooms.iter().map(|room| room.slug.as_str());
        if !write && settings.rooms.is_empty() {
            bail!("no such room: `{room}`\n  hint: the configuration has no `[rooms]`");
        }
        if !write && !known().any(|slug| slug == room) {
            bail!(
                "no such room: `{room}`\n  hint: {}; a device brings a room of its own with \
                 `--write`",
                one_of(room, known)
            );
        }
        if let Some(fault) = slug_fault(room) {
            bail!("{fault}: `{room}`");
        }
    }
    Ok(())
}

/// Who writes must not write to rooms that the gateway's own sensors tell of.
pub(super) fn speaks_for_no_sensor(
    settings: &Settings,
    rooms: &[String],
    write: bool,
) -> Result<()> {
    if !write {
        return Ok(());
    }
    let measured = settings.rooms.iter().filter(|room| !room.sensors.is_empty());
    let measured: Vec<&str> = measured.map(|room| room.slug.as_str()).collect();
    if let Some(room) = rooms.iter().find(|room| measured.contains(&room.as_str())) {
        bail!(
            "the gateway's own sensors tell of the room `{room}`\n  hint: a device has a room of \
             its own, as `{room}-device`"
        );
    }
    if rooms.iter().any(|room| room == ALL_ROOMS) && !measured.is_empty() {
        bail!(
            "the gateway's own sensors tell of some of all rooms: {}\n  hint: name the rooms of \
             the device, as `garage,garden`",
            measured.join(", ")
        );
    }
    Ok(())
}
