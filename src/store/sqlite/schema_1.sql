-- What the broker must not forget. Look at it with `sqlite3 broker.db`, best of all at the view `waiting`.
--
-- `expires` and `will_at` are microseconds on the monotonic clock of the process in the life named by `life`.
-- `checksum` is the CRC-32 of all other columns: SQLite itself does not notice a flipped bit in a payload.

-- Facts about the whole: `next_session`; `open`, 0 unless a gateway works on it.
CREATE TABLE store (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) WITHOUT ROWID;

-- Lives of the process that `life` names: first and last known tick, and wall clock less tick, in microseconds.
CREATE TABLE lives (
    life INTEGER PRIMARY KEY,
    began INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    wall_offset INTEGER NOT NULL,
    synchronised INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);

-- `slot` stands for the session in the keys of `queued`. `principal`: gateway, anonymous, user.
-- `expiry`: how long it outlives its connection, in microseconds. `will_delay`: in seconds.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,
    principal TEXT NOT NULL,
    user TEXT,
    client_id TEXT NOT NULL,
    expiry INTEGER NOT NULL,
    expires INTEGER,
    will_at INTEGER,
    life INTEGER NOT NULL,
    will_topic TEXT,
    will_payload BLOB,
    will_qos INTEGER,
    will_retain INTEGER,
    will_delay INTEGER,
    will_properties BLOB,
    checksum INTEGER NOT NULL
);

CREATE TABLE subscriptions (
    session INTEGER NOT NULL,
    filter TEXT NOT NULL,
    qos INTEGER NOT NULL,
    subscription_id INTEGER,
    no_local INTEGER NOT NULL,
    retain_as_published INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (session, filter)
) WITHOUT ROWID;

-- QoS 2 messages from the client that wait for their PUBREL.
CREATE TABLE received (
    session INTEGER NOT NULL,
    packet_id INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (session, packet_id)
) WITHOUT ROWID;

-- QoS 2 messages to the client that wait for their PUBCOMP, in the order of `place`.
CREATE TABLE released (
    session INTEGER NOT NULL,
    packet_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (session, packet_id)
) WITHOUT ROWID;

-- Messages for clients. `key`: slot * 2^43 + place. A payload of more than 4096 bytes is in `payload_parts`, under the
-- number in `large`. `properties` as the property section of a PUBLISH; `packet_id` when it was sent.
CREATE TABLE queued (
    key INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    payload BLOB,
    large INTEGER,
    qos INTEGER NOT NULL,
    retain INTEGER NOT NULL,
    packet_id INTEGER,
    expires INTEGER,
    life INTEGER,
    properties BLOB,
    subscription_ids TEXT,
    share TEXT,
    share_qos INTEGER,
    share_retain INTEGER,
    checksum INTEGER NOT NULL
);

-- Slots of sessions that are over, whose messages are still to be removed.
CREATE TABLE ended (
    slot INTEGER PRIMARY KEY,
    checksum INTEGER NOT NULL
);

CREATE TABLE retained (
    topic TEXT PRIMARY KEY,
    payload BLOB,
    large INTEGER,
    qos INTEGER NOT NULL,
    expires INTEGER,
    life INTEGER,
    properties BLOB,
    checksum INTEGER NOT NULL
) WITHOUT ROWID;

-- Large payloads: how many rows of `queued` and `retained` speak of each, and its length.
CREATE TABLE payloads (
    id INTEGER PRIMARY KEY,
    refs INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    checksum INTEGER NOT NULL
);

-- `key`: id * 2^13 + number of the part.
CREATE TABLE payload_parts (
    key INTEGER PRIMARY KEY,
    content BLOB NOT NULL,
    checksum INTEGER NOT NULL
);

CREATE VIEW waiting AS
    SELECT sessions.user, sessions.client_id, queued.key & 8796093022207 AS place, queued.topic,
        coalesce(queued.payload, 'large payload ' || queued.large) AS payload, queued.qos, queued.packet_id
    FROM queued LEFT JOIN sessions ON sessions.slot = queued.key >> 43
    ORDER BY queued.key;
