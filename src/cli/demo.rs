//! `maison demo`: a simulated house of five rooms through the whole real pipeline, on loopback.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use crossterm::{cursor, execute, terminal};
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport,
};

use super::exit;
use super::table::Table;
use crate::config::{self, LogFilter, Report, Settings, Source};
use crate::daemon::signals::Signals;
use crate::daemon::state::StateDir;
use crate::daemon::{Gateway, logging, settings, state};
use crate::net::tls;

const USER: &str = "demo";
const PASSWORD_FILE: &str = "demo.password";
const PORT: u16 = 18_830;
const TLS_PORT: u16 = 18_883;
const REQUESTS_MAX: usize = 16;
const REDRAW_EVERY: Duration = Duration::from_secs(1);
/// A board that is busy with other things has this long to shake hands and to check a password.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Run a simulated house: chips down to their registers, the real drivers, the real broker
#[derive(Args, Debug)]
pub struct Arguments {
    /// Folder of its CA, its login and its configuration [default: `maison/demo` in the user's
    /// state folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Another house: the rooms and the `[simulation]` of this configuration file
    #[arg(long, value_name = "FILE")]
    house: Option<PathBuf>,
    /// How many times as fast as ours the clock of the house goes: its weather and its faults, not
    /// how often a sensor is read
    #[arg(long, value_name = "TIMES", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    speed: u32,
    /// Stop after this long, as in `30s`
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
}

/// Slug, name, driver, address and what kind of place it is.
const ROOMS: [(&str, &str, &str, &str, &str); 5] = [
    ("salon", "Salon", "ds18b20", "28-01131e858aef", "room"),
    ("chambre", "Chambre d'été", "ds18b20", "28-0114a2b3c4d5", "room"),
    ("cuisine", "Cuisine", "sht3x", "0x44", "room"),
    ("bureau", "Bureau", "tmp117", "0x48", "room"),
    ("cave", "Cave à vin", "ds18b20", "28-0115deadbeef", "cellar"),
];

/// Runs until told to stop.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let folder = arguments.state.clone().map_or_else(default_folder, Ok)?;
    fs::create_dir_all(folder.parent().unwrap_or(Path::new("/")))
        .with_context(|| format!("cannot make the folder of the demo: `{}`", folder.display()))?;
    let state = StateDir::open(&folder)?;
    let password = login(&state)?;
    let file = state.path().join("maison.toml");
    let text = match arguments.house.as_deref().map(|house| settings::load(Some(house))) {
        None => own_house(configuration(state.path())?),
        Some(Ok(house)) => with_rooms_of(&house, &configuration(state.path())?)?,
        Some(Err(error)) => {
            super::complain(error);
            return Ok(exit::code(exit::CONFIGURATION));
        }
    };
    state.write("maison.toml", text.as_bytes())?;
    drop(state);
    let settings = match settings::load(Some(&file)) {
        Ok(settings) => settings,
        Err(error) => {
            super::complain(error);
            return Ok(exit::code(exit::CONFIGURATION));
        }
    };
    let quiet = LogFilter::parse("warn").unwrap_or_default();
    logging::start(&quiet, settings.log.format);
    super::block_on(async {
        let mut signals = Signals::listen()?;
        let gateway = Gateway::simulate(&settings, arguments.speed)?;
        let ports = gateway.addresses().iter().map(SocketAddr::port).collect::<Vec<_>>();
        let visit = Visit::new(&settings, &folder, &ports, password)?;
        visit.print_commands()?;
        let wanted = arguments.duration.unwrap_or(Duration::MAX);
        tokio::select! {
            shown = visit.show(&settings) => shown?,
            () = tokio::time::sleep(wanted) => {}
            _ = signals.next() => {}
        }
        gateway.stop().await;
        println!("\nstopped: every room was published as offline");
        Ok(ExitCode::SUCCESS)
    })
}

fn default_folder() -> Result<PathBuf> {
    let under = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let base = under("XDG_STATE_HOME").or_else(|| Some(under("HOME")?.join(".local/state")));
    let base = base.context("no home folder\n  hint: name a folder with `--state`")?;
    Ok(base.join("maison/demo"))
}

/// The login of the demo, made once and kept.
fn login(state: &StateDir) -> Result<String> {
    if let Some(kept) = state.read(PASSWORD_FILE)? {
        let text = String::from_utf8_lossy(&kept);
        let password = text.trim_end().to_owned();
        state::set_password(state.path(), USER, password.as_bytes())?;
        return Ok(password);
    }
    let password = state::random_password()?;
    state.write(PASSWORD_FILE, format!("{password}\n").as_bytes())?;
    state::set_password(state.path(), USER, password.as_bytes())?;
    Ok(password)
}

