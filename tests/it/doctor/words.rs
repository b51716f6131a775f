//! What is said, in both languages, held against the sources: no sentence without its other, no
//! value in one alone, no finding without a test and a place in the page of troubleshooting.

use std::collections::BTreeSet;

use crate::tidy::{Source, sources};

/// The sources of the subcommand, without their tests.
fn spoken() -> Vec<Source> {
    let is_it = |source: &Source| {
        (source.name == "cli/doctor.rs" || source.name.starts_with("cli/doctor/"))
            && !source.name.ends_with("tests.rs")
    };
    sources("src").into_iter().filter(is_it).collect()
}

/// The literals that begin at `text`, up to the bracket that closes it: with `\` at the end of a
/// line the text goes on behind the next one's spaces.
fn literals(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ')' => break,
            '"' => {
                let mut literal = String::new();
                while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                    match letter {
                        '\\' if letters.peek() == Some(&'\n') => {
                            while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
                        }
                        '\\' => literal.extend(letters.next()),
                        letter => literal.push(letter),
                    }
                }
                found.push(literal);
            }
            _ => {}
        }
    }
    found
}

/// What stands between `open` and `close`, in any order.
fn parts(text: &str, open: char, close: char) -> Vec<&str> {
    let behind = text.split(open).skip(1);
    let mut parts: Vec<_> = behind.filter_map(|it| it.split(close).next()).collect();
    parts.sort_unstable();
    parts
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    let mut parts: Vec<_> = text.split('`').skip(1).step_by(2).collect();
    parts.sort_unstable();
    parts
}

/// Numbers, with a comma or a dot inside as either language writes them.
fn numbers(text: &str) -> Vec<String> {
    let is_of_number = |letter: char| letter.is_ascii_digit() || ".,".contains(letter);
    let words =
        text.split(|letter| !is_of_number(letter)).map(|word| word.trim_matches(['.', ',']));
    let mut numbers: Vec<_> =
        words.filter(|it| !it.is_empty()).map(|it| it.replace(',', ".")).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn every_sentence_is_in_both_languages_with_the_same_values_paths_and_numbers() {
    let mut count = 0;
    for source in spoken() {
        for call in source.text.split("said!(").skip(1) {
            let literals = literals(call);
            let [english, french] = literals.as_slice() else {
                // Where the macro is made.
                assert_eq!(source.name, "cli/doctor/finding.rs", "{literals:?}");
                continue;
            };
            let at = format!("{}:\n{english}\n{french}", source.name);
            assert!(!english.trim().is_empty() && !french.trim().is_empty(), "{at}");
            // A sentence within a sentence is each in its own language.
            let same = french.replace("{french}", "{english}");
            assert_eq!(parts(english, '{', '}'), parts(&same, '{', '}'), "{at}");
            assert_eq!(quoted(english), quoted(french), "{at}");
            assert_eq!(numbers(english), numbers(french), "{at}");
            count += 1;
        }
    }
    assert!(count > 100, "{count}");
}

/// The names of all findings.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in spoken() {
        let is_new = |before: &str| !before.ends_with("::") && !before.ends_with("fn ");
        for kind in ["error(", "warning(", "note(", "new(", "weak(", "ending(("] {
            let calls = source.text.match_indices(kind);
            for (at, _) in calls {
                let (before, call) = source.text.split_at(at);
                let call = call[kind.len()..].trim_start();
                let is_ours = before.ends_with("Finding::") || is_new(before);
                let Some(name) = call.strip_prefix('"').filter(|_| is_ours) else { continue };
                names.extend(name.split('"').next().map(str::to_owned));
            }
        }
    }
    names.extend(["subscriber-certificate-ends".to_owned()]);
    names
}

#[test]
fn every_finding_is_planted_by_a_test_and_stands_in_the_page() {
    let names = names();
    assert!(names.len() >= 60, "{names:?}");
    let own = [
        include_str!("planted.rs"),
        include_str!("bundle.rs"),
        include_str!("../../../src/cli/doctor/tests.rs"),
        include_str!("../../../src/cli/doctor/clock.rs").split("#[cfg(test)]").nth(1).unwrap(),
    ];
    let page = std::fs::read_to_string("docs/troubleshooting.md").unwrap();
    for name in &names {
        let quoted = format!("\"{name}\"");
        assert!(own.iter().any(|text| text.contains(&quoted)), "no test plants `{name}`");
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not in docs/troubleshooting.md");
    }
}
