//! Secrets stay where they belong: not in the log, not in a command line, not in a core file, and
//! in no file that others can read.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::gateway::{Gateway, PASSWORD, add_user, binary, recorded_tree};

const GUESS: &str = "a guess that nobody may read";
const SALON: &str = "[rooms.salon]\n";

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn run(gateway: &Gateway, arguments: &[&str], input: &str) -> Output {
    let mut command = binary();
    command.current_dir(gateway.folder.path()).args(arguments);
    command.args(["--config", gateway.config().to_str().unwrap()]).stdin(Stdio::piped());
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Over TLS, with what is shown; whether it was let in.
fn publishes(gateway: &Gateway, shown: &[&str]) -> bool {
    let port = gateway.tls_port().to_string();
    let mut command = Command::new("mosquitto_pub");
    command.current_dir(gateway.folder.path());
    command.args(["-h", "localhost", "-p", &port, "--cafile", "state/ca.pem"]);
    command.args(["-t", "talk", "-m", "x", "-q", "1"]).args(shown);
    command.output().expect("`tests/run` installs what the tests need").status.success()
}

/// The inner lines of a private key.
fn key_lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<_> =
        text.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect();
    assert!(!lines.is_empty(), "{}", path.display());
    lines
}

/// With all that the log can say.
#[test]
fn no_secret_is_in_the_log_the_command_line_the_environment_or_a_file_of_the_state() {
    let folder = Gateway::prepare(SALON);
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"password\"", "\"certificate-or-password\"")).unwrap();
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("MAISON_LOG", "trace");
    });
    gateway.wait_for_log("ready");
    add_user(&gateway.config(), "bob", PASSWORD);
    let add = ["subscriber", "add", "alice", "--publish", "talk", "--certificate", "--no-qr"];
    assert!(run(&gateway, &add, "").status.success());
    let certificate = ["--cert", "alice/alice.pem", "--key", "alice/alice.key"];
    assert!(publishes(&gateway, &certificate));
    for _ in 0..2 {
        assert!(publishes(&gateway, &["-u", "bob", "-P", PASSWORD]));
    }
    for name in ["bob", "nobody"] {
        assert!(!publishes(&gateway, &["-u", name, "-P", GUESS]));
    }
    assert!(run(&gateway, &["user", "passwd", "bob"], "quite another\n").status.success());
    assert!(publishes(&gateway, &["-u", "bob", "-P", "quite another"]));
    assert!(!run(&gateway, &["reload"], "").stdout.is_empty());
    let state = gateway.folder.path().join("state");
    let process = PathBuf::from(format!("/proc/{}", gateway.id()));
    let mut secrets = [PASSWORD, GUESS, "quite another"].map(str::to_owned).to_vec();
    let keys = ["state/ca.key", "state/server.key", "alice/alice.key"];
    let keys = keys.map(|key| key_lines(&gateway.folder.path().join(key)));
    secrets.extend(keys.into_iter().flatten());
    let hash = fs::read_to_string(state.join("users")).unwrap();
    let hash = hash.lines().find_map(|line| line.strip_prefix("bob:")).unwrap().to_owned();
    secrets.push(hash);

    let log = gateway.logged("").join("\n");
    assert!(log.contains("DEBUG password as before"), "it says all it can");
    let mut places = vec![("log".to_owned(), log)];
    for file in ["cmdline", "environ"].map(|name| process.join(name)) {
        places.push((file.display().to_string(), lossy(&file)));
    }
    places.extend(
        files(&state)
            .into_iter()
            .filter(|path| fs::metadata(path).unwrap().is_file())
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), lossy(&path))),
    );
    for (place, text) in &places {
        for secret in &secrets {
            let is_key = Path::new(place).extension().is_some_and(|it| it == "key");
            let belongs = is_key || place == "users" && secret.starts_with('$');
            assert!(belongs || !text.contains(secret.as_str()), "`{secret}` is in {place}");
        }
    }
    assert!(places.len() > 6, "the state folder was looked at: {}", places.len());
}

fn lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

