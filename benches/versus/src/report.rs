//! Figures of all rounds, and their medians as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use crate::broker::Kind;

/// One thing that was measured.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
}

impl Figure {
    pub fn new(name: &'static str, value: f64) -> Self {
        Self { name, value }
    }
}

/// A figure of a scenario, with what each round gave each broker.
pub struct Row {
    pub scenario: &'static str,
    pub figure: &'static str,
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

impl Row {
    pub fn median(&self, kind: Kind) -> Option<f64> {
        let mut values = self.rounds.get(&kind)?.clone();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    }

    /// Ours to theirs.
    pub fn ratio(&self, theirs: Kind) -> Option<f64> {
        Some(self.median(Kind::Maison)? / self.median(theirs)?)
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
        let mut text = String::new();
        let _ = writeln!(
            text,
            "| scenario | | maison | mosquitto | rumqttd | ÷ mosquitto | ÷ rumqttd |\n\
             |---|---|---:|---:|---:|---:|---:|"
        );
        for row in &self.rows {
            let value = |kind| row.median(kind).map_or("–".to_owned(), shown);
            let ratio = |kind| row.ratio(kind).map_or("–".to_owned(), |it| format!("{it:.2}"));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} |",
                row.scenario,
                row.figure,
                value(Kind::Maison),
                value(Kind::Mosquitto),
                value(Kind::Rumqttd),
                ratio(Kind::Mosquitto),
                ratio(Kind::Rumqttd),
            );
        }
        text
    }

    pub fn json(&self) -> Result<String> {
        let mut lines = Vec::new();
        for Row { scenario, figure, rounds } in &self.rows {
            for (kind, rounds) in rounds {
                let row =
                    Row { scenario, figure, rounds: BTreeMap::from([(*kind, rounds.clone())]) };
                let median = row.median(*kind).unwrap_or(f64::NAN);
                lines.push(Line { scenario, figure, broker: kind.name(), median, rounds });
            }
        }
        let written = lines.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let lines: Vec<String> = written;
        Ok(format!("[\n{}\n]\n", lines.join(",\n")))
    }
}

/// Three digits that count.
fn shown(value: f64) -> String {
    match value {
        value if value >= 1000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
