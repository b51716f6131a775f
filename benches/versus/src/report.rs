//! Figures of all rounds, and their medians as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::broker::Kind;

/// One thing that was measured.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: String,
    pub value: f64,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value }
    }
}

/// A figure of a scenario, with what each round gave each broker.
pub struct Row {
    pub scenario: &'static str,
    pub figure: String,
    pub rounds: BTreeMap<Kind, Vec<f64>>,
}

#[derive(Default)]
pub struct Report {
    pub rows: Vec<Row>,
}

#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    figure: &'a str,
    broker: &'a str,
    median: f64,
    rounds: &'a [f64],
}

/// Of sorted values, the one that so large a part is not above.
pub fn share<T: Copy + Default>(sorted: &[T], part: f64) -> T {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at).or(sorted.last()).copied().unwrap_or_default()
}

impl Row {
    pub fn median(&self, kind: Kind) -> Option<f64> {
        let mut values = self.rounds.get(&kind)?.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// Ours to theirs.
    pub fn ratio(&self, theirs: Kind) -> Option<f64> {
        let (ours, theirs) = (self.median(Kind::Maison)?, self.median(theirs)?);
        // Memory may be found lying about, so that nothing is added.
        (ours > 0.0 && theirs > 0.0).then_some(ours / theirs)
    }

    fn line(&self) -> String {
        let value = |kind| self.median(kind).map_or("–".to_owned(), shown);
        let ratio = |kind| self.ratio(kind).map_or("–".to_owned(), |it| format!("{it:.2}"));
        format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.scenario,
            self.figure,
            value(Kind::Maison),
            value(Kind::Mosquitto),
            value(Kind::Rumqttd),
            ratio(Kind::Mosquitto),
            ratio(Kind::Rumqttd),
        )
    }
}

impl Report {
    pub fn add(&mut self, scenario: &'static str, kind: Kind, figures: Vec<Figure>) {
        for Figure { name, value } in figures {
            let is_it = |row: &&mut Row| row.scenario == scenario && row.figure == name;
            let row = match self.rows.iter_mut().find(is_it) {
                Some(row) => row,
                None => {
                    self.rows.push(Row { scenario, figure: name, rounds: BTreeMap::new() });
                    let last = self.rows.len() - 1;
                    &mut self.rows[last]
                }
            };
            row.rounds.entry(kind).or_default().push(value);
        }
    }

    /// Markdown, so that it can stand in a page.
    pub fn table(&self) -> String {
        let mut text = "| scenario | | maison | mosquitto | rumqttd | ÷ mosquitto | ÷ rumqttd |\n\
             |---|---|---:|---:|---:|---:|---:|\n"
            .to_owned();
        for row in &self.rows {
            let _ = writeln!(text, "{}", row.line());
        }
        text
    }

    pub fn json(&self) -> Result<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            for (kind, rounds) in &row.rounds {
                let line = Line {
                    scenario: row.scenario,
                    figure: &row.figure,
                    broker: kind.name(),
                    median: row.median(*kind).unwrap_or(f64::NAN),
                    rounds,
                };
                lines.push(serde_json::to_string(&line)?);
            }
        }
        Ok(format!("[\n{}\n]\n", lines.join(",\n")))
    }
}

/// Three digits that count.
pub fn shown(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
