//! The only owner has lost every factor and every code: the password and the authority kit lead back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sallyport_grant::{Envelope, PayloadType, SignatureKind, SigningKey};
use sallyport_model::limits;
use sallyport_server::clock::Clock as _;
use sallyport_server::config::RawMail;
use sallyport_testkit::agent::program;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, oathtool, sign_in};
use sallyport_testkit::people::{THEIR_PASSWORD, done};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, assert_signed_in, notices_begin};

on_both!(
    rec_09_the_only_owner_gets_back_in_to_enrol_a_factor_and_nothing_else,
    a12_where_another_owner_could_help_the_kit_opens_nothing_and_its_person_is_told,
);

/// What a page or a program signs, before anybody bends it.
async fn asked(owner: &mut Owner, client: &mut Client) -> Value {
    let tenant = owner.client.get("/v1/me").await.json()["tenant"].clone();
    let challenge = client.post("/v1/sign-in/kit/start", json!({})).await;
    assert_eq!(challenge.status, 200, "{}", challenge.json());
    let said = challenge.json();
    json!({
        "type": "sallyport.recovery/1", "tenant": tenant, "email": EMAIL, "server": said["server"], "key": said["key"],
        "challenge": said["challenge"],
    })
}

fn signed(body: &Value, as_type: PayloadType, key: &SigningKey) -> Envelope {
    Envelope::signed(as_type, body.to_string().into_bytes(), SignatureKind::NativeEd25519, key)
}

fn sent(email: &str, password: &str, envelope: &Envelope) -> Value {
    let statement = String::from_utf8(envelope.to_bytes()).expect("JSON");
    json!({ "email": email, "password": password, "statement": statement })
}

async fn finish(client: &mut Client, body: Value) -> Reply {
    client.post("/v1/sign-in/kit/finish", body).await
}

/// All of it right, in this browser.
async fn recover(owner: &mut Owner, client: &mut Client) -> Reply {
    let body = asked(owner, client).await;
    let envelope = signed(&body, PayloadType::Recovery, &owner.authority);
    finish(client, sent(EMAIL, PASSWORD, &envelope)).await
}

/// Enrols another authenticator in a restricted session; gives its secret and the answer.
async fn enrol(server: &TestServer, client: &mut Client) -> (String, Reply) {
    let draft = client.post("/v1/me/totp/start", json!({})).await;
    assert_eq!(draft.status, 200, "{}", draft.json());
    let secret = draft.json()["totp"]["secret"].as_str().expect("a secret").to_owned();
    let code = oathtool(&secret, server.clock.now());
    let reply = client.post("/v1/me/totp/finish", json!({ "draft": draft.json()["draft"], "name": "New phone", "code": code })).await;
    (secret, reply)
}

async fn with_mail(engine: Engine) -> (MailServer, TestServer, Owner) {
    let mails = MailServer::start();
    let server = TestServer::configured(engine, |raw| {
        raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) });
    })
    .await;
    let owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    (mails, server, owner)
}

async fn factors(client: &mut Client) -> usize {
    client.get("/v1/me/factors").await.json()["items"].as_array().map_or(0, Vec::len)
}

