//! The 40-pin header as it lies on every Pi since the B+: pin 1 at the upper left, odd numbers in
//! the left row.

use maison::sensors::pinout::Line;

use super::canvas::{Anchor, Canvas, Point};
use super::{TOP, color};

const ROW: i32 = 22;
const ROWS: i32 = 20;
/// The lowest row.
pub(super) const BOTTOM: i32 = TOP + ROW * (ROWS - 1);
const LABEL: i32 = 118;
const HOLE: i32 = 14;
const BETWEEN: i32 = 22;
/// Two rows of holes with words on both sides.
pub(super) const WIDTH: i32 = 2 * (LABEL + HOLE) + BETWEEN;

/// What each pin is, from 1 to 40.
const NAMES: [&str; 40] = [
    "3.3 V", "5 V", "GPIO 2", "5 V", "GPIO 3", "ground", "GPIO 4", "GPIO 14", "ground", "GPIO 15",
    "GPIO 17", "GPIO 18", "GPIO 27", "ground", "GPIO 22", "GPIO 23", "3.3 V", "GPIO 24", "GPIO 10",
    "ground", "GPIO 9", "GPIO 25", "GPIO 11", "GPIO 8", "ground", "GPIO 7", "GPIO 0", "GPIO 1",
    "GPIO 5", "ground", "GPIO 6", "GPIO 12", "GPIO 13", "ground", "GPIO 19", "GPIO 16", "GPIO 26",
    "GPIO 20", "ground", "GPIO 21",
];

/// Where a wire goes to reach a pin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hole {
    /// The height at which it comes.
    pub(super) wire_y: i32,
    y: i32,
    is_odd: bool,
}

/// Row and height of a pin.
pub(super) fn row(pin: u8) -> Point {
    let row = (i32::from(pin) - 1) / 2;
    (row, TOP + ROW * row)
}

pub(super) fn hole(pin: u8) -> Hole {
    let (_, y) = row(pin);
    let is_odd = pin % 2 == 1;
    // The right row is reached between two rows.
    Hole { wire_y: if is_odd { y } else { y + ROW / 2 }, y, is_odd }
}

impl Hole {
    /// The last points of a wire to a header whose words begin at `x`.
    pub(super) fn arrive(self, x: i32) -> Vec<Point> {
        if self.is_odd {
            return vec![(x, self.y)];
        }
        let hole = x + LABEL + HOLE + BETWEEN;
        vec![(hole, self.wire_y), (hole, self.y + 8)]
    }
}

/// Words, holes and numbers; the pins in use with their color.
pub(super) fn draw(canvas: &mut Canvas, x: i32, used: &[(u8, Line)]) {
    let (left, right) = (x + LABEL + HOLE, x + LABEL + HOLE + BETWEEN);
    canvas.block((left - 12, TOP - 14), (BETWEEN + 24, BOTTOM - TOP + 28), "#eaeef2");
    canvas.remark((i32::midpoint(left, right), TOP - 22), Anchor::Middle, "corner of the board");
    for (pin, name) in (1_u8..).zip(NAMES) {
        let (_, y) = row(pin);
        let is_odd = pin % 2 == 1;
        let line = used.iter().find(|(number, _)| *number == pin).map(|(_, line)| *line);
        let ring = line.map_or_else(|| unused(name), color);
        canvas.pad((if is_odd { left } else { right }, y), pin.into(), ring);
        let words = if is_odd { x } else { right + HOLE };
        match (line, is_odd) {
            (Some(line), _) => canvas.pill((words, y), (LABEL, 16), color(line), line.name()),
            (None, true) => canvas.remark((words + LABEL - 6, y + 4), Anchor::End, name),
            (None, false) => canvas.remark((words + 6, y + 4), Anchor::Start, name),
        }
    }
}

/// The ring of a pin that nothing goes to. Those of 5 V warn.
fn unused(name: &str) -> &'static str {
    match name {
        "5 V" => "#cf222e",
        "3.3 V" => "#e5a27a",
        "ground" => "#6e7781",
        _ => "#d0d7de",
    }
}
