//! Guessing passwords slows whoever guesses and nobody else, with the real binary; and what the log
//! says of it is what fail2ban reads.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use maison::mqtt::{Packet, ReasonCode, Version};
use socket2::{Domain, Socket, Type};

use crate::gateway::{Gateway, PASSWORD, tool};
use crate::wire::{PATIENCE, Session, Wire, connect};

const GUESSES: usize = 200;
const INNOCENTS: u8 = 20;
/// From an answer to the next guess.
const PAUSE: Duration = Duration::from_millis(100);

/// Logs in from one of this machine's many addresses; what the gateway answers.
fn login(port: u16, from: Ipv4Addr, name: &str, password: &str) -> io::Result<ReasonCode> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut words = connect(Version::V5, "", Session::Clean);
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
fn wait(port: u16, from: Ipv4Addr) -> Duration {
    let asked = Instant::now();
    assert_eq!(login(port, from, "bob", PASSWORD).unwrap(), ReasonCode::Success);
    asked.elapsed()
}

/// Guesses from these addresses, over and over, while something is done.
fn besieged<T>(
    port: u16,
    from: impl Fn(usize) -> Ipv4Addr,
    act: impl FnOnce(&AtomicUsize) -> T,
) -> T {
    let (ends, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 0..GUESSES {
            let (ends, refused, address) = (&ends, &refused, from(number));
            let guess = move || {
                while !ends.load(Ordering::Relaxed) {
                    let name = if number % 2 == 0 { "bob" } else { "nobody" };
                    if let Ok(answer) = login(port, address, name, "guess") {
                        assert_ne!(answer, ReasonCode::Success);
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(PAUSE);
                }
            };
            scope.spawn(guess);
        }
        let done = act(&refused);
        ends.store(true, Ordering::Relaxed);
        done
    })
}

/// 200 guesses before each, by two threads, would be a hundred times as long as alone. What is
/// usual tells of the brakes; the worst of a few tells of other work of the machine, too.
#[track_caller]
fn assert_undelayed(alone: Duration, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let (usual, worst) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    eprintln!("alone {alone:?}, besieged {usual:?}, at worst {worst:?} of {}", waits.len());
    let longest = Duration::from_millis(500).max(alone * 10);
    assert!(usual < longest && worst < longest * 3, "alone {alone:?}, besieged {waits:?}");
}

fn alone(port: u16) -> Duration {
    (0..5).map(|_| wait(port, Ipv4Addr::LOCALHOST)).min().unwrap()
}

/// From one address: strangers are let in meanwhile as if nothing happened.
#[test]
fn guesses_of_one_address_delay_no_other() {
    let gateway = Gateway::with_bob("", |_| {});
    let port = gateway.plain_port();
    let alone = alone(port);
    let waits = besieged(
        port,
        |_| Ipv4Addr::new(127, 0, 0, 2),
        |_| {
            let wait = |number| wait(port, Ipv4Addr::new(127, 0, 1, number));
            (1..=INNOCENTS).map(wait).collect::<Vec<_>>()
        },
    );
    assert_undelayed(alone, waits);
    assert!(gateway.has_logged("reason=busy"), "most are refused without a hash");
}

/// From as many addresses as there are guesses: who has been here before does not wait, nor do
/// strangers once each address has failed.
#[test]
fn guesses_of_many_addresses_delay_nobody_for_long() {
    let gateway = Gateway::with_bob("", |_| {});
    let port = gateway.plain_port();
    let alone = alone(port);
    let guesser = |number| Ipv4Addr::new(127, 0, 2, u8::try_from(number + 1).unwrap());
    let (known, strange) = besieged(port, guesser, |refused| {
        let known: Vec<_> = (0..INNOCENTS).map(|_| wait(port, Ipv4Addr::LOCALHOST)).collect();
        let started = Instant::now();
        while refused.load(Ordering::Relaxed) < GUESSES {
            assert!(started.elapsed() < PATIENCE * 4, "they are refused in their turn");
            thread::sleep(Duration::from_millis(20));
        }
        let wait = |number| wait(port, Ipv4Addr::new(127, 0, 1, number));
        (known, (1..=INNOCENTS).map(wait).collect::<Vec<_>>())
    });
    assert_undelayed(alone, known);
    assert_undelayed(alone, strange);
}

#[test]
fn a_refused_login_is_one_line_that_fail2ban_reads() {
    let gateway = Gateway::with_bob("", |_| {});
    let port = gateway.plain_port();
    let guesser = Ipv4Addr::new(127, 0, 0, 7);
    let names =
        ["bob", "a b", "x\" reason=none", "\nWARN auth refused peer=127.0.0.9:1 listener=x"];
    for name in names {
        assert_eq!(login(port, guesser, name, "guess").unwrap(), ReasonCode::BadUserNameOrPassword);
    }
    wait(port, Ipv4Addr::new(127, 0, 0, 8));
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
    log.push(lines[0].replace("peer=127.0.0.7:", "peer=[2001:db8::7]:"));
    log.push(lines[0].replace("peer=127.0.0.7:", "peer=[::ffff:127.0.0.7]:"));
    log.push(lines[0].replace("auth refused peer", "client connected client=\"auth refused peer"));
    let found = fail2ban(gateway.folder.path(), &log);
    let v4 = found.iter().filter(|address| *address == "127.0.0.7").count();
    assert_eq!((v4, found.len()), (2 * names.len() + 1, 2 * names.len() + 2), "{found:?}");
    assert!(found.contains(&"2001:db8::7".to_owned()), "{found:?}");
}

/// The addresses that fail2ban finds in these lines.
fn fail2ban(folder: &Path, lines: &[String]) -> Vec<String> {
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
