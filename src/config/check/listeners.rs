//! `[[listener]]`: where clients are let in, and that nobody opens a door without meaning it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{one_path, path, word};
use crate::access::Policy;
use crate::config::complaint::{Complaint, Complaints, Place};
use crate::config::words::{self, POLICIES};
use crate::config::written::{At, Field};
use crate::config::{Listener, Settings, Tls, Transport, schema};
use crate::limits::LISTENERS_MAX;

/// The listeners, in order; the default ones if none is written.
pub(super) fn listeners(
    field: &Field<Vec<At<schema::Listener>>>,
    complaints: &mut Complaints,
) -> Vec<Listener> {
    let Some(written) = field.value().filter(|written| !written.is_empty()) else {
        return Settings::default().listeners;
    };
    if let Some(over) = written.get(LISTENERS_MAX) {
        let hint = format!("at most {LISTENERS_MAX}");
        complaints.push(Complaint::shape(over.place, "too many listeners").hint(hint));
    }
    let mut known: Vec<(Place, SocketAddr)> = Vec::new();
    let mut listeners = Vec::new();
    for at in written.iter().take(LISTENERS_MAX) {
        let Some(listener) = listener(at, complaints) else { continue };
        let place = at.value.bind.given().map_or(at.place, |bind| bind.place);
        if let Some((first, _)) = known.iter().find(|(_, bind)| collide(*bind, listener.bind)) {
            let complaint = Complaint::shape(place, "two listeners on one address");
            complaints.push(complaint.found(listener.bind.to_string()).first(*first));
        }
        known.push((place, listener.bind));
        listeners.push(listener);
    }
    listeners
}

/// Whether the second could not be bound beside the first. Port 0 is another port each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |one: SocketAddr, other: SocketAddr| {
        one.ip().is_unspecified() && one.is_ipv4() == other.is_ipv4()
    };
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || covers(one, other) || covers(other, one))
}

fn listener(at: &At<schema::Listener>, complaints: &mut Complaints) -> Option<Listener> {
    let written = &at.value;
    let hint = "an address and a port, as in `bind = \"127.0.0.1:1883\"`";
    let bind = written.bind.required("bind", at.place, hint, complaints);
    let bind = bind.and_then(|bind| address(bind, complaints));
    let tls = tls(&written.tls, complaints);
    let auth = word(&written.auth, "`auth`", &POLICIES, Policy::Password, complaints);
    // Without knowing these three, nothing can be said about the listener as a whole.
    if matches!(written.auth, Field::Wrong) || matches!(written.tls, Field::Wrong) {
        return None;
    }
    let transport = match written.websocket.value() {
        Some(true) => Transport::WebSocket,
        Some(false) | None => Transport::Tcp,
    };
    let listener = Listener { bind: bind?, tls, transport, auth };
    let open = written.open.value().copied().unwrap_or(false);
    let place = written.auth.given().map_or(at.place, |auth| auth.place);
    if let Some((what, hint)) = danger(&listener).filter(|_| !open) {
        complaints.push(Complaint::shape(place, what).found(listener.bind.to_string()).hint(hint));
    }
    if wants_certificate(auth) && listener.tls.is_none() {
        let complaint = Complaint::shape(place, "client certificates need TLS");
        complaints.push(complaint.found(words::word(&POLICIES, &auth)).hint("add `tls = true`"));
    }
    Some(listener)
}

/// Why a listener needs `open = true`, and what else could be done.
pub(super) fn danger(listener: &Listener) -> Option<(&'static str, &'static str)> {
    if listener.bind.ip().to_canonical().is_loopback() {
        return None;
    }
    match (listener.auth, &listener.tls) {
        (Policy::Anonymous, _) => Some((
            "everyone on the network is let in",
            "set `auth = \"password\"`, or `open = true` if that is meant",
        )),
        (Policy::Password, None) => Some((
            "passwords cross the network in clear",
            "add `tls = true`, or `open = true` if that is meant",
        )),
        (
            Policy::Password
            | Policy::Certificate
            | Policy::CertificateOrPassword
            | Policy::CertificateAndPassword,
            _,
        ) => None,
    }
}

fn wants_certificate(policy: Policy) -> bool {
    match policy {
        Policy::Anonymous | Policy::Password => false,
        Policy::Certificate | Policy::CertificateOrPassword | Policy::CertificateAndPassword => {
            true
        }
    }
}

