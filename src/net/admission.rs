//! What peers are granted: how many connections, in all and from one address, and what each may do
//! before it is known.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::unfinished::Unfinished;
use crate::limits;

/// What peers may take; [`Default`] is what [`limits`] gives reasons for.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_address: usize,
    /// Longest a TLS handshake may take.
    pub connect_timeout: Duration,
    /// Largest packet of a peer that has not logged in, in bytes.
    pub packet_bytes_before_login: u32,
    /// Bytes of large packets, of all connections together, that have not arrived as a whole.
    pub unfinished_bytes: usize,
}

/// Places for connections and room for what they send, shared by all listeners.
#[derive(Debug)]
pub struct Admission {
    pub(super) bounds: Bounds,
    pub(super) unfinished: Arc<Unfinished>,
    taken: Mutex<Taken>,
    turned_away: AtomicU64,
    handshakes_failed: AtomicU64,
    accepts_failed: AtomicU64,
}

/// Who did not come in, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnedAway {
    /// Peers for which there was no place.
    pub peers: u64,
    /// Peers whose TLS or WebSocket handshake failed.
    pub handshakes: u64,
    /// Peers that the kernel could not hand over.
    pub accepts: u64,
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

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS_MAX,
            connections_per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            connect_timeout: limits::CONNECT_TIMEOUT,
            packet_bytes_before_login: limits::PACKET_BYTES_BEFORE_LOGIN_MAX,
            unfinished_bytes: limits::UNFINISHED_BYTES_DEFAULT,
        }
    }
}

impl Admission {
    /// Nobody is there yet.
    pub fn new(bounds: Bounds) -> Arc<Self> {
        let unfinished = Unfinished::new(bounds.unfinished_bytes);
        Arc::new(Self {
            bounds,
            unfinished,
            taken: Mutex::default(),
            turned_away: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            accepts_failed: AtomicU64::new(0),
        })
    }

    /// Who did not come in.
    pub fn turned_away(&self) -> TurnedAway {
        TurnedAway {
            peers: self.turned_away.load(Ordering::Relaxed),
            handshakes: self.handshakes_failed.load(Ordering::Relaxed),
            accepts: self.accepts_failed.load(Ordering::Relaxed),
        }
    }

    /// One more peer for which there is no place.
    pub(super) fn count_peer(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    /// One more handshake that failed.
    pub(super) fn count_handshake(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// One more peer that could not be accepted.
    pub(super) fn count_accept(&self) {
        self.accepts_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A place for a connection from `address`.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Full> {
        let address = household(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.bounds.connections {
            return Err(Full::House);
        }
        let of_address = taken.by_address.entry(address).or_insert(0);
        if *of_address >= self.bounds.connections_per_address {
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
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize, connections_per_address: usize) -> Arc<Admission> {
        Admission::new(Bounds { connections, connections_per_address, ..Bounds::default() })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_bounded_in_all_and_free_again_after_use() {
        let admission = places(2, 2);
        let first = admission.admit(ip("192.0.2.1")).unwrap();
        let _second = admission.admit(ip("192.0.2.2")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.3")).unwrap_err(), Full::House);
        drop(first);
        admission.admit(ip("192.0.2.3")).unwrap();
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let admission = places(100, 1);
        let first = admission.admit(ip("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.1")).unwrap_err(), Full::Address);
        assert_eq!(admission.admit(ip("::ffff:192.0.2.1")).unwrap_err(), Full::Address);
        admission.admit(ip("192.0.2.2")).unwrap();
        drop(first);
        admission.admit(ip("192.0.2.1")).unwrap();
    }

    #[test]
    fn an_ipv6_host_counts_by_its_network() {
        let admission = places(100, 1);
        let _first = admission.admit(ip("2001:db8::1")).unwrap();
        assert_eq!(admission.admit(ip("2001:db8::2:1")).unwrap_err(), Full::Address);
        admission.admit(ip("2001:db8:0:1::1")).unwrap();
    }

    #[test]
    fn nothing_is_kept_of_those_who_left() {
        let admission = places(2, 1);
        for number in 0..100 {
            drop(admission.admit(IpAddr::from([10, 0, 0, number])).unwrap());
        }
        let taken = admission.taken.lock().unwrap();
        assert_eq!((taken.total, taken.by_address.len()), (0, 0));
    }
}
