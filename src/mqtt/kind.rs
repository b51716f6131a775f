//! The kinds of control packets (section 2.1): what the first byte of each looks like and who may
//! send it.

use super::{Packet, Version};

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Connects, publishes, subscribes.
    Client,
    /// Accepts clients and distributes.
    Server,
}

/// What the upper four bits of a packet's first byte say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum PacketKind {
    Connect,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    PingReq,
    PingResp,
    Disconnect,
    Auth,
}

impl PacketKind {
    /// Of the first byte of a packet; `None` for type 0, which is forbidden.
    pub(super) const fn from_first_byte(byte: u8) -> Option<Self> {
        Some(match byte >> 4 {
            1 => Self::Connect,
            2 => Self::ConnAck,
            3 => Self::Publish,
            4 => Self::PubAck,
            5 => Self::PubRec,
            6 => Self::PubRel,
            7 => Self::PubComp,
            8 => Self::Subscribe,
            9 => Self::SubAck,
            10 => Self::Unsubscribe,
            11 => Self::UnsubAck,
            12 => Self::PingReq,
            13 => Self::PingResp,
            14 => Self::Disconnect,
            15 => Self::Auth,
            _ => return None,
        })
    }

    /// The first byte of such a packet; of a PUBLISH, without its flags.
    pub(super) const fn first_byte(self) -> u8 {
        let number: u8 = match self {
            Self::Connect => 1,
            Self::ConnAck => 2,
            Self::Publish => 3,
            Self::PubAck => 4,
            Self::PubRec => 5,
            Self::PubRel => 6,
            Self::PubComp => 7,
            Self::Subscribe => 8,
            Self::SubAck => 9,
            Self::Unsubscribe => 10,
            Self::UnsubAck => 11,
            Self::PingReq => 12,
            Self::PingResp => 13,
            Self::Disconnect => 14,
            Self::Auth => 15,
        };
        let flags = match self {
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => 0b0010,
            Self::Connect
            | Self::ConnAck
            | Self::Publish
            | Self::PubAck
            | Self::PubRec
            | Self::PubComp
            | Self::SubAck
            | Self::UnsubAck
            | Self::PingReq
            | Self::PingResp
            | Self::Disconnect
            | Self::Auth => 0,
        };
        number << 4 | flags
    }

    /// Which of the first byte's flag bits may vary: all of a PUBLISH, none of others
    /// ([MQTT-2.1.3-1]), but in 3.1 the DUP flag of what is acknowledged (its section 2.1).
    pub(super) fn variable_flags(self, version: Option<Version>) -> u8 {
        const DUP: u8 = 0b1000;
        match self {
            Self::Publish => 0b1111,
            Self::PubRel | Self::Subscribe | Self::Unsubscribe
                if version == Some(Version::V3_1) =>
            {
                DUP
            }
            Self::Connect
            | Self::ConnAck
            | Self::PubAck
            | Self::PubRec
            | Self::PubRel
            | Self::PubComp
            | Self::Subscribe
            | Self::SubAck
            | Self::Unsubscribe
            | Self::UnsubAck
            | Self::PingReq
            | Self::PingResp
            | Self::Disconnect
            | Self::Auth => 0,
        }
    }

    /// Whether that end sends such packets in that version: AUTH is new in 5.0, and so is a
    /// server's DISCONNECT.
    pub(super) fn is_sent_by(self, role: Role, version: Version) -> bool {
        match self {
            Self::Connect | Self::Subscribe | Self::Unsubscribe | Self::PingReq => {
                role == Role::Client
            }
            Self::ConnAck | Self::SubAck | Self::UnsubAck | Self::PingResp => role == Role::Server,
            Self::Publish | Self::PubAck | Self::PubRec | Self::PubRel | Self::PubComp => true,
            Self::Disconnect => role == Role::Client || version == Version::V5,
            Self::Auth => version == Version::V5,
        }
    }
}

impl From<&Packet> for PacketKind {
    fn from(packet: &Packet) -> Self {
        match packet {
            Packet::Connect(_) => Self::Connect,
            Packet::ConnAck(_) => Self::ConnAck,
            Packet::Publish(_) => Self::Publish,
            Packet::PubAck(_) => Self::PubAck,
            Packet::PubRec(_) => Self::PubRec,
            Packet::PubRel(_) => Self::PubRel,
            Packet::PubComp(_) => Self::PubComp,
            Packet::Subscribe(_) => Self::Subscribe,
            Packet::SubAck(_) => Self::SubAck,
            Packet::Unsubscribe(_) => Self::Unsubscribe,
            Packet::UnsubAck(_) => Self::UnsubAck,
            Packet::PingReq => Self::PingReq,
            Packet::PingResp => Self::PingResp,
            Packet::Disconnect(_) => Self::Disconnect,
            Packet::Auth(_) => Self::Auth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PacketKind;

    /// 2.1.2 and 2.1.3.
    #[test]
    fn first_bytes_name_their_kind() {
        assert_eq!(PacketKind::from_first_byte(0x0F), None);
        for number in 1..=15_u8 {
            let kind = PacketKind::from_first_byte(number << 4).unwrap();
            let flags = if [6, 8, 10].contains(&number) { 2 } else { 0 };
            assert_eq!(kind.first_byte(), number << 4 | flags);
        }
    }
}
