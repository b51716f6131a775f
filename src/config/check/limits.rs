//! `[broker.limits]`: each by itself, and those that hold each other.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::gateway::PACKET_BYTES_MAX;
use super::{integer, within};
use crate::config::amount::{Bounded, Size};
use crate::config::complaint::{Complaint, Complaints};
use crate::config::written::{At, Field};
use crate::config::{Limits, schema};
use crate::limits;

/// `[broker.limits]`, beside `max_packet_size` of `[broker]`.
pub(super) fn limits(
    field: &Field<schema::Limits>,
    max_packet_size: u32,
    complaints: &mut Complaints,
) -> Limits {
    let Some(written) = field.value() else { return Limits::default() };
    let limits = each(written, complaints);
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let connections = bound("connections", &written.connections, count(limits.connections));
    let sessions = bound("sessions", &written.sessions, count(limits.sessions));
    let per_address = count(limits.connections_per_address);
    let per_address =
        bound("connections_per_address", &written.connections_per_address, per_address);
    let per_user = count(limits.sessions_per_user);
    let per_user = bound("sessions_per_user", &written.sessions_per_user, per_user);
    let before_login = Size(limits.packet_before_login.into());
    let before_login = bound("packet_before_login", &written.packet_before_login, before_login);
    let absent = Field::Absent;
    let packet = bound("max_packet_size", &absent, Size(max_packet_size.into()));
    at_most(&per_address, &connections, complaints);
    at_most(&connections, &sessions, complaints);
    at_most(&per_user, &sessions, complaints);
    at_most(&before_login, &packet, complaints);
    limits
}

/// Each by itself.
fn each(written: &schema::Limits, complaints: &mut Complaints) -> Limits {
    let default = Limits::default();
    let mut count =
        |field: &Field<i64>, key: &str, range: RangeInclusive<usize>, default: usize| {
            counted(field, key, range, default, complaints)
        };
    let connections_max = limits::CONNECTIONS_CONFIGURABLE_MAX;
    let sessions_max = limits::SESSIONS_CONFIGURABLE_MAX;
    let subscriptions_max = limits::SUBSCRIPTIONS_PER_SESSION_MAX;
    let levels = limits::TOPIC_LEVELS_MIN..=limits::TOPIC_LEVELS_MAX;
    let inflight_max = limits::INFLIGHT_TO_CLIENT_MAX;
    Limits {
        connections: count(
            &written.connections,
            "connections",
            1..=connections_max,
            default.connections,
        ),
        connections_per_address: count(
            &written.connections_per_address,
            "connections_per_address",
            1..=connections_max,
            default.connections_per_address,
        ),
        sessions: count(&written.sessions, "sessions", 1..=sessions_max, default.sessions),
        sessions_per_user: count(
            &written.sessions_per_user,
            "sessions_per_user",
            1..=sessions_max,
            default.sessions_per_user,
        ),
        subscriptions: count(
            &written.subscriptions,
            "subscriptions",
            1..=subscriptions_max,
            default.subscriptions,
        ),
        topic_levels: count(&written.topic_levels, "topic_levels", levels, default.topic_levels),
        inflight: count(&written.inflight, "inflight", 1..=inflight_max, default.inflight),
        receive_maximum: receive_maximum(&written.receive_maximum, complaints),
        topic_aliases: integer(
            &written.topic_aliases,
            "topic_aliases",
            0..=limits::TOPIC_ALIASES_FROM_PEER_MAX,
            default.topic_aliases,
            complaints,
        ),
        connect_timeout: within(
            &written.connect_timeout,
            "connect_timeout",
            limits::CONNECT_TIMEOUT_RANGE.0..=limits::CONNECT_TIMEOUT_RANGE.1,
            default.connect_timeout,
            complaints,
        ),
        packet_before_login: packet_before_login(&written.packet_before_login, complaints),
        keep_alive: keep_alive(&written.keep_alive, complaints),
        subscribed: shared(&written.subscribed, "subscribed", default.subscribed, complaints),
        retained: shared(&written.retained, "retained", default.retained, complaints),
        queued: queued(&written.queued, default.queued, complaints),
        unfinished: shared(&written.unfinished, "unfinished", default.unfinished, complaints),
    }
}

