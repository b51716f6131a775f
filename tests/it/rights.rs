//! What a user may and why, and whom to trust, as the command line tells it.

use std::process::{Command, Output};

use maison::mqtt::{Delivery, Packet, PacketId, Publish, QoS, ReasonCode, Version};
use serde_json::Value;

use crate::gateway::{Client, Gateway, add_user, binary, free_port, listener, tool};
use crate::wire::{Session, Wire, connect, publish, subscribe, success};

const ROOMS: &str = "[rooms.salon]\n[rooms.cave]\n";

fn maison(gateway: &Gateway, arguments: &[&str]) -> Output {
    let mut command = binary();
    command.current_dir(gateway.folder.path()).args(arguments);
    command.args(["--config", gateway.config().to_str().unwrap()]).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn says(gateway: &Gateway, arguments: &[&str], code: i32, expected: &str) {
    let output = maison(gateway, arguments);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(expected), "{said}");
}

/// The same sentence that a client gets as reason string, and that the log has.
#[test]
fn the_deciding_rule_is_named_before_and_after() {
    let gateway = Gateway::start(Gateway::prepare(ROOMS));
    add_user(&gateway.config(), "bob", "secret");
    let add = ["subscriber", "add", "alice", "--rooms", "salon", "--password-stdin", "--no-qr"];
    let mut child = binary();
    child.current_dir(gateway.folder.path()).args(add).args(["--read", "mail/%u/%c"]);
    child.args(["--config", gateway.config().to_str().unwrap()]);
    let mut child = child.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"secret\n").unwrap();
    assert!(child.wait().unwrap().success());

    let explain = |rest: &[&str], code, expected: &str| {
        says(&gateway, &[&["acl", "explain"], rest].concat(), code, expected);
    };
    let salon = "maison/salon/temperature";
    explain(&["alice", salon], 0, "allowed: `alice` may read `maison/salon/#`\n");
    let denied = "`alice` may publish to nothing; not `maison/salon/temperature`";
    explain(&["alice", salon, "--write"], 1, &format!("denied: {denied}\n"));
    explain(
        &["alice", "maison/cave/temperature"],
        1,
        "denied: `alice` may read `maison/salon/#`, ",
    );
    explain(&["alice", "mail/alice/phone", "--client", "phone"], 0, "may read `mail/alice/phone`");
    explain(&["alice", "mail/alice/phone"], 1, "not `mail/alice/phone`");
    explain(&["alice", "mail/alice/+", "--client", "+"], 2, "contains `+` or `#`");
    explain(&["bob", salon], 0, "not scoped reads everything");
    explain(&["bob", salon, "--write"], 1, "only the gateway publishes below its root");
    explain(&["eve", salon], 1, "no such user: `eve`");

    let output = maison(&gateway, &["acl", "explain", "alice", salon, "--write", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["allowed"], &answer["rule"]), (&Value::Bool(false), &denied.into()));
    let port = gateway.plain_port().to_string();
    let words = ["-V", "5", "-q", "1", "-t", salon, "-m", "7", "-u", "alice", "-P", "secret"];
    let mut command = Command::new("mosquitto_pub");
    command.args(["-h", "127.0.0.1", "-p", &port]).args(words).output().unwrap();
    let line = gateway.wait_for_log("not allowed, refused");
    assert!(line.contains(denied), "{line}");
    let mut alice = wire(gateway.plain_port(), "alice", "phone");
    let delivery = Delivery::AtLeastOnce(PacketId::MIN);
    alice.send(&Packet::Publish(publish(salon, delivery, "7"))).unwrap();
    let Packet::PubAck(answer) = alice.receive().unwrap() else { panic!("no PUBACK") };
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    assert_eq!(answer.properties.unwrap().reason_string.as_deref(), Some(denied));
}

