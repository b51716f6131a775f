//! The same bytes, read by another's implementation.

use std::io::{self, Read, Write};

use tungstenite::error::ProtocolError;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message};

use super::naive::{Closing, Sent, Told};

/// tungstenite as the server. What it may see otherwise is how long a length may be written, and
/// text, so that a client that does something wrong has one judge only.
pub(super) fn check_server(wire: &[u8], sent: &Sent) {
    if matches!(sent.closing, Closing::Faults(_)) {
        return;
    }
    let (mut data, mut pings, mut closing) = (Vec::new(), Vec::new(), Closing::NotYet);
    let error = read_all(wire, Role::Server, |message| match message {
        Message::Binary(part) => data.extend_from_slice(&part),
        Message::Ping(payload) => pings.push(payload.to_vec()),
        Message::Pong(_) => {}
        Message::Close(frame) => closing = said(frame),
        Message::Text(_) | Message::Frame(_) => panic!("no such message was sent: {message:?}"),
    });
    let is_end = matches!(
        error,
        Error::ConnectionClosed
            | Error::Capacity(_)
            | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
    );
    assert!(is_end, "{error}");
    assert!(sent.data.starts_with(&data), "of an unfinished message it shows nothing");
    assert!(data.len() >= sent.whole, "{} of {} bytes", data.len(), sent.whole);
    assert_eq!((&pings, &closing), (&sent.pings, &sent.closing));
}

/// tungstenite as the client.
pub(super) fn check_client(bytes: &[u8], told: &Told) {
    let (mut data, mut pongs, mut closing) = (Vec::new(), Vec::new(), Closing::NotYet);
    read_all(bytes, Role::Client, |message| match message {
        Message::Binary(part) => data.extend_from_slice(&part),
        Message::Pong(payload) => pongs.push(payload.to_vec()),
        Message::Close(frame) => closing = said(frame),
        Message::Ping(_) | Message::Text(_) | Message::Frame(_) => {
            panic!("no such message is for a client: {message:?}")
        }
    });
    assert_eq!((&pongs, &closing), (&told.pongs, &told.closing));
    assert!(told.data.starts_with(&data));
    assert!(told.is_cut_short || told.data.len() == data.len());
}

fn said(frame: Option<CloseFrame>) -> Closing {
    Closing::Said(frame.map(|frame| frame.code.into()))
}

/// Until its error, which comes with the end of `bytes` at the latest.
fn read_all(bytes: &[u8], role: Role, mut see: impl FnMut(Message)) -> Error {
    // What is announced and never comes gets no room here.
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_message_size(None)
        .max_frame_size(Some(bytes.len()));
    let mut socket = tungstenite::WebSocket::from_raw_socket(OneWay(bytes), role, Some(config));
    loop {
        match socket.read() {
            Ok(message) => see(message),
            Err(error) => return error,
        }
    }
}

/// Bytes to read; what is written is nobody's business.
struct OneWay<'bytes>(&'bytes [u8]);

impl Read for OneWay<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for OneWay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
