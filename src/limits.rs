//! Every bound of the house, with the reason for its value, and assertions that relate them.

mod store;
mod told;
mod visit;

use std::num::NonZeroU16;
use std::time::Duration;

pub use store::*;
pub use told::*;
pub use visit::*;

/// Largest MQTT packet the protocol can announce: fixed header of 5 bytes and a remaining length
/// of four 7-bit digits (MQTT 5.0 section 1.5.5).
pub const PACKET_BYTES_MAX: u32 = 268_435_455 + 5;

/// Largest packet accepted unless `broker.max_packet_size` says otherwise: generous for a house,
/// and small enough that a few at once fit in a Pi Zero.
pub const PACKET_BYTES_DEFAULT: u32 = 1024 * 1024;

/// Largest packet of a peer that has not logged in, unless `packet_before_login` says otherwise: a
/// CONNECT with a will of ordinary size.
pub const PACKET_BYTES_BEFORE_LOGIN_MAX: u32 = 16 * 1024;

/// Longest topic name or filter: the length of an MQTT string is a u16.
pub const TOPIC_BYTES_MAX: usize = 65_535;

/// Smallest that can be configured: a CONNECT with a name, a password and a short will.
pub const PACKET_BYTES_BEFORE_LOGIN_MIN: u32 = 1024;

/// Deepest topic: matching walks level by level, so depth is work a stranger can ask for.
pub const TOPIC_LEVELS_MAX: usize = 200;

/// Fewest levels that can be configured: our own topics have five, the discovery topics of house
/// automations as many.
pub const TOPIC_LEVELS_MIN: usize = 8;

/// Most room that is made for an unfinished packet beyond what has arrived of it, or as much again
/// as has arrived: an announcement alone costs its sender nothing.
pub const RECEIVE_AHEAD_BYTES_MAX: usize = 16 * 1024;

/// Packets from here on are decoded in memory of their own, so that a payload of this size can be
/// kept as it came; smaller ones are copied when they are kept. Larger than one read, so that such
/// a packet shows its beginning first.
pub const PACKET_BYTES_ALONE_MIN: usize = 64 * 1024;

/// User properties of one packet: each may take five bytes of it and 64 of our memory.
pub const USER_PROPERTIES_PER_PACKET_MAX: usize = 1024;

/// Topic filters of one SUBSCRIBE or UNSUBSCRIBE: no session may hold more.
pub const FILTERS_PER_PACKET_MAX: usize = SUBSCRIPTIONS_PER_SESSION_MAX;

/// Topic aliases we assign towards one peer, which may offer to remember 65,535: the topics of a
/// house come round again and again, and each is remembered at this end too.
pub const TOPIC_ALIASES_TO_PEER_MAX: u16 = 64;

/// Longest topic that we give an alias: a hostile publisher's longest ones, remembered for each
/// subscriber, would be 4 MiB a connection.
pub const TOPIC_ALIAS_BYTES_TO_PEER_MAX: usize = 512;

/// Longest client identifier. The standard asks for 23 at least; UUIDs with a prefix are common.
pub const CLIENT_ID_BYTES_MAX: usize = 1024;

/// Filters one session may hold: a dashboard of a large house needs some hundreds.
pub const SUBSCRIPTIONS_PER_SESSION_MAX: usize = 10_000;

/// Unacknowledged QoS 1 and 2 messages sent to one client at a time, unless configured otherwise: a
/// burst is few writes. TCP spares a client with little memory; one of 5.0 may ask for fewer.
pub const INFLIGHT_TO_CLIENT_DEFAULT: usize = 100;

/// Most that can be configured: acknowledgements are found by a walk.
pub const INFLIGHT_TO_CLIENT_MAX: usize = 1000;

/// QoS 2 messages a 5.0 client may have unreleased, unless configured otherwise: enough to fill a
/// long link, and a place for each costs a few bytes only.
pub const RECEIVE_MAXIMUM_DEFAULT: NonZeroU16 = NonZeroU16::new(256).unwrap();

/// Topic aliases a 5.0 client may set, unless configured otherwise: more than the topics of most
/// clients.
pub const TOPIC_ALIASES_FROM_PEER_DEFAULT: u16 = 16;

