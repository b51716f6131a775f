//! Where the gateway is, for programs on the network that look by mDNS (RFC 6762, 6763):
//! `_secure-mqtt._tcp` with the fingerprint of our own authority, `_mqtt._tcp` for a plain one.
//!
//! A host has one responder. Where avahi runs it is that, and ours is silent: two that speak for
//! one host name take each other for another host, and one of them renames it.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use mdns_sd::{IfKind, IfPredicate, ServiceDaemon, ServiceInfo};
use rustix::system::uname;
use tracing::{debug, info, warn};

use crate::access::Policy;
use crate::config::{Announce, Listener, Settings, Tls, Transport};

/// There while avahi runs.
const AVAHI: &str = "/run/avahi-daemon/pid";

/// Longest that a good-bye may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// The versions of MQTT that every listener speaks.
const VERSIONS: &str = "5,3.1.1";

/// What is announced of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// `_secure-mqtt._tcp` or `_mqtt._tcp`.
    pub(crate) kind: &'static str,
    pub(crate) port: u16,
    /// `None`: all of the host's.
    address: Option<IpAddr>,
    /// Keys and values of its TXT record.
    pub(crate) text: Vec<(&'static str, String)>,
}

/// What is to be announced: of each kind the first listener that others can reach.
pub(crate) fn announcements(settings: &Settings, fingerprint: Option<&str>) -> Vec<Announcement> {
    let mut all: Vec<Announcement> = Vec::new();
    for listener in settings.listeners.iter().filter(|it| is_meant(it, settings.announce)) {
        let new = announcement(listener, &settings.gateway.root, fingerprint);
        if all.iter().all(|known| known.kind != new.kind) {
            all.push(new);
        }
    }
    all
}

fn is_meant(listener: &Listener, announce: Announce) -> bool {
    let ip = listener.bind.ip().to_canonical();
    let is_reached = !ip.is_loopback() && listener.bind.port() != 0;
    is_reached
        && listener.transport == Transport::Tcp
        && match announce {
            Announce::Always => true,
            // Of all addresses, those that are private.
            Announce::Private => ip.is_unspecified() || is_private(&ip),
            Announce::Off => false,
        }
}

fn announcement(listener: &Listener, root: &str, fingerprint: Option<&str>) -> Announcement {
    let auth = match listener.auth {
        Policy::Anonymous => "none",
        Policy::Password => "password",
        Policy::Certificate => "cert",
        Policy::CertificateOrPassword => "cert,password",
        Policy::CertificateAndPassword => "cert+password",
    };
    let mut text = vec![("txtvers", "1".to_owned()), ("base", root.to_owned())];
    text.push(("auth", auth.to_owned()));
    if let (Some(Tls::Own), Some(fingerprint)) = (&listener.tls, fingerprint) {
        text.push(("fp", format!("sha256:{fingerprint}")));
    }
    text.push(("v", VERSIONS.to_owned()));
    let ip = listener.bind.ip().to_canonical();
    Announcement {
        kind: if listener.tls.is_some() { "_secure-mqtt._tcp" } else { "_mqtt._tcp" },
        port: listener.bind.port(),
        address: (!ip.is_unspecified()).then_some(ip),
        text,
    }
}

/// Of a house: RFC 1918, RFC 4193, and what is good on one cable only.
fn is_private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Whether avahi answers for this host.
pub(crate) fn avahi_runs() -> bool {
    Path::new(AVAHI).exists()
}

