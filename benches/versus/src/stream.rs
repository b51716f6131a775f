//! Bytes of a connection, plain, in TLS or in WebSocket, without ever waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use mio::net::TcpStream;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::websocket::WebSocket;

/// Made once, for all connections.
#[derive(Clone)]
pub enum Dial {
    Tcp,
    Tls(Arc<ClientConfig>),
    WebSocket,
}

impl Dial {
    /// Trusts that certificate.
    pub fn tls(authority: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::Tls(Arc::new(config)))
    }
}

pub struct Stream {
    socket: TcpStream,
    layer: Layer,
}

enum Layer {
    Plain,
    Tls(Box<ClientConnection>),
    WebSocket(WebSocket),
}

impl Stream {
    /// Connects, with a handshake where there is one; waits for both.
    pub fn connect(address: SocketAddr, dial: &Dial) -> Result<Self> {
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let layer = match dial {
            Dial::Tcp => Layer::Plain,
            Dial::WebSocket => Layer::WebSocket(WebSocket::upgrade(&mut socket)?),
            Dial::Tls(config) => {
                let name = ServerName::try_from("localhost")?;
                let mut tls = ClientConnection::new(Arc::clone(config), name)?;
                tls.set_buffer_limit(None);
                while tls.is_handshaking() {
                    tls.complete_io(&mut socket).context("handshake")?;
                }
                Layer::Tls(Box::new(tls))
            }
        };
        socket.set_nonblocking(true)?;
        Ok(Self { socket: TcpStream::from_std(socket), layer })
    }

    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Reads what is there into `buffer`; `WouldBlock` if that is nothing.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { socket, layer } = self;
        let tls = match layer {
            Layer::Plain => return socket.read(buffer),
            Layer::WebSocket(frames) => return frames.read(socket, buffer),
            Layer::Tls(tls) => tls,
        };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if tls.read_tls(socket)? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Writes what the kernel takes of `bytes`; how much that was.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self { socket, layer } = self;
        match layer {
            Layer::Plain => or_nothing(socket.write(bytes)),
            Layer::WebSocket(frames) => or_nothing(frames.write(socket, bytes)),
            Layer::Tls(tls) => {
                let taken = tls.writer().write(bytes)?;
                while tls.wants_write() && or_nothing(tls.write_tls(socket))? > 0 {}
                Ok(taken)
            }
        }
    }

    /// Whether something is left that [`Stream::write`] took.
    pub fn is_behind(&self) -> bool {
        matches!(&self.layer, Layer::Tls(tls) if tls.wants_write())
    }
}

/// What the kernel does not take now is nothing written.
fn or_nothing(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}
