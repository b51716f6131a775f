//! The rooms as a table, made only of what a subscriber is sent.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is known of each room, by slug.
#[derive(Debug)]
pub(super) struct Table {
    root: String,
    rooms: BTreeMap<String, Row>,
}

#[derive(Debug, Default)]
struct Row {
    name: String,
    temperature: String,
    availability: String,
    state: String,
    time: String,
    sensor: String,
}

impl Table {
    /// A table of rooms, as slug and name, that publish below `root`.
    pub(super) fn new<'a>(root: &str, rooms: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let row = |name: &str| Row { name: name.to_owned(), ..Row::default() };
        let rooms = rooms.into_iter().map(|(slug, name)| (slug.to_owned(), row(name)));
        Self { root: root.to_owned(), rooms: rooms.collect() }
    }

    /// The filters whose messages [`Table::take`] understands.
    pub(super) fn filters(&self) -> [String; 3] {
        ["temperature/json", "availability", "status"].map(|what| format!("{}/+/{what}", self.root))
    }

    /// Takes one message; says in one line what changed, if anything that a person wants to know
    /// did.
    pub(super) fn take(&mut self, topic: &str, payload: &[u8]) -> Option<String> {
        let below_root = topic.strip_prefix(&self.root)?.strip_prefix('/')?;
        let (slug, what) = below_root.split_once('/')?;
        let row = self.rooms.get_mut(slug)?;
        let text = String::from_utf8_lossy(payload);
        match what {
            "availability" => {
                row.availability = text.into_owned();
                Some(format!("{slug}: {}", row.availability))
            }
            "status" => {
                row.state = status(&serde_json::from_slice(payload).ok()?);
                Some(format!("{slug}: {}", row.state))
            }
            "temperature/json" if payload.is_empty() => {
                row.temperature.clear();
                Some(format!("{slug}: no temperature any more"))
            }
            "temperature/json" => {
                row.read(&serde_json::from_slice(payload).ok()?);
                Some(format!("{slug}: {}", row.temperature))
            }
            _ => None,
        }
    }

    /// The table as lines of text.
    pub(super) fn lines(&self) -> Vec<String> {
        let header = line(["room", "temperature", "state", "availability", "read at", "sensor"]);
        let rows = self.rooms.values().map(|row| {
            let cells = [
                &row.name,
                &row.temperature,
                &row.state,
                &row.availability,
                &row.time,
                &row.sensor,
            ];
            line(cells.map(|cell| if cell.is_empty() { "–" } else { cell }))
        });
        std::iter::once(header).chain(rows).collect()
    }
}

impl Row {
    fn read(&mut self, twin: &Value) {
        let text = |key: &str| twin.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let value = twin.get("v").map(Value::to_string).unwrap_or_default();
        self.temperature = format!("{value} {}", text("u"));
        self.time = text("t");
        self.sensor = text("s");
    }
}

fn status(payload: &Value) -> String {
    let text = |key: &str| payload.get(key).and_then(Value::as_str);
    let state = text("state").unwrap_or("unknown");
    text("error").map_or_else(|| state.to_owned(), |error| format!("{state} ({error})"))
}

fn line(cells: [&str; 6]) -> String {
    let [room, temperature, state, availability, time, sensor] = cells;
    let line = format!(
        "  {room:<16} {temperature:>11}  {state:<20} {availability:<12} {time:<20} {sensor}"
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::new("maison", [("salon", "Salon"), ("cave", "Cave à vin")])
    }

    #[test]
    fn a_reading_fills_its_room() {
        let mut table = table();
        let twin = r#"{"v":21.4,"u":"°C","t":"2026-11-22T13:00:05Z","q":"ok","s":"28-01","n":1}"#;
        let said = table.take("maison/salon/temperature/json", twin.as_bytes());
        assert_eq!(said.as_deref(), Some("salon: 21.4 °C"));
        let lines = table.lines();
        assert!(lines[2].contains("Salon") && lines[2].contains("21.4 °C"), "{lines:?}");
        assert!(lines[1].contains("Cave à vin") && lines[1].contains('–'), "{lines:?}");
    }

    #[test]
    fn a_status_shows_its_error() {
        let mut table = table();
        let said = table.take("maison/cave/status", br#"{"state":"failed","error":"crc"}"#);
        assert_eq!(said.as_deref(), Some("cave: failed (crc)"));
    }

    #[test]
    fn strangers_are_passed_over() {
        let mut table = table();
        assert_eq!(table.take("maison/attic/availability", b"online"), None);
        assert_eq!(table.take("other/salon/availability", b"online"), None);
        assert_eq!(table.take("maison/salon/temperature/json", b"no json"), None);
    }
}
