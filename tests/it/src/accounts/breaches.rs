//! Passwords that are known from data breaches: refused when they are chosen, and to be changed when they sign in.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use data_encoding::HEXUPPER;
use sallyport_server::clock::Clock as _;
use sallyport_server::config::RawMail;
use sallyport_server::{ImportError, Imported, import_passwords};
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, begin, oathtool, start_body, token_of};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{assert_refused, assert_signed_in, notices_begin, wrong_code};
use crate::posture::run;

const ANOTHER: &str = "nine herons wade through fog";

/// What the range server does when it is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Answers,
    Fails,
    HangsUp,
    Rambles,
}

/// A server of ranges on loopback, as the known one: real HTTP, with padding, and a memory of what it was asked.
#[derive(Clone)]
struct RangeServer {
    url: String,
    known: Arc<Mutex<(Mood, BTreeSet<String>)>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl RangeServer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/range/", listener.local_addr().expect("an address"));
        let server = Self { url, known: Arc::new(Mutex::new((Mood::Answers, BTreeSet::new()))), asked: Arc::new(Mutex::new(Vec::new())) };
        let own = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().talk(stream));
            }
        });
        server
    }

    fn learn(&self, password: &str) {
        self.known.lock().expect("a lock").1.insert(HEXUPPER.encode(&Sha1::digest(password)));
    }

    fn is_now(&self, mood: Mood) {
        self.known.lock().expect("a lock").0 = mood;
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a lock").clone()
    }

    async fn talk(self, mut stream: tokio::net::TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let answer = self.answer(&head);
        self.asked.lock().expect("a lock").push(head);
        if let Some(answer) = answer {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }

    fn answer(&self, head: &str) -> Option<String> {
        let known = self.known.lock().expect("a lock");
        let prefix = head.strip_prefix("GET /range/").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        let (status, body) = match known.0 {
            Mood::HangsUp => return None,
            Mood::Fails => ("503 Service Unavailable", "later".to_owned()),
            Mood::Rambles => ("200 OK", "<html>a captive portal</html>".to_owned()),
            Mood::Answers => {
                let found = known.1.iter().filter_map(|hash| hash.strip_prefix(prefix)).map(|rest| format!("{rest}:42\r\n"));
                let padding = (0..20u32).map(|n| format!("{}:0\r\n", &HEXUPPER.encode(&Sha1::digest(n.to_le_bytes()))[5..]));
                ("200 OK", found.chain(padding).collect::<String>())
            }
        };
        Some(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()))
    }
}

async fn asking(ranges: &RangeServer, mails: Option<&MailServer>) -> TestServer {
    TestServer::configured(Engine::Sqlite, |raw| {
        raw.breached_range_url = Some(ranges.url.clone());
        raw.mail = mails.map(|mails| RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await
}

async fn change(client: &mut Client, current: &str, new: &str, code: &str) -> Reply {
    let body = json!({ "current": current, "new": new, "proof": { "totp": code }, "other_sessions": "keep" });
    client.post("/v1/me/password", body).await
}

/// The entries of one kind in the audit log.
async fn entries(client: &mut Client, kind: &str) -> Vec<Value> {
    let page = client.get(&format!("/v1/audit?kind={kind}")).await.json();
    page["items"].as_array().cloned().unwrap_or_else(|| panic!("entries: {page}"))
}

#[tokio::test]
async fn pwd_04_a_breached_password_gets_in_with_a_factor_and_must_be_changed_first() {
    let (ranges, mails) = (RangeServer::start().await, MailServer::start());
    let server = asking(&ranges, Some(&mails)).await;
    let owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 3), &owner.code(&server)).await);
    ranges.learn(PASSWORD);
    server.clock.advance(30);
    let mut client = Client::new(&server, 2);
    let reply = owner.sign_in(&mut client, &owner.code(&server)).await;
    assert_eq!((reply.status, &reply.json()["session"]["stage"]), (200, &json!("new_password")), "{}", reply.json());
    assert_eq!(reply.json()["step_up_until"], Value::Null, "it authorizes nothing");
    for path in ["/v1/devices", "/v1/me/sessions", "/v1/me/addresses", "/v1/users", "/v1/audit"] {
        assert_eq!((client.get(path).await.status, client.get(path).await.code().as_str()), (403, "password_breached"), "{path}");
    }
    let asks = client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(asks.code(), "password_breached");
    let notice = mails.wait_for(EMAIL, "known from a data breach").await;
    assert!(notice.plain.contains("choose another password"), "{}", notice.plain);
    server.clock.advance(30);
    let same = change(&mut client, PASSWORD, PASSWORD, &owner.code(&server)).await;
    assert_eq!((same.status, same.code().as_str()), (422, "password_refused"), "the breached one is no other one");
    let done = change(&mut client, PASSWORD, ANOTHER, &owner.code(&server)).await;
    assert_eq!(done.status, 204, "{}", done.json());
    assert_eq!(client.get("/v1/me").await.json()["session"]["stage"], "full");
    assert_eq!(client.get("/v1/devices").await.status, 200);
    assert_eq!(owner.client.clone().get("/v1/me").await.code(), "not_signed_in", "whoever else had it is out, whatever was asked for");
    assert_eq!(entries(&mut client, "password.breached").await.len(), 1);
    assert!(ranges.asked().iter().all(|head| head.to_lowercase().contains("add-padding: true")));
    let told: BTreeSet<usize> = ranges.asked().iter().map(|head| head.split(' ').nth(1).unwrap_or_default().len()).collect();
    assert_eq!(told, BTreeSet::from(["/range/12345".len()]), "five digits and no more leave the server");
}