/// Most that can be configured: 256 KiB of topics for one client.
pub const TOPIC_ALIASES_FROM_PEER_MAX: u16 = 1024;

/// Bytes of topics that a client may have behind its aliases, for each that it may set, but one of
/// the longest topics at least: several times what the topics of a house take. Without it 2048
/// connections could make us remember 2 GiB.
pub const TOPIC_ALIAS_BYTES_FROM_PEER: usize = 256;

/// Bytes queued for all sessions together, unless configured otherwise: a quarter of a board of
/// 512 MB.
pub const QUEUED_BYTES_DEFAULT: usize = 128 * 1024 * 1024;

/// Bytes of unfinished packets of all connections together, unless configured otherwise: 64 of the
/// largest packets at once, and an eighth of a board of 512 MB.
pub const UNFINISHED_BYTES_DEFAULT: usize = 64 * 1024 * 1024;

/// Largest packet that comes in without a part of that: all but pictures and firmware, so that who
/// takes the whole of it delays nobody else's messages.
pub const UNFINISHED_BYTES_FREE: usize = READ_BYTES_MAX;

/// While another waits for a part of it, who holds one must go on by [`UNFINISHED_STEP_BYTES`] in
/// this time or is cut off: a few lost segments in a row are survived.
pub const UNFINISHED_STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// What counts as going on: 6 KiB a second, which bounds how long a part is held.
pub const UNFINISHED_STEP_BYTES: usize = 32 * 1024;

/// Fewest bytes that can be configured for all clients together, retained or unfinished: a house
/// of short messages.
pub const SHARED_BYTES_MIN: u64 = 1024 * 1024;

/// Most bytes that can be configured for all clients together: no board has as many.
pub const SHARED_BYTES_MAX: u64 = 1 << 40;

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

/// Free memory that the process keeps: large messages are not paid for by pages given and taken.
pub const FREED_BYTES_KEPT: usize = 2 * 1024 * 1024;

/// Packets that wait to be written to one connection before nothing more is read from it: answers
/// to all packet identifiers of a client that sends first and reads later, and its messages.
pub const PACKETS_UNWRITTEN_MAX: usize = 100_000;

/// Unwritten bytes, beyond one large message, at which a connection is closed: such a peer asks and
/// never reads the answers. Beyond what [`PACKETS_UNWRITTEN_MAX`] lets through, which stops the
/// reading first.
pub const UNWRITTEN_BYTES_FLOOD: usize = 16 * 1024 * 1024;

/// Sessions at a time, absent ones included: far more than a house has clients, and an empty one
/// costs less than 1 KiB.
pub const SESSIONS_MAX: usize = 10_000;

/// Most sessions that can be configured: 1 GB of empty ones.
pub const SESSIONS_CONFIGURABLE_MAX: usize = 1_000_000;

/// Sessions of one user at a time, or of all without a login together: nobody has so many clients.
pub const SESSIONS_PER_USER_MAX: usize = 4_000;

/// Bytes that the filters of one session may take, as the subscription tree stores them: 10,000
/// filters of some levels.
pub const SUBSCRIPTION_BYTES_PER_SESSION_MAX: usize = 16 * 1024 * 1024;

/// Bytes that the filters of all sessions together may take, unless configured otherwise: more than
/// 100,000 of ordinary length. An eighth of a board of 1 GB.
pub const SUBSCRIPTION_BYTES_DEFAULT: usize = 128 * 1024 * 1024;

/// Bytes of retained messages that clients may fill; beyond it only the gateway's own are stored.
/// An eighth of a board of 512 MB, or some 200,000 short messages.
pub const RETAINED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Seeks in the retained messages for one session before others have their turn: a few
/// milliseconds on a Pi Zero.
pub const RETAINED_SEEKS_PER_TURN: usize = 2000;

/// Events of one kind about one client are told at most this often, each with its count: a log on
/// an SD card must survive a client gone mad.
pub const EVENT_INTERVAL: Duration = Duration::from_secs(10);

