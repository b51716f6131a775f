//! What hangs at a chip's other side: probes, dividers, the branch of a multiplexer.

use maison::sensors::pinout::{Net, Pinout, Role, Terminal};

use super::canvas::{Anchor, Canvas, INK, Point, Presence, SUPPLY, Upright};
use super::is_on_the_right;

/// Room for it beside the chip.
pub(super) const WIDTH: i32 = 250;
const BLUE: &str = "#0969da";
const GREEN: &str = "#1a7f37";
const RED: &str = "#cf222e";
/// Half the height of a divider.
const ARM: i32 = 62;

pub(super) fn is_there(pinout: &Pinout) -> bool {
    pinout.terminals.iter().any(|terminal| !is_on_the_right(terminal))
}

/// How much of the chip's edge it takes.
pub(super) fn height(pinout: &Pinout) -> i32 {
    let last = places(pinout, 0).last().map_or(0, |(terminal, y)| y + room(terminal.net).1);
    last + if last == 0 { 0 } else { 6 }
}

/// The pins on that side with their heights, for a chip whose upper edge is at `top`.
pub(super) fn places(pinout: &Pinout, top: i32) -> Vec<(&Terminal, i32)> {
    let mut below = top + 8;
    let mut places = Vec::new();
    for terminal in pinout.terminals.iter().filter(|terminal| !is_on_the_right(terminal)) {
        let (above, under) = room(terminal.net);
        places.push((terminal, below + above));
        below += above + under;
    }
    places
}

/// What a pin needs above and below its wire.
const fn room(net: Net) -> Point {
    match net {
        Net::Divider => (ARM + 18, ARM + 14),
        Net::Tmp36 => (60, 54),
        Net::Plus => (36, 36),
        Net::Minus => (36, 44),
        Net::MinusGrounded => (36, 56),
        Net::BranchSda => (72, 20),
        Net::BranchScl => (20, 30),
        Net::Like(_) => (14, 14),
        Net::To(_) | Net::Open | Net::RtdHigh | Net::RtdLow => (20, 20),
    }
}

pub(super) fn draw(canvas: &mut Canvas, pinout: &Pinout, (left, top): Point, _height: i32) {
    let places = places(pinout, top);
    for &(terminal, y) in &places {
        match terminal.net {
            Net::Divider => divider(canvas, pinout, (left, y)),
            Net::Tmp36 => tmp36(canvas, (left, y)),
            Net::Like(name) => {
                canvas.wire(INK, &[(left, y), (left - 24, y)]);
                let words = format!("as {name}, or nothing");
                canvas.remark((left - 30, y + 4), Anchor::End, &words);
            }
            _ => {}
        }
    }
    let heights = |net: &[Net]| -> Vec<i32> {
        places.iter().filter(|(it, _)| net.contains(&it.net)).map(|(_, y)| *y).collect()
    };
    if let ([plus], [minus]) =
        (&heights(&[Net::Plus])[..], &heights(&[Net::Minus, Net::MinusGrounded])[..])
    {
        thermocouple(canvas, pinout, left, (*plus, *minus));
    }
    if let ([drive, high], [low, back]) =
        (&heights(&[Net::RtdHigh])[..], &heights(&[Net::RtdLow])[..])
    {
        platinum(canvas, left, [*drive, *high, *low, *back]);
    }
    if let ([sda], [scl]) = (&heights(&[Net::BranchSda])[..], &heights(&[Net::BranchScl])[..]) {
        branch(canvas, pinout, left, (*sda, *scl));
    }
}

fn value(pinout: &Pinout, role: Role) -> &'static str {
    pinout.parts.iter().find(|part| part.role == role).map_or("", |part| part.value)
}

const fn upright(x: i32, heights: Point, value: &str) -> Upright<'_> {
    Upright { x, heights, over: &[], color: INK, presence: Presence::Added, value }
}

fn divider(canvas: &mut Canvas, pinout: &Pinout, (left, y): Point) {
    let x = left - 130;
    canvas.wire(BLUE, &[(left, y), (x, y)]);
    canvas.resistor(&upright(x, (y - ARM, y), value(pinout, Role::DividerTop)));
    canvas.thermistor(&upright(x, (y, y + ARM), value(pinout, Role::DividerBottom)));
    canvas.supply((x, y - ARM));
    canvas.ground((x, y + ARM));
    canvas.dot(BLUE, (x, y));
}

