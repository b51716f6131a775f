//! What a client says that does not wait for answers, as bytes of the wire.

use bytes::BytesMut;
use maison::mqtt::{Credentials, Encoder, Packet, Role};

use super::packets;
use crate::fuzz::source::Source;

/// A CONNECT without a login and the packets behind it, until the choices are used up.
pub(crate) fn speech(choices: &[u8]) -> Vec<u8> {
    let (mut source, mut bytes) = (Source::new(choices), BytesMut::new());
    let mut connect = packets::connect(&mut source);
    connect.credentials = Credentials::default();
    connect.properties.authentication_method = None;
    let version = connect.version;
    let mut encoder = Encoder::with_role(Role::Client, version);
    encoder.encode(&Packet::Connect(Box::new(connect)), &mut bytes);
    while !source.is_empty() {
        encoder.encode(&packets::packet(&mut source, Some(version)), &mut bytes);
    }
    bytes.to_vec()
}
