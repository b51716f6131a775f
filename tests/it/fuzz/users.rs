//! Files of users, and what those in them may, against their scopes read word by word.

use std::sync::Arc;

use maison::access::{Access, Pattern, Principal, Rights, Scope, Users};
use maison::mqtt::{TopicFilter, TopicName};

use super::source::Source;
use super::topic_filter::naive;

const ROOT: &str = "maison";
/// Beyond it a rule may be longer than a topic filter.
const BYTES_MAX: usize = 4096;

/// A line with a client identifier, one with a topic, and a file of users.
pub fn users(bytes: &[u8]) {
    if bytes.len() > BYTES_MAX {
        return;
    }
    let mut source = Source::new(bytes);
    let client = String::from_utf8_lossy(source.until(b'\n')).into_owned();
    let topic = String::from_utf8_lossy(source.until(b'\n')).into_owned();
    let file = String::from_utf8_lossy(source.rest()).into_owned();
    let Ok(users) = Users::parse(&file) else { return };
    let text = users.to_text();
    let again = Users::parse(&text).expect("what was written is read");
    assert_eq!(again.to_text(), text);
    let Ok(topic) = TopicName::new(topic) else { return };
    let rights = Rights::new(ROOT).for_users(Arc::new(again));
    for (name, user) in users.iter() {
        let allowed = rights.of(&Principal::User(name.as_str().into()), &client);
        let may = |access| allowed.explain(access, &topic).is_ok();
        assert_eq!(allowed.read(&topic), may(Access::Read));
        assert_eq!(allowed.publish(&topic).is_ok(), may(Access::Write));
        let Some(scope) = &user.scope else { continue };
        if is_plain(scope) {
            let who = Who { name: name.as_str(), client: &client };
            assert_eq!(may(Access::Read), who.reads(scope, topic.as_str()), "{who:?} {scope:?}");
            assert_eq!(may(Access::Write), who.writes(scope, topic.as_str()), "{who:?} {scope:?}");
            check_filter(allowed.read(&topic), &topic, |filter| allowed.subscribe(filter).is_ok());
        }
    }
}

/// A topic is a filter, too, which is granted exactly to those who may read it.
fn check_filter(may_read: bool, topic: &TopicName, granted: impl Fn(&TopicFilter) -> bool) {
    let filter = TopicFilter::new(topic.as_str()).expect("a topic is a filter");
    if !filter.claims_shared() {
        assert_eq!(granted(&filter), may_read, "{topic:?}");
    }
}

/// Shared groups are none of this.
fn is_plain(scope: &Scope) -> bool {
    let mut patterns = scope.read.iter().chain(&scope.publish);
    patterns.all(|pattern| !pattern.as_str().starts_with('$'))
}

#[derive(Debug)]
struct Who<'a> {
    name: &'a str,
    client: &'a str,
}

impl Who<'_> {
    fn reads(&self, scope: &Scope, topic: &str) -> bool {
        let own = ["maison/_gateway/#", "$SYS/#"];
        topic == "maison/_gateway/state"
            || is_in_rooms(scope, topic)
            || scope.admin && own.iter().any(|filter| naive::matches(filter, topic))
            || self.fits(&scope.read, topic)
    }

    fn writes(&self, scope: &Scope, topic: &str) -> bool {
        scope.write && is_in_rooms(scope, topic) || self.fits(&scope.publish, topic)
    }

    fn fits(&self, patterns: &[Pattern], topic: &str) -> bool {
        patterns.iter().any(|pattern| {
            let (mut filter, mut is_literal) = (Vec::new(), true);
            for level in pattern.as_str().split('/') {
                let name = match level {
                    "%u" => self.name,
                    "%c" => self.client,
                    other => {
                        filter.push(other);
                        continue;
                    }
                };
                is_literal &= can_stand(name);
                filter.push(name);
            }
            is_literal && naive::matches(&filter.join("/"), topic)
        })
    }
}

fn can_stand(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|letter| "+#/\0".contains(letter))
}

fn is_in_rooms(scope: &Scope, topic: &str) -> bool {
    let Some(below) = topic.strip_prefix("maison/") else { return false };
    let room = below.split('/').next().unwrap();
    scope.rooms.iter().any(|wanted| match wanted.as_str() {
        "*" => !room.starts_with('_'),
        wanted => can_stand(wanted) && wanted == room,
    })
}
