//! What the document says around each operation: who may call it and by which proof, which refusals it has, and the headers of both ways.
//! All of it follows from the row of the route table: what the guard and the layers around a handler look at.

use sallyport_api::Code;
use serde_json::{Map, Value, json};

use super::examples::refused;
use super::openapi::at;
use super::route::{Access, Relays, Repeats, Route};

/// Puts it into the document.
pub(super) fn add(document: &mut Value, routes: &[Route]) {
    document["components"]["headers"] = headers();
    document["components"]["responses"] = STATUSES.iter().map(|status| (name(*status), refusal(*status))).collect::<Map<_, _>>().into();
    document["components"]["securitySchemes"] = schemes(routes);
    for route in routes {
        let operation = &mut document["paths"][at(route)][route.method.to_lowercase()];
        operation["security"] = security(route);
        for status in refusals(route) {
            let refused = json!({ "$ref": format!("#/components/responses/{}", name(status)) });
            if let Some(responses) = operation["responses"].as_object_mut() {
                responses.entry(status.to_string()).or_insert(refused);
            }
        }
        for (status, answer) in operation["responses"].as_object_mut().into_iter().flatten().filter(|(_, answer)| answer["$ref"].is_null())
        {
            answer["headers"] = named(&answered(route, status));
        }
    }
}

/// The statuses of refusals. What a server answers that fails is no part of what it promises, and stands here for those who call it.
const STATUSES: [u16; 12] = [400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 500, 503];

/// Those that a route can answer with.
fn refusals(route: &Route) -> Vec<u16> {
    if route.relays != Relays::Nothing {
        return Vec::new();
    }
    let (has_body, changes) = (route.body.is_some(), route.method != "GET");
    let is_public = matches!(route.access, Access::Public(_));
    // A form is one of OAuth, which has refusals of its own.
    let is_form = route.body.is_some_and(|body| body.content_type != "application/json");
    let has_field = !is_form && (has_body || !route.query.is_empty() || route.repeats == Repeats::Once || names_something(route));
    let can = |status: u16| match status {
        400 => has_body || !route.query.is_empty(),
        401 => !is_public || changes,
        // Another site's page is refused everywhere.
        403 | 429 | 500 | 503 => true,
        // What a body names, or what is to be changed, may be nowhere, too.
        404 => names_something(route) || (changes && !is_form),
        409 => changes && !is_form,
        412 => changes,
        413 => has_body,
        415 => has_body && !is_form,
        422 => has_field,
        _ => false,
    };
    STATUSES.into_iter().filter(|status| can(*status)).collect()
}

fn names_something(route: &Route) -> bool {
    route.path.contains('{')
}

fn name(status: u16) -> String {
    format!("Refused{status}")
}

/// Everything that is refused with this status.
fn refusal(status: u16) -> Value {
    let codes: Vec<String> = Code::ALL.iter().filter(|code| code.status() == status).map(|code| format!("`{}`", code.as_str())).collect();
    let content = json!({ "schema": { "$ref": "#/components/schemas/Problem" }, "example": refused(status) });
    let mut headers = EVERYWHERE.to_vec();
    match status {
        401 => headers.push("WWW-Authenticate"),
        429 | 503 => headers.push("Retry-After"),
        _ => {}
    }
    json!({
        "description": format!("Refused: {}", codes.join(", ")),
        "content": { "application/problem+json": content },
        "headers": named(&headers),
    })
}

/// The headers of every answer.
const EVERYWHERE: [&str; 4] = ["DPoP-Nonce", "RateLimit", "RateLimit-Policy", "X-Request-Id"];

/// Those of one that is no refusal.
fn answered(route: &Route, status: &str) -> Vec<&'static str> {
    let mut headers = EVERYWHERE.to_vec();
    let is_read = route.method == "GET" && (status == "304" || (status == "200" && route.answers_json(200)));
    if is_read && route.relays == Relays::Nothing {
        // A list that can be had in another form has no tag there.
        headers.push(if route.also.is_empty() { "ETag" } else { "Maybe-ETag" });
    }
    if status == "202" && route.asks() {
        headers.push("Location");
    }
    if route.repeats == Repeats::Once && status.starts_with('2') {
        headers.push("Idempotency-Replayed");
    }
    if route.relays != Relays::Nothing {
        headers.push(if status == "200" { "Sallyport-Connection" } else { "Maybe-Sallyport-Connection" });
    }
    if matches!(route.access, Access::Session(_)) {
        headers.push("Sallyport-Token");
    }
    headers
}

