//! Which program this is: its version, the commit it was made of, where that is known, and what it
//! can do beside what every one can.

use std::sync::LazyLock;

/// Of a package or an archive: `packaging/build` says it.
const COMMIT: Option<&str> = option_env!("MAISON_COMMIT");

/// `0.1.0 (8b2e8073, linux, rppal)`
pub fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| written(COMMIT, &features()));
    &VERSION
}

fn features() -> Vec<&'static str> {
    let all = [("linux", cfg!(feature = "linux")), ("rppal", cfg!(feature = "rppal"))];
    all.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect()
}

fn written(commit: Option<&str>, features: &[&str]) -> String {
    let number = env!("CARGO_PKG_VERSION");
    let facts: Vec<&str> = commit.into_iter().chain(features.iter().copied()).collect();
    match facts.as_slice() {
        [] => number.to_owned(),
        facts => format!("{number} ({})", facts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_program_stands_behind_its_number() {
        let number = env!("CARGO_PKG_VERSION");
        assert_eq!(written(None, &[]), number);
        assert_eq!(written(None, &["linux"]), format!("{number} (linux)"));
        let full = format!("{number} (8b2e8073, linux, rppal)");
        assert_eq!(written(Some("8b2e8073"), &["linux", "rppal"]), full);
    }
}
