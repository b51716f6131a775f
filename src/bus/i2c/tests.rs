//! Real drivers against chips down to registers, in virtual time.

use embedded_hal::i2c::{ErrorType, Operation};

use super::*;
use crate::sim::air::Air;
use crate::sim::chance::{Chance, Odds};
use crate::sim::clock::{VirtualClock, VirtualDelay};
use crate::sim::i2c::{Intruder, Line, SimError, SimI2c};
use crate::sim::{sht3x, tmp117};
use crate::time::Tick;
use crate::units::MilliCelsius;

const SHT3X: SensorId = SensorId(0);
const TMP117: SensorId = SensorId(1);

struct Bench {
    bus: I2cBus<SimI2c, VirtualDelay>,
    clock: VirtualClock,
}

fn attached() -> [Attached; 2] {
    let sensor = |id, driver, address| Attached {
        id,
        driver,
        address: Address::i2c(address),
        element: None,
    };
    [sensor(SHT3X, Driver::Sht3x, 0x44), sensor(TMP117, Driver::Tmp117, 0x48)]
}

fn bench_with(sht3x: sht3x::Sht3x, tmp117: tmp117::Tmp117) -> Bench {
    let clock = VirtualClock::new();
    // The chips were there before the host.
    clock.advance(std::time::Duration::from_secs(1));
    let mut i2c = SimI2c::new(clock.clone(), 1);
    i2c.attach(0x44, Box::new(sht3x));
    i2c.attach(0x48, Box::new(tmp117));
    let bus = I2cBus::new(i2c, VirtualDelay::new(clock.clone()), &attached());
    Bench { bus, clock }
}

fn bench() -> Bench {
    bench_with(sht3x::Sht3x::new(Tick::ZERO), tmp117::Tmp117::new(Tick::ZERO))
}

impl Bench {
    fn i2c(&mut self) -> &mut SimI2c {
        self.bus.i2c_mut()
    }

    fn warm(&mut self, address: u8, thousandths: i32) {
        let air = Air { temperature: MilliCelsius::new(thousandths), ..Air::default() };
        self.i2c().device_mut(address).unwrap().expose(air);
    }

    fn read(&mut self, sensor: SensorId) -> Result<i32, Fault> {
        read(&mut self.bus, sensor)
    }
}

fn read(bus: &mut impl Bus, sensor: SensorId) -> Result<i32, Fault> {
    let mut answers = Vec::new();
    bus.read(&[sensor], &mut |id, result| answers.push((id, result)));
    let [(id, result)] = answers[..] else { panic!("one answer to one question: {answers:?}") };
    assert_eq!(id, sensor);
    result.map(|measured| measured.temperature.thousandths())
}

/// Half a step is 3.9 m°C, and rounding to thousandths adds a half.
#[test]
fn every_temperature_of_a_tmp117_comes_back_within_half_a_step() {
    let mut bench = bench();
    for wanted in (-55_000..=150_000).step_by(7) {
        bench.warm(0x48, wanted);
        let read = bench.read(TMP117).unwrap();
        assert!(read.abs_diff(wanted) <= 4, "{wanted}: {read}");
    }
}

/// Half a step is 1.3 m°C, and rounding to thousandths adds a half.
#[test]
fn every_temperature_of_an_sht3x_comes_back_within_half_a_step() {
    let mut bench = bench();
    for wanted in (-40_000..=125_000).step_by(7) {
        bench.warm(0x44, wanted);
        let read = bench.read(SHT3X).unwrap();
        assert!(read.abs_diff(wanted) <= 2, "{wanted}: {read}");
    }
}

#[test]
fn a_missing_chip_is_absent_and_never_disturbs_the_other() {
    let mut bench = bench();
    let gone = bench.i2c().detach(0x48).unwrap();
    assert_eq!(bench.read(TMP117), Err(Fault::Absent));
    assert_eq!(bench.read(SHT3X), Ok(25_000));
    bench.i2c().attach(0x48, gone);
    assert_eq!(bench.read(TMP117), Ok(25_000));
}

