//! The report that is to be attached to a question.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::run;
use crate::gateway::{Gateway, PASSWORD, SALON, add_user, free_port, listener};

/// Every line of every file of the state folder that is a secret: keys, hashes, what waits in the
/// store for somebody, and names of people.
fn secrets(gateway: &Gateway) -> Vec<String> {
    let state = gateway.folder.path().join("state");
    let mut secrets = vec![PASSWORD.to_owned(), "under the doormat".to_owned()];
    for name in ["ca.key", "server.key"] {
        let text = fs::read_to_string(state.join(name)).unwrap();
        secrets.extend(text.lines().filter(|it| !it.starts_with("---")).map(str::to_owned));
    }
    let users = fs::read_to_string(state.join("users")).unwrap();
    let hash = users.split('$').map(str::to_owned).filter(|part| part.len() > 15);
    secrets.extend(hash);
    secrets.extend(["bob", "alice", "logger"].map(str::to_owned));
    secrets
}

#[test]
fn a_report_has_what_helps_and_no_secret_of_the_state_folder() {
    let port = free_port();
    let listeners = [listener(port, "auth = \"anonymous\""), listener(free_port(), "tls = true")];
    let folder = Gateway::prepare_with_store(&listeners, SALON);
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + "# the key is under the doormat\n").unwrap();
    let gateway = Gateway::start(folder);
    add_user(&gateway.config(), "bob", PASSWORD);
    let add = ["subscriber", "add", "alice", "--rooms", "salon", "--certificate", "--no-qr"];
    gateway.says(&add);
    let mut client = std::process::Command::new("mosquitto_sub");
    client.args(["-p", &port.to_string(), "-i", "logger", "-c", "-q", "1", "-t", "#", "-C", "1"]);
    assert!(client.output().unwrap().status.success());
    let path = gateway.folder.path().join("report.txt");
    let words = ["--bundle", path.to_str().unwrap()];
    let output = run("fr_FR", &gateway.config(), &words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, format!("rapport écrit : `{}`\n", path.display()));
    let report = fs::read_to_string(&path).unwrap();
    for secret in secrets(&gateway) {
        assert!(!report.contains(&secret), "`{secret}` is in the report:\n{report}");
    }
    for part in ["== machine ==", "kernel: ", "user-without-a-way-in", "[rooms.salon]"] {
        assert!(report.contains(part), "no `{part}` in:\n{report}");
    }
    assert!(report.contains("`user-1` has no way in"), "{report}");
    assert!(report.contains("user-2: password true, certificates 0, reads: salon"), "{report}");
    assert!(report.contains("\"id\": \"id-1\""), "{report}");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let again = run("C", &gateway.config(), &words);
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.starts_with("error: cannot write `") && again.status.code() == Some(1), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), report);
}

/// What somebody put into a wrong place is not repeated.
#[test]
fn a_report_of_a_wrong_configuration_says_where_and_not_what() {
    let folder = Gateway::prepare(SALON);
    let config = folder.path().join("maison.toml");
    fs::write(&config, "[gateway]\nstate_dir = 3\n[broker]\ndurability = \"hunter2\"\n").unwrap();
    let path = folder.path().join("report.txt");
    run("C", &config, &["--bundle", path.to_str().unwrap()]);
    let report = fs::read_to_string(Path::new(&path)).unwrap();
    assert!(report.contains("maison.toml:2:13: "), "{report}");
    assert!(report.contains("maison.toml:4:14: ") && !report.contains("hunter2"), "{report}");
}
