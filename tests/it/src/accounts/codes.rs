//! One code, one acceptance, wherever codes are taken: every place of the API's description that takes one, each against each.

use std::collections::BTreeSet;

use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, oathtool, sign_in};
use sallyport_testkit::people::activate;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, assert_signed_in, wrong_code};

on_both!(
    totp_05_17_a_code_counts_once_wherever_it_is_shown_and_a_used_one_is_a_wrong_one,
    totp_05_08_codes_that_confirmed_an_enrolment_are_used_up_everywhere,
);

/// Where a code of an authenticator that is enrolled is taken.
const TAKERS: [&str; 7] = [
    "/v1/authorization-requests/{id}/proofs",
    "/v1/me/check-up",
    "/v1/me/elevate",
    "/v1/me/passkeys/start",
    "/v1/me/password",
    "/v1/me/totp/start",
    "/v1/sign-in",
];

/// Where a code confirms an authenticator that is new.
const CONFIRMING: [&str; 3] = ["/v1/invitations/finish", "/v1/me/totp/finish", "/v1/setup/finish"];

/// Every password is another one than the one before.
const PASSWORDS: [&str; 2] = [PASSWORD, "nine herons wade through fog"];

struct World {
    server: TestServer,
    owner: Owner,
    password: usize,
    seed: u8,
}

impl World {
    async fn new(engine: Engine) -> Self {
        let server = TestServer::start_on(engine).await;
        let owner = Owner::set_up(&server).await;
        Self { server, owner, password: 0, seed: 30 }
    }

    /// Something that waits for a proof.
    async fn asks(&mut self) -> String {
        let asked = self.owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
        assert_eq!(asked.status, 202, "{}", asked.json());
        asked.header("location").expect("where it waits").to_owned()
    }

    async fn shows(&mut self, place: &str, code: &str, waits: &str) -> Reply {
        let proof = json!({ "proof": { "totp": code } });
        match place {
            "/v1/sign-in" => {
                self.seed = 30 + (self.seed + 1) % 200;
                let mut browser = Client::new(&self.server, self.seed);
                sign_in(&mut browser, EMAIL, PASSWORDS[self.password], code).await
            }
            "/v1/authorization-requests/{id}/proofs" => self.owner.client.post(&format!("{waits}/proofs"), json!({ "totp": code })).await,
            "/v1/me/password" => {
                let (current, new) = (PASSWORDS[self.password], PASSWORDS[1 - self.password]);
                let body = json!({ "current": current, "new": new, "proof": { "totp": code }, "other_sessions": "keep" });
                let reply = self.owner.client.post(place, body).await;
                self.password = if reply.status < 300 { 1 - self.password } else { self.password };
                reply
            }
            place => self.owner.client.post(place, proof).await,
        }
    }
}

/// The places whose request has a code in it, at whatever depth.
fn described() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(include_str!("../../../../openapi.json")).expect("the description");
    let schemas = &document["components"]["schemas"];
    let paths = document["paths"].as_object().expect("paths").iter();
    let takes = |operations: &Value| {
        operations.as_object().into_iter().flatten().any(|(_, operation)| {
            has_code(schemas, &operation["requestBody"]["content"]["application/json"]["schema"], &mut BTreeSet::new())
        })
    };
    paths.filter(|(_, operations)| takes(operations)).map(|(path, _)| path.clone()).collect()
}

fn has_code(schemas: &Value, schema: &Value, seen: &mut BTreeSet<String>) -> bool {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return seen.insert(name.to_owned()) && has_code(schemas, &schemas[name], seen);
    }
    let named = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .any(|(name, inner)| ["code", "totp"].contains(&name.as_str()) && !inner["$ref"].is_string() || has_code(schemas, inner, seen));
    let parts = ["oneOf", "anyOf", "allOf"].iter().flat_map(|several| schema[*several].as_array().into_iter().flatten());
    named || has_items(schemas, schema, seen) || parts.collect::<Vec<_>>().into_iter().any(|part| has_code(schemas, part, seen))
}

fn has_items(schemas: &Value, schema: &Value, seen: &mut BTreeSet<String>) -> bool {
    schema["items"].is_object() && has_code(schemas, &schema["items"], seen)
}

#[test]
fn totp_05_the_places_that_take_a_code_are_those_that_are_tried() {
    let known: BTreeSet<String> = TAKERS.iter().chain(&CONFIRMING).map(|place| (*place).to_owned()).collect();
    assert_eq!(described(), known);
}

