//! The step-up window: for one session and one kind of remote session, fixed.

use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{Owner, PASSWORD, oathtool};
use sallyport_testkit::remote::body;
use sallyport_testkit::server::Engine;
use sallyport_wire::stream::StreamSecret;
use serde_json::json;

use super::World;
use crate::automation::programs::let_in;

on_both!(a23_a_window_is_for_the_kind_that_used_it_first,);

async fn ask(world: &mut World, kind: &str) -> Reply {
    let wanted = body(&StreamSecret::from_bytes([1; 32]), json!({ "device": world.device, "kind": kind }));
    world.owner.client.post("/v1/remote-sessions", wanted).await
}

/// Signs in anew: with a window that nothing has used.
async fn signed_in(world: &World, seed: u8) -> Client {
    world.server.clock.advance(30);
    let mut client = Client::new(&world.server, seed);
    assert_eq!(world.owner.sign_in(&mut client, &world.owner.code(&world.server)).await.status, 200);
    client
}

async fn a23_a_window_is_for_the_kind_that_used_it_first(engine: Engine) {
    let mut world = World::new(engine).await;
    world.owner.client = signed_in(&world, 2).await;
    assert_eq!(ask(&mut world, "files").await.status, 201, "signing in opened the window");
    assert_eq!(ask(&mut world, "files").await.status, 201);
    assert_eq!(ask(&mut world, "terminal").await.status, 202, "it is bound to files");
    assert_eq!(ask(&mut world, "viewer").await.status, 202);
}

#[tokio::test]
async fn step_09_a_window_does_not_slide() {
    let mut world = World::new(Engine::Sqlite).await;
    world.owner.client = signed_in(&world, 2).await;
    for _ in 0..4 {
        world.server.clock.advance(60);
        assert_eq!(ask(&mut world, "terminal").await.status, 201);
    }
    world.server.clock.advance(60);
    assert_eq!(ask(&mut world, "terminal").await.status, 202, "five minutes after signing in, however much was done");
}

#[tokio::test]
async fn step_08_a_code_opens_the_window_of_the_session_that_asked_alone() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut other = signed_in(&world, 2).await;
    world.owner.client = signed_in(&world, 3).await;
    world.server.clock.advance(600);
    let asked = ask(&mut world, "terminal").await;
    assert_eq!(asked.status, 202);
    let before = world.owner.client.cookie.clone();
    prove(&mut world.owner, &world.server, &asked).await;
    assert_ne!(world.owner.client.cookie, before, "the session goes on under another token (STEP-07)");
    assert_eq!(ask(&mut world, "terminal").await.status, 201, "its window is open");
    assert_eq!(ask(&mut world, "files").await.status, 202, "for terminals");
    std::mem::swap(&mut world.owner.client, &mut other);
    assert_eq!(ask(&mut world, "terminal").await.status, 202, "the other session has none");
}

#[tokio::test]
async fn step_08_another_sessions_proof_opens_no_window() {
    let mut world = World::new(Engine::Sqlite).await;
    let mut prover = signed_in(&world, 2).await;
    world.owner.client = signed_in(&world, 3).await;
    world.server.clock.advance(600);
    let asked = ask(&mut world, "terminal").await;
    std::mem::swap(&mut world.owner.client, &mut prover);
    prove(&mut world.owner, &world.server, &asked).await;
    assert_eq!(ask(&mut world, "terminal").await.status, 202, "not where it was proved");
    std::mem::swap(&mut world.owner.client, &mut prover);
    assert_eq!(ask(&mut world, "terminal").await.status, 202, "and not where it was asked");
}

#[tokio::test]
async fn step_07_the_token_before_a_window_dies_soon() {
    let mut world = World::new(Engine::Sqlite).await;
    world.server.clock.advance(600);
    let old = world.owner.client.clone();
    let asked = ask(&mut world, "terminal").await;
    prove(&mut world.owner, &world.server, &asked).await;
    assert_eq!(old.clone().get("/v1/me").await.status, 200, "a request that was on its way comes in");
    world.server.clock.advance(10);
    assert_eq!(old.clone().get("/v1/me").await.status, 401);
    assert_eq!(world.owner.client.get("/v1/me").await.status, 200);
}

#[tokio::test]
async fn step_07_the_token_before_a_window_changes_nothing_about_session_or_factors() {
    let mut world = World::new(Engine::Sqlite).await;
    world.server.clock.advance(600);
    let mut old = world.owner.client.clone();
    let asked = ask(&mut world, "terminal").await;
    prove(&mut world.owner, &world.server, &asked).await;
    assert_eq!(old.get("/v1/me").await.status, 200, "the control: it still reads");
    let code = world.owner.code(&world.server);
    let proof = json!({ "totp": code });
    let change = json!({ "current": PASSWORD, "new": "nine herons wade through fog", "proof": proof, "other_sessions": "keep" });
    for (path, body) in [
        ("/v1/me/elevate", json!({ "proof": proof })),
        ("/v1/me/challenges", json!({ "purpose": "elevate" })),
        ("/v1/me/password", change),
        ("/v1/me/recovery-codes", json!({})),
        ("/v1/me/totp/start", json!({ "proof": proof })),
        ("/v1/me/passkeys/start", json!({ "proof": proof })),
    ] {
        let reply = old.post(path, body).await;
        assert_eq!((reply.status, reply.code().as_str(), reply.header("set-cookie")), (409, "conflict", None), "{path}: {}", reply.json());
    }
    // The code was not spent by any of them, and the present token takes all of it.
    world.server.clock.advance(30);
    let proof = json!({ "totp": world.owner.code(&world.server) });
    assert_eq!(world.owner.client.post("/v1/me/elevate", json!({ "proof": proof })).await.status, 200);
}

