//! What a release says of itself, held against what it is.

use std::process::Command;

use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const RUST: &str = env!("CARGO_PKG_RUST_VERSION");

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `1.89` or `1.89.0` as numbers.
fn numbers(version: &str) -> Vec<u32> {
    let mut numbers: Vec<_> = version.split('.').map(|part| part.parse().unwrap()).collect();
    numbers.resize(3, 0);
    numbers
}

/// Who has that Rust must be able to build it; `cargo` refuses at the first dependency else.
#[test]
fn no_dependency_wants_a_newer_rust_than_we_say() {
    let mut cargo = Command::new(env!("CARGO"));
    let said = output(cargo.args(["metadata", "--format-version=1", "--locked", "--offline"]));
    let metadata: Value = serde_json::from_str(&said).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages {
        let Some(wanted) = package["rust_version"].as_str() else { continue };
        assert!(numbers(wanted) <= numbers(RUST), "{} wants {wanted}", package["name"]);
    }
}

/// Debian's changelog is made of ours, and `dpkg` reads it; its newest entry has the version of
/// `Cargo.toml`, which is the only place where it stands.
#[test]
fn the_changelog_of_the_package_is_ours_and_has_our_version() {
    let script = "SOURCE_DATE_EPOCH=86400 packaging/changelog | dpkg-parsechangelog --file -";
    let said = output(Command::new("bash").args(["-o", "pipefail", "-c", script]));
    let field = |name: &str| {
        let start = format!("{name}: ");
        let line = said.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name}: {said}")).to_owned()
    };
    assert_eq!(field("Source"), "maison");
    assert_eq!(field("Version"), format!("{VERSION}-1"));
    assert!(said.contains("The house stands"), "{said}");
    let ours = std::fs::read_to_string("CHANGELOG.md").unwrap();
    let points = ours.lines().filter(|line| line.starts_with("- ")).count();
    let theirs = said.lines().filter(|line| line.starts_with("   * ")).count();
    assert_eq!(points, theirs);
}
