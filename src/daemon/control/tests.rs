use super::*;

#[track_caller]
fn check(line: &str, expected: &str) {
    let why = understood(line.as_bytes()).err().unwrap();
    assert!(why.starts_with(expected), "{line}: {why}");
}

/// What comes by a newer or older program, or by hand, is told what is wrong with it.
#[test]
fn requests_that_are_none_are_told_why() {
    check("", "no line of JSON: EOF");
    check("status", "no line of JSON");
    check("\"/etc/maison/maison.toml\"", "no `protocol`");
    check(r#"{"request":"status"}"#, "no `protocol`");
    let version = format!("this gateway (maison {}) speaks", env!("CARGO_PKG_VERSION"));
    check(r#"{"protocol":2,"request":"status"}"#, &version);
    check(r#"{"protocol":1}"#, "no `request`");
    let unknown = "unknown request: `halt`; known: status, reload, certificates, visits, log";
    check(r#"{"protocol":1,"state_dir":"/x","request":"halt"}"#, unknown);
    check(r#"{"protocol":1,"request":"status"}"#, "request `status`: missing field `state_dir`");
    let reload = "request `reload`: missing field `config`";
    check(r#"{"protocol":1,"state_dir":"/x","request":"reload"}"#, reload);
    let log = "request `log`: invalid type: integer `3`";
    check(r#"{"protocol":1,"state_dir":"/x","request":"log","filter":3}"#, log);
}

#[test]
fn each_request_is_understood_as_it_was_meant() {
    let requests = [
        Request::Status {},
        Request::Reload { config: "/etc/été.toml".into() },
        Request::Certificates {},
        Request::Visits {},
        Request::Log { filter: None },
        Request::Log { filter: Some("info".into()) },
    ];
    for request in requests {
        let state_dir = PathBuf::from("/var/lib/maison");
        let asked = Asked { protocol: PROTOCOL, state_dir, request: request.clone() };
        let line = serde_json::to_string(&asked).unwrap() + "\n";
        assert_eq!(understood(line.as_bytes()).unwrap().request, request, "{line}");
        assert!(REQUESTS.iter().any(|name| line.contains(&format!("\"request\":\"{name}\""))));
    }
}
