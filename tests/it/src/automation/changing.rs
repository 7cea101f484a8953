//! Lists are read in pages to their end, and nobody overwrites what somebody else changed meanwhile.

use std::collections::BTreeSet;

use sallyport_model::limits;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::{SCOPES, assert_refused};

on_both!(
    nobody_overwrites_what_somebody_else_changed,
    what_goes_on_meanwhile_is_no_obstacle,
    what_is_taken_away_is_what_was_read,
    lists_are_read_in_pages_to_their_end,
);

const DOCUMENT: &str = include_str!("../../../../openapi.json");

/// Two changes of one thing: where it is read, and what is sent by whom.
struct Changes {
    path: String,
    first: Value,
    second: Value,
}

async fn with_things(engine: Engine) -> (TestServer, Owner, Vec<Changes>) {
    let server = TestServer::configured(engine, |raw| raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned()])).await;
    let mut owner = Owner::set_up(&server).await;
    let tool = Tool::made(&server, &mut owner, 21, SCOPES).await;
    let script = owner.script("uptime", "uptime").await;
    let mut things = Vec::new();
    let text = |text: &str| json!({ "name": "uptime", "interpreter": "sh", "text": text, "based_on": 1 });
    things.push(Changes { path: format!("/v1/scripts/{script}"), first: text("uptime -p"), second: text("uptime -s") });
    let named = |name: &str| {
        let mut wanted = tool.wanted(SCOPES);
        wanted.as_object_mut().expect("an object").remove("key");
        wanted["name"] = json!(name);
        wanted
    };
    things.push(Changes { path: format!("/v1/clients/{}", tool.id), first: named("First"), second: named("Second") });
    let hook = |name: &str| json!({ "name": name, "url": "https://127.0.0.1:9/in", "events": ["device.online"] });
    let made = owner.does(&server, Call::new("POST", "/v1/webhooks").body(hook("Hook"))).await.json();
    things.push(Changes {
        path: format!("/v1/webhooks/{}", plain(&made["result"]["webhook"])),
        first: hook("First"),
        second: hook("Second"),
    });
    let expires = tool.now().plus_secs(90 * 86_400);
    let terms = |name: &str| {
        json!({ "name": name, "base_url": "https://127.0.0.1:9", "credential": { "in": "bearer" }, "secret": "a-vendors-credential",
            "allows": [{ "methods": ["GET"], "path": "/**" }], "per_minute": 60, "expires": expires })
    };
    let made = owner.does(&server, Call::new("POST", "/v1/connections").body(terms("Vendor"))).await.json();
    let path = format!("/v1/connections/{}", plain(&made["action"]["connection"]));
    things.push(Changes { path, first: terms("First"), second: terms("Second") });
    (server, owner, things)
}

fn plain(id: &Value) -> String {
    id.as_str().unwrap_or_else(|| panic!("an id: {id}")).to_owned()
}

async fn tag(client: &mut Client, path: &str) -> String {
    client.get(path).await.header("etag").unwrap_or_else(|| panic!("a tag of {path}")).to_owned()
}

fn change(path: &str, body: &Value, tag: &str) -> Call {
    Call::new("PUT", path).body(body.clone()).header("if-match", tag)
}

async fn nobody_overwrites_what_somebody_else_changed(engine: Engine) {
    let (server, mut owner, things) = with_things(engine).await;
    for Changes { path, first, second } in things {
        let read = tag(&mut owner.client, &path).await;
        let done = owner.does(&server, change(&path, &first, &format!("\"other.tag\", {read}"))).await;
        assert_eq!(done.status, 200, "{path}: {}", done.json());
        for stale in [read.as_str(), "\"x\"", "W/\"x.y\""] {
            assert_refused(&owner.client.send(change(&path, &second, stale)).await, 412, "precondition_failed");
        }
        let kept = owner.client.get(&path).await.json();
        let now = tag(&mut owner.client, &path).await;
        assert_refused(&owner.client.send(change(&path, &second, &format!("W/{now}"))).await, 412, "precondition_failed");
        assert_eq!(owner.client.get(&path).await.json(), kept, "{path} is as it was");
        let mut again = second;
        if again.get("based_on").is_some() {
            again["based_on"] = json!(2);
        }
        assert_eq!(owner.does(&server, change(&path, &again, &now)).await.status, 200, "{path}");
    }
}

