//! Complaints while a configuration is read and checked, and which of them are worth telling: what
//! merely follows from a broken line is left out of the [`Report`].

use std::collections::BTreeSet;
use std::path::Path;

use super::Source;
use super::report::{Mistake, Position, Report};
use crate::printable::shortened;

/// Longest value that a message repeats in full, in characters.
const VALUE_CHARS_MAX: usize = 60;

/// Longest hint, in characters: some repeat what was written, corrected, others list all drivers.
const HINT_CHARS_MAX: usize = 500;

/// Where something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Index of the source.
    pub(super) file: usize,
    /// In bytes from the start of its text.
    pub(super) offset: usize,
}

/// How far a complaint may be believed beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// The text is no TOML here, and what it meant can only be guessed from here on.
    Damage,
    /// The text is no TOML here, but the parser knows how to go on after this line.
    Syntax,
    /// A wrong spelling of a name: what is said about the name itself says more.
    Spelling,
    /// A value is wrong by itself.
    Value,
    /// Something is missing, unknown, or at odds with something elsewhere.
    Shape,
}

/// One complaint.
#[derive(Clone, Debug)]
pub(super) struct Complaint {
    place: Place,
    weight: Weight,
    what: String,
    value: Option<String>,
    hint: Option<String>,
    first: Option<Place>,
}

impl Complaint {
    fn new(place: Place, weight: Weight, what: impl Into<String>) -> Self {
        Self { place, weight, what: what.into(), value: None, hint: None, first: None }
    }

    /// The text is no TOML, and what follows may be misread.
    pub(super) fn damage(place: Place, what: impl Into<String>) -> Self {
        Self::new(place, Weight::Damage, what)
    }

    /// The text is no TOML, on this line only.
    pub(super) fn syntax(place: Place, what: impl Into<String>) -> Self {
        Self::new(place, Weight::Syntax, what)
    }

    /// A name is not spelled as TOML wants it.
    pub(super) fn spelling(place: Place, what: impl Into<String>) -> Self {
        Self::new(place, Weight::Spelling, what)
    }

    /// A value is wrong by itself.
    pub(super) fn value(place: Place, what: impl Into<String>) -> Self {
        Self::new(place, Weight::Value, what)
    }

    /// Something is missing, unknown, or at odds with something elsewhere.
    pub(super) fn shape(place: Place, what: impl Into<String>) -> Self {
        Self::new(place, Weight::Shape, what)
    }

    /// Repeats what was written.
    pub(super) fn found(mut self, value: impl AsRef<str>) -> Self {
        self.value = Some(shortened(value.as_ref(), VALUE_CHARS_MAX));
        self
    }

    /// Says what to do about it.
    pub(super) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(shortened(hint.as_ref(), HINT_CHARS_MAX));
        self
    }

    /// Names the place of the first of two that collide.
    pub(super) fn first(mut self, place: Place) -> Self {
        self.first = Some(place);
        self
    }

    fn is_syntax(&self) -> bool {
        matches!(self.weight, Weight::Damage | Weight::Syntax)
    }
}

/// All complaints so far.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    all: Vec<Complaint>,
}

impl Complaints {
    /// Adds one.
    pub(super) fn push(&mut self, complaint: Complaint) {
        self.all.push(complaint);
    }

    /// The report for the operator; `None` if there is nothing to complain about.
    pub(super) fn into_report(self, sources: &[Source]) -> Option<Report> {
        let texts: Vec<Text<'_>> = sources.iter().map(Text::new).collect();
        let mut placed: Vec<(usize, Position, Complaint)> = self
            .all
            .into_iter()
            .filter_map(|complaint| {
                let text = texts.get(complaint.place.file)?;
                Some((complaint.place.file, text.position(complaint.place.offset), complaint))
            })
            .collect();
        placed.sort_by_key(|(file, position, _)| (*file, *position));
        let mistakes: Vec<Mistake> = telling(placed)
            .into_iter()
            .map(|(file, position, complaint)| mistake(&texts, file, position, complaint))
            .collect();
        (!mistakes.is_empty()).then(|| Report::new(mistakes))
    }
}

/// Leaves out what follows from something else: see [`Weight`].
fn telling(mut placed: Vec<(usize, Position, Complaint)>) -> Vec<(usize, Position, Complaint)> {
    let damaged: BTreeSet<usize> = placed
        .iter()
        .filter(|(_, _, complaint)| complaint.weight == Weight::Damage)
        .map(|(file, _, _)| *file)
        .collect();
    placed.retain(|(file, _, complaint)| {
        complaint.weight != Weight::Shape || !damaged.contains(file)
    });
    let mut kept = Vec::with_capacity(placed.len());
    for line in placed.chunk_by(|a, b| (a.0, a.1.line) == (b.0, b.1.line)) {
        let broken = line.iter().find(|(_, _, complaint)| complaint.is_syntax());
        let spelling = line.iter().all(|(_, _, complaint)| complaint.weight == Weight::Spelling);
        if let Some(first) = broken.or(line.first().filter(|_| spelling)) {
            kept.push(first.clone());
        } else {
            let others = line.iter().filter(|(_, _, it)| it.weight != Weight::Spelling);
            kept.extend(others.cloned());
        }
    }
    kept
}

