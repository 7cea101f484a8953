//! The twelve checks of RFC 9449, section 4.3, on requests with an access token and at the token endpoint, each broken once.

use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::{SCOPES, assert_oauth, assert_refused, at_work, begin, devices};

on_both!(
    oa_05_to_oa_16_each_check_of_a_proof_is_made_for_tokens,
    oa_05_to_oa_15_each_check_of_a_proof_is_made_at_the_token_endpoint,
    oa_17_a37_a_proof_counts_once_and_nonces_are_ours,
    oa_17_a37_what_was_given_to_another_client_gives_it_nothing,
    oa_18_the_nonce_is_asked_for_and_one_more_try_is_enough,
    oa_19_a_bound_token_as_bearer_is_refused,
    plain_proofs_are_enough_and_our_own_claims_are_checked_where_they_are,
);

type Change = Box<dyn Fn(&mut Value, &mut Value) + Send + Sync>;

fn claim(name: &'static str, value: Value) -> Change {
    Box::new(move |_, claims| claims[name] = value.clone())
}

fn header(name: &'static str, value: Value) -> Change {
    Box::new(move |header, _| header[name] = value.clone())
}

/// What breaks each of the checks, but for those of headers, nonces and the access token.
fn broken(now: i64) -> Vec<(&'static str, Change)> {
    vec![
        ("OA-07 jti", claim("jti", Value::Null)),
        ("OA-07 jti", claim("jti", json!("short"))),
        ("OA-07 htm", claim("htm", Value::Null)),
        ("OA-07 htu", claim("htu", Value::Null)),
        ("OA-07 iat", claim("iat", Value::Null)),
        ("OA-08", header("typ", json!("JWT"))),
        ("OA-08", header("typ", json!("client-authentication+jwt"))),
        ("OA-09", header("alg", json!("none"))),
        ("OA-09", header("alg", json!("HS256"))),
        ("OA-09", header("alg", json!("RS256"))),
        ("OA-10", Box::new(|header, _| header["jwk"]["x"] = header["jwk"]["y"].clone())),
        ("OA-11", Box::new(|header, _| header["jwk"]["d"] = json!("AA"))),
        ("OA-12 htm", claim("htm", json!("PUT"))),
        ("OA-13 htu", claim("htu", json!("http://localhost:8800/v1/jobs"))),
        ("OA-13 htu", claim("htu", json!("http://evil.example/v1/devices"))),
        ("OA-15 iat", claim("iat", json!(now - 61))),
        ("OA-15 iat", claim("iat", json!(now + 61))),
        ("OA-24", header("jku", json!("https://evil.example/keys"))),
    ]
}

async fn oa_05_to_oa_16_each_check_of_a_proof_is_made_for_tokens(engine: Engine) {
    let (server, _owner, mut tool) = at_work(engine).await;
    assert_eq!(tool.sends(devices()).await.status, 200, "the control");
    let now = tool.proof_claims(&devices())["iat"].as_i64().expect("a time");
    for (check, change) in broken(now) {
        let reply = tool.attempts(&devices(), &change).await;
        assert_eq!((reply.status, reply.code().as_str()), (401, "proof_refused"), "{check}: {}", reply.json());
    }
    // OA-05 and OA-06: one header, with a well-formed JWT.
    assert_refused(&tool.sends_with(&devices(), "a.b").await, 401, "proof_refused");
    let proof = tool.wire.signed(&tool.proof_header(), &tool.proof_claims(&devices()));
    let twice = devices().header("dpop", &proof);
    assert_refused(&tool.sends_with(&twice, &proof).await, 401, "proof_refused");
    let bare = devices().header("authorization", &format!("DPoP {}", tool.token));
    assert_refused(&tool.wire.send_with(&bare, None).await, 401, "proof_refused");
    // OA-16: the token is in the proof, and the proof's key is the token's.
    for ath in [Value::Null, json!("x"), json!("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")] {
        assert_refused(&tool.attempts(&devices(), claim("ath", ath)).await, 401, "proof_refused");
    }
    let mut thief = tool.another_run(&server, 77);
    thief.token.clone_from(&tool.token);
    assert_refused(&thief.sends(devices()).await, 401, "token_refused");
    assert_eq!(tool.sends(devices()).await.status, 200, "none of it harmed the token");
}

