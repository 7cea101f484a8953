//! Automation: API clients, their tokens and proofs, what they can and cannot do in their owner's name.

mod asking;
mod changing;
mod consumers;
mod contract;
mod device_codes;
mod device_guards;
pub(crate) mod door;
pub(crate) mod foreign;
mod foreign_client;
mod guide;
mod licence_files;
mod licences;
mod people;
pub(crate) mod programs;
mod proofs;
mod rotation;
mod tokens;

use sallyport_testkit::client::{Call, Reply};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;

/// What most tools here may do.
const SCOPES: &[&str] = &["devices.read", "jobs.read", "jobs.run", "requests.read", "scripts.read"];

async fn begin(engine: Engine) -> (TestServer, Owner, Tool) {
    let server = TestServer::start_on(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let tool = Tool::made(&server, &mut owner, 21, SCOPES).await;
    (server, owner, tool)
}

/// With a token that was just issued.
async fn at_work(engine: Engine) -> (TestServer, Owner, Tool) {
    let (server, owner, mut tool) = begin(engine).await;
    let reply = tool.gets_token().await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    (server, owner, tool)
}

#[track_caller]
fn assert_oauth(reply: &Reply, status: u16, error: &str) {
    assert_eq!((reply.status, reply.json()["error"].as_str()), (status, Some(error)), "{}", String::from_utf8_lossy(&reply.body));
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", String::from_utf8_lossy(&reply.body));
}

fn devices() -> Call {
    Call::new("GET", "/v1/devices")
}
