//! Cost against what there is more and more of; both axes by powers.

use std::fmt::Write as _;

use crate::broker::Kind;
use crate::growth::{Axis, exponent, line};
use crate::report::{Report, shown};

const LEFT: f64 = 50.0;
const TOP: f64 = 44.0;
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 220.0;

/// Where on a scale of powers a value is, from 0 to 1.
#[derive(Clone, Copy)]
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    /// Whole powers of ten around all values.
    fn around(values: impl Iterator<Item = f64>) -> Self {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.map(f64::log10) {
            (least, most) = (least.min(value.floor()), most.max(value.ceil()));
        }
        Self { least, most: most.max(least + 1.0) }
    }

    fn place(self, value: f64) -> f64 {
        (value.log10() - self.least) / (self.most - self.least)
    }

    fn marks(self) -> impl Iterator<Item = f64> {
        let powers = (self.most - self.least) as i32;
        (0..=powers).map(move |power| 10_f64.powf(self.least + f64::from(power)))
    }
}

pub fn growth(report: &Report, axis: &Axis) -> String {
    let lines: Vec<_> =
        Kind::ALL.into_iter().map(|kind| (kind, line(report, axis, kind))).collect();
    let points = || lines.iter().flat_map(|(_, points)| points);
    let across = Scale::around(points().map(|point| point.0));
    let up = Scale::around(points().map(|point| point.1));
    let x = |value| LEFT + WIDTH * across.place(value);
    let y = |value| TOP + HEIGHT * (1.0 - up.place(value));
    let mut svg = super::open(LEFT + WIDTH + 30.0, TOP + HEIGHT + 40.0);
    let _ = writeln!(svg, "<text y=\"14\">CPU per delivered message, µs; × {}</text>", axis.name);
    for mark in up.marks() {
        let (y, right) = (y(mark), LEFT + WIDTH);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" class=\"grid\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"11\">{mark}</text>",
            LEFT - 6.0,
            y + 4.0,
        );
    }
    for mark in across.marks() {
        let (x, bottom) = (x(mark), TOP + HEIGHT);
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" class=\"grid\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\">{mark}</text>",
            bottom + 16.0,
        );
    }
    let mut legend = LEFT;
    for (kind, points) in &lines {
        let Some(exponent) = exponent(points) else { continue };
        let name = kind.name();
        let _ = write!(
            svg,
            "<text x=\"{legend}\" y=\"34\" class=\"{name}\">{name} ^{exponent:.2}</text>\
             <polyline class=\"line {name}\" points=\"",
        );
        for point in points {
            let _ = write!(svg, "{:.1},{:.1} ", x(point.0), y(point.1));
        }
        let _ = writeln!(svg, "\"/>");
        for point in points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" class=\"{name}\"><title>{}: {} µs\
                 </title></circle>",
                x(point.0),
                y(point.1),
                point.0,
                shown(point.1),
            );
        }
        legend += 130.0;
    }
    svg + "</svg>\n"
}
