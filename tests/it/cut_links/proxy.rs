//! A link to the gateway that is cut after a random number of bytes: in the middle of a packet,
//! with or without what was on its way.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use maison::sim::chance::Chance;
use socket2::SockRef;

/// When the link is cut.
pub(super) struct Cuts {
    pub left: u32,
    /// Bytes in both directions together, from 1 to this, that pass before a cut.
    pub bytes_max: u64,
    pub chance: Chance,
}

/// Listens on a port of its own until it is dropped; serves one client at a time.
pub(super) struct Proxy {
    pub port: u16,
    cuts: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
}

/// How a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// What has passed arrives.
    Closed,
    /// What was on its way is lost too.
    Reset,
}

/// One connection through the proxy.
struct Link {
    client: TcpStream,
    gateway: TcpStream,
    /// Bytes until it is cut.
    left: AtomicU64,
    cut: Cut,
}

impl Proxy {
    pub(super) fn start(gateway: u16, mut cuts: Cuts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, cuts: Arc::default(), over: Arc::default() };
        let (counted, over) = (Arc::clone(&proxy.cuts), Arc::clone(&proxy.over));
        thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let gateway = TcpStream::connect(("127.0.0.1", gateway)).unwrap();
                let link = Link::new(client.unwrap(), gateway, &mut cuts);
                if link.serve() {
                    counted.fetch_add(1, Ordering::Relaxed);
                    cuts.left -= 1;
                }
            }
        });
        proxy
    }

    /// Links cut until now.
    pub(super) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener; if it is gone already there is nothing to wake.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Link {
    fn new(client: TcpStream, gateway: TcpStream, cuts: &mut Cuts) -> Self {
        let bytes = 1 + cuts.chance.below(cuts.bytes_max);
        let cut = if cuts.chance.below(2) == 0 { Cut::Closed } else { Cut::Reset };
        for stream in [&client, &gateway] {
            stream.set_nodelay(true).unwrap();
        }
        let left = AtomicU64::new(if cuts.left > 0 { bytes } else { u64::MAX });
        Self { client, gateway, left, cut }
    }

    /// Serves until one end is done, or until the link is cut; whether it was.
    fn serve(self) -> bool {
        thread::scope(|scope| {
            scope.spawn(|| self.pass(&self.client, &self.gateway));
            scope.spawn(|| self.pass(&self.gateway, &self.client));
        });
        let is_cut = self.left.load(Ordering::Relaxed) == 0;
        if is_cut && self.cut == Cut::Reset {
            for stream in [&self.client, &self.gateway] {
                // Whoever has gone already cannot be reset.
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
        is_cut
    }

    /// Passes bytes on until one end is done or the link is to be cut; then both directions end.
    fn pass(&self, from: &TcpStream, to: &TcpStream) {
        // An error is the end of one end.
        let _ = self.pass_on(from, to);
        let is_cut = self.left.load(Ordering::Relaxed) == 0;
        // A reset needs both ends open until it is made.
        let how = if is_cut && self.cut == Cut::Reset { Shutdown::Read } else { Shutdown::Both };
        for stream in [from, to] {
            // The other direction may have been quicker.
            let _ = stream.shutdown(how);
        }
    }

    fn pass_on(&self, mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
        let mut bytes = [0; 4096];
        while self.left.load(Ordering::Relaxed) > 0 {
            let count = from.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            to.write_all(&bytes[..self.grant(count)])?;
        }
        Ok(())
    }

    /// Takes so many bytes, or fewer, from those that may pass.
    fn grant(&self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap();
        let take = |left: u64| Some(left.saturating_sub(count));
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap();
        usize::try_from(before.min(count)).unwrap()
    }
}
