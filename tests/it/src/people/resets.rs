//! Lost phones: who may reset whose factor, and what it takes.

use sallyport_server::clock::Clock as _;
use sallyport_testkit::agent::program;
use sallyport_testkit::client::Client;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{Owner, oathtool};
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD, activate};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, kinds, post, role};

on_both!(
    a_technicians_lost_phone_takes_one_admin_and_minutes,
    a12_rec_10_an_admins_factor_takes_two_people_where_two_exist,
    a12_rec_10_without_a_second_person_an_admins_factor_waits_a_day_and_can_be_stopped,
    pwd_18_nobody_chooses_or_sees_anothers_password,
    removing_people_lowers_no_threshold_for_a_week,
    the_last_owner_stays,
    break_glass_restarts_an_enrolment_and_leaves_an_entry,
    break_glass_by_the_program_leaves_one_entry_and_signs_nothing,
);

pub(super) fn reset(user: &str) -> sallyport_testkit::client::Call {
    post(&format!("/v1/users/{user}/reset-factor"), json!({ "confirmed": "by_call" }))
}

fn token_of(result: &Value) -> String {
    result["link"].as_str().unwrap_or_else(|| panic!("a link: {result}")).split_once('#').expect("behind #").1.to_owned()
}

/// Time goes by, and everybody's sessions with it.
async fn later(server: &TestServer, secs: i64, people: &mut [(&mut Client, &str, &str, &str)]) {
    server.clock.advance(secs);
    for (client, email, password, secret) in people {
        let reply = sallyport_testkit::owner::sign_in(client, email, password, &oathtool(secret, server.clock.now())).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
    }
}

async fn a_technicians_lost_phone_takes_one_admin_and_minutes(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut tara = owner.colleague(&server, 7, "tara@nordwind.example", role("technician")).await;
    let begun = server.clock.now();
    let reply = owner.does(&server, reset(&tara.id)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert_eq!(reply.json()["class"], json!(2), "one administrator, with a fresh code");
    assert_refused(&tara.client.get("/v1/me").await, 401, "not_signed_in");
    let mut client = Client::new(&server, 8);
    server.clock.advance(30);
    assert_refused(&tara.sign_in(&mut client, &server).await, 401, "sign_in_refused");
    let token = token_of(&reply.json()["result"]);
    let look = client.post("/v1/invitations/look", json!({ "token": token })).await.json();
    assert_eq!(look["needs"], json!("factor"));
    let wrong = client.post("/v1/invitations/start", json!({ "token": token, "password": "some other long password" })).await;
    assert_refused(&wrong, 422, "password_refused");
    let mut back = activate(&server, client, &token, THEIR_PASSWORD).await;
    assert_eq!(back.client.get("/v1/devices").await.status, 200);
    assert_ne!(back.secret, tara.secret);
    assert!(server.clock.now().micros_since(begun) < 5 * 60 * 1_000_000, "working again in five minutes");
    let old = sallyport_testkit::owner::sign_in(&mut Client::new(&server, 9), &tara.email, THEIR_PASSWORD, &tara.recovery_codes[0]).await;
    assert_refused(&old, 401, "sign_in_refused");
    assert!(kinds(&mut owner, 10).await.contains(&"factor.reset".to_owned()));
}

/// An owner and an administrator who is old enough to be a second person.
pub(crate) async fn with_admin(server: &TestServer, names: &[&str]) -> (Owner, Vec<Colleague>) {
    let mut owner = Owner::set_up(server).await;
    let mut admins = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let seed = u8::try_from(n).expect("small") + 50;
        admins.push(owner.colleague(server, seed, &format!("{name}@nordwind.example"), role("admin")).await);
    }
    let secret = owner.secret.clone();
    later(server, 8 * 86_400, &mut [(&mut owner.client, sallyport_testkit::owner::EMAIL, sallyport_testkit::owner::PASSWORD, &secret)])
        .await;
    for admin in &mut admins {
        let reply = sallyport_testkit::owner::sign_in(
            &mut admin.client,
            &admin.email,
            THEIR_PASSWORD,
            &oathtool(&admin.secret, server.clock.now()),
        )
        .await;
        assert_eq!(reply.status, 200, "{}", reply.json());
    }
    (owner, admins)
}

async fn a12_rec_10_an_admins_factor_takes_two_people_where_two_exist(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, mut admins) = with_admin(&server, &["ada", "ben"]).await;
    let details = owner.client.get(&format!("/v1/users/{}", admins[0].id)).await.json();
    assert_eq!(details["reset_takes"], json!("two_people"));
    let reply = owner.does(&server, reset(&admins[0].id)).await;
    assert_eq!((reply.status, &reply.json()["state"], &reply.json()["class"]), (200, &json!("open"), &json!(3)), "{}", reply.json());
    let path = format!("/v1/authorization-requests/{}/proofs", reply.json()["id"].as_str().expect("an id"));
    // Whose factor it is cannot agree to it.
    let own = admins[0].code(&server);
    assert_refused(&admins[0].client.post(&path, json!({ "totp": own })).await, 403, "role_refused");
    assert_eq!(admins[0].client.get("/v1/me").await.status, 200, "nothing happened yet");
    let code = admins[1].code(&server);
    let number = reply.json()["number"].clone();
    let done = admins[1].client.post(&path, json!({ "totp": code, "number": number })).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("executed")), "{}", done.json());
    assert_refused(&admins[0].client.get("/v1/me").await, 401, "not_signed_in");
    let token = token_of(&done.json()["result"]);
    let mut back = activate(&server, Client::new(&server, 60), &token, THEIR_PASSWORD).await;
    assert_eq!(back.client.get("/v1/users").await.status, 200);
}

