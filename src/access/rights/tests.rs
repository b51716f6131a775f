use super::*;
use crate::access::Pattern;

fn topic(text: &str) -> TopicName {
    TopicName::new(text.to_owned()).unwrap()
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text.to_owned()).unwrap()
}

fn user(name: &str) -> Principal {
    Principal::User(name.into())
}

/// The rights of a house where alice is scoped so and bob is not.
fn rights(scope: Scope) -> Rights {
    let mut users = Users::default();
    users.entry(UserName::parse("alice").unwrap()).scope = Some(scope);
    users.entry(UserName::parse("bob").unwrap());
    Rights::new("maison").for_users(Arc::new(users))
}

fn alice(scope: Scope) -> Allowed {
    rights(scope).of(&user("alice"), "phone")
}

fn rooms(rooms: &[&str]) -> Scope {
    let rooms = rooms.iter().map(|&room| room.to_owned()).collect();
    Scope { rooms, ..Scope::default() }
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
}

#[test]
fn only_the_gateway_writes_below_its_root_and_below_sys() {
    #[track_caller]
    fn check(root: &str, name: &str, allowed: bool) {
        let (rights, topic) = (Rights::new(root), topic(name));
        let guest = rights.of(&Principal::Anonymous, "a");
        assert_eq!(guest.publish(&topic).is_ok(), allowed, "{topic:?}");
        assert_eq!(rights.of(&Principal::Gateway, "").publish(&topic), Ok(()));
    }
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
    let rights = Rights::new("maison").keeping_private(vec![filter("alarm/#")]);
    let guest = rights.of(&Principal::Anonymous, "a");
    let user = rights.of(&user("bob"), "a");
    assert!(guest.subscribe(&filter("alarm/code")).is_err());
    assert_eq!(user.subscribe(&filter("alarm/code")), Ok(()));
    assert_eq!(guest.subscribe(&filter("#")), Ok(()), "the rest of it is open");
    assert!(!guest.read(&topic("alarm/code")));
    assert!(guest.read(&topic("maison/salon/temperature")));
    assert!(user.read(&topic("alarm/code")));
}

#[track_caller]
fn check_read(allowed: &Allowed, name: &str, expected: bool) {
    assert_eq!(allowed.read(&topic(name)), expected, "{name}");
    assert_eq!(allowed.explain(Access::Read, &topic(name)).is_ok(), expected, "{name}");
}

#[track_caller]
fn check_publish(allowed: &Allowed, name: &str, expected: bool) {
    assert_eq!(allowed.publish(&topic(name)).is_ok(), expected, "{name}");
    assert_eq!(allowed.explain(Access::Write, &topic(name)).is_ok(), expected, "{name}");
}

#[test]
fn a_subscriber_reads_its_rooms_and_nothing_else() {
    let allowed = alice(rooms(&["salon", "chambre"]));
    check_read(&allowed, "maison/salon/temperature", true);
    check_read(&allowed, "maison/salon/temperature/json", true);
    check_read(&allowed, "maison/chambre/availability", true);
    check_read(&allowed, "maison/cave/temperature", false);
    check_read(&allowed, "maison/_gateway/state", true);
    check_read(&allowed, "maison/_gateway/event", false);
    check_read(&allowed, "$SYS/broker/uptime", false);
    check_read(&allowed, "garden/gate", false);
    check_publish(&allowed, "maison/salon/temperature", false);
    check_publish(&allowed, "garden/gate", false);
}

#[test]
fn all_rooms_do_not_include_the_gateways_own() {
    let allowed = alice(rooms(&["*"]));
    check_read(&allowed, "maison/cave/temperature", true);
    check_read(&allowed, "maison/_gateway/event", false);
    check_read(&allowed, "other/cave/temperature", false);
    assert!(allowed.subscribe(&filter("maison/_gateway/event")).is_err());
    assert_eq!(allowed.subscribe(&filter("maison/+/event")), Ok(()));
}

