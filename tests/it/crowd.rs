//! Many clients against the limits of the configuration, with the real binary.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use maison::mqtt::{Delivery, Packet, QoS};

use crate::gateway::{Client, Gateway};
use crate::wire::{Session, Wire, publish, subscribe};

const CROWD: usize = 200;
/// Header of a PUBLISH to `t` of 1 MiB.
const ANNOUNCEMENT: &[u8] = b"\x30\xFC\xFF\x3F\x00\x01t";
/// What arrives of it.
const SENT: usize = 900 * 1024;

/// A client that begins a large packet and never ends it.
struct Stalling {
    stream: TcpStream,
    sent: usize,
}

impl Stalling {
    fn connect(port: u16, number: usize) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let id = format!("{number:04}");
        stream.write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3C\x00\x04").unwrap();
        stream.write_all(id.as_bytes()).unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *b"\x20\x02\x00\x00");
        stream.write_all(ANNOUNCEMENT).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, sent: ANNOUNCEMENT.len() }
    }

    /// Sends what is taken at once; gives how much that is.
    fn send(&mut self) -> usize {
        let before = self.sent;
        while self.sent < SENT {
            let piece = vec![b'x'; (SENT - self.sent).min(64 * 1024)];
            match self.stream.write(&piece) {
                Ok(bytes) => self.sent += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // Cut off for the sake of the others.
                Err(_) => self.sent = SENT,
            }
        }
        self.sent - before
    }
}

fn start(limits: &str) -> Gateway {
    Gateway::start(Gateway::prepare(&format!("[broker.limits]\n{limits}")))
}

fn mosquitto(name: &str, gateway: &Gateway, rest: &[&str]) -> Client {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &gateway.plain_port().to_string(), "-q", "1"]);
    Client::start(command.args(rest))
}

/// Without the budget each of them would take 1 MiB.
#[test]
fn unfinished_packets_of_a_crowd_take_bounded_memory_and_others_are_served() {
    let gateway = start("connections_per_address = 300\nunfinished = \"8 MiB\"");
    let port = gateway.plain_port();
    let mut crowd: Vec<Stalling> = (0..CROWD).map(|at| Stalling::connect(port, at)).collect();
    let mut last = Instant::now();
    while last.elapsed() < Duration::from_millis(500) {
        if crowd.iter_mut().map(Stalling::send).sum::<usize>() > 0 {
            last = Instant::now();
        }
        thread::sleep(Duration::from_millis(10));
    }

    let started = Instant::now();
    let reader = mosquitto("mosquitto_sub", &gateway, &["-t", "+", "-F", "%t %l"]);
    let mut writer = mosquitto("mosquitto_pub", &gateway, &["-t", "small", "-m", "21.4", "-r"]);
    assert!(writer.end().success());
    reader.expect("small 4");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let peak = gateway.memory("VmHWM:");
    assert!(peak < 64 * 1024, "{peak} KiB");
    // Those who have begun stall, and others wait.
    gateway.wait_for_log("too many unfinished packets");

    // Their room is free again.
    drop(crowd);
    let file = gateway.folder.path().join("large");
    fs::write(&file, vec![b'x'; 1_000_000]).unwrap();
    let file = file.to_str().unwrap();
    assert!(mosquitto("mosquitto_pub", &gateway, &["-t", "large", "-f", file]).end().success());
    reader.expect("large 1000000");
}

/// Each of their filters looks at every retained topic twice and finds none.
#[test]
fn searches_of_a_crowd_delay_nobody() {
    const TOPICS: usize = 5000;
    const SEARCHERS: usize = 20;
    let gateway = start("");
    let port = gateway.plain_port();
    let mut writer = Wire::connect(port, "writer", Session::Clean);
    for number in 0..TOPICS {
        let mut message = publish(&format!("t/{number}/x"), Delivery::AtMostOnce, "1");
        message.retain = true;
        writer.send(&Packet::Publish(message)).unwrap();
    }
    let mut reader = Wire::connect(port, "reader", Session::Clean);
    reader.subscribe("ordinary", QoS::AtMostOnce);
    let crowd = thread::spawn(move || -> Vec<Wire> {
        let searcher = |number| Wire::connect(port, &format!("searcher-{number}"), Session::Clean);
        let mut crowd: Vec<Wire> = (0..SEARCHERS).map(searcher).collect();
        for (level, searcher) in (0..20).flat_map(|level| (0..SEARCHERS).map(move |at| (level, at)))
        {
            let filter = format!("+/+/{level}/y");
            crowd[searcher].send(&subscribe(&filter, QoS::AtMostOnce)).unwrap();
        }
        crowd
    });
    let (started, mut slowest) = (Instant::now(), Duration::ZERO);
    while started.elapsed() < Duration::from_secs(3) {
        let sent = Instant::now();
        let message = publish("ordinary", Delivery::AtMostOnce, "21.4");
        writer.send(&Packet::Publish(message)).unwrap();
        assert!(matches!(reader.receive().unwrap(), Packet::Publish(_)));
        slowest = slowest.max(sent.elapsed());
    }
    eprintln!("the slowest of the others' messages took {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    drop(crowd.join().unwrap());
}
