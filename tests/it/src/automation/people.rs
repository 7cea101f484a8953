//! What a tool can do in its owner's name: never what only people can, never more than its owner may at that moment.

use sallyport_testkit::client::{Call, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::{SCOPES, assert_oauth, assert_refused, at_work};
use crate::fleet::devices::{device, with_devices};
use crate::people::scopes::{ids, places};

on_both!(
    oa_25_what_a_tool_asks_for_waits_for_people,
    step_10_a24_a_tool_proves_nothing_and_steps_up_nowhere,
    a_tool_is_never_above_its_owner_and_falls_with_them,
    a_tool_reaches_the_places_of_its_owner_and_no_other,
    tools_count_into_the_sums_of_their_owner,
    a_tool_sees_its_own_requests_alone_and_is_named_in_the_log,
    clients_are_made_and_changed_by_proof_and_stopped_by_a_click,
    what_a_stopped_client_asked_for_is_done_by_nobody,
);

fn role(word: &str) -> Value {
    json!([{ "role": word, "scope": "tenant" }])
}

fn job(script: &str, devices: std::ops::Range<u32>) -> Call {
    let devices: Vec<_> = devices.map(device).collect();
    Call::new("POST", "/v1/jobs").body(json!({ "script": script, "version": 1, "devices": devices }))
}

async fn begin(engine: Engine, devices: u32) -> (TestServer, Owner, Tool, String) {
    let (server, mut owner, mut tool) = at_work(engine).await;
    with_devices(&server, &mut owner, devices).await;
    let script = owner.script("uptime", "uptime").await;
    assert_eq!(tool.gets_token().await.status, 200);
    (server, owner, tool, script)
}

async fn prove(owner: &mut Owner, asked: &Reply, server: &TestServer) -> Reply {
    server.clock.advance(30);
    let path = format!("/v1/authorization-requests/{}/proofs", asked.json()["id"].as_str().expect("an id"));
    let code = owner.code(server);
    owner.client.post(&path, json!({ "totp": code })).await
}

async fn oa_25_what_a_tool_asks_for_waits_for_people(engine: Engine) {
    let (server, mut owner, mut tool, script) = begin(engine, 4).await;
    // The owner's own window is open in their session, and is nothing to the tool: not even one device, class 1.
    for devices in [0..1, 0..3] {
        assert_eq!(tool.gets_token().await.status, 200);
        let asked = tool.sends(job(&script, devices.clone())).await;
        assert_eq!(asked.status, 202, "{}", asked.json());
        let id = asked.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(asked.header("location"), Some(format!("/v1/authorization-requests/{id}").as_str()));
        assert_eq!(asked.json()["approve_at"], "http://localhost:8800/approvals", "where people approve it");
        let jobs = |page: Value| page["items"].as_array().map(Vec::len);
        let before = jobs(owner.client.get("/v1/jobs").await.json());
        // The client is told that a person must approve; the person finds it among what waits, with the tool's name.
        let waiting = tool.get(&format!("/v1/authorization-requests/{id}")).await.json();
        assert_eq!(waiting["state"], "open");
        let listed = owner.client.get("/v1/authorization-requests").await.json();
        assert_eq!(listed["items"][0]["requested_by_name"], "nightly of Amelie Winter");
        let proved = prove(&mut owner, &asked, &server).await;
        assert_eq!((proved.status, &proved.json()["state"]), (200, &json!("executed")), "{}", proved.json());
        assert_eq!(jobs(owner.client.get("/v1/jobs").await.json()), before.map(|count| count + 1));
        assert_eq!(tool.gets_token().await.status, 200);
        let done = tool.get(&format!("/v1/authorization-requests/{id}")).await.json();
        assert!(done["result"]["job"].is_string(), "the tool learns which job it became: {done}");
    }
}

async fn step_10_a24_a_tool_proves_nothing_and_steps_up_nowhere(engine: Engine) {
    let (server, mut owner, mut tool, script) = begin(engine, 3).await;
    let asked = tool.sends(job(&script, 0..3)).await;
    let path = format!("/v1/authorization-requests/{}", asked.json()["id"].as_str().expect("an id"));
    server.clock.advance(30);
    let code = owner.code(&server);
    let post = |path: &str, body: Value| Call::new("POST", path).body(body);
    // The right code of the owner, in the tool's hands.
    assert_refused(&tool.sends(post(&format!("{path}/proofs"), json!({ "totp": code }))).await, 403, "client_refused");
    assert_refused(&tool.sends(post(&format!("{path}/deny"), json!({}))).await, 403, "client_refused");
    let document = owner.client.get("/v1/openapi.json").await.json();
    let mut refused = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let needs =
                operation["description"].as_str().and_then(|text| text.strip_prefix("Needs `")?.split('`').next()).unwrap_or_default();
            let human = [
                "self.",
                "people.",
                "roles.",
                "policy.",
                "networks.",
                "clients.",
                "requests.prove",
                "installers.write",
                "remote.open",
                "events.",
            ];
            if !human.iter().any(|area| needs.starts_with(area)) {
                continue;
            }
            assert_eq!(tool.gets_token().await.status, 200);
            let path = path.replace("{id}", "x").replace("{address}", "x").replace("{script}", "x");
            let call = Call::new(&method.to_uppercase(), &path);
            let call = if method == "get" { call } else { call.body(json!({ "code": code, "totp": code })) };
            let reply = tool.sends(call).await;
            assert_eq!((reply.status, reply.code().as_str()), (403, "client_refused"), "{method} {path}: {}", reply.json());
            refused += 1;
        }
    }
    assert!(refused > 40, "{refused}");
    assert_eq!(prove(&mut owner, &asked, &server).await.status, 200, "the control: the person proves it");
}

