//! The guide to the API, run: every example of docs/guide/api.md against a real server with a real device.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use sallyport_decide::webhooks::Secret;
use sallyport_model::Timestamp;
use sallyport_server::clock::Clock as _;
use sallyport_testkit::agent::{Machine, program};
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::TestServer;
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::foreign::{live_behind, python, text};

const GUIDE: &str = include_str!("../../../../docs/guide/api.md");
const SCOPES: &[&str] =
    &["devices.read", "devices.tag", "jobs.read", "jobs.run", "scripts.read", "requests.read", "audit.read", "schedules.stop"];
/// Three codes are shown until tools begin, and up to three more: each moves the clock on, and what tools sign may be a minute off.
const BEHIND_SECS: i64 = -145;
/// The same where only a person works, with three codes in all.
const PERSON_BEHIND_SECS: i64 = -80;

/// The fenced examples of a section, by language.
fn examples(heading: &str) -> BTreeMap<String, String> {
    let section = GUIDE.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_else(|| panic!("no section {heading}"));
    let mut found = BTreeMap::new();
    for fence in section.split("\n```").skip(1).step_by(2) {
        let (language, body) = fence.split_once('\n').expect("a line with the language");
        assert!(found.insert(language.to_owned(), format!("{body}\n")).is_none(), "one example of {language} in {heading}");
    }
    found
}

/// What every example begins with.
fn beginning(language: &str) -> String {
    let opening = GUIDE.split("\n## ").next().expect("an opening");
    let fence = opening.split(&format!("\n```{language}\n")).nth(1).unwrap_or_else(|| panic!("a beginning in {language}"));
    fence.split("\n```").next().expect("its end").to_owned() + "\n"
}

/// What examples run in: PowerShell where there is one.
fn languages() -> Vec<&'static str> {
    let has = Command::new("pwsh").arg("-Version").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    ["bash", "python", "powershell"].into_iter().filter(|language| *language != "powershell" || has).collect()
}

/// How a file with an example is run.
fn interpreter(language: &str) -> Vec<String> {
    match language {
        "python" => vec![python().display().to_string()],
        "powershell" => ["pwsh", "-NoProfile", "-NonInteractive", "-File"].map(str::to_owned).to_vec(),
        shell => vec![shell.to_owned()],
    }
}

/// The tasks that a tool does.
fn tasks() -> Vec<String> {
    let headings = GUIDE.split("\n## ").skip(1).map(|section| section.lines().next().unwrap_or_default().to_owned());
    let tasks: Vec<String> = headings.filter(|heading| heading.starts_with(char::is_numeric)).collect();
    assert_eq!(tasks.len(), 10, "{tasks:?}");
    tasks
}

struct Bench {
    server: TestServer,
    owner: Owner,
    folder: tempfile::TempDir,
    device: String,
    script: String,
    _machines: Vec<Machine>,
}

impl Bench {
    async fn new(behind_secs: i64) -> Self {
        let (server, mut owner) = live_behind(behind_secs).await;
        let folder = tempfile::tempdir().expect("a folder");
        let (machines, devices) = owner.machines(&server, 2).await;
        let script = owner.script("greet", "echo 'Grüße von'; echo here").await;
        // Both have said what they have.
        while owner.client.get("/v1/search?kind=software&name=bash").await.json()["items"].as_array().map(Vec::len) != Some(2) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let bench = Self { server, owner, folder, device: devices[0].clone(), script, _machines: machines };
        bench.with_client().await
    }

