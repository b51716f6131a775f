//! What hangs at the inputs of a converter: thermistors in dividers, platinum wires, sensors with a
//! voltage. From a temperature to what the converter sees.

use crate::sim::model::Damage;
use crate::units::MilliCelsius;

/// How a resistance depends on the temperature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// R = R₂₅ · exp(β · (1/T − 1/298.15 K)).
    Beta {
        /// At 25 °C, in ohms.
        r25: f64,
        /// In kelvins.
        beta: f64,
    },
    /// 1/T = A + B · ln R + C · (ln R)³.
    SteinhartHart([f64; 3]),
    /// Platinum by IEC 60751, with so many ohms at 0 °C.
    Platinum(f64),
}

/// Where in its divider the thermistor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Between the input and ground.
    Ground,
    /// Between the supply and the input.
    Supply,
}

/// What hangs at one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Circuit {
    /// A thermistor and a resistor in series between supply and ground, the input between them.
    Divider {
        /// Of the thermistor.
        curve: Curve,
        /// Of the resistor, in ohms.
        series: f64,
        /// Where the thermistor is.
        side: Side,
    },
    /// A TMP36: 0.5 V at 0 °C, 10 mV a degree.
    Tmp36,
}

/// Absolute zero, in °C.
const ZERO: f64 = -273.15;

impl Curve {
    /// The resistance at a temperature, in ohms.
    pub fn ohms(self, temperature: MilliCelsius) -> f64 {
        let celsius = f64::from(temperature.thousandths()) / 1000.0;
        let kelvin = celsius - ZERO;
        match self {
            Self::Beta { r25, beta } => r25 * (beta * (1.0 / kelvin - 1.0 / (25.0 - ZERO))).exp(),
            Self::SteinhartHart([a, b, c]) => cubic_root(b / c, (a - 1.0 / kelvin) / c).exp(),
            Self::Platinum(r0) => r0 * platinum(celsius),
        }
    }
}

/// The real x of x³ + p·x + q = 0 for positive p: there is one (Cardano).
fn cubic_root(p: f64, q: f64) -> f64 {
    let root = ((q / 2.0).powi(2) + (p / 3.0).powi(3)).sqrt();
    (root - q / 2.0).cbrt() - (root + q / 2.0).cbrt()
}

/// R/R₀ of IEC 60751:2008, section 4.2; the third term below 0 °C only.
fn platinum(celsius: f64) -> f64 {
    const A: f64 = 3.9083e-3;
    const B: f64 = -5.775e-7;
    const C: f64 = -4.183e-12;
    let cold = if celsius < 0.0 { C * (celsius - 100.0) * celsius.powi(3) } else { 0.0 };
    1.0 + A * celsius + B * celsius * celsius + cold
}

impl Circuit {
    /// A thermistor of 10 kΩ, β 3950 K, to ground, below a resistor of 10 kΩ.
    pub const THERMISTOR: Self = Self::Divider {
        curve: Curve::Beta { r25: 10_000.0, beta: 3950.0 },
        series: 10_000.0,
        side: Side::Ground,
    };

    /// What the input sees, in volts, where the supply has so many.
    pub fn volts(self, temperature: MilliCelsius, supply: f64, damage: Option<Damage>) -> f64 {
        match (self, damage) {
            (_, Some(Damage::Grounded)) => 0.0,
            (_, Some(Damage::Supplied)) => supply,
            (Self::Divider { curve, series, side }, damage) => {
                let ohms = match damage {
                    Some(Damage::Cut) => f64::INFINITY,
                    Some(_) => 0.0,
                    None => curve.ohms(temperature),
                };
                let above = series / (ohms + series);
                supply * if side == Side::Supply { above } else { 1.0 - above }
            }
            // An input that nobody drives drifts to ground through its own leak.
            (Self::Tmp36, Some(_)) => 0.0,
            (Self::Tmp36, None) => 0.5 + f64::from(temperature.thousandths()) * 1e-5,
        }
    }
}

/// The nearest integer from zero to `most`.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "there is no other way from a float to an integer, and this one saturates"
)]
pub(super) fn steps(number: f64, most: u16) -> u16 {
    (number.round() as u16).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(curve: Curve, celsius: i32, ohms: f64) {
        let found = curve.ohms(MilliCelsius::new(celsius * 1000));
        assert!((found / ohms - 1.0).abs() < 1e-3, "{celsius} °C: {found} Ω, not {ohms} Ω");
    }

    /// IEC 60751:2008, table 1.
    #[test]
    fn platinum_has_the_resistance_of_the_standard() {
        let pt100 = Curve::Platinum(100.0);
        for (celsius, ohms) in [
            (-200, 18.52),
            (-100, 60.256),
            (-40, 84.271),
            (0, 100.0),
            (25, 109.735),
            (100, 138.506),
            (400, 247.092),
            (850, 390.481),
        ] {
            check(pt100, celsius, ohms);
        }
        check(Curve::Platinum(1000.0), -40, 842.71);
    }

    /// A thermistor of 10 kΩ (Vishay NTCLE100E3103: β 3977 K between 25 and 85 °C) and the
    /// coefficients of another of 10 kΩ that are in every textbook.
    #[test]
    fn thermistors_have_their_resistance_at_25_degrees_and_less_above() {
        let beta = Curve::Beta { r25: 10_000.0, beta: 3977.0 };
        check(beta, 25, 10_000.0);
        check(beta, 85, 1070.0);
        let coefficients = Curve::SteinhartHart([1.129_148e-3, 2.341_25e-4, 8.767_41e-8]);
        check(coefficients, 25, 10_000.0);
        check(coefficients, 0, 32_650.0);
        check(coefficients, 70, 1752.0);
    }
}
