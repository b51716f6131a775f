//! Rights: who may publish and subscribe where, and the sentence that says why.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::scope::{Rule, Scope};
use super::{Principal, User, UserName, Users};
use crate::limits::RULES_NAMED_MAX;
use crate::mqtt::{TopicFilter, TopicName};
use crate::printable::printable;

/// Why something is not allowed: the deciding rule, as a sentence for log and reason string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied(pub Cow<'static, str>);

impl fmt::Display for Denied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The rules of this house. A user reads every room, and who came without a login does not read
/// what is private; only the gateway writes below its root and below `$SYS`. Elsewhere they may
/// talk to each other, also at other `$`-topics, as those of other brokers may: wildcards at the
/// front do not reach them. A subscriber may what its [`Scope`] says, and nothing else.
#[derive(Clone, Debug)]
pub struct Rights {
    house: Arc<House>,
    /// The users, and what those may that are scoped; `None`: whoever there is, nobody scoped.
    people: Option<Arc<Users>>,
    /// Of all who are not scoped, with and without a login.
    users: Allowed,
    guests: Allowed,
    /// Of a user that is no more.
    nobody: Allowed,
}

#[derive(Debug)]
struct House {
    root: String,
    private: Vec<TopicFilter>,
}

/// What one client may. Made once for a session, asked for each message; clones share it.
#[derive(Clone, Debug)]
pub struct Allowed(Arc<May>);

#[derive(Debug)]
enum May {
    /// The gateway: everything.
    Everything,
    /// Whoever is not scoped.
    Free {
        house: Arc<House>,
        is_guest: bool,
    },
    Scoped(Scoped),
}

#[derive(Debug)]
struct Scoped {
    name: Box<str>,
    reads: Vec<Rule>,
    writes: Vec<Rule>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To subscribe, and to be sent messages.
    Read,
    /// To publish.
    Write,
}

impl Access {
    const fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "publish to",
        }
    }
}

impl Rights {
    /// Rules for a gateway that publishes below `root`.
    pub fn new(root: &str) -> Self {
        Self::of_house(House { root: root.to_owned(), private: Vec::new() })
    }

    fn of_house(house: House) -> Self {
        let house = Arc::new(house);
        let free = |is_guest| {
            let house = Arc::clone(&house);
            Allowed(Arc::new(May::Free { house, is_guest }))
        };
        let (users, guests) = (free(false), free(true));
        let (reads, writes) = (Vec::new(), Vec::new());
        let nobody = May::Scoped(Scoped { name: "nobody".into(), reads, writes });
        Self { house, people: None, users, guests, nobody: Allowed(Arc::new(nobody)) }
    }

    /// The same rules, and messages for these filters only for those with a login.
    #[must_use]
    pub fn keeping_private(self, private: Vec<TopicFilter>) -> Self {
        let root = self.house.root.clone();
        Self { people: self.people, ..Self::of_house(House { root, private }) }
    }

    /// The same rules for these users, who may what their scope says where they have one.
    #[must_use]
    pub fn for_users(self, people: Arc<Users>) -> Self {
        Self { people: Some(people), ..self }
    }

    /// What a client of `principal` may that calls itself `client_id`.
    pub fn of(&self, principal: &Principal, client_id: &str) -> Allowed {
        match principal {
            Principal::Gateway => Allowed(Arc::new(May::Everything)),
            Principal::Anonymous => self.guests.clone(),
            Principal::User(name) => {
                let Some(people) = &self.people else { return self.users.clone() };
                let name = UserName::parse(name).ok();
                match name.as_ref().and_then(|name| Some((name.as_str(), people.get(name)?))) {
                    Some((name, User { scope: Some(scope), .. })) => {
                        self.scoped(name, client_id, scope)
                    }
                    Some((_, User { scope: None, .. })) => self.users.clone(),
                    None => self.nobody.clone(),
                }
            }
        }
    }

    fn scoped(&self, name: &str, client_id: &str, scope: &Scope) -> Allowed {
        let (reads, writes) = scope.rules(&self.house.root, name, client_id);
        Allowed(Arc::new(May::Scoped(Scoped { name: name.into(), reads, writes })))
    }
}

