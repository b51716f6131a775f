//! `maison record`: what the buses say, to a file that can be attached to a report and replayed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::exit;
use super::lines::{Event, Hear, Lines, Sensors};
use super::recording::{Content, Entry, Header, Publisher, Recorded, VERSION, content};
use crate::config::Settings;
use crate::daemon::signals::Signals;
use crate::limits;
use crate::printable::printable;

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
    #[command(flatten)]
    sensors: Sensors,
}

/// Status 0, whoever ended it; 1 if the file cannot be written.
pub fn run(arguments: &Arguments) -> ExitCode {
    arguments.sensors.with(arguments.room.as_deref(), |settings| {
        let settings = settings.clone();
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
            // Who asks twice does not wait for a reader or a disk that takes nothing more.
            tokio::select! {
                done = &mut work => done.context("the recorder panicked")?,
                again = signals.next() => {
                    super::complain("interrupted again: the end of the record may be missing");
                    process::exit(exit::asked(again).into());
                }
            }
        })?;
        Ok(ExitCode::SUCCESS)
    })
}

/// Until it is asked to end, or the time is over, or the file is full.
fn record(arguments: &Arguments, settings: &Settings, is_asked: &AtomicBool) -> Result<()> {
    let mut file = RecordFile::create(&arguments.file, arguments.max_size)?;
    let lines = Lines::start(settings, arguments.sensors.speed(), Hear::All)?;
    file.write(&header(&lines, settings))?;
    ensure!(!file.is_full, "the configuration alone is more than `--max-size`");
    let is_left = Rc::new(Cell::new(false));
    let out: Box<dyn Write> = if arguments.print {
        Box::new(Audience(Rc::clone(&is_left)))
    } else {
        Box::new(io::sink())
    };
    let root = &settings.gateway.root;
    let mut publisher = Publisher::start(root, &lines.roster, lines.start.1, arguments.json, out)?;
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
        if file.is_full {
            break "file is full";
        }
        if is_left.get() {
            break "nobody reads what is printed";
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
        if let (false, Event::Told(told)) = (file.is_full, event) {
            publisher.tell(&told)?;
        }
    };
    let t = last.into_values().max().unwrap_or_default();
    file.end(&Entry { t, bus: String::new(), content: Content::End(why.to_owned()) })?;
    progress.end()?;
    let [readings, faults, _] = publisher.counts;
    let (path, bytes) = (printable(&arguments.file.display().to_string()), file.bytes);
    eprintln!("recorded: {readings} readings, {faults} faults, {bytes} bytes in `{path}`: {why}");
    Ok(())
}

/// Standard output for as long as somebody reads it. Who goes away, as `head` does, must not cost
/// the end of the record.
struct Audience(Rc<Cell<bool>>);

impl Audience {
    fn unless_left<T>(&self, done: io::Result<T>, otherwise: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.0.set(true);
                Ok(otherwise)
            }
            done => done,
        }
    }
}

impl Write for Audience {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_left(io::stdout().write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_left(io::stdout().flush(), ())
    }
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

/// A file that grows by whole lines up to a bound, with room for the one that ends it.
struct RecordFile {
    out: BufWriter<std::fs::File>,
    path: PathBuf,
    bytes: u64,
    bytes_max: u64,
    /// A line did not fit, and is not in it.
    is_full: bool,
}

impl RecordFile {
    fn create(path: &Path, mib: u64) -> Result<Self> {
        let open = OpenOptions::new().write(true).create_new(true).open(path);
        let file = open.with_context(|| format!("cannot make `{}`", path.display()))?;
        let (out, path) = (BufWriter::new(file), path.to_owned());
        let bytes_max = mib.saturating_mul(1024 * 1024);
        Ok(Self { out, path, bytes: 0, bytes_max, is_full: false })
    }

    fn write(&mut self, line: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_vec(line)?;
        let bytes = self.bytes.saturating_add(u64::try_from(text.len())? + 1);
        self.is_full |= bytes.saturating_add(limits::RECORD_END_BYTES) > self.bytes_max;
        if self.is_full { Ok(()) } else { self.put(&text, bytes) }
    }

    fn put(&mut self, text: &[u8], bytes: u64) -> Result<()> {
        self.bytes = bytes;
        let written = self.out.write_all(text).and_then(|()| self.out.write_all(b"\n"));
        written.with_context(|| self.cannot())
    }

    fn end(&mut self, line: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_vec(line)?;
        self.put(&text, self.bytes.saturating_add(u64::try_from(text.len())? + 1))?;
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
        let line = format!("{readings} readings, {faults} faults, {kib} KiB (Ctrl-C ends) ");
        // A line that is wrapped is not written over.
        let columns = crossterm::terminal::size().map_or(80, |(columns, _)| columns);
        let line: String = line.chars().take(usize::from(columns.saturating_sub(1))).collect();
        let mut out = io::stderr().lock();
        write!(out, "\r{line}")?;
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
        for line in ["x".repeat(20_000), "x".repeat(5_000_000), String::new()] {
            let path = folder.path().join(line.len().to_string());
            let mut file = RecordFile::create(&path, 1).unwrap();
            while !file.is_full {
                file.write(&line).unwrap();
            }
            file.end(&Content::End("nobody reads what is printed".to_owned())).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.ends_with("{\"end\":\"nobody reads what is printed\"}\n"));
            assert!(text.len() <= 1_048_576, "{}", text.len());
            assert!(text.len() + line.len() > 1_048_000, "{}", text.len());
            assert_eq!(u64::try_from(text.len()), Ok(file.bytes));
        }
    }
}
