//! The password alone at the doors of enrolment: whatever adds a factor, issues codes, opens a session or makes more of one.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sallyport_model::Timestamp;
use sallyport_server::clock::{Clock as _, SystemClock};
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::installation::Installation;
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::owner::{EMAIL, PASSWORD, oathtool, sign_in};
use serde_json::{Value, json};

use crate::report::{Attack, Outcome, code_of};

/// What only somebody with a factor, or with a mailed link, may bring about.
const LEADS_TO: [&str; 11] = [
    "factor.added",
    "factor.checked",
    "password.changed",
    "program.approved",
    "recovery_code.issued",
    "recovery_codes.regenerated",
    "recovery_codes.saved",
    "session.bound",
    "session.elevated",
    "session.opened",
    "user.activated",
];

/// Steps towards it that leave nothing in the log.
const STEPS: [&str; 5] =
    ["/v1/invitations/start", "/v1/me/challenges", "/v1/me/passkeys/start", "/v1/me/totp/start", "/v1/me/activation/mail"];

/// The routes that lead there. The set-up is attacked by itself, and a sign-in's challenge names nobody.
fn doors() -> Vec<String> {
    let table = sallyport_server::routes::print();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let leads = |words: &[&str]| STEPS.contains(&words[1]) || words[4..].iter().any(|kind| LEADS_TO.contains(kind));
    let found = rows.filter(|words| words[0] == "POST" && !words[1].starts_with("/v1/setup/") && leads(words));
    found.map(|words| words[1].to_owned()).collect()
}

/// Somebody whose password is known, and what else lies about.
struct Victim<'a> {
    email: &'a str,
    password: &'a str,
    /// A link that was used up.
    used: &'a str,
}

const BELA: &str = "bela@nordwind.example";
const THEIR_PASSWORD: &str = "seven lanterns under a copper bridge";

/// Both an account with a factor and one without; for the latter also the session that reads, which this tenant's policy gives it for a day.
pub(super) async fn attack(installation: &Installation, mail: &MailServer, operator: &mut Operator) -> Attack {
    let mut attack = Attack::new("A15", "the password alone at the doors of enrolment");
    let used = invited(installation, mail, operator).await;
    let bela = Victim { email: BELA, password: THEIR_PASSWORD, used: &used };
    let owner = Victim { email: EMAIL, password: PASSWORD, used: &used };
    for (seed, victim) in [(51, &owner), (52, &bela)] {
        let mut thief = installation.browser(seed);
        let begun = Instant::now();
        let reply = sign_in(&mut thief, victim.email, victim.password, "").await;
        let session = if thief.cookie.is_some() { Outcome::Through } else { Outcome::of(&reply) };
        attack.tried("sign-in with the password alone", session, begun);
        knock(&mut attack, &mut thief, victim, &doors(), "with the password alone").await;
    }
    let link = without_a_factor(mail, operator).await;
    let mut thief = installation.browser(53);
    let reads = sign_in(&mut thief, BELA, THEIR_PASSWORD, "").await.status == 200;
    // Another such session is what the policy gives, and no more than this one.
    let others: Vec<String> = doors().into_iter().filter(|path| path != "/v1/sign-in").collect();
    knock(&mut attack, &mut thief, &bela, &others, "in a session that reads").await;
    let still = thief.get("/v1/me").await.json();
    let reads = reads && still["session"]["stage"] == "factorless" && thief.get("/v1/devices").await.status == 200;
    // The twin has the mailbox too: with the link and the same password there is a factor.
    let mut own = installation.browser(54);
    let enrolled = activated(&mut own, &link, THEIR_PASSWORD).await && own.get("/v1/devices").await.status == 200;
    let begun = Instant::now();
    attack.tried("the session that read, afterwards", Outcome::of(&thief.get("/v1/devices").await), begun);
    attack.control(reads && enrolled)
}

/// Tries every door with all that a password's thief could say there.
async fn knock(attack: &mut Attack, thief: &mut Client, victim: &Victim<'_>, doors: &[String], how: &str) {
    for path in doors {
        for (what, call) in calls(path, victim) {
            let begun = Instant::now();
            let cookie = thief.cookie.clone();
            let reply = thief.send(call).await;
            // To have a link mailed to its owner's mailbox is harmless, as long as it comes nowhere else.
            let mailed = path == "/v1/me/activation/mail" && only_mailed(&reply);
            let outcome = if mailed { Outcome::unless(true, "mailed") } else { Outcome::of(&reply) };
            attack.tried(&format!("{path} {what}, {how}"), outcome, begun);
            if thief.cookie != cookie {
                attack.tried(&format!("{path} {what}, {how}: another cookie"), Outcome::Through, begun);
            }
        }
    }
}