async fn a_tool_is_never_above_its_owner_and_falls_with_them(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let mut ada = owner.colleague(&server, 7, "ada@nordwind.example", role("admin")).await;
    let mut tool = Tool::new(&server, 31);
    server.clock.advance(30);
    let code = ada.code(&server);
    let wanted = Call::new("POST", "/v1/clients").body(tool.wanted(&["devices.read", "jobs.read", "jobs.run"]));
    let made = sallyport_testkit::people::done(&mut ada.client, wanted, &code).await;
    assert_eq!(made.status, 200, "{}", made.json());
    made.json()["action"]["client"].as_str().expect("an id").clone_into(&mut tool.id);
    let mut shown = async || owner.client.get(&format!("/v1/clients/{}", tool.id)).await.json();
    assert_eq!((&shown().await["owner"], &shown().await["owner_name"]), (&json!(ada.id), &json!("ada")), "whose it is");
    assert_eq!(tool.gets_token().await.status, 200);
    assert_eq!(tool.get("/v1/devices").await.status, 200);
    let audit = tool.get("/v1/audit").await;
    assert_refused(&audit, 403, "scope_refused");
    assert!(audit.header("www-authenticate").is_some_and(|value| value.contains("insufficient_scope")));
    // Demoted to an auditor: what is left of the scopes is what an auditor may do, at the next request.
    let path = format!("/v1/users/{}/assignments", ada.id);
    let demoted = owner.does(&server, Call::new("POST", &path).body(json!({ "assignments": role("auditor") }))).await;
    assert_eq!(demoted.status, 200, "{}", demoted.json());
    assert_eq!(tool.get("/v1/devices").await.status, 200);
    assert_refused(&tool.sends(Call::new("POST", "/v1/jobs").body(json!({}))).await, 403, "scope_refused");
    // Disabled: nothing, at the next request.
    let disabled = owner.does(&server, Call::new("POST", "/v1/users/disable").body(json!({ "users": [ada.id] }))).await;
    assert_eq!(disabled.status, 200, "{}", disabled.json());
    assert_refused(&tool.get("/v1/devices").await, 401, "token_refused");
    assert_oauth(&tool.gets_token().await, 401, "invalid_client");
    assert_eq!(owner.client.get(&format!("/v1/clients/{}", tool.id)).await.json()["state"], "owner_over");
}

