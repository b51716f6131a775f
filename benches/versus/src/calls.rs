//! System calls of a broker, counted by `perf`, or by `strace` where there is no perf; not at all
//! where there is neither. strace makes each call slow, so that a broker finds more to do at once.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// Until a counter has attached itself to all threads.
const ATTACH: Duration = Duration::from_millis(300);

/// Calls that a process makes while `work` is done.
pub fn count<T>(process: u32, work: impl FnOnce() -> Result<T>) -> Result<Option<(f64, T)>> {
    let file = tempfile::NamedTempFile::new()?;
    let path = file.path().to_str().context("no name")?;
    let process = process.to_string();
    let perf = ["stat", "-x,", "-o", path, "-e", "raw_syscalls:sys_enter", "-p", &process];
    let strace = ["-q", "-c", "-f", "-U", "calls,name", "-o", path, "-p", &process];
    let Some(mut counter) = attach("perf", &perf).or_else(|| attach("strace", &strace)) else {
        return Ok(None);
    };
    let done = work()?;
    let id = Pid::from_raw(i32::try_from(counter.id())?).context("no id")?;
    kill_process(id, Signal::INT)?;
    counter.wait()?;
    Ok(calls(&fs::read_to_string(path)?).map(|calls| (calls, done)))
}

/// A counter at work; none where it cannot be.
fn attach(program: &str, arguments: &[&str]) -> Option<Child> {
    let silent = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut counter = silent.ok()?;
    sleep(ATTACH);
    counter.try_wait().ok()?.is_none().then_some(counter)
}

/// `12,,raw_syscalls:sys_enter,…` of perf; `12 total` of strace.
fn calls(text: &str) -> Option<f64> {
    let counted = |line: &str| line.contains("sys_enter") || line.trim_end().ends_with("total");
    let line = text.lines().find(|line| counted(line))?;
    line.trim_start().split([',', ' ']).next()?.parse().ok()
}
