//! Instructions of fixed workloads, counted by `valgrind --tool=callgrind` and held against a
//! baseline. Counts do not depend on how busy a machine is.
//!
//! ```text
//! brain [--write]     counts all and compares; or writes the baseline anew
//! brain WORKLOAD      does one
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use brain::workloads::{Done, WORKLOADS, Work, Workload};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");
/// Per cent. Runs of one binary differ by less than 0.02, of what maps with drawn seeds do; the
/// C library copies memory in another way on another processor, which is most of what is let pass.
const TOLERANCE: f64 = 3.0;
/// With another compiler than the baseline's: what that inlines is not ours to mend, and what costs
/// more than this is looked at, whosever it is.
const TOLERANCE_OTHER: f64 = 15.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        None => compare(),
        Some("--write") => write(),
        Some(name) => work(name),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(name: &str) -> Result<()> {
    let workload = WORKLOADS.iter().find(|it| it.name == name);
    let workload = workload.with_context(|| format!("no such workload: `{name}`"))?;
    let Done { done, .. } = &measured((workload.prepare)());
    ensure!(*done >= workload.operations, "only {done} of {} were done", workload.operations);
    Ok(())
}

/// What is counted: from the entry of this function to its end.
#[inline(never)]
fn measured(work: Work) -> Done {
    black_box(work())
}

/// Instructions of one operation.
fn count(workload: &Workload) -> Result<f64> {
    let valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=brain::measured")
        .arg(std::env::current_exe()?)
        .arg(workload.name)
        .output()
        .context("cannot run valgrind")?;
    let said = String::from_utf8_lossy(&valgrind.stderr);
    ensure!(valgrind.status.success(), "{}: {said}", workload.name);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.with_context(|| format!("no count: {said}"))?;
    let count: f64 = count.trim().parse()?;
    ensure!(count > 0.0, "{}: nothing was counted", workload.name);
    Ok(count / workload.operations as f64)
}

/// What counts depend on beside the sources.
fn compiler() -> Result<String> {
    let said = Command::new("rustc").arg("--version").output().context("cannot run rustc")?;
    let version = String::from_utf8(said.stdout)?;
    let number = version.split(' ').nth(1).context("rustc has no version")?;
    Ok(format!("rustc {number} {}", std::env::consts::ARCH))
}

fn write() -> Result<()> {
    let mut text = format!("{}\n", compiler()?);
    for workload in WORKLOADS {
        writeln!(text, "{} {:.1}", workload.name, count(workload)?)?;
    }
    print!("{text}");
    Ok(fs::write(BASELINE, text)?)
}

fn compare() -> Result<()> {
    let text = fs::read_to_string(BASELINE).context(BASELINE)?;
    let (theirs, lines) = text.split_once('\n').context("the baseline is empty")?;
    let ours = compiler()?;
    if !theirs.ends_with(std::env::consts::ARCH) {
        println!("the baseline is of {theirs}: nothing to compare with on {ours}");
        return Ok(());
    }
    let tolerance = if theirs == ours { TOLERANCE } else { TOLERANCE_OTHER };
    let baseline: BTreeMap<&str, &str> =
        lines.lines().filter_map(|it| it.split_once(' ')).collect();
    println!("{:14}{:>12}{:>12}{:>9}   instructions each, {ours}", "", "baseline", "now", "%");
    let mut worse = Vec::new();
    for workload in WORKLOADS {
        let name = workload.name;
        let before = baseline.get(name).with_context(|| format!("{BASELINE} has no `{name}`"))?;
        let (before, now): (f64, f64) = (before.parse()?, count(workload)?);
        let change = (now / before - 1.0) * 100.0;
        println!("{name:14}{before:12.1}{now:12.1}{change:+9.1}");
        if change > tolerance {
            worse.push(name);
        }
    }
    if !worse.is_empty() {
        bail!(
            "more than {tolerance} % above the baseline: {}\n  \
             hint: if it is meant, `benches/count --write` writes the baseline anew",
            worse.join(", ")
        );
    }
    Ok(())
}
