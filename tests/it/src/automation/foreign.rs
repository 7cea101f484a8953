//! Tools that were not written for us, and our own as a program.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sallyport_testkit::agent::program;
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::SCOPES;

/// The server's clock begins this far behind: each fresh code moves it on, and signed times may be off by a minute.
const BEHIND_SECS: i64 = -60;

async fn live() -> (TestServer, Owner) {
    live_behind(BEHIND_SECS).await
}

/// A server whose clock is off by so many seconds.
pub(super) async fn live_behind(secs: i64) -> (TestServer, Owner) {
    let clock = TestClock::system();
    clock.advance(secs);
    let server = TestServer::live_on(Engine::Sqlite, clock).await;
    let owner = Owner::set_up(&server).await;
    (server, owner)
}

/// A python3 with Authlib, jwcrypto and Schemathesis, beside the build.
pub(super) fn python() -> PathBuf {
    let has_them = |python: &Path| {
        let status = Command::new(python).args(["-c", "import authlib, jwcrypto, requests, schemathesis"]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/oauth-python");
    let own = folder.join("bin/python");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lock = std::fs::File::create(folder.join("lock")).expect("a file");
    lock.lock().expect("the lock");
    if !has_them(&own) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&own).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "authlib==1.9.9",
            "jwcrypto==1.6.1",
            "requests==2.34.2",
            "schemathesis==4.32.5",
        ]));
    }
    own
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command starts");
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_01_to_oa_19_a_foreign_tool_works_and_its_mistakes_are_refused() {
    let (server, mut owner) = live().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/automation/foreign.py");
    let mut command = Command::new(python());
    command.arg(script).arg(server.app.config.origin()).stdin(Stdio::piped()).stdout(Stdio::piped()).env("AUTHLIB_INSECURE_TRANSPORT", "1");
    let mut child = command.spawn().expect("python starts");
    let mut said = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("its public key");
    let mut wanted = Tool::new(&server, 21).wanted(SCOPES);
    let jwk: Value = serde_json::from_str(&line).expect("a key");
    wanted["key"] = json!({ "kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"] });
    let made = owner.does(&server, Call::new("POST", "/v1/clients").body(wanted)).await;
    assert_eq!(made.status, 200, "{}", made.json());
    let id = made.json()["action"]["client"].as_str().expect("an id").to_owned();
    writeln!(child.stdin.take().expect("a pipe"), "{id}").expect("it listens");
    line.clear();
    said.read_line(&mut line).expect("its results");
    assert!(child.wait().expect("it ends").success());
    let result: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
    let expected = json!({
        "good": ["DPoP", SCOPES.join(" ")],
        "read": [200, ""],
        "as_bearer": [401, "token_refused"],
        "another_key": [401, "token_refused"],
        "another_method": [401, "proof_refused"],
        "old_proof": [401, "proof_refused"],
        "made_up_nonce": [401, "use_dpop_nonce"],
        "token_url_as_audience": "invalid_client",
        "audiences": "invalid_client",
        "plain_type": "invalid_client",
        "wrong_key": "invalid_client",
        "no_proof": "invalid_dpop_proof",
    });
    assert_eq!(result, expected);
}

/// Our own program where the tool runs, and its key file.
struct Bench {
    server: TestServer,
    owner: Owner,
    folder: tempfile::TempDir,
    id: String,
}

