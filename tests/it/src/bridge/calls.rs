//! What goes out, what comes back, and what does neither.

use sallyport_testkit::client::Call;
use sallyport_testkit::on_both;
use sallyport_testkit::server::Engine;
use sallyport_testkit::tool::Tool;
use serde_json::json;

use super::vendor::SECRET;
use super::{World, assert_refused, wanted};

on_both!(
    a_call_goes_out_with_the_credential_and_comes_back_without_it,
    what_no_rule_allows_never_leaves,
    answers_that_could_tell_the_credential_stay_here,
    the_minutes_calls_are_counted_for_all_together,
    a_connection_that_names_its_callers_is_for_them_alone,
    tools_use_connections_and_make_none,
    calls_are_told_to_the_audit_log_once_a_minute,
    a_stop_is_immediate_and_for_good,
    a_connection_ends_by_itself_and_its_credential_is_forgotten,
);

async fn a_call_goes_out_with_the_credential_and_comes_back_without_it(engine: Engine) {
    let mut world = World::new(engine, json!({ "headers": { "clientId": "sallyport" } })).await;
    let call = world.call("POST", "tickets/5/notes?notify=no").body(json!({ "text": "done" }));
    let call = call.header("accept", "application/json").header("authorization-debug", "x").header("x-forwarded-for", "192.0.2.1");
    let reply = world.owner.client.send(call).await;
    assert_eq!((reply.status, &reply.json()["path"]), (200, &json!("/tickets/5/notes?notify=no")), "{}", reply.json());
    let got = world.vendor.got().pop().expect("a request");
    assert_eq!(got.line, "POST /api/tickets/5/notes?notify=no HTTP/1.1");
    assert_eq!(got.body, json!({ "text": "done" }).to_string());
    assert_eq!(got.header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
    assert_eq!((got.header("clientid"), got.header("content-type")), (Some("sallyport"), Some("application/json")));
    let host = world.vendor.url.trim_start_matches("http://").trim_end_matches("/api").to_owned();
    assert_eq!(got.header("host"), Some(host.as_str()));
    for own in ["cookie", "dpop", "authorization-debug", "x-forwarded-for", "origin", "accept-encoding", "transfer-encoding"] {
        assert_eq!(got.header(own), None, "{own}");
    }
    assert_eq!((reply.header("sallyport-connection"), reply.header("x-total-count")), (Some(world.id.as_str()), Some("7")));
    for theirs in ["set-cookie", "x-accel-redirect"] {
        assert_eq!(reply.header(theirs), None, "{theirs}");
    }
    assert!(reply.header("content-security-policy").is_some_and(|policy| policy.starts_with("sandbox")));
    let (policy, left) = (reply.header("ratelimit-policy").unwrap_or_default(), reply.header("ratelimit").unwrap_or_default());
    assert!(policy.contains("\"address\";") && policy.contains("\"connection\";q=60;w=60"), "{policy}");
    assert!(left.contains("\"connection\";r=59"), "{left}");
    let path = world.path("/calls");
    let calls = world.owner.client.get(&path).await.json();
    let call = &calls["items"][0];
    assert_eq!((&call["method"], &call["path"], &call["outcome"]), (&json!("POST"), &json!("/tickets/5/notes"), &json!("200")), "{calls}");
    assert_eq!(world.connection().await["usable"], true);
}

async fn what_no_rule_allows_never_leaves(engine: Engine) {
    let mut world = World::new(engine, json!({ "allows": [{ "methods": ["GET"], "path": "/tickets/**" }] })).await;
    for path in [
        "users",
        "tickets/../users",
        "tickets/%2e%2e/users",
        "tickets/.%2E/users",
        "tickets//users",
        "//evil.example/tickets",
        "tickets/..;/users",
        "tickets%2f..%2fusers",
        "tickets/%5c..%5cusers",
        "tickets/%252e%252e/users",
        "tickets/%0d%0aHost:evil.example",
        "http://evil.example/tickets",
        "@evil.example/tickets",
        "tickets/%zz",
    ] {
        let reply = world.calls("GET", path).await;
        assert!(
            reply.status == 403 && reply.code() == "connection_refused" || reply.status == 404,
            "{path}: {} {}",
            reply.status,
            reply.code()
        );
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_refused(&world.calls(method, "tickets/5").await, 403, "connection_refused");
    }
    assert!(world.vendor.got().is_empty(), "{:?}", world.vendor.got());
    let connection = world.connection().await;
    assert_eq!(connection["last_refusal"], "rule_refused", "{connection}");
    assert_eq!(world.calls("GET", "tickets/5").await.status, 200, "the control");
}

async fn answers_that_could_tell_the_credential_stay_here(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    for (path, status, code) in [
        ("echo", 502, "answer_refused"),
        ("echo/header", 502, "answer_refused"),
        ("gzip", 502, "answer_refused"),
        ("unsure", 502, "vendor_refused"),
    ] {
        let reply = world.calls("GET", path).await;
        assert_refused(&reply, status, code);
        assert!(!String::from_utf8_lossy(&reply.body).contains(SECRET) && reply.header("sallyport-connection").is_none(), "{path}");
        assert!(reply.headers.iter().all(|(_, value)| !value.contains(SECRET)), "{path}");
    }
    assert_eq!(world.connection().await["state"], "credential_refused");
    // What the vendor says otherwise is the caller's: redirects are not followed, and lead nowhere.
    world.server.clock.advance(1);
    let moved = world.calls("GET", "moved").await;
    assert_eq!((moved.status, moved.header("location")), (302, None));
    assert_eq!(world.calls("GET", "refused").await.status, 403);
    assert_eq!(world.connection().await["state"], "active", "it was taken since");
}

async fn the_minutes_calls_are_counted_for_all_together(engine: Engine) {
    let mut world = World::new(engine, json!({ "per_minute": 3 })).await;
    for left in [2, 1, 0] {
        let reply = world.calls("GET", "tickets").await;
        assert!(reply.header("ratelimit").is_some_and(|value| value.contains(&format!("\"connection\";r={left}"))), "{:?}", reply.headers);
    }
    let refused = world.calls("GET", "tickets").await;
    assert_refused(&refused, 429, "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(world.vendor.got().len(), 3);
    world.server.clock.advance(61);
    assert_eq!(world.calls("GET", "tickets").await.status, 200);
}

async fn a_connection_that_names_its_callers_is_for_them_alone(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    let mut tool = Tool::made(&world.server, &mut world.owner, 21, &["connections.use", "connections.read"]).await;
    let technician = json!([{ "role": "technician", "scope": "tenant" }]);
    let mut tara = world.owner.colleague(&world.server, 9, "tara@nordwind.example", technician).await;
    let own = wanted(&world.server, &world.vendor, json!({ "callers": [tool.id, tara.id], "secret": null }));
    let unknown = wanted(&world.server, &world.vendor, json!({ "callers": ["usr_01m1kywq5g0000000000000000"], "secret": null }));
    let put = Call::new("PUT", &world.path(""));
    assert_refused(&world.owner.client.send(put.clone().body(unknown)).await, 422, "invalid_field");
    let changed = world.owner.does(&world.server, put.body(own)).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    assert_refused(&world.calls("GET", "tickets").await, 403, "connection_refused");
    assert_eq!(world.connection().await["usable"], false);
    assert_eq!(tool.gets_token().await.status, 200);
    assert_eq!(tool.sends(world.call("GET", "tickets")).await.status, 200);
    assert_eq!(tara.client.send(world.call("GET", "tickets")).await.status, 200);
    assert_eq!(world.vendor.got().len(), 2);
}

async fn tools_use_connections_and_make_none(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    let mut tool = Tool::made(&world.server, &mut world.owner, 21, &["connections.use"]).await;
    let mut other = Tool::made(&world.server, &mut world.owner, 23, &["devices.read"]).await;
    assert_eq!((tool.gets_token().await.status, other.gets_token().await.status), (200, 200));
    assert_eq!(tool.sends(world.call("GET", "tickets")).await.status, 200);
    assert_refused(&other.sends(world.call("GET", "tickets")).await, 403, "scope_refused");
    assert_refused(&tool.get("/v1/connections").await, 403, "scope_refused");
    let body = wanted(&world.server, &world.vendor, json!({}));
    for (method, path) in
        [("POST", "/v1/connections".to_owned()), ("PUT", world.path("")), ("POST", world.path("/stop")), ("POST", world.path("/rotate"))]
    {
        let reply = tool.sends(Call::new(method, &path).body(body.clone())).await;
        assert_refused(&reply, 403, "client_refused");
    }
    let asked = tool.wanted(&["connections.manage"]);
    assert_refused(&world.owner.client.post("/v1/clients", asked).await, 422, "invalid_field");
    assert_eq!(world.vendor.got().len(), 1);
}

async fn calls_are_told_to_the_audit_log_once_a_minute(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    for path in ["tickets/1", "tickets/2", "me", "refused"] {
        world.calls("GET", path).await;
    }
    assert_refused(&world.calls("POST", "users").await, 403, "connection_refused");
    assert!(world.audit("connection.used").await.is_empty(), "its minute is not over");
    world.server.clock.advance(61);
    let used = world.told("connection.used", 1).await.remove(0);
    let payload = &used["details"];
    assert_eq!((&payload["calls"], &payload["name"]), (&json!(4), &json!("Ticket system")), "{used}");
    assert_eq!(payload["by"].as_array().map(Vec::len), Some(2), "by method, rule and outcome: {used}");
    let refused = world.told("connection.refused", 1).await.remove(0);
    assert_eq!(refused["details"]["reasons"], json!({ "rule_refused": 1 }), "{refused}");
    let text = used["sentence"].as_array().map(|parts| parts.iter().filter_map(|part| part["text"].as_str()).collect::<String>());
    assert_eq!(text.as_deref(), Some("Amelie Winter sent 4 requests over the connection Ticket system"), "{used}");
}

async fn a_stop_is_immediate_and_for_good(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    let (stop, show) = (world.path("/stop"), world.path(""));
    assert_eq!(world.owner.client.post(&stop, json!({})).await.status, 204);
    assert_refused(&world.calls("GET", "tickets").await, 409, "connection_over");
    let connection = world.connection().await;
    assert_eq!(
        (&connection["state"], &connection["secret_since"], &connection["stopped_by"]),
        (&json!("stopped"), &json!(null), &json!("Amelie Winter"))
    );
    assert_refused(&world.owner.client.post(&stop, json!({})).await, 404, "not_found");
    let body = wanted(&world.server, &world.vendor, json!({}));
    assert_refused(&world.owner.client.send(Call::new("PUT", &show).body(body)).await, 409, "connection_over");
    assert_eq!(super::secrets::kept(&world).await, 0);
    assert!(world.vendor.got().is_empty());
}

async fn a_connection_ends_by_itself_and_its_credential_is_forgotten(engine: Engine) {
    let mut world = World::new(engine, json!({})).await;
    let soon = sallyport_server::clock::Clock::now(&world.server.clock).plus_secs(600);
    let put = Call::new("PUT", &world.path("")).body(wanted(&world.server, &world.vendor, json!({ "expires": soon, "secret": null })));
    assert_eq!(world.owner.does(&world.server, put).await.status, 200);
    assert_eq!(world.calls("GET", "tickets").await.status, 200);
    world.server.clock.advance(600);
    assert_refused(&world.calls("GET", "tickets").await, 409, "connection_over");
    world.until("it is forgotten", |connection| connection["secret_since"].is_null() && connection["state"] == "expired").await;
    // Longer again, but not with a credential that is no longer there.
    let without = Call::new("PUT", &world.path("")).body(wanted(&world.server, &world.vendor, json!({ "secret": null })));
    assert_refused(&world.owner.client.send(without).await, 422, "invalid_field");
    let with = Call::new("PUT", &world.path("")).body(wanted(&world.server, &world.vendor, json!({})));
    assert_eq!(world.owner.does(&world.server, with).await.status, 200);
    assert_eq!(world.calls("GET", "tickets").await.status, 200);
}
