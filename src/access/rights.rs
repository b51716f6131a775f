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

/// The rules of this house: everyone who is in reads every room; only the gateway writes below its
/// root and below `$SYS`. Elsewhere clients may talk to each other, also at other `$`-topics, as
/// those of other brokers may: wildcards at the front do not reach them.
#[derive(Clone, Debug)]
pub struct Rights {
    root: String,
}

impl Rights {
    /// Rules for a gateway that publishes below `root`.
    pub fn new(root: &str) -> Self {
        Self { root: root.to_owned() }
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

    /// Whether `principal` may subscribe to `filter`.
    pub fn subscribe(&self, _principal: &Principal, _filter: &TopicFilter) -> Result<(), Denied> {
        Ok(())
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
}
