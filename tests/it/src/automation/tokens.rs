//! The token endpoint: who gets a token, for how long, and how it ends.

use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::{ASSERTION_TYPE, Tool, posted};
use serde_json::{Value, json};

use super::{SCOPES, assert_oauth, assert_refused, at_work, begin, devices};

on_both!(
    oa_01_only_client_credentials_with_assigned_scopes_and_no_refresh_token,
    oa_02_an_assertion_counts_once_also_after_a_crash,
    oa_02_assertions_that_are_not_quite_right_are_refused,
    oa_03_the_audience_is_the_issuer_as_one_string,
    oa_04_a_token_lives_five_minutes_and_one_without_use,
    oa_04_a17_a_token_is_for_the_installation_that_gave_it,
    oa_20_a_revoked_token_is_dead_at_the_next_request_and_unknown_ones_are_no_error,
    oa_24_keys_are_those_that_were_registered,
    clients_work_from_their_networks_until_their_end,
    a_live_token_is_refused_from_outside_of_its_clients_networks,
    stopping_a_client_ends_its_tokens_and_requests_at_once,
    the_metadata_says_where_and_how,
    nothing_that_is_sent_to_the_oauth_endpoints_is_the_servers_failure,
    nothing_of_a_token_is_kept_that_could_be_used,
);

async fn oa_01_only_client_credentials_with_assigned_scopes_and_no_refresh_token(engine: Engine) {
    let (_server, _owner, mut tool) = begin(engine).await;
    let reply = tool.gets_token().await;
    let body = reply.json();
    assert_eq!((reply.status, &body["token_type"], &body["expires_in"]), (200, &json!("DPoP"), &json!(300)));
    assert_eq!(body["scope"], json!(SCOPES.join(" ")));
    assert!(body.get("refresh_token").is_none());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let refused = [(400, "unsupported_grant_type"), (401, "invalid_client")];
    // Codes are for people's programs, which have no assertion.
    for (other, (status, error)) in [
        ("password", refused[0]),
        ("refresh_token", refused[0]),
        ("urn:ietf:params:oauth:grant-type:device_code", refused[0]),
        ("authorization_code", refused[1]),
    ] {
        let assertion = tool.assertion();
        let fields = [("grant_type", other), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
        tool.token.clear();
        assert_oauth(&tool.attempts(&posted("/v1/oauth/token", &fields), |_, _| {}).await, status, error);
    }
    // A program of people is a public client: it has no key that was registered, and gets nothing without a person.
    for public in ["sallyport-cli", tool.id.clone().as_str()] {
        let fields = [("grant_type", "client_credentials"), ("client_id", public), ("scope", "devices.read")];
        assert_oauth(&tool.attempts(&posted("/v1/oauth/token", &fields), |_, _| {}).await, 401, "invalid_client");
        let secret = [("grant_type", "client_credentials"), ("client_id", public), ("client_secret", "x")];
        assert_oauth(&tool.attempts(&posted("/v1/oauth/token", &secret), |_, _| {}).await, 401, "invalid_client");
    }
    let mut scoped = async |scope: &str| {
        let assertion = tool.assertion();
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
            ("scope", scope),
        ];
        tool.attempts(&posted("/v1/oauth/token", &fields), |_, _| {}).await
    };
    assert_eq!(scoped("devices.read").await.json()["scope"], "devices.read");
    for more in ["scripts.write", "people.read", "devices.read people.write", "admin"] {
        assert_oauth(&scoped(more).await, 400, "invalid_scope");
    }
}