/// The rooms and the simulation of another house with the listeners of this one.
fn with_rooms_of(house: &Settings, listeners: &str) -> Result<String> {
    let source = Source { path: "demo".into(), text: listeners.to_owned() };
    let own = config::parse(&[source]).map_err(|report| anyhow!("{report}"))?;
    let Settings { simulation, rooms, .. } = house.clone();
    Ok(Settings { simulation, rooms, ..own }.to_toml())
}

/// The configuration of the demo without its rooms: an ordinary file, to be looked at and changed.
fn configuration(folder: &Path) -> Result<String> {
    let folder = folder.to_str().context("the folder's name is not UTF-8")?;
    let (plain, encrypted) = (free_port(PORT), free_port(TLS_PORT));
    Ok(format!(
        "[gateway]\nstate_dir = '{folder}'\n\n\
         [broker]\ndurability = \"memory\"\n\n\
         [[listener]]\nbind = \"127.0.0.1:{plain}\"\nauth = \"anonymous\"\n\n\
         [[listener]]\nbind = \"127.0.0.1:{encrypted}\"\ntls = true\nauth = \"password\"\n"
    ))
}

/// The same with the five rooms of the demo.
fn own_house(mut text: String) -> String {
    text.extend(ROOMS.into_iter().map(room));
    text
}

/// Each reading is told, so that something is to be seen; a cellar is one, whatever its address.
fn room((slug, name, driver, address, place): (&str, &str, &str, &str, &str)) -> String {
    format!(
        "\n[rooms.{slug}]\nname = \"{name}\"\n\n\
         [[rooms.{slug}.sensors]]\ndriver = \"{driver}\"\nbus = \"simulated\"\n\
         address = \"{address}\"\ninterval = \"2s\"\ndeadband = 0.0\n\n\
         [[simulation.places]]\nroom = \"{slug}\"\nplace = \"{place}\"\n"
    )
}

/// The rooms of the demo, where there is no gateway.
pub(super) fn house() -> Result<Settings, Report> {
    let text = ROOMS.into_iter().map(room).collect();
    config::parse(&[Source { path: "demo".into(), text }])
}

/// `wanted`, or any other if someone has it.
fn free_port(wanted: u16) -> u16 {
    TcpListener::bind(("127.0.0.1", wanted)).map_or(0, |_| wanted)
}

/// A subscriber of the demo: what it needs to come in over TLS, as anyone would.
struct Visit {
    ca: PathBuf,
    password_file: PathBuf,
    password: String,
    tls_port: u16,
    port: u16,
    rooms: usize,
}

impl Visit {
    fn new(settings: &Settings, folder: &Path, ports: &[u16], password: String) -> Result<Self> {
        let of = |encrypted: bool| {
            let mut listeners = settings.listeners.iter().zip(ports);
            let found = listeners.find(|(listener, _)| listener.tls.is_some() == encrypted);
            found.map(|(_, port)| *port).context("a listener is missing")
        };
        Ok(Self {
            ca: folder.join("ca.pem"),
            password_file: folder.join(PASSWORD_FILE),
            password,
            tls_port: of(true)?,
            port: of(false)?,
            rooms: settings.rooms.len(),
        })
    }

    fn print_commands(&self) -> io::Result<()> {
        let Self { ca, password_file, password, tls_port, port, rooms } = self;
        let (ca, password_file) = (ca.display(), password_file.display());
        let program = std::env::current_exe().unwrap_or_else(|_| "maison".into());
        let program = program.display();
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "A house of {rooms} rooms is on localhost: TLS on port {tls_port} (user `{USER}`), \
             plain on {port}.\n\
             Subscribe from another terminal, with any of these:\n\n\
             # maison\n\
             '{program}' sub 'maison/+/temperature' --port {tls_port} --ca '{ca}' --user {USER} \
             --password-file '{password_file}'\n\n\
             # mosquitto\n\
             mosquitto_sub -v -t 'maison/+/temperature' -h localhost -p {tls_port} --cafile '{ca}' \
             -u {USER} -P {password}\n\n\
             # paho-mqtt\n\
             python3 -c '\n\
             import paho.mqtt.client as mqtt\n\
             client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)\n\
             client.username_pw_set(\"{USER}\", \"{password}\")\n\
             client.tls_set(\"{ca}\")\n\
             client.on_connect = lambda *_: client.subscribe(\"maison/+/temperature\")\n\
             client.on_message = lambda c, u, m: print(m.topic, m.payload.decode(), flush=True)\n\
             client.connect(\"localhost\", {tls_port})\n\
             client.loop_forever()'\n"
        )?;
        out.flush()
    }

    /// Shows the rooms as this subscriber is told of them, until the connection ends.
    async fn show(&self, settings: &Settings) -> Result<()> {
        let rooms = settings.rooms.iter().map(|room| (room.slug.as_str(), room.name.as_str()));
        let mut table = Table::new(&settings.gateway.root, rooms);
        let (client, mut events) = self.connect()?;
        for filter in table.filters() {
            client.try_subscribe(filter, QoS::AtLeastOnce)?;
        }
        // In a task of its own: to give up waiting for an event would give up the connection.
        let (told, mut heard) = tokio::sync::mpsc::channel(REQUESTS_MAX);
        tokio::spawn(async move { while told.send(events.poll().await).await.is_ok() {} });
        let mut screen = Screen::new();
        let mut redraw = tokio::time::interval(REDRAW_EVERY);
        loop {
            tokio::select! {
                event = heard.recv() => {
                    let event = event.context("the table's connection has ended")??;
                    let Event::Incoming(Packet::Publish(publish)) = event else { continue };
                    let said = table.take(&publish.topic, &publish.payload);
                    screen.say(said)?;
                }
                _ = redraw.tick() => screen.draw(&table.lines())?,
            }
        }
    }

    fn connect(&self) -> Result<(AsyncClient, EventLoop)> {
        let mut options = MqttOptions::new("maison-demo-table", "localhost", self.tls_port);
        let authority = fs::read(&self.ca)?;
        let tls = TlsConfiguration::Rustls(Arc::new(tls::client_config(&authority)?));
        options.set_transport(Transport::tls_with_config(tls));
        options.set_credentials(USER, &self.password);
        let (client, mut events) = AsyncClient::new(options, REQUESTS_MAX);
        events.network_options.set_connection_timeout(CONNECT_TIMEOUT.as_secs());
        Ok((client, events))
    }
}

