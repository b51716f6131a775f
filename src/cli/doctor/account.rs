//! As whom the gateway runs, and what that user may open.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Gid, getegid, geteuid, getgroups};

/// The user of the service, as packages make it.
const SERVICE: &str = "maison";

/// Where its unit may be, the administrator's word first.
const UNITS: [&str; 3] = [
    "etc/systemd/system/maison.service",
    "usr/lib/systemd/system/maison.service",
    "lib/systemd/system/maison.service",
];

/// A user with its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// As people call it; its number, if it has no name.
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gids: Vec<u32>,
}

impl Account {
    /// Of the process, if the gateway runs; else of the service, if there is one; else of the
    /// state folder; else our own.
    pub(super) fn of_service(root: &Path, state_dir: &Path, process: Option<u32>) -> Self {
        let running = process.and_then(|id| Self::of_process(root, id));
        let of_service = || Self::named(root, SERVICE).filter(|_| unit(root).is_some());
        let of_folder = || Self::numbered(root, fs::metadata(state_dir).ok()?.uid());
        running.or_else(of_service).or_else(of_folder).unwrap_or_else(|| Self::own(root))
    }

    fn of_process(root: &Path, id: u32) -> Option<Self> {
        let status = fs::read_to_string(root.join(format!("proc/{id}/status"))).ok()?;
        let numbers = |name: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().map(|word| word.parse().ok()).collect()
        };
        // Real, effective, saved, of the file system: the second counts.
        let uid = *numbers("Uid:")?.get(1)?;
        let mut gids = numbers("Groups:")?;
        gids.push(*numbers("Gid:")?.get(1)?);
        let name = passwd(root).into_iter().find(|entry| entry.uid == uid);
        Some(Self { name: name.map_or_else(|| uid.to_string(), |entry| entry.name), uid, gids })
    }

    fn named(root: &Path, name: &str) -> Option<Self> {
        let entry = passwd(root).into_iter().find(|entry| entry.name == name)?;
        Some(Self::of_entry(root, entry))
    }

    fn numbered(root: &Path, uid: u32) -> Option<Self> {
        let entry = passwd(root).into_iter().find(|entry| entry.uid == uid)?;
        Some(Self::of_entry(root, entry))
    }

    /// As a login has it, and what the unit adds for the service.
    fn of_entry(root: &Path, Entry { name, uid, gid }: Entry) -> Self {
        let added = if name == SERVICE { unit(root).unwrap_or_default() } else { String::new() };
        let added = added.lines().filter_map(|line| line.strip_prefix("SupplementaryGroups="));
        let added: Vec<&str> = added.flat_map(str::split_whitespace).collect();
        let is_in =
            |group: &&Group| group.members.contains(&name) || added.contains(&group.name.as_str());
        let groups = groups(root);
        let gids = groups.iter().filter(is_in).map(|group| group.gid).chain([gid]).collect();
        Self { name, uid, gids }
    }

    fn own(root: &Path) -> Self {
        let uid = geteuid().as_raw();
        let name = passwd(root).into_iter().find(|entry| entry.uid == uid);
        let groups = getgroups().unwrap_or_default();
        let gids = groups.into_iter().chain([getegid()]).map(Gid::as_raw).collect();
        Self { name: name.map_or_else(|| uid.to_string(), |entry| entry.name), uid, gids }
    }

    /// Whether it may read and write a file with these facts.
    pub(super) fn may_open(&self, facts: &Metadata) -> bool {
        self.may(0o6, facts.uid(), facts.gid(), facts.mode())
    }

    /// Whether it may look into a folder with these facts.
    pub(super) fn may_list(&self, facts: &Metadata) -> bool {
        self.may(0o5, facts.uid(), facts.gid(), facts.mode())
    }

    /// Whether all of the `wanted` bits of `chmod(1)` are its own.
    fn may(&self, wanted: u32, owner: u32, group: u32, mode: u32) -> bool {
        let own = if self.uid == owner {
            mode >> 6
        } else if self.gids.contains(&group) {
            mode >> 3
        } else {
            mode
        };
        self.uid == 0 || own & wanted == wanted
    }
}

/// A group of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) gid: u32,
    members: Vec<String>,
}

/// The groups that there are.
pub(super) fn groups(root: &Path) -> Vec<Group> {
    let text = fs::read_to_string(root.join("etc/group")).unwrap_or_default();
    let group = |line: &str| {
        let mut words = line.split(':');
        let (name, gid) = (words.next()?.to_owned(), words.nth(1)?.parse().ok()?);
        let members = words.next().unwrap_or_default().split(',').map(str::to_owned).collect();
        Some(Group { name, gid, members })
    };
    text.lines().filter_map(group).collect()
}

struct Entry {
    name: String,
    uid: u32,
    gid: u32,
}

fn passwd(root: &Path) -> Vec<Entry> {
    let text = fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let entry = |line: &str| {
        let mut words = line.split(':');
        let (name, uid) = (words.next()?.to_owned(), words.nth(1)?.parse().ok()?);
        Some(Entry { name, uid, gid: words.next()?.parse().ok()? })
    };
    text.lines().filter_map(entry).collect()
}

/// What systemd is told of the service, if it is.
pub(super) fn unit(root: &Path) -> Option<String> {
    UNITS.iter().find_map(|unit| fs::read_to_string(root.join(unit)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A machine with the service installed, and a process of somebody else.
    fn machine() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let users = "root:x:0:0::/root:/bin/sh\nmaison:x:998:997::/:/usr/sbin/nologin\n\
                     pi:x:1000:1000::/home/pi:/bin/bash\n";
        put(root, "etc/passwd", users);
        put(root, "etc/group", "i2c:x:44:pi,maison\ngpio:x:45:pi\nspi:x:46:\nmaison:x:997:\n");
        let status = "Name:\tmaison\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n\
                      Groups:\t44 45\n";
        put(root, "proc/77/status", status);
        folder
    }

    #[test]
    fn the_user_is_that_of_the_process_or_of_the_service_or_of_the_folder() {
        let folder = machine();
        let root = folder.path();
        let of = |process| {
            let account = Account::of_service(root, &root.join("absent"), process);
            (account.name, account.uid, account.gids)
        };
        assert_eq!(of(Some(77)), ("pi".to_owned(), 1000, vec![44, 45, 1000]));
        assert_eq!(of(None).1, geteuid().as_raw(), "no service, no folder: our own");
        put(root, UNITS[1], "[Service]\nUser=maison\nSupplementaryGroups=gpio spi\n");
        assert_eq!(of(None), ("maison".to_owned(), 998, vec![44, 45, 46, 997]));
        assert_eq!(of(Some(78)), of(None), "a process that has gone");
    }

    #[test]
    fn who_may_open_a_device_follows_from_its_mode() {
        let account = |uid, gids: &[u32]| Account { name: String::new(), uid, gids: gids.into() };
        let check = |account: Account, mode: u32, expected: bool| {
            assert_eq!(account.may(0o6, 0, 44, mode), expected, "{account:?} {mode:o}");
        };
        check(account(0, &[]), 0o000, true);
        check(account(998, &[44]), 0o660, true);
        check(account(998, &[44]), 0o640, false);
        check(account(998, &[45]), 0o660, false);
        check(account(998, &[45]), 0o666, true);
        check(account(998, &[44]), 0o606, false);
    }
}
