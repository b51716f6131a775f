//! What hangs at the input of a converter: from what it sees to a temperature. A converter alone is
//! no thermometer, so the configuration says what is there.

use crate::units::MilliCelsius;

use super::Fault;

/// What hangs at an input, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element {
    /// A thermistor with a resistor.
    Thermistor(Thermistor),
    /// A platinum resistance.
    Rtd(Rtd),
    /// A TMP36.
    Tmp36(Tmp36),
}

/// What can hang at an input: the keys of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// `thermistor`.
    Thermistor,
    /// `rtd`.
    Rtd,
    /// `tmp36`.
    Tmp36,
}

/// A thermistor (NTC) and a resistor in series between supply and ground, the input between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thermistor {
    /// How its resistance depends on the temperature.
    pub curve: Curve,
    /// The resistor, in ohms.
    pub series: f64,
    /// Where the thermistor is.
    pub side: Side,
}

/// A platinum resistance by IEC 60751, in series with a reference resistor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rtd {
    /// Which.
    pub element: Platinum,
    /// How many lead to it.
    pub wires: Wires,
    /// The reference resistor, in ohms.
    pub reference: f64,
}

/// A platinum resistance by its ohms at 0 °C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platinum {
    /// 100 Ω.
    Pt100,
    /// 1000 Ω.
    Pt1000,
}

/// Wires that lead to a resistance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wires {
    /// Their own resistance is measured with it.
    Two,
    /// One of them is measured, and taken off twice.
    Three,
    /// None carries both current and what is measured.
    Four,
}

/// A TMP36: 0.5 V at 0 °C and 10 mV a degree, at a converter whose full scale is a voltage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tmp36 {
    /// That voltage, in volts.
    pub reference: f64,
}

/// How the resistance of a thermistor depends on the temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// Its resistance at 25 °C in ohms, and β in kelvins.
    Beta {
        /// Ω at 25 °C.
        r25: f64,
        /// K.
        beta: f64,
    },
    /// A, B and C of Steinhart and Hart, for ohms and kelvins.
    SteinhartHart([f64; 3]),
}

/// Where in its divider a thermistor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Between the input and ground.
    Ground,
    /// Between the supply and the input.
    Supply,
}

impl ElementKind {
    /// Its key in the configuration.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Thermistor => "thermistor",
            Self::Rtd => "rtd",
            Self::Tmp36 => "tmp36",
        }
    }
}

impl Element {
    /// Which of them.
    pub const fn kind(&self) -> ElementKind {
        match self {
            Self::Thermistor(_) => ElementKind::Thermistor,
            Self::Rtd(_) => ElementKind::Rtd,
            Self::Tmp36(_) => ElementKind::Tmp36,
        }
    }

    /// What an input means that sees this share of the supply, or of the reference.
    pub(super) fn of_share(&self, share: f64) -> Result<MilliCelsius, Fault> {
        match self {
            Self::Thermistor(thermistor) => thermistor.temperature(share),
            Self::Rtd(rtd) => rtd.temperature(share),
            Self::Tmp36(tmp36) => tmp36.temperature(share),
        }
    }
}

/// Shares of the supply beyond which no thermistor in its range comes: one of 10 kΩ has 0.992 at
/// −55 °C and 0.02 at 150 °C.
const CUT: f64 = 0.995;
const SHORTED: f64 = 0.005;

/// 0 °C in kelvins.
const ICE: f64 = 273.15;

impl Thermistor {
    /// 10 kΩ at 25 °C, β 3950 K, to ground, below a resistor of 10 kΩ.
    pub const USUAL: Self = Self {
        curve: Curve::Beta { r25: 10_000.0, beta: 3950.0 },
        series: 10_000.0,
        side: Side::Ground,
    };

    /// Where the input sees this share of the supply.
    pub fn temperature(&self, share: f64) -> Result<MilliCelsius, Fault> {
        let across = match self.side {
            Side::Ground => share,
            Side::Supply => 1.0 - share,
        };
        match across {
            share if share > CUT => Err(Fault::Open),
            share if share < SHORTED => Err(Fault::Short),
            share => {
                let ohms = self.series * share / (1.0 - share);
                Ok(MilliCelsius::from_degrees(self.curve.kelvin(ohms) - ICE))
            }
        }
    }
}

impl Rtd {
    /// A PT100 on four wires against 430 Ω.
    pub const USUAL: Self = Self { element: Platinum::Pt100, wires: Wires::Four, reference: 430.0 };

    /// Where it has this share of the reference resistor.
    pub fn temperature(&self, share: f64) -> Result<MilliCelsius, Fault> {
        /// The last step of a converter of fifteen bits.
        const FULL: f64 = 32_767.0 / 32_768.0;
        if share <= 0.0 {
            return Err(Fault::Short);
        }
        if share >= FULL {
            return Err(Fault::Open);
        }
        let ratio = share * self.reference / self.element.ohms();
        Ok(MilliCelsius::from_degrees(celsius_of_platinum(ratio)))
    }
}

impl Platinum {
    /// At 0 °C.
    pub const fn ohms(self) -> f64 {
        match self {
            Self::Pt100 => 100.0,
            Self::Pt1000 => 1000.0,
        }
    }
}

