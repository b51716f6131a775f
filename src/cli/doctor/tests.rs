//! Troubles planted on a machine whose files are below a folder: real files, looked at as those of
//! this machine are.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use super::finding::{Finding, Found, Severity};
use super::patient::Patient;
use super::*;
use crate::daemon::state::StateDir;
use crate::daemon::status::Status;
use crate::net::{Authority, Names};

/// A machine, and the configuration of a gateway on it.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// With the service installed, and these rooms.
    fn new(rooms: &str) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        let place = machine.root().display();
        machine.put(
            "maison.toml",
            &format!(
                "[gateway]\nstate_dir = \"{place}/state\"\n[hardware]\nsysfs = \
                 \"{place}/sys\"\n{rooms}"
            ),
        );
        machine.put("etc/passwd", "root:x:0:0::/:/bin/sh\nmaison:x:998:997::/:/bin/false\n");
        machine.put("etc/group", "root:x:0:\ni2c:x:44:\nmaison:x:997:\n");
        machine.put("usr/lib/systemd/system/maison.service", "[Service]\nUser=maison\n");
        machine.put("sys/class/i2c-dev/i2c-1/name", "bcm2835\n");
        machine.put("sys/bus/i2c/devices/i2c-1/name", "bcm2835\n");
        machine
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// What an area finds.
    fn examined(&self, examine: fn(&Patient, &mut Found)) -> Found {
        let config = self.root().join("maison.toml");
        let patient = Patient::on(self.root(), Some(&config));
        assert!(patient.trouble.is_none(), "{:?}", patient.trouble);
        let mut found = Found::default();
        examine(&patient, &mut found);
        found
    }

    /// The names of what an area finds, and the only finding of one of them.
    #[track_caller]
    fn check(&self, examine: fn(&Patient, &mut Found), expected: &[&str]) -> Vec<Finding> {
        let found = self.examined(examine).findings;
        let found: Vec<Finding> = found.into_iter().map(|(_, finding)| finding).collect();
        let names: Vec<_> = found.iter().map(|finding| finding.name).collect();
        assert_eq!(names, expected, "{found:#?}");
        found
    }
}

const TMP117: &str = "[[rooms.salon.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\"\n";
const DS18B20: &str = "[[rooms.salon.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"\n\
                       address = \"28-01131e858aef\"\n";
const MCP3008: &str = "[[rooms.salon.sensors]]\ndriver = \"max31855\"\nbus = \"spi-0.0\"\n";

#[test]
fn a_missing_1_wire_is_an_overlay_or_a_reboot() {
    let machine = Machine::new(DS18B20);
    let found = machine.check(buses::examine, &["no-1-wire"]);
    assert!(found[0].what.english.ends_with("need it: salon"), "{found:?}");
    assert!(found[0].paste[0].starts_with("echo 'dtoverlay=w1-gpio' | sudo tee"), "{found:?}");
    machine.put("boot/firmware/config.txt", "# nothing\n dtoverlay=w1-gpio,gpiopin=4\n");
    let found = machine.check(buses::examine, &["no-1-wire"]);
    assert_eq!(found[0].paste, ["sudo reboot"]);
    Machine::new(TMP117).check(buses::examine, &[]);
}

#[test]
fn a_1_wire_bus_of_noise_strangers_or_without_its_module_is_told() {
    let machine = Machine::new(DS18B20);
    let slave = |id: &str| {
        machine.put(&format!("sys/bus/w1/devices/w1_bus_master1/{id}/name"), id);
        machine.put(&format!("sys/bus/w1/devices/{id}/name"), id);
    };
    slave("28-01131e858aef");
    let found = machine.check(buses::examine, &["no-w1-therm"]);
    assert_eq!(found[0].paste[0], "sudo modprobe w1-therm");
    machine.put("sys/bus/w1/devices/28-01131e858aef/w1_slave", "");
    machine.check(buses::examine, &[]);
    slave("28-3c01d6075f12");
    let found = machine.check(buses::examine, &["without-a-room"]);
    assert!(found[0].what.french.ends_with("sans pièce : 28-3c01d6075f12"), "{found:?}");
    slave("00-400000000000");
    machine.check(buses::examine, &["1-wire-noise"]);
}

