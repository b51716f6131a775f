use std::sync::Arc;

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::access::{Password, SALT_BYTES};
use crate::limits::PASSWORDS_CACHED_MAX;

const SALT: [u8; SALT_BYTES] = *b"0123456789abcdef";

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

/// Bob with the password `secret`, others without; each with a certificate of its own.
fn users() -> Users {
    let mut users = Users::default();
    for of in ["bob", "eve", "laptop"] {
        let issued = Issued { serial: format!("of-{of}"), expires: 1, authority: None };
        users.entry(name(of)).certificates.push(issued);
    }
    users.entry(name("bob")).password = Some(PasswordHash::new(b"secret", &SALT));
    users
}

fn certificate(name: &str) -> Certificate {
    let (name, serial) = (name.to_owned(), format!("of-{name}"));
    Certificate { name, serial, issuer: Issuer::Own, chain: Arc::default() }
}

fn bob() -> Principal {
    Principal::User("bob".into())
}

#[test]
fn user_names_hold_what_a_topic_and_a_log_line_can() {
    #[track_caller]
    fn check(text: &str, expected: Result<(), UserNameError>) {
        assert_eq!(UserName::parse(text).map(|_| ()), expected, "{text:?}");
    }
    check("b", Ok(()));
    check("Jean-Luc_2.b@example.org", Ok(()));
    check(&"x".repeat(64), Ok(()));
    check(&"x".repeat(65), Err(UserNameError::TooLong(65)));
    check("", Err(UserNameError::Empty));
    for letter in ['+', '#', '/', '$', '%', ':', ' ', '\n', '\0', 'é', '"'] {
        check(&format!("bob{letter}"), Err(UserNameError::Character(letter)));
    }
}

#[test]
fn names_for_a_moment_are_told_from_those_of_people() {
    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(name(text).is_throwaway(), expected, "{text}");
    }
    assert!(UserName::throwaway(0).is_throwaway());
    assert!(UserName::throwaway(u32::MAX).is_throwaway());
    check("doctor-0badcafe", true);
    check("doctor-0badcafe0", false);
    check("doctor-0BADCAFE", false);
    check("doctor-house", false);
    check("doctor-", false);
    check("bob", false);
}

#[test]
fn an_error_shows_the_character_that_is_not_allowed() {
    let message = UserName::parse("a\nb").unwrap_err().to_string();
    assert_eq!(
        message,
        "character not allowed in a user name: `\\n`; letters, digits and `-_.@` are"
    );
}

#[test]
fn users_survive_their_text() {
    let mut users = users();
    users.entry(name("alice")).password = Some(PasswordHash::new(b"wonderland", &SALT));
    let text = users.to_text();
    let read = Users::parse(&text).unwrap();
    assert_eq!(read.to_text(), text);
    assert_eq!(
        read.names().map(UserName::as_str).collect::<Vec<_>>(),
        ["alice", "bob", "eve", "laptop"]
    );
}

#[test]
fn comments_and_empty_lines_are_no_users() {
    let hash = PasswordHash::new(b"secret", &SALT);
    let text = format!("# house\n\n   \nbob:{hash}\r\n  # alice:{hash}\n");
    let users = Users::parse(&text).unwrap();
    assert_eq!(users.names().map(UserName::as_str).collect::<Vec<_>>(), ["bob"]);
}

#[test]
fn errors_name_the_line() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Users::parse(text).unwrap_err().to_string(), expected);
    }
    let hash = PasswordHash::new(b"secret", &SALT);
    check("bob", "line 1: no `:` between user name and password hash");
    check("# users\n\n:x", "line 3: empty user name");
    check(
        &format!("bob:{hash}\nal/ice:{hash}"),
        "line 2: character not allowed in a user name: `/`; letters, digits and `-_.@` are",
    );
    let expected = "line 1: no password hash: it should begin with `$argon2id$v=19$` or `$7$`";
    check("bob:secret", expected);
    check(&format!("bob:{hash}\nbob:{hash}"), "line 2: user named twice: `bob`");
}

#[test]
fn an_error_does_not_show_what_may_be_a_password() {
    let message = Users::parse("bob:hunter2").unwrap_err().to_string();
    assert!(!message.contains("hunter2"), "{message}");
}

struct Shown {
    user: Option<&'static str>,
    password: Option<&'static str>,
    certificate: Option<&'static str>,
}

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const NOTHING: Shown = Shown { user: None, password: None, certificate: None };

