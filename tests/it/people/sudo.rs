//! What root writes for somebody who typed `sudo` is theirs to carry away, and nothing else is.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Output;

use crate::gateway::{Gateway, SALON, binary};

/// Nobody.
const PERSON: u32 = 65_534;

fn by_sudo(folder: &Path, words: &[&str]) -> Output {
    let mut command = binary();
    command.args(words).arg("--config").arg(folder.join("maison.toml"));
    command.env("SUDO_UID", PERSON.to_string()).env("SUDO_GID", PERSON.to_string());
    command.output().unwrap()
}

/// Owner and mode of it and of what is in it.
fn owners(path: &Path) -> Vec<(u32, u32)> {
    let mut owners = Vec::new();
    let facts = fs::symlink_metadata(path).unwrap();
    owners.push((facts.uid(), facts.mode() & 0o777));
    for entry in fs::read_dir(path).into_iter().flatten() {
        let facts = entry.unwrap().metadata().unwrap();
        owners.push((facts.uid(), facts.mode() & 0o777));
    }
    owners
}

#[test]
fn what_sudo_writes_into_ones_own_folder_is_ones_own() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("only root does this for somebody else");
    }
    let folder = Gateway::prepare(SALON);
    let theirs = folder.path().join("home");
    fs::create_dir(&theirs).unwrap();
    chown(&theirs, Some(PERSON), Some(PERSON)).unwrap();
    let add = |name: &str, out: &Path| {
        let words =
            ["subscriber", "add", name, "--rooms", "salon", "--no-qr", "--out"].map(str::to_owned);
        let out = out.to_str().unwrap().to_owned();
        let words: Vec<_> = words.iter().chain([&out]).map(String::as_str).collect();
        let output = by_sudo(folder.path(), &words);
        assert!(output.status.success(), "{output:?}");
        owners(Path::new(&out))
    };
    let made = add("alice", &theirs.join("alice"));
    assert!(made.len() > 3 && made[0] == (PERSON, 0o700), "{made:?}");
    assert!(made[1..].iter().all(|it| *it == (PERSON, 0o600)), "{made:?}");
    let made = add("bob", &folder.path().join("bob"));
    assert!(made.iter().all(|(owner, _)| *owner == 0), "the folder is root's: {made:?}");

    let report = theirs.join("report.txt");
    by_sudo(folder.path(), &["doctor", "--bundle", report.to_str().unwrap()]);
    assert_eq!(owners(&report), [(PERSON, 0o600)]);
    let kept = theirs.join("kept.jsonl");
    let output = by_sudo(folder.path(), &["store", "export", "--output", kept.to_str().unwrap()]);
    if output.status.success() {
        assert_eq!(owners(&kept), [(PERSON, 0o600)]);
    }
}

/// A folder that is theirs may lead anywhere.
#[test]
fn no_link_is_followed() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("only root does this for somebody else");
    }
    let folder = Gateway::prepare(SALON);
    let (home, elsewhere) = (folder.path().join("home"), folder.path().join("elsewhere"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    chown(&home, Some(PERSON), Some(PERSON)).unwrap();
    symlink(&elsewhere, home.join("out")).unwrap();
    let out = home.join("out/alice");
    let words = ["subscriber", "add", "alice", "--rooms", "salon", "--no-qr", "--out"];
    let output = by_sudo(folder.path(), &[&words[..], &[out.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(owners(&elsewhere.join("alice")).iter().all(|(owner, _)| *owner == 0));
}
