//! The subscription tree and the retained messages against a naive matcher.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::super::record::Queued;
use super::super::retained::{Origin, Retained, Search, Step};
use super::super::tree::{Match, Tree};
use super::message;
use crate::mqtt::QoS;
use crate::time::Tick;

/// Section 4.7 word by word.
fn matches(filter: &str, topic: &str) -> bool {
    let wanted: Vec<_> = filter.split('/').collect();
    let levels: Vec<_> = topic.split('/').collect();
    if topic.starts_with('$') && ["+", "#"].contains(&wanted[0]) {
        return false;
    }
    if let Some((&"#", above)) = wanted.split_last() {
        return levels.len() >= above.len() && same(above, &levels[..above.len()]);
    }
    same(&wanted, &levels)
}

fn same(wanted: &[&str], levels: &[&str]) -> bool {
    wanted.len() == levels.len()
        && wanted.iter().zip(levels).all(|(wanted, level)| *wanted == "+" || wanted == level)
}

/// Few and nasty levels, so that topics meet: prefixes of each other, empty ones, `$`, and letters
/// beside the separator. Only the topic as a whole cannot be empty.
fn topic() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["", "a", "b", "ab", "a b", "$", "$a", "\u{1}", "é"]);
    let topic = prop::collection::vec(level, 1..5).prop_map(|levels| levels.join("/"));
    topic.prop_filter("empty", |topic| !topic.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["", "a", "b", "ab", "$", "\u{1}", "+", "+", "é"]);
    let end = prop::sample::select(vec!["", "", "#"]);
    (prop::collection::vec(level, 0..4), end).prop_map(|(mut levels, end)| {
        if end == "#" || levels.is_empty() {
            levels.push("#");
        }
        levels.join("/")
    })
}

