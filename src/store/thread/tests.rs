//! The thread over a store of maps whose disk can fail.

use std::sync::mpsc::Sender;

use super::*;
use crate::broker::record::{Place, Queued, Restored, SessionId};
use crate::store::faults::{Faults, Faulty};
use crate::store::tests::model::Model;
use crate::store::tests::records::{plain, session_of, waits};

/// Longer than any test may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
enum Heard {
    Committed(u64, Result<(), Trouble>),
    Paged(usize),
    Slept(Duration),
}

struct Ear(Sender<Heard>);

impl Answers for Ear {
    fn committed(&self, number: u64, outcome: Result<(), Trouble>) {
        self.0.send(Heard::Committed(number, outcome)).unwrap();
    }

    fn paged(&self, page: Page) {
        self.0.send(Heard::Paged(page.messages.map_or(999, |messages| messages.len()))).unwrap();
    }

    fn slept(&self, time: Duration) {
        self.0.send(Heard::Slept(time)).unwrap();
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Tick {
        Tick::ZERO
    }

    fn wall(&self) -> Timestamp {
        Timestamp::new(0, false)
    }
}

/// A store of maps; a batch of number 666 makes it panic.
#[derive(Default)]
struct Maps {
    model: Model,
    slept: Option<Duration>,
    figures: Figures,
}

impl Store for Maps {
    fn commit(&mut self, batch: &Batch, _: Tick, _: Timestamp) -> Result<(), Failure> {
        assert_ne!(batch.number, 666);
        self.model.commit(batch);
        self.figures.commits += 1;
        Ok(())
    }

    fn page(
        &mut self,
        it: &PageRequest,
        _: Tick,
        _: Timestamp,
    ) -> Result<Vec<(Place, Queued)>, Failure> {
        Ok(self.model.page(it))
    }

    fn restore(&mut self, _: Tick, _: Timestamp) -> Result<Restored, Failure> {
        Ok(self.model.restored())
    }

    fn slept(&mut self, _: Tick, _: Timestamp) -> Option<Duration> {
        self.slept.take()
    }

