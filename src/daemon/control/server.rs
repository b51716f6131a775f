//! The gateway's end: visitors are heard side by side, each for a bounded time, and what they ask
//! is handed on in turn.

use std::fs::{Permissions, remove_file, set_permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::{Answer, Answered, PROTOCOL, Request, SOCKET, real, runtime_directory, understood};
use crate::limits::{CONTROL_REQUEST_BYTES_MAX, CONTROL_TIMEOUT, CONTROL_VISITORS_MAX};

/// Of the socket in the state folder, which is the user's alone as all that lies there.
const MODE: u32 = 0o600;
/// Of the other: who may look into the folder may ask, its group as well.
const RUNTIME_MODE: u32 = 0o660;

/// The sockets of a gateway.
pub(in crate::daemon) struct Control {
    listeners: Vec<UnixListener>,
    state_dir: PathBuf,
}

/// Somebody who asked, and waits.
pub(in crate::daemon) struct Visitor {
    stream: BufReader<UnixStream>,
    /// What is asked.
    pub request: Request,
    _place: OwnedSemaphorePermit,
}

impl Control {
    /// Opens them in the folder of the gateway, which is alone there: what an earlier life left is
    /// in nobody's use.
    pub(in crate::daemon) fn open(state_dir: &Path) -> Self {
        let own = Some((state_dir.to_owned(), MODE));
        let folders = [own, runtime_directory().map(|folder| (folder, RUNTIME_MODE))];
        let open = |(folder, mode): (PathBuf, u32)| {
            let path = folder.join(SOCKET);
            match listen(&path, mode) {
                Ok(listener) => Some(listener),
                Err(error) => {
                    warn!(%error, socket = %path.display(), "nobody can ask by this socket");
                    None
                }
            }
        };
        let listeners = folders.into_iter().flatten().filter_map(open).collect();
        Self { listeners, state_dir: real(state_dir) }
    }

    /// Those who ask for what can be understood. The others are told why not.
    pub(in crate::daemon) fn serve(self) -> mpsc::Receiver<Visitor> {
        let (sender, visitors) = mpsc::channel(1);
        let places = Arc::new(Semaphore::new(CONTROL_VISITORS_MAX));
        let own: Arc<Path> = self.state_dir.into();
        for listener in self.listeners {
            let (sender, places, own) = (sender.clone(), Arc::clone(&places), Arc::clone(&own));
            tokio::spawn(async move {
                while !sender.is_closed() {
                    // Nobody closes it.
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            let (sender, own) = (sender.clone(), Arc::clone(&own));
                            tokio::spawn(hear(stream, own, place, sender));
                        }
                        Err(error) => {
                            debug!(%error, "nobody can ask at the moment");
                            tokio::time::sleep(CONTROL_TIMEOUT).await;
                        }
                    }
                }
            });
        }
        visitors
    }
}

fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    // What cannot be removed is said by `bind`.
    let _ = remove_file(path);
    let listener = UnixListener::bind(path)?;
    set_permissions(path, Permissions::from_mode(mode))?;
    Ok(listener)
}

async fn hear(
    stream: UnixStream,
    own: Arc<Path>,
    place: OwnedSemaphorePermit,
    sender: mpsc::Sender<Visitor>,
) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut read = (&mut stream).take(CONTROL_REQUEST_BYTES_MAX);
    match timeout(CONTROL_TIMEOUT, read.read_until(b'\n', &mut line)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return debug!(%error, "request not heard"),
        Err(_) => return debug!("request not finished"),
    }
    let answer = match understood(&line) {
        Ok(asked) if asked.state_dir != *own => {
            Answer::OtherFolder { state_dir: own.display().to_string() }
        }
        Ok(asked) => {
            let visitor = Visitor { stream, request: asked.request, _place: place };
            // Whoever would answer is gone: so is the gateway.
            let _ = sender.send(visitor).await;
            return;
        }
        Err(what) => Answer::Error { what },
    };
    tell(&mut stream, answer).await;
}

impl Visitor {
    /// Tells what came of it, while others are served.
    pub(in crate::daemon) fn answer(mut self, answer: Answer) {
        tokio::spawn(async move { tell(&mut self.stream, answer).await });
    }

    /// The same, of what has to be found out first by a thread of its own.
    pub(in crate::daemon) fn answer_later(
        mut self,
        find: impl FnOnce() -> Answer + Send + 'static,
    ) {
        tokio::spawn(async move {
            if let Ok(answer) = tokio::task::spawn_blocking(find).await {
                tell(&mut self.stream, answer).await;
            }
        });
    }
}

async fn tell(stream: &mut BufReader<UnixStream>, answer: Answer) {
    let Ok(mut text) = serde_json::to_vec(&Answered { protocol: PROTOCOL, answer }) else { return };
    text.push(b'\n');
    let written = timeout(CONTROL_TIMEOUT, stream.get_mut().write_all(&text)).await;
    if !matches!(written, Ok(Ok(()))) {
        debug!("who asked does not wait for the answer");
    }
}