fn mistake(texts: &[Text<'_>], file: usize, position: Position, complaint: Complaint) -> Mistake {
    let name = |file: usize| texts.get(file).map(|text| text.path.display().to_string());
    let first = complaint.first.and_then(|place| {
        let position = texts.get(place.file)?.position(place.offset);
        Some(format!("the first is at `{}:{position}`", name(place.file)?))
    });
    let hint = match (first, complaint.hint) {
        (Some(first), Some(hint)) => Some(format!("{first}; {hint}")),
        (first, hint) => first.or(hint),
    };
    Mistake {
        file: name(file).unwrap_or_default(),
        position: Some(position),
        what: complaint.what,
        value: complaint.value,
        hint,
    }
}

/// A source with the starts of its lines, so that many positions are found fast.
struct Text<'a> {
    path: &'a Path,
    content: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Text<'a> {
    fn new(source: &'a Source) -> Self {
        let newlines = source.text.match_indices('\n').map(|(index, _)| index + 1);
        let line_starts = std::iter::once(0).chain(newlines).collect();
        Self { path: &source.path, content: &source.text, line_starts }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.content.get(start..offset);
        let column = before.map_or(offset - start, |before| before.chars().count());
        Position { line, column: column + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Vec<Source> {
        vec![Source { path: "a.toml".into(), text: text.into() }]
    }

    #[track_caller]
    fn check(text: &str, complaints: &[Complaint], expected: &[&str]) {
        let complaints = Complaints { all: complaints.to_vec() };
        let report = complaints.into_report(&source(text));
        let lines: Vec<String> = report
            .iter()
            .flat_map(|report| report.mistakes().iter().map(ToString::to_string))
            .collect();
        assert_eq!(lines, expected);
    }

    fn at(offset: usize) -> Place {
        Place { file: 0, offset }
    }

    #[test]
    fn columns_count_characters_and_survive_offsets_beyond_the_text() {
        check("é = 1\nça = 2\n", &[Complaint::value(at(13), "x")], &["a.toml:2:6: x"]);
        check("a", &[Complaint::value(at(1), "x")], &["a.toml:1:2: x"]);
        check("", &[Complaint::value(at(9), "x")], &["a.toml:1:10: x"]);
        check("é", &[Complaint::value(at(1), "x")], &["a.toml:1:2: x"]);
    }

    #[test]
    fn complaints_are_told_in_the_order_of_the_text() {
        let complaints = [Complaint::shape(at(4), "b"), Complaint::value(at(0), "a")];
        check("x\ny\nz", &complaints, &["a.toml:1:1: a", "a.toml:3:1: b"]);
    }

    #[test]
    fn a_broken_line_has_one_complaint() {
        let complaints = [
            Complaint::value(at(0), "echo"),
            Complaint::syntax(at(1), "cause"),
            Complaint::syntax(at(2), "echo"),
            Complaint::shape(at(4), "other line"),
        ];
        check("xyz\nx", &complaints, &["a.toml:1:2: cause", "a.toml:2:1: other line"]);
    }

    #[test]
    fn a_damaged_file_has_no_complaints_about_its_shape() {
        let complaints = [
            Complaint::damage(at(0), "cause"),
            Complaint::shape(at(2), "echo"),
            Complaint::value(at(4), "value"),
        ];
        check("x\ny\nz", &complaints, &["a.toml:1:1: cause", "a.toml:3:1: value"]);
    }

    #[test]
    fn spelling_yields_to_what_is_said_about_the_name() {
        let spelling = Complaint::spelling(at(0), "spelling");
        check("xyz", &[spelling.clone(), spelling.clone()], &["a.toml:1:1: spelling"]);
        let name = Complaint::value(at(1), "name");
        check("xyz", &[spelling, name], &["a.toml:1:2: name"]);
    }

    #[test]
    fn values_are_shown_on_one_line_and_cut() {
        let complaint = Complaint::value(at(0), "x").found("a\n\u{1b}[31m");
        check("", &[complaint], &["a.toml:1:1: x: `a\\n\\u{1b}[31m`"]);
        let long = Complaint::value(at(0), "x").found("é".repeat(61));
        check("", &[long], &[&format!("a.toml:1:1: x: `{}…`", "é".repeat(60))]);
    }

    #[test]
    fn the_first_of_two_is_named_before_the_hint() {
        let complaint = Complaint::shape(at(2), "x").first(at(0)).hint("y");
        check("x\ny", &[complaint], &["a.toml:2:1: x\n  hint: the first is at `a.toml:1:1`; y"]);
    }
}
