//! What a peer says before it is let in, and who is.

use maison::limits::WEBSOCKET_REQUEST_BYTES_MAX;
use maison::net::websocket::{self, Origins, Reason, Refusal, WebSocket};

use super::super::source::Source;
use super::line::{Cuts, Line};
use super::wait;

/// How a client asks, here and everywhere.
pub(super) const USUAL: &str = "GET /mqtt HTTP/1.1\r\nHost: pi.local\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// What libFuzzer would seldom find by itself.
const PHRASES: [&str; 16] = [
    "GET /mqtt HTTP/1.1\r\n",
    "Host: pi.local:8884\r\n",
    "Host: localhost\r\n",
    "Upgrade: websocket\r\n",
    "Connection: keep-alive, Upgrade\r\n",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "Sec-WebSocket-Version: 13\r\n",
    "Sec-WebSocket-Protocol: chat, mqtt\r\n",
    "Sec-WebSocket-Protocol: ",
    "Origin: http://pi.local:8123\r\n",
    "Origin: https://localhost\r\n",
    "Origin: ",
    "GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
    "Cookie: a=b\r\nCookie: c=d\r\nCookie: e=f\r\nCookie: g=h\r\nCookie: i=j\r\n",
    "Sec-WebSocket-Protocol: mqttv3.1,mqtt\r\n",
    "\r\n\r\n",
];

/// How a handshake ended: with a WebSocket, with an answer that says why not, or in its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Refused(Reason),
    Left,
}

/// A request is answered alike however it is cut, and nobody is let in who did not ask for it.
pub(super) fn check(mut source: Source<'_>) {
    let (seed, choice) = (source.byte(), source.byte());
    let all = [Origins::Any, Origins::SameHost, Origins::ThisMachine];
    let origins = all[usize::from(choice) % all.len()];
    let wire = if choice < 0x40 { source.rest().to_vec() } else { phrases(source.rest()) };
    let whole = ask(&wire, Cuts::None, origins);
    for cuts in [Cuts::EachByte, Cuts::Seeded(seed.into())] {
        let again = ask(&wire, cuts, origins);
        // Whether more has come at once than a request is for the network to say.
        let is_by_chance = |it| matches!(it, Outcome::Refused(Reason::Hasty | Reason::TooLarge));
        assert!(
            again == whole || is_by_chance(again) || is_by_chance(whole),
            "{whole:?}, {again:?}"
        );
    }
}

/// Letters stand for themselves, other bytes for phrases.
fn phrases(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for &byte in bytes {
        match byte {
            0x80..0xF0 => wire.extend(PHRASES[usize::from(byte) % PHRASES.len()].bytes()),
            0xF0..0xF8 => wire.extend([b'x'; 1000]),
            0..0x80 | 0xF8.. => wire.push(byte),
        }
    }
    wire
}

pub(super) async fn accept(line: &Line) -> Result<WebSocket<Line>, Refusal> {
    websocket::accept(line.clone(), Origins::SameHost).await
}

fn ask(wire: &[u8], cuts: Cuts, origins: Origins) -> Outcome {
    let line = Line::new();
    line.send(wire);
    line.end();
    line.cut(cuts);
    let outcome = match wait(websocket::accept(line.clone(), origins)) {
        Ok(_) => Outcome::Accepted,
        Err(Refusal::Answered(reason)) => Outcome::Refused(reason),
        Err(Refusal::Io(_)) => Outcome::Left,
    };
    assert!(line.read_bytes_max() <= 2 * WEBSOCKET_REQUEST_BYTES_MAX);
    let told = String::from_utf8(line.told()).expect("answers are ASCII");
    match outcome {
        Outcome::Accepted => {
            assert!(told.starts_with("HTTP/1.1 101 ") && told.ends_with("\r\n\r\n"));
            assert!(line.is_flushed() && !line.is_shut());
            check_wanted(&String::from_utf8_lossy(wire).to_ascii_lowercase(), origins);
        }
        Outcome::Refused(_) => {
            let (head, sentence) = told.split_once("\r\n\r\n").expect("an answer has a head");
            assert!(head.starts_with("HTTP/1.1 4"));
            assert!(head.contains(&format!("Content-Length: {}\r\n", sentence.len())));
            assert!(line.is_shut() && line.is_read(), "the answer can arrive");
        }
        Outcome::Left => assert!(told.is_empty() && line.is_read()),
    }
    outcome
}

/// Of a request in lower case that was granted.
fn check_wanted(request: &str, origins: Origins) {
    let head = request.split("\n\r\n").next().and_then(|head| head.split("\n\n").next());
    let lines: Vec<&str> = head.unwrap_or_default().lines().collect();
    let values = |name: &str| -> Vec<&str> {
        let headers = lines.iter().filter_map(|line| line.split_once(':'));
        headers.filter(|header| header.0 == name).map(|header| header.1.trim()).collect()
    };
    assert!(lines[0].starts_with("get ") && lines[0].ends_with(" http/1.1"));
    assert!(values("upgrade").contains(&"websocket"));
    assert!(values("connection").iter().any(|value| value.contains("upgrade")));
    assert!(values("sec-websocket-version").contains(&"13"));
    assert_eq!(values("sec-websocket-key")[0].len(), 24);
    let protocols = values("sec-websocket-protocol");
    let mut offers = protocols.iter().flat_map(|value| value.split(',')).map(str::trim);
    assert!(offers.any(|offer| ["mqtt", "mqttv3.1"].contains(&offer)));
    let pages = values("origin");
    if origins == Origins::Any || pages.is_empty() {
        return;
    }
    let host = values("host")[0].rsplit('@').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    assert!(!name.is_empty() && pages[0].contains(name), "{} for {host}", pages[0]);
}
