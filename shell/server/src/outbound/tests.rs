use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use axum::http::{HeaderName, HeaderValue};
use sallyport_decide::outbound::{PlainHttp, Unreachable};
use sallyport_model::TenantId;

use super::*;

/// A server on the loopback that answers every request alike and tells what it got.
struct Vendor {
    origin: String,
    got: Receiver<String>,
}

impl Vendor {
    fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let (listener, answer) = (TcpListener::bind("127.0.0.1:0").unwrap(), answer.into());
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let (told, got) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = told.send(read(&mut stream));
                let _ = stream.write_all(&answer);
            }
        });
        Self { origin, got }
    }
}

/// The head, and as much body as it says.
fn read(stream: &mut impl Read) -> String {
    let mut reader = BufReader::new(stream);
    let (mut text, mut bytes) = (String::new(), 0);
    while !text.ends_with("\r\n\r\n") && reader.read_line(&mut text).unwrap_or(0) > 0 {
        let line = text.lines().next_back().unwrap_or_default().to_ascii_lowercase();
        bytes = line.strip_prefix("content-length: ").and_then(|digits| digits.parse().ok()).unwrap_or(bytes);
    }
    let mut body = vec![0; bytes];
    reader.read_exact(&mut body).unwrap();
    text + &String::from_utf8(body).unwrap()
}

fn listing(listed: &[&str]) -> Outbound {
    let listed = listed.iter().map(|range| range.parse().unwrap()).collect();
    Outbound::open(Networks { listed, plain_http: PlainHttp::Listed }, None).unwrap()
}

fn asking(method: Method, url: &str) -> Request {
    Request {
        payer: Payer::Tenant(TenantId::from_bytes([1; 16])),
        wrote: Wrote::Account,
        method,
        target: Target::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: Vec::new(),
    }
}

fn short() -> Limits {
    Limits { time: Duration::from_secs(20), request_bytes: 100, answer_bytes: 100 }
}

async fn refusal(outbound: &Outbound, request: Request) -> OutboundError {
    outbound.send(request, short()).await.err().expect("no answer")
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made_and_its_answer_comes_back() {
    let vendor = Vendor::answering("HTTP/1.1 201 Created\r\nx-id: 7\r\ncontent-length: 4\r\n\r\nmade");
    let mut request = asking(Method::POST, &format!("{}/v1/tickets?a=%2F", vendor.origin));
    request.headers.insert("authorization", HeaderValue::from_static("Bearer word"));
    request.body = b"{\"a\":1}".to_vec();
    let answer = listing(&["127.0.0.0/8"]).send(request, short()).await.unwrap();
    assert_eq!((answer.status, answer.headers["x-id"].to_str().unwrap(), &*answer.body), (201, "7", b"made".as_slice()));
    let got = vendor.got.recv().unwrap().to_ascii_lowercase();
    assert!(got.starts_with("post /v1/tickets?a=%2f http/1.1\r\n"), "{got}");
    assert!(got.contains("authorization: bearer word\r\n") && got.ends_with("{\"a\":1}"), "{got}");
    assert!(!got.contains("accept-encoding"), "answers come as they are: {got}");
}

#[tokio::test]
async fn addresses_that_are_not_listed_are_not_connected_to_and_names_are_judged_by_what_they_resolve_to() {
    let vendor = Vendor::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let port = vendor.origin.rsplit(':').next().unwrap();
    let strict = Outbound::open(Networks::default(), None).unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"] {
        let https = asking(Method::GET, &format!("https://{host}:{port}/"));
        assert_eq!(refusal(&strict, https).await, OutboundError::Address(Unreachable::Private), "{host}");
        let plain = asking(Method::GET, &format!("http://{host}:{port}/"));
        assert_eq!(refusal(&strict, plain).await, OutboundError::Address(Unreachable::PlainHttp), "{host}");
        let elsewhere = asking(Method::GET, &format!("http://{host}:{port}/"));
        assert_eq!(refusal(&listing(&["10.0.0.0/8"]), elsewhere).await, OutboundError::Address(Unreachable::PlainHttp), "{host}");
    }
    assert!(vendor.got.try_recv().is_err(), "nobody was connected to");
    let named = asking(Method::GET, &format!("http://localhost:{port}/"));
    assert_eq!(listing(&["127.0.0.0/8"]).send(named, short()).await.unwrap().status, 200, "the listed address of a name is taken");
}

