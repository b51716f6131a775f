//! Listening: peers are admitted, greeted and handed to a task of their own.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tracing::{debug, info, warn};

use super::admission::{Admission, Full, Permit};
use super::bind::{BindError, bind};
use super::complaint::Complaint;
use super::connection::Terms;
use super::meter::{Counted, Meter};
use super::tls::{Failure, Reason};
use super::websocket::{self, Origins, WebSocket};
use super::{Service, Tls, connection, tls};
use crate::access::{Certificate, Peer, Policy};
use crate::limits::{ACCEPT_PAUSE, TCP_KEEPALIVE, WEBSOCKET_HANDSHAKE_TIMEOUT};

/// Where to listen, and to whom.
#[derive(Clone, Debug)]
pub struct Listener {
    /// For people: in the log line of a refused login.
    pub name: Arc<str>,
    /// Address and port; port 0 lets the kernel choose.
    pub bind: SocketAddr,
    /// What peers are asked for.
    pub policy: Policy,
    /// `None`: plain TCP.
    pub tls: Option<Arc<Tls>>,
    /// What carries the packets.
    pub transport: Transport,
    /// Largest packet of a peer that has logged in, in bytes.
    pub packet_bytes_max: u32,
}

/// What carries the packets of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP, or TLS over it.
    Tcp,
    /// WebSocket over either.
    WebSocket,
}

/// A listener with its socket. Peers wait in the kernel until [`Bound::serve`] is called.
#[derive(Debug)]
pub struct Bound {
    socket: Arc<TcpListener>,
    door: Door,
    meter: Arc<Meter>,
}

/// The address that a listener takes until it stops.
#[derive(Clone, Debug)]
pub struct Taken(Weak<TcpListener>);

/// Tells a listener to stop. Clones speak of the same listener.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

/// The terms of a listener, which can change while it listens. Clones are of the same listener.
#[derive(Clone, Debug)]
pub struct Door(Arc<RwLock<Arc<Context>>>);

#[derive(Debug)]
struct Context {
    listener: Listener,
    /// Its terms hold no more, not even for handshakes in progress.
    over: Stop,
    admission: Arc<Admission>,
    crowds: Complaint,
    handshakes: Complaint,
}

impl Stop {
    /// Not yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Now. Connections that are open stay so; the service closes them.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is time.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for [`Stop::stop`].
    pub async fn stopped(&self) {
        let mut told = self.0.subscribe();
        // An error would say that all who could tell are gone; `self` is one of them.
        let _ = told.wait_for(|stop| *stop).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Door {
    fn new(listener: Listener, admission: &Arc<Admission>) -> Self {
        Self(Arc::new(RwLock::new(Context::new(listener, admission))))
    }

    /// Other terms for who comes from now on, under the same name; the address stays. Who is there
    /// stays.
    pub fn change(&self, listener: Listener) {
        let mut context = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let name = Arc::clone(&context.listener.name);
        *context = Context::new(Listener { name, ..listener }, &context.admission);
    }

    /// Handshakes in progress come to nothing; who has come through may stay.
    pub fn end_handshakes(&self) {
        self.context().over.stop();
    }

    /// Name of the listener, as its peers carry it.
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.context().listener.name)
    }

