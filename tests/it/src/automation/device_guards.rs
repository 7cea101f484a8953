//! What stands between a code that somebody was talked into typing and the fleet (Storm-2372).

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::EMAIL;
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::server::Engine;
use sallyport_testkit::tool::{Tool, posted};
use serde_json::{Value, json};

use super::device_codes::{GRANT, Place, THERE, asks, polls, word};
use super::programs::let_in;
use super::{assert_oauth, assert_refused};

on_both!(
    a18_oa_22_off_by_default_and_off_again_at_once,
    oa_22_a_yes_takes_a_passkey_over_exactly_what_was_shown,
    a18_oa_22_a_program_elsewhere_is_let_in_by_nobody,
    a18_oa_22_a_session_by_device_code_asks_and_proves_nothing,
    oa_22_nobody_answers_but_a_whole_session_of_a_browser,
);

async fn a18_oa_22_off_by_default_and_off_again_at_once(engine: Engine) {
    let mut place = Place::new(engine).await;
    assert_eq!(place.owner.client.get("/v1/policy").await.json()["mfa"]["device_codes"], "no");
    let mut tool = Tool::new(&place.server, 31);
    let mut approved_before: Option<String> = None;
    for _ in 0..2 {
        let said = tool.wire.get("/.well-known/oauth-authorization-server").await.json();
        assert_eq!(said["grant_types_supported"], json!(["client_credentials", "authorization_code"]));
        assert!(said.get("device_authorization_endpoint").is_none(), "{said}");
        assert_oauth(&asks(&mut tool, None).await, 400, "unauthorized_client");
        assert_oauth(&polls(&mut tool, &"A".repeat(43), None).await, 400, "unsupported_grant_type");
        let refused = place.look("BCDF-GHJK").await;
        assert_refused(&refused, 403, "device_code_refused");
        assert!(word(&refused.json(), "detail").contains("does not let programs in by a code"));
        // On, and off again: what waits and what was approved are worth nothing.
        place.switch("yes").await;
        let said = tool.wire.get("/.well-known/oauth-authorization-server").await.json();
        let endpoint = format!("{}/v1/oauth/device", place.server.app.config.origin());
        assert_eq!(
            (&said["device_authorization_endpoint"], &said["grant_types_supported"][2]),
            (&json!(endpoint), &json!(GRANT)),
            "{said}"
        );
        if let Some(code) = &approved_before {
            assert_oauth(&polls(&mut tool, code, None).await, 400, "access_denied");
        }
        let [waits, approved] = [asks(&mut tool, None).await.json(), asks(&mut tool, None).await.json()];
        assert_eq!(place.allow(word(&approved, "user_code")).await.status, 204);
        place.switch("no").await;
        assert_refused(&place.look(word(&waits, "user_code")).await, 403, "device_code_refused");
        assert_oauth(&polls(&mut tool, word(&approved, "device_code"), None).await, 400, "unsupported_grant_type");
        approved_before = Some(word(&approved, "device_code").to_owned());
    }
    assert!(approved_before.is_some());
    let told = place.owner.client.get("/v1/audit?limit=50").await.json();
    let summary = |text: &str| told["items"].as_array().expect("entries").iter().any(|entry| entry.to_string().contains(text));
    assert!(summary("let programs in by device codes"), "what is switched on is said: {told}");
}

async fn answers(place: &mut Place, body: Value) -> Reply {
    place.owner.client.post("/v1/me/device-codes/answer", body).await
}

