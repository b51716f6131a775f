//! A link between a client and the broker: what is on its way in either direction, in bytes, and
//! how much of it the operating system has taken. At each end is the codec, with topic aliases, as
//! the shell and a client of their version have it.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::limits::{PACKET_BYTES_BEFORE_LOGIN_MAX, PACKET_BYTES_MAX};
use crate::mqtt::{
    Connect, ConnectAcknowledgement, DecodeError, Decoder, Encoder, Message, Packet, Publish, Role,
    Version, encoded_len,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    /// Which client's.
    pub(super) client: usize,
    up: Way,
    /// From the broker, not yet taken by the operating system.
    unwritten: VecDeque<Packet>,
    down: Way,
    /// Nothing is taken any more.
    pub(super) stuck: bool,
    /// The client has let go of it; the broker does not know.
    pub(super) abandoned: bool,
    /// The broker has closed it.
    pub(super) closed: bool,
    /// The life of the session that the CONNACK spoke of.
    pub(super) life: Option<u64>,
    /// The client was told how many topic aliases it may use.
    aliases_to_broker: u16,
}

/// One direction: at its beginning packets become bytes, at its end bytes become packets.
#[derive(Debug)]
struct Way {
    sender: Role,
    version: Version,
    encoder: Encoder,
    /// On their way, each what a packet became, with the packet.
    pieces: VecDeque<(Packet, Bytes)>,
    /// Of the first piece, so much is there already.
    arrived: BytesMut,
    decoder: Decoder,
    /// Topics that were said by their alias alone.
    aliased: u64,
}

impl Link {
    /// A link on which this is said first.
    pub(super) fn new(client: usize, connect: Connect) -> Self {
        let properties = &connect.properties;
        let mut up = Way::new(Role::Client, connect.version, PACKET_BYTES_BEFORE_LOGIN_MAX);
        let largest = properties.maximum_packet_size.unwrap_or(PACKET_BYTES_MAX);
        let mut down = Way::new(Role::Server, connect.version, largest);
        down.encoder.set_packet_bytes_max(largest);
        down.encoder.set_topic_alias_maximum(properties.topic_alias_maximum);
        down.decoder.set_topic_alias_maximum(properties.topic_alias_maximum);
        down.decoder.set_version(connect.version);
        up.put(Packet::Connect(Box::new(connect)));
        Self {
            client,
            up,
            unwritten: VecDeque::new(),
            down,
            stuck: false,
            abandoned: false,
            closed: false,
            life: None,
            aliases_to_broker: 0,
        }
    }

    // ---- the client's end

    /// The client says something.
    pub(super) fn say(&mut self, packet: Packet) {
        self.up.put(packet);
    }

    /// The client writes what is no packet.
    pub(super) fn babble(&mut self, bytes: &'static [u8]) {
        self.up.pieces.push_back((Packet::PingReq, Bytes::from_static(bytes)));
    }

    /// The client was let in: from now on it may use so many aliases.
    pub(super) fn welcomed(&mut self, answer: &ConnectAcknowledgement) {
        self.aliases_to_broker = answer.properties.topic_alias_maximum.unwrap_or(0);
        self.up.encoder.set_topic_alias_maximum(self.aliases_to_broker);
    }

    /// The client gives its aliases to other topics.
    pub(super) fn renumber(&mut self) {
        self.up.encoder = Encoder::with_role(Role::Client, self.up.version);
        self.up.encoder.set_topic_alias_maximum(self.aliases_to_broker);
    }

    /// Something arrives at the client.
    pub(super) fn read(&mut self) -> Option<Packet> {
        if self.abandoned {
            return None;
        }
        self.down.next().map(|read| read.expect("what is sent can be read"))
    }

    /// The client lets go: what was on its way to it is lost, and so many packets of what it said
    /// may yet arrive, the last of them perhaps in part.
    pub(super) fn abandon(&mut self, said: usize, is_cut: bool) {
        self.abandoned = true;
        self.up.pieces.truncate(said);
        if is_cut && let Some((_, bytes)) = self.up.pieces.back_mut() {
            bytes.truncate(bytes.len() / 2);
        }
        self.down.pieces.clear();
    }

    // ---- the broker's end

    /// The broker sends. Whom it has let in may from then on send more.
    pub(super) fn send(&mut self, packet: Packet, packet_bytes_max: u32) {
        assert!(!self.closed, "nothing is sent after the close: {packet:?}");
        if let Packet::ConnAck(answer) = &packet
            && !answer.reason.is_failure()
        {
            let aliases = answer.properties.topic_alias_maximum.unwrap_or(0);
            self.up.decoder.set_topic_alias_maximum(aliases);
            self.up.decoder.set_packet_bytes_max(packet_bytes_max);
        }
        self.unwritten.push_back(packet);
    }

