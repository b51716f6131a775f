//! Identifiers of the properties of MQTT 5.0 (section 2.2.2.2).

macro_rules! property_ids {
    ($($name:ident = $code:literal,)*) => {
        /// Names a property on the wire. All identifiers fit in one byte, although the standard
        /// makes them variable byte integers (2.2.2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(super) enum PropertyId {
            $($name,)*
        }

        impl PropertyId {
            pub(super) const fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            pub(super) const fn from_code(code: u32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

property_ids! {
    PayloadFormatIndicator = 0x01,
    MessageExpiryInterval = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionIdentifier = 0x0B,
    SessionExpiryInterval = 0x11,
    AssignedClientIdentifier = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelayInterval = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQoS = 0x24,
    RetainAvailable = 0x25,
    UserProperty = 0x26,
    MaximumPacketSize = 0x27,
    WildcardSubscriptionAvailable = 0x28,
    SubscriptionIdentifierAvailable = 0x29,
    SharedSubscriptionAvailable = 0x2A,
}

impl PropertyId {
    /// Whether a packet may carry it more than once (2.2.2.2); subscription identifiers only in a
    /// PUBLISH.
    pub(super) const fn may_repeat(self) -> bool {
        matches!(self, Self::UserProperty | Self::SubscriptionIdentifier)
    }
}
