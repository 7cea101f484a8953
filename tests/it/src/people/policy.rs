//! The policy of factors and sessions.

use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::json;

use super::{assert_refused, post, role};

on_both!(what_needs_mail_is_refused_without_a_mail_server, session_limits_hold_at_once, single_users_are_required_where_not_everybody_is);

fn mfa(who: &str, factorless: &str) -> Call {
    Call::new("PUT", "/v1/policy/mfa").body(json!({ "who": who, "roles": [], "deadline": null, "factorless": factorless }))
}

async fn what_needs_mail_is_refused_without_a_mail_server(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let policy = owner.client.get("/v1/policy").await.json();
    assert_eq!(
        (&policy["mfa"]["who"], &policy["mfa"]["factorless"], &policy["mail"]["configured"]),
        (&json!("all"), &json!("no"), &json!("no"))
    );
    assert_refused(&owner.client.send(mfa("all", "yes")).await, 409, "mail_unavailable");
    assert_eq!(owner.does(&server, mfa("admins", "no")).await.status, 200);
    assert_eq!(owner.client.get("/v1/policy").await.json()["mfa"]["who"], json!("admins"));
    assert_refused(&owner.client.send(mfa("admins", "no")).await, 422, "nothing_to_do");
    let nameless = owner.client.send(mfa("roles", "no")).await;
    assert_eq!((nameless.status, &nameless.json()["field"]), (422, &json!("roles")));
}

async fn session_limits_hold_at_once(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let limits =
        |idle: u32, lifetime: u32| Call::new("PUT", "/v1/policy/sessions").body(json!({ "idle_secs": idle, "lifetime_secs": lifetime }));
    for (idle, lifetime, field) in [(10, 3600, "idle_secs"), (3600, 1_000_000, "lifetime_secs"), (3600, 900, "idle_secs")] {
        let reply = owner.client.send(limits(idle, lifetime)).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!(field)));
    }
    let mut tara = owner.colleague(&server, 7, "tara@nordwind.example", role("technician")).await;
    assert_eq!(owner.does(&server, limits(300, 900)).await.status, 200);
    server.clock.advance(299);
    assert_refused(&tara.client.get("/v1/me").await, 401, "not_signed_in");
    let mut client = Client::new(&server, 8);
    assert_eq!(tara.sign_in(&mut client, &server).await.status, 200);
    let session = client.get("/v1/me").await.json()["session"].clone();
    assert!(session["idle_expires"].as_str() < session["expires"].as_str(), "{session}");
    server.clock.advance(301);
    assert_refused(&client.get("/v1/me").await, 401, "not_signed_in");
}

async fn single_users_are_required_where_not_everybody_is(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let invited = owner.invites(&server, "tara@nordwind.example", role("technician"), json!(null)).await;
    let id = invited.json()["result"]["user"].as_str().expect("an id").to_owned();
    let require = |required: &str| post("/v1/users/mfa", json!({ "users": [id], "required": required }));
    let reply = owner.client.send(require("yes")).await;
    assert_refused(&reply, 409, "conflict");
    assert!(reply.json()["detail"].as_str().expect("why").contains("everybody"), "it says why");
    assert_eq!(owner.does(&server, mfa("admins", "no")).await.status, 200);
    let shown = async |owner: &mut Owner| {
        let user = owner.client.get(&format!("/v1/users/{id}")).await.json()["user"].clone();
        (user["mfa"].clone(), user["mfa_required_by"].clone())
    };
    assert_eq!(shown(&mut owner).await, (json!("off"), json!(null)));
    assert_eq!(owner.does(&server, require("yes")).await.status, 200);
    assert_eq!(shown(&mut owner).await, (json!("required"), json!("user")));
    assert_eq!(owner.does(&server, require("no")).await.status, 200);
    assert_eq!(shown(&mut owner).await, (json!("off"), json!(null)));
}
