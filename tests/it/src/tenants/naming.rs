//! What a body or a query names of another tenant, in every place where the API's description has such a field.

use std::collections::BTreeSet;

use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::Call;
use sallyport_testkit::server::Engine;
use sallyport_wire::stream::StreamSecret;
use serde_json::{Value, json};

use super::estate::{Elsewhere, Estate, unlike};
use super::told;

/// Fields that name something of a tenant.
const NAMES: [&str; 15] = [
    "actor",
    "callers",
    "customer",
    "device",
    "devices",
    "finding",
    "joins",
    "replaces",
    "requested_by",
    "role",
    "schedule",
    "script",
    "site",
    "user",
    "users",
];

/// Fields of such a name that name nothing of a tenant, with why.
const OTHERS: [(&str, &str, &str); 3] = [
    // How many.
    ("POST", "/v1/posture/what-if", "devices"),
    // Of a vendor's credential.
    ("POST", "/v1/connections", "user"),
    ("PUT", "/v1/connections/{id}", "user"),
];

/// Method, path with query, body. `their` things are those of the other tenant, `own` ones those of whoever asks.
const CASES: &[(&str, &str, &str)] = &[
    ("GET", "/v1/audit?actor=<their owner>", ""),
    ("GET", "/v1/audit?device=<their device>", ""),
    ("GET", "/v1/devices?site=<their site>", ""),
    ("GET", "/v1/devices?customer=<their customer>", ""),
    ("GET", "/v1/jobs?script=<their script>", ""),
    ("GET", "/v1/jobs?device=<their device>", ""),
    ("GET", "/v1/jobs?requested_by=<their owner>", ""),
    ("GET", "/v1/jobs?schedule=<their schedule>", ""),
    ("GET", "/v1/remote-sessions?state=any&device=<their device>", ""),
    ("GET", "/v1/schedules?script=<their script>", ""),
    ("GET", "/v1/users?role=<their given role>", ""),
    ("POST", "/v1/devices/approve", r#"{"devices":["<their pending>"]}"#),
    ("POST", "/v1/devices/remove", r#"{"devices":["<their device>"]}"#),
    ("POST", "/v1/installers", r#"{"label":"L","site":"<their site>","platform":"linux","uses":1,"lifetime_secs":600}"#),
    ("POST", "/v1/jobs", r#"{"script":"<own script>","version":1,"devices":["<their device>"]}"#),
    ("POST", "/v1/jobs", r#"{"script":"<their script>","version":1,"devices":["<their device>"]}"#),
    ("POST", "/v1/policy/networks/pause", r#"{"user":"<their user>","hours":1}"#),
    ("POST", "/v1/posture/accepted", r#"{"finding":"<their finding>","reason":"Later","until":"<soon>"}"#),
    (
        "POST",
        "/v1/posture/what-if",
        r#"{"user":"<their user>","address":"192.0.2.1","with":"password_and_code","wants":"read_devices","devices":1}"#,
    ),
    (
        "POST",
        "/v1/posture/what-if",
        r#"{"user":"<own user>","address":"192.0.2.1","with":"password_and_code","wants":"read_devices","devices":1,"site":"<their site>"}"#,
    ),
    ("POST", "/v1/remote-sessions", r#"{"device":"<their device>","kind":"files","access":"control","client_key":"<key>"}"#),
    (
        "POST",
        "/v1/remote-sessions",
        r#"{"device":"<their device>","joins":"<their remote session>","kind":"terminal","access":"control","client_key":"<key>"}"#,
    ),
    ("POST", "/v1/schedules", r#"{"name":"N","script":"<own script>","version":1,"devices":["<their device>"],"timing":"<timing>"}"#),
    ("POST", "/v1/schedules", r#"{"name":"N","script":"<their script>","version":1,"devices":["<their device>"],"timing":"<timing>"}"#),
    (
        "POST",
        "/v1/schedules",
        r#"{"name":"N","script":"<own script>","version":1,"group":{"customer":"<their customer>"},"timing":"<timing>"}"#,
    ),
    ("POST", "/v1/schedules", r#"{"name":"N","script":"<own script>","version":1,"group":{"site":"<their site>"},"timing":"<timing>"}"#),
    (
        "POST",
        "/v1/schedules",
        r#"{"name":"N","script":"<own script>","version":1,"devices":["<their device>"],"replaces":"<their schedule>","timing":"<timing>"}"#,
    ),
    (
        "POST",
        "/v1/users",
        r#"{"email":"n@x.example","name":"N","assignments":[{"role":"auditor","scope":"customer","id":"<their customer>"}]}"#,
    ),
    ("POST", "/v1/users", r#"{"email":"n@x.example","name":"N","assignments":[{"role":"auditor","scope":"site","id":"<their site>"}]}"#),
    ("POST", "/v1/users", r#"{"email":"n@x.example","name":"N","assignments":[{"role":"<their role>","scope":"tenant"}]}"#),
    ("POST", "/v1/users/<own user>/assignments", r#"{"assignments":[{"role":"auditor","scope":"site","id":"<their site>"}]}"#),
    ("POST", "/v1/users/<own user>/assignments", r#"{"assignments":[{"role":"<their role>","scope":"tenant"}]}"#),
    ("POST", "/v1/users/disable", r#"{"users":["<their user>"]}"#),
    ("POST", "/v1/users/enable", r#"{"users":["<their disabled>"]}"#),
    ("POST", "/v1/users/mfa", r#"{"users":["<their user>"],"required":"yes"}"#),
    ("POST", "/v1/connections", r#"{"callers":["<their user>"]}"#),
    ("PUT", "/v1/connections/<own connection>", r#"{"callers":["<their user>"]}"#),
];

/// What the cases call by name, for one who asks.
struct Words<'a> {
    estate: &'a Estate,
    own: &'a dyn Fn(&str) -> String,
    key: String,
}

impl Words<'_> {
    /// The call of a case; `theirs` says which id stands for a thing of the other tenant.
    fn call(&self, (method, path, body): (&str, &str, &str), theirs: &dyn Fn(&str) -> String) -> Call {
        let call = Call::new(method, &self.filled(path, theirs));
        if body.is_empty() {
            return call;
        }
        let mut body: Value = serde_json::from_str(&self.filled(body, theirs)).expect("JSON");
        if body["timing"] == "<timing>" {
            let expires = self.estate.server.clock.now().plus_secs(30 * 86_400);
            body["timing"] = json!({ "cron": "0 3 * * *", "zone": "Europe/Berlin", "expires": expires });
        }
        if path.starts_with("/v1/connections") {
            let mut whole = self.estate.connection();
            whole.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
            body = whole;
        }
        call.body(body)
    }

    fn filled(&self, text: &str, theirs: &dyn Fn(&str) -> String) -> String {
        let mut parts = text.split('<');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('>').expect("a name");
            let word = match name.split_once(' ') {
                Some(("their", what)) => theirs(what),
                Some(("own", what)) => (self.own)(what),
                _ if name == "key" => self.key.clone(),
                _ if name == "soon" => self.estate.server.clock.now().plus_secs(86_400).to_string(),
                _ => format!("<{name}>"),
            };
            filled += &(word + rest);
        }
        filled
    }
}

/// An answer without the ids that were asked about.
fn without(told: (u16, Value, Vec<String>), call: &Call) -> (u16, String, Vec<String>) {
    let asked = format!("{} {}", call.path, call.body.as_ref().map(Value::to_string).unwrap_or_default());
    let ids: BTreeSet<&str> = asked.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.len() >= 26).collect();
    let body = ids.into_iter().fold(told.1.to_string(), |body, id| body.replace(id, "ID"));
    (told.0, body, told.2)
}

pub(super) async fn az_01_what_a_body_or_a_query_names_of_another_tenant_is_nothing(engine: Engine) {
    let (mut estate, mut elsewhere) = Estate::new(engine).await;
    let (pending, disabled) = estate.waiting().await;
    let have = |what: &str| match what {
        "pending" => pending.clone(),
        "disabled" => disabled.clone(),
        what => estate.id(what).to_owned(),
    };
    let own = own_things(&estate, &mut elsewhere).await;
    let own = |what: &str| own.iter().find(|(name, _)| *name == what).expect("their own").1.clone();
    let key = StreamSecret::from_bytes([1; 32]).public().to_string();
    let before = super::heads(&mut estate.owner.client.clone(), &mut elsewhere).await;
    let words = Words { estate: &estate, own: &own, key };
    let mut wrong = Vec::new();
    for case in CASES {
        estate.server.clock.advance(1);
        let (theirs, nothing) = (words.call(*case, &have), words.call(*case, &|what: &str| unlike(&have(what))));
        let reply = elsewhere.owner.client.send(theirs.clone()).await;
        let of_nothing = elsewhere.owner.client.send(nothing.clone()).await;
        // A question about oneself, at a place that is nowhere, is answered as without one.
        let asks = case.0 == "GET" || case.2.contains("\"site\":") && case.1.ends_with("/what-if");
        let refused = if asks { reply.status == 200 } else { (400..500).contains(&reply.status) };
        let empty = case.0 != "GET" || reply.json()["items"] == json!([]);
        if !refused || !empty || without(told(&reply), &theirs) != without(told(&of_nothing), &nothing) {
            wrong.push(format!("{case:?}: {} {} and of nothing {}", reply.status, reply.json(), of_nothing.json()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(super::heads(&mut estate.owner.client.clone(), &mut elsewhere).await, before, "nothing was done");
    // The same words in the tenant itself find what they name.
    let here = |what: &str| have(if what == "connection" || what == "script" { what } else { "user" });
    let (words, mut owner) = (Words { own: &here, ..words }, estate.owner.client.clone());
    for case in CASES {
        estate.server.clock.advance(1);
        let reply = owner.send(words.call(*case, &have)).await;
        // The schedule's time has not come: it has no job yet.
        let some = case.0 == "GET" && !case.1.contains("schedule=");
        let found = !some || reply.json()["items"].as_array().is_some_and(|items| !items.is_empty());
        super::takes_back(&mut owner, &reply).await;
        // Of single users nothing is required where it is required of everybody: they were found.
        let excused = case.1 == "/v1/users/mfa" && reply.code() == "conflict";
        if !(200..300).contains(&reply.status) && !excused || !found {
            wrong.push(format!("{case:?}: {} {}", reply.status, reply.json()));
        }
    }
    assert!(wrong.is_empty(), "the control:\n{}", wrong.join("\n"));
}

/// A script, somebody and a connection of the second tenant.
async fn own_things(estate: &Estate, elsewhere: &mut Elsewhere) -> Vec<(&'static str, String)> {
    let script = elsewhere.owner.script("probe", "true").await;
    let made = elsewhere.owner.does(&estate.server, Call::new("POST", "/v1/connections").body(estate.connection())).await;
    assert_eq!(made.status, 200, "{}", made.json());
    let connection = made.json()["action"]["connection"].as_str().expect("an id").to_owned();
    let me = elsewhere.people[1].1.get("/v1/me").await.json();
    vec![("script", script), ("connection", connection), ("user", me["user"].as_str().expect("an id").to_owned())]
}

#[test]
fn az_01_every_field_that_names_something_has_a_case() {
    let document: Value = serde_json::from_str(&sallyport_server::print_openapi().expect("JSON")).expect("JSON");
    let mut seen = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let method = method.to_uppercase();
            let mut fields = BTreeSet::new();
            let queries = operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query");
            fields.extend(queries.filter_map(|one| one["name"].as_str()));
            fields_of(&document, &operation["requestBody"]["content"]["application/json"]["schema"], &mut fields);
            for field in
                fields.into_iter().filter(|field| NAMES.contains(field) && !OTHERS.contains(&(method.as_str(), path.as_str(), field)))
            {
                let has = CASES.iter().any(|case| case.0 == method && is_of(case.1, path) && names(case, field));
                assert!(has, "{method} {path}: nobody asks what {field} of another tenant does");
                seen += 1;
            }
        }
    }
    assert!(seen > 25, "the description is read");
}

fn is_of(case: &str, path: &str) -> bool {
    let case = case.split('?').next().unwrap_or_default();
    case.split('/').count() == path.split('/').count() && case.split('/').zip(path.split('/')).all(|(a, b)| a == b || b.starts_with('{'))
}

fn names(case: &(&str, &str, &str), field: &str) -> bool {
    case.1.contains(&format!("{field}=<their"))
        || case
            .2
            .split(&format!("\"{field}\":"))
            .skip(1)
            .any(|rest| rest.trim_start_matches(['[', '"']).starts_with("<their") || field == "role")
}

/// The names of all fields of a schema.
fn fields_of<'a>(document: &'a Value, schema: &'a Value, fields: &mut BTreeSet<&'a str>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return fields_of(document, &document["components"]["schemas"][name], fields);
    }
    for list in ["oneOf", "anyOf", "allOf"] {
        schema[list].as_array().into_iter().flatten().for_each(|one| fields_of(document, one, fields));
    }
    for (name, one) in schema["properties"].as_object().into_iter().flatten() {
        fields.insert(name);
        fields_of(document, one, fields);
    }
    if schema["items"].is_object() {
        fields_of(document, &schema["items"], fields);
    }
}
