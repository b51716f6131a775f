//! Where clients are let in: opened, changed and closed, at the start and at each reload.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::info;

use super::StartError;
use super::activation::Sockets;
use super::certificates::Certificates;
use super::hub::Hub;
use super::state::StateDir;
use crate::config::{self, Change, Settings, paired_listeners};
use crate::net::{
    self, Admission, BindError, Bound, Door, Listener, Meter, Service, Stop, Taken, Tls, Transport,
    TurnedAway,
};

/// The listeners at work.
pub(super) struct Listeners {
    open: Vec<Open>,
    certificates: Certificates,
    admission: Arc<Admission>,
    meter: Arc<Meter>,
    sockets: Sockets,
}

struct Open {
    settings: config::Listener,
    tls: Option<Arc<Tls>>,
    door: Door,
    taken: Taken,
    stop: Stop,
}

/// All that a reload or a start needs: nothing of it can fail any more.
pub(super) struct Prepared {
    listeners: Vec<(config::Listener, Listener, Plan)>,
    gone: Vec<usize>,
}

enum Plan {
    Open(Bound),
    /// The listener of that index goes on, by these terms.
    Change(usize),
}

impl Listeners {
    /// None is open yet; those at the addresses of `sockets` will take these.
    pub(super) fn new(
        settings: &Settings,
        sockets: Sockets,
        certificates: Certificates,
        meter: &Arc<Meter>,
    ) -> Self {
        sockets.tell_unused(settings);
        let admission = Admission::new(net_bounds(settings));
        Self { open: Vec::new(), certificates, admission, meter: Arc::clone(meter), sockets }
    }

    /// Reads all certificates and takes all new ports; who listens now does not notice.
    pub(super) fn prepare(
        &self,
        settings: &Settings,
        state: &StateDir,
    ) -> Result<Prepared, StartError> {
        let old: Vec<_> = self.open.iter().map(|open| open.settings.clone()).collect();
        let mut prepared = Prepared { listeners: Vec::new(), gone: Vec::new() };
        for (before, after) in paired_listeners(&old, &settings.listeners) {
            let Some(listener) = after.and_then(|index| settings.listeners.get(index)) else {
                prepared.gone.extend(before);
                continue;
            };
            let tls = self.certificates.of_listener(listener, state)?;
            let listening = Listener {
                name: Arc::from(listener.bind.to_string()),
                bind: listener.bind,
                policy: listener.auth,
                tls,
                transport: transport(listener),
                packet_bytes_max: settings.broker.packet_bytes_max(),
            };
            let plan = if let Some(index) = before {
                Plan::Change(index)
            } else {
                let leaving = prepared.gone.iter().filter_map(|index| self.open.get(*index));
                let leaving: Vec<_> = leaving.map(|open| open.taken.clone()).collect();
                Plan::Open(self.bound(listening.clone(), &leaving)?)
            };
            prepared.listeners.push((listener.clone(), listening, plan));
        }
        Ok(prepared)
    }

    /// A socket of systemd's, or one of our own where the `leaving` make room.
    fn bound(&self, listening: Listener, leaving: &[Taken]) -> Result<Bound, BindError> {
        let address = listening.bind;
        match self.sockets.at(address) {
            Some(Ok(socket)) => Bound::over(socket, listening, &self.admission),
            Some(Err(error)) => Err(BindError { address, error }),
            None => Bound::bind_after(listening, &self.admission, leaving),
        }
    }

    /// Lets clients in as prepared. Who came by a listener that is gone, or by terms that do not
    /// hold any more, is sent away; nobody else notices.
    pub(super) fn apply(&mut self, prepared: Prepared, hub: &Arc<Hub>) {
        for open in prepared.gone.iter().filter_map(|index| self.open.get(*index)) {
            open.stop.stop();
            hub.close_listener(open.door.name());
        }
        let open = prepared.listeners.into_iter().filter_map(|(settings, listening, plan)| {
            Some(match plan {
                Plan::Open(bound) => self.serve(settings, listening.tls, bound, hub),
                Plan::Change(index) => self.open.get(index)?.changed(settings, listening, hub),
            })
        });
        self.open = open.collect();
        let shown = |open: &Open| Some((open.door.clone(), open.tls.clone()?));
        self.certificates.show(self.open.iter().filter_map(shown));
        self.certificates.look_at_clients(hub);
    }

