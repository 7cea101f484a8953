//! C2: a live session alone commits nothing beyond what its step-up window covers; a copied or revoked one is worth nothing.

use std::time::{Duration, Instant};

use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::owner::{EMAIL, PASSWORD, sign_in};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::c1::{call, session_routes};
use crate::report::{Attack, Outcome, code_of};
use crate::world::World;

const STREAMS: usize = 5;
/// A revoked session is dead everywhere within this.
const DEAD_WITHIN: Duration = Duration::from_secs(1);

/// The session that is attacked: another browser of the owner, with a window of its own.
pub(crate) async fn sign_in_elsewhere(world: &mut World) -> Client {
    let code = world.operator.codes.fresh().await;
    let mut victim = world.installation.browser(20);
    let opened = sign_in(&mut victim, EMAIL, PASSWORD, &code).await;
    assert_eq!(opened.status, 200, "{}", String::from_utf8_lossy(&opened.body));
    victim
}

pub(crate) async fn attack(world: &mut World, victim: &mut Client) -> Vec<Attack> {
    vec![copied_cookie(world, victim).await, stolen_proof(victim).await, guarded(world, victim).await, anothers_window(world).await]
}

async fn copied_cookie(world: &World, victim: &mut Client) -> Attack {
    let mut attack = Attack::new("A09", "the cookie in another browser, on every route");
    let mut thief = world.installation.browser(66);
    for (method, path) in session_routes() {
        for proof in ["its own key", "none"] {
            thief.cookie.clone_from(&victim.cookie);
            let begun = Instant::now();
            let reply =
                if proof == "none" { thief.send_with(&call(&method, &path), None).await } else { thief.send(call(&method, &path)).await };
            attack.tried(&format!("{method} {path} with {proof}"), Outcome::of(&reply), begun);
        }
    }
    attack.control(victim.get("/v1/me").await.status == 200)
}

/// Somebody reads one signed request on its way and makes others of it.
async fn stolen_proof(victim: &mut Client) -> Attack {
    let mut attack = Attack::new("A37", "a signed request, replayed or bent");
    victim.get("/v1/nonce").await;
    let seen = Call::new("GET", "/v1/me");
    let proof = victim.proof(&seen);
    let control = victim.send_with(&seen, Some(&proof)).await.status == 200;
    let bent = [
        ("again", seen.clone()),
        ("another route", Call::new("GET", "/v1/devices")),
        ("with a query", Call::new("GET", "/v1/me?x=1")),
        ("another method", Call::new("DELETE", "/v1/me")),
        ("with a body", Call::new("POST", "/v1/me/recovery-codes").body(json!({}))),
    ];
    for (what, call) in bent {
        let begun = Instant::now();
        let reply = victim.send_with(&call, Some(&proof)).await;
        attack.tried(what, Outcome::of(&reply), begun);
        // A fresh proof of the first request on the bent one.
        let fresh = victim.proof(&seen);
        if what != "again" {
            let begun = Instant::now();
            let reply = victim.send_with(&call, Some(&fresh)).await;
            attack.tried(what, Outcome::of(&reply), begun);
        }
    }
    attack.control(control)
}

/// Everything guarded that an open window does not cover, from a live session with an open window.
async fn guarded(world: &mut World, victim: &mut Client) -> Attack {
    let mut attack = Attack::new("STEP-01", "guarded operations without a proof, or with a wrong one");
    let script = world.operator.owner.script("sweep", "true").await;
    let site = victim.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
    let asked = [
        ("/v1/jobs", json!({ "script": script, "version": 1, "devices": world.crowd })),
        ("/v1/installers", json!({ "label": "x", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 60 })),
        ("/v1/devices/remove", json!({ "devices": [world.crowd[0]] })),
        ("/v1/me/recovery-codes", json!({})),
    ];
    let before = standing(victim).await;
    for (path, body) in asked {
        let begun = Instant::now();
        let reply = victim.post(path, body).await;
        let request = reply.json();
        let waits = reply.status == 202 && request["state"] == "open" && request.get("result").is_none();
        attack.tried(path, Outcome::unless(waits, "waits_for_proof"), begun);
        let proofs = format!("/v1/authorization-requests/{}/proofs", request["id"].as_str().unwrap_or_default());
        for wrong in [json!({ "totp": "000000" }), json!({ "totp": "" }), json!({ "step_up": true }), json!({})] {
            // One wrong code for one request only: ten in a row would lock the owner's factor.
            if path != "/v1/jobs" && wrong["totp"] == "000000" {
                continue;
            }
            let begun = Instant::now();
            let reply = victim.post(&proofs, wrong).await;
            attack.tried(&format!("{path}: wrong proof"), Outcome::of(&reply), begun);
        }
    }
    let begun = Instant::now();
    attack.tried("anything was done", Outcome::unless(standing(victim).await == before, "nothing_done"), begun);
    // The installer of this world was made by the same route with a right code.
    attack.control(!world.crowd.is_empty())
}