/// Where the table is drawn again and again; elsewhere than on a terminal, changes are told one a
/// line.
struct Screen {
    is_terminal: bool,
    drawn: u16,
}

impl Screen {
    fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal(), drawn: 0 }
    }

    fn say(&self, change: Option<String>) -> io::Result<()> {
        match change {
            Some(change) if !self.is_terminal => writeln!(io::stdout(), "{change}"),
            _ => Ok(()),
        }
    }

    fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        if !self.is_terminal {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        if self.drawn > 0 {
            execute!(out, cursor::MoveUp(self.drawn))?;
        }
        execute!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
        for line in lines {
            writeln!(out, "{line}")?;
        }
        self.drawn = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rumqttc::ConnectionError;

    use super::*;
    use crate::bus::clock::ManualClock;
    use crate::bus::{Attached, Clock};
    use crate::daemon::{Fitted, Roster, World};

    /// What each room may be over the year, in °C.
    const BANDS: [(&str, i32, i32); 5] = [
        ("salon", 17, 27),
        ("chambre", 17, 27),
        ("cuisine", 17, 27),
        ("bureau", 17, 27),
        ("cave", 11, 15),
    ];

    /// In each month, each at another hour.
    #[test]
    fn every_room_has_one_decimal_and_a_temperature_that_such_a_room_can_have() {
        let settings = house().unwrap();
        let roster = Roster::new(&settings);
        for fitted in roster.sensors() {
            assert_eq!(fitted.sensor.sampling.temperature.decimals, 1, "{}", fitted.room);
        }
        for month in 0..12 {
            let since_new_year = month * (30 * 24 + 2) * 3600;
            let start = 1000 * (1_767_225_600 + since_new_year);
            let mut there = settings.clone();
            there.simulation.start = Some(start);
            for (room, read) in readings(&there, &roster) {
                let (_, low, high) = BANDS.into_iter().find(|(slug, ..)| *slug == room).unwrap();
                assert!((low * 1000..high * 1000).contains(&read), "{month}: {room}: {read}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_machine_has_its_time_to_let_the_table_in() {
        let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&ca, made.cert.pem()).unwrap();
        let tls_port = silent.local_addr().unwrap().port();
        let (password_file, password) = (PathBuf::new(), String::new());
        let visit = Visit { ca, password_file, password, tls_port, port: 0, rooms: 0 };
        let (_client, mut events) = visit.connect().unwrap();
        let start = tokio::time::Instant::now();
        assert!(matches!(events.poll().await, Err(ConnectionError::NetworkTimeout)));
        assert_eq!(start.elapsed().as_secs(), CONNECT_TIMEOUT.as_secs());
    }

    /// Of each room, where it can be read.
    fn readings(settings: &Settings, roster: &Roster) -> BTreeMap<String, i32> {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let sensors = || roster.sensors().iter();
        let attached = sensors().map(Fitted::attached);
        let mut read = BTreeMap::new();
        let world = World::new(settings, Some(1), &clock);
        for (_, mut bus, there) in world.wired(attached, &settings.hardware.sysfs) {
            let ids: Vec<_> = there.iter().map(|Attached { id, .. }| *id).collect();
            for _ in 0..3 {
                bus.read(&ids, &mut |id, result| {
                    let room = sensors().find(|fitted| fitted.id == id).unwrap().room.to_string();
                    if let Ok(measured) = result {
                        read.insert(room, measured.temperature.thousandths());
                    }
                });
            }
        }
        assert_eq!(read.len(), ROOMS.len());
        read
    }
}
