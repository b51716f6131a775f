//! Values that cannot be meant: out of range, dangerous, or at odds with each other.

use super::{check, check_sensor, parse_one, report};

#[test]
fn values_out_of_range() {
    check(
        "[broker]\nmax_packet_size = \"257 MiB\"",
        ":2:19: `max_packet_size` out of range: `257 MiB`\n  hint: from `16 KiB` to `256 MiB`",
    );
    check(
        "[broker]\nqueue.messages = -1",
        ":2:18: `messages` out of range: `-1`\n  hint: from `0` to `4294967295`",
    );
    check(
        "[broker]\nsession_expiry = \"49711d\"",
        ":2:18: `session_expiry` out of range: `49711d`\n  hint: from `0s` to `49710d`",
    );
    check(
        "[broker]\nprivate = [\"a\", \"a/#/b\"]",
        ":2:17: not a topic filter: `a/#/b`\n  hint: `#` must be the last level of a topic filter",
    );
    check(
        "[broker]\nsys_interval = \"99ms\"",
        ":2:16: `sys_interval` out of range: `99ms`\n  hint: from `100ms` to `1h`",
    );
    check_sensor(
        "interval = \"99ms\"",
        ":5:12: `interval` out of range: `99ms`\n  hint: from `100ms` to `1d`",
    );
    check_sensor(
        "heartbeat = \"2d\"",
        ":5:13: `heartbeat` out of range: `2d`\n  hint: from `100ms` to `1d`",
    );
    check_sensor("retries = 11", ":5:11: `retries` out of range: `11`\n  hint: from `0` to `10`");
    check_sensor("decimals = 4", ":5:12: `decimals` out of range: `4`\n  hint: from `0` to `3`");
    check_sensor("median = 33", ":5:10: `median` out of range: `33`\n  hint: from `1` to `31`");
    check_sensor(
        "median = 4",
        ":5:10: `median` is even: `4`\n  hint: an odd number has one in the middle: `5`",
    );
    check_sensor(
        "deadband = -0.1",
        ":5:12: `deadband` out of range: `-0.1`\n  hint: from `0.0` to `50.0`",
    );
    check_sensor(
        "max_rate = -1",
        ":5:12: `max_rate` out of range: `-1.0`\n  hint: from `0.0` to `1000.0`",
    );
    check_sensor(
        "offset = 51",
        ":5:10: `offset` out of range: `51.0`\n  hint: from `-50.0` to `50.0`",
    );
    check_sensor("min = -56", ":5:7: `min` out of range: `-56.0`\n  hint: from `-55.0` to `150.0`");
    check_sensor("min = 20\nmax = 20", ":6:7: `min` is not below `max`: `20.0 to 20.0`");
    check_sensor(
        "interval = \"1m\"\nstale_after = \"59s\"",
        ":6:15: `stale_after` is shorter than `interval`: `59s`\n  hint: at least `1m`",
    );
    check_sensor(
        "stale_after = \"8d\"",
        ":5:15: `stale_after` out of range: `8d`\n  hint: from `0s` to `7d`",
    );
}

#[test]
fn root_topics_and_paths() {
    let root = |root: &str| report(&format!("[gateway]\nroot = \"{root}\""));
    assert_eq!(
        root("maison/+"),
        ":2:8: wildcard in the root topic: `maison/+`\n  \
         hint: `+` and `#` are for subscriptions only"
    );
    assert_eq!(
        root("a\\u0000"),
        ":2:8: control character in the root topic: `a\\0`\n  \
         hint: use letters, digits and hyphens"
    );
    assert_eq!(
        root("/maison"),
        ":2:8: empty level in the root topic: `/maison`\n  \
         hint: no `/` at either end, and one between two levels, as in `home/maison`"
    );
    assert_eq!(
        root("$SYS"),
        ":2:8: root topic with `$`: `$SYS`\n  hint: topics with `$` are the broker's own"
    );
    check("[hardware]\nsysfs = \"\"", ":2:9: `sysfs` is not a path: ``");
    check(
        "[hardware]\ni2c = \"rppal\"\nspi = \"spidev\"",
        ":2:7: `rppal` is not for I²C: `rppal`\n  \
         hint: it sends a stop between the write and the read of a register, where another \
         master may come between: `i2c = \"linux-embedded-hal\"`\n\
         :3:7: unknown library: `spidev`\n  \
         hint: there are `linux-embedded-hal`, `rppal`",
    );
}

#[test]
fn unknown_words() {
    check(
        "[broker]\ndurability = \"powercut\"",
        ":2:14: unknown durability: `powercut`\n  \
         hint: did you mean `power-cut`? there are `power-cut`, `crash`, `memory`",
    );
    check(
        "[[listener]]\nbind = \"127.0.0.1:1\"\nauth = \"cert\"",
        ":3:8: unknown `auth`: `cert`\n  hint: there are `anonymous`, `password`, `certificate`, \
         `certificate-or-password`, `certificate-and-password`",
    );
}

