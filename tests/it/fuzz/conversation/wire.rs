//! A connection between its client and the broker, as `net` has one: bytes in, packets out. The
//! client notes what it is told, and that it is told nothing it did not agree to.

use std::collections::{BTreeSet, VecDeque};

use bytes::BytesMut;
use maison::limits::{PACKET_BYTES_BEFORE_LOGIN_MAX, PACKET_BYTES_MAX};
use maison::mqtt::{
    Acknowledgement, Connect, ConnectAcknowledgement, DecodeError, Decoder, Delivery, Encoder,
    Packet, PacketId, Publish, ReasonCode, Role, TopicName, Version, encoded_len,
};

/// Packets up to here are read again in the form in which they leave.
const READ_AGAIN_BYTES_MAX: u32 = 4096;

pub(super) struct Wire {
    decoder: Decoder,
    arrived: BytesMut,
    listening: Listening,
    hearing: Hearing,
    /// As the CONNECT said it.
    connect: Option<Connect>,
    encoder: Option<Encoder>,
    /// Of messages that were sent and that nothing was said about.
    unanswered: BTreeSet<PacketId>,
    /// What a good client says next.
    answers: VecDeque<Packet>,
    unwritten: usize,
}

/// Whether bytes of the client are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Open,
    /// Its CONNECT is with the broker.
    Answering,
    /// What came was no packet.
    Deaf,
}

/// What a client may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
    /// Its CONNACK first.
    Nothing,
    Anything,
    /// It was refused.
    Refusal,
    Closed,
}

