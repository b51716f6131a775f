//! People and devices are let in by one command, to what is theirs, and sent away by another.

mod rooms;
mod sudo;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::gateway::{CAVE, Client, Gateway, SALON, free_port, listener, tool};

/// A gateway with one listener, whose port is known before.
fn gateway(auth: &str) -> Gateway {
    let listener = listener(free_port(), &format!("tls = true\nauth = \"{auth}\""));
    Gateway::start(Gateway::prepare_listening(&[listener], &[SALON, CAVE].concat()))
}

#[track_caller]
fn says(gateway: &Gateway, arguments: &[&str]) -> String {
    gateway.says(&[&["subscriber"], arguments].concat())
}

#[track_caller]
fn complains(gateway: &Gateway, arguments: &[&str]) -> (Option<i32>, String) {
    gateway.complains(&[&["subscriber"], arguments].concat())
}

fn shell(line: &str) -> Client {
    Client::start(Command::new("sh").args(["-c", &format!("exec {line}")]))
}

fn printed<'a>(text: &'a str, beginning: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(beginning)).expect("it is printed")
}

fn python(line: &str) -> Client {
    shell(&line.replacen("python3", &tool("MAISON_TEST_PYTHON", "python3"), 1))
}

#[track_caller]
fn sees_the_salon_only(client: &Client) {
    client.expect("maison/salon/temperature 21.4");
    client.expect("maison/salon/availability online");
    let lines = client.lines.all();
    assert!(lines.iter().all(|line| line.starts_with("maison/salon/")), "{lines:?}");
}

#[test]
fn what_is_printed_for_a_subscriber_works_until_it_is_revoked() {
    let gateway = gateway("certificate-or-password");
    let text = says(&gateway, &["add", "alice", "--rooms", "salon"]);
    let mosquitto = shell(printed(&text, "mosquitto_sub"));
    let paho = python(printed(&text, "python3"));
    sees_the_salon_only(&mosquitto);
    sees_the_salon_only(&paho);
    let listed = says(&gateway, &["list"]);
    assert!(listed.contains("alice  salon  password, certificate  20"), "{listed}");

    let asked = Instant::now();
    assert_eq!(says(&gateway, &["revoke", "alice"]), "revoked: `alice`\n");
    for _ in 0..2 {
        gateway.wait_for_log("this user, password or certificate counts no more");
    }
    assert!(asked.elapsed() < Duration::from_secs(5), "the machine may be busy");
    let line = gateway.wait_for_log("auth refused");
    assert!(line.contains("user=\"alice\""), "{line}");
    assert_eq!(says(&gateway, &["list", "--json"]), "[]\n");
    let mut again = shell(printed(&text, "mosquitto_sub"));
    gateway.wait_for_log("reason=bad-password");
    drop((mosquitto, paho));
    assert_eq!(again.lines.all(), [""; 0]);
    again.end();
}

#[test]
fn a_certificate_alone_is_enough_where_it_is_asked_for() {
    let gateway = gateway("certificate");
    let text = says(&gateway, &["add", "alice", "--rooms", "salon", "--no-qr"]);
    assert!(!text.contains("password:"), "{text}");
    let old = shell(printed(&text, "mosquitto_sub"));
    sees_the_salon_only(&old);
    sees_the_salon_only(&python(printed(&text, "python3")));
    let new = ["renew", "alice", "--revoke", "--out", "alice-2", "--no-qr"];
    let text = says(&gateway, &new);
    let line = gateway.wait_for_log("certificates revoked");
    assert!(line.contains("certificates="), "{line}");
    sees_the_salon_only(&shell(printed(&text, "mosquitto_sub")));
    let line = gateway.wait_for_log("auth refused");
    assert!(line.contains("user=\"alice\"") && line.contains("revoked-certificate"), "{line}");
}

