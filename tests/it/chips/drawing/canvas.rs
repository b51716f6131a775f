//! Strokes of a circuit diagram, in SVG.

use std::fmt::Write as _;

/// A point; y grows downwards.
pub(super) type Point = (i32, i32);

/// Ink on paper.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    body: String,
}

/// Where a text stands beside its point.
#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Whether a part is to be added, or is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Added,
    There,
}

pub(super) const INK: &str = "#24292f";
const FAINT: &str = "#6e7781";
const PAPER: &str = "#ffffff";
pub(super) const SUPPLY: &str = "#bc4c00";
/// Radius of the bends of a wire.
const BEND: i32 = 6;

impl Canvas {
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "  {element}").unwrap();
    }

    /// The whole file, with a paper of its own: it is read on light pages and on dark ones.
    pub(super) fn finish(self, title: &str, (width, height): Point) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" \
             font-family=\"'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif\">\n  \
             <title>{title}</title>\n  \
             <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{PAPER}\" \
             stroke=\"#d0d7de\"/>\n{}</svg>\n",
            width - 1,
            height - 1,
            self.body
        )
    }

    pub(super) fn text(&mut self, (x, y): Point, anchor: Anchor, size: i32, words: &str) {
        self.words((x, y), anchor, &format!("font-size=\"{size}\" fill=\"{INK}\""), words);
    }

    pub(super) fn bold(&mut self, (x, y): Point, size: i32, words: &str) {
        let style = format!("font-size=\"{size}\" font-weight=\"bold\" fill=\"{INK}\"");
        self.words((x, y), Anchor::Start, &style, words);
    }

    pub(super) fn remark(&mut self, (x, y): Point, anchor: Anchor, words: &str) {
        self.words((x, y), anchor, &format!("font-size=\"10\" fill=\"{FAINT}\""), words);
    }

    fn words(&mut self, (x, y): Point, anchor: Anchor, style: &str, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let words = words.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" {style}>{words}</text>"
        ));
    }

    /// A wire through these points, with round bends.
    pub(super) fn wire(&mut self, color: &str, points: &[Point]) {
        let mut path = String::new();
        for (index, &(x, y)) in points.iter().enumerate() {
            let (before, after) =
                (index.checked_sub(1).map(|at| points[at]), points.get(index + 1));
            match (before, after) {
                (Some(before), Some(&after)) => {
                    let (ax, ay) = towards((x, y), before);
                    let (bx, by) = towards((x, y), after);
                    write!(path, "L{ax} {ay}Q{x} {y} {bx} {by}").unwrap();
                }
                (None, _) => write!(path, "M{x} {y}").unwrap(),
                (Some(_), None) => write!(path, "L{x} {y}").unwrap(),
            }
        }
        self.stroke(color, &path);
    }

    /// A vertical wire that hops over the wires at these heights.
    fn hopping(&mut self, color: &str, x: i32, (from, to): Point, over: &[i32]) {
        let mut path = format!("M{x} {from}");
        for y in over.iter().filter(|y| (from..to).contains(*y)) {
            write!(path, "L{x} {}A5 5 0 0 1 {x} {}", y - 5, y + 5).unwrap();
        }
        write!(path, "L{x} {to}").unwrap();
        self.stroke(color, &path);
    }

    fn stroke(&mut self, color: &str, path: &str) {
        self.add(format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2.5\" \
             stroke-linecap=\"round\"/>"
        ));
    }

    /// Wires that meet.
    pub(super) fn dot(&mut self, color: &str, (x, y): Point) {
        self.add(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"{color}\"/>"));
    }

    /// A pin that goes nowhere.
    pub(super) fn cross(&mut self, (x, y): Point) {
        let (left, right, up, down) = (x - 4, x + 4, y - 4, y + 4);
        self.add(format_args!(
            "<path d=\"M{left} {up}L{right} {down}M{left} {down}L{right} {up}\" fill=\"none\" \
             stroke=\"{FAINT}\" stroke-width=\"1.5\"/>"
        ));
    }

    pub(super) fn block(&mut self, (x, y): Point, (width, height): Point, fill: &str) {
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" \
             fill=\"{fill}\" stroke=\"{INK}\" stroke-width=\"1.5\"/>"
        ));
    }

    /// White words on a color.
    pub(super) fn pill(&mut self, (x, y): Point, (width, height): Point, color: &str, words: &str) {
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{height}\" rx=\"4\" \
             fill=\"{color}\"/>",
            y - height / 2
        ));
        let style = "font-size=\"11\" font-weight=\"bold\" fill=\"#ffffff\"";
        self.words((x + width / 2, y + 4), Anchor::Middle, style, words);
    }

    /// A hole of the header.
    pub(super) fn pad(&mut self, (x, y): Point, number: i32, ring: &str) {
        if number == 1 {
            self.add(format_args!(
                "<rect x=\"{}\" y=\"{}\" width=\"16\" height=\"16\" fill=\"#f6f8fa\" \
                 stroke=\"{ring}\" stroke-width=\"2\"/>",
                x - 8,
                y - 8
            ));
        } else {
            self.add(format_args!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"8\" fill=\"#f6f8fa\" stroke=\"{ring}\" \
                 stroke-width=\"2\"/>"
            ));
        }
        let style = format!("font-size=\"9\" fill=\"{INK}\"");
        self.words((x, y + 3), Anchor::Middle, &style, &number.to_string());
    }

    /// A resistor that stands between two heights, its body above the lower one.
    pub(super) fn resistor(&mut self, at: &Upright<'_>) {
        let Upright { x, heights, over, color, presence, value } = *at;
        self.hopping(color, x, heights, over);
        let (middle, dash) = (at.body(), dashes(presence));
        self.add(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"10\" height=\"20\" fill=\"{PAPER}\" \
             stroke=\"{color}\" stroke-width=\"2\"{dash}/>",
            x - 5,
            middle - 10
        ));
        self.remark((x + 10, middle + 4), Anchor::Start, value);
    }

    /// The same with the stroke of a thermistor.
    pub(super) fn thermistor(&mut self, at: &Upright<'_>) {
        self.resistor(at);
        let (x, y) = (at.x, at.body());
        self.add(format_args!(
            "<path d=\"M{} {}h5L{} {}\" fill=\"none\" stroke=\"{INK}\" stroke-width=\"1.5\"/>",
            x - 14,
            y + 12,
            x + 9,
            y - 13
        ));
    }

    /// A capacitor between two heights.
    pub(super) fn capacitor(&mut self, x: i32, (from, to): Point, value: &str) {
        let middle = i32::midpoint(from, to);
        self.stroke(INK, &format!("M{x} {from}V{}M{x} {}V{to}", middle - 3, middle + 3));
        self.stroke(INK, &format!("M{} {}h18M{} {}h18", x - 9, middle - 3, x - 9, middle + 3));
        self.remark((x + 13, middle + 4), Anchor::Start, value);
    }

    /// The end of a wire that comes from below: 3.3 V.
    pub(super) fn supply(&mut self, (x, y): Point) {
        self.stroke(SUPPLY, &format!("M{} {y}h16", x - 8));
        self.remark((x, y - 5), Anchor::Middle, "3.3 V");
    }

    /// The end of a wire that comes from above: ground.
    pub(super) fn ground(&mut self, (x, y): Point) {
        self.stroke(
            INK,
            &format!("M{} {y}h20M{} {}h12M{} {}h4", x - 10, x - 6, y + 5, x - 2, y + 10),
        );
    }
}

/// A part between two heights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upright<'a> {
    pub(super) x: i32,
    /// The upper and the lower one.
    pub(super) heights: Point,
    /// Wires in between that it has nothing to do with.
    pub(super) over: &'a [i32],
    pub(super) color: &'a str,
    pub(super) presence: Presence,
    pub(super) value: &'a str,
}

impl Upright<'_> {
    /// The middle of its body: below the last wire that it passes.
    fn body(&self) -> i32 {
        let (from, to) = self.heights;
        let passed = self.over.iter().copied().filter(|y| (from..to).contains(y)).max();
        i32::midpoint(passed.unwrap_or(from), to)
    }
}

fn dashes(presence: Presence) -> &'static str {
    match presence {
        Presence::Added => "",
        Presence::There => " stroke-dasharray=\"3 2\"",
    }
}

/// A point a bend's radius away from `corner`, on the way to `other`.
fn towards((x, y): Point, (other_x, other_y): Point) -> Point {
    let step = |from: i32, to: i32| from + (to - from).clamp(-BEND, BEND);
    (step(x, other_x), step(y, other_y))
}
