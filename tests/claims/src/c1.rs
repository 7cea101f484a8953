//! C1: a password alone opens nothing. On an installation of its own, since wrong codes lock factors.

mod doors;

use std::time::Instant;

use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::installation::Installation;
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::owner::{EMAIL, PASSWORD, sign_in, start_body};
use serde_json::{Value, json};

use crate::report::{Attack, Outcome, code_of};

/// Sign-ins at the same moment with the same code.
const RACERS: u8 = 50;

/// The attacks, and how many users a password alone lets read by the tenant's policy.
pub(crate) async fn attack() -> (Vec<Attack>, u64) {
    let mail = MailServer::start();
    let settings = [("SALLYPORT_MAIL_SMTP", mail.url()), ("SALLYPORT_MAIL_FROM", "Sallyport <rmm@nordwind.example>".to_owned())];
    let mut installation = Installation::configured(&settings.each_ref().map(|(name, value)| (*name, value.as_str())));
    let token = installation.setup_token();
    let mut operator = Operator::set_up(&installation).await;
    let setup = setup_again(&mut installation, &token).await;
    let session = no_session(&installation).await.control(operator.owner.client.get("/v1/devices").await.status == 200);
    let (factor, hint) = (no_factor(&installation).await, no_hint(&installation).await);
    let (opened, replay) = replay(&installation, &mut operator).await;
    let race = race(&installation, &mut operator).await;
    let doors = doors::attack(&installation, &mail, &mut operator).await;
    let outside = outside(&mut operator).await;
    // The twin of every half is both halves together.
    (vec![setup, session, factor.control(opened), hint.control(opened), replay, race, doors], outside)
}

/// Those whom posture names: the policy of this tenant opens a session that reads for them.
async fn outside(operator: &mut Operator) -> u64 {
    let posture = operator.owner.client.get("/v1/posture").await.json();
    let rule = posture["rules"].as_array().into_iter().flatten().find(|rule| rule["id"] == "P-02");
    let findings = rule.expect("the rule about sign-in without a factor")["findings"].as_array().cloned().unwrap_or_default();
    findings.iter().filter_map(|finding| finding["subjects"].as_array()).map(|subjects| subjects.len() as u64).sum()
}

/// Every route that wants a session, as (method, path).
pub(crate) fn session_routes() -> Vec<(String, String)> {
    let table = sallyport_server::routes::print();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let wanted = rows.filter(|words| words[1].starts_with("/v1/") && words[2] != "public");
    wanted.map(|words| (words[0].to_owned(), words[1].replace("{id}", SOME_ID).replace("{index}", "0"))).collect()
}

/// An id in the right shape of nothing.
const SOME_ID: &str = "dev_00000000000000000000000000";

/// A call that would be well-formed if it were allowed.
pub(crate) fn call(method: &str, path: &str) -> Call {
    let call = Call::new(method, path);
    if method == "POST" || method == "PUT" { call.body(json!({})) } else { call }
}

async fn setup_again(installation: &mut Installation, token: &str) -> Attack {
    let mut attack = Attack::new("A34", "the set-up again: odd paths, other methods, after a restart");
    let mut browser = installation.browser(40);
    for path in [
        "/v1/setup/start",
        "//v1/setup/start",
        "/v1//setup/start",
        "/v1/setup//start",
        "/v1/setup/start/",
        "/v1/./setup/start",
        "/v1/x/../setup/start",
        "/v1/setup%2fstart",
        "/v1%2Fsetup%2Fstart",
        "/%76%31/setup/start",
        "/V1/SETUP/START",
        "/v1/setup;a=b/start",
        "/setup/start",
        "//setup",
        "/setup%2f",
        "/v1/setup/start?token=x",
        "/v1/setup/start%00",
        "/v1/setup/finish",
        "/v1/setup",
    ] {
        for method in ["POST", "PUT", "PATCH", "GET", "DELETE"] {
            let begun = Instant::now();
            let call = Call::new(method, path).header("x-http-method-override", "POST").header("x-original-url", "/v1/setup/start");
            let call = if method == "GET" { call } else { call.body(start_body(token)) };
            let reply = browser.send(call).await;
            attack.tried(&format!("{method} {path}"), Outcome::unless(!begins_setup(&reply.json()), code_of(&reply)), begun);
        }
    }
    let begun = Instant::now();
    let link = installation.folder().join("link");
    std::fs::remove_file(&link).expect("the link was written once");
    installation.kill();
    installation.start();
    let reply = installation.browser(41).post("/v1/setup/start", start_body(token)).await;
    attack.tried("after a restart", Outcome::unless(!begins_setup(&reply.json()) && !link.exists(), code_of(&reply)), begun);
    // The control is the set-up itself: with this very token it made the owner.
    let state = installation.browser(42).get("/v1/setup").await;
    attack.control(state.json() == json!({ "open": false }))
}

fn begins_setup(body: &Value) -> bool {
    ["draft", "totp", "recovery_codes", "server_keys"].iter().any(|key| body.get(*key).is_some()) || body["open"] == true
}

async fn no_session(installation: &Installation) -> Attack {
    let mut attack = Attack::new("A14", "every route that wants a session, without one");
    let mut stranger = installation.browser(43);
    for (method, path) in session_routes() {
        let begun = Instant::now();
        let reply = stranger.send(call(&method, &path)).await;
        attack.tried(&format!("{method} {path} with a proof of a key"), Outcome::of(&reply), begun);
        let begun = Instant::now();
        let reply = stranger.send_with(&call(&method, &path), None).await;
        attack.tried(&format!("{method} {path} with nothing"), Outcome::of(&reply), begun);
        stranger.cookie = Some("A".repeat(43));
        let begun = Instant::now();
        let reply = stranger.send(call(&method, &path)).await;
        attack.tried(&format!("{method} {path} with a guessed cookie"), Outcome::of(&reply), begun);
        stranger.cookie = None;
    }
    attack
}