async fn oa_05_to_oa_15_each_check_of_a_proof_is_made_at_the_token_endpoint(engine: Engine) {
    let (_server, _owner, mut tool) = begin(engine).await;
    assert_eq!(tool.gets_token().await.status, 200, "the control");
    tool.token.clear();
    let call = Tool::token_call(&tool.assertion());
    let now = tool.proof_claims(&call)["iat"].as_i64().expect("a time");
    for (check, change) in broken(now) {
        let reply = tool.attempts(&call, &change).await;
        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("invalid_dpop_proof")), "{check}");
    }
    assert_oauth(&tool.wire.send_with(&call, None).await, 400, "invalid_dpop_proof");
    assert_eq!(tool.attempts(&call, |_, _| {}).await.status, 200, "the assertion was not used up by bad proofs");
}

async fn oa_17_a37_a_proof_counts_once_and_nonces_are_ours(engine: Engine) {
    let (server, _owner, mut tool) = at_work(engine).await;
    let proof = tool.wire.signed(&tool.proof_header(), &tool.proof_claims(&devices()));
    assert_eq!(tool.sends_with(&devices(), &proof).await.status, 200);
    assert_refused(&tool.sends_with(&devices(), &proof).await, 401, "proof_refused");
    let mine = tool.nonce.clone();
    for nonce in [json!("AAAAAAAAAAAAAAAAAAAAAA"), json!(""), Value::Null, json!(mine.chars().rev().collect::<String>())] {
        let reply = tool.attempts(&devices(), claim("nonce", nonce.clone())).await;
        assert_refused(&reply, 401, "use_dpop_nonce");
        assert!(reply.header("dpop-nonce").is_some());
    }
    server.clock.advance(55);
    assert_eq!(tool.sends(devices()).await.status, 200);
    // An old nonce, from before a restart: nobody remembers it, and it is not accepted.
    let server = server.restart().await;
    tool.wire = tool.wire.at(&server);
    let reply = tool.attempts(&devices(), claim("nonce", json!(mine))).await;
    assert_refused(&reply, 401, "use_dpop_nonce");
    assert_refused(&tool.sends_with(&devices(), &proof).await, 401, "use_dpop_nonce");
    assert_eq!(tool.sends(devices()).await.status, 200, "the token outlives the restart");
}

/// A nonce says when a proof was made, not whose it is: the server gives all clients of five minutes the same one. Whose a request is says its key.
async fn oa_17_a37_what_was_given_to_another_client_gives_it_nothing(engine: Engine) {
    let (server, mut owner, mut tool) = at_work(engine).await;
    let mut other = Tool::made(&server, &mut owner, 22, SCOPES).await;
    assert_eq!((other.gets_token().await.status, tool.gets_token().await.status), (200, 200));
    // The other one's nonce: with it, there is neither the other one's token nor anything without a key.
    let theirs = other.nonce.clone();
    let mut thief = tool.clone();
    thief.token.clone_from(&other.token);
    assert_refused(&thief.attempts(&devices(), claim("nonce", json!(theirs.clone()))).await, 401, "token_refused");
    // The other one's whole proof, with one's own token and with the other one's: it counted once, and is of another key.
    let proof = other.wire.signed(&other.proof_header(), &other.proof_claims(&devices()));
    assert_eq!(other.sends_with(&devices(), &proof).await.status, 200, "the control");
    assert_refused(&thief.sends_with(&devices(), &proof).await, 401, "proof_refused");
    assert_refused(&tool.sends_with(&devices(), &proof).await, 401, "proof_refused");
    // A nonce of another server is none of ours.
    let (_elsewhere, _, mut foreign) = at_work(engine).await;
    assert_eq!(foreign.sends(devices()).await.status, 200);
    assert_ne!(foreign.nonce, tool.nonce);
    assert_refused(&tool.attempts(&devices(), claim("nonce", json!(foreign.nonce))).await, 401, "use_dpop_nonce");
    assert_refused(&thief.attempts(&devices(), claim("nonce", json!(foreign.nonce))).await, 401, "use_dpop_nonce");
    assert_eq!(tool.sends(devices()).await.status, 200, "none of it harmed the token");
    // Where nothing but the nonce is another one: the other client's is good, since it is the server's; it is not once it is old.
    assert_eq!(tool.attempts(&devices(), claim("nonce", json!(theirs.clone()))).await.status, 200, "one nonce for all (docs/adr/0030)");
    server.clock.advance(10 * 60);
    assert_eq!(tool.gets_token().await.status, 200, "the one before had its minute");
    assert_eq!(tool.sends(devices()).await.status, 200, "the control");
    let old = tool.attempts(&devices(), claim("nonce", json!(theirs))).await;
    assert_refused(&old, 401, "use_dpop_nonce");
    assert!(old.header("dpop-nonce").is_some());
}