/// What the gateway tells of itself is for administrators, whatever wildcards are asked for.
#[test]
fn what_the_gateway_tells_of_itself_is_for_administrators() {
    let gateway = Gateway::start(Gateway::prepare(ROOMS));
    for (name, rest) in [("alice", "--rooms"), ("root", "--admin")] {
        let mut command = binary();
        command.current_dir(gateway.folder.path()).args(["subscriber", "add", name, rest]);
        command.args((rest == "--rooms").then_some("*")).args(["--password-stdin", "--no-qr"]);
        command.args(["--config", gateway.config().to_str().unwrap()]);
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"secret\n").unwrap();
        assert!(child.wait().unwrap().success());
    }
    let port = gateway.plain_port();
    let (mut root, mut alice) = (wire(port, "root", "desk"), wire(port, "alice", "phone"));
    let (mut by_root, mut by_alice) = (Vec::new(), Vec::new());
    for filter in ["maison/_gateway/event", "maison/_gateway/health", "$SYS/#"] {
        let reason = granted(&mut alice, filter, &mut by_alice);
        assert_eq!(reason, ReasonCode::NotAuthorized, "{filter}");
        assert_eq!(granted(&mut root, filter, &mut by_root), ReasonCode::Success, "{filter}");
    }
    let reason = granted(&mut alice, "$SYS/broker/+", &mut by_alice);
    assert_eq!(reason, ReasonCode::NotAuthorized);
    assert_eq!(granted(&mut alice, "maison/+/+", &mut by_alice), ReasonCode::Success);
    for beginning in ["maison/_gateway/health", "$SYS/"] {
        hear(&mut root, beginning, &mut by_root);
    }
    hear(&mut alice, "maison/salon/availability", &mut by_alice);
    let foreign = |topic: &&String| {
        topic.starts_with("$SYS") || topic.contains("_gateway") && !topic.ends_with("/state")
    };
    assert_eq!(by_alice.iter().find(foreign), None);
}

/// On the loopback a guest is whoever is logged in to the board; on the network, anybody.
#[test]
fn guests_of_an_open_house_do_not_read_what_the_gateway_tells_of_itself() {
    let port = free_port();
    let open = listener(port, "auth = \"anonymous\"\nopen = true");
    let open = open.replace("127.0.0.1", "0.0.0.0");
    let gateway = Gateway::start(Gateway::prepare(&(ROOMS.to_owned() + &open)));
    let reads = |topic: &str| {
        let mut command = binary();
        command.args(["sub", topic, "--count", "1", "--port", &port.to_string()]);
        command.output().unwrap().status.success()
    };
    assert!(reads("maison/_gateway/state") && reads("maison/_gateway/info"));
    for topic in ["maison/_gateway/health", "maison/_gateway/event", "$SYS/#", "$SYS/broker/+"] {
        assert!(!reads(topic), "{topic}");
    }
    gateway.edit(|text| text.replace(&open, ""));
    gateway.wait_for_log("listener removed");
    let mut command = binary();
    let local = gateway.plain_port().to_string();
    command.args(["sub", "maison/_gateway/health", "--count", "1", "--port", &local]);
    assert!(command.output().unwrap().status.success(), "on the loopback alone they do");
}

/// What is answered to a subscription; the topics of messages that come meanwhile are heard.
fn granted(wire: &mut Wire, filter: &str, heard: &mut Vec<String>) -> ReasonCode {
    wire.send(&subscribe(filter, QoS::AtMostOnce)).unwrap();
    loop {
        match wire.receive().unwrap() {
            Packet::SubAck(answer) => return answer.reasons[0],
            Packet::Publish(publish) => heard.push(publish.message.topic.as_str().to_owned()),
            other => panic!("{other:?}"),
        }
    }
}

/// Waits until a topic with this beginning was heard.
fn hear(wire: &mut Wire, beginning: &str, heard: &mut Vec<String>) {
    while !heard.iter().any(|topic| topic.starts_with(beginning)) {
        let Packet::Publish(publish) = wire.receive().unwrap() else { continue };
        heard.push(publish.message.topic.as_str().to_owned());
    }
}

/// A client that logs in with this name and the password `secret`.
fn wire(port: u16, name: &str, id: &str) -> Wire {
    let mut words = connect(Version::V5, id, Session::Clean);
    words.credentials.user = Some(name.into());
    words.credentials.password = Some("secret".into());
    Wire::try_open(port, words).unwrap().0
}

