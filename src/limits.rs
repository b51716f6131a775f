//! Every bound of the house, with the reason for its value, and assertions that relate them.

use std::time::Duration;

/// Largest MQTT packet the protocol can announce: fixed header of 5 bytes and a remaining length
/// of four 7-bit digits (MQTT 5.0 section 1.5.5).
pub const PACKET_BYTES_MAX: u32 = 268_435_455 + 5;

/// Largest packet accepted unless `broker.max_packet_size` says otherwise: generous for a house,
/// and small enough that a few at once fit in a Pi Zero.
pub const PACKET_BYTES_DEFAULT: u32 = 1024 * 1024;

/// Largest packet of a peer that has not logged in: a CONNECT with a will of ordinary size.
pub const PACKET_BYTES_BEFORE_LOGIN_MAX: u32 = 16 * 1024;

/// Longest topic name or filter: the length of an MQTT string is a u16.
pub const TOPIC_BYTES_MAX: usize = 65_535;

/// Deepest topic: matching walks level by level, so depth is work a stranger can ask for.
pub const TOPIC_LEVELS_MAX: usize = 200;

/// Longest client identifier. The standard asks for 23 at least; UUIDs with a prefix are common.
pub const CLIENT_ID_BYTES_MAX: usize = 1024;

/// Filters one session may hold: a dashboard of a large house needs some hundreds.
pub const SUBSCRIPTIONS_PER_SESSION_MAX: usize = 10_000;

/// Unacknowledged QoS 1 and 2 messages sent to one client at a time: enough to fill a Wi-Fi round
/// trip, few enough for clients on microcontrollers.
pub const INFLIGHT_TO_CLIENT_MAX: usize = 20;

/// QoS 2 messages received and not yet released, for one client. A 3.1.1 client cannot be told a
/// lower number than the count of packet identifiers.
pub const INFLIGHT_FROM_CLIENT_MAX: usize = 65_535;

/// Messages queued for one session unless `broker.queue` says otherwise: a day of 20 rooms with
/// room to spare.
pub const QUEUE_MESSAGES_DEFAULT: usize = 10_000;

/// Bytes queued for one session unless `broker.queue` says otherwise.
pub const QUEUE_BYTES_DEFAULT: usize = 16 * 1024 * 1024;

/// Bytes handed to a connection and not yet written: beyond this a slow reader's messages wait in
/// its session's bounded queue.
pub const UNWRITTEN_BYTES_MAX: usize = 256 * 1024;

/// Unwritten bytes, beyond one large message, at which a connection is closed: such a peer asks and
/// never reads the answers. Four times the mark at which messages wait leaves room for the
/// acknowledgements of a fast publisher.
pub const UNWRITTEN_BYTES_FLOOD: usize = 4 * UNWRITTEN_BYTES_MAX;

/// Sessions at a time, absent ones included: far more than a house has clients, and an empty one
/// costs less than 1 KiB.
pub const SESSIONS_MAX: usize = 10_000;

/// Bytes that the filters of one session may take, as the subscription tree stores them: 10,000
/// filters of three levels.
pub const SUBSCRIPTION_BYTES_PER_SESSION_MAX: usize = 16 * 1024 * 1024;

/// Bytes of retained messages that clients may fill; beyond it only the gateway's own are stored.
/// An eighth of a board of 512 MB, or some 200,000 short messages.
pub const RETAINED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Seeks in the retained messages for one session before others have their turn: a few
/// milliseconds on a Pi Zero.
pub const RETAINED_SEEKS_PER_TURN: usize = 2000;

/// Events of one kind about one client are told at most this often, each with its count: a log on
/// an SD card must survive a client gone mad.
pub const EVENT_INTERVAL: Duration = Duration::from_secs(10);

/// Longest a session outlives its connection unless `broker.session_expiry` says otherwise.
pub const SESSION_EXPIRY_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Connections at a time, in all: each costs about 30 KiB with TLS, on a board of 512 MB.
pub const CONNECTIONS_MAX: usize = 2048;

/// Connections at a time from one address, so that one broken client cannot take every place.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// Longest a TLS handshake may take, on a slow Wi-Fi and a Pi Zero's RSA.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest a peer may take from its connection to its CONNECT ([MQTT-3.1.4-5] leaves it to us).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest a graceful stop waits for last messages to leave: the unit promises two seconds.
pub const STOP_TIMEOUT: Duration = Duration::from_millis(1500);

/// Password hashes computed at a time: each takes `argon2`'s memory and most of a core.
pub const PASSWORD_CHECKS_MAX: usize = 2;

/// Reports waiting between the bus threads and the broker: beyond this the newest of each sensor
/// stays and the loss is counted.
pub const REPORTS_WAITING_MAX: usize = 1024;

/// Sensors of one house; a 1-Wire master of the kernel finds 64.
pub const SENSORS_MAX: usize = 1024;

/// Readings a median may span.
pub const MEDIAN_READINGS_MAX: usize = 31;

const _: () = assert!(PACKET_BYTES_BEFORE_LOGIN_MAX < PACKET_BYTES_DEFAULT);
const _: () = assert!(PACKET_BYTES_DEFAULT <= PACKET_BYTES_MAX);
const _: () = assert!(CONNECTIONS_PER_ADDRESS_MAX < CONNECTIONS_MAX);
const _: () = assert!(INFLIGHT_TO_CLIENT_MAX <= INFLIGHT_FROM_CLIENT_MAX);
const _: () = assert!(INFLIGHT_TO_CLIENT_MAX < 65_535, "a free packet identifier always exists");
const _: () = assert!(CONNECTIONS_MAX < SESSIONS_MAX);
const _: () = assert!(STOP_TIMEOUT.as_millis() < 2000);
