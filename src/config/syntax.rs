//! Complaints of the TOML parser, in words that help somebody who does not know TOML.

use toml::de::Error;

use super::complaint::{Complaint, Place};
use super::suggestion::slug;

/// What the parser says of `text`, which is the source number `file`.
pub(super) fn complaint(file: usize, text: &str, error: &Error) -> Complaint {
    let span = error.span().unwrap_or_default();
    let place = Place { file, offset: span.start };
    let found = text.get(span.clone()).unwrap_or_default();
    let line = Line::around(text, span.start);
    let message = error.message();
    if message == "duplicate key" {
        return duplicate(place, text, &line, found);
    }
    if message.starts_with("string values must be quoted") {
        return unquoted(place, found);
    }
    if message.starts_with("invalid unquoted key") {
        return Complaint::spelling(place, "a key needs quotes here")
            .found(found)
            .hint("unquoted keys are made of letters without accents, digits, `-` and `_`");
    }
    if let Some((offset, value)) = line.bare_value(span.start)
        && let Some(complaint) = bare(Place { file, offset }, value)
    {
        return complaint;
    }
    let message = message.trim_end_matches(", expected nothing");
    let complaint = Complaint::damage(place, format!("not TOML, {message}"));
    match line.room_slug() {
        Some(slug) => complaint
            .hint(format!("write `[rooms.{slug}]`, in lower-case letters, digits and hyphens")),
        None => complaint,
    }
}

/// A value without quotes that is no number: a text most often, such as an address or a duration,
/// or a number as it is written in French.
fn bare(place: Place, value: &str) -> Option<Complaint> {
    let dotted = value.replace(',', ".");
    if dotted != value && dotted.parse::<f64>().is_ok() {
        let hint = format!("a number has a dot: `{dotted}`");
        return Some(Complaint::syntax(place, "not a number").found(value).hint(hint));
    }
    let like_text = |letter: char| letter.is_alphabetic() || ".:-/".contains(letter);
    value.contains(like_text).then(|| unquoted(place, value))
}

fn unquoted(place: Place, found: &str) -> Complaint {
    if found.is_empty() {
        return Complaint::syntax(place, "a value is missing");
    }
    let quoted = format!("\"{}\"", found.replace(['"', '\\', '\''], ""));
    Complaint::syntax(place, "a text needs quotes").found(found).hint(format!("write `{quoted}`"))
}

fn duplicate(place: Place, text: &str, line: &Line<'_>, found: &str) -> Complaint {
    let (what, first) = match line.header() {
        Some(header) if header.starts_with("rooms.") && !header.ends_with(".sensors") => {
            ("room defined twice", first_header(text, line.start, &header))
        }
        Some(header) => ("table defined twice", first_header(text, line.start, &header)),
        None => ("key set twice", first_key(text, line.start, found)),
    };
    let complaint = Complaint::syntax(place, what).found(found);
    match first {
        Some(offset) => complaint.first(Place { offset, ..place }),
        None => complaint.hint("a table and each of its keys can be given once"),
    }
}

/// Offset of the first line with that header.
fn first_header(text: &str, before: usize, header: &str) -> Option<usize> {
    lines(text.get(..before)?)
        .find(|line| line.header().as_deref() == Some(header))
        .map(|line| line.start)
}

/// Offset of the last line before this one that sets `key`, within the same table.
fn first_key(text: &str, before: usize, key: &str) -> Option<usize> {
    let mut first = None;
    for line in lines(text.get(..before)?) {
        let trimmed = line.text.trim_start();
        let rest = trimmed.strip_prefix(key).map(str::trim_start);
        if trimmed.starts_with('[') {
            first = None;
        } else if rest.is_some_and(|rest| rest.starts_with(['=', '.'])) {
            first = first.or(Some(line.start + line.text.len() - trimmed.len()));
        }
    }
    first
}

/// A line without its end, and where it starts.
struct Line<'a> {
    start: usize,
    text: &'a str,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.split_inclusive('\n').scan(0, |start, line| {
        let this = Line { start: *start, text: line.trim_end_matches(['\r', '\n']) };
        *start += line.len();
        Some(this)
    })
}

impl<'a> Line<'a> {
    /// The line with the byte at `offset`.
    fn around(text: &'a str, offset: usize) -> Self {
        let start = text
            .get(..offset)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |newline| newline + 1);
        let rest = text.get(start..).unwrap_or_default();
        Self { start, text: rest.lines().next().unwrap_or_default() }
    }

    /// `a.b` of `[a.b]` or `[[a.b]]`, without white space.
    fn header(&self) -> Option<String> {
        let inside = self.text.trim_start().strip_prefix('[')?;
        let inside = inside.strip_prefix('[').unwrap_or(inside);
        let (header, _) = inside.split_once(']')?;
        Some(header.chars().filter(|letter| !letter.is_whitespace()).collect())
    }

    /// What stands behind the first `=`, without a comment, and where it starts; only if that is
    /// where `offset` is and no quotes or brackets show how it was meant.
    fn bare_value(&self, offset: usize) -> Option<(usize, &'a str)> {
        let (key, rest) = self.text.split_once('=')?;
        let value = rest.trim_start();
        let start = self.start + self.text.len() - value.len();
        let value = value.split('#').next()?.trim_end();
        let behind = offset > self.start + key.len();
        (behind && !value.is_empty() && !value.contains(['"', '\'', '[', ']', '{', '}', '=']))
            .then_some((start, value))
    }

    /// The slug that the room of a broken `[rooms.…` header could have.
    fn room_slug(&self) -> Option<String> {
        let header = self.text.trim_start().strip_prefix("[rooms.")?.split(']').next()?;
        if header.contains('.') { None } else { slug(header) }
    }
}
