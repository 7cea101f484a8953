//! What the API promises on many routes alike: some members of large lists, `304` where nothing changed, creations that are done once,
//! limits that are told, and a description whose examples are true.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use sallyport_model::limits;
use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::assert_refused;
use super::foreign::{python, text};
use crate::fleet::devices::with_devices;

on_both!(a_creation_with_a_key_is_done_once, lists_have_the_members_that_are_asked_for);

const DOCUMENT: &str = include_str!("../../../../openapi.json");

async fn a_creation_with_a_key_is_done_once(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let call = |key: &str, name: &str| Call::new("POST", "/v1/customers").body(json!({ "name": name })).header("idempotency-key", key);
    let first = owner.client.send(call("one", "Adler")).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    let again = owner.client.send(call("one", "Adler")).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!(again.body, first.body, "the very answer");
    assert_refused(&owner.client.send(call("one", "Biber")).await, 422, "idempotency_key_reused");
    assert_refused(&owner.client.send(call("", "Adler")).await, 422, "invalid_field");
    assert_refused(&owner.client.send(call(&"x".repeat(limits::IDEMPOTENCY_KEY_BYTES + 1), "Adler")).await, 422, "invalid_field");
    // What was refused may be mended and sent again.
    let refused = owner.client.send(call("two", "")).await;
    assert_refused(&refused, 422, "invalid_field");
    assert_eq!(owner.client.send(call("two", "Biber")).await.status, 201);
    let customers = owner.client.get("/v1/customers").await.json();
    let names: Vec<&str> = customers["items"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "Adler" || **name == "Biber").count(), 2, "{names:?}");

    // A guarded one: one request however often it is sent, and the same place to look.
    let script = owner.script("uptime", "uptime").await;
    with_devices(&server, &mut owner, 2).await;
    let devices = [crate::fleet::devices::device(0), crate::fleet::devices::device(1)];
    let body = json!({ "script": script, "version": 1, "devices": devices });
    let job = || Call::new("POST", "/v1/jobs").body(body.clone()).header("idempotency-key", "job-1");
    let (asked, repeated) = (owner.client.send(job()).await, owner.client.send(job()).await);
    assert_eq!((asked.status, repeated.status), (202, 202));
    assert_eq!((asked.header("location"), &asked.body), (repeated.header("location"), &repeated.body));
    let open = owner.client.get("/v1/authorization-requests").await.json();
    assert_eq!(open["items"].as_array().map(Vec::len), Some(1));

    // Another caller's key is another key.
    let mut tool = Tool::made(&server, &mut owner, 21, &["jobs.run"]).await;
    assert_eq!(tool.gets_token().await.status, 200);
    let own = tool.sends(job()).await;
    assert_eq!((own.status, own.header("idempotency-replayed")), (202, None));
    assert_ne!(own.json()["id"], asked.json()["id"]);
    // Side by side, one is done, and the others have its answer or are told to wait.
    let mut calls = Vec::new();
    for _ in 0..6 {
        let (mut client, call) = (owner.client.clone(), call("side by side", "Dachs"));
        calls.push(tokio::spawn(async move { client.send(call).await }));
    }
    for reply in calls {
        let reply = reply.await.expect("it was answered");
        assert!(reply.status == 201 || reply.code() == "idempotency_running", "{} {}", reply.status, reply.json());
    }
    let customers = owner.client.get("/v1/customers").await.json();
    assert_eq!(customers["items"].as_array().expect("a list").iter().filter(|one| one["name"] == "Dachs").count(), 1);
    // After a day the key is free.
    server.clock.advance(limits::IDEMPOTENCY_SECS + 60);
    let mut client = sallyport_testkit::client::Client::new(&server, 77);
    let code = owner.code(&server);
    assert_eq!(owner.sign_in(&mut client, &code).await.status, 200);
    assert_eq!(client.send(call("one", "Fuchs")).await.status, 201);
}

