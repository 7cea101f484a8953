//! What somebody is told of their own account by mail: factors, the password, failures, where a sign-in came from.

use sallyport_server::config::RawMail;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::mail::{Mail, MailServer};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::done;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::post;
use crate::accounts::notices_begin;

on_both!(
    pwd_17_whoever_changes_factors_or_the_password_is_told_by_mail_what_changed_and_what_to_do,
    failed_sign_ins_and_a_new_address_are_told_by_mail,
    net_06_a_passkey_needs_no_mailed_link_from_a_new_address,
);

const HERE: &str = "192.0.2.7";
const ELSEWHERE: &str = "198.51.100.7";

/// A server that mails, behind a proxy that says where each request comes from.
async fn mailing(engine: Engine) -> (TestServer, MailServer) {
    let mails = MailServer::start();
    let settings = RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) };
    let server = TestServer::configured(engine, |raw| {
        raw.trusted_proxies = Some(vec!["127.0.0.1".into()]);
        raw.mail = Some(settings);
    });
    (server.await, mails)
}

/// Every notice says what to do, and has the button for whoever was not it.
fn assert_says(mail: &Mail, what: &str) {
    assert!(mail.plain.contains(what) && mail.plain.contains("If that was you") && mail.plain.contains("/not-me#"), "{}", mail.plain);
}

async fn pwd_17_whoever_changes_factors_or_the_password_is_told_by_mail_what_changed_and_what_to_do(engine: Engine) {
    let (server, mails) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    server.clock.advance(30);
    let code = owner.code(&server);
    SoftPasskey::added(&server, &mut owner.client, &code).await;
    assert_says(&mails.wait_for(EMAIL, "A factor was added").await, "A factor was added to your account: Laptop.");
    let factors = owner.client.get("/v1/me/factors").await.json();
    let passkey = factors["items"].as_array().expect("factors").iter().find(|one| one["kind"] == "passkey").expect("one").clone();
    server.clock.advance(30);
    let remove = Call::new("DELETE", &format!("/v1/me/factors/{}", passkey["id"].as_str().expect("an id")));
    let code = owner.code(&server);
    let removed = done(&mut owner.client, remove, &code).await;
    assert_eq!(removed.status, 200, "{}", removed.json());
    assert_says(&mails.wait_for(EMAIL, "A factor was removed").await, "A factor was removed from your account: Laptop.");
    server.clock.advance(30);
    let proof = json!({ "totp": owner.code(&server) });
    let change = json!({ "current": PASSWORD, "new": "a kettle sings in the north", "proof": proof, "other_sessions": "end" });
    assert_eq!(owner.client.post("/v1/me/password", change).await.status, 204);
    let mail = mails.wait_for(EMAIL, "Your password was changed").await;
    assert_says(&mail, "The password of your account was changed.");
    assert!(!mail.plain.contains("kettle") && !mail.html.contains("kettle"), "never what it is");
}

fn sign_in(from: &str, password: &str, code: &str) -> Call {
    post("/v1/sign-in", json!({ "email": EMAIL, "password": password, "code": code }))
        .header("x-forwarded-for", from)
        .header("user-agent", "Elinks/0.16")
}

async fn failed_sign_ins_and_a_new_address_are_told_by_mail(engine: Engine) {
    let (server, mails) = mailing(engine).await;
    let owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    for (from, told) in [(HERE, "Sign-in from a new device"), (ELSEWHERE, "Sign-in from a new address")] {
        server.clock.advance(30);
        let opened = Client::new(&server, 2).send(sign_in(from, PASSWORD, &owner.code(&server))).await;
        assert_eq!(opened.status, 200, "{}", opened.json());
        let mail = mails.wait_for(EMAIL, told).await;
        assert_says(&mail, &format!("{from} (Elinks/0.16)"));
    }
    // The first is in the log at once, and concerns nobody; the next ones are summed up.
    for seed in 10..16 {
        let refused = Client::new(&server, seed).send(sign_in(ELSEWHERE, "not the right one at all", "000000")).await;
        assert_eq!(refused.code(), "sign_in_refused");
    }
    server.clock.advance(3600);
    Client::new(&server, 20).send(sign_in(ELSEWHERE, "not the right one at all", "000000")).await;
    let mail = mails.wait_for(EMAIL, "Failed sign-ins").await;
    assert!(
        mail.plain.contains("6 sign-ins to your account failed.") && mail.plain.contains("somebody tries your password"),
        "{}",
        mail.plain
    );
}

async fn net_06_a_passkey_needs_no_mailed_link_from_a_new_address(engine: Engine) {
    let (server, mails) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    server.clock.advance(30);
    let code = owner.code(&server);
    let mut key = SoftPasskey::added(&server, &mut owner.client, &code).await;
    let rules = json!({ "version": 0, "trusted": [], "required": [], "address_verification": "on" });
    let verified = owner.does(&server, Call::new("PUT", "/v1/policy/networks").body(rules)).await;
    assert_eq!(verified.status, 200, "{}", verified.json());
    server.clock.advance(30);
    let refused = Client::new(&server, 2).send(sign_in(ELSEWHERE, PASSWORD, &owner.code(&server))).await;
    assert_eq!(refused.code(), "address_unverified", "the control: a password and a code wait for the link");
    mails.wait_for(EMAIL, "Is this you?").await;
    let mut browser = Client::new(&server, 3);
    let mut elsewhere = async |path: &str, body: Value| browser.send(post(path, body).header("x-forwarded-for", ELSEWHERE)).await;
    let started = elsewhere("/v1/sign-in/passkey/start", json!({})).await.json();
    let credential = key.get(&started["options"]).await;
    let opened = elsewhere("/v1/sign-in/passkey/finish", json!({ "ceremony": started["ceremony"], "credential": credential })).await;
    assert_eq!((opened.status, &opened.json()["session"]["address"]), (200, &json!(ELSEWHERE)), "{}", opened.json());
    let asked = mails.mails().into_iter().filter(|mail| mail.plain.contains("/address#")).count();
    assert_eq!(asked, 1, "no other link was mailed");
    let nobody = owner.invites(&server, "tara@nordwind.example", super::role("technician"), Value::Null).await;
    let user = nobody.json()["result"]["user"].clone();
    let paused = owner.client.post("/v1/policy/networks/pause", json!({ "user": user, "hours": 1 })).await;
    assert_eq!((paused.status, paused.code().as_str()), (403, "factor_required"), "a pause is for whoever has a factor");
}
