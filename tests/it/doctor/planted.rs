//! One trouble after the other.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::{absent, examined, examined_in, finding, findings, run};
use crate::gateway::{
    CAVE, Gateway, SALON, add_user, binary, free_port, listener, nobodys_binary, recorded_tree,
};

/// Of the recorded house, the room at 21.4 °C; a listener of each kind that can be tried.
fn well() -> Gateway {
    let listeners = [
        listener(free_port(), "auth = \"anonymous\""),
        listener(free_port(), "tls = true\nauth = \"password\""),
        listener(free_port(), "tls = true\nauth = \"certificate-and-password\""),
    ];
    let gateway = Gateway::start(Gateway::prepare_with_store(&listeners, SALON));
    add_user(&gateway.config(), "bob", "correct horse");
    gateway
}

/// Names of findings that are no notes.
fn grave(report: &serde_json::Value) -> Vec<String> {
    let these = findings(report).iter().filter(|finding| finding["severity"] != "note");
    these.map(|finding| finding["name"].as_str().unwrap().to_owned()).collect()
}

/// Beside a gateway at work: each listener carries a message, and who carried it is gone after.
#[test]
fn a_gateway_that_is_well_is_told_so_and_left_as_it_is() {
    let gateway = well();
    let users = gateway.folder.path().join("state/users");
    let before = fs::read_to_string(&users).unwrap();
    let (report, code) = examined_in("C", &gateway.config());
    let clock = "clock";
    let of_clock = |name: &String| name.starts_with(clock);
    assert!(grave(&report).iter().all(of_clock), "{report:#}");
    assert_eq!((code, &report["ok"]), (Some(0), &true.into()), "{report:#}");
    let unseen = report["not_looked_at"].as_array().unwrap();
    assert!(unseen.iter().all(|it| it["area"] == clock), "{report:#}");
    assert_eq!(fs::read_to_string(&users).unwrap(), before, "nobody is left");
    let came = gateway.wait_for_logs(3, "client connected");
    assert!(came.iter().filter(|line| line.contains("doctor-")).count() >= 3, "{came:?}");
    let names = report["areas"].as_array().unwrap().len();
    assert!(names >= 13, "{report:#}");
    gateway.wait_for_logs(2, "user=\"doctor-");
}

/// Its own login comes and goes, and is nobody who was there; of a file that lost all others it is
/// told all the same.
#[test]
fn a_login_for_a_moment_is_nobody_whom_the_gateway_misses() {
    let one = [listener(free_port(), "tls = true\nauth = \"password\"")];
    let gateway = Gateway::start(Gateway::prepare_with_store(&one, SALON));
    let (report, _) = examined_in("C", &gateway.config());
    absent(&report, "nothing-came-back");
    gateway.wait_for_log("users removed");
    assert!(!gateway.has_logged("all users removed"));
    add_user(&gateway.config(), "bob", "correct horse");
    add_user(&gateway.config(), "doctor-0badcafe", "correct horse");
    let removed = binary().args(["user", "del", "bob", "--config"]).arg(gateway.config()).output();
    assert!(removed.unwrap().status.success());
    let line = gateway.wait_for_log("all users removed");
    assert!(line.contains("users=1"), "{line}");
}

#[test]
fn a_listener_through_which_nothing_comes_is_found() {
    let gateway = well();
    gateway.signal(rustix::process::Signal::STOP);
    let report = examined(&gateway.config());
    finding(&report, "gateway-silent");
    gateway.signal(rustix::process::Signal::CONT);
    // A listener that the gateway does not have: nobody is there.
    let (port, other) = (free_port(), gateway.folder.path().join("other.toml"));
    let text = fs::read_to_string(gateway.config()).unwrap();
    fs::write(&other, text + &listener(port, "auth = \"anonymous\"")).unwrap();
    let report = examined(&other);
    let found = finding(&report, "not-reached");
    assert!(found["what"].as_str().unwrap().contains(&format!("`127.0.0.1:{port}`")), "{found}");
}

