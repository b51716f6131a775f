//! RFC 6455 in the plainest words, whatever it costs.

use std::iter::zip;

use maison::limits::{WEBSOCKET_FRAME_BYTES_MAX, WEBSOCKET_FRAME_BYTES_SENT_MAX};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What the frames of a client hold, up to its close or to the first that it may not send.
pub(super) struct Sent {
    /// All data, that of unfinished frames too.
    pub(super) data: Vec<u8>,
    /// Bytes of the data that belong to finished messages.
    pub(super) whole: usize,
    pub(super) pings: Vec<Vec<u8>>,
    pub(super) closing: Closing,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closing {
    NotYet,
    /// With a code or none.
    Said(Option<u16>),
    /// The codes that tell it what it did wrong, any of which will do.
    Faults(Vec<u16>),
}

/// What the frames to a client hold.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) data: Vec<u8>,
    pub(super) pongs: Vec<Vec<u8>>,
    pub(super) closing: Closing,
    /// The last frame lacks some of its payload.
    pub(super) is_cut_short: bool,
}

/// A frame as far as it has come (5.2).
struct Frame {
    is_final: bool,
    reserved: u8,
    opcode: u8,
    /// None has come of the payload if there is none.
    mask: Option<[u8; 4]>,
    length: u64,
    /// The length could have been written in fewer bytes.
    is_length_long: bool,
    payload: Vec<u8>,
}

impl Frame {
    /// Takes a frame off the front, if its header is whole.
    fn take(wire: &mut &[u8]) -> Option<Self> {
        let mut rest = *wire;
        let [first, second] = take(&mut rest)?;
        let (length, least) = match second & 0x7F {
            126 => (u64::from(u16::from_be_bytes(take(&mut rest)?)), 126),
            127 => (u64::from_be_bytes(take(&mut rest)?), 65_536),
            length => (u64::from(length), 0),
        };
        let mask = if second & 0x80 == 0 { None } else { Some(take(&mut rest)?) };
        let there = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        let (payload, rest) = rest.split_at(there);
        *wire = rest;
        let keys = mask.unwrap_or_default().into_iter().cycle();
        Some(Self {
            is_final: first & 0x80 != 0,
            reserved: first & 0x70,
            opcode: first & 0x0F,
            mask,
            length,
            is_length_long: length < least,
            payload: zip(payload, keys).map(|(byte, key)| byte ^ key).collect(),
        })
    }

    fn is_whole(&self) -> bool {
        u64::try_from(self.payload.len()) == Ok(self.length)
    }

    /// What its header does wrong, as the frame of a client.
    fn faults(&self, is_inside_message: bool) -> Vec<u16> {
        let is_control = self.opcode & 8 != 0;
        let protocol = self.reserved != 0
            || ![CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].contains(&self.opcode)
            || self.mask.is_none()
            || self.is_length_long
            || self.length >> 63 == 1
            || is_control && (self.length > 125 || !self.is_final)
            || !is_control && is_inside_message != (self.opcode == CONTINUATION);
        let too_long = !is_control && self.length > WEBSOCKET_FRAME_BYTES_MAX;
        let all = [(protocol, 1002), (self.opcode == TEXT, 1003), (too_long, 1009)];
        all.into_iter().filter_map(|(is_so, code)| is_so.then_some(code)).collect()
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

pub(super) fn sent(mut wire: &[u8]) -> Sent {
    let mut is_inside_message = false;
    let closing = Closing::NotYet;
    let mut sent = Sent { data: Vec::new(), whole: 0, pings: Vec::new(), closing };
    while let Some(frame) = Frame::take(&mut wire) {
        let faults = frame.faults(is_inside_message);
        if !faults.is_empty() {
            sent.closing = Closing::Faults(faults);
            break;
        }
        let is_whole = frame.is_whole();
        match frame.opcode {
            CONTINUATION | BINARY => {
                is_inside_message = !frame.is_final;
                sent.data.extend(frame.payload);
                if is_whole && !is_inside_message {
                    sent.whole = sent.data.len();
                }
            }
            PING if is_whole => sent.pings.push(frame.payload),
            CLOSE if is_whole => {
                sent.closing = closing_of(&frame.payload);
                break;
            }
            _ => {}
        }
    }
    sent
}

/// The meaning of a close's payload (5.5.1).
fn closing_of(payload: &[u8]) -> Closing {
    let (code, reason) = match payload {
        [] => return Closing::Said(None),
        [_] => return Closing::Faults(vec![1002]),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    let mut faults = Vec::new();
    if !is_code(code) {
        faults.push(1002);
    }
    if String::from_utf8(reason.to_vec()).is_err() {
        faults.push(1007);
    }
    if faults.is_empty() { Closing::Said(Some(code)) } else { Closing::Faults(faults) }
}

/// Whether a client may give that reason (7.4), those counted that IANA has added.
fn is_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1013 | 3000..=4999)
}

/// Fails on anything that a server may not send, or that ours does not.
pub(super) fn told(mut wire: &[u8]) -> Told {
    let (data, pongs) = (Vec::new(), Vec::new());
    let mut told = Told { data, pongs, closing: Closing::NotYet, is_cut_short: false };
    while let Some(frame) = Frame::take(&mut wire) {
        assert!(told.closing == Closing::NotYet, "nothing follows a close");
        assert!(!told.is_cut_short && frame.is_final && frame.reserved == 0);
        assert!(frame.mask.is_none() && !frame.is_length_long);
        told.is_cut_short = !frame.is_whole();
        let is_control = frame.opcode & 8 != 0;
        assert!(!is_control || frame.length <= 125);
        assert!(usize::try_from(frame.length).unwrap() <= WEBSOCKET_FRAME_BYTES_SENT_MAX);
        match frame.opcode {
            BINARY => {
                assert!(frame.length > 0, "an empty frame says nothing");
                told.data.extend(frame.payload);
            }
            PONG => told.pongs.push(frame.payload),
            CLOSE => told.closing = closing_of(&frame.payload),
            other => panic!("what is {other} to a client?"),
        }
    }
    told.is_cut_short |= !wire.is_empty();
    told
}
