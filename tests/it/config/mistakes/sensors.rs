//! Sensors that cannot be: chips, buses and addresses that are not there or do not fit.

use maison::sensors::catalog::Driver;

use super::{check, check_one_wire, check_sensor};

/// All buses, as messages list them.
const BUSES: &str = "`w1`, `gpio4` (any pin), `i2c-1` (any number), `spi-0.0` (bus and chip \
                     select), `hwmon`, `iio`, `thermal`, `simulated`";

/// All names that a sensor may have as its driver, as messages list them.
fn drivers() -> String {
    let names = Driver::ALL.iter().map(|driver| format!("`{}`", driver.facts().name));
    names.collect::<Vec<_>>().join(", ")
}

#[test]
fn drivers_and_buses() {
    check(
        "[[rooms.a.sensors]]",
        &format!(
            ":1:1: missing key: `driver`\n  hint: there are {}\n\
             :1:1: missing key: `bus`\n  hint: there are {BUSES}",
            drivers()
        ),
    );
    check(
        "[[rooms.a.sensors]]\ndriver = \"tmp118\"\nbus = \"can0\"",
        &format!(
            ":2:10: unknown sensor driver: `tmp118`\n  \
             hint: did you mean `tmp117`? there are {}\n\
             :3:7: unknown bus: `can0`\n  hint: there are {BUSES}",
            drivers()
        ),
    );
    check(
        "[[rooms.a.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c1\"",
        ":3:7: unknown bus: `i2c1`\n  hint: did you mean `i2c-1`?",
    );
    check(
        "[[rooms.a.sensors]]\ndriver = \"tmp117\"\nbus = \"gpio4\"",
        ":3:7: `tmp117` does not hang on this bus: `gpio4`\n  \
         hint: `tmp117` is a chip for I²C: `i2c-1`",
    );
    check(
        "[[rooms.a.sensors]]\ndriver = \"ds18b20\"\nbus = \"i2c-1\"\naddress = \"28-01131e858aef\"",
        ":3:7: `ds18b20` does not hang on this bus: `i2c-1`\n  \
         hint: `ds18b20` is a chip for 1-Wire: `w1`, or `gpio4` for a pin",
    );
}

#[test]
fn addresses() {
    let rule = "family, hyphen and twelve hexadecimal digits, as `ls /sys/bus/w1/devices` shows";
    check(
        "[[rooms.a.sensors]]\ndriver = \"ds18b20\"\nbus = \"w1\"",
        ":1:1: missing key: `address`\n  hint: as the kernel names it: `ls /sys/bus/w1/devices`",
    );
    check_one_wire(
        "\"28-01131e858ae\"",
        &format!(":4:11: not a 1-Wire address: `28-01131e858ae`\n  hint: {rule}"),
    );
    check_one_wire("72", &format!(":4:11: not a 1-Wire address: `72`\n  hint: {rule}"));
    check_one_wire(
        "\"28.01131E858AEF\"",
        ":4:11: not a 1-Wire address: `28.01131E858AEF`\n  hint: did you mean `28-01131e858aef`? \
         if this is owfs's notation: `28-ef8a851e1301`",
    );
    check_one_wire(
        "\"26-000802b4d1aa\"",
        ":4:11: 1-Wire device of another family: `26-000802b4d1aa`\n  \
         hint: `ds18b20` reads `10`, `22`, `28`, `3b`, `42`",
    );
    check_sensor(
        "address = 0x90",
        ":5:11: not an address of `tmp117`: `0x90`\n  \
         hint: `tmp117` can be at `0x48`, `0x49`, `0x4a`, `0x4b`; \
         behind a multiplexer as `0x70:3/0x…`",
    );
    check_sensor(
        "address = \"48\"",
        ":5:11: not an address of `tmp117`: `48`\n  \
         hint: `tmp117` can be at `0x48`, `0x49`, `0x4a`, `0x4b`; \
         behind a multiplexer as `0x70:3/0x…`",
    );
    check_sensor(
        "address = \"0x70:8/0x48\"",
        ":5:11: not an address of `tmp117`: `0x70:8/0x48`\n  \
         hint: `tmp117` can be at `0x48`, `0x49`, `0x4a`, `0x4b`; \
         behind a multiplexer as `0x70:3/0x…`",
    );
    check_sensor(
        "address = \"0x70:3/0x48:1\"",
        ":5:11: `tmp117` has no inputs: `0x70:3/0x48:1`\n  hint: write `0x70:3/0x48`",
    );
    let first = "[[rooms.a.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\"\n";
    check(
        &format!(
            "{first}[[rooms.b.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\"\naddress = 0x48"
        ),
        ":7:11: two sensors at one address: `0x48 on i2c-1`\n  hint: the first is at `:1:1`",
    );
}

