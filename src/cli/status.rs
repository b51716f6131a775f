//! `maison status`: how the gateway that runs is, what asks for attention first.

mod table;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use crossterm::{cursor, execute, terminal};

use super::exit;
use super::gateway::{Running, Unanswered, unexpected};
use crate::daemon::control::{Answer, Request};
use crate::daemon::status::Status;
pub(super) use table::Style;

/// Show how the running gateway is: warnings, rooms, listeners, clients, queues, store,
/// certificates
#[derive(Args, Debug)]
pub struct Arguments {
    /// Configuration file of the gateway [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// As a JSON object
    #[arg(long)]
    json: bool,
    /// Show it again and again until Ctrl-C; with `--json`, an object a line
    #[arg(long)]
    watch: bool,
    /// From one look to the next
    #[arg(long, value_name = "TIME", default_value = "2s", requires = "watch",
          value_parser = humantime::parse_duration)]
    every: Duration,
}

/// Status 0 if it answers, whatever it says; 69 if none is running, 78 if its configuration is
/// wrong as well, 77 if it may not be asked.
pub fn run(arguments: &Arguments) -> ExitCode {
    let running = Running::whatever(arguments.config.as_deref());
    if arguments.watch {
        return watch(&running, arguments);
    }
    match ask(&running) {
        Ok(Ok(status)) => written(show(&status, arguments, Style::of_output()).as_bytes()),
        Ok(Err(other)) => unexpected(&other),
        Err(unanswered) => unanswered.told(),
    }
}

fn ask(running: &Running) -> Result<Result<Box<Status>, Answer>, Unanswered> {
    running.ask(Request::Status {}).map(|answer| match answer {
        Answer::Status { status } => Ok(status),
        other => Err(other),
    })
}

fn show(status: &Status, arguments: &Arguments, style: Style) -> String {
    if arguments.json {
        // It came as JSON, so it can be written as such.
        return serde_json::to_string(status).unwrap_or_default() + "\n";
    }
    table::of(status, style)
}

/// A gateway that goes away may come back: only Ctrl-C ends this.
fn watch(running: &Running, arguments: &Arguments) -> ExitCode {
    let mut out = io::stdout();
    let redraws = out.is_terminal() && !arguments.json;
    loop {
        let text = match ask(running) {
            Ok(Ok(status)) => show(&status, arguments, Style::of_output()),
            Ok(Err(other)) => return unexpected(&other),
            Err(unanswered) if arguments.json => {
                super::complain(unanswered.words);
                String::new()
            }
            Err(unanswered) => format!("{}\n", unanswered.words),
        };
        let home = terminal::Clear(terminal::ClearType::All);
        let drawn = if redraws { execute!(out, home, cursor::MoveTo(0, 0)) } else { Ok(()) };
        let gap = if redraws || arguments.json { "" } else { "\n" };
        // Who looks has gone: `head`, for one.
        if drawn.and_then(|()| write!(out, "{text}{gap}")).and_then(|()| out.flush()).is_err() {
            return ExitCode::SUCCESS;
        }
        std::thread::sleep(arguments.every);
    }
}

fn written(text: &[u8]) -> ExitCode {
    match io::stdout().lock().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => exit::code(exit::FAILED),
    }
}
