//! A client made of the codec alone: it says what the test says, and hears what it is told.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use maison::limits::PACKET_BYTES_MAX;
use maison::mqtt::{
    Acknowledgement, Connect, ConnectProperties, Credentials, Decoder, Delivery, Disconnect,
    DisconnectProperties, Encoder, Message, Packet, PacketId, Publish, QoS, ReasonCode,
    RetainHandling, Role, Subscribe, SubscribeFilter, TopicFilter, TopicName, Version,
};

/// Longest one read or write waits: generous, for a noisy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 * 1024;

/// Whether the broker is to forget what it knows of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    Clean,
    Stays,
}

/// One connection.
pub(crate) struct Wire<S = TcpStream> {
    pub stream: S,
    encoder: Encoder,
    decoder: Decoder,
    arrived: BytesMut,
    /// Where one read puts its bytes.
    chunk: Vec<u8>,
}

/// A connection to a port of this machine.
pub(crate) fn dial(port: u16) -> TcpStream {
    try_dial(port).unwrap()
}

fn try_dial(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Wire {
    /// Connects without a login.
    pub(crate) fn connect(port: u16, client_id: &str, session: Session) -> Self {
        Self::try_connect(port, client_id, session).unwrap().0
    }

    /// Connects without a login; whether the broker had a session.
    pub(crate) fn try_connect(
        port: u16,
        client_id: &str,
        session: Session,
    ) -> io::Result<(Self, bool)> {
        Self::try_open(port, connect(Version::V3_1_1, client_id, session))
    }

    /// Connects with these words; whether the broker had a session.
    pub(crate) fn try_open(port: u16, words: Connect) -> io::Result<(Self, bool)> {
        let mut wire = Self::over(try_dial(port)?, words.version);
        wire.send(&Packet::Connect(Box::new(words)))?;
        match wire.receive()? {
            Packet::ConnAck(answer) => Ok((wire, answer.session_present)),
            other => panic!("no CONNACK: {other:?}"),
        }
    }
}

impl<S: Read + Write> Wire<S> {
    /// Speaks that version over a transport; nothing is said yet.
    pub(crate) fn over(stream: S, version: Version) -> Self {
        let encoder = Encoder::with_role(Role::Client, version);
        let mut decoder = Decoder::new(Role::Server, PACKET_BYTES_MAX);
        decoder.set_version(version);
        Self { stream, encoder, decoder, arrived: BytesMut::new(), chunk: vec![0; READ_BYTES] }
    }

    pub(crate) fn send(&mut self, packet: &Packet) -> io::Result<()> {
        let mut bytes = BytesMut::new();
        if let Packet::Publish(publish) = packet {
            let payload = self.encoder.publish_header(publish, &mut bytes);
            self.stream.write_all(&bytes)?;
            return self.stream.write_all(&payload);
        }
        self.encoder.encode(packet, &mut bytes);
        self.stream.write_all(&bytes)
    }

    /// The next packet; an end of the connection is an error.
    pub(crate) fn receive(&mut self) -> io::Result<Packet> {
        loop {
            if let Some(packet) = self.decoder.next(&mut self.arrived).unwrap() {
                return Ok(packet);
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Exactly so many bytes, behind what [`Wire::receive`] gave.
    pub(crate) fn receive_bytes(&mut self, count: usize) -> io::Result<Bytes> {
        while self.arrived.len() < count {
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.arrived.split_to(count).freeze())
    }

    /// Subscribes and waits until that is so.
    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) {
        self.send(&subscribe(filter, qos)).unwrap();
        let answer = self.receive().unwrap();
        assert!(matches!(answer, Packet::SubAck(_)), "{answer:?}");
    }

    /// Says good-bye, and waits until the broker has closed the connection.
    pub(crate) fn leave(mut self) {
        let disconnect =
            Disconnect { reason: ReasonCode::Success, properties: DisconnectProperties::default() };
        self.send(&Packet::Disconnect(Box::new(disconnect))).unwrap();
        while self.fill().unwrap() > 0 {}
    }

    fn fill(&mut self) -> io::Result<usize> {
        let count = loop {
            match self.stream.read(&mut self.chunk) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.arrived.extend_from_slice(&self.chunk[..count]);
        Ok(count)
    }
}

/// A session that stays is to outlive the connection for as long as the broker lets it.
pub(crate) fn connect(version: Version, client_id: &str, session: Session) -> Connect {
    let mut properties = ConnectProperties::default();
    if version == Version::V5 && session == Session::Stays {
        properties.session_expiry = None;
    }
    Connect {
        version,
        client_id: ByteString::from(client_id),
        clean_start: session == Session::Clean,
        keep_alive: Duration::ZERO,
        will: None,
        credentials: Credentials::default(),
        properties,
    }
}

pub(crate) fn subscribe(filter: &str, qos: QoS) -> Packet {
    let filter = SubscribeFilter {
        filter: TopicFilter::new(filter).unwrap(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    };
    Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        filters: vec![filter],
        subscription_id: None,
        user_properties: Vec::new(),
    })
}

pub(crate) fn publish(topic: &str, delivery: Delivery, payload: impl Into<Bytes>) -> Publish {
    let topic = TopicName::new(topic).unwrap();
    let message = Message { topic, payload: payload.into(), properties: None };
    let (retain, subscription_ids) = (false, Vec::new());
    Publish { dup: false, delivery, retain, message, subscription_ids }
}

pub(crate) fn success(packet_id: NonZeroU16) -> Acknowledgement {
    Acknowledgement::success(packet_id)
}
