//! The real binary as an operator meets it: starts, stops, crashes, and what it says to mistakes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::gateway::{Client, Gateway, Lines, PASSWORD, SALON, binary, listener, recorded_tree};

fn gateway() -> Gateway {
    Gateway::with_bob(SALON, recorded_tree)
}

/// A subscriber on the plain listener.
fn subscriber(gateway: &Gateway) -> Client {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-F", "%t %p", "-t", "maison/#", "-q", "1", "-h", "127.0.0.1"]);
    Client::start(command.args(["-p", &gateway.plain_port().to_string()]))
}

#[test]
fn every_signal_to_stop_publishes_offline_within_two_seconds() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut gateway = gateway();
        let client = subscriber(&gateway);
        client.expect("maison/salon/availability online");
        gateway.signal(Signal::HUP);
        gateway.wait_for_log("configuration read again");
        let started = Instant::now();
        let status = gateway.end_by(signal);
        assert!(status.success(), "{status}");
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        client.expect("maison/salon/availability offline");
        client.expect("maison/_gateway/state offline");
    }
}

#[test]
fn a_client_that_does_not_read_does_not_hold_the_stop() {
    let mut gateway = gateway();
    let client = subscriber(&gateway);
    client.expect("maison/salon/availability online");
    client.freeze();
    let (status, took) = gateway.stop();
    assert!(status.success() && took < Duration::from_secs(2), "{status} after {took:?}");
}

#[test]
fn it_starts_again_after_kill_at_any_moment() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let mut folder = Some(folder);
    for pause in [0, 1, 3, 10, 30, 100, 300] {
        let gateway = Gateway::spawn(folder.take().unwrap());
        std::thread::sleep(Duration::from_millis(pause));
        folder = Some(gateway.kill());
    }
    let gateway = Gateway::start(folder.take().unwrap());
    let client = subscriber(&gateway);
    client.expect("maison/salon/temperature 21.4");
}

#[test]
fn new_users_come_in_and_removed_ones_do_not_without_a_restart() {
    let gateway = gateway();
    let config = gateway.config();
    let config = config.to_str().unwrap();
    let sub = |user: &str| {
        let mut command = binary();
        command
            .args(["sub", "maison/+/temperature", "--count", "1", "--user", user])
            .args(["--ca", &gateway.authority(), "--port", &gateway.tls_port().to_string()])
            .env("MAISON_PASSWORD", PASSWORD);
        command.output().unwrap()
    };
    assert_eq!(String::from_utf8(sub("bob").stdout).unwrap(), "maison/salon/temperature 21.4\n");
    let removed = binary().args(["user", "del", "bob", "--config", config]).output().unwrap();
    assert!(removed.status.success());
    let refused = sub("bob");
    assert_eq!(refused.status.code(), Some(77), "{refused:?}");
    assert!(String::from_utf8(refused.stderr).unwrap().contains("refuses the login"));
}

#[test]
fn messages_go_from_pub_to_sub_and_the_gateways_own_topics_are_its_own() {
    let gateway = gateway();
    let port = gateway.plain_port().to_string();
    let mut command = binary();
    let topic = "jardin/étage ❄/note";
    let sub =
        Client::start(command.args(["sub", topic, "maison/salon/temperature", "--port", &port]));
    sub.expect("maison/salon/temperature 21.4");
    for (topic, payload) in [("maison/salon/temperature", "99"), (topic, "bonjour")] {
        let publish = ["pub", topic, payload, "--port", &port, "--qos", "2"];
        assert!(binary().args(publish).status().unwrap().success());
    }
    sub.expect(&format!("{topic} bonjour"));
    assert!(!sub.lines.all().iter().any(|line| line.ends_with("99")), "nobody forges a reading");
}

