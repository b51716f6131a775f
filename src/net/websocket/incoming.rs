//! What a client's frames hold, taken out of the bytes of the wire where they lie: headers fall
//! away, payloads are unmasked and move together. No frame is ever held as a whole.
//!
//! ```text
//!   header ──whole──▶ payload ──its last byte──▶ header        text, nonsense ──▶ over
//!                        └── a close's ──▶ over
//! ```

use std::fmt;
use std::io::Cursor;

use tungstenite::Error;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

use crate::limits::WEBSOCKET_FRAME_BYTES_MAX;

/// Longest header: two bytes, eight of length, four of mask (RFC 6455 section 5.2).
const HEADER_BYTES_MAX: usize = 14;

/// Longest payload of a control frame (RFC 6455 section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// One client's frames.
#[derive(Debug)]
pub(super) struct Incoming {
    header: [u8; HEADER_BYTES_MAX],
    /// Bytes of `header` that have arrived.
    filled: usize,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    message: Message,
    /// What has arrived of a control frame's payload.
    control: Vec<u8>,
}

#[derive(Debug)]
struct Frame {
    kind: Kind,
    /// Payload that is still to arrive.
    left: u64,
    /// The first byte is for the next byte of the payload.
    mask: [u8; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Ping,
    Pong,
    Close,
}

/// Whether the next data frame begins a message or goes on with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    Begins,
    GoesOn,
}

/// What some bytes of the wire held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    /// So many bytes of MQTT are now at the start of the bytes.
    pub(super) payload: usize,
    /// The payload of the last ping, which is to be answered.
    pub(super) ping: Option<Vec<u8>>,
    /// Nothing that follows counts.
    pub(super) end: Option<End>,
}

/// How the frames of a client end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It has said so, with that code or with none.
    Closed(Option<CloseCode>),
    /// What it sent is not allowed.
    Violation(Violation),
}

/// What a client may not send. All but [`Violation::Text`] and [`Violation::TooLong`] break
/// RFC 6455, in the section that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// A text frame: MQTT is binary ([MQTT-6.0.0-1]).
    Text,
    /// A frame beyond [`WEBSOCKET_FRAME_BYTES_MAX`].
    TooLong,
    /// A length in more bytes than it needs (5.2).
    LongLength,
    /// Not masked (5.1).
    Unmasked,
    /// A reserved bit, without an extension that gives it a meaning (5.2).
    ReservedBit,
    /// An opcode that means nothing (5.2).
    Opcode,
    /// A control frame in pieces, or of more than 125 bytes (5.5).
    Control,
    /// A message inside another, or the rest of none (5.4).
    Fragment,
    /// A close with half a code, or one that is not for the wire (7.4).
    CloseCode,
    /// A close whose reason is not UTF-8 (5.5.1).
    CloseReason,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self {
            header: [0; HEADER_BYTES_MAX],
            filled: 0,
            frame: None,
            message: Message::Begins,
            control: Vec::new(),
        }
    }

    /// Takes the frames in `wire` apart; its first [`Digest::payload`] bytes are what they held.
    pub(super) fn digest(&mut self, wire: &mut [u8]) -> Digest {
        let mut digest = Digest::default();
        let mut at = 0;
        while digest.end.is_none() && at < wire.len() {
            if self.frame.is_none() {
                match self.take_header(wire.get(at..).unwrap_or_default()) {
                    Ok(taken) => at += taken,
                    Err(violation) => digest.end = Some(End::Violation(violation)),
                }
            } else {
                at += self.take_payload(wire, at, &mut digest.payload);
            }
            if self.frame.as_ref().is_some_and(|frame| frame.left == 0) {
                self.finish(&mut digest);
            }
        }
        digest
    }

    /// Takes bytes off the start of `wire` until a header is whole, and gives their number.
    fn take_header(&mut self, wire: &[u8]) -> Result<usize, Violation> {
        let before = self.filled;
        let room = self.header.iter_mut().skip(before);
        let added = room.zip(wire).map(|(place, byte)| *place = *byte).count();
        let mut cursor = Cursor::new(self.header.get(..before + added).unwrap_or_default());
        match FrameHeader::parse(&mut cursor) {
            Ok(Some((header, length))) => {
                let whole = usize::try_from(cursor.position()).unwrap_or(HEADER_BYTES_MAX);
                self.filled = 0;
                self.frame = Some(self.frame_of(&header, length, whole)?);
                Ok(whole.saturating_sub(before))
            }
            Ok(None) => {
                self.filled += added;
                Ok(added)
            }
            Err(Error::Protocol(ProtocolError::InvalidOpcode(_))) => Err(Violation::Opcode),
            Err(_) => Err(Violation::LongLength),
        }
    }

    fn frame_of(
        &mut self,
        header: &FrameHeader,
        length: u64,
        header_bytes: usize,
    ) -> Result<Frame, Violation> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::ReservedBit);
        }
        let mask = header.mask.ok_or(Violation::Unmasked)?;
        if header.len(length) != header_bytes {
            return Err(Violation::LongLength);
        }
        let kind = self.kind_of(header)?;
        match kind {
            Kind::Data if length > WEBSOCKET_FRAME_BYTES_MAX => Err(Violation::TooLong),
            Kind::Ping | Kind::Pong | Kind::Close
                if length > CONTROL_BYTES_MAX || !header.is_final =>
            {
                Err(Violation::Control)
            }
            _ => Ok(Frame { kind, left: length, mask }),
        }
    }

    fn kind_of(&mut self, header: &FrameHeader) -> Result<Kind, Violation> {
        let due = match header.opcode {
            OpCode::Control(Control::Ping) => return Ok(Kind::Ping),
            OpCode::Control(Control::Pong) => return Ok(Kind::Pong),
            OpCode::Control(Control::Close) => return Ok(Kind::Close),
            OpCode::Data(Data::Text) => return Err(Violation::Text),
            OpCode::Data(Data::Binary) => Message::Begins,
            OpCode::Data(Data::Continue) => Message::GoesOn,
            OpCode::Control(Control::Reserved(_)) | OpCode::Data(Data::Reserved(_)) => {
                return Err(Violation::Opcode);
            }
        };
        if due != self.message {
            return Err(Violation::Fragment);
        }
        self.message = if header.is_final { Message::Begins } else { Message::GoesOn };
        Ok(Kind::Data)
    }

    /// Unmasks the payload that begins at `at`, moves data to `kept`, and gives its length.
    fn take_payload(&mut self, wire: &mut [u8], at: usize, kept: &mut usize) -> usize {
        let Some(frame) = &mut self.frame else { return 0 };
        let there = wire.len().saturating_sub(at);
        let count = usize::try_from(frame.left).unwrap_or(usize::MAX).min(there);
        let Some(piece) = wire.get_mut(at..).and_then(|rest| rest.get_mut(..count)) else {
            return 0;
        };
        unmask(piece, &mut frame.mask);
        frame.left -= u64::try_from(count).unwrap_or(frame.left);
        match frame.kind {
            Kind::Data => {
                if *kept < at {
                    wire.copy_within(at..at + count, *kept);
                }
                *kept += count;
            }
            Kind::Ping | Kind::Close => self.control.extend_from_slice(piece),
            Kind::Pong => {}
        }
        count
    }

    fn finish(&mut self, digest: &mut Digest) {
        let Some(frame) = self.frame.take() else { return };
        match frame.kind {
            Kind::Data | Kind::Pong => {}
            Kind::Ping => digest.ping = Some(std::mem::take(&mut self.control)),
            Kind::Close => digest.end = Some(close(&self.control)),
        }
    }
}

