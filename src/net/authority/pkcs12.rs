//! A certificate with its key and its chain as one file with a passphrase, for phones and desktops:
//! PKCS#12 (RFC 7292) with PBES2, AES-256 and SHA-256, as OpenSSL 3 writes it.
//!
//! ```text
//!   PFX ─ authenticated safe ─┬─ encrypted: certificates
//!       │                     └─ key bag:   encrypted key
//!       └ MAC over the safe
//! ```

use std::iter::repeat_n;
use std::num::NonZeroU32;

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::{hmac, pbkdf2};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, DERWriterSet, Tag, construct_der};

use super::{ClientIdentity, unmakeable};
use crate::net::tls::TlsError;

/// Random bytes that a file takes.
pub const PKCS12_CHANCE_BYTES: usize = 5 * BLOCK;

/// Of AES, and of a salt.
const BLOCK: usize = 16;

/// Of each of three derivations; what .NET takes together is 300,000.
const ROUNDS: NonZeroU32 = NonZeroU32::new(50_000).unwrap();

/// Bytes that SHA-256 takes at a time.
const HASHED: usize = 64;

/// What a derived key is for: a MAC (RFC 7292, B.3).
const FOR_MAC: u8 = 3;

const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
const ENCRYPTED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 6];
const KEY_BAG: &[u64] = &[1, 2, 840, 113_549, 1, 12, 10, 1, 2];
const CERTIFICATE_BAG: &[u64] = &[1, 2, 840, 113_549, 1, 12, 10, 1, 3];
const X509: &[u64] = &[1, 2, 840, 113_549, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u64] = &[1, 2, 840, 113_549, 1, 9, 20];
const LOCAL_KEY_ID: &[u64] = &[1, 2, 840, 113_549, 1, 9, 21];
const PBES2: &[u64] = &[1, 2, 840, 113_549, 1, 5, 13];
const PBKDF2: &[u64] = &[1, 2, 840, 113_549, 1, 5, 12];
const HMAC_SHA256: &[u64] = &[1, 2, 840, 113_549, 2, 9];
const AES256_CBC: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 1, 42];
const SHA256_ALONE: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];

/// How one part is encrypted.
struct Lock<'a> {
    passphrase: &'a [u8],
    salt: [u8; BLOCK],
    start: [u8; BLOCK],
}

impl ClientIdentity {
    /// As PKCS#12, called `name`, with the authorities in `ca_pem`. The passphrase is ASCII: what
    /// programs make of other letters differs. `chance` is to be drawn anew for each file.
    pub fn pkcs12(
        &self,
        name: &str,
        ca_pem: &[u8],
        passphrase: &str,
        chance: &[u8; PKCS12_CHANCE_BYTES],
    ) -> Result<Vec<u8>, TlsError> {
        let own = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let own = own.map_err(unmakeable)?;
        let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(ca_pem).collect();
        let authorities = authorities.map_err(unmakeable)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(self.key.as_bytes()).map_err(unmakeable)?;
        let drawn = |at: usize| {
            let from = chance.iter().skip(at * BLOCK).take(BLOCK);
            let mut block = [0; BLOCK];
            block.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            block
        };
        let passphrase = passphrase.as_bytes();
        let of_certificates = Lock { passphrase, salt: drawn(0), start: drawn(1) };
        let of_key = Lock { passphrase, salt: drawn(2), start: drawn(3) };
        let id = digest(&SHA256, &own);
        let certificates = certificate_bags(name, id.as_ref(), &own, &authorities);
        let keys = key_bag(name, id.as_ref(), key.secret_pkcs8_der(), &of_key);
        let safe = construct_der(|writer| {
            writer.write_sequence(|writer| {
                encrypted(writer.next(), &of_certificates, &certificates);
                plain(writer.next(), &keys);
            });
        });
        Ok(sealed(&safe, passphrase, &drawn(4)))
    }
}

impl Lock<'_> {
    fn encrypt(&self, content: &[u8]) -> Vec<u8> {
        let mut key = [0; SHA256_OUTPUT_LEN];
        let function = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(function, ROUNDS, &self.salt, self.passphrase, &mut key);
        let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &self.start.into());
        let mut buffer = content.to_vec();
        buffer.resize(content.len() + BLOCK, 0);
        let padded = cipher.encrypt_padded::<Pkcs7>(&mut buffer, content.len());
        let length = padded.expect("there is room for one more block").len();
        buffer.truncate(length);
        buffer
    }

    /// The parameters of PBES2 (RFC 8018, A.4).
    fn write(&self, writer: DERWriter<'_>) {
        writer.write_sequence(|writer| {
            write_oid(writer.next(), PBES2);
            writer.next().write_sequence(|writer| {
                writer.next().write_sequence(|writer| {
                    write_oid(writer.next(), PBKDF2);
                    writer.next().write_sequence(|writer| {
                        writer.next().write_bytes(&self.salt);
                        writer.next().write_u32(ROUNDS.get());
                        write_algorithm(writer.next(), HMAC_SHA256);
                    });
                });
                writer.next().write_sequence(|writer| {
                    write_oid(writer.next(), AES256_CBC);
                    writer.next().write_bytes(&self.start);
                });
            });
        });
    }
}

