//! `maison status` and `maison log` beside the real gateway, and what comes to its control socket.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::gateway::{Client, Gateway, SALON, binary, recorded_tree};

const NO_BUS: &str = r#"
[rooms.cave]
name = "Cave à vin"
[[rooms.cave.sensors]]
driver = "tmp117"
bus = "i2c-99"
"#;

/// One that is well, and one whose bus is not there.
fn rooms() -> String {
    [NO_BUS, SALON].concat()
}

fn gateway() -> Gateway {
    let folder = Gateway::prepare_keeping("crash", "", &rooms());
    recorded_tree(&folder.path().join("sys"));
    Gateway::start(folder)
}

fn ask(config: &Path, arguments: &[&str]) -> Output {
    let mut command = binary();
    command.env_remove("RUNTIME_DIRECTORY").args(arguments);
    command.args(["--config", config.to_str().unwrap()]).output().unwrap()
}

fn status(gateway: &Gateway) -> Value {
    let output = ask(&gateway.config(), &["status", "--json"]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Asks until it fits; the number that a client's packets change comes a moment later.
#[track_caller]
fn wait_for(gateway: &Gateway, fits: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let status = status(gateway);
        if fits(&status) {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{status:#}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn check_rooms(told: &Value) {
    let [cave, salon] = told["rooms"].as_array().unwrap().as_slice() else { panic!("{told:#}") };
    assert_eq!((&cave["name"], &cave["online"]), (&json!("Cave à vin"), &json!(false)));
    let failed = &cave["measured"][0];
    assert_eq!((&failed["quality"], &failed["error"]), (&json!("failed"), &json!("no-bus")));
    assert_eq!((&failed["value"], &failed["age_s"]), (&Value::Null, &Value::Null));
    let good = &salon["measured"][0];
    assert_eq!((&good["value"], &good["unit"]), (&json!(21.4), &json!("°C")));
    assert_eq!((&good["quality"], &good["sensor"]), (&json!("ok"), &json!("28-01131e858aef")));
    assert!(good["age_s"].as_u64().is_some_and(|age| age < 600), "{good}");
}

#[test]
fn status_tells_rooms_listeners_clients_queues_store_and_certificates() {
    let gateway = gateway();
    let port = gateway.plain_port();
    let mut command = Command::new("mosquitto_sub");
    command.args(["-t", "#", "-i", "tableau", "-c", "-q", "1", "-h", "127.0.0.1"]);
    let client = Client::start(command.args(["-v", "-p", &port.to_string()]));
    client.expect("maison/salon/temperature 21.4");
    let told = wait_for(&gateway, |told| told["clients"]["connected"] == 1);
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(told["pid"], gateway.id());
    check_rooms(&told);
    let [plain, tls] = told["listeners"].as_array().unwrap().as_slice() else { panic!("{told:#}") };
    let expected = json!({
        "address": format!("127.0.0.1:{port}"), "tls": false, "websocket": false,
        "auth": "anonymous", "clients": 1,
    });
    assert_eq!(*plain, expected);
    assert_eq!((&tls["tls"], &tls["auth"]), (&json!(true), &json!("password")));
    let listed = &told["clients"]["listed"][0];
    assert_eq!((&listed["id"], &listed["user"]), (&json!("tableau"), &Value::Null));
    assert_eq!(listed["listener"], plain["address"]);
    assert!(listed["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(told["store"]["state"], "ok");
    let ends: Vec<_> = told["certificates"].as_array().unwrap().iter().collect();
    assert_eq!((&ends[0]["of"], &ends[1]["of"]), (&tls["address"], &json!("our own authority")));
    assert!((300..=398).contains(&ends[0]["days_left"].as_i64().unwrap()), "{ends:?}");
    assert!(ends[1]["days_left"].as_i64().unwrap() > 3600, "{ends:?}");
    let warnings = told["warnings"].as_array().unwrap();
    assert_eq!(warnings[0]["what"], "no good reading: cave: no-bus", "{warnings:?}");

    drop(client);
    let port = port.to_string();
    let publish = ["pub", "note", "hello", "--qos", "1", "--port", &port];
    let away = wait_for(&gateway, |told| told["clients"]["connected"] == 0);
    assert_eq!(away["clients"]["listed"][0]["address"], Value::Null);
    assert!(binary().args(publish).status().unwrap().success());
    let waits = |told: &Value| told["clients"]["listed"][0]["queued"].as_u64() > Some(0);
    wait_for(&gateway, waits);
}

/// For people: a table without colours where no terminal is, and for ever with `--watch`.
#[test]
fn status_for_people_has_warnings_first_and_no_colours_in_a_pipe() {
    let gateway = gateway();
    let output = ask(&gateway.config(), &["status"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let titles: Vec<_> =
        text.lines().skip(1).filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
    let expected = ["warnings", "rooms", "listeners", "clients", "queues", "store", "certificates"];
    assert_eq!(titles[1..], expected, "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("no good reading: cave: no-bus\n    hint: "), "{text}");
    assert!(text.lines().any(|line| line.contains("salon") && line.contains("21.4 °C")), "{text}");

    let config = gateway.config();
    let config = config.to_str().unwrap();
    let mut watch = binary();
    watch.args(["status", "--watch", "--every", "50ms", "--json", "--config", config]);
    let watch = Client::start(&mut watch);
    let begun = Instant::now();
    while watch.lines.all().len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    for line in watch.lines.all() {
        serde_json::from_str::<Value>(&line).unwrap();
    }
}

#[test]
fn without_a_gateway_it_says_so_and_ends_with_69() {
    let mut gateway = gateway();
    let config = gateway.config();
    assert!(gateway.stop().0.success());
    for arguments in [&["status"][..], &["status", "--json"], &["log"], &["log", "debug"]] {
        let output = ask(&config, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(said.contains("no gateway is running on the state folder"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

/// A gateway at work goes on by what its files said before.
#[test]
fn beside_a_wrong_configuration_it_asks_all_the_same() {
    for wrong in ["[gateway", "[gateway]\nroot = 7\n"] {
        let mut gateway = gateway();
        gateway.edit(|text| text.replace("[gateway]\n", &format!("nonsense = 1\n{wrong}\n")));
        let beside = gateway.command(&["status"]);
        let warned = String::from_utf8(beside.stderr).unwrap();
        assert!(beside.status.success(), "{warned}");
        assert!(warned.starts_with("warning: ") && warned.contains("maison.toml:"), "{warned}");
        assert!(String::from_utf8(beside.stdout).unwrap().contains("21.4"));
        gateway.stop();
        let (code, said) = gateway.complains(&["status"]);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("maison.toml:") && said.contains("no gateway is running"), "{said}");
    }
}

#[test]
fn a_gateway_that_stands_still_is_told_of_in_time() {
    let gateway = gateway();
    gateway.signal(Signal::STOP);
    let stuck = "the gateway does not answer";
    for arguments in [&["status"][..], &["reload"], &["subscriber", "list"]] {
        let begun = Instant::now();
        let output = gateway.command(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(stuck) && said.contains("stopped (SIGSTOP) or stuck?"), "{said}");
        assert!(!said.contains("os error"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{arguments:?}: {:?}", begun.elapsed());
    }
    gateway.signal(Signal::CONT);
}

/// What came back on the control socket, one line.
fn exchange(gateway: &Gateway, request: &str) -> Value {
    let socket = gateway.folder.path().join("state/control");
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches('\n').count(), 1, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn who_asks_for_what_is_not_known_is_told_and_who_says_nothing_delays_nobody() {
    let gateway = gateway();
    let socket = gateway.folder.path().join("state/control");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let silent: Vec<_> = (0..4).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let own = gateway.folder.path().join("state").canonicalize().unwrap();
    let ask = |protocol: u32, request: &str| {
        let line = json!({ "protocol": protocol, "state_dir": own, "request": request });
        exchange(&gateway, &format!("{line}\n"))
    };
    let begun = Instant::now();
    assert_eq!(ask(1, "status")["answer"], "status");
    assert!(begun.elapsed() < Duration::from_secs(2), "it waited for those who say nothing");
    let unknown = ask(1, "halt");
    assert_eq!(
        unknown["what"],
        "unknown request: `halt`; known: status, reload, certificates, visits, log"
    );
    let newer = ask(7, "status");
    assert_eq!((&newer["protocol"], &newer["answer"]), (&json!(1), &json!("error")));
    assert!(newer["what"].as_str().unwrap().contains("not 7"), "{newer}");
    let other = json!({ "protocol": 1, "state_dir": "/elsewhere", "request": "status" });
    let other = exchange(&gateway, &format!("{other}\n"));
    assert_eq!((&other["answer"], &other["state_dir"]), (&json!("other-folder"), &json!(own)));
    assert_eq!(exchange(&gateway, "x\n")["answer"], "error");
    let endless = "y".repeat(1024 * 1024);
    let mut stream = UnixStream::connect(&socket).unwrap();
    // It is cut off, or told; it does not matter which comes first.
    let _ = stream.write_all(endless.as_bytes());
    drop(silent);
    assert_eq!(ask(1, "status")["answer"], "status");
}

/// Of nobody on this machine.
const GROUP: u32 = 61_234;

/// Root may look into any folder, so the others are nobody here; elsewhere the test is root's to
/// run.
#[test]
fn the_group_of_the_service_may_ask_by_its_runtime_folder_and_nobody_else() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: no other user can be had");
        return;
    }
    let folder = Gateway::prepare(&rooms());
    recorded_tree(&folder.path().join("sys"));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let run = folder.path().join("run");
    fs::create_dir(&run).unwrap();
    chown(&run, None, Some(GROUP)).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o2750)).unwrap();
    let own = run.clone();
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("RUNTIME_DIRECTORY", own).gid(GROUP);
    });
    gateway.wait_for_log("ready");
    assert_eq!(fs::metadata(run.join("control")).unwrap().permissions().mode() & 0o777, 0o660);
    let as_nobody = |group: u32| {
        let program = env!("CARGO_BIN_EXE_maison");
        // The build's own folder may be closed to others, the program in it is not.
        let copy = gateway.folder.path().join("maison");
        if !copy.exists() {
            fs::copy(program, &copy).unwrap();
        }
        let mut command = Command::new(copy);
        command.env("RUNTIME_DIRECTORY", &run).uid(65_534).gid(group);
        command.args(["status", "--json", "--config", gateway.config().to_str().unwrap()]);
        command.output().unwrap()
    };
    let member = as_nobody(GROUP);
    assert!(member.status.success(), "{member:?}");
    let told: Value = serde_json::from_slice(&member.stdout).unwrap();
    assert_eq!(told["pid"], gateway.id());
    let stranger = as_nobody(65_534);
    let said = String::from_utf8(stranger.stderr).unwrap();
    assert_eq!(stranger.status.code(), Some(77), "{said}");
    assert!(said.contains("its group may"), "{said}");
}

#[test]
fn what_is_logged_changes_while_it_runs() {
    let folder = Gateway::prepare(&rooms());
    recorded_tree(&folder.path().join("sys"));
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env_remove("MAISON_LOG");
    });
    gateway.wait_for_log("ready");
    let log = |arguments: &[&str]| {
        let output = ask(&gateway.config(), &[&["log"], arguments].concat());
        let (said, told) = (output.stderr, output.stdout);
        (output.status.code(), String::from_utf8([told, said].concat()).unwrap())
    };
    assert_eq!(log(&[]), (Some(0), "info\n".to_owned()));
    let debug = |gateway: &Gateway| gateway.logged("DEBUG").len();
    assert_eq!(debug(&gateway), 0);
    assert_eq!(log(&["warn,maison::daemon=debug"]).0, Some(0));
    assert_eq!(log(&[]).1, "warn,maison::daemon=debug\n");
    let socket = gateway.folder.path().join("state/control");
    drop(UnixStream::connect(&socket).unwrap());
    gateway.wait_for_log("who asked does not wait for the answer");
    let (code, said) = log(&["loud"]);
    assert!(code == Some(2) && said.contains("unknown log level: `loud`\n  hint: "), "{said}");

    let text = fs::read_to_string(gateway.config()).unwrap();
    fs::write(gateway.config(), format!("{text}\n[log]\nlevel = \"error\"\n")).unwrap();
    let reload = ask(&gateway.config(), &["reload"]);
    assert!(reload.status.success(), "{reload:?}");
    assert_eq!(log(&[]).1, "error\n");
}

/// Each line is an object, and the journal is told how grave it is.
#[test]
fn the_log_can_be_json() {
    let folder = Gateway::prepare(&format!("[log]\nformat = \"json\"\n{}", rooms()));
    recorded_tree(&folder.path().join("sys"));
    let gateway = Gateway::start(folder);
    let line = gateway.wait_for_log("sensor has failed");
    let told: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&told["level"], &told["message"]), (&json!("warn"), &json!("sensor has failed")));
    assert_eq!((&told["room"], &told["reason"]), (&json!("cave"), &json!("no-bus")));
    assert_eq!(told["target"], "maison::daemon::house");
    let ready: Value = serde_json::from_str(&gateway.wait_for_log("\"ready\"")).unwrap();
    assert_eq!((&ready["sensors"], &ready["all_tried"]), (&json!(2), &json!(true)));
}

#[test]
fn the_journal_is_told_how_grave_each_line_is_and_a_terminal_that_inherited_it_is_not() {
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::MetadataExt;

    let begin = |honest: bool| {
        let folder = Gateway::prepare(&rooms());
        recorded_tree(&folder.path().join("sys"));
        let path = folder.path().join("journal");
        let journal = fs::File::create(&path).unwrap();
        let facts = journal.metadata().unwrap();
        let inode = if honest { facts.ino() } else { facts.ino() + 1 };
        let stream = format!("{}:{inode}", facts.dev());
        let config = folder.path().join("maison.toml");
        let mut command = binary();
        command.env("JOURNAL_STREAM", stream).env("NO_COLOR", "1").stderr(OwnedFd::from(journal));
        command.args(["run", "--config", config.to_str().unwrap()]);
        let mut child = command.spawn().unwrap();
        let begun = Instant::now();
        let text = loop {
            let text = fs::read_to_string(&path).unwrap();
            if text.contains("ready") || begun.elapsed() > Duration::from_secs(30) {
                break text;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        text
    };
    let text = begin(true);
    let has_priority = |line: &str| line.starts_with("<6>") || line.starts_with("<4>");
    assert!(text.lines().all(has_priority), "{text}");
    let failed = text.lines().find(|line| line.contains("sensor has failed")).unwrap();
    assert!(failed.starts_with("<4>"), "{failed}");
    let text = begin(false);
    assert!(text.lines().all(|line| line.starts_with("20")), "{text}");
}
