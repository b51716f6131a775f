//! `maison doctor`: each trouble is planted for the real binary and found with its remedy, in
//! English and in French; where nothing is wrong nothing is said.

mod bundle;
mod planted;
mod words;

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::gateway::binary;

/// What it says in JSON, in the language of `locale`, and how it ends.
fn examined_in(locale: &str, config: &Path) -> (Value, Option<i32>) {
    let output = run(locale, config, &["--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    (serde_json::from_str(&text).unwrap(), output.status.code())
}

fn run(locale: &str, config: &Path, rest: &[&str]) -> Output {
    let mut command = binary();
    command.arg("doctor").arg("--config").arg(config).args(rest);
    command.env_remove("LC_MESSAGES").env("LC_ALL", locale).env("NO_COLOR", "1");
    command.output().unwrap()
}

fn examined(config: &Path) -> Value {
    examined_in("C", config).0
}

fn findings(report: &Value) -> &[Value] {
    report["findings"].as_array().unwrap()
}

/// The only finding of that name.
#[track_caller]
fn finding<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut these = findings(report).iter().filter(|finding| finding["name"] == name);
    let found = these.next().unwrap_or_else(|| panic!("no `{name}` in {report:#}"));
    assert!(these.next().is_none(), "`{name}` twice in {report:#}");
    found
}

#[track_caller]
fn absent(report: &Value, name: &str) {
    assert!(findings(report).iter().all(|finding| finding["name"] != name), "{report:#}");
}
