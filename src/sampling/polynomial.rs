//! A calibration by several measured points: the polynomial that passes them nearest.
//!
//! It is fitted once, in floating point; each reading is corrected in whole numbers. What is fitted
//! is the correction, true − raw, over the stretch from the lowest to the highest point, which is
//! mapped to −1 … 1: so the numbers stay small and of one size. Beyond that stretch the curve goes
//! on straight, as it left it: a polynomial that is followed further soon leads anywhere.

use std::sync::Arc;

use crate::limits;
use crate::units::Value;

/// Least squares through measured points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Polynomial {
    /// (raw, true) as they were given.
    points: Arc<[(Value, Value)]>,
    degree: usize,
    /// Lowest and highest raw value of the points, in thousandths.
    ends: (i128, i128),
    /// Of the powers of the place, the lowest first: the correction in [`FINE`] parts of a
    /// thousandth.
    coefficients: Arc<[i128]>,
    /// The same of what the correction grows by from one place to the next.
    slopes: Arc<[i128]>,
}

/// The highest point is so far from the middle, the lowest as far on the other side.
const ONE: i128 = 1 << 30;
/// Parts of a thousandth, so that what is rounded at each power does not add up.
const FINE: i128 = 1 << 20;
/// On so many places on each side of the middle it is looked whether a curve rises.
const STEPS: i128 = 100;
/// Sum of squares at which all points are on the zeros of a polynomial, which means that they are
/// too few. It is 1 for one point at an end.
const NORM_MIN: f64 = 1e-9;

impl Polynomial {
    /// The polynomial of `degree` for these points of (raw, true); `None` where they do not
    /// determine one, since they are too few or at one place, or the degree is too high.
    pub fn fit(points: &[(Value, Value)], degree: usize) -> Option<Self> {
        let raws = || points.iter().map(|(raw, _)| raw.thousandths());
        let (low, high) = (raws().min()?, raws().max()?);
        if !(1..=limits::CALIBRATION_DEGREE_MAX).contains(&degree) || points.len() <= degree {
            return None;
        }
        let sample = |(raw, true_value): &(Value, Value)| {
            let float = |value: &Value| f64::from(value.thousandths());
            let (low, high) = (f64::from(low), f64::from(high));
            ((2.0 * float(raw) - low - high) / (high - low), float(true_value) - float(raw))
        };
        let samples: Vec<_> = points.iter().map(sample).collect();
        let coefficients = least_squares(&samples, degree)?.into_iter().map(fine);
        let coefficients: Arc<[i128]> = coefficients.collect();
        let slopes = (1..).zip(coefficients.iter().skip(1)).map(|(power, it)| power * it);
        let (slopes, ends) = (slopes.collect(), (low.into(), high.into()));
        Some(Self { points: points.into(), degree, ends, coefficients, slopes })
    }

    /// (raw, true) as they were given.
    pub fn points(&self) -> &[(Value, Value)] {
        &self.points
    }

    /// Its degree.
    pub const fn degree(&self) -> usize {
        self.degree
    }

    /// The true value for a raw one, to the nearest thousandth.
    pub fn apply(&self, raw: Value) -> Value {
        let place = self.place(raw.thousandths());
        let nearest = place.clamp(-ONE, ONE);
        let straight = (place - nearest) * at(&self.slopes, nearest) / ONE;
        let correction = super::filter::divided(at(&self.coefficients, nearest) + straight, FINE);
        let true_value = i128::from(raw.thousandths()) + correction;
        let bound = if true_value < 0 { i32::MIN } else { i32::MAX };
        raw.with(i32::try_from(true_value).unwrap_or(bound))
    }

    /// Whether a higher reading is always a higher truth.
    pub fn rises(&self) -> bool {
        // From one place to the next the raw value grows by half the stretch.
        let falls = -(self.ends.1 - self.ends.0) * FINE / 2;
        (-STEPS..=STEPS).all(|step| at(&self.slopes, step * ONE / STEPS) > falls)
    }

    fn place(&self, raw: i32) -> i128 {
        let (low, high) = self.ends;
        (2 * i128::from(raw) - low - high) * ONE / (high - low)
    }
}

/// The value of a polynomial at a place.
fn at(coefficients: &[i128], place: i128) -> i128 {
    coefficients.iter().rev().fold(0, |sum, coefficient| sum * place / ONE + coefficient)
}

/// The coefficients, the lowest power first. By polynomials that are orthogonal on the places
/// (Forsythe 1957), of which each has a coefficient of its own: no system of equations is solved.
fn least_squares(samples: &[(f64, f64)], degree: usize) -> Option<Vec<f64>> {
    let mut fitted = Vec::new();
    let (mut before, mut norm_before) = (Vec::new(), f64::INFINITY);
    let mut current = vec![1.0];
    for _ in 0..=degree {
        let at_samples: Vec<_> =
            samples.iter().map(|(x, y)| (*x, *y, float_at(&current, *x))).collect();
        let norm: f64 = at_samples.iter().map(|(.., p)| p * p).sum();
        if norm.is_nan() || norm <= NORM_MIN {
            return None;
        }
        let along = at_samples.iter().map(|(_, y, p)| y * p).sum::<f64>() / norm;
        fitted = plus(&fitted, along, &current);
        let centre = at_samples.iter().map(|(x, _, p)| x * p * p).sum::<f64>() / norm;
        let raised: Vec<_> = [0.0].into_iter().chain(current.iter().copied()).collect();
        let next = plus(&plus(&raised, -centre, &current), -norm / norm_before, &before);
        (before, norm_before, current) = (current, norm, next);
    }
    Some(fitted)
}

