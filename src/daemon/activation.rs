//! Sockets that systemd opened for the gateway (`sd_listen_fds(3)`): each serves the listener of
//! the configuration that has its address. They stay open as long as the process, since systemd
//! holds them as well and nobody else could bind there.

use std::io;
use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use tracing::{info, warn};

use crate::config::Settings;

/// The sockets that there are.
#[derive(Debug, Default)]
pub struct Sockets(Vec<(SocketAddr, TcpListener)>);

impl Sockets {
    /// Those that systemd passed to this process; none where it did not start it.
    pub fn of_environment() -> Self {
        let mut passed = ListenFd::from_env();
        let mut sockets = Vec::new();
        for index in 0..passed.len() {
            let taken = passed.take_tcp_listener(index).and_then(|socket| {
                let Some(socket) = socket else { return Err(io::ErrorKind::NotFound.into()) };
                socket.set_nonblocking(true)?;
                Ok((socket.local_addr()?, socket))
            });
            match taken {
                Ok(socket) => sockets.push(socket),
                Err(error) => warn!(index, %error, "socket of systemd is none that listens on TCP"),
            }
        }
        Self(sockets)
    }

    /// One more handle of the socket at an address, if there is one.
    pub(super) fn at(&self, address: SocketAddr) -> Option<io::Result<TcpListener>> {
        let (_, socket) = self.0.iter().find(|(known, _)| *known == address)?;
        info!(%address, "socket of systemd is used");
        Some(socket.try_clone())
    }

    /// Says which are nobody's.
    pub(super) fn tell_unused(&self, settings: &Settings) {
        for (address, _) in &self.0 {
            if !settings.listeners.iter().any(|listener| listener.bind == *address) {
                warn!(%address, "socket of systemd has no listener in the configuration");
            }
        }
    }
}
