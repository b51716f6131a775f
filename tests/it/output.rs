//! Standard output that nobody reads, or that takes nothing more, whatever is printed.

use std::fs::OpenOptions;
use std::io;
use std::process::{Child, Output, Stdio};

use crate::gateway::{Gateway, binary};

/// Each prints by its own way.
const COMMANDS: [&[&str]; 5] = [
    &["subscriber", "list"],
    &["ca", "show"],
    &["ca", "export"],
    &["check", "--print-effective"],
    &["user", "list"],
];

fn started(gateway: &Gateway, arguments: &[&str], out: impl Into<Stdio>) -> Child {
    let mut command = binary();
    command.args(arguments).arg("--config").arg(gateway.config());
    command.stdout(out).stderr(Stdio::piped()).spawn().unwrap()
}

fn gateway() -> Gateway {
    Gateway::with_bob("", |_| {})
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn who_reads_no_further_ends_it_quietly() {
    let gateway = gateway();
    for arguments in COMMANDS {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = started(&gateway, arguments, writer).wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), said(&output)),
            (Some(0), String::new()),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_full_disk_is_one_line_and_a_status() {
    let gateway = gateway();
    for arguments in COMMANDS {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = started(&gateway, arguments, full).wait_with_output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(74), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains("No space left"), "{said}");
    }
}
