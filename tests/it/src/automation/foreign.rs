//! Our own program for tools, run as a program; and the Python of those that were not written for us (`foreign_client.rs`).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use sallyport_model::{Digest, limits};
use sallyport_server::clock::Clock as _;
use sallyport_server::config::Raw;
use sallyport_store::ops::automation::live_token;
use sallyport_testkit::agent::program;
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{TestClock, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::SCOPES;

/// The server's clock begins this far behind: each fresh code moves it on, and signed times may be off by a minute.
const BEHIND_SECS: i64 = -60;

pub(super) async fn live() -> (TestServer, Owner) {
    live_behind(BEHIND_SECS).await
}

/// A server whose clock is off by so many seconds.
pub(super) async fn live_behind(secs: i64) -> (TestServer, Owner) {
    live_configured(secs, |_| {}).await
}

/// The same with other settings.
pub(super) async fn live_configured(secs: i64, change: impl FnOnce(&mut Raw)) -> (TestServer, Owner) {
    let clock = TestClock::system();
    clock.advance(secs);
    let server = TestServer::live_configured(clock, change).await;
    let owner = Owner::set_up(&server).await;
    (server, owner)
}

/// Passkeys are of names, and no address is one.
pub(super) fn by_name(raw: &mut Raw) {
    raw.public_url = raw.public_url.take().map(|url| url.replace("127.0.0.1", "localhost"));
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

/// Our own program where the tool runs, and its key file.
pub(crate) struct Bench {
    pub(crate) server: TestServer,
    pub(crate) owner: Owner,
    folder: tempfile::TempDir,
    id: String,
}

impl Bench {
    async fn new() -> Self {
        let (server, owner) = live().await;
        Self::on(server, owner, SCOPES).await
    }

    /// At a server that is real, with a client for these scopes.
    pub(crate) async fn on(server: TestServer, mut owner: Owner, scopes: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let bench = |line: &[&str]| sallyport(folder.path(), line);
        let made = bench(&["clients", "keygen", "nightly", "--json"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let key: Value = serde_json::from_slice(&made.stdout).expect("a public key");
        assert_eq!(key["d"], Value::Null);
        let mut wanted = Tool::new(&server, 21).wanted(scopes);
        wanted["key"] = key;
        let made = owner.does(&server, Call::new("POST", "/v1/clients").body(wanted)).await;
        assert_eq!(made.status, 200, "{}", made.json());
        let id = made.json()["action"]["client"].as_str().expect("an id").to_owned();
        let bound = bench(&["clients", "bind", "nightly", "--server", server.app.config.origin(), "--client", &id]);
        assert!(bound.status.success(), "{}", text(&bound.stderr));
        Self { server, owner, folder, id }
    }

    pub(crate) fn exec(&self, script: &str) -> Output {
        self.runs(&["--", "sh", "-c", script])
    }

    /// Options of `tool exec` and a command.
    pub(super) fn runs(&self, words: &[&str]) -> Output {
        sallyport(self.folder.path(), &[&["tool", "exec", "--client", "nightly"], words].concat())
    }

    /// The same without waiting for its end; it said so where it `touch`ed a file by that name.
    fn begin(&self, words: &[&str]) -> Child {
        let mut command = Command::new(program("sallyport"));
        command.args(["tool", "exec", "--client", "nightly", "--"]).args(words).current_dir(self.folder.path());
        command.env("XDG_STATE_HOME", self.folder.path()).env_remove("SALLYPORT_SESSION").stdin(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("it runs")
    }

    /// What stands in a file of the command, once there is one.
    async fn file(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        for _ in 0..1000 {
            if let Ok(text) = std::fs::read_to_string(&path) {
                return text.trim().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no {name} in {}", self.folder.path().display());
    }

    fn tell(&self, name: &str) {
        std::fs::write(self.folder.path().join(name), "").expect("a file");
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
    let long = bench.begin(&["sh", "-c", "touch begun; while [ ! -e go ]; do sleep 0.05; done"]);
    bench.file("begun").await;
    // Meanwhile another run replaces the key, and the overlap goes by.
    age_key(&bench.server).await;
    assert!(bench.exec("true").status.success());
    age(&bench.server, "UPDATE client_keys SET until = until - 3600000000 WHERE until IS NOT NULL").await;
    bench.tell("go");
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

#[tokio::test(flavor = "multi_thread")]
async fn oa_04_a_command_that_works_longer_than_its_token_goes_on_with_another() {
    let bench = Bench::new().await;
    let read = |name: &str| format!("{} >{name}.part; mv {name}.part {name}", READ.replace("-o out", "-o /dev/null"));
    let script =
        format!("{}; while [ ! -e go ]; do sleep 0.05; done; {}; while [ ! -e end ]; do sleep 0.05; done", read("one"), read("two"));
    let long = bench.begin(&["sh", "-c", &script]);
    assert_eq!(bench.file("one").await, "200");
    let first = tokens(&bench.server).await;
    assert_eq!((first.len(), live_tokens(&bench.server).await), (1, 1));
    age(&bench.server, "UPDATE access_tokens SET issued = issued - 300000000, last_used = last_used - 300000000").await;
    assert_eq!(live_tokens(&bench.server).await, 0, "it has had its five minutes");
    bench.tell("go");
    assert_eq!(bench.file("two").await, "200");
    let second: Vec<_> = tokens(&bench.server).await.into_iter().filter(|token| !first.contains(token)).collect();
    assert_eq!((second.len(), live_tokens(&bench.server).await), (1, 1), "another token");
    bench.tell("end");
    let ended = long.wait_with_output().expect("it ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", text(&ended.stderr));
    assert_eq!(live_tokens(&bench.server).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ended_while_it_replaced_the_key_is_settled_by_the_next() {
    let mut bench = Bench::new().await;
    let path = bench.folder.path().join("sallyport/clients/nightly.json");
    let read = || -> Value { serde_json::from_slice(&std::fs::read(&path).expect("the key file")).expect("JSON") };
    let before = read();
    age_key(&bench.server).await;
    assert!(bench.exec("true").status.success());
    let (after, mut torn) = (read(), before.clone());
    assert!(after["key"] != before["key"]);
    // The next key was registered, and the file did not learn of it.
    torn["next"] = after["key"].clone();
    std::fs::write(&path, torn.to_string()).expect("a file");
    let settled = bench.exec("true");
    assert!(settled.status.success() && settled.stderr.is_empty(), "{}", text(&settled.stderr));
    assert_eq!((read()["key"].clone(), bench.client().await["state"].clone()), (after["key"].clone(), json!("active")));
    assert_eq!(live_tokens(&bench.server).await, 0, "also of the token that showed which key it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_20_whatever_stops_a_run_stops_its_command_and_ends_its_token() {
    let bench = Bench::new().await;
    for signal in ["TERM", "INT", "HUP"] {
        let run = bench.begin(&["sh", "-c", &format!("echo $$ >{signal}.part; mv {signal}.part {signal}; exec sleep 600")]);
        let child = bench.file(signal).await;
        assert!(runs(&child) && live_tokens(&bench.server).await == 1, "{signal}: the control");
        send(signal, &run.id().to_string());
        let ended = run.wait_with_output().expect("it ends");
        assert_eq!((ended.status.code(), text(&ended.stderr).as_str()), (Some(128 + 15), ""), "{signal}");
        assert!(!runs(&child), "{signal}: the command is gone");
        assert_eq!(live_tokens(&bench.server).await, 0, "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_04_oa_20_what_is_left_of_a_killed_run_opens_nothing() {
    let bench = Bench::new().await;
    let tries = "while [ ! -e go ]; do sleep 0.05; done; curl -sS -m 5 -H \"Authorization: Bearer $SALLYPORT_TOKEN\" $SALLYPORT_URL/v1/devices \
                 >/dev/null 2>&1; echo $? >tried.part; mv tried.part tried";
    let mut run = bench.begin(&["sh", "-c", &format!("touch begun; {tries}")]);
    bench.file("begun").await;
    send("KILL", &run.id().to_string());
    run.wait().expect("it ends");
    bench.tell("go");
    assert_eq!(bench.file("tried").await, "7", "curl: nobody stands at the door");
    // Nobody was left to revoke the token; the key that it is bound to is gone, and a minute later the token is too.
    assert_eq!(live_tokens(&bench.server).await, 1);
    bench.server.clock.advance(limits::ACCESS_TOKEN_IDLE_SECS);
    assert_eq!(live_tokens(&bench.server).await, 0);
}

fn send(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([&format!("-{signal}"), pid]).status().expect("kill").success());
}

/// Whether a process is there, and is no remains of one that ended.
fn runs(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|state| !state.rsplit(") ").next().is_some_and(|state| state.starts_with('Z')))
}

/// The hashes of the tokens that are kept.
async fn tokens(server: &TestServer) -> Vec<Digest> {
    let mut reader = server.app.store.read().await.expect("the store answers");
    let rows = reader.fetch_all("SELECT token FROM access_tokens", &[]).await.expect("rows");
    rows.iter().map(|row| row.get("token").expect("a hash")).collect()
}

/// How many tokens the server would take, as it judges them itself.
async fn live_tokens(server: &TestServer) -> usize {
    let tokens = tokens(server).await;
    let (mut reader, now) = (server.app.store.read().await.expect("the store answers"), server.clock.now());
    let mut live = 0;
    for token in tokens {
        let found = live_token(&mut reader, token).await.expect("the store answers");
        live += usize::from(found.is_some_and(|found| found.token.lives(now).is_ok()));
    }
    live
}

/// What time would do, in the database.
struct Age(&'static str);

impl sallyport_store::Change for Age {
    type Out = u64;
    const AUDIT: sallyport_store::Audit = sallyport_store::Audit::Exempt("tests");
    async fn apply(&self, tx: &mut sallyport_store::Tx) -> Result<u64, sallyport_store::StoreError> {
        tx.execute(self.0, &[]).await
    }
}

async fn age(server: &TestServer, sql: &'static str) {
    assert_eq!(server.app.store.commit(Age(sql)).await.expect("the store takes it"), 1);
}

/// As if the key had been registered 25 hours ago.
async fn age_key(server: &TestServer) {
    age(server, "UPDATE client_keys SET created = created - 90000000000").await;
}