impl Allowed {
    /// Whether it may publish to `topic`.
    pub fn publish(&self, topic: &TopicName) -> Result<(), Denied> {
        match &*self.0 {
            May::Everything => Ok(()),
            May::Free { house, .. } => house.may_write(topic),
            May::Scoped(scoped) if scoped.writes.iter().any(|rule| rule.matches(topic)) => Ok(()),
            May::Scoped(scoped) => Err(scoped.denied(Access::Write, topic.as_str())),
        }
    }

    /// Whether it may subscribe to `filter`. A filter that asks for more than what it may read is
    /// granted; [`Allowed::read`] decides of each message.
    pub fn subscribe(&self, filter: &TopicFilter) -> Result<(), Denied> {
        match &*self.0 {
            May::Everything => Ok(()),
            May::Free { house, is_guest } => {
                let is_private = house.private.iter().any(|private| private.covers(filter));
                if *is_guest && is_private { Err(House::PRIVATE) } else { Ok(()) }
            }
            May::Scoped(scoped) if scoped.reads.iter().any(|rule| rule.overlaps(filter)) => Ok(()),
            May::Scoped(scoped) => Err(scoped.denied(Access::Read, filter.as_str())),
        }
    }

    /// Whether it may have a message of `topic`.
    pub fn read(&self, topic: &TopicName) -> bool {
        match &*self.0 {
            May::Everything => true,
            May::Free { house, is_guest } => {
                !is_guest || !house.private.iter().any(|private| private.matches(topic))
            }
            May::Scoped(scoped) => scoped.reads.iter().any(|rule| rule.matches(topic)),
        }
    }

    /// Whether it may do that, and the rule that decides.
    pub fn explain(&self, access: Access, topic: &TopicName) -> Result<String, Denied> {
        match (access, &*self.0) {
            (_, May::Everything) => return Ok("the gateway may everything".to_owned()),
            (Access::Write, May::Free { house, .. }) => house.may_write(topic)?,
            (Access::Read, May::Free { .. }) if !self.read(topic) => return Err(House::PRIVATE),
            (Access::Read, May::Free { .. }) => {}
            (_, May::Scoped(scoped)) => return scoped.explain(access, topic),
        }
        Ok(match access {
            Access::Read => "a user that is not scoped reads everything".to_owned(),
            Access::Write => {
                "whoever is not scoped publishes outside the gateway's own topics".to_owned()
            }
        })
    }
}

impl House {
    const PRIVATE: Denied = Denied(Cow::Borrowed("private topics are read with a login only"));

    fn may_write(&self, topic: &TopicName) -> Result<(), Denied> {
        if is_below(topic, "$SYS") {
            return Err(Denied("only the broker publishes below `$SYS`".into()));
        }
        if is_below(topic, &self.root) {
            return Err(Denied("only the gateway publishes below its root".into()));
        }
        Ok(())
    }
}

impl Scoped {
    fn rules(&self, access: Access) -> &[Rule] {
        match access {
            Access::Read => &self.reads,
            Access::Write => &self.writes,
        }
    }

    fn explain(&self, access: Access, topic: &TopicName) -> Result<String, Denied> {
        let rule = self.rules(access).iter().find(|rule| rule.matches(topic));
        let rule = rule.ok_or_else(|| self.denied(access, topic.as_str()))?;
        Ok(printable(&format!("`{}` may {} {rule}", self.name, access.verb())))
    }

    fn denied(&self, access: Access, asked: &str) -> Denied {
        let (name, verb) = (&self.name, access.verb());
        let rules = self.rules(access);
        let mut named: Vec<_> =
            rules.iter().take(RULES_NAMED_MAX).map(ToString::to_string).collect();
        let more = rules.len().saturating_sub(RULES_NAMED_MAX);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        let may = if named.is_empty() { "nothing".to_owned() } else { named.join(", ") };
        Denied(printable(&format!("`{name}` may {verb} {may}; not `{asked}`")).into())
    }
}

fn is_below(topic: &TopicName, root: &str) -> bool {
    let below = topic.as_str().strip_prefix(root);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