async fn what_goes_on_meanwhile_is_no_obstacle(engine: Engine) {
    let (server, mut owner, _) = with_things(engine).await;
    let mut tool = Tool::made(&server, &mut owner, 31, SCOPES).await;
    let path = format!("/v1/clients/{}", tool.id);
    let read = tag(&mut owner.client, &path).await;
    assert_eq!(tool.gets_token().await.status, 200);
    assert_ne!(tag(&mut owner.client, &path).await, read, "it was used, and says so");
    let mut wanted = tool.wanted(SCOPES);
    wanted.as_object_mut().expect("an object").remove("key");
    wanted["name"] = json!("Another");
    assert_eq!(owner.does(&server, change(&path, &wanted, &read)).await.status, 200);
}

async fn what_is_taken_away_is_what_was_read(engine: Engine) {
    let (server, mut owner, things) = with_things(engine).await;
    for Changes { path, first, .. } in things.into_iter().filter(|one| one.path.contains("scripts") || one.path.contains("webhooks")) {
        let read = tag(&mut owner.client, &path).await;
        assert_eq!(owner.does(&server, change(&path, &first, "*")).await.status, 200);
        let gone = |tag: &str| Call::new("DELETE", &path).header("if-match", tag);
        assert_refused(&owner.client.send(gone(&read)).await, 412, "precondition_failed");
        let now = tag(&mut owner.client, &path).await;
        assert_eq!(owner.client.send(gone(&now)).await.status, 204, "{path}");
        assert_refused(&owner.client.send(gone(&now)).await, 404, "not_found");
    }
}

/// What can be changed under a condition, by its place.
const CONDITIONAL: &[&str] = &[
    "delete /v1/scripts/{id}",
    "delete /v1/webhooks/{id}",
    "put /v1/clients/{id}",
    "put /v1/connections/{id}",
    "put /v1/policy/networks",
    "put /v1/policy/remote",
    "put /v1/scripts/{id}",
    "put /v1/webhooks/{id}",
];

fn documented() -> impl Iterator<Item = (String, String, Value)> {
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    let paths = document["paths"].as_object().expect("paths").clone();
    paths.into_iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("operations").clone();
        operations.into_iter().map(move |(method, operation)| (method, path.clone(), operation))
    })
}

fn takes(operation: &Value, parameter: &str) -> bool {
    operation["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == parameter)
}

/// A condition that nobody looks at must not be thought of as kept.
#[tokio::test]
async fn a_condition_is_kept_or_refused_everywhere() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let mut conditional = BTreeSet::new();
    for (method, path, operation) in documented() {
        if takes(&operation, "if-match") {
            conditional.insert(format!("{method} {path}"));
            continue;
        }
        let about_oneself =
            ["/v1/setup", "/v1/sign-in", "/v1/oauth", "/v1/not-me", "/v1/invitations", "/v1/addresses", "/v1/device-session"];
        if method == "get" || path.contains("/proxy/") || about_oneself.iter().any(|start| path.starts_with(start)) {
            continue;
        }
        let path = path.replace("{id}", "x").replace("{event}", "x").replace("{address}", "192.0.2.1");
        let call = Call::new(&method.to_uppercase(), &path).header("if-match", "\"read.before\"");
        let refused = owner.client.send(call).await;
        // What the owner may not do in any case is refused for that.
        let expected = if refused.status == 403 { (403, refused.code()) } else { (412, "precondition_failed".to_owned()) };
        assert_eq!((refused.status, refused.code()), expected, "{method} {path}");
    }
    assert_eq!(conditional.iter().map(String::as_str).collect::<Vec<_>>(), CONDITIONAL);
    for path in ["/v1/policy/networks", "/v1/policy/remote"] {
        let example = documented().find(|(method, at, _)| method == "put" && at == path).expect("a route").2;
        let body = &example["requestBody"]["content"]["application/json"]["example"];
        assert_refused(&owner.client.send(change(path, body, "\"read.before\"")).await, 412, "precondition_failed");
    }
}

