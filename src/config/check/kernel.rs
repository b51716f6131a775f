//! `address` of a sensor that the kernel reads: `lm75`, `lm75/1-0048`, `lm75/1-0048/temp2`.

use crate::config::complaint::{Complaint, Complaints};
use crate::config::schema;
use crate::config::written::{At, Field};
use crate::sensors::catalog::{Driver, Wiring};
use crate::sensors::{Address, KernelName, cpu};

/// A device by what it calls itself, the device it belongs to, and which of its channels.
pub(super) fn device(
    at: &At<schema::Sensor>,
    driver: Driver,
    wiring: Wiring,
    complaints: &mut Complaints,
) -> Option<Address> {
    let field = &at.value.address;
    if let (Some(usual), Field::Absent) = (usual_name(driver), field) {
        let name = KernelName { name: usual.into(), device: None, channel: None };
        return Some(Address::Kernel(name));
    }
    let hint = match wiring {
        Wiring::Hwmon => "what it calls itself: `cat /sys/class/hwmon/*/name`",
        Wiring::Iio => "what it calls itself: `cat /sys/bus/iio/devices/*/name`",
        _ => "what it calls itself: `cat /sys/class/thermal/*/type`",
    };
    let written = field.required("address", at.place, hint, complaints)?;
    let text = match &written.value {
        schema::Address::Text(text) => text.clone(),
        schema::Address::Number(number) => number.to_string(),
    };
    let name = match &written.value {
        schema::Address::Text(text) => parse(text, wiring),
        schema::Address::Number(_) => None,
    };
    if name.is_none() {
        let hint = match wiring {
            Wiring::Hwmon => "as `lm75`, `lm75/1-0048` or `lm75/1-0048/temp2`",
            Wiring::Iio => "as `bme280`, `bme280/1-0076` or `mlx90614/1-005a/in_temp_object`",
            _ => "as `cpu-thermal`",
        };
        let complaint = Complaint::value(written.place, "not the name of a device of the kernel");
        complaints.push(complaint.found(text).hint(hint));
    }
    name.map(Address::Kernel)
}

/// What a driver's device is called where nothing is written.
const fn usual_name(driver: Driver) -> Option<&'static str> {
    match driver {
        Driver::Cpu => Some(cpu::ZONE),
        // The kernel's one driver for both.
        Driver::Dht11 | Driver::Dht22 => Some("dht11"),
        _ => None,
    }
}

fn parse(text: &str, wiring: Wiring) -> Option<KernelName> {
    let parts: Vec<&str> = text.split('/').collect();
    if !parts.iter().all(|part| KernelName::is_part(part)) {
        return None;
    }
    let (name, device, channel) = match (wiring, parts.as_slice()) {
        (_, [name]) => (*name, None, None),
        (Wiring::Thermal, _) => return None,
        (_, [name, channel]) if is_channel(channel, wiring) => (*name, None, Some(*channel)),
        (_, [name, device]) => (*name, Some(*device), None),
        (_, [name, device, channel]) if is_channel(channel, wiring) => {
            (*name, Some(*device), Some(*channel))
        }
        _ => return None,
    };
    let [device, channel] = [device, channel].map(|part| part.map(Into::into));
    Some(KernelName { name: name.into(), device, channel })
}

/// `temp2` of hwmon, `in_temp` and what begins so of IIO.
fn is_channel(part: &str, wiring: Wiring) -> bool {
    match (wiring, part.strip_prefix("temp"), part.strip_prefix("in_temp")) {
        (Wiring::Hwmon, Some(digits), _) => {
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
        }
        (Wiring::Iio, _, Some(rest)) => rest.is_empty() || rest.starts_with(['_', '0', '1', '2']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, wiring: Wiring, is_name: bool) {
        let name = parse(text, wiring);
        assert_eq!(name.as_ref().map(ToString::to_string).as_deref(), is_name.then_some(text));
        // What is printed is read alike.
        let again = name.as_ref().and_then(|name| parse(&name.to_string(), wiring));
        assert_eq!(again, name, "{text}");
    }

    #[test]
    fn names_are_read_as_they_are_printed() {
        for text in ["lm75", "lm75/1-0048", "lm75/temp2", "lm75/1-0048/temp2", "a b@4"] {
            check(text, Wiring::Hwmon, true);
        }
        check("mlx90614/1-005a/in_temp_object", Wiring::Iio, true);
        check("mlx90614/in_temp_object", Wiring::Iio, true);
        check("cpu-thermal", Wiring::Thermal, true);
        check("cpu-thermal/temp1", Wiring::Thermal, false);
        for bad in ["", "/", "lm75/", "../lm75", "lm75/..", "lm75/a/b", "lm75/a/temp", "é", "a\n"]
        {
            check(bad, Wiring::Hwmon, false);
        }
        assert_eq!(parse("lm75/temp2", Wiring::Hwmon).unwrap().device, None);
    }
}