    async fn with_client(mut self) -> Self {
        let made = self.sallyport(&["clients", "keygen", "nightly", "--json"]);
        let key: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{}", text(&made.stderr)));
        let mut wanted = Tool::new(&self.server, 21).wanted(SCOPES);
        wanted["key"] = key;
        let made = self.owner.does(&self.server, Call::new("POST", "/v1/clients").body(wanted)).await;
        let id = made.json()["action"]["client"].as_str().unwrap_or_else(|| panic!("{}", made.json())).to_owned();
        let bound = self.sallyport(&["clients", "bind", "nightly", "--server", self.server.app.config.origin(), "--client", &id]);
        assert!(bound.status.success(), "{}", text(&bound.stderr));
        self
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(program("sallyport"));
        command.args(line).env("XDG_STATE_HOME", self.folder.path()).env_remove("SALLYPORT_SESSION").stdin(Stdio::null());
        command.current_dir(self.folder.path());
        command
    }

    fn sallyport(&self, line: &[&str]) -> Output {
        self.command(line).output().expect("it runs")
    }

    /// A file with an example as it stands, but for the length of its pages, so that there are several.
    fn file(&self, language: &str, example: &str) -> PathBuf {
        let ending = if language == "powershell" { "ps1" } else { language };
        let path = self.folder.path().join(format!("example.{ending}"));
        let text = beginning(language) + &example.replace("limit=200", "limit=1");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// Begins an example under `tool exec`.
    fn begin(&self, language: &str, example: &str, environment: &[(&str, String)]) -> std::process::Child {
        let file = self.file(language, example).display().to_string();
        let mut command = self.command(&["tool", "exec", "--client", "nightly", "--"]);
        command.args(interpreter(language)).arg(file);
        command.envs(environment.iter().map(|(key, value)| (*key, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    }

    fn said(child: std::process::Child, of: &str) -> String {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{of}: {} {}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout).replace("\r\n", "\n")
    }

    /// What an example says, the same in every language.
    fn says(&self, heading: &str, environment: &[(&str, String)]) -> String {
        let examples = examples(heading);
        let in_each = languages().into_iter().map(|language| {
            let example = examples.get(language).unwrap_or_else(|| panic!("{language} of {heading}"));
            tokio::task::block_in_place(|| Self::said(self.begin(language, example, environment), &format!("{heading} in {language}")))
        });
        let said: Vec<String> = in_each.collect();
        assert!(said.iter().all(|one| *one == said[0]), "{heading}: {said:?}");
        said[0].clone()
    }

    /// Runs an example whose request a person approves meanwhile.
    async fn approved(&mut self, language: &str) -> String {
        let example = examples("3.")[language].clone();
        let environment = [("SCRIPT", self.script.clone()), ("DEVICE", self.device.clone())];
        let child = self.begin(language, &example, &environment);
        let waiting = loop {
            let waiting = self.owner.client.get("/v1/authorization-requests").await.json()["items"][0].clone();
            if waiting["id"].is_string() {
                break waiting;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        self.owner.prove(&self.server, &waiting).await;
        tokio::task::block_in_place(|| Self::said(child, language))
    }

    async fn schedule(&mut self) -> String {
        let expires = self.server.clock.now().plus_secs(30 * 86_400);
        let timing = json!({ "cron": "0 3 1 * *", "zone": "Europe/Berlin", "expires": expires });
        let body = json!({ "name": "Monthly", "script": self.script, "version": 1, "devices": [self.device], "timing": timing });
        self.owner.ask(&self.server, "/v1/schedules", body).await;
        self.owner.client.get("/v1/schedules?state=active").await.json()["items"][0]["id"].as_str().expect("an id").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_examples_about_devices_and_runs_do_what_they_say() {
    let mut bench = Bench::new(BEHIND_SECS).await;
    let lines = |said: &str| said.lines().count();
    let said = bench.says("1.", &[]);
    assert_eq!(lines(&said), 2, "both devices, though a page has one: {said}");
    let said = bench.says("2.", &[]);
    assert!(said.lines().any(|line| line.contains(" bash ")), "{said}");
    for language in languages() {
        let said = bench.approved(language).await;
        assert!(said.trim_end().ends_with("succeeded 0"), "{language}: {said}");
    }
    let job = bench.owner.client.get("/v1/jobs").await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let run = bench.owner.client.get(&format!("/v1/jobs/{job}/runs")).await.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(bench.says("4.", &[("RUN", run)]), "Grüße von\nhere\n");
    let said = bench.says("5.", &[("DEVICE", bench.device.clone())]);
    assert!(said.trim_end().ends_with("patched,reviewed"), "{said}");
    let before = examples("3.")["bash"].split("while").next().expect("how it asks").to_owned();
    let environment = [("SCRIPT", bench.script.clone()), ("DEVICE", bench.device.clone())];
    tokio::task::block_in_place(|| Bench::said(bench.begin("bash", &before, &environment), "asking"));
    let said = bench.says("6.", &[]);
    assert!(said.contains("greet") && said.contains("/approvals"), "{said}");
    let said = bench.says("7.", &[]);
    assert!(lines(&said) >= 2 && said.contains("greet"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_examples_about_schedules_webhooks_and_other_programs_do_what_they_say() {
    // Each language stops one of its own; their codes are shown before tools begin.
    let mut bench = Bench::new(BEHIND_SECS - 30 * i64::try_from(languages().len()).expect("a few")).await;
    let mut schedules = Vec::new();
    for language in languages() {
        schedules.push((language, bench.schedule().await));
    }
    for (language, schedule) in schedules {
        let environment = [("SCHEDULE", schedule)];
        let child = bench.begin(language, &examples("8.")[language], &environment);
        let said = tokio::task::block_in_place(|| Bench::said(child, language));
        assert!(said.starts_with("Monthly 20") && said.trim_end().ends_with("stopped"), "{language}: {said}");
    }
    verifies_webhooks(&bench);
    works_without_our_program(&mut bench).await;
}

fn verifies_webhooks(bench: &Bench) {
    let (secret, body) = (Secret::from_bytes([7; 32]), "{\"type\":\"job.finished\",\"data\":\"Grüße\"}");
    let file = bench.folder.path().join("body");
    std::fs::write(&file, body).expect("a file");
    let at = Timestamp::from_secs(1_790_000_000);
    let signed = secret.sign("evt_1", at, body.as_bytes());
    let with = |signature: String| {
        [
            ("ID", "evt_1".to_owned()),
            ("TIMESTAMP", at.secs().to_string()),
            ("SIGNATURE", signature),
            ("BODY", file.display().to_string()),
            ("SECRET", secret.to_text().as_str().to_owned()),
        ]
    };
    assert_eq!(bench.says("9.", &with(format!("v1,AAAA {signed}"))), "genuine\n");
    let forged = Secret::from_bytes([8; 32]).sign("evt_1", at, body.as_bytes());
    assert_eq!(bench.says("9.", &with(forged)), "forged\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_line_for_an_installer_makes_one() {
    let (server, mut owner) = live_behind(PERSON_BEHIND_SECS).await;
    let folder = tempfile::tempdir().expect("a folder");
    let customer = owner.client.get("/v1/customers").await.json()["items"][0].clone();
    let site = format!("{}/{}", customer["name"].as_str().expect("a name"), customer["sites"][0]["name"].as_str().expect("a name"));
    let programs = program("sallyport").parent().expect("a folder").display().to_string();
    let shell = |line: &str, before: &str| {
        server.clock.advance(30);
        let input = folder.path().join("input");
        std::fs::write(&input, format!("{before}{}\n", owner.code(&server))).expect("a file");
        let mut shell = Command::new("bash");
        shell.args(["-c", line]).env("SITE", &site).env("XDG_STATE_HOME", folder.path()).env_remove("SALLYPORT_SESSION");
        shell.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap_or_default())).current_dir(folder.path());
        let output = shell.stdin(std::fs::File::open(&input).expect("a file")).output().expect("it runs");
        assert!(output.status.success(), "{} {}", text(&output.stdout), text(&output.stderr));
    };
    let login = format!("sallyport login {} --email {EMAIL} --password-stdin --code-stdin", server.app.config.origin());
    shell(&login, &format!("{PASSWORD}\n"));
    shell(&examples("10.")["bash"], "");
    assert!(folder.path().join("kiel.sallyport-enrolment.json").exists());
}

async fn works_without_our_program(bench: &mut Bench) {
    let key = bench.folder.path().join("own.pem");
    let make = format!(
        "from jwcrypto import jwk; k = jwk.JWK.generate(kty='EC', crv='P-256'); open('{}', 'wb').write(k.export_to_pem(private_key=True, \
         password=None)); print(k.export_public())",
        key.display()
    );
    let made = Command::new(python()).args(["-c", &make]).output().expect("python runs");
    let jwk: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{}", text(&made.stderr)));
    let mut wanted = Tool::new(&bench.server, 22).wanted(&["devices.read"]);
    wanted["key"] = json!({ "kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"] });
    let made = bench.owner.does(&bench.server, Call::new("POST", "/v1/clients").body(wanted)).await;
    let id = made.json()["action"]["client"].as_str().unwrap_or_else(|| panic!("{}", made.json())).to_owned();
    let file = bench.folder.path().join("oauth.py");
    std::fs::write(&file, &examples("Without our program")["python"]).expect("a file");
    let mut command = Command::new(python());
    command.arg(&file).env("SERVER", bench.server.app.config.origin()).env("KEY", &key).env("CLIENT", id);
    command.env("AUTHLIB_INSECURE_TRANSPORT", "1").env("NO_PROXY", "*");
    let done = tokio::task::block_in_place(|| command.output()).expect("python runs");
    assert!(done.status.success(), "{} {}", text(&done.stdout), text(&done.stderr));
    assert_eq!(text(&done.stdout).lines().count(), 2, "both devices");
}

/// A python3 with a grammar of PowerShell, beside the build.
fn grammar() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/powershell-python");
    let own = folder.join("bin/python");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lock = std::fs::File::create(folder.join("lock")).expect("a file");
    lock.lock().expect("the lock");
    let has_it = Command::new(&own).args(["-c", "import tree_sitter_powershell"]).stderr(Stdio::null()).status();
    if !has_it.is_ok_and(|status| status.success()) {
        let run = |command: &mut Command| {
            let output = command.output().expect("the command starts");
            assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
        };
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&own).args(["-m", "pip", "install", "--quiet", "tree-sitter==0.26.1", "tree-sitter-powershell==0.26.4"]));
    }
    own
}

#[test]
fn powershell_is_powershell_and_asks_for_what_bash_asks_for() {
    let opening = json!({ "bash": "", "powershell": beginning("powershell") });
    let mut asked = vec![opening, json!({ "bash": "", "powershell": "foreach ($x in $y { \"broken\" }" })];
    for heading in tasks().iter().filter(|heading| !heading.starts_with("10.")) {
        let mut examples = examples(heading);
        asked.push(json!({ "bash": examples.remove("bash"), "powershell": examples.remove("powershell") }));
    }
    let input = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(input.path(), json!(asked).to_string()).expect("a file");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/automation/guide.py");
    let output = Command::new(grammar()).arg(script).stdin(input.reopen().expect("a file")).output().expect("python runs");
    let said: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_ne!(said[1]["wrong"], json!([]), "the grammar finds what is wrong");
    let mut requests = 0;
    for (one, examples) in
        said.iter().zip(&asked).filter(|(_, examples)| !examples["powershell"].as_str().unwrap_or_default().contains("broken"))
    {
        assert_eq!(one["wrong"], json!([]), "{}", examples["powershell"]);
        assert_eq!(one["powershell"], one["bash"], "{}", examples["powershell"]);
        requests += one["bash"].as_array().map_or(0, Vec::len);
    }
    assert!(requests >= 14, "{requests} requests were compared");
}
