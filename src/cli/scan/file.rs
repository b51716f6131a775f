//! `conf.d/90-scan.toml`: what is added to it, checked with all the rest before a byte is written.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::config::{Settings, Source, quoted, slug};
use crate::daemon::settings::{LoadError, PARTS, load_with, source};
use crate::limits::{ROOM_NAME_CHARS_MAX, ROOM_SLUG_BYTES_MAX};
use crate::sensors::catalog::Driver;

use super::look::Thing;

const NAME: &str = "90-scan.toml";
const HEADER: &str = "# Written by `maison scan --write`, which only ever adds to it.\n";

/// A thing that has got its room.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// Its place in the list of all things.
    pub number: usize,
    pub thing: Thing,
    pub driver: Driver,
    /// As the person said it: the name of a room, or its slug.
    pub room: String,
}

/// The file as it will be.
#[derive(Debug)]
pub(super) struct Draft {
    pub path: PathBuf,
    text: String,
    /// What is new in it.
    pub added: String,
    /// Whether somebody else made the file that is there.
    pub is_foreign: bool,
}

/// Why a name is no room.
pub(super) fn room_fault(name: &str) -> Option<String> {
    if name.chars().any(char::is_control) {
        return Some("control character in the name of a room".to_owned());
    }
    if name.contains(char::REPLACEMENT_CHARACTER) {
        return Some("the name of a room is no text: the terminal does not speak UTF-8".to_owned());
    }
    if name.chars().count() > ROOM_NAME_CHARS_MAX {
        return Some(format!("name of a room too long: {ROOM_NAME_CHARS_MAX} letters at most"));
    }
    let is_usable = slug(name).is_some();
    (!is_usable).then(|| format!("a room needs letters or digits for its topic: `{name}`"))
}

/// The file beside `main` with these added to what it says already. An error says what the
/// configuration would not take.
pub(super) fn draft(main: &Path, settings: &Settings, named: &[Named]) -> Result<Draft, LoadError> {
    let path = main.with_file_name(PARTS).join(NAME);
    let before = match source(&path) {
        Ok(source) => source.text,
        Err(LoadError::Absent(_)) => String::new(),
        Err(error) => return Err(error),
    };
    let is_foreign = !before.is_empty() && !before.starts_with(HEADER);
    let added = added(settings, named);
    let mut text = if before.is_empty() { HEADER.to_owned() } else { before };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&added);
    load_with(Some(main), &Source { path: path.clone(), text: text.clone() })?;
    Ok(Draft { path, text, added, is_foreign })
}

/// TOML for the new ones: a room that is nowhere yet gets its table, one that is gets sensors only.
fn added(settings: &Settings, named: &[Named]) -> String {
    let mut text = String::new();
    let mut rooms: Vec<(String, String)> =
        settings.rooms.iter().map(|room| (room.slug.clone(), room.name.clone())).collect();
    // Those of one room one below the other, in the order in which rooms were named.
    let first = |room: &str| named.iter().position(|other| other.room == room);
    let mut named: Vec<&Named> = named.iter().collect();
    named.sort_by_key(|it| first(&it.room));
    for Named { thing, driver, room, .. } in named {
        let known = rooms.iter().find(|(slug, name)| slug == room || name == room);
        let slug = if let Some((slug, _)) = known {
            slug.clone()
        } else {
            let free = free_slug(room, &rooms);
            let title = quoted(room);
            writeln!(text, "\n[rooms.{free}]\nname = {title}").expect("a `String` takes all");
            rooms.push((free.clone(), room.clone()));
            free
        };
        let address = thing.address.as_ref().map(|it| quoted(&it.to_string()));
        let (driver, bus) = (quoted(driver.facts().name), quoted(&thing.bus.to_string()));
        writeln!(text, "\n[[rooms.{slug}.sensors]]\ndriver = {driver}\nbus = {bus}")
            .expect("a `String` takes all");
        if let Some(address) = address {
            writeln!(text, "address = {address}").expect("a `String` takes all");
        }
    }
    text
}

/// The slug of a name; with a number behind it where another room has it already.
fn free_slug(name: &str, rooms: &[(String, String)]) -> String {
    let wanted = slug(name).unwrap_or_default();
    let is_free = |slug: &String| rooms.iter().all(|(taken, _)| taken != slug);
    let mut numbered = (2..).map(|number| {
        let room_left = ROOM_SLUG_BYTES_MAX - format!("-{number}").len();
        let kept: String = wanted.chars().take(room_left).collect();
        format!("{}-{number}", kept.trim_end_matches('-'))
    });
    if is_free(&wanted) { wanted } else { numbered.find(is_free).unwrap_or_default() }
}

impl Draft {
    /// Whether this process may write there.
    pub(super) fn check_place(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let above = folder.parent().filter(|it| *it != Path::new("")).unwrap_or(Path::new("."));
        let place = if folder.exists() { folder } else { above };
        rustix::fs::access(place, rustix::fs::Access::WRITE_OK)
            .map_err(io::Error::from)
            .with_context(|| format!("cannot write `{}`", self.path.display()))
    }

    /// Puts it in its place: whole, or not at all.
    pub(super) fn write(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let doing = || format!("cannot write `{}`", self.path.display());
        match DirBuilder::new().mode(0o755).create(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(doing);
            }
            _ => {}
        }
        // A name that starts with a dot is no part of the configuration.
        let new = folder.join(format!(".{NAME}.{}", std::process::id()));
        let written = self.write_new(&new).and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.and_then(|()| File::open(folder)?.sync_all()).with_context(doing)
    }

    fn write_new(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.mode(0o644).create(true).truncate(true).write(true).open(path)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(self.text.as_bytes())?;
        file.sync_all()
    }
}
