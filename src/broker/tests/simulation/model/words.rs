//! Topics and filters word by word, as section 4.7 has it.

/// Whether a topic is for a filter.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let (filter, topic): (Vec<_>, Vec<_>) =
        (filter.split('/').collect(), topic.split('/').collect());
    if topic[0].starts_with('$') && ["+", "#"].contains(&filter[0]) {
        return false;
    }
    for (place, &word) in filter.iter().enumerate() {
        if word == "#" {
            return true;
        }
        match topic.get(place) {
            Some(&level) if word == "+" || word == level => {}
            Some(_) | None => return false,
        }
    }
    filter.len() == topic.len()
}

/// What the members of a group share; `None`: it is no shared filter.
pub(super) fn shared(filter: &str) -> Option<&str> {
    let (_, topics) = filter.strip_prefix("$share/")?.split_once('/')?;
    Some(topics)
}

/// Who may publish where.
pub(super) fn may_publish(topic: &str) -> bool {
    let first = topic.split('/').next().unwrap();
    first != "maison" && !first.starts_with('$')
}

/// Whether a topic, or all that a filter asks for, is below that level.
pub(super) fn is_below(text: &str, level: &str) -> bool {
    text.split('/').next() == Some(level)
}

#[test]
fn the_model_reads_the_standards_examples() {
    let check = |filter, topic, expected| assert_eq!(matches(filter, topic), expected);
    check("sport/tennis/player1/#", "sport/tennis/player1", true);
    check("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true);
    check("sport/tennis/+", "sport/tennis/player1/ranking", false);
    check("sport/+", "sport", false);
    check("sport/+", "sport/", true);
    check("+/+", "/finance", true);
    check("+", "/finance", false);
    check("#", "$SYS/broker", false);
    check("$SYS/#", "$SYS/broker", true);
}
