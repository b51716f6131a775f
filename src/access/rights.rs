//! Rights: which principal may publish and subscribe where.

use std::fmt;

use super::Principal;
use crate::mqtt::{TopicFilter, TopicName};

/// Why something is not allowed: the deciding rule, as a sentence for log and reason string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied(pub &'static str);

impl fmt::Display for Denied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// The rules of this house: everyone who is in reads every room, but who came without a login does
/// not read what is private; only the gateway writes below its
/// root and below `$SYS`. Elsewhere clients may talk to each other, also at other `$`-topics, as
/// those of other brokers may: wildcards at the front do not reach them.
#[derive(Clone, Debug)]
pub struct Rights {
    root: String,
    private: Vec<TopicFilter>,
}

impl Rights {
    /// Rules for a gateway that publishes below `root`.
    pub fn new(root: &str) -> Self {
        Self { root: root.to_owned(), private: Vec::new() }
    }

    /// The same rules, and messages for these filters only for those with a login.
    #[must_use]
    pub fn keeping_private(self, private: Vec<TopicFilter>) -> Self {
        Self { private, ..self }
    }

    /// Whether `principal` may publish to `topic`.
    pub fn publish(&self, principal: &Principal, topic: &TopicName) -> Result<(), Denied> {
        if *principal == Principal::Gateway {
            return Ok(());
        }
        if is_below(topic, "$SYS") {
            return Err(Denied("only the broker publishes below `$SYS`"));
        }
        if is_below(topic, &self.root) {
            return Err(Denied("only the gateway publishes below its root"));
        }
        Ok(())
    }

    /// Whether `principal` may subscribe to `filter`. A filter that asks for more than what it may
    /// not read is granted; [`Rights::read`] decides of each message.
    pub fn subscribe(&self, principal: &Principal, filter: &TopicFilter) -> Result<(), Denied> {
        let is_private = self.private.iter().any(|private| private.covers(filter));
        if *principal == Principal::Anonymous && is_private {
            return Err(Denied("private topics are read with a login only"));
        }
        Ok(())
    }

    /// Whether `principal` may have a message of `topic`.
    pub fn read(&self, principal: &Principal, topic: &TopicName) -> bool {
        *principal != Principal::Anonymous
            || !self.private.iter().any(|private| private.matches(topic))
    }
}

fn is_below(topic: &TopicName, root: &str) -> bool {
    let below = topic.as_str().strip_prefix(root);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(root: &str, topic: &str, allowed: bool) {
        let (rights, topic) = (Rights::new(root), TopicName::new(topic).unwrap());
        assert_eq!(rights.publish(&Principal::Anonymous, &topic).is_ok(), allowed, "{topic:?}");
        assert_eq!(rights.publish(&Principal::Gateway, &topic), Ok(()));
    }

    #[test]
    fn only_the_gateway_writes_below_its_root_and_below_sys() {
        check("maison", "maison/salon/temperature", false);
        check("maison", "maison", false);
        check("maison", "maisonette/salon", true);
        check("maison", "home/maison/salon", true);
        check("home/maison", "home/maison/salon/temperature", false);
        check("home/maison", "home/garden", true);
        check("maison", "$SYS/uptime", false);
        check("maison", "$SYS", false);
        check("maison", "$device/uptime", true);
    }

    #[test]
    fn what_is_private_is_read_with_a_login_only() {
        let private = TopicFilter::new("alarm/#").unwrap();
        let rights = Rights::new("maison").keeping_private(vec![private]);
        let (guest, user) = (Principal::Anonymous, Principal::User("bob".into()));
        let filter = |text: &str| TopicFilter::new(text.to_owned()).unwrap();
        assert!(rights.subscribe(&guest, &filter("alarm/code")).is_err());
        assert_eq!(rights.subscribe(&user, &filter("alarm/code")), Ok(()));
        assert_eq!(rights.subscribe(&guest, &filter("#")), Ok(()), "the rest of it is open");
        let topic = |text: &str| TopicName::new(text.to_owned()).unwrap();
        assert!(!rights.read(&guest, &topic("alarm/code")));
        assert!(rights.read(&guest, &topic("maison/salon/temperature")));
        assert!(rights.read(&user, &topic("alarm/code")));
    }
}
