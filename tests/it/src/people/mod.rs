//! People: roles and scopes, invitations, policy, recovery, mail. Codes come from `oathtool`, mails from a mail server that is not ours.

mod approvals;
mod command_line;
mod guarding;
mod invitations;
pub(crate) mod mails;
mod not_me;
mod notices;
mod policy;
pub(crate) mod resets;
pub(crate) mod scopes;
mod way_in;

use sallyport_testkit::client::{Call, Reply};
use serde_json::{Value, json};

/// `POST` with a body.
fn post(path: &str, body: Value) -> Call {
    Call::new("POST", path).body(body)
}

/// A role of the whole tenant.
fn role(word: &str) -> Value {
    json!([{ "role": word, "scope": "tenant" }])
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.json());
}

/// The kinds of the newest entries of the audit log.
async fn kinds(owner: &mut sallyport_testkit::owner::Owner, count: u32) -> Vec<String> {
    let page = owner.client.get(&format!("/v1/audit?limit={count}")).await.json();
    page["items"].as_array().into_iter().flatten().map(|entry| entry["kind"].as_str().unwrap_or_default().to_owned()).collect()
}