#[test]
fn a_device_publishes_to_its_own_room_and_nowhere_else() {
    let gateway = gateway("certificate-or-password");
    says(&gateway, &["add", "alice", "--rooms", "*", "--out", "a", "--password", "--no-qr"]);
    let text = says(&gateway, &["add", "probe", "--rooms", "garage", "--write", "--no-qr"]);
    let line = printed(&text, "mosquitto_sub");
    let publish = |topic: &str| {
        let line = line.replacen("mosquitto_sub -v -t 'maison/garage/#'", "mosquitto_pub", 1);
        let rest = format!("-V 5 -q 1 -t {topic} -m 7.5");
        Command::new("sh").args(["-c", &format!("{line} {rest}")]).output().unwrap()
    };
    let readme = fs::read_to_string(gateway.folder.path().join("a/README.txt")).unwrap();
    let line = printed(&readme, "mosquitto_sub");
    let carried = tempfile::tempdir().unwrap();
    fs::rename(gateway.folder.path().join("a"), carried.path().join("it")).unwrap();
    let here = carried.path().join("it");
    let mut elsewhere = Command::new("sh");
    let alice = Client::start(elsewhere.args(["-c", &format!("exec {line}")]).current_dir(here));
    alice.expect("maison/salon/temperature 21.4");
    let refused = publish("maison/salon/temperature");
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned()
        + &String::from_utf8_lossy(&refused.stdout);
    assert!(errors.to_lowercase().contains("not authorized"), "{errors}");
    let line = gateway.wait_for_log("may publish to `maison/garage/#`; not `maison/salon/temp");
    assert!(line.contains("client="), "{line}");
    assert!(publish("maison/garage/temperature").status.success());
    alice.expect("maison/garage/temperature 7.5");
    let salon = alice.lines.all().into_iter().filter(|line| line.contains("salon"));
    assert!(salon.into_iter().all(|line| !line.contains("7.5")));
}

/// Where no sensor of the gateway tells of a room; what is the gateway's own stays so.
#[test]
fn who_writes_to_all_rooms_writes_to_rooms() {
    let listener = listener(free_port(), "tls = true\nauth = \"certificate-or-password\"");
    let rooms = "[rooms.garage]\n[rooms.attic]\n";
    let gateway = Gateway::start(Gateway::prepare_listening(&[listener], rooms));
    let text = says(&gateway, &["add", "hub", "--rooms", "*", "--write", "--no-qr"]);
    let heard = shell(printed(&text, "mosquitto_sub"));
    gateway.wait_for_log("client connected");
    let line = printed(&text, "mosquitto_pub");
    assert!(line.contains("-t 'maison/hub/temperature'"), "{line}");
    let publish = |topic: &str| {
        let line =
            line.replacen("maison/hub/temperature", topic, 1).replacen("-q 1", "-V 5 -q 1", 1);
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        [output.stderr, output.stdout].concat().is_empty()
    };
    assert!(publish("maison/garage/temperature") && publish("maison/hub/temperature"));
    heard.expect("maison/garage/temperature 21.5");
    heard.expect("maison/hub/temperature 21.5");
    for foreign in ["maison/_gateway/temperature", "maison/_gateway", "x/y/temperature", "$SYS/x"] {
        assert!(!publish(foreign), "{foreign}");
    }
}

/// The sensor came after the device, and the device is no less a device for that.
#[test]
fn a_device_falls_silent_when_its_room_gets_a_sensor_of_the_gateway() {
    let gateway = gateway("certificate-or-password");
    let text = says(&gateway, &["add", "probe", "--rooms", "garage", "--write", "--no-qr"]);
    let line = printed(&text, "mosquitto_pub").replacen("-q 1", "-V 5 -q 1", 1);
    let publish = || Command::new("sh").args(["-c", &line]).output().unwrap();
    let said = publish();
    assert!([said.stderr, said.stdout].concat().is_empty());
    gateway.edit(|text| text + &SALON.replace("salon", "garage").replace("28-01131e858aef", OTHER));
    gateway.wait_for_log("room added: garage");
    gateway.says(&["reload"]);
    let sentence = "`garage` has sensors of the gateway: only it publishes there";
    let explain = ["acl", "explain", "probe", "maison/garage/temperature", "--write"];
    let output = gateway.command(&explain);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("denied: {sentence}\n"));
    let refused = publish();
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned()
        + &String::from_utf8_lossy(&refused.stdout);
    assert!(errors.to_lowercase().contains("not authorized"), "{errors}");
    gateway.wait_for_log(sentence);
}

