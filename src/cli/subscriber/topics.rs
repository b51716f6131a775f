//! The topics that a subscriber is shown: with its own names in them, so that they work as printed.

use crate::access::{ALL_ROOMS, Pattern, Scope, UserName};
use crate::config::slug_fault;

/// A room that is no room of a house yet.
const A_ROOM: &str = "garden";

/// What is printed.
pub(super) struct Topics {
    /// What to subscribe to first.
    pub(super) first: String,
    /// What to publish to, if anything.
    pub(super) publishes: Option<String>,
    /// Whether it depends on the client identifier what is allowed.
    pub(super) of_client: bool,
}

impl Topics {
    /// Of who calls itself as its user is called.
    pub(super) fn of(root: &str, scope: &Scope, name: &UserName) -> Self {
        let name = name.as_str();
        let first = match (scope.rooms.as_slice(), scope.read.first()) {
            ([], Some(pattern)) => own(pattern, name),
            ([], None) => format!("{root}/_gateway/state"),
            ([slug], _) if slug != ALL_ROOMS => format!("{root}/{slug}/#"),
            _ => format!("{root}/+/temperature"),
        };
        let named = scope.rooms.iter().find(|slug| *slug != ALL_ROOMS).map(String::as_str);
        let own_room = if slug_fault(name).is_none() { name } else { A_ROOM };
        let slug = named.unwrap_or(own_room);
        let publishes = match scope.publish.first() {
            _ if scope.write => Some(format!("{root}/{slug}/temperature")),
            Some(pattern) => Some(without_wildcards(&own(pattern, name), name)),
            None => None,
        };
        let is_of_client =
            |pattern: &Pattern| pattern.as_str().split('/').any(|level| level == "%c");
        let of_client = scope.read.iter().chain(&scope.publish).any(is_of_client);
        Self { first, publishes, of_client }
    }
}

fn own(pattern: &Pattern, name: &str) -> String {
    pattern.of(name, name).map_or_else(|| pattern.as_str().to_owned(), |it| it.to_string())
}

/// A topic that the filter lets through.
fn without_wildcards(filter: &str, name: &str) -> String {
    let level = |level| if matches!(level, "+" | "#") { name } else { level };
    filter.split('/').map(level).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_the_names_of_the_subscriber_in_them() {
        #[track_caller]
        fn check(scope: &Scope, first: &str, publishes: Option<&str>, of_client: bool) {
            let topics = Topics::of("maison", scope, &UserName::parse("Probe").unwrap());
            let found = (&*topics.first, topics.publishes.as_deref(), topics.of_client);
            assert_eq!(found, (first, publishes, of_client));
        }
        let rooms = |rooms: &[&str], write| {
            let rooms = rooms.iter().map(|&room| room.to_owned()).collect();
            Scope { rooms, write, ..Scope::default() }
        };
        let patterns = |read: &str, publish: &str| {
            let of = |text: &str| {
                let texts = text.split_whitespace();
                texts.map(|text| Pattern::parse(text).unwrap()).collect()
            };
            Scope { read: of(read), publish: of(publish), ..Scope::default() }
        };
        let salon = Some("maison/salon/temperature");
        check(&rooms(&["salon"], false), "maison/salon/#", None, false);
        check(&rooms(&["salon"], true), "maison/salon/#", salon, false);
        check(&rooms(&["*", "salon"], true), "maison/+/temperature", salon, false);
        let garden = Some("maison/garden/temperature");
        check(&rooms(&["*"], true), "maison/+/temperature", garden, false);
        check(&patterns("in/%u/#", ""), "in/Probe/#", None, false);
        check(&patterns("in/%u/%c", "x"), "in/Probe/Probe", Some("x"), true);
        let state = "maison/_gateway/state";
        check(&patterns("", "out/+/%c/#"), state, Some("out/Probe/Probe/Probe"), true);
    }
}
