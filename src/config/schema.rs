//! The configuration as it is written: every table, every key. The comment of a key is its manual;
//! unknown keys and suggestions follow from this list. What the values mean is in `check`.

mod values;

use std::time::Duration;

use super::amount::{Decimal, Size};
use super::complaint::Complaints;
use super::document::{Node, Value};
use super::manual::{Key, Kind, Table};
use super::written::{At, Field, Named, Written, mismatch, unknown_keys};
pub(super) use values::{Address, Coefficients, Hour, Paths, Point, Tls};

/// Tables as structures of [`Field`]s, with the reading of each and the list of all their keys.
macro_rules! tables {
    ($(
        $(#[doc = $about:literal])*
        table $name:ident at $title:literal {
            $($(#[doc = $manual:literal])* $key:ident: $value:ty,)*
        }
    )*) => {
        $(
            $(#[doc = $about])*
            #[derive(Debug, Default)]
            pub(super) struct $name {
                $($(#[doc = $manual])* pub(super) $key: Field<$value>,)*
            }

            impl $name {
                /// Its keys.
                const KEYS: &[&str] = &[$(stringify!($key)),*];

                /// Where it is written.
                const TITLE: &str = $title;

                /// What is to be known of it.
                const MANUAL: Table = Table {
                    title: Self::TITLE,
                    about: &[$($about),*],
                    keys: &[$(Key {
                        name: stringify!($key),
                        manual: &[$($manual),*],
                        kind: <$value as Written>::KIND,
                    }),*],
                };
            }

            impl Written for $name {
                const KIND: Kind = Kind::Table(Self::TITLE);

                fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
                    let mut table = match node.value {
                        Value::Table(table) => table,
                        other => {
                            let hint = Some(format!("its keys go into {}", $title));
                            return mismatch(node.place, &other, "a table", hint, complaints);
                        }
                    };
                    let read = Self {
                        $($key: Field::take(&mut table, stringify!($key), complaints),)*
                    };
                    unknown_keys(&table, $title, Self::KEYS, complaints);
                    Some(read)
                }
            }
        )*

        /// Every table with its keys.
        pub(super) const TABLES: &[Table] = &[$($name::MANUAL),*];
    };
}

tables! {
    /// The whole configuration: `maison.toml` and the files of `conf.d` behind it. Tables of
    /// several files are merged, listeners and sensors are appended in order of the files, and
    /// any other key may be set in one file only.
    table File at "the top level" {
        /// The gateway itself.
        gateway: Gateway,
        /// The message broker.
        broker: Broker,
        /// Where the hardware is found.
        hardware: Hardware,
        /// What is logged, and how.
        log: Log,
        /// Where programs that watch over the gateway ask by HTTP. Without it: nowhere.
        metrics: Metrics,
        /// Whether programs on the network find the gateway by itself.
        mdns: Mdns,
        /// Where clients are let in. Without any: `127.0.0.1:1883` for programs on this machine,
        /// without a login, and `[::]:8883` for all others, by TLS and password.
        listener: Vec<At<Listener>>,
        /// What the house is like where its buses are simulated.
        simulation: Simulation,
        /// The rooms of the house, by slug. A slug is a level of the room's topics: 1 to 32
        /// lower-case letters without accents, digits and hyphens, a hyphen not at the start.
        rooms: Named<Room>,
    }

    /// `[gateway]`.
    table Gateway at "`[gateway]`" {
        /// First level or levels of the gateway's own topics, `<root>/<room>/temperature`; 1 to
        /// 128 bytes without `+`, `#` and control characters. Default: `"maison"`.
        root: String,
        /// Folder of the CA, the users and the stored messages, 0700. It is made if it does not
        /// exist, its parent is not. A relative path counts from the working directory. Default:
        /// `"/var/lib/maison"`.
        state_dir: String,
        /// Whether the files of the configuration, and the certificates that it names, are looked
        /// at when they change, as after `maison reload`. The file of users is always. Default:
        /// `true`.
        watch_files: bool,
    }

    /// `[broker]`.
    table Broker at "`[broker]`" {
        /// What an acknowledgement promises: the message is kept across a pulled plug
        /// (`"power-cut"`), across `kill -9` (`"crash"`), or while the process lives
        /// (`"memory"`). Default: `"power-cut"`.
        durability: String,
        /// Largest packet that is accepted, 16 KiB to 256 MiB. Default: `"1 MiB"`.
        max_packet_size: Size,
        /// How long the session of an MQTT 3.1.1 client outlives its connection, and the most
        /// that a 5.0 client gets, 0 s to 49710 d. Default: `"7d"`.
        session_expiry: Duration,
        /// What waits for one absent client. The oldest message is dropped when it is full.
        queue: Queue,
        /// How often `$SYS/broker/…` tells what has changed, 100 ms to 1 h; `"0s"`: never, and
        /// there are no such topics. Default: `"10s"`.
        sys_interval: Duration,
        /// Topic filters of what a client without a login may not read: it cannot subscribe to
        /// them, and a wider filter does not bring it their messages. Default: none.
        private: Vec<At<String>>,
        /// What one peer, or all of them together, may take.
        limits: Limits,
    }

    /// `[broker.limits]`.
    table Limits at "`[broker.limits]`" {
        /// Connections at a time, 1 to 100000. Default: 2048.
        connections: i64,
        /// Connections at a time from one address, or from one /64 of IPv6, 1 to `connections`.
        /// Default: 256.
        connections_per_address: i64,
        /// Longest a TLS handshake may take, and after it or without it a CONNECT, 1 s to 2 m.
        /// Default: `"10s"`.
        connect_timeout: Duration,
        /// Largest packet of a peer that has not logged in, 1 KiB to `max_packet_size`. Default:
        /// `"16 KiB"`.
        packet_before_login: Size,
        /// Sessions at a time, those of absent clients included, `connections` to 1000000.
        /// Default: 10000.
        sessions: i64,
        /// Sessions of one user, or of all without a login together, 1 to `sessions`. Default:
        /// 4000.
        sessions_per_user: i64,
        /// Topic filters that one client may have subscribed to, 1 to 10000. Default: 10000.
        subscriptions: i64,
        /// Levels of a topic or a filter, 8 to 200. Default: 200.
        topic_levels: i64,
        /// Messages of QoS 1 and 2 that are under way to one client, 1 to 1000; a 5.0 client may
        /// ask for fewer. Default: 100.
        inflight: i64,
        /// Messages of QoS 2 that may be under way from a 5.0 client, which is told, 1 to 65535.
        /// Default: 256.
        receive_maximum: i64,
        /// Topic aliases that a 5.0 client may set, which is told, 0 to 1024. Default: 16.
        topic_aliases: i64,
        /// Longest keep alive of a 5.0 client, which is told, in whole seconds up to 65535 s; 0 s:
        /// as it likes. Default: `"0s"`.
        keep_alive: Duration,
        /// Topic filters of all clients together, 1 MiB or more: about 1 KiB for one. Default:
        /// `"128 MiB"`.
        subscribed: Size,
        /// Retained messages of all clients together, 1 MiB or more. Default: `"64 MiB"`.
        retained: Size,
        /// Messages queued for all clients together; 0: no bound. Default: `"128 MiB"`.
        queued: Size,
        /// Packets above 32 KiB, of all connections together, that have not arrived as a whole,
        /// 1 MiB or more; a larger one may come alone. Default: `"64 MiB"`.
        unfinished: Size,
    }

    /// `queue` of `[broker]`.
    table Queue at "`queue` of `[broker]`" {
        /// Messages at a time; 0: no bound. Default: 10000.
        messages: i64,
        /// Their size in all; 0: no bound. Default: `"16 MiB"`.
        bytes: Size,
    }

    /// `[hardware]`.
    table Hardware at "`[hardware]`" {
        /// Where the kernel's files are. A relative path counts from the working directory.
        /// Default: `"/sys"`.
        sysfs: String,
        /// Which library talks over I²C: `"linux-embedded-hal"`, and no other: rppal sends a stop
        /// between the write and the read of a register. Default: `"linux-embedded-hal"`.
        i2c: String,
        /// Which library talks over SPI: `"linux-embedded-hal"` on any board, or `"rppal"`, on a
        /// Raspberry Pi. Default: `"linux-embedded-hal"`.
        spi: String,
    }

    /// `[log]`.
    table Log at "`[log]`" {
        /// What is logged: `"error"`, `"warn"`, `"info"`, `"debug"`, `"trace"` or `"off"`, and
        /// others for parts of the program behind it, as in `"info,maison::net=debug"`. `maison run
        /// --log` and `maison log` say otherwise until a reload changes it. Default: `"info"`.
        level: String,
        /// A line for people, `"text"`, or a JSON object a line, `"json"`. Default: `"text"`.
        format: String,
    }

    /// `[metrics]`.
    table Metrics at "`[metrics]`" {
        /// Address and port of `http://…/metrics`, for Prometheus, and `http://…/health`:
        /// `"127.0.0.1:9883"`. Required.
        bind: String,
        /// Says that everyone beyond this machine may read them. Default: `false`.
        open: bool,
    }

    /// `[mdns]`.
    table Mdns at "`[mdns]`" {
        /// Where listeners are announced by mDNS, as `_secure-mqtt._tcp` and `_mqtt._tcp`:
        /// `"private"`, on private networks only; `"always"`, on public addresses, too; `"off"`.
        /// Where avahi runs it is left to that, and `maison doctor` has its file. Default:
        /// `"private"`.
        announce: String,
    }

    /// `[[listener]]`.
    table Listener at "`[[listener]]`" {
        /// Address and port: `"127.0.0.1:1883"`, `"[::]:8883"`. Required.
        bind: String,
        /// Whether TLS is spoken: `false`, `true` with a certificate of our own CA, or a table
        /// with an administrator's. Default: `false`.
        tls: Tls,
        /// Whether clients speak MQTT inside WebSocket, as pages in a browser must: `true` for
        /// `ws://`, and with `tls` for `wss://`. Any path is taken. Default: `false`.
        websocket: bool,
        /// Who is let in: `"password"`, `"certificate"`, `"certificate-or-password"`,
        /// `"certificate-and-password"`, or `"anonymous"` for everyone. Default: `"password"`.
        auth: String,
        /// Says that a listener is meant which lets in everyone, or passwords without TLS, from
        /// beyond this machine. Default: `false`.
        open: bool,
    }

    /// `tls` of a listener, with an administrator's certificate. Relative paths count from the
    /// working directory.
    table TlsFiles at "`tls` of a listener" {
        /// PEM file of the certificate and the chain behind it. Required.
        certificate: String,
        /// PEM file of its key. Required.
        key: String,
        /// PEM file, or several in brackets, of the authorities whose client certificates are let
        /// in. Default: our own CA.
        client_ca: Paths,
        /// File, or several in brackets, of revocation lists, PEM or DER. Each of the authorities
        /// needs one, and one that has expired lets nobody of its authority in. Default: none.
        client_crl: Paths,
    }

    /// `[rooms.<slug>]`.
    table Room at "`[rooms.<slug>]`" {
        /// As people call it, with accents; at most 64 characters, each name once. Default: the
        /// slug.
        name: String,
        /// What the value of the room is where it has several sensors: `"first-healthy"`, the first
        /// that is well; `"median"` or `"mean"` of all that are well. One whose last reading was
        /// bad counts as long as none is well and its last good one is not stale. Default:
        /// `"first-healthy"`.
        combine: String,
        /// Furthest that the temperatures of its sensors may be apart, in °C, 0 to 50. When they
        /// are further apart for `disagreement_after`, the room's `alert` says so, and its value is
        /// of quality `suspect`. 0: no bound. Default: 0.0.
        disagreement: Decimal,
        /// How long they must be further apart before the alarm, and nearer before its end, 0 s to
        /// 1 d. Default: `"5m"`.
        disagreement_after: Duration,
        /// The thermometers of the room. A room may have none.
        sensors: Vec<At<Sensor>>,
    }

    /// `[[rooms.<slug>.sensors]]`.
    table Sensor at "`[[rooms.<slug>.sensors]]`" {
        /// Which chip: `"ds18b20"`, `"sht3x"`, `"tmp117"`; `maison drivers` lists them. Required.
        driver: String,
        /// Which bus it hangs on: `"w1"` for the kernel's 1-Wire, `"gpio4"` for 1-Wire or a DHT on
        /// that pin (BCM number), `"i2c-1"` for `/dev/i2c-1`, `"spi-0.0"` for `/dev/spidev0.0`,
        /// `"hwmon"`, `"iio"`, `"thermal"` for what the kernel measures, `"simulated"` for none.
        /// Required.
        bus: String,
        /// Where on the bus: `"28-01131e858aef"` on 1-Wire, as the kernel names it, `0x48` on
        /// I²C, the number of an input on SPI, what a device of the kernel calls itself. Required
        /// on 1-Wire, of the kernel's devices, and where a chip has inputs; default on I²C: the
        /// lowest the chip can have.
        address: Address,
        /// The thermistor at an input of a converter: `"ads1115"`, `"mcp3008"`. Required there, or
        /// what else it reads.
        thermistor: Thermistor,
        /// The platinum resistance at a `"max31865"`. Required there.
        rtd: Rtd,
        /// A TMP36 at an input of a `"mcp3008"`.
        tmp36: Tmp36,
        /// From one reading to the next, 100 ms to 1 d. Default: `"10s"`.
        interval: Duration,
        /// Further tries within one interval when a reading fails, 0 to 10. Default: 2.
        retries: i64,
        /// Temperatures below are refused, in °C, before calibration. Default: what the chip can
        /// measure.
        min: Decimal,
        /// Temperatures above are refused, in °C, before calibration. Default: what the chip can
        /// measure.
        max: Decimal,
        /// Fastest believable change, in °C per minute; a faster one must be confirmed by the
        /// next reading. 0: no bound. Default: 30.0.
        max_rate: Decimal,
        /// What is added to each reading, −50 to 50 °C. Not beside `calibration`. Default: 0.0.
        offset: Decimal,
        /// Points that were measured; the line or the curve through them corrects each reading.
        calibration: Calibration,
        /// Number of last readings whose median counts, odd, 1 to 31; 1: none. Default: 1.
        median: i64,
        /// Weight of each new median in an exponential moving average, 0.001 to 1; 1: none. It
        /// begins with the first reading, and anew when none was good for `stale_after`. Default:
        /// 1.0.
        alpha: Decimal,
        /// Digits after the dot that are published, 0 to 3. Default: 1.
        decimals: i64,
        /// Smallest change that is published at once, in °C, 0 to 50. Default: 0.1.
        deadband: Decimal,
        /// Longest time between two publications of a healthy sensor, 100 ms to 1 d. Default:
        /// `"5m"`.
        heartbeat: Duration,
        /// Age at which the last good reading no longer counts, at least `interval`, at most 7 d.
        /// Default: three times `interval`, at least 30 s.
        stale_after: Duration,
        /// The humidity, where the chip measures it.
        humidity: Other,
        /// The pressure, where the chip measures it.
        pressure: Other,
    }

    /// `thermistor` of a sensor: an NTC and a resistor in series between supply and ground, the
    /// input between them.
    table Thermistor at "`thermistor` of a sensor" {
        /// Its resistance at 25 °C, 10 to 2000000 Ω. Beside `beta`. Default: 10000.
        r25: Decimal,
        /// Its β, 500 to 10000 K. Required, or `steinhart_hart`.
        beta: Decimal,
        /// Its three coefficients for ohms and kelvins, `[A, B, C]`: what is more exact than β.
        steinhart_hart: Coefficients,
        /// The resistor beside it, 10 to 2000000 Ω. Default: 10000.
        series: Decimal,
        /// Where the thermistor is, seen from the input: at `"ground"` or at `"supply"`. Default:
        /// `"ground"`.
        side: String,
    }

    /// `rtd` of a sensor: a platinum resistance.
    table Rtd at "`rtd` of a sensor" {
        /// `"pt100"` or `"pt1000"`. Required.
        element: String,
        /// Wires that lead to it, 2, 3 or 4. Required.
        wires: i64,
        /// The reference resistor on the board, 10 to 20000 Ω. Default: 430 for a PT100, 4300 for a
        /// PT1000.
        reference: Decimal,
    }

    /// `tmp36` of a sensor.
    table Tmp36 at "`tmp36` of a sensor" {
        /// The voltage at the converter's reference, 1.8 to 5.5 V. Default: 3.3.
        reference: Decimal,
    }

    /// `humidity` or `pressure` of a sensor: as for its temperature, in % or hPa.
    table Other at "`humidity` or `pressure` of a sensor" {
        /// Readings below are refused. Default: what the chip can measure.
        min: Decimal,
        /// Readings above are refused. Default: what the chip can measure.
        max: Decimal,
        /// Fastest believable change per minute; 0: no bound. Default: 60.0 % or 10.0 hPa.
        max_rate: Decimal,
        /// What is added to each reading, −50 to 50 % or −350 to 350 hPa. Default: 0.0.
        offset: Decimal,
        /// Points that were measured.
        calibration: Calibration,
        /// Number of last readings whose median counts, odd, 1 to 31. Default: 1.
        median: i64,
        /// Weight of each new median in an exponential moving average, 0.001 to 1. Default: 1.0.
        alpha: Decimal,
        /// Digits after the dot that are published, 0 to 3. Default: 1.
        decimals: i64,
        /// Smallest change that is published at once. Default: 0.5 % or 0.1 hPa.
        deadband: Decimal,
    }

    /// `calibration` of a sensor: two points, or any number and a degree.
    table Calibration at "`calibration` of a sensor" {
        /// `[raw, true]` at the low end, in °C for a temperature. Required, or `points`.
        low: Point,
        /// `[raw, true]` at the high end, 1 or more above. Required beside `low`.
        high: Point,
        /// 2 to 32 of `[raw, true]`, in any order, 1 or more apart: the polynomial that passes them
        /// nearest corrects each reading. Beyond them it goes on straight.
        points: Vec<At<Point>>,
        /// Degree of the polynomial, 1 (a line) to 3, lower than there are points. Default: 1.
        degree: i64,
    }
    /// `[simulation]`: where `bus = "simulated"`, and in `maison simulate`. Its clock begins at
    /// `start` and is the only one that `--speed` makes faster.
    table Simulation at "`[simulation]`" {
        /// What determines weather, noise and chance: the same number gives the same house.
        /// Default: 7.
        seed: i64,
        /// What the clock of the house shows at the start, in UTC: `"2026-01-15T06:00:00Z"`.
        /// Default: now.
        start: String,
        /// Whether bits flip and addresses go unheard now and then, as on real wires. Default:
        /// `true`.
        noise: bool,
        /// What it is like outside.
        weather: Weather,
        /// What the thermostats are set to.
        heating: Heating,
        /// Where sensors hang. The others are in rooms, in the cellar or outside by their address.
        places: Vec<At<Hanging>>,
        /// What goes wrong.
        faults: Vec<At<Episode>>,
    }

    /// `weather` of the simulation, in °C.
    table Weather at "`weather` of `[simulation]`" {
        /// Mean of the year, −50 to 50. Default: 12.0.
        mean: Decimal,
        /// How much warmer July is, and January colder, 0 to 50. Default: 8.0.
        season: Decimal,
        /// How much warmer the afternoon is than its day, 0 to 50. Default: 4.0.
        day: Decimal,
        /// How far fronts of nine hours lead away from that, 0 to 50. Default: 5.0.
        fronts: Decimal,
    }

    /// `heating` of the simulation.
    table Heating at "`heating` of `[simulation]`" {
        /// By day, 0 to 50 °C. Default: 20.5.
        day: Decimal,
        /// By night, 0 to 50 °C. Default: 19.5.
        night: Decimal,
        /// When the day begins, in UTC. Default: `"06:00"`.
        from: Hour,
        /// When the night begins, in UTC. Default: `"22:00"`.
        to: Hour,
    }

    /// `[[simulation.places]]`.
    table Hanging at "`[[simulation.places]]`" {
        /// Slug of a room. Required.
        room: String,
        /// Address of one of its sensors. Default: all of them.
        sensor: Address,
        /// `"room"`, `"cellar"` or `"outside"`. Required.
        place: String,
    }

    /// `[[simulation.faults]]`.
    table Episode at "`[[simulation.faults]]`" {
        /// `"unplugged"`, `"wrong-chip"` (another is at its place), `"power-on"` (conversions fail
        /// for want of supply), `"crc"` (wrong bits), `"stuck"` (a line of the bus is held),
        /// `"drift"`, `"noise"`. Required.
        fault: String,
        /// Slug of a room. Required.
        room: String,
        /// Address of one of its sensors. Default: all of them. `crc` and `stuck` befall the whole
        /// bus that it hangs on.
        sensor: Address,
        /// Each day at this hour of the house, in UTC. Not beside `after`.
        at: Hour,
        /// Once, so long after the start. Default: `"0s"`.
        after: Duration,
        /// How long, 1 ms to 1 d with `at`. Required there; default: for ever.
        lasts: Duration,
        /// Share of transfers with a wrong bit, 0.001 to 1. Of `crc` only. Default: 0.01.
        share: Decimal,
        /// How far from the truth, −50 to 50 °C. Of `drift` and `noise` only, and required there.
        by: Decimal,
        /// How long a drift takes to get there. Default: `"0s"`, at once.
        over: Duration,
    }
}
