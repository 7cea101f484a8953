use std::time::Duration;

use sallyport_model::SessionId;
use sallyport_server::accounts::until_ended;
use sallyport_server::clock::Clock;
use sallyport_testkit::client::{Call, Client, Reply, exchange};
use sallyport_testkit::owner::{Owner, begin, oathtool};
use sallyport_testkit::server::TestServer;
use sallyport_testkit::wire::Wire;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::{assert_signed_in, wrong_code};

async fn session_of(client: &mut Client) -> SessionId {
    let me = client.get("/v1/me").await.json();
    me["session"]["id"].as_str().expect("an id").parse().expect("an id")
}

fn assert_dead(reply: &Reply) {
    assert_eq!((reply.status, reply.code().as_str()), (401, "not_signed_in"));
}

#[tokio::test]
async fn ses_01_the_database_has_no_token() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let cookie = owner.client.cookie.expect("a cookie");
    assert_eq!(cookie.len(), 43, "256 bits");
    let raw = data_encoding::BASE64URL_NOPAD.decode(cookie.as_bytes()).expect("base64url");
    let kept = server.bytes_at_rest();
    for needle in [cookie.as_bytes(), &raw] {
        assert!(!kept.windows(needle.len()).any(|window| window == needle));
    }
}

#[tokio::test]
async fn a16_ses_02_an_elevation_gives_another_token_and_ends_the_old_one() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    client.cookie = Some("A".repeat(43));
    let begun = begin(&server, &mut client).await;
    let code = oathtool(begun.secret(), server.clock.now());
    assert_eq!(client.post("/v1/setup/finish", begun.finish(&code, &begun.root(server.clock.now()))).await.status, 201);
    assert_ne!(client.cookie, Some("A".repeat(43)), "a planted token is not taken over");
    assert_eq!(client.get("/v1/me/sessions").await.code(), "session_restricted", "before the codes are saved");
    let mut before = client.clone();
    assert_eq!(client.post("/v1/me/recovery-codes/saved", json!({})).await.status, 204);
    assert_ne!(client.cookie, before.cookie);
    assert_dead(&before.get("/v1/me").await);
    assert_eq!(client.get("/v1/me/sessions").await.status, 200);
}

#[tokio::test]
async fn ses_02_signing_in_again_ends_the_session_of_the_same_browser_alone() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &owner.code(&server)).await);
    let mut before = client.clone();
    server.clock.advance(30);
    assert_signed_in(&owner.sign_in(&mut client, &owner.code(&server)).await);
    assert_dead(&before.get("/v1/me").await);
    server.clock.advance(30);
    let mut thief = Client::new(&server, 66);
    thief.cookie.clone_from(&owner.client.cookie);
    assert_signed_in(&owner.sign_in(&mut thief, &owner.code(&server)).await);
    assert_eq!(owner.client.get("/v1/me").await.status, 200, "a copied cookie ends nobody's session");
}

#[tokio::test]
async fn ses_03_a_session_ends_after_an_hour_without_use() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    owner.client.get("/v1/me").await;
    server.clock.advance(3599);
    assert_eq!(owner.client.get("/v1/me").await.status, 200);
    server.clock.advance(3600);
    assert_dead(&owner.client.get("/v1/me").await);
}

#[tokio::test]
async fn ses_03_a_busy_session_ends_after_twelve_hours() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    for _ in 0..23 {
        server.clock.advance(1800);
        assert_eq!(owner.client.get("/v1/me").await.status, 200);
    }
    server.clock.advance(1800);
    assert_dead(&owner.client.get("/v1/me").await);
}

#[tokio::test]
async fn ses_04_polling_does_not_keep_a_session_alive() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    owner.client.get("/v1/me").await;
    let poll = Call::new("GET", "/v1/me").header("x-sallyport-background", "1");
    for _ in 0..5 {
        server.clock.advance(600);
        assert_eq!(owner.client.send(poll.clone()).await.status, 200);
    }
    server.clock.advance(600);
    assert_dead(&owner.client.send(poll).await);
}

#[tokio::test]
async fn ses_05_a_session_that_ended_is_dead_at_the_next_request_and_for_streams() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut other = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut other, &owner.code(&server)).await);
    let session = session_of(&mut other).await;
    let stream = tokio::spawn(until_ended(server.app.clone(), session, std::net::Ipv4Addr::LOCALHOST.into()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!stream.is_finished(), "control: it lives");
    assert_eq!(owner.client.send(Call::new("DELETE", &format!("/v1/me/sessions/{session}"))).await.status, 204);
    assert_dead(&other.get("/v1/me").await);
    tokio::time::timeout(Duration::from_secs(1), stream).await.expect("within a second").expect("no panic");
}

