//! A listener: binds, admits, shakes hands, and starts a task per connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::admission::Permit;
use super::{Admission, Service, connection, tls};
use crate::access::{Peer, Policy};
use crate::limits::TLS_HANDSHAKE_TIMEOUT;

/// Connections the kernel may hold before they are accepted: a whole house that comes back at once.
const BACKLOG: i32 = 1024;
/// After this silence the kernel asks whether the peer is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// How long accepting rests when the process has no file descriptor left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How a listener lets peers in.
#[derive(Clone)]
pub struct Door {
    /// Its name, for people.
    pub name: Arc<str>,
    /// What it asks.
    pub policy: Policy,
    /// `None`: plain TCP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Largest packet after login.
    pub packet_bytes_max: u32,
}

/// A socket that listens; nobody is accepted yet.
pub struct Bound {
    listener: TcpListener,
    door: Door,
}

/// Why a listener cannot listen.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, port) = (self.address, self.address.port());
        match self.error.kind() {
            io::ErrorKind::AddrInUse => write!(
                formatter,
                "cannot listen: `{address}`: the port is in use\n  hint: `ss -ltnp 'sport = :{port}'` \
                 shows by whom; if it is mosquitto, stop it or choose another port in `[[listener]]`"
            ),
            io::ErrorKind::PermissionDenied => write!(
                formatter,
                "cannot listen: `{address}`: not allowed\n  hint: ports below 1024 are for root; MQTT \
                 has 1883, and 8883 with TLS"
            ),
            io::ErrorKind::AddrNotAvailable => write!(
                formatter,
                "cannot listen: `{address}`: this machine has no such address\n  hint: `[::]:{port}` \
                 is every address, `127.0.0.1:{port}` this machine only"
            ),
            _ => write!(formatter, "cannot listen: `{address}`: {}", self.error),
        }
    }
}

impl std::error::Error for BindError {}

impl Bound {
    /// Takes the port; peers wait in the kernel until [`Bound::serve`].
    pub fn bind(address: SocketAddr, door: Door) -> Result<Self, BindError> {
        let listener = listen(address).map_err(|error| BindError { address, error })?;
        Ok(Self { listener, door })
    }

    /// Where it listens: with the port that the kernel chose, if it was asked to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts until dropped. Each connection is a task of its own, so that neither a handshake nor
    /// a slow peer delays another.
    pub async fn serve(self, service: Arc<dyn Service>, admission: Arc<Admission>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    if let Some(permit) = admission.admit(address.ip()) {
                        self.welcome(stream, address, permit, &service);
                    } else {
                        debug!(peer = %address, "too many connections: closed at once");
                    }
                }
                Err(error) => {
                    warn!(listener = &*self.door.name, %error, "cannot accept");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    fn welcome(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        permit: Permit,
        service: &Arc<dyn Service>,
    ) {
        let (door, service) = (self.door.clone(), Arc::clone(service));
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = enter(stream, address, door, service).await {
                debug!(peer = %address, %error, "no handshake");
            }
        });
    }
}

/// From an accepted socket to the end of its connection.
async fn enter(
    stream: TcpStream,
    address: SocketAddr,
    door: Door,
    service: Arc<dyn Service>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Door { name: listener, policy, tls, packet_bytes_max } = door;
    let mut peer = Peer { address, listener, policy, certificate: None };
    let Some(configuration) = tls else {
        connection::serve(stream, peer, service, packet_bytes_max).await;
        return Ok(());
    };
    let handshake = TlsAcceptor::from(configuration).accept(stream);
    let stream = tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, handshake)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    peer.certificate = tls::identity(stream.get_ref().1);
    connection::serve(stream, peer, service, packet_bytes_max).await;
    Ok(())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
