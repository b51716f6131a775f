//! Section 4.7 in the plainest words, whatever it costs.

pub(super) fn is_name(text: &str) -> bool {
    is_topic(text) && !text.contains(['+', '#'])
}

pub(super) fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let (last, above) = levels.split_last().unwrap();
    let is_plain = |level: &&str| !level.contains(['+', '#']);
    is_topic(text)
        && above.iter().all(|level| *level == "+" || is_plain(level))
        && (["+", "#"].contains(last) || is_plain(last))
}

fn is_topic(text: &str) -> bool {
    let is_long = text.len() > 65_535 || text.split('/').count() > 200;
    !text.is_empty() && !is_long && text.chars().all(|letter| letter != '\0')
}

/// Of a text that is a filter (4.8.2).
pub(super) fn shared(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.splitn(3, '/');
    let (prefix, group, filter) = (parts.next()?, parts.next()?, parts.next()?);
    let is_group = !group.is_empty() && group != "+" && group != "#";
    (prefix == "$share" && is_group && !filter.is_empty()).then_some((group, filter))
}

/// Of a filter and a name.
pub(crate) fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#')) {
        return false;
    }
    let filter: Vec<&str> = filter.split('/').collect();
    let name: Vec<&str> = name.split('/').collect();
    levels_match(&filter, &name)
}

fn levels_match(filter: &[&str], name: &[&str]) -> bool {
    match (filter, name) {
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, name @ ..]) => levels_match(filter, name),
        ([wanted, filter @ ..], [level, name @ ..]) => {
            wanted == level && levels_match(filter, name)
        }
        _ => false,
    }
}