#[test]
fn what_hangs_at_an_input() {
    let sensor =
        "[[rooms.a.sensors]]\ndriver = \"ads1115\"\nbus = \"i2c-1\"\naddress = \"0x48:0\"\n";
    let check_key = |line: &str, expected: &str| check(&format!("{sensor}{line}"), expected);
    check_key(
        "",
        ":1:1: missing key: `thermistor`\n  \
         hint: what hangs at the input of `ads1115`: `thermistor`",
    );
    check_key("rtd = { element = \"pt100\", wires = 2 }", ":5:7: not a key of `ads1115`: `rtd`");
    check_key(
        "thermistor = { r25 = 10000 }",
        ":5:14: missing key: `beta`\n  hint: as its datasheet has it: `beta = 3950`",
    );
    check_key(
        "thermistor = { beta = 39.5, side = \"top\" }",
        ":5:23: `beta` out of range: `39.5`\n  hint: from `500.0` to `10000.0`\n\
         :5:36: unknown side of a thermistor: `top`\n  hint: there are `ground`, `supply`",
    );
    check_key(
        "thermistor = { steinhart_hart = [1.1e-3, 2.3e-4] }",
        ":5:33: expected three coefficients, found an array\n  \
         hint: three numbers: `[1.129148e-3, 2.34125e-4, 8.76741e-8]`",
    );
    check_key(
        "thermistor = { steinhart_hart = [1.129148e-3, 2.34125e-5, 8.76741e-8] }",
        ":5:14: no thermistor is like this: `10000 Ω at 434 °C`\n  \
         hint: it should be as large as its `series` resistor between −55 and 200 °C",
    );
    check_sensor("thermistor = { beta = 3950 }", ":5:14: not a key of `tmp117`: `thermistor`");
}

#[test]
fn chips_on_spi() {
    let sensor = |driver: &str, line: &str| {
        format!("[[rooms.a.sensors]]\ndriver = \"{driver}\"\nbus = \"spi-0.0\"\n{line}\n")
    };
    check(
        &sensor("max31865", "rtd = { element = \"pt100\", wires = 5, reference = 90 }"),
        ":4:36: `wires` out of range: `5`\n  \
         hint: 2, 3 or 4: as many as lead from the board to the probe",
    );
    check(
        &sensor("max31865", "rtd = { element = \"pt1000\", wires = 2, reference = 430 }"),
        ":4:7: `reference` is not above the resistance\n  \
         hint: boards for PT100 have 400 or 430 Ω, for PT1000 4000 or 4300",
    );
    check(
        &sensor("mcp3008", "tmp36 = {}"),
        ":1:1: missing key: `address`\n  hint: `mcp3008` has inputs 0 to 7",
    );
    check(
        &sensor("mcp3008", "tmp36 = {}\naddress = 8"),
        ":5:11: not an input of `mcp3008`: `8`\n  hint: `mcp3008` has inputs 0 to 7",
    );
    check(
        &sensor("max31855", "address = 0"),
        ":4:11: not an input of `max31855`: `0`\n  hint: `max31855` has no inputs: leave it out",
    );
    let both = sensor("mcp3008", "tmp36 = {}\naddress = 1") + &sensor("max31855", "");
    check(
        &both,
        ":6:1: two kinds of chip at one address: `spi-0.0 on spi-0.0`\n  \
         hint: the first is at `:5:11`",
    );
}