async fn lists_have_the_members_that_are_asked_for(engine: Engine) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    with_devices(&server, &mut owner, 3).await;
    let keys = |page: &Value| -> Vec<BTreeSet<String>> {
        page["items"].as_array().expect("items").iter().map(|item| item.as_object().expect("an object").keys().cloned().collect()).collect()
    };
    let page = owner.client.get("/v1/devices?limit=2&fields=name,state").await.json();
    let wanted = BTreeSet::from(["name".to_owned(), "state".to_owned()]);
    assert_eq!(keys(&page), [wanted.clone(), wanted]);
    assert_eq!((page["total"].as_u64(), page["next"].is_string()), (Some(3), true), "the page itself is whole");
    let next = owner.client.get(&format!("/v1/devices?fields=id&limit=2&cursor={}", page["next"].as_str().expect("more"))).await.json();
    assert_eq!(keys(&next), [BTreeSet::from(["id".to_owned()])]);
    let entries = owner.client.get("/v1/audit?limit=2&fields=index&fields=kind").await.json();
    assert_eq!(keys(&entries)[0], BTreeSet::from(["index".to_owned(), "kind".to_owned()]));
    for path in ["/v1/devices?fields=secret", "/v1/audit?fields=index,body", "/v1/jobs/job_00000000000000000000000000/runs?fields=x"] {
        let refused = owner.client.get(path).await;
        assert_refused(&refused, 422, "invalid_field");
        assert_eq!(refused.json()["field"], "fields", "{path}");
    }
    assert_refused(&owner.client.get("/v1/jobs?fields=id").await, 400, "malformed");
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_part_of_a_page() {
    let server = TestServer::start().await;
    let mut stranger = sallyport_testkit::client::Client::new(&server, 7);
    let refused = stranger.get("/v1/devices").await;
    let leads = refused.json()["type"].as_str().expect("a type").to_owned();
    let (path, code) = leads.split_once('#').expect("a part of a page");
    assert_eq!(code, refused.json()["code"], "{leads}");
    let page = stranger.get(path).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").expect("a policy").starts_with("default-src 'none'; style-src 'sha256-"));
    let html = String::from_utf8(page.body).expect("text");
    assert_eq!(html.matches("<section id=").count(), sallyport_api::Code::ALL.len(), "and no part is of a code that there is not");
    for code in sallyport_api::Code::ALL {
        let part =
            html.split(&format!("<section id=\"{}\">", code.as_str())).nth(1).unwrap_or_else(|| panic!("{} has no part", code.as_str()));
        assert!(part.starts_with("<h2>") && part.contains(&format!("HTTP {}", code.status())), "{}", code.as_str());
    }
}

#[test]
fn fields_are_those_that_the_items_have() {
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    let schema = |reference: &Value| {
        document["components"]["schemas"][reference["$ref"].as_str().expect("a name").rsplit('/').next().expect("a name")].clone()
    };
    let mut sparse = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        for about in parameters.filter(|one| one["name"] == "fields").filter_map(|one| one["description"].as_str()) {
            let named: BTreeSet<String> = about.split_once(": ").expect("a list").1.split(", ").map(str::to_owned).collect();
            let page = schema(&operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]);
            let item = schema(&page["properties"]["items"]["items"]);
            let has: BTreeSet<String> = item["properties"].as_object().expect("members").keys().cloned().collect();
            assert_eq!(named, has, "{path}");
            sparse += 1;
        }
    }
    assert_eq!(sparse, 3, "devices, runs and the audit log");
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let first = owner.client.get("/v1/customers").await;
    let tag = first.header("etag").expect("a tag").to_owned();
    let ask = |tag: &str| Call::new("GET", "/v1/customers").header("if-none-match", tag);
    for tags in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let unchanged = owner.client.send(ask(&tags)).await;
        assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, Some(tag.as_str())), "{tags}");
    }
    assert_eq!(owner.client.post("/v1/customers", json!({ "name": "Adler" })).await.status, 201);
    let changed = owner.client.send(ask(&tag)).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    let stranger = sallyport_testkit::client::Client::new(&server, 9).send(ask("*")).await;
    assert_eq!(stranger.status, 401, "a tag opens nothing");
}

