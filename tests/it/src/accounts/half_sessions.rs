//! Sessions that are good for less than everything: each calls every route of the table, and what answers it is pinned here.

use std::collections::BTreeSet;
use std::time::Duration;

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, sign_in};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::TestServer;
use serde_json::json;

use super::passkeys::{authenticator, register};
use crate::posture::run;
use crate::survival::routes::{Route, routes};

/// What every session may do, however little it is good for.
const EVERYBODY: [&str; 3] = ["GET /v1/me", "POST /v1/me/not-me", "POST /v1/sign-out"];

/// What a session does not outlive, or is another one after; the last of them for all later sign-ins too.
const ENDING: [&str; 3] = ["/v1/sign-out", "/v1/me/not-me", "/v1/me/recovery-codes/saved"];

/// Somebody who signed in and is not through.
struct Half<'a> {
    server: &'a TestServer,
    stage: &'static str,
    refusal: &'static str,
    email: String,
    password: &'static str,
    /// The code of the next sign-in.
    code: Box<dyn FnMut() -> String + 'a>,
}

impl Half<'_> {
    async fn session(&mut self) -> Client {
        self.server.clock.advance(30);
        let mut client = Client::new(self.server, 9);
        let reply = sign_in(&mut client, &self.email, self.password, &(self.code)()).await;
        assert_eq!(reply.json()["session"]["stage"], self.stage, "{}", reply.json());
        client
    }

    /// Calls every route that wants a session. Whatever does not answer refuses with the stage's own code; tells what answers.
    async fn may_call(&mut self) -> BTreeSet<String> {
        let place = |route: &Route| ENDING.iter().position(|path| *path == route.path);
        let wanting = routes().into_iter().filter(|route| !route.is_public());
        let (mut ending, others): (Vec<_>, Vec<_>) = wanting.partition(|route| place(route).is_some());
        ending.sort_by_key(place);
        let mut client = self.session().await;
        let mut answering = BTreeSet::new();
        for route in &others {
            self.judge(route, answer(&mut client, route).await, &mut answering);
        }
        assert_eq!(client.get("/v1/me").await.json()["session"]["stage"], self.stage, "it is what it was");
        for route in &ending {
            let reply = answer(&mut self.session().await, route).await;
            self.judge(route, reply, &mut answering);
        }
        answering
    }

    fn judge(&self, route: &Route, reply: Option<Reply>, answering: &mut BTreeSet<String>) {
        match reply {
            Some(reply) if reply.status == 403 => assert_eq!(reply.code(), self.refusal, "{route}: {}", reply.json()),
            Some(reply) if reply.status == 401 => panic!("{route} by a session that lives: {}", reply.json()),
            Some(_) | None => assert!(answering.insert(route.to_string()), "{route} twice"),
        }
    }
}

/// Nothing where the answer has no end.
async fn answer(client: &mut Client, route: &Route) -> Option<Reply> {
    match route.streams() {
        true => tokio::time::timeout(Duration::from_secs(2), client.send(route.call())).await.ok(),
        false => Some(client.send(route.call()).await),
    }
}

fn pinned(more: &[&str]) -> BTreeSet<String> {
    EVERYBODY.iter().chain(more).map(|route| (*route).to_owned()).collect()
}

fn owners<'a>(server: &'a TestServer, owner: &'a Owner, stage: &'static str, refusal: &'static str) -> Half<'a> {
    let code = Box::new(|| owner.code(server));
    Half { server, stage, refusal, email: EMAIL.to_owned(), password: PASSWORD, code }
}

#[tokio::test]
async fn a14_a_session_whose_codes_are_not_saved_saves_them_and_nothing_else() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    run(&server, "UPDATE users SET codes_kept = 0", &[]).await;
    let mut half = owners(&server, &owner, "codes", "session_restricted");
    assert_eq!(half.may_call().await, pinned(&["POST /v1/me/recovery-codes/saved"]));
}

#[tokio::test]
async fn a14_a_session_by_a_recovery_code_enrols_a_factor_and_nothing_else() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut codes = owner.recovery_codes.iter();
    let mut half = owners(&server, &owner, "restricted", "session_restricted");
    half.code = Box::new(move || codes.next().expect("ten codes").clone());
    let enrols = [
        "GET /v1/me/factors",
        "PATCH /v1/me/factors/{id}",
        "POST /v1/me/passkeys/finish",
        "POST /v1/me/passkeys/start",
        "POST /v1/me/totp/finish",
        "POST /v1/me/totp/start",
    ];
    assert_eq!(half.may_call().await, pinned(&enrols));
}

#[tokio::test]
async fn a14_a_session_with_a_breached_password_chooses_another_and_nothing_else() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    register(&server, &mut owner, &mut authenticator(&server), "Key").await;
    super::breaches::import(&server, &format!("{PASSWORD}\n")).await.expect("a list");
    let mut half = owners(&server, &owner, "new_password", "password_breached");
    let chooses = ["GET /v1/me/factors", "POST /v1/me/challenges", "POST /v1/me/elevate", "POST /v1/me/password"];
    assert_eq!(half.may_call().await, pinned(&chooses));
}

#[tokio::test]
async fn a14_a_session_by_a_password_alone_reads_and_nothing_else() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", json!([{ "role": "technician", "scope": "tenant" }])).await;
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id));
    assert_eq!(owner.does(&server, reset.body(json!({ "confirmed": "by_call" }))).await.status, 200);
    run(&server, "UPDATE tenants SET factorless = 1, mfa_who = 'admins'", &[]).await;
    let code = Box::new(String::new);
    let mut half =
        Half { server: &server, stage: "factorless", refusal: "factor_required", email: tara.email, password: THEIR_PASSWORD, code };
    let reads = [
        "GET /v1/customers",
        "GET /v1/devices",
        "GET /v1/devices/{id}",
        "GET /v1/devices/{id}/inventory",
        "GET /v1/events",
        "GET /v1/installers",
        "GET /v1/jobs",
        "GET /v1/jobs/{id}",
        "GET /v1/jobs/{id}/runs",
        "GET /v1/runs/{id}",
        "GET /v1/runs/{id}/output",
        "GET /v1/runs/{id}/receipt",
        "GET /v1/schedules",
        "GET /v1/schedules/{id}",
        "GET /v1/scripts",
        "GET /v1/scripts/{id}",
        "GET /v1/search",
        "GET /v1/trust",
        // Questions, which change nothing.
        "POST /v1/schedules/preview",
        "POST /v1/search/refresh",
        // The way to a factor; without a passkey there is no challenge for one.
        "POST /v1/me/activation/mail",
        "POST /v1/me/elevate",
    ];
    assert_eq!(half.may_call().await, pinned(&reads));
}
