//! What is written in a message, and the properties that say what it is.
//!
//! A time of a clock that nobody had set is still printed, and marked by
//! `"clock":"unsynchronised"`; the mark is absent otherwise.

use std::sync::Arc;

use bytestring::ByteString;
use serde_json::Value;

use crate::mqtt::{MessageProperties, UserProperty};
use crate::sampling::{Reading, State};
use crate::time::Timestamp;
use crate::units::Value as Measured;

use super::standing::Standing;

/// A reading with its origin.
#[derive(Clone, Debug)]
pub(super) struct Sourced {
    /// What was read.
    pub(super) reading: Reading,
    /// How its sensor is: its name is the quality.
    pub(super) state: State,
    /// Printed address of the sensor; of several, what was made of how many: `mean of 3`.
    pub(super) sensor: Arc<str>,
}

impl Sourced {
    /// `21.4`.
    pub(super) fn decimal(&self) -> String {
        self.reading.value.to_decimal(self.reading.decimals)
    }

    /// `{"v":21.4,"u":"°C","t":"2026-11-22T13:00:05Z","q":"ok","s":"28-01131e858aef","n":4711}`.
    pub(super) fn json(&self) -> String {
        let mut fields = vec![
            ("v", self.decimal()),
            ("u", text(self.unit())),
            ("t", text(&self.reading.at.to_string())),
            ("q", text(self.state.name())),
            ("s", text(&self.sensor)),
            ("n", self.reading.number.to_string()),
        ];
        fields.extend(mark(self.reading.at).map(|(name, value)| (name, text(value))));
        object(&fields)
    }

    fn unit(&self) -> &'static str {
        self.reading.value.quantity().unit()
    }

    /// Of the plain number: what the JSON says, for those who read 5.0 properties.
    pub(super) fn properties(&self) -> MessageProperties {
        let at = self.reading.at.to_string();
        let said =
            [("t", &*at), ("q", self.state.name()), ("s", &*self.sensor), ("u", self.unit())];
        let user_properties = said.into_iter().chain(mark(self.reading.at));
        MessageProperties {
            user_properties: user_properties.map(property).collect(),
            ..content("text/plain")
        }
    }
}

/// `{"state":"failed","error":"crc","since":"…","last_good":"…"}`; `null` where there is none.
pub(super) fn status(standing: &Standing, last_good: Option<Timestamp>) -> String {
    let Standing { state, since, .. } = *standing;
    let error = state.reason().map(|reason| text(reason.name()));
    let last_good = last_good.map(|at| text(&at.to_string()));
    let mut fields = vec![
        ("state", text(state.name())),
        ("error", error.unwrap_or_else(null)),
        ("since", text(&since.to_string())),
        ("last_good", last_good.unwrap_or_else(null)),
    ];
    fields.extend(mark(since).map(|(name, value)| (name, text(value))));
    object(&fields)
}

/// `{"alert":"disagreement","spread":3.4,"limit":2.0,"u":"°C","sensors":{"0x48":21.4,"0x49":24.8}`
/// and the time: sensors of a room that are further apart than they may be.
pub(super) fn disagreement(limit: Measured, sensors: &[Sourced], at: Timestamp) -> String {
    let values = || sensors.iter().map(|sensor| sensor.reading.value);
    let (low, high) = (values().min().unwrap_or(limit), values().max().unwrap_or(limit));
    let spread = i32::try_from(high.distance(low)).unwrap_or(i32::MAX);
    let decimals = sensors.iter().map(|sensor| sensor.reading.decimals).max().unwrap_or(0);
    let named: Vec<_> = sensors.iter().map(|sensor| (&*sensor.sensor, sensor.decimal())).collect();
    let mut fields = vec![
        ("alert", text("disagreement")),
        ("spread", limit.with(spread).to_decimal(decimals)),
        ("limit", limit.to_decimal(decimals.max(1))),
        ("u", text(limit.quantity().unit())),
        ("sensors", object(&named)),
    ];
    fields.extend(time(at));
    object(&fields)
}

/// `{"version":"0.1.0","rooms":["chambre","salon"]}`.
pub(super) fn info(version: &str, rooms: &[&str]) -> String {
    let rooms = Value::from(rooms).to_string();
    object(&[("version", text(version)), ("rooms", rooms)])
}

/// Properties of a JSON text that does not expire.
pub(super) fn json() -> MessageProperties {
    content("application/json")
}

fn content(content_type: &'static str) -> MessageProperties {
    MessageProperties {
        payload_is_utf8: true,
        content_type: Some(ByteString::from_static(content_type)),
        ..MessageProperties::default()
    }
}

