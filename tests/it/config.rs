//! The configuration: what is accepted, what is said about the rest.

mod arbitrary;
mod mistakes;
mod page;
mod samples;

use maison::config::{Report, Settings, Source, parse};

/// Parses one text as `maison.toml`.
fn parse_one(text: &str) -> Result<Settings, Report> {
    parse(&[Source { path: "maison.toml".into(), text: text.to_owned() }])
}