/// TMP116, TMP102 (its pointer has two bits) and a blank answer at the same address.
#[test]
fn another_chip_at_the_address_of_a_tmp117_is_refused() {
    for id in [0x1116, 0x6000, 0x0118] {
        let other = tmp117::Tmp117::new(Tick::ZERO).with_device_id(id);
        let mut bench = bench_with(sht3x::Sht3x::new(Tick::ZERO), other);
        assert_eq!(bench.read(TMP117), Err(Fault::WrongChip), "{id:#06x}");
    }
    let revised = tmp117::Tmp117::new(Tick::ZERO).with_device_id(0x3117);
    let mut bench = bench_with(sht3x::Sht3x::new(Tick::ZERO), revised);
    assert_eq!(bench.read(TMP117), Ok(25_000), "a later revision is a TMP117");
}

/// A TMP117 sends no checksum, so to an SHT3x driver its answer is one that does not match.
#[test]
fn another_chip_at_the_address_of_an_sht3x_is_refused() {
    let mut bench = bench();
    bench.i2c().attach(0x44, Box::new(tmp117::Tmp117::new(Tick::ZERO)));
    assert_eq!(bench.read(SHT3X), Err(Fault::Crc));
}

#[test]
fn identity_is_proved_again_after_a_fault() {
    let mut bench = bench();
    assert_eq!(bench.read(TMP117), Ok(25_000));
    bench.i2c().detach(0x48);
    assert_eq!(bench.read(TMP117), Err(Fault::Absent));
    let other = tmp117::Tmp117::new(bench.clock.now()).with_device_id(0x1116);
    bench.i2c().attach(0x48, Box::new(other));
    assert_eq!(bench.read(TMP117), Err(Fault::WrongChip));
}

#[test]
fn a_broken_line_is_named_and_heals() {
    let mut bench = bench();
    assert_eq!(bench.read(TMP117), Ok(25_000));
    for (line, of_sht3x, of_tmp117) in [
        (Line::DataLow, Fault::Crc, Fault::StuckLow),
        (Line::DataHigh, Fault::Absent, Fault::Absent),
        (Line::ClockLow, Fault::Timeout, Fault::Timeout),
    ] {
        bench.i2c().line = line;
        assert_eq!(bench.read(SHT3X), Err(of_sht3x), "{line:?}");
        assert_eq!(bench.read(TMP117), Err(of_tmp117), "{line:?}");
        assert_eq!(bench.read(TMP117), Err(of_tmp117), "{line:?}: also at the first reading");
    }
    bench.i2c().line = Line::Working;
    assert_eq!((bench.read(SHT3X), bench.read(TMP117)), (Ok(25_000), Ok(25_000)));
}

#[test]
fn a_chip_that_never_finishes_is_a_timeout() {
    let mut bench = bench();
    for address in [0x44, 0x48] {
        bench.i2c().device_mut(address).unwrap().hang();
    }
    assert_eq!(bench.read(SHT3X), Err(Fault::Timeout));
    assert_eq!(bench.read(TMP117), Err(Fault::Timeout));
}

#[test]
fn a_supply_that_fails_between_readings_is_not_noticed_and_need_not_be() {
    let mut bench = bench();
    assert_eq!(bench.read(TMP117), Ok(25_000));
    for address in [0x44, 0x48] {
        let now = bench.clock.now();
        bench.i2c().device_mut(address).unwrap().power_up(now);
    }
    bench.clock.advance(std::time::Duration::from_millis(2));
    assert_eq!((bench.read(SHT3X), bench.read(TMP117)), (Ok(25_000), Ok(25_000)));
}

/// A bus below that takes the supply from the TMP117 whenever its driver waits.
#[derive(Debug)]
struct Brownout(VirtualDelay, std::sync::Arc<std::sync::atomic::AtomicBool>);

