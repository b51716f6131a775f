//! WebSocket as a client speaks it, as far as a benchmark needs: whole batches in one frame, masked
//! by zeros, which change nothing.

use std::io::{self, IoSlice, Read, Write};

use anyhow::{Result, bail};

const REQUEST: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
const CLOSE: u8 = 8;

#[derive(Default)]
pub struct WebSocket {
    /// Beginning of a frame's head.
    head: Vec<u8>,
    /// Of the frame that arrives.
    left: usize,
    /// Of the frame that is written: its head, and how much of it.
    unsent: Vec<u8>,
    owed: usize,
}

impl WebSocket {
    /// Asks for it, and waits.
    pub fn upgrade(socket: &mut (impl Read + Write)) -> Result<Self> {
        socket.write_all(REQUEST)?;
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte)?;
            answer.extend(byte);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            bail!("no WebSocket: {}", String::from_utf8_lossy(&answer));
        }
        Ok(Self::default())
    }

    /// What frames hold, at the beginning of the buffer.
    pub fn read(&mut self, socket: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = socket.read(buffer)?;
            let held = self.unwrap(&mut buffer[..read])?;
            if read == 0 || held > 0 {
                return Ok(held);
            }
        }
    }

    /// Moves what frames hold to the front; how much that is.
    fn unwrap(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (mut at, mut held) = (0, 0);
        while at < bytes.len() {
            if self.left > 0 {
                let length = self.left.min(bytes.len() - at);
                bytes.copy_within(at..at + length, held);
                (at, held, self.left) = (at + length, held + length, self.left - length);
                continue;
            }
            self.head.push(bytes[at]);
            at += 1;
            if let Some(length) = length(&self.head) {
                if self.head[0] & 0x0F == CLOSE {
                    return Err(io::Error::other("the broker has closed the WebSocket"));
                }
                self.left = length;
                self.head.clear();
            }
        }
        Ok(held)
    }

    /// Writes what the kernel takes of `bytes`, in a frame that may have been begun before.
    pub fn write(&mut self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.owed == 0 {
            self.owed = bytes.len();
            self.unsent = head(bytes.len());
        }
        loop {
            let body = &bytes[..self.owed];
            let slices = [IoSlice::new(&self.unsent), IoSlice::new(body)];
            let written = socket.write_vectored(&slices)?;
            let of_head = written.min(self.unsent.len());
            self.unsent.drain(..of_head);
            let taken = written - of_head;
            if taken > 0 {
                self.owed -= taken;
                return Ok(taken);
            }
        }
    }
}

/// Of a frame, if its head is whole.
fn length(head: &[u8]) -> Option<usize> {
    let extended = match head.get(1)? & 0x7F {
        126 => head.get(2..4)?,
        127 => head.get(2..10)?,
        length => return Some(usize::from(length)),
    };
    Some(extended.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

fn head(length: usize) -> Vec<u8> {
    let mut head = vec![BINARY];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if length < 126 => head.push(MASKED | length),
        (_, Ok(length)) => {
            head.push(MASKED | 126);
            head.extend(length.to_be_bytes());
        }
        _ => {
            head.push(MASKED | 127);
            head.extend(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}
