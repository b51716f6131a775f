//! mosquitto's ACL file: `user`, `topic` and `pattern` lines become scopes. What cannot be said in
//! a scope is left out and never widened: nobody may more than before.

use std::collections::BTreeMap;

use super::{LeftOut, Line};
use crate::access::{Pattern, Rights, Scope, User, UserName};
use crate::mqtt::TopicFilter;

/// What a `topic` or `pattern` line grants.
struct Grant<'a> {
    line: &'a Line,
    read: bool,
    write: bool,
    pattern: Pattern,
}

/// Gives each user the scope that the lines say; without a line, nothing.
pub(super) fn apply(
    lines: &[Line],
    users: &mut BTreeMap<UserName, User>,
    rights: &Rights,
    left_out: &mut LeftOut,
) {
    for user in users.values_mut() {
        user.scope = Some(Scope::default());
    }
    let mut of = None;
    let mut denied: Vec<(Option<UserName>, String)> = Vec::new();
    let mut grants = Vec::new();
    for line in lines {
        let (word, rest) = line.text.split_once(char::is_whitespace).unwrap_or((&line.text, ""));
        let rest = rest.trim();
        match word {
            "user" => of = Some(whose(line, rest, users, left_out)),
            "topic" if of.is_none() => {
                left_out.say(line, "what those without a login may has no rule here");
            }
            "topic" | "pattern" => {
                let owner = if word == "topic" { of.clone().flatten() } else { None };
                if word == "topic" && owner.is_none() {
                    left_out.say(line, "its user is not taken over");
                } else if let Some(("deny", filter)) = rest.split_once(char::is_whitespace) {
                    denied.push((owner, filter.trim().to_owned()));
                    let why = "there is no `deny` here; what it forbids in part is not granted";
                    left_out.say(line, why);
                } else {
                    match grant(line, word, rest) {
                        Ok(grant) => grants.push((owner, grant)),
                        Err(why) => left_out.say(line, why),
                    }
                }
            }
            _ => left_out.say(line, "not `user`, `topic` or `pattern`"),
        }
    }
    for (owner, grant) in grants {
        let collides = |(whose, filter): &&(Option<UserName>, String)| {
            (whose.is_none() || owner.is_none() || *whose == owner) && overlap(filter, &grant)
        };
        if let Some((_, filter)) = denied.iter().find(collides) {
            left_out.say(grant.line, format!("`{filter}` is denied, which would be granted"));
            continue;
        }
        let Some(grant) = within(grant, owner.as_ref(), rights, left_out) else { continue };
        match owner {
            Some(name) => give(users.get_mut(&name), &grant),
            None => users.values_mut().for_each(|user| give(Some(user), &grant)),
        }
    }
}

/// As far as it does not speak for the gateway, which is said: nobody may that.
fn within<'a>(
    grant: Grant<'a>,
    owner: Option<&UserName>,
    rights: &Rights,
    left_out: &mut LeftOut,
) -> Option<Grant<'a>> {
    let widest = grant.pattern.widest(owner.map(UserName::as_str));
    let reserved = widest.filter(|_| grant.write).map(|filter| rights.reserved(&filter));
    let Some(reserved) = reserved.filter(|it| !it.filters.is_empty()) else { return Some(grant) };
    let rest = if reserved.is_all && !grant.read { "" } else { "; the rest is taken over" };
    let why = format!("only the gateway publishes to {reserved}{rest}");
    left_out.say(grant.line, why);
    let write = !reserved.is_all;
    (write || grant.read).then_some(Grant { write, ..grant })
}

/// Whom the next lines are about, if it is one of ours.
fn whose(
    line: &Line,
    name: &str,
    users: &BTreeMap<UserName, User>,
    left_out: &mut LeftOut,
) -> Option<UserName> {
    let known = UserName::parse(name).ok().filter(|name| users.contains_key(name));
    if known.is_none() {
        left_out.say(line, "no user with a password that is taken over");
    }
    known
}

fn grant<'a>(line: &'a Line, word: &str, rest: &str) -> Result<Grant<'a>, String> {
    let (access, filter) = match rest.split_once(char::is_whitespace) {
        Some((access @ ("read" | "write" | "readwrite"), filter)) => (access, filter.trim()),
        Some((access, _)) => {
            return Err(format!("`{access}` is none of `read`, `write`, `readwrite` and `deny`"));
        }
        None => ("readwrite", rest),
    };
    if word == "topic" && (filter.contains("%u") || filter.contains("%c")) {
        return Err("`%u` and `%c` would stand for names here; there they were letters".to_owned());
    }
    let pattern = Pattern::parse(filter).map_err(|error| error.to_string())?;
    let (read, write) = (access != "write", access != "read");
    Ok(Grant { line, read, write, pattern })
}

fn give(user: Option<&mut User>, grant: &Grant<'_>) {
    let Some(scope) = user.and_then(|user| user.scope.as_mut()) else { return };
    for (is_meant, list) in [(grant.read, &mut scope.read), (grant.write, &mut scope.publish)] {
        if is_meant && !list.contains(&grant.pattern) {
            list.push(grant.pattern.clone());
        }
    }
}

/// Whether a denied filter, which may be malformed or have names in it, may concern a grant.
fn overlap(denied: &str, grant: &Grant<'_>) -> bool {
    let any = |text: &str| {
        let level = |level| if ["%u", "%c"].contains(&level) { "+" } else { level };
        TopicFilter::new(text.split('/').map(level).collect::<Vec<_>>().join("/"))
    };
    match (any(denied), any(grant.pattern.as_str())) {
        (Ok(denied), Ok(granted)) => denied.overlaps(&granted),
        _ => true,
    }
}
