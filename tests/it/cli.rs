//! What the command line says of itself: the help of every subcommand as it was agreed on, and
//! completions, manual pages and schema in the hands of those they are made for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::gateway::{binary, script, tool};

/// Standard output of the real binary, as wide as a snapshot.
fn said(arguments: &[&str]) -> String {
    let output = binary().args(arguments).env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The subcommands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let Some((_, commands)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let commands = commands.split("\n\n").next().unwrap().lines();
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
}

/// Every chain of subcommands, the program itself first.
fn all_commands() -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut at = 0;
    while let Some(chain) = found.get(at).cloned() {
        let words: Vec<_> = chain.iter().map(String::as_str).chain(["--help"]).collect();
        for name in listed(&said(&words)) {
            found.push([chain.clone(), vec![name]].concat());
        }
        at += 1;
    }
    found
}

fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli")
}

/// With `MAISON_SNAPSHOTS=write` what is said is what is agreed on from then on.
#[test]
fn the_help_of_every_subcommand_is_as_it_was_agreed_on() {
    let writes = std::env::var("MAISON_SNAPSHOTS").is_ok_and(|value| value == "write");
    let commands = all_commands();
    assert!(commands.len() >= 30, "{commands:?}");
    let mut names = BTreeSet::new();
    for chain in &commands {
        let words: Vec<_> = chain.iter().map(String::as_str).chain(["--help"]).collect();
        let help = said(&words);
        let name = format!("{}.txt", [vec!["maison".to_owned()], chain.clone()].concat().join("-"));
        let path = snapshots().join(&name);
        if writes {
            fs::write(&path, &help).unwrap();
        }
        let agreed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(help, agreed, "{name}: `MAISON_SNAPSHOTS=write tests/run agreed_on` agrees");
        names.insert(name);
    }
    for entry in fs::read_dir(snapshots()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{name} is the help of no subcommand");
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|error| {
        panic!("{program}: {error}; `tests/run` installs what the tests need")
    })
}

/// Loads the completions of a shell there, and gives what its own words make of `maison st`.
#[track_caller]
fn check_completion(shell: &str, words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("_maison");
    fs::write(&file, said(&["completions", shell])).unwrap();
    let words = words.replace("FILE", file.to_str().unwrap());
    let words = words.replace("FOLDER", folder.path().to_str().unwrap());
    let quiet: &[&str] = match shell {
        "bash" => &["--norc", "-c"],
        "zsh" => &["-f", "-c"],
        _ => &["--no-config", "-c"],
    };
    let output = run(shell, &[quiet, &[&words]].concat());
    let proposed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{proposed}{:?}", output.stderr);
    let mut proposed: Vec<_> =
        proposed.lines().map(|line| line.split(['\t', ':']).next().unwrap()).collect();
    proposed.sort_unstable();
    assert_eq!(proposed, ["status", "store"], "{shell}");
}

#[test]
fn bash_zsh_and_fish_load_their_completions_and_propose_subcommands() {
    check_completion(
        "bash",
        "source FILE; COMP_WORDS=(maison st); COMP_CWORD=1; _maison maison st maison; \
         printf '%s\\n' \"${COMPREPLY[@]}\"",
    );
    check_completion("fish", "source FILE; complete -C 'maison st'");
    // What zsh itself would show is asked of its list of descriptions, not of its screen.
    check_completion(
        "zsh",
        "fpath=(FOLDER $fpath); autoload -U compinit; compinit -u -D; \
         [[ $_comps[maison] = _maison ]] || exit 1; source FILE; \
         _describe() { print -l -- \"${(@P)4}\" | grep '^st' }; _maison_commands",
    );
}

