//! MQTT inside WebSocket, from a client that means no good: whatever its bytes, and however they
//! are cut, they come to what RFC 6455 says, as read word by word and by another's implementation.

mod another;
mod exchange;
mod frames;
mod line;
mod naive;
mod request;

use maison::net::websocket::WebSocket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use self::exchange::Exchange;
use self::line::{Cuts, Line};
use self::naive::{Closing, Sent, Told};
use super::source::Source;

/// Bytes that are also sent one by one: more would cost most of the time.
const SINGLE_BYTES_MAX: usize = 2048;

thread_local! {
    /// A refused handshake waits for a moment, of a clock that stands while there is work: a busy
    /// machine is no finding.
    static RUNTIME: Runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
}

/// The first byte says which side is looked at.
pub fn websocket(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    match source.byte() % 4 {
        0 => request::check(source),
        1 => Exchange::new(source).run(),
        2 => check_frames(source.byte(), source.rest()),
        _ => check_frames(source.byte(), &frames::frames(source)),
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// A client's frames, in one piece and in others.
fn check_frames(seed: u8, wire: &[u8]) {
    let sent = naive::sent(wire);
    another::check_server(wire, &sent);
    let whole = hear(wire, Cuts::None, &sent);
    assert!(whole.pongs.iter().all(|pong| sent.pings.contains(pong)));
    if wire.len() <= SINGLE_BYTES_MAX {
        let single = hear(wire, Cuts::EachByte, &sent);
        assert_eq!(single.pongs, sent.pings, "byte by byte each ping has its pong");
    }
    let mixed = hear(wire, Cuts::Seeded(seed.into()), &sent);
    assert_eq!(whole.pongs.last(), mixed.pongs.last(), "the newest ping has its pong");
}

/// Lets a client have its say, checks what came of it, and gives what it was told.
fn hear(wire: &[u8], cuts: Cuts, sent: &Sent) -> Told {
    let line = Line::new();
    let mut socket = open(&line);
    line.send(wire);
    line.end();
    line.cut(cuts);
    let data = wait(async {
        let mut data = Vec::new();
        socket.read_to_end(&mut data).await.unwrap();
        socket.shutdown().await.unwrap();
        assert_eq!(socket.read(&mut [0; 100]).await.unwrap(), 0, "the end stays the end");
        data
    });
    assert!(line.is_read(), "nothing is left with the kernel");
    assert_eq!(data, sent.data);
    let told = naive::told(&line.told());
    assert!(told.data.is_empty() && !told.is_cut_short);
    check_close(&told, &sent.closing);
    assert!(line.is_shut() || sent.closing == Closing::NotYet);
    told
}

/// Our last word goes with the client's.
fn check_close(told: &Told, closing: &Closing) {
    let Closing::Said(code) = told.closing else { panic!("no last word: {:?}", told.closing) };
    match closing {
        Closing::NotYet => assert_eq!(code, Some(1000)),
        Closing::Said(said) => assert_eq!(code, *said),
        Closing::Faults(faults) => {
            assert!(code.is_some_and(|code| faults.contains(&code)), "{code:?}, not of {faults:?}");
        }
    }
}

/// A stream behind a handshake.
fn open(line: &Line) -> WebSocket<Line> {
    line.send(request::USUAL.as_bytes());
    let socket = wait(request::accept(line)).expect("this is how one asks");
    assert!(line.told().starts_with(b"HTTP/1.1 101 "));
    line.forget_told();
    socket
}