#[test]
fn a_missing_i2c_spi_or_pin_is_told_with_its_line() {
    let machine = Machine::new(TMP117);
    machine.check(buses::examine, &[]);
    fs::remove_dir_all(machine.root().join("sys/class/i2c-dev")).unwrap();
    let found = machine.check(buses::examine, &["no-i2c-dev"]);
    assert_eq!(found[0].paste[0], "sudo modprobe i2c-dev");
    fs::remove_dir_all(machine.root().join("sys/bus/i2c")).unwrap();
    let found = machine.check(buses::examine, &["no-i2c"]);
    assert!(found[0].paste[0].contains("dtparam=i2c_arm=on"), "{found:?}");

    let machine = Machine::new(MCP3008);
    let found = machine.check(buses::examine, &["no-spi"]);
    assert!(found[0].paste[0].contains("dtparam=spi=on"), "{found:?}");
    machine.put("sys/class/spidev/spidev0.0/dev", "153:0\n");
    machine.check(buses::examine, &[]);

    let machine = Machine::new(&DS18B20.replace("w1", "gpio4"));
    machine.check(buses::examine, &["no-pins"]);
    machine.put("dev/gpiomem", "");
    machine.check(buses::examine, &[]);
}

#[test]
fn a_chip_that_the_kernel_has_is_told() {
    let machine = Machine::new(&(TMP117.to_owned() + "address = 0x48\n"));
    machine.put("sys/bus/i2c/devices/1-0048/name", "tmp117\n");
    machine.check(buses::examine, &[]);
    let driver = machine.root().join("sys/bus/i2c/devices/1-0048/driver");
    symlink("../../bus/i2c/drivers/tmp117", driver).unwrap();
    let found = machine.check(buses::examine, &["kernel-has-the-chip"]);
    assert!(found[0].what.english.contains("at 0x48 belongs"), "{found:?}");
}

/// As root, who can give files away.
#[test]
fn a_device_that_the_service_may_not_open_is_told_with_its_group() {
    let machine = Machine::new(TMP117);
    machine.put("dev/i2c-1", "");
    let device = machine.root().join("dev/i2c-1");
    let set = |mode: u32, group: u32| {
        fs::set_permissions(&device, Permissions::from_mode(mode)).unwrap();
        chown(&device, Some(0), Some(group)).unwrap();
    };
    if !rustix::process::geteuid().is_root() {
        return eprintln!("not root: nothing can be given away");
    }
    set(0o660, 44);
    let found = machine.check(devices::examine, &["device-closed"]);
    assert_eq!(found[0].what.english, "`maison` may not open /dev/i2c-1 (mode 660)");
    assert_eq!(found[0].paste[0], "sudo usermod --append --groups i2c maison");
    set(0o600, 0);
    let found = machine.check(devices::examine, &["device-closed"]);
    let rule = "echo 'SUBSYSTEM==\"i2c-dev\", GROUP=\"i2c\", MODE=\"0660\"' | sudo tee -a";
    assert!(found[0].paste[1].starts_with(rule), "{found:?}");
    set(0o666, 0);
    machine.check(devices::examine, &[]);
    set(0o660, 44);
    machine.put("etc/group", "root:x:0:\ni2c:x:44:pi,maison\n");
    machine.check(devices::examine, &[]);
}