/// Turns `mask` on, so that its first byte is for the byte after `piece`.
fn unmask(piece: &mut [u8], mask: &mut [u8; 4]) {
    let [a, b, c, d] = *mask;
    let key = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = piece.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c, d]) {
        *byte ^= key;
    }
    mask.rotate_left(rest.len() % 4);
}

fn close(payload: &[u8]) -> End {
    let (code, reason) = match payload {
        [] => return End::Closed(None),
        [high, low, reason @ ..] => (CloseCode::from(u16::from_be_bytes([*high, *low])), reason),
        [_] => return End::Violation(Violation::CloseCode),
    };
    if !code.is_allowed() {
        return End::Violation(Violation::CloseCode);
    }
    match str::from_utf8(reason) {
        Ok(_) => End::Closed(Some(code)),
        Err(_) => End::Violation(Violation::CloseReason),
    }
}

impl Violation {
    /// What its sender is told.
    pub(super) fn close_code(self) -> CloseCode {
        match self {
            Self::Text => CloseCode::Unsupported,
            Self::TooLong => CloseCode::Size,
            Self::CloseReason => CloseCode::Invalid,
            Self::LongLength
            | Self::Unmasked
            | Self::ReservedBit
            | Self::Opcode
            | Self::Control
            | Self::Fragment
            | Self::CloseCode => CloseCode::Protocol,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Text => "text frame",
            Self::TooLong => "frame of an absurd length",
            Self::LongLength => "length in more bytes than it needs",
            Self::Unmasked => "unmasked frame",
            Self::ReservedBit => "reserved bit",
            Self::Opcode => "unknown opcode",
            Self::Control => "control frame too long or in pieces",
            Self::Fragment => "fragments of messages mixed up",
            Self::CloseCode => "close with a code that is none",
            Self::CloseReason => "close with a reason that is not UTF-8",
        })
    }
}

#[cfg(test)]
mod tests;
