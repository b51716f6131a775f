//! The request that makes a WebSocket of a stream (RFC 6455 section 4.2), and whom we refuse.
//!
//! The path of the request chooses nothing: there is one thing to talk to behind each port, and
//! clients differ in what they ask for (`/mqtt`, `/`, `/ws`).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tungstenite::Error;
use tungstenite::error::ProtocolError;
use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server::{Request, Response, create_response, write_response};
use tungstenite::http::StatusCode;
use tungstenite::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use tungstenite::http::uri::{Authority, Uri};

use super::WebSocket;
use crate::access::Policy;
use crate::limits::{CLOSE_TIMEOUT, WEBSOCKET_REQUEST_BYTES_MAX};

/// The sub-protocols of MQTT, the registered one first [MQTT-6.0.0-3]; the other is what clients
/// of MQTT 3.1 call it.
const PROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// Pages whose scripts may connect. A browser lets any page connect anywhere and tells only where
/// the page came from, so that a stranger's page could speak from inside the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All: without a password that the page must know it achieves nothing.
    Any,
    /// Pages of the host name that the request is for, at any port.
    SameHost,
    /// Pages that this machine shows to itself. A stranger's name may be made to point here (DNS
    /// rebinding) and would then be the same host.
    ThisMachine,
}

/// Why a handshake did not end in a WebSocket.
#[derive(Debug)]
pub enum Refusal {
    /// The stream failed, or ended.
    Io(io::Error),
    /// The peer was told so.
    Answered(Reason),
}

/// What a refused peer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not HTTP, or not as it is in a WebSocket's handshake.
    NoRequest,
    /// HTTP, and no WebSocket is wanted, or in a version that never was.
    NoUpgrade,
    /// Beyond [`WEBSOCKET_REQUEST_BYTES_MAX`], or too many headers.
    TooLarge,
    /// More than a request before there is an answer.
    Hasty,
    /// None of [`PROTOCOLS`] is offered.
    NoProtocol,
    /// A page of somewhere else.
    Origin,
}

impl Origins {
    /// Which pages may come where peers are asked for what `policy` says, at `bind`.
    pub fn new(policy: Policy, bind: SocketAddr) -> Self {
        match policy {
            Policy::Password | Policy::CertificateAndPassword => Self::Any,
            // A browser shows its certificate to whichever page wants to connect.
            Policy::Anonymous | Policy::Certificate | Policy::CertificateOrPassword => {
                let is_local = bind.ip().to_canonical().is_loopback();
                if is_local { Self::ThisMachine } else { Self::SameHost }
            }
        }
    }

    fn admit(self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        let host = match self {
            Self::Any => return true,
            Self::SameHost | Self::ThisMachine => headers.get(HOST).and_then(host_of_request),
        };
        let same = host.is_some() && host == host_of_page(origin);
        same && (self == Self::SameHost || host.is_some_and(|host| is_this_machine(&host)))
    }
}

/// Answers a peer's request. Its time is the caller's to limit.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    origins: Origins,
) -> Result<WebSocket<S>, Refusal> {
    let answered = match read_request(&mut stream).await? {
        Ok(request) => answer(&request, origins),
        Err(reason) => Err(reason),
    };
    match answered {
        Ok(response) => {
            let mut bytes = Vec::new();
            write_response(&mut bytes, &response).map_err(io::Error::other)?;
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            Ok(WebSocket::new(stream))
        }
        Err(reason) => {
            refuse(&mut stream, reason).await?;
            Err(Refusal::Answered(reason))
        }
    }
}

async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Result<Request, Reason>> {
    let mut bytes = BytesMut::with_capacity(1024);
    loop {
        // What was looked at and may be the start of an empty line.
        let seen = bytes.len().saturating_sub(2);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes.len() > WEBSOCKET_REQUEST_BYTES_MAX {
            return Ok(Err(Reason::TooLarge));
        }
        if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
            return Ok(Err(Reason::NoRequest));
        }
        // Only what may be whole is parsed: a request that comes byte by byte costs no more.
        if !has_empty_line(bytes.get(seen..).unwrap_or_default()) {
            continue;
        }
        return Ok(match Request::try_parse(&bytes) {
            Ok(Some((length, request))) if length == bytes.len() => Ok(request),
            Ok(Some(_)) => Err(Reason::Hasty),
            Ok(None) => Err(Reason::NoRequest),
            Err(error) => Err(reason_of(&error)),
        });
    }
}

/// Whether the headers are at their end.
fn has_empty_line(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|window| window == b"\n\r\n") || bytes.windows(2).any(|it| it == b"\n\n")
}

fn answer(request: &Request, origins: Origins) -> Result<Response, Reason> {
    let mut response = create_response(request).map_err(|error| reason_of(&error))?;
    let protocol = protocol(request.headers()).ok_or(Reason::NoProtocol)?;
    if !origins.admit(request.headers()) {
        return Err(Reason::Origin);
    }
    let chosen = HeaderValue::from_static(protocol);
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    Ok(response)
}

/// The best of [`PROTOCOLS`] that is offered.
fn protocol(headers: &HeaderMap) -> Option<&'static str> {
    let offered = || {
        let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','))
    };
    PROTOCOLS.into_iter().find(|known| offered().any(|offer| offer.trim() == *known))
}

/// The host of `Host: name:port`, in lower case.
fn host_of_request(value: &HeaderValue) -> Option<String> {
    let authority: Authority = value.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_ascii_lowercase())
}

/// The host of `Origin: scheme://name:port`, in lower case; none of `null`.
fn host_of_page(value: &HeaderValue) -> Option<String> {
    let uri: Uri = value.to_str().ok()?.parse().ok()?;
    uri.scheme()?;
    Some(uri.host()?.to_ascii_lowercase())
}

/// Whether every browser takes this name for its own machine, whatever a name server says.
fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn reason_of(error: &Error) -> Reason {
    match error {
        Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => Reason::NoUpgrade,
        Error::Capacity(_) => Reason::TooLarge,
        _ => Reason::NoRequest,
    }
}

/// Answers, and waits for a moment that the answer arrives: bytes that were not read would make
/// the kernel take it back.
async fn refuse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    reason: Reason,
) -> io::Result<()> {
    let farewell = async {
        stream.write_all(reason.answer().as_bytes()).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    };
    timeout(CLOSE_TIMEOUT, farewell).await.unwrap_or(Ok(()))
}

impl Reason {
    fn status(self) -> StatusCode {
        match self {
            Self::NoRequest | Self::Hasty | Self::NoProtocol => StatusCode::BAD_REQUEST,
            Self::NoUpgrade => StatusCode::UPGRADE_REQUIRED,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::NoRequest => "This port speaks MQTT inside WebSocket, and this was neither.",
            Self::NoUpgrade => "This port speaks MQTT inside WebSocket (version 13) only.",
            Self::TooLarge => "The headers of the request are too large.",
            Self::Hasty => "A client waits for the answer to its handshake.",
            Self::NoProtocol => "The request must offer the WebSocket sub-protocol `mqtt`.",
            Self::Origin => "Pages of other hosts may not connect here.",
        }
    }

    fn answer(self) -> String {
        let (status, sentence) = (self.status(), self.sentence());
        let upgrade = match self {
            Self::NoUpgrade => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            _ => "",
        };
        let length = sentence.len() + 1;
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\
             {upgrade}Connection: close\r\n\r\n{sentence}\n"
        )
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(formatter),
            Self::Answered(reason) => formatter.write_str(reason.sentence()),
        }
    }
}

#[cfg(test)]
mod tests;
