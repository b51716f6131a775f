//! Devices by their names, in memory and in a tree of real files.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use super::*;
use crate::sensors::catalog::Driver;
use crate::sim::air::Air;
use crate::sim::kernel::{self as sim, Device, Form, Kernel};
use crate::units::{DeciPascal, MilliCelsius, MilliPercent, Quantity};

const SENSOR: SensorId = SensorId(3);

fn name(text: &str) -> KernelName {
    let mut parts = text.split('/');
    let name = parts.next().unwrap().into();
    KernelName { name, device: parts.next().map(Into::into), channel: parts.next().map(Into::into) }
}

struct House {
    kernel: Arc<Mutex<Kernel>>,
}

impl House {
    fn new(devices: Vec<Device>) -> Self {
        Self { kernel: Arc::new(Mutex::new(Kernel { devices })) }
    }

    fn read(&self, class: Class, address: &str) -> Result<Measurement, Fault> {
        read(Arc::clone(&self.kernel), class, address)
    }
}

fn read(files: impl SysFs, class: Class, address: &str) -> Result<Measurement, Fault> {
    let address = Address::Kernel(name(address));
    let sensor = Attached { id: SENSOR, driver: Driver::Hwmon, address, element: None };
    let mut bus = KernelFiles::with_files(files, class, &[sensor]);
    let mut answers = Vec::new();
    bus.read(&[SENSOR], &mut |id, result| answers.push((id, result)));
    let [(SENSOR, result)] = answers[..] else { panic!("one answer: {answers:?}") };
    result
}

fn device(class: sim::Class, name: &str, parent: &str, thousandths: i32) -> Device {
    let channel = match class {
        sim::Class::Hwmon => "temp1",
        sim::Class::Iio => "in_temp",
        sim::Class::Thermal => "temp",
    };
    let air = Air { temperature: MilliCelsius::new(thousandths), ..Air::default() };
    Device { air, ..Device::new(class, name, parent, channel) }
}

const fn celsius(thousandths: i32) -> Measurement {
    Measurement::of(MilliCelsius::new(thousandths))
}

#[test]
fn a_device_is_found_by_its_name_whatever_its_number_is() {
    let devices = vec![
        device(sim::Class::Hwmon, "cpu_thermal", "thermal_zone0", 45_000),
        device(sim::Class::Hwmon, "lm75", "1-0048", -10_125),
        device(sim::Class::Thermal, "cpu-thermal", "", 25_178),
        device(sim::Class::Iio, "dht11@4", "dht11@4", 21_000),
    ];
    let reversed = House::new(devices.iter().rev().cloned().collect());
    for house in [House::new(devices), reversed] {
        assert_eq!(house.read(Class::Hwmon, "lm75"), Ok(celsius(-10_125)));
        assert_eq!(house.read(Class::Hwmon, "lm75/1-0048"), Ok(celsius(-10_125)));
        assert_eq!(house.read(Class::Thermal, "cpu-thermal"), Ok(celsius(25_178)));
        assert_eq!(house.read(Class::Iio, "dht11"), Ok(celsius(21_000)));
        assert_eq!(house.read(Class::Iio, "dht11/dht11@4"), Ok(celsius(21_000)));
        assert_eq!(house.read(Class::Hwmon, "lm7"), Err(Fault::Absent));
        assert_eq!(house.read(Class::Hwmon, "lm75/1-0049"), Err(Fault::Absent));
    }
}

#[test]
fn of_two_with_one_name_none_is_guessed() {
    let house = House::new(vec![
        device(sim::Class::Hwmon, "lm75", "1-0048", 20_000),
        device(sim::Class::Hwmon, "lm75", "1-0049", 30_000),
    ]);
    assert_eq!(house.read(Class::Hwmon, "lm75"), Err(Fault::WrongChip));
    assert_eq!(house.read(Class::Hwmon, "lm75/1-0049"), Ok(celsius(30_000)));
}