    /// Nobody is let in any more; who is in stays.
    pub(super) fn stop(&self) {
        for open in &self.open {
            open.stop.stop();
        }
    }

    /// Who did not come in.
    pub(super) fn turned_away(&self) -> TurnedAway {
        self.admission.turned_away()
    }

    /// Each by the name that its clients carry, as it is configured, and when the certificate that
    /// it shows ends, in seconds since 1970.
    pub(super) fn seen(&self) -> Vec<(Arc<str>, config::Listener, Option<u64>)> {
        let seen = self.open.iter().map(|open| {
            let until = open.tls.as_ref().and_then(|tls| tls.shown_until_unix_s());
            (open.door.name(), open.settings.clone(), until)
        });
        seen.collect()
    }

    /// What is other in the files of certificates whose listeners are the same.
    pub(super) fn changes(&self, prepared: &Prepared) -> Vec<Change> {
        let mut changes = Vec::new();
        for (settings, listening, plan) in &prepared.listeners {
            let Plan::Change(index) = plan else { continue };
            let Some(open) = self.open.get(*index).filter(|open| open.settings == *settings) else {
                continue;
            };
            let (Some(old), Some(new)) = (&open.tls, &listening.tls) else { continue };
            if !new.shows_as(old) {
                changes.push(Change::CertificateChanged(settings.bind));
            }
            if !new.lets_in_all_of(old) || !old.lets_in_all_of(new) {
                changes.push(Change::AuthoritiesChanged(settings.bind));
            }
            if !new.revokes_as(old) {
                changes.push(Change::RevocationsChanged(settings.bind));
            }
        }
        changes
    }

    fn serve(
        &self,
        settings: config::Listener,
        tls: Option<Arc<Tls>>,
        bound: Bound,
        hub: &Arc<Hub>,
    ) -> Open {
        let (door, taken, stop) = (bound.door(), bound.taken(), Stop::new());
        if let Ok(address) = bound.local_addr() {
            let is_encrypted = tls.is_some();
            let websocket = settings.transport == config::Transport::WebSocket;
            info!(%address, tls = is_encrypted, websocket, auth = ?settings.auth, "listening");
        }
        let service: Arc<dyn Service> = hub.clone();
        tokio::spawn(bound.metered(&self.meter).serve(service, stop.clone()));
        Open { settings, tls, door, taken, stop }
    }
}

impl Open {
    fn changed(&self, settings: config::Listener, listening: Listener, hub: &Hub) -> Self {
        let (door, taken, stop) = (self.door.clone(), self.taken.clone(), self.stop.clone());
        let tls = listening.tls.clone();
        if settings.lets_in_as(&self.settings) {
            let is_as_before = match (&self.tls, &tls) {
                (Some(old), Some(new)) => new.lets_in_all_of(old) && new.revokes_as(old),
                (None, _) | (_, None) => true,
            };
            if !is_as_before {
                // Who is in is looked at one by one.
                door.end_handshakes();
            }
            door.change(listening);
        } else {
            door.end_handshakes();
            door.change(listening);
            hub.close_listener(door.name());
        }
        Self { settings, tls, door, taken, stop }
    }
}

impl Prepared {
    /// Where it is listened at new ports.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let bound = self.listeners.iter().filter_map(|(_, _, plan)| match plan {
            Plan::Open(bound) => Some(bound),
            Plan::Change(_) => None,
        });
        bound.filter_map(|bound| bound.local_addr().ok()).collect()
    }
}

fn transport(listener: &config::Listener) -> Transport {
    match listener.transport {
        config::Transport::Tcp => Transport::Tcp,
        config::Transport::WebSocket => Transport::WebSocket,
    }
}

fn net_bounds(settings: &Settings) -> net::Bounds {
    let limits = &settings.broker.limits;
    net::Bounds {
        connections: limits.connections,
        connections_per_address: limits.connections_per_address,
        connect_timeout: limits.connect_timeout,
        packet_bytes_before_login: limits.packet_before_login,
        unfinished_bytes: limits.unfinished,
    }
}