impl DelayNs for Brownout {
    fn delay_ns(&mut self, ns: u32) {
        self.0.delay_ns(ns);
        self.1.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

struct Supply(SimI2c, VirtualClock, std::sync::Arc<std::sync::atomic::AtomicBool>);

impl ErrorType for Supply {
    type Error = SimError;
}

impl I2c for Supply {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), SimError> {
        if self.2.swap(false, std::sync::atomic::Ordering::Relaxed) {
            self.0.device_mut(address).unwrap().power_up(self.1.now());
        }
        self.0.transaction(address, operations)
    }
}

#[test]
fn a_supply_that_fails_during_a_conversion_is_noticed() {
    let clock = VirtualClock::new();
    let mut i2c = SimI2c::new(clock.clone(), 1);
    i2c.attach(0x48, Box::new(tmp117::Tmp117::new(Tick::ZERO)));
    let failed = std::sync::Arc::default();
    let delay = Brownout(VirtualDelay::new(clock.clone()), std::sync::Arc::clone(&failed));
    let mut bus = I2cBus::new(Supply(i2c, clock, failed), delay, &attached());
    assert_eq!(read(&mut bus, TMP117), Err(Fault::PowerOn));
}

/// The checksum finds every error of one bit; a wrong value would have to be outside half a step.
#[test]
fn a_bad_checksum_is_never_accepted() {
    let mut bench = bench();
    bench.i2c().bit_flips = Odds::one_in(3);
    let mut chance = Chance::new(5);
    let mut good = 0;
    let mut bad = 0;
    for _ in 0..5000 {
        let wanted = i32::try_from(chance.below(165_000)).unwrap() - 40_000;
        bench.warm(0x44, wanted);
        match bench.read(SHT3X) {
            Ok(read) => {
                assert!(read.abs_diff(wanted) <= 2, "{wanted}: {read}");
                good += 1;
            }
            Err(fault) => {
                assert_eq!(fault, Fault::Crc);
                bad += 1;
            }
        }
    }
    assert!(good > 1000 && bad > 1000, "{good} {bad}");
}

/// Without a checksum: a flipped bit in a temperature is found by reading it twice.
#[test]
fn a_flipped_bit_of_a_tmp117_is_never_a_temperature() {
    let mut bench = bench();
    bench.i2c().bit_flips = Odds::one_in(20);
    let mut good = 0;
    for _ in 0..5000 {
        if let Ok(read) = bench.read(TMP117) {
            assert_eq!(read, 25_000);
            good += 1;
        }
    }
    assert!(good > 2500, "{good}");
}

#[test]
fn an_unheard_address_is_absent_for_one_reading() {
    let mut bench = bench();
    bench.i2c().unheard = Odds::ALWAYS;
    assert_eq!(bench.read(TMP117), Err(Fault::Absent));
    bench.i2c().unheard = Odds::NEVER;
    assert_eq!(bench.read(TMP117), Ok(25_000));
}

/// A host that, like rppal 0.22, puts a stop between the operations of one transaction.
struct StopsInBetween(SimI2c);

impl ErrorType for StopsInBetween {
    type Error = SimError;
}

impl I2c for StopsInBetween {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), SimError> {
        operations.iter_mut().try_for_each(|operation| match operation {
            Operation::Read(buffer) => I2c::read(&mut self.0, address, buffer),
            Operation::Write(bytes) => I2c::write(&mut self.0, address, bytes),
        })
    }
}

/// Another master points the TMP117 at its configuration whenever it can.
fn shared_bus(clock: &VirtualClock) -> SimI2c {
    let mut i2c = SimI2c::new(clock.clone(), 1);
    i2c.attach(0x48, Box::new(tmp117::Tmp117::new(Tick::ZERO)));
    i2c.intruder = Some(Intruder { address: 0x48, bytes: vec![0x01] });
    i2c
}

#[test]
fn another_master_on_the_bus_is_harmless_with_repeated_starts() {
    let clock = VirtualClock::new();
    let mut bus = I2cBus::new(shared_bus(&clock), VirtualDelay::new(clock.clone()), &attached());
    assert_eq!(read(&mut bus, TMP117), Ok(25_000));
}

#[test]
fn a_host_that_stops_between_write_and_read_is_found_out() {
    let clock = VirtualClock::new();
    let delay = VirtualDelay::new(clock.clone());
    let mut bus = I2cBus::new(StopsInBetween(shared_bus(&clock)), delay, &attached());
    assert_eq!(read(&mut bus, TMP117), Err(Fault::WrongChip));
}

#[test]
fn a_sensor_of_another_bus_is_absent() {
    assert_eq!(bench().read(SensorId(9)), Err(Fault::Absent));
}
