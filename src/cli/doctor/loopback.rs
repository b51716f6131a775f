//! A message out and back through each listener, as somebody who is let in for that alone.
//!
//! The login is drawn, may publish and read one topic of its own and nothing else, and is removed
//! when it was tried. Nobody else's password is needed or known.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration,
    Transport,
};

use super::super::ca;
use super::super::subscriber::issued;
use super::finding::{Finding, Found, Said, said};
use super::patient::Patient;
use crate::access::{Pattern, Policy, Scope, UserName};
use crate::config::{self, Listener, Tls};
use crate::daemon::state::{self, StateError};
use crate::limits::TLS_FILE_BYTES_MAX;
use crate::net::{ClientIdentity, read_whole, root_of, tls};

/// Longest that a message may take, a slow board's check of the password included.
const PATIENCE: Duration = Duration::from_secs(15);

/// A gateway learns of a new login by its file, a moment later.
const AGAIN: Duration = Duration::from_millis(250);

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let listeners = &patient.settings.listeners;
    if patient.gateway.is_err() {
        found.unseen(said!(
            "there is no gateway that answers",
            "il n'y a pas de passerelle qui réponde",
        ));
        return;
    }
    let needs_login = listeners.iter().any(|listener| listener.auth != Policy::Anonymous);
    let guest = match needs_login.then(|| Guest::let_in(patient)).transpose() {
        Ok(guest) => guest,
        Err(error) => {
            not_let_in(patient, &error, found);
            None
        }
    };
    for listener in listeners {
        if listener.auth == Policy::Anonymous || guest.is_some() {
            through(listener, patient, guest.as_ref(), found);
        }
    }
}

fn not_let_in(patient: &Patient, error: &anyhow::Error, found: &mut Found) {
    let name = &patient.account.name;
    let is_permission = error.downcast_ref().is_some_and(StateError::is_permission);
    found.unseen(if is_permission {
        said!(
            "those that want a login: only root and `{name}` can make one for \
             the moment; `sudo maison doctor`",
            "ceux qui veulent un compte : seuls root et `{name}` peuvent \
             créer un compte pour l'instant de l'essai ; `sudo maison doctor`",
        )
    } else {
        said!(
            "those that want a login: none could be made",
            "ceux qui veulent un compte : aucun compte n'a pu être créé",
        )
    });
}

fn through(listener: &Listener, patient: &Patient, guest: Option<&Guest>, found: &mut Found) {
    let bind = listener.bind;
    let way = match Way::of(listener, patient, guest) {
        Ok(way) => way,
        Err(why) => {
            let (english, french) = (why.english, why.french);
            found
                .unseen(said!("listener `{bind}`: {english}", "port d'écoute `{bind}` : {french}"));
            return;
        }
    };
    let Ok(trip) = super::super::block_on(async { Ok(way.travel().await) }) else { return };
    let Err(trouble) = trip else { return };
    let log = "sudo journalctl -u maison -n 20";
    let finding = match trouble {
        Trouble::Silent => Finding::error(
            "nothing-came-back",
            said!(
                "listener `{bind}`: a message that was published did not come back",
                "port d'écoute `{bind}` : un message publié n'est pas revenu",
            ),
        ),
        Trouble::Refused(code) => Finding::error(
            "login-refused",
            said!(
                "listener `{bind}`: a login that is right is refused: `{code}`",
                "port d'écoute `{bind}` : un compte valable est refusé : `{code}`",
            ),
        ),
        Trouble::Tls(why) => Finding::error(
            "no-tls",
            said!(
                "listener `{bind}`: no TLS: {why}",
                "port d'écoute `{bind}` : pas de TLS : {why}"
            ),
        ),
        Trouble::Connection(why) => Finding::error(
            "not-reached",
            said!(
                "listener `{bind}`: it cannot be reached: {why}",
                "port d'écoute `{bind}` : injoignable : {why}",
            ),
        ),
    };
    found.add(finding.paste(log));
}

/// Who is let in for the moment; gone when dropped.
struct Guest {
    name: String,
    password: String,
    identity: Option<ClientIdentity>,
    folder: std::path::PathBuf,
}

impl Guest {
    fn let_in(patient: &Patient) -> anyhow::Result<Self> {
        let settings = &patient.settings;
        let folder = patient.state_dir().to_owned();
        let drawn: [u8; 4] = state::draw()?;
        let user = UserName::throwaway(u32::from_be_bytes(drawn));
        let name = user.to_string();
        let password = state::random_password()?;
        let is_asked = settings.listeners.iter().any(ca::trusts_it);
        let identity = is_asked
            .then(|| ca::open(settings)?.client(&name, ca::now()).map_err(anyhow::Error::from));
        let identity = identity.transpose()?;
        let topic = vec![Pattern::parse(&topic(&name))?];
        let scope = Scope { read: topic.clone(), publish: topic, ..Scope::default() };
        let hash = state::hash_password(password.as_bytes())?;
        state::edit_users(&folder, |users| {
            let entry = users.entry(user);
            entry.scope = Some(scope);
            entry.password = Some(hash);
            entry.certificates = identity.iter().map(issued).collect();
            Ok(())
        })?;
        Ok(Self { name, password, identity, folder })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // What is left over is found by the next one.
        if let Ok(name) = UserName::parse(&self.name) {
            let _ = state::remove_user(&self.folder, name);
        }
    }
}

