//! How a value of the schema is read from the tree: wrong ones are complained about and left out,
//! so that one mistake never hides the next.

use super::complaint::{Complaint, Complaints, Place};
use super::document::{self, Node, Value};
use super::manual::{Kind, Table};
use super::schema;
use super::suggestion::{listed, nearest};

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    /// Where it starts.
    pub(super) place: Place,
    /// What it is.
    pub(super) value: T,
}

/// What is behind a key.
#[derive(Debug, Default)]
pub(super) enum Field<T> {
    /// The key is not written.
    #[default]
    Absent,
    /// It has a value that is none; that has been complained about.
    Wrong,
    /// It has this value.
    Given(At<T>),
}

impl<T> Field<T> {
    /// Takes what is behind `key`.
    pub(super) fn take(table: &mut document::Table, key: &str, complaints: &mut Complaints) -> Self
    where
        T: Written,
    {
        let Some((_, node)) = table.remove(key) else { return Self::Absent };
        let place = node.place;
        T::read(node, complaints).map_or(Self::Wrong, |value| Self::Given(At { place, value }))
    }

    /// The value with its place, if there is a good one.
    pub(super) fn given(&self) -> Option<&At<T>> {
        match self {
            Self::Given(at) => Some(at),
            Self::Absent | Self::Wrong => None,
        }
    }

    /// The value, if there is a good one.
    pub(super) fn value(&self) -> Option<&T> {
        self.given().map(|at| &at.value)
    }

    /// The value with its place; complains if the key, which belongs to the table at `place`, is
    /// not written at all.
    pub(super) fn required(
        &self,
        key: &str,
        place: Place,
        hint: &str,
        complaints: &mut Complaints,
    ) -> Option<&At<T>> {
        if matches!(self, Self::Absent) {
            complaints.push(Complaint::shape(place, "missing key").found(key).hint(hint));
        }
        self.given()
    }
}

/// What can be read from a node of the tree.
pub(super) trait Written: Sized {
    /// What it is, for manuals.
    const KIND: Kind;

    /// The value; `None` if it is none, after a complaint.
    fn read(node: Node, complaints: &mut Complaints) -> Option<Self>;
}

/// Complains that `node` is not what was `expected`; always `None`.
pub(super) fn mismatch<T>(
    place: Place,
    value: &Value,
    expected: &str,
    hint: Option<String>,
    complaints: &mut Complaints,
) -> Option<T> {
    if matches!(value, Value::Unreadable) {
        return None;
    }
    let what = format!("expected {expected}, found {}", value.kind());
    let mut complaint = Complaint::value(place, what);
    if let Some(written) = value.written() {
        complaint = complaint.found(written);
    }
    if let Some(hint) = hint {
        complaint = complaint.hint(hint);
    }
    complaints.push(complaint);
    None
}

impl Written for String {
    const KIND: Kind = Kind::Text;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        match node.value {
            Value::Text(text) => Some(text),
            other => {
                let hint = other.written().map(|written| format!("write `\"{written}\"`"));
                mismatch(node.place, &other, "a text", hint, complaints)
            }
        }
    }
}

impl Written for bool {
    const KIND: Kind = Kind::Boolean;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        match node.value {
            Value::Boolean(truth) => Some(truth),
            other => mismatch(node.place, &other, "`true` or `false`", None, complaints),
        }
    }
}

impl Written for i64 {
    const KIND: Kind = Kind::Integer;

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        match node.value {
            Value::Integer(integer) => Some(integer),
            other => {
                let written = other.written().unwrap_or_default();
                let digits = written.trim_end_matches(".0");
                let hint = digits.parse::<Self>().ok().map(|digits| format!("write `{digits}`"));
                mismatch(node.place, &other, "an integer", hint, complaints)
            }
        }
    }
}

impl<T: Written> Written for Vec<At<T>> {
    const KIND: Kind = Kind::List(&T::KIND);

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let elements = match node.value {
            Value::Array(elements) => elements,
            other => {
                let hint = matches!(other, Value::Table(_))
                    .then(|| "each one has a header in double brackets: `[[…]]`".to_owned());
                return mismatch(node.place, &other, "an array of tables", hint, complaints);
            }
        };
        let read = |node: Node| {
            let place = node.place;
            T::read(node, complaints).map(|value| At { place, value })
        };
        Some(elements.into_iter().filter_map(read).collect())
    }
}

/// A table whose keys are free: each key with its place, and what is behind it.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(At<String>, At<T>)>);

impl<T: Written> Written for Named<T> {
    const KIND: Kind = Kind::Named(&T::KIND);

    fn read(node: Node, complaints: &mut Complaints) -> Option<Self> {
        let entries = match node.value {
            Value::Table(entries) => entries,
            other => {
                let hint = Some("each has a table of its own: `[rooms.salon]`".to_owned());
                return mismatch(node.place, &other, "a table", hint, complaints);
            }
        };
        let mut named = Vec::with_capacity(entries.len());
        for (key, (place, node)) in entries {
            let header = node.place;
            if let Some(value) = T::read(node, complaints) {
                named.push((At { place, value: key }, At { place: header, value }));
            }
        }
        Some(Self(named))
    }
}

/// Complains about the keys that are left of a table once all known ones were taken.
pub(super) fn unknown_keys(
    rest: &document::Table,
    title: &str,
    known: &[&str],
    complaints: &mut Complaints,
) {
    for (key, (place, node)) in rest {
        let what = match node.value {
            Value::Table(_) => "unknown table",
            _ => "unknown key",
        };
        let has_it = |table: &&Table| table.keys.iter().any(|known| known.name == key);
        let elsewhere = schema::TABLES.iter().find(has_it);
        let hint = match (elsewhere, nearest(key, known.iter().copied())) {
            (Some(table), _) => format!("`{key}` belongs in {}", table.title),
            (None, Some(known)) => format!("did you mean `{known}`?"),
            (None, None) => format!("{title} has {}", listed(known.iter().copied())),
        };
        complaints.push(Complaint::shape(*place, what).found(key).hint(hint));
    }
}
