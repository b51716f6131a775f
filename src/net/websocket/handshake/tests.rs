use tokio::io::{DuplexStream, duplex};

use super::*;

/// The request of RFC 6455 section 1.2, with other lines instead of its own `Origin` and
/// sub-protocols.
fn request(lines: &str) -> String {
    format!(
        "GET /mqtt HTTP/1.1\r\nHost: Pi.local:8884\r\nUpgrade: websocket\r\n\
         Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{lines}\r\n"
    )
}

/// A client's bytes, then its silence: what it is told, and what we think of it.
async fn shake(bytes: &[u8], origins: Origins) -> (String, Result<(), Refusal>) {
    let (mut near, far) = duplex(1024 * 1024);
    near.write_all(bytes).await.unwrap();
    let outcome = tokio::spawn(async move {
        let accepted: Result<WebSocket<DuplexStream>, _> = accept(far, origins).await;
        accepted.map(drop)
    });
    let mut told = String::new();
    near.read_to_string(&mut told).await.unwrap();
    drop(near);
    (told, outcome.await.unwrap())
}

#[track_caller]
fn check_refusal((told, outcome): (String, Result<(), Refusal>), status: &str, reason: Reason) {
    assert!(told.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{told}");
    let (head, sentence) = told.split_once("\r\n\r\n").unwrap();
    assert_eq!(sentence, format!("{}\n", reason.sentence()));
    assert!(head.contains(&format!("Content-Length: {}\r\n", sentence.len())), "{head}");
    assert!(matches!(outcome, Err(Refusal::Answered(seen)) if seen == reason), "{outcome:?}");
}

/// The key and its answer are those of RFC 6455 section 1.3.
#[tokio::test]
async fn a_client_of_mqtt_is_answered_with_its_protocol() {
    let bytes = request("Sec-WebSocket-Protocol: mqtt\r\n");
    let (told, outcome) = shake(bytes.as_bytes(), Origins::Any).await;
    assert!(told.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{told}");
    let told = told.to_ascii_lowercase();
    for line in [
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=",
        "sec-websocket-protocol: mqtt",
    ] {
        assert!(told.contains(&format!("\r\n{line}\r\n")), "no `{line}` in {told}");
    }
    assert!(told.ends_with("\r\n\r\n") && !told.contains("extensions"), "{told}");
    outcome.unwrap();
}

#[track_caller]
fn check_protocol(lines: &[&'static str], expected: Option<&str>) {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(line));
    }
    assert_eq!(protocol(&headers), expected);
}

/// [MQTT-6.0.0-3], [MQTT-6.0.0-4]
#[test]
fn the_sub_protocol_of_mqtt_is_chosen_from_what_is_offered() {
    check_protocol(&["mqtt"], Some("mqtt"));
    check_protocol(&["chat, mqtt"], Some("mqtt"));
    check_protocol(&["chat", "mqtt"], Some("mqtt"));
    check_protocol(&["mqttv3.1"], Some("mqttv3.1"));
    check_protocol(&["mqttv3.1,mqtt"], Some("mqtt"));
    check_protocol(&[], None);
    check_protocol(&[""], None);
    check_protocol(&["mqtts", "MQTT", "xmqtt", "mqtt;"], None);
}

#[tokio::test]
async fn who_does_not_offer_mqtt_is_refused_with_a_sentence() {
    for lines in ["", "Sec-WebSocket-Protocol: chat, superchat\r\n"] {
        let shaken = shake(request(lines).as_bytes(), Origins::Any).await;
        check_refusal(shaken, "400 Bad Request", Reason::NoProtocol);
    }
}

#[tokio::test]
async fn who_does_not_want_a_websocket_is_told_what_there_is() {
    let page = "GET / HTTP/1.1\r\nHost: pi.local\r\n\r\n";
    let shaken = shake(page.as_bytes(), Origins::Any).await;
    assert!(shaken.0.contains("\r\nUpgrade: websocket\r\n"), "{}", shaken.0);
    check_refusal(shaken, "426 Upgrade Required", Reason::NoUpgrade);
    let old = request("Sec-WebSocket-Protocol: mqtt\r\n").replace("13", "8");
    let shaken = shake(old.as_bytes(), Origins::Any).await;
    assert!(shaken.0.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{}", shaken.0);
    check_refusal(shaken, "426 Upgrade Required", Reason::NoUpgrade);
}

#[tokio::test]
async fn what_is_no_request_is_refused_at_once() {
    let mqtt = b"\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01c";
    let good = request("Sec-WebSocket-Protocol: mqtt\r\n");
    let post = good.replace("GET", "POST");
    let nul = good.replace("Pi.local", "Pi\0local");
    let key = good.replace("dGhl", "####");
    for bytes in [mqtt, post.as_bytes(), nul.as_bytes(), key.as_bytes(), b"GET /\n\n"] {
        let shaken = shake(bytes, Origins::Any).await;
        check_refusal(shaken, "400 Bad Request", Reason::NoRequest);
    }
}

/// Found by `tests/fuzz`: byte by byte it was refused, in one piece it was not.
#[tokio::test]
async fn an_empty_line_is_no_request_whatever_comes_behind_it() {
    let bytes = "\r\n".to_owned() + &request("Sec-WebSocket-Protocol: mqtt\r\n");
    for bytes in [&bytes[..1], &bytes[..]] {
        let shaken = shake(bytes.as_bytes(), Origins::Any).await;
        check_refusal(shaken, "400 Bad Request", Reason::NoRequest);
    }
}

#[tokio::test]
async fn who_sends_more_before_the_answer_is_refused() {
    let bytes = request("Sec-WebSocket-Protocol: mqtt\r\n") + "\u{2}";
    let shaken = shake(bytes.as_bytes(), Origins::Any).await;
    check_refusal(shaken, "400 Bad Request", Reason::Hasty);
}

#[tokio::test]
async fn headers_are_bounded_in_bytes_and_number() {
    let protocol = "Sec-WebSocket-Protocol: mqtt\r\n";
    let with_cookie = |bytes| request(&format!("{protocol}Cookie: {}\r\n", "c".repeat(bytes)));
    let most = WEBSOCKET_REQUEST_BYTES_MAX - with_cookie(0).len();
    let (told, _) = shake(with_cookie(most).as_bytes(), Origins::Any).await;
    assert!(told.starts_with("HTTP/1.1 101 "), "{told}");
    let endless = "GET /".to_owned() + &"a".repeat(100_000);
    for bytes in [with_cookie(most + 1), request(&"a: b\r\n".repeat(200)), endless] {
        let shaken = shake(bytes.as_bytes(), Origins::Any).await;
        check_refusal(shaken, "431 Request Header Fields Too Large", Reason::TooLarge);
    }
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let (mut near, far) = duplex(1);
    let accepted = tokio::spawn(accept(far, Origins::Any));
    let bytes = request("Sec-WebSocket-Protocol: mqtt\r\n");
    near.write_all(bytes.as_bytes()).await.unwrap();
    let mut told = [0; 12];
    near.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 101");
    accepted.abort();
}

#[tokio::test]
async fn who_leaves_in_the_middle_gets_no_answer() {
    let (mut near, far) = duplex(1024);
    near.write_all(b"GET /mqtt HT").await.unwrap();
    drop(near);
    let refusal = accept(far, Origins::Any).await.unwrap_err();
    assert!(matches!(&refusal, Refusal::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof));
}

#[tokio::test(start_paused = true)]
async fn a_refused_peer_that_stays_is_left() {
    let (mut near, far) = duplex(1024);
    near.write_all(b"\x10").await.unwrap();
    let refusal = timeout(CLOSE_TIMEOUT * 2, accept(far, Origins::Any)).await.unwrap();
    assert!(matches!(refusal, Err(Refusal::Answered(Reason::NoRequest))));
}

#[track_caller]
fn check_origin(host: &'static str, origin: &'static str, expected: &[Origins]) {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static(host));
    headers.insert(ORIGIN, HeaderValue::from_static(origin));
    let all = [Origins::Any, Origins::SameHost, Origins::ThisMachine];
    let admitted: Vec<Origins> = all.into_iter().filter(|it| it.admit(&headers)).collect();
    assert_eq!(admitted, expected);
}

#[test]
fn pages_of_other_hosts_are_not_admitted_where_they_need_no_password() {
    use Origins::{Any, SameHost, ThisMachine};
    check_origin("pi.local:8884", "http://pi.local:8123", &[Any, SameHost]);
    check_origin("pi.local", "https://PI.local", &[Any, SameHost]);
    check_origin("pi.local:8884", "https://evil.example", &[Any]);
    check_origin("pi.local:8884", "https://pi.local.evil.example", &[Any]);
    check_origin("pi.local:8884", "https://pi.local@evil.example", &[Any]);
    check_origin("pi.local:8884", "null", &[Any]);
    check_origin("null", "null", &[Any]);
    check_origin("", "", &[Any]);
    check_origin("rebound.example:1884", "http://rebound.example:1884", &[Any, SameHost]);
    for (host, page) in [
        ("localhost:1884", "http://localhost:8123"),
        ("app.localhost:1884", "http://app.localhost"),
        ("127.0.0.1:1884", "http://127.0.0.1"),
        ("[::1]:1884", "http://[::1]:3000"),
    ] {
        check_origin(host, page, &[Any, SameHost, ThisMachine]);
    }
    check_origin("localhost:1884", "http://127.0.0.1:1884", &[Any]);
}

#[test]
fn who_is_no_browser_is_admitted() {
    let mut headers = HeaderMap::new();
    assert!(Origins::SameHost.admit(&headers) && Origins::ThisMachine.admit(&headers));
    headers.insert(ORIGIN, HeaderValue::from_static("http://pi.local"));
    assert!(!Origins::SameHost.admit(&headers), "a page needs a host to compare with");
}

#[test]
fn pages_are_looked_at_where_a_browser_needs_no_password() {
    let check = |policy, bind: &str, expected| {
        assert_eq!(Origins::new(policy, bind.parse().unwrap()), expected, "{policy:?} {bind}");
    };
    for policy in [Policy::Password, Policy::CertificateAndPassword] {
        check(policy, "127.0.0.1:1884", Origins::Any);
        check(policy, "[::]:8884", Origins::Any);
    }
    for policy in [Policy::Anonymous, Policy::Certificate, Policy::CertificateOrPassword] {
        check(policy, "[::]:8884", Origins::SameHost);
        check(policy, "127.0.0.1:1884", Origins::ThisMachine);
        check(policy, "[::1]:1884", Origins::ThisMachine);
        check(policy, "[::ffff:127.0.0.1]:1884", Origins::ThisMachine);
    }
}

#[tokio::test]
async fn a_page_of_another_host_is_refused_with_a_sentence() {
    let bytes = request("Sec-WebSocket-Protocol: mqtt\r\nOrigin: https://evil.example\r\n");
    let shaken = shake(bytes.as_bytes(), Origins::SameHost).await;
    check_refusal(shaken, "403 Forbidden", Reason::Origin);
    let (told, _) = shake(bytes.as_bytes(), Origins::Any).await;
    assert!(told.starts_with("HTTP/1.1 101 "), "{told}");
}