    fn context(&self) -> Arc<Context> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Bound {
    /// Opens the socket. `admission` is shared by all listeners. Needs a tokio runtime.
    pub fn bind(listener: Listener, admission: &Arc<Admission>) -> Result<Self, BindError> {
        Self::bind_after(listener, admission, &[])
    }

    /// The same, also where listeners that are about to be stopped are in the way.
    pub fn bind_after(
        listener: Listener,
        admission: &Arc<Admission>,
        leaving: &[Taken],
    ) -> Result<Self, BindError> {
        let leaving: Vec<_> = leaving.iter().filter_map(|taken| taken.0.upgrade()).collect();
        Ok(Self::of(bind(listener.bind, &leaving)?, listener, admission))
    }

    /// Takes a socket that is open already and does not block. Needs a tokio runtime.
    pub fn over(
        socket: std::net::TcpListener,
        listener: Listener,
        admission: &Arc<Admission>,
    ) -> Result<Self, BindError> {
        let address = listener.bind;
        let socket = TcpListener::from_std(socket).map_err(|error| BindError { address, error })?;
        Ok(Self::of(socket, listener, admission))
    }

    fn of(socket: TcpListener, listener: Listener, admission: &Arc<Admission>) -> Self {
        let socket = Arc::new(socket);
        let name = match socket.local_addr() {
            // Two with a port of chance are not to have one name.
            Ok(address) if *listener.name == *listener.bind.to_string() => {
                Arc::from(address.to_string())
            }
            Ok(_) | Err(_) => listener.name,
        };
        let listener = Listener { name, ..listener };
        Self { socket, door: Door::new(listener, admission), meter: Arc::default() }
    }

    /// What it takes, as long as it listens.
    pub fn taken(&self) -> Taken {
        Taken(Arc::downgrade(&self.socket))
    }

    /// Where its terms are changed.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// Counts what goes over its wires on that meter.
    #[must_use]
    pub fn metered(self, meter: &Arc<Meter>) -> Self {
        Self { meter: Arc::clone(meter), ..self }
    }

    /// Where it listens, with the port that the kernel chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts peers until told to stop; then the port is free again. Each peer has a task of its
    /// own, so that one who is slow delays nobody; handshakes in progress end with `stop`.
    pub async fn serve(self, service: Arc<dyn Service>, stop: Stop) {
        loop {
            let accepted = tokio::select! {
                () = stop.stopped() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.admit(stream, address, &service, &stop),
                Err(error) if is_of_one_peer(&error) => debug!(%error, "peer left before accept"),
                Err(error) => {
                    let context = self.door.context();
                    context.admission.count_accept();
                    context.crowds.log(|left_out| {
                        warn!(%error, left_out, "cannot accept connections");
                    });
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        service: &Arc<dyn Service>,
        stop: &Stop,
    ) {
        let context = self.door.context();
        match context.admission.admit(address.ip()) {
            Ok(permit) => {
                let meter = Arc::clone(&self.meter);
                let (service, stop) = (Arc::clone(service), stop.clone());
                tokio::spawn(async move {
                    let stream = meter.attach(stream);
                    context.attend(stream, address, permit, service, stop).await;
                });
            }
            Err(full) => {
                context.admission.count_peer();
                let bound = match full {
                    Full::House => "all",
                    Full::Address => "one address",
                };
                context.crowds.log(|left_out| {
                    let peer = address;
                    warn!(%peer, bound, left_out, "too many connections, peer turned away");
                });
            }
        }
    }
}

impl Context {
    fn new(listener: Listener, admission: &Arc<Admission>) -> Arc<Self> {
        let (admission, over) = (Arc::clone(admission), Stop::new());
        let (crowds, handshakes) = (Complaint::new(), Complaint::new());
        Arc::new(Self { listener, over, admission, crowds, handshakes })
    }

    async fn attend(
        &self,
        stream: Counted<TcpStream>,
        address: SocketAddr,
        permit: Permit,
        service: Arc<dyn Service>,
        stop: Stop,
    ) {
        if let Err(error) = prepare(stream.inner()) {
            debug!(peer = %address, %error, "peer left at once");
            return;
        }
        // What a stage needs is given back before the next; the task is small for all its life.
        let serving = match &self.listener.tls {
            None => self.welcome(stream, self.peer(address, None), service, stop),
            Some(tls) => {
                let shaken = self.shake_hands(tls, stream, address, &service, &stop);
                let Some((stream, peer)) = Box::pin(shaken).await else { return };
                self.welcome(stream, peer, service, stop)
            }
        };
        serving.await;
        drop(permit);
    }

    async fn shake_hands(
        &self,
        tls: &Tls,
        stream: Counted<TcpStream>,
        address: SocketAddr,
        service: &Arc<dyn Service>,
        stop: &Stop,
    ) -> Option<(TlsStream<Counted<TcpStream>>, Peer)> {
        let handshake = tls.accept(stream);
        let patience = self.admission.bounds.connect_timeout;
        let greeted = tokio::select! {
            () = stop.stopped() => return None,
            () = self.over.stopped() => return None,
            greeted = timeout(patience, handshake) => greeted,
        };
        match greeted {
            Ok(Ok(stream)) => {
                let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let shown: Vec<&[u8]> = shown.iter().map(AsRef::as_ref).collect();
                let peer = self.peer(address, tls::read_verified(&shown, tls.issuer()));
                return Some((stream, peer));
            }
            Ok(Err(Failure { reason: Reason::Refused(refusal), user, error })) => {
                debug!(peer = %address, %error, "certificate refused");
                service.refused(&self.peer(address, None), &user, refusal);
            }
            Ok(Err(Failure { reason: Reason::Failed(reason), error, .. })) => {
                self.complain(address, "TLS", reason, &error.to_string());
            }
            Err(_) => self.complain(address, "TLS", "timeout", "it took too long"),
        }
        None
    }

    /// Serves a peer whose bytes can be understood, in no more memory than its transport needs.
    fn welcome<'a>(
        &'a self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'a,
        peer: Peer,
        service: Arc<dyn Service>,
        stop: Stop,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        match self.listener.transport {
            Transport::Tcp => Box::pin(connection::serve(stream, service, peer, self.terms())),
            Transport::WebSocket => Box::pin(async move {
                if let Some(stream) = Box::pin(self.upgrade(stream, peer.address, stop)).await {
                    Box::pin(connection::serve(stream, service, peer, self.terms())).await;
                }
            }),
        }
    }

    async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        address: SocketAddr,
        stop: Stop,
    ) -> Option<WebSocket<S>> {
        let origins = Origins::new(self.listener.policy, self.listener.bind);
        let handshake = websocket::accept(stream, origins);
        let upgraded = tokio::select! {
            () = stop.stopped() => return None,
            () = self.over.stopped() => return None,
            upgraded = timeout(WEBSOCKET_HANDSHAKE_TIMEOUT, handshake) => upgraded,
        };
        match upgraded {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(refusal)) => {
                self.complain(address, "WebSocket", "handshake", &refusal.to_string());
            }
            Err(_) => self.complain(address, "WebSocket", "timeout", "it took too long"),
        }
        None
    }

    fn complain(&self, address: SocketAddr, layer: &str, reason: &str, error: &str) {
        self.admission.count_handshake();
        debug!(peer = %address, layer, reason, error, "no handshake");
        self.handshakes.log(|left_out| {
            let listener = &*self.listener.name;
            info!(peer = %address, listener, layer, reason, error, left_out, "handshake failed");
        });
    }

    fn terms(&self) -> Terms {
        Terms {
            packet_bytes_before_login: self.admission.bounds.packet_bytes_before_login,
            packet_bytes_max: self.listener.packet_bytes_max,
            unfinished: Arc::clone(&self.admission.unfinished),
        }
    }

    fn peer(&self, address: SocketAddr, certificate: Option<Certificate>) -> Peer {
        let Listener { name, policy, .. } = &self.listener;
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        Peer { address, listener: Arc::clone(name), policy: *policy, certificate }
    }
}

/// Small packets leave at once; a peer whose network is gone is noticed even if it said that it
/// would keep silent.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    let (time, interval) = TCP_KEEPALIVE;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Whether only the peer is concerned, and the next one can be accepted at once.
fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests;