#[test]
fn who_writes_writes_to_its_rooms_only() {
    let allowed = alice(Scope { write: true, ..rooms(&["garage"]) });
    check_publish(&allowed, "maison/garage/temperature", true);
    check_publish(&allowed, "maison/salon/temperature", false);
    check_publish(&allowed, "maison/_gateway/state", false);
    check_publish(&allowed, "$SYS/broker/uptime", false);
}

#[test]
fn administrators_read_what_the_gateway_tells_of_itself() {
    let allowed = alice(Scope { admin: true, ..Scope::default() });
    check_read(&allowed, "$SYS/broker/uptime", true);
    check_read(&allowed, "maison/_gateway/event", true);
    check_read(&allowed, "maison/salon/temperature", false);
}

#[test]
fn names_in_patterns_are_never_wildcards() {
    let scope =
        Scope { read: patterns(&["in/%u/%c/#"]), publish: patterns(&["out/%c"]), ..rooms(&[]) };
    let rights = rights(scope);
    let phone = rights.of(&user("alice"), "phone");
    check_read(&phone, "in/alice/phone/x", true);
    check_read(&phone, "in/bob/phone/x", false);
    check_publish(&phone, "out/phone", true);
    for client_id in ["+", "#", "a/b", "a+", ""] {
        let wild = rights.of(&user("alice"), client_id);
        check_read(&wild, "in/alice/phone/x", false);
        check_publish(&wild, "out/phone", false);
        check_publish(&wild, "out/a", false);
        assert!(wild.subscribe(&filter("in/#")).is_err(), "{client_id}");
    }
}

#[test]
fn a_filter_is_granted_if_it_can_bring_anything() {
    let allowed = alice(rooms(&["salon"]));
    for granted in ["#", "maison/#", "maison/+/temperature", "maison/salon", "+/salon/#"] {
        assert_eq!(allowed.subscribe(&filter(granted)), Ok(()), "{granted}");
    }
    for refused in ["maison/cave/#", "garden/#", "$SYS/#", "maison", "+/cave/+"] {
        assert!(allowed.subscribe(&filter(refused)).is_err(), "{refused}");
    }
}

#[test]
fn who_is_no_user_any_more_may_nothing() {
    let allowed = rights(rooms(&[])).of(&user("carol"), "a");
    check_read(&allowed, "maison/salon/temperature", false);
    check_publish(&allowed, "garden/gate", false);
}

#[test]
fn a_refusal_names_a_few_rules_and_counts_the_rest() {
    let slugs: Vec<String> = (0..10_000).map(|number| format!("r{number}")).collect();
    let rooms = Scope { rooms: slugs, ..Scope::default() };
    let Err(Denied(why)) = alice(rooms).explain(Access::Read, &topic("x")) else { panic!() };
    assert!(why.starts_with("`alice` may read `maison/r0/#`, `maison/r1/#`, "), "{why}");
    assert!(why.ends_with("`maison/r11/#`, 9989 more; not `x`"), "{why}");
}

#[test]
fn the_deciding_rule_is_named() {
    let allowed = alice(rooms(&["salon", "chambre"]));
    let explain = |access, name| match allowed.explain(access, &topic(name)) {
        Ok(why) => why,
        Err(Denied(why)) => why.into_owned(),
    };
    assert_eq!(
        explain(Access::Read, "maison/salon/temperature"),
        "`alice` may read `maison/salon/#`"
    );
    assert_eq!(
        explain(Access::Read, "maison/cave/temperature"),
        "`alice` may read `maison/salon/#`, `maison/chambre/#`, `maison/_gateway/state`; not \
         `maison/cave/temperature`"
    );
    assert_eq!(explain(Access::Write, "x"), "`alice` may publish to nothing; not `x`");
    let Err(denied) = allowed.publish(&topic("x")) else { panic!("it may not") };
    assert_eq!(denied.0, "`alice` may publish to nothing; not `x`", "the same sentence");
}
