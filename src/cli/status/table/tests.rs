use super::*;
use crate::daemon::status::{Clients, Listener, Queues};

fn measured(quantity: &str, unit: &str, value: Option<f64>, age_s: Option<u64>) -> Measured {
    Measured {
        quantity: quantity.to_owned(),
        unit: unit.to_owned(),
        value,
        decimals: 1,
        age_s,
        quality: "ok".to_owned(),
        error: None,
        since: "2026-11-30T13:00:05Z".to_owned(),
        last_good: None,
        sensor: "0x44".to_owned(),
    }
}

fn listener(address: &str, tls: bool, websocket: bool, clients: usize) -> Listener {
    Listener { address: address.to_owned(), tls, websocket, auth: "password".to_owned(), clients }
}

fn client(id: &str, address: Option<&str>) -> Client {
    Client {
        id: id.to_owned(),
        user: Some("alice".to_owned()),
        address: address.map(str::to_owned),
        listener: None,
        silent_s: address.map(|_| 3),
        subscriptions: 1,
        queued: 2,
    }
}

fn status() -> Status {
    let room = |slug: &str, measured| Room {
        slug: slug.to_owned(),
        name: slug.to_owned(),
        online: true,
        measured,
    };
    let failed = Measured {
        quality: "failed".to_owned(),
        error: Some("crc".to_owned()),
        ..measured("temperature", "°C", None, None)
    };
    let temperature = measured("temperature", "°C", Some(-0.5), Some(7));
    let humidity = measured("humidity", "%", Some(48.0), Some(3725));
    Status {
        warnings: vec![Warning {
            what: "bad".to_owned(),
            hint: Some("mend it".to_owned()),
            grave: false,
        }],
        version: "1.2.3".to_owned(),
        pid: 42,
        uptime_s: 93_784,
        time: "2026-11-30T13:00:05Z".to_owned(),
        clock_set: false,
        state_dir: "/var/lib/maison".to_owned(),
        resident_bytes: Some(9 * 1024 * 1024),
        disk_free_bytes: None,
        rooms: vec![
            room("cave", vec![failed]),
            room("grenier", Vec::new()),
            room("salon", vec![temperature, humidity]),
        ],
        listeners: vec![
            listener("127.0.0.1:1883", false, false, 1),
            listener("[::]:1", true, true, 2),
        ],
        clients: Clients {
            connected: 1,
            sessions: 30,
            maximum: 4,
            refused: 1,
            listed: vec![client("phone", Some("192.0.2.7:5")), client("logger", None)],
        },
        queues: Queues {
            messages: 1,
            bytes: 2048,
            inflight: 0,
            dropped: 3,
            expired: 4,
            denied: 5,
            retained: 6,
            retained_bytes: 7,
        },
        store: None,
        certificates: vec![Certificate {
            of: "[::]:1".to_owned(),
            until: "2027-01-01T00:00:00Z".to_owned(),
            days_left: 32,
        }],
        ..Status::default()
    }
}

#[test]
fn a_status_is_a_page_with_columns() {
    let expected = "\
maison 1.2.3, up 1day 2h, process 42, 9.00 MiB of memory
state folder /var/lib/maison, clock not set

warnings
  bad
    hint: mend it

rooms
  cave     -        -          failed: crc since 2026-11-30T13:00:05Z  0x44
  grenier  -        -          no sensor
  salon    -0.5 °C  7s ago     ok                                      0x44
           48.0 %   1h 2m ago  ok                                      0x44

listeners
  127.0.0.1:1883  tcp  password  1 client
  [::]:1          wss  password  2 clients

clients
  1 connected (4 at most), 30 sessions, 1 login refused
  phone   alice  192.0.2.7:5, heard 3s ago  2 queued
  logger  alice  away                       2 queued
  and 28 more

queues
  1 message waiting, 2.00 KiB; 0 in flight
  3 dropped, 4 expired, 5 denied; 6 retained, 7 B

store
  all is in memory

certificates
  [::]:1  until 2027-01-01T00:00:00Z  32 days
";
    assert_eq!(of(&status(), Style::Plain), expected);
}

#[test]
fn a_house_without_rooms_is_told_how_to_get_them() {
    let page = of(&Status { rooms: Vec::new(), ..status() }, Style::Plain);
    let told = "\nrooms\n  none yet: `sudo maison scan --write` gives them\n";
    assert!(page.contains(told), "{page}");
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = of(&status(), Style::Coloured);
    assert!(coloured.contains("\u{1b}[31mbad\u{1b}[0m"), "{coloured}");
    let mut plain = String::new();
    let mut letters = coloured.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| *letter == 'm');
        } else {
            plain.push(letter);
        }
    }
    assert_eq!(plain, of(&status(), Style::Plain));
}
