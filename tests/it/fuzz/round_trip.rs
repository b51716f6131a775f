//! What a decoder gives, an encoder of the same end writes, and a decoder gives again.

use bytes::BytesMut;
use maison::limits::PACKET_BYTES_MAX;
use maison::mqtt::{Decoder, Encoder, Packet, Role, Version, encoded_len};

use super::link::Link;
use super::source::Source;

/// Whatever decodes is encoded again and decodes to the same, in as many bytes as foretold.
pub fn round_trip(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let link = Link::read(&mut source);
    let (mode, alias_maximum) = (source.byte(), source.byte());
    let packet_bytes_max = u32::from(source.number());
    let stream = if mode & 1 == 0 { source.rest().to_vec() } else { framed(source) };
    let decoded = link.decode(&stream, || usize::MAX);
    let Some(version) = decoded.version else { return assert!(decoded.packets.is_empty()) };
    let ends = Ends { sender: link.sender, version };
    for packet in &decoded.packets {
        let written = ends.check(packet);
        ends.check_limited(packet, packet_bytes_max, &written);
    }
    ends.check_aliases(&decoded.packets, u16::from(alias_maximum));
}

/// Packets whose remaining length is right: at most 255.
fn framed(mut source: Source<'_>) -> Vec<u8> {
    let mut stream = Vec::new();
    while !source.is_empty() {
        let (first, body) = (source.byte(), source.bytes());
        stream.push(first);
        match u8::try_from(body.len()).unwrap() {
            length @ 0..0x80 => stream.push(length),
            length @ 0x80.. => stream.extend([length, 1]),
        }
        stream.extend_from_slice(body);
    }
    stream
}

/// The two ends of a link of settled version.
#[derive(Clone, Copy)]
struct Ends {
    sender: Role,
    version: Version,
}

impl Ends {
    fn check(self, packet: &Packet) -> BytesMut {
        let mut written = BytesMut::new();
        Encoder::with_role(self.sender, self.version).encode(packet, &mut written);
        let length = encoded_len(packet, self.version).expect("what was decoded can be encoded");
        assert_eq!(u32::try_from(written.len()), Ok(length), "{packet:?}");
        assert_eq!(self.read(written.clone(), 0), std::slice::from_ref(packet));
        written
    }

    /// To a peer that takes little: all of a packet, or what it can do without, or nothing.
    fn check_limited(self, packet: &Packet, packet_bytes_max: u32, whole: &BytesMut) {
        let mut encoder = Encoder::with_role(self.sender, self.version);
        encoder.set_packet_bytes_max(packet_bytes_max);
        let mut written = BytesMut::new();
        encoder.encode(packet, &mut written);
        let limit = usize::try_from(packet_bytes_max).unwrap();
        assert!(written.len() <= limit, "larger than the peer takes: {packet:?}");
        if whole.len() <= limit {
            assert_eq!(written, *whole);
        } else if !written.is_empty() {
            assert!(!matches!(packet, Packet::Publish(_)), "a message is written as it is");
            assert_eq!(self.read(written, 0).len(), 1, "cut short, but whole: {packet:?}");
        }
    }

    /// Topic aliases come to the same topics, and a payload that is written apart to the same
    /// bytes.
    fn check_aliases(self, packets: &[Packet], alias_maximum: u16) {
        let (mut written, mut in_parts) = (BytesMut::new(), BytesMut::new());
        let mut encoder = Encoder::with_role(self.sender, self.version);
        let mut other = Encoder::with_role(self.sender, self.version);
        encoder.set_topic_alias_maximum(alias_maximum);
        other.set_topic_alias_maximum(alias_maximum);
        for packet in packets {
            encoder.encode(packet, &mut written);
            if let Packet::Publish(publish) = packet {
                let payload = other.publish_header(publish, &mut in_parts);
                in_parts.extend_from_slice(&payload);
            } else {
                other.encode(packet, &mut in_parts);
            }
        }
        assert_eq!(written, in_parts, "a payload behind its header");
        assert_eq!(self.read(written, alias_maximum), packets);
    }

    fn read(self, mut written: BytesMut, alias_maximum: u16) -> Vec<Packet> {
        let mut decoder = Decoder::new(self.sender, PACKET_BYTES_MAX);
        decoder.set_version(self.version);
        decoder.set_topic_alias_maximum(alias_maximum);
        let mut packets = Vec::new();
        while let Some(packet) = decoder.next(&mut written).expect("what was encoded decodes") {
            packets.push(packet);
        }
        assert!(written.is_empty(), "nothing is left over");
        packets
    }
}
