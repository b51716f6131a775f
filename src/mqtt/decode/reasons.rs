//! Which reason codes a packet may carry, and from which end.

use super::{Body, DecodeError};
#[allow(clippy::enum_glob_use, reason = "tables of names read like those of the standard")]
use crate::mqtt::ReasonCode::{self, *};
use crate::mqtt::kind::{PacketKind, Role};

/// 3.2.2.2.
const CONNACK: &[ReasonCode] = &[
    Success,
    UnspecifiedError,
    MalformedPacket,
    ProtocolError,
    ImplementationSpecificError,
    UnsupportedProtocolVersion,
    ClientIdentifierNotValid,
    BadUserNameOrPassword,
    NotAuthorized,
    ServerUnavailable,
    ServerBusy,
    Banned,
    BadAuthenticationMethod,
    TopicNameInvalid,
    PacketTooLarge,
    QuotaExceeded,
    PayloadFormatInvalid,
    RetainNotSupported,
    QoSNotSupported,
    UseAnotherServer,
    ServerMoved,
    ConnectionRateExceeded,
];

/// 3.4.2.1 and 3.5.2.1, but for what only a server says.
const RECEIVED: &[ReasonCode] = &[
    Success,
    UnspecifiedError,
    ImplementationSpecificError,
    NotAuthorized,
    TopicNameInvalid,
    PacketIdentifierInUse,
    QuotaExceeded,
    PayloadFormatInvalid,
];

/// 3.6.2.1 and 3.7.2.1.
const RELEASED: &[ReasonCode] = &[Success, PacketIdentifierNotFound];

/// 3.9.3.
const SUBACK: &[ReasonCode] = &[
    Success,
    GrantedQoS1,
    GrantedQoS2,
    UnspecifiedError,
    ImplementationSpecificError,
    NotAuthorized,
    TopicFilterInvalid,
    PacketIdentifierInUse,
    QuotaExceeded,
    SharedSubscriptionsNotSupported,
    SubscriptionIdentifiersNotSupported,
    WildcardSubscriptionsNotSupported,
];

/// 3.11.3.
const UNSUBACK: &[ReasonCode] = &[
    Success,
    NoSubscriptionExisted,
    UnspecifiedError,
    ImplementationSpecificError,
    NotAuthorized,
    TopicFilterInvalid,
    PacketIdentifierInUse,
];

/// 3.14.2.1, what either end says.
const DISCONNECT: &[ReasonCode] = &[
    Success,
    UnspecifiedError,
    MalformedPacket,
    ProtocolError,
    ImplementationSpecificError,
    TopicNameInvalid,
    ReceiveMaximumExceeded,
    TopicAliasInvalid,
    PacketTooLarge,
    MessageRateTooHigh,
    QuotaExceeded,
    AdministrativeAction,
    PayloadFormatInvalid,
];

/// 3.14.2.1, what only a server says.
const DISCONNECT_BY_SERVER: &[ReasonCode] = &[
    NotAuthorized,
    ServerBusy,
    ServerShuttingDown,
    BadAuthenticationMethod,
    KeepAliveTimeout,
    SessionTakenOver,
    TopicFilterInvalid,
    RetainNotSupported,
    QoSNotSupported,
    UseAnotherServer,
    ServerMoved,
    SharedSubscriptionsNotSupported,
    ConnectionRateExceeded,
    MaximumConnectTime,
    SubscriptionIdentifiersNotSupported,
    WildcardSubscriptionsNotSupported,
];

/// Takes the reason code of a 5.0 packet of that kind.
pub(super) fn read(
    body: &mut Body,
    kind: PacketKind,
    sender: Role,
) -> Result<ReasonCode, DecodeError> {
    let reason = ReasonCode::from_code(body.u8()?)
        .ok_or(DecodeError::malformed("unknown reason code (MQTT 5.0 section 2.4)"))?;
    check(reason, kind, sender).map(|()| reason)
}

/// As [`read`], for packets that may end before their reason code, which then is success.
pub(super) fn read_if_any(
    body: &mut Body,
    kind: PacketKind,
    sender: Role,
) -> Result<ReasonCode, DecodeError> {
    if body.is_empty() {
        return check(Success, kind, sender).map(|()| Success);
    }
    read(body, kind, sender)
}

fn check(reason: ReasonCode, kind: PacketKind, sender: Role) -> Result<(), DecodeError> {
    if is_allowed(reason, kind, sender) {
        return Ok(());
    }
    Err(DecodeError::protocol("reason code not allowed in this packet (MQTT 5.0 section 2.4)"))
}

fn is_allowed(reason: ReasonCode, kind: PacketKind, sender: Role) -> bool {
    let by_server = sender == Role::Server;
    match kind {
        PacketKind::ConnAck => CONNACK.contains(&reason),
        PacketKind::PubAck | PacketKind::PubRec => {
            RECEIVED.contains(&reason) || by_server && reason == NoMatchingSubscribers
        }
        PacketKind::PubRel | PacketKind::PubComp => RELEASED.contains(&reason),
        PacketKind::SubAck => SUBACK.contains(&reason),
        PacketKind::UnsubAck => UNSUBACK.contains(&reason),
        PacketKind::Disconnect => {
            DISCONNECT.contains(&reason)
                || by_server && DISCONNECT_BY_SERVER.contains(&reason)
                || !by_server && reason == DisconnectWithWill
        }
        PacketKind::Auth => match reason {
            ContinueAuthentication => true,
            Success => by_server,
            ReAuthenticate => !by_server,
            _ => false,
        },
        PacketKind::Connect
        | PacketKind::Publish
        | PacketKind::Subscribe
        | PacketKind::Unsubscribe
        | PacketKind::PingReq
        | PacketKind::PingResp => false,
    }
}