/// QoS 2: what a message says is said at its PUBLISH, and its release lets nothing through.
#[test]
fn a_right_revoked_between_publish_and_release_lets_nothing_more_through() {
    const TOPIC: &str = "maison/garage/temperature";
    let gateway = Gateway::start(Gateway::prepare(ROOMS));
    add_user(&gateway.config(), "bob", "secret");
    let users = gateway.folder.path().join("state/users");
    let hash = std::fs::read_to_string(&users).unwrap().lines().last().unwrap()[4..].to_owned();
    let probe = |write| {
        let scope = format!("{{\"scope\":{{\"rooms\":[\"garage\"],\"write\":{write}}}}}");
        std::fs::write(&users, format!("bob:{hash}\nprobe:{hash}:{scope}\n")).unwrap();
    };
    probe(true);
    let port = gateway.plain_port();
    let (mut bob, mut probes) = (wire(port, "bob", "phone"), wire(port, "probe", "probe"));
    bob.subscribe("#", QoS::AtMostOnce);
    let id = |number| PacketId::new(number).unwrap();
    let say = |probes: &mut Wire, delivery, value: &'static str, dup| {
        let publish = Publish { dup, ..publish(TOPIC, delivery, value) };
        probes.send(&Packet::Publish(publish)).unwrap();
        probes.receive().unwrap()
    };
    let reason = |packet| match packet {
        Packet::PubRec(it) | Packet::PubComp(it) | Packet::PubAck(it) => it.reason,
        other => panic!("{other:?}"),
    };
    let first = || Delivery::ExactlyOnce(id(1));
    assert_eq!(reason(say(&mut probes, first(), "7.5", false)), ReasonCode::Success);
    probe(false);
    let started = std::time::Instant::now();
    while !reason(say(&mut probes, Delivery::AtLeastOnce(id(2)), "poll", false)).is_failure() {
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "the right does not end");
    }
    assert_eq!(reason(say(&mut probes, first(), "7.5", true)), ReasonCode::Success, "known");
    probes.send(&Packet::PubRel(success(id(1)))).unwrap();
    assert_eq!(reason(probes.receive().unwrap()), ReasonCode::Success);
    assert_eq!(reason(say(&mut probes, first(), "8.5", false)), ReasonCode::NotAuthorized);
    let last = publish("last", Delivery::AtMostOnce, "word");
    bob.send(&Packet::Publish(last)).unwrap();
    let mut heard = Vec::new();
    while heard.last().is_none_or(|last| *last != "word") {
        let Packet::Publish(publish) = bob.receive().unwrap() else { continue };
        let payload = String::from_utf8(publish.message.payload.to_vec()).unwrap();
        let topic = publish.message.topic.as_str().to_owned();
        if (topic == TOPIC || topic == "last") && payload != "poll" {
            heard.push(payload);
        }
    }
    assert_eq!(heard, ["7.5", "word"]);
}

const CONF: &str = "\
# of a house
per_listener_settings false
persistence true
allow_anonymous false
password_file @/passwd
acl_file @/acl
listener 1883 127.0.0.1
listener 9001
protocol websockets
max_qos 1
connection cloud
address example.org:8883
";

const ACL: &str = "\
topic read news/#
user alice
topic read maison/salon/#
topic write probes/alice
topic deny maison/salon/secret
topic read other/+
user ghost
topic ghost/#
user bob
topic readwrite bob/%u
topic deny private/#
topic readwrite private/bob
topic readwrite b/#
pattern read mail/%u/#
pattern read x-%u/#
";

/// Lines that are not taken over; the last is no UTF-8.
const BAD: &[u8] = b"old:$6$c2FsdA==$aGFzaA==\nplain\nren\xe9:$7$1\n";

