use std::future::poll_fn;
use std::time::Duration;

use tokio::time::{advance, timeout};

use super::*;

const STALL: Duration = UNFINISHED_STALL_TIMEOUT;

fn ask(unfinished: &Arc<Unfinished>, bytes: usize) -> Claim {
    let mut claim = Claim::new(Arc::clone(unfinished));
    claim.ask(bytes);
    claim
}

impl Claim {
    async fn turn(&mut self) -> Standing {
        poll_fn(|context| self.poll_turn(context)).await
    }
}

/// What changes for `claim` before the others do anything.
async fn turn_within(claim: &mut Claim, time: Duration) -> Option<Standing> {
    timeout(time, claim.turn()).await.ok()
}

#[track_caller]
fn assert_nothing_is_left(unfinished: &Unfinished) {
    let claims = unfinished.claims();
    assert_eq!((claims.held, claims.holders.len(), claims.waiting.len()), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn room_is_for_as_many_as_fit_and_the_rest_come_in_turn() {
    let unfinished = Unfinished::new(100);
    let mut first = ask(&unfinished, 60);
    let second = ask(&unfinished, 40);
    let mut third = ask(&unfinished, 70);
    let mut fourth = ask(&unfinished, 1);
    assert_eq!([&first, &second].map(Claim::standing), [Standing::Held; 2]);
    let waiting = [&third, &fourth].map(Claim::standing);
    assert_eq!(waiting, [Standing::Waiting; 2], "a small one does not overtake");
    drop(second);
    assert_eq!(turn_within(&mut third, STALL / 2).await, None);
    first.release();
    assert_eq!(first.standing(), Standing::Idle);
    assert_eq!(turn_within(&mut third, STALL / 2).await, Some(Standing::Held));
    assert_eq!(turn_within(&mut fourth, STALL / 2).await, Some(Standing::Held));
    drop((first, third, fourth));
    assert_nothing_is_left(&unfinished);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_line_holds_up_nobody() {
    let unfinished = Unfinished::new(100);
    let _first = ask(&unfinished, 60);
    let second = ask(&unfinished, 70);
    let mut third = ask(&unfinished, 40);
    drop(second);
    assert_eq!(turn_within(&mut third, STALL / 2).await, Some(Standing::Held));
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_all_the_room_comes_in_alone() {
    let unfinished = Unfinished::new(100);
    let mut large = ask(&unfinished, 1000);
    assert_eq!(large.standing(), Standing::Held);
    let mut small = ask(&unfinished, 1);
    let mut other = ask(&unfinished, 1000);
    assert_eq!(turn_within(&mut small, STALL / 2).await, None);
    large.release();
    assert_eq!(turn_within(&mut small, STALL / 2).await, Some(Standing::Held));
    assert_eq!(turn_within(&mut other, STALL / 2).await, None, "not beside a small one");
    small.release();
    assert_eq!(turn_within(&mut other, STALL / 2).await, Some(Standing::Held));
}

#[tokio::test(start_paused = true)]
async fn nobody_loses_room_that_nobody_needs() {
    let unfinished = Unfinished::new(100);
    let mut first = ask(&unfinished, 60);
    let _second = ask(&unfinished, 40);
    assert_eq!(turn_within(&mut first, Duration::from_secs(3600)).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_one_that_stalls_for_longest_loses_its_room_to_the_first_in_line() {
    let unfinished = Unfinished::new(100);
    let mut lively = ask(&unfinished, 50);
    advance(Duration::from_secs(1)).await;
    let mut stalled = ask(&unfinished, 50);
    advance(Duration::from_secs(1)).await;
    lively.received(UNFINISHED_STEP_BYTES);
    stalled.received(UNFINISHED_STEP_BYTES - 1);
    let mut waiting = ask(&unfinished, 50);
    let start = Instant::now();
    let lost = async { (stalled.turn().await, start.elapsed()) };
    let (lost, pressed) = tokio::join!(lost, turn_within(&mut waiting, STALL));
    assert_eq!(
        lost,
        (Standing::Lost, STALL.saturating_sub(Duration::from_secs(1))),
        "it stalled before that"
    );
    assert_eq!(pressed, None, "the room is not there until the other has let go");
    assert_eq!(turn_within(&mut lively, Duration::ZERO).await, None);
    stalled.release();
    assert_eq!(turn_within(&mut waiting, Duration::ZERO).await, Some(Standing::Held));
}

#[tokio::test(start_paused = true)]
async fn no_more_lose_their_room_than_must() {
    let unfinished = Unfinished::new(100);
    let mut stalled = [ask(&unfinished, 50), ask(&unfinished, 50)];
    advance(STALL).await;
    let (mut waiting, _second) = (ask(&unfinished, 50), ask(&unfinished, 50));
    for _ in 0..3 {
        assert_eq!(turn_within(&mut waiting, STALL).await, None);
        // Whoever joins the line wakes its first.
        drop(ask(&unfinished, 50));
    }
    let mut lost = 0;
    for claim in &mut stalled {
        lost += usize::from(turn_within(claim, Duration::ZERO).await == Some(Standing::Lost));
    }
    assert_eq!(lost, 1);
}

/// However many stall: each wave of them is gone after the time of one.
#[tokio::test(start_paused = true)]
async fn a_crowd_that_stalls_delays_the_last_in_line_by_one_wait_for_each_fill() {
    let unfinished = Unfinished::new(100);
    for _ in 0..95 {
        let mut stalling = ask(&unfinished, 10);
        tokio::spawn(async move { while stalling.turn().await != Standing::Lost {} });
    }
    let mut last = ask(&unfinished, 10);
    let start = Instant::now();
    assert_eq!(last.turn().await, Standing::Held);
    assert_eq!(start.elapsed().as_secs(), 9 * STALL.as_secs());
}

/// Steady ones are never cut off, in whatever mixture of sizes; all of them finish.
#[tokio::test(start_paused = true)]
async fn all_that_go_on_finish() {
    let unfinished = Unfinished::new(5 * UNFINISHED_STEP_BYTES);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200_usize {
        let unfinished = Arc::clone(&unfinished);
        tasks.spawn(async move {
            let steps = 1 + number * 7 % 11;
            for _ in 0..3 {
                let mut claim = ask(&unfinished, steps * UNFINISHED_STEP_BYTES);
                if claim.standing() == Standing::Waiting {
                    assert_eq!(claim.turn().await, Standing::Held);
                }
                for _ in 0..steps {
                    let next =
                        turn_within(&mut claim, STALL.saturating_sub(Duration::from_millis(1)))
                            .await;
                    assert_eq!(next, None, "cut off");
                    claim.received(UNFINISHED_STEP_BYTES);
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_nothing_is_left(&unfinished);
}