#[test]
fn every_file_of_the_state_is_its_owners_alone() {
    let gateway = Gateway::start(Gateway::prepare_keeping("power-cut", "", SALON));
    add_user(&gateway.config(), "bob", PASSWORD);
    assert!(run(&gateway, &["reload"], "").status.success());
    let state = gateway.folder.path().join("state");
    let mut names = Vec::new();
    for path in files(&state) {
        let mode = fs::metadata(&path).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}: {mode:o}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    for name in ["users", "ca.key", "server.key", "broker.db", "control", "lock"] {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
}

/// Whoever could read it has it already, so that nobody is let in by it.
#[test]
fn a_secret_that_others_can_read_is_refused_with_a_hint() {
    let mut gateway = Gateway::with_bob(SALON, |_| {});
    let path = |name: &str| gateway.folder.path().join("state").join(name);
    let (users, keys) = (path("users"), ["ca.key", "server.key"].map(path));
    assert!(publishes(&gateway, &["-u", "bob", "-P", PASSWORD]), "he is known by now");
    fs::set_permissions(&users, Permissions::from_mode(0o640)).unwrap();
    let listed = run(&gateway, &["user", "list"], "");
    let said = String::from_utf8_lossy(&listed.stderr).into_owned();
    assert_eq!(listed.status.code(), Some(77), "{said}");
    assert!(said.contains("others can read secrets: `") && said.contains("mode 640"), "{said}");
    assert!(said.contains("hint: `chmod 600 '"), "{said}");
    let reloaded = run(&gateway, &["reload"], "");
    assert!(String::from_utf8_lossy(&reloaded.stderr).contains("mode 640"), "{reloaded:?}");
    assert!(publishes(&gateway, &["-u", "bob", "-P", PASSWORD]), "who was known stays known");

    gateway.stop();
    for file in [&users, &keys[0], &keys[1]] {
        let start = run(&gateway, &["run"], "");
        let said = String::from_utf8_lossy(&start.stderr).into_owned();
        assert!(!start.status.success() && said.contains("others can read secrets"), "{said}");
        assert!(said.contains(&*file.file_name().unwrap().to_string_lossy()), "{said}");
        let next = keys.iter().position(|key| key == file).map_or(0, |index| index + 1);
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        if let Some(key) = keys.get(next) {
            fs::set_permissions(key, Permissions::from_mode(0o604)).unwrap();
        }
    }
}

/// The keys lie with the service manager, and nowhere else.
#[test]
fn keys_come_from_the_service_manager_first() {
    let mut gateway = Gateway::start(Gateway::prepare(SALON));
    gateway.stop();
    let folder = gateway.kill();
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    for key in ["ca.key", "server.key"] {
        fs::rename(folder.path().join("state").join(key), credentials.join(key)).unwrap();
    }
    let certificate = folder.path().join("state/server.pem");
    let shown = fs::read_to_string(&certificate).unwrap();
    let listener = format!(
        "[[listener]]\nbind = \"127.0.0.1:0\"\nauth = \"password\"\nwebsocket = true\n\
         tls = {{ certificate = \"{}\", key = \"/nowhere/server.key\" }}\n",
        certificate.display()
    );
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + &listener).unwrap();
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("CREDENTIALS_DIRECTORY", &credentials);
    });
    gateway.wait_for_log("ready");
    add_user(&gateway.config(), "bob", PASSWORD);
    assert!(publishes(&gateway, &["-u", "bob", "-P", PASSWORD]));
    assert_eq!(fs::read_to_string(certificate).unwrap(), shown, "none was made anew");
    assert!(gateway.websocket_port(true) > 0);
    let state = files(&gateway.folder.path().join("state"));
    assert!(state.iter().all(|path| path.extension().is_none_or(|it| it != "key")), "{state:?}");
}

/// Though a limit would allow it.
#[test]
fn a_crash_leaves_no_core_file() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let before = getrlimit(Resource::Core);
    let all = Rlimit { current: before.maximum, maximum: before.maximum };
    setrlimit(Resource::Core, all).unwrap();
    let mut gateway = Gateway::start(folder);
    let status = gateway.end_by(Signal::ABORT);
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()));
    assert!(!status.core_dumped(), "its memory is in a file now");
}