/// As this host calls itself, without a domain.
pub(crate) fn host() -> String {
    let name = uname().nodename().to_string_lossy().to_lowercase();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// As people see it in a list.
pub(crate) fn instance() -> String {
    format!("maison on {}", host())
}

/// The responder of this gateway, if it needs one; gone, with a good-bye, when dropped.
#[derive(Default)]
pub(super) struct Announcer {
    responder: Option<(ServiceDaemon, Announce)>,
    told: Vec<Announcement>,
}

impl Announcer {
    /// Announces what is to be announced from now on. What fails is logged: nobody needs it to come
    /// in.
    pub(super) fn apply(&mut self, settings: &Settings, fingerprint: Option<&str>) {
        let mut wanted = announcements(settings, fingerprint);
        if !wanted.is_empty() && avahi_runs() {
            info!("avahi answers for this host: `maison doctor` has the file that it needs");
            wanted.clear();
        }
        let is_same_place = self.responder.as_ref().is_none_or(|(_, it)| *it == settings.announce);
        if wanted == self.told && is_same_place {
            return;
        }
        if !is_same_place || wanted.is_empty() {
            self.stop();
        }
        let announced = self.announce(&wanted, settings.announce);
        if let Err(error) = announced {
            warn!(%error, "not announced by mDNS");
        }
    }

    fn announce(&mut self, wanted: &[Announcement], announce: Announce) -> mdns_sd::Result<()> {
        let gone: Vec<_> = self.told.iter().filter(|it| !wanted.contains(it)).cloned().collect();
        for it in &gone {
            self.retract(it);
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let responder = match self.responder.take() {
            Some((responder, _)) => responder,
            None => responder(announce)?,
        };
        for new in wanted.iter().filter(|it| !self.told.contains(it)) {
            responder.register(service(new)?)?;
            info!(service = new.kind, port = new.port, "announced by mDNS");
        }
        self.told = wanted.to_vec();
        self.responder = Some((responder, announce));
        Ok(())
    }

    /// Says good-bye for it.
    fn retract(&mut self, gone: &Announcement) {
        let Some((responder, _)) = &self.responder else { return };
        let name = service(gone).map(|service| service.get_fullname().to_owned());
        let left = name.and_then(|name| responder.unregister(&name));
        if left.is_ok_and(|left| left.recv_timeout(FAREWELL).is_ok()) {
            debug!(service = gone.kind, "retracted by mDNS");
        }
        self.told.retain(|it| it != gone);
    }

    /// Says good-bye for all.
    pub(super) fn stop(&mut self) {
        for gone in self.told.clone() {
            self.retract(&gone);
        }
        if let Some((responder, _)) = self.responder.take()
            && let Ok(ended) = responder.shutdown()
        {
            let _ = ended.recv_timeout(FAREWELL);
        }
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// On the addresses that are meant, and never on the loopback: who is there knows.
fn responder(announce: Announce) -> mdns_sd::Result<ServiceDaemon> {
    let responder = ServiceDaemon::new()?;
    let is_out = move |interface: &if_addrs::Interface| {
        let ip = interface.ip();
        ip.is_loopback() || announce == Announce::Private && !is_private(&ip)
    };
    responder.disable_interface(IfKind::Predicate(IfPredicate::new(is_out)))?;
    Ok(responder)
}

fn service(of: &Announcement) -> mdns_sd::Result<ServiceInfo> {
    let kind = format!("{}.local.", of.kind);
    let host = format!("{}.local.", host());
    let text: Vec<(&str, &str)> = of.text.iter().map(|(key, value)| (*key, &**value)).collect();
    let address = of.address.map_or_else(String::new, |ip| ip.to_string());
    let service =
        ServiceInfo::new(&kind, &instance(), &host, address.as_str(), of.port, text.as_slice())?;
    Ok(if of.address.is_none() { service.enable_addr_auto() } else { service })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn settings(text: &str) -> Settings {
        config::parse(&[config::Source { path: "a.toml".into(), text: text.into() }]).unwrap()
    }

    /// `kind port key=value …` of each.
    fn told(text: &str) -> Vec<String> {
        let all = announcements(&settings(text), Some("0badcafe"));
        let line = |it: &Announcement| {
            let text = it.text.iter().map(|(key, value)| format!(" {key}={value}"));
            format!("{} {}{}", it.kind, it.port, text.collect::<String>())
        };
        all.iter().map(line).collect()
    }

    const TLS: &str = "[[listener]]\nbind = \"[::]:8883\"\ntls = true\n";
    const PLAIN: &str = "[[listener]]\nbind = \"0.0.0.0:1883\"\nopen = true\n";

    #[test]
    fn what_others_can_reach_is_announced_with_the_authority_it_shows() {
        let secure = "_secure-mqtt._tcp 8883 txtvers=1 base=maison auth=password \
                      fp=sha256:0badcafe v=5,3.1.1";
        assert_eq!(told(""), [secure], "the loopback is for who is here");
        let plain = "_mqtt._tcp 1883 txtvers=1 base=maison auth=password v=5,3.1.1";
        assert_eq!(told(&[TLS, PLAIN].concat()), [secure, plain]);
        let other = TLS.replace("8883", "8885") + "auth = \"certificate-or-password\"\n";
        assert_eq!(told(&[TLS, &other].concat()), [secure], "one of a kind");
        let root = "[gateway]\nroot = \"haus\"\n";
        assert!(
            told(&[root, &other].concat())[0].contains("8885 txtvers=1 base=haus auth=cert,pas")
        );
        assert_eq!(told(&(TLS.to_owned() + "websocket = true\n")), [""; 0]);
    }

    #[test]
    fn outside_private_networks_nothing_is_said_unless_it_is_meant() {
        let on = |address: &str| TLS.replace("[::]", address);
        let count = |announce: &str, address: &str| {
            told(&format!("[mdns]\nannounce = \"{announce}\"\n{}", on(address))).len()
        };
        for private in ["192.168.1.4", "10.0.0.1", "172.31.0.1", "169.254.1.1", "[fd00::2]"] {
            assert_eq!(count("private", private), 1, "{private}");
            assert_eq!(count("off", private), 0, "{private}");
        }
        for public in ["192.0.2.2", "172.32.0.1", "[2001:db8::1]"] {
            assert_eq!(count("private", public), 0, "{public}");
            assert_eq!(count("always", public), 1, "{public}");
        }
        assert_eq!(count("always", "127.0.0.1"), 0);
    }
}
