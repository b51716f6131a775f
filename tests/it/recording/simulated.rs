//! A whole house on simulated buses: read, recorded and replayed.

use std::fs;

use serde_json::Value;

use super::{recorded_by, replay, run, text, troubled_pi};
use crate::gateway::Gateway;

/// No bus of it is there: what is read comes from simulated chips.
#[test]
fn a_house_of_real_buses_is_read_as_if_they_were_there() {
    let folder = Gateway::prepare(&troubled_pi().replace("share = 0.3", "share = 0.001"));
    let output = run(folder.path(), &["read", "--simulated", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    for sensor in json.as_array().unwrap() {
        let temperature = sensor["values"]["temperature"].as_f64();
        assert!(temperature.is_some_and(|it| (-10.0..40.0).contains(&it)), "{sensor}");
    }
    let raw = text(&run(folder.path(), &["read", "bureau", "--simulated", "--raw"]).stdout);
    assert!(raw.contains("i2c-1  0x70 ← 08") && raw.contains("spi-0.0  spi ← 0000 → "), "{raw}");
    let real = run(folder.path(), &["read"]);
    assert_eq!(real.status.code(), Some(1), "{real:?}");
    assert!(text(&real.stdout).contains("failed: no-bus"), "{real:?}");
}

#[test]
fn a_record_of_simulated_real_buses_is_published_again_word_for_word() {
    let folder = Gateway::prepare(&troubled_pi());
    let (record, printed) = recorded_by(folder.path(), "7s", &["--simulated"]);
    for fault in ["salon 28-01131e858aef: fault: absent", "fault: crc", "fault: timeout"] {
        assert!(printed.contains(fault), "no `{fault}` in:\n{printed}");
    }
    let content = fs::read_to_string(&record).unwrap();
    for bus in ["w1", "i2c-1", "spi-0.0", "gpio17", "hwmon"] {
        assert!(content.contains(&format!("\"bus\":\"{bus}\",\"said\"")), "nothing of {bus}");
    }
    let output = replay(&record, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(text(&output.stdout), printed);
}
