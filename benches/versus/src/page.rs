//! The page that shows one whole run: what is between its marks is written anew.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::growth::{self, AXES};
use crate::plot;
use crate::report::Report;
use crate::setup::of_mosquitto;

const PAGE: &str = "docs/benchmarks.md";
const PLOTS: &str = "docs/benchmarks";

/// All that one run has found.
pub struct Found {
    pub scenarios: Report,
    pub growth: Report,
    pub rest: String,
}

/// Writes it, with its plots.
pub fn write(found: &Found, maison: &Path, rounds: usize, seconds: f64) -> Result<()> {
    let folder = Path::new(PLOTS);
    fs::create_dir_all(folder)?;
    fs::write(folder.join("ratios.svg"), plot::ratios(&found.scenarios))?;
    for axis in AXES {
        let file = folder.join(format!("{}.svg", axis.name));
        fs::write(file, plot::growth(&found.growth, axis))?;
    }
    let machine = machine(maison, rounds, seconds)?;
    let parts = [
        ("machine", machine),
        ("scenarios", found.scenarios.table()),
        ("rest", found.rest.clone()),
        ("exponents", growth::exponents(&found.growth)),
        ("growth", found.growth.table()),
    ];
    let mut text = fs::read_to_string(PAGE).with_context(|| PAGE.to_owned())?;
    for (name, part) in parts {
        text = replaced(&text, name, &part)?;
    }
    Ok(fs::write(PAGE, text)?)
}

/// What stands between the marks of that name is now `part`.
fn replaced(text: &str, name: &str, part: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let missing = || format!("{PAGE}: no marks `{}` and `{end}`", begin.trim_end());
    let (before, rest) = text.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}{part}{end}{after}"))
}

fn machine(maison: &Path, rounds: usize, seconds: f64) -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let named = processors.lines().find(|line| line.starts_with("model name"));
    let name = named.and_then(|line| line.split(": ").nth(1)).unwrap_or("no name");
    let cores = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').nth(2).unwrap_or("?");
    let version = |program: &mut Command| -> Result<String> {
        let text = String::from_utf8(program.output()?.stdout)?;
        Ok(text.lines().next().unwrap_or("?").to_owned())
    };
    let ours = version(Command::new(maison).arg("--version"))?;
    let theirs = version(of_mosquitto("sbin/mosquitto")?.arg("-h"))?;
    Ok(format!(
        "{cores} cores of {name} ({arch}), Linux {kernel}; {ours}, {theirs}, rumqttd 0.20; \
         {rounds} rounds of {seconds} s; load over the last 15 minutes {load}.\n",
        arch = std::env::consts::ARCH,
        kernel = kernel.trim(),
    ))
}
