//! Networks and addresses over HTTP, behind a listed proxy that says where each request comes from.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sallyport_server::config::RawMail;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

const INSIDE: &str = "192.0.2.7";
const OUTSIDE: &str = "198.51.100.7";

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// A server whose loopback is a proxy.
async fn behind_a_proxy(engine: Engine) -> TestServer {
    TestServer::configured(engine, |raw| raw.trusted_proxies = Some(vec!["127.0.0.1".into()])).await
}

fn from(address: &str, call: Call) -> Call {
    call.header("x-forwarded-for", address)
}

async fn get(client: &mut Client, address: &str, path: &str) -> Reply {
    client.send(from(address, Call::new("GET", path))).await
}

/// Asks for other rules and proves the request, from an address.
async fn change(server: &TestServer, owner: &mut Owner, address: &str, rules: Value) -> Reply {
    let mut body = rules;
    body["version"] = get(&mut owner.client, address, "/v1/policy/networks").await.json()["version"].clone();
    let asked = owner.client.send(from(address, Call::new("PUT", "/v1/policy/networks").body(body))).await;
    if asked.status != 202 {
        return asked;
    }
    let waits = asked.header("location").unwrap().to_owned();
    let proof = Call::new("POST", &format!("{waits}/proofs")).body(json!({ "totp": owner.code(server) }));
    let done = owner.client.send(from(address, proof)).await;
    server.clock.advance(30);
    done
}

fn rules(required: &[(&str, &str)]) -> Value {
    let required: Vec<Value> = required.iter().map(|(capability, range)| json!({ "capability": capability, "ranges": [range] })).collect();
    json!({ "trusted": [], "required": required, "address_verification": "off" })
}

#[tokio::test]
async fn net_01_the_address_of_a_session_is_the_clients_and_not_what_strangers_say() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    let body =
        json!({ "email": sallyport_testkit::owner::EMAIL, "password": sallyport_testkit::owner::PASSWORD, "code": owner.code(&server) });
    let call = Call::new("POST", "/v1/sign-in").body(body).header("x-forwarded-for", "10.9.8.7, 203.0.113.5");
    let reply = client.send(call).await;
    assert_eq!(reply.json()["session"]["address"], "203.0.113.5", "{}", text(&reply));
    let plain = TestServer::start().await;
    let owner = Owner::set_up(&plain).await;
    let mut client = Client::new(&plain, 2);
    let body =
        json!({ "email": sallyport_testkit::owner::EMAIL, "password": sallyport_testkit::owner::PASSWORD, "code": owner.code(&plain) });
    let reply = client.send(Call::new("POST", "/v1/sign-in").body(body).header("x-forwarded-for", "203.0.113.5")).await;
    assert_eq!(reply.json()["session"]["address"], "127.0.0.1", "nobody is listed: {}", text(&reply));
}

#[tokio::test]
async fn rules_are_changed_by_a_request_and_never_lock_their_asker_out() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let server = behind_a_proxy(engine).await;
        let mut owner = Owner::set_up(&server).await;
        let shown = get(&mut owner.client, INSIDE, "/v1/policy/networks").await.json();
        assert_eq!((&shown["version"], &shown["your_address"]), (&json!(0), &json!(INSIDE)));
        let locked_out = change(&server, &mut owner, OUTSIDE, rules(&[("sign_in", "192.0.2.0/24")])).await;
        assert_eq!(locked_out.code(), "locks_you_out");
        assert_eq!(change(&server, &mut owner, INSIDE, rules(&[("sign_in", "0.0.0.0/0")])).await.code(), "invalid_field");
        let done = change(&server, &mut owner, INSIDE, rules(&[("sign_in", "192.0.2.0/24")])).await;
        assert_eq!((done.status, &done.json()["state"]), (200, &json!("executed")), "{}", text(&done));
        let action = &done.json()["action"];
        assert_eq!((&action["before"]["required"], &action["required"][0]["capability"]), (&json!([]), &json!("sign_in")), "{action}");
        let shown = get(&mut owner.client, INSIDE, "/v1/policy/networks").await.json();
        assert_eq!((&shown["version"], &shown["required"][0]["capability"]), (&json!(1), &json!("sign_in")));
        let stale = json!({ "version": 0, "trusted": [], "required": [], "address_verification": "off" });
        let asked = owner.client.send(from(INSIDE, Call::new("PUT", "/v1/policy/networks").body(stale))).await;
        let waits = asked.header("location").unwrap().to_owned();
        let proof = Call::new("POST", &format!("{waits}/proofs")).body(json!({ "totp": owner.code(&server) }));
        assert_eq!(owner.client.send(from(INSIDE, proof)).await.code(), "conflict", "rules that came in between are not overwritten");
    }
}

