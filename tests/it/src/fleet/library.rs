use sallyport_grant::sha256;
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::TestServer;
use serde_json::json;

#[tokio::test]
async fn a_script_is_kept_byte_for_byte_in_every_version() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let first = "#!/bin/sh\r\necho caf\u{e9}\t\n\n ";
    let body = json!({ "name": "Greet", "interpreter": "sh", "text": first, "parameters": [{ "name": "WHO", "required": true }] });
    let created = owner.client.post("/v1/scripts", body).await;
    assert_eq!(created.status, 201, "{}", created.json());
    let path = format!("/v1/scripts/{}", created.json()["script"]["id"].as_str().expect("an id"));
    let second = json!({ "name": "Greet all", "interpreter": "bash", "text": "echo 2", "based_on": 1 });
    let saved = owner.client.send(Call::new("PUT", &path).body(second.clone())).await;
    assert_eq!((saved.status, &saved.json()["script"]["version"]), (200, &json!(2)));
    let old = owner.client.get(&format!("{path}?version=1")).await.json();
    assert_eq!(old["text"], json!(first));
    assert_eq!(old["script"]["sha256"], json!(sha256(&[first.as_bytes()])));
    assert_eq!((&old["script"]["interpreter"], &old["parameters"][0]["name"]), (&json!("sh"), &json!("WHO")));
    assert_eq!(old["versions"].as_array().map(Vec::len), Some(2));
    let again = owner.client.send(Call::new("PUT", &path).body(second)).await;
    assert_eq!((again.status, again.code().as_str()), (409, "conflict"), "version 1 is not the newest any more");
    let entry = owner.client.get("/v1/audit?kind=script.saved").await.json()["items"][0].clone();
    assert_eq!(entry["details"]["sha256"], json!(sha256(&[b"echo 2"])));
}

#[tokio::test]
async fn a_deleted_script_is_not_there_any_more() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let id = owner.script("short-lived", "true").await;
    let path = format!("/v1/scripts/{id}");
    assert_eq!(owner.client.send(Call::new("DELETE", &path)).await.status, 204);
    assert_eq!(owner.client.get(&path).await.code(), "not_found");
    assert_eq!(owner.client.send(Call::new("DELETE", &path)).await.code(), "not_found");
    assert_eq!(owner.client.get("/v1/scripts").await.json()["items"], json!([]));
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let good = json!({ "name": "x", "interpreter": "sh", "text": "true" });
    let secret = json!([{ "name": "PASS", "secret": true, "default": "hunter2" }]);
    for (field, value) in
        [("name", json!("")), ("interpreter", json!("perl")), ("text", json!("a\0b")), ("parameters", secret), ("based_on", json!(1))]
    {
        let mut body = good.clone();
        body[field] = value;
        let reply = owner.client.post("/v1/scripts", body).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!(field)));
    }
    let id = owner.script("x", "true").await;
    let reply = owner.client.send(Call::new("PUT", &format!("/v1/scripts/{id}")).body(good)).await;
    assert_eq!(reply.json()["field"], json!("based_on"), "what was edited must be said");
}

#[tokio::test]
async fn customers_have_names_that_are_not_taken() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let customer = owner.client.post("/v1/customers", json!({ "name": " Hafen " })).await;
    assert_eq!((customer.status, &customer.json()["name"]), (201, &json!("Hafen")));
    let taken = owner.client.post("/v1/customers", json!({ "name": "Hafen" })).await;
    assert_eq!((taken.status, &taken.json()["field"]), (422, &json!("name")));
    let sites = format!("/v1/customers/{}/sites", customer.json()["id"].as_str().expect("an id"));
    assert_eq!(owner.client.post(&sites, json!({ "name": "Kiel" })).await.status, 201);
    assert_eq!(owner.client.post(&sites, json!({ "name": "Kiel" })).await.status, 422);
    let listed = owner.client.get("/v1/customers").await.json();
    let hafen = listed["items"].as_array().into_iter().flatten().find(|one| one["name"] == "Hafen").cloned();
    assert_eq!(hafen.expect("it is listed")["sites"][0]["name"], json!("Kiel"));
}