#[test]
fn further_quantities() {
    check_sensor("humidity = { offset = 1 }", ":5:12: `tmp117` does not measure this: `humidity`");
    let sensor = "[[rooms.a.sensors]]\ndriver = \"sht3x\"\nbus = \"i2c-1\"\n";
    let check = |keys: &str, expected| check(&format!("{sensor}{keys}"), expected);
    check(
        "humidity.max = 101",
        ":4:16: `max` out of range: `101.0`\n  hint: from `0.0` to `100.0`",
    );
    check(
        "humidity.calibration = { low = [11, 90], high = [75.3, 12] }",
        ":4:32: raw and true humidity are too far apart: `11.0 and 90.0`\n  \
         hint: by at most 50 %\n\
         :4:49: raw and true humidity are too far apart: `75.3 and 12.0`\n  \
         hint: by at most 50 %\n\
         :4:49: `high` is not above `low`\n  \
         hint: by 1 % or more, in both raw and true humidity",
    );
    check(
        "humidity.interval = \"1s\"",
        ":4:10: unknown key: `interval`\n  hint: `interval` belongs in `[[rooms.<slug>.sensors]]`",
    );
}

#[test]
fn calibrations() {
    check_sensor(
        "calibration = { low = [0, 0], high = [0, 1] }",
        ":5:38: `high` is not above `low`\n  \
         hint: by 1 °C or more, in both raw and true temperature",
    );
    check_sensor(
        "calibration = { low = [0, 0], high = [50, 0] }",
        ":5:38: `high` is not above `low`\n  \
         hint: by 1 °C or more, in both raw and true temperature",
    );
    check_sensor(
        "calibration = { low = [0, 0], high = [100, 48] }",
        ":5:38: raw and true temperature are too far apart: `100.0 and 48.0`\n  \
         hint: by at most 50 °C",
    );
    check_sensor(
        "calibration = { low = [0, 0, 0] }",
        ":5:15: missing key: `high`\n  \
         hint: two points: `{ low = [raw, true], high = [raw, true] }`\n\
         :5:23: expected a point, found an array\n  hint: two numbers: `[raw, true]`",
    );
    check_sensor(
        "offset = 1\ncalibration = { low = [0, 0], high = [100, 99] }",
        ":5:10: `offset` beside `calibration`\n  hint: the points of `calibration` say it all",
    );
}

#[test]
fn curves_of_calibration() {
    let check_curve = |keys: &str, expected: &str| {
        check_sensor(&format!("calibration = {{ {keys} }}"), expected);
    };
    check_curve(
        "points = [[1, 0], [20, 20], [1.2, 0.5]]",
        ":5:45: two points are too near: `1.0 and 1.2`\n  \
         hint: the first is at `:5:27`; 1 °C or more from one raw value to the next",
    );
    check_curve(
        "points = [[1, 0], [1, 0]]",
        ":5:35: two points are too near: `1.0 and 1.0`\n  \
         hint: the first is at `:5:27`; 1 °C or more from one raw value to the next",
    );
    check_curve(
        "points = [[1, 0], [20, 20]], degree = 2",
        ":5:55: `degree` too high for 2 points: `2`\n  \
         hint: lower than their number: at most `1`",
    );
    check_curve(
        "points = [[1, 0], [20, 20]], degree = 4",
        ":5:55: `degree` out of range: `4`\n  hint: from `1` to `3`",
    );
    check_curve(
        "points = [[1, 0]]",
        ":5:26: too few points: `1`\n  \
         hint: two or more; what moves all alike is an `offset`",
    );
    check_curve(
        "points = [[1, 0], [10, 59], [20, 20]], degree = 2",
        ":5:26: the curve through these points turns back: `degree 2`\n  \
         hint: one of them is wrong, or the degree is too high",
    );
    check_curve(
        "points = [[1, 52], [10, 60]], low = [0, 0]",
        ":5:27: raw and true temperature are too far apart: `1.0 and 52.0`\n  \
         hint: by at most 50 °C\n\
         :5:53: `low` beside `points`\n  hint: put it among them",
    );
    check_curve(
        "low = [0, 0], high = [100, 99], degree = 2",
        ":5:58: `degree` without `points`\n  \
         hint: as in `{ points = [[raw, true], …], degree = 2 }`",
    );
}

#[test]
fn averages() {
    for alpha in ["0", "1.5", "-0.2"] {
        let expected = |shown: &str| {
            format!(":5:9: `alpha` out of range: `{shown}`\n  hint: from `0.001` to `1.0`")
        };
        let shown = match alpha {
            "0" => "0.0",
            other => other,
        };
        check_sensor(&format!("alpha = {alpha}"), &expected(shown));
    }
}

