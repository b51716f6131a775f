//! The properties of a message on their own, for whoever keeps messages: the bytes they have in a
//! packet.

use bytes::{Bytes, BytesMut};

use super::decode::{DecodeError, message_properties};
use super::encode::message_section;
use super::properties::MessageProperties;

impl MessageProperties {
    /// As the property section of a PUBLISH, with its length (3.3.2.3.1).
    pub fn to_section(&self) -> Bytes {
        let mut section = BytesMut::new();
        message_section(self, &mut section);
        section.freeze()
    }

    /// The inverse of [`MessageProperties::to_section`]. Texts and data are slices of `section`.
    pub fn from_section(section: Bytes) -> Result<Self, DecodeError> {
        message_properties(section)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::MessageProperties;
    use crate::mqtt::tests::strategies::message_properties;

    proptest! {
        #[test]
        fn properties_survive_their_section(properties in message_properties()) {
            let section = properties.to_section();
            prop_assert_eq!(MessageProperties::from_section(section), Ok(properties));
        }
    }

    #[test]
    fn a_section_is_the_one_of_a_packet_and_nothing_else() {
        let properties = MessageProperties { payload_is_utf8: true, ..Default::default() };
        assert_eq!(&properties.to_section()[..], [2, 0x01, 1]);
        for wrong in [&[][..], &[2, 0x01], &[2, 0x01, 1, 0], &[3, 0x23, 0, 1], &[2, 0x01, 2]] {
            let read = MessageProperties::from_section(Bytes::copy_from_slice(wrong));
            assert!(read.is_err(), "{wrong:?}");
        }
    }
}