#[test]
fn a_configuration_that_is_absent_or_wrong_is_one_finding_among_others() {
    let folder = Gateway::prepare(SALON);
    let absent_file = folder.path().join("none.toml");
    let (report, code) = examined_in("C", &absent_file);
    finding(&report, "configuration-absent");
    assert_eq!(code, Some(1));
    let config = folder.path().join("maison.toml");
    fs::write(&config, "[gateway]\nroot = 3\n[brokr]\n").unwrap();
    let report = examined(&config);
    let found = finding(&report, "configuration-wrong");
    let what = found["what"].as_str().unwrap();
    assert!(what.contains("mistakes: 2, the first at `") && what.ends_with(":2:8`"), "{what}");
    let check = format!("maison check --config {}", config.display());
    assert_eq!(found["paste"][0], check);
}

#[test]
fn a_change_that_was_refused_or_waits_for_a_restart_is_found() {
    let gateway = well();
    gateway.edit(|text| text.replace("[gateway]\n", "[gateway]\nroot = \"haus\"\n"));
    gateway.wait_for_log("configuration read again");
    let found_in = |name: &str| finding(&examined(&gateway.config()), name).clone();
    assert!(found_in("waits-for-a-restart")["what"].as_str().unwrap().contains("gateway.root"));
    gateway.edit(|text| text + "[brokr]\n");
    gateway.wait_for_log("configuration refused");
    let good = gateway.folder.path().join("good.toml");
    let text = fs::read_to_string(gateway.config()).unwrap().replace("[brokr]\n", "");
    fs::write(&good, text).unwrap();
    finding(&examined(&good), "change-refused");
    finding(&examined(&gateway.config()), "configuration-wrong");
}

#[test]
fn files_of_a_listener_that_it_cannot_use_are_found() {
    let files = "tls = { certificate = \"/no/such.pem\", key = \"/no/such.key\" }";
    let folder = Gateway::prepare_listening(&[listener(free_port(), files)], SALON);
    let report = examined(&folder.path().join("maison.toml"));
    finding(&report, "listener-files-wrong");
}

/// Without a gateway each sensor is read once; what is wrong with it is said in words.
#[test]
fn sensors_are_read_once_where_no_gateway_runs() {
    let folder = Gateway::prepare(&[SALON, CAVE].concat());
    recorded_tree(&folder.path().join("sys"));
    let config = folder.path().join("maison.toml");
    let report = examined(&config);
    absent(&report, "sensor-failed");
    finding(&report, "not-running");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("28-3c01d6075f12", "28-00000000000a")).unwrap();
    let found = finding(&examined(&config), "sensor-failed").clone();
    let what = "cave 28-00000000000a: nobody answers there (`absent`)";
    assert_eq!(found["what"], what);
    let (report, code) = examined_in("fr_FR.UTF-8", &config);
    let what = "cave 28-00000000000a : personne n'y répond (`absent`)";
    assert_eq!(finding(&report, "sensor-failed")["what"], what);
    assert_eq!(code, Some(1));
}

/// A line of the kernel's with a wrong checksum, again and again.
fn noisy(folder: &Path, id: &str) {
    let file = folder.join(format!("sys/devices/w1_bus_master1/{id}/w1_slave"));
    let line = "57 01 4b 46 7f ff 09 10 c8";
    fs::write(file, format!("{line} : crc=c7 NO\n{line} t=21437\n")).unwrap();
}