/// Their passwords were made by mosquitto's own tool, and let them in; the first login replaces the
/// hash, and nobody is sent away for it.
#[test]
fn users_of_mosquitto_come_with_their_passwords_and_no_more_rights_than_before() {
    let gateway = Gateway::start(Gateway::prepare(ROOMS));
    let folder = gateway.folder.path().join("mosquitto");
    std::fs::create_dir(&folder).unwrap();
    let place = folder.to_str().unwrap();
    for (file, content) in [("mosquitto.conf", CONF), ("acl", ACL)] {
        std::fs::write(folder.join(file), content.replace('@', place)).unwrap();
    }
    let passwords = folder.join("passwd");
    for (number, name) in ["alice", "bob", "no/name"].into_iter().enumerate() {
        let tool = tool("MAISON_TEST_DEBIAN", "debian") + "/usr/bin/mosquitto_passwd";
        let mut command = Command::new(tool);
        command.args(if number == 0 { &["-c", "-b"][..] } else { &["-b"] });
        let made = command.arg(&passwords).args([name, "secret"]).status();
        assert!(made.expect("`tests/run` installs what the tests need").success());
    }
    std::fs::write(&passwords, [&std::fs::read(&passwords).unwrap()[..], BAD].concat()).unwrap();

    let shown = maison(&gateway, &["import", "mosquitto", place]);
    assert!(shown.status.success());
    let (toml, left_out) = (text(&shown.stdout), text(&shown.stderr));
    let first = "[[listener]]\nbind = \"127.0.0.1:1883\"\nauth = \"password\"\n";
    assert!(toml.starts_with(first), "{toml}");
    assert!(
        toml.contains("bind = \"[::]:9001\"\nwebsocket = true\nauth = \"password\"\n"),
        "{toml}"
    );
    let alice = "# user `alice`: reads mail/%u/#, other/+; publishes to probes/alice";
    let alice_any = toml.lines().find(|line| line.starts_with("# user `alice`")).unwrap();
    assert_eq!(alice_any.replace("other/+, mail/%u/#", "mail/%u/#, other/+"), alice);
    assert!(toml.contains("# user `bob`: reads b/#, mail/%u/#; publishes to b/#\n"), "{toml}");
    for (place, why) in [
        ("passwd:3: ", "character not allowed in a user name: `/`"),
        ("passwd:4: ", "a single round of SHA-512"),
        ("passwd:5: ", "no `:`"),
        ("passwd:6: ", "not UTF-8"),
        ("acl:1: ", "without a login"),
        ("acl:3: ", "`maison/salon/secret` is denied"),
        ("acl:5: ", "no `deny`"),
        ("acl:7: ", "no user with a password"),
        ("acl:8: ", "its user is not taken over"),
        ("acl:10: ", "were letters"),
        ("acl:12: ", "`private/#` is denied"),
        ("acl:15: ", "not for a part of `x-%u`"),
        ("mosquitto.conf:3: ", "done in another way"),
        ("mosquitto.conf:10: ", "not understood"),
        ("mosquitto.conf:11: ", "no bridges"),
        ("mosquitto.conf:12: ", "of the bridge `cloud`"),
    ] {
        let line = left_out.lines().find(|line| line.contains(place));
        assert!(line.is_some_and(|line| line.contains(why)), "{place}{why}\n{left_out}");
    }
    assert!(!left_out.contains("aGFzaA"), "no hash is shown: {left_out}");
    assert!(!gateway.folder.path().join("state/users").exists(), "nothing is written");

    says(&gateway, &["import", "mosquitto", place, "--write"], 0, "# users added: 2\n");
    says(&gateway, &["import", "mosquitto", place, "--write"], 0, "a user `bob` already");
    let hash = || std::fs::read_to_string(gateway.folder.path().join("state/users")).unwrap();
    assert!(hash().contains("bob:$7$"), "{}", hash());
    let port = gateway.plain_port().to_string();
    let login = ["-h", "127.0.0.1", "-p", &port, "-u", "bob", "-P", "secret"];
    let mut subscriber = Command::new("mosquitto_sub");
    let subscriber = Client::start(subscriber.args(login).args(["-v", "-t", "b/#"]));
    gateway.wait_for_log("password hash made anew");
    gateway.wait_for_log("users read again");
    assert!(hash().contains("bob:$argon2id$v=19$m=12288,t=3,p=1$"), "{}", hash());
    let publish = Command::new("mosquitto_pub").args(login).args(["-t", "b/x", "-m", "7"]).status();
    assert!(publish.unwrap().success());
    subscriber.expect("b/x 7");
    assert!(!gateway.has_logged("counts no more"), "nobody is sent away");
    let mut wrong = Command::new("mosquitto_pub");
    wrong.args(&login[..7]).args(["guess", "-t", "b/x", "-m", "8"]);
    assert!(!wrong.status().unwrap().success());
}