async fn no_factor(installation: &Installation) -> Attack {
    let mut attack = Attack::new("A36", "the right password without a code, or with what is none");
    let mut thief = installation.browser(44);
    let bodies = [
        json!({ "email": EMAIL, "password": PASSWORD }),
        json!({ "email": EMAIL, "password": PASSWORD, "code": "" }),
        json!({ "email": EMAIL, "password": PASSWORD, "code": null }),
        json!({ "email": EMAIL, "password": PASSWORD, "code": [] }),
        json!({ "email": EMAIL, "password": PASSWORD, "code": true }),
        json!({ "email": EMAIL, "password": PASSWORD, "code": "      " }),
        json!({ "email": EMAIL, "password": PASSWORD, "code": "123456", "method": "password" }),
        json!({ "email": EMAIL, "password": PASSWORD, "mfa": "skip" }),
        json!({ "email": EMAIL, "password": PASSWORD, "code": "123456", "remember": true }),
    ];
    for body in bodies {
        let begun = Instant::now();
        let reply = thief.post("/v1/sign-in", body.clone()).await;
        let opened = thief.cookie.is_some();
        attack.tried(&body["code"].to_string(), if opened { Outcome::Through } else { Outcome::of(&reply) }, begun);
        thief.cookie = None;
    }
    attack
}

/// Whoever is wrong in whatever way gets the same answer.
async fn no_hint(installation: &Installation) -> Attack {
    let mut attack = Attack::new("PWD-15", "no hint which part was wrong, or whether there is such an account");
    let wrong_password = "not the owner's password";
    let cases = [
        ("right password, wrong code", EMAIL, PASSWORD, "000000"),
        ("right password, no such recovery code", EMAIL, PASSWORD, "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA"),
        ("wrong password, some code", EMAIL, wrong_password, "000000"),
        ("no such account", "nobody@nordwind.example", wrong_password, "000000"),
        ("no such account, the owner's password", "nobody@nordwind.example", PASSWORD, "000000"),
        ("account in capitals", "OWNER@NORDWIND.EXAMPLE", wrong_password, "000000"),
    ];
    let mut first = None;
    for (what, email, password, code) in cases {
        let begun = Instant::now();
        let reply = sign_in(&mut installation.browser(45), email, password, code).await;
        if reply.code() == "invalid_field" {
            // A code in no known shape is refused before any account is looked at: the same for everybody.
            let same = sign_in(&mut installation.browser(45), "nobody@nordwind.example", wrong_password, code).await;
            attack.tried(what, Outcome::unless(same.essence() == reply.essence(), reply.code()), begun);
            continue;
        }
        let essence = first.get_or_insert_with(|| reply.essence()).clone();
        let names: Vec<&String> =
            reply.headers.iter().map(|(name, _)| name).filter(|name| *name == "set-cookie" || *name == "retry-after").collect();
        attack.tried(what, Outcome::unless(reply.status == 401 && essence == reply.essence() && names.is_empty(), reply.code()), begun);
    }
    attack
}

/// Also says whether password and fresh code together open a session.
async fn replay(installation: &Installation, operator: &mut Operator) -> (bool, Attack) {
    let mut attack = Attack::new("A01", "a code that was seen once, used again");
    let code = operator.codes.fresh().await;
    let mut owner = installation.browser(46);
    let opened = sign_in(&mut owner, EMAIL, PASSWORD, &code).await.status == 200;
    for seed in 47..50 {
        let begun = Instant::now();
        let reply = sign_in(&mut installation.browser(seed), EMAIL, PASSWORD, &code).await;
        attack.tried("sign-in", Outcome::of(&reply), begun);
    }
    let request = owner.post("/v1/me/recovery-codes", json!({})).await;
    let path = format!("/v1/authorization-requests/{}/proofs", request.json()["id"].as_str().unwrap_or_default());
    let begun = Instant::now();
    let reply = owner.post(&path, json!({ "totp": code })).await;
    attack.tried("on another route", Outcome::of(&reply), begun);
    (opened, attack.control(opened && request.status == 202))
}

async fn race(installation: &Installation, operator: &mut Operator) -> Attack {
    let mut attack = Attack::new("A02", "one fresh code, fifty sign-ins at once");
    let code = operator.codes.fresh().await;
    let mut racers: Vec<Client> = (0..RACERS).map(|number| installation.browser(60 + number)).collect();
    for racer in &mut racers {
        racer.get("/v1/nonce").await;
    }
    let begun = Instant::now();
    let racing: Vec<_> = racers
        .into_iter()
        .map(|mut racer| {
            let code = code.clone();
            tokio::spawn(async move { sign_in(&mut racer, EMAIL, PASSWORD, &code).await })
        })
        .collect();
    let mut winners = 0;
    for racer in racing {
        let reply = racer.await.expect("a racer comes in");
        match Outcome::of(&reply) {
            // One of them is the legitimate twin.
            Outcome::Through if winners == 0 => winners = 1,
            outcome => attack.tried("one more than one", outcome, begun),
        }
    }
    attack.control(winners == 1)
}
