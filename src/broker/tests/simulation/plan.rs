//! What a seed makes of the house: which features are in use, and how large everything may be.
//! Not all at a time, because a feature can hide the faults of another.

use std::num::NonZeroU16;
use std::time::Duration;

use super::super::super::{Bounds, Keeping, Settings};
use super::super::house::Dice;
use crate::access::Rights;
use crate::mqtt::TopicFilter;

/// Topics that clients publish to; the last only by way of asking.
pub(super) const TOPICS: &[&str] =
    &["a", "a/b", "a/b/c", "b", "b/c", "a//c", "/", "b/b/b/b/b", "maison/room"];
/// Topics that only the gateway may publish to.
pub(super) const OWN_TOPICS: &[&str] = &["maison/room", "maison/room/x", "$SYS/load", "a/b"];
pub(super) const SHARED_TOPICS: &[&str] = &["s/1", "s/2", "s/2/x"];
pub(super) const FILTERS: &[&str] = &[
    "a/#",
    "+/b",
    "a/+",
    "a/b",
    "a/+/c",
    "b/#",
    "/+",
    "+",
    "maison/#",
    "maison/room",
    "$SYS/#",
    "b/b/b/b/#",
    "a/b/c",
];
/// First level of the topics that guests may not read, in some houses.
pub(super) const PRIVATE: &str = "b";
/// Filters that also match what is shared.
pub(super) const WIDE_FILTERS: &[&str] = &["#", "+/#", "+/+", "s/#", "s/2"];
/// The last also shares what the narrower filters match.
pub(super) const GROUPS: &[&str] = &["$share/g/s/#", "$share/g/s/+", "$share/h/s/2", "$share/h/#"];

/// See the module.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn for itself")]
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) steps: usize,
    /// Nothing makes it uncertain which message of a full queue was given up.
    pub(super) exact: bool,
    pub(super) groups: bool,
    /// Guests may not read all.
    pub(super) private: bool,
    pub(super) message_expiry: bool,
    pub(super) packet_sizes: bool,
    pub(super) wills: bool,
    pub(super) keep_alive: bool,
    /// The shell wakes the broker late.
    pub(super) late: bool,
    /// Payloads that fill a connection.
    pub(super) heavy: bool,
    pub(super) retained: bool,
    /// Of a thousand steps, how many are faults.
    pub(super) faults: u64,
    /// Highest number of QoS 1 and 2 publications that a client has under way.
    pub(super) under_way: usize,
}

impl Plan {
    pub(super) fn of(dice: &mut Dice) -> Self {
        let exact = dice.below(4) == 0;
        let late = dice.below(4) == 0;
        let mut one_in = |n| dice.below(n) == 0;
        let message_expiry = !exact && one_in(2);
        let groups = !exact && one_in(2);
        let packet_sizes = !exact && one_in(3);
        let private = !groups && one_in(2);
        let (wills, keep_alive) = (!late && one_in(2), !late && one_in(2));
        let (heavy, retained) = (one_in(6), !one_in(4));
        let mut settings = settings(dice, exact);
        if private {
            let filter = TopicFilter::new(format!("{PRIVATE}/#")).unwrap();
            settings.rights = settings.rights.keeping_private(vec![filter]);
        }
        if !keep_alive {
            settings.bounds.keep_alive = None;
        }
        Self {
            settings,
            steps: dice.choose(&[500, 1500, 4000]),
            exact,
            groups,
            private,
            message_expiry,
            packet_sizes,
            wills,
            keep_alive,
            late,
            heavy,
            retained,
            faults: dice.choose(&[0, 5, 20, 60]),
            under_way: dice.choose(&[1, 3, 10]),
        }
    }

    /// Whether a queue can be too full for a message.
    pub(super) fn is_bounded(&self) -> bool {
        let settings = &self.settings;
        let bounds = [settings.queue_messages, settings.queue_bytes, settings.bounds.queued_bytes];
        bounds.iter().any(Option::is_some)
    }
}

fn settings(dice: &mut Dice, exact: bool) -> Settings {
    let inflight_to_client = dice.choose(&[1, 2, 5, 20]);
    let receive_maximum = NonZeroU16::new(dice.choose(&[1, 3, 20])).unwrap();
    let mut bounds = Bounds {
        inflight_to_client,
        receive_maximum,
        topic_alias_maximum: dice.choose(&[0, 2, 16]),
        topic_levels: dice.choose(&[4, 200]),
        subscriptions_per_session: dice.choose(&[3, 100, 100]),
        retained_bytes: dice.choose(&[0, 1 << 20, 1 << 20, 1 << 20]),
        keep_alive: dice.choose(&[None, Some(Duration::from_secs(10))]),
        ..Bounds::default()
    };
    if dice.below(4) == 0 {
        bounds.sessions_per_user = dice.choose(&[2, 4]);
    }
    if dice.below(6) == 0 {
        bounds.sessions = dice.choose(&[5, 12]);
    }
    bounds.queued_bytes = if exact { None } else { dice.choose(&[None, None, Some(20_000)]) };
    Settings {
        session_expiry: Duration::from_secs(dice.choose(&[20, 60, 120])),
        queue_messages: dice.choose(&[None, None, Some(2), Some(8), Some(100)]),
        queue_bytes: if exact { None } else { dice.choose(&[None, None, Some(3000)]) },
        bounds,
        assigned_prefix: "assigned".into(),
        rights: Rights::new("maison"),
        keeping: Keeping::Nothing,
    }
}
