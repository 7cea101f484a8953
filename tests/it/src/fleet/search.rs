use std::time::Duration;

use sallyport_decide::search::{FindKind, Finding, pack};
use sallyport_store::values;
use sallyport_testkit::client::Client;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::rows::Rows;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::json;
use tokio::time::Instant;

use super::devices::{device, with_devices};
use crate::cli::Desk;

/// Devices are asked at most every ten seconds, and a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

fn finding(name: &str, version: &str, detail: &str) -> Finding {
    Finding { name: name.into(), version: version.into(), detail: detail.into() }
}

/// Four devices: nginx in three versions, none on the last, which has a hostile package instead.
async fn fleet(server: &TestServer, owner: &mut Owner) {
    with_devices(server, owner, 4).await;
    let nginx =
        |version: &str| vec![finding("nginx", version, "dpkg"), finding("nginx-common", version, "dpkg"), finding("bash", "5.2", "dpkg")];
    let software = [nginx("1.9.15-1"), nginx("1.24.0-2"), nginx("1.25.3-1"), vec![finding("=HYPERLINK(\"x\")", "1%_!", "dpkg")]];
    let row = |(n, found): (u32, Vec<Finding>)| values![device(n), FindKind::Software.word(), pack(found)].to_vec();
    let mut rows: Vec<_> = (0..4).zip(software).map(row).collect();
    let ports = vec![finding("5432", "", "tcp 0.0.0.0 postgres"), finding("22", "", "tcp :: sshd")];
    rows.push(values![device(1), FindKind::Port.word(), pack(ports)].to_vec());
    let services = vec![finding("nginx.service", "", "running"), finding("ssh.service", "", "running")];
    rows.push(values![device(2), FindKind::Service.word(), pack(services)].to_vec());
    server.app.store.commit(Rows { table: "findables", columns: &["device", "kind", "content"], rows }).await.expect("rows");
}

/// Of two devices with a package, the one that has it in an old version is meant, and none where nobody has it so old.
pub(crate) async fn runs_where_software_is_old(desk: &mut Desk) {
    with_devices(&desk.server, &mut desk.owner, 2).await;
    let has = |n: u32, version: &str| {
        let found = vec![finding("sallyport-probe", version, "dpkg")];
        values![device(n), FindKind::Software.word(), pack(found)].to_vec()
    };
    let rows = vec![has(0, "1.9.15-1"), has(1, "1.25.3-1")];
    desk.server.app.store.commit(Rows { table: "findables", columns: &["device", "kind", "content"], rows }).await.expect("rows");
    let asked = desk.json(&["run", "hostile", "--software", "sallyport-probe<1.20", "--detach"], "");
    let job = asked["id"].as_str().unwrap_or_else(|| panic!("a job: {asked}"));
    let runs = desk.json(&["jobs", "show", job], "")["runs"].clone();
    assert_eq!((runs.as_array().map(Vec::len), &runs[0]["device_name"]), (Some(1), &json!("web-00000")), "{runs}");
    desk.json(&["jobs", "cancel", job], "");
    assert!(desk.says(2, &["run", "hostile", "--software", "sallyport-probe<1.2", "--detach"]).contains("nothing matches"));
}