#[tokio::test]
async fn limits_are_told_with_every_answer() {
    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let reply = owner.client.get("/v1/customers").await;
    let policy = reply.header("ratelimit-policy").expect("a policy").to_owned();
    assert!(policy.starts_with(&format!("\"address\";q={}", limits::REQUESTS_AT_ONCE)), "{policy}");
    let left = |reply: &sallyport_testkit::client::Reply| -> u64 {
        let header = reply.header("ratelimit").expect("what is left");
        header.split(';').find_map(|part| part.strip_prefix("r=")).and_then(|text| text.parse().ok()).expect("a number")
    };
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    let about = document["info"]["description"].as_str().expect("a text");
    assert!(["`RateLimit`", "`RateLimit-Policy`", "`Retry-After`"].iter().all(|header| about.contains(header)), "{about}");
    let before = left(&reply);
    assert!(left(&owner.client.get("/v1/customers").await) < before);
    // Used up: it is told when to come back, and then there is something again.
    let nobody = sallyport_testkit::client::Client::new(&server, 9);
    let ask = Call::new("GET", "/v1/setup");
    let mut refused = nobody.send_with(&ask, None).await;
    for _ in 0..limits::REQUESTS_AT_ONCE {
        if refused.status != 429 {
            assert_eq!(refused.status, 200);
            refused = nobody.send_with(&ask, None).await;
        }
    }
    assert_refused(&refused, 429, "rate_limited");
    assert_eq!((left(&refused), refused.header("ratelimit-policy")), (0, Some(policy.as_str())));
    let wait: i64 = refused.header("retry-after").and_then(|secs| secs.parse().ok()).expect("seconds");
    assert!(wait >= 1);
    assert_eq!(nobody.send_with(&Call::new("GET", "/healthz"), None).await.status, 200, "who watches over the process is never refused");
    server.clock.advance(wait);
    assert_eq!(nobody.send_with(&ask, None).await.status, 200);
}

/// Creations that are no creations for callers: signing in and setting up, one's own factors and codes, proofs, tokens, streams.
const NOT_CREATIONS: &[&str] = &["/v1/setup/", "/v1/sign-in", "/v1/invitations/", "/v1/me/", "/v1/oauth/"];

/// Texts that stand where nobody thought of a value.
fn fillers(value: &Value, place: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| fillers(member, name, found)),
        Value::Array(items) => items.iter().for_each(|item| fillers(item, place, found)),
        Value::String(text) if text == "example" || text.is_empty() => {
            found.insert(place.to_owned());
        }
        _ => {}
    }
}

#[test]
fn examples_have_values_that_mean_something() {
    fn look(value: &Value, found: &mut BTreeSet<String>, seen: &mut u32) {
        if let Value::Object(members) = value {
            for (name, member) in members {
                match name.as_str() {
                    "example" => {
                        fillers(member, "it", found);
                        *seen += 1;
                    }
                    _ => look(member, found, seen),
                }
            }
        }
    }
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    let (mut found, mut seen) = (BTreeSet::new(), 0);
    look(&document["paths"], &mut found, &mut seen);
    look(&document["components"]["responses"], &mut found, &mut seen);
    look(&document["components"]["headers"], &mut found, &mut seen);
    assert!(found.is_empty(), "{found:?}");
    assert!(seen > 200, "{seen}");
}

