//! Topic names and filters: what they may be, and what matches.

use bytestring::ByteString;
use proptest::prelude::*;

use super::{TopicError, TopicFilter, TopicName};
use crate::limits::{TOPIC_BYTES_MAX, TOPIC_LEVELS_MAX};

#[track_caller]
fn check_name(text: impl Into<ByteString>, expected: Result<(), TopicError>) {
    let text = text.into();
    assert_eq!(TopicName::new(text.clone()).map(drop), expected, "{text:.40}");
}

#[track_caller]
fn check_filter(text: impl Into<ByteString>, expected: Result<(), TopicError>) {
    let text = text.into();
    assert_eq!(TopicFilter::new(text.clone()).map(drop), expected, "{text:.40}");
}

#[track_caller]
fn check_match(filter: &str, topic: &str, expected: bool) {
    let outcome = TopicFilter::new(filter).unwrap().matches(&TopicName::new(topic).unwrap());
    assert_eq!(outcome, expected, "`{filter}` against `{topic}`");
}

/// [MQTT-4.7.0-1], [MQTT-4.7.3-1] to -3.
#[test]
fn topic_names_are_non_empty_text_without_wildcards_and_nul() {
    check_name("a", Ok(()));
    check_name("/", Ok(()));
    check_name("//", Ok(()));
    check_name("étage/chambre d'été", Ok(()));
    check_name("部屋/温度", Ok(()));
    check_name("$SYS/broker", Ok(()));
    check_name("a".repeat(TOPIC_BYTES_MAX), Ok(()));
    check_name("", Err(TopicError::Empty));
    check_name("a".repeat(TOPIC_BYTES_MAX + 1), Err(TopicError::TooLong));
    check_name("a\0b", Err(TopicError::Nul));
    check_name("a/+", Err(TopicError::WildcardInName));
    check_name("a/#", Err(TopicError::WildcardInName));
    check_name("a#b", Err(TopicError::WildcardInName));
}

/// [MQTT-4.7.1-1], [MQTT-4.7.1-2].
#[test]
fn wildcards_of_filters_are_whole_levels_and_the_multi_level_one_is_last() {
    check_filter("#", Ok(()));
    check_filter("+", Ok(()));
    check_filter("+/+/#", Ok(()));
    check_filter("/+", Ok(()));
    check_filter("étage/+", Ok(()));
    check_filter("", Err(TopicError::Empty));
    check_filter("a".repeat(TOPIC_BYTES_MAX + 1), Err(TopicError::TooLong));
    check_filter("+/a\0", Err(TopicError::Nul));
    check_filter("sport+", Err(TopicError::WildcardInsideLevel));
    check_filter("sport/tennis#", Err(TopicError::WildcardInsideLevel));
    check_filter("##", Err(TopicError::WildcardInsideLevel));
    check_filter("a/+b/c", Err(TopicError::WildcardInsideLevel));
    check_filter("#/", Err(TopicError::LevelAfterMultiLevelWildcard));
    check_filter("sport/#/ranking", Err(TopicError::LevelAfterMultiLevelWildcard));
}

#[test]
fn depth_is_bounded() {
    let slashes = |count: usize| "/".repeat(count);
    check_name(slashes(TOPIC_LEVELS_MAX - 1), Ok(()));
    check_name(slashes(TOPIC_LEVELS_MAX), Err(TopicError::TooManyLevels));
    check_filter(slashes(TOPIC_LEVELS_MAX - 1), Ok(()));
    check_filter(slashes(TOPIC_LEVELS_MAX), Err(TopicError::TooManyLevels));
}

#[test]
fn levels_may_be_empty() {
    let name = TopicName::new("/étage//salon/").unwrap();
    assert_eq!(name.levels().collect::<Vec<_>>(), ["", "étage", "", "salon", ""]);
    let filter = TopicFilter::new("a/+/#").unwrap();
    assert_eq!(filter.levels().collect::<Vec<_>>(), ["a", "+", "#"]);
}