async fn a12_rec_10_without_a_second_person_an_admins_factor_waits_a_day_and_can_be_stopped(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, mut admins) = with_admin(&server, &["ada"]).await;
    let ada = admins.pop().expect("one");
    let held = owner.does(&server, reset(&ada.id)).await;
    assert_eq!((held.status, &held.json()["result"]["kind"]), (200, &json!("reset_held")), "{}", held.json());
    let mut hers = ada.client.clone();
    let me = hers.get("/v1/me").await.json();
    assert_eq!(me["held_reset"]["by"], json!("Amelie Winter"), "told where she looks");
    assert_refused(&owner.client.send(reset(&ada.id)).await, 409, "conflict");
    assert_eq!(hers.send(sallyport_testkit::client::Call::new("DELETE", "/v1/me/held-reset")).await.status, 204);
    assert!(hers.get("/v1/me").await.json()["held_reset"].is_null());
    later(
        &server,
        25 * 3600,
        &mut [
            (&mut owner.client, sallyport_testkit::owner::EMAIL, sallyport_testkit::owner::PASSWORD, &owner.secret),
            (&mut hers, &ada.email, THEIR_PASSWORD, &ada.secret),
        ],
    )
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert_eq!(hers.get("/v1/me").await.status, 200, "stopped is stopped");
    // Nobody stops the second one.
    let held = owner.does(&server, reset(&ada.id)).await;
    assert_eq!(held.json()["result"]["kind"], json!("reset_held"), "{}", held.json());
    later(
        &server,
        24 * 3600 + 1,
        &mut [(&mut owner.client, sallyport_testkit::owner::EMAIL, sallyport_testkit::owner::PASSWORD, &owner.secret)],
    )
    .await;
    let begun = std::time::Instant::now();
    loop {
        let user = owner.client.get(&format!("/v1/users/{}", ada.id)).await.json()["user"].clone();
        if user["mfa"] == json!("required") {
            break;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{user}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let resent = owner.client.post(&format!("/v1/users/{}/resend-invitation", ada.id), json!({})).await;
    let mut back = activate(&server, Client::new(&server, 61), &token_of(&resent.json()), THEIR_PASSWORD).await;
    assert_eq!(back.client.get("/v1/users").await.status, 200);
}

async fn pwd_18_nobody_chooses_or_sees_anothers_password(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", role("technician")).await;
    let document = owner.client.get("/v1/openapi.json").await.json();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        if path.starts_with("/v1/users") {
            assert!(!methods.to_string().to_lowercase().contains("password"), "{path}");
        }
    }
    for schema in ["InviteUser", "ChangeAssignments", "ResetFactor", "Users", "UserDetails", "User", "CreatedInvitation"] {
        let properties = document["components"]["schemas"][schema]["properties"].to_string().to_lowercase();
        assert!(properties.len() > 2 && !properties.contains("\"password"), "{schema}");
    }
    let reply = owner.does(&server, reset(&tara.id)).await;
    let token = token_of(&reply.json()["result"]);
    // REC-08: the reset of a factor leaves the password as it is, and whoever has the link alone gets nothing by it.
    let mut admin = Client::new(&server, 8);
    let start = admin.post("/v1/invitations/start", json!({ "token": token, "password": "a password that the admin chose" })).await;
    assert_refused(&start, 422, "password_refused");
}

async fn removing_people_lowers_no_threshold_for_a_week(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let (mut owner, admins) = with_admin(&server, &["ada", "ben"]).await;
    let reply = owner.does(&server, post("/v1/users/disable", json!({ "users": [admins[1].id] }))).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let details = owner.client.get(&format!("/v1/users/{}", admins[0].id)).await.json();
    assert_eq!(details["reset_takes"], json!("two_people"), "the one who was removed still counts");
    let open = owner.does(&server, reset(&admins[0].id)).await;
    assert_eq!(open.json()["state"], json!("open"), "{}", open.json());
    later(
        &server,
        7 * 86_400 + 60,
        &mut [(&mut owner.client, sallyport_testkit::owner::EMAIL, sallyport_testkit::owner::PASSWORD, &owner.secret)],
    )
    .await;
    let details = owner.client.get(&format!("/v1/users/{}", admins[0].id)).await.json();
    assert_eq!(details["reset_takes"], json!("hold"));
}

