//! Certificates of an administrator's own authorities, made by OpenSSL and shown by mosquitto's
//! client: chains, several authorities, revocation lists, and each refusal by its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::gateway::{Client, Gateway, SALON, free_port, listener};
use crate::logins::fail2ban;

/// An authority in a folder of its own, as `openssl ca` keeps it.
struct Office(PathBuf);

const SETTINGS: &str = "
[ca]
default_ca = office
[office]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
rand_serial = yes
default_md = sha256
default_days = 30
default_crl_days = 30
unique_subject = no
crl_extensions = list
policy = policy
[policy]
commonName = supplied
[list]
authorityKeyIdentifier = keyid:always
[client]
extendedKeyUsage = clientAuth
[server]
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
[below]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
";

#[track_caller]
fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split(' ')).stdin(Stdio::null());
    let output = command.output().expect("`tests/run` installs what the tests need");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Times of certificates.
const PAST: &str = " -startdate 20260101000000Z -enddate 20260102000000Z";
const FUTURE: &str = " -startdate 20900101000000Z -enddate 20910102000000Z";

const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

impl Office {
    fn open(folder: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("settings"), SETTINGS).unwrap();
        fs::write(folder.join("index.txt"), "").unwrap();
        Self(folder.to_owned())
    }

    /// An authority that nobody stands behind.
    fn root(folder: &Path, name: &str) -> Self {
        let office = Self::open(&folder.join(name));
        let extensions = "-addext keyUsage=critical,keyCertSign,cRLSign";
        let name = format!("-subj /CN={name} -days 30 {extensions}");
        openssl(&office.0, &format!("req -x509 {NEW_KEY} -keyout ca.key -out ca.pem {name}"));
        office.list("");
        office
    }

    /// One that this one stands behind.
    fn below(&self, name: &str) -> Self {
        let office = Self::open(&self.0.parent().unwrap().join(name));
        self.sign(name, "below", "");
        for kind in ["pem", "key"] {
            fs::copy(self.place(name, kind), office.0.join(format!("ca.{kind}"))).unwrap();
        }
        office.list("");
        office
    }

    /// A certificate, with its key, in this folder.
    fn sign(&self, name: &str, kind: &str, dates: &str) {
        openssl(
            &self.0,
            &format!("req {NEW_KEY} -keyout {name}.key -out request -subj /CN={name}"),
        );
        let ca = format!("ca -config settings -batch -notext -extensions {kind}{dates}");
        openssl(&self.0, &format!("{ca} -in request -out {name}.pem"));
    }

    /// One for a client, with what stands behind it.
    fn client(&self, name: &str, behind: &[&Self]) {
        self.sign(name, "client", "");
        let place = self.place(name, "pem");
        let mut chain = fs::read_to_string(&place).unwrap();
        for office in behind {
            chain += &fs::read_to_string(office.0.join("ca.pem")).unwrap();
        }
        fs::write(place, chain).unwrap();
    }

    fn revoke(&self, name: &str) {
        openssl(&self.0, &format!("ca -config settings -revoke {name}.pem"));
        self.list("");
    }

    /// Its revocation list anew.
    fn list(&self, dates: &str) {
        openssl(&self.0, &format!("ca -config settings -gencrl{dates} -out crl.new"));
        fs::rename(self.0.join("crl.new"), self.0.join("crl.pem")).unwrap();
    }

    fn place(&self, name: &str, kind: &str) -> PathBuf {
        self.0.join(format!("{name}.{kind}"))
    }
}

/// A gateway in whose folder there are authorities.
struct House {
    gateway: Gateway,
    port: u16,
}

impl House {
    /// With the certificate that `server` has signed for it, and these lists.
    fn start(
        folder: tempfile::TempDir,
        server: &Office,
        authorities: &[&Office],
        lists: &[&Office],
    ) -> Self {
        server.sign("localhost", "server", "");
        let port = free_port();
        let each = |offices: &[&Office], name: &str| {
            let places = offices.iter().map(|it| quoted(&it.0.join(name)));
            places.collect::<Vec<_>>().join(", ")
        };
        let mut tls = format!(
            "tls = {{ certificate = {}, key = {}, client_ca = [{}]",
            quoted(&server.place("localhost", "pem")),
            quoted(&server.place("localhost", "key")),
            each(authorities, "ca.pem")
        );
        if !lists.is_empty() {
            tls += &[", client_crl = [", &each(lists, "crl.pem"), "]"].concat();
        }
        let config = folder.path().join("maison.toml");
        let text = fs::read_to_string(&config).unwrap();
        let listener = listener(port, &format!("{tls} }}\nauth = \"certificate\""));
        fs::write(&config, text + &listener).unwrap();
        let house = Self { gateway: Gateway::start(folder), port };
        for name in ["alice", "bob", "carol", "localhost"] {
            let rooms = ["--rooms", "salon", "--password", "--no-qr"];
            house.gateway.says(&[&["subscriber", "add", name], &rooms[..]].concat());
        }
        house
    }

