//! The password alone at the doors of enrolment: every route that adds a factor, issues codes, opens a session or makes more of one.

use sallyport_model::UserId;
use sallyport_server::clock::Clock as _;
use sallyport_store::values;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, oathtool, sign_in};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

use crate::posture::run;
use crate::survival::routes::{Route, routes};

on_both!(
    a15_rec_06_the_password_alone_enrols_nothing_at_any_door,
    a15_rec_06_a_session_that_a_password_alone_opened_enrols_nothing_and_becomes_no_other,
);

/// What leads into an account, by what it leaves in the audit log.
const LEADS_TO: [&str; 11] = [
    "device_code.approved",
    "factor.added",
    "factor.checked",
    "password.changed",
    "program.approved",
    "recovery_code.issued",
    "recovery_codes.regenerated",
    "recovery_codes.saved",
    "session.elevated",
    "session.opened",
    "user.activated",
];

/// Steps on that way that leave nothing there.
const STEPS: [&str; 4] = ["/v1/invitations/start", "/v1/me/challenges", "/v1/me/passkeys/start", "/v1/me/totp/start"];

fn doors() -> Vec<Route> {
    let table = sallyport_server::routes::print();
    let leading: Vec<&str> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| STEPS.contains(&words[1]) || words[4..].iter().any(|kind| LEADS_TO.contains(kind)))
        .map(|words| words[1])
        .collect();
    let found: Vec<Route> = routes().into_iter().filter(|route| route.method == "POST" && leading.contains(&route.path.as_str())).collect();
    assert!(found.len() > 15, "the table is read");
    found
}

/// Everything that a thief of a password could say at a door: what the door asks for, with the password wherever a text is wanted.
fn tries(door: &Route, email: &str, password: &str) -> Vec<Call> {
    let Some(plain) = door.call().body else { return vec![door.call(), door.bare().body(json!({}))] };
    let mut calls = vec![door.bare().body(plain.clone())];
    for (name, value) in plain.as_object().into_iter().flatten() {
        let mut with = plain.clone();
        with[name] = match name.as_str() {
            "proof" => json!({ "totp": "000000" }),
            "email" => json!(email),
            _ if value.is_string() => json!(password),
            _ => continue,
        };
        calls.push(door.bare().body(with));
    }
    let mut all = plain;
    for (name, value) in [("email", email), ("password", password), ("current", password)] {
        if all.get(name).is_some() {
            all[name] = json!(value);
        }
    }
    calls.push(door.bare().body(all));
    calls
}

/// How many factors, recovery codes, drafts and live sessions an account has, and when its password was chosen.
async fn has(server: &TestServer, user: UserId) -> Vec<i64> {
    let sql = "SELECT (SELECT COUNT(*) FROM factors WHERE user_id = $1) AS factors, \
               (SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1) AS codes, \
               (SELECT COUNT(*) FROM activation_drafts WHERE user_id = $1) AS drafts, \
               (SELECT COUNT(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL) AS sessions, \
               (SELECT changed FROM passwords WHERE user_id = $1) AS changed";
    let mut reader = server.app.store.read().await.expect("a reader");
    let row = reader.fetch_one(sql, values![user]).await.expect("a row");
    ["factors", "codes", "drafts", "sessions", "changed"].map(|column| row.int(column).expect("a number")).to_vec()
}

async fn me(client: &mut Client) -> UserId {
    client.get("/v1/me").await.json()["user"].as_str().expect("an id").parse().expect("an id")
}

/// Everything at every door; each answer is a refusal, and the browser has the cookie that it had.
async fn knock(thief: &mut Client, email: &str, password: &str, opens: impl Fn(&Route, &Reply) -> bool) -> usize {
    let cookie = thief.cookie.clone();
    let mut tried = 0;
    for door in doors() {
        for call in tries(&door, email, password) {
            let said = call.body.clone();
            let reply = thief.send(call).await;
            assert!((400..500).contains(&reply.status) || opens(&door, &reply), "{door} with {said:?}: {} {}", reply.status, reply.json());
            thief.cookie.clone_from(&cookie);
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
    tried
}

async fn a15_rec_06_the_password_alone_enrols_nothing_at_any_door(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let user = me(&mut owner.client).await;
    let (before, log) = (has(&server, user).await, owner.client.get("/v1/audit?limit=1").await.json());
    let mut thief = Client::new(&server, 9);
    let alone = sign_in(&mut thief, EMAIL, PASSWORD, "").await;
    assert_eq!((alone.status, alone.code().as_str(), thief.cookie.is_some()), (401, "sign_in_refused", false));
    knock(&mut thief, EMAIL, PASSWORD, |_, _| false).await;
    assert_eq!(has(&server, user).await, before);
    let told = owner.client.get("/v1/audit?limit=1000").await.json();
    let since = told["items"].as_array().into_iter().flatten().take_while(|entry| entry["index"] != log["items"][0]["index"]);
    let kinds: Vec<&str> = since.filter_map(|entry| entry["kind"].as_str()).collect();
    assert!(kinds.iter().all(|kind| *kind == "sign_in.failed"), "{kinds:?}");
    server.clock.advance(30);
    let code = owner.code(&server);
    assert_eq!(owner.sign_in(&mut thief, &code).await.status, 200, "the control: with a code it opens");
}

async fn a15_rec_06_a_session_that_a_password_alone_opened_enrols_nothing_and_becomes_no_other(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "by_call" }));
    let result = owner.does(&server, reset).await.json()["result"].clone();
    run(&server, "UPDATE tenants SET factorless = 1, mfa_who = 'admins'", &[]).await;
    let mut thief = Client::new(&server, 9);
    assert_eq!(sign_in(&mut thief, &tara.email, THEIR_PASSWORD, "").await.status, 200);
    let user = me(&mut thief).await;
    let before = has(&server, user).await;
    // To sign in once more gives another such session, and no better one.
    let sessions = std::cell::Cell::new(0);
    let again = |door: &Route, reply: &Reply| {
        let reads = door.path == "/v1/sign-in" && reply.json()["session"]["stage"] == "factorless";
        sessions.set(sessions.get() + i64::from(reads));
        reads
    };
    knock(&mut thief, &tara.email, THEIR_PASSWORD, again).await;
    let mut after = has(&server, user).await;
    after[3] -= sessions.get();
    assert_eq!(after, before);
    assert_eq!(thief.get("/v1/me").await.json()["session"]["stage"], "factorless");
    // Who has the link too has a factor.
    let token = result["link"].as_str().expect("a link").split_once('#').expect("behind #").1.to_owned();
    let mut own = Client::new(&server, 10);
    let start = own.post("/v1/invitations/start", json!({ "token": token, "password": THEIR_PASSWORD })).await.json();
    let code = oathtool(start["totp"]["secret"].as_str().expect("a secret"), server.clock.now());
    let finish = own.post("/v1/invitations/finish", json!({ "token": token, "draft": start["draft"], "code": code })).await;
    assert_eq!(finish.status, 201, "the control: {}", finish.json());
    assert_eq!(thief.get("/v1/me").await.status, 401, "what a password alone had opened is over");
    assert_eq!(own.get("/v1/me").await.status, 200);
}
