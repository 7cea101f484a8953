//! Who reaches what: every route with every role, inside of its scope and outside.

use std::collections::BTreeMap;

use sallyport_model::{DeviceId, InstallerId, JobId, RequestId, RunId, TenantId};
use sallyport_store::values;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::people::Colleague;
use sallyport_testkit::rows::{PutDevice, Rows};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::{assert_refused, post, role};

on_both!(
    az_01_every_route_with_every_role_answers_as_the_printed_table_says,
    az_01_outside_of_a_scope_there_is_nothing,
    az_02_a_change_of_roles_holds_at_the_next_request_and_ends_streams,
    az_03_who_asks_decides_and_not_what_passes_it_on,
    ses_05_a20_disabling_ends_requests_and_streams_at_once,
);

/// Two customers, each with a site, a device, a script's job on both devices, and an installer.
pub(crate) struct Places {
    pub(crate) customers: [String; 2],
    pub(crate) sites: [String; 2],
    pub(crate) devices: [DeviceId; 2],
    runs: [RunId; 2],
    /// On both devices.
    job: JobId,
    /// On the second device alone.
    other_job: JobId,
    installers: [InstallerId; 2],
    pub(crate) script: String,
}

pub(crate) async fn places(server: &TestServer, owner: &mut Owner) -> Places {
    let tenant: TenantId = owner.client.get("/v1/me").await.json()["tenant"].as_str().expect("an id").parse().expect("an id");
    let (mut customers, mut sites) = (Vec::new(), Vec::new());
    for name in ["Adler", "Biber"] {
        let customer = owner.client.post("/v1/customers", json!({ "name": name })).await.json()["id"].as_str().expect("an id").to_owned();
        let site = owner.client.post(&format!("/v1/customers/{customer}/sites"), json!({ "name": "Main" })).await.json();
        customers.push(customer);
        sites.push(site["id"].as_str().expect("an id").to_owned());
    }
    let script = owner.script("uptime", "uptime").await;
    let devices = [1, 2].map(|n| DeviceId::from_bytes([n; 16]));
    let put = |n: usize| {
        let key = vec![u8::try_from(n).expect("small") + 1; 32];
        let site = sites[n].parse().expect("an id");
        PutDevice { name: format!("pc-{n}"), key, tags: "", signed_in: "", ..PutDevice::numbered(0, devices[n], tenant, site) }
    };
    server.app.store.commit(PutDevice::rows([put(0), put(1)])).await.expect("the store takes them");
    let (job, other_job) = (JobId::from_bytes([5; 16]), JobId::from_bytes([6; 16]));
    jobs(server, owner, &script, &devices).await;
    let installers = installers(server, tenant, &sites).await;
    let [a, b] = [&customers, &sites].map(|list| [list[0].clone(), list[1].clone()]);
    Places { customers: a, sites: b, devices, runs: [1, 2].map(|n| RunId::from_bytes([n; 16])), job, other_job, installers, script }
}

async fn put(server: &TestServer, table: &'static str, columns: &'static [&'static str], rows: Vec<Vec<sallyport_store::Value>>) {
    server.app.store.commit(Rows { table, columns, rows }).await.expect("the store takes them");
}

/// One job on both devices, and one on the second alone: both truly asked for and proved by the owner.
async fn jobs(server: &TestServer, owner: &mut Owner, script: &str, devices: &[DeviceId; 2]) {
    let body = |devices: &[DeviceId]| json!({ "script": script, "version": 1, "devices": devices });
    let both = owner.does(server, post("/v1/jobs", body(devices))).await;
    assert_eq!(both.status, 200, "{}", both.json());
    let second = owner.does(server, post("/v1/jobs", body(&devices[1..]))).await;
    assert!(matches!(second.status, 200 | 201), "{}", second.json());
}

async fn installers(server: &TestServer, tenant: TenantId, sites: &[String]) -> [InstallerId; 2] {
    let columns = &["id", "tenant", "site", "label", "platform", "uses", "used", "secret_hash", "created", "created_by", "expires"];
    let ids = [1, 2].map(|n| InstallerId::from_bytes([n; 16]));
    let row = |n: usize| {
        let site: sallyport_model::SiteId = sites[n].parse().expect("an id");
        values![ids[n], tenant, site, format!("installer {n}"), "linux", 5i64, 0i64, vec![7u8; 32], 1i64, "Amelie", i64::MAX].to_vec()
    };
    put(server, "installers", columns, vec![row(0), row(1)]).await;
    ids
}

/// The rows of the route table as the API's own description prints them.
fn routes(document: &Value) -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let description = operation["description"].as_str().unwrap_or_default();
            if let Some(rest) = description.strip_prefix("Needs `") {
                rows.push((method.to_uppercase(), path.clone(), rest.split('`').next().unwrap_or_default().to_owned()));
            }
        }
    }
    rows
}

