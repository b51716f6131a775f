//! Asking.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Answer, Answered, Asked, PROTOCOL, Request, SOCKET, is_absent, places, real};
use crate::daemon::visits::ByName;
use crate::limits::{ANSWER_TIMEOUT, CONTROL_ANSWER_BYTES_MAX, RELOAD_TIMEOUT};

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// No gateway runs on that state folder.
    NotRunning,
    /// Who asks may not.
    Forbidden,
    /// It did not answer, or not in time.
    Silent(io::Error),
    /// It does not understand the question, or we not the answer.
    Misunderstood(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => formatter.write_str("it does not run"),
            Self::Forbidden => formatter.write_str("it may not be asked"),
            Self::Silent(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                formatter.write_str("is it stopped (SIGSTOP) or stuck?")
            }
            Self::Silent(error) => error.fmt(formatter),
            Self::Misunderstood(why) => formatter.write_str(why),
        }
    }
}

/// Asks the gateway of a state folder. Blocks for [`ANSWER_TIMEOUT`] at most; for
/// [`RELOAD_TIMEOUT`] more where it has to read files, if it answers at all.
pub fn ask(state_dir: &Path, request: Request) -> Result<Answer, Trouble> {
    if matches!(request, Request::Reload { .. } | Request::Certificates {}) {
        ask_within(ANSWER_TIMEOUT, state_dir, Request::Log { filter: None })?;
        return ask_within(RELOAD_TIMEOUT, state_dir, request);
    }
    ask_within(ANSWER_TIMEOUT, state_dir, request)
}

fn ask_within(limit: Duration, state_dir: &Path, request: Request) -> Result<Answer, Trouble> {
    let asked = Asked { protocol: PROTOCOL, state_dir: real(state_dir), request };
    let mut trouble = Trouble::NotRunning;
    for place in places(state_dir) {
        match UnixStream::connect(place) {
            Ok(stream) => match converse(stream, &asked, limit)? {
                Answer::OtherFolder { .. } => {}
                Answer::Error { what } => return Err(Trouble::Misunderstood(what)),
                answer => return Ok(answer),
            },
            Err(error) if is_absent(&error) => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                trouble = Trouble::Forbidden;
            }
            Err(error) => return Err(Trouble::Silent(error)),
        }
    }
    Err(trouble)
}

/// Asks the gateway of a state folder who was last there and when.
pub fn visits(state_dir: &Path) -> Result<ByName, Trouble> {
    match ask(state_dir, Request::Visits {})? {
        Answer::Visits { visits } => Ok(visits),
        other => Err(Trouble::Misunderstood(format!("it answers another question: {other:?}"))),
    }
}

/// Whether a gateway is at work on a state folder, as far as that can be seen.
pub fn is_at_work(state_dir: &Path) -> bool {
    match UnixStream::connect(state_dir.join(SOCKET)) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    }
}

fn converse(mut stream: UnixStream, asked: &Asked, limit: Duration) -> Result<Answer, Trouble> {
    stream.set_read_timeout(Some(limit)).map_err(Trouble::Silent)?;
    stream.set_write_timeout(Some(limit)).map_err(Trouble::Silent)?;
    let mut line = serde_json::to_vec(asked).map_err(|error| Trouble::Silent(error.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(Trouble::Silent)?;
    let mut answer = Vec::new();
    stream.take(CONTROL_ANSWER_BYTES_MAX).read_to_end(&mut answer).map_err(Trouble::Silent)?;
    heard(&answer)
}

fn heard(answer: &[u8]) -> Result<Answer, Trouble> {
    let cannot = |error: &dyn fmt::Display| {
        Trouble::Misunderstood(format!("its answer cannot be read: {error}"))
    };
    let value: Value = serde_json::from_slice(answer).map_err(|error| cannot(&error))?;
    let protocol = value.get("protocol").and_then(Value::as_u64);
    if protocol != Some(u64::from(PROTOCOL)) {
        let protocol = protocol.map_or("none".to_owned(), |protocol| protocol.to_string());
        return Err(Trouble::Misunderstood(format!(
            "it speaks another version of the control protocol: {protocol}; this is maison {}, \
             which speaks {PROTOCOL}",
            env!("CARGO_PKG_VERSION")
        )));
    }
    let answered: Answered = serde_json::from_value(value).map_err(|error| cannot(&error))?;
    Ok(answered.answer)
}