#[track_caller]
fn check(policy: Policy, shown: &Shown, expected: &Verdict) {
    let login = Login {
        address: HOST,
        policy,
        client_id: "client".to_owned(),
        user: shown.user.map(str::to_owned),
        password: shown.password.map(|text| Password::new(text.as_bytes())),
        certificate: shown.certificate.map(certificate),
    };
    assert_eq!(users().check(&login, &mut HashMemory::default()), *expected, "{login:?}");
}

#[test]
fn anonymous_listeners_let_anyone_in_but_still_check_a_login() {
    use Policy::Anonymous;
    check(Anonymous, &NOTHING, &Ok(Principal::Anonymous));
    let login = |user, password| Shown { user, password, ..NOTHING };
    check(Anonymous, &login(Some("bob"), Some("secret")), &Ok(bob()));
    check(Anonymous, &login(Some("bob"), Some("wrong")), &Err(Refusal::BadPassword));
    check(Anonymous, &login(Some("eve"), Some("secret")), &Err(Refusal::BadPassword));
    check(Anonymous, &login(None, Some("secret")), &Err(Refusal::BadPassword));
    check(Anonymous, &login(Some("bob"), None), &Err(Refusal::NoPassword));
}

#[test]
fn passwords_are_asked_and_checked() {
    let login = |user, password| Shown { user, password, ..NOTHING };
    check(Policy::Password, &login(Some("bob"), Some("secret")), &Ok(bob()));
    check(Policy::Password, &NOTHING, &Err(Refusal::NoCredentials));
    check(Policy::Password, &login(Some("bob"), None), &Err(Refusal::NoPassword));
    check(Policy::Password, &login(Some("bob"), Some("")), &Err(Refusal::BadPassword));
    check(Policy::Password, &login(Some("bob"), Some("Secret")), &Err(Refusal::BadPassword));
    check(Policy::Password, &login(Some("Bob"), Some("secret")), &Err(Refusal::BadPassword));
    check(Policy::Password, &login(Some("b#b"), Some("secret")), &Err(Refusal::BadPassword));
    let certificate = Shown { certificate: Some("bob"), ..NOTHING };
    check(Policy::Password, &certificate, &Err(Refusal::NoCredentials));
}

#[test]
fn certificates_speak_for_the_name_in_them() {
    let with = |certificate, user| Shown { user, certificate, ..NOTHING };
    check(Policy::Certificate, &with(Some("bob"), None), &Ok(bob()));
    check(Policy::Certificate, &with(Some("bob"), Some("bob")), &Ok(bob()));
    check(Policy::Certificate, &with(Some("bob"), Some("eve")), &Err(Refusal::CertificateMismatch));
    check(Policy::Certificate, &with(Some("b/b"), None), &Err(Refusal::UnknownCertificate));
    check(Policy::Certificate, &with(Some("mallory"), None), &Err(Refusal::UnknownCertificate));
    check(Policy::Certificate, &with(Some(""), None), &Err(Refusal::UnknownCertificate));
    let login = Shown { user: Some("bob"), password: Some("secret"), certificate: None };
    check(Policy::Certificate, &login, &Err(Refusal::NoCertificate));
}

#[test]
fn either_a_certificate_or_a_password_is_enough() {
    let policy = Policy::CertificateOrPassword;
    check(policy, &Shown { certificate: Some("bob"), ..NOTHING }, &Ok(bob()));
    let login = Shown { user: Some("bob"), password: Some("secret"), certificate: None };
    check(policy, &login, &Ok(bob()));
    check(policy, &NOTHING, &Err(Refusal::NoCredentials));
}

#[test]
fn a_password_beside_a_certificate_must_be_right() {
    let policy = Policy::CertificateOrPassword;
    let with = |password| Shown { user: Some("bob"), password, certificate: Some("laptop") };
    check(policy, &with(Some("secret")), &Ok(bob()));
    check(policy, &with(Some("wrong")), &Err(Refusal::BadPassword));
    check(policy, &with(None), &Err(Refusal::CertificateMismatch));
}