impl Bench {
    async fn new() -> Self {
        let (server, mut owner) = live().await;
        let folder = tempfile::tempdir().expect("a folder");
        let bench = |line: &[&str]| sallyport(folder.path(), line);
        let made = bench(&["clients", "keygen", "nightly", "--json"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let key: Value = serde_json::from_slice(&made.stdout).expect("a public key");
        assert_eq!(key["d"], Value::Null);
        let mut wanted = Tool::new(&server, 21).wanted(SCOPES);
        wanted["key"] = key;
        let made = owner.does(&server, Call::new("POST", "/v1/clients").body(wanted)).await;
        assert_eq!(made.status, 200, "{}", made.json());
        let id = made.json()["action"]["client"].as_str().expect("an id").to_owned();
        let bound = bench(&["clients", "bind", "nightly", "--server", server.app.config.origin(), "--client", &id]);
        assert!(bound.status.success(), "{}", text(&bound.stderr));
        Self { server, owner, folder, id }
    }

    fn exec(&self, script: &str) -> Output {
        sallyport(self.folder.path(), &["tool", "exec", "--client", "nightly", "--", "sh", "-c", script])
    }

    async fn client(&mut self) -> Value {
        self.owner.client.get(&format!("/v1/clients/{}", self.id)).await.json()
    }
}

fn sallyport(home: &Path, line: &[&str]) -> Output {
    let mut command = Command::new(program("sallyport"));
    command.args(line).env("XDG_STATE_HOME", home).env_remove("SALLYPORT_SESSION").stdin(Stdio::null());
    command.output().expect("it runs")
}

/// What commands do with what they are handed: plain curl.
const READ: &str = "curl -sS -o out -w '%{http_code}' -H \"Authorization: Bearer $SALLYPORT_TOKEN\" \"$SALLYPORT_URL/v1/devices?limit=5\"";

#[tokio::test(flavor = "multi_thread")]
async fn oa_20_a_command_has_the_api_while_it_runs_and_nothing_stays() {
    let mut bench = Bench::new().await;
    let done = bench.exec(&format!("cd {}; {READ}; echo; echo $SALLYPORT_TOKEN; exit 7", bench.folder.path().display()));
    let said = text(&done.stdout);
    assert_eq!((said.lines().next(), done.status.code()), (Some("200"), Some(7)), "{said} {}", text(&done.stderr));
    assert!(bench.client().await["last_used"].is_string());
    let word = said.lines().nth(1).expect("the word").to_owned();
    // What the command held is nothing to the server.
    let direct = Call::new("GET", "/v1/devices").header("authorization", &format!("DPoP {word}"));
    assert_eq!(bench.owner.client.send(direct).await.code(), "token_refused");
    // The token of the run was revoked when it ended: none lives.
    let live = live_tokens(&bench.server).await;
    assert_eq!(live, 0, "the run's token was revoked");
    // One that crashes, and one that is killed.
    for script in ["kill -SEGV $$", "kill -KILL $$"] {
        assert_eq!(bench.exec(script).status.code(), Some(if script.contains("SEGV") { 139 } else { 137 }), "{script}");
        assert_eq!(live_tokens(&bench.server).await, 0, "{script}");
    }
    // Without the word there is nothing behind the door.
    let stranger = bench.exec(&READ.replace("$SALLYPORT_TOKEN", "guess").replace("-o out", "-o /dev/null"));
    assert_eq!(text(&stranger.stdout), "401");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_due_is_replaced_before_the_command_runs() {
    let mut bench = Bench::new().await;
    let before = bench.client().await["key"].clone();
    assert!(bench.exec("true").status.success());
    assert_eq!(bench.client().await["key"], before, "it is young");
    age_key(&bench.server).await;
    assert!(bench.exec("true").status.success());
    let after = bench.client().await["key"].clone();
    assert!(after != before, "it was replaced");
    assert!(bench.exec("true").status.success(), "with the new key");
    assert_eq!(bench.client().await["key"], after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_outlives_the_key_that_it_began_with() {
    let mut bench = Bench::new().await;
    let (begun, go) = (bench.folder.path().join("begun"), bench.folder.path().join("go"));
    let wait = format!("touch {}; while [ ! -e {} ]; do sleep 0.05; done", begun.display(), go.display());
    let mut long = Command::new(program("sallyport"));
    long.args(["tool", "exec", "--client", "nightly", "--", "sh", "-c", &wait]).env("XDG_STATE_HOME", bench.folder.path());
    let long = long.env_remove("SALLYPORT_SESSION").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs");
    while !begun.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // Meanwhile another run replaces the key, and the overlap goes by.
    age_key(&bench.server).await;
    assert!(bench.exec("true").status.success());
    bench.server.app.store.commit(EndOverlap).await.expect("the store takes it");
    std::fs::write(&go, "").expect("a file");
    let ended = long.wait_with_output().expect("it ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", text(&ended.stderr));
    assert_eq!(bench.client().await["state"], "active", "the key that was replaced was not used again");
    assert_eq!(live_tokens(&bench.server).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_client_runs_nothing() {
    let mut bench = Bench::new().await;
    let path = format!("/v1/clients/{}/stop", bench.id);
    assert_eq!(bench.owner.client.post(&path, json!({})).await.status, 204);
    let refused = bench.exec("echo ran");
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{}", text(&refused.stdout));
    assert!(text(&refused.stderr).contains("invalid_client"), "{}", text(&refused.stderr));
}

async fn live_tokens(server: &TestServer) -> i64 {
    let mut reader = server.app.store.read().await.expect("the store answers");
    reader.fetch_one("SELECT COUNT(*) AS n FROM access_tokens WHERE revoked IS NULL", &[]).await.expect("a row").int("n").expect("a number")
}

struct AgeKey;

impl sallyport_store::Change for AgeKey {
    type Out = u64;
    const AUDIT: sallyport_store::Audit = sallyport_store::Audit::Exempt("tests");
    async fn apply(&self, tx: &mut sallyport_store::Tx) -> Result<u64, sallyport_store::StoreError> {
        tx.execute("UPDATE client_keys SET created = created - 90000000000", &[]).await
    }
}

struct EndOverlap;

impl sallyport_store::Change for EndOverlap {
    type Out = u64;
    const AUDIT: sallyport_store::Audit = sallyport_store::Audit::Exempt("tests");
    async fn apply(&self, tx: &mut sallyport_store::Tx) -> Result<u64, sallyport_store::StoreError> {
        tx.execute("UPDATE client_keys SET until = until - 3600000000 WHERE until IS NOT NULL", &[]).await
    }
}

/// As if the key had been registered 25 hours ago.
async fn age_key(server: &TestServer) {
    assert_eq!(server.app.store.commit(AgeKey).await.expect("the store takes it"), 1);
}