#[test]
fn raw_numbers_of_iio_mean_the_same_over_the_whole_range() {
    for thousandths in (-55_000..125_000).step_by(37) {
        let raw = device(sim::Class::Iio, "mcp9600", "1-0060", thousandths);
        let house = House::new(vec![Device { form: Form::Raw, ..raw }]);
        let read = house.read(Class::Iio, "mcp9600").unwrap().temperature;
        assert!(read.distance(MilliCelsius::new(thousandths)) <= 32, "{thousandths}: {read}");
    }
}

#[test]
fn humidity_and_pressure_come_along_where_they_are_shown() {
    let air = Air {
        temperature: MilliCelsius::new(21_500),
        humidity: MilliPercent::new(48_250),
        pressure: DeciPascal::new(1_013_250),
    };
    let with_air = |class, name| {
        let device = device(class, name, "1-0076", 0);
        House::new(vec![Device { air, besides: sim::Besides::Pressure, ..device }])
    };
    let read = with_air(sim::Class::Iio, "bme280").read(Class::Iio, "bme280").unwrap();
    assert_eq!((read.temperature, read.humidity), (air.temperature, Some(air.humidity)));
    assert_eq!(read.value(Quantity::Pressure), Some(air.pressure.value()));
    let read = with_air(sim::Class::Hwmon, "sht3x").read(Class::Hwmon, "sht3x").unwrap();
    assert_eq!((read.humidity, read.pressure), (Some(air.humidity), None));
}

#[test]
fn what_the_driver_cannot_read_is_a_fault_with_its_name() {
    let good = || device(sim::Class::Hwmon, "tmp421", "1-004c", 20_000);
    let house = |device| House::new(vec![device]).read(Class::Hwmon, "tmp421");
    assert_eq!(house(Device { fails: true, ..good() }), Err(Fault::Bus));
    assert_eq!(house(Device { is_cut: true, ..good() }), Err(Fault::Open));
    assert_eq!(house(Device { channel: "temp2".into(), ..good() }), Err(Fault::Absent));
    let second = House::new(vec![Device { channel: "temp2".into(), ..good() }]);
    assert_eq!(second.read(Class::Hwmon, "tmp421/1-004c/temp2"), Ok(celsius(20_000)));
    assert_eq!(House::new(Vec::new()).read(Class::Thermal, "cpu-thermal"), Err(Fault::NoBus));
}

/// As a real `/sys` has them, with its links; and without a line end, or with no number at all.
#[test]
fn a_tree_of_files_is_read_alike() {
    let root = tempfile::tempdir().unwrap();
    let hwmon = root.path().join("devices/1-0048/hwmon/hwmon3");
    fs::create_dir_all(&hwmon).unwrap();
    fs::create_dir_all(root.path().join("class/hwmon")).unwrap();
    symlink("../../devices/1-0048/hwmon/hwmon3", root.path().join("class/hwmon/hwmon3")).unwrap();
    symlink("../../../1-0048", hwmon.join("device")).unwrap();
    fs::write(hwmon.join("name"), "lm75\n").unwrap();
    let check = |text: &str, expected| {
        fs::write(hwmon.join("temp1_input"), text).unwrap();
        assert_eq!(read(Files::new(root.path()), Class::Hwmon, "lm75/1-0048"), expected, "{text}");
    };
    check("21500\n", Ok(celsius(21_500)));
    check("-10500", Ok(celsius(-10_500)));
    check("", Err(Fault::Garbled));
    check("N/A\n", Err(Fault::Garbled));
    let iio = root.path().join("devices/platform/dht11@4/iio:device7");
    fs::create_dir_all(&iio).unwrap();
    fs::create_dir_all(root.path().join("bus/iio/devices")).unwrap();
    let link = root.path().join("bus/iio/devices/iio:device7");
    symlink("../../../devices/platform/dht11@4/iio:device7", link).unwrap();
    fs::write(iio.join("name"), "dht11@4\n").unwrap();
    fs::write(iio.join("in_temp_input"), "21000\n").unwrap();
    fs::write(iio.join("in_humidityrelative_input"), "48000\n").unwrap();
    let read = read(Files::new(root.path()), Class::Iio, "dht11/dht11@4").unwrap();
    assert_eq!(read.temperature, MilliCelsius::new(21_000));
    assert_eq!(read.humidity, Some(MilliPercent::new(48_000)));
}
