//! `sallyport login` with a browser, as a program: the page is answered as the console answers it, and the answer comes over the loopback.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sallyport_testkit::agent::program;
use sallyport_testkit::client::{Reply, exchange};
use sallyport_testkit::owner::{EMAIL, Owner};
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::{Map, Value, json};

/// Codes of some steps fit within the time that a proof may be off.
const BEHIND_SECS: i64 = -60;

/// Keeps one secret in a file beside itself, as the desktop's tool keeps it in its store.
const SECRET_TOOL: &str = "#!/bin/sh
place=\"$(dirname \"$0\")/secret\"
case \"$1\" in
store) cat > \"$place\" ;;
lookup) cat \"$place\" ;;
clear) rm -f \"$place\" ;;
esac
";

/// Somebody at a desktop.
struct Desktop {
    server: TestServer,
    owner: Owner,
    folder: tempfile::TempDir,
}

impl Desktop {
    async fn new() -> Self {
        let clock = TestClock::system();
        clock.advance(BEHIND_SECS);
        let server = TestServer::live_on(Engine::Sqlite, clock).await;
        let owner = Owner::set_up(&server).await;
        Self { server, owner, folder: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("session.json")
    }

    fn kept(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.file()).expect("a session")).expect("JSON")
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(program("sallyport"));
        command.args(line).env("SALLYPORT_SESSION", self.file()).env_remove("SALLYPORT_PASSWORD");
        command.env_remove("DBUS_SESSION_BUS_ADDRESS").stdin(Stdio::null());
        command
    }

    /// With a key store that `secret-tool` reaches.
    fn with_key_store(&self, line: &[&str]) -> Command {
        let tools = self.folder.path().join("bin");
        let tool = tools.join("secret-tool");
        if !tool.exists() {
            std::fs::create_dir(&tools).expect("a folder");
            std::fs::write(&tool, SECRET_TOOL).expect("a file");
            std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o700)).expect("it may run");
        }
        let mut command = self.command(line);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", tools.display())).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        command
    }

    /// Begins a sign-in, up to the page.
    fn begins(&self, mut command: Command) -> (Child, Map<String, Value>) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut said = BufReader::new(child.stderr.as_mut().expect("a pipe"));
        let mut line = String::new();
        while !line.trim_start().starts_with("http") {
            line.clear();
            assert!(said.read_line(&mut line).expect("it speaks") > 0, "it ended");
        }
        let (page, query) = line.trim().split_once('?').expect("a query");
        assert_eq!(page, format!("{}/authorize", self.server.app.config.origin()));
        let asked = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), json!(decoded(value))));
        (child, asked.collect())
    }

    /// The page answers, and the browser goes where it is sent.
    async fn answers(&mut self, mut asked: Map<String, Value>, answer: &str) -> Reply {
        asked.insert("answer".to_owned(), json!(answer));
        let said = self.owner.client.post("/v1/me/programs", Value::Object(asked)).await;
        assert_eq!(said.status, 200, "{}", said.json());
        let redirect = said.json()["redirect"].as_str().expect("an address").to_owned();
        let (address, target) = redirect.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
        let request = format!("GET /{target} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        exchange(address.parse().expect("an address"), request.as_bytes()).await
    }

    async fn signs_in(&mut self, command: Command) -> Output {
        let (child, asked) = self.begins(command);
        let page = self.answers(asked, "yes").await;
        assert!(page.status == 200 && String::from_utf8_lossy(&page.body).contains("signed in"), "{page:?}");
        child.wait_with_output().expect("it ends")
    }

    fn login(&self) -> [String; 4] {
        ["login", self.server.app.config.origin(), "--no-open", "--json"].map(str::to_owned)
    }
}

struct AgeProofs;

impl sallyport_store::Change for AgeProofs {
    type Out = u64;
    const AUDIT: sallyport_store::Audit = sallyport_store::Audit::Exempt("tests");
    async fn apply(&self, tx: &mut sallyport_store::Tx) -> Result<u64, sallyport_store::StoreError> {
        tx.execute("UPDATE sessions SET auth_time = auth_time - 18000000000 WHERE program IS NOT NULL", &[]).await
    }
}

fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two digits"));
        bytes.extend(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("text")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn words(line: &[String]) -> Vec<&str> {
    line.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_23_the_browser_lets_the_command_line_in_and_a_file_keeps_its_key() {
    let mut desktop = Desktop::new().await;
    let login = desktop.login();
    let done = desktop.signs_in(desktop.command(&words(&login))).await;
    let me: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", text(&done.stderr)));
    assert_eq!((&me["email"], me["session"]["program"].is_string()), (&json!(EMAIL), true), "{me}");
    let kept = desktop.kept();
    assert!(kept["token"].is_string() && kept["key"].is_string() && kept["cookie"].is_null(), "{kept}");
    assert_eq!(std::fs::metadata(desktop.file()).expect("a file").permissions().mode() & 0o777, 0o600);
    let who = desktop.command(&["whoami"]).output().expect("it runs");
    assert!(text(&who.stdout).contains("in a file that your account alone can read"), "{}", text(&who.stdout));
    // What is guarded wants a proof that is not older than some hours, and the program says how.
    desktop.server.app.store.commit(AgeProofs).await.expect("the store takes it");
    let site = desktop.owner.client.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
    let out = desktop.folder.path().join("enrolment.json");
    let create = ["installers", "create", "--site", site.as_str().expect("an id"), "--code-stdin", "--out", out.to_str().expect("a path")];
    let refused = desktop.command(&create).output().expect("it runs");
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "step_01: {said}");
    assert!(said.contains("insufficient_user_authentication") && said.contains("sallyport step-up"), "{said}");
    // A fresh proof changes the token, and the command line keeps the new one.
    let code = desktop.owner.code(&desktop.server);
    let mut step_up = desktop.command(&["step-up", "--code-stdin"]);
    let mut child = step_up.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), format!("{code}\n").as_bytes()).expect("it listens");
    let proved = child.wait_with_output().expect("it ends");
    assert!(proved.status.success() && text(&proved.stdout).contains("open, closes in"), "{}", text(&proved.stderr));
    assert_ne!(desktop.kept()["token"], kept["token"]);
    let asked = text(&desktop.command(&create).output().expect("it runs").stderr);
    assert!(asked.contains("a code is needed"), "it waits for the proof of the request itself: {asked}");
    let out = desktop.command(&["logout"]).output().expect("it runs");
    assert!(out.status.success() && !desktop.file().exists(), "{}", text(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_a_key_store_the_file_alone_is_worth_nothing() {
    let mut desktop = Desktop::new().await;
    let login = desktop.login();
    let done = desktop.signs_in(desktop.with_key_store(&words(&login))).await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let kept = desktop.kept();
    assert!(kept["key"].is_null() && kept["key_name"].is_string(), "{kept}");
    let secret = desktop.folder.path().join("bin/secret");
    assert!(Path::new(&secret).exists());
    let who = desktop.with_key_store(&["whoami"]).output().expect("it runs");
    assert!(text(&who.stdout).contains("in this computer's key store"), "{}", text(&who.stdout));
    let copied = desktop.command(&["whoami"]).env("PATH", "/nowhere").output().expect("it runs");
    assert!(!copied.status.success() && text(&copied.stderr).contains("key cannot be read"), "{}", text(&copied.stderr));
    let out = desktop.with_key_store(&["logout"]).output().expect("it runs");
    assert!(out.status.success() && !secret.exists() && !desktop.file().exists(), "{}", text(&out.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_no_in_the_browser_signs_nobody_in() {
    let mut desktop = Desktop::new().await;
    let login = desktop.login();
    let (child, asked) = desktop.begins(desktop.command(&words(&login)));
    assert!(text(&desktop.answers(asked, "no").await.body).contains("You said no"));
    let ended = child.wait_with_output().expect("it ends");
    let said: Value = serde_json::from_slice(&ended.stdout).expect("one document");
    assert_eq!((ended.status.code(), &said["error"]["code"]), (Some(2), &json!("declined")), "{said}");
    assert!(!desktop.file().exists());
}
