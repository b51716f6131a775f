//! Texts that are no TOML, keys that do not exist, values of another kind.

use super::{check, check_one_wire, check_sensor};

#[test]
fn text_that_is_no_toml() {
    check("[gateway\nroot = \"a\"", ":1:9: not TOML, unclosed table, expected `]`");
    check(
        "[gateway]\nroot = maison\n[broker]\nsession_expiry = 7d\n",
        ":2:8: a text needs quotes: `maison`\n  hint: write `\"maison\"`\n\
         :4:18: a text needs quotes: `7d`\n  hint: write `\"7d\"`",
    );
    check(
        "[[listener]]\nbind = 127.0.0.1:1883 # here",
        ":2:8: a text needs quotes: `127.0.0.1:1883`\n  hint: write `\"127.0.0.1:1883\"`",
    );
    check_one_wire(
        "28-01131e858aef",
        ":4:11: a text needs quotes: `28-01131e858aef`\n  hint: write `\"28-01131e858aef\"`",
    );
    check_sensor("offset = 0,3", ":5:10: not a number: `0,3`\n  hint: a number has a dot: `0.3`");
    check("[gateway]\nroot =\n", ":2:7: a value is missing");
    check("[gateway]\nroot = \"a\n", ":2:10: not TOML, invalid basic string, expected `\"`");
    check(
        "[rooms.Chambre d'été]\nname = \"x\"",
        ":1:15: not TOML, unclosed table, expected `]`\n  \
         hint: write `[rooms.chambre-d-ete]`, in lower-case letters, digits and hyphens",
    );
    check(
        "[gateway]\nétat = 1",
        ":2:1: unknown key: `état`\n  hint: `[gateway]` has `root`, `state_dir`, `watch_files`",
    );
}

#[test]
fn what_is_given_twice() {
    check(
        "[rooms.a]\nname = \"A\"\n\n[ rooms . a ] # again\n",
        ":4:11: room defined twice: `a`\n  hint: the first is at `:1:1`",
    );
    check(
        "[broker]\n[gateway]\n[broker]",
        ":3:2: table defined twice: `broker`\n  hint: the first is at `:1:1`",
    );
    check(
        "[gateway]\nroot = \"a\"\n  root = \"b\"",
        ":3:3: key set twice: `root`\n  hint: the first is at `:2:1`",
    );
    check(
        "[rooms.a]\nname = \"A\"\n[rooms.b]\nname = \"B\"\nname = \"C\"",
        ":5:1: key set twice: `name`\n  hint: the first is at `:4:1`",
    );
    check(
        "[broker]\nqueue = { messages = 1, messages = 2 }",
        ":2:25: key set twice: `messages`\n  hint: a table and each of its keys can be given once",
    );
}

#[test]
fn unknown_keys_and_tables() {
    check("[gateway]\nrooot = \"a\"", ":2:1: unknown key: `rooot`\n  hint: did you mean `root`?");
    check("[borker]", ":1:2: unknown table: `borker`\n  hint: did you mean `broker`?");
    check("[[listeners]]", ":1:3: unknown key: `listeners`\n  hint: did you mean `listener`?");
    check(
        "state_dir = \"a\"",
        ":1:1: unknown key: `state_dir`\n  hint: `state_dir` belongs in `[gateway]`",
    );
    check(
        "[rooms.a]\ninterval = \"1s\"",
        ":2:1: unknown key: `interval`\n  \
         hint: `interval` belongs in `[[rooms.<slug>.sensors]]`",
    );
    check(
        "[hardware]\ncolour = 1",
        ":2:1: unknown key: `colour`\n  hint: `[hardware]` has `sysfs`, `i2c`, `spi`",
    );
}

#[test]
fn values_of_another_kind() {
    check(
        "gateway = 5",
        ":1:11: expected a table, found an integer: `5`\n  hint: its keys go into `[gateway]`",
    );
    check(
        "[gateway]\nroot = 5",
        ":2:8: expected a text, found an integer: `5`\n  hint: write `\"5\"`",
    );
    check(
        "[listener]\nbind = \"127.0.0.1:1\"",
        ":1:1: expected an array of tables, found a table\n  \
         hint: each one has a header in double brackets: `[[…]]`",
    );
    check(
        "[[rooms]]",
        ":1:1: expected a table, found an array\n  \
         hint: each has a table of its own: `[rooms.salon]`",
    );
    check_sensor(
        "retries = \"2\"",
        ":5:11: expected an integer, found a text: `2`\n  hint: write `2`",
    );
    check_sensor(
        "decimals = 1.0",
        ":5:12: expected an integer, found a number: `1.0`\n  hint: write `1`",
    );
    check_sensor(
        "min = \"−5,5 °C\"",
        ":5:7: expected a number, found a text: `−5,5 °C`\n  hint: without quotes and unit: `-5.5`",
    );
    check_sensor("max = nan", ":5:7: not a number of use: `nan`");
    check_sensor("max = -inf", ":5:7: not a number of use: `-inf`");
    check_sensor("max = 1e999", ":5:7: number too large: `1e999`");
    check_sensor(
        "retries = 99999999999999999999",
        ":5:11: number too large: `99999999999999999999`",
    );
    check_sensor(
        "interval = 2026-11-22",
        ":5:12: expected a duration, found a date: `2026-11-22`\n  \
         hint: a number and `ms`, `s`, `m`, `h` or `d`, as in `\"10s\"`",
    );
    check(
        "[[listener]]\nbind = \"127.0.0.1:1\"\ntls = \"yes\"\nopen = 1",
        ":3:7: expected `true`, `false` or a table, found a text: `yes`\n  \
         hint: `tls = true` takes a certificate of our own CA\n\
         :4:8: expected `true` or `false`, found an integer: `1`",
    );
}

#[test]
fn durations_and_sizes() {
    check_sensor(
        "interval = \"10 sec\"",
        ":5:12: not a duration: `10 sec`\n  hint: did you mean `\"10s\"`?",
    );
    check_sensor(
        "interval = 10",
        ":5:12: a duration needs a unit: `10`\n  hint: for seconds write `\"10s\"`",
    );
    check_sensor(
        "interval = \"soon\"",
        ":5:12: not a duration: `soon`\n  \
         hint: a number and `ms`, `s`, `m`, `h` or `d`, as in `\"10s\"`",
    );
    check(
        "[broker]\nmax_packet_size = 1048576",
        ":2:19: a size needs a unit: `1048576`\n  hint: for bytes write `\"1 MiB\"`",
    );
    check(
        "[broker]\nmax_packet_size = \"1 M\"",
        ":2:19: not a size: `1 M`\n  hint: did you mean `\"1 MiB\"`?",
    );
    check(
        "[broker]\nqueue.bytes = \"much\"",
        ":2:15: not a size: `much`\n  \
         hint: a number and `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`, as in `\"1 MiB\"`",
    );
}
