//! Who has the lock of a device, as the kernel tells.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{major, minor};

/// A process of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    name: String,
    id: u32,
}

impl Holder {
    /// Who has a `flock(2)` on this file; `None` where that cannot be seen.
    pub(super) fn of(file: &File) -> Option<Self> {
        let facts = file.metadata().ok()?;
        let id = holder(&fs::read_to_string("/proc/locks").ok()?, facts.dev(), facts.ino())?;
        let name = fs::read_to_string(Path::new("/proc").join(format!("{id}/comm"))).ok()?;
        Some(Self { name: name.trim().to_owned(), id })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A program chooses its name.
        write!(formatter, "`{}` (process {})", self.name.escape_debug(), self.id)
    }
}

/// `1: FLOCK  ADVISORY  WRITE 1234 00:05:342 0 EOF`: the device in hexadecimal digits. Who waits
/// for a lock has an arrow behind the number, and is not who has it.
fn holder(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let wanted = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    locks.lines().find_map(|line| {
        let [_, "FLOCK", _, _, id, file, ..] = line.split_whitespace().collect::<Vec<_>>()[..]
        else {
            return None;
        };
        (file == wanted).then(|| id.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use rustix::fs::{FlockOperation, flock, makedev};

    use super::*;

    #[test]
    fn the_kernels_list_of_locks_is_read_as_it_is_meant() {
        let locks = "1: POSIX  ADVISORY  WRITE 1111 00:05:342 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 2222 00:05:341 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 3333 00:05:342 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 4444 00:05:343 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE -1 103:0a:344 0 EOF\n";
        let check = |device: (u32, u32), inode: u64, expected: Option<u32>| {
            assert_eq!(holder(locks, makedev(device.0, device.1), inode), expected, "{inode}");
        };
        check((0, 5), 342, Some(3333));
        check((0, 6), 342, None);
        check((0, 5), 343, None);
        check((0x103, 0x0a), 344, None);
        check((0, 5), 34, None);
    }

    #[test]
    fn who_has_a_lock_is_named() {
        let device = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
        assert_eq!(Holder::of(device.as_file()), None);
        flock(device.as_file(), FlockOperation::LockExclusive).unwrap();
        let shown = Holder::of(device.as_file()).expect("it is held").to_string();
        assert!(shown.ends_with(&format!(" (process {})", std::process::id())), "{shown}");
    }
}
