//! The pages of `hardware/`: what every one of them has, and what in them is written by tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use maison::sensors::Fault;
use maison::sensors::catalog::Driver;
use maison::sim::air::Air;

use super::bench::{Bench, drivers};
use super::mishaps;

/// Several tests write into one page.
static WRITING: Mutex<()> = Mutex::new(());

/// A file of `hardware/`.
pub(super) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hardware").join(name).with_extension("md")
}

/// What it says.
pub(super) fn page(name: &str) -> String {
    let path = path(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a page below `heading`, from the first that begins with `begin` to the next that
/// does not belong, must be these; with `MAISON_PAGES=write` they are made so.
#[track_caller]
pub(super) fn check_block(name: &str, heading: &str, block: &Block) {
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = page(name);
    let found =
        text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("{name}: no `{heading}`"));
    let (before, after) = text.split_at(found);
    let start =
        after.find(block.opening).unwrap_or_else(|| panic!("{name}: no block")) + before.len();
    let rest = &text[start + block.opening.len()..];
    let end = start
        + block.opening.len()
        + block.closing.map_or_else(|| table_end(rest), |it| rest.find(it).unwrap());
    let wanted = format!("{}{}", block.opening, block.text);
    if text[start..end] == wanted {
        return;
    }
    assert!(
        is_to_be_written(),
        "{name}, `{heading}`: found\n{}\nand not\n{wanted}\nMAISON_PAGES=write changes it",
        &text[start..end],
    );
    // Renamed into its place, because others read it meanwhile.
    let draft = path(name).with_extension("draft");
    fs::write(&draft, format!("{}{wanted}{}", &text[..start], &text[end..])).unwrap();
    fs::rename(draft, path(name)).unwrap();
}

/// A file of `hardware/` that a test writes as a whole.
#[track_caller]
pub(super) fn check_file(name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("hardware").join(name);
    if fs::read_to_string(&path).is_ok_and(|found| found == wanted) {
        return;
    }
    assert!(is_to_be_written(), "{name} is not what was made: MAISON_PAGES=write makes it so");
    fs::write(path, wanted).unwrap();
}

fn is_to_be_written() -> bool {
    std::env::var_os("MAISON_PAGES").is_some_and(|it| it == "write")
}

/// A part of a page that a test writes.
pub(super) struct Block {
    /// What it begins with.
    opening: &'static str,
    /// What comes behind it; `None`: what is no row of a table.
    closing: Option<&'static str>,
    /// What stands between.
    text: String,
}

impl Block {
    /// The rows of the table whose head this is.
    pub(super) fn table(head: &'static str, rows: &[String]) -> Self {
        Self { opening: head, closing: None, text: in_lines(rows) }
    }

    /// A fenced text.
    pub(super) fn fenced(lines: &[String]) -> Self {
        Self { opening: "```text\n", closing: Some("```"), text: in_lines(lines) }
    }
}

fn in_lines(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn table_end(rest: &str) -> usize {
    rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum()
}

/// The first reading after the start and the one after that, at 25 °C, 50 % and 1013.25 hPa.
fn transcript(driver: Driver) -> Vec<String> {
    let mut bench = Bench::of(driver);
    bench.expose(Air::default());
    bench.wires.record();
    bench.read().unwrap();
    let first = bench.wires.transcript();
    bench.wires.record();
    bench.read().unwrap();
    let next = bench.wires.transcript();
    if first == next {
        return first;
    }
    first.into_iter().chain([String::new()]).chain(next).collect()
}

#[test]
fn every_page_shows_what_is_said_on_the_bus() {
    for driver in drivers() {
        let lines = transcript(driver);
        check_block(driver.facts().name, "## On the bus", &Block::fenced(&lines));
    }
}

#[test]
fn every_page_names_what_goes_wrong() {
    for (driver, findings) in mishaps::findings() {
        let rows: Vec<_> = findings
            .iter()
            .map(|(what, names)| format!("| {what} | {} |", names.listed()))
            .collect();
        let block = Block::table("| what happens | fault |\n|---|---|\n", &rows);
        check_block(driver.facts().name, "## What goes wrong", &block);
    }
}

#[test]
fn every_chip_has_its_page_with_sample_line_and_addresses() {
    for driver in Driver::ALL {
        let facts = driver.facts();
        let page = page(facts.name);
        assert!(page.contains(&format!("driver = \"{}\"", facts.name)), "{driver:?}");
        for address in facts.addresses {
            assert!(page.contains(&format!("{address:#04x}")), "{driver:?} {address:#04x}");
        }
        for part in facts.parts.split(", ") {
            assert!(page.contains(part), "{driver:?}: {part}");
        }
        if !matches!(facts.origin, "ours" | "the kernel's") {
            let name = facts.origin.split(' ').next().unwrap();
            assert!(page.contains(&format!("`{name}`")), "{driver:?}: {name}");
        }
    }
}

/// The names of [`Fault`] that an operator can meet, each with what to look at.
#[test]
fn every_fault_of_the_index_is_one_that_is_reported() {
    let index = page("README");
    let (_, section) = index.split_once("## What the faults mean").unwrap();
    let (table, _) = section.split_once("\n\nA status may also name").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let named: BTreeSet<&str> =
        rows.flat_map(|cell| cell.split(", ")).map(|name| name.trim_matches('`')).collect();
    let reported: BTreeSet<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
    assert_eq!(named, reported);
}
