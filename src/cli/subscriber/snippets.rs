//! Words to paste into the programs that people use. Each works as it is printed.

mod publishing;

use std::fmt::Write as _;

use super::bundle::Door;
use super::place::{literal, shell};
use crate::net::ClientIdentity;

/// What they need to know.
pub(super) struct Snippets<'a> {
    pub(super) name: &'a str,
    pub(super) door: &'a Door,
    pub(super) topic: &'a str,
    /// What it may publish to, if anything.
    pub(super) publishes: Option<&'a str>,
    /// What it has to call itself, where its topics have that in them.
    pub(super) client_id: Option<&'a str>,
    pub(super) login: Login<'a>,
    pub(super) has_certificate: bool,
    /// Whether the authority of the listener's certificate is in the folder.
    pub(super) has_authority: bool,
    /// Whether certificate and key are in the folder.
    pub(super) has_keys: bool,
}

/// From where the folder is seen.
pub(super) enum At<'a> {
    /// From within, wherever it has been carried.
    Here,
    /// From this computer, where it is that one.
    Folder(&'a str),
}

impl At<'_> {
    /// As people read it.
    fn path(&self, file: &str) -> String {
        match self {
            Self::Here => file.to_owned(),
            Self::Folder(folder) => format!("{folder}/{file}"),
        }
    }

    fn word(&self, file: &str) -> String {
        shell(&self.path(file))
    }
}

/// How it says who it is, beside a certificate.
#[derive(Clone, Copy)]
pub(super) enum Login<'a> {
    /// Not at all.
    None,
    /// By a password that is not known here.
    Unknown,
    /// By this password.
    By(&'a str),
}

/// Stands where a password is not known here.
const HIDDEN: &str = "PASSWORD";

impl<'a> Login<'a> {
    fn password(self) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Unknown => Some(HIDDEN),
            Self::By(password) => Some(password),
        }
    }
}

/// What a sketch does beside connecting: lines of C++.
struct Deeds<'a> {
    /// Variables.
    remembers: &'a str,
    /// Whenever it has connected.
    connected: &'a str,
    /// Once, before that.
    before: &'a str,
    /// Over and over.
    ever: &'a str,
}