async fn oa_22_a_yes_takes_a_passkey_over_exactly_what_was_shown(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let (mut tool, mut other) = (Tool::new(&place.server, 31), Tool::new(&place.server, 32));
    let asked = asks(&mut tool, None).await.json();
    let code = word(&asked, "user_code").to_owned();
    let shown = place.look(&code).await.json();
    assert_eq!(
        (&shown["name"], &shown["address"], &shown["user_agent"]),
        (&json!("sallyport on jump-1"), &json!("127.0.0.1"), &json!("sallyport-cli/9")),
        "{shown}"
    );
    assert_eq!(shown["proof"]["options"]["userVerification"], "required");
    // No code of an authenticator, whatever it is called, and no yes without anything.
    place.server.clock.advance(30);
    let totp = place.owner.code(&place.server);
    assert_refused(&answers(&mut place, json!({ "user_code": code, "answer": "yes" })).await, 403, "passkey_required");
    let refused = answers(&mut place, json!({ "user_code": code, "answer": "yes", "totp": totp })).await;
    assert!([400, 422].contains(&refused.status), "{}", refused.json());
    // No answer to another challenge: of another program, of another purpose, of another person.
    let next = asks(&mut other, None).await.json();
    let others = place.look(word(&next, "user_code")).await.json();
    let elevate = place.owner.client.post("/v1/me/challenges", json!({ "purpose": "elevate" })).await.json();
    for options in [&others["proof"]["options"], &elevate["options"]] {
        let credential = place.key.get(options).await;
        let refused = answers(&mut place, json!({ "user_code": code, "answer": "yes", "credential": credential })).await;
        assert_refused(&refused, 422, "passkey_refused");
    }
    assert_oauth(&polls(&mut tool, word(&asked, "device_code"), None).await, 400, "authorization_pending");
    let credential = place.key.get(&shown["proof"]["options"]).await;
    let yes = json!({ "user_code": code, "answer": "yes", "credential": credential });
    assert_eq!(answers(&mut place, yes.clone()).await.status, 204, "the control");
    assert_refused(&answers(&mut place, yes).await, 422, "code_refused");
    // What was shown is what the log says, and what the session is.
    let entry = place.owner.client.get("/v1/audit?limit=1").await.json()["items"][0].clone();
    assert_eq!(entry["kind"], "device_code.approved");
    let text: String = entry["sentence"].as_array().expect("parts").iter().map(|part| word(part, "text")).collect();
    assert_eq!(text, "Amelie Winter let sallyport on jump-1 at 127.0.0.1 sign in as them by a device code");
    assert_eq!(polls(&mut tool, word(&asked, "device_code"), None).await.status, 200);
    let list = place.owner.client.get("/v1/me/sessions").await.json();
    let session = list["items"].as_array().expect("a list").iter().find(|one| one["program"].is_string()).expect("the program").clone();
    assert_eq!((&session["program"], &session["address"]), (&shown["name"], &shown["address"]));
    assert_eq!((&session["stage"], &session["method"]), (&json!("device_code"), &json!("passkey")));
    assert_oauth(&polls(&mut other, word(&next, "device_code"), None).await, 400, "authorization_pending");
}

/// Other rules about addresses.
async fn networks(place: &mut Place, trusted: &[&str], required: &[&str]) {
    let version = place.owner.client.get("/v1/policy/networks").await.json()["version"].clone();
    let trusted: Vec<Value> =
        trusted.iter().map(|ranges| json!({ "label": "Office", "ranges": ranges.split(' ').collect::<Vec<_>>() })).collect();
    let required: Vec<Value> = required.iter().map(|range| json!({ "capability": "sign_in", "ranges": [range] })).collect();
    let body = json!({ "version": version, "trusted": trusted, "required": required, "address_verification": "off" });
    let done = place.owner.does(&place.server, Call::new("PUT", "/v1/policy/networks").body(body)).await;
    assert_eq!(done.status, 200, "{}", done.json());
}

async fn a18_oa_22_a_program_elsewhere_is_let_in_by_nobody(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let mut tool = Tool::new(&place.server, 31);
    let asked = asks(&mut tool, Some(THERE)).await.json();
    let (code, typed) = (word(&asked, "device_code").to_owned(), word(&asked, "user_code").to_owned());
    let refused = place.look(&typed).await;
    assert_refused(&refused, 403, "device_code_refused");
    let detail = word(&refused.json(), "detail").to_owned();
    assert!(detail.contains(THERE) && detail.contains("127.0.0.1") && detail.contains("no trusted network"), "{detail}");
    // Two networks that have one each are not one that has both; one is, while it is trusted.
    networks(&mut place, &["127.0.0.0/24", "198.51.100.0/24"], &[]).await;
    assert_refused(&place.look(&typed).await, 403, "device_code_refused");
    networks(&mut place, &["127.0.0.0/24 198.51.100.0/24"], &[]).await;
    let shown = place.look(&typed).await;
    assert_eq!((shown.status, &shown.json()["address"]), (200, &json!(THERE)), "{}", shown.json());
    let credential = place.key.get(&shown.json()["proof"]["options"]).await;
    let yes = json!({ "user_code": typed, "answer": "yes", "credential": credential });
    networks(&mut place, &["127.0.0.0/24"], &[]).await;
    assert_refused(&answers(&mut place, yes.clone()).await, 403, "device_code_refused");
    // Where nobody may sign in, no program may, trusted or not.
    networks(&mut place, &["127.0.0.0/24 198.51.100.0/24"], &["127.0.0.0/24"]).await;
    assert_refused(&answers(&mut place, yes.clone()).await, 403, "network_refused");
    networks(&mut place, &["127.0.0.0/24 198.51.100.0/24"], &[]).await;
    assert_eq!(answers(&mut place, yes).await.status, 204, "the control");
    // And what was approved for one address is given to no other.
    assert_oauth(&polls(&mut tool, &code, Some("198.51.100.8")).await, 400, "invalid_grant");
    assert_oauth(&polls(&mut tool, &code, Some(THERE)).await, 400, "invalid_grant");
    let asked = asks(&mut tool, Some(THERE)).await.json();
    assert_eq!(place.allow(word(&asked, "user_code")).await.status, 204);
    assert_eq!(polls(&mut tool, word(&asked, "device_code"), Some(THERE)).await.status, 200, "the control");
}