#[tokio::test]
async fn redirects_are_answers_and_are_not_followed() {
    let elsewhere = Vendor::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    let vendor = Vendor::answering(format!("HTTP/1.1 302 Found\r\nlocation: {}/\r\ncontent-length: 0\r\n\r\n", elsewhere.origin));
    let answer = listing(&["127.0.0.0/8"]).send(asking(Method::GET, &vendor.origin), short()).await.unwrap();
    assert_eq!(answer.status, 302);
    assert!(elsewhere.got.try_recv().is_err());
}

#[tokio::test]
async fn sizes_are_bounded_on_both_ways() {
    let outbound = listing(&["127.0.0.0/8"]);
    for (bytes, good) in [(100, true), (101, false)] {
        let vendor = Vendor::answering(format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n{}", "x".repeat(bytes)));
        let answer = outbound.send(asking(Method::GET, &vendor.origin), short()).await;
        assert_eq!(answer.map(|answer| answer.body.len()).ok(), good.then_some(bytes), "{bytes}");
        let request = Request { body: vec![b'x'; bytes], ..asking(Method::PUT, &vendor.origin) };
        let refused = outbound.send(request, Limits { answer_bytes: 200, ..short() }).await.err();
        assert_eq!(refused, (!good).then_some(OutboundError::Request), "{bytes}");
    }
    let endless = Vendor::answering(format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "x".repeat(limits::OUTBOUND_ANSWER_HEAD_BYTES)));
    assert_eq!(refusal(&outbound, asking(Method::GET, &endless.origin)).await, OutboundError::Large);
}

#[tokio::test]
async fn headers_of_the_connection_are_refused() {
    for own in OWN {
        let mut request = asking(Method::GET, "https://api.example/");
        request.headers.insert(own.clone(), HeaderValue::from_static("x"));
        assert_eq!(refusal(&listing(&[]), request).await, OutboundError::Request, "{own}");
    }
    let mut many = asking(Method::GET, "https://api.example/");
    many.headers
        .extend((0..=limits::OUTBOUND_HEADERS).map(|n| (HeaderName::try_from(format!("x-{n}")).unwrap(), HeaderValue::from_static("x"))));
    assert_eq!(refusal(&listing(&[]), many).await, OutboundError::Request);
}

#[tokio::test]
async fn what_went_wrong_is_told_without_a_word_of_the_request() {
    let outbound = listing(&["127.0.0.0/8"]);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = refusal(&outbound, asking(Method::GET, &format!("http://{closed}/"))).await;
    assert_eq!((nobody, nobody.may_have_arrived()), (OutboundError::Nobody, false));
    let rambling = Vendor::answering("this is no answer\r\n\r\n");
    let broken = refusal(&outbound, asking(Method::GET, &rambling.origin)).await;
    assert_eq!((broken, broken.may_have_arrived()), (OutboundError::Broken, true));
    let plain = Vendor::answering("HTTP/1.1 200 OK\r\n\r\n");
    let not_tls = refusal(&outbound, asking(Method::GET, &plain.origin.replace("http", "https"))).await;
    assert_ne!(not_tls, OutboundError::Late);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let waits = asking(Method::GET, &format!("http://{}/", silent.local_addr().unwrap()));
    let late = outbound.send(waits, Limits { time: Duration::from_millis(300), ..short() }).await.err();
    assert_eq!(late, Some(OutboundError::Late));
}

#[test]
fn a_file_without_certificates_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "no certificates").unwrap();
    assert!(Outbound::open(Networks::default(), Some(file.path())).is_err());
    assert!(Outbound::open(Networks::default(), Some(std::path::Path::new("/no/such/file"))).is_err());
}
