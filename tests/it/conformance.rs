//! `tests/conformance.md` held against the standards' lists of statements and against our tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::tidy::{Source, sources};

/// A section of a standard, and the first and the last number of its statements.
type Section = (&'static str, u16, u16);

/// OASIS, 29 October 2014, appendix B.
const V3_1_1: &[Section] = &[
    ("1.5.3", 1, 3),
    ("2.2.2", 1, 2),
    ("2.3.1", 1, 7),
    ("3.1.0", 1, 2),
    ("3.1.2", 1, 24),
    ("3.1.3", 1, 11),
    ("3.1.4", 1, 5),
    ("3.2.0", 1, 1),
    ("3.2.2", 1, 6),
    ("3.3.1", 1, 12),
    ("3.3.2", 1, 3),
    ("3.3.4", 1, 1),
    ("3.3.5", 1, 2),
    ("3.6.1", 1, 1),
    ("3.8.1", 1, 1),
    ("3.8.3", 1, 4),
    ("3.8.4", 1, 6),
    ("3.9.3", 1, 2),
    ("3.10.1", 1, 1),
    ("3.10.3", 1, 2),
    ("3.10.4", 1, 6),
    ("3.12.4", 1, 1),
    ("3.14.1", 1, 1),
    ("3.14.4", 1, 3),
    ("4.1.0", 1, 2),
    ("4.3.1", 1, 1),
    ("4.3.2", 1, 2),
    ("4.3.3", 1, 2),
    ("4.4.0", 1, 1),
    ("4.5.0", 1, 2),
    ("4.6.0", 1, 6),
    ("4.7.1", 1, 3),
    ("4.7.2", 1, 1),
    ("4.7.3", 1, 4),
    ("4.8.0", 1, 2),
    ("6.0.0", 1, 4),
    ("7.0.0", 1, 2),
    ("7.1.1", 1, 1),
    ("7.1.2", 1, 1),
];

/// OASIS, 7 March 2019, appendix B. There is no 2.2.1-1.
const V5: &[Section] = &[
    ("1.5.4", 1, 3),
    ("1.5.5", 1, 1),
    ("1.5.7", 1, 1),
    ("2.1.3", 1, 1),
    ("2.2.1", 2, 6),
    ("2.2.2", 1, 1),
    ("3.1.0", 1, 2),
    ("3.1.2", 1, 30),
    ("3.1.3", 1, 12),
    ("3.1.4", 1, 6),
    ("3.2.0", 1, 2),
    ("3.2.2", 1, 22),
    ("3.3.1", 1, 13),
    ("3.3.2", 1, 20),
    ("3.3.4", 1, 10),
    ("3.4.2", 1, 3),
    ("3.5.2", 1, 3),
    ("3.6.1", 1, 1),
    ("3.6.2", 1, 3),
    ("3.7.2", 1, 3),
    ("3.8.1", 1, 1),
    ("3.8.3", 1, 5),
    ("3.8.4", 1, 8),
    ("3.9.2", 1, 2),
    ("3.9.3", 1, 2),
    ("3.10.1", 1, 1),
    ("3.10.3", 1, 2),
    ("3.10.4", 1, 6),
    ("3.11.2", 1, 2),
    ("3.11.3", 1, 2),
    ("3.12.4", 1, 1),
    ("3.14.0", 1, 1),
    ("3.14.1", 1, 1),
    ("3.14.2", 1, 4),
    ("3.14.4", 1, 3),
    ("3.15.1", 1, 1),
    ("3.15.2", 1, 3),
    ("4.1.0", 1, 2),
    ("4.2.0", 1, 1),
    ("4.3.1", 1, 1),
    ("4.3.2", 1, 5),
    ("4.3.3", 1, 13),
    ("4.4.0", 1, 2),
    ("4.5.0", 1, 2),
    ("4.6.0", 1, 6),
    ("4.7.0", 1, 1),
    ("4.7.1", 1, 2),
    ("4.7.2", 1, 1),
    ("4.7.3", 1, 4),
    ("4.8.2", 1, 6),
    ("4.9.0", 1, 3),
    ("4.12.0", 1, 7),
    ("4.12.1", 1, 2),
    ("4.13.1", 1, 1),
    ("4.13.2", 1, 1),
    ("6.0.0", 1, 4),
];

/// What the file says of one version.
struct Chapter {
    sections: &'static [Section],
    text: String,
}

/// A line of a table.
struct Row<'text> {
    clause: &'text str,
    shown_by: &'text str,
}

/// How a statement is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Shown,
    Deviates,
    CannotApply,
    Open,
}

