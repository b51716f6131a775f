//! A handshake, and what is known of a peer that it turns down: the TLS library forgets the
//! certificate that it refuses.

use std::cell::RefCell;
use std::io;

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use super::naming::name_of;
use super::{Reason, Tls};

tokio::task_local! {
    /// Whom the certificate names that was shown in this handshake.
    static SHOWN: RefCell<String>;
}

/// Why there was no handshake.
#[derive(Debug)]
pub(in crate::net) struct Failure {
    pub(in crate::net) reason: Reason,
    /// Whom the certificate of the peer names: its own claim. Empty if it names nobody.
    pub(in crate::net) user: String,
    pub(in crate::net) error: io::Error,
}

impl Tls {
    /// Shakes hands with a peer.
    pub(in crate::net) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<TlsStream<S>, Failure> {
        let handshake = async {
            let shaken = self.acceptor().accept(stream).await;
            shaken.map_err(|error| {
                let user = SHOWN.with(RefCell::take);
                Failure { reason: Reason::of(&error), user, error }
            })
        };
        SHOWN.scope(RefCell::default(), handshake).await
    }
}

/// Notes whom a certificate names that is about to be verified. Outside of a handshake nobody asks.
pub(super) fn note(shown: &CertificateDer<'_>) {
    let name = name_of(shown).unwrap_or_default();
    let _ = SHOWN.try_with(|noted| noted.replace(name));
}