async fn a_tool_reaches_the_places_of_its_owner_and_no_other(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let places = places(&server, &mut owner).await;
    let mut ada = owner.colleague(&server, 7, "ada@nordwind.example", role("admin")).await;
    let mut tool = Tool::new(&server, 31);
    let wanted = tool.wanted(&["devices.read", "devices.tag", "jobs.read", "jobs.run"]);
    let made = ada.does(&server, Call::new("POST", "/v1/clients").body(wanted)).await;
    made.json()["action"]["client"].as_str().expect("an id").clone_into(&mut tool.id);
    let tags = |n: usize| Call::new("PUT", &format!("/v1/devices/{}/tags", places.devices[n])).body(json!({ "tags": ["x"] }));
    let run = |n: usize| {
        let body = json!({ "script": places.script, "version": 1, "devices": [places.devices[n]] });
        Call::new("POST", "/v1/jobs").body(body)
    };
    assert_eq!(tool.gets_token().await.status, 200);
    assert_eq!(ids(&tool.get("/v1/devices").await.json()).len(), 2, "the control: she is everywhere, and so is her tool");
    for n in [0, 1] {
        assert_eq!(tool.sends(tags(n)).await.status, 200);
    }
    let both = ids(&tool.get("/v1/jobs").await.json()).pop().expect("the job on both devices");
    // Her tool is where she is from the next request on: at a customer, then at another one's site.
    for (assignment, here) in [
        (json!([{ "role": "technician", "scope": "customer", "id": places.customers[0] }]), 0),
        (json!([{ "role": "technician", "scope": "site", "id": places.sites[1] }]), 1),
    ] {
        let path = format!("/v1/users/{}/assignments", ada.id);
        let moved = owner.does(&server, Call::new("POST", &path).body(json!({ "assignments": assignment }))).await;
        assert_eq!(moved.status, 200, "{}", moved.json());
        let (inside, outside) = (places.devices[here], places.devices[1 - here]);
        assert_eq!(ids(&tool.get("/v1/devices").await.json()), [inside.to_string()]);
        assert_eq!(tool.get(&format!("/v1/devices/{inside}")).await.status, 200);
        assert_refused(&tool.get(&format!("/v1/devices/{outside}")).await, 404, "not_found");
        assert_eq!(tool.sends(tags(here)).await.status, 200);
        assert_refused(&tool.sends(tags(1 - here)).await, 404, "not_found");
        let runs = tool.get(&format!("/v1/jobs/{both}/runs")).await.json();
        assert_eq!((ids(&runs).len(), &runs["items"][0]["device"]), (1, &json!(inside)), "{runs}");
        let refused = tool.sends(run(1 - here)).await;
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!("devices")), "{}", refused.json());
        assert_eq!(tool.sends(run(here)).await.status, 202);
    }
}

async fn tools_count_into_the_sums_of_their_owner(engine: Engine) {
    let (server, mut owner, mut tool, script) = begin(engine, 30).await;
    let first = owner.client.send(job(&script, 0..20)).await;
    assert_eq!(prove(&mut owner, &first, &server).await.status, 200);
    assert_eq!(tool.gets_token().await.status, 200);
    let asked = tool.sends(job(&script, 20..26)).await;
    assert_eq!((asked.status, &asked.json()["class"], &asked.json()["hour_devices"]), (202, &json!(3), &json!(26)), "{}", asked.json());
    // And the other way round: what the tool reached is part of the owner's hour.
    let asked = tool.sends(job(&script, 20..24)).await;
    assert_eq!(prove(&mut owner, &asked, &server).await.status, 200);
    let own = owner.client.send(job(&script, 24..26)).await;
    assert_eq!(own.json()["hour_devices"], json!(26), "{}", own.json());
}