/// What guarded operations would change.
async fn standing(client: &mut Client) -> (u64, usize, u64, u64) {
    let jobs = client.get("/v1/jobs?limit=1000").await.json()["items"].as_array().map_or(0, Vec::len) as u64;
    let installers = client.get("/v1/installers").await.json()["items"].as_array().map_or(0, Vec::len);
    let devices = client.get("/v1/devices?limit=1").await.json()["total"].as_u64().unwrap_or(0);
    let codes = client.get("/v1/me").await.json()["recovery_codes_left"].as_u64().unwrap_or(0);
    (jobs, installers, devices, codes)
}

/// The owner's window is open in one browser; a session of the same person without a window of its own gains nothing by it.
async fn anothers_window(world: &mut World) -> Attack {
    let mut attack = Attack::new("A23", "another session's open step-up window");
    let mut other = world.installation.browser(21);
    let recovery = world.operator.owner.recovery_codes[0].clone();
    let opened = sign_in(&mut other, EMAIL, PASSWORD, &recovery).await.status == 200;
    let script = world.operator.owner.script("window", "true").await;
    let body = json!({ "script": script, "version": 1, "devices": [world.real.id] });
    let asked =
        [("/v1/jobs", body.clone()), ("/v1/devices/approve", json!({ "devices": [world.crowd[0]] })), ("/v1/me/recovery-codes", json!({}))];
    for (path, body) in asked {
        let begun = Instant::now();
        let reply = other.post(path, body).await;
        attack.tried(path, Outcome::unless(reply.status != 201 && reply.status != 200, code_of(&reply)), begun);
    }
    let twin = world.operator.owner.client.post("/v1/jobs", body).await;
    attack.control(opened && twin.status == 201)
}

/// Ends the victim's session; nothing of it may live on.
pub(crate) async fn revoked(world: &mut World, victim: &mut Client) -> Attack {
    let mut attack = Attack::new("A20", "a revoked session: open streams and every route");
    let session = victim.get("/v1/me").await.json()["session"]["id"].as_str().unwrap_or_default().to_owned();
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = victim.follow("/v1/events").await;
        let mut head = [0; 12];
        let alive = stream.read_exact(&mut head).await.is_ok() && &head[9..] == b"200";
        streams.push((stream, alive));
    }
    let all_alive = streams.iter().all(|(_, alive)| *alive);
    let begun = Instant::now();
    let ended = world.operator.owner.client.send(Call::new("DELETE", &format!("/v1/me/sessions/{session}"))).await.status == 204;
    for (mut stream, _) in streams {
        let mut rest = Vec::new();
        let dead = tokio::time::timeout(DEAD_WITHIN, stream.read_to_end(&mut rest)).await.is_ok() && begun.elapsed() <= DEAD_WITHIN;
        attack.tried("an open stream", Outcome::unless(dead, "stream_ended"), begun);
    }
    let cookie = victim.cookie.clone();
    for (method, path) in session_routes() {
        victim.cookie.clone_from(&cookie);
        let begun = Instant::now();
        let reply = victim.send(call(&method, &path)).await;
        attack.tried(&format!("{method} {path}"), Outcome::of(&reply), begun);
    }
    let owner_lives = world.operator.owner.client.get("/v1/me").await.status == 200;
    attack.control(all_alive && ended && owner_lives)
}