const OTHER: &str = "28-0316a2794dff";

#[test]
fn filters_that_would_speak_for_the_gateway_are_cut_or_refused() {
    let gateway = gateway("certificate-or-password");
    let add = |filter| {
        let words = ["subscriber", "add", "hub", "--publish", filter, "--no-qr"];
        let output = gateway.command(&words);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for filter in ["maison/_gateway/event", "$SYS/x", "maison/salon/#"] {
        let (code, errors) = add(filter);
        let expected = format!("only the gateway publishes to `{filter}`\n  hint: ");
        assert!(code == Some(1) && errors.contains(&expected), "{errors}");
    }
    let (code, errors) = add("maison/#");
    assert_eq!(code, Some(0), "{errors}");
    let note = "note: `maison/#` does not reach `maison/_gateway/#`, `maison/cave/#`, \
                `maison/salon/#`: only the gateway publishes there";
    assert!(errors.contains(note), "{errors}");
}

/// As another program writes it.
#[test]
fn a_certificate_is_revoked_by_its_number_in_any_writing() {
    let gateway = gateway("certificate-or-password");
    says(&gateway, &["add", "alice", "--rooms", "salon", "--certificate", "--no-qr"]);
    let all: serde_json::Value =
        serde_json::from_str(&says(&gateway, &["list", "--json"])).unwrap();
    let serial = all[0]["certificates"][0]["serial"].as_str().unwrap().to_owned();
    let pairs: Vec<_> = serial.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
    let written = pairs.join(":").to_uppercase();
    assert_ne!(written, serial);
    let said = says(&gateway, &["revoke", "alice", "--certificate", &written]);
    assert!(said.contains("certificate revoked"), "{said}");
}

#[test]
fn nobody_is_let_in_by_less_than_every_listener_asks_for() {
    let port = free_port();
    let both = listener(port, "tls = true\nauth = \"certificate-and-password\"");
    let gateway = Gateway::start(Gateway::prepare_listening(&[both], SALON));
    let (code, errors) =
        complains(&gateway, &["add", "alice", "--rooms", "salon", "--password", "--no-qr"]);
    assert_eq!(code, Some(1), "{errors}");
    let expected = "lets `alice` in by a password alone\n  hint: `--certificate` as well";
    assert!(errors.contains(expected), "{errors}");
    let said = says(&gateway, &["add", "alice", "--rooms", "salon", "--no-qr"]);
    assert!(printed(&said, "mosquitto_sub").contains(" -P "), "{said}");
}

/// A password is not shown to a listener that looks at none, and is not lost either.
#[test]
fn what_is_printed_is_for_a_listener_that_takes_it() {
    let [certificate, password] = [free_port(), free_port()];
    let listeners = [
        listener(certificate, "tls = true\nauth = \"certificate\""),
        listener(password, "tls = true\nauth = \"password\""),
    ];
    let gateway = Gateway::start(Gateway::prepare_listening(&listeners, SALON));
    let said = says(&gateway, &["add", "alice", "--rooms", "salon", "--no-qr"]);
    let line = printed(&said, "mosquitto_sub");
    assert!(line.contains(&certificate.to_string()) && !line.contains(" -P "), "{line}");
    assert!(said.contains("password of alice: "), "{said}");
    let said = says(&gateway, &["add", "bob", "--rooms", "salon", "--password", "--no-qr"]);
    let line = printed(&said, "mosquitto_sub");
    assert!(line.contains(&password.to_string()) && line.contains(" -P "), "{line}");
}

/// More than any column is wide.
#[test]
fn a_subscriber_of_ten_thousand_rooms_is_let_in_and_listed() {
    let gateway = gateway("password");
    let rooms: Vec<String> = (0..10_000).map(|number| format!("r{number}")).collect();
    says(&gateway, &["add", "hub", "--rooms", &rooms.join(","), "--write", "--no-qr"]);
    says(&gateway, &["add", "alice", "--rooms", "salon", "--no-qr"]);
    let listed = says(&gateway, &["list"]);
    assert!(listed.contains("\nhub    r0, r1, r2, "), "{listed}");
    assert!(listed.contains("r11, 9988 more rooms, write  password"), "{listed}");
    assert!(listed.lines().all(|line| line.len() < 300), "{listed}");
    let all = says(&gateway, &["list", "--json"]);
    assert!(all.contains("\"r9999\""));
}

/// Asked of the gateway while it runs, of what it wrote when it stopped after that.
#[test]
fn who_was_last_here_and_when_is_listed_beside_a_gateway_and_without_one() {
    let mut gateway = gateway("certificate-or-password");
    let text = says(&gateway, &["add", "alice", "--rooms", "salon", "--no-qr"]);
    says(&gateway, &["add", "eve", "--rooms", "cave", "--no-qr"]);
    let line = |text: &str, name: &str| -> String {
        text.lines().find(|line| line.starts_with(name)).expect("it is listed").to_owned()
    };
    let listed = says(&gateway, &["list"]);
    assert!(listed.lines().next().unwrap().ends_with("last seen"), "{listed}");
    assert!(line(&listed, "alice").ends_with("  never"), "{listed}");
    let client = shell(printed(&text, "mosquitto_sub"));
    client.expect("maison/salon/temperature 21.4");
    let alice = line(&says(&gateway, &["list"]), "alice");
    let today = &humantime::format_rfc3339_seconds(SystemTime::now()).to_string()[..10];
    assert!(alice.contains(&format!("  here since {today}T")), "{alice}");
    assert!(alice.ends_with("Z, from 127.0.0.1") || alice.ends_with("Z, from ::1"), "{alice}");
    let object = |name: &str| {
        let all: Vec<serde_json::Value> =
            serde_json::from_str(&says(&gateway, &["list", "--json"])).unwrap();
        all.into_iter().find(|one| one["name"] == name).unwrap()["last_seen"].clone()
    };
    assert_eq!(object("alice")["connections"], 1);
    assert!(object("eve").is_null());

    drop(client);
    gateway.wait_for_log("client disconnected");
    let gone = says(&gateway, &["list"]);
    assert!(line(&gone, "alice").contains(&format!("  {today}T")), "{gone}");
    assert_eq!(object("alice")["connections"], 0);
    assert!(!gateway.folder.path().join("state/seen").exists(), "the card has borne nothing yet");
    gateway.stop();
    assert_eq!(says(&gateway, &["list"]), gone);
    let written = fs::metadata(gateway.folder.path().join("state/seen")).unwrap().len();
    assert!(written < 100, "{written} bytes");
}

#[test]
fn bundles_are_private_and_whole() {
    use std::os::unix::fs::MetadataExt;
    let gateway = gateway("certificate-and-password");
    says(&gateway, &["add", "alice", "--rooms", "salon,cave", "--no-qr"]);
    let folder = gateway.folder.path().join("alice");
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
            entry.file_name().into_string().unwrap()
        })
        .collect();
    names.sort_unstable();
    let secret = ["alice.key", "alice.p12", "alice.pem"];
    let expected = ["README.txt", secret[0], secret[1], secret[2], "ca.pem"];
    assert_eq!(names[..5], expected);
    assert_eq!(names[5..], ["subscribe.ino", "subscribe.py"]);
    let sketch = fs::read_to_string(folder.join("subscribe.ino")).unwrap();
    assert_eq!(sketch.matches("-----BEGIN").count(), 3, "authority, certificate and key");
}

