//! Licences on a tool's own machine, by our own programs: the host's key in a file or in a TPM, the program that is measured and run, and a
//! licence that is checked without a server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sallyport_model::Digest;
use sallyport_testkit::agent::program;
use sallyport_testkit::client::Call;
use sallyport_testkit::licence::issue;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::TestServer;
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::SCOPES;
use super::foreign::{live_behind, text};

/// The server's clock begins this far behind: setting up, making a client and issuing a licence move it on.
const BEHIND_SECS: i64 = -120;

/// What the tool does: asks for devices, and says who it is.
const REPORT: &str = "#!/bin/sh\n\
    curl -sS -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $SALLYPORT_TOKEN\" \"$SALLYPORT_URL/v1/devices\"\necho \" agreed $1\"\n";
const SWAPPED: &str = "#!/bin/sh\necho swapped\n";

/// The machine of a tool whose client needs a licence.
struct Workshop {
    server: TestServer,
    owner: Owner,
    folder: tempfile::TempDir,
    id: String,
    tpm: Option<Tpm>,
}

impl Workshop {
    async fn new(tpm: Option<Tpm>) -> Self {
        let (server, owner) = live_behind(BEHIND_SECS).await;
        let folder = tempfile::tempdir().expect("a folder");
        let mut bench = Self { server, owner, folder, id: String::new(), tpm };
        let key = bench.json(&["clients", "keygen", "nightly"]);
        let mut wanted = Tool::new(&bench.server, 21).wanted(SCOPES);
        wanted["key"] = key;
        wanted["licence"] = json!("needed");
        let made = bench.owner.does(&bench.server, Call::new("POST", "/v1/clients").body(wanted)).await;
        assert_eq!(made.status, 200, "{}", made.json());
        made.json()["action"]["client"].as_str().expect("an id").clone_into(&mut bench.id);
        let origin = bench.server.app.config.origin().to_owned();
        let bound = bench.run(&["clients", "bind", "nightly", "--server", &origin, "--client", &bench.id.clone()]);
        assert!(bound.status.success(), "{}", text(&bound.stderr));
        bench.writes("report", REPORT);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn writes(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(program("sallyport"));
        command.args(line).env("XDG_STATE_HOME", self.folder.path()).env_remove("SALLYPORT_SESSION").stdin(Stdio::null());
        command.current_dir(self.folder.path()).env_remove("TPM2TOOLS_TCTI");
        if let Some(tpm) = &self.tpm {
            command.env("TPM2TOOLS_TCTI", tpm.address());
        }
        command
    }

    fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().expect("it runs")
    }