fn only_mailed(reply: &Reply) -> bool {
    let mut names: Vec<String> = reply.json().as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names.sort();
    names == ["expires", "to"] && !reply.json().to_string().contains(BELA)
}

fn calls(path: &str, victim: &Victim<'_>) -> Vec<(&'static str, Call)> {
    let (email, password) = (victim.email, victim.password);
    let post = |body: Value| Call::new("POST", path).body(body);
    let guess = "A".repeat(43);
    if path == "/v1/oauth/token" || path == "/v1/oauth/keys" {
        let form = |text: String| Call::new("POST", path).raw(text).header("content-type", "application/x-www-form-urlencoded");
        let words = |text: &str| text.replace(' ', "+").replace('@', "%40");
        let by_password = format!("grant_type=password&username={}&password={}", words(email), words(password));
        return vec![
            ("as a password grant", form(by_password)),
            ("with a guessed code", form(format!("grant_type=authorization_code&code={guess}"))),
        ];
    }
    let mut calls = vec![
        ("with the password as the proof", post(json!({ "proof": { "password": password }, "password": password }))),
        ("with a guessed code as the proof", post(json!({ "proof": { "totp": "000000" } }))),
        ("with the password in a header", post(json!({})).header("authorization", &basic(email, password))),
    ];
    calls.extend(match path {
        "/v1/invitations/start" => [victim.used, &guess, email, ""]
            .into_iter()
            .map(|token| ("with a link that is none", post(json!({ "token": token, "password": password }))))
            .collect(),
        "/v1/invitations/finish" => [victim.used, &guess]
            .into_iter()
            .map(|token| ("with a link that is none", post(json!({ "token": token, "draft": guess, "code": "000000" }))))
            .collect(),
        "/v1/me/challenges" => vec![("for an elevation", post(json!({ "purpose": "elevate" })))],
        "/v1/me/password" => {
            let body = json!({ "current": password, "new": "nine herons wade through fog", "other_sessions": "end", "proof": { "totp": "000000" } });
            vec![("with the right present one", post(body))]
        }
        "/v1/me/totp/finish" => {
            vec![("with a guessed draft", post(json!({ "draft": guess, "code": "000000", "name": "Mine" })))]
        }
        "/v1/sign-in" => ["", "000000", password].map(|code| ("once more", post(json!({ "email": email, "password": password, "code": code })))).into(),
        "/v1/sign-in/kit/finish" => {
            vec![("without the kit", post(json!({ "email": email, "password": password, "challenge": guess, "signature": "AA==" })))]
        }
        _ => Vec::new(),
    });
    calls
}

fn basic(email: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{password}")))
}

/// Somebody who was invited by mail and activated their account; the link that they used.
async fn invited(installation: &Installation, mail: &MailServer, operator: &mut Operator) -> String {
    let body = json!({ "email": BELA, "name": "Bela", "assignments": [{ "role": "auditor", "scope": "tenant" }] });
    operator.ask("/v1/users", body).await;
    let token = mail.wait_for(BELA, "invites you").await.token("invitation");
    assert!(activated(&mut installation.browser(50), &token, THEIR_PASSWORD).await, "an invitation is followed");
    token
}

/// Takes Bela's factor away, and lets whoever has none read until tomorrow; the link that Bela's mailbox got.
async fn without_a_factor(mail: &MailServer, operator: &mut Operator) -> String {
    let users = operator.owner.client.get("/v1/users?q=bela").await.json();
    let user = users["items"][0]["id"].as_str().expect("an id").to_owned();
    operator.ask(&format!("/v1/users/{user}/reset-factor"), json!({ "confirmed": "by_call" })).await;
    let deadline: Timestamp = SystemClock.now().plus_secs(86_400);
    let policy = json!({ "who": "all", "roles": [], "deadline": deadline, "factorless": "yes" });
    let asked = operator.owner.client.send(Call::new("PUT", "/v1/policy/mfa").body(policy)).await;
    assert_eq!(asked.status, 202, "{}", code_of(&asked));
    operator.prove(&asked).await;
    mail.wait_for(BELA, "was reset").await.token("activation")
}

async fn activated(client: &mut Client, token: &str, password: &str) -> bool {
    let start = client.post("/v1/invitations/start", json!({ "token": token, "password": password })).await.json();
    let Some(secret) = start["totp"]["secret"].as_str() else { return false };
    let body = json!({ "token": token, "draft": start["draft"], "code": oathtool(secret, SystemClock.now()) });
    let finish = client.post("/v1/invitations/finish", body).await;
    finish.status == 201 && client.post("/v1/me/recovery-codes/saved", json!({})).await.status == 204
}