#[tokio::test]
async fn net_05_a_session_that_leaves_its_ranges_waits_for_a_factor_and_its_streams_end() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let mut owner = Owner::set_up(&server).await;
    let done = change(&server, &mut owner, INSIDE, rules(&[("sign_in", "192.0.2.0/24")])).await;
    assert_eq!(done.status, 200, "{}", text(&done));
    let stream = Call::new("GET", "/v1/events").header("accept", "text/event-stream");
    let mut stream = open_stream(&mut owner.client, from(INSIDE, stream)).await;
    assert_eq!(get(&mut owner.client, INSIDE, "/v1/devices").await.status, 200, "the control: inside it works");
    assert_eq!(get(&mut owner.client, OUTSIDE, "/v1/devices").await.code(), "address_left");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.expect("the stream ended").expect("it was open");
    assert_eq!(get(&mut owner.client, INSIDE, "/v1/devices").await.code(), "address_left", "it waits inside too");
    assert_eq!(get(&mut owner.client, INSIDE, "/v1/me").await.status, 200, "it still knows who it is");
    let code = owner.code(&server);
    let elevate = || Call::new("POST", "/v1/me/elevate").body(json!({ "proof": { "totp": code } }));
    let outside = owner.client.send(from(OUTSIDE, elevate())).await;
    assert_eq!(outside.code(), "network_refused", "a factor does not stand for the network");
    let lifted = owner.client.send(from(INSIDE, elevate())).await;
    assert_eq!(lifted.status, 200, "{}", text(&lifted));
    assert_eq!(get(&mut owner.client, INSIDE, "/v1/devices").await.status, 200);
}

/// Opens a stream and reads its head.
pub(crate) async fn open_stream(client: &mut Client, call: Call) -> tokio::net::TcpStream {
    let proof = client.proof(&call);
    let mut stream = client.open(&call, &proof).await;
    let mut first = [0u8; 1024];
    let read = stream.read(&mut first).await.expect("a head");
    assert!(first[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&first[..read]));
    stream
}

#[tokio::test]
async fn required_networks_hold_for_what_they_name_and_nothing_else() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let mut owner = Owner::set_up(&server).await;
    let wanted = [("guarded", "192.0.2.0/24"), ("installers", "192.0.2.0/25"), ("administration", "192.0.2.0/24")];
    let done = change(&server, &mut owner, INSIDE, rules(&wanted)).await;
    assert_eq!(done.status, 200, "{}", text(&done));
    assert_eq!(get(&mut owner.client, OUTSIDE, "/v1/devices").await.status, 200, "reading is not named");
    let ask = || Call::new("POST", "/v1/me/recovery-codes");
    assert_eq!(owner.client.send(from(OUTSIDE, ask())).await.code(), "network_refused");
    assert_eq!(owner.client.send(from(INSIDE, ask())).await.status, 202);
    assert_eq!(get(&mut owner.client, OUTSIDE, "/v1/policy/networks").await.code(), "network_refused");
    let installer = || Call::new("POST", "/v1/installers").body(json!({}));
    assert_eq!(owner.client.send(from("192.0.2.200", installer())).await.code(), "network_refused", "beyond its half");
}

