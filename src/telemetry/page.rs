//! Prometheus' text format 0.0.4: families of samples, each with its help and kind.

use std::fmt::{Display, Write};

/// What every name begins with.
const PREFIX: &str = "maison";

/// Whether a figure only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only from one start to the next.
    Counter,
    Gauge,
}

/// A text that grows family by family.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    /// As it stands in each of its samples.
    name: String,
}

impl Page {
    /// Begins a family; a counter gets its `_total`.
    pub(super) fn family(&mut self, name: &str, kind: Kind, help: &str) -> &mut Self {
        let (suffix, kind) = match kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
        };
        self.name = format!("{PREFIX}_{name}{suffix}");
        let name = &self.name;
        // A string takes what is written to it.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self
    }

    /// One sample of the family.
    pub(super) fn value(&mut self, labels: &[(&str, &str)], value: impl Display) {
        let labels = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let name = &self.name;
        let _ = if labels.is_empty() {
            writeln!(self.text, "{name} {value}")
        } else {
            writeln!(self.text, "{name}{{{labels}}} {value}")
        };
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A label's value: backslash, quote and line feed are written otherwise.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_help_kind_and_samples_whose_labels_are_escaped() {
        let mut page = Page::default();
        let family = page.family("lost", Kind::Counter, "What was lost");
        family.value(&[("a", "x"), ("b", "\"\\\n")], 3);
        page.family("left", Kind::Gauge, "What is left").value(&[], -0.5);
        let expected = concat!(
            "# HELP maison_lost_total What was lost\n# TYPE maison_lost_total counter\n",
            "maison_lost_total{a=\"x\",b=\"\\\"\\\\\\n\"} 3\n",
            "# HELP maison_left What is left\n# TYPE maison_left gauge\nmaison_left -0.5\n",
        );
        assert_eq!(page.into_text(), expected);
    }
}
