//! The socket in the state folder by which `maison reload` and `maison subscriber list` ask a
//! gateway that runs. One line of JSON each way: what is wanted, and what came of it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as Visitor;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::visits;
use crate::limits::{CONTROL_REQUEST_BYTES_MAX, CONTROL_TIMEOUT, RELOAD_TIMEOUT};

const SOCKET: &str = "control";

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "lines", rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds; each line is something that differs from before.
    Applied(Vec<String>),
    /// All is as before; each line is something that is wrong.
    Refused(Vec<String>),
    /// The gateway runs on this other file.
    OtherFile(String),
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    /// That this file be read again; the answer is an [`Outcome`].
    Reload(PathBuf),
    /// That all certificates be looked at again; the answer is an [`Outcome`].
    Certificates,
    /// To know who was last there and when; the answer is [`visits::ByName`].
    Visits,
}

/// Asks the gateway of a state folder to read `config` again, and waits for what comes of it.
/// Blocks for [`RELOAD_TIMEOUT`] at most.
pub fn reload(state_dir: &Path, config: &Path) -> io::Result<Outcome> {
    ask(state_dir, &Ask::Reload(config.canonicalize()?))
}

/// Asks the gateway of a state folder to look at its certificates again. Blocks as [`reload`] does.
pub fn certificates(state_dir: &Path) -> io::Result<Outcome> {
    ask(state_dir, &Ask::Certificates)
}

/// Asks the gateway of a state folder who was last there and when. Blocks as [`reload`] does.
pub fn visits(state_dir: &Path) -> io::Result<visits::ByName> {
    ask(state_dir, &Ask::Visits)
}

fn ask<A: DeserializeOwned>(state_dir: &Path, ask: &Ask) -> io::Result<A> {
    let mut stream = Visitor::connect(state_dir.join(SOCKET))?;
    stream.set_read_timeout(Some(RELOAD_TIMEOUT))?;
    serde_json::to_writer(&mut stream, ask)?;
    io::Write::write_all(&mut stream, b"\n")?;
    let mut answer = String::new();
    io::Read::read_to_string(&mut stream, &mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

/// Whether a gateway is at work on a state folder, as far as that can be seen.
pub fn is_at_work(state_dir: &Path) -> bool {
    match Visitor::connect(state_dir.join(SOCKET)) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// The gateway's end.
pub(super) struct Control(Option<UnixListener>);

/// Somebody who asked, and waits.
pub(super) struct Request {
    stream: BufReader<UnixStream>,
    /// What for.
    pub ask: Ask,
}

impl Control {
    /// Opens it in the folder of the gateway, which is alone there: what an earlier life left is in
    /// nobody's use. Only who may look into the folder can ask.
    pub(super) fn open(folder: &Path) -> Self {
        let path = folder.join(SOCKET);
        // What cannot be removed is said by `bind`.
        let _ = fs::remove_file(&path);
        let private = |_: &UnixListener| fs::set_permissions(&path, Permissions::from_mode(0o600));
        let listener = UnixListener::bind(&path);
        match listener.and_then(|listener| private(&listener).map(|()| listener)) {
            Ok(listener) => Self(Some(listener)),
            Err(error) => {
                let socket = path.display();
                warn!(%error, %socket, "nobody can ask this gateway; SIGHUP reloads it");
                Self(None)
            }
        }
    }

    /// Those who ask, as far as that can be understood, one after the other.
    pub(super) fn serve(self) -> mpsc::Receiver<Request> {
        let (sender, requests) = mpsc::channel(1);
        if let Some(listener) = self.0 {
            tokio::spawn(
                async move { while sender.send(Self::next(&listener).await).await.is_ok() {} },
            );
        }
        requests
    }

    async fn next(listener: &UnixListener) -> Request {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => match timeout(CONTROL_TIMEOUT, Request::read(stream)).await {
                    Ok(Ok(request)) => return request,
                    Ok(Err(error)) => debug!(%error, "request not understood"),
                    Err(_) => debug!("request not finished"),
                },
                Err(error) => {
                    debug!(%error, "nobody can ask at the moment");
                    tokio::time::sleep(CONTROL_TIMEOUT).await;
                }
            }
        }
    }
}

impl Request {
    async fn read(stream: UnixStream) -> io::Result<Self> {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        (&mut stream).take(CONTROL_REQUEST_BYTES_MAX).read_until(b'\n', &mut line).await?;
        let ask = serde_json::from_slice(&line)?;
        Ok(Self { stream, ask })
    }

    /// Tells what came of it.
    pub(super) async fn answer(mut self, answer: &impl Serialize) {
        let Ok(text) = serde_json::to_vec(answer) else { return };
        let written = timeout(CONTROL_TIMEOUT, self.stream.get_mut().write_all(&text)).await;
        if !matches!(written, Ok(Ok(()))) {
            debug!("who asked does not wait for the answer");
        }
    }
}
