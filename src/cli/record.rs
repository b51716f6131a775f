//! `maison record`: what the buses say, to a file that can be attached to a report and replayed.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use super::exit;
use super::lines::{Event, Hear, Lines, only};
use super::output::Standard;
use super::recording::{Content, Entry, Header, Publisher, Recorded, VERSION, content};
use crate::config::Settings;
use crate::daemon::signals::Signals;
use crate::limits;

/// Record what the buses say, byte by byte, to a file for a report; `maison replay` reads it
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Where to; a file that is there already stays as it is
    file: PathBuf,
    /// Only the sensors of this room
    #[arg(long)]
    room: Option<String>,
    /// Stop after this long, as in `10m` [default: at Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Stop when the file has so many MiB
    #[arg(long, value_name = "MIB", default_value_t = limits::RECORD_MIB_DEFAULT,
          value_parser = clap::value_parser!(u64).range(1..=limits::RECORD_MIB_MAX))]
    max_size: u64,
    /// Print what a gateway would publish meanwhile
    #[arg(long)]
    print: bool,
    /// Print it as JSON, an object a line
    #[arg(long, requires = "print")]
    json: bool,
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Status 0, whoever ended it; 1 if the file cannot be written.
pub fn run(arguments: &Arguments) -> ExitCode {
    super::with_settings(arguments.config.as_deref(), |settings| {
        let settings = only(settings, arguments.room.as_deref())?;
        if settings.rooms.iter().all(|room| room.sensors.is_empty()) {
            super::complain("no sensor is configured: nothing to record");
            return Ok(exit::code(exit::FAILED));
        }
        super::block_on(async {
            let mut signals = Signals::listen()?;
            let asked = Arc::new(AtomicBool::new(false));
            let (arguments, is_asked) = (arguments.clone(), Arc::clone(&asked));
            let work = move || record(&arguments, &settings, &is_asked);
            let mut work = tokio::task::spawn_blocking(work);
            tokio::select! {
                done = &mut work => return done.context("the recorder panicked")?,
                _ = signals.next() => asked.store(true, Ordering::Relaxed),
            }
            work.await.context("the recorder panicked")?
        })?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Until it is asked to end, or the time is over, or the file is full.
fn record(arguments: &Arguments, settings: &Settings, is_asked: &AtomicBool) -> Result<()> {
    let mut file = RecordFile::create(&arguments.file, arguments.max_size)?;
    let lines = Lines::start(settings, Hear::All)?;
    file.write(&header(&lines, settings))?;
    let out: Box<dyn Write> =
        if arguments.print { Box::new(Standard) } else { Box::new(io::sink()) };
    let root = &settings.gateway.root;
    let (_, began) = lines.start;
    let mut publisher = Publisher::start(root, &lines.roster, began, arguments.json, out)?;
    let (started, mut progress) = (Instant::now(), Progress::new());
    // Of each bus: what is said has no time of its own.
    let mut last: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    let why = loop {
        if is_asked.load(Ordering::Relaxed) {
            break "interrupted";
        }
        if arguments.duration.is_some_and(|duration| started.elapsed() >= duration) {
            break "time is over";
        }
        if file.is_full() {
            break "file is full";
        }
        progress.show(&file, &publisher.counts)?;
        let Ok((bus, event)) = lines.heard.recv_timeout(limits::RECORD_POLL) else { continue };
        let last = last.entry(Arc::clone(&bus)).or_insert(lines.start.0.as_micros());
        let content = match &event {
            Event::Said(said) => Content::Said(said.clone()),
            Event::Told(told) => {
                *last = told.now.as_micros();
                content(told)
            }
        };
        let t = *last;
        file.write(&Entry { t, bus: bus.to_string(), content })?;
        if let Event::Told(told) = event {
            publisher.tell(&told)?;
        }
    };
    let t = last.into_values().max().unwrap_or_default();
    file.write(&Entry { t, bus: String::new(), content: Content::End(why.to_owned()) })?;
    file.finish()?;
    progress.end()?;
    let [readings, faults, _] = publisher.counts;
    let (path, bytes) = (arguments.file.display(), file.bytes);
    eprintln!("recorded: {readings} readings, {faults} faults, {bytes} bytes in `{path}`: {why}");
    Ok(())
}

fn header(lines: &Lines, settings: &Settings) -> Header {
    let recorded = |(name, seed, sensors): &(String, u64, Vec<crate::sampling::SensorId>)| {
        let sensors = sensors.iter().map(|sensor| sensor.0).collect();
        Recorded { name: name.clone(), seed: *seed, sensors }
    };
    let (now, at) = lines.start;
    Header {
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        t: now.as_micros(),
        wall: at.unix_ms(),
        root: settings.gateway.root.clone(),
        rooms: settings.rooms_to_toml(),
        buses: lines.buses.iter().map(recorded).collect(),
    }
}

/// A file that grows by whole lines up to a bound.
struct RecordFile {
    out: BufWriter<std::fs::File>,
    path: PathBuf,
    bytes: u64,
    bytes_max: u64,
}

impl RecordFile {
    fn create(path: &Path, mib: u64) -> Result<Self> {
        let open = OpenOptions::new().write(true).create_new(true).open(path);
        let file = open.with_context(|| format!("cannot make `{}`", path.display()))?;
        let bytes_max = mib.saturating_mul(1024 * 1024);
        Ok(Self { out: BufWriter::new(file), path: path.to_owned(), bytes: 0, bytes_max })
    }

    fn write(&mut self, line: &impl serde::Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.bytes += u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.out.write_all(&text).with_context(|| self.cannot())
    }

    /// A line more might not fit.
    const fn is_full(&self) -> bool {
        self.bytes.saturating_add(limits::RECORD_LINE_BYTES) > self.bytes_max
    }

    fn finish(&mut self) -> Result<()> {
        self.out.flush().and_then(|()| self.out.get_ref().sync_all()).with_context(|| self.cannot())
    }

    fn cannot(&self) -> String {
        format!("cannot write `{}`", self.path.display())
    }
}

/// A line on a terminal that says how far it is.
struct Progress {
    is_terminal: bool,
    shown: Instant,
}

impl Progress {
    fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), shown: Instant::now() }
    }

    fn show(&mut self, file: &RecordFile, [readings, faults, _]: &[usize; 3]) -> io::Result<()> {
        if !self.is_terminal || self.shown.elapsed() < Duration::from_secs(1) {
            return Ok(());
        }
        self.shown = Instant::now();
        let kib = file.bytes / 1024;
        let mut out = io::stderr().lock();
        write!(out, "\r{readings} readings, {faults} faults, {kib} KiB (Ctrl-C ends) ")?;
        out.flush()
    }

    fn end(&self) -> io::Result<()> {
        if self.is_terminal { writeln!(io::stderr()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_ends_with_a_whole_line_below_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rec");
        let mut file = RecordFile::create(&path, 1).unwrap();
        let line = "x".repeat(20_000);
        while !file.is_full() {
            file.write(&line).unwrap();
        }
        file.write(&"end").unwrap();
        file.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("\n\"end\"\n"));
        assert!((1_000_000..=1_048_576).contains(&text.len()), "{}", text.len());
        assert_eq!(u64::try_from(text.len()), Ok(file.bytes));
    }
}
