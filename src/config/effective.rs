//! Settings → TOML text that means the same, with nothing left to defaults.

mod simulation;

use std::fmt::{self, Write};
use std::path::Path;

use super::amount::{Bounded, Decimal, Size};
use super::check::needs_open;
use super::words::{
    ANNOUNCEMENTS, DURABILITIES, LIBRARIES, LOG_FORMATS, PLATINUM, POLICIES, SIDES, WIRES, word,
};
use super::{
    Broker, Bus, Gateway, Hardware, Limits, Listener, Room, Sensor, Settings, Tls, Transport,
};
use crate::sampling::{Calibration, Rules, SensorSettings, Tolerance};
use crate::sensors::Address;
use crate::sensors::element::{Curve, Element, Rtd, Thermistor, Tmp36};
use crate::units::{Quantity, Value};

impl Settings {
    /// A `maison.toml` that says all of this, key by key; [`super::parse`] reads it back.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a `String` takes all that is written to it");
        text
    }

    /// The rooms of it alone, with their sensors.
    pub fn rooms_to_toml(&self) -> String {
        let mut text = String::new();
        let written = self.rooms.iter().try_for_each(|it| room(&mut text, it));
        written.expect("a `String` takes all that is written to it");
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        gateway(out, &self.gateway)?;
        broker(out, &self.broker)?;
        limits(out, &self.broker.limits)?;
        hardware(out, &self.hardware)?;
        writeln!(out, "\n[log]\nlevel = {}", quoted(self.log.level.as_str()))?;
        writeln!(out, "format = {}", quoted(word(&LOG_FORMATS, &self.log.format)))?;
        if let Some(metrics) = &self.metrics {
            let open = !metrics.bind.ip().to_canonical().is_loopback();
            writeln!(out, "\n[metrics]\nbind = \"{}\"\nopen = {open}", metrics.bind)?;
        }
        let announce = quoted(word(&ANNOUNCEMENTS, &self.announce));
        writeln!(out, "\n[mdns]\nannounce = {announce}")?;
        simulation::house(out, &self.simulation)?;
        self.listeners.iter().try_for_each(|it| listener(out, it))?;
        self.rooms.iter().try_for_each(|it| room(out, it))?;
        simulation::script(out, &self.simulation)
    }
}

fn hardware(out: &mut String, hardware: &Hardware) -> fmt::Result {
    writeln!(out, "\n[hardware]\nsysfs = {}", quoted_path(&hardware.sysfs))?;
    writeln!(out, "i2c = {}", quoted(word(&LIBRARIES, &hardware.i2c)))?;
    writeln!(out, "spi = {}", quoted(word(&LIBRARIES, &hardware.spi)))
}

fn gateway(out: &mut String, gateway: &Gateway) -> fmt::Result {
    writeln!(out, "[gateway]\nroot = {}", quoted(&gateway.root))?;
    writeln!(out, "state_dir = {}", quoted_path(&gateway.state_dir))?;
    writeln!(out, "watch_files = {}", gateway.watch_files)
}

fn broker(out: &mut String, broker: &Broker) -> fmt::Result {
    writeln!(out, "\n[broker]")?;
    writeln!(out, "durability = {}", quoted(word(&DURABILITIES, &broker.durability)))?;
    let packet = Size(broker.max_packet_size.into());
    writeln!(out, "max_packet_size = {}", quoted(&packet.written()))?;
    writeln!(out, "session_expiry = {}", quoted(&broker.session_expiry.written()))?;
    let sys_interval = broker.sys_interval.unwrap_or_default();
    writeln!(out, "sys_interval = {}", quoted(&sys_interval.written()))?;
    let private: Vec<_> = broker.private.iter().map(|it| quoted(it.as_str())).collect();
    writeln!(out, "private = [{}]", private.join(", "))?;
    let (messages, bytes) = (broker.queue_messages.unwrap_or(0), broker.queue_bytes.unwrap_or(0));
    writeln!(out, "queue = {{ messages = {messages}, bytes = {} }}", size(bytes))
}

fn limits(out: &mut String, limits: &Limits) -> fmt::Result {
    writeln!(out, "\n[broker.limits]")?;
    writeln!(out, "connections = {}", limits.connections)?;
    writeln!(out, "connections_per_address = {}", limits.connections_per_address)?;
    writeln!(out, "connect_timeout = {}", quoted(&limits.connect_timeout.written()))?;
    let packet = Size(limits.packet_before_login.into());
    writeln!(out, "packet_before_login = {}", quoted(&packet.written()))?;
    writeln!(out, "sessions = {}", limits.sessions)?;
    writeln!(out, "sessions_per_user = {}", limits.sessions_per_user)?;
    writeln!(out, "subscriptions = {}", limits.subscriptions)?;
    writeln!(out, "topic_levels = {}", limits.topic_levels)?;
    writeln!(out, "inflight = {}", limits.inflight)?;
    writeln!(out, "receive_maximum = {}", limits.receive_maximum)?;
    writeln!(out, "topic_aliases = {}", limits.topic_aliases)?;
    writeln!(out, "keep_alive = {}", quoted(&limits.keep_alive.unwrap_or_default().written()))?;
    writeln!(out, "subscribed = {}", size(limits.subscribed))?;
    writeln!(out, "retained = {}", size(limits.retained))?;
    writeln!(out, "queued = {}", size(limits.queued.unwrap_or(0)))?;
    writeln!(out, "unfinished = {}", size(limits.unfinished))
}

