//! What is done to people is asked for, proved and logged like everything guarded; and nobody gives what they do not have.

use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, kinds, post, role};

on_both!(
    a13_ses_11_tx_04_operations_on_people_want_a_fresh_code_each,
    a_custom_role_gives_what_it_lists_and_nobody_gives_more_than_they_have,
    the_list_of_users_is_sorted_filtered_and_counted,
    an_admin_ends_the_sessions_of_somebody,
    not_me_stops_everything,
);

async fn a13_ses_11_tx_04_operations_on_people_want_a_fresh_code_each(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let tara = owner.colleague(&server, 7, "tara@nordwind.example", role("technician")).await;
    let invite = json!({ "email": "x@nordwind.example", "name": "X", "assignments": role("technician") });
    let paths = [
        ("/v1/users".to_owned(), invite),
        ("/v1/users/disable".to_owned(), json!({ "users": [tara.id] })),
        (format!("/v1/users/{}/assignments", tara.id), json!({ "assignments": role("auditor") })),
        (format!("/v1/users/{}/reset-factor", tara.id), json!({ "confirmed": "in_person" })),
        ("/v1/roles".to_owned(), json!({ "name": "Night shift", "capabilities": ["devices.read"] })),
    ];
    for (path, body) in &paths {
        // The window of the proof that invited Tara is open, and is not enough for class 2.
        let asked = owner.client.post(path, body.clone()).await;
        assert_eq!((asked.status, &asked.json()["class"]), (202, &json!(2)), "{path}: {}", asked.json());
        assert_eq!(asked.json()["requirement"][0]["proof"], json!("code"), "{path}");
        let foreign = Call::new("POST", path).body(body.clone()).header("origin", "https://evil.example");
        assert_refused(&owner.client.send(foreign).await, 403, "origin_refused");
        let form = Call::new("POST", path).raw(b"users=x".to_vec()).header("content-type", "application/x-www-form-urlencoded");
        assert!(owner.client.send(form).await.status >= 400, "{path}");
        let get = owner.client.get(path).await;
        assert!(get.status == 405 || matches!(path.as_str(), "/v1/users" | "/v1/roles"), "{path}: {}", get.status);
    }
    let user = owner.client.get(&format!("/v1/users/{}", tara.id)).await.json()["user"].clone();
    assert_eq!((&user["state"], &user["mfa"]), (&json!("active"), &json!("active")), "asking alone did nothing");
    // One code, one action.
    server.clock.advance(30);
    let code = owner.code(&server);
    let requests = owner.client.get("/v1/authorization-requests").await.json();
    let ids: Vec<_> =
        requests["items"].as_array().expect("a list").iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
    let prove = |id: &str| post(&format!("/v1/authorization-requests/{id}/proofs"), json!({ "totp": code }));
    assert_eq!(owner.client.send(prove(&ids[0])).await.status, 200);
    assert_refused(&owner.client.send(prove(&ids[1])).await, 422, "code_refused");
}

async fn a_custom_role_gives_what_it_lists_and_nobody_gives_more_than_they_have(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    for wrong in [json!(["people.owners"]), json!(["self.read"]), json!(["all"]), json!([])] {
        let reply = owner.client.post("/v1/roles", json!({ "name": "X", "capabilities": wrong })).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!("capabilities")), "{wrong}");
    }
    let desk =
        json!({ "name": "Help desk", "capabilities": ["people.read", "people.write", "devices.read", "requests.read", "requests.prove"] });
    assert_eq!(owner.does(&server, post("/v1/roles", desk)).await.status, 200);
    let roles = owner.client.get("/v1/roles").await.json();
    let custom = roles["roles"].as_array().expect("a list").iter().find(|role| role["kind"] == "custom").expect("one").clone();
    let word = custom["id"].as_str().expect("an id").to_owned();
    let mut hana = owner.colleague(&server, 7, "hana@nordwind.example", role(&word)).await;
    assert_eq!(hana.client.get("/v1/devices").await.status, 200);
    assert_refused(&hana.client.get("/v1/scripts").await, 403, "role_refused");
    let invite = |role: &str| json!({ "email": "y@nordwind.example", "name": "Y", "assignments": [{ "role": role, "scope": "tenant" }] });
    for more in ["owner", "admin", "technician", "auditor"] {
        assert_refused(&hana.client.post("/v1/users", invite(more)).await, 403, "role_refused");
    }
    let owner_id = owner.client.get("/v1/me").await.json()["user"].clone();
    assert_refused(&hana.client.post("/v1/users/disable", json!({ "users": [owner_id] })).await, 403, "role_refused");
    assert_eq!(hana.does(&server, post("/v1/users", invite(&word))).await.status, 200);
    // A role that people have is not taken away; with another list it holds at the next request.
    let path = format!("/v1/roles/{word}");
    assert_refused(&owner.client.send(Call::new("DELETE", &path)).await, 409, "conflict");
    let less = Call::new("PUT", &path).body(json!({ "name": "Help desk", "capabilities": ["people.read"] }));
    assert_eq!(owner.does(&server, less).await.status, 200);
    assert_refused(&hana.client.get("/v1/devices").await, 403, "role_refused");
    assert_eq!(hana.client.get("/v1/users").await.status, 200);
}