/// Its mode is looked at, since root may look anywhere.
#[test]
fn a_1_wire_folder_that_the_service_may_not_look_into_is_told() {
    let machine = Machine::new(DS18B20);
    machine.check(devices::examine, &[]);
    machine.put("sys/bus/w1/devices/w1_bus_master1/28-01131e858aef/name", "");
    let folder = machine.root().join("sys/bus/w1/devices");
    let set = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    set(0o755);
    machine.check(devices::examine, &[]);
    set(0o700);
    let found = machine.check(devices::examine, &["1-wire-closed"]);
    let what = &found[0].what.english;
    assert!(
        what.starts_with("`maison` may not look into `") && what.ends_with(": salon"),
        "{what}"
    );
    assert_eq!(found[0].paste, [format!("sudo chmod 755 {}", folder.display())]);
    if rustix::process::geteuid().is_root() {
        set(0o750);
        chown(&folder, Some(0), Some(44)).unwrap();
        let found = machine.check(devices::examine, &["1-wire-closed"]);
        assert_eq!(found[0].paste[0], "sudo usermod --append --groups i2c maison");
    }
    Machine::new(TMP117).check(devices::examine, &[]);
}

#[test]
fn a_state_folder_that_is_open_of_another_or_nowhere_is_told() {
    let machine = Machine::new("");
    machine.check(devices::examine, &[]);
    let state = machine.root().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o750)).unwrap();
    let found = machine.check(devices::examine, &["state-folder-open", "state-folder-of-another"]);
    assert!(found[0].paste[0].starts_with("sudo chmod 700 "), "{found:?}");
    assert!(found[1].paste[0].starts_with("sudo chown -R maison: "), "{found:?}");
    machine.put("maison.toml", "[gateway]\nstate_dir = \"/no/such/place\"\n");
    let found = machine.check(devices::examine, &["state-folder-without-parent"]);
    assert_eq!(found[0].paste, ["sudo mkdir -p /no/such"]);
}

#[test]
fn a_weak_supply_and_a_hot_processor_are_told() {
    let machine = Machine::new("");
    machine.check(power::examine, &[]);
    let throttled = |word: &str| {
        machine.put("sys/devices/platform/soc/soc:firmware/get_throttled", word);
    };
    let check = |word: &str, expected: &[(&str, Severity)]| {
        throttled(word);
        let found = machine.examined(power::examine).findings;
        let found: Vec<_> = found.iter().map(|(_, it)| (it.name, it.severity)).collect();
        assert_eq!(found, expected, "{word}");
    };
    check("0\n", &[]);
    check("1\n", &[("under-voltage", Severity::Error)]);
    check("10000\n", &[("under-voltage", Severity::Warning)]);
    check("4\n", &[("throttled", Severity::Warning)]);
    check("40000\n", &[("throttled", Severity::Note)]);
    let both = [("under-voltage", Severity::Warning), ("throttled", Severity::Note)];
    check("50000\n", &both);
    throttled("0\n");
    machine.put("sys/class/hwmon/hwmon1/name", "rpi_volt\n");
    machine.put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
    machine.put("sys/class/thermal/thermal_zone0/temp", "80512\n");
    let found = machine.check(power::examine, &["under-voltage", "processor-hot"]);
    assert!(found[1].what.english.starts_with("the processor is at 80 °C"), "{found:?}");
}

#[test]
fn ports_of_others_are_told_and_mosquittos_is_offered_the_way() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let machine =
        Machine::new(&format!("[[listener]]\nbind = \"{address}\"\nauth = \"anonymous\"\n"));
    machine.check(ports::examine, &[]);
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    machine.put("proc/net/tcp", &table);
    let found = machine.check(ports::examine, &["port-taken"]);
    assert!(
        found[0].what.english.ends_with("by a program that this user may not see"),
        "{found:?}"
    );
    let port = format!(":{:04X} ", address.port());
    let line = table.lines().find(|line| line.contains(&port)).unwrap();
    let inode = line.split_whitespace().nth(9).unwrap();
    machine.put("proc/4711/comm", "mosquitto\n");
    fs::create_dir_all(machine.root().join("proc/4711/fd")).unwrap();
    symlink(format!("socket:[{inode}]"), machine.root().join("proc/4711/fd/5")).unwrap();
    let found = machine.check(ports::examine, &["port-taken"]);
    assert!(found[0].what.english.ends_with("by `mosquitto` (process 4711)"), "{found:?}");
    assert!(found[0].paste[0].starts_with("sudo maison import mosquitto /etc/mosquitto --write"));
    machine.put("proc/4711/comm", "nginx\n");
    let found = machine.check(ports::examine, &["port-taken"]);
    assert!(found[0].paste[0].starts_with("sudo ss -ltnp"), "{found:?}");
    machine.put("proc/4711/comm", "systemd\n");
    machine.check(ports::examine, &[]);
}