fn counted(
    field: &Field<i64>,
    key: &str,
    range: RangeInclusive<usize>,
    default: usize,
    complaints: &mut Complaints,
) -> usize {
    let wide = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let range = wide(*range.start())..=wide(*range.end());
    usize::try_from(within(field, key, range, wide(default), complaints)).unwrap_or(default)
}

fn receive_maximum(field: &Field<i64>, complaints: &mut Complaints) -> NonZeroU16 {
    let default = Limits::default().receive_maximum;
    let number = integer(field, "receive_maximum", 1..=u16::MAX, default.get(), complaints);
    NonZeroU16::new(number).unwrap_or(default)
}

/// Beyond the largest `max_packet_size` it is out of range; beyond the one that is set it is at
/// odds with that.
fn packet_before_login(field: &Field<Size>, complaints: &mut Complaints) -> u32 {
    let default = Limits::default().packet_before_login;
    let range = Size(limits::PACKET_BYTES_BEFORE_LOGIN_MIN.into())..=PACKET_BYTES_MAX;
    let size = within(field, "packet_before_login", range, Size(default.into()), complaints);
    u32::try_from(size.0).unwrap_or(default)
}

/// Zero is no bound.
fn keep_alive(field: &Field<Duration>, complaints: &mut Complaints) -> Option<Duration> {
    let range = Duration::ZERO..=limits::KEEP_ALIVE_MAX;
    let longest = within(field, "keep_alive", range, Duration::ZERO, complaints);
    if let Some(At { place, .. }) = field.given()
        && longest.subsec_nanos() > 0
    {
        let up = Duration::from_secs(longest.as_secs() + 1).min(limits::KEEP_ALIVE_MAX);
        let hint = format!("the protocol counts seconds: `\"{}\"`", up.written());
        let complaint = Complaint::value(*place, "`keep_alive` is not in whole seconds");
        complaints.push(complaint.found(longest.written()).hint(hint));
    }
    Some(longest).filter(|longest| !longest.is_zero())
}

/// Bytes of all clients together. No bound at all can be had by a high one.
fn shared(field: &Field<Size>, key: &str, default: usize, complaints: &mut Complaints) -> usize {
    let Some(_) = field.given() else { return default };
    let range = Size(limits::SHARED_BYTES_MIN)..=Size(limits::SHARED_BYTES_MAX);
    let size = within(field, key, range, Size(limits::SHARED_BYTES_MIN), complaints);
    usize::try_from(size.0).unwrap_or(usize::MAX)
}

/// Zero is no bound.
fn queued(
    field: &Field<Size>,
    default: Option<usize>,
    complaints: &mut Complaints,
) -> Option<usize> {
    let Some(_) = field.given() else { return default };
    let range = Size(0)..=Size(limits::SHARED_BYTES_MAX);
    let size = within(field, "queued", range, Size(0), complaints);
    Some(usize::try_from(size.0).unwrap_or(usize::MAX)).filter(|bytes| *bytes > 0)
}

/// A limit that holds another, or is held.
struct Bound<'a, T> {
    key: &'static str,
    field: &'a Field<T>,
    /// What it is, written or not.
    value: T,
}

fn bound<'a, T>(key: &'static str, field: &'a Field<T>, value: T) -> Bound<'a, T> {
    Bound { key, field, value }
}

/// Complains where the smaller of two limits is not; told where one of them is written, since the
/// defaults agree with each other.
fn at_most<T: Bounded>(small: &Bound<T>, large: &Bound<T>, complaints: &mut Complaints) {
    if small.value <= large.value {
        return;
    }
    let (small_value, large_value) = (small.value.written(), large.value.written());
    let (at, hint) = match (small.field.given(), large.field.given()) {
        (Some(at), _) => (at, format!("at most `{large_value}`, or raise `{}`", large.key)),
        (None, Some(at)) => {
            (at, format!("set `{}` too, its default is `{small_value}`", small.key))
        }
        (None, None) => return,
    };
    let what = format!("`{}` is more than `{}`", small.key, large.key);
    let found = format!("{small_value} > {large_value}");
    complaints.push(Complaint::shape(at.place, what).found(found).hint(hint));
}
