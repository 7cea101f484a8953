//! `sallyport login` with a browser, as a program: the page is answered as the console answers it, and the answer comes over the loopback.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use sallyport_testkit::agent::program;
use sallyport_testkit::client::{Call, Reply, exchange};
use sallyport_testkit::desktop::DesktopSession;
use sallyport_testkit::owner::{EMAIL, Owner};
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::{Map, Value, json};

/// Codes of some steps fit within the time that a proof may be off.
const BEHIND_SECS: i64 = -60;

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
        Self::at(TestServer::live_on(Engine::Sqlite, clock).await).await
    }

    /// At an origin that passkeys can be for: they are for names, and never for addresses.
    async fn with_a_name() -> Self {
        let clock = TestClock::system();
        clock.advance(BEHIND_SECS);
        let named = TestServer::live_configured(clock, |raw| {
            raw.public_url = raw.public_url.take().map(|url| url.replace("127.0.0.1", "localhost"));
        });
        Self::at(named.await).await
    }

    async fn at(server: TestServer) -> Self {
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

    /// In the session of a desktop that has a key store.
    fn within(&self, session: &DesktopSession, line: &[&str]) -> Command {
        let mut command = self.command(line);
        session.enter(&mut command);
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

    /// What lies under the name that the session's file has.
    fn kept_by(&self, session: &DesktopSession) -> String {
        let name = self.kept()["key_name"].as_str().expect("a name").to_owned();
        session.secret_tool(&["lookup", "application", "sallyport", "session", &name])
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
    let session = DesktopSession::unlocked(desktop.folder.path());
    let login = desktop.login();
    let done = desktop.signs_in(desktop.within(&session, &words(&login))).await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let kept = desktop.kept();
    assert!(kept["key"].is_null() && kept["key_name"].is_string(), "{kept}");
    let key = desktop.kept_by(&session);
    assert_eq!(key.len(), 43, "a scalar of P-256 in base64url");
    assert!(!kept.to_string().contains(&key));
    let who = desktop.within(&session, &["whoami"]).output().expect("it runs");
    assert!(text(&who.stdout).contains("in this computer's key store"), "{}", text(&who.stdout));
    let copied = desktop.command(&["whoami"]).output().expect("it runs");
    assert!(!copied.status.success() && text(&copied.stderr).contains("key cannot be read"), "{}", text(&copied.stderr));

    // Whoever signs in again has a new key, and the store forgets the old one.
    let done = desktop.signs_in(desktop.within(&session, &words(&login))).await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_ne!(desktop.kept_by(&session), key);
    assert_eq!(session.entries(), 1);
    let out = desktop.within(&session, &["logout"]).output().expect("it runs");
    assert!(out.status.success() && !desktop.file().exists(), "{}", text(&out.stderr));
    assert_eq!(session.entries(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_store_outlives_the_desktops_session_and_stays_locked_without_its_person() {
    let mut desktop = Desktop::new().await;
    let session = DesktopSession::unlocked(desktop.folder.path());
    let login = desktop.login();
    assert!(desktop.signs_in(desktop.within(&session, &words(&login))).await.status.success());
    drop(session);
    let locked = DesktopSession::locked(desktop.folder.path());
    let who = desktop.within(&locked, &["whoami"]).output().expect("it runs");
    assert!(!who.status.success() && text(&who.stderr).contains("key cannot be read"), "{}{}", text(&who.stdout), text(&who.stderr));
    drop(locked);
    let unlocked = DesktopSession::unlocked(desktop.folder.path());
    let who = desktop.within(&unlocked, &["whoami"]).output().expect("it runs");
    assert!(text(&who.stdout).contains("in this computer's key store"), "{}{}", text(&who.stdout), text(&who.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_key_store_stays_locked_a_file_keeps_the_key() {
    let mut desktop = Desktop::new().await;
    // It was used once, so that there is something to unlock, and nobody is there who could.
    drop(DesktopSession::unlocked(desktop.folder.path()));
    let session = DesktopSession::locked(desktop.folder.path());
    let login = desktop.login();
    let done = desktop.signs_in(desktop.within(&session, &words(&login))).await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(desktop.kept()["key"].is_string() && desktop.kept()["key_name"].is_null(), "{}", desktop.kept());
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

/// What its person does in the browser: looks, and answers.
async fn types(desktop: &mut Desktop, key: &mut SoftPasskey, code: &str, answer: &str) {
    let shown = desktop.owner.client.post("/v1/me/device-codes/look", json!({ "user_code": code })).await;
    assert_eq!(shown.status, 200, "{}", shown.json());
    let mut body = json!({ "user_code": code, "answer": answer });
    if answer == "yes" {
        body["credential"] = key.get(&shown.json()["proof"]["options"]).await;
    }
    assert_eq!(desktop.owner.client.post("/v1/me/device-codes/answer", body).await.status, 204);
}

impl Desktop {
    /// Begins a sign-in without a browser, up to the code.
    fn begins_by_code(&self) -> (Child, String) {
        let mut command = self.command(&["login", self.server.app.config.origin(), "--device", "--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut said = BufReader::new(child.stderr.as_mut().expect("a pipe"));
        let (mut line, mut shown) = (String::new(), Vec::new());
        while shown.len() < 2 {
            line.clear();
            assert!(said.read_line(&mut line).expect("it speaks") > 0, "it ended");
            shown.extend(line.strip_prefix("  ").map(|text| text.trim().to_owned()));
        }
        assert_eq!(shown[0], format!("{}/device", self.server.app.config.origin()));
        (child, shown.remove(1))
    }
}

impl Desktop {
    /// Asks for something guarded: it says where to go, and waits until its person has been there.
    async fn asks_and_the_browser_proves(&mut self, key: &mut SoftPasskey) -> String {
        let mut asking = self.command(&["policy", "sessions", "--idle", "30m", "--json"]);
        let mut child = asking.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let waits = loop {
            let open = self.owner.client.get("/v1/authorization-requests").await.json();
            if let Some(id) = open["items"][0]["id"].as_str() {
                break format!("/v1/authorization-requests/{id}");
            }
            assert!(child.try_wait().expect("it runs").is_none(), "it ended before it asked");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        let started = self.owner.client.post(&format!("{waits}/passkey"), json!({})).await.json();
        let proof = json!({ "passkey": { "credential": key.get(&started["options"]).await } });
        let proved = self.owner.client.post(&format!("{waits}/proofs"), proof).await;
        assert_eq!((proved.status, &proved.json()["state"]), (200, &json!("executed")), "{}", proved.json());
        let ended = child.wait_with_output().expect("it ends");
        let said = text(&ended.stderr);
        assert!(ended.status.success() && said.contains(&format!("{}/approvals", self.server.app.config.origin())), "{said}");
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_passkeys_alone_proves_in_the_browser_what_the_command_line_asks_for() {
    let mut desktop = Desktop::with_a_name().await;
    let code = desktop.owner.code(&desktop.server);
    let mut key = SoftPasskey::added(&desktop.server, &mut desktop.owner.client, &code).await;
    let factors = desktop.owner.client.get("/v1/me/factors").await.json();
    let app = factors["items"].as_array().expect("factors").iter().find(|one| one["kind"] == "totp").expect("an app").clone();
    let remove = Call::new("DELETE", &format!("/v1/me/factors/{}", app["id"].as_str().expect("an id")));
    let removed = desktop.owner.does(&desktop.server, remove).await;
    assert_eq!(removed.status, 200, "{}", removed.json());
    let login = desktop.login();
    let done = desktop.signs_in(desktop.command(&words(&login))).await;
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = desktop.asks_and_the_browser_proves(&mut key).await;
    assert!(said.contains("you have passkeys and no authenticator app"), "{said}");
    let step_up = desktop.command(&["step-up"]).output().expect("it runs");
    assert!(text(&step_up.stderr).contains("sallyport login"), "{}", text(&step_up.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_21_oa_22_the_command_line_comes_in_by_a_code_and_its_requests_wait_for_the_browser() {
    let mut desktop = Desktop::with_a_name().await;
    let code = desktop.owner.code(&desktop.server);
    let mut key = SoftPasskey::added(&desktop.server, &mut desktop.owner.client, &code).await;
    let off = desktop.command(&["login", desktop.server.app.config.origin(), "--device"]).output().expect("it runs");
    assert_eq!(off.status.code(), Some(2));
    assert!(text(&off.stderr).contains("lets no program in by a device code") && !desktop.file().exists(), "{}", text(&off.stderr));
    let policy = json!({ "who": "all", "roles": [], "deadline": null, "factorless": "no", "device_codes": "yes" });
    let done = desktop.owner.does(&desktop.server, Call::new("PUT", "/v1/policy/mfa").body(policy)).await;
    assert_eq!(done.status, 200, "{}", done.json());
    // No.
    let (child, typed) = desktop.begins_by_code();
    types(&mut desktop, &mut key, &typed, "no").await;
    let ended = child.wait_with_output().expect("it ends");
    let said: Value = serde_json::from_slice(&ended.stdout).expect("one document");
    assert_eq!((ended.status.code(), &said["error"]["code"]), (Some(2), &json!("access_denied")), "{said}");
    assert!(!desktop.file().exists());
    // Yes.
    let (child, typed) = desktop.begins_by_code();
    types(&mut desktop, &mut key, &typed, "yes").await;
    let done = child.wait_with_output().expect("it ends");
    let me: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", text(&done.stderr)));
    assert_eq!((&me["email"], &me["session"]["stage"]), (&json!(EMAIL), &json!("device_code")), "{me}");
    assert!(desktop.kept()["token"].is_string() && desktop.kept()["cookie"].is_null());
    let who = desktop.command(&["whoami"]).output().expect("it runs");
    assert!(text(&who.stdout).contains("let in by a device code"), "{}", text(&who.stdout));
    let said = desktop.asks_and_the_browser_proves(&mut key).await;
    assert!(said.contains("let in by a device code and proves nothing"), "{said}");
    let mut step_up = desktop.command(&["step-up", "--code-stdin"]);
    let mut child = step_up.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"123456\n").expect("it listens");
    let refused = child.wait_with_output().expect("it ends");
    assert!(text(&refused.stderr).contains("Prove it in a browser"), "{}", text(&refused.stderr));
    let out = desktop.command(&["logout"]).output().expect("it runs");
    assert!(out.status.success() && !desktop.file().exists(), "{}", text(&out.stderr));
}
