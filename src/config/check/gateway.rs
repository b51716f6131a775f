//! `[gateway]`, `[broker]` and `[hardware]`.

use std::time::Duration;

use super::{limits::limits as broker_limits, path, within, word};
use crate::config::amount::Size;
use crate::config::complaint::{Complaint, Complaints};
use crate::config::words::{DURABILITIES, LIBRARIES};
use crate::config::written::{At, Field};
use crate::config::{Broker, Gateway, Hardware, Library, schema};
use crate::limits;
use crate::mqtt::TopicFilter;

/// `[gateway]`.
pub(super) fn gateway(field: &Field<schema::Gateway>, complaints: &mut Complaints) -> Gateway {
    let default = Gateway::default();
    let Some(written) = field.value() else { return default };
    Gateway {
        root: root(&written.root, default.root, complaints),
        state_dir: path(&written.state_dir, "state_dir", default.state_dir, complaints),
        watch_files: written.watch_files.value().copied().unwrap_or(default.watch_files),
    }
}

fn root(field: &Field<String>, default: String, complaints: &mut Complaints) -> String {
    let Some(At { place, value }) = field.given() else { return default };
    match root_fault(value) {
        None => value.clone(),
        Some((what, hint)) => {
            complaints.push(Complaint::value(*place, what).found(value).hint(hint));
            default
        }
    }
}

/// Why a text cannot be the start of our topic names (MQTT 5.0 section 4.7).
fn root_fault(root: &str) -> Option<(&'static str, &'static str)> {
    if root.contains(['+', '#']) {
        return Some(("wildcard in the root topic", "`+` and `#` are for subscriptions only"));
    }
    if root.contains(char::is_control) {
        return Some(("control character in the root topic", "use letters, digits and hyphens"));
    }
    if root.split('/').any(str::is_empty) {
        let hint = "no `/` at either end, and one between two levels, as in `home/maison`";
        return Some(("empty level in the root topic", hint));
    }
    if root.starts_with('$') {
        return Some(("root topic with `$`", "topics with `$` are the broker's own"));
    }
    if root.len() > limits::ROOT_TOPIC_BYTES_MAX {
        return Some(("root topic too long", "at most 128 bytes"));
    }
    None
}

/// `[broker]`.
pub(super) fn broker(field: &Field<schema::Broker>, complaints: &mut Complaints) -> Broker {
    let default = Broker::default();
    let Some(written) = field.value() else { return default };
    let nothing = schema::Queue::default();
    let queue = written.queue.value().unwrap_or(&nothing);
    let expiry = Duration::ZERO..=limits::SESSION_EXPIRY_MAX;
    let max_packet_size = max_packet_size(&written.max_packet_size, complaints);
    Broker {
        durability: word(
            &written.durability,
            "durability",
            &DURABILITIES,
            default.durability,
            complaints,
        ),
        max_packet_size,
        session_expiry: within(
            &written.session_expiry,
            "session_expiry",
            expiry,
            default.session_expiry,
            complaints,
        ),
        queue_messages: queue_messages(&queue.messages, default.queue_messages, complaints),
        queue_bytes: queue_bytes(&queue.bytes, default.queue_bytes, complaints),
        sys_interval: sys_interval(&written.sys_interval, default.sys_interval, complaints),
        private: private(&written.private, complaints),
        limits: broker_limits(&written.limits, max_packet_size, complaints),
    }
}

/// The highest that can be asked for: a round number a little below what the protocol can say.
pub(super) const PACKET_BYTES_MAX: Size = Size(256 * 1024 * 1024);

fn max_packet_size(field: &Field<Size>, complaints: &mut Complaints) -> u32 {
    let low = Size(limits::PACKET_BYTES_BEFORE_LOGIN_MAX.into());
    let default = Size(limits::PACKET_BYTES_DEFAULT.into());
    let size = within(field, "max_packet_size", low..=PACKET_BYTES_MAX, default, complaints);
    u32::try_from(size.0).unwrap_or(limits::PACKET_BYTES_DEFAULT)
}

fn private(field: &Field<Vec<At<String>>>, complaints: &mut Complaints) -> Vec<TopicFilter> {
    let mut filters = Vec::new();
    for At { place, value } in field.value().into_iter().flatten() {
        match TopicFilter::new(value.clone()) {
            Ok(filter) => filters.push(filter),
            Err(error) => {
                let complaint = Complaint::value(*place, "not a topic filter").found(value);
                complaints.push(complaint.hint(error.to_string()));
            }
        }
    }
    filters
}

/// Zero is no bound.
fn queue_messages(
    field: &Field<i64>,
    default: Option<usize>,
    complaints: &mut Complaints,
) -> Option<usize> {
    let Some(_) = field.given() else { return default };
    let most = i64::from(u32::MAX);
    let messages = within(field, "messages", 0..=most, 0, complaints);
    usize::try_from(messages).ok().filter(|messages| *messages > 0)
}

/// Zero is no bound.
fn queue_bytes(
    field: &Field<Size>,
    default: Option<usize>,
    complaints: &mut Complaints,
) -> Option<usize> {
    let Some(_) = field.given() else { return default };
    let most = Size(u64::try_from(isize::MAX).unwrap_or(u64::MAX));
    let bytes = within(field, "bytes", Size(0)..=most, Size(0), complaints);
    usize::try_from(bytes.0).ok().filter(|bytes| *bytes > 0)
}

/// Zero is never.
fn sys_interval(
    field: &Field<Duration>,
    default: Option<Duration>,
    complaints: &mut Complaints,
) -> Option<Duration> {
    let Some(At { value, .. }) = field.given() else { return default };
    if value.is_zero() {
        return None;
    }
    let range = limits::INTERVAL_MIN..=limits::SYS_INTERVAL_MAX;
    Some(within(field, "sys_interval", range, default.unwrap_or_default(), complaints))
}

/// `[hardware]`.
pub(super) fn hardware(field: &Field<schema::Hardware>, complaints: &mut Complaints) -> Hardware {
    let default = Hardware::default();
    let Some(written) = field.value() else { return default };
    let library = |field, complaints: &mut Complaints| {
        word(field, "library", &LIBRARIES, Library::LinuxEmbeddedHal, complaints)
    };
    let i2c = library(&written.i2c, complaints);
    if let Some(at) = written.i2c.given().filter(|_| i2c == Library::Rppal) {
        let complaint = Complaint::value(at.place, "`rppal` is not for I²C").found(&at.value);
        let hint = "it sends a stop between the write and the read of a register, where another \
                    master may come between: `i2c = \"linux-embedded-hal\"`";
        complaints.push(complaint.hint(hint));
    }
    let spi = library(&written.spi, complaints);
    Hardware { sysfs: path(&written.sysfs, "sysfs", default.sysfs, complaints), i2c, spi }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_topics_are_topic_names_that_nobody_else_owns() {
        for good in ["maison", "home/maison", "été", "a b"] {
            assert_eq!(root_fault(good), None, "{good}");
        }
        for bad in ["", "/maison", "maison/", "a//b", "+", "a/#", "$SYS", "a\0", "a\nb"] {
            assert!(root_fault(bad).is_some(), "{bad}");
        }
        assert_eq!(root_fault(&"x".repeat(limits::ROOT_TOPIC_BYTES_MAX)), None);
        assert!(root_fault(&"x".repeat(limits::ROOT_TOPIC_BYTES_MAX + 1)).is_some());
    }
}
