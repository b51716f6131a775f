//! Nothing that arrives makes the decoder panic or stand still.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use super::decoder;
use super::strategies::{conversation, role, version};
use crate::mqtt::{Decoder, Encoder, Role};

/// Each call takes bytes, or wants more, or refuses.
fn exhaust(mut decoder: Decoder, bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    loop {
        let (before, room) = (buffer.len(), buffer.capacity());
        match decoder.next(&mut buffer) {
            Ok(Some(_)) => assert!(buffer.len() < before, "a packet takes bytes"),
            Ok(None) => {
                assert_eq!(buffer.len(), before, "an unfinished packet takes none");
                assert_eq!(buffer.capacity(), room, "nor any room");
                return;
            }
            Err(error) => return assert!(!error.detail.is_empty() && error.reason.is_failure()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_survived(
        role in role(),
        version in version(),
        bytes in vec(any::<u8>(), 0..64),
    ) {
        exhaust(decoder(role, version), &bytes);
        exhaust(Decoder::new(role, 1024), &bytes);
    }

    #[test]
    fn random_bodies_are_survived(
        role in role(),
        version in version(),
        first in any::<u8>(),
        body in vec(prop_oneof![0..4_u8, any::<u8>()], 0..64),
    ) {
        exhaust(decoder(role, version), &super::frame(first, &body));
    }

    #[test]
    fn spoilt_packets_are_survived(
        (role, version, packets) in conversation(),
        faults in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = BytesMut::new();
        let mut encoder = Encoder::with_role(role, version);
        for packet in &packets {
            encoder.encode(packet, &mut bytes);
        }
        exhaust(decoder(role, version), &bytes[..cut.index(bytes.len())]);
        for (place, value) in faults {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        exhaust(decoder(role, version), &bytes);
        exhaust(Decoder::new(Role::Client, 64), &bytes);
    }
}
