//! The pages of `docs/`: each command in them is run as it stands, in its order, beside a gateway.
//! Only where things lie is another place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::gateway::{CAVE, Gateway, SALON, free_port, listener, tool};

/// What a block of commands is marked with that is for the root of a Pi: `tests/package` runs it.
const FOR_ROOT: &str = "sh root";

/// Commands that know no configuration.
const WITHOUT_CONFIGURATION: &str = "sub|pub|drivers|demo|help|schema";

#[track_caller]
fn check(page: &str) {
    let (plain, tls) = (free_port(), free_port());
    let listeners = [
        listener(plain, "auth = \"anonymous\""),
        listener(tls, "tls = true\nauth = \"certificate-or-password\""),
    ];
    let folder = Gateway::prepare_listening(&listeners, &[SALON, CAVE].concat());
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    // What is not said is the default: there is a store.
    fs::write(&config, text.replace("durability = \"memory\"\n", "")).unwrap();
    let gateway = Gateway::start(folder);
    let root = gateway.folder.path();
    lay_out(root, &gateway.config());
    let text = fs::read_to_string(format!("docs/{page}")).unwrap();
    let commands = commands(&text);
    assert!(!commands.is_empty(), "{page} has no commands");
    let script = commands
        .replace("/etc/maison/maison.toml", &gateway.config().display().to_string())
        .replace("/var/lib/maison", &root.join("state").display().to_string())
        .replace("/etc/mosquitto", &root.join("mosquitto").display().to_string())
        .replace("pi.local", "localhost")
        .replace("1883", &plain.to_string())
        .replace("python3", &tool("MAISON_TEST_PYTHON", "python3"));
    // `maison sub` to the port of TLS, which has another number here.
    let script = script.replace("--ca ", &format!("--port {tls} --ca "));
    // Of a pipe the last status counts: a program that says nothing must not pass.
    let script = script.replace("| head -n 3", "| head -n 3 | grep maison/");
    let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-e", "-u", "-x", "-c", &script])
        .current_dir(root)
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{page}:\n{said}");
}

/// Blocks of commands, one after the other.
fn commands(page: &str) -> String {
    let mut blocks = String::new();
    let mut is_inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some("sh") => is_inside = true,
            Some(FOR_ROOT | "toml" | "text") => {}
            Some("") => is_inside = false,
            Some(other) => panic!("what is a block of `{other}`?"),
            None if is_inside => blocks.extend([line, "\n"]),
            None => {}
        }
    }
    blocks
}

/// The binary under its name, which knows where this gateway's configuration lies; a mosquitto's.
fn lay_out(root: &Path, config: &Path) {
    let bin = root.join("bin");
    fs::create_dir(&bin).unwrap();
    let maison = bin.join("maison");
    let text = format!(
        "#!/bin/sh\ncase \"$1\" in {WITHOUT_CONFIGURATION}) exec {binary} \"$@\";; esac\n\
         exec {binary} \"$@\" --config {config}\n",
        binary = env!("CARGO_BIN_EXE_maison"),
        config = config.display(),
    );
    fs::write(&maison, text).unwrap();
    fs::set_permissions(&maison, fs::Permissions::from_mode(0o755)).unwrap();
    let mosquitto = root.join("mosquitto");
    fs::create_dir(&mosquitto).unwrap();
    let place = mosquitto.display();
    let conf =
        format!("listener 1884 127.0.0.1\npassword_file {place}/passwd\nmax_packet_size 9\n");
    fs::write(mosquitto.join("mosquitto.conf"), conf).unwrap();
    // Of `mosquitto_passwd`, 101 rounds.
    let hash = "$7$101$qG58bQwLsJKyJFmE$EpWd9uYBAPgJ6VtvVWbAsl6Mzl4J/yzOBGcuUJzzBVxw\
                PiV1eYvNzWPT6PUeQXPS9YxOBEl7fHXGfiDfCHsVXg==";
    fs::write(mosquitto.join("passwd"), format!("anna:{hash}\n")).unwrap();
}

#[test]
fn what_new_owners_are_told_to_type_works() {
    check("install.md");
}

#[test]
fn what_subscribers_are_told_to_type_works() {
    check("subscribers.md");
}

#[test]
fn what_operators_are_told_to_type_works() {
    check("operating.md");
}

#[test]
fn what_users_of_mosquitto_are_told_to_type_works() {
    check("from-mosquitto.md");
}

#[test]
fn what_there_is_to_type_works() {
    check("commands.md");
    check("rooms.md");
    check("topics.md");
}

#[test]
fn what_the_page_of_every_key_tells_to_type_works() {
    check("configuration.md");
}

#[test]
fn what_the_troubled_are_told_to_type_works() {
    check("troubleshooting.md");
}

/// Their names; pictures are no pages.
fn pages() -> Vec<String> {
    let files = fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path());
    let pages = files.filter(|file| file.extension().is_some_and(|kind| kind == "md"));
    pages.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Each block for root has its place in the life of a package.
#[test]
fn every_block_for_root_is_run_by_the_story_of_the_package() {
    let story = fs::read_to_string("tests/debian/story").unwrap();
    for name in pages() {
        let path = Path::new("docs").join(&name);
        let text = fs::read_to_string(&path).unwrap();
        let blocks = text.lines().filter(|line| *line == format!("```{FOR_ROOT}")).count();
        for number in 1..=blocks {
            assert!(story.contains(&format!("page {name} {number}\n")), "{name}, block {number}");
        }
    }
}

/// A page that nobody runs is a page that is wrong; that of the benchmarks is written by its
/// command.
#[test]
fn every_page_is_run() {
    let own = include_str!("pages.rs");
    for name in pages() {
        let is_run = own.contains(&format!("check(\"{name}\")"));
        assert!(is_run || ["README.md", "benchmarks.md"].contains(&&*name), "{name}");
    }
}