    fn json(&self, line: &[&str]) -> Value {
        let done = self.run(&[line, &["--json"]].concat());
        assert!(done.status.success(), "{line:?}: {}", text(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("one document")
    }

    /// Has a licence issued for the report on this host, and keeps its file.
    async fn licensed(&mut self, host: &Value, change: impl FnOnce(&mut Value)) {
        let mut tool = Tool::new(&self.server, 21);
        self.id.clone_into(&mut tool.id);
        let mut wanted = json!({
            "tool": "Report", "publisher": "Nordwind", "from": "1", "below": "2", "scopes": ["devices.read"],
            "executables": [sha256(REPORT)], "expires": tool.now().plus_secs(86_400),
            "hosts": [{ "name": "here", "kind": host["kind"], "key": host["key"] }],
        });
        change(&mut wanted);
        let (_, file) = issue(&self.server, &mut self.owner, &tool, wanted).await;
        std::fs::write(self.path("report.licence"), file).expect("a file");
    }

    const EXEC: [&str; 8] = ["tool", "exec", "--client", "nightly", "--licence", "report.licence", "--tool-version", "1.4"];

    fn exec(&self, rest: &[&str]) -> Output {
        self.run(&[&Self::EXEC, rest].concat())
    }

    fn refusal(&self, done: &Output) -> String {
        assert_eq!((done.status.code(), text(&done.stdout).as_str()), (Some(5), ""), "{}", text(&done.stderr));
        text(&done.stderr)
    }
}

fn sha256(content: &str) -> Digest {
    sallyport_grant::sha256(&[content.as_bytes()])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_measured_program_runs_on_its_host_and_no_other_one_does() {
    let mut shop = Workshop::new(None).await;
    let host = shop.json(&["tool", "host-key", "--file"]);
    assert_eq!((host["kind"].as_str(), host["key"].as_str().map(str::len)), (Some("file"), Some(66)));
    assert_eq!(shop.json(&["tool", "host-key"]), host, "it is made once");
    assert_eq!(std::fs::metadata(shop.path("sallyport/host-key.json")).expect("a file").permissions().mode() & 0o777, 0o600);
    shop.licensed(&host, |_| {}).await;
    let done = shop.exec(&["--", "./report", "monday"]);
    assert_eq!(text(&done.stdout), "200 agreed monday\n", "{}", text(&done.stderr));
    let bare = shop.run(&["tool", "exec", "--client", "nightly", "--", "./report"]);
    assert!(!bare.status.success() && bare.stdout.is_empty() && text(&bare.stderr).contains("invalid_client"), "{}", text(&bare.stderr));
    // What this machine sees by itself it says in clear words.
    shop.writes("report", SWAPPED);
    assert!(shop.refusal(&shop.exec(&["--", "./report"])).contains("another executable"));
    shop.writes("report", REPORT);
    let newer =
        shop.run(&["tool", "exec", "--client", "nightly", "--licence", "report.licence", "--tool-version", "2.0", "--", "./report"]);
    assert!(shop.refusal(&newer).contains("other versions"));
    let other = shop.json(&["tool", "host-key", "--file", "--host-key", "other.json"]);
    assert_ne!(other["key"], host["key"]);
    assert!(shop.refusal(&shop.exec(&["--host-key", "other.json", "--", "./report"])).contains("does not name this host"));
    let done = shop.exec(&["--", "./report", "again"]);
    assert_eq!(text(&done.stdout), "200 agreed again\n", "{}", text(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_of_an_interpreter_is_measured_where_the_licence_names_it() {
    let mut shop = Workshop::new(None).await;
    let host = shop.json(&["tool", "host-key", "--file"]);
    let shell = std::fs::read("/bin/sh").expect("a shell");
    let executables = json!([sallyport_grant::sha256(&[&shell])]);
    shop.licensed(&host, |wanted| {
        wanted["executables"] = executables;
        wanted["scripts"] = json!([sha256(REPORT)]);
    })
    .await;
    let done = shop.exec(&["--script", "report", "--", "/bin/sh", "report", "monday"]);
    assert_eq!(text(&done.stdout), "200 agreed monday\n", "{}", text(&done.stderr));
    assert!(shop.refusal(&shop.exec(&["--", "/bin/sh", "report"])).contains("another script"), "unnamed");
    shop.writes("report", SWAPPED);
    assert!(shop.refusal(&shop.exec(&["--script", "report", "--", "/bin/sh", "report"])).contains("another script"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_is_issued_shown_revoked_and_verified_from_a_terminal() {
    let mut shop = Workshop::new(None).await;
    let host = shop.json(&["tool", "host-key", "--file"]);
    let origin = shop.server.app.config.origin().to_owned();
    shop.server.clock.advance(30);
    let code = shop.owner.code(&shop.server);
    let mut login = shop.command(&["login", &origin, "--email", EMAIL, "--code-stdin"]);
    login.env("SALLYPORT_PASSWORD", PASSWORD);
    let signed_in = fed(login, &code);
    assert!(signed_in.status.success(), "{}", text(&signed_in.stderr));
    shop.server.clock.advance(30);
    let host = format!("here=file:{}", host["key"].as_str().expect("a key"));
    let issue = [
        "licence",
        "issue",
        "--client",
        "nightly",
        "--tool",
        "Report",
        "--publisher",
        "Nordwind",
        "--from",
        "1",
        "--below",
        "2",
        "--executable",
        "report",
        "--scope",
        "devices.read",
        "--host",
        &host,
        "--out",
        "report.licence",
        "--code-stdin",
        "--json",
    ];
    let done = fed(shop.command(&issue), &shop.owner.code(&shop.server));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let issued: Value = serde_json::from_slice(&done.stdout).expect("one document");
    let id = issued["id"].as_str().expect("an id").to_owned();
    assert!(text(&shop.run(&["licence", "list", "nightly"]).stdout).contains("valid"));
    let good = shop.run(&["licence", "verify", "report.licence", "--executable", "report"]);
    assert!(good.status.success() && text(&good.stdout).contains("names this program"), "{}", text(&good.stderr));
    let pin = shop.owner.client.get("/v1/trust").await.json()["authority_pin"].as_str().expect("a pin").to_owned();
    assert_eq!(shop.json(&["licence", "verify", "report.licence", "--pin", &pin])["pin_was_given"], true);
    assert!(shop.refusal(&shop.run(&["licence", "verify", "report.licence", "--pin", &"0".repeat(64)])).contains("trust root"));
    shop.writes("other", SWAPPED);
    assert!(shop.refusal(&shop.run(&["licence", "verify", "report.licence", "--executable", "other"])).contains("another executable"));
    let file = std::fs::read_to_string(shop.path("report.licence")).expect("a file");
    shop.writes("bent.licence", &file.replace("licence.v1", "grant.v1"));
    assert!(shop.refusal(&shop.run(&["licence", "verify", "bent.licence"])).contains("not a licence"));
    assert!(shop.exec(&["--", "./report"]).status.success());
    assert!(shop.run(&["licence", "revoke", &id]).status.success());
    assert!(text(&shop.run(&["licence", "show", &id]).stdout).contains("revoked"));
    let over = shop.exec(&["--", "./report"]);
    assert!(!over.status.success() && over.stdout.is_empty(), "{}", text(&over.stdout));
    assert!(text(&shop.run(&["clients", "show", "nightly"]).stdout).contains("the licence was revoked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a28_a_tpm_vouches_for_what_was_measured_whatever_lies_on_the_disk_by_then() {
    let mut shop = Workshop::new(Some(Tpm::start())).await;
    let host = shop.json(&["tool", "host-key"]);
    assert_eq!(host["kind"], "tpm", "where there is one, it is taken");
    shop.licensed(&host, |wanted| wanted["host_keys"] = json!("tpm")).await;
    let done = shop.exec(&["--", "./report", "monday"]);
    assert_eq!(text(&done.stdout), "200 agreed monday\n", "{}", text(&done.stderr));
    // In the moment in which the TPM signs, after the measurement and before the start, the file is exchanged.
    std::fs::create_dir(shop.path("bin")).expect("a folder");
    shop.writes("evil", SWAPPED);
    let report = shop.path("report");
    let swap = format!("#!/bin/sh\nmv {} {}\nexec /usr/bin/tpm2_sign \"$@\"\n", shop.path("evil").display(), report.display());
    shop.writes("bin/tpm2_sign", &swap);
    let mut command = shop.command(&[&Workshop::EXEC[..], &["--", "./report", "tuesday"]].concat());
    let path = std::env::var("PATH").expect("a path");
    let done = command.env("PATH", format!("{}:{path}", shop.path("bin").display())).output().expect("it runs");
    assert_eq!(text(&done.stdout), "200 agreed tuesday\n", "{}", text(&done.stderr));
    assert_eq!(std::fs::read_to_string(&report).expect("a file"), SWAPPED, "it was exchanged");
    shop.writes("report", REPORT);
    // What is kept outside of the TPM is worth nothing with another one.
    let first = shop.tpm.replace(Tpm::start());
    let elsewhere = shop.exec(&["--", "./report", "wednesday"]);
    assert!(!elsewhere.status.success() && elsewhere.stdout.is_empty(), "{}", text(&elsewhere.stdout));
    assert!(text(&elsewhere.stderr).contains("the TPM"), "{}", text(&elsewhere.stderr));
    shop.tpm = first;
    assert!(shop.exec(&["--", "./report", "thursday"]).status.success());
    // A key in a file is not taken where the licence wants a TPM.
    let wanted = shop.json(&["tool", "host-key", "--file", "--host-key", "file.json"]);
    assert_eq!(wanted["kind"], "file");
    assert!(shop.refusal(&shop.exec(&["--host-key", "file.json", "--", "./report"])).contains("does not name this host"));
}

/// A TPM in software, for as long as the value lives: Debian's `swtpm`.
struct Tpm {
    folder: tempfile::TempDir,
    child: Child,
}

impl Tpm {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"]).arg(format!("dir={}", at("")));
        command.arg("--server").arg(format!("type=unixio,path={}", at("tpm")));
        command.arg("--ctrl").arg(format!("type=unixio,path={}", at("tpm.ctrl")));
        let child = command.stdin(Stdio::null()).spawn().expect("swtpm must be installed: apt-get install swtpm tpm2-tools");
        for _ in 0..600 {
            if Path::new(&at("tpm")).exists() && Path::new(&at("tpm.ctrl")).exists() {
                return Self { folder, child };
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("swtpm does not listen");
    }

    fn address(&self) -> String {
        format!("swtpm:path={}", self.folder.path().join("tpm").display())
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fed(mut command: Command, line: &str) -> Output {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    writeln!(child.stdin.take().expect("a pipe"), "{line}").expect("it listens");
    child.wait_with_output().expect("it ends")
}
