//! The description of the API, tried by somebody else's reader of it (Schemathesis): as nobody, as a tool, as one with a licence, as an auditor in
//! a browser, as somebody who lost their factor and came in with a recovery code, and as the owner with a program. It finds no status of 500 or more, no answer that is not described, and no access.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sallyport_testkit::client::Client;
use sallyport_testkit::licence::LicensedTool;
use sallyport_testkit::owner::{Owner, sign_in};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::TestServer;
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::foreign::{live_behind, python, text};
use super::{SCOPES, programs};
use crate::fleet::devices::{device, with_devices};

/// Requests of each caller to each operation; the same ones in each run.
const EXAMPLES: u32 = 5;
/// And so many that the description forbids, of those who may send anything.
const WRONG: u32 = 2;

/// What is set up moves the clock on by seven codes; then it is right.
const BEHIND_SECS: i64 = -7 * 30;

/// What a session allows that a recovery code opened.
const RECOVERED: [&str; 5] = ["self.read", "self.sign_out", "self.factors", "self.enrol", "self.not_me"];

struct Caller {
    kind: &'static str,
    child: Child,
}

impl Caller {
    fn begin(server: &TestServer, ids: &Value, kind: &'static str, is: Value) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut who = json!({
            "origin": server.app.config.origin(), "document": folder.join("../../openapi.json"), "examples": EXAMPLES, "wrong": 0, "ids": ids,
        });
        who.as_object_mut().expect("an object").extend(is.as_object().expect("an object").clone());
        let mut command = Command::new(python());
        command.arg(folder.join("src/automation/contract.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("python starts");
        child.stdin.take().expect("a pipe").write_all(who.to_string().as_bytes()).expect("it listens");
        Self { kind, child }
    }

    /// How many of its requests were answered with what was asked for; what it found is added to the list.
    fn end(self, found: &mut Vec<String>) -> u64 {
        let output = self.child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}: {}", self.kind, text(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}: {}", self.kind, text(&output.stdout)));
        println!("{}: {} operations, {} calls, {} answered", self.kind, said["operations"], said["calls"], said["answered"]);
        found.extend(said["found"].as_array().expect("a list").iter().map(|one| format!("{}: {one}", self.kind)));
        assert!(
            said["calls"].as_u64() > said["operations"].as_u64().map(|count| count * 2),
            "{}: it tried each of them: {said}",
            self.kind
        );
        said["answered"].as_u64().expect("a number")
    }
}

async fn capabilities(client: &mut Client) -> Value {
    client.get("/v1/me").await.json()["capabilities"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_as_its_description_says_for_everybody() {
    let (server, mut owner) = live_behind(BEHIND_SECS).await;
    let mut tool = Tool::made(&server, &mut owner, 21, SCOPES).await;
    let other = Tool::made(&server, &mut owner, 25, SCOPES).await;
    let ids = things(&server, &mut owner, &other).await;
    let everywhere = json!([{ "role": "auditor", "scope": "tenant" }]);
    let mut auditor = owner.colleague(&server, 22, "ada@nordwind.example", everywhere).await;
    let recovered = recovered(&server, &mut owner).await;
    let mut licensed = LicensedTool::made(&server, &mut owner, 28, SCOPES).await;
    let program = programs::let_in(&server, &mut owner.client, 23).await;
    assert_eq!((tool.gets_token().await.status, licensed.asks(|_| {}).await.status), (200, 200));
    let (reads, all) = (capabilities(&mut auditor.client).await, capabilities(&mut owner.client).await);
    let first = [
        Caller::begin(&server, &ids, "nobody", json!({ "key": 24, "may": [], "wrong": WRONG })),
        Caller::begin(&server, &ids, "a tool", json!({ "key": 21, "may": SCOPES, "token": tool.token, "wrong": WRONG })),
        Caller::begin(&server, &ids, "a licensed tool", json!({ "key": 28, "may": SCOPES, "token": licensed.tool.token, "wrong": WRONG })),
        Caller::begin(&server, &ids, "an auditor", json!({ "key": 22, "may": reads, "cookie": auditor.client.cookie })),
        Caller::begin(&server, &ids, "one who recovers", json!({ "key": 26, "may": RECOVERED, "cookie": recovered.cookie })),
    ];
    let mut found = Vec::new();
    let answered = first.map(|caller| tokio::task::block_in_place(|| caller.end(&mut found)));
    assert!(answered.iter().all(|count| *count > 4), "what is allowed is answered: {answered:?}");
    // The owner can end what the others stand on, and tries to.
    let owner = Caller::begin(&server, &ids, "the owner", json!({ "key": 23, "may": all, "token": program.token }));
    assert!(tokio::task::block_in_place(|| owner.end(&mut found)) > 30);
    assert!(found.is_empty(), "{found:#?}");
}

/// An administrator's browser whose session a recovery code opened.
async fn recovered(server: &TestServer, owner: &mut Owner) -> Client {
    let rita = owner.colleague(server, 27, "rita@nordwind.example", json!([{ "role": "admin", "scope": "tenant" }])).await;
    let mut browser = Client::new(server, 26);
    let reply = sign_in(&mut browser, &rita.email, THEIR_PASSWORD, &rita.recovery_codes[0]).await;
    assert_eq!((reply.status, &reply.json()["session"]["stage"]), (200, &json!("restricted")), "{}", reply.json());
    browser
}

/// Something of each kind: a device that is away, and a job that waits for it.
async fn things(server: &TestServer, owner: &mut Owner, tool: &Tool) -> Value {
    let customer = owner.client.get("/v1/customers").await.json()["items"][0]["id"].clone();
    with_devices(server, owner, 1).await;
    let script = owner.script("uptime", "uptime").await;
    let job = owner.run(server, &script, &[device(0).to_string()], json!({})).await;
    let run = owner.client.get(&format!("/v1/jobs/{job}/runs")).await.json()["items"][0]["id"].clone();
    assert!(run.is_string(), "a run that waits");
    json!({ "clients": tool.id, "customers": customer, "scripts": script, "devices": device(0), "jobs": job, "runs": run })
}
