use std::fs;
use std::io;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SanType};
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;

use super::*;
use crate::access;
use crate::net::authority::tests::Drawer;
use crate::net::{Files, Names};

/// An authority and the identity of this host by it.
pub(in crate::net) struct House {
    drawer: Drawer,
    pub(in crate::net) authority: Authority,
    pub(in crate::net) own: Identity,
}

impl House {
    pub(in crate::net) fn new() -> Self {
        let drawer = Drawer::default();
        let (names, now) = (Names::new("pi", []), SystemTime::now());
        let authority = Authority::open(&drawer, &names, now).unwrap();
        let own = authority.server(&drawer, &names, now).unwrap();
        Self { drawer, authority, own }
    }

    pub(in crate::net) fn tls(&self, policy: Policy) -> Tls {
        Tls::new(Source::Own, policy, &self.authority, &self.own).unwrap()
    }

    /// A client that trusts this house and shows nothing.
    pub(in crate::net) fn stranger(&self) -> ClientConfig {
        client_config(self.authority.pem()).unwrap()
    }

    /// A client with a certificate by this house's authority.
    fn client(&self, fill: impl FnOnce(&mut CertificateParams)) -> ClientConfig {
        let text = |name| String::from_utf8(self.drawer.read(name).unwrap().unwrap()).unwrap();
        let ca_key = KeyPair::from_pem(&text("ca.key")).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&text("ca.pem"), ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        fill(&mut parameters);
        let certificate = parameters.signed_by(&key, &issuer).unwrap();
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots(&self.authority.trusted(), Path::new("")).unwrap())
            .with_client_auth_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap()
    }

    pub(in crate::net) fn named(&self, name: &'static str) -> ClientConfig {
        self.client(|parameters| parameters.distinguished_name.push(DnType::CommonName, name))
    }
}

/// A handshake over a pipe, with a word each way after it; the name in the client's certificate.
async fn meet(
    tls: &Tls,
    client: ClientConfig,
    host: &'static str,
) -> Result<Option<String>, (io::Result<()>, io::Result<()>)> {
    let (near, far) = duplex(4096);
    let server = async {
        let mut stream = tls.acceptor().accept(far).await?;
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        let mut word = [0; 5];
        stream.read_exact(&mut word).await?;
        let chain = stream.get_ref().1.peer_certificates();
        let read = chain.and_then(|chain| read_verified(&[&chain[0]], access::Issuer::Own));
        io::Result::Ok(read.map(|certificate| certificate.name))
    };
    let client = async {
        let connector = TlsConnector::from(Arc::new(client));
        let host = ServerName::try_from(host).unwrap();
        let mut stream = connector.connect(host, near).await?;
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        let mut word = [0; 5];
        stream.read_exact(&mut word).await?;
        io::Result::Ok(())
    };
    match tokio::join!(server, client) {
        (Ok(name), Ok(())) => Ok(name),
        (server, client) => Err((server.map(|_| ()), client)),
    }
}

#[tokio::test]
async fn clients_of_both_versions_are_served_under_every_name() {
    let house = House::new();
    let tls = house.tls(Policy::Password);
    for version in [&TLS12, &TLS13] {
        for host in ["pi", "pi.local", "localhost", "127.0.0.1", "::1"] {
            let client = ClientConfig::builder_with_provider(provider())
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots(&house.authority.trusted(), Path::new("")).unwrap())
                .with_no_client_auth();
            assert_eq!(meet(&tls, client, host).await.unwrap(), None, "{version:?} {host}");
        }
    }
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_turns_away() {
    let (house, other) = (House::new(), House::new());
    let (_, client) = meet(&house.tls(Policy::Password), other.stranger(), "pi").await.unwrap_err();
    let message = client.unwrap_err().to_string();
    assert!(message.contains("invalid peer certificate"), "{message}");
}

#[tokio::test]
async fn a_name_the_certificate_does_not_say_is_not_believed() {
    let house = House::new();
    let (_, client) =
        meet(&house.tls(Policy::Password), house.stranger(), "bank.example").await.unwrap_err();
    assert!(client.unwrap_err().to_string().contains("not valid for name"));
}

