//! What systemd is told: READY, STATUS, WATCHDOG, STOPPING. Without systemd, nobody.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::{debug, error, info};

use super::Gateway;
use super::house::Health;

/// Longest the start waits for the first try of each sensor before it says READY all the same.
const FIRST_TRY_MAX: Duration = Duration::from_secs(30);

/// Says READY when every sensor was tried once, then keeps STATUS true and the watchdog fed for as
/// long as the loops that matter go round.
pub async fn attend(gateway: &Gateway) {
    let mut health = gateway.survey.health.clone();
    let all_tried = health.wait_for(|health| health.tried >= health.sensors);
    let in_time = tokio::time::timeout(FIRST_TRY_MAX, all_tried).await.is_ok();
    let sensors = gateway.survey.health.borrow().sensors;
    info!(sensors, all_tried = in_time, "ready");
    gateway.survey.is_ready.store(true, Ordering::Relaxed);
    notify(&[NotifyState::Ready]);
    tokio::join!(keep_status(gateway), feed_watchdog(gateway));
}

/// The configuration is being read again. One who has not said READY yet has nothing to take back.
pub(super) fn reloading(gateway: &Gateway) {
    if gateway.survey.is_ready.load(Ordering::Relaxed) {
        let since = NotifyState::monotonic_usec_now().ok();
        let states = [Some(NotifyState::Reloading), since];
        notify(&states.into_iter().flatten().collect::<Vec<_>>());
    }
}

/// It has been read, whatever came of it.
pub(super) fn reloaded(gateway: &Gateway) {
    if gateway.survey.is_ready.load(Ordering::Relaxed) {
        notify(&[NotifyState::Ready]);
    }
}

/// The process ends on purpose.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

async fn keep_status(gateway: &Gateway) {
    let mut health = gateway.survey.health.clone();
    loop {
        let sentence = sentence(&health.borrow_and_update());
        notify(&[NotifyState::Status(&sentence)]);
        if health.changed().await.is_err() {
            return;
        }
    }
}

/// Feeds the watchdog at a third of its time, if every sampling loop goes round. The broker's lock
/// is taken on the way: a brain that never returns starves it as well.
async fn feed_watchdog(gateway: &Gateway) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    loop {
        gateway.survey.hub.shows_life();
        match late_bus(gateway) {
            None => notify(&[NotifyState::Watchdog]),
            Some(bus) => error!(bus, "sampling loop does not go round: watchdog not fed"),
        }
        tokio::time::sleep(patience / 3).await;
    }
}

/// The first bus whose loop does not go round, if any.
fn late_bus(gateway: &Gateway) -> Option<String> {
    let survey = &gateway.survey;
    survey.works().late_bus(survey.clock.now())
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "service manager cannot be told");
    }
}

/// `5 rooms, 4 ok, 1 failed (chambre: crc)`
fn sentence(health: &Health) -> String {
    let complaints = &health.complaints;
    let well = format!("{} rooms, {} sensors ok", health.rooms, health.ok);
    if complaints.is_empty() {
        return well;
    }
    format!("{well}, {} not ({})", complaints.len(), complaints.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_names_each_sensor_that_is_not_well() {
        let mut health = Health { rooms: 2, sensors: 2, tried: 2, ok: 2, complaints: Vec::new() };
        assert_eq!(sentence(&health), "2 rooms, 2 sensors ok");
        health.ok = 1;
        health.complaints.push("chambre: crc".to_owned());
        assert_eq!(sentence(&health), "2 rooms, 1 sensors ok, 1 not (chambre: crc)");
    }
}