/// Reads what is there until the stream has said something.
async fn first_words(stream: &mut Wire) -> String {
    let mut text = String::new();
    while !text.contains(": hello") {
        let mut piece = [0u8; 1024];
        let read = stream.read(&mut piece).await.expect("the stream is open");
        assert!(read > 0, "closed after {text:?}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    text
}

#[tokio::test]
async fn ses_05_an_event_stream_ends_with_its_session() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut other = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut other, &owner.code(&server)).await);
    let mut theirs = other.follow("/v1/events").await;
    let mut ours = owner.client.follow("/v1/events").await;
    assert!(first_words(&mut theirs).await.starts_with("HTTP/1.1 200"));
    first_words(&mut ours).await;
    assert_eq!(owner.client.send(Call::new("DELETE", "/v1/me/sessions")).await.status, 204);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(1), theirs.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "within a second");
    // What was on its way before may still come; the entry of the end itself is nobody's any more.
    let log = owner.client.get("/v1/audit?kind=session.ended&limit=1").await.json();
    let end = log["items"][0]["index"].as_u64().expect("its entry");
    let told = String::from_utf8_lossy(&rest);
    let sizes = told.split("\"size\":").skip(1).filter_map(|rest| rest.split(['}', ',']).next()?.trim().parse::<u64>().ok());
    assert!(sizes.into_iter().all(|size| size <= end), "nothing of it is told: {told}");
    let mut piece = [0u8; 64];
    let still = tokio::time::timeout(Duration::from_millis(300), ours.read(&mut piece)).await;
    assert!(!matches!(still, Ok(Ok(0) | Err(_))), "control: the other stream stays");
}

#[tokio::test]
async fn ses_04_an_open_event_stream_does_not_keep_a_session_alive() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    owner.client.get("/v1/me").await;
    server.clock.advance(1800);
    let mut stream = owner.client.follow("/v1/events").await;
    first_words(&mut stream).await;
    server.clock.advance(1800);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the idle timer ends the stream too");
    assert_dead(&owner.client.get("/v1/me").await);
}

#[tokio::test]
async fn ses_05_signing_out_ends_the_session_and_takes_the_cookie() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut copy = owner.client.clone();
    let reply = owner.client.send(Call::new("POST", "/v1/sign-out")).await;
    assert_eq!(reply.status, 204);
    assert!(reply.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    assert_dead(&copy.get("/v1/me").await);
}

#[tokio::test]
async fn ses_06_sessions_are_listed_and_ended_one_by_one_or_all_others_at_once() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut others = [Client::new(&server, 2), Client::new(&server, 3), Client::new(&server, 4)];
    for other in &mut others {
        assert_signed_in(&owner.sign_in(other, &owner.code(&server)).await);
        server.clock.advance(30);
    }
    let listed = owner.client.get("/v1/me/sessions").await.json();
    let items = listed["items"].as_array().expect("a list");
    assert_eq!((items.len(), items.iter().filter(|item| item["current"] == true).count()), (4, 1));
    let [first, ..] = &mut others;
    let id = session_of(first).await;
    assert_eq!(owner.client.send(Call::new("DELETE", &format!("/v1/me/sessions/{id}"))).await.status, 204);
    assert_eq!(owner.client.send(Call::new("DELETE", &format!("/v1/me/sessions/{id}"))).await.status, 404);
    assert_dead(&first.get("/v1/me").await);
    assert_eq!(owner.client.send(Call::new("DELETE", "/v1/me/sessions")).await.status, 204);
    for other in &mut others {
        assert_dead(&other.get("/v1/me").await);
    }
    assert_eq!(owner.client.get("/v1/me").await.status, 200);
}

#[tokio::test]
async fn a09_ses_07_a_copied_cookie_is_worth_nothing_in_another_browser() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut thief = Client::new(&server, 66);
    thief.cookie.clone_from(&owner.client.cookie);
    assert_eq!(thief.get("/v1/me").await.code(), "proof_refused");
    assert_eq!(thief.send_with(&Call::new("GET", "/v1/me"), None).await.code(), "proof_refused", "without any proof");
    assert_eq!(owner.client.clone().get("/v1/me").await.status, 200, "control");
}

#[tokio::test]
async fn ses_07_the_cookie_s_attributes() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let reply = owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await;
    let cookie = reply.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-sallyport="));
    for attribute in ["; Path=/;", "; HttpOnly;", "; Secure;", "; SameSite=Strict"] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    assert!(!cookie.contains("Domain"));
}

#[tokio::test]
async fn ses_08_other_sites_and_other_methods_change_nothing() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let sign_out = Call::new("POST", "/v1/sign-out");
    for (name, value) in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")]
    {
        assert_eq!(owner.client.send(sign_out.clone().header(name, value)).await.code(), "origin_refused", "{name}: {value}");
    }
    for path in ["/v1/sign-out", "/v1/sign-in", "/v1/setup/start", "/v1/setup/finish", "/v1/me/recovery-codes/saved"] {
        assert_eq!(owner.client.get(path).await.status, 405, "{path}");
        assert_eq!(owner.client.send(Call::new("HEAD", path)).await.status, 405, "{path}");
    }
    let id = session_of(&mut owner.client).await;
    assert_eq!(owner.client.get(&format!("/v1/me/sessions/{id}")).await.status, 405);
    assert_eq!(owner.client.get("/v1/me").await.status, 200, "nothing happened to the session");
    let own = Call::new("POST", "/v1/sign-out").header("origin", "http://localhost:8800").header("sec-fetch-site", "same-origin");
    assert_eq!(owner.client.send(own).await.status, 204, "control");
}

