//! One conversation of a client gone mad.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use maison::sim::chance::{Chance, Odds};
use socket2::SockRef;

use crate::fuzz::speech;
use crate::wire::dial;

/// Where it can be held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub plain: u16,
    pub tls: u16,
    pub websocket: u16,
}

/// Choices that one speech is made of, at most: some dozen packets.
const CHOICES_MAX: u64 = 100;
const PIECES_MAX: u64 = 5;
const INSERTED_BYTES_MAX: u64 = 40;

/// Connects, says what the seed wants, and goes in one way or another. Whoever waits for the end
/// sees it.
pub(super) fn converse(ports: Ports, seed: u64) {
    let mut chance = Chance::new(seed);
    let (port, bytes) = match chance.below(20) {
        0 => (ports.tls, noise(&mut chance)),
        1..=3 => (ports.websocket, over_websocket(&mut chance)),
        _ => (ports.plain, words(&mut chance)),
    };
    let stream = dial(port);
    if say(&stream, &bytes, &mut chance).is_err() {
        return; // The gateway has heard enough.
    }
    match chance.below(6) {
        0 => {}
        1 => SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
        _ => hear_out(stream, seed),
    }
}

fn say(mut stream: &TcpStream, bytes: &[u8], chance: &mut Chance) -> io::Result<()> {
    let mut rest = bytes;
    for _ in 0..chance.below(PIECES_MAX) {
        let (piece, later) = rest.split_at(below(chance, rest.len() + 1));
        stream.write_all(piece)?;
        rest = later;
    }
    stream.write_all(rest)
}

/// Says no more, and listens until the gateway has closed the connection.
fn hear_out(mut stream: TcpStream, seed: u64) {
    // It may be closed already.
    let _ = stream.shutdown(Shutdown::Write);
    let mut heard = [0; 16 * 1024];
    loop {
        match stream.read(&mut heard) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("conversation {seed:#x} is not ended: {error}"),
        }
    }
}

/// A client's packets, mostly broken somewhere; or no packets at all.
fn words(chance: &mut Chance) -> Vec<u8> {
    if chance.happens(Odds::one_in(10)) {
        return noise(chance);
    }
    let choices = noise(chance);
    let mut bytes = speech(&choices);
    spoil(&mut bytes, chance);
    bytes
}

/// The same in frames, and those broken too.
fn over_websocket(chance: &mut Chance) -> Vec<u8> {
    let mut bytes = b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    let request = bytes.len();
    let words = words(chance);
    let mut rest = &words[..];
    while !rest.is_empty() {
        let (payload, later) = rest.split_at(1 + below(chance, rest.len()));
        frame(&mut bytes, payload, chance);
        rest = later;
    }
    let mut frames = bytes.split_off(if chance.happens(Odds::one_in(20)) { 0 } else { request });
    spoil(&mut frames, chance);
    bytes.extend(frames);
    bytes
}

fn frame(bytes: &mut Vec<u8>, payload: &[u8], chance: &mut Chance) {
    let (binary, ping) = ([0x82], [0x89, 0x81, 0, 0, 0, 0, b'p']);
    if chance.happens(Odds::one_in(8)) {
        bytes.extend(ping);
    }
    bytes.extend(binary);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => bytes.extend([&[0xFE][..], &length.to_be_bytes()].concat()),
        _ => bytes.extend([&[0xFF][..], &payload.len().to_be_bytes()].concat()),
    }
    let mask = chance.draw().to_be_bytes();
    let mask = &mask[..4];
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Breaks something in most: a bit, a byte, a piece left out, said twice or put in between, an end
/// too early.
fn spoil(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..chance.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = below(chance, bytes.len());
        let end = at + below(chance, (bytes.len() - at).min(64) + 1);
        match chance.below(6) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes[at] = [0, 0xFF, 0x7F, 0x80][below(chance, 4)],
            2 => drop(bytes.drain(at..end)),
            3 => bytes.extend_from_within(at..end),
            4 => drop(bytes.splice(at..at, inserted(chance))),
            _ => bytes.truncate(at),
        }
    }
}

fn noise(chance: &mut Chance) -> Vec<u8> {
    let length = chance.below(CHOICES_MAX);
    (0..length).map(|_| byte(chance)).collect()
}

fn inserted(chance: &mut Chance) -> Vec<u8> {
    let length = chance.below(INSERTED_BYTES_MAX);
    (0..length).map(|_| byte(chance)).collect()
}

fn byte(chance: &mut Chance) -> u8 {
    u8::try_from(chance.below(256)).unwrap()
}

fn below(chance: &mut Chance, bound: usize) -> usize {
    usize::try_from(chance.below(u64::try_from(bound).unwrap())).unwrap()
}
