//! What the server writes down: the audit log, and its log of the process.

mod closed;
mod entries;
mod process;

use sallyport_testkit::client::Client;
use serde_json::Value;

/// The details of all entries of a kind, the newest first.
async fn details(client: &mut Client, kind: &str) -> Vec<Value> {
    let page = client.get(&format!("/v1/audit?limit=1000&kind={kind}")).await;
    assert_eq!(page.status, 200, "{}", page.json());
    page.json()["items"].as_array().into_iter().flatten().map(|entry| entry["details"].clone()).collect()
}