#[tokio::test]
async fn ses_08_a_form_of_another_page_is_no_request() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let cookie = owner.client.cookie.as_deref().expect("a cookie");
    let form = format!(
        "POST /v1/me/recovery-codes/saved HTTP/1.1\r\nhost: localhost:8800\r\ncookie: __Host-sallyport={cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 3\r\nconnection: close\r\n\r\na=b"
    );
    assert_eq!(exchange(server.address, form.as_bytes()).await.code(), "proof_refused");
}

#[tokio::test]
async fn step_03_using_a_session_does_not_renew_its_authentication_and_proving_a_factor_does() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &owner.code(&server)).await);
    let begun = client.get("/v1/me").await.json();
    assert_eq!((&begun["acr"], &begun["amr"]), (&json!("urn:sallyport:acr:mfa"), &json!(["pwd", "otp", "mfa"])));
    server.clock.advance(600);
    assert_eq!(client.get("/v1/devices").await.status, 200, "used");
    let used = client.get("/v1/me").await.json();
    assert_eq!(used["auth_time"], begun["auth_time"]);
    assert_ne!(used["session"]["last_active"], begun["session"]["last_active"]);
    assert!(used["step_up_until"].is_null(), "nor does it open the window again");
    let code = owner.code(&server);
    assert_eq!(client.post("/v1/me/elevate", json!({ "proof": { "totp": code } })).await.status, 200);
    let proved = client.get("/v1/me").await.json();
    assert_ne!(proved["auth_time"], begun["auth_time"]);
    assert!(proved["step_up_until"].is_string());
    assert_eq!(owner.client.get("/v1/me").await.json()["step_up_until"], serde_json::Value::Null, "another session's window stays shut");
}

#[tokio::test]
async fn step_04_a_session_says_how_and_when_its_person_proved_themselves() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let says = |me: &serde_json::Value| (me["acr"].clone(), me["amr"].clone(), me["auth_time"].clone());
    let at = || json!(server.clock.now());
    let mut client = Client::new(&server, 2);
    let told = owner.sign_in(&mut client, &owner.code(&server)).await.json();
    assert_eq!(says(&told), (json!("urn:sallyport:acr:mfa"), json!(["pwd", "otp", "mfa"]), at()));
    let mut recovered = Client::new(&server, 3);
    server.clock.advance(30);
    let told = owner.sign_in(&mut recovered, &owner.recovery_codes[0]).await.json();
    assert_eq!(says(&told), (json!("urn:sallyport:acr:pwd"), json!(["pwd", "otp"]), at()), "two secrets, and not two factors");
    let asked = recovered.post("/v1/me/elevate", json!({ "proof": { "totp": owner.code(&server) } })).await;
    assert_eq!(asked.code(), "session_restricted", "what is too weak is not raised by asking again");
    crate::posture::run(&server, "UPDATE tenants SET factorless = 1, mfa_who = 'roles'", &[]).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let user: sallyport_model::UserId = tara.id.parse().expect("an id");
    crate::posture::run(&server, "DELETE FROM factors WHERE user_id = $1", sallyport_store::values![user]).await;
    let mut reading = Client::new(&server, 8);
    let body = json!({ "email": tara.email, "password": sallyport_testkit::people::THEIR_PASSWORD, "code": "" });
    let told = reading.post("/v1/sign-in", body).await.json();
    assert_eq!(says(&told), (json!("urn:sallyport:acr:pwd"), json!(["pwd"]), at()));
    // Nobody says it of themselves: what a request claims about its session is read nowhere.
    let claimed = Call::new("GET", "/v1/me").header("x-acr", "urn:sallyport:acr:phr-hw").header("x-amr", "hwk mfa");
    assert_eq!(says(&reading.send(claimed).await.json()), says(&told));
}

#[tokio::test]
async fn wa_14_no_other_origins_are_named_for_passkeys() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    let reply = client.get("/.well-known/webauthn").await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"), "neither a list nor the console's page");
}

/// The same browser, with the same key and the cookie of the session that it had: what it remembers replaces no factor.
#[tokio::test]
async fn ses_09_a_browser_that_signed_in_before_is_asked_for_a_factor_again() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &owner.code(&server)).await);
    let kept = client.cookie.clone();
    server.clock.advance(61 * 60);
    assert_dead(&client.get("/v1/me").await);
    for code in [String::new(), wrong_code(&owner.code(&server))] {
        client.cookie.clone_from(&kept);
        let reply = owner.sign_in(&mut client, &code).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "sign_in_refused"), "{code:?}");
        assert_dead(&client.get("/v1/me").await);
    }
    let elevate = json!({ "proof": { "totp": owner.code(&server) } });
    client.cookie.clone_from(&kept);
    assert_dead(&client.post("/v1/me/elevate", elevate).await);
    assert_signed_in(&owner.sign_in(&mut client, &owner.code(&server)).await);
    let document = client.get("/v1/openapi.json").await.json();
    let properties = document["components"]["schemas"]["SignIn"]["properties"].as_object().expect("properties").clone();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["code", "email", "password"], "nothing asks to be remembered");
}
