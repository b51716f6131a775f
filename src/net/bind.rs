//! Opening a listening socket, and what to do when that fails.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;
use tracing::warn;

use crate::limits::LISTEN_BACKLOG;

/// Why nobody can be listened to at an address.
#[derive(Debug)]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// What the operating system said.
    pub error: io::Error,
}

/// A listening socket. `[::]` takes IPv4 as well; where the kernel has no IPv6, it means `0.0.0.0`.
/// What the `leaving` take, sockets of ours that are about to be closed, is not in use.
pub(super) fn bind(
    address: SocketAddr,
    leaving: &[Arc<TcpListener>],
) -> Result<TcpListener, BindError> {
    match listen(address, leaving) {
        Err(error) if lacks_ipv6(&error) && address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            warn!(%address, "no IPv6 on this machine, listening on IPv4 only");
            let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
            listen(address, leaving)
        }
        other => other,
    }
    .map_err(|error| BindError { address, error })
}

fn listen(address: SocketAddr, leaving: &[Arc<TcpListener>]) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restart must not wait for the connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // For this moment. The kernel lets sockets of one user only share a port.
    share(&socket, leaving, true)?;
    let listening = socket.bind(&address.into()).and_then(|()| socket.listen(LISTEN_BACKLOG));
    share(&socket, leaving, false)?;
    listening?;
    TcpListener::from_std(socket.into())
}

fn share(socket: &Socket, leaving: &[Arc<TcpListener>], is_shared: bool) -> io::Result<()> {
    if leaving.is_empty() {
        return Ok(());
    }
    socket.set_reuse_port(is_shared)?;
    leaving.iter().try_for_each(|it| SockRef::from(&**it).set_reuse_port(is_shared))
}

fn lacks_ipv6(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].iter().any(|no| code == Some(no.raw_os_error()))
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        let port = address.port();
        match error.kind() {
            io::ErrorKind::AddrInUse => write!(
                formatter,
                "address already in use: `{address}`\n  hint: `ss -ltnp 'sport = :{port}'` shows \
                 who listens there; another broker, or another `maison`?"
            ),
            io::ErrorKind::PermissionDenied => write!(
                formatter,
                "not allowed to listen: `{address}`\n  hint: ports below 1024 are root's; MQTT's \
                 own are 1883 and, with TLS, 8883"
            ),
            io::ErrorKind::AddrNotAvailable => write!(
                formatter,
                "no such address on this machine: `{address}`\n  hint: `ip address` lists them; \
                 `[::]:{port}` listens on all"
            ),
            _ => write!(formatter, "cannot listen: `{address}`: {error}"),
        }
    }
}

impl std::error::Error for BindError {}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_said_with_the_command_that_shows_by_whom() {
        let taken = bind("127.0.0.1:0".parse().unwrap(), &[]).unwrap();
        let address = taken.local_addr().unwrap();
        let port = address.port();
        assert_eq!(
            bind(address, &[]).unwrap_err().to_string(),
            format!(
                "address already in use: `127.0.0.1:{port}`\n  hint: `ss -ltnp 'sport = :{port}'` \
                 shows who listens there; another broker, or another `maison`?"
            )
        );
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_said_with_the_way_to_find_ones_own() {
        let error = bind("192.0.2.1:1883".parse().unwrap(), &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            "no such address on this machine: `192.0.2.1:1883`\n  hint: `ip address` lists them; \
             `[::]:1883` listens on all"
        );
    }

    #[test]
    fn a_port_of_root_is_said_with_the_usual_ones() {
        let address = "0.0.0.0:80".parse().unwrap();
        let error = BindError { address, error: io::ErrorKind::PermissionDenied.into() };
        assert_eq!(
            error.to_string(),
            "not allowed to listen: `0.0.0.0:80`\n  hint: ports below 1024 are root's; MQTT's own \
             are 1883 and, with TLS, 8883"
        );
    }

    #[tokio::test]
    async fn the_unspecified_address_takes_ipv4() {
        let listener = bind("[::]:0".parse().unwrap(), &[]).unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        listener.accept().await.unwrap();
    }

    #[tokio::test]
    async fn what_leaves_makes_room_for_what_covers_it() {
        let narrow = Arc::new(bind("127.0.0.1:0".parse().unwrap(), &[]).unwrap());
        let wide = |port| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
        let port = narrow.local_addr().unwrap().port();
        bind(wide(port), &[]).unwrap_err();
        let other = bind(wide(port), &[Arc::clone(&narrow)]).unwrap();
        drop(narrow);
        bind(wide(port), &[]).unwrap_err();
        TcpStream::connect(("127.0.0.1", port)).unwrap();
        other.accept().await.unwrap();
    }
}
