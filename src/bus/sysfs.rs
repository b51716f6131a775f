//! The kernel's files of `/sys`, or of a recorded tree, or of a simulated one.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::limits;
use crate::sensors::Fault;
use crate::sim::kernel::Kernel;
use crate::sim::sysfs::{Refusal, Tree};

/// What the file system of the kernel's devices calls itself: `SYSFS_MAGIC` of `linux/magic.h`.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// Small files whose reading and writing does something. Paths are relative to the root, with `/`.
///
/// A device that went away while its file was open is [`ErrorKind::NotFound`], as is a file that
/// never was.
pub trait SysFs: Send {
    /// The whole content; may block while the hardware works.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, ErrorKind>;

    /// Hands over `bytes` in one `write(2)`; may block while the hardware works.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), ErrorKind>;

    /// The names in a folder, in order.
    fn list(&mut self, path: &str) -> Result<Vec<String>, ErrorKind>;

    /// What a symbolic link says.
    fn link(&mut self, path: &str) -> Result<String, ErrorKind>;
}

/// What it means for a sensor that its file cannot be read.
pub(super) const fn fault(error: ErrorKind) -> Fault {
    match error {
        ErrorKind::NotFound => Fault::Absent,
        ErrorKind::PermissionDenied => Fault::Permission,
        ErrorKind::TimedOut => Fault::Timeout,
        _ => Fault::Bus,
    }
}

/// Files below a root: `/sys`, or a recorded tree. Only a true sysfs is ever written to, since a
/// recorded tree would keep what it is told.
#[derive(Clone, Debug)]
pub struct Files {
    root: PathBuf,
}

impl Files {
    /// The files below `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
}

impl SysFs for Files {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, ErrorKind> {
        // Whatever lies there, opening it is not to hang the bus.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let open = OpenOptions::new().read(true).custom_flags(flags).open(self.root.join(path));
        let file = open.map_err(|error| kind(&error))?;
        let mut content = Vec::with_capacity(limits::SYSFS_FILE_BYTES_TYPICAL);
        file.take(limits::SYSFS_FILE_BYTES_MAX)
            .read_to_end(&mut content)
            .map_err(|error| kind(&error))?;
        Ok(content)
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), ErrorKind> {
        let open = OpenOptions::new().write(true).open(self.root.join(path));
        let mut file = open.map_err(|error| kind(&error))?;
        let system = rustix::fs::fstatfs(&file).map_err(Errno::kind)?;
        if u64::try_from(system.f_type) != Ok(SYSFS_MAGIC) {
            return Err(ErrorKind::ReadOnlyFilesystem);
        }
        match file.write(bytes) {
            Ok(written) if written == bytes.len() => Ok(()),
            Ok(_) => Err(ErrorKind::WriteZero),
            Err(error) => Err(kind(&error)),
        }
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, ErrorKind> {
        let entries = fs::read_dir(self.root.join(path)).map_err(|error| kind(&error))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| kind(&error))?.file_name();
            names.extend(name.into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn link(&mut self, path: &str) -> Result<String, ErrorKind> {
        let target = fs::read_link(self.root.join(path)).map_err(|error| kind(&error))?;
        target.into_os_string().into_string().map_err(|_| ErrorKind::InvalidData)
    }
}

fn kind(error: &io::Error) -> ErrorKind {
    match Errno::from_io_error(error) {
        Some(Errno::NODEV | Errno::NXIO) => ErrorKind::NotFound,
        _ => error.kind(),
    }
}

/// A simulated tree, which someone else may change meanwhile.
impl SysFs for Arc<Mutex<Tree>> {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, ErrorKind> {
        self.lock().unwrap_or_else(PoisonError::into_inner).read(path).map_err(kind_of_refusal)
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), ErrorKind> {
        let mut tree = self.lock().unwrap_or_else(PoisonError::into_inner);
        tree.write(path, bytes).map_err(kind_of_refusal)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, ErrorKind> {
        let tree = self.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = tree.list(path).map_err(kind_of_refusal)?;
        names.sort_unstable();
        Ok(names)
    }

    /// Nobody needs those of 1-Wire.
    fn link(&mut self, _path: &str) -> Result<String, ErrorKind> {
        Err(ErrorKind::NotFound)
    }
}

/// The same of the other thermometers of the kernel, which are only read.
impl SysFs for Arc<Mutex<Kernel>> {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, ErrorKind> {
        self.lock().unwrap_or_else(PoisonError::into_inner).read(path).map_err(kind_of_refusal)
    }

    fn write(&mut self, _path: &str, _bytes: &[u8]) -> Result<(), ErrorKind> {
        Err(ErrorKind::PermissionDenied)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, ErrorKind> {
        self.lock().unwrap_or_else(PoisonError::into_inner).list(path).map_err(kind_of_refusal)
    }

    fn link(&mut self, path: &str) -> Result<String, ErrorKind> {
        self.lock().unwrap_or_else(PoisonError::into_inner).link(path).map_err(kind_of_refusal)
    }
}

fn kind_of_refusal(refusal: Refusal) -> ErrorKind {
    match refusal {
        Refusal::NotFound => ErrorKind::NotFound,
        Refusal::PermissionDenied => ErrorKind::PermissionDenied,
        Refusal::IsADirectory => ErrorKind::IsADirectory,
        Refusal::NotADirectory => ErrorKind::NotADirectory,
        Refusal::Failed => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_tree_is_never_written_to() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("therm_bulk_read"), "0\n").unwrap();
        let mut files = Files::new(folder.path());
        assert_eq!(
            files.write("therm_bulk_read", b"trigger\n"),
            Err(ErrorKind::ReadOnlyFilesystem)
        );
        assert_eq!(files.read("therm_bulk_read"), Ok(b"0\n".to_vec()));
        assert_eq!(files.write("no_such", b"trigger\n"), Err(ErrorKind::NotFound));
        assert_eq!(files.list(""), Ok(vec!["therm_bulk_read".to_owned()]));
    }

    #[test]
    fn no_file_is_read_beyond_a_page() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("long"), vec![b'x'; 100_000]).unwrap();
        let content = Files::new(folder.path()).read("long").unwrap();
        assert_eq!(u64::try_from(content.len()), Ok(limits::SYSFS_FILE_BYTES_MAX));
    }

    #[test]
    fn a_device_that_went_away_is_not_found() {
        assert_eq!(kind(&Errno::NODEV.into()), ErrorKind::NotFound);
        assert_eq!(kind(&Errno::ACCESS.into()), ErrorKind::PermissionDenied);
    }
}