/// READY when all was tried, a STATUS that is a sentence, and a watchdog that is fed.
#[test]
fn the_service_manager_is_told() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut gateway = Gateway::spawn_with(folder, |command| {
        command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "300000");
    });
    let mut told = Vec::new();
    let mut wait_for = |what: &str, times: usize| {
        while told.iter().filter(|line: &&String| line.contains(what)).count() < times {
            let mut buffer = [0; 1024];
            let read = manager.recv(&mut buffer).expect(what);
            told.push(String::from_utf8_lossy(&buffer[..read]).into_owned());
        }
    };
    wait_for("READY=1", 1);
    wait_for("STATUS=1 rooms, 1 sensors ok", 1);
    wait_for("WATCHDOG=1", 3);
    gateway.signal(Signal::TERM);
    wait_for("STOPPING=1", 1);
    assert!(gateway.wait().success());
}

/// One that starts though it should not is ended, with status 124.
fn run(config: &Path) -> Output {
    let mut command = Command::new("timeout");
    command.args(["30", env!("CARGO_BIN_EXE_maison"), "run", "--config", config.to_str().unwrap()]);
    command.output().unwrap()
}

#[track_caller]
fn check_refused(config: &Path, code: i32, expected: &[&str]) -> String {
    let output = run(config);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    for expected in expected {
        assert!(said.contains(expected), "no `{expected}` in:\n{said}");
    }
    said
}

#[test]
fn every_mistake_in_the_configuration_is_told_at_once() {
    let folder = Gateway::prepare(
        "[rooms.\"chambre-d-été\"]\n[rooms.salon]\nnmae = \"x\"\n[[rooms.salon.sensors]]\n\
         driver = \"ds18b20\"\nbus = \"w1\"\naddress = \"28-01131e858aef\"\ninterval = \"10 sec\"\n\
         [rooms.bureau]\nname = \"Bureau\"\n[rooms.other]\nname = \"Bureau\"\n",
    );
    let config = folder.path().join("maison.toml");
    let expected =
        ["maison.toml:", "chambre-d-ete", "did you mean `name`", "`\"10s\"`", "`Bureau`"];
    check_refused(&config, 78, &expected);
    let check = binary().args(["check", "--config", config.to_str().unwrap()]).output().unwrap();
    assert_eq!(check.status.code(), Some(78));
    let said = String::from_utf8(check.stderr).unwrap();
    assert_eq!(said.lines().filter(|line| !line.starts_with(' ')).count(), 4, "{said}");
    check_refused(&folder.path().join("absent.toml"), 78, &["absent.toml", "hint"]);
}

#[test]
fn a_room_twice_is_told_with_both_places() {
    let folder = Gateway::prepare("[rooms.salon]\n[rooms.salon]\n");
    check_refused(&folder.path().join("maison.toml"), 78, &["salon", "maison.toml:"]);
}