#[tokio::test]
async fn a_certificate_is_required_optional_or_not_asked_for_by_policy() {
    let house = House::new();
    for policy in [Policy::Certificate, Policy::CertificateAndPassword] {
        let tls = house.tls(policy);
        assert_eq!(meet(&tls, house.named("bob"), "pi").await.unwrap().unwrap(), "bob");
        let (server, _) = meet(&tls, house.stranger(), "pi").await.unwrap_err();
        let message = server.unwrap_err().to_string();
        assert!(message.contains("peer sent no certificates"), "{message}");
    }
    let tls = house.tls(Policy::CertificateOrPassword);
    assert_eq!(meet(&tls, house.named("bob"), "pi").await.unwrap().unwrap(), "bob");
    assert_eq!(meet(&tls, house.stranger(), "pi").await.unwrap(), None);
    let tls = house.tls(Policy::Password);
    assert_eq!(meet(&tls, house.named("bob"), "pi").await.unwrap(), None, "not asked for");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_even_where_none_is_required() {
    let (house, other) = (House::new(), House::new());
    // Believes this house, shows the certificate of another.
    let mut client = other.named("bob");
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
        Arc::new(roots(&house.authority.trusted(), Path::new("")).unwrap()),
        provider(),
    );
    client.dangerous().set_certificate_verifier(verifier.build().unwrap());
    // Both authorities have the same name, so the client does offer it.
    let tls = house.tls(Policy::CertificateOrPassword);
    let (server, _) = meet(&tls, client, "pi").await.unwrap_err();
    let message = server.unwrap_err().to_string();
    assert!(message.contains("invalid peer certificate"), "{message}");
}

/// Each is by our own authority and names a user.
#[tokio::test]
async fn a_certificate_out_of_its_time_or_for_another_purpose_is_refused() {
    let house = House::new();
    let tls = house.tls(Policy::Certificate);
    let day = Duration::from_secs(24 * 3600);
    let check = async |fill: &dyn Fn(&mut CertificateParams), expected: Option<&str>| {
        let client = house.client(|parameters| {
            parameters.distinguished_name.push(DnType::CommonName, "bob");
            fill(parameters);
        });
        match (meet(&tls, client, "pi").await, expected) {
            (Ok(name), None) => assert_eq!(name.unwrap(), "bob"),
            (Err((server, _)), Some(expected)) => {
                let message = format!("{:?}", server.unwrap_err());
                assert!(message.contains(expected), "{message}");
            }
            (met, expected) => panic!("{met:?} instead of {expected:?}"),
        }
    };
    check(&|_| {}, None).await;
    let ended = |parameters: &mut CertificateParams| {
        parameters.not_after = (SystemTime::now() - day).into();
    };
    check(&ended, Some("Expired")).await;
    let begins = |parameters: &mut CertificateParams| {
        parameters.not_before = (SystemTime::now() + day).into();
    };
    check(&begins, Some("NotValidYet")).await;
    let for_servers = |parameters: &mut CertificateParams| {
        parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    };
    check(&for_servers, Some("InvalidPurpose")).await;
}

#[tokio::test]
async fn a_certificate_is_called_by_its_common_name_or_its_first_other_name() {
    let house = House::new();
    let tls = house.tls(Policy::Certificate);
    let both = house.client(|parameters| {
        parameters.distinguished_name.push(DnType::CommonName, "bob");
        parameters.subject_alt_names.push(SanType::DnsName("laptop".try_into().unwrap()));
    });
    assert_eq!(meet(&tls, both, "pi").await.unwrap().unwrap(), "bob");
    let mail = house.client(|parameters| {
        parameters.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        let mail = "bob@example.org".try_into().unwrap();
        parameters.subject_alt_names.push(SanType::Rfc822Name(mail));
    });
    assert_eq!(meet(&tls, mail, "pi").await.unwrap().unwrap(), "bob@example.org");
    let nameless = house.client(|_| {});
    assert_eq!(meet(&tls, nameless, "pi").await.unwrap(), None);
}

