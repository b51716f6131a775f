//! TOML text → a tree that knows where each value is written; several texts → one tree.

use std::collections::BTreeMap;
use std::collections::btree_map;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeString, DeTable, DeValue};

use super::Source;
use super::complaint::{Complaint, Complaints, Place};
use super::syntax;

/// A value and where it is written. For a `[table]` that is its header.
#[derive(Debug)]
pub(super) struct Node {
    /// Where it starts.
    pub(super) place: Place,
    /// What it is.
    pub(super) value: Value,
}

/// What may be written.
#[derive(Debug)]
pub(super) enum Value {
    /// `"…"`
    Text(String),
    /// `5`, `0x48`
    Integer(i64),
    /// `0.5`, `inf`, `nan`
    Float(f64),
    /// `true`, `false`
    Boolean(bool),
    /// `2026-11-22`
    Date(String),
    /// `[…]`, `[[…]]`
    Array(Vec<Node>),
    /// `{…}`, `[…]`
    Table(Table),
    /// No value at all; that has been complained about.
    Unreadable,
}

/// Keys, in alphabetical order, with their places and values.
pub(super) type Table = BTreeMap<String, (Place, Node)>;

/// Reads all sources and joins them in order: tables are merged, arrays are appended, and anything
/// else may be set once.
pub(super) fn read(sources: &[Source], complaints: &mut Complaints) -> Node {
    let mut whole = Table::new();
    for (file, source) in sources.iter().enumerate() {
        let (document, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            complaints.push(syntax::complaint(file, &source.text, &error));
        }
        let part = table(file, document.into_inner(), complaints);
        merge(&mut whole, part, complaints);
    }
    Node { place: Place { file: 0, offset: 0 }, value: Value::Table(whole) }
}

fn merge(whole: &mut Table, part: Table, complaints: &mut Complaints) {
    for (key, (place, node)) in part {
        match whole.entry(key) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert((place, node));
            }
            btree_map::Entry::Occupied(occupied) => {
                let key = occupied.key().clone();
                let (first, known) = occupied.into_mut();
                match (&mut known.value, node.value) {
                    (Value::Table(known), Value::Table(part)) => merge(known, part, complaints),
                    (Value::Array(known), Value::Array(part)) => known.extend(part),
                    (_, _) => complaints
                        .push(Complaint::shape(place, "set in two files").found(key).first(*first)),
                }
            }
        }
    }
}

fn table(file: usize, table: DeTable<'_>, complaints: &mut Complaints) -> Table {
    let mut entries = Table::new();
    for (key, value) in table {
        let place = Place { file, offset: key.span().start };
        let node = node(file, value, complaints);
        entries.insert(DeString::into_owned(key.into_inner()), (place, node));
    }
    entries
}

fn node(file: usize, value: Spanned<DeValue<'_>>, complaints: &mut Complaints) -> Node {
    let place = Place { file, offset: value.span().start };
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => number(integer_value(&integer), &integer, place, complaints),
        DeValue::Float(float) => number(float_value(&float), &float, place, complaints),
        DeValue::Boolean(truth) => Value::Boolean(truth),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(array) => {
            Value::Array(array.into_iter().map(|value| node(file, value, complaints)).collect())
        }
        DeValue::Table(entries) => Value::Table(table(file, entries, complaints)),
    };
    Node { place, value }
}

fn number(
    value: Option<Value>,
    written: &dyn ToString,
    place: Place,
    complaints: &mut Complaints,
) -> Value {
    value.unwrap_or_else(|| {
        let complaint = Complaint::value(place, "number too large").found(written.to_string());
        complaints.push(complaint);
        Value::Unreadable
    })
}

fn integer_value(integer: &DeInteger<'_>) -> Option<Value> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(Value::Integer)
}

/// TOML's infinity is a value, a number too large for a float is not.
fn float_value(float: &DeFloat<'_>) -> Option<Value> {
    let value: f64 = float.as_str().parse().ok()?;
    (value.is_finite() || !float.as_str().contains(|letter: char| letter.is_ascii_digit()))
        .then_some(Value::Float(value))
}

impl Value {
    /// What kind of value it is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Date(_) => "a date",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
            Self::Unreadable => "nothing",
        }
    }

    /// The value in a message; `None` where it would be long.
    pub(super) fn written(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Date(text) => Some(text.clone()),
            Self::Integer(integer) => Some(integer.to_string()),
            Self::Float(float) if (1e-9..1.0).contains(&float.abs()) => Some(float.to_string()),
            Self::Float(float) => Some(format!("{float:?}").to_lowercase()),
            Self::Boolean(truth) => Some(truth.to_string()),
            Self::Array(_) | Self::Table(_) | Self::Unreadable => None,
        }
    }
}