async fn a_tool_sees_its_own_requests_alone_and_is_named_in_the_log(engine: Engine) {
    let (server, mut owner, mut tool, script) = begin(engine, 3).await;
    let own = owner.client.send(job(&script, 0..3)).await;
    let id = own.json()["id"].as_str().expect("an id").to_owned();
    assert_refused(&tool.get(&format!("/v1/authorization-requests/{id}")).await, 404, "not_found");
    assert_eq!(tool.get("/v1/authorization-requests").await.json()["items"], json!([]));
    assert_eq!(tool.sends(job(&script, 0..2)).await.status, 202);
    assert_eq!(tool.get("/v1/authorization-requests").await.json()["items"].as_array().map(Vec::len), Some(1));
    let page = owner.client.get("/v1/audit?kind=request.created&limit=1").await.json();
    assert_eq!(page["items"][0]["actor"], json!({ "id": tool.id, "name": "nightly" }), "{page}");
    let page = owner.client.get("/v1/audit?kind=client.used&limit=5").await.json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "uses are summed up: {page}");
    drop(server);
}

async fn what_a_stopped_client_asked_for_is_done_by_nobody(engine: Engine) {
    let (server, mut owner, mut tool, script) = begin(engine, 3).await;
    let asked = tool.sends(job(&script, 0..3)).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    assert_eq!(owner.client.post(&format!("/v1/clients/{}/stop", tool.id), json!({})).await.status, 204);
    let late = prove(&mut owner, &asked, &server).await;
    assert_refused(&late, 409, "request_closed");
    assert_eq!(owner.client.get("/v1/authorization-requests").await.json()["items"], json!([]));
    assert_eq!(owner.client.get("/v1/jobs").await.json()["items"], json!([]), "nothing runs");
    // The control: the same, of one that goes on.
    let mut other = Tool::made(&server, &mut owner, 41, SCOPES).await;
    assert_eq!(other.gets_token().await.status, 200);
    let asked = other.sends(job(&script, 0..3)).await;
    assert_eq!(prove(&mut owner, &asked, &server).await.json()["state"], "executed");
}

async fn clients_are_made_and_changed_by_proof_and_stopped_by_a_click(engine: Engine) {
    let (server, mut owner, tool) = at_work(engine).await;
    let asked = owner.client.post("/v1/clients", Tool::new(&server, 40).wanted(SCOPES)).await;
    assert_eq!((asked.status, &asked.json()["class"]), (202, &json!(2)), "a fresh code, whatever window is open: {}", asked.json());
    assert_eq!(asked.json()["requirement"][0]["proof"], "code");
    let listed = owner.client.get("/v1/clients").await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "asking alone made nothing");
    assert!(listed["scopes"].as_array().is_some_and(|scopes| scopes.len() > 5));
    let path = format!("/v1/clients/{}", tool.id);
    let mut shape = tool.wanted(&["devices.read", "audit.read"]);
    shape.as_object_mut().expect("an object").remove("key");
    let asked = owner.client.send(Call::new("PUT", &path).body(shape)).await;
    let action = asked.json()["action"].clone();
    assert_eq!((&action["kind"], &action["after"]["scopes"]), (&json!("change_client"), &json!(["audit.read", "devices.read"])));
    assert_eq!(action["before"]["scopes"], json!(SCOPES), "what it was before is shown");
    assert_eq!(prove(&mut owner, &asked, &server).await.status, 200);
    let mut tara = owner.colleague(&server, 9, "tara@nordwind.example", role("technician")).await;
    for call in [Call::new("GET", "/v1/clients"), Call::new("POST", &format!("{path}/stop")).body(json!({}))] {
        assert_refused(&tara.client.send(call).await, 403, "role_refused");
    }
    let page = owner.client.get("/v1/audit?limit=50").await.json();
    let kinds: Vec<_> = page["items"].as_array().expect("a list").iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert!(kinds.contains(&"client.created") && kinds.contains(&"client.changed"), "{kinds:?}");
}