async fn a18_oa_22_a_session_by_device_code_asks_and_proves_nothing(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let mut tool = place.let_in(31).await;
    let me = tool.get("/v1/me").await.json();
    assert!(me["step_up_until"].is_null(), "no window comes along: {me}");
    let may = me["capabilities"].as_array().expect("words");
    assert!(may.contains(&json!("installers.write")) && !may.contains(&json!("requests.prove")), "{me}");
    assert_eq!(tool.get("/v1/devices").await.status, 200, "it reads");
    // It opens no window and gets no factor, by the owner's own code or key.
    place.server.clock.advance(30);
    let totp = place.owner.code(&place.server);
    for (path, body) in [
        ("/v1/me/elevate", json!({ "proof": { "totp": totp } })),
        ("/v1/me/challenges", json!({ "purpose": "elevate" })),
        ("/v1/me/totp/start", json!({ "proof": { "totp": totp } })),
        ("/v1/me/recovery-codes", json!({})),
        ("/v1/me/device-codes/look", json!({ "user_code": "BCDF-GHJK" })),
    ] {
        let refused = tool.sends(Call::new("POST", path).body(body)).await;
        assert_refused(&refused, 403, "session_restricted");
        assert!(word(&refused.json(), "detail").contains("Prove it in a browser"), "{path}");
    }
    // It asks; what it asks for waits, also beside an open window of the browser, and is not its own to prove or to end.
    let site = tool.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
    let body = json!({ "label": "L", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 3600 });
    let asked = tool.sends(Call::new("POST", "/v1/installers").body(body.clone())).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let waits = asked.header("location").expect("where it waits").to_owned();
    let others = place.owner.client.post("/v1/installers", body).await.header("location").expect("where it waits").to_owned();
    for path in [&waits, &others] {
        for (end, body) in [("/proofs", json!({ "totp": totp })), ("/passkey", json!({})), ("/deny", json!({}))] {
            let refused = tool.sends(Call::new("POST", &format!("{path}{end}")).body(body)).await;
            assert_refused(&refused, 403, "session_restricted");
            assert!(word(&refused.json(), "detail").contains("Prove it in a browser"), "{path}{end}");
        }
    }
    // Its person proves it in the browser, with the very code that gave the program nothing.
    let proved = place.owner.client.post(&format!("{waits}/proofs"), json!({ "totp": totp })).await;
    assert_eq!((proved.status, &proved.json()["state"]), (200, &json!("executed")), "{}", proved.json());
    assert_eq!(tool.get(&waits).await.json()["state"], "executed", "the program sees it");
    // Too old to ask, it is told to come in again, and not to prove what it cannot.
    for _ in 0..8 {
        place.server.clock.advance(30 * 60);
        assert_eq!(tool.get("/v1/me").await.status, 200);
    }
    let late = tool.sends(Call::new("POST", "/v1/devices/approve").body(json!({ "devices": ["dev_01k5p7m0000000000000000000"] }))).await;
    assert_refused(&late, 401, "insufficient_user_authentication");
    assert!(word(&late.json(), "detail").contains("sign in again"), "{}", late.json());
}