/// From one look at the counters to the next unless `broker.sys_interval` says otherwise: as
/// mosquitto does.
pub const SYS_INTERVAL_DEFAULT: Duration = Duration::from_secs(10);

/// Longest that can be configured: averages over a minute say nothing of a day.
pub const SYS_INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// From one word on the health of the machine to the next: nothing it tells needs an answer sooner.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(60);

/// Longest a session outlives its connection unless `broker.session_expiry` says otherwise.
pub const SESSION_EXPIRY_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Connections at a time, in all: each costs about 13 KiB with TLS and 5 KiB without while it is
/// quiet, and up to 40 KiB more while it is busy, on a board of 512 MB.
pub const CONNECTIONS_MAX: usize = 2048;

/// Most connections that can be configured: 1.3 GB of them with TLS.
pub const CONNECTIONS_CONFIGURABLE_MAX: usize = 100_000;

/// Connections at a time from one address, so that one broken client cannot take every place.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// Longest a WebSocket handshake may take: one short request, on a slow Wi-Fi.
pub const WEBSOCKET_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest request that opens a WebSocket: a browser's headers, with the cookies that other ports
/// of the host have left it.
pub const WEBSOCKET_REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Largest WebSocket frame a client may announce: no frame is held as a whole, so this only tells
/// nonsense from a frame of several packets of the largest size.
pub const WEBSOCKET_FRAME_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Most that goes out in one WebSocket frame: the longest whose length takes two bytes. A pong
/// waits for no more than this.
pub const WEBSOCKET_FRAME_BYTES_SENT_MAX: usize = 65_535;

/// Quiet after a change of a configuration file before it is read: an editor writes in steps, and a
/// script several files.
pub const RELOAD_QUIET: Duration = Duration::from_millis(500);

/// Longest that changes without a pause put a reload off.
pub const RELOAD_QUIET_TOTAL: Duration = Duration::from_secs(10);

/// Longest a gateway is silent about what costs it nothing before it counts as stuck.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest `maison reload` waits for its outcome: many certificates on a slow card.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the card is told who was last there and when: with four times a day it bears some
/// kilobytes, and a pulled plug costs some hours of an answer that nothing depends on.
pub const VISITS_INTERVAL: Duration = Duration::from_secs(6 * 3600);

/// Longest that one who asks a gateway by its control socket may take to say what, or to hear what
/// came of it.
pub const CONTROL_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest request on the control socket, in bytes: two paths of the system's `PATH_MAX`, each byte
/// escaped.
pub const CONTROL_REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// Longest a bus may be late before it counts as stuck: a kernel driver that retries a whole 1-Wire
/// bus of 64 slow sensors stays below it.
pub const BUS_LATE_MAX: Duration = Duration::from_secs(60);

/// Longest a peer may take for its TLS handshake, on a slow Wi-Fi and a Pi Zero's RSA, and then
/// again for its CONNECT (section 3.1.4 leaves it to us), unless configured otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shortest and longest that can be configured: one lost segment, and a link by satellite.
pub const CONNECT_TIMEOUT_RANGE: (Duration, Duration) =
    (Duration::from_secs(1), Duration::from_secs(120));

/// Longest keep alive: the protocol has 16 bits of seconds.
pub const KEEP_ALIVE_MAX: Duration = Duration::from_secs(65_535);

/// Longest a graceful stop waits for acknowledgements of the last words.
pub const LAST_WORDS_TIMEOUT: Duration = Duration::from_millis(700);

/// Longest a graceful stop waits for last messages to leave: the unit promises two seconds.
pub const STOP_TIMEOUT: Duration = Duration::from_millis(1500);

/// When a graceful stop no longer waits for the store: what was acknowledged is there in any case.
pub const STORE_STOP_TIMEOUT: Duration = Duration::from_millis(1700);

/// Longest a write may go without progress: a peer that sleeps through this has lost its network.
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest a closing connection is given to take its last packets and to say good-bye.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a quiet connection lends to its next read: most packets of a house fit.
pub const READ_BYTES_MIN: usize = 1024;

/// What a busy connection lends to its next read: a large TCP segment batch, and little enough
/// that all connections at once could not take a Pi.
pub const READ_BYTES_MAX: usize = 32 * 1024;

