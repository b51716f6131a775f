//! A small HTTP server for programs that watch over the gateway: HTTP/1.0 and 1.1, `GET` and
//! `HEAD`, one request a connection, everything bounded. `httparse`, which comes with the WebSocket
//! handshake anyway, reads what is asked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use httparse::{EMPTY_HEADER, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::BindError;
use super::bind::bind;
use super::complaint::Complaint;
use crate::limits::{
    ACCEPT_PAUSE, HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX, HTTP_TIMEOUT, HTTP_VISITORS_MAX,
};

/// What is left of a request that was refused is read for so long, or closing would take the answer
/// away from who is still sending.
const LINGER: Duration = Duration::from_secs(1);

/// Something that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Whether all is well: 200, or 503.
    pub is_well: bool,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// What it says.
    pub body: String,
}

/// What is shown where.
pub trait Pages: Send + Sync + 'static {
    /// The page of a path, without its query. May block: a thread of its own asks.
    fn page(&self, path: &str) -> Option<Page>;
}

/// A server with its socket. Who comes waits in the kernel until [`Server::serve`] is called.
#[derive(Debug)]
pub struct Server {
    socket: TcpListener,
    /// Pages of other sites in a browser of this machine can reach it, by a name that they let
    /// point to it.
    is_local: bool,
}

/// An answer: its status line, content, and what else stands in its head.
struct Answer {
    status: &'static str,
    content_type: &'static str,
    extra: &'static str,
    body: String,
    has_body: bool,
}

impl Server {
    /// Opens the socket. Needs a tokio runtime.
    pub fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let is_local = address.ip().to_canonical().is_loopback();
        Ok(Self { socket: bind(address, &[])?, is_local })
    }

    /// Where it listens, with the port that the kernel chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until the task is dropped.
    pub async fn serve(self, pages: Arc<dyn Pages>) {
        let places = Arc::new(Semaphore::new(HTTP_VISITORS_MAX));
        let complaint = Complaint::new();
        loop {
            // Nobody closes it.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    let (pages, is_local) = (Arc::clone(&pages), self.is_local);
                    tokio::spawn(async move {
                        if let Err(error) = attend(stream, &pages, is_local).await {
                            debug!(%peer, %error, "HTTP visitor left");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    complaint.log(|left_out| warn!(%error, left_out, "cannot accept HTTP"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn attend(mut stream: TcpStream, pages: &Arc<dyn Pages>, is_local: bool) -> io::Result<()> {
    let mut head = Vec::new();
    let asked = match timeout(HTTP_TIMEOUT, read_head(&mut stream, &mut head)).await {
        Ok(Ok(true)) => understood(&head, is_local),
        Ok(Ok(false)) => Err(Answer::refusal("431 Request Header Fields Too Large")),
        Ok(Err(error)) => return Err(error),
        Err(_) => Err(Answer::refusal("408 Request Timeout")),
    };
    let answer = match asked {
        Ok((path, has_body)) => {
            let pages = Arc::clone(pages);
            let page = tokio::task::spawn_blocking(move || pages.page(&path)).await?;
            Answer { has_body, ..page.map_or_else(Answer::absent, Answer::of) }
        }
        Err(refusal) => refusal,
    };
    timeout(HTTP_TIMEOUT, stream.write_all(&answer.bytes())).await??;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    let drained = async { while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {} };
    // Who does not close is left.
    let _ = timeout(LINGER, drained).await;
    Ok(())
}

/// Reads up to the empty line; whether it came within the bound.
async fn read_head(stream: &mut TcpStream, head: &mut Vec<u8>) -> io::Result<bool> {
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = HTTP_HEAD_BYTES_MAX.saturating_sub(head.len());
        if left == 0 {
            return Ok(false);
        }
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        if (&mut *stream).take(left).read_buf(head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(true)
}

/// The path that is asked for, and whether its content is; or why there is none.
fn understood(head: &[u8], is_local: bool) -> Result<(String, bool), Answer> {
    let mut headers = [EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Answer::refusal("431 Request Header Fields Too Large"));
        }
        Ok(Status::Partial) | Err(_) => return Err(Answer::refusal("400 Bad Request")),
    }
    let has_body = match request.method {
        Some("GET") => true,
        Some("HEAD") => false,
        _ => {
            let extra = "Allow: GET, HEAD\r\n";
            return Err(Answer { extra, ..Answer::refusal("405 Method Not Allowed") });
        }
    };
    let hosts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let hosts: Vec<&[u8]> = hosts.map(|header| header.value).collect();
    match (hosts.as_slice(), request.version) {
        ([], Some(0)) => {}
        ([host], _) if !is_local || is_this_machine(host) => {}
        ([_], _) => return Err(Answer::refusal("421 Misdirected Request")),
        _ => return Err(Answer::refusal("400 Bad Request")),
    }
    let target = request.path.unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    Ok((path.to_owned(), has_body))
}

/// Whether a `Host` is an address, or a name that cannot be pointed elsewhere.
fn is_this_machine(host: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(host) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

impl Answer {
    fn of(page: Page) -> Self {
        let status = if page.is_well { "200 OK" } else { "503 Service Unavailable" };
        Self { status, content_type: page.content_type, extra: "", body: page.body, has_body: true }
    }

    fn refusal(status: &'static str) -> Self {
        let (content_type, body) = ("text/plain; charset=utf-8", format!("{status}\n"));
        Self { status, content_type, extra: "", body, has_body: true }
    }

    fn absent() -> Self {
        Self::refusal("404 Not Found")
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { status, content_type, extra, body, .. } = self;
        let length = body.len();
        let mut text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Connection: close\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n{extra}\r\n"
        );
        if self.has_body {
            text.push_str(body);
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests;
