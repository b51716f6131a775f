//! Lives of machines with and without a clock.

use super::*;

const YEAR_2026_MS: u64 = 1_795_000_000_000;

fn minutes(minutes: u64) -> Tick {
    Tick::ZERO.after(Duration::from_secs(60 * minutes))
}

/// The wall clock so many minutes after a time in 2026.
fn set(minutes: u64) -> Timestamp {
    Timestamp::new(YEAR_2026_MS + minutes * 60_000, true)
}

/// A clock that starts in 1970 with the machine.
fn unset(minutes: u64) -> Timestamp {
    Timestamp::new(minutes * 60_000, false)
}

/// Lives of an hour each that begin at tick 0; the next one begins.
fn lives(walls: &[Timestamp], now: Timestamp) -> Lives {
    let hour = |wall: &Timestamp| Life { seen: minutes(60), ..Life::at(Tick::ZERO, *wall) };
    let earlier = (1..).map(LifeId).zip(walls.iter().map(hour)).collect();
    Lives::begin(earlier, Tick::ZERO, now)
}

#[track_caller]
fn check(walls: &[Timestamp], now: Timestamp, life: u64, tick: u64, expected: u64) {
    let lives = lives(walls, now);
    let translated = lives.translate(LifeId(life), minutes(tick));
    assert_eq!(translated, minutes(expected), "{walls:?}, now {now:?}");
}

#[test]
fn time_off_counts_exactly_where_both_clocks_were_set() {
    // Off for half an hour after the hour.
    check(&[set(0)], set(90), 1, 100, 10);
    check(&[set(0)], set(90), 1, 91, 1);
    check(&[set(0)], set(90), 1, 60, 0);
    // A life between them has no clock, and does not matter.
    check(&[set(0), unset(0)], set(200), 1, 250, 50);
}

#[test]
fn no_time_is_off_where_a_clock_was_not_set() {
    check(&[unset(0)], unset(0), 1, 100, 40);
    check(&[unset(0)], set(90), 1, 100, 40);
    check(&[set(0)], unset(0), 1, 100, 40);
    // The lives between count for what they lived.
    check(&[set(0), unset(0), unset(0)], unset(0), 1, 200, 20);
    // From the first to the third exactly, then without a clock.
    check(&[set(0), unset(0), set(300)], unset(0), 1, 400, 40);
}

#[test]
fn a_clock_that_went_backwards_ends_nothing_sooner_or_later() {
    check(&[set(500)], set(90), 1, 100, 40);
    check(&[set(500), unset(0)], set(90), 1, 200, 80);
}

#[test]
fn what_never_ends_never_ends() {
    let lives = lives(&[set(0)], set(90));
    assert_eq!(lives.translate(LifeId(1), Tick::MAX), Tick::MAX);
}

#[test]
fn ticks_of_this_life_stay_as_they_are() {
    let lives = lives(&[set(0)], set(90));
    assert_eq!(lives.current(), LifeId(2));
    assert_eq!(lives.translate(LifeId(2), minutes(7)), minutes(7));
}

#[test]
fn a_life_that_is_not_known_is_taken_for_an_empty_one() {
    check(&[set(0)], set(90), 0, 40, 0);
    check(&[unset(0)], unset(0), 0, 100, 40);
    let nothing = lives(&[], set(0));
    assert_eq!(nothing.translate(LifeId(0), minutes(7)), minutes(7));
}

#[test]
fn the_time_off_is_told_once_when_the_clock_is_set() {
    let mut lives = lives(&[set(0)], unset(0));
    assert_eq!(lives.translate(LifeId(1), minutes(200)), minutes(140));
    assert_eq!(lives.slept(minutes(1), unset(1)), None);
    // Two minutes into this life it is 90 minutes later than when the last one was seen.
    let slept = Duration::from_secs(60 * (90 - 2));
    assert_eq!(lives.slept(minutes(2), set(150)), Some(slept));
    assert_eq!(lives.translate(LifeId(1), minutes(200)), minutes(140 - 88));
    assert_eq!(lives.slept(minutes(3), set(151)), None);
    assert_eq!(lives.slept(minutes(4), set(999)), None);
}

/// A Pi keeps the time of its last shutdown in a file, and takes that for the time until NTP comes.
#[test]
fn a_clock_that_was_set_wrong_at_first_is_told_when_it_is_right() {
    let mut lives = lives(&[set(0)], set(60));
    assert_eq!(lives.translate(LifeId(1), minutes(200)), minutes(140));
    assert_eq!(lives.slept(minutes(1), set(61)), None);
    let slept = Duration::from_secs(60 * 38);
    assert_eq!(lives.slept(minutes(2), set(100)), Some(slept));
    assert_eq!(lives.translate(LifeId(1), minutes(200)), minutes(140 - 38));
}

#[test]
fn time_off_is_not_told_after_a_life_without_a_clock() {
    assert_eq!(lives(&[set(0), unset(0)], unset(0)).slept(minutes(1), set(500)), None);
    assert_eq!(lives(&[], unset(0)).slept(minutes(1), set(500)), None);
}

#[test]
fn a_life_is_written_down_seldom() {
    let mut lives = lives(&[], unset(0));
    let first = lives.heard(minutes(0), unset(0)).expect("it is new");
    lives.wrote(first);
    assert_eq!(lives.heard(Tick::from_micros(59_000_000), unset(0)), None);
    let later = lives.heard(minutes(1), unset(1)).expect("a minute is over");
    assert_eq!((later.began, later.seen), (Tick::ZERO, minutes(1)));
    lives.wrote(later);
    let set = lives.heard(minutes(1), set(0)).expect("the clock was set");
    assert!(set.synchronised);
}

#[test]
fn lives_of_which_nothing_speaks_are_forgotten_but_for_the_last() {
    let mut three = lives(&[set(0), unset(0), set(300)], unset(0));
    assert_eq!(three.forget_before(LifeId(2)), [LifeId(1)]);
    assert_eq!(three.forget_before(LifeId(9)), [LifeId(2)]);
    assert_eq!(three.translate(LifeId(3), minutes(100)), minutes(40));
}
