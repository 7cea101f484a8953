//! The description of the API, tried by somebody else's reader of it (Schemathesis): as nobody, as a tool, as one with a licence, as an auditor in
//! a browser, as somebody who lost their factor and came in with a recovery code, as an administrator with a program that a device code let in, and as the
//! owner with a program. It finds no status of 500 or more, no answer that is not described, no access, and no right that is refused to its kind.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sallyport_testkit::client::Client;
use sallyport_testkit::licence::LicensedTool;
use sallyport_testkit::owner::{Owner, sign_in};
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::TestServer;
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::foreign::{by_name, live_configured, python};
use super::{SCOPES, device_codes, programs};
use crate::fleet::devices::{device, with_devices};

/// Requests of each caller to each operation; the same ones in each run.
const EXAMPLES: u32 = 5;
/// And so many that the description forbids.
const WRONG: u32 = 2;

/// What is set up moves the clock on by ten codes; then it is right.
const BEHIND_SECS: i64 = -10 * 30;

/// What a session allows that a recovery code opened.
const RECOVERED: [&str; 5] = ["self.read", "self.sign_out", "self.factors", "self.enrol", "self.not_me"];

/// What the same person's browser may and a session by a device code may not (OA-22): it lets nobody in, proves nothing, changes no factor and no
/// password, and takes nobody's credentials out.
const NOT_BY_CODE: [&str; 14] = [
    "connections.use",
    "requests.prove",
    "requests.second",
    "self.addresses",
    "self.check_up",
    "self.elevate",
    "self.enrol",
    "self.factors",
    "self.password",
    "self.programs",
    "self.recovery_codes",
    "self.remove_factor",
    "self.sessions",
    "self.stop_reset",
];

/// The reader, which makes up what is sent while the installation is set up.
struct Reader {
    child: Child,
    hears: ChildStdin,
    said: BufReader<ChildStdout>,
}

impl Reader {
    fn begin(server: &TestServer) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(python());
        command.arg(folder.join("src/automation/contract.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python starts");
        let (mut hears, said) = (child.stdin.take().expect("a pipe"), BufReader::new(child.stdout.take().expect("a pipe")));
        let document = folder.join("../../openapi.json");
        let words = json!({ "origin": server.app.config.origin(), "document": document, "examples": EXAMPLES, "wrong": WRONG });
        writeln!(hears, "{words}").expect("it listens");
        Self { child, hears, said }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.said.read_line(&mut line)).expect("it says something");
        line
    }

    /// Each of these lists of callers at once: what it says of each caller, in their order.
    fn tries(mut self, callers: &[Vec<Value>]) -> Vec<Value> {
        writeln!(self.hears, "{}", json!(callers)).expect("it listens");
        let count: usize = callers.iter().map(Vec::len).sum();
        let said = (0..count).map(|_| self.line());
        let said: Vec<Value> = said.map(|line| serde_json::from_str(&line).unwrap_or_else(|_| panic!("it said: {line}"))).collect();
        assert!(self.child.wait().expect("it ends").success());
        said
    }
}

/// Where a test fails, nobody is left behind.
impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn capabilities(client: &mut Client) -> Value {
    client.get("/v1/me").await.json()["capabilities"].clone()
}

/// An administrator's program that is let in by the code that they type; what it may is what they may, without what no such session may.
async fn by_code(server: &TestServer, owner: &mut Owner) -> (Tool, Value) {
    let mut dora = owner.colleague(server, 29, "dora@nordwind.example", json!([{ "role": "admin", "scope": "tenant" }])).await;
    assert_eq!(owner.does(server, device_codes::policy("yes")).await.status, 200);
    server.clock.advance(30);
    let code = dora.code(server);
    let mut key = SoftPasskey::added(server, &mut dora.client, &code).await;
    let tool = device_codes::lets_in(server, &mut dora.client, &mut key, 30).await;
    let mut may = capabilities(&mut dora.client).await;
    let all = may.as_array_mut().expect("words");
    let before = all.len();
    all.retain(|word| !NOT_BY_CODE.iter().any(|never| word == never));
    assert_eq!(all.len() + NOT_BY_CODE.len(), before, "a browser may each of them");
    (tool, may)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_as_its_description_says_for_everybody() {
    let (server, mut owner) = live_configured(BEHIND_SECS, by_name).await;
    let mut reader = Reader::begin(&server);
    let mut tool = Tool::made(&server, &mut owner, 21, SCOPES).await;
    let other = Tool::made(&server, &mut owner, 25, SCOPES).await;
    let ids = things(&server, &mut owner, &other).await;
    let everywhere = json!([{ "role": "auditor", "scope": "tenant" }]);
    let mut auditor = owner.colleague(&server, 22, "ada@nordwind.example", everywhere).await;
    let recovered = recovered(&server, &mut owner).await;
    let mut licensed = LicensedTool::made(&server, &mut owner, 28, SCOPES).await;
    let mut program = programs::let_in(&server, &mut owner.client, 23).await;
    let (mut coded, by_code) = by_code(&server, &mut owner).await;
    assert_eq!(coded.get("/v1/me").await.json()["capabilities"], by_code, "exactly that");
    assert_eq!(reader.line(), "ready\n");
    assert_eq!((tool.gets_token().await.status, licensed.asks(|_| {}).await.status), (200, 200));
    let (reads, all) = (capabilities(&mut auditor.client).await, program.get("/v1/me").await.json()["capabilities"].clone());
    assert!(!all.as_array().expect("words").contains(&json!("self.programs")), "a program lets nobody in, and says so");
    let caller = |kind: &str, key: u8, may: Value, with: (&str, Option<&String>)| json!({ "kind": kind, "key": key, "may": may, "ids": ids, with.0: with.1 });
    let first = vec![
        json!({ "kind": "nobody", "key": 24, "may": [], "ids": ids }),
        caller("a tool", 21, json!(SCOPES), ("token", Some(&tool.token))),
        caller("a licensed tool", 28, json!(SCOPES), ("token", Some(&licensed.tool.token))),
        caller("an auditor", 22, reads, ("cookie", auditor.client.cookie.as_ref())),
        caller("a program by device code", 30, by_code, ("token", Some(&coded.token))),
        caller("one who recovers", 26, json!(RECOVERED), ("cookie", recovered.cookie.as_ref())),
    ];
    // The owner can end what the others stand on, and tries to.
    let last = vec![caller("the owner", 23, all, ("token", Some(&program.token)))];
    let mut found = Vec::new();
    for said in reader.tries(&[first, last]) {
        let kind = said["kind"].as_str().expect("a kind");
        println!("{kind}: {} operations, {} calls, {} answered", said["operations"], said["calls"], said["answered"]);
        found.extend(said["found"].as_array().expect("a list").iter().map(|one| format!("{kind}: {one}")));
        let number = |name: &str| said[name].as_u64().expect("a number");
        assert!(number("calls") > number("operations") * 2, "{kind}: it tried each of them: {said}");
        let least = if kind == "the owner" { 30 } else { 4 };
        assert!(number("answered") > least, "{kind}: what is allowed is answered: {said}");
    }
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