#[test]
fn what_cannot_be_is_said_with_a_hint() {
    let gateway = gateway("certificate-or-password");
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let (found, errors) = complains(&gateway, arguments);
        assert_eq!(found, Some(code), "{errors}");
        assert!(errors.contains(expected), "{errors}");
    };
    check(
        &["add", "alice", "--rooms", "salno"],
        1,
        "no such room: `salno`\n  hint: did you mean `salon`? there are `cave`, `salon`",
    );
    check(&["add", "alice"], 1, "would be let in and may nothing");
    check(&["add", "alice", "--rooms", "_gateway", "--write"], 1, "the gateway's own");
    check(&["add", "probe", "--rooms", "salon", "--write"], 1, "a room of its own");
    let own = "some of all rooms: cave, salon";
    check(&["add", "hub", "--rooms", "*", "--write"], 1, own);
    check(&["add", "alice", "--read", "a#"], 2, "whole level of a topic filter");
    check(&["add", "alice", "--read", "x-%u"], 2, "not for a part of `x-%u`");
    check(&["add", "al/ice", "--rooms", "salon"], 2, "character not allowed in a user name");
    check(&["revoke", "eve"], 1, "no such user: `eve`");
    says(&gateway, &["add", "alice", "--rooms", "salon", "--no-qr"]);
    check(&["add", "alice", "--rooms", "salon"], 1, "user exists already: `alice`");
    check(&["renew", "alice"], 1, "there is something already: `alice`");
    check(&["revoke", "alice", "--certificate", "00"], 1, "has no certificate `00`");
}

