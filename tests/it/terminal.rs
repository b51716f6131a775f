//! The real binary at a terminal, which `script` of util-linux makes: somebody types when asked.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
    /// Bytes of it that were waited for already.
    read: usize,
}

impl Terminal {
    /// Runs `maison` with these arguments, which need no quoting.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_maison"), arguments.join(" "));
        // Who runs the tests in the background has them ignore Ctrl-C, and all that they start.
        let mut child = Command::new("env")
            .args(["--default-signal=INT", "script", "-qec", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let screen = Arc::clone(&shown);
        thread::spawn(move || {
            let (mut bytes, mut chunk) = (Vec::new(), [0; 1024]);
            while let Ok(count @ 1..) = output.read(&mut chunk) {
                bytes.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&bytes);
                *screen.lock().unwrap() = text.trim_end_matches('\u{fffd}').replace('\r', "");
            }
        });
        Self { child, keys, shown, read: 0 }
    }

    /// All that was shown.
    pub(crate) fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// Waits until this is shown after all that was waited for before; what is between.
    #[track_caller]
    pub(crate) fn expect(&mut self, what: &str) -> String {
        let started = Instant::now();
        loop {
            let shown = self.shown();
            if let Some(at) = shown[self.read..].find(what) {
                let between = shown[self.read..self.read + at].to_owned();
                self.read += at + what.len();
                return between;
            }
            assert!(started.elapsed() < PATIENCE, "no `{what}` in:\n{shown}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types a line.
    pub(crate) fn answer(&mut self, line: &str) {
        writeln!(self.keys, "{line}").unwrap();
    }

    /// Types a key, such as Ctrl-C.
    pub(crate) fn press(&mut self, key: char) {
        write!(self.keys, "{key}").unwrap();
    }

    pub(crate) fn end(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end:\n{}", self.shown());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
