//! The second factor of a tool: a token takes its client's key, a licence, the licence's host and the licence's program. Each is left out or
//! exchanged once; its legitimate twin succeeds beside it.

use std::collections::BTreeSet;

use sallyport_model::limits;
use sallyport_testkit::client::Call;
use sallyport_testkit::licence::{Asking, LicensedTool, VouchingHost, digest, issue, shown, wanted};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::posted;
use serde_json::{Value, json};

use super::{SCOPES, assert_oauth, assert_refused, devices};

on_both!(
    each_proof_is_needed_and_none_may_be_another_one,
    oa_02_a37_what_a_host_signed_counts_for_one_request,
    a17_a_licence_of_another_tenant_or_installation_lets_nobody_in,
    a_revoked_licence_ends_its_tokens_at_once,
    a_licence_ends_in_its_time_and_its_tokens_with_it,
    oa_01_a_token_is_never_above_licence_client_or_owner,
    a_client_that_needs_a_licence_from_now_on_loses_what_it_had_without,
    oa_25_no_tool_issues_revokes_or_gets_around_a_licence,
    what_is_asked_for_is_checked_before_anybody_proves_it,
    a_licence_is_issued_by_proof_and_told_to_the_log,
    nothing_that_is_sent_for_a_licence_is_the_servers_failure,
);

async fn licensed(engine: Engine) -> (TestServer, Owner, LicensedTool) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let tool = LicensedTool::made(&server, &mut owner, 21, SCOPES).await;
    (server, owner, tool)
}

async fn last_refusal(owner: &mut Owner, tool: &LicensedTool) -> Value {
    owner.client.get(&format!("/v1/clients/{}", tool.tool.id)).await.json()["last_refusal"].clone()
}

async fn each_proof_is_needed_and_none_may_be_another_one(engine: Engine) {
    let (_server, mut owner, mut tool) = licensed(engine).await;
    let (other, stranger) = (digest("report 1.5"), VouchingHost::new(77));
    type Change<'a> = Box<dyn Fn(&mut Asking) + 'a>;
    let set = |claim: &'static str, value: Value| -> Change<'_> { Box::new(move |asking| asking.claims[claim] = value.clone()) };
    let cases: Vec<(&str, Change<'_>)> = vec![
        ("missing", Box::new(|asking| asking.licence = None)),
        ("malformed", Box::new(|asking| asking.licence = Some(shown("{}")))),
        ("host_missing", Box::new(|asking| asking.instead = Some(String::new()))),
        ("host_malformed", Box::new(|asking| asking.instead = Some(asking.assertion.clone()))),
        ("host_signature", Box::new(|asking| asking.host = stranger.clone())),
        (
            "other_host",
            Box::new(|asking| {
                asking.host = stranger.clone();
                asking.claims["iss"] = json!(stranger.key());
            }),
        ),
        ("host_kind", set("kind", json!("tpm"))),
        ("version", set("version", json!("1.1"))),
        ("version", set("version", json!("2.0"))),
        ("executable", set("executable", json!(other))),
        ("host_replayed", set("client", json!("cli_00000000000000000000000000"))),
        ("host_malformed", set("more", json!(1))),
    ];
    let mut answers = BTreeSet::new();
    for (why, change) in cases {
        let refused = tool.asks(|asking| change(asking)).await;
        assert_oauth(&refused, 401, "invalid_client");
        answers.insert(String::from_utf8(refused.body.clone()).expect("text"));
        let told = last_refusal(&mut owner, &tool).await;
        assert_eq!((told["reason"].as_str(), told["address"].as_str()), (Some(why), Some("127.0.0.1")), "{told}");
        let twin = tool.asks(|_| {}).await;
        assert_eq!(twin.status, 200, "beside {why}: {}", twin.json());
    }
    assert_eq!(answers.len(), 1, "strangers learn nothing of which it was: {answers:?}");
    assert_eq!(tool.tool.sends(devices()).await.status, 200);
    // A key without anything beside it, which is what is stolen.
    assert_oauth(&tool.tool.clone().gets_token().await, 401, "invalid_client");
}

