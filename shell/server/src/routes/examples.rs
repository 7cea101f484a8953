//! Examples for every operation, made from the schemas: the same names mean the same things everywhere, so a value for each name is enough.

use sallyport_api::{Code, Problem};
use serde_json::{Map, Value, json};
use utoipa::ToSchema as _;

use super::values::{OWN, PREFIXES, VALUES};

/// Puts an example beside every schema of a request or an answer.
pub(super) fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let book = Book { schemas: &schemas };
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        if let Some(content) = operation.get_mut("requestBody").map(|body| &mut body["content"]) {
            book.beside(content);
        }
        for answer in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            if answer.get("content").is_some() {
                book.beside(&mut answer["content"]);
            }
        }
    }
}

struct Book<'a> {
    schemas: &'a Value,
}

/// Schemas that contain themselves end here.
const DEPTH: usize = 30;

impl Book<'_> {
    fn beside(&self, content: &mut Value) {
        for (kind, media) in content.as_object_mut().into_iter().flatten() {
            if kind != "text/event-stream" && media["schema"].is_object() {
                media["example"] = self.example(&media["schema"], "", "", 0);
            }
        }
    }

    /// An example of a schema, which stands under `name` in the schema called `of`.
    fn example(&self, schema: &Value, of: &str, name: &str, depth: usize) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = reference.rsplit('/').next().unwrap_or_default();
            return self.example(&self.schemas[target], target, name, depth + 1);
        }
        if depth > DEPTH {
            return Value::Null;
        }
        if of == Problem::name() && name.is_empty() {
            return refused(Code::InvalidField.status());
        }
        for several in ["oneOf", "anyOf"] {
            if let Some(first) = schema[several].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")) {
                return self.example(first, of, name, depth + 1);
            }
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return self.together(parts, of, depth);
        }
        match kind(schema) {
            "object" => self.object(schema, of, depth),
            "array" => json!([self.example(&schema["items"], of, name, depth + 1)]),
            "boolean" => json!(schema["enum"][0].as_bool().unwrap_or(true)),
            "integer" | "number" => json!(number(schema, name)),
            "null" => Value::Null,
            _ => text(schema, of, name),
        }
    }

    fn together(&self, parts: &[Value], of: &str, depth: usize) -> Value {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(members) = self.example(part, of, "", depth + 1) {
                whole.extend(members);
            }
        }
        Value::Object(whole)
    }

    fn object(&self, schema: &Value, of: &str, depth: usize) -> Value {
        let members = schema["properties"].as_object().into_iter().flatten();
        let mut whole: Map<String, Value> =
            members.map(|(name, member)| (name.clone(), self.example(member, of, name, depth + 1))).collect();
        // A proof is one of its kinds, and what is chosen by group is not chosen one by one.
        for (one, other) in [("totp", "passkey"), ("devices", "group")] {
            let optional = !schema["required"].as_array().into_iter().flatten().any(|name| name == other);
            if optional && whole.contains_key(one) {
                whole.remove(other);
            }
        }
        Value::Object(whole)
    }
}

/// What a refusal with this status is like; its parts belong together.
pub(super) fn refused(status: u16) -> Value {
    let code = Code::ALL.iter().copied().find(|code| code.status() == status).unwrap_or(Code::Internal);
    let mut problem = json!({
        "type": format!("{}#{}", crate::error_page::PATH, code.as_str()), "title": code.title(), "status": code.status(),
        "detail": code.remedy(), "code": code.as_str(), "request_id": "5f1d7a0c9e3b2468",
    });
    if code == Code::InvalidField {
        problem["detail"] = json!("must be 1 to 1000");
        problem["field"] = json!("limit");
    }
    problem
}

fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        Value::String(kind) => kind,
        _ if schema["properties"].is_object() => "object",
        _ => "string",
    }
}

fn number(schema: &Value, name: &str) -> i64 {
    let wanted = match name {
        "version" | "number" | "uses" | "count" | "online" | "targets" | "total" | "class" => 1,
        "lifetime_secs" => 86_400,
        "time_limit_secs" | "late_secs" | "expires_in" => 600,
        "interval" => 5,
        "output_limit_bytes" => 1_048_576,
        "status" | "last_status" => 200,
        _ => 3,
    };
    wanted.max(schema["minimum"].as_i64().unwrap_or(i64::MIN)).min(schema["maximum"].as_i64().unwrap_or(i64::MAX))
}

fn text(schema: &Value, of: &str, name: &str) -> Value {
    if let Some(word) = schema["enum"].as_array().and_then(|words| words.first()) {
        return word.clone();
    }
    if let Some(word) = schema.get("const") {
        return word.clone();
    }
    let own = OWN.iter().find(|(schema, known, _)| *schema == of && *known == name).map(|(_, _, value)| *value);
    let value = own.or_else(|| VALUES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value));
    json!(value.map_or_else(|| id(of, name), str::to_owned))
}

/// An id by what it is of. A name that means nothing yet gets a word that no test lets through.
fn id(of: &str, name: &str) -> String {
    let named = |key: &str| PREFIXES.iter().find(|(known, _)| *known == key).map(|(_, prefix)| *prefix);
    let own = || {
        (name == "id").then(|| PREFIXES.iter().find(|(known, _)| of.to_lowercase().contains(known)).map(|(_, prefix)| *prefix)).flatten()
    };
    match named(name.trim_end_matches('s')).or_else(own) {
        Some(prefix) => format!("{prefix}_01kb3v5r8m2n4p6q8s0t2v4w6x"),
        None if name == "id" => "fac_01kb3v5r8m2n4p6q8s0t2v4w6x".to_owned(),
        None => "example".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::MOMENT;
    use super::*;

    #[test]
    fn names_mean_the_same_everywhere_and_references_are_followed() {
        let mut document = json!({
            "components": { "schemas": { "Job": { "type": "object", "required": ["id"], "properties": {
                "id": { "type": "string" }, "device": { "type": "string" }, "created": { "type": "string" },
                "state": { "$ref": "#/components/schemas/State" }, "again": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Job" }] },
            } }, "State": { "type": "string", "enum": ["waiting", "over"] } } },
            "paths": { "/v1/jobs": { "get": { "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Job" } } } } } } } },
        });
        add(&mut document);
        let example = &document["paths"]["/v1/jobs"]["get"]["responses"]["200"]["content"]["application/json"]["example"];
        assert_eq!(example["id"], "job_01kb3v5r8m2n4p6q8s0t2v4w6x");
        assert_eq!((&example["device"], &example["state"]), (&json!("dev_01kb3v5r8m2n4p6q8s0t2v4w6x"), &json!("waiting")));
        assert_eq!(example["created"], MOMENT);
        assert!(example["again"].is_object(), "what contains itself ends somewhere");
    }
}
