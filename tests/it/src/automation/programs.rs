//! Programs that sign in as a person: let in by a browser, bound to their own key, over with the person's session, factor or account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::sha256;
use sallyport_model::limits;
use sallyport_server::clock::Clock as _;
use sallyport_store::ops::automation::ForgetTokens;
use sallyport_store::values;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::{Tool, posted};
use serde_json::{Value, json};

use super::{assert_oauth, assert_refused, at_work};

on_both!(
    oa_23_a_program_is_let_in_with_a_key_of_its_own,
    oa_23_a_code_that_is_used_twice_ends_what_it_gave,
    oa_23_a_code_is_burnt_by_whoever_shows_it_wrongly,
    codes_are_forgotten_once_no_session_can_stand_on_them,
    step_01_step_04_letting_a_program_in_wants_a_fresh_and_strong_enough_proof,
    step_01_an_old_sign_in_is_challenged_before_something_guarded,
    a_program_is_over_with_its_persons_session_rights_and_factor,
);

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const REDIRECT: &str = "http://127.0.0.1:43210/callback";
const STATE: &str = "0123456789abcdef";

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(&[text.as_bytes()]).as_bytes())
}

/// The command line, up to the page that it opens.
fn program(server: &TestServer, seed: u8) -> Tool {
    Tool::new(server, seed)
}

/// What the page answers for it.
fn asks(tool: &Tool) -> Value {
    let jwk = tool.wire.jwk();
    let thumbprint = hash(&format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]));
    json!({
        "answer": "yes", "client_id": "sallyport-cli", "response_type": "code", "redirect_uri": REDIRECT, "code_challenge": hash(VERIFIER),
        "code_challenge_method": "S256", "dpop_jkt": thumbprint, "state": STATE, "name": "sallyport on desk-1",
    })
}

async fn answers(browser: &mut Client, tool: &Tool) -> Reply {
    browser.post("/v1/me/programs", asks(tool)).await
}

/// The code that the browser takes to the program.
fn code(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.json());
    let redirect = reply.json()["redirect"].as_str().expect("an address").to_owned();
    let query = redirect.strip_prefix(&format!("{REDIRECT}?code=")).unwrap_or_else(|| panic!("{redirect}"));
    let (code, rest) = query.split_once('&').expect("more");
    assert!(rest.starts_with(&format!("state={STATE}&iss=http%3A%2F%2F")), "RFC 9207: {rest}");
    code.to_owned()
}

fn redeem(code: &str, (verifier, redirect): (&str, &str)) -> Call {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "sallyport-cli"),
        ("code", code),
        ("code_verifier", verifier),
        ("redirect_uri", redirect),
    ];
    posted("/v1/oauth/token", &fields)
}

async fn redeems(tool: &mut Tool, code: &str) -> Reply {
    tool.token.clear();
    tool.wire.get("/v1/nonce").await.header("dpop-nonce").expect("a nonce").clone_into(&mut tool.nonce);
    let reply = tool.attempts(&redeem(code, (VERIFIER, REDIRECT)), |_, _| {}).await;
    if reply.status == 200 {
        reply.json()["access_token"].as_str().expect("a token").clone_into(&mut tool.token);
    }
    reply
}

/// A code for a program that has this key.
pub(super) async fn gets_code(server: &TestServer, browser: &mut Client, seed: u8) -> String {
    code(&answers(browser, &program(server, seed)).await)
}

/// What a program shows at the token endpoint for its code.
pub(super) fn shows_code(code: &str) -> Call {
    redeem(code, (VERIFIER, REDIRECT))
}

/// A program that was let in.
pub(crate) async fn let_in(server: &TestServer, browser: &mut Client, seed: u8) -> Tool {
    let mut tool = program(server, seed);
    let code = code(&answers(browser, &tool).await);
    let reply = redeems(&mut tool, &code).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    tool
}

async fn begin(engine: Engine) -> (TestServer, Owner) {
    let server = TestServer::start_on(engine).await;
    let owner = Owner::set_up(&server).await;
    (server, owner)
}