async fn rec_09_the_only_owner_gets_back_in_to_enrol_a_factor_and_nothing_else(engine: Engine) {
    let (mails, server, mut owner) = with_mail(engine).await;
    let mut client = Client::new(&server, 2);
    let reply = recover(&mut owner, &mut client).await;
    assert_signed_in(&reply);
    let me = reply.json();
    assert_eq!((&me["session"]["stage"], &me["session"]["method"]), (&json!("restricted"), &json!("authority_kit")), "{me}");
    assert_eq!(me["acr"], "urn:sallyport:acr:pwd", "no factor was proved");
    for path in ["/v1/devices", "/v1/me/sessions", "/v1/audit", "/v1/users", "/v1/authorization-requests"] {
        assert_eq!(client.get(path).await.code(), "session_restricted", "{path}");
    }
    for path in ["/v1/jobs", "/v1/installers", "/v1/me/recovery-codes", "/v1/remote-sessions", "/v1/me/elevate"] {
        assert_eq!(client.post(path, json!({})).await.code(), "session_restricted", "{path}");
    }
    assert_eq!(factors(&mut client).await, 1, "the lost one stays: a recovery takes nothing away");
    let (secret, added) = enrol(&server, &mut client).await;
    assert_eq!((added.status, added.body.len()), (204, 0), "codes come by a guarded action, once the factor counts");
    server.clock.advance(30);
    let mut again = Client::new(&server, 3);
    let code = |server: &TestServer| oathtool(&secret, server.clock.now());
    assert_signed_in(&sign_in(&mut again, EMAIL, PASSWORD, &code(&server)).await);
    let codes = || Call::new("POST", "/v1/me/recovery-codes");
    server.clock.advance(30);
    assert_eq!(done(&mut again, codes(), &code(&server)).await.code(), "factor_too_new");
    server.clock.advance(limits::NEW_FACTOR_SECS);
    assert_signed_in(&sign_in(&mut again, EMAIL, PASSWORD, &code(&server)).await);
    server.clock.advance(30);
    assert_eq!(done(&mut again, codes(), &code(&server)).await.status, 200, "the control, a day later");
    let logged = again.get("/v1/audit?kind=authority_kit.used").await.json();
    assert_eq!(logged["items"].as_array().map(Vec::len), Some(1), "{logged}");
    let notice = mails.wait_for(EMAIL, "recovered with the authority kit").await;
    assert!(notice.plain.contains("24 hours") && notice.plain.contains("/not-me#"), "{}", notice.plain);
}

#[tokio::test]
async fn rec_06_each_part_alone_opens_nothing_and_no_answer_tells_which_was_wrong() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let other = SigningKey::from_bytes(&[43; 32]);
    let mut essences = Vec::new();
    for (email, password, key) in [
        (EMAIL, "something else entirely, sorry", owner.authority.clone()),
        (EMAIL, PASSWORD, other.clone()),
        ("nobody@nordwind.example", PASSWORD, owner.authority.clone()),
        ("nobody@nordwind.example", "something else entirely, sorry", other),
    ] {
        let mut client = Client::new(&server, 2);
        let mut body = asked(&mut owner, &mut client).await;
        body["email"] = json!(email);
        let before = server.app.accounts.hash_count();
        let reply = finish(&mut client, sent(email, password, &signed(&body, PayloadType::Recovery, &key))).await;
        assert_refused(&reply);
        assert_eq!(server.app.accounts.hash_count() - before, 1, "equal work: {email} {password}");
        essences.push(reply.essence());
    }
    assert!(essences.windows(2).all(|two| two[0] == two[1]), "{essences:?}");
    let mut client = Client::new(&server, 2);
    assert_eq!(finish(&mut client, json!({ "email": EMAIL, "password": PASSWORD, "statement": "" })).await.code(), "kit_refused");
    assert_eq!(finish(&mut client, json!({ "email": EMAIL, "password": PASSWORD })).await.status, 400);
    assert_signed_in(&recover(&mut owner, &mut client).await);
}

#[tokio::test]
async fn rec_06_a_statement_is_for_one_account_one_server_one_browser_and_once() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    for (field, value) in [
        ("email", json!("admin@nordwind.example")),
        ("server", json!("http://localhost:8801")),
        ("key", json!("11".repeat(32))),
        ("tenant", json!("ten_01k7zzzzzzzzzzzzzzzzzzzzzz")),
    ] {
        let mut client = Client::new(&server, 2);
        let mut body = asked(&mut owner, &mut client).await;
        body[field] = value;
        let envelope = signed(&body, PayloadType::Recovery, &owner.authority);
        assert_refused(&finish(&mut client, sent(EMAIL, PASSWORD, &envelope)).await);
    }
    let mut client = Client::new(&server, 2);
    let body = asked(&mut owner, &mut client).await;
    let good = sent(EMAIL, PASSWORD, &signed(&body, PayloadType::Recovery, &owner.authority));
    let copied = finish(&mut Client::new(&server, 3), good.clone()).await;
    assert_eq!(copied.code(), "kit_refused", "another browser has another key");
    assert_signed_in(&finish(&mut client, good.clone()).await);
    assert_eq!(finish(&mut client, good).await.code(), "kit_refused", "once");
    let body = asked(&mut owner, &mut client).await;
    server.clock.advance(limits::CEREMONY_SECS);
    let late = sent(EMAIL, PASSWORD, &signed(&body, PayloadType::Recovery, &owner.authority));
    assert_eq!(finish(&mut client, late).await.code(), "kit_refused", "for five minutes");
    let passkeys = client.post("/v1/sign-in/passkey/start", json!({})).await.json();
    let mut body = asked(&mut owner, &mut client).await;
    body["challenge"] = passkeys["ceremony"].clone();
    let elsewhere = sent(EMAIL, PASSWORD, &signed(&body, PayloadType::Recovery, &owner.authority));
    assert_eq!(finish(&mut client, elsewhere).await.code(), "kit_refused", "a passkey's challenge is none of a kit's");
}