#[tokio::test]
async fn step_07_a_programs_token_before_a_window_changes_nothing_about_session_or_factors_either() {
    let mut world = World::new(Engine::Sqlite).await;
    world.server.clock.advance(30);
    let proof = json!({ "proof": { "totp": world.owner.code(&world.server) } });
    assert_eq!(world.owner.client.post("/v1/me/elevate", proof).await.status, 200, "letting a program in wants a fresh factor");
    let mut tool = let_in(&world.server, &mut world.owner.client, 31).await;
    let wanted = body(&StreamSecret::from_bytes([1; 32]), json!({ "device": world.device, "kind": "terminal" }));
    let asked = tool.sends(Call::new("POST", "/v1/remote-sessions").body(wanted)).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let path = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    let mut old = tool.clone();
    world.server.clock.advance(30);
    let code = world.owner.code(&world.server);
    let proved = tool.sends(Call::new("POST", &path).body(json!({ "totp": code }))).await;
    assert_eq!(proved.status, 200, "{}", proved.json());
    proved.header("sallyport-token").expect("another token: a window opened").clone_into(&mut tool.token);
    assert_eq!(old.get("/v1/me").await.status, 200, "the control: it still reads");
    let next = json!({ "totp": oathtool(&world.owner.secret, world.server.clock.now().plus_secs(30)) });
    for (path, body) in [
        ("/v1/me/elevate", json!({ "proof": next })),
        ("/v1/me/recovery-codes", json!({})),
        ("/v1/me/totp/start", json!({ "proof": next })),
        ("/v1/me/passkeys/start", json!({ "proof": next })),
    ] {
        let reply = old.sends(Call::new("POST", path).body(body)).await;
        assert_eq!(
            (reply.status, reply.code().as_str(), reply.header("sallyport-token")),
            (409, "conflict", None),
            "{path}: {}",
            reply.json()
        );
    }
    let elevated = tool.sends(Call::new("POST", "/v1/me/elevate").body(json!({ "proof": next }))).await;
    assert_eq!(elevated.status, 200, "the code was not spent by any of them: {}", elevated.json());
}

#[tokio::test]
async fn step_07_every_other_rotation_kills_all_earlier_tokens_at_once() {
    for way in ["elevate", "password"] {
        let mut world = World::new(Engine::Sqlite).await;
        world.server.clock.advance(600);
        let oldest = world.owner.client.clone();
        let asked = ask(&mut world, "terminal").await;
        prove(&mut world.owner, &world.server, &asked).await;
        let old = world.owner.client.clone();
        // Within the ten seconds: by the code of the next step, which is taken already.
        let proof = json!({ "totp": oathtool(&world.owner.secret, world.server.clock.now().plus_secs(30)) });
        let body = match way {
            "elevate" => json!({ "proof": proof }),
            _ => json!({ "current": PASSWORD, "new": "nine herons wade through fog", "proof": proof, "other_sessions": "keep" }),
        };
        assert_eq!(oldest.clone().get("/v1/me").await.status, 200, "the control: its ten seconds run");
        let reply = world.owner.client.post(&format!("/v1/me/{way}"), body).await;
        assert!(matches!(reply.status, 200 | 204), "{way}: {}", reply.json());
        for mut dead in [oldest.clone(), old.clone()] {
            assert_eq!(dead.get("/v1/me").await.code(), "not_signed_in", "{way}");
        }
        assert_eq!(world.owner.client.get("/v1/me").await.status, 200);
    }
}

async fn prove(owner: &mut Owner, server: &sallyport_testkit::server::TestServer, asked: &Reply) {
    owner.prove(server, &asked.json()).await;
}

#[tokio::test]
async fn c5_the_sixth_device_of_an_hour_takes_a_code_whatever_the_window() {
    let mut world = World::new(Engine::Sqlite).await;
    world.owner.client = signed_in(&world, 2).await;
    let mut links = Vec::new();
    for seed in 1..=5 {
        assert_eq!(ask(&mut world, "terminal").await.status, 201, "device {seed}");
        let (_, link, device) = world.another(seed).await;
        links.push(link);
        world.device = device;
        world.owner.client = signed_in(&world, 2).await;
    }
    let sixth = ask(&mut world, "terminal").await;
    assert_eq!((sixth.status, &sixth.json()["class"]), (202, &json!(2)));
}