    /// The operating system takes some packets: their weight.
    pub(super) fn write(&mut self, packets: usize) -> usize {
        if self.stuck {
            return 0;
        }
        let end = packets.min(self.unwritten.len());
        let written: Vec<Packet> = self.unwritten.drain(..end).collect();
        let weight = written.iter().map(Packet::weight).sum();
        for packet in written {
            self.down.put(packet);
        }
        weight
    }

    /// The next packet arrives at the broker, or what is none.
    pub(super) fn next_up(&mut self) -> Option<Result<Packet, DecodeError>> {
        let next = self.up.next();
        if matches!(next, Some(Err(_))) {
            self.up.pieces.clear();
        }
        next
    }

    /// A part of a packet arrives, on each side.
    pub(super) fn trickle(&mut self, bytes: usize) {
        self.up.trickle(bytes);
        if !self.abandoned {
            self.down.trickle(bytes);
        }
    }

    // ---- both

    /// Whether nothing more will arrive at the broker.
    pub(super) fn has_said_all(&self) -> bool {
        self.up.pieces.is_empty()
    }

    /// Whether nothing is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.has_said_all() && self.unwritten.is_empty() && self.down.pieces.is_empty()
    }

    /// Whether the broker closed it and the client has read all.
    pub(super) fn is_read_out(&self) -> bool {
        let is_read = self.unwritten.is_empty() && self.down.pieces.is_empty();
        self.closed && (is_read || self.abandoned)
    }

    /// Topics that were said by their alias alone: to the broker, and by it.
    pub(super) fn aliased(&self) -> (u64, u64) {
        (self.up.aliased, self.down.aliased)
    }
}

impl Way {
    fn new(sender: Role, version: Version, packet_bytes_max: u32) -> Self {
        Self {
            sender,
            version,
            encoder: Encoder::with_role(sender, version),
            pieces: VecDeque::new(),
            arrived: BytesMut::new(),
            decoder: Decoder::new(sender, packet_bytes_max),
            aliased: 0,
        }
    }

    /// Nothing is written of what a version does not have: a server's DISCONNECT before 5.0, or a
    /// refusal without a return code ([MQTT-3.2.2-6] of 3.1.1).
    fn put(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        self.encoder.encode(&packet, &mut bytes);
        if !bytes.is_empty() {
            self.aliased += u64::from(is_aliased(&packet, self.version, bytes.len()));
            return self.pieces.push_back((packet, bytes.freeze()));
        }
        let may_be_silent = matches!(packet, Packet::Disconnect(_) | Packet::ConnAck(_));
        let is_old_server = self.sender == Role::Server && self.version != Version::V5;
        assert!(is_old_server && may_be_silent, "not written: {packet:?}");
    }

    /// So many bytes of the next packet arrive, but not all.
    fn trickle(&mut self, bytes: usize) {
        if let Some((_, piece)) = self.pieces.front_mut() {
            let some = piece.split_to(bytes.min(piece.len().saturating_sub(1)));
            self.arrived.extend_from_slice(&some);
        }
        let early = self.decoder.next(&mut self.arrived);
        assert!(matches!(early, Ok(None) | Err(_)), "half a packet is none: {early:?}");
    }

    fn next(&mut self) -> Option<Result<Packet, DecodeError>> {
        let (said, bytes) = self.pieces.pop_front()?;
        self.arrived.extend_from_slice(&bytes);
        let packet = match self.decoder.next(&mut self.arrived) {
            Ok(packet) => packet?,
            Err(error) => return Some(Err(error)),
        };
        assert!(self.arrived.is_empty(), "one packet at a time");
        if let (Packet::Publish(said), Packet::Publish(heard)) = (&said, &packet) {
            assert_eq!(*heard, in_version(said, self.version), "what is said is heard");
        }
        Some(Ok(packet))
    }
}

/// Whether an alias stands for a topic in what was written of a packet.
fn is_aliased(packet: &Packet, version: Version, bytes: usize) -> bool {
    let in_full = encoded_len(packet, version).and_then(|length| usize::try_from(length).ok());
    matches!(packet, Packet::Publish(_)) && in_full.is_some_and(|length| bytes < length)
}

/// What a version can say of a message.
fn in_version(publish: &Publish, version: Version) -> Publish {
    if version == Version::V5 {
        return publish.clone();
    }
    let message = Message { properties: None, ..publish.message.clone() };
    Publish { message, subscription_ids: Vec::new(), ..publish.clone() }
}
