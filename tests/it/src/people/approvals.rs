//! Requests that take two people: nobody is pressed into agreeing.

use sallyport_model::limits;
use sallyport_testkit::client::Reply;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::people::Colleague;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::resets::{reset, with_admin};
use super::{assert_refused, kinds};

on_both!(
    a10_tx_11_the_second_person_needs_the_number_on_the_askers_screen,
    a10_tx_06_log_03_wrong_numbers_end_the_request_also_all_at_once,
    a10_at_most_three_requests_of_a_person_wait_for_others,
    a10_after_a_no_nobody_is_asked_for_a_quarter_of_an_hour,
);

fn path(request: &Value) -> String {
    format!("/v1/authorization-requests/{}", request["id"].as_str().unwrap_or_else(|| panic!("an id: {request}")))
}

/// The owner asks for the reset of somebody's factor and has done their part.
async fn asked(server: &TestServer, owner: &mut Owner, whose: &Colleague) -> Value {
    let reply = owner.does(server, reset(&whose.id)).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("open")), "{}", reply.json());
    reply.json()
}

async fn prove(admin: &mut Colleague, request: &Value, code: &str, number: Option<&str>) -> Reply {
    let mut body = json!({ "totp": code });
    if let Some(number) = number {
        body["number"] = json!(number);
    }
    admin.client.post(&format!("{}/proofs", path(request)), body).await
}

fn another(number: &str) -> String {
    format!("{:03}", (number.parse::<u32>().expect("digits") + 500) % 1000)
}

async fn a10_tx_11_the_second_person_needs_the_number_on_the_askers_screen(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, mut admins) = with_admin(&server, &["ada", "ben"]).await;
    let request = asked(&server, &mut owner, &admins[0]).await;
    let number = request["number"].as_str().unwrap_or_else(|| panic!("a number: {request}")).to_owned();
    assert!(number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
    let ben = &mut admins[1];
    let seen = ben.client.get(&path(&request)).await.json();
    assert_eq!((&seen["number"], &seen["wants_number"]), (&Value::Null, &json!(true)), "{seen}");
    assert_eq!(seen["requested_by_email"], "owner@nordwind.example", "the asker is shown");
    let listed = ben.client.get("/v1/authorization-requests").await.json();
    assert!(listed["items"].as_array().is_some_and(|items| items.iter().all(|item| item["number"].is_null())), "{listed}");
    let code = ben.code(&server);
    assert_refused(&prove(ben, &request, &code, None).await, 422, "number_refused");
    assert_refused(&prove(ben, &request, &code, Some("12")).await, 422, "number_refused");
    assert_refused(&prove(ben, &request, &code, Some(&another(&number))).await, 422, "number_refused");
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..3 {
        assert_refused(&prove(ben, &request, wrong, Some(&number)).await, 422, "code_refused");
    }
    let done = prove(ben, &request, &code, Some(&number)).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("executed")), "neither number nor code was used up: {}", done.json());
}

async fn a10_tx_06_log_03_wrong_numbers_end_the_request_also_all_at_once(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, mut admins) = with_admin(&server, &["ada", "ben"]).await;
    let request = asked(&server, &mut owner, &admins[0]).await;
    let number = request["number"].as_str().expect("a number").to_owned();
    let code = admins[1].code(&server);
    // A thousand numbers, so a thousand tries would do; three are judged.
    let tries = (0..40).map(|guess| {
        let (mut client, code, path) = (admins[1].client.clone(), code.clone(), path(&request));
        let guess = format!("{:03}", (number.parse::<u32>().expect("digits") + 1 + guess) % 1000);
        tokio::spawn(async move { client.post(&format!("{path}/proofs"), json!({ "totp": code, "number": guess })).await })
    });
    for attempt in tries.collect::<Vec<_>>() {
        let reply = attempt.await.expect("an answer");
        assert!(["number_refused", "request_closed", "conflict"].contains(&reply.code().as_str()), "{}", reply.json());
    }
    assert_refused(&prove(&mut admins[1], &request, &code, Some(&number)).await, 409, "request_closed");
    assert!(kinds(&mut owner, 10).await.contains(&"request.guessed".to_owned()));
    assert_eq!(admins[0].client.get("/v1/me").await.status, 200, "nothing happened");
}

async fn a10_at_most_three_requests_of_a_person_wait_for_others(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, mut admins) = with_admin(&server, &["ada", "ben", "cai", "dee"]).await;
    let mut open = Vec::new();
    for admin in &admins[..3] {
        open.push(asked(&server, &mut owner, admin).await);
    }
    assert_eq!(open.len() as u64, limits::OPEN_APPROVALS);
    let one_more = owner.client.send(reset(&admins[3].id)).await;
    assert_refused(&one_more, 429, "too_many_open_requests");
    let own = owner.does(&server, sallyport_testkit::client::Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(own.status, 200, "what takes nobody else goes on: {}", own.json());
    let fourth = admins[3].id.clone();
    let by_ada = admins[0].client.send(reset(&fourth)).await;
    assert_eq!(by_ada.status, 202, "others are not counted in: {}", by_ada.json());
    assert_eq!(owner.client.post(&format!("{}/deny", path(&open[0])), json!({})).await.status, 204);
    assert_eq!(owner.client.send(reset(&admins[3].id)).await.status, 202, "taken back by its asker, which mutes nobody");
}

async fn a10_after_a_no_nobody_is_asked_for_a_quarter_of_an_hour(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, mut admins) = with_admin(&server, &["ada", "ben"]).await;
    let request = asked(&server, &mut owner, &admins[0]).await;
    assert_eq!(admins[1].client.post(&format!("{}/deny", path(&request)), json!({})).await.status, 204);
    let again = owner.client.send(reset(&admins[0].id)).await;
    assert_refused(&again, 429, "asker_muted");
    let left: i64 = again.header("retry-after").and_then(|secs| secs.parse().ok()).expect("the time that is left");
    assert!((1..=limits::APPROVAL_MUTE_SECS + 1).contains(&left), "{left}");
    assert!(again.json()["detail"].as_str().is_some_and(|detail| detail.contains("min")), "{}", again.json());
    let own = owner.does(&server, sallyport_testkit::client::Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(own.status, 200, "what takes nobody else goes on: {}", own.json());
    server.clock.advance(left);
    assert_eq!(owner.client.send(reset(&admins[0].id)).await.status, 202, "and then it is over");
}