async fn the_list_of_users_is_sorted_filtered_and_counted(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    for name in ["zoe", "adam", "mia"] {
        let reply = owner.invites(&server, &format!("{name}@nordwind.example"), role("technician"), Value::Null).await;
        assert_eq!(reply.status, 200);
    }
    let mut names = async |query: &str| {
        let page = owner.client.get(&format!("/v1/users{query}")).await.json();
        page["items"]
            .as_array()
            .unwrap_or_else(|| panic!("{page}"))
            .iter()
            .map(|user| user["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["adam", "Amelie Winter", "mia", "zoe"]);
    assert_eq!(names("?sort=-name").await, ["zoe", "mia", "Amelie Winter", "adam"]);
    assert_eq!(names("?mfa=required").await, ["adam", "mia", "zoe"]);
    assert_eq!(names("?state=invited&q=MIA").await, ["mia"]);
    assert_eq!(names("?role=owner").await, ["Amelie Winter"]);
    assert_eq!(names("?mfa=off").await, [] as [&str; 0]);
    let page = owner.client.get("/v1/users?limit=3&sort=-created").await.json();
    assert_eq!(
        (&page["total"], &page["counts"]["all"], &page["counts"]["mfa_required"], &page["counts"]["invited"]),
        (&json!(4), &json!(4), &json!(3), &json!(3))
    );
    let next = owner.client.get(&format!("/v1/users?limit=3&sort=-created&cursor={}", page["next"].as_str().expect("more"))).await.json();
    assert_eq!((next["items"].as_array().map(Vec::len), &next["next"]), (Some(1), &Value::Null));
    for wrong in ["?sort=colour", "?mfa=maybe", "?cursor=x", "?limit=0"] {
        assert!(matches!(owner.client.get(&format!("/v1/users{wrong}")).await.status, 400 | 422), "{wrong}");
    }
}

async fn an_admin_ends_the_sessions_of_somebody(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut tara = owner.colleague(&server, 7, "tara@nordwind.example", role("technician")).await;
    let own = owner.client.get("/v1/me").await.json()["user"].as_str().expect("an id").to_owned();
    assert_refused(&tara.client.post(&format!("/v1/users/{own}/end-sessions"), json!({})).await, 403, "role_refused");
    let details = owner.client.get(&format!("/v1/users/{}", tara.id)).await.json();
    assert_eq!(details["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(owner.client.post(&format!("/v1/users/{}/end-sessions", tara.id), json!({})).await.status, 204);
    assert_refused(&tara.client.get("/v1/me").await, 401, "not_signed_in");
    assert_eq!(kinds(&mut owner, 1).await, ["session.ended"]);
}

async fn not_me_stops_everything(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut ada = owner.colleague(&server, 7, "ada@nordwind.example", role("admin")).await;
    let mut thief = sallyport_testkit::client::Client::new(&server, 9);
    server.clock.advance(30);
    assert_eq!(ada.sign_in(&mut thief, &server).await.status, 200);
    let asked = thief.post("/v1/users", json!({ "email": "mole@evil.example", "name": "Mole", "assignments": role("admin") })).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let done = ada.client.post("/v1/me/not-me", json!({})).await;
    assert_eq!(done.status, 200, "{}", done.json());
    assert_eq!((done.json()["sessions"].as_array().map(Vec::len), &done.json()["requests"]), (Some(2), &json!(1)));
    assert!(done.json()["recent"][0]["summary"].as_str().expect("a sentence").contains("Mole"), "{}", done.json());
    for client in [&mut thief, &mut ada.client] {
        assert_refused(&client.get("/v1/me").await, 401, "not_signed_in");
    }
    let request = asked.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(owner.client.get(&format!("/v1/authorization-requests/{request}")).await.json()["state"], json!("denied"));
    assert!(kinds(&mut owner, 3).await.contains(&"user.not_me".to_owned()));
}