fn found(tree: &Tree<usize, QoS>, topic: &str) -> Vec<Match<usize, QoS>> {
    let mut found = Vec::new();
    tree.matches(topic, &mut found);
    assert!(
        found.is_sorted_by_key(|one| one.subscriber),
        "a subscriber's matches are side by side"
    );
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_finds_what_the_standard_says(
        changes in prop::collection::vec((filter(), 0..4_usize, 0..3_u8, 0..4_u8), 0..60),
        topics in prop::collection::vec(topic(), 1..20),
    ) {
        const ALL: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        let mut tree = Tree::default();
        let mut model = BTreeMap::new();
        for (filter, subscriber, qos, action) in changes {
            let qos = ALL[usize::from(qos)];
            if action == 0 {
                tree.remove(&filter, subscriber);
                model.remove(&(filter, subscriber));
            } else {
                tree.insert(&filter, subscriber, qos);
                model.insert((filter, subscriber), qos);
            }
            tree.check_invariants();
            prop_assert_eq!(tree.len(), model.len());
        }
        for topic in topics {
            let mut actual: Vec<_> = found(&tree, &topic)
                .into_iter()
                .map(|one| (one.subscriber, one.terms))
                .collect();
            let mut expected: Vec<_> = model
                .iter()
                .filter(|((filter, _), _)| matches(filter, &topic))
                .map(|((_, session), &qos)| (*session, qos))
                .collect();
            actual.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(actual, expected);
        }
        for (filter, session) in model.keys() {
            tree.remove(filter, *session);
        }
        prop_assert_eq!(format!("{tree:?}"), format!("{:?}", Tree::<usize, QoS>::default()));
    }

    #[test]
    fn a_search_finds_what_the_standard_says(
        topics in prop::collection::btree_set(topic(), 0..60),
        cleared in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        filters in prop::collection::vec(filter(), 1..10),
        turn in 1..5_usize,
    ) {
        let (retained, topics) = filled(topics, &cleared);
        for filter in filters {
            let expected: BTreeSet<_> =
                topics.iter().filter(|topic| matches(&filter, topic)).cloned().collect();
            let actual = search(&retained, &filter, turn);
            prop_assert_eq!(actual.len(), expected.len(), "each is found once");
            prop_assert_eq!(actual.into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}

#[test]
fn a_full_store_takes_a_message_in_the_place_of_another() {
    let mut retained = Retained::new(usize::MAX);
    let store = |retained: &mut Retained, topic, payload| {
        retained.store(Origin::Client, message(topic, payload), QoS::AtMostOnce, None)
    };
    store(&mut retained, "a", "1").unwrap();
    let full = retained.bytes();
    retained.bound(full);
    store(&mut retained, "a", "2").unwrap();
    store(&mut retained, "b", "1").unwrap_err();
    retained.check_invariants();
    assert_eq!((retained.len(), retained.bytes()), (1, full));
    store(&mut retained, "a", "33").unwrap_err();
    assert_eq!((retained.len(), retained.bytes()), (0, 0), "what is no longer true goes");
}

fn filled(
    mut topics: BTreeSet<String>,
    cleared: &[prop::sample::Index],
) -> (Retained, BTreeSet<String>) {
    let mut retained = Retained::new(usize::MAX);
    for topic in &topics {
        let stored = retained.store(Origin::Client, message(topic, "1"), QoS::AtMostOnce, None);
        stored.unwrap();
    }
    for index in cleared {
        let Some(topic) = topics.iter().nth(index.index(topics.len().max(1))).cloned() else {
            continue;
        };
        retained.clear(&message(&topic, "").topic);
        topics.remove(&topic);
    }
    retained.check_invariants();
    (retained, topics)
}

/// All that a search finds when it has few seeks a turn.
fn search(retained: &Retained, filter: &str, turn: usize) -> Vec<String> {
    let mut search = Search::new(Arc::from(filter), retained.stamp());
    let mut found = Vec::new();
    let mut seeks = turn;
    loop {
        match retained.step(&mut search, Tick::ZERO, &mut seeks) {
            Step::Found(kept) => {
                let Queued { message, .. } = kept.to_queued(QoS::AtMostOnce, None);
                found.push(message.topic.as_str().to_owned());
            }
            Step::Pause => seeks = turn,
            Step::End => return found,
        }
    }
}

/// A search takes about as many seeks as it has matches, whatever lies between them.
#[test]
fn a_search_does_not_walk_through_what_cannot_match() {
    let mut retained = Retained::new(usize::MAX);
    for room in 0..10 {
        for sensor in 0..100 {
            let topic = format!("maison/{room}/sensor/{sensor}/temperature");
            let message = message(&topic, "1");
            retained.store(Origin::Gateway, message, QoS::AtMostOnce, None).unwrap();
        }
        let message = message(&format!("maison/{room}/temperature"), "1");
        retained.store(Origin::Gateway, message, QoS::AtMostOnce, None).unwrap();
    }
    let mut search = Search::new(Arc::from("maison/+/temperature"), retained.stamp());
    let (mut seeks, mut found) = (1000, 0);
    while let Step::Found(_) = retained.step(&mut search, Tick::ZERO, &mut seeks) {
        found += 1;
    }
    assert_eq!(found, 10);
    assert!(1000 - seeks <= 5 * found, "{} seeks", 1000 - seeks);
}

/// Each of them would be a chain of 200 nodes, and a message would walk through all.
#[test]
fn a_filter_of_many_levels_takes_as_little_as_one_of_few() {
    let mut tree = Tree::default();
    let tail = vec!["a"; 180].join("/");
    let head = |number: u32| -> Vec<&str> {
        (0..14).map(|bit| if number >> bit & 1 == 0 { "a" } else { "+" }).collect()
    };
    for number in 0..1000 {
        for end in ["x", "y", "#"] {
            tree.insert(&format!("{}/{tail}/{end}", head(number).join("/")), 1, QoS::AtMostOnce);
        }
    }
    tree.check_invariants();
    assert!(tree.nodes() < 5 * 1000, "{} nodes", tree.nodes());
    let topic = vec!["a"; 14 + 180].join("/");
    assert_eq!(found(&tree, &format!("{topic}/x")).len(), 2 * 1000);
    assert_eq!(found(&tree, &topic).len(), 1000);
}