#[tokio::test]
async fn a_sign_in_from_outside_of_the_required_networks_is_refused() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let mut owner = Owner::set_up(&server).await;
    change(&server, &mut owner, INSIDE, rules(&[("sign_in", "192.0.2.0/24")])).await;
    let body =
        json!({ "email": sallyport_testkit::owner::EMAIL, "password": sallyport_testkit::owner::PASSWORD, "code": owner.code(&server) });
    let refused = Client::new(&server, 2).send(from(OUTSIDE, Call::new("POST", "/v1/sign-in").body(body.clone()))).await;
    assert_eq!(refused.code(), "network_refused");
    server.clock.advance(30);
    let body =
        json!({ "email": sallyport_testkit::owner::EMAIL, "password": sallyport_testkit::owner::PASSWORD, "code": owner.code(&server) });
    let opened = Client::new(&server, 3).send(from(INSIDE, Call::new("POST", "/v1/sign-in").body(body))).await;
    assert_eq!(opened.status, 200, "{}", text(&opened));
}

#[tokio::test]
async fn net_03_the_proxy_protocol_names_the_client_and_headers_do_not() {
    const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
    let server = TestServer::configured(Engine::Sqlite, |raw| {
        raw.trusted_proxies = Some(vec![PROXY.to_string()]);
        raw.proxy_protocol = Some("v2".into());
    })
    .await;
    let owner = Owner::set_up(&server).await;
    // PROXY, TCP over IPv4, 203.0.113.5:4660 to 127.0.0.1:80; the same over IPv6 from 2001:db8::5.
    let v4: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x05\x7f\0\0\x01\x12\x34\0\x50";
    let mut v6 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    v6.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 5).octets());
    v6.extend(Ipv6Addr::LOCALHOST.octets());
    v6.extend([0x12, 0x34, 0, 0x50]);
    for (seed, header, wanted) in [(2, v4, "203.0.113.5"), (3, v6.as_slice(), "2001:db8::5")] {
        server.clock.advance(30);
        let call = Call::new("POST", "/v1/sign-in").body(credentials(&server, &owner)).header("x-forwarded-for", "10.0.0.1");
        let opened = Client::new(&server, seed).introduced(PROXY, header).send(call).await;
        assert_eq!((opened.status, &opened.json()["session"]["address"]), (200, &json!(wanted)), "{}", text(&opened));
    }
    let nonce = || Call::new("GET", "/v1/nonce");
    let silent = Client::new(&server, 4).introduced(PROXY, b"").send(nonce()).await;
    assert_eq!(silent.status, 0, "a listed proxy introduces each connection");
    let stranger = Client::new(&server, 4).introduced(Ipv4Addr::new(127, 0, 0, 3), v4).send(nonce()).await;
    assert_ne!(stranger.status, 204, "nobody else introduces anybody");
    let direct = Client::new(&server, 4).introduced(Ipv4Addr::new(127, 0, 0, 3), b"").send(nonce()).await;
    assert_eq!(direct.status, 204, "the control: whoever is not listed comes as themselves");
}

#[tokio::test]
async fn an_address_that_asks_too_much_is_slowed_and_others_are_not() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let mut client = Client::new(&server, 2);
    let first = get(&mut client, INSIDE, "/v1/nonce").await;
    assert!(first.header("ratelimit").unwrap().starts_with("\"address\";r=2999;"), "{:?}", first.header("ratelimit"));
    let refused = loop {
        let reply = get(&mut client, INSIDE, "/v1/nonce").await;
        if reply.status != 204 {
            break reply;
        }
    };
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(get(&mut client, OUTSIDE, "/v1/nonce").await.status, 204);
    server.clock.advance(1);
    assert_eq!(get(&mut client, INSIDE, "/v1/nonce").await.status, 204);
}