#[tokio::test]
async fn certificates_are_replaced_while_listening() {
    let (old, new) = (House::new(), House::new());
    let tls = old.tls(Policy::Password);
    let _ = meet(&tls, new.stranger(), "pi").await.unwrap_err();
    tls.reload(&new.authority, &new.own).unwrap();
    meet(&tls, new.stranger(), "pi").await.unwrap();
}

fn folder_with(house: &House) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca.pem", "server.pem", "server.key"] {
        let content = house.drawer.read(name).unwrap().unwrap();
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn files_in(folder: &Path) -> Source {
    Source::Files {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        client_ca: Vec::new(),
        client_crl: Vec::new(),
    }
}

/// What users of a public certificate ask for: theirs to the world, ours to the clients.
#[tokio::test]
async fn an_administrators_certificate_goes_with_clients_of_our_own() {
    let (ours, public) = (House::new(), House::new());
    let folder = folder_with(&public);
    let source = files_in(folder.path());
    let tls = Tls::new(source, Policy::Certificate, &ours.authority, &ours.own).unwrap();
    let mut client = ours.named("bob");
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(
        Arc::new(roots(&public.authority.trusted(), Path::new("")).unwrap()),
        provider(),
    );
    client.dangerous().set_certificate_verifier(verifier.build().unwrap());
    assert_eq!(meet(&tls, client, "pi").await.unwrap().unwrap(), "bob");
}

#[tokio::test]
async fn an_administrators_authority_takes_the_place_of_ours() {
    let (ours, other) = (House::new(), House::new());
    let folder = folder_with(&other);
    let Source::Files { certificate, key, .. } = files_in(folder.path()) else { panic!() };
    let source = Source::Files {
        certificate,
        key,
        client_ca: vec![folder.path().join("ca.pem")],
        client_crl: Vec::new(),
    };
    let tls = Tls::new(source, Policy::Certificate, &ours.authority, &ours.own).unwrap();
    assert_eq!(meet(&tls, other.named("bob"), "pi").await.unwrap().unwrap(), "bob");
}

#[test]
fn what_is_wrong_with_an_administrators_files_is_said_by_name() {
    #[track_caller]
    fn check(damage: impl FnOnce(&Path), expected: &str) {
        let house = House::new();
        let folder = folder_with(&house);
        damage(folder.path());
        let source = files_in(folder.path());
        let error = Tls::new(source, Policy::Password, &house.authority, &house.own).unwrap_err();
        let message = error.to_string().replace(folder.path().to_str().unwrap(), "DIR");
        assert_eq!(message.lines().next().unwrap(), expected);
    }
    check(
        |folder| fs::remove_file(folder.join("server.pem")).unwrap(),
        "cannot read `DIR/server.pem`: No such file or directory (os error 2)",
    );
    check(
        |folder| fs::write(folder.join("server.pem"), "").unwrap(),
        "no certificate in `DIR/server.pem`",
    );
    check(
        |folder| fs::write(folder.join("server.key"), "").unwrap(),
        "no private key that can be used in `DIR/server.key`",
    );
    check(
        |folder| {
            let other = House::new().drawer.read("server.key").unwrap().unwrap();
            fs::write(folder.join("server.key"), other).unwrap();
        },
        "certificate and key do not belong together: `DIR/server.pem`, `DIR/server.key`",
    );
}

/// After a listener has come to ask for passwords, say.
#[test]
fn who_is_here_is_looked_at_only_where_certificates_are_asked_for() {
    let (house, other) = (House::new(), House::new());
    let shown = |house: &House| {
        let identity = house.authority.client("bob", SystemTime::now()).unwrap();
        let der = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        [Bytes::copy_from_slice(&der)]
    };
    let (ours, foreign) = (shown(&house), shown(&other));
    let accepts = |policy, chain: &[Bytes]| house.tls(policy).accepts(chain, SystemTime::now());
    for policy in [Policy::Certificate, Policy::CertificateOrPassword] {
        assert!(accepts(policy, &ours) && !accepts(policy, &foreign) && !accepts(policy, &[]));
    }
    for policy in [Policy::Anonymous, Policy::Password] {
        assert!(accepts(policy, &ours) && accepts(policy, &foreign));
    }
}
