//! Findings for people, and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::AREAS;
use super::finding::{Finding, Found, Language, Severity, said};
use crate::cli::status::Style;

/// The gravest first; what could not be looked at; how many.
pub(super) fn text(found: &Found, language: Language, style: Style) -> String {
    let mut text = String::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        let these = found.findings.iter().map(|(_, it)| it).filter(|it| it.severity == severity);
        these.for_each(|finding| show(&mut text, finding, language, style));
    }
    if !found.unseen.is_empty() {
        let title = said!("not looked at", "non examiné");
        line(&mut text, &format!("{}:", title.in_language(language)));
        for (name, why) in &found.unseen {
            let area = AREAS.iter().find(|area| area.name == *name).map(|area| (area.said)());
            let area = area.as_ref().map_or(*name, |area| area.in_language(language));
            line(&mut text, &format!("  {area}: {}", why.in_language(language)));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let [errors, warnings, notes] =
        [Severity::Error, Severity::Warning, Severity::Note].map(|it| found.count(it));
    let sum = if errors + warnings + notes == 0 {
        said!("nothing wrong", "rien d'anormal")
    } else {
        said!(
            "errors: {errors}, warnings: {warnings}, notes: {notes}",
            "erreurs : {errors}, avertissements : {warnings}, notes : {notes}",
        )
    };
    line(&mut text, sum.in_language(language));
    text
}

fn show(text: &mut String, finding: &Finding, language: Language, style: Style) {
    let severity = finding.severity.said();
    let mut head = severity.in_language(language).to_owned();
    if finding.severity == Severity::Error {
        head = style.alarm(head);
    }
    let what = finding.what.in_language(language);
    line(text, &format!("{head}: {what} [{}]", finding.name));
    if let Some(remedy) = &finding.remedy {
        line(text, &format!("    {}", remedy.in_language(language)));
    }
    for paste in &finding.paste {
        // A text between two marks of a shell is pasted from the first column on.
        let indent = if paste.contains('\n') { "" } else { "      " };
        line(text, &format!("{indent}{paste}"));
    }
}

fn line(text: &mut String, content: &str) {
    // A string takes what is written to it.
    let _ = writeln!(text, "{content}");
}

/// One object.
pub(super) fn json(found: &Found, language: Language) -> Value {
    let findings = found.findings.iter().map(|(area, finding)| finding.json(area, language));
    let unseen = found.unseen.iter().map(|(area, why)| {
        let why = why.in_language(language);
        json!({ "area": area, "why": why })
    });
    json!({
        "ok": found.count(Severity::Error) == 0,
        "language": language.name(),
        "areas": AREAS.iter().map(|area| area.name).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "not_looked_at": unseen.collect::<Vec<_>>(),
    })
}
