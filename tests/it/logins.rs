//! Guessing passwords slows whoever guesses and nobody else, with the real binary; and what the log
//! says of it is what fail2ban reads.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use maison::mqtt::{
    Connect, Delivery, Packet, PacketId, QoS, ReasonCode, Version, Will, WillProperties,
};
use socket2::{Domain, Socket, Type};

use crate::gateway::{Gateway, PASSWORD, add_user, binary, tool};
use crate::wire::{PATIENCE, Session, Wire, connect, publish, subscribe};

const GUESSES: usize = 200;
/// Logins of each kind while somebody guesses.
const INNOCENTS: u8 = 8;
/// From an answer to the next guess.
const PAUSE: Duration = Duration::from_millis(100);

/// Logs in from one of this machine's many addresses; what the gateway answers.
fn login(
    port: u16,
    from: Ipv4Addr,
    id: &str,
    name: &str,
    password: &str,
) -> io::Result<ReasonCode> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut words = connect(Version::V5, id, Session::Clean);
    words.credentials.user = Some(ByteString::from(name));
    words.credentials.password = Some(Bytes::copy_from_slice(password.as_bytes()));
    let mut wire = Wire::over(stream, Version::V5);
    wire.send(&Packet::Connect(Box::new(words)))?;
    match wire.receive()? {
        Packet::ConnAck(answer) => Ok(answer.reason),
        other => panic!("no CONNACK: {other:?}"),
    }
}

/// How long the right password takes.
fn wait(port: u16, from: Ipv4Addr, id: &str, name: &str) -> Duration {
    let asked = Instant::now();
    assert_eq!(login(port, from, id, name, PASSWORD).unwrap(), ReasonCode::Success);
    asked.elapsed()
}

/// A gateway with bob, who came in by `phone` from two addresses, and users who never came.
fn gateway() -> (Gateway, Duration) {
    // More places than guesses, for those that are being closed.
    let places = "limits = { connections_per_address = 2000, connections = 4000 }";
    let gateway = Gateway::start(Gateway::prepare_with(places, ""));
    add_user(&gateway.config(), "bob", PASSWORD);
    for number in 0..INNOCENTS {
        add_user(&gateway.config(), &stranger(number), PASSWORD);
    }
    let first = wait(gateway.plain_port(), GUESSER, "phone", "bob");
    wait(gateway.plain_port(), Ipv4Addr::LOCALHOST, "phone", "bob");
    (gateway, first)
}

/// Where somebody guesses, and bob is at home.
const GUESSER: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 1);

fn stranger(number: u8) -> String {
    format!("stranger{number}")
}

/// Guesses from these addresses, over and over, while something is done.
fn besieged<T>(port: u16, from: impl Fn(u8) -> Ipv4Addr, act: impl FnOnce() -> T) -> T {
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whatever comes of it, or the scope would wait for ever.
        let _end = End(&ends);
        for number in 0..GUESSES {
            let (ends, address) = (&ends, from(u8::try_from(number).unwrap()));
            let guess = move || {
                while !ends.load(Ordering::Relaxed) {
                    let name = if number % 2 == 0 { "bob" } else { "nobody" };
                    if let Ok(answer) = login(port, address, "", name, "guess") {
                        assert_ne!(answer, ReasonCode::Success);
                    }
                    thread::sleep(PAUSE);
                }
            };
            scope.spawn(guess);
        }
        act()
    })
}

/// From how many addresses a guess was refused.
fn refused_addresses(gateway: &Gateway) -> usize {
    let peer = |line: &str| Some(line.split_once("peer=")?.1.split(':').next()?.to_owned());
    let lines = gateway.logged("reason=bad-password");
    lines.iter().filter_map(|line| peer(line)).collect::<HashSet<_>>().len()
}

