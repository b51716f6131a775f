//! Round trips of the 1-Wire thermometers: temperature → model → driver → temperature, over the
//! whole range of every family at every resolution.

use maison::sensors::ds18b20::decode;
use maison::sim::scratchpad::{self, FAMILIES, Resolution};
use maison::units::MilliCelsius;

const DS18S20: u8 = 0x10;
const RANGE: std::ops::RangeInclusive<i32> = -55_000..=125_000;
/// A prime, so that all positions between two steps are met.
const STRIDE: usize = 29;

/// Half a step in thousandths of a degree; the rounding to whole thousandths can't exceed it.
fn half_a_step(family: u8, resolution: Resolution) -> i32 {
    match family {
        DS18S20 => 31,
        _ => resolution.sixteenths() * 1000 / 32,
    }
}

#[track_caller]
fn check(family: u8, resolution: Resolution, scratchpad: &[u8; 9], thousandths: i32) {
    let measured = decode(family, scratchpad).expect("a converted scratchpad is sound");
    let error = (measured.temperature.thousandths() - thousandths).abs();
    let allowed = half_a_step(family, resolution);
    assert!(error <= allowed, "{family:02x} {resolution:?} {thousandths}: {measured:?}");
}

fn for_all(mut test: impl FnMut(u8, Resolution, MilliCelsius)) {
    for family in FAMILIES {
        for resolution in Resolution::ALL {
            for thousandths in RANGE.step_by(STRIDE) {
                test(family, resolution, MilliCelsius::new(thousandths));
            }
        }
    }
}

#[test]
fn every_temperature_comes_back_within_half_a_step() {
    for_all(|family, resolution, temperature| {
        let scratchpad = scratchpad::converted(family, temperature, resolution);
        check(family, resolution, &scratchpad, temperature.thousandths());
    });
}

/// The low bits of the register are undefined below 12 bits, says the datasheet.
#[test]
fn undefined_bits_do_not_move_it() {
    for_all(|family, resolution, temperature| {
        let converted = scratchpad::converted(family, temperature, resolution);
        let undefined = u8::try_from(resolution.sixteenths() - 1).expect("0 to 7");
        if family != DS18S20 {
            let [mut bytes @ .., _crc] = converted;
            bytes[0] |= undefined;
            let noisy = scratchpad::sealed(bytes);
            check(family, resolution, &noisy, temperature.thousandths());
        }
    });
}

#[test]
fn only_a_ds18s20_at_85_degrees_is_in_doubt() {
    for_all(|family, resolution, temperature| {
        let scratchpad = scratchpad::converted(family, temperature, resolution);
        let measured = decode(family, &scratchpad).expect("a converted scratchpad is sound");
        let doubtful = family == DS18S20 && measured.temperature == MilliCelsius::new(85_000);
        assert_eq!(measured.may_be_power_on, doubtful, "{family:02x} {temperature}");
    });
}