async fn whole(client: &mut Client, path: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut query) = (Vec::new(), format!("?limit={limit}"));
    loop {
        let reply = client.get(&format!("{path}{query}")).await;
        assert_eq!(reply.status, 200, "{path}{query}: {}", reply.json());
        let page = reply.json();
        let found = page["items"].as_array().expect("items").clone();
        assert!(found.len() <= limit, "{path}");
        items.extend(found);
        let Some(next) = page["next"].as_str() else { return items };
        assert_eq!(items.len() % limit, 0, "{path}: a page that is not full is the last one");
        query = format!("?limit={limit}&cursor={next}");
    }
}

async fn lists_are_read_in_pages_to_their_end(engine: Engine) {
    let (server, mut owner, _) = with_things(engine).await;
    for name in ["Adler", "biber", "Dachs"] {
        assert_eq!(owner.client.post("/v1/customers", json!({ "name": name })).await.status, 201);
        owner.script(name, "true").await;
    }
    for seed in 41..44 {
        Tool::made(&server, &mut owner, seed, SCOPES).await;
        let hook = json!({ "name": format!("Hook {seed}"), "url": "https://127.0.0.1:9/in", "events": ["device.online"] });
        assert_eq!(owner.does(&server, Call::new("POST", "/v1/webhooks").body(hook)).await.status, 200);
        server.clock.advance(30);
        let code = owner.code(&server);
        assert_eq!(owner.sign_in(&mut Client::new(&server, seed), &code).await.status, 200);
    }
    for _ in 0..3 {
        assert_eq!(owner.client.send(Call::new("POST", "/v1/me/recovery-codes")).await.status, 202);
    }
    let waiting = "/v1/authorization-requests";
    let lists = ["/v1/clients", "/v1/webhooks", "/v1/scripts", "/v1/customers", waiting, "/v1/me/sessions", "/v1/connections"];
    for path in lists {
        let all = owner.client.get(path).await.json()["items"].as_array().expect("items").clone();
        assert!(all.len() >= if path == "/v1/connections" { 1 } else { 3 }, "{path}: {}", all.len());
        let ids = |items: &[Value]| items.iter().map(|one| plain(&one["id"])).collect::<Vec<_>>();
        for limit in [1, 2, all.len()] {
            assert_eq!(ids(&whole(&mut owner.client, path, limit).await), ids(&all), "{path} by {limit}");
        }
        for wrong in ["?limit=0", "?limit=1001", "?cursor=x", "?page=2"] {
            let refused = owner.client.get(&format!("{path}{wrong}")).await;
            assert!(matches!(refused.status, 400 | 422), "{path}{wrong}: {}", refused.status);
        }
    }
    for (_, path, operation) in documented().filter(|(method, path, _)| method == "get" && lists.contains(&path.as_str())) {
        assert!(takes(&operation, "cursor") && takes(&operation, "limit"), "{path}");
    }
}

/// Lists that come whole, by how many items they have at most.
const WHOLE: [(&str, usize); 5] = [
    ("/v1/clients/{id}/licences", limits::LICENCES_LISTED),
    ("/v1/connections/{id}/calls", limits::CONNECTION_CALLS_SHOWN as usize),
    ("/v1/me/addresses", limits::APPROVED_ADDRESSES),
    ("/v1/me/factors", limits::FACTORS_PER_USER),
    ("/v1/roles", limits::ROLES),
];

#[test]
fn a_list_without_pages_is_short_and_on_the_reviewed_list() {
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    let schemas = &document["components"]["schemas"];
    let is_list = |operation: &Value| {
        let schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].as_str();
        let name = schema.and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
        ["items", "roles"].iter().any(|list| schemas[name]["properties"][*list]["type"] == "array")
    };
    let whole: Vec<String> = documented()
        .filter(|(method, _, operation)| {
            method == "get" && is_list(operation) && !(takes(operation, "cursor") && takes(operation, "limit"))
        })
        .map(|(_, path, _)| path)
        .collect();
    assert_eq!(whole, WHOLE.map(|(path, _)| path));
    assert!(WHOLE.iter().all(|(_, most)| *most <= 200), "one page holds them");
}
