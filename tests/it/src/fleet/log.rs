use sallyport_grant::merkle::inclusion_holds;
use sallyport_model::Digest;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::TestServer;
use serde_json::{Value, json};

fn digest(value: &Value) -> Digest {
    value.as_str().expect("a digest").parse().expect("a digest")
}

fn sentence(entry: &Value) -> String {
    entry["sentence"].as_array().into_iter().flatten().filter_map(|part| part["text"].as_str()).collect()
}

#[tokio::test]
async fn every_entry_can_be_proved_against_the_checkpoint() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    owner.script("greet", "true").await;
    let checkpoint = owner.client.get("/v1/audit/checkpoint").await.json();
    let (size, root) = (checkpoint["size"].as_u64().expect("a size"), digest(&checkpoint["root"]));
    assert!(
        checkpoint["note"]
            .as_str()
            .is_some_and(|note| note.starts_with(&format!("{}\n{size}\n", checkpoint["origin"].as_str().unwrap_or(""))))
    );
    for index in 0..size {
        let proof = owner.client.get(&format!("/v1/audit/{index}/proof")).await.json();
        let hashes: Vec<Digest> = proof["hashes"].as_array().into_iter().flatten().map(digest).collect();
        assert!(inclusion_holds(&digest(&proof["leaf"]), index, size, &hashes, &root), "{index}");
    }
    for wrong in [size.to_string(), "-1".into(), "x".into()] {
        assert_eq!(owner.client.get(&format!("/v1/audit/{wrong}/proof")).await.code(), "not_found");
    }
}

#[tokio::test]
async fn entries_are_sentences_with_links_in_pages() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let script = owner.script("greet", "true").await;
    let page = owner.client.get("/v1/audit?limit=1").await.json();
    let entry = &page["items"][0];
    assert_eq!(sentence(entry), "Amelie Winter created script greet");
    assert_eq!(entry["sentence"][2]["link"], json!(script));
    let me = owner.client.get("/v1/me").await.json();
    assert_eq!((&entry["actor"]["id"], &entry["sentence"][0]["link"]), (&me["user"], &me["user"]));
    let older = owner.client.get(&format!("/v1/audit?limit=1000&cursor={}", page["next"].as_str().expect("more"))).await.json();
    let kinds: Vec<&str> = older["items"].as_array().into_iter().flatten().filter_map(|entry| entry["kind"].as_str()).collect();
    assert!(kinds.starts_with(&["recovery_codes.saved", "session.opened"]) && kinds.contains(&"setup.finished"), "{kinds:?}");
    assert_eq!(older["next"], Value::Null);
    let own = owner.client.get(&format!("/v1/audit?actor={}&kind=script.created", me["user"].as_str().expect("an id"))).await.json();
    assert_eq!(own["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_trust_is_the_root_that_the_owner_signed() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let trust = owner.client.get("/v1/trust").await.json();
    let authority = sallyport_grant::VerifyKey::of(&owner.authority);
    assert_eq!(digest(&trust["authority_pin"]), sallyport_grant::AuthorityPin::of(1, &[authority]).0);
    assert_eq!((&trust["version"], &trust["profile"]), (&json!(1), &json!("starter")));
    assert!(trust["root_envelope"].as_str().is_some_and(|text| text.contains("payloadType")));
}
