//! `[broker.limits]`: out of range, or at odds with each other.

use super::{check, parse_one};

/// As [`check`], for the keys of the table; the first is on line 2.
#[track_caller]
fn check_limits(keys: &str, expected: &str) {
    check(&format!("[broker.limits]\n{keys}"), expected);
}

/// A key that is out of range.
#[track_caller]
fn check_range(key: &str, written: &str, found: &str, range: &str) {
    let column = key.len() + 4;
    check_limits(
        &format!("{key} = {written}"),
        &format!(":2:{column}: `{key}` out of range: `{found}`\n  hint: {range}"),
    );
}

#[test]
fn limits_out_of_range() {
    check_range("connections", "0", "0", "from `1` to `100000`");
    check_range("connections_per_address", "0", "0", "from `1` to `100000`");
    check_range("connect_timeout", "\"999ms\"", "999ms", "from `1s` to `2m`");
    check_range("connect_timeout", "\"121s\"", "2m1s", "from `1s` to `2m`");
    check_range("packet_before_login", "\"1 kB\"", "1 kB", "from `1 KiB` to `256 MiB`");
    check_range("packet_before_login", "\"1 GiB\"", "1 GiB", "from `1 KiB` to `256 MiB`");
    check_range("sessions", "1000001", "1000001", "from `1` to `1000000`");
    check_range("sessions_per_user", "-1", "-1", "from `1` to `1000000`");
    check_range("subscriptions", "10001", "10001", "from `1` to `10000`");
    check_range("topic_levels", "7", "7", "from `8` to `200`");
    check_range("topic_levels", "201", "201", "from `8` to `200`");
    check_range("inflight", "0", "0", "from `1` to `1000`");
    check_range("inflight", "1001", "1001", "from `1` to `1000`");
    check_range("receive_maximum", "0", "0", "from `1` to `65535`");
    check_range("receive_maximum", "65536", "65536", "from `1` to `65535`");
    check_range("topic_aliases", "1025", "1025", "from `0` to `1024`");
    check_range("keep_alive", "\"65536s\"", "18h12m16s", "from `0s` to `18h12m15s`");
    check_range("subscribed", "\"1 MB\"", "1 MB", "from `1 MiB` to `1024 GiB`");
    check_range("retained", "\"1 MB\"", "1 MB", "from `1 MiB` to `1024 GiB`");
    check_range("queued", "\"1025 GiB\"", "1025 GiB", "from `0 B` to `1024 GiB`");
    check_range("unfinished", "0", "0 B", "from `1 MiB` to `1024 GiB`");
}

#[test]
fn limits_of_another_kind() {
    check_limits(
        "connections = \"2048\"",
        ":2:15: expected an integer, found a text: `2048`\n  hint: write `2048`",
    );
    check_limits(
        "keep_alive = \"1500ms\"",
        ":2:14: `keep_alive` is not in whole seconds: `1s500ms`\n  \
         hint: the protocol counts seconds: `\"2s\"`",
    );
    check_limits(
        "connection = 1",
        ":2:1: unknown key: `connection`\n  hint: did you mean `connections`?",
    );
    check(
        "[broker]\nretained = \"1 MiB\"",
        ":2:1: unknown key: `retained`\n  hint: `retained` belongs in `[broker.limits]`",
    );
    check(
        "[broker]\nlimits = 5",
        ":2:10: expected a table, found an integer: `5`\n  \
         hint: its keys go into `[broker.limits]`",
    );
}

#[test]
fn limits_that_hold_each_other() {
    check_limits(
        "connections_per_address = 2049",
        ":2:27: `connections_per_address` is more than `connections`: `2049 > 2048`\n  \
         hint: at most `2048`, or raise `connections`",
    );
    check_limits(
        "connections = 100",
        ":2:15: `connections_per_address` is more than `connections`: `256 > 100`\n  \
         hint: set `connections_per_address` too, its default is `256`",
    );
    check_limits(
        "connections = 10001",
        ":2:15: `connections` is more than `sessions`: `10001 > 10000`\n  \
         hint: at most `10000`, or raise `sessions`",
    );
    check_limits(
        "sessions = 2047\nsessions_per_user = 2048",
        ":2:12: `connections` is more than `sessions`: `2048 > 2047`\n  \
         hint: set `connections` too, its default is `2048`\n\
         :3:21: `sessions_per_user` is more than `sessions`: `2048 > 2047`\n  \
         hint: at most `2047`, or raise `sessions`",
    );
    check_limits(
        "packet_before_login = \"2 MiB\"",
        ":2:23: `packet_before_login` is more than `max_packet_size`: `2 MiB > 1 MiB`\n  \
         hint: at most `1 MiB`, or raise `max_packet_size`",
    );
}

#[test]
fn limits_that_are_equal_agree() {
    let text = "[broker]\nmax_packet_size = \"16 KiB\"\n[broker.limits]\nconnections = 5\n\
                connections_per_address = 5\nsessions = 5\nsessions_per_user = 5";
    assert_eq!(parse_one(text).map(|_| ()), Ok(()));
}
