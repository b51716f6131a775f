//! What the gateway announces by mDNS, as another maker's browser sees it.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::gateway::{Gateway, Lines, SALON, free_port, recorded_tree, script, tool};

/// Python's zeroconf, looking until it is dropped.
struct Browser {
    child: Child,
    lines: Lines,
}

impl Browser {
    fn start() -> Self {
        let mut command = Command::new(tool("MAISON_TEST_PYTHON", "python/bin/python"));
        command.arg(script("mdns_watch.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = Lines::of(child.stdout.take().unwrap());
        lines.wait("looking", |line| line == "looking");
        Self { child, lines }
    }

    /// What it finds at that port, with these words in it.
    #[track_caller]
    fn finds(&self, port: u16, word: &str) -> String {
        let port = format!(" {port} ");
        let is_it =
            |line: &str| line.starts_with("found ") && line.contains(&port) && line.contains(word);
        self.lines.wait(word, is_it)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A listener that others can reach.
fn listener(port: u16, rest: &str) -> String {
    format!("[[listener]]\nbind = \"[::]:{port}\"\n{rest}\n")
}

fn fingerprint(gateway: &Gateway) -> String {
    let shown = gateway.says(&["ca", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["sha256"].as_str().unwrap().replace(':', "").to_lowercase()
}

/// Whether this machine lets two programs of its own speak by multicast at all.
fn multicast_works() -> bool {
    let addresses = if_addrs::get_if_addrs().unwrap();
    addresses.iter().any(|interface| !interface.is_loopback())
}

#[test]
fn a_browser_finds_the_gateway_follows_its_authority_and_hears_its_good_bye() {
    if !multicast_works() {
        return eprintln!("no network but the loopback: nobody can be found by mDNS");
    }
    let (tls, plain) = (free_port(), free_port());
    let listeners = [
        listener(tls, "tls = true\nauth = \"certificate-or-password\""),
        listener(plain, "auth = \"password\"\nopen = true"),
    ];
    let folder = Gateway::prepare_listening(&listeners, SALON);
    recorded_tree(&folder.path().join("sys"));
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap() + "[mdns]\nannounce = \"always\"\n";
    fs::write(&config, text).unwrap();
    let browser = Browser::start();
    let mut gateway = Gateway::start(folder);
    let before = fingerprint(&gateway);
    let found = browser.finds(tls, &format!("fp=sha256:{before}"));
    assert!(found.starts_with("found _secure-mqtt._tcp.local. "), "{found}");
    for word in ["txtvers=1", "base=maison", "auth=cert,password", "v=5,3.1.1", ".local. "] {
        assert!(found.contains(word), "no `{word}` in {found}");
    }
    let addresses = found.split("at=").nth(1).unwrap();
    assert!(!addresses.is_empty() && !addresses.contains("127.0.0.1"), "{found}");
    let found = browser.finds(plain, "auth=password");
    assert!(found.starts_with("found _mqtt._tcp.local. ") && !found.contains("fp="), "{found}");

    gateway.says(&["ca", "rotate"]);
    let after = fingerprint(&gateway);
    assert_ne!(before, after);
    browser.finds(tls, &format!("fp=sha256:{after}"));

    let moved = free_port();
    gateway.edit(|text| text.replace(&format!("[::]:{plain}"), &format!("[::]:{moved}")));
    browser.finds(moved, "auth=password");

    assert!(gateway.stop().0.success());
    let is_gone = |line: &str| line.starts_with("gone _secure-mqtt._tcp.local. maison on ");
    browser.lines.wait("good-bye", is_gone);
}

/// A machine on the loopback alone, and one that says so, are told to nobody.
#[test]
fn what_is_off_or_on_the_loopback_starts_no_responder() {
    for (listeners, announce) in [
        ([crate::gateway::listener(free_port(), "tls = true")], "always"),
        ([listener(free_port(), "tls = true")], "off"),
    ] {
        let folder = Gateway::prepare_listening(&listeners, SALON);
        let config = folder.path().join("maison.toml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text + &format!("[mdns]\nannounce = \"{announce}\"\n")).unwrap();
        let gateway = Gateway::start(folder);
        assert!(!gateway.has_logged("announced by mDNS"), "{announce}");
        let threads = fs::read_dir(format!("/proc/{}/task", gateway.id())).unwrap();
        let names = threads.map(|it| fs::read_to_string(it.unwrap().path().join("comm")).unwrap());
        assert!(!names.into_iter().any(|name| name.contains("mDNS")), "{announce}");
    }
}
