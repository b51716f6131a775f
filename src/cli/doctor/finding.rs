//! What is found: how grave it is, what it is, and what to do about it, in each language.

use std::path::Path;

use serde_json::{Value, json};

/// A sentence in each language; only [`said!`] makes one, so that none is without the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Said {
    pub(in crate::cli) english: String,
    pub(in crate::cli) french: String,
}

/// The same sentence in English and in French, with the same values in it.
macro_rules! said {
    ($english:literal, $french:literal $(,)?) => {
        $crate::cli::doctor::finding::Said { english: format!($english), french: format!($french) }
    };
}
pub(super) use said;

/// In which language a person is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Language {
    English,
    French,
}

impl Language {
    /// As the environment asks for: `LC_ALL` before `LC_MESSAGES` before `LANG`, the first that is
    /// not empty.
    pub(super) fn of_environment() -> Self {
        let value = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        Self::of_locale(&names.iter().find_map(value).unwrap_or_default())
    }

    /// `fr_FR.UTF-8`, `fr`; all others are spoken to in English.
    fn of_locale(locale: &str) -> Self {
        let is_end = |letter: char| matches!(letter, '_' | '.' | '@');
        let language = locale.split(is_end).next().unwrap_or_default();
        if language == "fr" { Self::French } else { Self::English }
    }

    /// As in `LANG`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }
}

impl Said {
    /// In one language.
    pub(in crate::cli) fn in_language(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::French => &self.french,
        }
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// The gateway, or a part of it, does not do what it is for.
    Error,
    /// It will not, or does so badly.
    Warning,
    /// Only to be known.
    Note,
}

impl Severity {
    /// In JSON and, for people, at the beginning of a line.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }

    pub(super) fn said(self) -> Said {
        match self {
            Self::Error => said!("error", "erreur"),
            Self::Warning => said!("warning", "attention"),
            Self::Note => said!("note", "note"),
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// For programs and for the page of troubleshooting; the same in every language.
    pub(super) name: &'static str,
    /// What it is, in one line.
    pub(super) what: Said,
    /// What to do about it, and why.
    pub(super) remedy: Option<Said>,
    /// Lines for a shell; none where a hand is needed.
    pub(super) paste: Vec<String>,
}

impl Finding {
    fn new(severity: Severity, name: &'static str, what: Said) -> Self {
        Self { severity, name, what, remedy: None, paste: Vec::new() }
    }

    pub(super) fn error(name: &'static str, what: Said) -> Self {
        Self::new(Severity::Error, name, what)
    }

    pub(super) fn warning(name: &'static str, what: Said) -> Self {
        Self::new(Severity::Warning, name, what)
    }

    pub(super) fn note(name: &'static str, what: Said) -> Self {
        Self::new(Severity::Note, name, what)
    }

    /// What to do about it.
    pub(super) fn mend(mut self, remedy: Said) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// A line for a shell that does it.
    pub(super) fn paste(mut self, line: impl Into<String>) -> Self {
        self.paste.push(line.into());
        self
    }

    pub(super) fn json(&self, area: &str, language: Language) -> Value {
        json!({
            "area": area,
            "severity": self.severity.name(),
            "name": self.name,
            "what": self.what.in_language(language),
            "remedy": self.remedy.as_ref().map(|remedy| remedy.in_language(language)),
            "paste": self.paste,
        })
    }
}

/// All that is found, in the order of the areas.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where it is looked at now.
    pub(super) area: &'static str,
    pub(super) findings: Vec<(&'static str, Finding)>,
    /// What could not be looked at, and why.
    pub(super) unseen: Vec<(&'static str, Said)>,
}

impl Found {
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push((self.area, finding));
    }

    pub(super) fn unseen(&mut self, why: Said) {
        self.unseen.push((self.area, why));
    }

    /// So many are this grave.
    pub(super) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|(_, finding)| finding.severity == severity).count()
    }
}

/// A word that a shell takes as it is.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:,@=".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_locale() {
        let french = ["fr", "fr_FR", "fr_FR.UTF-8", "fr_CA@euro", "fr.UTF-8"];
        for locale in french {
            assert_eq!(Language::of_locale(locale), Language::French, "{locale}");
        }
        for locale in ["", "C", "POSIX", "en_GB.UTF-8", "de_DE", "frr_DE", "fro"] {
            assert_eq!(Language::of_locale(locale), Language::English, "{locale}");
        }
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted(Path::new("/etc/maison/maison.toml")), "/etc/maison/maison.toml");
        assert_eq!(quoted(Path::new("/tmp/l'été $x")), r"'/tmp/l'\''été $x'");
        assert_eq!(quoted(Path::new("")), "''");
    }
}