/// A gateway that answers, and what it is made to say.
#[track_caller]
fn said_by(change: impl FnOnce(&mut Status), expected: &[(&str, Severity)]) {
    let machine = Machine::new("");
    let mut patient = Patient::on(machine.root(), Some(&machine.root().join("maison.toml")));
    let mut status = Status { version: env!("CARGO_PKG_VERSION").into(), ..Status::default() };
    change(&mut status);
    patient.gateway = Ok(Box::new(status));
    let mut found = Found::default();
    for examine in [configuration::examine, service::examine, store::examine] {
        examine(&patient, &mut found);
    }
    let found: Vec<_> = found.findings.iter().map(|(_, it)| (it.name, it.severity)).collect();
    let nothing_else = [("no-sensors", Severity::Note)];
    let expected: Vec<_> = nothing_else.iter().chain(expected).copied().collect();
    assert_eq!(found, expected);
}

#[test]
fn what_the_gateway_says_of_itself_is_told() {
    said_by(|_| {}, &[]);
    let warning = |name| [(name, Severity::Warning)];
    said_by(|it| it.version = "0.0.1".into(), &warning("other-version"));
    said_by(|it| it.stuck_bus = Some("w1".into()), &[("bus-stuck", Severity::Error)]);
    said_by(|it| it.queues.dropped = 3, &warning("messages-dropped"));
    said_by(|it| it.clients.refused = 3, &[("logins-refused", Severity::Note)]);
    for state in ["full", "read-only", "failed"] {
        let store = |it: &mut Status| it.store = Some(store_that_is(state));
        said_by(store, &[("store-not-written", Severity::Error)]);
    }
    said_by(|it| it.store = Some(store_that_is("ok")), &[]);
}

fn store_that_is(state: &str) -> crate::daemon::status::Store {
    let mut value = serde_json::json!({ "state": state });
    for key in
        ["bytes_written", "syncs", "commits", "failures", "changes_spared", "refused", "file_bytes"]
    {
        value[key] = 0.into();
    }
    serde_json::from_value(value).unwrap()
}

#[test]
fn where_avahi_runs_its_file_is_looked_at() {
    let listener = "[[listener]]\nbind = \"[::]:8883\"\ntls = true\n";
    let machine = Machine::new(listener);
    machine.check(mdns::examine, &[]);
    machine.put("run/avahi-daemon/pid", "77\n");
    let found = machine.check(mdns::examine, &["avahi-silent"]);
    let (_, file) = found[0].paste[0].split_once("<<'END'\n").unwrap();
    let file = file.strip_suffix("END").unwrap();
    assert!(file.contains("<txt-record>base=maison</txt-record>"), "{file}");
    machine.put("etc/avahi/services/maison.service", file);
    machine.check(mdns::examine, &[]);
    let root = fs::read_to_string(machine.root().join("maison.toml")).unwrap();
    machine.put("maison.toml", &root.replace("[gateway]\n", "[gateway]\nroot = \"a&b\"\n"));
    assert_eq!(machine.examined(mdns::examine).unseen.len(), 1, "the authority is not known");
    let made = authority_in(&machine.root().join("state"));
    let found = machine.check(mdns::examine, &["avahi-outdated"]);
    let paste = &found[0].paste[0];
    assert!(paste.contains("base=a&amp;b<") && paste.contains(&format!("fp=sha256:{made}")));
}

/// The fingerprint of an authority that is made in that folder.
fn authority_in(folder: &Path) -> String {
    let state = StateDir::visit(folder).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000);
    let authority = Authority::open(&state, &Names::new("pi", []), now).unwrap();
    authority.facts().unwrap().fingerprint.replace(':', "").to_lowercase()
}
