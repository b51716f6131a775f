//! Averages per minute that forget exponentially, as mosquitto and the load of a Unix machine do:
//! a step weighs the more the longer it lasted, so that their interval may be any.

use std::time::Duration;

/// The spans of one load, by the names of their topics.
pub(super) const SPANS: [(&str, Duration); 3] = [
    ("1min", Duration::from_secs(60)),
    ("5min", Duration::from_secs(5 * 60)),
    ("15min", Duration::from_secs(15 * 60)),
];

/// So many per minute, if `count` came in `elapsed`, which is not zero.
pub(super) fn per_minute(count: u64, elapsed: Duration) -> f64 {
    float(count) * 60.0 / elapsed.as_secs_f64()
}

/// The average over `span` after `elapsed` with so many `per_minute`.
pub(super) fn damped(average: f64, per_minute: f64, elapsed: Duration, span: Duration) -> f64 {
    let kept = (-elapsed.as_secs_f64() / span.as_secs_f64()).exp();
    per_minute + kept * (average - per_minute)
}

/// The nearest number with a fraction.
fn float(count: u64) -> f64 {
    const HALF: f64 = 4_294_967_296.0;
    let half = |bits: u64| f64::from(u32::try_from(bits).unwrap_or(u32::MAX));
    half(count >> 32) * HALF + half(count & u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_secs(10);

    /// `steps` of ten seconds with `count` in each, from `average` on.
    #[track_caller]
    fn check(average: f64, count: u64, steps: u32, expected: [&str; 3]) {
        let averages = SPANS.map(|(_, span)| {
            let mut average = average;
            for _ in 0..steps {
                average = damped(average, per_minute(count, STEP), STEP, span);
            }
            format!("{average:.2}")
        });
        assert_eq!(averages, expected, "from {average}, {steps} times {count}");
    }

    /// After its span an average has come 1 - 1/e = 63 % of the way.
    #[test]
    fn averages_near_what_is_and_forget_what_was() {
        check(0.0, 10, 1, ["9.21", "1.97", "0.66"]);
        check(0.0, 10, 6, ["37.93", "10.88", "3.87"]);
        check(0.0, 10, 30, ["59.60", "37.93", "17.01"]);
        check(0.0, 10, 90, ["60.00", "57.01", "37.93"]);
        check(60.0, 10, 7, ["60.00", "60.00", "60.00"]);
        check(60.0, 0, 6, ["22.07", "49.12", "56.13"]);
        check(60.0, 0, 600, ["0.00", "0.00", "0.08"]);
    }

    #[test]
    fn the_length_of_a_step_does_not_matter() {
        let (once, thrice) = (Duration::from_secs(30), Duration::from_secs(10));
        let span = Duration::from_secs(60);
        let mut average = 5.0;
        for _ in 0..3 {
            average = damped(average, per_minute(4, thrice), thrice, span);
        }
        let expected = damped(5.0, per_minute(12, once), once, span);
        assert!((average - expected).abs() < 1e-9, "{average} and {expected}");
    }

    #[test]
    fn large_counts_keep_their_size() {
        assert_eq!(format!("{:.0}", float(u64::from(u32::MAX) + 1)), "4294967296");
        assert_eq!(format!("{:.0}", float(1 << 60)), (1_u64 << 60).to_string());
        assert_eq!(format!("{:.0}", float(12)), "12");
    }
}
