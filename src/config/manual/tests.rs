use super::*;
use crate::config::{Settings, Source, parse};

/// What the manual says holds where nothing is written does hold.
#[test]
fn the_defaults_of_the_manual_are_the_defaults() {
    let mut text = String::new();
    let mut told = 0;
    for table in ["`[gateway]`", "`[broker]`", "`[broker.limits]`", "`[hardware]`", "`[log]`"] {
        let found = schema::TABLES.iter().find(|known| known.title == table).unwrap();
        writeln!(text, "{}", table.replace('`', "")).unwrap();
        for key in found.keys {
            if let Some(default) = default(key) {
                writeln!(text, "{} = {default}", key.name).unwrap();
                told += 1;
            }
        }
        if table == "`[broker]`" {
            let queue = schema::TABLES.iter().find(|it| it.title == "`queue` of `[broker]`");
            let keys = queue.unwrap().keys.iter();
            let keys = keys.map(|key| format!("{} = {}", key.name, default(key).unwrap()));
            writeln!(text, "queue = {{ {} }}", keys.collect::<Vec<_>>().join(", ")).unwrap();
        }
    }
    assert!(told >= 25, "{told} in:\n{text}");
    let settings = parse(&[Source { path: "a.toml".into(), text: text.clone() }]);
    assert_eq!(settings.as_ref(), Ok(&Settings::default()), "{text}");
}

#[test]
fn every_table_is_reached_and_every_key_has_its_words() {
    let schema = json_schema();
    let text = schema.to_string();
    for table in schema::TABLES {
        let name = name(table.title);
        assert!(text.contains(&format!("\"#/$defs/{name}\"")), "nothing leads to {name}");
        assert!(!prose(table.about).is_empty(), "{name}");
        for key in table.keys {
            assert!(prose(key.manual).ends_with('.'), "{name}: {}", key.name);
        }
    }
}

#[test]
fn what_may_be_one_or_several_is_a_value_or_a_list_of_such() {
    let schema = json_schema();
    let text = json!({ "type": "string" });
    for key in ["client_ca", "client_crl"] {
        let kinds = &schema["$defs"]["tls-of-a-listener"]["properties"][key]["anyOf"];
        assert_eq!(*kinds, json!([text, { "type": "array", "items": text }]), "{key}");
    }
}

#[test]
fn required_are_the_keys_that_the_check_asks_for() {
    let schema = json_schema();
    let required = |name: &str| schema["$defs"][name]["required"].clone();
    assert_eq!(required("listener"), json!(["bind"]));
    assert_eq!(required("rooms-slug-sensors"), json!(["driver", "bus"]));
    assert_eq!(required("metrics"), json!(["bind"]));
    assert_eq!(required("tls-of-a-listener"), json!(["certificate", "key"]));
    assert_eq!(required("broker"), json!([]));
}