    fn client(&self, office: &Office, name: &str, server: &Office) -> Client {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-V", "5", "-v", "-t", "maison/salon/#", "-h", "localhost"]);
        command.args(["-p", &self.port.to_string()]);
        command.arg("--cafile").arg(server.0.join("ca.pem"));
        command.arg("--cert").arg(office.place(name, "pem"));
        Client::start(command.arg("--key").arg(office.place(name, "key")))
    }

    #[track_caller]
    fn lets_in(&self, office: &Office, name: &str, server: &Office) -> Client {
        let client = self.client(office, name, server);
        client.expect("maison/salon/temperature 21.4");
        client
    }

    #[track_caller]
    fn refuses(&self, office: &Office, name: &str, server: &Office, reason: &str) {
        let mut client = self.client(office, name, server);
        self.told(&format!("user={name:?} client=\"\" reason={reason}"));
        assert!(!client.end().success());
        assert_eq!(client.lines.all(), [""; 0]);
    }
}

impl House {
    /// Waits for the line of a refusal that ends so.
    #[track_caller]
    fn told(&self, end: &str) {
        let begin = " WARN auth refused peer=127.0.0.1:";
        let rest = format!(" listener=127.0.0.1:{} {end}", self.port);
        self.gateway.wait_for_lines(1, |line| line.contains(begin) && line.ends_with(&rest));
    }
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

fn folder() -> tempfile::TempDir {
    Gateway::prepare_listening(&[], SALON)
}

#[test]
fn several_authorities_and_what_stands_below_them_let_their_clients_in() {
    let folder = folder();
    let (one, other) = (Office::root(folder.path(), "one"), Office::root(folder.path(), "other"));
    let below = one.below("below");
    one.client("alice", &[]);
    below.client("bob", &[&below]);
    other.client("carol", &[]);
    for lists in [&[][..], &[&one, &other, &below]] {
        let house = House::start(self::folder(), &one, &[&one, &other], lists);
        house.lets_in(&one, "alice", &one);
        house.lets_in(&below, "bob", &one);
        house.lets_in(&other, "carol", &one);
    }
}

#[test]
fn a_certificate_that_has_expired_is_refused() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    office.sign("alice", "client", PAST);
    let house = House::start(folder, &office, &[&office], &[]);
    house.refuses(&office, "alice", &office, "expired-certificate");
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_refused() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    office.sign("alice", "client", FUTURE);
    let house = House::start(folder, &office, &[&office], &[]);
    house.refuses(&office, "alice", &office, "certificate-not-valid-yet");
}

#[test]
fn a_certificate_of_an_authority_that_is_not_ours_is_refused() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    fs::create_dir(folder.path().join("away")).unwrap();
    // Of the same name, so that the client shows it.
    let stranger = Office::root(&folder.path().join("away"), "office");
    stranger.client("alice", &[]);
    let house = House::start(folder, &office, &[&office], &[]);
    house.refuses(&stranger, "alice", &office, "unknown-authority");
}

#[test]
fn a_certificate_for_another_purpose_is_refused() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    let house = House::start(folder, &office, &[&office], &[]);
    house.refuses(&office, "localhost", &office, "certificate-for-another-purpose");
}

#[test]
fn a_certificate_that_is_revoked_is_refused() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    office.client("alice", &[]);
    office.client("bob", &[]);
    office.revoke("alice");
    let house = House::start(folder, &office, &[&office], &[&office]);
    house.refuses(&office, "alice", &office, "revoked-certificate");
    house.lets_in(&office, "bob", &office);
}

#[test]
fn a_list_that_has_expired_is_told_and_lets_nobody_in() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    office.client("alice", &[]);
    let past = " -crl_lastupdate 20260101000000Z -crl_nextupdate 20260102000000Z";
    office.list(past);
    let house = House::start(folder, &office, &[&office], &[&office]);
    let told = house.gateway.wait_for_log("revocation list has expired");
    assert!(told.contains("issuer=CN=office") && told.contains("since=2026-01-02"), "{told}");
    house.refuses(&office, "alice", &office, "expired-revocation-list");
    office.list("");
    house.gateway.wait_for_log("revocation lists changed");
    house.lets_in(&office, "alice", &office);
}