/// Packets handed to the broker at a time: its lock is held no longer than for these.
pub const PACKETS_PER_BATCH_MAX: usize = 128;

/// Longest that the packets of one connection are handled before others have their turn: a message
/// that must be compared with very many filters takes milliseconds.
pub const TURN: Duration = Duration::from_millis(5);

/// After each so many packets the clock is looked at.
pub const TURN_PACKETS: usize = 4;

/// Payloads up to here are copied into one buffer with their neighbours; larger ones are written
/// from where they lie. The size of a TLS record.
pub const PAYLOAD_BYTES_COPIED_MAX: usize = 16 * 1024;

/// Slices of one vectored write; the kernel takes up to 1024.
pub const WRITE_SLICES_MAX: usize = 64;

/// Connections the kernel holds for us until they are accepted: a house of clients that all come
/// back at once.
pub const LISTEN_BACKLOG: i32 = 1024;

/// Pause after an accept that failed for want of files or memory, so that it does not spin.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Silence after which TCP asks whether a peer is still there, and the time between its questions.
pub const TCP_KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));

/// A repeated complaint of one kind is logged once in this time, with the count of those left out.
pub const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Addresses named by our certificate, so that a host of many containers keeps a small handshake.
pub const CERTIFICATE_ADDRESSES_MAX: usize = 64;

/// Longest user name: it is part of every session's key and of log lines.
pub const USER_NAME_CHARS_MAX: usize = 64;

/// Longest password: the length of an MQTT password is a u16.
pub const PASSWORD_BYTES_MAX: usize = 65_535;

/// Most memory one password hash may ask for, in KiB: two at a time leave a Pi Zero its room.
pub const PASSWORD_HASH_KIB_MAX: u32 = 64 * 1024;

/// Most passes one password hash may ask for.
pub const PASSWORD_HASH_PASSES_MAX: u32 = 16;

/// Most rounds of PBKDF2 one imported password hash may ask for: a second of a Pi Zero.
pub const PASSWORD_HASH_ROUNDS_MAX: u32 = 200_000;

/// Rules of a user that the sentence of a refusal names: enough for a person, and no work for who
/// is refused again and again; the rest is a number.
pub const RULES_NAMED_MAX: usize = 12;

/// Largest file of users: ten thousand of them.
pub const USERS_FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Users of whom a digest of the password that was right last is held: 300 KB of a Pi's memory.
pub const PASSWORDS_CACHED_MAX: usize = 1024;

/// Password hashes computed at a time: each takes `argon2`'s memory and most of a core.
pub const PASSWORD_CHECKS_MAX: usize = 2;

/// Wait after the first wrong password of an address; doubled by each that follows.
pub const LOGIN_DELAY_MIN: Duration = Duration::from_millis(100);

/// Longest such wait: 17,000 guesses a day, and the patience of a client behind the same router.
pub const LOGIN_DELAY_MAX: Duration = Duration::from_secs(5);

/// Time without a wrong password after which an address has a clean slate.
pub const LOGIN_FAILURES_KEPT: Duration = Duration::from_secs(600);

/// Logins that may wait from an address that gave a wrong password: the rest is refused unchecked.
pub const LOGINS_OF_SUSPECT_MAX: usize = 4;

/// Addresses whose logins are remembered: 1 MB at most.
pub const LOGIN_ADDRESSES_MAX: usize = 4096;

/// Clients remembered of one address as having come by their password: a house behind one router.
pub const LOGIN_CLIENTS_KNOWN: usize = 64;

/// Of these, clients of one user: one that names itself anew each time leaves room for the others.
pub const LOGIN_CLIENTS_OF_USER_KNOWN: usize = 4;

/// Reports waiting between the bus threads and the broker: beyond this the newest of each quantity
/// of each sensor stays and the loss is counted.
pub const REPORTS_WAITING_MAX: usize = 4096;

/// Bytes of one file of sysfs: the smallest page, of which the kernel fills one at most.
pub const SYSFS_FILE_BYTES_MAX: u64 = 4096;

