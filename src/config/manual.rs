//! The configuration as it can be described: each table and key of `schema`, with the words that
//! stand there, for a manual page and for a JSON Schema (<https://json-schema.org>).

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::words::{
    ANNOUNCEMENTS, DURABILITIES, LIBRARIES, LOG_FORMATS, PLATINUM, POLICIES, SIDES, word,
};
use super::{Library, schema};
use crate::limits::{ROOM_SLUG_BYTES_MAX, ROOMS_MAX};
use crate::sensors::catalog::Driver;

/// What stands behind a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Boolean,
    Integer,
    Decimal,
    Duration,
    Size,
    /// A number, or a text with the way to it.
    Address,
    /// Two numbers.
    Point,
    /// Three numbers.
    Coefficients,
    /// Of a day.
    Hour,
    /// A table, by its title.
    Table(&'static str),
    /// `true`, `false`, or a table.
    Switch(&'static str),
    List(&'static Kind),
    /// One, or a list of such.
    Several(&'static Kind),
    /// A table of such, by names that are free.
    Named(&'static Kind),
}

/// A table of the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) about: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Lines of its manual.
    pub(super) manual: &'static [&'static str],
    pub(super) kind: Kind,
}

/// A chapter of the manual, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Where it is written, as in `[gateway]`.
    pub title: String,
    /// What it is for.
    pub about: String,
    /// Its keys, each with what is to be known of it.
    pub keys: Vec<(&'static str, String)>,
}

/// Every table with its keys, in the order of the schema.
pub fn manual() -> Vec<Chapter> {
    let chapter = |table: &Table| Chapter {
        title: table.title.replace('`', ""),
        about: about(table),
        keys: table.keys.iter().map(|key| (key.name, prose(key.manual))).collect(),
    };
    schema::TABLES.iter().map(chapter).collect()
}

/// A JSON Schema (draft 2020-12) of the configuration: which keys there are, and what kind of value
/// each has. Whether a value makes sense is for `maison check`.
pub fn json_schema() -> Value {
    let definitions: Map<String, Value> =
        schema::TABLES.iter().map(|table| (name(table.title), object(table))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of maison",
        "$ref": format!("#/$defs/{}", name(schema::TABLES.first().map_or("", |it| it.title))),
        "$defs": definitions,
    })
}

/// Lines as one text.
fn prose(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        let gap = if text.is_empty() { "" } else { " " };
        // A string takes what is written to it.
        let _ = write!(text, "{gap}{}", line.trim());
    }
    text
}

/// What a table is for, where that says more than its title.
fn about(table: &Table) -> String {
    let about = prose(table.about);
    if about.trim_end_matches('.') == table.title { String::new() } else { about }
}

/// A title as the name of a definition.
fn name(title: &str) -> String {
    let letters = title.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' });
    let name: String = letters.collect();
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn object(table: &Table) -> Value {
    let required: Vec<&str> =
        table.keys.iter().filter(|key| is_required(key)).map(|key| key.name).collect();
    let properties: Map<String, Value> =
        table.keys.iter().map(|key| (key.name.to_owned(), property(table, key))).collect();
    json!({
        "description": about(table),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Its manual ends by saying so.
fn is_required(key: &Key) -> bool {
    prose(key.manual).ends_with(" Required.")
}

fn property(table: &Table, key: &Key) -> Value {
    let mut property = of_kind(&key.kind);
    if let Some(fields) = property.as_object_mut() {
        fields.insert("description".to_owned(), prose(key.manual).into());
        if let Some(default) = default(key) {
            fields.insert("default".to_owned(), default);
        }
        if let Some(words) = words(table.title, key.name) {
            fields.insert("enum".to_owned(), words.into());
        }
    }
    property
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Decimal => json!({ "type": "number" }),
        Kind::Duration => json!({ "type": "string", "pattern": "^([0-9]+(d|h|m|s|ms) ?)+$" }),
        Kind::Size => json!({ "anyOf": [
            { "type": "string", "pattern": "^[0-9]+ ?(GiB|MiB|KiB|GB|MB|kB|B)$" },
            { "const": 0 },
        ] }),
        Kind::Address => json!({ "type": ["string", "integer"] }),
        Kind::Point => numbers(2),
        Kind::Coefficients => numbers(3),
        Kind::Hour => json!({ "type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$" }),
        Kind::Table(title) => json!({ "$ref": format!("#/$defs/{}", name(title)) }),
        Kind::Switch(title) => json!({ "anyOf": [
            { "type": "boolean" },
            { "$ref": format!("#/$defs/{}", name(title)) },
        ] }),
        Kind::List(of) => json!({ "type": "array", "items": of_kind(of) }),
        Kind::Several(of) => json!({ "anyOf": [of_kind(of), of_kind(&Kind::List(of))] }),
        Kind::Named(of) => json!({
            "type": "object",
            "propertyNames": {
                "pattern": format!("^[a-z0-9][a-z0-9-]{{0,{}}}$", ROOM_SLUG_BYTES_MAX - 1),
            },
            "maxProperties": ROOMS_MAX,
            "additionalProperties": of_kind(of),
        }),
    }
}

fn numbers(count: usize) -> Value {
    json!({ "type": "array", "items": { "type": "number" }, "minItems": count, "maxItems": count })
}

/// What its manual says holds where it is not written, if that is a value.
fn default(key: &Key) -> Option<Value> {
    let manual = prose(key.manual);
    let written = manual.rsplit_once("Default: ")?.1.strip_suffix('.')?;
    let written = written.strip_prefix('`').and_then(|it| it.strip_suffix('`')).unwrap_or(written);
    serde_json::from_str(written).ok()
}

/// The words that there are.
fn words(table: &str, key: &str) -> Option<Vec<&'static str>> {
    fn listed<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
        words.iter().map(|(word, _)| *word).collect()
    }
    match (table, key) {
        ("`[broker]`", "durability") => Some(listed(&DURABILITIES)),
        ("`[hardware]`", "i2c") => Some(vec![word(&LIBRARIES, &Library::LinuxEmbeddedHal)]),
        ("`[hardware]`", "spi") => Some(listed(&LIBRARIES)),
        ("`[mdns]`", "announce") => Some(listed(&ANNOUNCEMENTS)),
        ("`[log]`", "format") => Some(listed(&LOG_FORMATS)),
        ("`[[listener]]`", "auth") => Some(listed(&POLICIES)),
        ("`thermistor` of a sensor", "side") => Some(listed(&SIDES)),
        ("`rtd` of a sensor", "element") => Some(listed(&PLATINUM)),
        ("`[[rooms.<slug>.sensors]]`", "driver") => {
            Some(Driver::ALL.iter().map(|driver| driver.facts().name).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