fn certificate_bags(
    name: &str,
    id: &[u8],
    own: &CertificateDer<'_>,
    authorities: &[CertificateDer<'_>],
) -> Vec<u8> {
    let bag = |writer: DERWriter<'_>, der: &[u8], is_own: bool| {
        writer.write_sequence(|writer| {
            write_oid(writer.next(), CERTIFICATE_BAG);
            writer.next().write_tagged(Tag::context(0), |writer| {
                writer.write_sequence(|writer| {
                    write_oid(writer.next(), X509);
                    let writer = writer.next();
                    writer.write_tagged(Tag::context(0), |writer| writer.write_bytes(der));
                });
            });
            if is_own {
                writer.next().write_set_of(|set| write_attributes(set, name, id));
            }
        });
    };
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            bag(writer.next(), own, true);
            for authority in authorities {
                bag(writer.next(), authority, false);
            }
        });
    })
}

fn key_bag(name: &str, id: &[u8], key: &[u8], lock: &Lock<'_>) -> Vec<u8> {
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_sequence(|writer| {
                write_oid(writer.next(), KEY_BAG);
                writer.next().write_tagged(Tag::context(0), |writer| {
                    writer.write_sequence(|writer| {
                        lock.write(writer.next());
                        writer.next().write_bytes(&lock.encrypt(key));
                    });
                });
                writer.next().write_set_of(|set| write_attributes(set, name, id));
            });
        });
    })
}

/// By which programs find the key of a certificate, and people both.
fn write_attributes(set: &mut DERWriterSet<'_>, name: &str, id: &[u8]) {
    set.next().write_sequence(|writer| {
        write_oid(writer.next(), FRIENDLY_NAME);
        writer.next().write_set_of(|set| set.next().write_bmp_string(name));
    });
    set.next().write_sequence(|writer| {
        write_oid(writer.next(), LOCAL_KEY_ID);
        writer.next().write_set_of(|set| set.next().write_bytes(id));
    });
}

fn encrypted(writer: DERWriter<'_>, lock: &Lock<'_>, content: &[u8]) {
    writer.write_sequence(|writer| {
        write_oid(writer.next(), ENCRYPTED_DATA);
        writer.next().write_tagged(Tag::context(0), |writer| {
            writer.write_sequence(|writer| {
                writer.next().write_u8(0);
                writer.next().write_sequence(|writer| {
                    write_oid(writer.next(), DATA);
                    lock.write(writer.next());
                    let content = lock.encrypt(content);
                    let writer = writer.next();
                    writer.write_tagged_implicit(Tag::context(0), |writer| {
                        writer.write_bytes(&content);
                    });
                });
            });
        });
    });
}

fn plain(writer: DERWriter<'_>, content: &[u8]) {
    writer.write_sequence(|writer| {
        write_oid(writer.next(), DATA);
        let writer = writer.next();
        writer.write_tagged(Tag::context(0), |writer| writer.write_bytes(content));
    });
}

/// The whole file.
fn sealed(safe: &[u8], passphrase: &[u8], salt: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &mac_key(passphrase, salt));
    let mac = hmac::sign(&key, safe);
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_u8(3);
            plain(writer.next(), safe);
            writer.next().write_sequence(|writer| {
                writer.next().write_sequence(|writer| {
                    write_algorithm(writer.next(), SHA256_ALONE);
                    writer.next().write_bytes(mac.as_ref());
                });
                writer.next().write_bytes(salt);
                writer.next().write_u32(ROUNDS.get());
            });
        });
    })
}

/// RFC 7292, B.2, where one hash is as long as the key; of an ASCII passphrase.
fn mac_key(passphrase: &[u8], salt: &[u8]) -> Vec<u8> {
    let two_bytes = passphrase.iter().chain([&0]).flat_map(|letter| [0, *letter]);
    let passphrase: Vec<u8> = two_bytes.collect();
    let mut input: Vec<u8> = repeat_n(FOR_MAC, HASHED).collect();
    for part in [salt, &passphrase] {
        let length = part.len().next_multiple_of(HASHED);
        input.extend(part.iter().cycle().take(length));
    }
    let mut key = digest(&SHA256, &input);
    for _ in 1..ROUNDS.get() {
        key = digest(&SHA256, key.as_ref());
    }
    key.as_ref().to_vec()
}

fn write_algorithm(writer: DERWriter<'_>, oid: &[u64]) {
    writer.write_sequence(|writer| {
        write_oid(writer.next(), oid);
        writer.next().write_null();
    });
}

fn write_oid(writer: DERWriter<'_>, oid: &[u64]) {
    writer.write_oid(&ObjectIdentifier::from_slice(oid));
}
