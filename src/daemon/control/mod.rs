//! The socket by which the command line asks a gateway that runs: one line of JSON each way.
//!
//! ```text
//! > {"protocol":1,"state_dir":"/var/lib/maison","request":"reload","config":"/etc/m.toml"}
//! < {"protocol":1,"answer":"applied","lines":["room added: cave"]}
//! ```
//!
//! It lies in the state folder, for the user of the gateway and for root; and, where systemd made a
//! runtime folder (`$RUNTIME_DIRECTORY`), there as well, for whoever may look into that: its group.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::Status;
use super::visits::ByName;

mod client;
mod server;

pub use client::{Trouble, ask, is_at_work, visits};
pub(super) use server::{Control, Visitor};

/// Raised when a request or an answer means something else than before.
pub const PROTOCOL: u32 = 1;

const SOCKET: &str = "control";
/// Where systemd makes the runtime folder of the service.
const RUNTIME_DIRECTORY: &str = "/run/maison";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it is.
    Status {},
    /// To read its configuration again.
    Reload {
        /// Which file is meant.
        config: PathBuf,
    },
    /// To look at all certificates again.
    Certificates {},
    /// Who was last there and when.
    Visits {},
    /// What is logged.
    Log {
        /// From now on by this filter; absent: as before.
        filter: Option<String>,
    },
}

/// The names of all requests, for who asks for another.
const REQUESTS: [&str; 5] = ["status", "reload", "certificates", "visits", "log"];

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// How it is.
    Status {
        /// All of it.
        status: Box<Status>,
    },
    /// The configuration holds.
    Applied {
        /// What differs from before.
        lines: Vec<String>,
    },
    /// All is as before.
    Refused {
        /// What is wrong.
        lines: Vec<String>,
    },
    /// The gateway runs on another file.
    OtherFile {
        /// Which.
        file: String,
    },
    /// Who was last there and when.
    Visits {
        /// By the user's name.
        visits: ByName,
    },
    /// The filter by which it logs.
    Log {
        /// As it is now.
        filter: String,
    },
    /// The gateway is that of another state folder.
    OtherFolder {
        /// Which.
        state_dir: String,
    },
    /// The request was not understood.
    Error {
        /// What is wrong with it, and what would not be.
        what: String,
    },
}

/// A request with what is around it.
#[derive(Serialize, Deserialize)]
struct Asked {
    protocol: u32,
    /// Of the gateway that is meant.
    state_dir: PathBuf,
    #[serde(flatten)]
    request: Request,
}

/// An answer with what is around it.
#[derive(Serialize, Deserialize)]
struct Answered {
    protocol: u32,
    #[serde(flatten)]
    answer: Answer,
}

/// Reads one line, in the order in which mistakes are best told.
fn understood(line: &[u8]) -> Result<Asked, String> {
    let text = line.trim_ascii_end();
    let value: Value =
        serde_json::from_slice(text).map_err(|error| format!("no line of JSON: {error}"))?;
    match value.get("protocol").and_then(Value::as_u64) {
        Some(protocol) if protocol == u64::from(PROTOCOL) => {}
        Some(other) => {
            return Err(format!(
                "this gateway (maison {}) speaks version {PROTOCOL} of the control protocol, not \
                 {other}",
                env!("CARGO_PKG_VERSION")
            ));
        }
        None => return Err("no `protocol` in the request".to_owned()),
    }
    let Some(name) = value.get("request").and_then(Value::as_str) else {
        return Err("no `request` in the request".to_owned());
    };
    if !REQUESTS.contains(&name) {
        return Err(format!("unknown request: `{name}`; known: {}", REQUESTS.join(", ")));
    }
    let name = name.to_owned();
    serde_json::from_value(value).map_err(|error| format!("request `{name}`: {error}"))
}

/// Where the gateway of a state folder listens, in the order in which it is tried.
fn places(state_dir: &Path) -> [PathBuf; 2] {
    [state_dir.join(SOCKET), runtime_directory().unwrap_or(RUNTIME_DIRECTORY.into()).join(SOCKET)]
}

/// What systemd made for the service, if it did.
fn runtime_directory() -> Option<PathBuf> {
    let folders = std::env::var_os("RUNTIME_DIRECTORY")?;
    std::env::split_paths(&folders).next().filter(|folder| folder.is_absolute())
}

/// The folder without links, if that can be seen from here.
fn real(folder: &Path) -> PathBuf {
    folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
}

/// Whether a failure to connect only says that nobody is there.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests;