async fn totp_05_17_a_code_counts_once_wherever_it_is_shown_and_a_used_one_is_a_wrong_one(engine: Engine) {
    let mut world = World::new(engine).await;
    // What a wrong code is told at each place.
    let waits = world.asks().await;
    let wrong = wrong_code(&world.owner.code(&world.server));
    let mut told = Vec::new();
    for place in TAKERS {
        let reply = world.shows(place, &wrong, &waits).await;
        assert!(["code_refused", "sign_in_refused"].contains(&reply.code().as_str()), "{place}: {}", reply.json());
        told.push(reply.essence());
    }
    for taker in TAKERS {
        world.server.clock.advance(30);
        let (first, waits) = (world.asks().await, world.asks().await);
        let code = world.owner.code(&world.server);
        let taken = world.shows(taker, &code, &first).await;
        assert!((200..300).contains(&taken.status), "{taker}: {}", taken.json());
        for (place, wrong) in TAKERS.iter().zip(&told) {
            let again = world.shows(place, &code, &waits).await;
            assert_eq!(&again.essence(), wrong, "a code that {taker} took, at {place}");
        }
        for waits in [first, waits] {
            // One of them was proved, where that was the taker.
            world.owner.client.post(&format!("{waits}/deny"), json!({})).await;
        }
    }
    world.server.clock.advance(30);
    let code = world.owner.code(&world.server);
    assert_signed_in(&world.shows("/v1/sign-in", &code, "").await);
}

async fn totp_05_08_codes_that_confirmed_an_enrolment_are_used_up_everywhere(engine: Engine) {
    let mut world = World::new(engine).await;
    // One more authenticator of somebody who has one.
    let proof = json!({ "proof": { "totp": world.owner.code(&world.server) } });
    let begun = world.owner.client.post("/v1/me/totp/start", proof).await.json();
    let secret = begun["totp"]["secret"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
    let code = oathtool(&secret, world.server.clock.now());
    let body = json!({ "draft": begun["draft"], "name": "Tablet", "code": code });
    assert!(world.owner.client.post("/v1/me/totp/finish", body).await.status < 300);
    let waits = world.asks().await;
    for place in TAKERS {
        let reply = world.shows(place, &code, &waits).await;
        assert!(["code_refused", "sign_in_refused"].contains(&reply.code().as_str()), "{place}: {}", reply.json());
    }
    // The first one of somebody who was invited.
    let role = json!([{ "role": "technician", "scope": "tenant" }]);
    let invited = world.owner.invites(&world.server, "tara@nordwind.example", role, Value::Null).await;
    let link = invited.json()["result"]["link"].as_str().unwrap_or_else(|| panic!("{}", invited.json())).to_owned();
    let token = link.split_once('#').expect("behind #").1;
    const THEIRS: &str = "six larks above the harbour";
    let tara = activate(&world.server, Client::new(&world.server, 9), token, THEIRS).await;
    let used = tara.code(&world.server);
    assert_refused(&sign_in(&mut Client::new(&world.server, 10), &tara.email, THEIRS, &used).await);
    world.server.clock.advance(30);
    let next = tara.code(&world.server);
    assert_signed_in(&sign_in(&mut Client::new(&world.server, 10), &tara.email, THEIRS, &next).await);
}

/// Whatever may be read with an id of something that is there: no secret of an authenticator is in it, nor in what asked for one.
#[tokio::test]
async fn totp_16_no_get_with_an_id_shows_a_secret_either_and_a_draft_is_shown_once() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut secrets = vec![world.owner.secret.clone()];
    for name in [Some("Tablet"), None] {
        let proof = json!({ "proof": { "totp": world.owner.code(&world.server) } });
        let begun = world.owner.client.post("/v1/me/totp/start", proof).await.json();
        let secret = begun["totp"]["secret"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
        assert!(!secrets.contains(&secret), "another start, another secret");
        if let Some(name) = name {
            let body = json!({ "draft": begun["draft"], "name": name, "code": oathtool(&secret, world.server.clock.now()) });
            assert!(world.owner.client.post("/v1/me/totp/finish", body).await.status < 300);
        }
        secrets.push(secret);
        world.server.clock.advance(30);
    }
    let waits = world.asks().await;
    let me = world.owner.client.get("/v1/me").await.json();
    let mut paths = vec![waits, format!("/v1/users/{}", me["user"].as_str().expect("an id"))];
    let entries = world.owner.client.get("/v1/audit?limit=1000").await.json()["items"].as_array().map_or(0, Vec::len);
    assert!(entries > 3, "{entries} entries");
    paths.extend((0..entries).map(|index| format!("/v1/audit/{index}/proof")));
    paths.extend(["/v1/audit?limit=1000", "/v1/me/factors", "/v1/me/sessions", "/v1/users", "/v1/mails"].map(str::to_owned));
    for path in paths {
        let reply = world.owner.client.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(secrets.iter().all(|secret| !text.contains(secret) && !text.contains(&secret.to_lowercase())), "{path}");
    }
}
