//! The request that replaces a credential.

use sallyport_model::limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{ShapeError, below};
use super::shape::{Shape, Verb};

/// Where the new credential comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewSecret {
    /// The server makes it, and the request has it at `{new}`.
    Made,
    /// The vendor makes it, and its answer has it there (RFC 6901).
    Answer {
        /// Where: `/data/token`.
        pointer: String,
    },
}

/// The request that replaces a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Days between two replacements.
    pub every_days: u32,
    /// What it does.
    pub method: Verb,
    /// Its path below the connection's address.
    pub path: String,
    /// Its body: JSON, in whose texts `{new}` and `{old}` stand for the credentials. Empty for none.
    #[serde(default)]
    pub body: String,
    /// Where the new credential comes from.
    pub new: NewSecret,
}

impl Hook {
    /// Whether it can replace the credential of a connection with these terms.
    pub(super) fn fits(&self, terms: &Shape) -> Result<(), ShapeError> {
        if terms.check.is_none() {
            return Err(ShapeError::NoCheck);
        }
        let (least, most) = limits::ROTATION_DAYS;
        if !(least..=most).contains(&self.every_days) {
            return Err(ShapeError::Rotation("the days between two replacements must be 1 to 366"));
        }
        let path = below(&self.path).map_err(|_| ShapeError::Rotation("its path must begin with / and name one request"))?;
        if self.method == Verb::Get {
            return Err(ShapeError::Rotation("GET changes nothing: name POST, PUT, PATCH or DELETE"));
        }
        if terms.rule(self.method, &path).is_some() {
            return Err(ShapeError::Rotation(
                "the request that replaces the credential must not be allowed to callers: they would see its answer",
            ));
        }
        let body = self.body_with("NEW", "OLD").ok_or(ShapeError::Rotation("its body must be JSON of at most 4096 bytes"))?;
        match &self.new {
            NewSecret::Made if !body.contains("NEW") || !self.body.contains("{new}") => {
                Err(ShapeError::Rotation("its body must have {new} in a text"))
            }
            NewSecret::Answer { .. } if self.body.contains("{new}") => {
                Err(ShapeError::Rotation("the vendor makes the new one: there is no {new} yet"))
            }
            NewSecret::Answer { pointer } if !pointer.starts_with('/') || pointer.len() > limits::CONNECTION_PATH_BYTES => {
                Err(ShapeError::Rotation("the place in the answer must be a JSON pointer like /data/token"))
            }
            _ => Ok(()),
        }
    }

    /// The body with both credentials in its texts; `None` where it is no JSON, or too long.
    pub fn body_with(&self, new: &str, old: &str) -> Option<String> {
        if self.body.is_empty() {
            return Some(String::new());
        }
        if self.body.len() > limits::ROTATION_BODY_BYTES {
            return None;
        }
        let mut body: Value = serde_json::from_str(&self.body).ok()?;
        fill(&mut body, new, old);
        Some(body.to_string())
    }
}

/// One pass over each text: what a credential itself looks like changes nothing.
fn fill(value: &mut Value, new: &str, old: &str) {
    match value {
        Value::String(text) => {
            let parts: Vec<String> = text.split("{new}").map(|part| part.replace("{old}", old)).collect();
            *text = parts.join(new);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, new, old)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, new, old)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