#[test]
fn where_both_are_asked_they_must_be_of_one_user() {
    let policy = Policy::CertificateAndPassword;
    let with = |certificate, password| Shown { user: Some("bob"), password, certificate };
    check(policy, &with(Some("bob"), Some("secret")), &Ok(bob()));
    check(policy, &with(Some("bob"), Some("wrong")), &Err(Refusal::BadPassword));
    check(policy, &with(Some("bob"), None), &Err(Refusal::NoPassword));
    check(policy, &with(None, Some("secret")), &Err(Refusal::NoCertificate));
    check(policy, &with(Some("eve"), Some("secret")), &Err(Refusal::CertificateMismatch));
    let nameless = Shown { certificate: Some("bob"), ..NOTHING };
    check(policy, &nameless, &Err(Refusal::NoCredentials));
}

#[test]
fn a_certificate_of_ours_counts_while_it_is_listed_and_a_foreign_one_while_its_user_is() {
    #[track_caller]
    fn check(serial: &str, issuer: Issuer, name: &str, expected: &Verdict) {
        let (name, serial) = (name.to_owned(), serial.to_owned());
        let certificate = Some(Certificate { name, serial, issuer, chain: Arc::default() });
        let policy = Policy::Certificate;
        let (client_id, user, password) = ("client".to_owned(), None, None);
        let login = Login { address: HOST, policy, client_id, user, password, certificate };
        assert_eq!(users().check(&login, &mut HashMemory::default()), *expected);
    }
    check("of-bob", Issuer::Own, "bob", &Ok(bob()));
    check("00", Issuer::Own, "bob", &Err(Refusal::RevokedCertificate));
    check("of-eve", Issuer::Own, "bob", &Err(Refusal::RevokedCertificate));
    check("00", Issuer::Administrator, "bob", &Ok(bob()));
    check("00", Issuer::Administrator, "mallory", &Err(Refusal::UnknownCertificate));
}