/// Headers by their name; one that may be missing is described apart.
fn named(names: &[&str]) -> Value {
    let header = |name: &str| (name.trim_start_matches("Maybe-").to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    names.iter().map(|name| header(name)).collect::<Map<_, _>>().into()
}

fn headers() -> Value {
    let text = |about: &str, required: bool, example: &str| json!({ "description": about, "required": required, "schema": { "type": "string" }, "example": example });
    let secs = json!({ "description": "In how many seconds it is worth another try", "required": false,
        "schema": { "type": "integer", "minimum": 1 }, "example": 1 });
    let tag = "Names what was read: with `If-None-Match` it is left out where it is still so, and changes take it as `If-Match`";
    let connection = "The connection whose vendor answered; without it, this server did";
    let connection_id = "con_01kb3v5r8m2n4p6q8s0t2v4w6x";
    let entity = "\"Cx9aOqT3lHn2bq1cUe8F2g.m3v0u5tqk1o7yZ4cJ8w2Xw\"";
    json!({
        "DPoP-Nonce": text("The nonce of the next proof", true, "kq3vYh0m7E2wq1rTzN5c8A"),
        "RateLimit": text("What is left (the IETF's draft of RateLimit header fields)", true, "\"address\";r=599;t=1"),
        "RateLimit-Policy": text("How much there is at most", true, "\"address\";q=600;w=10"),
        "X-Request-Id": text("Under which the server's log has this request", true, "5f1d7a0c9e3b2468"),
        "ETag": text(tag, true, entity),
        "Maybe-ETag": text(tag, false, entity),
        "Location": text("Where the authorization request is", true, "/v1/authorization-requests/req_01kb3v5r8m2n4p6q8s0t2v4w6x"),
        "Idempotency-Replayed": text("`true` where it was done before, with this `Idempotency-Key`", false, "true"),
        "Sallyport-Connection": text(connection, true, connection_id),
        "Maybe-Sallyport-Connection": text(connection, false, connection_id),
        "Sallyport-Token": text("The token that a person's program goes on with; the one before ends", false, "n8Vw1qJr0bWkzbFSmm5P4nT8wmSk1VxvuYVAk2Dp9mc"),
        "Retry-After": secs,
        "WWW-Authenticate": text("What proof is wanted (RFC 9449, RFC 9470)", false, "DPoP error=\"invalid_token\", algs=\"ES256\""),
    })
}

/// How callers say who they are.
fn schemes(routes: &[Route]) -> Value {
    let rows = routes.iter().filter_map(|route| match route.access {
        Access::Session(row) if row.is_for_clients() => Some((row.name.to_owned(), json!(row.about))),
        _ => None,
    });
    json!({
        "session": { "type": "apiKey", "in": "cookie", "name": "__Host-sallyport", "description": "A person's session in a browser." },
        "program": { "type": "http", "scheme": "DPoP", "description": "The token of a person's program, from `/v1/oauth/token` by authorization code or device code." },
        "client": { "type": "oauth2", "description": "The token of an API client, sent as `Authorization: DPoP`, never as `Bearer`.",
            "flows": { "clientCredentials": { "tokenUrl": "/v1/oauth/token", "scopes": rows.collect::<Map<_, _>>() } } },
        "proof": { "type": "apiKey", "in": "header", "name": "DPoP",
            "description": "A proof of the session's or the token's key, for this request (RFC 9449); sessions sign `bh` and `htq` too." },
    })
}

fn security(route: &Route) -> Value {
    let Access::Session(row) = route.access else { return json!([]) };
    let mut ways = vec![json!({ "session": [], "proof": [] }), json!({ "program": [], "proof": [] })];
    if row.is_for_clients() {
        ways.push(json!({ "client": [row.name], "proof": [] }));
    }
    ways.into()
}
