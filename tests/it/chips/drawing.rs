//! A wiring as a drawing: the chip on the left with its pins, the 40-pin header on the right as it
//! lies on the Pi, and wires in between that cross no word.

mod canvas;
mod header;
mod outside;

use maison::sensors::pinout::{Line, Net, Part, Pinout, Role, Terminal};

use canvas::{Anchor, Canvas, INK, Point, Presence, SUPPLY, Upright};

/// From one pin of a chip to the next.
const PITCH: i32 = 36;
const TOP: i32 = 72;
const CHIP_WIDTH: i32 = 150;
/// What lies between the chip and the words of the header.
const CHANNEL: i32 = 220;
/// From one vertical wire to the next.
const LANE: i32 = 12;
const PULL_UP_AT: i32 = 48;
const PULL_UP_PITCH: i32 = 54;
/// Where the pins of one line are joined.
const JOIN: i32 = 26;

/// The drawing of a chip's wiring, in SVG.
pub(super) fn svg(title: &str, pinout: &Pinout) -> String {
    let mut drawing = Drawing::of(pinout);
    let (x, y) = drawing.chip;
    drawing.canvas.bold((x, y - 36), 16, title);
    drawing.canvas.remark((x, y - 18), Anchor::Start, pinout.package);
    drawing.header();
    drawing.wires();
    drawing.pull_ups();
    drawing.open_pins();
    drawing.outside();
    drawing.chip();
    drawing.parts();
    let size = (drawing.header_x() + header::WIDTH + 20, drawing.height());
    drawing.canvas.finish(&format!("{title} at the 40-pin header of a Raspberry Pi"), size)
}

struct Drawing<'a> {
    pinout: &'a Pinout,
    canvas: Canvas,
    /// Its upper left corner.
    chip: Point,
    chip_height: i32,
}

/// What color a line has everywhere.
const fn color(line: Line) -> &'static str {
    match line {
        Line::Supply => SUPPLY,
        Line::Ground => INK,
        Line::Sda | Line::Miso | Line::Data => "#0969da",
        Line::Scl | Line::Clock => "#1a7f37",
        Line::Mosi => "#8250df",
        Line::Select(0) => "#9a6700",
        Line::Select(_) => "#bf3989",
    }
}

impl<'a> Drawing<'a> {
    fn of(pinout: &'a Pinout) -> Self {
        let pins = count(pinout.terminals.iter().filter(|it| is_on_the_right(it)));
        let right = PITCH * pins;
        let chip_height = (right + 12).max(outside::height(pinout));
        let targets: Vec<i32> =
            pinout.lines().map(|line| header::row(pinout.header_pin(line)).1).collect();
        let middle = i32::midpoint(*targets.iter().min().unwrap(), *targets.iter().max().unwrap());
        let lowest = header::BOTTOM - chip_height;
        let top = (middle - chip_height / 2).min(lowest).max(TOP);
        let left = if outside::is_there(pinout) { outside::WIDTH } else { 24 };
        Self { pinout, canvas: Canvas::default(), chip: (left, top), chip_height }
    }

    const fn chip_right(&self) -> i32 {
        self.chip.0 + CHIP_WIDTH
    }

    const fn header_x(&self) -> i32 {
        self.chip_right() + CHANNEL
    }

    fn height(&self) -> i32 {
        let beside = header::BOTTOM.max(self.chip.1 + self.chip_height);
        let parts = self.remarks().len().max(1);
        beside + 36 + 16 * i32::try_from(parts).unwrap()
    }

