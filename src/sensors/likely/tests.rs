//! Every simulated chip is told from every other, and nothing is written into anything.

use std::time::Duration;

use embedded_hal::i2c::{ErrorType, I2c, Operation};

use super::*;
use crate::bus::simulated::model;
use crate::sensors::catalog::Wiring;
use crate::sim::clock::{VirtualClock, VirtualDelay};
use crate::sim::i2c::{SimError, SimI2c};

/// A bus that tells what was written, and to whom.
struct Watched {
    i2c: SimI2c,
    written: Vec<(u8, Vec<u8>)>,
}

impl ErrorType for Watched {
    type Error = SimError;
}

impl I2c for Watched {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), SimError> {
        for operation in operations.iter() {
            if let Operation::Write(bytes) = operation {
                self.written.push((address, bytes.to_vec()));
            }
        }
        self.i2c.transaction(address, operations)
    }
}

fn bus_with(driver: Option<Driver>, address: u8) -> (Watched, VirtualDelay) {
    let clock = VirtualClock::new();
    let mut i2c = SimI2c::new(clock.clone(), 1);
    if let Some(driver) = driver {
        i2c.attach(address, model(driver, &[], clock.now()).unwrap());
    }
    clock.advance(Duration::from_secs(1));
    (Watched { i2c, written: Vec::new() }, VirtualDelay::new(clock))
}

#[test]
fn each_chip_is_told_from_every_other_wherever_it_can_be() {
    for driver in Driver::ALL {
        let facts = driver.facts();
        for address in facts.addresses.iter().copied() {
            let (mut bus, mut delay) = bus_with(Some(*driver), address);
            let found = likely(&mut bus, &mut delay, address).unwrap();
            let expected = match (driver, address) {
                (Driver::Lm75 | Driver::Pct2075, 0x48..=0x4f) => {
                    vec![Driver::Lm75, Driver::Pct2075]
                }
                (Driver::Aht10 | Driver::Aht20, 0x38) if found.as_ref().unwrap().len() == 2 => {
                    vec![Driver::Aht20, Driver::Aht10]
                }
                _ => vec![*driver],
            };
            assert_eq!(found, Some(expected), "{} at {address:#04x}", facts.name);
            assert!(facts.wirings.contains(&Wiring::I2c));
        }
    }
}

#[test]
fn nobody_is_nobody_and_only_thermometers_addresses_are_written_to() {
    let (mut bus, mut delay) = bus_with(None, 0);
    for address in 0x08..0x78 {
        assert_eq!(likely(&mut bus, &mut delay, address), Ok(None), "{address:#04x}");
    }
    let known = |address: u8| Driver::ALL.iter().any(|it| it.facts().addresses.contains(&address));
    assert!(bus.written.iter().all(|(address, _)| known(*address)), "{:?}", bus.written);
}

/// Where a chip with registers answers, one byte at a time goes out: it moves a pointer and nothing
/// else.
#[test]
fn chips_that_answer_a_read_are_never_sent_a_second_byte() {
    for address in 0x08..0x78 {
        for driver in [Driver::Tmp102, Driver::Bme280, Driver::Mcp9808, Driver::Ads1115] {
            let (mut bus, mut delay) = bus_with(Some(driver), address);
            likely(&mut bus, &mut delay, address).unwrap();
            let longest = bus.written.iter().map(|(_, bytes)| bytes.len()).max();
            assert!(longest <= Some(1), "{} at {address:#04x}: {:?}", driver.facts().name, longest);
        }
    }
}