#[test]
fn every_manual_page_is_rendered_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    said(&["man", "--output", pages.to_str().unwrap()]);
    let mut count = 0;
    for entry in fs::read_dir(&pages).unwrap() {
        let path = entry.unwrap().path();
        // As `man` does, where there is UTF-8 and where the locale is C.
        for device in ["-Tutf8", "-Tascii"] {
            let macros = ["-Kutf8", "-mtty-char", "-man"];
            let words = [&macros[..], &[device, "-ww", "-z", path.to_str().unwrap()]].concat();
            let checked = run("groff", &words);
            let said = String::from_utf8(checked.stderr).unwrap();
            assert!(checked.status.success() && said.is_empty(), "{}: {said}", path.display());
        }
        count += 1;
    }
    assert!(count >= all_commands().len(), "{count}");
    let shown = Command::new("man")
        .args(["--local-file", pages.join("maison.toml.5").to_str().unwrap()])
        .env("MANWIDTH", "100")
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in ["[BROKER.LIMITS]", "durability", "What an acknowledgement promises"] {
        assert!(shown.contains(word), "no `{word}` in:\n{shown}");
    }
    assert!(said(&["man"]).starts_with(".ie"), "{}", said(&["man"]));
    let absent = binary().args(["man", "maison-halt"]).output().unwrap();
    assert_eq!(absent.status.code(), Some(1));
}

/// A copy of an example whose certificates are there, made at the first that names them.
fn at_home(example: &Path, folder: &Path) -> PathBuf {
    const TLS: &str = "/etc/maison/tls";
    let mut text = fs::read_to_string(example).unwrap();
    if text.contains(TLS) {
        let [certificate, key] =
            ["fullchain.pem", "privkey.pem"].map(|file| folder.join(file).display().to_string());
        let kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let names = ["-nodes", "-subj", "/CN=house", "-addext", "subjectAltName=DNS:house"];
        let files = ["-out", &certificate, "-keyout", &key];
        let made = run("openssl", &[&kind[..], &names, &files].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        text = text.replace(TLS, &folder.display().to_string());
    }
    let copy = folder.join(example.file_name().unwrap());
    fs::write(&copy, text).unwrap();
    copy
}

/// Another maker's validator takes what the check takes and refuses what has another shape.
#[test]
fn the_schema_takes_the_samples_and_refuses_what_the_check_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.json");
    let text = said(&["schema"]);
    serde_json::from_str::<Value>(&text).unwrap();
    fs::write(&schema, text).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut good = vec![config.join("maison.toml")];
    let examples = fs::read_dir(config.join("examples")).unwrap();
    good.extend(examples.map(|entry| at_home(&entry.unwrap().path(), folder.path())));
    let bad = [
        "[gatewa]\n",
        "[gateway]\nroot = 3\n",
        "[broker]\nsession_expiry = \"7 days\"\n",
        "[broker]\nmax_packet_size = 100\n",
        "[broker]\ndurability = \"power\"\n",
        "[[listener]]\ntls = true\n",
        "[[listener]]\nbind = \"[::]:1\"\ntls = { key = \"k\" }\n",
        "[rooms.Salon]\n",
        "[[rooms.salon.sensors]]\ndriver = \"tmp118\"\nbus = \"i2c-1\"\n",
        "[[rooms.salon.sensors]]\ndriver = \"tmp117\"\n",
        "[metrics]\nopen = true\n",
        "[hardware]\ni2c = \"rppal\"\n",
        "[hardware]\nspi = \"spidev\"\n",
        "[[listener]]\nbind = \"[::]:1\"\n\
         tls = { certificate = \"c\", key = \"k\", client_ca = [3] }\n",
    ];
    let bad: Vec<_> = bad
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let path = folder.path().join(format!("bad{index}.toml"));
            fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let check = |path: &Path| {
        let config = path.to_str().unwrap();
        binary().args(["check", "--config", config]).output().unwrap().status.success()
    };
    let mut command = Command::new(tool("MAISON_TEST_PYTHON", "python/bin/python"));
    command.arg(script("schema.py")).arg(&schema).args(&good).args(&bad);
    let output = command.output().unwrap();
    let verdicts = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verdicts: Vec<_> = verdicts.lines().collect();
    assert_eq!(verdicts.len(), good.len() + bad.len());
    for (path, verdict) in good.iter().chain(&bad).zip(verdicts) {
        assert_eq!(verdict == "good", good.contains(path), "{}: {verdict}", path.display());
        assert_eq!(verdict == "good", check(path), "{}: {verdict}", path.display());
    }
}