#[test]
fn changed_bits_of_one_sensor_are_its_cable_and_of_all_the_pull_up() {
    let folder = Gateway::prepare(&[SALON, CAVE].concat());
    recorded_tree(&folder.path().join("sys"));
    noisy(folder.path(), "28-01131e858aef");
    let gateway = Gateway::start(folder);
    let garbled = |report: &serde_json::Value, name: &str| {
        findings(report).iter().any(|finding| finding["name"] == name)
    };
    let wait = |name: &str| {
        for _ in 0..100 {
            let report = examined(&gateway.config());
            if garbled(&report, name) {
                return report;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no `{name}`: {:#}", examined(&gateway.config()));
    };
    let report = wait("noisy-cable");
    let what = finding(&report, "noisy-cable")["what"].as_str().unwrap();
    assert!(what.starts_with("salon 28-01131e858aef: changed bits in "), "{what}");
    noisy(gateway.folder.path(), "28-3c01d6075f12");
    let report = wait("noisy-bus");
    let remedy = finding(&report, "noisy-bus")["remedy"].as_str().unwrap();
    assert!(remedy.contains("2.2 kΩ"), "{remedy}");
}

#[test]
fn what_clients_lost_and_who_was_refused_is_found() {
    let gateway = well();
    let port = gateway.tls_port().to_string();
    let mut command = std::process::Command::new("mosquitto_pub");
    command.args(["-h", "localhost", "-p", &port, "--cafile", &gateway.authority()]);
    command.args(["-u", "bob", "-P", "wrong", "-t", "a", "-m", "b"]);
    assert!(!command.output().unwrap().status.success());
    let found = finding(&examined(&gateway.config()), "logins-refused").clone();
    assert_eq!(found["severity"], "note");
}

#[test]
fn a_certificate_that_misses_a_name_or_ends_is_found() {
    let mut gateway = well();
    gateway.stop();
    let state = gateway.folder.path().join("state");
    absent(&examined(&gateway.config()), "certificate-misses-names");
    // The authority's own certificate is good for no name at all.
    fs::copy(state.join("ca.pem"), state.join("server.pem")).unwrap();
    let report = examined(&gateway.config());
    let what = finding(&report, "certificate-misses-names")["what"].as_str().unwrap();
    assert!(what.contains("127.0.0.1") && what.contains("localhost"), "{what}");
    let short = |name: &str, days: &str| {
        let key = state.join(format!("{name}.key"));
        let mut openssl = std::process::Command::new("openssl");
        openssl.args(["req", "-x509", "-new", "-subj", "/CN=x", "-days", days, "-key"]);
        openssl.arg(key).arg("-out").arg(state.join(format!("{name}.pem")));
        assert!(openssl.output().unwrap().status.success());
    };
    short("server", "3");
    short("ca", "100");
    let report = examined(&gateway.config());
    assert_eq!(finding(&report, "certificate-ends")["severity"], "warning");
    let found = finding(&report, "authority-ends");
    assert!(found["paste"][0].as_str().unwrap().starts_with("sudo maison ca rotate"), "{found}");
    fs::write(state.join("server.pem"), "no certificate").unwrap();
    finding(&examined(&gateway.config()), "no-certificate");
}

#[test]
fn a_certificate_of_an_administrator_that_ends_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["own.pem", "own.key"].map(|name| folder.path().join(name));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-days", "3", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    assert!(openssl.output().unwrap().status.success());
    let (shown, of_key) = (certificate.display(), key.display());
    let tls = format!("tls = {{ certificate = \"{shown}\", key = \"{of_key}\" }}");
    let listener = listener(free_port(), &tls);
    let folder = Gateway::prepare_listening(&[listener], SALON);
    let config = folder.path().join("maison.toml");
    let report = examined(&config);
    assert_eq!(finding(&report, "certificate-ends")["severity"], "warning");
    absent(&report, "listener-files-open");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    finding(&examined(&config), "listener-files-open");
}

/// A peer at a port of its own that answers each packet it hears with the next of these.
fn peer(answers: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                let mut answers = answers.iter();
                while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    if let Some(answer) = answers.next() {
                        stream.write_all(answer).unwrap();
                    }
                }
            });
        }
    });
    port
}

/// Ports behind which there is somebody else.
#[test]
fn listeners_that_refuse_or_swallow_what_is_right_are_found() {
    let gateway = well();
    let refusing = peer(&[&[0x20, 2, 0, 5]]);
    let swallowing = peer(&[&[0x20, 2, 0, 0], &[0x90, 3, 0, 1, 1]]);
    gateway.edit(|text| {
        let text = text.replacen("[gateway]\n", "[gateway]\nwatch_files = false\n", 1);
        let own = text.find("[[listener]]").unwrap();
        let rooms = text.find("[rooms").unwrap();
        let others = [refusing, swallowing].map(|port| listener(port, "auth = \"password\""));
        [&text[..own], &others.concat(), &text[rooms..]].concat()
    });
    let report = examined(&gateway.config());
    let what = finding(&report, "login-refused")["what"].as_str().unwrap();
    assert!(what.contains(&format!("`127.0.0.1:{refusing}`")), "{what}");
    let what = finding(&report, "nothing-came-back")["what"].as_str().unwrap();
    assert!(what.contains(&format!("`127.0.0.1:{swallowing}`")), "{what}");
}