async fn names(client: &mut Client, query: &str) -> Vec<String> {
    let reply = client.get(&format!("/v1/search?{query}")).await;
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let items = reply.json()["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn devices_with_software_older_than_a_version_are_found() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    fleet(&server, &mut owner).await;
    let client = &mut owner.client;
    assert_eq!(names(client, "kind=software&name=nginx&version_op=lt&version=1.25").await, ["web-00000", "web-00001"]);
    assert_eq!(names(client, "kind=software&name=NGINX-c").await.len(), 3);
    assert_eq!(names(client, "kind=port&name=5432").await, ["web-00001"]);
    assert_eq!(names(client, "kind=port&name=SSHD").await, ["web-00001"]);
    assert!(names(client, "kind=port&name=543").await.is_empty());
    assert_eq!(names(client, "kind=service&name=nginx").await, ["web-00002"]);
    assert!(names(client, "kind=process&name=nginx").await.is_empty());
    assert_eq!(names(client, "kind=software&name=%25_").await, Vec::<String>::new(), "signs of patterns are themselves");
    let page = client.get("/v1/search?kind=software&name=nginx&limit=1").await.json();
    assert_eq!(page["items"][0]["found"][0], json!({ "name": "nginx", "version": "1.9.15-1", "detail": "dpkg" }));
    assert_eq!((&page["items"][0]["customer_name"], &page["items"][0]["online"]), (&json!("Hafen & Söhne"), &json!(false)));
}

#[tokio::test]
async fn a_search_comes_in_pages_and_as_a_table() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    fleet(&server, &mut owner).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = owner.client.get(&format!("/v1/search?kind=software&name=nginx&limit=2{cursor}")).await.json();
        seen.extend(page["items"].as_array().expect("items").iter().map(|item| item["name"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["web-00000", "web-00001", "web-00002"]);
    let csv = owner.client.get("/v1/search?kind=software&name=hyper&format=csv").await;
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = String::from_utf8(csv.body.clone()).expect("text");
    let line = text.lines().nth(1).expect("a line");
    assert!(line.contains("\"web-00003\"") && line.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{line}");
    for wrong in ["kind=software", "kind=script&name=x", "kind=port&name=x&version=1", "kind=port&name=x&more=1"] {
        assert_eq!(owner.client.get(&format!("/v1/search?{wrong}")).await.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn the_list_of_devices_is_filtered_by_software() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    fleet(&server, &mut owner).await;
    let page = owner.client.get("/v1/devices?software=nginx%3C1.25&q=web-00001").await.json();
    assert_eq!((&page["total"], &page["items"][0]["name"]), (&json!(1), &json!("web-00001")));
    assert_eq!(owner.client.get("/v1/devices?software=nginx%3C1.10&software=nginx%3E1.25").await.json()["total"], 2);
    let page = owner.client.get("/v1/devices?service=nginx").await.json();
    assert_eq!((&page["total"], &page["items"][0]["name"]), (&json!(1), &json!("web-00002")));
    assert_eq!(owner.client.get("/v1/devices?service=nginx.service&software=nginx%3C1.25").await.json()["total"], 0);
    assert_eq!(owner.client.get("/v1/devices?software=ngin").await.json()["total"], 0);
    assert_eq!(owner.client.get("/v1/devices?software=%3C1").await.status, 422);
}

on_both!(what_a_device_says_is_found_and_what_it_does_since_then_once_it_was_asked,);

/// Waits until a search finds so many devices.
async fn until_found(owner: &mut Owner, query: &str, wanted: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = names(&mut owner.client, query).await;
        if found.len() == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{query}: {found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn what_a_device_says_is_found_and_what_it_does_since_then_once_it_was_asked(engine: Engine) {
    let clock = TestClock::system();
    clock.advance(-150);
    let server = TestServer::live_on(engine, clock).await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 1).await;
    until_found(&mut owner, "kind=process&name=sallyport-agent", 1).await;
    until_found(&mut owner, "kind=software&name=libc6&version_op=gt&version=2", 1).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    assert!(names(&mut owner.client, &format!("kind=port&name={port}")).await.is_empty());
    let asked = owner.client.post("/v1/search/refresh", json!({})).await;
    assert_eq!((asked.status, asked.json()), (200, json!({ "asked": 1, "next": null })));
    until_found(&mut owner, &format!("kind=port&name={port}"), 1).await;
    for (filter, found) in [
        (format!("port={port}"), 1),
        (format!("port={port}&software=libc6"), 1),
        (format!("port={port}&software=libc6%3C2"), 0),
        ("service=no-such&process=sallyport-agent".to_owned(), 0),
        ("process=sallyport-agent&process=no-such".to_owned(), 1),
    ] {
        assert_eq!(owner.client.get(&format!("/v1/devices?{filter}")).await.json()["total"], found, "{filter}");
    }
    assert_eq!(devices.len(), 1);
    for (wrong, status) in [(json!({ "after": "web-1" }), 422), (json!({ "all": true }), 400)] {
        assert_eq!(owner.client.post("/v1/search/refresh", wrong.clone()).await.status, status, "{wrong}");
    }
}

/// A search must not tell a technician of one site what the others have.
#[tokio::test]
async fn c5_what_is_out_of_reach_is_not_found() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    fleet(&server, &mut owner).await;
    assert_eq!(names(&mut owner.client, "kind=software&name=nginx").await.len(), 3);
    let customer = owner.client.post("/v1/customers", json!({ "name": "Elsewhere" })).await.json();
    let elsewhere = json!([{ "role": "technician", "scope": "customer", "id": customer["id"] }]);
    let mut colleague = owner.colleague(&server, 40, "tess@example.com", elsewhere).await;
    assert!(names(&mut colleague.client, "kind=software&name=nginx").await.is_empty());
    assert_eq!(
        colleague.client.get("/v1/search?kind=software&name=nginx&format=csv").await.body.iter().filter(|b| **b == b'\n').count(),
        1
    );
    let asked = colleague.client.post("/v1/search/refresh", json!({})).await;
    assert_eq!((asked.status, &asked.json()["asked"]), (200, &json!(0)));
}
