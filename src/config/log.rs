//! What is logged: a level, and others for parts of the program.

use std::fmt;

use super::suggestion::{listed, nearest};

/// Levels, the gravest first.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Longest filter, and most that it names.
const FILTER_BYTES_MAX: usize = 1024;

/// A filter as `info` or `info,maison::net=debug,maison::broker=warn`: a level for all, and for
/// modules by their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

/// Why a text is none. Its text says what, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilterError {
    pub(super) what: &'static str,
    pub(super) found: String,
    pub(super) hint: String,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFilter {
    /// A filter, in the notation of the crate `tracing-subscriber`, without its spans and fields.
    pub fn parse(text: &str) -> Result<Self, LogFilterError> {
        if text.len() > FILTER_BYTES_MAX {
            let hint = format!("at most {FILTER_BYTES_MAX} bytes");
            return Err(LogFilterError::new("log filter too long", "", hint));
        }
        let parts: Result<Vec<_>, _> = text.split(',').map(str::trim).map(part).collect();
        Ok(Self(parts?.join(",")))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

fn part(text: &str) -> Result<String, LogFilterError> {
    let (target, level) = match text.split_once('=') {
        Some((target, level)) => (Some(target), level),
        None => (None, text),
    };
    let level = level.to_ascii_lowercase();
    if !LEVELS.contains(&level.as_str()) {
        let hint = match nearest(&level, LEVELS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("levels are {}; for a part: `maison::net=debug`", listed(LEVELS)),
        };
        return Err(LogFilterError::new("unknown log level", &level, hint));
    }
    let Some(target) = target else { return Ok(level) };
    let is_path = |word: &str| {
        let mut letters = word.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    if target.split("::").all(is_path) {
        Ok(format!("{target}={level}"))
    } else {
        let hint = "a module as the log names it: `maison::net`, `rustls`".to_owned();
        Err(LogFilterError::new("not a part of the program", target, hint))
    }
}

impl LogFilterError {
    fn new(what: &'static str, found: &str, hint: String) -> Self {
        Self { what, found: found.to_owned(), hint }
    }
}

impl fmt::Display for LogFilterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, hint } = self;
        write!(formatter, "{what}: `{found}`\n  hint: {hint}")
    }
}

impl std::error::Error for LogFilterError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let found = LogFilter::parse(text);
        let found = found.as_ref().map(LogFilter::as_str).map_err(|error| error.hint.clone());
        assert_eq!(found, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn a_filter_is_a_level_and_others_for_parts() {
        check("info", Ok("info"));
        check("INFO, maison::net=debug", Ok("info,maison::net=debug"));
        check("warn,maison=trace,rustls=off", Ok("warn,maison=trace,rustls=off"));
        check("inof", Err("did you mean `info`?"));
        check("maison::net=debg", Err("did you mean `debug`?"));
        let levels = "levels are `off`, `error`, `warn`, `info`, `debug`, `trace`; for a part: \
                      `maison::net=debug`";
        check("", Err(levels));
        check("info,", Err(levels));
        check("loud", Err(levels));
        let parts = "a module as the log names it: `maison::net`, `rustls`";
        check("maison/net=debug", Err(parts));
        check("=debug", Err(parts));
        check("a[b]=debug", Err(parts));
        check(&"x".repeat(FILTER_BYTES_MAX + 1), Err("at most 1024 bytes"));
    }
}