fn tmp36(canvas: &mut Canvas, (left, y): Point) {
    let (x, width) = (left - 175, 90);
    canvas.wire(BLUE, &[(left, y), (x + width, y)]);
    canvas.wire(SUPPLY, &[(x + 22, y - 34), (x + 22, y - 20)]);
    canvas.supply((x + 22, y - 34));
    canvas.wire(INK, &[(x + 22, y + 20), (x + 22, y + 36)]);
    canvas.ground((x + 22, y + 36));
    canvas.block((x, y - 20), (width, 40), "#f6f8fa");
    canvas.text((x + 8, y + 4), Anchor::Start, 12, "TMP36");
    canvas.remark((x + width + 4, y - 4), Anchor::Start, "2");
    canvas.remark((x + 17, y - 24), Anchor::End, "1");
    canvas.remark((x + 17, y + 31), Anchor::End, "3");
}

fn thermocouple(canvas: &mut Canvas, pinout: &Pinout, left: i32, (plus, minus): Point) {
    let bead = (left - 200, i32::midpoint(plus, minus));
    canvas.wire(GREEN, &[(left, plus), (left - 120, plus), bead]);
    canvas.wire("#57606a", &[(left, minus), (left - 120, minus), bead]);
    canvas.dot(INK, bead);
    canvas.remark((left - 165, minus + 36), Anchor::Middle, "thermocouple, type K");
    canvas.text((left - 130, plus - 6), Anchor::Middle, 12, "+");
    canvas.text((left - 130, minus + 16), Anchor::Middle, 12, "−");
    let across = value(pinout, Role::AcrossProbe);
    if !across.is_empty() {
        let x = left - 62;
        canvas.capacitor(x, (plus, minus), across);
        canvas.dot(GREEN, (x, plus));
        canvas.dot("#57606a", (x, minus));
    }
    if pinout.terminals.iter().any(|terminal| terminal.net == Net::MinusGrounded) {
        let x = left - 62;
        canvas.wire(INK, &[(x, minus), (x, minus + 24)]);
        canvas.ground((x, minus + 24));
        canvas.dot(INK, (x, minus));
    }
}

fn platinum(canvas: &mut Canvas, left: i32, [drive, high, low, back]: [i32; 4]) {
    let x = left - 110;
    canvas.wire(RED, &[(left, drive), (x, drive), (x, high)]);
    canvas.wire(RED, &[(left, high), (x, high)]);
    canvas.wire(INK, &[(left, back), (x, back), (x, low)]);
    canvas.wire(INK, &[(left, low), (x, low)]);
    canvas.thermistor(&upright(x, (high, low), ""));
    canvas.dot(RED, (x, high));
    canvas.dot(INK, (x, low));
    let middle = i32::midpoint(high, low);
    canvas.remark((x - 20, middle - 2), Anchor::End, "PT100 or");
    canvas.remark((x - 20, middle + 11), Anchor::End, "PT1000");
}

fn branch(canvas: &mut Canvas, pinout: &Pinout, left: i32, (sda, scl): Point) {
    let (x, width) = (left - 226, 96);
    let rail = sda - 52;
    let pull_ups = value(pinout, Role::PullUpsOfBranch);
    canvas.wire(BLUE, &[(left, sda), (x + width, sda)]);
    canvas.wire(GREEN, &[(left, scl), (x + width, scl)]);
    canvas.block((x, sda - 22), (width, scl - sda + 44), "#f6f8fa");
    canvas.text((x + width - 8, sda + 4), Anchor::End, 12, "SDA");
    canvas.text((x + width - 8, scl + 4), Anchor::End, 12, "SCL");
    canvas.remark((x + 8, sda + 2), Anchor::Start, "a chip");
    canvas.remark((x + 8, sda + 15), Anchor::Start, "behind");
    canvas.remark((x + 8, sda + 28), Anchor::Start, "channel 0");
    for (at, wire, line, over) in [(left - 36, sda, BLUE, &[][..]), (left - 76, scl, GREEN, &[sda])]
    {
        canvas.resistor(&Upright { over, ..upright(at, (rail, wire), "") });
        canvas.supply((at, rail));
        canvas.dot(line, (at, wire));
    }
    canvas.remark((left - 56, scl + 22), Anchor::Middle, &format!("each {pull_ups}"));
}
