//! Values with a form of their own: a word or a table, a text or a number, lists of numbers, hours.

use std::time::Duration;

use super::TlsFiles;
use crate::config::amount::{Bounded, Decimal};
use crate::config::complaint::{Complaint, Complaints};
use crate::config::document::{Node, Value};
use crate::config::manual::Kind;
use crate::config::written::{At, Written, mismatch};

/// `tls` of a listener.
#[derive(Debug)]
pub(in crate::config) enum Tls {
    /// `false`, or `true` for a certificate of our own CA.
    Own(bool),
    /// `{ certificate = "…", … }`
    Files(TlsFiles),
}

impl Written for Tls {
    const KIND: Kind = Kind::Switch(TlsFiles::TITLE);

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        match node.value {
            Value::Boolean(own) => Some(Self::Own(own)),
            Value::Table(_) => TlsFiles::read(node, complaints).map(Self::Files),
            other => {
                let hint = Some("`tls = true` takes a certificate of our own CA".to_owned());
                let expected = "`true`, `false` or a table";
                mismatch(node.place, &other, expected, hint, complaints)
            }
        }
    }
}

/// `"a.pem"` or `["a.pem", "b.pem"]`.
#[derive(Debug, Default)]
pub(in crate::config) struct Paths(pub(in crate::config) Vec<At<String>>);

impl Written for Paths {
    const KIND: Kind = Kind::Several(&Kind::Text);

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        match node.value {
            Value::Text(value) => Some(Self(vec![At { place: node.place, value }])),
            Value::Array(_) => Vec::read(node, complaints).map(Self),
            other => {
                let hint = Some("`\"a.pem\"` or `[\"a.pem\", \"b.pem\"]`".to_owned());
                mismatch(node.place, &other, "a path or several", hint, complaints)
            }
        }
    }
}

/// `address` of a sensor.
#[derive(Debug)]
pub(in crate::config) enum Address {
    /// `"28-01131e858aef"`, `"0x48"`
    Text(String),
    /// `0x48`
    Number(i64),
}

impl Written for Address {
    const KIND: Kind = Kind::Address;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        match node.value {
            Value::Text(text) => Some(Self::Text(text)),
            Value::Integer(number) => Some(Self::Number(number)),
            other => mismatch(node.place, &other, "an address", None, complaints),
        }
    }
}

/// `[A, B, C]` of Steinhart and Hart.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Coefficients(pub(in crate::config) [f64; 3]);

impl Written for Coefficients {
    const KIND: Kind = Kind::Coefficients;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let numbers = match &node.value {
            Value::Array(elements) => elements.iter().map(finite).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let Some(Ok(coefficients)) = numbers.map(<[f64; 3]>::try_from) else {
            let hint = Some("three numbers: `[1.129148e-3, 2.34125e-4, 8.76741e-8]`".to_owned());
            return mismatch(node.place, &node.value, "three coefficients", hint, complaints);
        };
        Some(Self(coefficients))
    }
}

/// A number of any size, but none of infinity and its kind.
fn finite(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Float(float) => Some(*float).filter(|float| float.is_finite()),
        Value::Integer(integer) => i32::try_from(*integer).ok().map(f64::from),
        _ => None,
    }
}

/// `[raw, true]` of a calibration.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Point {
    /// What the chip said.
    pub(in crate::config) raw: Decimal,
    /// What it was.
    pub(in crate::config) true_value: Decimal,
}

impl Written for Point {
    const KIND: Kind = Kind::Point;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let hint = Some("two numbers: `[raw, true]`".to_owned());
        let elements = match node.value {
            Value::Array(elements) => elements,
            other => return mismatch(node.place, &other, "a point", hint, complaints),
        };
        match <[Node; 2]>::try_from(elements) {
            Ok([raw, true_value]) => {
                let raw = Decimal::read(raw, complaints);
                let true_value = Decimal::read(true_value, complaints);
                Some(Self { raw: raw?, true_value: true_value? })
            }
            Err(elements) => {
                let found = Value::Array(elements);
                mismatch(node.place, &found, "a point", hint, complaints)
            }
        }
    }
}

/// An hour of the day: `"10:00"`, since midnight.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(in crate::config) struct Hour(pub(in crate::config) Duration);

impl Written for Hour {
    const KIND: Kind = Kind::Hour;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let hint = "from `\"00:00\"` to `\"23:59\"`";
        let text = match node.value {
            Value::Text(text) => text,
            other => {
                let expected = "an hour of the day";
                return mismatch(node.place, &other, expected, Some(hint.to_owned()), complaints);
            }
        };
        let hour = hour(&text);
        if hour.is_none() {
            let complaint = Complaint::value(node.place, "not an hour of the day").found(text);
            complaints.push(complaint.hint(hint));
        }
        hour.map(Self)
    }
}

fn hour(text: &str) -> Option<Duration> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str, most: u64| -> Option<u64> {
        let is_two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_two && *number <= most)
    };
    let minutes = number(hours, 23)? * 60 + number(minutes, 59)?;
    Some(Duration::from_secs(minutes * 60))
}

impl Bounded for Hour {
    fn written(self) -> String {
        let minutes = self.0.as_secs() / 60;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}