    fn settle(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn figures(&self) -> Figures {
        self.figures
    }
}

fn start(maps: Maps) -> (StoreThread, Faults, Receiver<Heard>) {
    let faults = Faults::default();
    let store = Faulty::new(maps, faults.clone());
    let (mouth, ear) = mpsc::channel();
    let thread = spawn(Box::new(store), Box::new(Stopped), Box::new(Ear(mouth))).unwrap();
    (thread, faults, ear)
}

fn batch(number: u64) -> Batch {
    let message = waits(1, number, plain("salon", "21.4"));
    Batch { number, changes: vec![session_of(1, "anna", "phone"), message] }
}

fn all_pages() -> PageRequest {
    let (from, to) = (Place(0), Place(1000));
    PageRequest { session: SessionId(1), from, to, messages_max: 1000, bytes_max: usize::MAX }
}

#[track_caller]
fn committed(ear: &Receiver<Heard>) -> (u64, Result<(), Trouble>) {
    match ear.recv_timeout(PATIENCE).unwrap() {
        Heard::Committed(number, outcome) => (number, outcome),
        other => panic!("{other:?}"),
    }
}

#[test]
fn batches_and_pages_are_answered_in_order() {
    let (thread, _, ear) = start(Maps::default());
    for number in 1..=3 {
        thread.commit(batch(number)).unwrap();
        assert_eq!(committed(&ear), (number, Ok(())));
        thread.page(all_pages()).unwrap();
        let paged = ear.recv_timeout(PATIENCE).unwrap();
        assert!(
            matches!(paged, Heard::Paged(messages) if messages == usize::try_from(number).unwrap())
        );
    }
    assert!(thread.stop(PATIENCE));
}

#[test]
fn what_was_handed_in_is_done_before_the_end() {
    let (thread, faults, ear) = start(Maps::default());
    faults.slow_down(Duration::from_millis(50));
    thread.commit(batch(1)).unwrap();
    thread.page(all_pages()).unwrap();
    assert!(thread.stop(PATIENCE));
    assert_eq!(committed(&ear), (1, Ok(())));
    assert!(matches!(ear.try_recv(), Ok(Heard::Paged(1))));
}

#[test]
fn a_disk_that_hangs_does_not_hold_up_the_end() {
    let (thread, faults, ear) = start(Maps::default());
    faults.slow_down(Duration::from_millis(400));
    thread.commit(batch(1)).unwrap();
    assert!(!thread.stop(Duration::from_millis(1)));
    assert_eq!(committed(&ear), (1, Ok(())));
}

#[test]
fn a_batch_goes_before_pages_but_does_not_starve_them() {
    let desk = Desk::default();
    desk.put_page(all_pages()).unwrap();
    desk.put_page(all_pages()).unwrap();
    desk.put_batch(batch(1)).unwrap();
    assert!(matches!(desk.next(false), Next::Order(Order::Commit(_))));
    desk.put_batch(batch(2)).unwrap();
    assert!(matches!(desk.next(true), Next::Order(Order::Page(_))));
    assert!(matches!(desk.next(false), Next::Order(Order::Commit(_))));
    assert!(matches!(desk.next(true), Next::Order(Order::Page(_))));
    desk.put_batch(batch(3)).unwrap();
    assert!(matches!(desk.next(true), Next::Order(Order::Commit(_))));
    desk.close();
    assert!(matches!(desk.next(true), Next::End));
}

#[test]
fn one_batch_waits_at_a_time_and_none_after_the_end() {
    let desk = Desk::default();
    desk.put_batch(batch(1)).unwrap();
    assert_eq!(desk.put_batch(batch(2)).unwrap_err().number, 2);
    desk.next(false);
    desk.put_batch(batch(2)).unwrap();
    desk.close();
    desk.next(false);
    assert!(desk.put_batch(batch(3)).is_err());
    assert!(desk.put_page(all_pages()).is_err());
}

#[test]
fn wishes_for_pages_are_bounded() {
    let desk = Desk::default();
    for _ in 0..STORE_PAGES_WAITING_MAX {
        desk.put_page(all_pages()).unwrap();
    }
    assert_eq!(desk.put_page(all_pages()), Err(all_pages()));
}

#[test]
fn trouble_is_told_and_passes() {
    let (thread, faults, ear) = start(Maps::default());
    faults.fail_writing(Trouble::Full, 1);
    faults.fail_reading(Trouble::Failed);
    let mut outcomes = Vec::new();
    for number in 1..=3 {
        thread.commit(batch(number)).unwrap();
        outcomes.push(committed(&ear).1);
    }
    assert_eq!(outcomes[1..], [Err(Trouble::Full), Err(Trouble::Full)]);
    thread.page(all_pages()).unwrap();
    assert!(matches!(ear.recv_timeout(PATIENCE), Ok(Heard::Paged(999))));
    faults.heal();
    thread.commit(batch(4)).unwrap();
    assert_eq!(committed(&ear), (4, Ok(())));
    assert!(thread.stop(PATIENCE));
}

#[test]
fn a_store_that_panics_has_failed_and_is_asked_again() {
    let (thread, _, ear) = start(Maps::default());
    thread.commit(Batch { number: 666, changes: Vec::new() }).unwrap();
    assert_eq!(committed(&ear), (666, Err(Trouble::Failed)));
    thread.commit(batch(1)).unwrap();
    assert_eq!(committed(&ear), (1, Ok(())));
    assert!(thread.stop(PATIENCE));
}

#[test]
fn time_off_is_told_after_what_was_done_before() {
    let slept = Duration::from_secs(90);
    let (thread, _, ear) = start(Maps { slept: Some(slept), ..Maps::default() });
    thread.commit(batch(1)).unwrap();
    assert_eq!(committed(&ear), (1, Ok(())));
    assert!(matches!(ear.recv_timeout(PATIENCE), Ok(Heard::Slept(time)) if time == slept));
    assert!(thread.stop(PATIENCE));
}

#[test]
fn the_pace_is_measured() {
    let (thread, faults, ear) = start(Maps::default());
    faults.slow_down(Duration::from_millis(30));
    thread.commit(batch(1)).unwrap();
    assert_eq!(committed(&ear), (1, Ok(())));
    let pace = thread.pace();
    assert!(pace.max >= Duration::from_millis(30) && pace.last == pace.max, "{pace:?}");
    assert_eq!(pace.figures.commits, 1);
    assert!(thread.stop(PATIENCE));
}
