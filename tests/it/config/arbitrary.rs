//! Texts that nobody wrote on purpose: nothing may end the process, and what is accepted is stable.

use std::fs;

use maison::config::{Source, parse};
use proptest::prelude::*;

use super::parse_one;

/// Pieces that make something of each other.
const PIECES: &[&str] = &[
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\u{feff}",
    "é",
    "\0",
    "-",
    "1",
    "0x",
    "nan",
    "1e999",
    "true",
    "[rooms.salon]\n",
    "[[rooms.salon.sensors]]\n",
    "driver = \"tmp117\"\n",
    "bus = \"i2c-1\"\n",
    "address = ",
    "calibration = ",
    "[[listener]]\n",
    "bind = \"127.0.0.1:1883\"\n",
    "tls = ",
    "rooms.salon.name",
    "[broker]\n",
    "[broker.limits]\n",
    "queue.bytes = \"1 MiB\"\n",
    "interval = \"10s\"\n",
    "99999999999999999999",
];

fn samples() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let mut samples = vec![fs::read_to_string(format!("{folder}/maison.toml")).unwrap()];
    for entry in fs::read_dir(format!("{folder}/examples")).unwrap() {
        samples.push(fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let uncommented = samples[0].replace("\n#", "\n");
    samples.push(uncommented);
    samples
}

/// What holds for every text.
#[track_caller]
fn check(text: &str) {
    match parse_one(text) {
        Ok(settings) => {
            let again = parse_one(&settings.to_toml());
            assert_eq!(again.as_ref().ok(), Some(&settings), "{again:?}");
        }
        Err(report) => {
            assert!(!report.mistakes().is_empty());
            let lines = text.matches('\n').count() + 1;
            let mut last = None;
            for mistake in report.mistakes() {
                let position = mistake.position.unwrap();
                assert!((1..=lines).contains(&position.line) && position.column >= 1, "{mistake}");
                assert!(last <= Some(position), "{report}");
                last = Some(position);
                let message = mistake.to_string().replace('\n', "");
                assert!(!message.contains(char::is_control), "{message}");
            }
        }
    }
}

/// A sample of which a stretch is replaced.
fn mutated() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(PIECES);
    let pieces = proptest::collection::vec(piece, 0..4);
    (proptest::sample::select(samples()), any::<proptest::sample::Index>(), 0_usize..20, pieces)
        .prop_map(|(sample, at, length, pieces)| {
            let letters: Vec<char> = sample.chars().collect();
            let start = at.index(letters.len());
            let end = letters.len().min(start + length);
            let text: String = letters[..start].iter().collect();
            text + &pieces.concat() + &letters[end..].iter().collect::<String>()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_ends_the_process(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn no_sequence_of_pieces_ends_the_process(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)
    ) {
        check(&pieces.concat());
    }

    #[test]
    fn no_change_to_a_sample_ends_the_process(text in mutated()) {
        check(&text);
    }

    #[test]
    fn no_two_files_end_the_process(one in mutated(), other in mutated()) {
        let file = |path: &str, text: String| Source { path: path.into(), text };
        let _ = parse(&[file("a.toml", one), file("b.toml", other)]);
    }
}
