//! Ratios as bars: how much of the other's cost ours is, on a scale of powers.

use std::fmt::Write as _;

use crate::broker::Kind;
use crate::report::{Report, Row};

const LEFT: f64 = 230.0;
const WIDTH: f64 = 420.0;
const LINE: f64 = 34.0;
const LOWEST: f64 = 1.0 / 32.0;
const HIGHEST: f64 = 8.0;

/// Processor time of ours to the others', a pair of bars for each scenario.
pub fn ratios(report: &Report) -> String {
    let rows: Vec<&Row> = report.rows.iter().filter(|row| row.figure == "CPU each, µs").collect();
    let height = 56.0 + LINE * f64::from(u32::try_from(rows.len()).unwrap_or(0));
    let width = LEFT + WIDTH + 60.0;
    let mut svg = super::open(width, height);
    let _ = writeln!(
        svg,
        "<text y=\"16\">CPU of maison per delivered message ÷</text><text x=\"{LEFT}\" y=\"16\">\
         <tspan class=\"mosquitto\">mosquitto</tspan> <tspan class=\"rumqttd\">rumqttd</tspan></text>",
    );
    for mark in [0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0] {
        let (x, class) = (place(mark), if mark == 1.0 { "axis" } else { "grid" });
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"40\" y2=\"{height}\" class=\"{class}\"/>\
             <text x=\"{x:.1}\" y=\"34\" text-anchor=\"middle\" font-size=\"11\">{mark}</text>"
        );
    }
    let mut y = 48.0;
    for row in rows {
        let _ = writeln!(svg, "<text x=\"0\" y=\"{}\">{}</text>", y + 16.0, row.scenario);
        for (kind, offset) in [(Kind::Mosquitto, 0.0), (Kind::Rumqttd, 12.0)] {
            if let Some(ratio) = row.ratio(kind) {
                let (end, one) = (place(ratio), place(1.0));
                let (x, width) = (end.min(one), (end - one).abs().max(1.0));
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"10\" \
                     class=\"{}\"/>\
                     <text x=\"{}\" y=\"{:.1}\" font-size=\"10\">{ratio:.2}</text>",
                    y + offset,
                    kind.name(),
                    LEFT + WIDTH + 8.0,
                    y + offset + 9.0,
                );
            }
        }
        y += LINE;
    }
    svg + "</svg>\n"
}

/// On a scale of powers of two.
fn place(ratio: f64) -> f64 {
    let share = (ratio.clamp(LOWEST, HIGHEST) / LOWEST).log2() / (HIGHEST / LOWEST).log2();
    LEFT + WIDTH * share
}
