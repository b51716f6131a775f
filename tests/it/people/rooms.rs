//! Rooms that are given to somebody who is let in, and taken away.

use std::fs;
use std::process::Command;

use super::{complains, printed, says, shell};
use crate::gateway::{Gateway, SALON, free_port, listener};

fn gateway(rooms: &str) -> Gateway {
    let listener = listener(free_port(), "tls = true\nauth = \"password\"");
    Gateway::start(Gateway::prepare_listening(&[listener], rooms))
}

#[test]
fn rooms_that_are_given_or_taken_are_so_at_once_for_who_is_there() {
    let gateway = gateway("[rooms.salon]\n[rooms.cave]\n");
    let hub = ["add", "hub", "--rooms", "*", "--write", "--publish", "end", "--no-qr"];
    let hub = says(&gateway, &hub);
    let publish = |topic: &str, payload: &str| {
        let line = printed(&hub, "mosquitto_pub").replacen("maison/hub/temperature", topic, 1);
        let line = line.replacen("21.5", payload, 1);
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(output.stderr.is_empty(), "{output:?}");
    };
    let add = ["add", "alice", "--rooms", "salon", "--read", "end", "--no-qr"];
    let text = says(&gateway, &add);
    let line = printed(&text, "mosquitto_sub");
    let alice = shell(&line.replacen("'maison/salon/#'", "maison/+/temperature -t end", 1));
    publish("end", "0");
    alice.expect("end 0");
    let heard = |payload: &str| -> Vec<String> {
        for room in ["salon", "cave"] {
            publish(&format!("maison/{room}/temperature"), payload);
        }
        publish("end", payload);
        alice.expect(&format!("end {payload}"));
        let lines = alice.lines.all().into_iter();
        let topic = |line: String| {
            let topic = line.strip_suffix(payload)?.trim_end();
            topic.strip_prefix("maison/")?.strip_suffix("/temperature").map(str::to_owned)
        };
        lines.filter_map(topic).collect()
    };
    let moved = |words: &[&str], times: usize| {
        let said = says(&gateway, &[&["rooms", "alice"], words].concat());
        gateway.wait_for_logs(times, "rights changed");
        said
    };
    assert_eq!(heard("1"), ["salon"]);
    let said = moved(&["cave"], 1);
    let expected = "rooms changed: `alice`\nroom added: cave\nroom removed: salon\n\
                    it may: cave, read end\n";
    assert_eq!(said, expected);
    assert_eq!(heard("2"), ["cave"]);
    moved(&["--add", "salon"], 2);
    assert_eq!(heard("3"), ["salon", "cave"]);
    moved(&["--remove", "cave"], 3);
    assert_eq!(heard("4"), ["salon"]);
    assert!(!gateway.has_logged("counts no more"), "she was not sent away");
}

#[test]
fn who_writes_goes_on_to_write_unless_it_is_to_read_only() {
    let gateway = gateway(&[SALON, "[rooms.garage]\n"].concat());
    says(&gateway, &["add", "probe", "--rooms", "garage", "--write", "--no-qr"]);
    let scope = |words: &[&str]| {
        let said = says(&gateway, &[&["rooms", "probe"], words, &["--json"]].concat());
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["scope"].clone()
    };
    assert_eq!(scope(&["shed"]), serde_json::json!({ "rooms": ["shed"], "write": true }));
    let may_write = || {
        let words = ["acl", "explain", "probe", "maison/shed/temperature", "--write"];
        gateway.command(&words).status.success()
    };
    assert!(may_write());
    let (code, errors) = complains(&gateway, &["rooms", "probe", "--add", "salon"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("own sensors tell of the room `salon`\n  hint: "), "{errors}");
    assert_eq!(scope(&["--read-only"]), serde_json::json!({ "rooms": ["shed"] }));
    assert!(!may_write());
    let both = serde_json::json!({ "rooms": ["shed", "garage"] });
    assert_eq!(scope(&["--add", "garage"]), both, "a room that has gone is no hindrance");
}

#[test]
fn rooms_that_cannot_be_are_said_with_a_hint_and_nothing_changes() {
    let gateway = gateway("[rooms.salon]\n[rooms.cave]\n");
    says(&gateway, &["add", "alice", "--rooms", "salon", "--no-qr"]);
    let users = gateway.folder.path().join("state/users");
    let before = fs::read_to_string(&users).unwrap();
    let check = |words: &[&str], code: i32, expected: &str| {
        let (found, errors) = complains(&gateway, &[&["rooms"], words].concat());
        assert_eq!(found, Some(code), "{errors}");
        assert!(errors.contains(expected), "{errors}");
        assert_eq!(fs::read_to_string(&users).unwrap(), before);
    };
    let near = "no such room: `cvae`\n  hint: did you mean `cave`? there are `cave`, `salon`";
    check(&["alice", "cvae"], 1, near);
    check(&["alice", "--add", "cvae"], 1, near);
    check(&["alcie", "cave"], 1, "no such user: `alcie`\n  hint: did you mean `alice`?");
    for words in [&["acl", "explain", "alcie", "x"][..], &["user", "del", "alcie"]] {
        let (code, said) = gateway.complains(words);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("hint: did you mean `alice`? `maison user list` names"), "{said}");
    }
    let near = "`alice` has no room `slaon`\n  hint: did you mean `salon`? there are `salon`";
    check(&["alice", "--remove", "slaon"], 1, near);
    check(&["alice", "--remove", "salon"], 1, "may nothing\n  hint: `maison subscriber revoke");
    check(&["alice", "--add", "salon"], 1, "named twice: `salon`");
    check(&["alice"], 2, "required");
    check(&["alice", "cave", "--add", "salon"], 2, "cannot be used with");
    says(&gateway, &["rooms", "alice", "*"]);
    let (code, errors) = complains(&gateway, &["rooms", "alice", "--add", "cave"]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("`alice` has all rooms\n  hint: "), "{errors}");
}

/// One of `maison user add`, who is bound to nothing.
#[test]
fn who_had_the_whole_house_is_told_to_be_bound() {
    let gateway = gateway("[rooms.salon]\n[rooms.cave]\n");
    crate::gateway::add_user(&gateway.config(), "bob", "correct horse");
    let output = gateway.command(&["subscriber", "rooms", "bob", "*"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors, "note: `bob` had the whole house, and publishes nothing any more\n");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "rooms changed: `bob`\nit may: all rooms\n");
    assert_eq!(
        says(&gateway, &["rooms", "bob", "*"]),
        "nothing has changed: `bob`\nit may: all rooms\n"
    );
}
