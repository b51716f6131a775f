//! What is wrong with a configuration: for people as text, for programs as JSON.
//!
//! ```text
//! maison.toml:41:10: unknown sensor driver: `tmp118`
//!   hint: did you mean `tmp117`? supported: `ds18b20`, `sht3x`, `tmp117`
//! ```

use std::fmt;

use serde::Serialize;

/// Everything that is wrong, in the order in which it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    mistakes: Vec<Mistake>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Path of the file, as it was given.
    pub file: String,
    /// Where in the file; `None` for the file as a whole.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// What is wrong, in lower case, without a full stop.
    pub what: String,
    /// What was written, if it helps to repeat it.
    pub value: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A place in a text, as editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Report {
    /// A report of `mistakes`, which are in order.
    pub fn new(mistakes: Vec<Mistake>) -> Self {
        Self { mistakes }
    }

    /// What is wrong, in order.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            mistake.fmt(formatter)?;
        }
        Ok(())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(formatter, ":{position}")?;
        }
        write!(formatter, ": {}", self.what)?;
        if let Some(value) = &self.value {
            write!(formatter, ": `{value}`")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(position: Option<Position>) -> Mistake {
        Mistake {
            file: "a.toml".into(),
            position,
            what: "unknown sensor driver".into(),
            value: Some("tmp118".into()),
            hint: Some("did you mean `tmp117`?".into()),
        }
    }

    #[test]
    fn mistakes_read_as_file_line_column_what_value_and_hint() {
        let at = mistake(Some(Position { line: 41, column: 9 }));
        let whole = mistake(None);
        assert_eq!(
            Report::new(vec![at, whole]).to_string(),
            "a.toml:41:9: unknown sensor driver: `tmp118`\n  hint: did you mean `tmp117`?\n\
             a.toml: unknown sensor driver: `tmp118`\n  hint: did you mean `tmp117`?"
        );
    }

    #[test]
    fn mistakes_are_flat_objects_in_json() {
        let report = Report::new(vec![mistake(Some(Position { line: 41, column: 9 }))]);
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            concat!(
                r#"{"mistakes":[{"file":"a.toml","line":41,"column":9,"#,
                r#""what":"unknown sensor driver","value":"tmp118","#,
                r#""hint":"did you mean `tmp117`?"}]}"#
            )
        );
    }
}