async fn oa_23_a_program_is_let_in_with_a_key_of_its_own(engine: Engine) {
    let (server, mut owner) = begin(engine).await;
    let mut tool = program(&server, 31);
    let code = code(&answers(&mut owner.client, &tool).await);
    let reply = redeems(&mut tool, &code).await;
    let issued = reply.json();
    assert_eq!((reply.status, &issued["token_type"], &issued["acr"]), (200, &json!("DPoP"), &json!("urn:sallyport:acr:mfa")), "{issued}");
    assert_eq!(issued["amr"], json!(["pwd", "otp", "mfa"]), "step_04: as it was proved in the browser");
    assert!(issued["auth_time"].is_i64() && issued.get("refresh_token").is_none(), "{issued}");
    let me = tool.get("/v1/me").await;
    assert_eq!((me.status, &me.json()["session"]["program"]), (200, &json!("sallyport on desk-1")), "{}", me.json());
    assert!(me.json()["step_up_until"].is_null(), "the browser's window is the browser's");
    // The person sees it as what it is.
    let sessions = owner.client.get("/v1/me/sessions").await.json();
    let programs: Vec<&Value> = sessions["items"].as_array().expect("a list").iter().filter(|one| !one["program"].is_null()).collect();
    assert_eq!(programs.len(), 1, "{sessions}");
    // It is nothing as a cookie, as a bearer, or with another key.
    let mut thief = Client::new(&server, 32);
    thief.cookie = Some(tool.token.clone());
    assert_refused(&thief.get("/v1/me").await, 401, "not_signed_in");
    let bearer = Call::new("GET", "/v1/me").header("authorization", &format!("Bearer {}", tool.token));
    assert_refused(&tool.sends(bearer).await, 401, "token_refused");
    let mut copied = tool.another_run(&server, 33);
    copied.token.clone_from(&tool.token);
    assert_refused(&copied.get("/v1/me").await, 401, "token_refused");
    // And a browser's cookie is no token.
    let mut cookie = program(&server, 1);
    cookie.token = owner.client.cookie.clone().expect("a cookie");
    assert_refused(&cookie.get("/v1/me").await, 401, "token_refused");
    // Nobody else is let in by it, and no tool lets anybody in.
    let other = program(&server, 34);
    assert_refused(&tool.sends(Call::new("POST", "/v1/me/programs").body(asks(&other))).await, 403, "session_restricted");
}

async fn oa_23_a_code_that_is_used_twice_ends_what_it_gave(engine: Engine) {
    let (server, mut owner) = begin(engine).await;
    let mut tool = program(&server, 31);
    let code = code(&answers(&mut owner.client, &tool).await);
    assert_eq!(redeems(&mut tool, &code).await.status, 200);
    assert_eq!(tool.get("/v1/me").await.status, 200);
    let mut thief = program(&server, 32);
    assert_oauth(&redeems(&mut thief, &code).await, 400, "invalid_grant");
    assert_refused(&tool.get("/v1/me").await, 401, "token_refused");
    // Once more changes nothing, and the log is told once.
    assert_oauth(&redeems(&mut thief, &code).await, 400, "invalid_grant");
    let entries = owner.client.get("/v1/audit?limit=20").await.json();
    let told = entries["items"].as_array().expect("entries").iter().filter(|entry| entry["kind"] == "program.code_reused").count();
    assert_eq!(told, 1, "{entries}");
    assert_eq!(owner.client.get("/v1/me").await.status, 200, "the browser's session is not the program's");
}

async fn oa_23_a_code_is_burnt_by_whoever_shows_it_wrongly(engine: Engine) {
    let (server, mut owner) = begin(engine).await;
    let wrong = [("A".repeat(43), REDIRECT), (VERIFIER.to_owned(), "http://127.0.0.1:43211/callback")];
    for (verifier, redirect) in wrong {
        let mut tool = program(&server, 31);
        let code = code(&answers(&mut owner.client, &tool).await);
        tool.wire.get("/v1/nonce").await.header("dpop-nonce").expect("a nonce").clone_into(&mut tool.nonce);
        assert_oauth(&tool.attempts(&redeem(&code, (&verifier, redirect)), |_, _| {}).await, 400, "invalid_grant");
        assert_oauth(&redeems(&mut tool, &code).await, 400, "invalid_grant");
    }
    // Another key than the one that the page named; and one that came too late.
    let tool = program(&server, 31);
    let copied = code(&answers(&mut owner.client, &tool).await);
    assert_oauth(&redeems(&mut program(&server, 32), &copied).await, 400, "invalid_grant");
    let mut late = program(&server, 33);
    let old = code(&answers(&mut owner.client, &late).await);
    server.clock.advance(60);
    assert_oauth(&redeems(&mut late, &old).await, 400, "invalid_grant");
    // Where the browser's session ended meanwhile, its yes is worth nothing.
    let mut tool = program(&server, 35);
    let mut browser = Client::new(&server, 36);
    assert_eq!(owner.sign_in(&mut browser, &owner.code(&server)).await.status, 200);
    let orphan = code(&answers(&mut browser, &tool).await);
    assert_eq!(browser.post("/v1/sign-out", json!({})).await.status, 204);
    assert_oauth(&redeems(&mut tool, &orphan).await, 400, "invalid_grant");
    let sessions = owner.client.get("/v1/me/sessions").await.json();
    assert!(sessions["items"].as_array().is_some_and(|list| list.iter().all(|one| one["program"].is_null())), "{sessions}");
}