fn wait_for_refusals(gateway: &Gateway, addresses: usize) {
    let started = Instant::now();
    while refused_addresses(gateway) < addresses {
        assert!(started.elapsed() < PATIENCE * 4, "they are refused in their turn");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Bob's telephone, from where it was and from where the guesses come from; and strangers, each
/// from an address of its own.
fn innocents(port: u16) -> [Vec<Duration>; 3] {
    let bob = |from| (0..INNOCENTS).map(|_| wait(port, from, "phone", "bob")).collect::<Vec<_>>();
    let (known, neighbours) = (bob(Ipv4Addr::LOCALHOST), bob(GUESSER));
    let strangers = (0..INNOCENTS).map(|number| {
        let (from, name) = (Ipv4Addr::new(127, 0, 1, number), stranger(number));
        wait(port, from, &name, &name)
    });
    [known, neighbours, strangers.collect()]
}

/// What the log says: of those who were there before, no hash, unless the first guess in bob's name
/// was still being checked on a busy machine; and between a stranger's login and his own hash, none
/// of a guess was begun. Times are told only: other work of the machine is in them.
#[track_caller]
fn assert_undelayed(gateway: &Gateway, alone: Duration, waits: [Vec<Duration>; 3]) {
    let [known, neighbours, strangers] =
        waits.map(|waits| waits.into_iter().max().expect("some came"));
    eprintln!(
        "alone, with a hash: {alone:?}; at worst, while {GUESSES} guess: {known:?} who came \
         before, {neighbours:?} who did at the address of guesses, {strangers:?} strangers"
    );
    let lines = gateway.logged("password ");
    let hashed = |line: &&String| line.contains("password is being checked");
    let of = |name: &str| format!(" Some({name:?}) ");
    let phone = lines.iter().filter(hashed).filter(|line| line.ends_with("\"phone\""));
    assert!(phone.count() <= 2, "bob's telephone was checked once, at its first login");
    for name in (0..INNOCENTS).map(stranger) {
        let is_his = |line: &&String| line.contains(&of(&name));
        let mut his = lines.iter().skip_while(|line| !is_his(line)).skip(1);
        let before = his.by_ref().take_while(|line| !(hashed(line) && is_his(line)));
        assert_eq!(before.filter(hashed).count(), 0, "hashes before that of {name}");
    }
}

/// From one address: nobody is let in later for it, not even a known client behind the same router.
#[test]
fn guesses_of_one_address_delay_no_other() {
    let (gateway, alone) = gateway();
    let port = gateway.plain_port();
    let waits = besieged(
        port,
        |_| GUESSER,
        || {
            gateway.wait_for_log("reason=busy");
            innocents(port)
        },
    );
    assert_undelayed(&gateway, alone, waits);
}

/// From as many addresses as there are guesses: who has been here before does not wait at all, nor
/// do strangers once each address has failed.
#[test]
fn guesses_of_many_addresses_delay_nobody_for_long() {
    let (gateway, alone) = gateway();
    let port = gateway.plain_port();
    let guesser = |number| Ipv4Addr::new(127, 0, 2, number + 1);
    let waits = besieged(port, guesser, || {
        wait_for_refusals(&gateway, GUESSES);
        innocents(port)
    });
    assert_undelayed(&gateway, alone, waits);
}

/// What was right once is no door for guesses: each is hashed or refused, and the old password is
/// wrong as soon as there is a new one.
#[test]
fn who_was_right_before_is_asked_again_when_his_password_changes() {
    let gateway = Gateway::with_bob("", |_| {});
    let port = gateway.plain_port();
    // Until the first check is over, the second login is one more that has to wait for its turn.
    while !gateway.has_logged("password as before") {
        wait(port, Ipv4Addr::LOCALHOST, "phone", "bob");
    }
    let before = gateway.logged("password as before").len();
    let mut change = binary();
    change.args(["user", "passwd", "bob", "--config", gateway.config().to_str().unwrap()]);
    let mut child = change.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"another\n").unwrap();
    assert!(child.wait().unwrap().success());
    let answer = login(port, Ipv4Addr::LOCALHOST, "phone", "bob", PASSWORD).unwrap();
    assert_eq!(answer, ReasonCode::BadUserNameOrPassword);
    assert_eq!(gateway.logged("password as before").len(), before);
    let answer = login(port, Ipv4Addr::LOCALHOST, "phone", "bob", "another").unwrap();
    assert_eq!(answer, ReasonCode::Success);
}

#[test]
fn a_refused_login_is_one_line_that_fail2ban_reads() {
    let gateway = Gateway::with_bob("", |_| {});
    let port = gateway.plain_port();
    let guesser = Ipv4Addr::new(127, 0, 0, 7);
    let names =
        ["bob", "a b", "x\" reason=none", "\nWARN auth refused peer=127.0.0.9:1 listener=x"];
    for name in names {
        assert_eq!(
            login(port, guesser, "", name, "guess").unwrap(),
            ReasonCode::BadUserNameOrPassword
        );
    }
    wait(port, Ipv4Addr::new(127, 0, 0, 8), "", "bob");
    gateway.wait_for_log("client connected");
    let lines = gateway.logged(" WARN auth refused");
    assert_eq!(lines.len(), names.len(), "{lines:?}");
    // By the journal, without time; from a file, with it; and by IPv6.
    let journal = |line: &str| line.split_once("WARN").unwrap().1.to_owned();
    let mut log: Vec<String> = lines
        .iter()
        .map(|line| format!("Nov 30 21:00:00 pi maison[7]:  WARN{}", journal(line)))
        .collect();
    log.extend(lines.iter().cloned());
    let others = gateway.logged("auth refused").into_iter().filter(|line| !lines.contains(line));
    log.extend(others.inspect(|line| assert!(line.contains(" DEBUG "), "{line}")));
    log.push(lines[0].replace("peer=127.0.0.7:", "peer=[2001:db8::7]:"));
    log.push(lines[0].replace("peer=127.0.0.7:", "peer=[::ffff:127.0.0.7]:"));
    log.push(lines[0].replace("auth refused peer", "client connected client=\"auth refused peer"));
    let found = fail2ban(gateway.folder.path(), &log);
    let v4 = found.iter().filter(|address| *address == "127.0.0.7").count();
    assert_eq!((v4, found.len()), (2 * names.len() + 1, 2 * names.len() + 2), "{found:?}");
    assert!(found.contains(&"2001:db8::7".to_owned()), "{found:?}");
}

/// Topics, wills and client identifiers are written by whoever has the least of rights; none of
/// them begins a line of the log, or moves a cursor.
#[test]
fn what_a_peer_is_refused_for_forges_no_line() {
    const FORGED: &str = "x\n WARN auth refused peer=8.8.8.8:1 listener=a user=\"b\" client=\"c\" \
                          reason=bad-password\n\u{1b}[31m\u{85}\u{7f}";
    let gateway = Gateway::with_bob("[rooms.salon]\n", |_| {});
    let add = ["subscriber", "add", "alice", "--rooms", "salon", "--no-qr", "--password-stdin"];
    let mut child = binary();
    child.current_dir(gateway.folder.path()).args(add).args(["--publish", "mail/%c"]);
    let mut child =
        child.arg("--config").arg(gateway.config()).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"secret\n").unwrap();
    assert!(child.wait().unwrap().success());
    let words = |id: &str| {
        let mut words = connect(Version::V5, id, Session::Clean);
        words.credentials.user = Some("alice".into());
        words.credentials.password = Some("secret".into());
        words
    };
    let topic = format!("forb/{FORGED}");
    let mut alice = Wire::try_open(gateway.plain_port(), words(FORGED)).unwrap().0;
    let delivery = Delivery::AtLeastOnce(PacketId::MIN);
    alice.send(&Packet::Publish(publish(&topic, delivery, "7"))).unwrap();
    let Packet::PubAck(answer) = alice.receive().unwrap() else { panic!("no PUBACK") };
    let reason = answer.properties.unwrap().reason_string.unwrap();
    assert!(reason.contains("not `forb/x\\n WARN"), "{reason}");
    assert!(!reason.contains(char::is_control), "{reason:?}");
    alice.send(&subscribe(&topic, QoS::AtMostOnce)).unwrap();
    assert!(matches!(alice.receive().unwrap(), Packet::SubAck(_)));
    let message = publish(&topic, Delivery::AtMostOnce, "7").message;
    let (qos, properties) = (QoS::AtMostOnce, WillProperties::default());
    let will = Will { message, qos, retain: false, properties };
    let with_will = Connect { will: Some(will), ..words("other") };
    drop(Wire::try_open(gateway.plain_port(), with_will));
    let explained =
        gateway.command(&["acl", "explain", "alice", &topic, "--client", FORGED, "--write"]);
    let said = String::from_utf8(explained.stdout).unwrap();
    assert!(said.starts_with("denied: `alice` may publish to "), "{said}");
    assert!(!said.trim_end().contains(char::is_control), "{said:?}");
    gateway.wait_for_logs(2, "not allowed, refused");
    let log = gateway.logged("");
    assert!(!log.iter().any(|line| line.contains(char::is_control)), "{log:#?}");
    assert!(!log.iter().any(|line| line.starts_with(" WARN")), "{log:#?}");
    assert_eq!(fail2ban(gateway.folder.path(), &log), Vec::<String>::new());
}

/// The addresses that fail2ban finds in these lines.
pub(crate) fn fail2ban(folder: &Path, lines: &[String]) -> Vec<String> {
    let root = env!("CARGO_MANIFEST_DIR");
    let tool = tool("MAISON_TEST_DEBIAN", "debian");
    let log = folder.join("log");
    fs::write(&log, lines.join("\n") + "\n").unwrap();
    let output = Command::new("python3")
        .env("PYTHONPATH", format!("{tool}/usr/lib/python3/dist-packages"))
        .arg(format!("{tool}/usr/bin/fail2ban-regex"))
        .args(["-c", &format!("{tool}/etc/fail2ban"), "-o", "ip"])
        .arg(log)
        .arg(format!("{root}/config/fail2ban/filter.d/maison.conf"))
        .output()
        .expect("`tests/run` installs what the tests need");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.lines().map(str::to_owned).collect()
}
