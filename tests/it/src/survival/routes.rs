//! The server's own route table as attacks need it.

use std::fmt;
use std::sync::OnceLock;

use sallyport_testkit::client::Call;
use sallyport_testkit::owner::EMAIL;
use serde_json::{Value, json};

/// One row.
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    access: String,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Every route of the API that speaks JSON and problems. What speaks OAuth's forms and refusals is attacked by the tests of automation.
pub(crate) fn routes() -> Vec<Route> {
    let table = sallyport_server::routes::print();
    let rows: Vec<Route> = table.lines().filter_map(Route::parse).collect();
    assert!(rows.len() > 40, "the table is read");
    rows
}

impl Route {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (method, path, access) = (words.next()?, words.next()?, words.next()?);
        (path.starts_with("/v1/") && !path.starts_with("/v1/oauth/")).then(|| Self {
            method: method.to_owned(),
            path: path.to_owned(),
            access: access.to_owned(),
        })
    }

    pub(crate) fn of(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), access: String::new() }
    }

    pub(crate) fn is_public(&self) -> bool {
        self.access == "public"
    }

    /// What somebody needs for it.
    pub(crate) fn capability(&self) -> &str {
        &self.access
    }

    /// Whether its answer has no end.
    pub(crate) fn streams(&self) -> bool {
        self.path == "/v1/events"
    }

    /// The path with this in the place of an id.
    pub(crate) fn with_id(&self, id: &str) -> String {
        let path = self.path.replace("{id}", id).replace("{index}", id).replace("{address}", "192.0.2.77");
        path.replace("{event}", "evt_01k5p7m0000000000000000000").replace("{path}", "a")
    }

    /// The path with an id that is well-formed and names nothing.
    pub(crate) fn concrete(&self) -> String {
        let prefix = match self.path.split('/').nth(2) {
            Some("audit") => return self.with_id("999999"),
            Some("authorization-requests") => "req",
            Some("clients") => "cli",
            Some("connections") => "con",
            Some("customers") => "cus",
            Some("devices") => "dev",
            Some("installers") => "ins",
            Some("jobs") => "job",
            Some("licences") => "lic",
            Some("schedules") => "sch",
            Some("webhooks") => "whk",
            Some("me") if self.path.contains("/factors/") => "fac",
            Some("me") => "ses",
            Some("runs") => "run",
            Some("scripts") => "scr",
            Some("users") => "usr",
            Some("roles") => "rol",
            Some("remote-sessions") => "rms",
            _ => "x",
        };
        self.with_id(&format!("{prefix}_01k5p7m0000000000000000000"))
    }

    /// As a client would call it, with a body where it takes one.
    pub(crate) fn call(&self) -> Call {
        match sample(self) {
            Some(body) => self.bare().body(body),
            None => self.bare(),
        }
    }

    /// Without a body.
    pub(crate) fn bare(&self) -> Call {
        Call::new(&self.method, &self.concrete())
    }
}

/// A body of the right form, where the route takes one.
pub(crate) fn sample(route: &Route) -> Option<Value> {
    let device = "dev_01k5p7m0000000000000000000";
    Some(match (route.method.as_str(), route.path.as_str()) {
        ("POST", "/v1/setup/start") => {
            json!({ "token": "t", "tenant_name": "T", "name": "N", "email": "a@b.example", "password": "violet teapots whistle" })
        }
        ("POST", "/v1/setup/finish") => {
            json!({ "token": "t", "draft": "d", "code": "123456", "root_body": "e30=", "authority_key": "00", "root_signature": "AA==" })
        }
        ("POST", "/v1/sign-in") => json!({ "email": EMAIL, "password": sallyport_testkit::owner::PASSWORD, "code": "000000" }),
        ("POST", "/v1/jobs") => json!({
            "script": "scr_01k5p7m0000000000000000000", "version": 1, "devices": [device], "arguments": ["a"],
            "environment": [{ "name": "A", "value": "b" }], "secrets": [{ "name": "S", "value": "t" }], "run_as": "root",
            "time_limit_secs": 60, "output_limit_bytes": 1000,
        }),
        ("POST", "/v1/installers") => json!({
            "label": "L", "site": "sit_01k5p7m0000000000000000000", "platform": "linux", "uses": 1, "lifetime_secs": 3600, "network": "10.0.0.0/8",
        }),
        ("POST", "/v1/devices/approve" | "/v1/devices/remove") => json!({ "devices": [device] }),
        ("PUT", "/v1/devices/{id}/tags") => json!({ "tags": ["a"] }),
        ("POST", "/v1/customers" | "/v1/customers/{id}/sites") => json!({ "name": "N" }),
        ("POST", "/v1/scripts") => json!({ "name": "N", "description": "", "interpreter": "sh", "text": "true", "parameters": [] }),
        ("PUT", "/v1/scripts/{id}") => {
            json!({ "name": "N", "description": "", "interpreter": "sh", "text": "true", "parameters": [], "version": 1 })
        }
        ("POST", "/v1/authorization-requests/{id}/proofs") => json!({ "totp": "000000" }),
        _ => return described(route),
    })
}

/// A body with everything that the API's description asks for.
fn described(route: &Route) -> Option<Value> {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    let print = || serde_json::from_str(&sallyport_server::print_openapi().expect("JSON")).expect("JSON");
    let document = DOCUMENT.get_or_init(print);
    let schema = &document["paths"][&route.path][route.method.to_lowercase()]["requestBody"]["content"]["application/json"]["schema"];
    (!schema.is_null()).then(|| example(document, schema))
}

/// The smallest value of a schema.
fn example(document: &Value, schema: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return example(document, &document["components"]["schemas"][name]);
    }
    if let Some(first) = ["oneOf", "anyOf", "allOf"].iter().find_map(|list| schema[*list].as_array()?.last()) {
        return example(document, first);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match schema["type"].as_str().or(schema["type"][0].as_str()) {
        Some("string") => json!("a"),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([example(document, &schema["items"])]),
        _ => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            required.map(|name| (name.to_owned(), example(document, &schema["properties"][name]))).collect::<serde_json::Map<_, _>>().into()
        }
    }
}