async fn oa_18_the_nonce_is_asked_for_and_one_more_try_is_enough(engine: Engine) {
    let (server, _owner, mut tool) = begin(engine).await;
    tool.nonce.clear();
    let call = Tool::token_call(&tool.assertion());
    let first = tool.attempts(&call, |_, _| {}).await;
    assert_oauth(&first, 400, "use_dpop_nonce");
    assert!(first.header("dpop-nonce").is_some());
    assert_eq!(tool.attempts(&call, |_, _| {}).await.status, 200, "the assertion was not used up by the first try");
    assert_eq!(tool.gets_token().await.status, 200);
    tool.nonce.clear();
    let first = tool.attempts(&devices(), |_, _| {}).await;
    assert_refused(&first, 401, "use_dpop_nonce");
    assert!(first.header("www-authenticate").is_some_and(|value| value.starts_with("DPoP ") && value.contains("use_dpop_nonce")));
    assert_eq!(tool.attempts(&devices(), |_, _| {}).await.status, 200);
    drop(server);
}

async fn oa_19_a_bound_token_as_bearer_is_refused(engine: Engine) {
    let (_server, mut owner, mut tool) = at_work(engine).await;
    assert_eq!(tool.sends(devices()).await.status, 200, "the control");
    for scheme in ["Bearer", "bearer", "Basic", "Token", ""] {
        let call = devices().header("authorization", &format!("{scheme} {}", tool.token));
        let proof = tool.wire.signed(&tool.proof_header(), &tool.proof_claims(&devices()));
        let refused = tool.sends_with(&call, &proof).await;
        assert_refused(&refused, 401, "token_refused");
        assert!(refused.header("www-authenticate").is_some_and(|value| value.starts_with("DPoP ")));
        assert_refused(&tool.wire.send_with(&call, None).await, 401, "token_refused");
    }
    // A cookie beside a token means nothing, and a token in the address means nothing.
    let call = Call::new("GET", "/v1/me").header("authorization", "DPoP x");
    assert_refused(&owner.client.send(call).await, 401, "token_refused");
    let call = Call::new("GET", &format!("/v1/devices?access_token={}", tool.token));
    assert_refused(&tool.wire.send_with(&call, None).await, 401, "not_signed_in");
}

async fn plain_proofs_are_enough_and_our_own_claims_are_checked_where_they_are(engine: Engine) {
    let (_server, _owner, mut tool) = at_work(engine).await;
    let queried = Call::new("GET", "/v1/devices?limit=5");
    assert_eq!(tool.sends(queried.clone()).await.status, 200, "neither htq nor bh");
    assert_eq!(tool.attempts(&queried, claim("htq", json!("limit=5"))).await.status, 200);
    assert_refused(&tool.attempts(&queried, claim("htq", json!("limit=6"))).await, 401, "proof_refused");
    assert_refused(&tool.attempts(&queried, claim("bh", json!("x"))).await, 401, "proof_refused");
    assert_eq!(tool.attempts(&queried, claim("exp", json!(9_999_999_999i64))).await.status, 200, "claims of others mean nothing");
}