fn credentials(server: &TestServer, owner: &Owner) -> Value {
    json!({ "email": sallyport_testkit::owner::EMAIL, "password": sallyport_testkit::owner::PASSWORD, "code": owner.code(server) })
}

async fn sign_in(server: &TestServer, owner: &Owner, seed: u8, address: &str) -> Reply {
    server.clock.advance(30);
    Client::new(server, seed).send(from(address, Call::new("POST", "/v1/sign-in").body(credentials(server, owner)))).await
}

#[tokio::test]
async fn net_06_a_new_address_is_approved_by_a_mailed_link_and_a_press_of_a_button() {
    let mails = MailServer::start();
    let server = TestServer::configured(Engine::Sqlite, |raw| {
        raw.trusted_proxies = Some(vec!["127.0.0.1".into()]);
        raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await;
    let mut owner = Owner::set_up(&server).await;
    assert_eq!(sign_in(&server, &owner, 2, OUTSIDE).await.status, 200, "the control: nothing is verified yet");
    let mut wanted = rules(&[]);
    wanted["address_verification"] = json!("on");
    server.clock.advance(30);
    let done = change(&server, &mut owner, INSIDE, wanted).await;
    assert_eq!(done.status, 200, "{}", text(&done));
    let refused = sign_in(&server, &owner, 3, OUTSIDE).await;
    assert_eq!((refused.code().as_str(), refused.header("set-cookie")), ("address_unverified", None));
    let wrong = json!({ "email": sallyport_testkit::owner::EMAIL, "password": "not the right one at all", "code": owner.code(&server) });
    let guess = Client::new(&server, 4).send(from(OUTSIDE, Call::new("POST", "/v1/sign-in").body(wrong))).await;
    assert_eq!(guess.code(), "sign_in_refused", "only who had all of it right learns of the address");
    let mail = mails.wait_for(sallyport_testkit::owner::EMAIL, "Is this you?").await;
    assert!(mail.plain.contains(OUTSIDE), "{}", mail.plain);
    let token = mail.token("address");
    let mut anybody = Client::new(&server, 5);
    let looked = anybody.post("/v1/addresses/look", json!({ "token": token })).await;
    assert_eq!(looked.json()["address"], OUTSIDE, "{}", text(&looked));
    let listed = get(&mut owner.client, INSIDE, "/v1/me/addresses").await.json();
    assert_eq!(listed["items"], json!([]), "looking approves nothing");
    assert_eq!(anybody.post("/v1/addresses/approve", json!({ "token": token })).await.status, 204);
    assert_eq!(anybody.post("/v1/addresses/approve", json!({ "token": token })).await.status, 404, "once");
    assert_eq!(sign_in(&server, &owner, 7, OUTSIDE).await.status, 200);
    let listed = get(&mut owner.client, INSIDE, "/v1/me/addresses").await.json();
    assert_eq!(listed["items"][0]["address"], OUTSIDE, "{listed}");
    let removed = owner.client.send(from(INSIDE, Call::new("DELETE", &format!("/v1/me/addresses/{OUTSIDE}")))).await;
    assert_eq!(removed.status, 204, "{}", text(&removed));
    assert_eq!(sign_in(&server, &owner, 8, OUTSIDE).await.code(), "address_unverified");
    let me = get(&mut owner.client, INSIDE, "/v1/me").await.json()["user"].clone();
    let pause = |hours: u32| Call::new("POST", "/v1/policy/networks/pause").body(json!({ "user": me, "hours": hours }));
    assert_eq!(owner.client.send(from(INSIDE, pause(169))).await.code(), "invalid_field", "a week at most");
    assert_eq!(owner.client.send(from(INSIDE, pause(1))).await.status, 200);
    assert_eq!(sign_in(&server, &owner, 9, OUTSIDE).await.status, 200);
    server.clock.advance(3600);
    assert_eq!(sign_in(&server, &owner, 10, OUTSIDE).await.code(), "address_unverified", "the pause ended by itself");
}

#[tokio::test]
async fn without_a_mail_server_addresses_cannot_be_verified() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let mut owner = Owner::set_up(&server).await;
    let mut wanted = rules(&[]);
    wanted["address_verification"] = json!("on");
    assert_eq!(change(&server, &mut owner, INSIDE, wanted).await.code(), "mail_unavailable");
}

#[tokio::test]
async fn net_04_a_trusted_network_lets_a_technician_read_until_a_factor_is_proved() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let mut owner = Owner::set_up(&server).await;
    let technician = json!([{ "role": "technician", "scope": "tenant" }]);
    let colleague = owner.colleague(&server, 20, "tom@nordwind.example", technician).await;
    server.clock.advance(30);
    let trusted = json!({ "trusted": [{ "label": "Office", "ranges": ["192.0.2.0/24"] }], "required": [], "address_verification": "off" });
    let done = change(&server, &mut owner, INSIDE, trusted).await;
    assert_eq!(done.status, 200, "{}", text(&done));
    let alone = |email: &str, password: &str| json!({ "email": email, "password": password, "code": "" });
    let sign_in = |body: Value, address: &'static str| from(address, Call::new("POST", "/v1/sign-in").body(body));
    let toms = || alone(&colleague.email, THEIR_PASSWORD);
    let owners = || alone(sallyport_testkit::owner::EMAIL, sallyport_testkit::owner::PASSWORD);
    assert_eq!(Client::new(&server, 21).send(sign_in(owners(), INSIDE)).await.code(), "sign_in_refused", "not an owner");
    assert_eq!(Client::new(&server, 21).send(sign_in(toms(), OUTSIDE)).await.code(), "sign_in_refused", "not from elsewhere");
    let mut tom = Client::new(&server, 22);
    let opened = tom.send(sign_in(toms(), INSIDE)).await;
    assert_eq!((opened.status, &opened.json()["session"]["stage"]), (200, &json!("factorless")), "{}", text(&opened));
    assert_eq!(get(&mut tom, INSIDE, "/v1/devices").await.status, 200, "it reads");
    let acts = tom.send(from(INSIDE, Call::new("POST", "/v1/me/recovery-codes"))).await;
    assert_eq!(acts.status, 403, "{}", text(&acts));
    assert_eq!(get(&mut tom, OUTSIDE, "/v1/devices").await.code(), "address_left");
    let proof = json!({ "proof": { "totp": colleague.code(&server) } });
    let lifted = tom.send(from(OUTSIDE, Call::new("POST", "/v1/me/elevate").body(proof))).await;
    assert_eq!((lifted.status, &lifted.json()["session"]["stage"]), (200, &json!("full")), "{}", text(&lifted));
    assert_eq!(get(&mut tom, OUTSIDE, "/v1/devices").await.status, 200, "a full session is no longer bound to the network");
}

#[tokio::test]
async fn ranges_of_both_families_hold_side_by_side_as_for_redundant_lines() {
    let server = behind_a_proxy(Engine::Sqlite).await;
    let mut owner = Owner::set_up(&server).await;
    let mut wanted = rules(&[("guarded", "192.0.2.0/24")]);
    wanted["required"][0]["ranges"] = json!(["192.0.2.0/24", "2001:db8:7::/48"]);
    wanted["trusted"] = json!([{ "label": "Second line", "ranges": ["2001:db8:9::/48"] }]);
    let done = change(&server, &mut owner, INSIDE, wanted).await;
    assert_eq!(done.status, 200, "{}", text(&done));
    let mut ask = async |address: &str| owner.client.send(from(address, Call::new("POST", "/v1/me/recovery-codes"))).await.status;
    for (address, status) in
        [(INSIDE, 202), ("2001:db8:7::1", 202), ("::ffff:192.0.2.7", 202), ("2001:db8:8::1", 403), ("2001:db8:9::1", 403), (OUTSIDE, 403)]
    {
        assert_eq!(ask(address).await, status, "{address}");
    }
}
