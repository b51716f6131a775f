//! Topic names and filters, and who gets what, against section 4.7 read word by word.

mod hall;
pub(super) mod naive;

use maison::mqtt::{QoS, TopicFilter, TopicName};

use self::hall::{CLIENTS, Hall};
use super::source::Source;

/// Longest text that is tried: a little longer than a topic may be.
const TEXT_BYTES_MAX: usize = 66_000;

/// Each line is a text, to be published to or subscribed to.
pub fn topic_filter(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut hall = Hall::new();
    let (mut names, mut filters) = (Vec::new(), Vec::new());
    while !source.is_empty() {
        let what = source.byte();
        let text = text(source.until(b'\n'));
        let name = check_name(&text);
        let filter = check_filter(&text);
        let client = usize::from(what >> 2) % CLIENTS;
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(what >> 5) % 3];
        match (what % 4, &name, &filter) {
            (0, Some(name), _) => hall.publish(name, qos),
            (1, Some(name), _) => hall.retain(name, qos, what < 0x80),
            (2, _, Some(filter)) => hall.subscribe(client, filter, qos),
            (3, _, Some(filter)) => hall.unsubscribe(client, filter),
            _ => {}
        }
        names.extend(name);
        filters.extend(filter);
    }
    check_matching(&filters, &names);
}

/// Letters stand for themselves; what libFuzzer would seldom find by itself has a byte of its own.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            0..0x80 => text.push(char::from(byte)),
            0xF0 => text.push_str(&"x".repeat(33_000)),
            0xF1 => text.push_str(&"y/".repeat(90)),
            0xF2 => text.push_str("$share/"),
            0xF3 => text.push('é'),
            0xF4 => text.push('\u{10FFFF}'),
            0xF5 => text.push_str("/+"),
            0xF6 => text.push_str("/#"),
            _ => text.push(char::from(b"/+#$ab\x01%"[usize::from(byte % 8)])),
        }
        if text.len() > TEXT_BYTES_MAX {
            break;
        }
    }
    text
}

fn check_name(text: &str) -> Option<TopicName> {
    let name = TopicName::new(text).ok();
    assert_eq!(name.is_some(), naive::is_name(text), "{text:?}");
    if let Some(name) = &name {
        assert_eq!((name.as_str(), &name.compact()), (text, name));
        assert!(name.levels().eq(text.split('/')));
    }
    name
}

fn check_filter(text: &str) -> Option<TopicFilter> {
    let filter = TopicFilter::new(text).ok();
    assert_eq!(filter.is_some(), naive::is_filter(text), "{text:?}");
    if let Some(filter) = &filter {
        assert_eq!((filter.as_str(), &filter.compact()), (text, filter));
        assert_eq!(filter.shared(), naive::shared(text), "{text:?}");
        if let Some((_, shared)) = filter.shared() {
            TopicFilter::new(shared).expect("what is shared is a filter");
        }
    }
    filter
}

fn check_matching(filters: &[TopicFilter], names: &[TopicName]) {
    const EACH_MAX: usize = 32;
    for filter in filters.iter().take(EACH_MAX) {
        for name in names.iter().take(EACH_MAX) {
            let expected = naive::matches(filter.as_str(), name.as_str());
            assert_eq!(filter.matches(name), expected, "{filter} and {name}");
        }
    }
}
