//! From an invitation to a working account, without a mail server: links are handed over.

use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{Owner, oathtool};
use sallyport_testkit::people::{THEIR_PASSWORD, activate};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, kinds, post, role};

on_both!(
    an_invited_user_activates_once_and_works,
    a_link_is_dead_when_used_replaced_or_too_old,
    a15_of_two_activations_that_race_one_is_left,
    an_account_with_an_end_ends,
);

async fn invited(server: &TestServer, owner: &mut Owner, email: &str) -> (String, String) {
    let reply = owner.invites(server, email, role("technician"), Value::Null).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let result = reply.json()["result"].clone();
    assert_eq!((&result["kind"], &result["delivery"]), (&json!("invitation"), &json!("copy")));
    let link = result["link"].as_str().expect("no mail server: the link is shown").to_owned();
    let token = link.strip_prefix(&format!("{}/invitation#", server.app.config.origin())).expect("in the fragment").to_owned();
    (result["user"].as_str().expect("an id").to_owned(), token)
}

async fn an_invited_user_activates_once_and_works(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let (id, token) = invited(&server, &mut owner, "tara@nordwind.example").await;
    let row = owner.client.get(&format!("/v1/users/{id}")).await.json()["user"].clone();
    assert_eq!((&row["state"], &row["mfa"], &row["mfa_required_by"]), (&json!("invited"), &json!("required"), &json!("tenant")));
    let mut client = Client::new(&server, 7);
    for _ in 0..3 {
        let look = client.post("/v1/invitations/look", json!({ "token": token })).await.json();
        assert_eq!(
            (&look["tenant"], &look["needs"], &look["invited_by"]),
            (&json!("Nordwind IT"), &json!("password"), &json!("Amelie Winter"))
        );
        assert_eq!(look["address"], json!("127.0.0.1"), "whose browser is let in");
    }
    let short = client.post("/v1/invitations/start", json!({ "token": token, "password": "short" })).await;
    assert_refused(&short, 422, "password_refused");
    let mut tara = activate(&server, client, &token, THEIR_PASSWORD).await;
    assert_eq!(tara.recovery_codes.len(), 10);
    let me = tara.client.get("/v1/me").await.json();
    assert_eq!((&me["role"], &me["mfa"]["state"], &me["session"]["stage"]), (&json!("technician"), &json!("active"), &json!("full")));
    assert!(me["capabilities"].as_array().expect("a list").contains(&json!("jobs.run")));
    let row = owner.client.get(&format!("/v1/users/{id}")).await.json()["user"].clone();
    assert_eq!((&row["state"], &row["mfa"], &row["factors"]["recovery_codes_left"]), (&json!("active"), &json!("active"), &json!(10)));
    assert!(row["last_sign_in"].is_string());
    let mut again = Client::new(&server, 8);
    assert_refused(&again.post("/v1/invitations/look", json!({ "token": token })).await, 404, "link_refused");
    server.clock.advance(30);
    assert_eq!(tara.sign_in(&mut again, &server).await.status, 200);
    let kinds = kinds(&mut owner, 20).await;
    assert!(["user.invited", "user.activated"].iter().all(|kind| kinds.iter().any(|known| known == kind)), "{kinds:?}");
    let taken = owner.invites(&server, "tara@nordwind.example", role("technician"), Value::Null).await;
    assert_eq!((taken.status, &taken.json()["field"]), (422, &json!("email")));
}

async fn a_link_is_dead_when_used_replaced_or_too_old(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let (id, first) = invited(&server, &mut owner, "tara@nordwind.example").await;
    let resent = owner.client.post(&format!("/v1/users/{id}/resend-invitation"), json!({})).await;
    assert_eq!(resent.status, 200, "{}", resent.json());
    let second = resent.json()["link"].as_str().expect("a link").split_once('#').expect("behind #").1.to_owned();
    let mut client = Client::new(&server, 7);
    let look = |token: &str| post("/v1/invitations/look", json!({ "token": token }));
    assert_refused(&client.send(look(&first)).await, 404, "link_refused");
    assert_refused(&client.send(look("nonsense")).await, 404, "link_refused");
    assert_eq!(client.send(look(&second)).await.status, 200);
    let started = client.post("/v1/invitations/start", json!({ "token": second, "password": THEIR_PASSWORD })).await.json();
    server.clock.advance(24 * 60 * 60);
    assert_refused(&client.send(look(&second)).await, 404, "link_refused");
    let code = oathtool(started["totp"]["secret"].as_str().expect("a secret"), server.clock.now());
    let finish = json!({ "token": second, "draft": started["draft"], "code": code });
    assert_refused(&client.post("/v1/invitations/finish", finish).await, 404, "link_refused");
    assert_eq!(client.cookie, None);
}

async fn a15_of_two_activations_that_race_one_is_left(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let (_, token) = invited(&server, &mut owner, "tara@nordwind.example").await;
    let (mut hers, mut his) = (Client::new(&server, 7), Client::new(&server, 8));
    let start = json!({ "token": token, "password": THEIR_PASSWORD });
    let (one, other) =
        (hers.post("/v1/invitations/start", start.clone()).await.json(), his.post("/v1/invitations/start", start).await.json());
    let now = server.clock.now();
    let finish = |started: &Value| {
        let code = oathtool(started["totp"]["secret"].as_str().expect("a secret"), now);
        json!({ "token": token, "draft": started["draft"], "code": code })
    };
    let reply = hers.post("/v1/invitations/finish", finish(&one)).await;
    assert_eq!((reply.status, &reply.json()["field"]), (422, &json!("draft")), "the later one replaced it");
    let wrong = json!({ "token": token, "draft": other["draft"], "code": "000000" });
    assert_refused(&his.post("/v1/invitations/finish", wrong).await, 422, "code_refused");
    let (mut twin, body) = (his.clone(), finish(&other));
    let (first, second) = tokio::join!(his.post("/v1/invitations/finish", body.clone()), twin.post("/v1/invitations/finish", body));
    let mut states = [first.status, second.status];
    states.sort_unstable();
    assert!(states[0] == 201 && states[1] > 400, "{states:?}");
    let counts = owner.client.get("/v1/users?q=tara").await.json()["items"][0]["factors"]["totp"].clone();
    assert_eq!(counts, json!(1));
}

async fn an_account_with_an_end_ends(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let refused = owner.invites(&server, "sam@elsewhere.example", role("support"), Value::Null).await;
    assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("expires")), "{}", refused.json());
    let mut sam = owner.colleague(&server, 9, "sam@elsewhere.example", role("support")).await;
    assert_eq!(sam.client.get("/v1/devices").await.status, 200);
    server.clock.advance(30 * 86_400 - 3600);
    let mut client = Client::new(&server, 10);
    assert_eq!(sam.sign_in(&mut client, &server).await.status, 200);
    server.clock.advance(3590);
    assert_refused(&client.get("/v1/me").await, 401, "not_signed_in");
    assert_refused(&sam.sign_in(&mut client, &server).await, 401, "sign_in_refused");
    let row = owner.sign_in(&mut owner.client.clone(), &owner.code(&server)).await;
    assert_eq!(row.status, 200);
    let mut fresh = Client::new(&server, 11);
    server.clock.advance(30);
    assert_eq!(owner.sign_in(&mut fresh, &owner.code(&server)).await.status, 200);
    let user = fresh.send(Call::new("GET", "/v1/users?q=sam")).await.json()["items"][0].clone();
    assert_eq!(user["state"], json!("disabled"));
}