async fn codes_are_forgotten_once_no_session_can_stand_on_them(engine: Engine) {
    let (server, mut owner) = begin(engine).await;
    let mut tool = program(&server, 31);
    let used = code(&answers(&mut owner.client, &tool).await);
    assert_eq!(redeems(&mut tool, &used).await.status, 200);
    code(&answers(&mut owner.client, &program(&server, 32)).await);
    let issued = server.clock.now();
    let store = &server.app.store;
    for (secs, left) in [(0, 2), (limits::SESSION_LIFETIME_RANGE_SECS.1, 2), (limits::PROGRAM_CODE_KEPT_SECS, 0)] {
        store.reserve(ForgetTokens { at: issued.plus_secs(secs) }).await.expect("tidied");
        let row = store.read().await.expect("a reader").fetch_one("SELECT COUNT(*) AS n FROM program_codes", values![]).await;
        assert_eq!(row.expect("a count").uint("n").expect("a number"), left, "after {secs} seconds");
    }
}

async fn step_01_step_04_letting_a_program_in_wants_a_fresh_and_strong_enough_proof(engine: Engine) {
    let (server, mut owner) = begin(engine).await;
    let tool = program(&server, 31);
    server.clock.advance(5 * 60);
    let old = answers(&mut owner.client, &tool).await;
    assert_refused(&old, 401, "insufficient_user_authentication");
    let challenge = old.header("www-authenticate").expect("a challenge").to_owned();
    let all = "urn:sallyport:acr:mfa urn:sallyport:acr:phr urn:sallyport:acr:phr-hw";
    assert_eq!(challenge, format!(r#"DPoP error="insufficient_user_authentication", acr_values="{all}", max_age="300", algs="ES256""#));
    // No needs no proof, and tells the program.
    let mut no = asks(&tool);
    no["answer"] = json!("no");
    let said = owner.client.post("/v1/me/programs", no).await;
    let expected = format!("{REDIRECT}?error=access_denied&state={STATE}&iss=http%3A%2F%2Flocalhost%3A8800");
    assert_eq!((said.status, &said.json()["redirect"]), (200, &json!(expected)));
    let proof = json!({ "proof": { "totp": owner.code(&server) } });
    assert_eq!(owner.client.post("/v1/me/elevate", proof).await.status, 200);
    code(&answers(&mut owner.client, &tool).await);
    // A program that asks for more than an authenticator can give does not get it, however fresh.
    let mut more = asks(&tool);
    more["acr_values"] = json!("urn:sallyport:acr:phr");
    let refused = owner.client.post("/v1/me/programs", more).await;
    assert_refused(&refused, 401, "insufficient_user_authentication");
    assert!(refused.header("www-authenticate").is_some_and(|text| !text.contains(":mfa")), "{refused:?}");
    for (field, value) in
        [("redirect_uri", "https://evil.example/callback"), ("code_challenge_method", "plain"), ("response_type", "token")]
    {
        let mut bent = asks(&tool);
        bent[field] = json!(value);
        assert_refused(&owner.client.post("/v1/me/programs", bent).await, 422, "invalid_field");
    }
}

/// Keeps a session alive through so many hours.
async fn hours(server: &TestServer, tool: &mut Tool, browser: &mut Client, count: i64) {
    for _ in 0..count * 2 {
        server.clock.advance(30 * 60);
        assert_eq!(tool.get("/v1/me").await.status, 200);
        assert_eq!(browser.get("/v1/me").await.status, 200);
    }
}

async fn step_01_an_old_sign_in_is_challenged_before_something_guarded(engine: Engine) {
    let (server, mut owner) = begin(engine).await;
    let mut tool = let_in(&server, &mut owner.client, 31).await;
    let site = owner.client.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
    let installer = || {
        Call::new("POST", "/v1/installers")
            .body(json!({ "label": "L", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 3600 }))
    };
    assert_eq!(tool.sends(installer()).await.status, 202, "young enough: the request itself waits for a proof");
    hours(&server, &mut tool, &mut owner.client, 4).await;
    let refused = tool.sends(installer()).await;
    assert_refused(&refused, 401, "insufficient_user_authentication");
    assert!(refused.header("www-authenticate").is_some_and(|text| text.contains(r#"max_age="14400""#)), "{refused:?}");
    assert_eq!(tool.get("/v1/devices").await.status, 200, "reading needs no more than the session");
    assert_eq!(owner.client.send(installer()).await.status, 202, "a browser is asked for the proof itself");
    // A fresh proof in the program's own session, which goes on under another token.
    let former = tool.token.clone();
    let proof = json!({ "proof": { "totp": owner.code(&server) } });
    let proved = tool.sends(Call::new("POST", "/v1/me/elevate").body(proof)).await;
    assert_eq!((proved.status, proved.header("set-cookie")), (200, None), "{}", proved.json());
    proved.header("sallyport-token").expect("another token").clone_into(&mut tool.token);
    assert_ne!(tool.token, former);
    assert_eq!(tool.sends(installer()).await.status, 202);
    let mut old = tool.clone();
    old.token = former;
    assert_refused(&old.get("/v1/me").await, 401, "token_refused");
}

async fn a_program_is_over_with_its_persons_session_rights_and_factor(engine: Engine) {
    let (server, mut owner) = begin(engine).await;
    let role = |word: &str| json!([{ "role": word, "scope": "tenant" }]);
    let mut tara = owner.colleague(&server, 40, "tara@nordwind.example", role("technician")).await;
    // The profile page ends it.
    let mut tool = let_in(&server, &mut tara.client, 41).await;
    let id = tool.get("/v1/me").await.json()["session"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(tara.client.send(Call::new("DELETE", &format!("/v1/me/sessions/{id}"))).await.status, 204);
    assert_refused(&tool.get("/v1/me").await, 401, "token_refused");
    // It may what she may at that moment.
    let mut tool = let_in(&server, &mut tara.client, 42).await;
    let script = json!({ "name": "N", "description": "", "interpreter": "sh", "text": "true", "parameters": [] });
    assert_eq!(tool.sends(Call::new("POST", "/v1/scripts").body(script.clone())).await.status, 201);
    let path = format!("/v1/users/{}/assignments", tara.id);
    let demoted = owner.does(&server, Call::new("POST", &path).body(json!({ "assignments": role("auditor") }))).await;
    assert_eq!(demoted.status, 200, "{}", demoted.json());
    assert_refused(&tool.sends(Call::new("POST", "/v1/scripts").body(script)).await, 403, "role_refused");
    // And with her factor it ends.
    let mut browser = Client::new(&server, 43);
    server.clock.advance(30);
    assert_eq!(tara.sign_in(&mut browser, &server).await.status, 200);
    let mut tool = let_in(&server, &mut browser, 44).await;
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "by_call" }));
    let done = owner.does(&server, reset).await;
    assert_eq!(done.status, 200, "{}", done.json());
    assert_refused(&tool.get("/v1/me").await, 401, "token_refused");
}

#[tokio::test]
async fn a18_oa_22_where_no_tenant_allows_it_there_is_no_device_grant_to_phish_with() {
    let (server, _, mut tool) = at_work(Engine::Sqlite).await;
    let said = Client::new(&server, 60).get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(said["grant_types_supported"], json!(["client_credentials", "authorization_code"]));
    assert_eq!(said["code_challenge_methods_supported"], json!(["S256"]), "OA-23");
    assert!(said.get("device_authorization_endpoint").is_none(), "{said}");
    tool.token.clear();
    for grant in ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token", "password", "implicit"] {
        let fields = [("grant_type", grant), ("client_id", "sallyport-cli"), ("device_code", "x"), ("refresh_token", "x")];
        assert_oauth(&tool.attempts(&posted("/v1/oauth/token", &fields), |_, _| {}).await, 400, "unsupported_grant_type");
    }
    let asked = tool.attempts(&posted("/v1/oauth/device", &[("client_id", "sallyport-cli")]), |_, _| {}).await;
    assert_oauth(&asked, 400, "unauthorized_client");
    for path in ["/v1/oauth/device_authorization", "/device_authorization"] {
        let reply = tool.attempts(&posted(path, &[("client_id", "sallyport-cli")]), |_, _| {}).await;
        assert!(matches!(reply.status, 404 | 405), "{path}: {reply:?}");
    }
}