#[tokio::test]
async fn pwd_04_who_lacks_the_factor_learns_nothing_of_breaches() {
    let ranges = RangeServer::start().await;
    let server = asking(&ranges, None).await;
    let owner = Owner::set_up(&server).await;
    ranges.learn(PASSWORD);
    let before = ranges.asked().len();
    let refused = owner.sign_in(&mut Client::new(&server, 2), &wrong_code(&owner.code(&server))).await;
    assert_refused(&refused);
    assert_eq!(ranges.asked().len(), before, "the list is asked once everything holds: the answer takes no longer for it");
}

#[tokio::test]
async fn pwd_04_a_breached_password_cannot_be_chosen() {
    let ranges = RangeServer::start().await;
    ranges.learn(PASSWORD);
    let server = asking(&ranges, None).await;
    let refused = Client::new(&server, 1).post("/v1/setup/start", start_body(&token_of(&server))).await;
    assert_eq!((refused.status, refused.code().as_str()), (422, "password_refused"));
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("data breach")), "{}", refused.json());
}

#[tokio::test]
async fn pwd_04_log_04_a_list_that_does_not_answer_keeps_nobody_out_and_the_log_tells() {
    let ranges = RangeServer::start().await;
    ranges.is_now(Mood::Fails);
    let server = asking(&ranges, None).await;
    let mut owner = Owner::set_up(&server).await;
    ranges.learn(PASSWORD);
    for (seed, mood) in [(2, Mood::HangsUp), (3, Mood::Rambles), (4, Mood::Fails)] {
        ranges.is_now(mood);
        server.clock.advance(30);
        let reply = owner.sign_in(&mut Client::new(&server, seed), &owner.code(&server)).await;
        assert_eq!((reply.status, &reply.json()["session"]["stage"]), (200, &json!("full")), "{}", reply.json());
    }
    assert_eq!(entries(&mut owner.client, "passwords.unchecked").await.len(), 1, "summed up");
    server.clock.advance(900);
    owner.sign_in(&mut Client::new(&server, 5), &owner.code(&server)).await;
    let told = entries(&mut owner.client, "passwords.unchecked").await;
    assert_eq!(told.len(), 2, "{told:?}");
    ranges.is_now(Mood::Answers);
    server.clock.advance(30);
    let reply = owner.sign_in(&mut Client::new(&server, 6), &owner.code(&server)).await;
    assert_eq!(reply.json()["session"]["stage"], "new_password", "the control: it answers again");
}

