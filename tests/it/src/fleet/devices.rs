use std::time::Instant;

use sallyport_model::{DeviceId, SiteId, TenantId};
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::rows::PutDevice;
use sallyport_testkit::server::TestServer;
use serde_json::{Value, json};

pub(crate) fn device(n: u32) -> DeviceId {
    let mut bytes = [1; 16];
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    DeviceId::from_bytes(bytes)
}

/// So many approved devices at a new site.
pub(crate) async fn with_devices(server: &TestServer, owner: &mut Owner, count: u32) {
    let tenant: TenantId = owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("an id").parse().expect("an id");
    let customer = owner.client.post("/v1/customers", json!({ "name": "Hafen & Söhne" })).await.json();
    let path = format!("/v1/customers/{}/sites", customer["id"].as_str().expect("an id"));
    let site: SiteId =
        owner.client.post(&path, json!({ "name": "Kiel" })).await.json()["id"].as_str().expect("an id").parse().expect("an id");
    let put = |n: u32| {
        let alerts = if n.is_multiple_of(100) { "Disk / 97 %" } else { "" };
        PutDevice { signed_in: "root\nÜnal", alerts, ..PutDevice::numbered(n, device(n), tenant, site) }
    };
    server.app.store.commit(PutDevice::rows((0..count).map(put))).await.expect("the store takes them");
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().into_iter().flatten().filter_map(|device| device["name"].as_str()).collect()
}

#[tokio::test]
async fn ten_thousand_devices_are_paged_searched_and_counted() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 10_000).await;
    let begun = Instant::now();
    let page = owner.client.get("/v1/devices?limit=200").await.json();
    println!("a page of 200 out of 10000 devices took {:?}", begun.elapsed());
    assert_eq!((&page["total"], &page["counts"]["all"], &page["counts"]["offline"]), (&json!(10_000), &json!(10_000), &json!(10_000)));
    assert_eq!(page["counts"]["attention"], json!(100));
    assert_eq!((names(&page)[0], names(&page)[199]), ("web-00000", "web-00199"));
    let next = owner.client.get(&format!("/v1/devices?limit=200&cursor={}", page["next"].as_str().expect("more"))).await.json();
    assert_eq!(names(&next)[0], "web-00200");
    let found = owner.client.get("/v1/devices?q=%C3%BCnal%20WEB-00042%20hafen").await.json();
    assert_eq!((names(&found), &found["total"], &found["next"]), (vec!["web-00042"], &json!(1), &Value::Null));
    let tab = owner.client.get("/v1/devices?state=attention&sort=-name&limit=1").await.json();
    assert_eq!((names(&tab), &tab["total"]), (vec!["web-09900"], &json!(100)));
}

#[tokio::test]
async fn labels_are_set_once_each_and_logged() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 1).await;
    let path = format!("/v1/devices/{}/tags", device(0));
    let reply = owner.client.send(Call::new("PUT", &path).body(json!({ "tags": ["db", "a.b:c", "db"] }))).await;
    assert_eq!((reply.status, &reply.json()["tags"]), (200, &json!(["a.b:c", "db"])));
    let details = owner.client.get(&format!("/v1/devices/{}", device(0))).await.json();
    assert_eq!((&details["device"]["tags"], &details["device"]["site_name"]), (&json!(["a.b:c", "db"]), &json!("Kiel")));
    let entry = owner.client.get("/v1/audit?limit=1&kind=device.tagged").await.json()["items"][0].clone();
    assert_eq!(entry["details"]["tags"], json!(["a.b:c", "db"]));
    for wrong in [json!(["UPPER"]), json!(["a b"]), json!([""]), json!((0..33).map(|n| format!("t{n}")).collect::<Vec<_>>())] {
        let reply = owner.client.send(Call::new("PUT", &path).body(json!({ "tags": wrong }))).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!("tags")), "{wrong}");
    }
    let missing = owner.client.send(Call::new("PUT", &format!("/v1/devices/{}/tags", device(9))).body(json!({ "tags": [] }))).await;
    assert_eq!(missing.code(), "not_found");
}

#[tokio::test]
async fn a_device_without_inventory_has_an_empty_one() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 1).await;
    let inventory = owner.client.get(&format!("/v1/devices/{}/inventory", device(0))).await;
    assert_eq!((inventory.status, &inventory.json()["software"]), (200, &json!([])));
    assert_eq!(owner.client.get(&format!("/v1/devices/{}/inventory", device(1))).await.code(), "not_found");
    assert_eq!(owner.client.get("/v1/devices/nonsense").await.code(), "not_found");
}

#[tokio::test]
async fn a_query_that_is_not_known_is_refused() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    for (path, field) in [
        ("/v1/devices?state=up", "state"),
        ("/v1/devices?colour=red", "colour"),
        ("/v1/devices?limit=1001", "limit"),
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?script=x", "script"),
        ("/v1/installers?cursor=x", "cursor"),
    ] {
        let reply = owner.client.get(path).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!(field)), "{path}");
    }
    assert_eq!(owner.client.get("/v1/jobs?colour=red").await.code(), "malformed");
}