#[test]
fn a_certificate_of_another_authority_is_found_by_the_handshake() {
    let listeners = [listener(free_port(), "tls = true\nauth = \"password\"")];
    let gateway = Gateway::start(Gateway::prepare_listening(&listeners, SALON));
    let state = gateway.folder.path().join("state");
    absent(&examined(&gateway.config()), "no-tls");
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other"]);
    openssl.args(["-days", "9999", "-keyout", "/dev/null", "-out"]).arg(state.join("ca.pem"));
    assert!(openssl.output().unwrap().status.success());
    finding(&examined(&gateway.config()), "no-tls");
}

/// Users as they may be after years.
#[test]
fn users_without_a_way_in_or_a_room_and_certificates_that_end_are_found() {
    let gateway = well();
    let out = gateway.folder.path().join("bundles");
    fs::create_dir(&out).unwrap();
    let add = |name: &str, rest: &[&str]| {
        let mut words = vec!["subscriber", "add", name, "--no-qr"];
        words.extend(rest);
        gateway.says(&words);
    };
    add("alice", &["--rooms", "salon", "--certificate"]);
    add("garden", &["--rooms", "garden", "--write", "--password"]);
    let report = examined(&gateway.config());
    assert!(finding(&report, "user-without-a-way-in")["what"].as_str().unwrap().contains("alice"));
    assert!(finding(&report, "user-reads-nothing")["what"].as_str().unwrap().contains("garden"));
    absent(&report, "user-of-no-room");
    let users = gateway.folder.path().join("state/users");
    let text = fs::read_to_string(&users).unwrap();
    let soon = std::time::SystemTime::now() + Duration::from_secs(5 * 24 * 3600);
    let soon = soon.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let expires = text.split("\"expires\":").nth(1).unwrap().split(['}', ',']).next().unwrap();
    fs::write(&users, text.replace(expires, &soon.to_string())).unwrap();
    let report = examined(&gateway.config());
    let found = finding(&report, "subscriber-certificate-ends");
    assert!(found["paste"][0].as_str().unwrap().starts_with("sudo maison subscriber renew alice"));
    gateway.edit(|text| text.replace("rooms.salon", "rooms.garden"));
    gateway.wait_for_log("configuration read again");
    let report = examined(&gateway.config());
    assert!(finding(&report, "user-of-no-room")["what"].as_str().unwrap().contains("`salon`"));
    assert!(finding(&report, "room-told-twice")["what"].as_str().unwrap().contains("`garden`"));
    fs::write(&users, "bob\n").unwrap();
    finding(&examined(&gateway.config()), "users-damaged");
    let empty = "# nobody\n";
    fs::write(&users, empty).unwrap();
    finding(&examined(&gateway.config()), "no-users");
}

#[test]
fn who_was_left_over_is_found() {
    let gateway = well();
    add_user(&gateway.config(), "doctor-0badcafe", "correct horse");
    let found = finding(&examined(&gateway.config()), "user-left-over").clone();
    assert!(found["paste"][0].as_str().unwrap().contains("user del doctor-0badcafe"), "{found}");
}

