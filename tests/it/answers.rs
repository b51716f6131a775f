//! What the command line answers, as it was agreed on: errors word by word, JSON by its shape.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::gateway::{Gateway, SALON, add_user, binary, free_port, listener};

/// With `MAISON_SNAPSHOTS=write` what is said is what is agreed on from then on.
#[track_caller]
fn agree(file: &str, said: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/answers").join(file);
    if std::env::var("MAISON_SNAPSHOTS").is_ok_and(|value| value == "write") {
        fs::write(&path, said).unwrap();
    }
    let agreed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(said, agreed, "{file}: `MAISON_SNAPSHOTS=write tests/run agreed_on` agrees");
}

/// A slip of each subcommand, beside no gateway and without a configuration.
const SLIPS: &[&str] = &[
    "",
    "statsu",
    "chekc",
    "run --cofnig x.toml",
    "run --config FOLDER/none.toml",
    "demo --speeed 3",
    "check --json --print-effective",
    "check --config FOLDER/none.toml",
    "scan --room 28-01=salon",
    "read nowhere --config FOLDER/maison.toml",
    "read saloon --config FOLDER/maison.toml",
    "doctor --jsno",
    "status --every 2s",
    "status --config FOLDER/maison.toml",
    "reload --config FOLDER/maison.toml",
    "log lound --config FOLDER/maison.toml",
    "user add a/b",
    "user del nobody --config FOLDER/maison.toml",
    "subscriber revoke nobody --config FOLDER/maison.toml",
    "subscriber add alice --rooms nowhere --config FOLDER/maison.toml",
    "subscriber rooms nobody salon --config FOLDER/maison.toml",
    "subscriber ad alice",
    "ca rotate --overlap 90",
    "acl explain nobody maison/salon/temperature --config FOLDER/maison.toml",
    "acl explain bob a/#",
    "sub --qos 3",
    "sub --cert x.pem",
    "pub",
    "pub a/# x",
    "store chekc",
    "store stats --config FOLDER/maison.toml",
    "store check --config a.toml --file b.db",
    "record --for 10",
    "replay FOLDER/none.rec",
    "simulate",
    "import mosquito /etc/mosquitto",
    "import mosquitto FOLDER/none --config FOLDER/maison.toml",
    "drivers --jsonn",
    "drivers ds18b21",
    "schema x",
    "completions tcsh",
    "man maison-halt",
];

#[test]
fn what_is_said_of_a_slip_is_as_it_was_agreed_on() {
    let folder = Gateway::prepare(SALON);
    let place = folder.path().to_str().unwrap();
    let mut said = String::new();
    for slip in SLIPS {
        let words = slip.replace("FOLDER", place);
        let output = binary()
            .args(words.split(' ').filter(|word| !word.is_empty()))
            .env("COLUMNS", "100")
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap().replace(place, "FOLDER");
        let code = output.status.code().unwrap();
        assert!(output.stdout.is_empty(), "`{slip}` says something: {:?}", output.stdout);
        assert_ne!(code, 0, "{slip}");
        writeln!(said, "$ maison {slip}\n{}[{code}]\n", &errors).unwrap();
    }
    agree("slips.txt", &said);
}

/// The shape of a value: the keys of objects, the kinds of all else.
fn shape(value: &Value, indent: usize, out: &mut String) {
    let space = " ".repeat(indent);
    match value {
        Value::Object(fields) if fields.is_empty() => out.push_str("{}\n"),
        Value::Object(fields) => {
            out.push('\n');
            for (key, value) in fields {
                write!(out, "{space}  {key}: ").unwrap();
                shape(value, indent + 2, out);
            }
        }
        Value::Array(items) => match items.first() {
            Some(first @ Value::Object(_)) => {
                out.push_str("[]");
                shape(first, indent, out);
            }
            Some(first) => {
                out.push_str("[] ");
                shape(first, indent, out);
            }
            None => out.push_str("[]\n"),
        },
        Value::Null => out.push_str("null\n"),
        Value::Bool(_) => out.push_str("boolean\n"),
        Value::Number(_) => out.push_str("number\n"),
        Value::String(_) => out.push_str("text\n"),
    }
}

/// As `mosquitto_passwd` writes it.
const HASH_OF_MOSQUITTO: &str = "$7$101$DiPa6FDUfcLM3zCJ$+OD4drbwuqS4TCOK1ymNhih/dcuYh71mh4sp++\
                                 77IUYaa4uzOrv4Tv651KP6Ps1NW1a1qWyFXkLS90mfmaDWtg==";

/// Everything that reads answers in JSON, too.
#[test]
fn the_shape_of_every_json_is_as_it_was_agreed_on() {
    let port = free_port();
    let listeners = [listener(port, "auth = \"anonymous\""), listener(free_port(), "tls = true")];
    let gateway = Gateway::start(Gateway::prepare_with_store(&listeners, SALON));
    add_user(&gateway.config(), "bob", "correct horse");
    gateway.says(&["subscriber", "add", "alice", "--rooms", "salon", "--password", "--no-qr"]);
    let backup = gateway.folder.path().join("copy.db");
    let backup = backup.to_str().unwrap();
    let mosquitto = gateway.folder.path().join("mosquitto.conf");
    let passwords = gateway.folder.path().join("passwords");
    fs::write(&passwords, format!("carol:{HASH_OF_MOSQUITTO}\n")).unwrap();
    let lines = format!("password_file {}\nconnection bridge\n", passwords.display());
    fs::write(&mosquitto, lines).unwrap();
    let mosquitto = mosquitto.to_str().unwrap();
    let commands: [&[&str]; 16] = [
        &["check"],
        &["scan"],
        &["read"],
        &["doctor"],
        &["status"],
        &["user", "list"],
        &["subscriber", "list"],
        &["subscriber", "rooms", "alice", "salon"],
        &["ca", "show"],
        &["acl", "explain", "bob", "maison/salon/temperature"],
        &["store", "check"],
        &["store", "stats"],
        &["store", "backup", backup],
        &["log"],
        &["import", "mosquitto", mosquitto],
        &["drivers"],
    ];
    let mut said = String::new();
    for command in commands {
        let mut words = command.to_vec();
        words.push("--json");
        let output = if command == ["drivers"] {
            binary().args(&words).output().unwrap()
        } else {
            gateway.command(&words)
        };
        let mut value: Value = serde_json::from_slice(&output.stdout).unwrap();
        // What is wrong with the machine on which this runs, and what comes a moment later.
        for list in ["findings", "not_looked_at", "warnings", "lives", "sessions"] {
            if let Some(list) = value.get_mut(list).and_then(Value::as_array_mut) {
                list.clear();
            }
        }
        let name = words.join(" ").replace(backup, "FILE").replace(mosquitto, "FILE");
        write!(said, "$ maison {name}").unwrap();
        if !value.is_object() {
            said.push('\n');
        }
        shape(&value, 0, &mut said);
        said.push('\n');
    }
    agree("json.txt", &said);
}
