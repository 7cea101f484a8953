use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, sign_in};
use sallyport_testkit::server::TestServer;
use serde_json::json;

use super::totp::at_once;
use super::{assert_refused, assert_signed_in, wrong_code};

#[tokio::test]
async fn rec_01_02_ten_codes_of_120_bits_of_which_the_database_has_none() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    assert_eq!(owner.recovery_codes.len(), 10);
    let kept = server.bytes_at_rest();
    for code in &owner.recovery_codes {
        let bare = code.replace('-', "");
        assert_eq!(bare.len() * 5, 120);
        for needle in [code.as_bytes(), bare.as_bytes()] {
            assert!(!kept.windows(needle.len()).any(|window| window == needle));
        }
    }
}

#[tokio::test]
async fn rec_03_each_code_works_once_and_opens_a_restricted_session() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut client = Client::new(&server, 2);
    let typed = owner.recovery_codes[0].to_lowercase().replace('-', " ");
    let reply = owner.sign_in(&mut client, &typed).await;
    assert_signed_in(&reply);
    assert_eq!((&reply.json()["session"]["stage"], &reply.json()["recovery_codes_left"]), (&json!("restricted"), &json!(9)));
    assert_eq!(client.get("/v1/me").await.status, 200);
    assert_eq!(client.get("/v1/me/sessions").await.code(), "session_restricted");
    assert_refused(&owner.sign_in(&mut Client::new(&server, 3), &owner.recovery_codes[0]).await);
    let crashed = server.after_a_crash().await;
    assert_refused(&owner.sign_in(&mut Client::new(&crashed, 3), &owner.recovery_codes[0]).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&crashed, 3), &owner.recovery_codes[1]).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rec_03_fifty_at_once_one_success() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    for code in &owner.recovery_codes[..2] {
        let replies = at_once(&server, 50, PASSWORD, |_| code.clone()).await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    }
}

#[tokio::test]
async fn rec_07_a_sign_in_with_two_codes_is_refused_and_spends_none() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let both = format!("{} {}", owner.recovery_codes[0], owner.recovery_codes[1]);
    assert_eq!(owner.sign_in(&mut Client::new(&server, 2), &both).await.code(), "invalid_field");
    let mut client = Client::new(&server, 2);
    assert_refused(&sign_in(&mut client, EMAIL, &owner.recovery_codes[0], &owner.recovery_codes[1]).await);
    let reply = owner.sign_in(&mut Client::new(&server, 2), &owner.recovery_codes[0]).await;
    assert_eq!(reply.json()["recovery_codes_left"], 9);
}

#[tokio::test]
async fn rec_11_no_get_shows_or_makes_codes_and_new_ones_end_all_old_ones() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    for path in ["/v1/me", "/v1/me/factors", "/v1/me/sessions", "/v1/setup"] {
        let text = String::from_utf8_lossy(&owner.client.get(path).await.body).into_owned();
        assert!(owner.recovery_codes.iter().all(|code| !text.contains(code)), "{path}");
    }
    assert_eq!(owner.client.get("/v1/me/recovery-codes").await.status, 405);
    let asked = owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(asked.status, 202, "{}", String::from_utf8_lossy(&asked.body));
    let waits = asked.header("location").expect("where it waits").to_owned();
    let code = owner.code(&server);
    let done = owner.client.post(&format!("{waits}/proofs"), json!({ "totp": code })).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    let shown = done.json().to_string();
    let again = String::from_utf8_lossy(&owner.client.get(&waits).await.body).into_owned();
    let new: Vec<String> =
        serde_json::from_value(done.json()["result"]["recovery_codes"].clone()).unwrap_or_else(|_| panic!("codes in {shown}"));
    assert_eq!(new.len(), 10);
    assert!(new.iter().all(|code| !again.contains(code)), "shown once");
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &owner.recovery_codes[0]).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &new[0]).await);
}

#[tokio::test]
async fn a07_a_recovery_code_opens_what_a_stolen_password_locked() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let mut thief = Client::new(&server, 9);
    let wrong = wrong_code(&owner.code(&server));
    for _ in 0..12 {
        assert_refused(&owner.sign_in(&mut thief, &wrong).await);
        assert_refused(&owner.sign_in(&mut thief, "000000-000000-000000-000000").await);
    }
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.recovery_codes[0]).await);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
}