#[test]
fn every_operation_says_who_may_call_it_what_it_refuses_and_what_its_answers_carry() {
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    let schemes = document["components"]["securitySchemes"].as_object().expect("schemes");
    let scopes: BTreeSet<&str> =
        schemes["client"]["flows"]["clientCredentials"]["scopes"].as_object().expect("scopes").keys().map(String::as_str).collect();
    assert!(scopes.contains("devices.read") && !scopes.iter().any(|word| word.starts_with("people.")), "{scopes:?}");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let ways = operation["security"].as_array().unwrap_or_else(|| panic!("{method} {path}"));
            let needed = operation["description"].as_str().and_then(|text| text.strip_prefix("Needs `")?.split('`').next());
            assert_eq!(ways.is_empty(), needed.is_none(), "{method} {path}");
            assert!(ways.iter().all(|way| way["proof"].is_array()), "{method} {path}: nothing is worth anything without a proof");
            let client = ways.iter().find_map(|way| way["client"][0].as_str());
            assert_eq!(client, needed.filter(|word| scopes.contains(word)), "{method} {path}");
            let answers = operation["responses"].as_object().expect("answers");
            if path.contains("/proxy/") {
                continue;
            }
            // With a default every status would be one that is described.
            assert!(!answers.contains_key("default"), "{method} {path}");
            let everywhere = ["403", "429", "500", "503"];
            assert!(everywhere.iter().all(|status| answers.contains_key(*status)), "{method} {path}");
            assert!(needed.is_none() || answers.contains_key("401"), "{method} {path}");
            assert!(!path.contains('{') || answers.contains_key("404"), "{method} {path}");
            assert_eq!(method == "get", !answers.contains_key("412"), "{method} {path}");
            let read = answers.get("200").filter(|one| method == "get" && one["content"].get("application/json").is_some());
            let asks_again = operation["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == "if-none-match");
            assert_eq!(read.is_some_and(|one| one["headers"].get("ETag").is_some()), asks_again, "{method} {path}");
            for (status, answer) in answers {
                let named = answer["$ref"].as_str().and_then(|place| place.rsplit('/').next());
                let whole = named.map_or(answer, |name| &document["components"]["responses"][name]);
                for header in ["DPoP-Nonce", "RateLimit", "RateLimit-Policy", "X-Request-Id"] {
                    assert!(whole["headers"].get(header).is_some(), "{method} {path} {status} {header}");
                }
            }
        }
    }
}

#[test]
fn every_creation_takes_a_key_and_every_operation_has_examples() {
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let contents = operation["responses"].as_object().into_iter().flatten().map(|(_, answer)| &answer["content"]);
            for (kind, media) in contents.chain([&operation["requestBody"]["content"]]).filter_map(Value::as_object).flatten() {
                // A stream, a table, and bytes that are another vendor's.
                let has_none = ["text/event-stream", "text/csv", "*/*"].contains(&kind.as_str());
                assert!(media.get("example").is_some() || has_none, "{method} {path} {kind}");
            }
            let creates = method == "post" && ["201", "202"].iter().any(|status| operation["responses"].get(status).is_some());
            if !creates || NOT_CREATIONS.iter().any(|start| path.starts_with(start)) {
                continue;
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            assert!(parameters.filter(|one| one["name"] == "idempotency-key").count() == 1, "{path}");
        }
    }
}

/// By a validator of JSON Schema that is not ours.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_what_the_schemas_say_and_the_server_reads_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python());
    command.arg(folder.join("src/automation/examples.py")).arg(folder.join("../../openapi.json"));
    let output = tokio::task::block_in_place(|| command.output()).expect("python runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("what it found");
    assert_eq!(said["wrong"], json!([]));
    assert!(said["valid"].as_u64() > Some(200), "{}", said["valid"]);

    let server = TestServer::start().await;
    let mut owner = Owner::set_up(&server).await;
    let document: Value = serde_json::from_str(DOCUMENT).expect("the description");
    let (mut read, mut unread) = (0, Vec::new());
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let Some(example) = operation["requestBody"]["content"]["application/json"].get("example") else { continue };
            let ends = ["/v1/me/not-me", "/v1/me/password", "/v1/not-me"].contains(&path.as_str());
            if ends || path.starts_with("/v1/setup") {
                continue;
            }
            let path = path.replace("{id}", "dev_01kb3v5r8m2n4p6q8s0t2v4w6x").replace("{event}", "evt_01kb3v5r8m2n4p6q8s0t2v4w6x");
            let reply = owner.client.send(Call::new(&method.to_uppercase(), &path).body(example.clone())).await;
            if reply.status >= 500 || reply.code() == "malformed" {
                unread.push(format!("{method} {path}: {} {}", reply.status, reply.json()["detail"]));
            }
            read += 1;
        }
    }
    assert_eq!(unread, Vec::<String>::new());
    assert!(read > 35, "{read}");
}
