//! Reason codes of MQTT 5.0 (section 2.4), which also stand for the return codes of 3.1.1.

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// One byte that says how an operation went. Values of 0x80 and above are failures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the names are the standard's")]
        pub enum ReasonCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl ReasonCode {
            /// All there are, in ascending order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As on the wire of 5.0.
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// Of a byte on the wire of 5.0; `None` where the standard has no such reason code.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

reason_codes! {
    /// Also "normal disconnection" and "granted QoS 0".
    Success = 0x00,
    GrantedQoS1 = 0x01,
    GrantedQoS2 = 0x02,
    DisconnectWithWill = 0x04,
    NoMatchingSubscribers = 0x10,
    NoSubscriptionExisted = 0x11,
    ContinueAuthentication = 0x18,
    ReAuthenticate = 0x19,
    UnspecifiedError = 0x80,
    MalformedPacket = 0x81,
    ProtocolError = 0x82,
    ImplementationSpecificError = 0x83,
    UnsupportedProtocolVersion = 0x84,
    ClientIdentifierNotValid = 0x85,
    BadUserNameOrPassword = 0x86,
    NotAuthorized = 0x87,
    ServerUnavailable = 0x88,
    ServerBusy = 0x89,
    Banned = 0x8A,
    ServerShuttingDown = 0x8B,
    BadAuthenticationMethod = 0x8C,
    KeepAliveTimeout = 0x8D,
    SessionTakenOver = 0x8E,
    TopicFilterInvalid = 0x8F,
    TopicNameInvalid = 0x90,
    PacketIdentifierInUse = 0x91,
    PacketIdentifierNotFound = 0x92,
    ReceiveMaximumExceeded = 0x93,
    TopicAliasInvalid = 0x94,
    PacketTooLarge = 0x95,
    MessageRateTooHigh = 0x96,
    QuotaExceeded = 0x97,
    AdministrativeAction = 0x98,
    PayloadFormatInvalid = 0x99,
    RetainNotSupported = 0x9A,
    QoSNotSupported = 0x9B,
    UseAnotherServer = 0x9C,
    ServerMoved = 0x9D,
    SharedSubscriptionsNotSupported = 0x9E,
    ConnectionRateExceeded = 0x9F,
    MaximumConnectTime = 0xA0,
    SubscriptionIdentifiersNotSupported = 0xA1,
    WildcardSubscriptionsNotSupported = 0xA2,
}

impl ReasonCode {
    /// Whether the operation failed.
    pub const fn is_failure(self) -> bool {
        self.code() >= 0x80
    }

    /// The return code of a 3.1.1 CONNACK (its section 3.2.2.3). `None` where none applies: the
    /// server then closes without a CONNACK ([MQTT-3.2.2-6] of 3.1.1).
    pub const fn return_code(self) -> Option<u8> {
        match self {
            Self::Success => Some(0),
            Self::UnsupportedProtocolVersion => Some(1),
            Self::ClientIdentifierNotValid => Some(2),
            Self::UnspecifiedError
            | Self::ImplementationSpecificError
            | Self::ServerUnavailable
            | Self::ServerBusy
            | Self::ServerShuttingDown
            | Self::QuotaExceeded
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::ConnectionRateExceeded => Some(3),
            Self::BadUserNameOrPassword => Some(4),
            Self::NotAuthorized | Self::Banned | Self::BadAuthenticationMethod => Some(5),
            Self::GrantedQoS1
            | Self::GrantedQoS2
            | Self::DisconnectWithWill
            | Self::NoMatchingSubscribers
            | Self::NoSubscriptionExisted
            | Self::ContinueAuthentication
            | Self::ReAuthenticate
            | Self::MalformedPacket
            | Self::ProtocolError
            | Self::KeepAliveTimeout
            | Self::SessionTakenOver
            | Self::TopicFilterInvalid
            | Self::TopicNameInvalid
            | Self::PacketIdentifierInUse
            | Self::PacketIdentifierNotFound
            | Self::ReceiveMaximumExceeded
            | Self::TopicAliasInvalid
            | Self::PacketTooLarge
            | Self::MessageRateTooHigh
            | Self::AdministrativeAction
            | Self::PayloadFormatInvalid
            | Self::RetainNotSupported
            | Self::QoSNotSupported
            | Self::SharedSubscriptionsNotSupported
            | Self::MaximumConnectTime
            | Self::SubscriptionIdentifiersNotSupported
            | Self::WildcardSubscriptionsNotSupported => None,
        }
    }

    /// What a return code of a 3.1.1 CONNACK means; `None` for the reserved ones.
    pub const fn from_return_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReasonCode;

    #[test]
    fn codes_and_bytes_are_each_others_inverse() {
        for code in 0..=u8::MAX {
            if let Some(reason) = ReasonCode::from_code(code) {
                assert_eq!(reason.code(), code);
                assert_eq!(reason.is_failure(), code >= 0x80);
            }
        }
        assert_eq!(ReasonCode::ALL.len(), 43);
        assert!(ReasonCode::ALL.is_sorted());
        assert!(
            ReasonCode::ALL
                .iter()
                .all(|reason| { ReasonCode::from_code(reason.code()) == Some(*reason) })
        );
    }

    /// [MQTT-3.2.2-6] of 3.1.1: what has no return code is answered by closing.
    #[track_caller]
    fn check(reason: ReasonCode, expected: Option<u8>) {
        assert_eq!(reason.return_code(), expected, "{reason:?}");
    }

    #[test]
    fn reasons_have_the_return_codes_of_3_1_1() {
        check(ReasonCode::Success, Some(0));
        check(ReasonCode::UnsupportedProtocolVersion, Some(1));
        check(ReasonCode::ClientIdentifierNotValid, Some(2));
        check(ReasonCode::ServerUnavailable, Some(3));
        check(ReasonCode::ServerBusy, Some(3));
        check(ReasonCode::BadUserNameOrPassword, Some(4));
        check(ReasonCode::NotAuthorized, Some(5));
        check(ReasonCode::Banned, Some(5));
        check(ReasonCode::MalformedPacket, None);
        for code in 0..=5 {
            let reason = ReasonCode::from_return_code(code).unwrap();
            assert_eq!(reason.return_code(), Some(code));
        }
        assert_eq!(ReasonCode::from_return_code(6), None);
    }
}