/// Of each kind; whom it names stands in it, in quotes. What is no certificate is no refusal.
#[test]
fn a_refused_certificate_is_one_line_that_fail2ban_reads() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    office.sign("alice", "client", PAST);
    office.sign("bob", "client", FUTURE);
    office.client("carol", &[]);
    office.revoke("carol");
    fs::create_dir(folder.path().join("away")).unwrap();
    let stranger = Office::root(&folder.path().join("away"), "office");
    let forged = "eve\"reason=none";
    stranger.sign(forged, "client", "");
    let house = House::start(folder, &office, &[&office], &[&office]);
    house.refuses(&office, "alice", &office, "expired-certificate");
    house.refuses(&office, "bob", &office, "certificate-not-valid-yet");
    house.refuses(&office, "carol", &office, "revoked-certificate");
    house.refuses(&office, "localhost", &office, "certificate-for-another-purpose");
    house.refuses(&stranger, forged, &office, "unknown-authority");
    let mut nobody = Command::new("mosquitto_sub");
    nobody.args(["-t", "#", "-h", "localhost", "-p", &house.port.to_string(), "--cafile"]);
    assert!(!Client::start(nobody.arg(office.place("ca", "pem"))).end().success());
    house.told("user=\"\" client=\"\" reason=no-certificate");

    // Noise, half a handshake, and a peer that does not believe us.
    let connect = || std::net::TcpStream::connect(("127.0.0.1", house.port)).unwrap();
    std::io::Write::write_all(&mut connect(), b"GET / HTTP/1.1\r\n\r\n").unwrap();
    std::io::Write::write_all(&mut connect(), b"\x16\x03\x01\x02\x00\x01").unwrap();
    house.client(&office, "carol", &stranger).end();
    let failed = house.gateway.wait_for_logs(3, "no handshake");
    assert!(failed.iter().any(|line| line.contains("peer-does-not-know")), "{failed:?}");
    house.gateway.wait_for_log(" INFO handshake failed");
    assert_eq!(house.gateway.logged("auth refused").len(), 6);
    let log = house.gateway.logged("");
    let found = fail2ban(house.gateway.folder.path(), &log);
    assert_eq!(found, ["127.0.0.1"; 6], "{log:#?}");
}

/// As `openssl ca` makes it by its own settings.
#[test]
fn a_list_of_version_1_is_named_with_what_to_do() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    fs::write(office.0.join("settings"), SETTINGS.replace("crl_extensions", "#")).unwrap();
    office.list("");
    office.sign("localhost", "server", "");
    let tls = format!(
        "tls = {{ certificate = {}, key = {}, client_ca = {}, client_crl = {} }}",
        quoted(&office.place("localhost", "pem")),
        quoted(&office.place("localhost", "key")),
        quoted(&office.place("ca", "pem")),
        quoted(&office.place("crl", "pem"))
    );
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + &listener(0, &format!("{tls}\nauth = \"certificate\""))).unwrap();
    let mut gateway = Gateway::spawn(folder);
    let line = gateway.wait_for_log("crl.pem");
    assert!(line.contains("revocation list of version 1"), "{line}");
    gateway.wait_for_log("hint: `crl_extensions`");
    assert_eq!(gateway.wait().code(), Some(78));
}

/// Of whom a revoked authority has signed, too.
#[test]
fn who_is_revoked_while_it_is_here_goes_when_the_list_comes() {
    let folder = folder();
    let office = Office::root(folder.path(), "office");
    let below = office.below("below");
    office.client("alice", &[]);
    below.client("bob", &[&below]);
    office.client("carol", &[]);
    let house = House::start(folder, &office, &[&office], &[&office, &below]);
    let mut alice = house.lets_in(&office, "alice", &office);
    let mut bob = house.lets_in(&below, "bob", &office);
    let carol = house.lets_in(&office, "carol", &office);
    let gone = || house.gateway.logged("this certificate, or its authority, counts no more").len();
    assert_eq!(gone(), 0);
    office.revoke("alice");
    let revoked = Instant::now();
    house.gateway.wait_for_log("this certificate, or its authority, counts no more");
    assert!(revoked.elapsed() < Duration::from_secs(5), "the machine may be busy");
    assert_eq!(gone(), 1, "nobody else");
    alice.end();
    house.refuses(&office, "alice", &office, "revoked-certificate");
    office.revoke("below");
    house.gateway.wait_for_logs(2, "this certificate, or its authority, counts no more");
    bob.end();
    assert!(house.gateway.logged("connection lost").is_empty(), "carol is here");
    drop(carol);
}

/// The file is where it was, and another authority is in it.
#[test]
fn clients_of_an_authority_that_is_taken_away_go_and_the_others_stay() {
    let folder = folder();
    let (one, other) = (Office::root(folder.path(), "one"), Office::root(folder.path(), "other"));
    one.client("alice", &[]);
    other.client("bob", &[]);
    let both = Office::open(&folder.path().join("both"));
    let pem = |office: &Office| fs::read_to_string(office.0.join("ca.pem")).unwrap();
    fs::write(both.0.join("ca.pem"), pem(&one) + &pem(&other)).unwrap();
    let house = House::start(folder, &one, &[&both], &[]);
    let alice = house.lets_in(&one, "alice", &one);
    let bob = house.lets_in(&other, "bob", &one);
    fs::write(both.0.join("ca.pem"), pem(&one)).unwrap();
    house.gateway.wait_for_log(&format!("authorities changed: 127.0.0.1:{}", house.port));
    let gone = house.gateway.wait_for_log("this certificate, or its authority, counts no more");
    assert!(gone.contains("client disconnected"), "{gone}");
    house.refuses(&other, "bob", &one, "unknown-authority");
    let gone = house.gateway.logged("this certificate, or its authority, counts no more");
    assert_eq!(gone.len(), 1, "bob alone: {gone:?}");
    fs::write(both.0.join("ca.pem"), pem(&one) + &pem(&other)).unwrap();
    house.gateway.wait_for_logs(2, "authorities changed");
    house.lets_in(&other, "bob", &one);
    drop((alice, bob));
}
