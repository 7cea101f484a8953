use std::sync::Arc;

use sallyport_decide::accounts::totp::Step;
use sallyport_model::{FactorId, Timestamp};
use sallyport_server::clock::Clock;
use sallyport_store::ops::accounts::{factors, use_totp_step};
use sallyport_store::{Audit, Change, StoreError, Tx};
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, begin, oathtool, pyotp, sign_in};
use sallyport_testkit::server::TestServer;
use serde_json::json;

use super::{assert_refused, assert_signed_in, wrong_code};

/// Signs in from `count` browsers at once, all released together.
pub(super) async fn at_once(server: &TestServer, count: u8, password: &str, codes: impl Fn(u8) -> String) -> Vec<Reply> {
    let barrier = Arc::new(tokio::sync::Barrier::new(usize::from(count)));
    let mut tasks = Vec::new();
    for n in 0..count {
        let mut client = Client::new(server, 100 + n);
        client.get("/v1/nonce").await;
        let (barrier, password, code) = (barrier.clone(), password.to_owned(), codes(n));
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            sign_in(&mut client, EMAIL, &password, &code).await
        }));
    }
    let mut replies = Vec::new();
    for task in tasks {
        replies.push(task.await.expect("no panic"));
    }
    replies
}

#[tokio::test]
async fn a01_totp_04_05_a_code_counts_once_in_all_sessions_together() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let code = owner.code(&server);
    let mut first = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut first, &code).await);
    assert_refused(&owner.sign_in(&mut first, &code).await);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 3), &code).await);
    server.clock.advance(30);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 3), &owner.code(&server)).await);
}

#[tokio::test]
async fn totp_05_tx_03_a_code_that_signed_in_proves_no_request() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let code = owner.code(&server);
    let mut client = Client::new(&server, 2);
    assert_signed_in(&owner.sign_in(&mut client, &code).await);
    let asked = client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    assert_eq!(asked.status, 202, "{}", String::from_utf8_lossy(&asked.body));
    let proofs = format!("{}/proofs", asked.header("location").expect("where it waits"));
    assert_eq!(client.post(&proofs, json!({ "totp": code })).await.code(), "code_refused");
    server.clock.advance(30);
    let fresh = owner.code(&server);
    assert_eq!(client.post(&proofs, json!({ "totp": fresh })).await.status, 200);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 3), &fresh).await);
}

#[tokio::test]
async fn totp_06_a_used_code_is_refused_after_a_crash() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let code = owner.code(&server);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &code).await);
    let crashed = server.after_a_crash().await;
    assert_refused(&owner.sign_in(&mut Client::new(&crashed, 2), &code).await);
    let restarted = server.restart().await;
    assert_refused(&owner.sign_in(&mut Client::new(&restarted, 2), &code).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a02_totp_07_fifty_at_once_one_success() {
    // Forty-nine used codes lock the factor as wrong ones do, so each round has an installation of its own.
    for round in 0..4 {
        let server = TestServer::start().await;
        let owner = Owner::set_up(&server).await;
        let code = owner.code(&server);
        let replies = at_once(&server, 50, PASSWORD, |_| code.clone()).await;
        let (successes, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
        assert_eq!(successes.len(), 1, "round {round}");
        refused.into_iter().for_each(assert_refused);
    }
}

/// Takes a step as every route does.
struct TakeStep {
    factor: FactorId,
    step: Step,
    at: Timestamp,
}

impl Change for TakeStep {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a test");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        use_totp_step(tx, self.factor, self.step, self.at).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn totp_07_two_hundred_rounds_of_fifty_takers_of_one_step() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let me = owner.client.get("/v1/me").await.json();
    let user = me["user"].as_str().expect("an id").parse().expect("an id");
    let factor = factors(&mut server.app.store.read().await.expect("a reader"), user).await.expect("factors")[0].id;
    for round in 1..=200 {
        let at = server.clock.now().plus_secs(30 * round);
        let takers = (0..50).map(|_| {
            let store = server.app.store.clone();
            tokio::spawn(async move { store.reserve(TakeStep { factor, step: Step::at(at), at }).await })
        });
        let mut successes = 0;
        for taker in takers.collect::<Vec<_>>() {
            match taker.await.expect("no panic") {
                Ok(()) => successes += 1,
                Err(error) => assert!(matches!(error, StoreError::Conflict), "{error}"),
            }
        }
        assert_eq!(successes, 1, "round {round}");
    }
}

#[tokio::test]
async fn a03_totp_08_the_code_that_confirmed_enrolment_is_refused_at_the_first_sign_in() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    let begun = begin(&server, &mut client).await;
    let code = oathtool(begun.secret(), server.clock.now());
    assert_eq!(client.post("/v1/setup/finish", begun.finish(&code, &begun.root(server.clock.now()))).await.status, 201);
    assert_refused(&sign_in(&mut Client::new(&server, 2), EMAIL, PASSWORD, &code).await);
    server.clock.advance(30);
    let next = oathtool(begun.secret(), server.clock.now());
    assert_signed_in(&sign_in(&mut Client::new(&server, 2), EMAIL, PASSWORD, &next).await);
}

#[tokio::test]
async fn totp_09_an_earlier_code_inside_the_window_is_refused() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    server.clock.advance(30);
    let (now, earlier) = (server.clock.now(), server.clock.now().plus_secs(-30));
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &oathtool(&owner.secret, now)).await);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &oathtool(&owner.secret, earlier)).await);
}