/// Bytes of the files read most: room for `w1_slave`'s two lines without growing.
pub const SYSFS_FILE_BYTES_TYPICAL: usize = 128;

/// Longest a bus thread sleeps in one go, so that the watchdog's 30 seconds tell a stuck one from
/// an idle one.
pub const BUS_SLEEP_MAX: Duration = Duration::from_secs(5);

/// Shortest a bus thread sleeps between two rounds: one that is always late must not take the whole
/// core of a Pi Zero.
pub const BUS_SLEEP_MIN: Duration = Duration::from_millis(1);

/// Longest a bus thread is waited for at the end: two conversions of a DS18B20 would be longer
/// than [`STOP_TIMEOUT`], so one that still reads is left behind.
pub const BUS_STOP_TIMEOUT: Duration = Duration::from_millis(800);

/// Sensors of one house; a 1-Wire master of the kernel finds 64.
pub const SENSORS_MAX: usize = 1024;

/// Readings a median may span.
pub const MEDIAN_READINGS_MAX: usize = 31;

/// Highest degree of a polynomial that calibrates: what the curve of a sensor has, and no more than
/// the errors of measured points bear.
pub const CALIBRATION_DEGREE_MAX: usize = 3;

/// Measured points of one calibration: a night with a second thermometer.
pub const CALIBRATION_POINTS_MAX: usize = 32;

/// Wait before the first retry of a failed reading: longer than a disturbance of the line lasts.
pub const RETRY_BACKOFF_MIN: Duration = Duration::from_millis(50);

/// Longest wait before a retry, reached by doubling: all retries fit in the shortest intervals.
pub const RETRY_BACKOFF_MAX: Duration = Duration::from_millis(200);

/// Failed cycles in a row after which a sensor is tried once per interval only: the bus time of a
/// dead sensor's retries belongs to the living ones.
pub const FAILED_CYCLES_WITH_RETRIES_MAX: u32 = 3;

/// Rooms of one house: each has topics of its own, with or without a sensor.
pub const ROOMS_MAX: usize = 1024;

/// Longest room slug: Homie's identifiers are short, and a slug is a level of every topic.
pub const ROOM_SLUG_BYTES_MAX: usize = 32;

/// Longest room name, in characters: it is shown on dashboards.
pub const ROOM_NAME_CHARS_MAX: usize = 64;

/// Longest root topic: it is part of every topic name.
pub const ROOT_TOPIC_BYTES_MAX: usize = 128;

/// Listeners of one gateway: each is a task and a socket.
pub const LISTENERS_MAX: usize = 16;

/// Shortest time between two readings of a sensor: some chips convert in less, none of ours has
/// news sooner.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Longest time between two readings, and between two publications, of a healthy sensor.
pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);

/// Longest time for which the last good reading may count.
pub const STALE_AFTER_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Further tries to read a sensor within one interval: each holds its bus for a conversion.
pub const RETRIES_MAX: u8 = 10;

/// Furthest a calibration may move a temperature or a humidity, in thousandths of a degree or a per
/// cent: beyond it the chip is broken, not inexact.
pub const CORRECTION_MAX: i32 = 50_000;

/// Furthest a calibration may move a pressure, in thousandths of a hectopascal: at 3000 m it is so
/// much lower than what the weather report says for the level of the sea.
pub const PRESSURE_CORRECTION_MAX: i32 = 350_000;

/// Longest a session may outlive its connection: the protocol counts seconds in 32 bits and keeps
/// the highest number for "never" (MQTT 5.0 section 3.1.2.11.2).
pub const SESSION_EXPIRY_MAX: Duration = Duration::from_secs(49_710 * 24 * 3600);

/// Largest file of the configuration: a thousand sensors with all their keys, twice.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Largest file of certificates, keys or revocations of an administrator: a revoked certificate
/// takes some 40 bytes of DER, so this is room for 400,000, or for 300,000 in PEM.
pub const TLS_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Largest file of the state folder that is read as a whole: far more than any that is written.
pub const STATE_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Files in `conf.d`.
pub const CONFIG_FILES_MAX: usize = 256;
/// Devices a 1-Wire search may find: the kernel's number, and an end where noise would find ever
/// more.
pub const ONE_WIRE_SEARCH_MAX: usize = 64;