    /// The pins that go to the header or stay open, with their heights.
    fn right(&self) -> impl Iterator<Item = (&'a Terminal, i32)> + use<'a> {
        let first = self.chip.1 + 6 + PITCH / 2;
        let pins = self.pinout.terminals.iter().filter(|terminal| is_on_the_right(terminal));
        (0..).zip(pins).map(move |(index, terminal)| (terminal, first + PITCH * index))
    }

    /// Each line once, with the height of the pin that its wire comes from.
    fn lines(&self) -> Vec<(Line, i32)> {
        let mut lines: Vec<(Line, i32)> = Vec::new();
        for (terminal, y) in self.right() {
            let Net::To(line) = terminal.net else { continue };
            match lines.iter_mut().find(|(known, _)| *known == line) {
                // The supply comes in by its lowest pin, everything else by its highest.
                Some(known) if line == Line::Supply => known.1 = y,
                Some(_) => {}
                None => lines.push((line, y)),
            }
        }
        lines
    }

    fn header(&mut self) {
        let x = self.header_x();
        let used: Vec<(u8, Line)> =
            self.lines().iter().map(|(line, _)| (self.pinout.header_pin(*line), *line)).collect();
        header::draw(&mut self.canvas, x, &used);
    }

    /// One wire for each line. Those that climb take the outer lanes from below, those that descend
    /// from above, so that no two of them cross.
    fn wires(&mut self) {
        let lines = self.lines();
        let (left, right) = (self.chip_right(), self.header_x());
        let rows: Vec<(Line, i32, header::Hole)> = lines
            .into_iter()
            .map(|(line, y)| (line, y, header::hole(self.pinout.header_pin(line))))
            .collect();
        let climbs = |row: &&(Line, i32, header::Hole)| row.2.wire_y < row.1;
        let climbing = rows.iter().filter(climbs);
        let falling = rows.iter().rev().filter(|row| !climbs(row));
        let innermost = |lines: usize| right - 14 - LANE * (i32::try_from(lines).unwrap() - 1);
        for lane in [climbing.collect::<Vec<_>>(), falling.collect()] {
            for (x, (line, y, hole)) in (innermost(lane.len())..).step_by(12).zip(lane) {
                let mut points = vec![(left, *y), (x, *y), (x, hole.wire_y)];
                if *y == hole.wire_y {
                    points.truncate(1);
                }
                points.extend(hole.arrive(right));
                self.canvas.wire(color(*line), &points);
            }
        }
        for (terminal, y) in self.right() {
            let Net::To(line) = terminal.net else { continue };
            let (_, main) = *self.lines().iter().find(|(known, _)| *known == line).unwrap();
            if main != y {
                let x = left + JOIN;
                self.canvas.wire(color(line), &[(left, y), (x, y), (x, main)]);
                self.canvas.dot(color(line), (x, main));
            }
        }
    }

    fn pull_ups(&mut self) {
        let lines = self.lines();
        let height = |line| lines.iter().find(|(known, _)| *known == line).map(|(_, y)| *y);
        let Some(supply) = height(Line::Supply) else { return };
        let pull_ups = self.pinout.parts.iter().filter_map(|part| match part.role {
            Role::PullUp(line) => Some((part, line, Presence::Added)),
            Role::PullUpOnBoard(line) => Some((part, line, Presence::There)),
            _ => None,
        });
        for (index, (part, line, presence)) in (0..).zip(pull_ups) {
            let y = height(line).expect("a pull-up of a line that is wired");
            let x = self.chip_right() + PULL_UP_AT + PULL_UP_PITCH * index;
            let over: Vec<i32> =
                lines.iter().map(|(_, y)| *y).filter(|it| (supply + 1..y).contains(it)).collect();
            self.canvas.resistor(&Upright {
                x,
                heights: (supply, y),
                over: &over,
                color: INK,
                presence,
                value: part.value,
            });
            self.canvas.dot(SUPPLY, (x, supply));
            self.canvas.dot(color(line), (x, y));
        }
    }

    fn open_pins(&mut self) {
        let left = self.chip_right();
        for (_, y) in self.right().filter(|(terminal, _)| terminal.net == Net::Open) {
            self.canvas.wire("#6e7781", &[(left, y), (left + 22, y)]);
            self.canvas.cross((left + 22, y));
        }
    }

    fn outside(&mut self) {
        outside::draw(&mut self.canvas, self.pinout, self.chip, self.chip_height);
    }

    /// Last, so that wires end at its edge. Numbers stand on the wires, names inside.
    fn chip(&mut self) {
        let right = self.chip_right();
        self.canvas.block(self.chip, (CHIP_WIDTH, self.chip_height), "#f6f8fa");
        for (terminal, y) in self.right() {
            self.canvas.text((right - 8, y + 4), Anchor::End, 12, terminal.name);
            if terminal.number != 0 {
                let number = terminal.number.to_string();
                self.canvas.remark((right + 4, y - 4), Anchor::Start, &number);
            }
        }
        for (terminal, y) in outside::places(self.pinout, self.chip.1) {
            let left = self.chip.0;
            self.canvas.text((left + 8, y + 4), Anchor::Start, 12, terminal.name);
            if terminal.number != 0 {
                let number = terminal.number.to_string();
                self.canvas.remark((left - 4, y - 4), Anchor::End, &number);
            }
        }
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = Vec::new();
        for part in self.pinout.parts {
            let Part { value, remark, role } = *part;
            let what = match role {
                Role::PullUpOnBoard(_) => format!("{value} (dashed): {remark}"),
                Role::Decoupling => format!("{value} from 3.3 V to ground: {remark}"),
                _ => format!("{value}: {remark}"),
            };
            if !remarks.contains(&what) {
                remarks.push(what);
            }
        }
        remarks
    }

    fn parts(&mut self) {
        let top = header::BOTTOM.max(self.chip.1 + self.chip_height) + 34;
        for (y, remark) in (top..).step_by(16).zip(self.remarks()) {
            self.canvas.remark((24, y), Anchor::Start, &remark);
        }
    }
}

/// Lines to the header and open pins; probes and branches are on the other side.
const fn is_on_the_right(terminal: &Terminal) -> bool {
    matches!(terminal.net, Net::To(_) | Net::Open)
}

fn count<T>(items: impl Iterator<Item = T>) -> i32 {
    i32::try_from(items.count()).unwrap()
}