#[test]
fn listeners() {
    let listener = |keys: &str| report(&format!("[[listener]]\n{keys}"));
    assert_eq!(
        listener("auth = \"password\""),
        ":1:1: missing key: `bind`\n  \
         hint: an address and a port, as in `bind = \"127.0.0.1:1883\"`"
    );
    assert_eq!(
        listener("bind = \"localhost:1883\""),
        ":2:8: not an address with a port: `localhost:1883`\n  hint: did you mean `127.0.0.1:1883`?"
    );
    assert_eq!(
        listener("bind = \"0.0.0.0:1883\"\nauth = \"anonymous\""),
        ":3:8: everyone on the network is let in: `0.0.0.0:1883`\n  \
         hint: set `auth = \"password\"`, or `open = true` if that is meant"
    );
    assert_eq!(
        listener("bind = \"[::]:8883\"\ntls = true\nauth = \"anonymous\"\nopen = false"),
        ":4:8: everyone on the network is let in: `[::]:8883`\n  \
         hint: set `auth = \"password\"`, or `open = true` if that is meant"
    );
    assert_eq!(
        listener("bind = \"192.168.1.2:1883\""),
        ":1:1: passwords cross the network in clear: `192.168.1.2:1883`\n  \
         hint: add `tls = true`, or `open = true` if that is meant"
    );
    assert_eq!(
        listener("bind = \"127.0.0.1:1883\"\nauth = \"certificate-or-password\""),
        ":3:8: client certificates need TLS: `certificate-or-password`\n  hint: add `tls = true`"
    );
    assert_eq!(
        listener("bind = \"127.0.0.1:1\"\ntls = { certificate = \"a\", client_ca = \"\" }"),
        ":3:7: missing key: `key`\n  \
         hint: a certificate and its key belong together; `tls = true` takes our own CA\n\
         :3:40: `client_ca` is not a path: ``"
    );
    assert_eq!(
        listener("bind = \"127.0.0.1:1\"\n[[listener]]\nbind = \"0.0.0.0:1\"\ntls = true"),
        ":4:8: two listeners on one address: `0.0.0.0:1`\n  hint: the first is at `:2:8`"
    );
}

#[test]
fn listeners_for_websocket_keep_the_rules() {
    let listener = |keys: &str| report(&format!("[[listener]]\nwebsocket = true\n{keys}"));
    assert_eq!(
        listener("bind = \"0.0.0.0:1884\"\nauth = \"anonymous\""),
        ":4:8: everyone on the network is let in: `0.0.0.0:1884`\n  \
         hint: set `auth = \"password\"`, or `open = true` if that is meant"
    );
    assert_eq!(
        listener("bind = \"192.168.1.2:1884\""),
        ":1:1: passwords cross the network in clear: `192.168.1.2:1884`\n  \
         hint: add `tls = true`, or `open = true` if that is meant"
    );
    assert_eq!(
        listener("bind = \"127.0.0.1:1884\"\nauth = \"certificate\""),
        ":4:8: client certificates need TLS: `certificate`\n  hint: add `tls = true`"
    );
    assert_eq!(
        listener("bind = \"127.0.0.1:1884\"\nwebsockets = true"),
        ":4:1: unknown key: `websockets`\n  hint: did you mean `websocket`?"
    );
}

#[test]
fn loopback_needs_no_tls_and_what_is_meant_is_let_through() {
    for keys in [
        "bind = \"127.0.0.1:1883\"",
        "bind = \"[::1]:1883\"\nauth = \"anonymous\"",
        "bind = \"[::ffff:127.0.0.1]:1883\"\nauth = \"anonymous\"",
        "bind = \"0.0.0.0:1883\"\nopen = true",
        "bind = \"127.0.0.1:1884\"\nwebsocket = true\nauth = \"anonymous\"",
        "bind = \"[::]:8884\"\nwebsocket = true\ntls = true",
        "bind = \"0.0.0.0:1883\"\nauth = \"anonymous\"\nopen = true",
        "bind = \"0.0.0.0:8883\"\ntls = true\nauth = \"certificate\"",
    ] {
        assert_eq!(parse_one(&format!("[[listener]]\n{keys}")).map(|_| ()), Ok(()), "{keys}");
    }
}

#[test]
fn room_slugs_and_names() {
    let rule = "accents and spaces may go into its `name`";
    check(
        "[rooms.\"Chambre d'été\"]",
        &format!(
            ":1:8: not a room slug: `Chambre d'été`\n  hint: write `[rooms.chambre-d-ete]`; {rule}"
        ),
    );
    check(
        "[rooms.été]",
        &format!(":1:8: not a room slug: `été`\n  hint: write `[rooms.ete]`; {rule}"),
    );
    check(
        "[rooms._gateway]",
        &format!(
            ":1:8: room slugs with `_` are the gateway's own: `_gateway`\n  \
             hint: write `[rooms.gateway]`; {rule}"
        ),
    );
    let long = "x".repeat(33);
    check(
        &format!("[rooms.{long}]"),
        &format!(
            ":1:8: room slug too long: `{long}`\n  hint: write `[rooms.{}]`; {rule}",
            "x".repeat(32)
        ),
    );
    check(
        "[rooms.\"\"]\nname = \"A\"",
        ":1:8: a room needs a slug: ``\n  \
         hint: 1 to 32 lower-case letters without accents, digits and hyphens",
    );
    check("[rooms.a]\nname = \" \"", ":2:8: a room needs a name: ` `");
    check("[rooms.a]\nname = \"x\\ny\"", ":2:8: control character in the name of a room: `x\\ny`");
    check(
        "[rooms.b]\nname = \"A\"\n[rooms.a]\nname = \"A\"",
        ":4:8: two rooms of one name: `A`\n  hint: the first is at `:2:8`",
    );
    assert!(parse_one(&format!("[rooms.{}]", "x".repeat(32))).is_ok());
}
