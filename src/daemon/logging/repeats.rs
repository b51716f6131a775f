//! Which lines are one more of the same. Takes time as an argument and touches nothing.

use std::collections::HashMap;
use std::mem;
use std::time::Instant;

use tracing::Level;

use crate::limits::{LOG_REPEATS_KNOWN, LOG_REPEATS_MAX, LOG_REPEATS_WINDOW};

/// What was said lately.
#[derive(Default)]
pub(super) struct Repeats {
    known: HashMap<String, Known>,
}

struct Known {
    level: Level,
    begun: Instant,
    times: u64,
    left_out: u64,
}

/// What is to be written.
#[derive(Debug, PartialEq)]
pub(super) struct Said {
    /// How often other lines were meant, of which it is no longer heard.
    pub(super) owed: Vec<Owed>,
    /// Whether the line itself is.
    pub(super) is_told: bool,
}

/// A line that was left out some times.
#[derive(Debug, PartialEq)]
pub(super) struct Owed {
    pub(super) level: Level,
    pub(super) body: String,
    pub(super) times: u64,
}

impl Repeats {
    /// A line that is to be written `now`. The same is told [`LOG_REPEATS_MAX`] times in a window;
    /// what was left out of it is owed once the window is over.
    pub(super) fn say(&mut self, now: Instant, level: Level, body: &str) -> Said {
        let mut owed = self.over(now);
        let is_told = match self.known.get_mut(body) {
            Some(known) if known.times < LOG_REPEATS_MAX => {
                known.times += 1;
                true
            }
            Some(known) => {
                known.left_out += 1;
                false
            }
            None => {
                owed.extend(self.room());
                let known = Known { level, begun: now, times: 1, left_out: 0 };
                self.known.insert(body.to_owned(), known);
                true
            }
        };
        Said { owed, is_told }
    }

    /// Forgets those whose window is over.
    fn over(&mut self, now: Instant) -> Vec<Owed> {
        let is_over = |known: &Known| now.duration_since(known.begun) >= LOG_REPEATS_WINDOW;
        let (over, known): (HashMap<_, _>, HashMap<_, _>) =
            mem::take(&mut self.known).into_iter().partition(|(_, known)| is_over(known));
        self.known = known;
        over.into_iter().filter_map(owed).collect()
    }

    /// Forgets the oldest, if there are too many.
    fn room(&mut self) -> Option<Owed> {
        if self.known.len() < LOG_REPEATS_KNOWN {
            return None;
        }
        let oldest = self.known.iter().min_by_key(|(_, known)| known.begun)?.0.clone();
        self.known.remove_entry(&oldest).and_then(owed)
    }
}

fn owed((body, known): (String, Known)) -> Option<Owed> {
    let Known { level, left_out, .. } = known;
    (left_out > 0).then_some(Owed { level, body, times: left_out })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn told(repeats: &mut Repeats, at: Instant, body: &str) -> (bool, Vec<(String, u64)>) {
        let Said { owed, is_told } = repeats.say(at, Level::WARN, body);
        (is_told, owed.into_iter().map(|owed| (owed.body, owed.times)).collect())
    }

    #[test]
    fn the_same_line_is_told_some_times_and_then_counted_until_its_window_is_over() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        for time in 0..100 {
            let expected = time < LOG_REPEATS_MAX;
            assert_eq!(told(&mut repeats, begun, "full"), (expected, vec![]), "{time}");
        }
        assert_eq!(told(&mut repeats, begun, "other"), (true, vec![]));
        let later = begun + LOG_REPEATS_WINDOW;
        let owed = vec![("full".to_owned(), 100 - LOG_REPEATS_MAX)];
        assert_eq!(told(&mut repeats, later, "third"), (true, owed), "what another brings up");
        assert_eq!(told(&mut repeats, later, "full"), (true, vec![]), "it is news again");
    }

    #[test]
    fn ever_other_lines_take_bounded_memory_and_are_all_told() {
        let (mut repeats, begun) = (Repeats::default(), Instant::now());
        for _ in 0..=LOG_REPEATS_MAX {
            told(&mut repeats, begun, "first");
        }
        let mut owed = Vec::new();
        for number in 0..10_000 {
            let at = begun + Duration::from_millis(1);
            let (is_told, more) = told(&mut repeats, at, &format!("line {number}"));
            assert!(is_told);
            owed.extend(more);
            assert!(repeats.known.len() <= LOG_REPEATS_KNOWN);
        }
        assert_eq!(owed, [("first".to_owned(), 1)]);
    }
}
