use super::*;

struct House;

impl Pages for House {
    fn page(&self, path: &str) -> Option<Page> {
        let content_type = "text/plain";
        match path {
            "/" => Some(Page { is_well: true, content_type, body: "hello".to_owned() }),
            "/ill" => Some(Page { is_well: false, content_type, body: "ill".to_owned() }),
            _ => None,
        }
    }
}

fn server() -> SocketAddr {
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(server.serve(Arc::new(House)));
    address
}

async fn answer(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be refused before it was all said.
    let _ = stream.write_all(request).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_page_is_shown_with_its_length_and_the_connection_closed() {
    let address = server();
    let get = answer(address, b"GET /?x=1 HTTP/1.1\r\nHost: localhost:80\r\n\r\n").await;
    assert!(get.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"), "{get}");
    assert!(get.contains("Content-Length: 5\r\nConnection: close\r\n"), "{get}");
    assert!(get.ends_with("\r\n\r\nhello"), "{get}");
    let head = answer(address, b"HEAD / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    assert!(head.contains("Content-Length: 5\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let old = answer(address, b"GET /ill HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.1 503 ") && old.ends_with("ill"), "{old}");
}

/// [RFC 9110] and [RFC 9112] say which status each deserves.
#[tokio::test]
async fn what_is_no_request_for_a_page_is_told_so() {
    let address = server();
    let many = "x: y\r\n".repeat(HTTP_HEADERS_MAX);
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(2 * HTTP_HEAD_BYTES_MAX));
    let table: &[(&[u8], &str)] = &[
        (b"GET /absent HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        (b"GET /../ HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
        (b"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", "400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", "400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 Misdirected Request"),
        (b"GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", "421 Misdirected Request"),
        (many.as_bytes(), "431 Request Header Fields Too Large"),
        (long.as_bytes(), "431 Request Header Fields Too Large"),
    ];
    for (request, status) in table {
        let answer = answer(address, request).await;
        let asked = String::from_utf8_lossy(&request[..request.len().min(60)]);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{asked}: {answer}");
    }
}

/// Who says nothing, or too slowly, is sent away; others wait no longer than that.
#[tokio::test(start_paused = true)]
async fn who_does_not_ask_is_sent_away_and_holds_a_place_for_a_bounded_time() {
    let address = server();
    let mut silent = Vec::new();
    for _ in 0..HTTP_VISITORS_MAX {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        silent.push(stream);
    }
    let late = answer(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(late.ends_with("hello"), "{late}");
    let mut told = String::new();
    silent[0].read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
}

#[test]
fn a_host_is_this_machine_by_its_address_or_as_localhost() {
    for good in ["127.0.0.1", "127.0.0.1:9883", "[::1]:9883", "[::1]", "localhost", "LocalHost:1"] {
        assert!(is_this_machine(good.as_bytes()), "{good}");
    }
    for bad in ["", "evil.example", "evil.example:9883", "localhost.", "127.0.0.1.evil.example"] {
        assert!(!is_this_machine(bad.as_bytes()), "{bad}");
    }
}