/// The examples of 4.7.1, 4.7.2 and 4.7.3, and more.
#[test]
fn filters_match_as_the_standard_shows() {
    check_match("sport/tennis/player1/#", "sport/tennis/player1", true);
    check_match("sport/tennis/player1/#", "sport/tennis/player1/ranking", true);
    check_match("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true);
    check_match("sport/#", "sport", true);
    check_match("sport/#", "sports", false);
    check_match("#", "a/b", true);
    check_match("sport/tennis/+", "sport/tennis/player1", true);
    check_match("sport/tennis/+", "sport/tennis/player1/ranking", false);
    check_match("sport/+", "sport", false);
    check_match("sport/+", "sport/", true);
    check_match("+/+", "/finance", true);
    check_match("/+", "/finance", true);
    check_match("+", "/finance", false);
    check_match("ACCOUNTS", "Accounts", false);
    check_match("a/b", "a/b/c", false);
    check_match("a/b/c", "a/b", false);
    check_match("+/#", "a", true);
    check_match("étage/+/température", "étage/chambre/température", true);
    check_match("étage", "e\u{301}tage", false);
}

/// [MQTT-4.7.2-1].
#[test]
fn leading_wildcards_do_not_reach_topics_that_begin_with_a_dollar() {
    check_match("#", "$SYS/broker/uptime", false);
    check_match("+/monitor/Clients", "$SYS/monitor/Clients", false);
    check_match("$SYS/#", "$SYS/broker/uptime", true);
    check_match("$SYS/monitor/+", "$SYS/monitor/Clients", true);
    check_match("+/#", "a/$b", true);
}

/// [MQTT-4.8.2-1], [MQTT-4.8.2-2].
#[track_caller]
fn check_covers(wide: &str, narrow: &str, expected: bool) {
    let filter = |text: &str| TopicFilter::new(text.to_owned()).unwrap();
    assert_eq!(filter(wide).covers(&filter(narrow)), expected, "{wide} and {narrow}");
}

#[test]
fn a_filter_covers_what_asks_for_no_more() {
    check_covers("a/#", "a", true);
    check_covers("a/#", "a/#", true);
    check_covers("a/#", "a/+/c", true);
    check_covers("a/+", "a/b", true);
    check_covers("a/+", "a/+", true);
    check_covers("a/b", "a/b", true);
    check_covers("#", "a/b", true);
    check_covers("a/b", "a/+", false);
    check_covers("a/+", "a/#", false);
    check_covers("a/+", "a", false);
    check_covers("a", "a/b", false);
    check_covers("a/b", "a/#", false);
    check_covers("a/b/#", "a/+/c", false);
    check_covers("#", "$SYS/x", false);
    check_covers("+/x", "$SYS/x", false);
    check_covers("$SYS/#", "$SYS/x", true);
}

#[test]
fn shared_subscriptions_name_a_group_and_a_filter() {
    let shared = |text: &str| {
        let filter = TopicFilter::new(text).unwrap();
        filter.shared().map(|(group, filter)| (group.to_owned(), filter.to_owned()))
    };
    let pair = |group: &str, filter: &str| Some((group.to_owned(), filter.to_owned()));
    assert_eq!(shared("$share/consumer1/sport/#"), pair("consumer1", "sport/#"));
    assert_eq!(shared("$share/g//finance"), pair("g", "/finance"));
    assert_eq!(shared("$share/g"), None);
    assert_eq!(shared("$share/g/"), None);
    assert_eq!(shared("$share//f"), None);
    assert_eq!(shared("$share/+/f"), None);
    assert_eq!(shared("$shared/g/f"), None);
    assert_eq!(shared("a/$share/g/f"), None);
}

#[test]
fn compacted_topics_leave_the_buffer_they_came_from() {
    let buffer = ByteString::from("a/b and much more".to_owned());
    let name = TopicName::new(buffer.slice_ref(&buffer[..3])).unwrap();
    let compact = name.compact();
    assert_eq!(compact, name);
    assert_ne!(compact.as_str().as_ptr(), name.as_str().as_ptr());
    assert_eq!(name.as_str().as_ptr(), buffer.as_ptr(), "parsing copies nothing");
}

/// The definition of 4.7 by recursion over whole lists of levels.
fn naive(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) | ([], []) => true,
        ([], _) | (_, []) => false,
        (["+", filter @ ..], [_, topic @ ..]) => naive(filter, topic),
        ([level, filter @ ..], [name, topic @ ..]) => level == name && naive(filter, topic),
    }
}

fn levels(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(of), 1..5)
}

proptest! {
    #[test]
    fn matching_agrees_with_a_naive_matcher(
        mut filter in levels(&["", "a", "é", "$a", "+"]),
        hash in any::<bool>(),
        topic in levels(&["", "a", "é", "$a"]),
    ) {
        if hash {
            filter.push("#");
        }
        let (Ok(parsed), Ok(name)) =
            (TopicFilter::new(filter.join("/")), TopicName::new(topic.join("/")))
        else {
            return Ok(()); // a single empty level is no topic
        };
        let hidden = topic[0].starts_with('$') && ["+", "#"].contains(&filter[0]);
        prop_assert_eq!(parsed.matches(&name), !hidden && naive(&filter, &topic));
    }

    #[test]
    fn every_topic_matches_itself_and_its_wildcards(topic in "[a-zé/]{1,20}") {
        let name = TopicName::new(topic.as_str()).unwrap();
        let depth = name.levels().count();
        let exact = TopicFilter::new(topic.as_str()).unwrap();
        let pluses = TopicFilter::new(vec!["+"; depth].join("/")).unwrap();
        let below = TopicFilter::new(format!("{topic}/#")).unwrap();
        prop_assert!(exact.matches(&name) && pluses.matches(&name) && below.matches(&name));
    }
}