/// `check` reads what the listeners read, and names listener and file.
#[test]
fn check_finds_the_certificates_that_a_start_refuses() {
    let gateway = gateway();
    let folder = gateway.folder.path();
    let put = |from: &str, to: &str| {
        fs::copy(folder.join("state").join(from), folder.join(to)).unwrap();
    };
    let whole = || {
        put("server.pem", "c.pem");
        put("server.key", "k.pem");
        put("ca.pem", "a.pem");
        fs::set_permissions(folder.join("k.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    };
    whole();
    let at = folder.display();
    let files = ["certificate", "key", "client_ca"].iter().zip(["c", "k", "a"]);
    let files: Vec<_> = files.map(|(key, file)| format!("{key} = \"{at}/{file}.pem\"")).collect();
    let tls = format!("tls = {{ {} }}\nauth = \"certificate\"", files.join(", "));
    let config = folder.join("other.toml");
    fs::write(&config, format!("[[listener]]\nbind = \"127.0.0.1:8899\"\n{tls}\n")).unwrap();
    let check = |code: i32, expected: &[&str]| {
        let mut command = binary();
        let output = command.args(["check", "--config", config.to_str().unwrap()]).output();
        let output = output.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(expected.iter().all(|expected| said.contains(expected)), "{expected:?}: {said}");
        said
    };
    assert!(!check(0, &["ok: "]).contains("warning"));
    let half = fs::read(folder.join("c.pem")).unwrap();
    for (file, content) in [
        ("c.pem", &b""[..]),
        ("c.pem", &half[..half.len() / 2]),
        ("k.pem", b"\x00\xff\x00"),
        ("a.pem", b"\x00\xff\x00"),
    ] {
        fs::write(folder.join(file), content).unwrap();
        check(78, &["other.toml: listener `127.0.0.1:8899`: ", file]);
        whole();
    }
    put("ca.key", "k.pem");
    check(78, &["listener `127.0.0.1:8899`: certificate and key do not belong together"]);
    fs::remove_file(folder.join("k.pem")).unwrap();
    fs::write(folder.join("a.pem"), "").unwrap();
    check(78, &["cannot read", "k.pem`: No such file", "no certificate in", "a.pem`"]);
    whole();
    fs::set_permissions(folder.join("k.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    check(0, &["ok: ", "warning: listener `127.0.0.1:8899`: private key that everybody", "k.pem`"]);
}

#[test]
fn a_port_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Gateway::prepare("");
    let config = folder.path().join("maison.toml");
    let port = taken.local_addr().unwrap().port();
    let text =
        fs::read_to_string(&config).unwrap().replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    fs::write(&config, text.replacen(&format!(":{port}"), ":0", 1)).unwrap();
    check_refused(&config, 69, &[&port.to_string(), "hint"]);
}

#[test]
fn a_state_folder_that_is_not_ours_is_refused() {
    let folder = Gateway::prepare("");
    let (config, state) = (folder.path().join("maison.toml"), folder.path().join("state"));
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    check_refused(&config, 77, &["state", "chmod"]);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    if rustix::process::geteuid().is_root() {
        chown(&state, Some(65_534), None).unwrap();
        check_refused(&config, 77, &["state", "hint: `sudo -u ", " maison …`"]);
    }
}

#[test]
fn a_key_that_others_can_read_is_a_permission() {
    let folder = Gateway::prepare("");
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    let tls = listener(0, "tls = true\nauth = \"password\"");
    fs::write(&config, text + &tls).unwrap();
    let mut gateway = Gateway::start(folder);
    gateway.stop();
    let key = gateway.folder.path().join("state/ca.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let said =
        check_refused(&config, 77, &["others can read secrets: mode 644", "hint: `chmod 600"]);
    let first = said.lines().next().unwrap();
    assert_eq!(first.matches("ca.key").count(), 1, "{said}");
}

/// Only root can make a disk that is full.
#[test]
fn a_first_start_on_a_full_disk_is_one_to_try_again() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = Gateway::prepare("");
    let (config, state) = (folder.path().join("maison.toml"), folder.path().join("state"));
    let text = fs::read_to_string(&config).unwrap();
    let tls = listener(0, "tls = true\nauth = \"password\"");
    fs::write(&config, text + &tls).unwrap();
    fs::create_dir(&state).unwrap();
    let disk = format!(
        "mount -t tmpfs -o size=64k,mode=700 none {state} && (head -c 1M /dev/zero > {state}/fill; \
         exec {binary} run --config {config})",
        state = state.display(),
        binary = env!("CARGO_BIN_EXE_maison"),
        config = config.display(),
    );
    let output = Command::new("unshare").args(["-m", "sh", "-c", &disk]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("hint: make room"), "{said}");
    assert_eq!(said.matches("cannot write").count(), 1, "{said}");
}

#[test]
fn a_second_gateway_on_the_same_folder_is_refused() {
    let gateway = gateway();
    check_refused(&gateway.config(), 69, &["state", "in use"]);
}

#[test]
fn a_missing_bus_and_a_device_that_may_not_be_opened_are_faults_of_their_rooms() {
    let rooms = r#"
[rooms.grenier]
[[rooms.grenier.sensors]]
driver = "tmp117"
bus = "i2c-99"
[rooms.toit]
[[rooms.toit.sensors]]
driver = "ds18b20"
bus = "gpio4"
address = "28-0316a2794dff"
"#;
    let gateway = Gateway::start(Gateway::prepare(&format!("{rooms}{SALON}")));
    let client = subscriber(&gateway);
    for room in ["grenier", "toit", "salon"] {
        let expected = format!("maison/{room}/status ");
        client.lines.wait(&expected, |line| {
            line.starts_with(&expected) && line.contains("\"failed\"") && line.contains("no-bus")
        });
        client.expect(&format!("maison/{room}/availability offline"));
    }
}

/// Root may open anything, so the gateway runs as nobody here; elsewhere the test is root's to run.
#[test]
fn a_sensor_that_may_not_be_read_is_a_fault_with_its_name() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: a file that may not be read cannot be made for the gateway");
        return;
    }
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let forbidden = folder.path().join("sys/bus/w1/devices/28-01131e858aef/w1_slave");
    fs::set_permissions(&forbidden, fs::Permissions::from_mode(0o000)).unwrap();
    for path in [folder.path().to_owned(), folder.path().join("maison.toml")] {
        chown(&path, Some(65_534), Some(65_534)).unwrap();
    }
    let gateway = Gateway::spawn_with(folder, |command| {
        command.uid(65_534).gid(65_534);
    });
    gateway.wait_for_log("ready");
    let client = subscriber(&gateway);
    let status = "maison/salon/status ";
    client.lines.wait("permission", |line| {
        line.starts_with(status) && line.contains("\"error\":\"permission\"")
    });
    client.expect("maison/salon/availability offline");
}

#[test]
fn what_is_no_file_hangs_no_bus() {
    let rooms = format!("{SALON}retries = 0\nstale_after = \"3s\"\n");
    let rooms = format!(
        "{rooms}[rooms.cave]\n[[rooms.cave.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\n\
         address = \"28-3c01d6075f12\"\ninterval = \"1s\"\n"
    );
    let gateway = Gateway::with_bob(&rooms, recorded_tree);
    let client = subscriber(&gateway);
    client.expect("maison/salon/availability online");
    let file = gateway.sysfs().join("bus/w1/devices/28-01131e858aef/w1_slave");
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    client.expect("maison/salon/availability offline");
    client.expect("maison/cave/availability online");
    assert!(!client.lines.all().contains(&"maison/cave/availability offline".to_owned()));
}

/// The commands that the demo prints, run as they are printed.
#[test]
fn the_commands_of_the_demo_work_as_printed() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("demo");
    let mut command = binary();
    let demo = Client::start(command.args(["demo", "--state", state.to_str().unwrap()]));
    demo.lines.wait("loop_forever", |line| line.contains("loop_forever"));
    let printed = demo.lines.all().join("\n");
    let mut tried = 0;
    for (title, after) in
        [("# maison", "# mosquitto"), ("# mosquitto", "# paho"), ("# paho", "\n\n")]
    {
        let from = printed.find(title).unwrap();
        let text = printed[from..].split_once('\n').unwrap().1;
        let command = text.find(after).map_or(text, |end| &text[..end]);
        let python = crate::gateway::tool("MAISON_TEST_PYTHON", "python/bin/python");
        let command = command.replace("python3", &python);
        let client =
            Client::start(Command::new("sh").args(["-c", &format!("exec {}", command.trim())]));
        for room in ["salon", "chambre", "cuisine", "bureau", "cave"] {
            let topic = format!("maison/{room}/temperature ");
            client.lines.wait(&topic, |line| line.starts_with(&topic));
        }
        tried += 1;
    }
    assert_eq!(tried, 3);
    let lines: Lines = demo.lines.clone();
    lines.wait("salon: online", |line| line == "salon: online");
}
