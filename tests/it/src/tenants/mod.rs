//! Two tenants on one server: nobody reaches, changes or learns of anything of the other one.

mod estate;
mod naming;

use std::collections::BTreeMap;

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use serde_json::{Value, json};

use crate::people::scopes::printed;
use crate::survival::routes::{Route, routes};
use estate::{Elsewhere, Estate};
use naming::az_01_what_a_body_or_a_query_names_of_another_tenant_is_nothing;

on_both!(
    az_01_what_another_tenant_has_is_answered_as_what_nobody_has,
    az_01_an_event_of_another_tenant_is_none_of_ones_own_webhook,
    az_01_what_a_body_or_a_query_names_of_another_tenant_is_nothing,
);

/// Every route whose path names something.
fn naming() -> Vec<Route> {
    let found: Vec<Route> = routes().into_iter().filter(|route| route.path.contains('{')).collect();
    let printed = sallyport_server::routes::print();
    assert_eq!(found.len(), printed.lines().filter(|line| line.contains('{')).count(), "none is left out");
    found
}

/// Everything of an answer but what differs in every one.
fn told(reply: &Reply) -> (u16, Value, Vec<String>) {
    let (status, mut body) = reply.essence();
    if let Some(problem) = body.as_object_mut() {
        problem.remove("instance");
    }
    (status, body, reply.headers.iter().map(|(name, _)| name.clone()).filter(|name| name != "dpop-nonce").collect())
}

/// What the owner sees of all that the tenant has.
async fn seen(estate: &mut Estate) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let reads = naming().into_iter().filter(|route| route.method == "GET" && !route.path.contains("{*path}"));
    for call in reads.map(|route| estate.call(&route)).collect::<Vec<_>>() {
        let path = call.path.clone();
        let reply = estate.owner.client.send(call).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.json());
        let mut shown = reply.json();
        // The device goes on showing itself.
        if let Some(device) = shown.get_mut("device").and_then(Value::as_object_mut) {
            device.remove("last_seen");
        }
        let shown = if shown.is_null() { json!(reply.body) } else { shown };
        all.insert(path, shown);
    }
    all
}

/// The signed heads of both logs: whatever is done is in one of them.
async fn heads(owner: &mut Client, elsewhere: &mut Elsewhere) -> [Value; 2] {
    let mut heads = [Value::Null, Value::Null];
    for (head, client) in heads.iter_mut().zip([owner, &mut elsewhere.owner.client]) {
        let reply = client.get("/v1/audit/checkpoint").await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        *head = reply.json();
    }
    heads
}

/// What is answered otherwise, of whatever it is.
const OTHERWISE: &[(&str, u16, &str)] = &[
    // There is no attachment of one's own.
    ("POST /v1/remote-sessions/{id}/tickets", 409, "remote_session_ended"),
    // The session's last proof is looked at first.
    ("POST /v1/schedules/{id}/resume", 401, "insufficient_user_authentication"),
];