/// Which role has what, read from the table that people review.
pub(crate) fn printed() -> BTreeMap<String, Vec<String>> {
    let text = sallyport_server::print_roles();
    let mut lines = text.lines().take_while(|line| !line.is_empty());
    let head: Vec<String> = lines.next().expect("a head").split_whitespace().skip(3).take(5).map(str::to_owned).collect();
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        for (role, mark) in head.iter().zip(&words[2..]) {
            if *mark == "yes" {
                table.entry(role.clone()).or_default().push(words[0].to_owned());
            }
        }
    }
    table
}

async fn az_01_every_route_with_every_role_answers_as_the_printed_table_says(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let document = owner.client.get("/v1/openapi.json").await.json();
    let (routes, table) = (routes(&document), printed());
    assert!(routes.len() > 60 && table.len() == 5, "{} routes, {} roles", routes.len(), table.len());
    let mut clients: Vec<(String, Client)> = vec![("owner".to_owned(), owner.client.clone())];
    for (n, word) in ["admin", "technician", "auditor", "support"].into_iter().enumerate() {
        let seed = u8::try_from(n).expect("small") + 20;
        let one = owner.colleague(&server, seed, &format!("{word}@nordwind.example"), role(word)).await;
        clients.push((word.to_owned(), one.client));
    }
    let mut asked = 0;
    for (method, path, capability) in &routes {
        // What concerns oneself ends the very sessions that ask; it has tests of its own.
        if capability.starts_with("self.") || path.contains("events") {
            continue;
        }
        let path = path.replace("{id}", &RequestId::from_bytes([9; 16]).to_string()).replace("{index}", "0");
        server.clock.advance(1);
        for (word, client) in &mut clients {
            let call = Call::new(method, &path);
            let call = if method == "GET" || method == "DELETE" { call } else { call.body(json!({})) };
            let reply = client.send(call).await;
            let refused = (reply.status, reply.status == 403 && reply.code() == "role_refused");
            let has = table[word].contains(capability);
            assert_eq!(refused.1, !has, "{word} {method} {path} ({capability}): {} {}", reply.status, String::from_utf8_lossy(&reply.body));
            asked += 1;
        }
    }
    println!("asked {asked} times");
    assert!(asked > 200);
}

/// A technician of the first customer.
async fn technician(server: &TestServer, owner: &mut Owner, places: &Places) -> Colleague {
    let scope = json!([{ "role": "technician", "scope": "customer", "id": places.customers[0] }]);
    owner.colleague(server, 30, "tara@nordwind.example", scope).await
}

pub(crate) fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().into_iter().flatten().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

