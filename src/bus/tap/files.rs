//! Files of the kernel.

use std::io::ErrorKind;

use serde::{Deserialize, Serialize};

use super::{Said, Tapped};
use crate::bus::sysfs::SysFs;

/// Something that was done with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileStep {
    /// Its content, as text: what the kernel shows is text.
    Read(String, Result<String, Trouble>),
    /// What went into it.
    Write(String, String, Result<(), Trouble>),
    /// The names in a folder.
    List(String, Result<Vec<String>, Trouble>),
    /// What a link says.
    Link(String, Result<String, Trouble>),
}

/// Why it could not be done, as far as that makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// It is not there.
    NotFound,
    /// Not allowed.
    Permission,
    /// It takes too long.
    Timeout,
    /// Something else.
    Other,
}

impl From<ErrorKind> for Trouble {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::PermissionDenied => Self::Permission,
            ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Other,
        }
    }
}

impl From<Trouble> for ErrorKind {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::NotFound => Self::NotFound,
            Trouble::Permission => Self::PermissionDenied,
            Trouble::Timeout => Self::TimedOut,
            Trouble::Other => Self::Other,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<S: SysFs> SysFs for Tapped<S> {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, ErrorKind> {
        let result = self.inner.read(path);
        self.tap.tell(|| {
            let said = result.as_deref().map(text).map_err(|kind| (*kind).into());
            Said::File(FileStep::Read(path.to_owned(), said))
        });
        result
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), ErrorKind> {
        let result = self.inner.write(path, bytes);
        self.tap.tell(|| {
            let said = result.map_err(Trouble::from);
            Said::File(FileStep::Write(path.to_owned(), text(bytes), said))
        });
        result
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, ErrorKind> {
        let result = self.inner.list(path);
        self.tap.tell(|| {
            let said = result.clone().map_err(Trouble::from);
            Said::File(FileStep::List(path.to_owned(), said))
        });
        result
    }

    fn link(&mut self, path: &str) -> Result<String, ErrorKind> {
        let result = self.inner.link(path);
        self.tap.tell(|| {
            let said = result.clone().map_err(Trouble::from);
            Said::File(FileStep::Link(path.to_owned(), said))
        });
        result
    }
}