#[tokio::test]
async fn totp_10_codes_two_steps_away_are_refused() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    server.clock.advance(300);
    for (secs, accepted) in [(-60, false), (60, false), (-30, true), (0, true), (30, true)] {
        let code = oathtool(&owner.secret, server.clock.now().plus_secs(secs));
        let reply = owner.sign_in(&mut Client::new(&server, 2), &code).await;
        assert_eq!(reply.status == 200, accepted, "{secs} s from now");
    }
}

#[tokio::test]
async fn totp_11_what_a_client_says_of_the_time_changes_nothing() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let code = oathtool(&owner.secret, server.clock.now().plus_secs(600));
    let body = json!({ "email": EMAIL, "password": PASSWORD, "code": code });
    let dated = Call::new("POST", "/v1/sign-in").body(body.clone()).header("date", "Mon, 21 Sep 2026 14:23:30 GMT");
    assert_refused(&Client::new(&server, 2).send(dated).await);
    let mut timed = body;
    timed["time"] = json!(server.clock.now().plus_secs(600));
    assert_eq!(Client::new(&server, 2).post("/v1/sign-in", timed).await.code(), "malformed");
}

#[tokio::test]
async fn totp_12_no_drift_is_learned() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    for _ in 0..3 {
        server.clock.advance(60);
        let early = oathtool(&owner.secret, server.clock.now().plus_secs(30));
        assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &early).await);
    }
    server.clock.advance(60);
    let earlier_still = oathtool(&owner.secret, server.clock.now().plus_secs(60));
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &earlier_still).await);
}

#[tokio::test]
async fn totp_13_another_spelling_of_a_used_code_is_the_used_code() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let code = owner.code(&server);
    let spaced = format!(" {} {}\t", &code[..3], &code[3..]);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &spaced).await);
    let wide: String = code.chars().filter_map(|c| char::from_u32(u32::from(c) + 0xfee0)).collect();
    for again in [code.clone(), spaced, wide, format!("{}-{}", &code[..2], &code[2..])] {
        assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &again).await);
    }
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), "").await);
    for no_code in ["12345", "1234567", "12345a"] {
        let reply = owner.sign_in(&mut Client::new(&server, 2), no_code).await;
        assert_eq!((reply.code().as_str(), reply.json()["field"].as_str()), ("invalid_field", Some("code")), "{no_code}");
    }
}