/// An address with its port.
pub(super) fn address(bind: &At<String>, complaints: &mut Complaints) -> Option<SocketAddr> {
    let parsed = bind.value.parse().ok();
    if parsed.is_none() {
        let hint = likely_address(&bind.value).map_or(
            "an IP address and a port, as in `127.0.0.1:1883` or `[::]:8883`".to_owned(),
            |likely| format!("did you mean `{likely}`?"),
        );
        let complaint = Complaint::value(bind.place, "not an address with a port");
        complaints.push(complaint.found(&bind.value).hint(hint));
    }
    parsed
}

/// What somebody may have meant: a name for this machine, a port alone, an address alone.
fn likely_address(text: &str) -> Option<SocketAddr> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()?),
        _ => match text.parse::<u16>() {
            Ok(port) => ("", port),
            Err(_) => (text, 1883),
        },
    };
    let ip = match host.trim_matches(['[', ']']) {
        "localhost" => "127.0.0.1".parse().ok()?,
        "" | "*" => "::".parse().ok()?,
        ip => ip.parse().ok()?,
    };
    Some(SocketAddr::new(ip, port))
}

fn tls(field: &Field<schema::Tls>, complaints: &mut Complaints) -> Option<Tls> {
    let At { place, value } = field.given()?;
    let files = match value {
        schema::Tls::Own(own) => return own.then_some(Tls::Own),
        schema::Tls::Files(files) => files,
    };
    let hint = "a certificate and its key belong together; `tls = true` takes our own CA";
    files.certificate.required("certificate", *place, hint, complaints);
    files.key.required("key", *place, hint, complaints);
    let client_ca = paths(&files.client_ca, "client_ca", complaints);
    let client_crl = paths(&files.client_crl, "client_crl", complaints);
    if let (true, Some(At { place, .. })) = (client_ca.is_empty(), files.client_crl.given()) {
        let complaint = Complaint::value(*place, "`client_crl` without `client_ca`".to_owned());
        let hint = "certificates of maison's own CA are revoked by `maison subscriber revoke`";
        complaints.push(complaint.hint(hint));
    }
    Some(Tls::Files {
        certificate: path(&files.certificate, "certificate", PathBuf::new(), complaints),
        key: path(&files.key, "key", PathBuf::new(), complaints),
        client_ca,
        client_crl,
    })
}

fn paths(field: &Field<schema::Paths>, key: &str, complaints: &mut Complaints) -> Vec<PathBuf> {
    let Some(At { place, value: schema::Paths(paths) }) = field.given() else { return Vec::new() };
    if paths.is_empty() {
        complaints.push(Complaint::value(*place, format!("no path in `{key}`")));
    }
    let path = |At { place, value }: &At<String>| one_path(*place, value, key, complaints);
    paths.iter().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_likely(text: &str, expected: Option<&str>) {
        assert_eq!(likely_address(text).map(|likely| likely.to_string()).as_deref(), expected);
    }

    #[test]
    fn likely_addresses_are_recognised() {
        check_likely("localhost:1883", Some("127.0.0.1:1883"));
        check_likely("8883", Some("[::]:8883"));
        check_likely(":8883", Some("[::]:8883"));
        check_likely("*:8883", Some("[::]:8883"));
        check_likely("192.168.1.2", Some("192.168.1.2:1883"));
        check_likely("maison.local:1883", None);
        check_likely("1.2.3.4:99999", None);
    }

    #[track_caller]
    fn check_collide(one: &str, other: &str, expected: bool) {
        let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
        assert_eq!((collide(one, other), collide(other, one)), (expected, expected));
    }

    #[test]
    fn listeners_collide_where_the_second_could_not_be_bound() {
        check_collide("127.0.0.1:1883", "127.0.0.1:1883", true);
        check_collide("0.0.0.0:1883", "127.0.0.1:1883", true);
        check_collide("[::]:1883", "[::1]:1883", true);
        check_collide("[::]:1883", "127.0.0.1:1883", false);
        check_collide("127.0.0.1:1883", "127.0.0.2:1883", false);
        check_collide("127.0.0.1:1883", "127.0.0.1:1884", false);
        check_collide("127.0.0.1:0", "127.0.0.1:0", false);
    }
}
