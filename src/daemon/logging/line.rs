//! One line an event.

use std::fmt::{self, Debug, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::journal::Journal;
use super::repeats::{Repeats, Said};
use crate::config::LogFormat;
use crate::daemon::clock::wall;

/// What a line begins with.
#[derive(Debug)]
pub(super) enum Stamp {
    /// When it was written.
    Time,
    /// How grave it is, for the journal that reads standard error.
    Priority,
    /// Nothing: the journal is told by its own protocol.
    Journal(Journal),
}

/// Writes an event as a line, or counts it as one more of the same.
pub(super) struct Line {
    format: LogFormat,
    stamp: Stamp,
    text: Format<Full, ()>,
    repeats: Mutex<Repeats>,
}

impl Line {
    pub(super) fn new(format: LogFormat, stamp: Stamp, colours: bool) -> Self {
        let text = Format::default().without_time();
        let text = text.with_target(false).with_ansi(colours);
        Self { format, stamp, text, repeats: Mutex::default() }
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let mut body = String::new();
        match self.format {
            LogFormat::Text => {
                let inner = Writer::new(&mut body);
                self.text.format_event(context, inner, event)?;
            }
            LogFormat::Json => body = object(event),
        }
        let body = body.trim();
        let said = if level <= Level::WARN {
            let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
            repeats.say(Instant::now(), level, body)
        } else {
            Said { owed: Vec::new(), is_told: true }
        };
        for owed in said.owed {
            let line = self.repeated(&owed.body, owed.times);
            self.write(&mut writer, owed.level, &line, None)?;
        }
        if !said.is_told {
            return Ok(());
        }
        self.write(&mut writer, level, body, Some(event))
    }
}

impl Line {
    fn write(
        &self,
        writer: &mut Writer<'_>,
        level: Level,
        body: &str,
        event: Option<&Event<'_>>,
    ) -> fmt::Result {
        match (&self.stamp, self.format) {
            (Stamp::Journal(journal), _) => {
                if journal.tell(level, body, event).is_ok() {
                    return Ok(());
                }
                // Too long, or the journal is not there for the moment.
                write!(writer, "<{}>", priority(level))?;
            }
            (Stamp::Priority, _) => write!(writer, "<{}>", priority(level))?,
            (Stamp::Time, LogFormat::Text) => write!(writer, "{} ", wall())?,
            // The object has it.
            (Stamp::Time, LogFormat::Json) => {}
        }
        writeln!(writer, "{body}")
    }

    fn repeated(&self, body: &str, times: u64) -> String {
        match self.format {
            LogFormat::Text => format!("{body} repeated={times}"),
            LogFormat::Json => {
                let body = body.strip_suffix('}').unwrap_or(body);
                format!("{body},\"repeated\":{times}}}")
            }
        }
    }
}

/// As `syslog(3)` numbers them.
pub(super) fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Level, part, message and fields as one flat object.
fn object(event: &Event<'_>) -> String {
    let metadata = event.metadata();
    let mut fields = Fields::default();
    fields.0.insert("t".to_owned(), wall().to_string().into());
    let level = metadata.level().as_str().to_ascii_lowercase();
    fields.0.insert("level".to_owned(), level.into());
    fields.0.insert("target".to_owned(), metadata.target().into());
    event.record(&mut fields);
    Value::Object(fields.0).to_string()
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // A string takes what is written to it.
        let _ = write!(text, "{value:?}");
        self.0.insert(field.name().to_owned(), text.into());
    }
}