async fn az_01_what_another_tenant_has_is_answered_as_what_nobody_has(engine: Engine) {
    let (mut estate, mut elsewhere) = Estate::new(engine).await;
    let (routes, table) = (naming(), printed());
    let before = seen(&mut estate).await;
    let logs = heads(&mut estate.owner.client, &mut elsewhere).await;
    let mut wrong = Vec::new();
    for route in &routes {
        estate.server.clock.advance(1);
        for (word, client) in &mut elsewhere.people {
            let nothing = client.send(estate.call_of_nothing(route)).await;
            let theirs = client.send(estate.call(route)).await;
            let may = table[word].iter().any(|capability| capability == route.capability());
            let other = OTHERWISE.iter().find(|one| one.0 == route.to_string()).map(|one| (one.1, one.2));
            let wanted = if may { other.unwrap_or((404, "not_found")) } else { (403, "role_refused") };
            if told(&theirs) != told(&nothing) || (theirs.status, theirs.code().as_str()) != wanted {
                wrong.push(format!(
                    "{word}: {route}: {} {} and of nothing {} {}",
                    theirs.status,
                    theirs.json(),
                    nothing.status,
                    nothing.json()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let after = seen(&mut estate).await;
    let changed: Vec<_> = after.iter().filter(|(path, shown)| before.get(*path) != Some(shown)).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "nothing of it changed: {changed:#?}");
    assert_eq!(heads(&mut estate.owner.client, &mut elsewhere).await, logs, "and nothing was done in the other one's name");
    control(&mut estate, routes).await;
}

/// What was asked for is not waited for: few requests may be open at once.
async fn takes_back(client: &mut Client, asked: &Reply) {
    if let (202, Some(id)) = (asked.status, asked.json()["id"].as_str()) {
        assert_eq!(client.post(&format!("/v1/authorization-requests/{id}/deny"), json!({})).await.status, 204);
    }
}

/// Calls of the owner that are refused for another reason than that there is no such thing.
const REFUSED: &[(&str, &str)] = &[
    ("PUT /v1/webhooks/{id}", "nothing_to_do"),
    ("POST /v1/authorization-requests/{id}/passkey", "factor_required"),
    ("POST /v1/authorization-requests/{id}/proofs", "code_refused"),
    // Another version of its script made it void.
    ("POST /v1/schedules/{id}/pause", "conflict"),
    ("POST /v1/schedules/{id}/resume", "conflict"),
    ("DELETE /v1/connections/{id}/proxy/{*path}", "connection_over"),
    ("DELETE /v1/me/factors/{id}", "last_factor"),
];

/// The same calls in the tenant itself: what is there is found.
async fn control(estate: &mut Estate, mut routes: Vec<Route>) {
    // What ends something comes after what needs it.
    let rank = |route: &Route| {
        let verb = route.path.rsplit('/').next().unwrap_or_default();
        let ends = ["cancel", "deny", "end-sessions", "revoke", "stop"].contains(&verb);
        match route.method.as_str() {
            "GET" => 0,
            "PUT" | "PATCH" => 1,
            "POST" if !ends => 2,
            "POST" => 3,
            _ => 4,
        }
    };
    routes.sort_by_key(|route| (rank(route), route.path.clone()));
    let mut wrong = Vec::new();
    for route in &routes {
        estate.server.clock.advance(1);
        let reply = estate.owner.client.send(estate.call(route)).await;
        takes_back(&mut estate.owner.client, &reply).await;
        let excused = REFUSED.contains(&(route.to_string().as_str(), reply.code().as_str()));
        if !(200..300).contains(&reply.status) && !excused {
            wrong.push(format!("{route}: {} {}", reply.status, reply.json()));
        }
    }
    assert!(wrong.is_empty(), "the control:\n{}", wrong.join("\n"));
}

async fn az_01_an_event_of_another_tenant_is_none_of_ones_own_webhook(engine: Engine) {
    let (estate, mut elsewhere) = Estate::new(engine).await;
    let (own, event) = own_webhook(&estate, &mut elsewhere).await;
    let mut asked = 0;
    for route in naming().into_iter().filter(|route| route.path.contains("{event}")) {
        let mixed = [[own.as_str(), estate.id("event")], [estate.id("webhook"), event.as_str()]];
        let nothing = elsewhere.owner.client.send(estate.call_of_nothing(&route)).await;
        for ids in mixed {
            let reply = elsewhere.owner.client.send(estate.call_with(&route, &ids)).await;
            assert_eq!((reply.status, told(&reply)), (404, told(&nothing)), "{route}");
            asked += 1;
        }
        let twin = elsewhere.owner.client.send(estate.call_with(&route, &[&own, &event])).await;
        assert!((200..300).contains(&twin.status), "the control: {}", twin.json());
    }
    assert_eq!(asked, 4);
}

/// A webhook of the second tenant, and an event that it was told.
async fn own_webhook(estate: &Estate, elsewhere: &mut Elsewhere) -> (String, String) {
    let (receiver, path) = (estate.receiver(), "/elsewhere");
    let body = json!({ "name": "Own", "url": receiver.url(path), "events": ["request.waiting"] });
    let made = elsewhere.owner.does(&estate.server, Call::new("POST", "/v1/webhooks").body(body)).await;
    assert_eq!(made.status, 200, "{}", made.json());
    assert_eq!(elsewhere.owner.client.post("/v1/me/recovery-codes", json!({})).await.status, 202);
    let event = receiver.wait(path, 1).await[0].id().to_owned();
    (made.json()["result"]["webhook"].as_str().expect("an id").to_owned(), event)
}
