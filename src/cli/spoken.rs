//! What is said on a bus, in words for people.

use std::fmt::Write;

use crate::bus::tap::{FileStep, Said, Step, Trouble};
use crate::printable::printable;

/// Most that is shown of what was seen of a pin.
const LOOKS_SHOWN: usize = 200;

/// One line. Files say what they like: nothing of it moves a cursor.
pub(super) fn spoken(said: &Said) -> String {
    printable(&words(said))
}

fn words(said: &Said) -> String {
    match said {
        Said::Opened => "opened".to_owned(),
        Said::Refused(name) => format!("cannot be opened: {}", name.0),
        Said::Busy => "held by another process".to_owned(),
        Said::I2c { at, steps, failed } => {
            let mut line = format!("{at:#04x}");
            append(&mut line, steps);
            if let Some(failed) = failed {
                append_text(&mut line, &format!(": {failed}"));
            }
            line
        }
        Said::Spi { steps, failed } => {
            let mut line = "spi".to_owned();
            append(&mut line, steps);
            if let Some(failed) = failed {
                append_text(&mut line, &format!(": {failed}"));
            }
            line
        }
        Said::File(step) => file(step),
        Said::Looks(looks) => {
            let text = String::from(looks.clone());
            match text.get(..LOOKS_SHOWN) {
                Some(begin) => format!("pin: {begin}… ({} looks)", looks.iter().count()),
                None => format!("pin: {text}"),
            }
        }
    }
}

fn append(line: &mut String, steps: &[Step]) {
    for step in steps {
        append_text(
            line,
            &match step {
                Step::Write(bytes) => format!(" ← {bytes}"),
                Step::Read(bytes) => format!(" → {bytes}"),
                Step::Both(sent, read) => format!(" ← {sent} → {read}"),
                Step::Wait(time) => format!(" … {time} ns"),
            },
        );
    }
}

fn append_text(line: &mut String, text: &str) {
    write!(line, "{text}").expect("a `String` takes all");
}

fn file(step: &FileStep) -> String {
    match step {
        FileStep::Read(path, said) | FileStep::Link(path, said) => {
            format!("{path}: {}", content(said))
        }
        FileStep::Write(path, text, said) => {
            let done = said.as_ref().map_or_else(|it| trouble(*it), |()| "written".to_owned());
            format!("{path}: `{}`: {done}", text.trim_end())
        }
        FileStep::List(path, Ok(names)) => format!("{path}: {} names", names.len()),
        FileStep::List(path, Err(it)) => format!("{path}: {}", trouble(*it)),
    }
}

fn content(said: &Result<String, Trouble>) -> String {
    match said {
        Ok(text) if text.is_empty() => "nothing".to_owned(),
        Ok(text) => text.trim_end().replace('\n', " | "),
        Err(it) => trouble(*it),
    }
}

fn trouble(trouble: Trouble) -> String {
    match trouble {
        Trouble::NotFound => "not there",
        Trouble::Permission => "not allowed",
        Trouble::Timeout => "takes too long",
        Trouble::Other => "failed",
    }
    .to_owned()
}