async fn counted_failures(server: &TestServer, owner: &mut Owner) -> u32 {
    let me = owner.client.get("/v1/me").await.json();
    let user = me["user"].as_str().expect("an id").parse().expect("an id");
    factors(&mut server.app.store.read().await.expect("a reader"), user).await.expect("factors")[0].counter.failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a04_totp_14_tx_06_a_burst_of_fifty_wrong_codes_costs_fifty_and_locks() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let asked = owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await;
    let proofs = format!("{}/proofs", asked.header("location").expect("where it waits"));
    let right = owner.code(&server);
    let barrier = Arc::new(tokio::sync::Barrier::new(50));
    let burst = (0..50).map(|_| {
        let (mut client, barrier, proofs, code) = (owner.client.clone(), barrier.clone(), proofs.clone(), wrong_code(&right));
        tokio::spawn(async move {
            barrier.wait().await;
            client.post(&proofs, json!({ "totp": code })).await.code()
        })
    });
    let mut codes = Vec::new();
    for one in burst.collect::<Vec<_>>() {
        codes.push(one.await.expect("no panic"));
    }
    let judged = codes.iter().filter(|code| *code == "code_refused").count();
    assert_eq!((judged, codes.iter().filter(|code| *code == "factor_locked").count()), (9, 41), "the tenth wrong one locks");
    assert_eq!(counted_failures(&server, &mut owner).await, 50);
    assert_eq!(owner.client.post(&proofs, json!({ "totp": right })).await.code(), "factor_locked");
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &right).await);
    let crashed = server.after_a_crash().await;
    assert_refused(&owner.sign_in(&mut Client::new(&crashed, 2), &right).await);
    let shown = owner.client.get("/v1/me/factors").await.json();
    assert_eq!(shown["items"][0]["locked"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn totp_14_a_burst_of_sign_ins_judges_ten_at_most() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let right = owner.code(&server);
    let replies = at_once(&server, 50, PASSWORD, |_| wrong_code(&right)).await;
    replies.iter().for_each(assert_refused);
    assert!(counted_failures(&server, &mut owner).await >= 10);
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &right).await);
}

#[tokio::test]
async fn totp_14_ten_wrong_codes_from_ten_browsers_lock_one_factor() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    for n in 0..10 {
        let wrong = wrong_code(&owner.code(&server));
        assert_refused(&owner.sign_in(&mut Client::new(&server, 20 + n), &wrong).await);
        server.clock.advance(3600);
    }
    assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
}

#[tokio::test]
async fn totp_14_control_nine_wrong_codes_do_not_lock() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let wrong = wrong_code(&owner.code(&server));
    for _ in 0..9 {
        assert_refused(&owner.sign_in(&mut Client::new(&server, 2), &wrong).await);
    }
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &owner.code(&server)).await);
}

#[tokio::test]
async fn totp_15_the_secret_is_nowhere_in_the_database() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let kept = server.bytes_at_rest();
    let raw = data_encoding::BASE32_NOPAD.decode(owner.secret.as_bytes()).expect("base32");
    let holds = |needle: &[u8]| kept.windows(needle.len()).any(|window| window == needle);
    assert!(holds(EMAIL.as_bytes()), "control: the address is found");
    assert!(!holds(owner.secret.as_bytes()) && !holds(&raw));
}

#[tokio::test]
async fn totp_16_the_secret_is_shown_once_and_by_no_get() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let routes = sallyport_server::routes::print();
    let paths = routes.lines().filter_map(|line| line.strip_prefix("GET")?.split_whitespace().next());
    let mut asked = 0;
    for path in paths.filter(|path| path.starts_with("/v1/") && !path.contains('{') && *path != "/v1/events") {
        let reply = owner.client.get(path).await;
        assert!(!String::from_utf8_lossy(&reply.body).contains(&owner.secret), "{path}");
        asked += 1;
    }
    assert!(asked >= 5, "{asked} routes");
}

#[tokio::test]
async fn totp_17_a_used_code_and_a_wrong_one_get_the_same_answer() {
    let server = TestServer::start().await;
    let owner = Owner::set_up(&server).await;
    let code = owner.code(&server);
    assert_signed_in(&owner.sign_in(&mut Client::new(&server, 2), &code).await);
    let used = owner.sign_in(&mut Client::new(&server, 3), &code).await;
    let wrong = owner.sign_in(&mut Client::new(&server, 3), &wrong_code(&code)).await;
    assert_eq!(used.essence(), wrong.essence());
}

#[tokio::test]
async fn totp_03_an_authenticator_of_another_maker_reads_the_uri_and_signs_in() {
    let server = TestServer::start().await;
    let mut client = Client::new(&server, 1);
    let begun = begin(&server, &mut client).await;
    let uri = begun.draft["totp"]["uri"].as_str().expect("a URI");
    let code = pyotp(uri, server.clock.now());
    assert_eq!(code, oathtool(begun.secret(), server.clock.now()), "two makers, one code");
    let finish = begun.finish(&code, &begun.root(server.clock.now()));
    assert_eq!(client.post("/v1/setup/finish", finish).await.status, 201);
    server.clock.advance(30);
    assert_signed_in(&sign_in(&mut Client::new(&server, 2), EMAIL, PASSWORD, &pyotp(uri, server.clock.now())).await);
}