async fn oa_22_nobody_answers_but_a_whole_session_of_a_browser(engine: Engine) {
    let mut place = Place::allowing(engine).await;
    let mut tool = Tool::new(&place.server, 31);
    let asked = asks(&mut tool, None).await.json();
    let typed = json!({ "user_code": word(&asked, "user_code") });
    let look = || Call::new("POST", "/v1/me/device-codes/look").body(typed.clone());
    // A program that a browser let in, with all that its person may do.
    place.server.clock.advance(30);
    let proof = json!({ "proof": { "totp": place.owner.code(&place.server) } });
    assert_eq!(place.owner.client.post("/v1/me/elevate", proof).await.status, 200);
    let mut program = let_in(&place.server, &mut place.owner.client, 41).await;
    assert_refused(&program.sends(look()).await, 403, "session_restricted");
    let no = json!({ "user_code": word(&asked, "user_code"), "answer": "no" });
    assert_refused(&program.sends(Call::new("POST", "/v1/me/device-codes/answer").body(no)).await, 403, "session_restricted");
    // A session after a recovery.
    let mut restricted = Client::new(&place.server, 42);
    let code = place.owner.recovery_codes[0].clone();
    assert_eq!(place.owner.sign_in(&mut restricted, &code).await.json()["session"]["stage"], "restricted");
    assert_refused(&restricted.send(look()).await, 403, "session_restricted");
    // Somebody without a passkey; and with one, which lets the program in as them and as nobody else.
    let role = json!([{ "role": "technician", "scope": "tenant" }]);
    let mut tara = place.owner.colleague(&place.server, 43, "tara@nordwind.example", role).await;
    let bare = tara.client.send(look()).await;
    assert_refused(&bare, 403, "passkey_required");
    assert!(word(&bare.json(), "detail").contains("add one on your profile page"), "{}", bare.json());
    place.server.clock.advance(30);
    let code = tara.code(&place.server);
    let mut key = SoftPasskey::added(&place.server, &mut tara.client, &code).await;
    let shown = tara.client.send(look()).await.json();
    // Not with the key of somebody else, who looked at the same program.
    let theirs = place.look(word(&asked, "user_code")).await.json();
    let credential = place.key.get(&theirs["proof"]["options"]).await;
    let yes = |credential: Value| json!({ "user_code": word(&asked, "user_code"), "answer": "yes", "credential": credential });
    assert_refused(&tara.client.post("/v1/me/device-codes/answer", yes(credential)).await, 422, "passkey_refused");
    let credential = key.get(&shown["proof"]["options"]).await;
    assert_eq!(tara.client.post("/v1/me/device-codes/answer", yes(credential)).await.status, 204);
    let issued = polls(&mut tool, word(&asked, "device_code"), None).await.json();
    word(&issued, "access_token").clone_into(&mut tool.token);
    assert_eq!(tool.get("/v1/me").await.json()["email"], "tara@nordwind.example");
    // It ends with her session's approval: a yes of a session that is over opens nothing.
    let mut next = Tool::new(&place.server, 44);
    let asked = asks(&mut next, None).await.json();
    let shown = tara.client.post("/v1/me/device-codes/look", json!({ "user_code": word(&asked, "user_code") })).await.json();
    let credential = key.get(&shown["proof"]["options"]).await;
    let body = json!({ "user_code": word(&asked, "user_code"), "answer": "yes", "credential": credential });
    assert_eq!(tara.client.post("/v1/me/device-codes/answer", body).await.status, 204);
    assert_eq!(tara.client.post("/v1/sign-out", json!({})).await.status, 204);
    assert_oauth(&polls(&mut next, word(&asked, "device_code"), None).await, 400, "invalid_grant");
}

#[tokio::test]
async fn oa_22_whoever_let_a_program_in_is_told_by_mail() {
    let mails = MailServer::start();
    let mut place = Place::mailing(&mails).await;
    place.let_in(31).await;
    let mail = mails.wait_for(EMAIL, "let in by a device code").await;
    assert!(mail.plain.contains("127.0.0.1") && mail.plain.contains("press Not me"), "{}", mail.plain);
}

#[tokio::test]
async fn oa_22_a_form_that_names_another_client_gets_no_code() {
    let place = Place::allowing(Engine::Sqlite).await;
    let mut tool = Tool::new(&place.server, 31);
    tool.wire.get("/v1/nonce").await.header("dpop-nonce").expect("a nonce").clone_into(&mut tool.nonce);
    let call = posted("/v1/oauth/device", &[("client_id", "another")]);
    assert_oauth(&tool.attempts(&call, |_, _| {}).await, 401, "invalid_client");
}