async fn oa_02_an_assertion_counts_once_also_after_a_crash(engine: Engine) {
    let (server, _owner, mut tool) = begin(engine).await;
    assert_eq!(tool.gets_token().await.status, 200);
    tool.token.clear();
    let call = Tool::token_call(&tool.assertion());
    assert_eq!(tool.attempts(&call, |_, _| {}).await.status, 200);
    assert_oauth(&tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
    // Eight at once, with one assertion: one token.
    let call = Tool::token_call(&tool.assertion());
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (mut tool, call) = (tool.clone(), call.clone());
        tasks.push(tokio::spawn(async move { tool.attempts(&call, |_, _| {}).await.status }));
    }
    let mut issued = 0;
    for task in tasks {
        issued += usize::from(task.await.expect("no panic") == 200);
    }
    assert_eq!(issued, 1);
    let server = if engine == Engine::Sqlite { server.after_a_crash().await } else { server.restart().await };
    tool.wire = tool.wire.at(&server);
    assert_oauth(&tool.attempts(&call, |_, _| {}).await, 400, "use_dpop_nonce");
    assert_oauth(&tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
    assert_eq!(tool.gets_token().await.status, 200, "another assertion is fine");
}

async fn oa_02_assertions_that_are_not_quite_right_are_refused(engine: Engine) {
    let (_server, _owner, mut tool) = begin(engine).await;
    assert_eq!(tool.gets_token().await.status, 200);
    tool.token.clear();
    let now = tool.assertion_parts().1["iat"].as_i64().expect("a time");
    let claims = [
        ("iss", json!("cli_00000000000000000000000000")),
        ("sub", json!("cli_00000000000000000000000000")),
        ("sub", json!("usr_00000000000000000000000000")),
        ("aud", json!(null)),
        ("jti", json!(null)),
        ("exp", json!(null)),
        ("exp", json!(now)),
        ("exp", json!(now + 3600)),
        ("iat", json!(now + 61)),
        ("nbf", json!(now + 61)),
    ];
    for (claim, value) in claims {
        let mut parts = tool.assertion_parts();
        parts.1[claim] = value.clone();
        let call = Tool::token_call(&tool.assert(&parts));
        assert_oauth(&tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
    }
    let stranger = tool.with_key(99).assertion();
    for assertion in [stranger.as_str(), "", "a.b.c", "not a jwt"] {
        assert_oauth(&tool.attempts(&Tool::token_call(assertion), |_, _| {}).await, 401, "invalid_client");
    }
    let twice = format!("{}&grant_type=client_credentials", sallyport_testkit::tool::form(&[("grant_type", "client_credentials")]));
    let call = Call::new("POST", "/v1/oauth/token").raw(twice).header("content-type", "application/x-www-form-urlencoded");
    assert_oauth(&tool.attempts(&call, |_, _| {}).await, 400, "invalid_request");
    let as_json = Call::new("POST", "/v1/oauth/token").body(json!({ "grant_type": "client_credentials" }));
    assert_oauth(&tool.attempts(&as_json, |_, _| {}).await, 400, "invalid_request");
}

async fn oa_03_the_audience_is_the_issuer_as_one_string(engine: Engine) {
    let (server, _owner, mut tool) = begin(engine).await;
    assert_eq!(tool.gets_token().await.status, 200, "the control");
    tool.token.clear();
    let origin = server.app.config.origin().to_owned();
    for aud in [
        json!(format!("{origin}/v1/oauth/token")),
        json!([origin]),
        json!([origin, "https://other.example"]),
        json!(format!("{origin}/")),
        json!("https://other.example"),
    ] {
        let mut parts = tool.assertion_parts();
        parts.1["aud"] = aud.clone();
        let call = Tool::token_call(&tool.assert(&parts));
        assert_oauth(&tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
    }
    for typ in [json!("JWT"), json!("dpop+jwt"), json!("at+jwt"), Value::Null] {
        let mut parts = tool.assertion_parts();
        parts.0["typ"] = typ;
        let call = Tool::token_call(&tool.assert(&parts));
        assert_oauth(&tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
    }
}

async fn oa_04_a_token_lives_five_minutes_and_one_without_use(engine: Engine) {
    let (server, _owner, mut tool) = at_work(engine).await;
    for _ in 0..5 {
        server.clock.advance(55);
        assert_eq!(tool.get("/v1/devices").await.status, 200, "it is used");
    }
    server.clock.advance(24);
    assert_eq!(tool.get("/v1/devices").await.status, 200, "299 seconds");
    server.clock.advance(1);
    assert_refused(&tool.get("/v1/devices").await, 401, "token_refused");
    assert_eq!(tool.gets_token().await.status, 200);
    server.clock.advance(60);
    let closed = tool.get("/v1/devices").await;
    assert_refused(&closed, 401, "token_refused");
    assert!(closed.header("www-authenticate").is_some_and(|value| value.contains("invalid_token")));
}

/// Everything about the two is alike but whose they are: origin, client's key, key of the run.
async fn oa_04_a17_a_token_is_for_the_installation_that_gave_it(engine: Engine) {
    let (_server, _owner, mut tool) = at_work(engine).await;
    let (_elsewhere, _their_owner, mut theirs) = at_work(engine).await;
    assert_eq!((tool.sends(devices()).await.status, theirs.sends(devices()).await.status), (200, 200), "the control");
    let mut mixed = tool.clone();
    mixed.token.clone_from(&theirs.token);
    assert_refused(&mixed.sends(devices()).await, 401, "token_refused");
    // Nor is what one's client signs for it an assertion here: the client is another one.
    let assertion = theirs.assertion();
    mixed.token.clear();
    assert_oauth(&mixed.attempts(&Tool::token_call(&assertion), |_, _| {}).await, 401, "invalid_client");
    assert_eq!(tool.sends(devices()).await.status, 200);
}

async fn oa_20_a_revoked_token_is_dead_at_the_next_request_and_unknown_ones_are_no_error(engine: Engine) {
    let (server, mut owner, mut tool) = at_work(engine).await;
    assert_eq!(tool.get("/v1/devices").await.status, 200);
    let mut other = Tool::made(&server, &mut owner, 22, SCOPES).await;
    assert_eq!(tool.gets_token().await.status, 200);
    assert_eq!(other.revokes(&tool.token).await.status, 200, "of another client");
    assert_eq!(tool.get("/v1/devices").await.status, 200, "nobody ends the token of another one");
    for unknown in ["", "x", &"A".repeat(43)] {
        assert_eq!(tool.revokes(unknown).await.status, 200);
    }
    let assertion = tool.with_key(99).assertion();
    let fields = [("token", tool.token.as_str()), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
    assert_oauth(&tool.wire.send_with(&posted("/v1/oauth/revoke", &fields), None).await, 401, "invalid_client");
    assert_eq!(tool.get("/v1/devices").await.status, 200);
    assert_eq!(tool.revokes(&tool.token).await.status, 200);
    assert_refused(&tool.get("/v1/devices").await, 401, "token_refused");
    assert_eq!(tool.revokes(&tool.token).await.status, 200, "once more");
    assert_eq!(other.gets_token().await.status, 200);
}

async fn oa_24_keys_are_those_that_were_registered(engine: Engine) {
    let (_server, mut owner, mut tool) = begin(engine).await;
    assert_eq!(tool.gets_token().await.status, 200, "the control");
    tool.token.clear();
    let thief = tool.with_key(99);
    for (member, value) in [
        ("jwk", thief.jwk()),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["AA"])),
        ("crit", json!(["b64"])),
    ] {
        for signer in [&tool, &thief] {
            let mut parts = tool.assertion_parts();
            parts.0[member] = value.clone();
            let call = Tool::token_call(&signer.assert(&parts));
            assert_oauth(&tool.clone().attempts(&call, |_, _| {}).await, 401, "invalid_client");
        }
    }
    for alg in ["none", "HS256", "RS256", "ES256", "PS256"] {
        let mut parts = tool.assertion_parts();
        parts.0["alg"] = json!(alg);
        let signed = tool.assert(&parts);
        let unsigned = format!("{}.", signed.rsplit_once('.').expect("a signature").0);
        for assertion in [signed, unsigned] {
            assert_oauth(&tool.attempts(&Tool::token_call(&assertion), |_, _| {}).await, 401, "invalid_client");
        }
    }
    for key in [json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }), json!({ "kty": "oct", "crv": "", "x": "AA" })] {
        let mut wanted = tool.wanted(SCOPES);
        wanted["key"] = key;
        assert!(matches!(owner.client.post("/v1/clients", wanted).await.status, 400 | 422));
    }
}

async fn clients_work_from_their_networks_until_their_end(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut tool = Tool::new(&server, 21);
    for (field, wrong) in [
        ("networks", json!([])),
        ("networks", json!(["0.0.0.0/0"])),
        ("networks", json!(["everywhere"])),
        ("expires", json!("2020-01-01T00:00:00Z")),
        ("expires", json!("2099-01-01T00:00:00Z")),
        ("scopes", json!([])),
        ("scopes", json!(["people.write"])),
        ("name", json!("")),
    ] {
        let mut wanted = tool.wanted(SCOPES);
        wanted[field] = wrong.clone();
        let reply = owner.client.post("/v1/clients", wanted).await;
        assert_eq!((reply.status, reply.json()["field"].as_str()), (422, Some(field)), "{wrong}: {}", reply.json());
    }
    let mut wanted = tool.wanted(SCOPES);
    wanted["networks"] = json!(["192.0.2.0/24"]);
    let made = owner.does(&server, Call::new("POST", "/v1/clients").body(wanted)).await;
    made.json()["action"]["client"].as_str().expect("an id").clone_into(&mut tool.id);
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    let path = format!("/v1/clients/{}", tool.id);
    let mut shape = tool.wanted(SCOPES);
    shape.as_object_mut().expect("an object").remove("key");
    let changed = owner.does(&server, Call::new("PUT", &path).body(shape.clone())).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    assert_eq!(tool.gets_token().await.status, 200, "from its network");
    shape["networks"] = json!(["192.0.2.0/24"]);
    assert_eq!(owner.does(&server, Call::new("PUT", &path).body(shape.clone())).await.status, 200);
    assert_eq!(tool.gets_token().await.status, 401);
    shape["networks"] = json!(["127.0.0.0/8"]);
    shape["rotation"] = json!("by_hand");
    assert_eq!(owner.does(&server, Call::new("PUT", &path).body(shape)).await.status, 200);
    server.clock.advance(31 * 86_400);
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
}

async fn a_live_token_is_refused_from_outside_of_its_clients_networks(engine: Engine) {
    let (server, mut owner, mut tool) = begin(engine).await;
    let mut shape = tool.wanted(SCOPES);
    shape.as_object_mut().expect("an object").remove("key");
    for (inside, outside) in [("127.0.0.0/8", "192.0.2.0/24"), ("127.0.0.1/32", "127.0.0.2/31")] {
        let mut works_from = async |id: &str, network: &str| {
            shape["networks"] = json!([network]);
            let changed = owner.does(&server, Call::new("PUT", &format!("/v1/clients/{id}")).body(shape.clone())).await;
            assert_eq!(changed.status, 200, "{}", changed.json());
        };
        works_from(&tool.id, inside).await;
        assert_eq!(tool.gets_token().await.status, 200);
        assert_eq!(tool.sends(devices()).await.status, 200, "the control: {inside}");
        works_from(&tool.id, outside).await;
        // The very token: it was got inside, and it lives.
        assert_refused(&tool.sends(devices()).await, 403, "network_refused");
    }
}

async fn stopping_a_client_ends_its_tokens_and_requests_at_once(engine: Engine) {
    let (server, mut owner, mut tool) = at_work(engine).await;
    assert_eq!(tool.get("/v1/devices").await.status, 200);
    let path = format!("/v1/clients/{}", tool.id);
    assert_eq!(owner.client.get(&path).await.json()["state"], "active");
    assert_eq!(owner.client.post(&format!("{path}/stop"), json!({})).await.status, 204);
    assert_refused(&tool.get("/v1/devices").await, 401, "token_refused");
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    let shown = owner.client.get(&path).await.json();
    assert_eq!((&shown["state"], &shown["stopped_why"]), (&json!("stopped"), &json!("by_person")));
    assert_eq!(owner.client.post(&format!("{path}/stop"), json!({})).await.status, 404, "once");
    let mut shape = tool.wanted(SCOPES);
    shape.as_object_mut().expect("an object").remove("key");
    assert_eq!(owner.client.send(Call::new("PUT", &path).body(shape)).await.status, 409, "for good");
    drop(server);
}

async fn the_metadata_says_where_and_how(engine: Engine) {
    let (server, _owner, tool) = begin(engine).await;
    let reply = tool.wire.send_with(&Call::new("GET", "/.well-known/oauth-authorization-server"), None).await;
    let (body, origin) = (reply.json(), server.app.config.origin().to_owned());
    assert_eq!((reply.status, &body["issuer"]), (200, &json!(origin)));
    assert_eq!(body["token_endpoint"], json!(format!("{origin}/v1/oauth/token")));
    assert_eq!(body["token_endpoint_auth_methods_supported"], json!(["private_key_jwt", "none"]));
    assert_eq!(body["grant_types_supported"], json!(["client_credentials", "authorization_code"]));
    assert_eq!(body["authorization_endpoint"], json!(format!("{origin}/authorize")));
    let scopes: Vec<_> = body["scopes_supported"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(scopes.contains(&"devices.read") && !scopes.iter().any(|word| word.starts_with("people.")), "{scopes:?}");
}

async fn nothing_of_a_token_is_kept_that_could_be_used(engine: Engine) {
    let (server, _owner, mut tool) = at_work(engine).await;
    assert_eq!(tool.sends(devices()).await.status, 200);
    let kept = server.bytes_at_rest();
    let found = |needle: &[u8]| kept.windows(needle.len()).any(|window| window == needle);
    assert!(!found(tool.token.as_bytes()), "the token");
    assert!(found(tool.jwk()["x"].as_str().expect("a key").as_bytes()), "the control: its public key is there");
}

async fn nothing_that_is_sent_to_the_oauth_endpoints_is_the_servers_failure(engine: Engine) {
    let (_server, _owner, mut tool) = begin(engine).await;
    assert_eq!(tool.gets_token().await.status, 200, "the control");
    tool.token.clear();
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{}".to_vec(),
        b"grant_type".to_vec(),
        b"grant_type=client_credentials&grant_type=client_credentials".to_vec(),
        b"grant_type=client_credentials&client_assertion=%zz".to_vec(),
        b"grant_type=client_credentials&client_assertion=%00".to_vec(),
        b"\xff\xfe=\x00".to_vec(),
        vec![b'&'; 60_000],
        [b"token=".to_vec(), vec![b'a'; 60_000]].concat(),
        [b"next_key=".to_vec(), b"%5B".repeat(10_000), b"&next_assertion=a".to_vec()].concat(),
    ];
    for path in ["/v1/oauth/token", "/v1/oauth/revoke", "/v1/oauth/keys"] {
        for body in &bodies {
            for kind in ["application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x"] {
                let call = Call::new("POST", path).raw(body.clone()).header("content-type", kind);
                let reply = tool.attempts(&call, |_, _| {}).await;
                assert!((400..500).contains(&reply.status), "{path} {}: {}", body.len(), reply.status);
                assert!(reply.json()["error"].is_string(), "{path}: {}", String::from_utf8_lossy(&reply.body));
            }
        }
        let big = Call::new("POST", path).raw(vec![b'a'; 300 * 1024]).header("content-type", "application/x-www-form-urlencoded");
        assert_refused(&tool.attempts(&big, |_, _| {}).await, 413, "body_too_large");
        assert_refused(&tool.attempts(&Call::new("GET", path), |_, _| {}).await, 405, "method_not_allowed");
        let foreign = posted(path, &[("a", "b")]).header("origin", "https://evil.example");
        assert_refused(&tool.attempts(&foreign, |_, _| {}).await, 403, "origin_refused");
    }
}