async fn az_01_outside_of_a_scope_there_is_nothing(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let places = places(&server, &mut owner).await;
    let jobs = ids(&owner.client.get("/v1/jobs").await.json());
    assert_eq!(jobs.len(), 2, "the newest first");
    let (second_only, both) = (jobs[0].clone(), jobs[1].clone());
    let runs = owner.client.get(&format!("/v1/jobs/{both}/runs")).await.json();
    let run_of = |device: DeviceId| {
        let items = runs["items"].as_array().expect("runs");
        let run = items.iter().find(|run| run["device"] == json!(device)).expect("a run");
        run["id"].as_str().expect("an id").to_owned()
    };
    let mut tara = technician(&server, &mut owner, &places).await;
    let client = &mut tara.client;
    // Lists show what is within, and count nothing else.
    let devices = client.get("/v1/devices").await.json();
    assert_eq!((ids(&devices), &devices["total"], &devices["counts"]["all"]), (vec![places.devices[0].to_string()], &json!(1), &json!(1)));
    assert_eq!(ids(&client.get("/v1/customers").await.json()), [places.customers[0].clone()]);
    assert_eq!(ids(&client.get("/v1/installers").await.json()), [places.installers[0].to_string()]);
    let seen = client.get("/v1/jobs").await.json();
    assert_eq!((ids(&seen), &seen["items"][0]["counts"]["total"]), (vec![both.clone()], &json!(1)), "the other run is not even counted");
    assert_eq!(ids(&client.get(&format!("/v1/jobs?device={}", places.devices[1])).await.json()), [] as [String; 0]);
    assert_eq!(ids(&client.get(&format!("/v1/jobs/{both}/runs")).await.json()), [run_of(places.devices[0])]);
    // Single reads: inside there is something, outside there is nothing.
    let [inside, outside] = [0, 1].map(|n| {
        let (device, run) = (places.devices[n], run_of(places.devices[n]));
        vec![
            format!("/v1/devices/{device}"),
            format!("/v1/devices/{device}/inventory"),
            format!("/v1/runs/{run}"),
            format!("/v1/runs/{run}/output"),
        ]
    });
    for path in inside {
        assert_eq!(client.get(&path).await.status, 200, "{path}");
    }
    for path in outside.into_iter().chain([format!("/v1/jobs/{second_only}"), format!("/v1/jobs/{second_only}/runs")]) {
        assert_refused(&client.get(&path).await, 404, "not_found");
    }
    // Changes and actions.
    let tags = |device: DeviceId| Call::new("PUT", &format!("/v1/devices/{device}/tags")).body(json!({ "tags": ["x"] }));
    assert_eq!(client.send(tags(places.devices[0])).await.status, 200);
    assert_refused(&client.send(tags(places.devices[1])).await, 404, "not_found");
    for path in [format!("/v1/jobs/{second_only}/cancel"), format!("/v1/runs/{}/cancel", run_of(places.devices[1]))] {
        assert_refused(&client.post(&path, json!({})).await, 404, "not_found");
    }
    let run = |devices: &[DeviceId]| post("/v1/jobs", json!({ "script": places.script, "version": 1, "devices": devices }));
    for beyond in [&places.devices[1..], &places.devices[..]] {
        let reply = client.send(run(beyond)).await;
        assert_eq!((reply.status, &reply.json()["field"]), (422, &json!("devices")), "{}", reply.json());
    }
    assert!(matches!(tara.does(&server, run(&places.devices[..1])).await.status, 200 | 201));
    // Requests about what is outside are not seen, proved or denied.
    let asked = owner.client.send(run(&places.devices)).await;
    let request = asked.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(ids(&tara.client.get("/v1/authorization-requests").await.json()), [] as [String; 0]);
    assert_refused(&tara.client.get(&format!("/v1/authorization-requests/{request}")).await, 404, "not_found");
    let code = tara.code(&server);
    assert_refused(
        &tara.client.post(&format!("/v1/authorization-requests/{request}/proofs"), json!({ "totp": code })).await,
        404,
        "not_found",
    );
    assert_refused(&tara.client.post(&format!("/v1/authorization-requests/{request}/deny"), json!({})).await, 404, "not_found");
    // What is no technician's at all is none of a scoped one's either.
    for path in ["/v1/users", "/v1/audit", "/v1/policy"] {
        assert_refused(&tara.client.get(path).await, 403, "role_refused");
    }
    let admin = json!([{ "role": "admin", "scope": "site", "id": places.sites[1] }]);
    let mut bela = owner.colleague(&server, 31, "bela@nordwind.example", admin).await;
    assert_refused(&bela.client.send(Call::new("DELETE", &format!("/v1/installers/{}", places.installers[0]))).await, 404, "not_found");
    assert_eq!(bela.client.send(Call::new("DELETE", &format!("/v1/installers/{}", places.installers[1]))).await.status, 204);
    let installer =
        |site: &str| post("/v1/installers", json!({ "label": "x", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 600 }));
    assert_eq!(bela.client.send(installer(&places.sites[0])).await.json()["field"], json!("site"));
    assert_eq!(bela.client.send(installer(&places.sites[1])).await.status, 202);
    assert_refused(&bela.client.post("/v1/customers", json!({ "name": "Mine" })).await, 404, "not_found");
    assert_refused(
        &bela.client.post(&format!("/v1/customers/{}/sites", places.customers[0]), json!({ "name": "x" })).await,
        404,
        "not_found",
    );
    assert_refused(&bela.client.get("/v1/users").await, 403, "role_refused");
    let _ = (places.job, places.other_job, places.runs);
}