/// Where platinum has this many times its resistance at 0 °C: the inverse of Callendar and Van
/// Dusen, R/R₀ = 1 + A·t + B·t² + C·(t − 100)·t³, with C below 0 °C only (IEC 60751:2008, 4.2).
fn celsius_of_platinum(ratio: f64) -> f64 {
    const A: f64 = 3.9083e-3;
    const B: f64 = -5.775e-7;
    const C: f64 = -4.183e-12;
    /// From the parabola, at −200 °C off by 2.4 °C: the third is at the limit of the type.
    const STEPS: usize = 4;
    let parabola = ((A * A - 4.0 * B * (1.0 - ratio)).max(0.0).sqrt() - A) / (2.0 * B);
    if ratio >= 1.0 {
        return parabola;
    }
    (0..STEPS).fold(parabola, |t, _| {
        let is = 1.0 + t * (A + t * (B + t * C * (t - 100.0)));
        let slope = A + t * (2.0 * B + t * C * (4.0 * t - 300.0));
        t - (is - ratio) / slope
    })
}

impl Tmp36 {
    /// At 3.3 V.
    pub const USUAL: Self = Self { reference: 3.3 };

    /// Where the input sees this share of the reference.
    pub fn temperature(&self, share: f64) -> Result<MilliCelsius, Fault> {
        /// −45 °C and 135 °C, in volts: beyond what it can (datasheet, page 3).
        const LOWEST: f64 = 0.05;
        const HIGHEST: f64 = 1.85;
        match share * self.reference {
            volts if volts < LOWEST => Err(Fault::Open),
            volts if volts > HIGHEST => Err(Fault::Short),
            volts => Ok(MilliCelsius::from_degrees((volts - 0.5) * 100.0)),
        }
    }
}

impl Curve {
    /// Where it has this resistance.
    pub fn kelvin(&self, ohms: f64) -> f64 {
        1.0 / match self {
            Self::Beta { r25, beta } => 1.0 / (25.0 + ICE) + (ohms / r25).ln() / beta,
            Self::SteinhartHart([a, b, c]) => {
                let logarithm = ohms.ln();
                a + b * logarithm + c * logarithm.powi(3)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(thermistor: &Thermistor, share: f64, expected: Result<i32, Fault>) {
        let found = thermistor.temperature(share).map(MilliCelsius::thousandths);
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                assert!(found.abs_diff(expected) <= 100, "{share}: {found}, not {expected}");
            }
            _ => assert_eq!(found, expected, "{share}"),
        }
    }

    /// Vishay NTCLE100E3103: 10 kΩ at 25 °C, β 3977 K; its table says 32,554 Ω at 0 °C, and 1071 Ω
    /// at 85 °C. The formula with β is exact at 25 and 85 °C only.
    #[test]
    fn a_thermistor_has_its_temperature_on_either_side_of_the_divider() {
        let curve = Curve::Beta { r25: 10_000.0, beta: 3977.0 };
        let low = Thermistor { curve, ..Thermistor::USUAL };
        check(&low, 0.5, Ok(25_000));
        check(&low, 1071.0 / 11_071.0, Ok(85_000));
        let high = Thermistor { side: Side::Supply, ..low };
        check(&high, 0.5, Ok(25_000));
        check(&high, 10_000.0 / 11_071.0, Ok(85_000));
    }

    /// The coefficients of a 10 kΩ thermistor and three points of its table.
    #[test]
    fn three_coefficients_hold_over_the_whole_range() {
        let curve = Curve::SteinhartHart([1.129_148e-3, 2.341_25e-4, 8.767_41e-8]);
        let thermistor = Thermistor { curve, ..Thermistor::USUAL };
        for (ohms, celsius) in [(32_650.0, 0), (10_000.0, 25_000), (1752.0, 70_000)] {
            check(&thermistor, ohms / (ohms + 10_000.0), Ok(celsius));
        }
    }

    /// IEC 60751:2008, table 1: ohms to two digits after the dot, so within 0.013 °C.
    #[test]
    fn platinum_is_that_of_the_standard_below_zero_too() {
        let pt100 = Rtd { wires: Wires::Two, ..Rtd::USUAL };
        for (celsius, ohms) in [
            (-200, 18.52),
            (-150, 39.72),
            (-100, 60.26),
            (-40, 84.27),
            (-10, 96.09),
            (0, 100.0),
            (25, 109.73),
            (100, 138.51),
            (400, 247.09),
            (850, 390.48),
        ] {
            let read = pt100.temperature(ohms / 430.0).unwrap().thousandths();
            assert!(read.abs_diff(celsius * 1000) <= 20, "{celsius}: {read}");
        }
        let pt1000 = Rtd { element: Platinum::Pt1000, reference: 4300.0, ..pt100 };
        let read = pt1000.temperature(842.71 / 4300.0).unwrap().thousandths();
        assert!(read.abs_diff(-40_000) <= 10, "{read}");
        assert_eq!(pt100.temperature(0.0), Err(Fault::Short));
        assert_eq!(pt100.temperature(32_767.0 / 32_768.0), Err(Fault::Open));
    }

    /// Datasheet of the TMP36, page 3: 750 mV at 25 °C.
    #[test]
    fn a_tmp36_gives_ten_millivolts_a_degree() {
        let read =
            |volts: f64| Tmp36::USUAL.temperature(volts / 3.3).map(MilliCelsius::thousandths);
        assert_eq!(read(0.75), Ok(25_000));
        assert_eq!(read(0.1), Ok(-40_000));
        assert_eq!(read(0.0), Err(Fault::Open));
        assert_eq!(read(3.3), Err(Fault::Short));
    }

    #[test]
    fn a_cut_and_a_short_are_faults_and_not_arctic_or_boiling() {
        let high = Thermistor { side: Side::Supply, ..Thermistor::USUAL };
        check(&Thermistor::USUAL, 1.0, Err(Fault::Open));
        check(&Thermistor::USUAL, 0.0, Err(Fault::Short));
        check(&high, 0.0, Err(Fault::Open));
        check(&high, 1.0, Err(Fault::Short));
    }
}