/// Times one chip on a pin is told to convert in one reading: a pause of the process loses a
/// command now and then, twice in a row seldom.
pub const CONVERT_TRIES_MAX: u32 = 2;

/// Times one scratchpad on a pin is read until two agree: 12 ms each.
pub const SCRATCHPAD_READS_MAX: u32 = 4;

/// Answers that a DHT is asked for in one reading, until two are the same: 2 s each.
pub const DHT_ANSWERS_MAX: usize = 5;

/// Good answers of a DHT in a row after which its line is trusted: with one bit in 40 flipped, six
/// in ten answers have a wrong sum, so that eight good ones come in a row once in two thousand.
pub const DHT_DOUBT: u32 = 8;

/// Readings in a row that fail for every chip of a bus before its device is opened anew.
pub const BUS_FAILURES_MAX: u32 = 5;

const _: () = assert!(PACKET_BYTES_BEFORE_LOGIN_MIN <= PACKET_BYTES_BEFORE_LOGIN_MAX);
const _: () = assert!(PACKET_BYTES_BEFORE_LOGIN_MAX < PACKET_BYTES_DEFAULT);
const _: () = assert!(PACKET_BYTES_DEFAULT <= PACKET_BYTES_MAX);
const _: () = assert!(CONNECTIONS_PER_ADDRESS_MAX < CONNECTIONS_MAX);
const _: () = assert!(INFLIGHT_TO_CLIENT_DEFAULT <= INFLIGHT_TO_CLIENT_MAX);
const _: () = assert!(SESSION_EXPIRY_DEFAULT.as_secs() <= SESSION_EXPIRY_MAX.as_secs());
const _: () = assert!(INTERVAL_MAX.as_secs() < STALE_AFTER_MAX.as_secs());
const _: () = assert!(READ_BYTES_MIN < READ_BYTES_MAX);
const _: () = assert!(READ_BYTES_MAX < PACKET_BYTES_ALONE_MIN);
const _: () = assert!(READ_BYTES_MAX <= UNFINISHED_BYTES_FREE, "one read takes no part uncounted");
const _: () = assert!(RECEIVE_AHEAD_BYTES_MAX <= UNFINISHED_BYTES_FREE);
const _: () = assert!(STORE_LOG_BYTES < STORE_LOG_BYTES_MAX);
const _: () = assert!(STORE_PAYLOAD_INLINE_BYTES_MAX < STORE_PAYLOAD_PART_BYTES);
const _: () = assert!(TOPIC_LEVELS_MIN <= TOPIC_LEVELS_MAX);
const _: () = assert!(CLOSE_TIMEOUT.as_millis() < STOP_TIMEOUT.as_millis());
const _: () = assert!(INFLIGHT_TO_CLIENT_MAX < 65_535, "a free packet identifier always exists");
const _: () = assert!(CONNECTIONS_MAX < SESSIONS_PER_USER_MAX);
const _: () = assert!(SESSIONS_PER_USER_MAX < SESSIONS_MAX);
const _: () = assert!(STOP_TIMEOUT.as_millis() < STORE_STOP_TIMEOUT.as_millis());
const _: () = assert!(STORE_STOP_TIMEOUT.as_millis() < 2000);
const _: () = assert!(LAST_WORDS_TIMEOUT.as_millis() < STOP_TIMEOUT.as_millis());
const _: () = assert!(RETRY_BACKOFF_MIN.as_millis() < RETRY_BACKOFF_MAX.as_millis());
const _: () = assert!(BUS_STOP_TIMEOUT.as_millis() < STOP_TIMEOUT.as_millis());
const _: () = assert!(BUS_SLEEP_MIN.as_millis() < BUS_SLEEP_MAX.as_millis());
const _: () = assert!(SENSORS_MAX * 3 <= REPORTS_WAITING_MAX, "temperature, humidity, pressure");
const _: () = assert!(SCRATCHPAD_READS_MAX >= 2);
const _: () = assert!(DHT_ANSWERS_MAX >= 3);