async fn az_02_a_change_of_roles_holds_at_the_next_request_and_ends_streams(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let places = places(&server, &mut owner).await;
    let mut tara = technician(&server, &mut owner, &places).await;
    let session = tara.client.get("/v1/me").await.json()["session"]["id"].as_str().expect("an id").parse().expect("an id");
    let ended = tokio::spawn(sallyport_server::accounts::until_ended(server.app.clone(), session, std::net::Ipv4Addr::LOCALHOST.into()));
    let open = tara.client.post("/v1/jobs", json!({ "script": places.script, "version": 1, "devices": &places.devices[..1] })).await;
    let asked = match open.status {
        202 => Some(open.json()["id"].as_str().expect("an id").to_owned()),
        _ => None,
    };
    let path = format!("/v1/users/{}/assignments", tara.id);
    let moved = json!({ "assignments": [{ "role": "auditor", "scope": "customer", "id": places.customers[1] }] });
    let reply = owner.does(&server, post(&path, moved)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    tokio::time::timeout(std::time::Duration::from_secs(1), ended).await.expect("the stream ends within a second").expect("no panic");
    assert_eq!(ids(&tara.client.get("/v1/devices").await.json()), [places.devices[1].to_string()], "the session lives on, elsewhere");
    let run = json!({ "script": places.script, "version": 1, "devices": &places.devices[..1] });
    assert_refused(&tara.client.post("/v1/jobs", run).await, 403, "role_refused");
    if let Some(asked) = asked {
        let state = owner.client.get(&format!("/v1/authorization-requests/{asked}")).await.json()["state"].clone();
        assert_eq!(state, json!("denied"), "what was asked for under the old role is over");
    }
}

async fn az_03_who_asks_decides_and_not_what_passes_it_on(engine: Engine) {
    // The server believes what is in between about addresses, and about nothing else.
    let server = TestServer::configured(engine, |raw| raw.trusted_proxies = Some(vec!["127.0.0.1".into()])).await;
    let mut owner = Owner::set_up(&server).await;
    let places = places(&server, &mut owner).await;
    let mut tara = technician(&server, &mut owner, &places).await;
    let me = owner.client.get("/v1/me").await.json();
    let somebody = [me["user"].as_str().expect("an id"), sallyport_testkit::owner::EMAIL];
    let names = ["x-forwarded-user", "x-forwarded-email", "x-remote-user", "remote-user", "x-auth-request-user", "x-user", "on-behalf-of"];
    let run = |device: DeviceId| post("/v1/jobs", json!({ "script": places.script, "version": 1, "devices": [device] }));
    for (name, value) in names.iter().flat_map(|name| somebody.map(|value| (*name, value))) {
        let passed_on = |call: Call| call.header(name, value).header("x-forwarded-for", "192.0.2.7");
        let outside = tara.client.send(passed_on(Call::new("GET", &format!("/v1/devices/{}", places.devices[1])))).await;
        assert_refused(&outside, 404, "not_found");
        assert_refused(&tara.client.send(passed_on(Call::new("GET", "/v1/users"))).await, 403, "role_refused");
        assert_eq!(tara.client.send(passed_on(run(places.devices[1]))).await.json()["field"], json!("devices"), "{name}");
        let seen = tara.client.send(passed_on(Call::new("GET", "/v1/me"))).await.json();
        assert_eq!(seen["user"], json!(tara.id), "{name}: {value}");
        assert_eq!(Client::new(&server, 40).send(passed_on(Call::new("GET", "/v1/me"))).await.code(), "not_signed_in", "{name}");
    }
    // What they may do is theirs in the log, whoever's name came along; and another person's proof does not make it another person's.
    server.clock.advance(600);
    let asked = tara.client.send(run(places.devices[0]).header("x-forwarded-user", somebody[0])).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let entry = owner.client.get("/v1/audit?kind=request.created&limit=1").await.json()["items"][0].clone();
    assert_eq!(entry["actor"]["id"], json!(tara.id), "{entry}");
    let path = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    let code = owner.code(&server);
    let theirs = owner.client.post(&path, json!({ "totp": code })).await;
    assert_refused(&theirs, 403, "role_refused");
    let still = owner.client.get(path.trim_end_matches("/proofs")).await.json();
    assert_eq!(still["state"], json!("open"), "their own proof is still missing: {still}");
    let code = tara.code(&server);
    let done = tara.client.post(&path, json!({ "totp": code })).await;
    assert_eq!((done.status, &done.json()["state"]), (200, &json!("executed")), "the control: {}", done.json());
}

async fn ses_05_a20_disabling_ends_requests_and_streams_at_once(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut tara = owner.colleague(&server, 30, "tara@nordwind.example", role("technician")).await;
    let mut stream = tara.client.follow("/v1/events").await;
    let reply = owner.does(&server, post("/v1/users/disable", json!({ "users": [tara.id] }))).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let rest = async {
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await.map(|_| bytes)
    };
    let ended = tokio::time::timeout(std::time::Duration::from_secs(1), rest).await;
    assert!(ended.is_ok(), "the stream outlived the account by a second");
    assert_refused(&tara.client.get("/v1/me").await, 401, "not_signed_in");
    let mut again = Client::new(&server, 40);
    server.clock.advance(30);
    assert_refused(&tara.sign_in(&mut again, &server).await, 401, "sign_in_refused");
    let reply = owner.does(&server, post("/v1/users/enable", json!({ "users": [tara.id] }))).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert_refused(&tara.client.get("/v1/me").await, 401, "not_signed_in");
    assert_eq!(tara.sign_in(&mut again, &server).await.status, 200);
}
