//! Files of an administrator, read as a whole: nobody waits for what may be in their place.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The content of a regular file, or of one that a link leads to, of at most so many bytes. A pipe
/// is not waited for and a device not read: each is an error, as is a larger file.
pub(crate) fn read_whole(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = open_regular(path)?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length <= bytes_max) {
        return Ok(content);
    }
    let what = format!("larger than {bytes_max} bytes");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
}

/// Opens it for reading, if it is a regular file.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    // Looked at first, as to open some devices is to use them; and again, as it may be another now.
    check(&std::fs::metadata(path)?)?;
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(facts: &std::fs::Metadata) -> io::Result<()> {
    if facts.is_file() {
        Ok(())
    } else if facts.is_dir() {
        Err(Errno::ISDIR.into())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read_whole(&path, 4).unwrap(), b"1234");
        let error = read_whole(&path, 3).unwrap_err();
        assert_eq!(error.to_string(), "larger than 3 bytes");
        let link = folder.path().join("b");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read_whole(&link, 4).unwrap(), b"1234");
        let error = read_whole(folder.path(), 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let error = read_whole(Path::new("/dev/zero"), 4).unwrap_err();
        assert_eq!(error.to_string(), "not a regular file");
    }
}