#[test]
fn a_store_that_is_damaged_newer_or_older_is_found_and_left_as_it_is() {
    let mut gateway = well();
    gateway.stop();
    let file = gateway.folder.path().join("state/broker.db");
    let whole = fs::read(&file).unwrap();
    absent(&examined(&gateway.config()), "store-damaged");
    let version = |number: u8| {
        let mut bytes = whole.clone();
        bytes[60..64].copy_from_slice(&[0, 0, 0, number]);
        fs::write(&file, bytes).unwrap();
    };
    version(0);
    finding(&examined(&gateway.config()), "store-older");
    version(99);
    finding(&examined(&gateway.config()), "store-newer");
    let mut bytes = whole.clone();
    bytes[100..4096].fill(0);
    fs::write(&file, &bytes).unwrap();
    let found = finding(&examined(&gateway.config()), "store-damaged").clone();
    assert!(found["paste"][0].as_str().unwrap().starts_with("sudo maison store check"), "{found}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
    let gateway =
        Gateway::start(std::mem::replace(&mut gateway.folder, tempfile::tempdir().unwrap()));
    finding(&examined(&gateway.config()), "store-was-damaged");
}

/// A real file system of 1 MiB, and a real read-only one, where root may mount.
#[test]
fn a_card_that_is_nearly_full_or_read_only_is_found() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let config = folder.path().join("maison.toml");
    absent(&examined(&config), "card-nearly-full");
    let card = folder.path().join("card");
    fs::create_dir(&card).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("/state\"", "/card/state\"")).unwrap();
    let mount = |options: &str| {
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "none"]).arg(&card);
        command.output().unwrap().status.success()
    };
    let unmount = || std::process::Command::new("umount").arg(&card).output().unwrap();
    if !mount("size=1m") {
        return eprintln!("nothing can be mounted here");
    }
    let small = examined(&config);
    unmount();
    let is_mounted = mount("size=1g,ro");
    let read_only = examined(&config);
    unmount();
    assert!(is_mounted);
    assert_eq!(finding(&small, "card-nearly-full")["severity"], "warning");
    assert_eq!(finding(&read_only, "card-read-only")["severity"], "error");
}

/// `timedatectl` as it answers on a machine without a time server, and on one with.
#[test]
fn a_clock_that_nobody_holds_is_found() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let says = |word: &str| {
        let program = bin.join("timedatectl");
        fs::write(&program, format!("#!/bin/sh\necho {word}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = binary();
        command.args(["doctor", "--json", "--config"]).arg(folder.path().join("maison.toml"));
        let output = command.env("PATH", &bin).env("LC_ALL", "C").output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return eprintln!("the clock of this machine is held");
    }
    finding(&says("no"), "clock-unsynchronised");
    absent(&says("yes"), "clock-unsynchronised");
}

/// Who is not root and not the gateway's user is told what was not looked at, and why.
#[test]
fn somebody_else_is_told_what_he_could_not_see() {
    let gateway = well();
    let one_wire = gateway.sysfs().join("bus/w1/devices");
    fs::create_dir_all(&one_wire).unwrap();
    fs::set_permissions(&one_wire, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = nobodys_binary(gateway.folder.path());
    command.args(["doctor", "--json", "--config"]).arg(gateway.config());
    let output = command.env("LC_ALL", "C").output().unwrap();
    let Ok(report) = serde_json::from_slice::<serde_json::Value>(&output.stdout) else {
        return eprintln!("nobody else can be had here: {output:?}");
    };
    let unseen = report["not_looked_at"].as_array().unwrap();
    let areas: Vec<_> = unseen.iter().map(|it| it["area"].as_str().unwrap()).collect();
    for area in ["service", "buses", "sensors", "certificates", "users", "listeners"] {
        assert!(areas.contains(&area), "{area}: {report:#}");
    }
    absent(&report, "no-1-wire");
}

/// For people: the gravest first, then what was not looked at; in JSON and in text the same.
#[test]
fn people_read_the_gravest_first_in_their_language() {
    let folder = Gateway::prepare(SALON);
    let config = folder.path().join("maison.toml");
    let output = run("fr_FR.UTF-8", &config, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stderr.is_empty(), "quiet where there is no terminal: {:?}", output.stderr);
    assert!(text.starts_with("erreur: le noyau n'a pas de bus 1-Wire"), "{text}");
    assert!(text.contains("\nnote: aucune passerelle ne tourne"), "{text}");
    assert!(text.contains("\nnon examiné:\n"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("erreurs : 2, "), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