#[tokio::test]
async fn a17_what_the_authority_signed_as_anything_else_recovers_nobody() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    for other in [PayloadType::Root, PayloadType::Grant, PayloadType::Enrolment, PayloadType::Receipt, PayloadType::Answer] {
        let mut client = Client::new(&server, 2);
        let body = asked(&mut owner, &mut client).await;
        let envelope = signed(&body, other, &owner.authority);
        assert_eq!(finish(&mut client, sent(EMAIL, PASSWORD, &envelope)).await.code(), "kit_refused", "{other:?}");
        // The signature alone, moved under the right name.
        let body = asked(&mut owner, &mut client).await;
        let signature = signed(&body, other, &owner.authority).signatures()[0].clone();
        let moved = Envelope::unsigned(PayloadType::Recovery, body.to_string().into_bytes()).and_signature(signature);
        assert_refused(&finish(&mut client, sent(EMAIL, PASSWORD, &moved)).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rec_03_a_statement_that_is_sent_many_times_at_once_opens_one_session() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    let body = asked(&mut owner, &mut client).await;
    let good = sent(EMAIL, PASSWORD, &signed(&body, PayloadType::Recovery, &owner.authority));
    let tries = (0..20).map(|_| {
        let (mut client, good) = (client.clone(), good.clone());
        tokio::spawn(async move { finish(&mut client, good).await.status })
    });
    let mut opened = 0;
    for attempt in tries.collect::<Vec<_>>() {
        opened += usize::from(attempt.await.expect("an answer") == 200);
    }
    assert_eq!(opened, 1);
}

#[tokio::test]
async fn rec_04_recovery_by_the_kit_waits_as_the_password_does_and_dies_with_the_account() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let wrong = SigningKey::from_bytes(&[43; 32]);
    let guess = async |owner: &mut Owner, key: &SigningKey| {
        let mut client = Client::new(&server, 9);
        let body = asked(owner, &mut client).await;
        finish(&mut client, sent(EMAIL, PASSWORD, &signed(&body, PayloadType::Recovery, key))).await
    };
    let right = owner.authority.clone();
    for _ in 0..limits::PASSWORD_FAILURES {
        assert_refused(&guess(&mut owner, &wrong).await);
    }
    assert_refused(&guess(&mut owner, &right).await);
    server.clock.advance(30);
    assert_signed_in(&guess(&mut owner, &right).await);
    let mut client = Client::new(&server, 2);
    assert_signed_in(&recover(&mut owner, &mut client).await);
    assert_eq!(owner.client.post("/v1/me/not-me", json!({})).await.status, 200);
    assert_eq!(client.post("/v1/me/totp/start", json!({})).await.code(), "not_signed_in", "\"not me\" ends it");
}

#[tokio::test]
async fn a11_the_kit_opens_what_a_stolen_password_locked_and_takes_no_factor_away() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut thief = Client::new(&server, 9);
    for _ in 0..limits::FACTOR_FAILURES {
        assert_refused(&owner.sign_in(&mut thief, &super::wrong_code(&owner.code(&server))).await);
    }
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
    let mut client = Client::new(&server, 3);
    assert_signed_in(&recover(&mut owner, &mut client).await);
    assert_eq!(factors(&mut client).await, 1);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
}