#[tokio::test]
async fn pwd_04_a_mailed_link_activates_nothing_behind_a_breached_password() {
    let ranges = RangeServer::start().await;
    let server = asking(&ranges, None).await;
    let mut owner = Owner::set_up(&server).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "by_call" }));
    let reply = owner.does(&server, reset).await;
    let link = reply.json()["result"]["link"].as_str().unwrap_or_else(|| panic!("a link: {}", reply.json())).to_owned();
    let token = link.split_once('#').expect("behind #").1;
    // Somebody is in with the password alone, as the policy of a tenant may allow.
    run(&server, "UPDATE tenants SET factorless = 1, mfa_who = 'admins'", &[]).await;
    let mut reading = Client::new(&server, 8);
    let body = json!({ "email": "tara@nordwind.example", "password": THEIR_PASSWORD, "code": "" });
    assert_signed_in(&reading.post("/v1/sign-in", body.clone()).await);
    let mut client = Client::new(&server, 9);
    let start = async |client: &mut Client, password: &str, new: Value| {
        client.post("/v1/invitations/start", json!({ "token": token, "password": password, "new_password": new })).await
    };
    let needless = start(&mut client, THEIR_PASSWORD, json!(ANOTHER)).await;
    assert_eq!((needless.status, &needless.json()["field"]), (422, &json!("new_password")), "a good one stays");
    ranges.learn(THEIR_PASSWORD);
    let wrong = start(&mut client, "some other long password", json!(ANOTHER)).await;
    assert_eq!(
        (wrong.code().as_str(), &wrong.json()["field"]),
        ("password_refused", &json!("password")),
        "the present one is asked for first"
    );
    let breached = start(&mut client, THEIR_PASSWORD, Value::Null).await;
    assert_eq!((breached.status, breached.code().as_str()), (403, "password_breached"), "{}", breached.json());
    for same in [THEIR_PASSWORD, "short"] {
        let refused = start(&mut client, THEIR_PASSWORD, json!(same)).await;
        assert_eq!((refused.code().as_str(), &refused.json()["field"]), ("password_refused", &json!("new_password")));
    }
    assert_eq!(reading.get("/v1/me").await.status, 200, "nothing happened yet");
    let started = start(&mut client, THEIR_PASSWORD, json!(ANOTHER)).await;
    assert_eq!(started.status, 200, "{}", started.json());
    let secret = started.json()["totp"]["secret"].as_str().expect("a secret").to_owned();
    let finish = json!({ "token": token, "draft": started.json()["draft"], "code": oathtool(&secret, server.clock.now()) });
    assert_eq!(client.post("/v1/invitations/finish", finish).await.status, 201);
    assert_eq!(reading.get("/v1/me").await.code(), "not_signed_in", "whoever else had it is out");
    server.clock.advance(30);
    let code = oathtool(&secret, server.clock.now());
    let old = json!({ "email": "tara@nordwind.example", "password": THEIR_PASSWORD, "code": code });
    assert_refused(&Client::new(&server, 10).post("/v1/sign-in", old).await);
    let new = json!({ "email": "tara@nordwind.example", "password": ANOTHER, "code": code });
    assert_signed_in(&Client::new(&server, 11).post("/v1/sign-in", new).await);
    assert_eq!(entries(&mut owner.client, "password.changed").await.len(), 1);
}

/// Imports a list into a running installation, as `sallyport admin passwords import` does in a process of its own.
pub(super) async fn import(server: &TestServer, list: &str) -> Result<Imported, ImportError> {
    let list = Cursor::new(list.to_owned().into_bytes());
    import_passwords(server.app.config.clone(), server.outside(), list, None, |_| {}).await
}

#[tokio::test]
async fn pwd_04_an_imported_list_holds_at_once_and_is_replaced_whole() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let server = TestServer::start_on(engine).await;
        let mut owner = Owner::set_up(&server).await;
        let list = format!("0000000000000000000000000000000000000001:3\n{}:1\n", HEXUPPER.encode(&Sha1::digest(PASSWORD)));
        let imported = import(&server, &list).await.expect("a list");
        assert_eq!(imported, Imported { passwords: 2, skipped: 0 });
        let told = entries(&mut owner.client, "passwords.imported").await;
        assert_eq!(told.len(), 1, "{told:?}");
        let reply = owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await;
        assert_eq!(reply.json()["session"]["stage"], "new_password", "{}", reply.json());
        assert!(import(&server, "not a list\nof\u{0}hashes\n").await.is_ok(), "plain words are a list too");
        server.clock.advance(30);
        let reply = owner.sign_in(&mut Client::new(&server, 3), &owner.code(&server)).await;
        assert_eq!(reply.json()["session"]["stage"], "full", "the new list took the old one's place: {}", reply.json());
        assert!(import(&server, &list).await.is_ok() && import(&server, &format!("{list}oops\n")).await.is_err());
        server.clock.advance(30);
        let reply = owner.sign_in(&mut Client::new(&server, 4), &owner.code(&server)).await;
        assert_eq!(reply.json()["session"]["stage"], "new_password", "what could not be imported changed nothing: {}", reply.json());
        let left: Vec<_> = std::fs::read_dir(server.folder()).expect("a folder").flatten().map(|file| file.file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".spill") && !name.to_string_lossy().ends_with(".new")));
    }
}

#[tokio::test]
async fn pwd_04_before_the_set_up_a_list_can_be_imported_too() {
    let server = TestServer::start().await;
    import(&server, &format!("{PASSWORD}\n")).await.expect("a list");
    let mut client = Client::new(&server, 1);
    let refused = client.post("/v1/setup/start", start_body(&token_of(&server))).await;
    assert_eq!(refused.code(), "password_refused", "{}", refused.json());
    import(&server, "another one\n").await.expect("a list");
    begin(&server, &mut client).await;
}
