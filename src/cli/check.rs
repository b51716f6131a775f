//! `maison check`: whether the configuration can be used, and all that is wrong with it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::exit;
use crate::config::{Mistake, Report, Settings};
use crate::daemon::Findings;
use crate::daemon::settings::{DEFAULT_PATH, LoadError, load};

/// Check the configuration and say all that is wrong with it
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The file to check, together with the `conf.d/*.toml` next to it
    /// [default: /etc/maison/maison.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Answer in JSON: `{"ok": true, …}`, or `{"ok": false, "mistakes": […]}`
    #[arg(long, conflicts_with = "print_effective")]
    pub json: bool,

    /// Print the configuration as it is understood, with every default
    #[arg(long)]
    pub print_effective: bool,
}

/// Answers on standard output, complains on standard error; JSON goes to standard output in either
/// case. Status 0 or 78.
pub fn run(arguments: &Arguments) -> ExitCode {
    let loaded = load(arguments.config.as_deref());
    let found = loaded.as_ref().map(Findings::of).unwrap_or_default();
    let loaded = loaded.and_then(|settings| match faulty(arguments, &found.faults) {
        Some(error) => Err(error),
        None => Ok(settings),
    });
    if !arguments.json {
        found.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    }
    match (&loaded, arguments.json) {
        (Ok(settings), true) => {
            println!("{}", summary_json(settings, &found.warnings));
        }
        (Ok(settings), false) if arguments.print_effective => print!("{}", settings.to_toml()),
        (Ok(settings), false) => println!("{}", summary(settings)),
        (Err(error), true) => println!("{}", error_json(error)),
        (Err(error), false) => eprintln!("{error}"),
    }
    if loaded.is_ok() { ExitCode::SUCCESS } else { exit::code(exit::CONFIGURATION) }
}

/// What is wrong with files that the configuration names.
fn faulty(arguments: &Arguments, faults: &[String]) -> Option<LoadError> {
    let path = arguments.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH));
    let mistakes = faults.iter().map(|fault| {
        let (what, hint) = fault.split_once("\n  hint: ").unwrap_or((fault, ""));
        let hint = Some(hint.to_owned()).filter(|hint| !hint.is_empty());
        let file = path.display().to_string();
        Mistake { file, position: None, what: what.to_owned(), value: None, hint }
    });
    let mistakes: Vec<_> = mistakes.collect();
    (!mistakes.is_empty()).then(|| LoadError::Wrong(Report::new(mistakes)))
}

/// Rooms, sensors and listeners.
fn counts(settings: &Settings) -> [usize; 3] {
    let sensors = settings.rooms.iter().map(|room| room.sensors.len()).sum();
    [settings.rooms.len(), sensors, settings.listeners.len()]
}

fn summary(settings: &Settings) -> String {
    let [rooms, sensors, listeners] = counts(settings);
    let count = |number: usize, noun: &str| match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    let (rooms, sensors) = (count(rooms, "room"), count(sensors, "sensor"));
    format!("ok: {rooms}, {sensors}, {}", count(listeners, "listener"))
}

fn summary_json(settings: &Settings, warnings: &[String]) -> serde_json::Value {
    let [rooms, sensors, listeners] = counts(settings);
    json!({ "ok": true, "rooms": rooms, "sensors": sensors, "listeners": listeners,
        "warnings": warnings })
}

fn error_json(error: &LoadError) -> serde_json::Value {
    json!({ "ok": false, "mistakes": error.report().mistakes() })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config;

    #[test]
    fn the_summary_counts_in_singular_and_plural() {
        let mut settings = Settings::default();
        assert_eq!(summary(&settings), "ok: 0 rooms, 0 sensors, 2 listeners");
        let salon = config::Source { path: "a.toml".into(), text: "[rooms.salon]".into() };
        settings.rooms = config::parse(&[salon]).unwrap().rooms;
        settings.listeners.pop();
        assert_eq!(summary(&settings), "ok: 1 room, 0 sensors, 1 listener");
        assert_eq!(
            summary_json(&settings, &[]).to_string(),
            r#"{"listeners":1,"ok":true,"rooms":1,"sensors":0,"warnings":[]}"#
        );
    }

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn json_and_toml_are_not_asked_for_at_once() {
        let parse = |line: &str| Command::try_parse_from(line.split(' '));
        let json = parse("check --config x.toml --json").unwrap().arguments;
        assert_eq!((json.config, json.json), (Some("x.toml".into()), true));
        assert!(parse("check --json --print-effective").is_err());
    }

    #[test]
    fn an_absent_file_ends_with_the_status_for_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let config = Some(folder.path().join("none.toml"));
        let arguments = Arguments { config: config.clone(), json: true, print_effective: false };
        assert_eq!(run(&arguments), exit::code(exit::CONFIGURATION));
        let error = load(config.as_deref()).unwrap_err();
        assert_eq!(error_json(&error)["mistakes"][0]["what"], "no such file");
    }
}