/// Users are watched whatever `watch_files` says; what became of them since is told when asked.
#[test]
fn what_changed_in_users_and_their_rights_is_told() {
    let gateway = Gateway::start(Gateway::prepare_listening(&[], SALON));
    gateway.edit(|text| text.replace("[gateway]\n", "[gateway]\nwatch_files = false\n"));
    gateway.wait_for_log("changed: gateway.watch_files");
    gateway.says(&["reload"]);
    let told = |expected: &str| assert_eq!(gateway.says(&["reload"]), expected);
    let users = gateway.folder.path().join("state/users");
    crate::gateway::add_user(&gateway.config(), "bob", "secret");
    let hash = fs::read_to_string(&users).unwrap().lines().last().unwrap()[4..].to_owned();
    let put = |text: String| {
        let new = users.with_extension("new");
        fs::copy(&users, &new).unwrap();
        fs::write(&new, text).unwrap();
        fs::rename(new, &users).unwrap();
    };
    let alice = |room: &str| format!("alice:{hash}:{{\"scope\":{{\"rooms\":[\"{room}\"]}}}}\n");
    told("user added: bob\n");
    put(format!("bob:{hash}\n{}", alice("salon")));
    told("user added: alice\n");
    put(alice("cave"));
    told("user removed: bob\nrights changed: alice\n");
    let line = gateway.wait_for_log("rights changed");
    assert!(line.contains("users=\"alice\""), "{line}");
    put(String::new());
    let line = gateway.wait_for_log("all users removed");
    assert!(line.contains("WARN") && line.contains("users=1"), "{line}");
    let all = "all users removed, nobody who has to log in is let in: 1\nuser removed: alice\n";
    told(all);
    told("nothing has changed\n");
}

/// A name that ends with `.local` is found by mDNS only.
#[test]
fn addresses_are_printed_beside_a_name_that_may_not_be_found() {
    let folder = Gateway::prepare(SALON);
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("bind = \"127.0.0.1:", "bind = \"0.0.0.0:");
    let text = text.replace("auth = \"anonymous\"", "auth = \"anonymous\"\nopen = true");
    fs::write(&config, text).unwrap();
    let add = |words: &[&str]| {
        let mut command = crate::gateway::binary();
        command.current_dir(folder.path()).args(["subscriber", "add", "--rooms", "salon"]);
        let output = command.args(words).arg("--config").arg(&config).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let names = maison::net::Names::of_this_host();
    let Some(out) = names.addresses.iter().find(|ip| ip.is_ipv4() && !ip.is_loopback()) else {
        return eprintln!("this machine is on no network");
    };
    let said = add(&["alice", "--no-qr"]);
    let line = printed(&said, "where ");
    assert!(line.contains(".local is not found") && line.contains(&out.to_string()), "{line}");
    assert!(!line.contains("127.0.0.1") && !line.contains("::"), "{line}");
    let kept = fs::read_to_string(folder.path().join("alice/README.txt")).unwrap();
    assert!(kept.contains(line), "{kept}");
    assert!(!add(&["bob", "--no-qr", "--host", "house.example"]).contains("is not found"));
}