fn property((name, value): (&str, &str)) -> UserProperty {
    UserProperty { name: ByteString::from(name), value: ByteString::from(value) }
}

/// `"t":"2026-11-22T13:00:05Z"`, with the mark of an unset clock.
pub(super) fn time(at: Timestamp) -> impl Iterator<Item = (&'static str, String)> {
    let mark = mark(at).map(|(name, value)| (name, text(value)));
    [("t", text(&at.to_string()))].into_iter().chain(mark)
}

fn mark(at: Timestamp) -> Option<(&'static str, &'static str)> {
    (!at.is_synchronised()).then_some(("clock", "unsynchronised"))
}

/// JSON with its fields in this order; the values are JSON already, so that a number keeps its
/// decimals.
pub(super) fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}:{value}", text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A JSON string.
pub(super) fn text(text: &str) -> String {
    Value::from(text).to_string()
}

fn null() -> String {
    Value::Null.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Reason;
    use crate::sensors::Fault;
    use crate::units::MilliCelsius;

    const AT: Timestamp = Timestamp::new(1_795_352_405_999, true);
    const UNSET: Timestamp = Timestamp::new(17_000, false);

    fn reading(thousandths: i32, decimals: u8, at: Timestamp) -> Reading {
        Reading {
            value: MilliCelsius::new(thousandths).value(),
            decimals,
            at,
            number: 4711,
            stale_after: std::time::Duration::from_millis(30_500),
        }
    }

    #[track_caller]
    fn check(reading: Reading, state: State, sensor: &str, decimal: &str, json: &str) {
        let sourced = Sourced { reading, state, sensor: Arc::from(sensor) };
        assert_eq!(sourced.decimal(), decimal);
        assert_eq!(sourced.json(), json);
        let parsed: Value = serde_json::from_str(json).unwrap();
        assert_eq!(parsed["s"], sensor);
    }

    #[test]
    fn numbers_keep_their_decimals_and_texts_are_escaped() {
        check(
            reading(21_400, 1, AT),
            State::Ok,
            "28-01131e858aef",
            "21.4",
            concat!(
                r#"{"v":21.4,"u":"°C","t":"2026-11-22T13:00:05Z""#,
                r#","q":"ok","s":"28-01131e858aef","n":4711}"#,
            ),
        );
        check(
            reading(-40, 2, UNSET),
            State::Suspect(Reason::Range),
            "a\"\\\n",
            "-0.04",
            concat!(
                r#"{"v":-0.04,"u":"°C","t":"1970-01-01T00:00:17Z""#,
                r#","q":"suspect","s":"a\"\\\n","n":4711,"clock":"unsynchronised"}"#,
            ),
        );
        check(
            reading(0, 2, AT),
            State::Ok,
            "0x44",
            "0.00",
            r#"{"v":0.00,"u":"°C","t":"2026-11-22T13:00:05Z","q":"ok","s":"0x44","n":4711}"#,
        );
    }

    #[track_caller]
    fn check_status(state: State, since: Timestamp, last_good: Option<Timestamp>, json: &str) {
        let standing = Standing { of: None, state, since };
        assert_eq!(status(&standing, last_good), json);
        serde_json::from_str::<Value>(json).unwrap();
    }

    #[test]
    fn a_status_says_what_is_wrong_and_since_when() {
        check_status(
            State::Failed(Reason::Fault(Fault::Crc)),
            AT,
            Some(Timestamp::new(1_795_352_375_000, true)),
            concat!(
                r#"{"state":"failed","error":"crc""#,
                r#","since":"2026-11-22T13:00:05Z","last_good":"2026-11-22T12:59:35Z"}"#,
            ),
        );
        check_status(
            State::Stale,
            UNSET,
            None,
            concat!(
                r#"{"state":"stale","error":null"#,
                r#","since":"1970-01-01T00:00:17Z","last_good":null,"clock":"unsynchronised"}"#,
            ),
        );
    }

    #[test]
    fn the_number_says_in_its_properties_what_it_is() {
        let reading = reading(21_400, 1, UNSET);
        let sourced = Sourced { reading, state: State::Ok, sensor: Arc::from("0x44") };
        let properties = sourced.properties();
        assert_eq!(
            properties.message_expiry, None,
            "a reading that waits for its reader stays one"
        );
        assert!(properties.payload_is_utf8);
        assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
        let said: Vec<_> =
            properties.user_properties.iter().map(|said| (&*said.name, &*said.value)).collect();
        let expected = [
            ("t", "1970-01-01T00:00:17Z"),
            ("q", "ok"),
            ("s", "0x44"),
            ("u", "°C"),
            ("clock", "unsynchronised"),
        ];
        assert_eq!(said, expected);
    }
}