fn float_at(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// The polynomial `one` + `factor` · `other`.
fn plus(one: &[f64], factor: f64, other: &[f64]) -> Vec<f64> {
    let padded = |list: &[f64]| {
        let zeros = one.len().max(other.len()) - list.len();
        list.iter().copied().chain(std::iter::repeat_n(0.0, zeros)).collect::<Vec<_>>()
    };
    padded(one).into_iter().zip(padded(other)).map(|(one, other)| one + factor * other).collect()
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "there is no other way from a float to an integer, and this one saturates"
)]
fn fine(coefficient: f64) -> i128 {
    (coefficient * FINE as f64).round() as i128
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::milli;
    use super::*;

    fn fit(points: &[(i32, i32)], degree: usize) -> Option<Polynomial> {
        let points: Vec<_> =
            points.iter().map(|(raw, shown)| (milli(*raw), milli(*shown))).collect();
        Polynomial::fit(&points, degree)
    }

    #[track_caller]
    fn check(points: &[(i32, i32)], degree: usize, readings: &[(i32, i32)]) {
        let polynomial = fit(points, degree).unwrap();
        for (raw, expected) in readings {
            assert_eq!(polynomial.apply(milli(*raw)), milli(*expected), "{raw} of {points:?}");
        }
    }

    #[test]
    fn as_many_points_as_coefficients_are_met_exactly() {
        let points = [(0, 100), (25_000, 24_700), (60_000, 60_200), (100_000, 99_000)];
        check(&points, 3, &points);
        check(&points[..3], 2, &points[..3]);
        check(&points[..2], 1, &points[..2]);
        let mixed = [points[2], points[0], points[3], points[1]];
        check(&mixed, 3, &points);
    }

    /// y = x + x²/1000 °C.
    #[test]
    fn a_parabola_is_found_and_goes_on_straight_beyond_its_points() {
        let points = [(-10_000, -9900), (0, 0), (10_000, 10_100), (20_000, 20_400)];
        check(&points, 2, &[(5000, 5025), (15_000, 15_225), (-5000, -4975)]);
        check(&points, 2, &[(30_000, 30_400 + 400), (-20_000, -19_900 + 200)]);
    }

    /// By hand: mean of x 1, of the correction 2/3; slope 0.
    #[test]
    fn more_points_than_coefficients_are_passed_as_near_as_can_be() {
        let points = [(0, 0), (1000, 3000), (2000, 2000)];
        check(&points, 1, &[(0, 667), (1000, 1667), (2000, 2667), (9000, 9667)]);
    }

    #[test]
    fn what_does_not_determine_a_polynomial_is_none() {
        assert_eq!(fit(&[], 1), None);
        assert_eq!(fit(&[(0, 0)], 1), None);
        assert_eq!(fit(&[(0, 0), (0, 1)], 1), None);
        assert_eq!(fit(&[(0, 0), (0, 5), (10, 10)], 2), None);
        assert_eq!(fit(&[(0, 0), (10, 10)], 2), None);
        assert_eq!(fit(&[(0, 0), (10, 10)], 0), None);
        let many: Vec<_> = (0..9).map(|degree| (degree * 1000, degree * 1000)).collect();
        assert_eq!(fit(&many, limits::CALIBRATION_DEGREE_MAX + 1), None);
    }

    #[test]
    fn a_curve_that_turns_back_is_known() {
        let rises = |points: &[(i32, i32)], degree| fit(points, degree).unwrap().rises();
        assert!(rises(&[(0, 0), (50_000, 51_000), (100_000, 99_000)], 2));
        assert!(!rises(&[(0, 0), (10_000, 30_000), (20_000, 31_000)], 2));
        assert!(!rises(&[(0, 10), (10, 0)], 1));
    }

    #[test]
    fn the_ends_of_the_type_are_not_left() {
        let steep = fit(&[(0, 0), (1000, 50_000)], 1).unwrap();
        assert_eq!(steep.apply(milli(i32::MAX)), milli(i32::MAX));
        assert_eq!(steep.apply(milli(i32::MIN)), milli(i32::MIN));
    }

    proptest! {
        /// Readings and truths in thousandths against the same polynomial in floating point.
        #[test]
        fn whole_numbers_are_within_a_thousandth_of_the_polynomial(
            corrections in prop::collection::vec(-3000..3000_i32, 4),
            degree in 1..4_usize,
            raw in -40_000..125_000_i32,
        ) {
            let points: Vec<_> = [-40_000, 5000, 60_000, 125_000].into_iter().zip(corrections)
                .map(|(raw, correction)| (raw, raw + correction)).collect();
            let polynomial = fit(&points, degree).unwrap();
            let samples: Vec<_> = points.iter().map(|(raw, shown)| {
                ((2.0 * f64::from(*raw) - 85_000.0) / 165_000.0, f64::from(shown - raw))
            }).collect();
            let exact = least_squares(&samples, degree).unwrap();
            let expected = float_at(&exact, (2.0 * f64::from(raw) - 85_000.0) / 165_000.0);
            let found = polynomial.apply(milli(raw)).thousandths() - raw;
            prop_assert!((f64::from(found) - expected).abs() < 0.501, "{} is {}", found, expected);
        }

        /// The line of two points is that of `low` and `high`.
        #[test]
        fn degree_one_through_two_points_is_their_line(
            (low, high) in (-40_000..0_i32, 10_000..125_000_i32),
            (down, up) in (-3000..3000_i32, -3000..3000_i32),
            raw in -200_000..200_000_i32,
        ) {
            let points = [(low, low + down), (high, high + up)];
            let [low, high] = points.map(|(raw, shown)| (milli(raw), milli(shown)));
            let line = super::super::Calibration::TwoPoint { low, high };
            let found = fit(&points, 1).unwrap().apply(milli(raw));
            prop_assert!(found.distance(line.apply(milli(raw))) <= 1);
        }
    }
}