fn listener(out: &mut String, listener: &Listener) -> fmt::Result {
    writeln!(out, "\n[[listener]]\nbind = {}", quoted(&listener.bind.to_string()))?;
    match &listener.tls {
        None => writeln!(out, "tls = false")?,
        Some(Tls::Own) => writeln!(out, "tls = true")?,
        Some(Tls::Files { certificate, key, client_ca, client_crl }) => {
            let (certificate, key) = (quoted_path(certificate), quoted_path(key));
            write!(out, "tls = {{ certificate = {certificate}, key = {key}")?;
            for (key, paths) in [("client_ca", client_ca), ("client_crl", client_crl)] {
                let paths: Vec<_> = paths.iter().map(|path| quoted_path(path)).collect();
                if !paths.is_empty() {
                    write!(out, ", {key} = [{}]", paths.join(", "))?;
                }
            }
            writeln!(out, " }}")?;
        }
    }
    writeln!(out, "websocket = {}", listener.transport == Transport::WebSocket)?;
    writeln!(out, "auth = {}", quoted(word(&POLICIES, &listener.auth)))?;
    writeln!(out, "open = {}", needs_open(listener))
}

fn room(out: &mut String, room: &Room) -> fmt::Result {
    writeln!(out, "\n[rooms.{}]\nname = {}", room.slug, quoted(&room.name))?;
    writeln!(out, "combine = {}", quoted(room.combine.name()))?;
    let Tolerance { spread, patience } = room.tolerance;
    writeln!(out, "disagreement = {}", thousandths(spread))?;
    writeln!(out, "disagreement_after = {}", quoted(&patience.written()))?;
    room.sensors.iter().try_for_each(|it| sensor(out, &room.slug, it))
}

fn sensor(out: &mut String, slug: &str, sensor: &Sensor) -> fmt::Result {
    writeln!(out, "\n[[rooms.{slug}.sensors]]")?;
    writeln!(out, "driver = {}", quoted(sensor.driver.facts().name))?;
    writeln!(out, "bus = {}", quoted(&sensor.bus.to_string()))?;
    match &sensor.address {
        Address::Pin(_) if sensor.bus != Bus::Simulated => {}
        Address::Spi(address) if sensor.bus != Bus::Simulated => {
            if let Some(input) = address.input {
                writeln!(out, "address = {input}")?;
            }
        }
        named => writeln!(out, "address = {}", quoted(&named.to_string()))?,
    }
    if let Some(fitted) = &sensor.element {
        element(out, fitted)?;
    }
    sampling(out, &sensor.sampling)
}

fn element(out: &mut String, element: &Element) -> fmt::Result {
    let keys = match element {
        Element::Thermistor(Thermistor { curve, series, side }) => {
            let curve = match curve {
                Curve::Beta { r25, beta } => {
                    format!("r25 = {}, beta = {}", float(*r25), float(*beta))
                }
                Curve::SteinhartHart([a, b, c]) => {
                    format!("steinhart_hart = [{a:e}, {b:e}, {c:e}]")
                }
            };
            let side = quoted(word(&SIDES, side));
            format!("{curve}, series = {}, side = {side}", float(*series))
        }
        Element::Rtd(Rtd { element, wires, reference }) => {
            let (element, wires) = (quoted(word(&PLATINUM, element)), word(&WIRES, wires));
            format!("element = {element}, wires = {wires}, reference = {}", float(*reference))
        }
        Element::Tmp36(Tmp36 { reference }) => format!("reference = {}", float(*reference)),
    };
    writeln!(out, "{} = {{ {keys} }}", element.kind().key())
}

/// A number that was written with three digits after the dot at most.
fn float(number: f64) -> String {
    format!("{number:?}")
}

fn sampling(out: &mut String, settings: &SensorSettings) -> fmt::Result {
    writeln!(out, "interval = {}", quoted(&settings.interval.written()))?;
    writeln!(out, "retries = {}", settings.retries)?;
    for (key, value) in rules(&settings.temperature) {
        writeln!(out, "{key} = {value}")?;
    }
    writeln!(out, "heartbeat = {}", quoted(&settings.heartbeat.written()))?;
    writeln!(out, "stale_after = {}", quoted(&settings.stale_after.written()))?;
    let others = settings.rules().filter(|(quantity, _)| *quantity != Quantity::Temperature);
    for (quantity, others) in others {
        let keys: Vec<_> =
            rules(others).into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
        writeln!(out, "{} = {{ {} }}", quantity.name(), keys.join(", "))?;
    }
    Ok(())
}

fn rules(rules: &Rules) -> [(&'static str, String); 8] {
    let calibration = match &rules.calibration {
        Calibration::Offset(offset) => ("offset", decimal(*offset)),
        Calibration::TwoPoint { low, high } => {
            ("calibration", format!("{{ low = {}, high = {} }}", point(*low), point(*high)))
        }
        Calibration::Polynomial(curve) => {
            let points: Vec<_> = curve.points().iter().copied().map(point).collect();
            let (points, degree) = (points.join(", "), curve.degree());
            ("calibration", format!("{{ points = [{points}], degree = {degree} }}"))
        }
    };
    [
        ("min", decimal(rules.lowest)),
        ("max", decimal(rules.highest)),
        ("max_rate", thousandths(rules.rate_per_minute.unwrap_or(0))),
        calibration,
        ("median", rules.median.to_string()),
        ("alpha", thousandths(rules.alpha)),
        ("decimals", rules.decimals.to_string()),
        ("deadband", thousandths(rules.deadband)),
    ]
}

fn point((raw, true_value): (Value, Value)) -> String {
    format!("[{}, {}]", decimal(raw), decimal(true_value))
}

fn decimal(value: Value) -> String {
    Decimal::from(value).written()
}

fn thousandths(number: u32) -> String {
    Decimal(i32::try_from(number).unwrap_or(i32::MAX)).written()
}

fn size(bytes: usize) -> String {
    quoted(&Size(u64::try_from(bytes).unwrap_or(u64::MAX)).written())
}

/// A text as TOML writes it.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}
