//! Who may have a connection: a bound on all, and one on each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX};

/// Places for connections, shared by all listeners.
#[derive(Debug)]
pub struct Admission {
    total_max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// A place, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    address: IpAddr,
}

/// Which bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    House,
    Address,
}

impl Admission {
    /// As many places as `limits` says.
    pub fn new() -> Arc<Self> {
        Self::with_limits(CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX)
    }

    /// `total_max` places in all, `per_address_max` of them for one address.
    pub fn with_limits(total_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { total_max, per_address_max, taken: Mutex::default() })
    }

    /// A place for a connection from `address`.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Full> {
        let address = household(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.total_max {
            return Err(Full::House);
        }
        let of_address = taken.by_address.entry(address).or_insert(0);
        if *of_address >= self.per_address_max {
            return Err(Full::Address);
        }
        *of_address += 1;
        taken.total += 1;
        Ok(Permit { admission: Arc::clone(self), address })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.admission.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv6 host has a whole /64 to choose from, and an IPv4 host may
/// come by a dual-stack listener.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_in_all_and_free_again_after_use() {
        let admission = Admission::with_limits(2, 2);
        let first = admission.admit(ip("192.0.2.1")).unwrap();
        let _second = admission.admit(ip("192.0.2.2")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.3")).unwrap_err(), Full::House);
        drop(first);
        admission.admit(ip("192.0.2.3")).unwrap();
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let admission = Admission::with_limits(100, 1);
        let first = admission.admit(ip("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.1")).unwrap_err(), Full::Address);
        assert_eq!(admission.admit(ip("::ffff:192.0.2.1")).unwrap_err(), Full::Address);
        admission.admit(ip("192.0.2.2")).unwrap();
        drop(first);
        admission.admit(ip("192.0.2.1")).unwrap();
    }

    #[test]
    fn an_ipv6_host_counts_by_its_network() {
        let admission = Admission::with_limits(100, 1);
        let _first = admission.admit(ip("2001:db8::1")).unwrap();
        assert_eq!(admission.admit(ip("2001:db8::2:1")).unwrap_err(), Full::Address);
        admission.admit(ip("2001:db8:0:1::1")).unwrap();
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let admission = Admission::with_limits(2, 1);
        for number in 0..100 {
            drop(admission.admit(IpAddr::from([10, 0, 0, number])).unwrap());
        }
        let taken = admission.taken.lock().unwrap();
        assert_eq!((taken.total, taken.by_address.len()), (0, 0));
    }
}