/// Zero turns a filter off, so what is not zero must not become it.
#[test]
fn what_is_finer_than_a_thousandth_is_no_zero() {
    for (key, written) in
        [("max_rate", "0.000001"), ("alpha", "0.0001"), ("deadband", "0.0004"), ("min", "-0.0002")]
    {
        let column = key.len() + 4;
        let expected = format!(
            ":5:{column}: finer than a thousandth: `{written}`\n  \
             hint: three digits after the dot count: `0.001`"
        );
        check_sensor(&format!("{key} = {written}"), &expected);
    }
}

/// Rooms are published in the order of their slugs, and complained about in that of the file.
#[test]
fn the_first_of_two_is_the_one_that_stands_first() {
    let sensor = |room: &str, driver: &str, rest: &str| {
        format!("[[rooms.{room}.sensors]]\ndriver = \"{driver}\"\nbus = \"i2c-1\"\n{rest}\n")
    };
    let tmp117 = |room| sensor(room, "tmp117", "address = 0x48");
    check(
        &(tmp117("c") + &tmp117("a") + &tmp117("b")),
        ":8:11: two sensors at one address: `0x48 on i2c-1`\n  hint: the first is at `:4:11`\n\
         :12:11: two sensors at one address: `0x48 on i2c-1`\n  hint: the first is at `:4:11`",
    );
    check(
        &(tmp117("b") + &sensor("a", "lm75", "address = \"0x48\"")),
        ":8:11: two sensors at one address: `0x48 on i2c-1`\n  hint: the first is at `:4:11`\n\
         :8:11: two kinds of chip at one address: `0x48 on i2c-1`\n  \
         hint: the first is at `:4:11`",
    );
    let named = "[rooms.b]\nname = \"Salon\"\n[rooms.a]\nname = \"Salon\"";
    check(named, ":4:8: two rooms of one name: `Salon`\n  hint: the first is at `:2:8`");
}

#[test]
fn rooms_of_several_sensors() {
    let sensor = "[[rooms.a.sensors]]\ndriver = \"tmp117\"\nbus = \"i2c-1\"\naddress = 0x4";
    let check_room = |keys: &str, sensors: usize, expected: &str| {
        let sensors: Vec<_> = (8..8 + sensors).map(|it| format!("{sensor}{it}\n")).collect();
        check(&format!("[rooms.a]\n{keys}\n{}", sensors.concat()), expected);
    };
    check_room(
        "combine = \"average\"",
        2,
        ":2:11: unknown combination: `average`\n  \
         hint: there are `first-healthy`, `median`, `mean`",
    );
    check_room(
        "disagreement = 51\ndisagreement_after = \"2d\"",
        2,
        ":2:16: `disagreement` out of range: `51.0`\n  hint: from `0.0` to `50.0`\n\
         :3:22: `disagreement_after` out of range: `2d`\n  hint: from `0s` to `1d`",
    );
    check_room(
        "combine = \"mean\"\ndisagreement = 2",
        1,
        ":2:11: `combine` of a room with fewer than two sensors: `1`\n  \
         hint: leave it out, or add a sensor\n\
         :3:16: `disagreement` of a room with fewer than two sensors: `1`\n  \
         hint: leave it out, or add a sensor",
    );
}

#[test]
fn multiplexers_do_not_hide_two_chips_of_one_address() {
    let bus = "bus = \"i2c-1\"\naddress";
    let [tmp117, bme280] = ["tmp117", "bme280"]
        .map(|driver| format!("[[rooms.a.sensors]]\ndriver = \"{driver}\"\n{bus}"));
    let what = "address on the bus itself and behind a multiplexer, or the multiplexer's";
    let hint = "move one of them to another address";
    check(
        &format!("{tmp117} = 0x48\n{tmp117} = \"0x70:0/0x48\""),
        &format!(":8:11: {what}: `0x48`\n  hint: the first is at `:4:11`; {hint}"),
    );
    check(
        &format!("{tmp117} = \"0x76:0/0x48\"\n{bme280} = 0x76"),
        &format!(":8:11: {what}: `0x76`\n  hint: the first is at `:4:11`; {hint}"),
    );
    check(
        &format!("{bme280} = 0x76\n{tmp117} = \"0x76:0/0x48\""),
        &format!(":8:11: {what}: `0x76`\n  hint: the first is at `:4:11`; {hint}"),
    );
}
