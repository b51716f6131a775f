//! mosquitto's files as `maison import` reads them, against mosquitto's own rules read word by word
//! (mosquitto.conf(5), `acl_file`): nobody may more than before.

use std::sync::Arc;

use maison::access::{Principal, Rights, UserName, Users};
use maison::cli::import::taken_over;
use maison::mqtt::{TopicFilter, TopicName};

use super::source::Source;
use super::topic_filter::naive;

const ROOT: &str = "maison";
const BYTES_MAX: usize = 4096;
const END: u8 = 0;

/// A line with a client identifier, one with a topic; then configuration, passwords and rules, each
/// up to a NUL.
pub fn mosquitto(bytes: &[u8]) {
    if bytes.len() > BYTES_MAX {
        return;
    }
    let mut source = Source::new(bytes);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let client = text(source.until(b'\n'));
    let topic = text(source.until(b'\n'));
    let (conf, passwords) = (text(source.until(END)), text(source.until(END)));
    let rules = text(source.rest());
    let (listeners, users, _) = taken_over(&conf, &passwords, Some(&rules));
    check_listeners(&conf, &listeners);
    let written = users.to_text();
    assert_eq!(Users::parse(&written).expect("what was written is read").to_text(), written);
    let Ok(topic) = TopicName::new(topic) else { return };
    let users = Arc::new(users);
    let rights = Rights::new(ROOT).for_users(Arc::clone(&users));
    for name in users.names().map(UserName::as_str) {
        let allowed = rights.of(&Principal::User(name.into()), &client);
        let before = Rules::of(&rules, name, &client);
        let reads = allowed.read(&topic) && topic.as_str() != "maison/_gateway/state";
        assert!(!reads || before.allow("read", &topic), "{name} reads {topic:?} now");
        let writes = allowed.publish(&topic).is_ok();
        assert!(!writes || before.allow("write", &topic), "{name} publishes to {topic:?} now");
    }
}

/// Nobody is let in without a login where that was never said.
fn check_listeners(conf: &str, listeners: &str) {
    let is_said = conf.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("allow_anonymous") && words.next() == Some("true")
    });
    assert!(is_said || !listeners.contains("\"anonymous\""), "{listeners}");
}

/// The rules for one client: its user's, then the patterns, each with what is denied first.
struct Rules(Vec<Rule>);

struct Rule {
    access: String,
    filter: String,
    is_pattern: bool,
}

impl Rules {
    fn of(text: &str, user: &str, client: &str) -> Self {
        let (mut rules, mut whose) = (Vec::new(), None);
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "user" => whose = Some(rest),
                "topic" if whose == Some(user) => rules.extend(Rule::of(rest, false)),
                "pattern" => {
                    let names = rest.replace("%u", user).replace("%c", client);
                    // A name that could widen a pattern has no rights by it. Others are not in it,
                    // and whoever likes them chooses another identifier.
                    let is_plain = !rest.contains("%c") || !client.contains(['+', '#', '/']);
                    rules.extend(Rule::of(&names, true).filter(|_| is_plain));
                }
                _ => {}
            }
        }
        rules.sort_by_key(|rule| (rule.is_pattern, rule.access != "deny"));
        Self(rules)
    }

    fn allow(&self, access: &str, topic: &TopicName) -> bool {
        for rule in &self.0 {
            if !naive::matches(&rule.filter, topic.as_str()) {
                continue;
            }
            if rule.access == "deny" {
                return false;
            }
            if rule.access == "readwrite" || rule.access == access {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn of(rest: &str, is_pattern: bool) -> Option<Self> {
        let (access, filter) = match rest.split_once(char::is_whitespace) {
            Some((access @ ("read" | "write" | "readwrite" | "deny"), filter)) => (access, filter),
            Some(_) => return None,
            None => ("readwrite", rest),
        };
        let (access, filter) = (access.to_owned(), filter.trim().to_owned());
        TopicFilter::new(filter.clone()).ok()?;
        Some(Self { access, filter, is_pattern })
    }
}