fn topic(name: &str) -> String {
    format!("doctor/{name}")
}

/// How a listener is reached, and by whom.
struct Way {
    options: MqttOptions,
    topic: String,
}

impl Way {
    fn of(listener: &Listener, patient: &Patient, guest: Option<&Guest>) -> Result<Self, Said> {
        if listener.transport == config::Transport::WebSocket {
            return Err(said!("WebSocket is not tried", "WebSocket n'est pas essayé"));
        }
        if listener.bind.port() == 0 {
            return Err(said!("its port is any", "son port est quelconque"));
        }
        let guest = guest.filter(|_| listener.auth != Policy::Anonymous);
        let nobody = || UserName::throwaway(std::process::id()).to_string();
        let name = guest.map_or_else(nobody, |guest| guest.name.clone());
        let host = match listener.bind.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let mut options = MqttOptions::new(&name, host.to_string(), listener.bind.port());
        options.set_keep_alive(PATIENCE);
        if let Some(guest) = guest.filter(|_| listener.auth.takes_password()) {
            options.set_credentials(&guest.name, &guest.password);
        }
        let needs = matches!(listener.auth, Policy::Certificate | Policy::CertificateAndPassword);
        if needs && !ca::trusts_it(listener) {
            return Err(said!(
                "it takes certificates of another authority only",
                "il n'accepte que des certificats d'une autre autorité",
            ));
        }
        if let Some(source) = &listener.tls {
            let shown = guest.and_then(|guest| guest.identity.as_ref());
            let shown = shown.filter(|_| ca::trusts_it(listener));
            let config = client_config(&authority(source, patient)?, shown)
                .map_err(|_| said!("its authority is unusable", "son autorité est inutilisable"))?;
            let config = TlsConfiguration::Rustls(Arc::new(config));
            options.set_transport(Transport::tls_with_config(config));
        }
        Ok(Self { options, topic: topic(&name) })
    }

    /// Until the message is back. A login that the gateway has not heard of yet is tried again.
    async fn travel(self) -> Result<Duration, Trouble> {
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let trip = tokio::time::timeout(left, self.once()).await;
            match trip.unwrap_or(Err(Trouble::Silent)) {
                Err(Trouble::Refused(_)) if began.elapsed() < PATIENCE / 3 => {
                    tokio::time::sleep(AGAIN).await;
                }
                other => return other.map(|()| began.elapsed()),
            }
        }
    }

    async fn once(&self) -> Result<(), Trouble> {
        let (client, events) = AsyncClient::new(self.options.clone(), 8);
        let done = self.round(&client, events).await;
        let _ = client.try_disconnect();
        done
    }

    async fn round(&self, client: &AsyncClient, mut events: EventLoop) -> Result<(), Trouble> {
        let silent = |_| Trouble::Silent;
        client.try_subscribe(&self.topic, QoS::AtLeastOnce).map_err(silent)?;
        let mut is_back = false;
        loop {
            match events.poll().await.map_err(Trouble::of)? {
                Event::Incoming(Packet::SubAck(_)) => {
                    let qos = QoS::AtLeastOnce;
                    client
                        .try_publish(&self.topic, qos, false, "there and back")
                        .map_err(silent)?;
                }
                Event::Incoming(Packet::Publish(publish)) if publish.topic == self.topic => {
                    is_back = true;
                    client.try_disconnect().map_err(silent)?;
                }
                Event::Outgoing(rumqttc::Outgoing::Disconnect) if is_back => return Ok(()),
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
    }
}

/// TLS with whom this authority vouches for, showing a certificate if there is one.
fn client_config(
    authority: &[u8],
    shown: Option<&ClientIdentity>,
) -> Result<rustls::ClientConfig, tls::TlsError> {
    let Some(shown) = shown else { return tls::client_config(authority) };
    let place = Path::new("throwaway certificate");
    let (certificate, key) = (shown.certificate.as_bytes(), shown.key.as_bytes());
    let identity = tls::Identity::from_pem(certificate, place, key, place)?;
    tls::client_config_as(authority, &identity)
}

/// Whom a client has to trust at this listener.
fn authority(source: &Tls, patient: &Patient) -> Result<Vec<u8>, Said> {
    let (path, is_own) = match source {
        Tls::Own => (patient.state_dir().join("ca.pem"), true),
        Tls::Files { certificate, .. } => (certificate.clone(), false),
    };
    let shown = path.display();
    let pem = read_whole(&path, TLS_FILE_BYTES_MAX)
        .map_err(|_| said!("`{shown}` cannot be read", "`{shown}` ne peut être lu"))?;
    if is_own {
        return Ok(pem);
    }
    let root =
        std::str::from_utf8(&pem).ok().and_then(root_of).map(|root| root.as_bytes().to_vec());
    root.ok_or_else(|| {
        said!(
            "its certificate is of an authority whose own is not in `{shown}`",
            "son certificat vient d'une autorité dont le sien n'est pas dans `{shown}`",
        )
    })
}

/// Why a message did not come back.
#[derive(Debug)]
enum Trouble {
    Silent,
    Refused(String),
    Tls(String),
    Connection(String),
}

impl Trouble {
    fn of(error: ConnectionError) -> Self {
        match error {
            ConnectionError::ConnectionRefused(code) => Self::Refused(format!("{code:?}")),
            ConnectionError::Tls(error) => Self::Tls(error.to_string()),
            error => Self::Connection(error.to_string()),
        }
    }
}