async fn a12_where_another_owner_could_help_the_kit_opens_nothing_and_its_person_is_told(engine: Engine) {
    let (mails, server, mut owner) = with_mail(engine).await;
    let invited = owner.invites(&server, "olga@nordwind.example", json!([{ "role": "owner", "scope": "tenant" }]), Value::Null).await;
    assert_eq!(invited.status, 200, "{}", invited.json());
    assert_signed_in(&recover(&mut owner, &mut Client::new(&server, 2)).await);
    let token = mails.wait_for("olga@nordwind.example", "invites you").await.token("invitation");
    let olga = sallyport_testkit::people::activate(&server, Client::new(&server, 8), &token, THEIR_PASSWORD).await;
    let refused = recover(&mut owner, &mut Client::new(&server, 3)).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "not_the_only_owner"), "{}", refused.json());
    assert_eq!(refused.header("set-cookie"), None);
    let mut client = Client::new(&server, 4);
    let body = asked(&mut owner, &mut client).await;
    let envelope = signed(&body, PayloadType::Recovery, &owner.authority);
    assert_refused(&finish(&mut client, sent(EMAIL, "something else entirely, sorry", &envelope)).await);
    let notice = mails.wait_for(EMAIL, "The authority kit was used").await;
    assert!(notice.plain.contains("another owner"), "{}", notice.plain);
    let logged = owner.client.get("/v1/audit?kind=authority_kit.refused").await.json();
    assert_eq!(logged["items"].as_array().map(Vec::len), Some(1), "{logged}");
    let disable = Call::new("POST", "/v1/users/disable").body(json!({ "users": [olga.id] }));
    assert_eq!(owner.does(&server, disable).await.status, 200);
    assert_signed_in(&recover(&mut owner, &mut Client::new(&server, 5)).await);
}

#[tokio::test]
async fn a12_the_kit_is_for_owners_and_lets_nobody_else_in() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let adam = owner.colleague(&server, 7, "adam@nordwind.example", json!([{ "role": "admin", "scope": "tenant" }])).await;
    let mut client = Client::new(&server, 2);
    let mut body = asked(&mut owner, &mut client).await;
    body["email"] = json!(adam.email);
    let envelope = signed(&body, PayloadType::Recovery, &owner.authority);
    let refused = finish(&mut client, sent(&adam.email, THEIR_PASSWORD, &envelope)).await;
    assert_eq!(refused.code(), "not_the_only_owner", "{}", refused.json());
}

/// RFC 8410's frame around a seed, as browsers export it.
fn kit_file(server: &TestServer, tenant: &Value, authority: &SigningKey) -> String {
    let frame = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let pkcs8 = STANDARD.encode([frame.as_slice(), authority.as_bytes()].concat());
    let origin = server.app.config.origin();
    json!({ "type": "sallyport.authority-kit/1", "tenant": tenant, "server": origin, "private_key_pkcs8": pkcs8 }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn rec_09_the_command_line_recovers_by_the_kit_and_keeps_no_session() {
    let server = TestServer::live_on(Engine::Sqlite, TestClock::system()).await;
    let mut owner = Owner::set_up(&server).await;
    let tenant = owner.client.get("/v1/me").await.json()["tenant"].clone();
    let folder = tempfile::tempdir().expect("a folder");
    let (kit, session) = (folder.path().join("kit.json"), folder.path().join("session.json"));
    std::fs::write(&kit, kit_file(&server, &tenant, &owner.authority)).expect("a file");
    let mut command = Command::new(program("sallyport"));
    command.args(["recover", "--stdin", "--email", EMAIL, "--kit"]).arg(&kit).arg("--session").arg(&session);
    command.env_remove("SALLYPORT_URL").stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut typed = child.stdin.take().expect("an input");
    writeln!(typed, "{PASSWORD}").expect("it reads");
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().expect("an output")).lines();
    let secret = loop {
        let line = lines.next().unwrap_or_else(|| panic!("no key: {said}")).expect("text");
        let word = line.trim();
        if word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
            break word.to_owned();
        }
        said.push_str(&line);
    };
    writeln!(typed, "{}", oathtool(&secret, server.clock.now())).expect("it reads");
    drop(typed);
    let rest: String = lines.map_while(Result::ok).collect();
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{said}{rest}");
    assert!(!session.exists(), "nothing is kept");
    let sessions = owner.client.get("/v1/me/sessions").await.json();
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(1), "the restricted one ended: {sessions}");
    assert_eq!(factors(&mut owner.client).await, 2);
}