async fn the_last_owner_stays(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let own = owner.client.get("/v1/me").await.json()["user"].as_str().expect("an id").to_owned();
    let mut ada = owner.colleague(&server, 7, "ada@nordwind.example", role("admin")).await;
    assert_refused(&ada.client.post("/v1/users/disable", json!({ "users": [own] })).await, 403, "role_refused");
    let mut other = owner.colleague(&server, 8, "olga@nordwind.example", role("owner")).await;
    let reply = other.does(&server, post("/v1/users/disable", json!({ "users": [own] }))).await;
    assert_eq!(reply.status, 200, "of two owners one can go: {}", reply.json());
    let mut third = other.client.clone();
    let demote = post(&format!("/v1/users/{}/assignments", other.id), json!({ "assignments": [{ "role": "admin", "scope": "tenant" }] }));
    let reply = third.send(demote).await;
    assert_eq!((reply.status, &reply.json()["field"]), (422, &json!("users")), "nobody does it to themselves");
}

async fn break_glass_restarts_an_enrolment_and_leaves_an_entry(engine: Engine) {
    use sallyport_testkit::owner::{EMAIL, PASSWORD};
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let nobody = sallyport_server::restart_enrolment(server.app.config.clone(), server.outside(), "nobody@nordwind.example").await;
    assert!(nobody.is_err());
    assert_eq!(owner.client.get("/v1/me").await.status, 200);
    let link = sallyport_server::restart_enrolment(server.app.config.clone(), server.outside(), EMAIL).await.expect("a link");
    assert_refused(&owner.client.get("/v1/me").await, 401, "not_signed_in");
    let token = link.split_once('#').expect("behind #").1.to_owned();
    let mut client = Client::new(&server, 70);
    let wrong = client.post("/v1/invitations/start", json!({ "token": token, "password": "a password that somebody guesses" })).await;
    assert_refused(&wrong, 422, "password_refused");
    let mut back = activate(&server, client, &token, PASSWORD).await;
    let page = back.client.get("/v1/audit?limit=10").await.json();
    let kinds: Vec<_> = page["items"].as_array().expect("a list").iter().map(|entry| entry["kind"].clone()).collect();
    assert!(kinds.contains(&json!("user.enrolment_restarted")), "{kinds:?}");
    let again = Client::new(&server, 71).post("/v1/invitations/look", json!({ "token": token })).await;
    assert_refused(&again, 404, "link_refused");
}

/// Runs `sallyport admin restart-enrolment` as somebody on the server's own machine does, while the server runs.
fn restart_enrolment(server: &TestServer, email: &str) -> std::process::Output {
    let mut command = std::process::Command::new(program("sallyport"));
    command.args(["admin", "restart-enrolment", "--user", email, "--public-url", server.app.config.origin()]);
    command.args(["--database", &server.app.config.database, "--data-dir"]).arg(server.folder());
    command.env_remove("SALLYPORT_CONFIG").env_remove("SALLYPORT_DATABASE").output().expect("the program runs")
}

/// How many entries the log has, and what was ever asked for, proved, released and granted.
async fn log_and_requests(server: &TestServer, admin: &mut Colleague) -> (u64, [i64; 4]) {
    let checkpoint = admin.client.get("/v1/audit/checkpoint").await.json();
    let mut counts = [0; 4];
    let mut reader = server.app.store.read().await.expect("a reader");
    for (count, sql) in counts.iter_mut().zip([
        "SELECT COUNT(*) AS n FROM requests",
        "SELECT COUNT(*) AS n FROM request_proofs",
        "SELECT COUNT(*) AS n FROM jobs",
        "SELECT COUNT(*) AS n FROM runs",
    ]) {
        *count = reader.fetch_one(sql, &[]).await.expect("a row").int("n").expect("a number");
    }
    (checkpoint["size"].as_u64().expect("a size"), counts)
}

async fn break_glass_by_the_program_leaves_one_entry_and_signs_nothing(engine: Engine) {
    use sallyport_testkit::owner::{EMAIL, PASSWORD};
    let server = TestServer::live_on(engine, TestClock::system()).await;
    let mut owner = Owner::set_up(&server).await;
    let mut ada = owner.colleague(&server, 7, "ada@nordwind.example", role("admin")).await;
    let before = log_and_requests(&server, &mut ada).await;
    let nobody = restart_enrolment(&server, "nobody@nordwind.example");
    assert!(!nobody.status.success() && nobody.stdout.is_empty());
    assert_eq!(log_and_requests(&server, &mut ada).await, before, "nothing was done");
    let done = restart_enrolment(&server, EMAIL);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_refused(&owner.client.get("/v1/me").await, 401, "not_signed_in");
    assert_eq!(log_and_requests(&server, &mut ada).await, (before.0 + 1, before.1), "one entry; nothing asked for, proved or granted");
    let newest = ada.client.get("/v1/audit?limit=1").await.json()["items"][0].clone();
    assert_eq!(newest["kind"], "user.enrolment_restarted", "{newest}");
    let link = String::from_utf8(done.stdout).expect("a link");
    let token = link.trim().strip_prefix(&format!("{}/activation#", server.app.config.origin())).expect("the link alone");
    let mut back = activate(&server, Client::new(&server, 70), token, PASSWORD).await;
    assert_eq!(back.client.get("/v1/users").await.status, 200);
}
