//! A request is open until it is executed, denied or expired, and nothing leads out of these.

use sallyport_model::limits;
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use serde_json::json;

use super::{Office, assert_refused};

on_both!(
    tx_07_tx_10_no_state_is_left_again_whatever_is_sent,
    tx_07_nothing_is_executed_before_it_is_proved,
    tx_07_a_yes_and_a_no_at_once_are_one_of_them,
    tx_04_one_code_at_once_for_many_requests_proves_one,
    tx_06_too_many_wrong_codes_end_all_that_waits_for_one,
);

async fn tx_07_tx_10_no_state_is_left_again_whatever_is_sent(engine: Engine) {
    let mut office = Office::on(engine).await;
    for end in ["executed", "denied", "expired"] {
        let waits = office.asks().await;
        match end {
            "executed" => {
                let code = office.fresh();
                assert_eq!(office.proves(&waits, &code).await.status, 200);
            }
            "denied" => assert_eq!(office.owner.client.post(&format!("{waits}/deny"), json!({})).await.status, 204),
            _ => office.server.clock.advance(limits::REQUEST_LIFETIME_SECS),
        }
        assert_eq!(office.state(&waits).await, end);
        let jobs = office.jobs().await;
        let code = office.fresh();
        assert_refused(&office.proves(&waits, &code).await, 409, "request_closed");
        assert_refused(&office.owner.client.post(&format!("{waits}/passkey"), json!({})).await, 409, "request_closed");
        assert_refused(&office.owner.client.post(&format!("{waits}/deny"), json!({})).await, 409, "conflict");
        assert_eq!((office.state(&waits).await, office.jobs().await), (json!(end), jobs), "it stays {end}");
        let proof = json!({ "proof": { "totp": code } });
        assert_eq!(office.owner.client.post("/v1/me/elevate", proof).await.status, 200, "no code was spent on what is over");
    }
    assert_eq!(office.jobs().await, 1);
}

async fn tx_07_nothing_is_executed_before_it_is_proved(engine: Engine) {
    let mut office = Office::on(engine).await;
    let waits = office.asks().await;
    for (method, path) in [("POST", "execute"), ("POST", "release"), ("PUT", ""), ("PATCH", ""), ("POST", ""), ("DELETE", "")] {
        let path = format!("{waits}/{path}");
        let call = Call::new(method, path.trim_end_matches('/')).body(json!({ "state": "executed" }));
        let reply = office.owner.client.send(call).await;
        assert!(matches!(reply.status, 404 | 405), "{method} {path}: {}", reply.json());
    }
    for code in ["000000", "999999"] {
        assert_refused(&office.proves(&waits, code).await, 422, "code_refused");
    }
    assert_eq!((office.state(&waits).await, office.jobs().await), (json!("open"), 0));
    let code = office.fresh();
    assert_eq!(office.proves(&waits, &code).await.json()["state"], "executed", "the control");
    assert_eq!(office.jobs().await, 1);
}

async fn tx_07_a_yes_and_a_no_at_once_are_one_of_them(engine: Engine) {
    let mut office = Office::on(engine).await;
    let mut executed = 0;
    for _ in 0..6 {
        let waits = office.asks().await;
        let code = office.fresh();
        let (mut yes, mut no) = (office.owner.client.clone(), office.owner.client.clone());
        let (proofs, deny) = (format!("{waits}/proofs"), format!("{waits}/deny"));
        let (yes, no) = tokio::join!(yes.post(&proofs, json!({ "totp": code })), no.post(&deny, json!({})));
        let (done, denied) = (yes.status == 200, no.status == 204);
        assert!(done != denied, "{} and {}", yes.json(), no.json());
        executed += usize::from(done);
        assert_eq!(office.state(&waits).await, if done { "executed" } else { "denied" });
        assert_eq!(office.jobs().await, executed, "what was denied was not done");
    }
}

async fn tx_04_one_code_at_once_for_many_requests_proves_one(engine: Engine) {
    let mut office = Office::on(engine).await;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        waiting.push(office.asks().await);
    }
    let code = office.fresh();
    let all = waiting.iter().map(|waits| {
        let (mut client, path, code) = (office.owner.client.clone(), format!("{waits}/proofs"), code.clone());
        tokio::spawn(async move { client.post(&path, json!({ "totp": code })).await.status })
    });
    let mut done = 0;
    for one in all.collect::<Vec<_>>() {
        done += usize::from(one.await.expect("no panic") == 200);
    }
    assert_eq!((done, office.jobs().await), (1, 1));
    let code = office.fresh();
    let open = count_open(&mut office, &waiting).await;
    assert_eq!(open.len(), 7, "the others wait for a code of their own");
    assert_eq!(office.proves(&open[0], &code).await.status, 200);
}

async fn count_open(office: &mut Office, waiting: &[String]) -> Vec<String> {
    let mut open = Vec::new();
    for waits in waiting {
        if office.state(waits).await == "open" {
            open.push(waits.clone());
        }
    }
    open
}

async fn tx_06_too_many_wrong_codes_end_all_that_waits_for_one(engine: Engine) {
    let mut office = Office::on(engine).await;
    let (first, second) = (office.asks().await, office.asks().await);
    let wrong = if office.fresh() == "000000" { "000001" } else { "000000" };
    for failure in 1..=limits::FACTOR_FAILURES {
        let expected = if failure < limits::FACTOR_FAILURES { "code_refused" } else { "factor_locked" };
        assert_eq!(office.proves(&first, wrong).await.code(), expected, "failure {failure}");
    }
    for waits in [&first, &second] {
        let right = office.fresh();
        assert_eq!(office.proves(waits, &right).await.code(), "factor_locked", "not even by the right one");
    }
    office.server.clock.advance(limits::REQUEST_LIFETIME_SECS);
    for waits in [&first, &second] {
        assert_eq!(office.state(waits).await, "expired");
    }
    assert_eq!(office.jobs().await, 0);
}