#[test]
fn subscribers_survive_their_text() {
    let hash = PasswordHash::new(b"secret", &SALT);
    let scope = r#"{"rooms":["salon"],"write":true}"#;
    let listed = r#"[{"serial":"0a","expires":7}]"#;
    let line = format!(r#"probe::{{"scope":{scope},"certificates":{listed}}}"#);
    let text = format!("alice:{hash}:{{\"scope\":{{\"rooms\":[\"*\"]}}}}\n{line}\n");
    let users = Users::parse(&text).unwrap();
    let probe = users.get(&name("probe")).unwrap();
    assert!(probe.password.is_none());
    let expected = Issued { serial: "0a".to_owned(), expires: 7, authority: None };
    assert_eq!(probe.certificates, [expected]);
    let scope = probe.scope.as_ref().unwrap();
    assert_eq!((&*scope.rooms, scope.write, scope.admin), (&["salon".to_owned()][..], true, false));
    let written = users.to_text();
    assert_eq!(written.lines().skip(1).collect::<Vec<_>>(), text.lines().collect::<Vec<_>>());
}

#[test]
fn what_follows_a_hash_is_read_strictly() {
    #[track_caller]
    fn check(facts: &str, expected: &str) {
        let error = Users::parse(&format!("bob::{facts}")).unwrap_err().to_string();
        assert!(error.starts_with("line 1: after the password hash: "), "{error}");
        assert!(error.contains(expected), "{error}");
    }
    check("{", "EOF");
    check(r#"{"scopes":{}}"#, "unknown field `scopes`");
    check(r#"{"scope":{"room":["salon"]}}"#, "unknown field `room`");
    check(r#"{"scope":{"read":["a#"]}}"#, "whole level of a topic filter");
    check(r#"{"scope":{"read":["a-%u"]}}"#, "whole level");
}

#[test]
fn what_is_taken_away_is_told() {
    let old = users();
    let mut new = old.clone();
    assert_eq!(old.revoked(&new), Revoked::default());
    new.remove(&name("eve"));
    new.entry(name("bob")).password = Some(PasswordHash::new(b"other", &SALT));
    new.entry(name("laptop")).certificates.clear();
    let names = |name: &str| vec![name.to_owned()];
    let (users, passwords, certificates) = (names("eve"), names("bob"), names("of-laptop"));
    assert_eq!(old.revoked(&new), Revoked { users, passwords, certificates });
}

/// Time on the processor, in nanoseconds, of this thread: what others do is not in it.
#[allow(clippy::disallowed_methods, reason = "the time is what is tested")]
fn worked() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// The only way to tell users from strangers would be the time.
#[test]
fn an_unknown_user_costs_as_much_as_a_known_one() {
    let users = users();
    let time = |user: &str| {
        let login = Login {
            address: HOST,
            policy: Policy::Password,
            client_id: "client".to_owned(),
            user: Some(user.to_owned()),
            password: Some(Password::new(b"wrong")),
            certificate: None,
        };
        let fastest = (0..5).map(|_| {
            let start = worked();
            users.check(&login, &mut HashMemory::default()).unwrap_err();
            worked() - start
        });
        fastest.min().unwrap()
    };
    let (known, unknown) = (time("bob"), time("nobody"));
    assert!(unknown * 4 > known && known * 4 > unknown, "known {known}, unknown {unknown} ns");
}

fn by_password(policy: Policy, user: &str, password: &'static str) -> Login {
    Login {
        address: HOST,
        policy,
        client_id: "client".to_owned(),
        user: Some(user.to_owned()),
        password: Some(Password::new(password.as_bytes())),
        certificate: None,
    }
}

/// By what was right before, and nothing else.
#[test]
fn who_was_right_before_is_let_in_without_a_hash_until_the_password_changes() {
    let users = users();
    let mut cache = PasswordCache::new(&[7; 32]);
    let is_in = |users: &Users, cache: &PasswordCache, user: &str, password| {
        users.check_cached(&by_password(Policy::Password, user, password), cache).is_some()
    };
    assert!(!is_in(&users, &cache, "bob", "secret"), "nobody was there");
    users.remember(&by_password(Policy::Password, "bob", "secret"), &mut cache);
    assert!(is_in(&users, &cache, "bob", "secret"));
    for (user, password) in [("bob", "secret "), ("bob", ""), ("eve", "secret"), ("x", "secret")] {
        assert!(!is_in(&users, &cache, user, password), "{user} {password}");
    }
    let other = PasswordCache::new(&[8; 32]);
    assert!(!is_in(&users, &other, "bob", "secret"));

    let mut changed = users.clone();
    changed.entry(name("bob")).password = Some(PasswordHash::new(b"other", &SALT));
    assert!(!is_in(&changed, &cache, "bob", "secret"), "it is another's password now");
    changed.remove(&name("bob"));
    assert!(!is_in(&changed, &cache, "bob", "secret"), "there is no such user");
    changed.remember(&by_password(Policy::Password, "nobody", "x"), &mut cache);
    assert_eq!(cache.len(), 0, "what counts no more is forgotten");
}

/// Certificate and password are both asked for, whatever is known of the password.
#[test]
fn a_password_as_before_does_not_stand_for_a_certificate() {
    let users = users();
    let mut cache = PasswordCache::new(&[7; 32]);
    users.remember(&by_password(Policy::Password, "bob", "secret"), &mut cache);
    let both = by_password(Policy::CertificateAndPassword, "bob", "secret");
    assert_eq!(users.check_cached(&both, &cache), None);
    let whole = Login { certificate: Some(certificate("bob")), ..both.clone() };
    assert_eq!(users.check_cached(&whole, &cache), Some(bob()));
    let of_eve = Login { certificate: Some(certificate("eve")), ..both };
    assert_eq!(users.check_cached(&of_eve, &cache), None);
}

#[test]
fn as_many_passwords_are_remembered_as_there_may_be() {
    let mut cache = PasswordCache::new(&[7; 32]);
    let hash = PasswordHash::new(b"secret", &SALT);
    for number in 0..PASSWORDS_CACHED_MAX + 10 {
        cache.add(&name(&format!("user{number}")), &hash, b"secret");
    }
    assert_eq!(cache.len(), PASSWORDS_CACHED_MAX);
    assert!(!cache.has(&name("user9"), &hash, b"secret"), "the first made room");
    assert!(cache.has(&name("user10"), &hash, b"secret"));
}

/// A file of rules that says nothing allows nothing.
#[test]
fn an_empty_file_of_users_lets_nobody_in() {
    for text in ["", "\n\n", "# nobody\n", &Users::default().to_text()] {
        let users = Users::parse(text).unwrap();
        for policy in [
            Policy::Anonymous,
            Policy::Password,
            Policy::Certificate,
            Policy::CertificateOrPassword,
            Policy::CertificateAndPassword,
        ] {
            let login = by_password(policy, "bob", "secret");
            assert!(users.check(&login, &mut HashMemory::default()).is_err(), "{policy:?}");
            let login = Login { certificate: Some(certificate("bob")), ..login };
            assert!(users.check(&login, &mut HashMemory::default()).is_err(), "{policy:?}");
        }
    }
}