impl Snippets<'_> {
    /// Everything, for people.
    pub(super) fn text(&self, at: &At<'_>) -> String {
        let Self { name, door, .. } = self;
        let Door { host, port, .. } = door;
        let amount = self.amount();
        let mut text = match at {
            At::Here => format!(
                "`{name}` is let in; {amount} is in this folder. Lines for a shell are for one \
                 that is in it: `cd` here first.\n\n"
            ),
            At::Folder(folder) => format!(
                "`{name}` is let in; {amount} is in {folder}\n\
                 Carry that folder to where it is used: its README.txt has these lines for \
                 there.\n\n"
            ),
        };
        text.push_str(&self.notes());
        let [mut line, mut program, mut sketch] =
            [self.mosquitto(at), at.word("subscribe.py"), at.path("subscribe.ino")];
        if let Some(topic) = self.publishes {
            line = format!("{line}\n{}", self.mosquitto_pub(topic, at));
            program = format!("{program}\npython3 {}", at.word("publish.py"));
            sketch = format!("{sketch}\n{}", at.path("publish.ino"));
        }
        let _ = write!(
            text,
            "# mosquitto\n{line}\n\n\
             # Python: pip install paho-mqtt\npython3 {program}\n\n\
             # Arduino, ESP8266, ESP32: WiFiClientSecure with the library \"MQTT\" (arduino-mqtt)\n\
             {sketch}\n\n"
        );
        let _ = write!(
            text,
            "# Home Assistant: Settings > Devices & services > Add integration > MQTT\n\
             Broker: {host}\nPort: {port}\n"
        );
        if let Some(password) = self.login.password() {
            let _ = writeln!(text, "Username: {name}\nPassword: {password}");
        }
        if door.is_encrypted {
            let ca = at.path("ca.pem");
            let _ = writeln!(text, "Broker certificate validation: Custom, upload {ca}");
        }
        if self.has_certificate {
            let _ = writeln!(
                text,
                "Use a client certificate: {} and {}",
                at.path(&format!("{name}.pem")),
                at.path(&format!("{name}.key"))
            );
        }
        text.push('\n');
        if self.has_keys {
            let _ = writeln!(
                text,
                "# Phones, desktops, Java: certificate, key and authority in one file, locked with \
                 a passphrase of its own\n{}\n",
                at.path(&format!("{name}.p12"))
            );
        }
        text
    }

    /// What is still to be done, and what is said only once.
    fn notes(&self) -> String {
        let Self { name, door, .. } = self;
        let mut text = String::new();
        match self.login {
            Login::By(password) => {
                let _ = writeln!(
                    text,
                    "password: {password}  (not kept anywhere besides this folder)\n"
                );
            }
            Login::Unknown => {
                let _ = writeln!(
                    text,
                    "the gateway keeps no passwords: put yours in the place of {HIDDEN}, or draw \
                     a new one by `maison subscriber passwd {name}`.\n"
                );
            }
            Login::None => {}
        }
        if !door.addresses.is_empty() {
            let addresses: Vec<_> = door.addresses.iter().map(ToString::to_string).collect();
            let (host, addresses) = (&door.host, addresses.join(", "));
            let _ = writeln!(
                text,
                "where {host} is not found (it wants mDNS), an address does as well: {addresses}\n"
            );
        }
        if let Some(id) = self.client_id {
            let _ = writeln!(
                text,
                "what it may depends on its client identifier (`%c`): here that is {id}. Each \
                 further device needs another, and its topics have that one in them.\n"
            );
        }
        if !self.has_authority {
            text.push_str(
                "the listener has a certificate of the administrator's, and who signed it is not \
                 known here: put the certificate (PEM) of that authority into the folder, as \
                 ca.pem.\n\n",
            );
        }
        if door.is_foreign {
            let _ = writeln!(
                text,
                "the listener takes certificates of the administrator's authority only: have one \
                 issued, with the common name {name}, and put it and its key into the folder, as \
                 {name}.pem and {name}.key.\n"
            );
        } else if self.has_certificate && !self.has_keys {
            let _ = writeln!(
                text,
                "the gateway keeps no keys: put your {name}.pem and {name}.key into the folder, or \
                 have new ones made by `maison subscriber renew {name}`.\n"
            );
        }
        text
    }

    fn amount(&self) -> &'static str {
        let has_all = self.has_authority
            && (self.has_keys || !self.has_certificate)
            && !matches!(self.login, Login::Unknown);
        if has_all { "all it needs" } else { "what the gateway knows" }
    }

    /// Where to come, as one line.
    pub(super) fn address(&self) -> String {
        let Self { name, door: Door { host, port, is_encrypted, .. }, .. } = self;
        let scheme = if *is_encrypted { "mqtts" } else { "mqtt" };
        let login = match self.login {
            Login::By(password) => format!("{name}:{password}"),
            Login::Unknown | Login::None => (*name).to_owned(),
        };
        format!("{scheme}://{login}@{}:{port}", host.in_uri())
    }

    fn mosquitto(&self, at: &At<'_>) -> String {
        format!("mosquitto_sub -v -t {} {}", shell(self.topic), self.reached(at))
    }

    /// How the programs of mosquitto come in.
    fn reached(&self, at: &At<'_>) -> String {
        let Self { name, door: Door { host, port, is_encrypted, .. }, .. } = self;
        let mut line = format!("-h {host} -p {port}");
        if let Some(id) = self.client_id {
            let _ = write!(line, " -i {}", shell(id));
        }
        if *is_encrypted {
            let _ = write!(line, " --cafile {}", at.word("ca.pem"));
        }
        if self.has_certificate {
            let [own, key] = ["pem", "key"].map(|kind| at.word(&format!("{name}.{kind}")));
            let _ = write!(line, " --cert {own} --key {key}");
        }
        if let Some(password) = self.login.password() {
            let _ = write!(line, " -u {name} -P '{password}'");
        }
        line
    }

    /// A program for paho-mqtt.
    pub(super) fn python(&self) -> String {
        let Door { host, port, .. } = self.door;
        let mut text = format!("import pathlib\n{}", self.python_client());
        let _ = write!(
            text,
            "client.on_connect = lambda *_: client.subscribe({}, qos=1)\n\
             client.on_message = lambda c, u, m: print(m.topic, m.payload.decode(), flush=True)\n\
             client.connect(\"{host}\", {port})\n\
             client.loop_forever()\n",
            literal(self.topic)
        );
        text
    }

    /// The client of such a program, which has not connected yet.
    fn python_client(&self) -> String {
        let Self { name, door: Door { is_encrypted, .. }, .. } = self;
        let id = self.client_id.map(|id| format!(", client_id={}", literal(id)));
        let mut text = format!(
            "import paho.mqtt.client as mqtt\n\n\
             here = pathlib.Path(__file__).parent\n\
             client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2{})\n",
            id.unwrap_or_default()
        );
        if let Some(password) = self.login.password() {
            let _ = writeln!(text, "client.username_pw_set(\"{name}\", \"{password}\")");
        }
        match (is_encrypted, self.has_certificate) {
            (true, true) => {
                let _ = writeln!(
                    text,
                    "client.tls_set(here / \"ca.pem\", here / \"{name}.pem\", \
                     here / \"{name}.key\")"
                );
            }
            (true, false) => text.push_str("client.tls_set(here / \"ca.pem\")\n"),
            (false, _) => {}
        }
        text
    }

    /// A sketch for arduino-mqtt, with all certificates in it.
    pub(super) fn sketch(&self, ca: Option<&[u8]>, identity: Option<&ClientIdentity>) -> String {
        let deeds = Deeds {
            remembers: "",
            connected: &format!("  client.subscribe({}, 1);\n", literal(self.topic)),
            before: "  client.onMessage([](String &topic, String &payload) {\n    \
                     Serial.println(topic + \" \" + payload);\n  });\n",
            ever: "",
        };
        self.sketch_that(ca, identity, &deeds)
    }

    fn sketch_that(
        &self,
        ca: Option<&[u8]>,
        identity: Option<&ClientIdentity>,
        deeds: &Deeds<'_>,
    ) -> String {
        let Deeds { remembers, connected, before, ever } = deeds;
        let Self { name, door: Door { host, port, .. }, .. } = self;
        let pem = |label: &str, pem: &str| {
            format!("static const char {label}[] PROGMEM = R\"PEM(\n{}\n)PEM\";\n", pem.trim())
        };
        let mut text = String::from(
            "#include <MQTT.h>\n#include <WiFi.h>\n#include <WiFiClientSecure.h>\n\n\
             const char WIFI_NAME[] = \"your network\";\n\
             const char WIFI_PASSWORD[] = \"its password\";\n\n",
        );
        let ca = ca.map_or("(here comes what is in ca.pem)".into(), String::from_utf8_lossy);
        text.push_str(&pem("CA", &ca));
        let mut keys = String::from("  net.setCACert(CA);\n");
        if self.has_certificate {
            let own = |suffix: &str| format!("(here comes what is in {name}.{suffix})");
            let (certificate, key) = identity.map_or_else(
                || (own("pem"), own("key")),
                |identity| (identity.certificate.clone(), identity.key.clone()),
            );
            text.push_str(&pem("CERTIFICATE", &certificate));
            text.push_str(&pem("KEY", &key));
            keys.push_str("  net.setCertificate(CERTIFICATE);\n  net.setPrivateKey(KEY);\n");
        }
        let login = match self.login.password() {
            Some(password) => format!("\"{name}\", \"{name}\", \"{password}\""),
            None => format!("\"{name}\""),
        };
        let _ = write!(
            text,
            "\nWiFiClientSecure net;\nMQTTClient client(512);\n{remembers}\n\
             void connect() {{\n  while (WiFi.status() != WL_CONNECTED) delay(500);\n  \
             while (!client.connect({login})) delay(1000);\n{connected}}}\n\n\
             void setup() {{\n  Serial.begin(115200);\n  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);\n\
             {keys}  client.begin(\"{host}\", {port}, net);\n{before}  connect();\n}}\n\n\
             void loop() {{\n  client.loop();\n  delay(10);\n  \
             if (!client.connected()) connect();\n{ever}}}\n"
        );
        text
    }
}