impl Wire {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::new(Role::Client, PACKET_BYTES_BEFORE_LOGIN_MAX),
            arrived: BytesMut::new(),
            listening: Listening::Open,
            hearing: Hearing::Nothing,
            connect: None,
            encoder: None,
            unanswered: BTreeSet::new(),
            answers: VecDeque::new(),
            unwritten: 0,
        }
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.decoder.version()
    }

    // ---- from the client

    pub(super) fn receives(&mut self, bytes: &[u8]) {
        self.arrived.extend_from_slice(bytes);
    }

    pub(super) fn carries(&mut self, packet: &Packet) {
        let version = match packet {
            Packet::Connect(connect) => connect.version,
            _ => self.version().unwrap_or(Version::V3_1_1),
        };
        let encoder = self.encoder.get_or_insert_with(|| Encoder::with_role(Role::Client, version));
        encoder.encode(packet, &mut self.arrived);
    }

    /// What has arrived next, if it is listened to.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, DecodeError> {
        if self.listening != Listening::Open {
            return Ok(None);
        }
        let next = self.decoder.next(&mut self.arrived);
        match &next {
            Ok(Some(Packet::Connect(connect))) => {
                self.connect.get_or_insert_with(|| Connect::clone(connect));
                self.listening = Listening::Answering;
            }
            Ok(Some(packet)) => self.notes_answer(packet),
            Ok(None) => {}
            Err(_) => self.listening = Listening::Deaf,
        }
        next
    }

    /// An answer of any kind, so that this never forgets less than the broker.
    fn notes_answer(&mut self, packet: &Packet) {
        if let Packet::PubAck(answer) | Packet::PubRec(answer) | Packet::PubComp(answer) = packet {
            self.unanswered.remove(&answer.packet_id);
        }
    }

    pub(super) fn next_answer(&mut self, place: u8) -> Option<Packet> {
        let waiting = self.answers.len().max(1);
        self.answers.remove(usize::from(place) % waiting)
    }

    /// Weight of all that was sent and not written.
    pub(super) fn is_written(&mut self) -> usize {
        std::mem::take(&mut self.unwritten)
    }

    // ---- from the broker

    pub(super) fn is_asked_for(&self) {
        assert_eq!(self.hearing, Hearing::Nothing, "a login is checked once");
        assert!(self.connect.is_some(), "a login is of a CONNECT");
    }

    pub(super) fn closes(&mut self) {
        assert_ne!(self.hearing, Hearing::Closed, "a connection is closed once");
        self.hearing = Hearing::Closed;
    }

    pub(super) fn hears(&mut self, packet: &Packet) {
        self.unwritten += packet.weight();
        match (self.hearing, packet) {
            (Hearing::Nothing, Packet::ConnAck(answer)) => self.hears_connack(answer),
            (Hearing::Nothing, Packet::Auth(_)) => {}
            (Hearing::Anything, packet) => self.hears_any(packet),
            (hearing, packet) => panic!("{hearing:?} may be said, not {packet:?}"),
        }
        self.check_bytes(packet);
    }

    /// What its receiver may send from now on, as `net` heeds it.
    fn hears_connack(&mut self, answer: &ConnectAcknowledgement) {
        if self.listening == Listening::Answering {
            self.listening = Listening::Open;
        }
        if answer.reason != ReasonCode::Success {
            self.hearing = Hearing::Refusal;
            return;
        }
        self.hearing = Hearing::Anything;
        let aliases = answer.properties.topic_alias_maximum.unwrap_or(0);
        self.decoder.set_packet_bytes_max(PACKET_BYTES_MAX);
        self.decoder.set_topic_alias_maximum(aliases);
        if let Some(encoder) = &mut self.encoder {
            encoder.set_topic_alias_maximum(aliases);
        }
    }

    fn hears_any(&mut self, packet: &Packet) {
        match packet {
            Packet::ConnAck(_) => panic!("a CONNECT is answered once"),
            Packet::Publish(publish) => self.hears_message(publish),
            Packet::PubRel(release) => self.answers.push_back(Packet::PubComp(release.clone())),
            _ => {}
        }
    }

    fn hears_message(&mut self, publish: &Publish) {
        let answer = match publish.delivery {
            Delivery::AtMostOnce => return,
            Delivery::AtLeastOnce(id) => Packet::PubAck(Acknowledgement::success(id)),
            Delivery::ExactlyOnce(id) => Packet::PubRec(Acknowledgement::success(id)),
        };
        let id = publish.delivery.packet_id().expect("of quality 1 or 2");
        assert!(self.unanswered.insert(id), "a packet identifier in use is not used again");
        if let Some(connect) = &self.connect {
            let receive_maximum = usize::from(connect.properties.receive_maximum.get());
            assert!(self.unanswered.len() <= receive_maximum, "no more than the client takes");
        }
        self.answers.push_back(answer);
    }

    /// What leaves is understood at the other end, in its version, and no larger than it takes.
    fn check_bytes(&self, packet: &Packet) {
        let version = self.version().unwrap_or(Version::V3_1_1);
        let Some(length) = encoded_len(packet, version) else { return };
        let largest = self.connect.as_ref().and_then(|one| one.properties.maximum_packet_size);
        if let Packet::Publish(publish) = packet {
            let fits = largest.is_none_or(|largest| length <= largest);
            assert!(fits, "a message is no larger than the client takes: {publish:?}");
        }
        if length > READ_AGAIN_BYTES_MAX {
            return;
        }
        let written = write(version, packet);
        if written.is_empty() {
            return; // a server's DISCONNECT before 5.0
        }
        let mut decoder = Decoder::new(Role::Server, PACKET_BYTES_MAX);
        decoder.set_version(version);
        let mut rest = written.clone();
        let read = decoder.next(&mut rest).expect("what is sent can be read").expect("whole");
        assert!(rest.is_empty(), "{packet:?}");
        assert_eq!(write(version, &read), written, "{packet:?}");
    }
}

fn write(version: Version, packet: &Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    Encoder::with_role(Role::Server, version).encode(packet, &mut bytes);
    bytes
}

/// Those to which a packet may come to publish.
pub(super) fn topics(packet: &Packet) -> Option<TopicName> {
    match packet {
        Packet::Publish(publish) => Some(publish.message.topic.compact()),
        Packet::Connect(connect) => connect.will.as_ref().map(|will| will.message.topic.compact()),
        _ => None,
    }
}