impl Chapter {
    /// 3.1.1, and 5.0.
    fn both() -> [Self; 2] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join("tests/conformance.md")).unwrap();
        let (before, of_5) = text.split_once("\n## MQTT 5.0\n").unwrap();
        let (_, of_3_1_1) = before.split_once("\n## MQTT 3.1.1\n").unwrap();
        [
            Self { sections: V3_1_1, text: of_3_1_1.to_owned() },
            Self { sections: V5, text: of_5.to_owned() },
        ]
    }

    fn statements(&self) -> BTreeSet<String> {
        let of_section =
            |&(name, first, last): &Section| (first..=last).map(move |n| format!("{name}-{n}"));
        self.sections.iter().flat_map(of_section).collect()
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let lines = self.text.lines().filter(|line| line.starts_with("| "));
        lines.skip(1).map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [clause, in_short, shown_by] = cells[..] else { panic!("three cells: {line}") };
            assert!(!in_short.is_empty(), "{clause} says nothing");
            Row { clause, shown_by }
        })
    }

    /// Of lines like `- 2.3.1: 2, 3`.
    fn for_clients_only(&self) -> impl Iterator<Item = String> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(": "));
        lines.flat_map(|(section, numbers)| {
            numbers.split(", ").map(move |number| format!("{section}-{number}"))
        })
    }
}

impl Row<'_> {
    fn proof(&self) -> Proof {
        if self.shown_by.contains("open") {
            Proof::Open
        } else if self.shown_by.starts_with("cannot apply: ") {
            Proof::CannotApply
        } else if self.shown_by.starts_with("deviates: ") {
            Proof::Deviates
        } else {
            Proof::Shown
        }
    }

    /// Words in backticks that can be names of functions.
    fn tests(&self) -> impl Iterator<Item = &str> {
        let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        self.shown_by.split('`').skip(1).step_by(2).filter(is_name)
    }
}

/// The tests of the project, with the number of functions of that name; ignored ones are none.
fn tests() -> BTreeMap<String, usize> {
    let mut tests = BTreeMap::new();
    for Source { text, .. } in ["src", "tests"].into_iter().flat_map(sources) {
        let mut attributes = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[") {
                attributes.push(line);
                continue;
            }
            let is_test = attributes.iter().any(|attribute| is_test(attribute));
            let is_ignored = attributes.iter().any(|attribute| attribute.starts_with("#[ignore"));
            if let Some(name) = function(line).filter(|_| is_test && !is_ignored) {
                *tests.entry(name.to_owned()).or_default() += 1;
            }
            attributes.clear();
        }
    }
    tests
}

fn is_test(attribute: &str) -> bool {
    attribute == "#[test]" || attribute.starts_with("#[tokio::test")
}

/// The name of the function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("fn ")?.split_once('(').map(|(name, _)| name)
}

#[test]
fn every_statement_of_the_standards_is_dealt_with_once() {
    for chapter in Chapter::both() {
        let told = chapter.rows().map(|row| row.clause.to_owned());
        let mut told: Vec<String> = told.chain(chapter.for_clients_only()).collect();
        let all = told.len();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), all, "a statement is told twice");
        let (told, statements) = (told.into_iter().collect(), chapter.statements());
        let missing: Vec<_> = statements.difference(&told).collect();
        let unknown: Vec<_> = told.difference(&statements).collect();
        assert!(missing.is_empty() && unknown.is_empty(), "not {missing:?}, but {unknown:?}");
    }
}

#[test]
fn every_statement_has_a_test_or_a_reason() {
    let tests = tests();
    for chapter in Chapter::both() {
        for row in chapter.rows() {
            let has_test = row.tests().next().is_some();
            let reason = row.shown_by.split_once(": ").map_or("", |(_, reason)| reason);
            match row.proof() {
                Proof::Shown => assert!(has_test, "{} names no test", row.clause),
                Proof::Deviates => assert!(has_test, "{} shows no deviation", row.clause),
                Proof::Open => continue,
                Proof::CannotApply => assert!(reason.len() > 10, "{}: why?", row.clause),
            }
            for name in row.tests() {
                let count = tests.get(name).copied().unwrap_or(0);
                assert_eq!(count, 1, "{}: tests named `{name}`", row.clause);
            }
        }
    }
}

#[test]
fn the_counts_of_the_statements_are_right() {
    for chapter in Chapter::both() {
        let count = |proof| chapter.rows().filter(|row| row.proof() == proof).count();
        let stated = format!(
            "\n{} statements: {} shown, {} deviates, {} cannot apply, {} for clients only, {} open.\n",
            chapter.statements().len(),
            count(Proof::Shown),
            count(Proof::Deviates),
            count(Proof::CannotApply),
            chapter.for_clients_only().count(),
            count(Proof::Open),
        );
        assert!(chapter.text.contains(&stated), "it is to say: {stated}");
    }
}
