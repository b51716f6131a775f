//! Slots and retries of a bus, without its sensors.

use super::*;

const A: SensorId = SensorId(0);
const B: SensorId = SensorId(1);
const C: SensorId = SensorId(2);

fn ms(milliseconds: u64) -> Tick {
    Tick::from_micros(milliseconds * 1000)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A and B each 10 s, C each 30 s, all with two retries.
fn three(seed: u64) -> Schedule {
    let mut schedule = Schedule::new(seed, Tick::ZERO);
    schedule.add(A, seconds(10), 2);
    schedule.add(B, seconds(10), 2);
    schedule.add(C, seconds(30), 2);
    schedule
}

fn succeed(schedule: &mut Schedule, sensors: &[SensorId]) {
    for sensor in sensors {
        schedule.succeeded(*sensor);
    }
}

/// Everything read in `until`, each answered at once.
fn slots(schedule: &mut Schedule, until: Tick) -> Vec<(Tick, Vec<SensorId>)> {
    let mut slots = Vec::new();
    while let Some(at) = schedule.deadline().filter(|at| *at <= until) {
        let due = schedule.due(at);
        succeed(schedule, &due);
        slots.push((at, due));
    }
    slots
}

#[test]
fn all_are_read_at_the_start_and_equal_intervals_stay_together() {
    let slots = slots(&mut three(7), ms(60_000));
    assert_eq!(slots.first(), Some(&(Tick::ZERO, vec![A, B, C])));
    let tens: Vec<_> = slots.iter().skip(1).filter(|(_, due)| due == &[A, B]).collect();
    assert_eq!(tens.len(), 6);
    assert!(tens.windows(2).all(|two| two[1].0.since(two[0].0) == seconds(10)));
    assert_eq!(slots.iter().skip(1).filter(|(_, due)| due == &[C]).count(), 2);
    assert_eq!(slots.len(), 9);
}

#[test]
fn seeds_and_intervals_spread_the_phases_over_the_interval() {
    let phases = |interval: u64| (0..1000).map(move |seed| phase(seed, seconds(interval)));
    for quarter in 0..4 {
        let range = seconds(quarter * 10)..seconds(quarter * 10 + 10);
        let share = phases(40).filter(|phase| range.contains(phase)).count();
        assert!((200..300).contains(&share), "{share} of 1000 in quarter {quarter}");
    }
    let together = phases(40).zip(phases(41)).filter(|(a, b)| a.abs_diff(*b) < seconds(1));
    assert!(together.count() < 100);
    assert!(phases(40).all(|phase| !phase.is_zero() && phase <= seconds(40)));
}

#[test]
fn missed_slots_are_skipped_and_the_phase_is_kept() {
    let mut schedule = three(7);
    let phase = schedule.groups[&seconds(10)].anchor;
    slots(&mut schedule, ms(20_000));
    let late = schedule.due(ms(3_600_000));
    assert_eq!(late, [A, B, C]);
    succeed(&mut schedule, &late);
    let next = schedule.deadline().unwrap();
    assert!(next > ms(3_600_000) && next <= ms(3_610_000));
    assert_eq!(next.since(phase).as_micros() % seconds(10).as_micros(), 0);
}

#[test]
fn a_sensor_is_not_read_again_before_it_has_answered() {
    let mut schedule = three(7);
    assert_eq!(schedule.due(Tick::ZERO), [A, B, C]);
    succeed(&mut schedule, &[A, C]);
    let slot = schedule.groups[&seconds(10)].next;
    assert_eq!(schedule.due(slot), [A]);
    assert!(schedule.is_reading(B));
}

#[test]
fn retries_back_off_and_wait_for_each_other() {
    let mut schedule = three(1);
    schedule.due(Tick::ZERO);
    assert_eq!(schedule.failed(ms(800), A), Verdict::Retry);
    assert_eq!(schedule.failed(ms(812), B), Verdict::Retry);
    succeed(&mut schedule, &[C]);
    assert_eq!(schedule.deadline(), Some(ms(862)));
    assert_eq!(schedule.due(ms(861)), []);
    assert_eq!(schedule.due(ms(862)), [A, B]);
    succeed(&mut schedule, &[B]);
    assert_eq!(schedule.failed(ms(1600), A), Verdict::Retry);
    assert_eq!(schedule.due(ms(1700)), [A]);
    assert_eq!(schedule.failed(ms(1800), A), Verdict::Over);
    assert!(!schedule.is_reading(A));
}

#[test]
fn a_retry_that_does_not_fit_in_the_interval_is_not_made() {
    let mut schedule = three(1);
    schedule.due(Tick::ZERO);
    assert_eq!(schedule.failed(ms(9_950), A), Verdict::Over);
    assert_eq!(schedule.failed(ms(9_949), B), Verdict::Retry);
}

#[test]
fn a_retry_after_the_next_slot_is_that_slots_reading() {
    let mut schedule = three(1);
    schedule.due(Tick::ZERO);
    let slot = schedule.groups[&seconds(10)].next;
    let shortly_before = Tick::from_micros(slot.as_micros() - 10_000);
    assert_eq!(schedule.failed(shortly_before, A), Verdict::Retry);
    assert_eq!(schedule.due(slot), [A]);
    let tries = Cycle::Reading { tries: 1, begun: Tick::ZERO };
    assert_eq!(schedule.groups[&seconds(10)].members[&A].cycle, tries);
}

/// Found by `whatever_the_chips_say`. A waits until 5.05 s, B until 5.06 s; B's slot at 5.055 s
/// comes first.
#[test]
fn a_slot_of_the_last_that_waits_takes_the_others_along() {
    let mut schedule = Schedule::new(1, Tick::ZERO);
    schedule.add(A, seconds(10), 2);
    schedule.add(B, seconds(30), 2);
    schedule.due(Tick::ZERO);
    schedule.groups.get_mut(&seconds(10)).unwrap().next = ms(9_000);
    schedule.groups.get_mut(&seconds(30)).unwrap().next = ms(5_055);
    assert_eq!(schedule.failed(ms(5_000), A), Verdict::Retry);
    assert_eq!(schedule.failed(ms(5_010), B), Verdict::Retry);
    assert_eq!(schedule.deadline(), Some(ms(5_055)));
    assert_eq!(schedule.due(ms(5_055)), [A, B]);
    assert!(schedule.deadline().is_some_and(|next| next > ms(5_055)));
}

#[test]
fn a_dead_sensor_is_retried_in_its_first_cycles_only_and_again_once_it_lives() {
    let mut schedule = Schedule::new(1, Tick::ZERO);
    schedule.add(A, seconds(10), 2);
    let mut tries = Vec::new();
    let mut cycle = |schedule: &mut Schedule| {
        for count in 1.. {
            let at = schedule.deadline().unwrap();
            assert_eq!(schedule.due(at), [A]);
            if schedule.failed(at, A) == Verdict::Over {
                return tries.push(count);
            }
        }
    };
    (0..5).for_each(|_| cycle(&mut schedule));
    let at = schedule.deadline().unwrap();
    schedule.due(at);
    schedule.succeeded(A);
    cycle(&mut schedule);
    assert_eq!(tries, [3, 3, 3, 1, 1, 3]);
}

#[track_caller]
fn check_back_off(tries: u8, milliseconds: u64) {
    assert_eq!(back_off(tries), Duration::from_millis(milliseconds));
}

#[test]
fn back_off_doubles_up_to_its_bound() {
    check_back_off(0, 50);
    check_back_off(1, 100);
    check_back_off(2, 200);
    check_back_off(3, 200);
    check_back_off(255, 200);
}

#[test]
fn the_end_of_time_is_no_overflow() {
    let end = slot_after(ms(1), Duration::MAX, Tick::MAX);
    assert_eq!(end, Tick::MAX);
}