async fn oa_02_a37_what_a_host_signed_counts_for_one_request(engine: Engine) {
    let (server, mut owner, mut tool) = licensed(engine).await;
    let asking = tool.asking();
    let header = json!({ "typ": "sallyport-host+jwt", "alg": "ES256" });
    let overheard = asking.host.signs(&header, &asking.claims.to_string());
    assert_eq!(tool.asks(|right| *right = asking).await.status, 200);
    // With a fresh assertion of a stolen client key, the overheard words of the host are about another one.
    assert_oauth(&tool.asks(|asking| asking.instead = Some(overheard.clone())).await, 401, "invalid_client");
    assert_eq!(last_refusal(&mut owner, &tool).await["reason"], "host_replayed");
    // The very same request again: its assertion is used up.
    let again = tool.asking();
    let call = again.call();
    tool.tool.token.clear();
    assert_eq!(tool.tool.attempts(&call, |_, _| {}).await.status, 200);
    assert_oauth(&tool.tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
    // The host vouched for the key of one run: another run's key gets no token with it.
    let asking = tool.asking();
    let mut thief = tool.clone();
    thief.tool = tool.tool.another_run(&server, 55);
    assert_oauth(&thief.asks(|right| *right = asking).await, 401, "invalid_client");
    assert_eq!(last_refusal(&mut owner, &tool).await["reason"], "host_replayed");
    // A refused request used its assertion up as well.
    let mut spent = tool.asking();
    spent.claims["version"] = json!("9");
    let call = spent.call();
    tool.tool.token.clear();
    assert_oauth(&tool.tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
    let text = tool.tool.attempts(&call, |_, _| {}).await;
    assert_eq!(text.json()["error_description"], "the assertion was used before");
}

async fn a17_a_licence_of_another_tenant_or_installation_lets_nobody_in(engine: Engine) {
    let (_server, mut owner, mut tool) = licensed(engine).await;
    let (_elsewhere, _their_owner, theirs) = licensed(Engine::Sqlite).await;
    let refused = tool.asks(|asking| asking.licence = Some(shown(&theirs.file))).await;
    assert_oauth(&refused, 401, "invalid_client");
    assert_eq!(last_refusal(&mut owner, &tool).await["reason"], "not_signed");
    assert_eq!(tool.asks(|_| {}).await.status, 200);
}

async fn a_revoked_licence_ends_its_tokens_at_once(engine: Engine) {
    let (server, mut owner, mut tool) = licensed(engine).await;
    let (second, file) = issue(&server, &mut owner, &tool.tool, wanted(&tool.tool, &tool.host, SCOPES)).await;
    let mut other = LicensedTool { licence: second, file, tool: tool.tool.another_run(&server, 56), host: tool.host.clone() };
    assert_eq!((tool.asks(|_| {}).await.status, other.asks(|_| {}).await.status), (200, 200));
    assert_eq!((tool.tool.sends(devices()).await.status, other.tool.sends(devices()).await.status), (200, 200));
    let revoke = format!("/v1/licences/{}/revoke", tool.licence);
    assert_eq!(owner.client.post(&revoke, json!({})).await.status, 204);
    assert_refused(&tool.tool.sends(devices()).await, 401, "token_refused");
    assert_oauth(&tool.asks(|_| {}).await, 401, "invalid_client");
    assert_eq!(last_refusal(&mut owner, &tool).await["reason"], "revoked");
    assert_eq!(other.tool.sends(devices()).await.status, 200, "what stands on another licence goes on");
    assert_eq!(other.asks(|_| {}).await.status, 200);
    assert_refused(&owner.client.post(&revoke, json!({})).await, 404, "not_found");
    let shown = owner.client.get(&format!("/v1/licences/{}", tool.licence)).await.json();
    assert_eq!((shown["state"].as_str(), shown["revoked_by"].as_str()), (Some("revoked"), Some("Amelie Winter")));
}

async fn a_licence_ends_in_its_time_and_its_tokens_with_it(engine: Engine) {
    let (server, mut owner, mut tool) = licensed(engine).await;
    let mut short = wanted(&tool.tool, &tool.host, SCOPES);
    short["expires"] = json!(tool.tool.now().plus_secs(30 + 100));
    (tool.licence, tool.file) = issue(&server, &mut owner, &tool.tool, short).await;
    let path = format!("/v1/licences/{}", tool.licence);
    assert_eq!(owner.client.get(&path).await.json()["state"], "expiring_soon");
    server.clock.advance(80);
    let issued = tool.asks(|_| {}).await;
    assert_eq!((issued.status, issued.json()["expires_in"].as_i64()), (200, Some(20)), "a token ends with its licence");
    assert_eq!(tool.tool.sends(devices()).await.status, 200);
    server.clock.advance(21);
    assert_refused(&tool.tool.sends(devices()).await, 401, "token_refused");
    assert_oauth(&tool.asks(|_| {}).await, 401, "invalid_client");
    assert_eq!(last_refusal(&mut owner, &tool).await["reason"], "expired");
    assert_eq!(owner.client.get(&path).await.json()["state"], "expired");
}

async fn oa_01_a_token_is_never_above_licence_client_or_owner(engine: Engine) {
    let (server, mut owner, mut tool) = licensed(engine).await;
    let narrow = wanted(&tool.tool, &tool.host, &["devices.read", "jobs.read"]);
    let (licence, file) = issue(&server, &mut owner, &tool.tool, narrow).await;
    let wide = tool.clone();
    (tool.licence, tool.file) = (licence, file);
    let issued = tool.asks(|_| {}).await;
    assert_eq!(issued.json()["scope"], "devices.read jobs.read");
    assert_eq!(tool.tool.sends(devices()).await.status, 200);
    assert_refused(&tool.tool.get("/v1/scripts").await, 403, "scope_refused");
    assert_oauth(&tool.asks(|asking| "scripts.read".clone_into(&mut asking.scope)).await, 400, "invalid_scope");
    assert_eq!(tool.asks(|asking| "jobs.read".clone_into(&mut asking.scope)).await.json()["scope"], "jobs.read");
    // The wide licence gives what the client has, and no more once the client has less.
    let mut wide = LicensedTool { tool: wide.tool.another_run(&server, 57), ..wide };
    assert_eq!(wide.asks(|_| {}).await.json()["scope"], SCOPES.join(" "));
    let mut shape = owner.client.get(&format!("/v1/clients/{}", tool.tool.id)).await.json();
    let body = json!({
        "name": shape["name"].take(), "scopes": ["scripts.read"], "networks": shape["networks"].take(), "expires": shape["expires"].take(),
    });
    let changed = owner.does(&server, Call::new("PUT", &format!("/v1/clients/{}", tool.tool.id)).body(body)).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    assert_eq!(changed.json()["action"]["after"]["licence"], "needed", "what is not named stays");
    assert_refused(&wide.tool.sends(devices()).await, 403, "scope_refused");
    assert_eq!(wide.asks(|_| {}).await.json()["scope"], "scripts.read");
    assert_oauth(&tool.asks(|_| {}).await, 400, "invalid_scope");
}

async fn a_client_that_needs_a_licence_from_now_on_loses_what_it_had_without(engine: Engine) {
    let (server, mut owner, mut tool) = super::at_work(engine).await;
    assert_eq!(tool.sends(devices()).await.status, 200);
    let mut body = tool.wanted(SCOPES);
    body.as_object_mut().expect("an object").remove("key");
    body["licence"] = json!("needed");
    let changed = owner.does(&server, Call::new("PUT", &format!("/v1/clients/{}", tool.id)).body(body)).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    assert_refused(&tool.sends(devices()).await, 401, "token_refused");
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
}

async fn oa_25_no_tool_issues_revokes_or_gets_around_a_licence(engine: Engine) {
    let (server, mut owner, mut tool) = licensed(engine).await;
    assert_eq!(tool.asks(|_| {}).await.status, 200);
    let body = wanted(&tool.tool, &tool.host, SCOPES);
    let path = format!("/v1/clients/{}/licences", tool.tool.id);
    let revoke = format!("/v1/licences/{}/revoke", tool.licence);
    for call in [Call::new("POST", &path).body(body), Call::new("POST", &revoke).body(json!({})), Call::new("GET", &path)] {
        let refused = tool.tool.sends(call.clone()).await;
        assert_refused(&refused, 403, "client_refused");
    }
    assert_eq!(owner.client.get(&path).await.status, 200, "a person reads it");
    // What a licensed tool asks for waits for people, as for every tool.
    let asked =
        tool.tool.sends(Call::new("POST", "/v1/jobs").body(json!({ "script": "scr_00000000000000000000000000", "devices": [] }))).await;
    assert_ne!(asked.status, 201);
    drop(server);
}

async fn what_is_asked_for_is_checked_before_anybody_proves_it(engine: Engine) {
    let (server, mut owner, tool) = licensed(engine).await;
    let path = format!("/v1/clients/{}/licences", tool.tool.id);
    let right = wanted(&tool.tool, &tool.host, SCOPES);
    for (member, value, field) in [
        ("tool", json!(""), "tool"),
        ("publisher", json!("a\nb"), "publisher"),
        ("from", json!("one"), "from"),
        ("below", json!("1.2"), "below"),
        ("scopes", json!(["people.read"]), "scopes"),
        ("scopes", json!(["schedules.publish"]), "scopes"),
        ("executables", json!([]), "licence"),
        ("executables", json!([digest("a"), digest("a")]), "licence"),
        ("hosts", json!([]), "licence"),
        ("hosts", json!([{ "name": "a", "kind": "file", "key": "02" }]), "hosts"),
        ("hosts", json!([{ "name": "a", "kind": "file", "key": "00".repeat(33) }]), "hosts"),
        ("host_keys", json!("tpm"), "host_keys"),
        ("expires", json!("2020-01-01T00:00:00Z"), "expires"),
    ] {
        let mut body = right.clone();
        body[member] = value.clone();
        let refused = owner.client.post(&path, body).await;
        assert_refused(&refused, 422, "invalid_field");
        assert_eq!(refused.json()["field"].as_str(), Some(field), "{member} {value}");
    }
    let mut more = right.clone();
    more["more"] = json!(1);
    assert!((400..500).contains(&owner.client.post(&path, more).await.status));
    assert_eq!(owner.client.post(&path, right.clone()).await.status, 202, "the control");
    // Of a client that was stopped meanwhile nothing is issued; a request that was open is over.
    let asked = owner.client.post(&path, right.clone()).await.json();
    assert_eq!(owner.client.post(&format!("/v1/clients/{}/stop", tool.tool.id), json!({})).await.status, 204);
    assert_refused(&owner.client.post(&path, right).await, 409, "conflict");
    server.clock.advance(30);
    let code = owner.code(&server);
    let proofs = format!("/v1/authorization-requests/{}/proofs", asked["id"].as_str().expect("an id"));
    assert!(owner.client.post(&proofs, json!({ "totp": code })).await.status >= 400);
    let unknown = "/v1/clients/cli_00000000000000000000000000/licences";
    assert_refused(&owner.client.get(unknown).await, 404, "not_found");
}

async fn a_licence_is_issued_by_proof_and_told_to_the_log(engine: Engine) {
    let (_server, mut owner, mut tool) = licensed(engine).await;
    assert_eq!(tool.asks(|_| {}).await.status, 200);
    let listed = owner.client.get(&format!("/v1/clients/{}/licences", tool.tool.id)).await.json();
    let one = &listed["items"][0];
    assert_eq!((one["id"].as_str(), one["state"].as_str()), (Some(tool.licence.as_str()), Some("valid")));
    assert_eq!((one["last_host"].as_str(), one["tool"].as_str()), (Some("build-1"), Some("Patch report")));
    let entries = owner.client.get("/v1/audit?kind=licence.issued").await.json();
    let entry = &entries["items"][0];
    assert_eq!(entry["details"]["digest"], one["digest"], "{entry}");
    assert_eq!(entry["details"]["proofs"][0]["method"], "totp", "one code for one licence");
    // Refusals are summed up: one entry in an hour, whatever is tried.
    for _ in 0..3 {
        assert_oauth(&tool.asks(|asking| asking.licence = None).await, 401, "invalid_client");
    }
    let entries = owner.client.get("/v1/audit?kind=licence.refused").await.json();
    assert_eq!(entries["items"].as_array().map(Vec::len), Some(1), "{entries}");
    assert_eq!(entries["items"][0]["details"]["reason"], "missing");
}

async fn nothing_that_is_sent_for_a_licence_is_the_servers_failure(engine: Engine) {
    let (_server, _owner, mut tool) = licensed(engine).await;
    let mut largest = 0;
    for size in [0, 1, 100, limits::LICENCE_BYTES - 1, limits::LICENCE_BYTES + 1, 40_000] {
        for filler in ["A", "{", "\u{e4}"] {
            let reply = tool.asks(|asking| asking.licence = Some(filler.repeat(size))).await;
            assert!((400..500).contains(&reply.status), "{size} of {filler}: {}", reply.status);
            let reply = tool.asks(|asking| asking.instead = Some(format!("a.{}.c", "A".repeat(size)))).await;
            assert!((400..500).contains(&reply.status), "{size}: {}", reply.status);
            largest = largest.max(size);
        }
    }
    let twice = posted("/v1/oauth/token", &[("licence", "a"), ("licence", "b")]);
    assert_oauth(&tool.tool.attempts(&twice, |_, _| {}).await, 400, "invalid_request");
    assert_eq!((tool.asks(|_| {}).await.status, largest), (200, 40_000));
}
