//! `docs/configuration.md`: every key, in the words of the check.

use std::fmt::Write;
use std::fs;

use maison::config::manual;

const PAGE: &str = "docs/configuration.md";

/// What stands before the tables.
const HEAD: &str = include_str!("page.md");

fn page() -> String {
    let mut text = HEAD.to_owned();
    for chapter in manual() {
        let title = match chapter.title.split_once('[') {
            None => chapter.title.clone(),
            Some((before, table)) => format!("{before}`[{table}`"),
        };
        write!(text, "\n## {title}\n").unwrap();
        if !chapter.about.is_empty() {
            write!(text, "\n{}\n", chapter.about).unwrap();
        }
        text.push('\n');
        for (key, manual) in chapter.keys {
            writeln!(text, "- `{key}`: {manual}").unwrap();
        }
    }
    text
}

/// With `MAISON_PAGES=write` it is made so.
#[test]
fn the_configuration_page_has_every_key_in_the_words_of_the_check() {
    let made = page();
    if std::env::var_os("MAISON_PAGES").is_some_and(|it| it == "write") {
        fs::write(PAGE, &made).unwrap();
    }
    let found = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(found == made, "{PAGE} is not what was made: MAISON_PAGES=write makes it so");
    let count = made.lines().filter(|line| line.starts_with("- `")).count();
    assert!(count > 90, "{count}");
}
