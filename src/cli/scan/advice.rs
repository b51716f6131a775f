//! What to do about what is not there, in words to paste.

use serde_json::{Value, json};

use crate::config::Bus;
use crate::sensors::{Address, Fault};

use super::look::{Missing, Place};

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    pub why: String,
    /// Lines for a shell; empty where a hand is needed.
    pub paste: Vec<String>,
}

impl Advice {
    fn new(why: impl Into<String>, paste: &[&str]) -> Self {
        Self { why: why.into(), paste: paste.iter().map(ToString::to_string).collect() }
    }

    pub(super) fn json(&self) -> Value {
        json!({ "why": self.why, "paste": self.paste })
    }
}

/// What is to be done on this machine.
pub(super) fn advice(places: &[Place], missing: &[Missing]) -> Vec<Advice> {
    let mut all = Vec::new();
    one_wire(places, &mut all);
    i2c(places, &mut all);
    let wants_spi = missing.iter().any(|it| matches!(it.sensor.bus, Bus::Spi { .. }));
    if (wants_spi || places.is_empty())
        && !places.iter().any(|it| matches!(it.bus, Bus::Spi { .. }))
    {
        let line = boot("dtparam=spi=on");
        all.push(Advice::new("no SPI; needed for MAX31865, MAX31855, MAX6675, MCP3008", &[&line]));
    }
    all
}

fn one_wire(places: &[Place], all: &mut Vec<Advice>) {
    let mut masters = places.iter().filter(|place| place.bus == Bus::Kernel1Wire).peekable();
    if masters.peek().is_none() {
        let line = boot("dtoverlay=w1-gpio");
        all.push(Advice::new(
            "no 1-Wire bus of the kernel; for DS18B20 on GPIO 4 (pin 7)",
            &[&line],
        ));
    }
    for master in masters {
        let is_noise = master
            .things
            .iter()
            .any(|thing| matches!(&thing.address, Some(Address::OneWire(id)) if id.family == 0));
        if is_noise {
            all.push(Advice::new(
                format!(
                    "{}: devices of family 00 are noise: 4.7 kΩ between data and 3.3 V are \
                     missing, or the data line touches ground",
                    master.name
                ),
                &[],
            ));
        } else if master.things.is_empty() {
            all.push(Advice::new(
                format!(
                    "{}: nobody answers: data on GPIO 4 (pin 7), 3.3 V (pin 1), ground (pin 9), \
                     and 4.7 kΩ between data and 3.3 V; a new probe takes some ten seconds",
                    master.name
                ),
                &[],
            ));
        }
    }
}

fn i2c(places: &[Place], all: &mut Vec<Advice>) {
    let mut adapters = places.iter().filter(|place| matches!(place.bus, Bus::I2c(_))).peekable();
    if adapters.peek().is_none() {
        let why = "no I²C bus; for chips on pins 3 and 5";
        all.push(Advice::new(why, &[MODULE, &boot("dtparam=i2c_arm=on")]));
    }
    for Place { name, trouble, .. } in adapters {
        match trouble.as_ref().map(|it| (it.fault, &it.hint)) {
            Some((Fault::Permission, _)) => {
                let why = format!("{name}: may not be opened; then log in again");
                all.push(Advice::new(why, &["sudo usermod -aG i2c \"$USER\""]));
            }
            Some((Fault::NoBus, _)) => {
                let why = format!("{name}: there is no `/dev/{name}`");
                all.push(Advice::new(why, &[MODULE, "sudo modprobe i2c-dev"]));
            }
            Some((_, hint)) => all.push(Advice::new(format!("{name}: {hint}"), &[])),
            None => {}
        }
    }
}

/// Loads `i2c-dev` at each boot.
pub(in crate::cli) const MODULE: &str = "echo i2c-dev | sudo tee /etc/modules-load.d/i2c.conf";

/// Adds a line to the boot settings of Raspberry Pi OS.
pub(in crate::cli) fn boot(line: &str) -> String {
    format!("echo '{line}' | sudo tee -a /boot/firmware/config.txt && sudo reboot")
}
