//! Where an export goes: standard output, or a new file that is whole or not there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Stdout, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::cli::invoker::Invoker;
use crate::store::{OpenError, VisitError};

const PRIVATE_FILE: u32 = 0o600;

/// See the module.
pub(super) enum Output {
    Standard(BufWriter<Stdout>),
    File { file: BufWriter<File>, draft: PathBuf, path: PathBuf, is_whole: bool },
}

impl Output {
    /// A file must not be there.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, VisitError> {
        let Some(path) = path else { return Ok(Self::Standard(BufWriter::new(io::stdout()))) };
        if fs::symlink_metadata(&path).is_ok() {
            return Err(VisitError::Exists { path });
        }
        let mut draft = path.clone().into_os_string();
        draft.push(".new");
        let draft = PathBuf::from(draft);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(PRIVATE_FILE).open(&draft);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(VisitError::Exists { path: draft });
            }
            Err(error) => {
                return Err(OpenError::Io { doing: "make", path: draft, error }.into());
            }
            Ok(file) => BufWriter::new(file),
        };
        Ok(Self::File { file, draft, path, is_whole: false })
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &Value) -> io::Result<()> {
        let to: &mut dyn Write = match self {
            Self::Standard(out) => out,
            Self::File { file, .. } => file,
        };
        serde_json::to_writer(&mut *to, line)?;
        to.write_all(b"\n")
    }

    /// Nothing follows: a file has its name from now on, and is on the disk.
    pub(super) fn finish(mut self) -> Result<(), VisitError> {
        let finished = match &mut self {
            Self::Standard(out) => out.flush(),
            Self::File { file, draft, path, is_whole } => file
                .flush()
                .and_then(|()| Invoker::of(draft).map_or(Ok(()), |invoker| invoker.own(draft)))
                .and_then(|()| file.get_ref().sync_all())
                .and_then(|()| fs::rename(draft, path))
                .inspect(|()| *is_whole = true),
        };
        finished.map_err(VisitError::Output)
    }
}

/// Leaves no half of a file.
impl Drop for Output {
    fn drop(&mut self) {
        if let Self::File { draft, is_whole: false, .. } = self {
            // What went wrong is told already.
            let _ = fs::remove_file(draft);
        }
    }
}
