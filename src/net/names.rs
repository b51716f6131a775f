//! The names and addresses under which this host is reached: what its certificate must say.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use if_addrs::get_if_addrs;
use rustix::system::uname;
use tracing::warn;

use crate::limits::CERTIFICATE_ADDRESSES_MAX;

/// Flags of an IPv6 address in the kernel's table: temporary (RFC 8981), duplicate, deprecated.
const PASSING: u32 = 0x01 | 0x08 | 0x20;
const IPV6_TABLE: &str = "/proc/net/if_inet6";

/// Host names and addresses of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// As the host calls itself.
    pub host: String,
    /// Every name, `localhost` among them.
    pub dns: BTreeSet<String>,
    /// Every address that will still be there tomorrow, those of the loopback among them.
    pub addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// Asks the kernel. What it does not tell is left out.
    pub fn of_this_host() -> Self {
        let host = uname().nodename().to_string_lossy().to_lowercase();
        let interfaces = get_if_addrs().unwrap_or_else(|error| {
            warn!(%error, "addresses of this host unknown");
            Vec::new()
        });
        let table = fs::read_to_string(IPV6_TABLE).unwrap_or_default();
        let passing: BTreeSet<_> = table.lines().filter_map(passing_address).collect();
        let stable = interfaces
            .iter()
            .map(if_addrs::Interface::ip)
            .filter(|address| is_routed(address) && !passing.contains(address));
        Self::new(&host, stable)
    }

    /// The names that follow from a host name, and the addresses with those of the loopback.
    pub fn new(host: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let first_label = host.split('.').next().unwrap_or_default();
        let dns = [host.to_owned(), format!("{first_label}.local"), "localhost".to_owned()];
        Self {
            host: host.to_owned(),
            dns: dns.into_iter().filter(|name| is_dns_name(name)).collect(),
            addresses: loopback
                .into_iter()
                .chain(addresses)
                .take(CERTIFICATE_ADDRESSES_MAX)
                .collect(),
        }
    }
}

/// Not one that is good on one cable only, nor none at all.
fn is_routed(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_unspecified(),
    }
}

fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        let inside = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        (1..=63).contains(&label.len()) && label.chars().all(inside)
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The address of a line of `/proc/net/if_inet6` if it will not stay: address (32 hexadecimal
/// digits), interface, prefix, scope, flags, name.
fn passing_address(line: &str) -> Option<IpAddr> {
    let mut words = line.split_whitespace();
    let address = u128::from_str_radix(words.next()?, 16).ok()?;
    let flags = u32::from_str_radix(words.nth(3)?, 16).ok()?;
    (flags & PASSING != 0).then_some(IpAddr::V6(Ipv6Addr::from_bits(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expected: &[&str]) {
        let names = Names::new(host, []);
        assert_eq!(names.dns.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_host_is_reached_by_its_name_by_mdns_and_from_itself() {
        check("raspberrypi", &["localhost", "raspberrypi", "raspberrypi.local"]);
        check("pi.example.org", &["localhost", "pi.example.org", "pi.local"]);
    }

    #[test]
    fn what_no_certificate_can_say_is_left_out() {
        check("", &["localhost"]);
        check("mäison", &["localhost"]);
        check(&"x".repeat(64), &["localhost"]);
    }

    #[test]
    fn addresses_of_one_cable_are_left_out() {
        assert!(is_routed(&"192.168.1.4".parse().unwrap()));
        assert!(is_routed(&"fd00::1".parse().unwrap()));
        assert!(!is_routed(&"169.254.1.4".parse().unwrap()));
        assert!(!is_routed(&"fe80::1".parse().unwrap()));
    }

    #[test]
    fn addresses_that_will_not_stay_are_known_by_their_flags() {
        let line = |flags| format!("20010db8000000000000000000000001 02 40 00 {flags}     eth0");
        let address = Some("2001:db8::1".parse().unwrap());
        assert_eq!(passing_address(&line("01")), address, "temporary");
        assert_eq!(passing_address(&line("20")), address, "deprecated");
        assert_eq!(passing_address(&line("80")), None, "permanent");
        assert_eq!(passing_address("no address"), None);
    }

    #[test]
    fn this_host_has_names_and_the_loopback() {
        let names = Names::of_this_host();
        assert!(names.dns.contains("localhost"));
        assert!(names.addresses.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(names.addresses.contains(&IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn a_host_of_many_containers_keeps_a_small_certificate() {
        let addresses = (0..1000).map(|number| IpAddr::V4(Ipv4Addr::from_bits(number)));
        assert_eq!(Names::new("pi", addresses).addresses.len(), CERTIFICATE_ADDRESSES_MAX);
    }
}
