//! The operators' command line as a program: what it prints, asks and answers with, against a real server and real agents.

mod hostile;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use sallyport_server::clock::Clock as _;
use sallyport_server::config::Raw;
use sallyport_testkit::agent::{Machine, program};
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::{TestClock, TestServer};
use serde_json::Value;

use crate::fleet::search::runs_where_software_is_old;

/// The server's clock begins this far behind: codes of four steps fit within the time that a proof may be off.
const BEHIND_SECS: i64 = -80;

#[tokio::test(flavor = "multi_thread")]
async fn from_login_to_logout() {
    let mut desk = Desk::new().await;
    desk.signs_in_without_a_terminal();
    let machines = desk.enrols_two_machines().await;
    desk.finds_devices();
    desk.saves_scripts();
    desk.runs_on_both();
    desk.shows_what_a_hostile_device_says();
    desk.leaves_and_cancels();
    desk.reads_and_checks_the_log();
    desk.judges_the_configuration();
    runs_where_software_is_old(&mut desk).await;
    drop(machines);
    desk.signs_out();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_changed_without_a_terminal_and_without_arguments() {
    let desk = Desk::new().await;
    desk.signs_in_without_a_terminal();
    let refused = desk.run(&["password", "--stdin"], &format!("{PASSWORD}\npasswordpassword\n{}\n", desk.code()));
    assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("password_refused"), "{}", text(&refused.stderr));
    let done = desk.json(&["password", "--stdin"], &format!("{PASSWORD}\nnine herons wade through fog\n{}\n", desk.code()));
    assert_eq!(done["changed"], true);
    assert!(desk.says(0, &["whoami"]).contains(EMAIL), "the session goes on");
}

#[test]
fn completion_knows_the_whole_program() {
    let done = Command::new(program("sallyport")).args(["completion", "bash"]).output().expect("it runs");
    let script = String::from_utf8(done.stdout).expect("text");
    for word in ["complete -F _sallyport", "serve", "--all-pending", "installers"] {
        assert!(script.contains(word), "{word}");
    }
}

#[test]
fn without_a_session_one_is_told_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = folder.path().join("none.json");
    let done = Command::new(program("sallyport")).args(["devices", "--json", "--session"]).arg(&session).output().expect("it runs");
    assert_eq!(done.status.code(), Some(4));
    let document: Value = serde_json::from_slice(&done.stdout).expect("one document");
    assert_eq!(document["error"]["code"], "no_session");
    assert!(text(&done.stderr).contains("sallyport login"), "{}", text(&done.stderr));
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let run = |url: &str| {
        let mut command = Command::new(program("sallyport"));
        command.args(["login", url, "--email", EMAIL, "--password-stdin", "--code-stdin", "--session"]).arg(folder.path().join("s.json"));
        fed(command, "secret\n123456\n")
    };
    let away = run(&format!("http://127.0.0.1:{port}"));
    assert_eq!(away.status.code(), Some(3));
    assert!(text(&away.stderr).contains("does not answer"), "{}", text(&away.stderr));
    let plain = run("http://rmm.example");
    assert_eq!((plain.status.code(), plain.stdout.len()), (Some(2), 0));
    assert!(text(&plain.stderr).contains("plain http"), "{}", text(&plain.stderr));
}

/// An owner in front of a terminal, as far as a program can tell: pipes.
pub(crate) struct Desk {
    pub(crate) server: TestServer,
    pub(crate) owner: Owner,
    folder: tempfile::TempDir,
    devices: Vec<String>,
}

impl Desk {
    async fn new() -> Self {
        Self::begun(0).await
    }

    /// Begun so many seconds before codes of four steps are left.
    pub(crate) async fn begun(before_secs: i64) -> Self {
        Self::configured(before_secs, |_| ()).await
    }

    /// The same with other settings.
    pub(crate) async fn configured(before_secs: i64, change: impl FnOnce(&mut Raw)) -> Self {
        let clock = TestClock::system();
        clock.advance(BEHIND_SECS - before_secs);
        let server = TestServer::live_configured(clock, change).await;
        let owner = Owner::set_up(&server).await;
        Self { server, owner, folder: tempfile::tempdir().expect("a folder"), devices: Vec::new() }
    }

    fn code(&self) -> String {
        self.owner.code(&self.server)
    }

    /// Lets a step go by: the code that was used is followed by a fresh one.
    fn next_step(&self) {
        self.server.clock.advance(30);
    }

    fn session(&self) -> PathBuf {
        self.folder.path().join("state/session.json")
    }

    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(program("sallyport"));
        command.args(line).env("SALLYPORT_SESSION", self.session()).current_dir(self.folder.path());
        command
    }

    pub(crate) fn run(&self, line: &[&str], input: &str) -> Output {
        fed(self.command(line), input)
    }

    /// Runs with `--json` and wants success.
    pub(crate) fn json(&self, line: &[&str], input: &str) -> Value {
        let done = self.run(&[line, &["--json"]].concat(), input);
        assert!(done.status.success(), "{line:?}: {}", text(&done.stderr));
        serde_json::from_slice(&done.stdout).expect("one document and nothing else")
    }

    /// Runs, wants this exit code, and gives both outputs.
    pub(crate) fn says(&self, exit: i32, line: &[&str]) -> String {
        let done = self.run(line, "");
        let said = text(&done.stdout) + &text(&done.stderr);
        assert_eq!(done.status.code(), Some(exit), "{line:?}: {said}");
        said
    }

    fn signs_in_without_a_terminal(&self) {
        let origin = self.server.app.config.origin().to_owned();
        let mut wrong = self.command(&["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin"]);
        wrong.env_remove("SALLYPORT_PASSWORD");
        let refused = fed(wrong, "not the password\n123456\n");
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("sign_in_refused") && said.contains("request ") && !self.session().exists(), "{said}");
        let mut right = self.command(&["login", &origin, "--email", EMAIL, "--code-stdin", "--json"]);
        right.env("SALLYPORT_PASSWORD", PASSWORD);
        let done = fed(right, &format!("{}\n", self.code()));
        self.next_step();
        let me: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", text(&done.stderr)));
        assert_eq!((me["email"].as_str(), me["role"].as_str()), (Some(EMAIL), Some("owner")));
        let mode = std::fs::metadata(self.session()).expect("a session").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let said = self.says(0, &["whoami"]);
        assert!(said.contains(EMAIL) && said.contains("step-up         open, closes in"), "{said}");
    }

    /// A wrong code is asked for again in place; approving both needs none while the window is open.
    async fn enrols_two_machines(&mut self) -> Vec<Machine> {
        let site = self.owner.client.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
        let site = site.as_str().expect("a site");
        let create = ["installers", "create", "--site", site, "--uses", "2", "--out", "enrolment.json", "--code-stdin"];
        let made = self.json(&create, &format!("000000\n{}\n", self.code()));
        self.next_step();
        let file = self.folder.path().join("enrolment.json");
        assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
        assert!(self.says(3, &create).contains("exists"), "before anything is asked for");
        assert!(self.says(0, &["installers"]).contains("0/2"), "listed with its uses");
        let mut machines = vec![Machine::new(), Machine::new()];
        let enrolment = std::fs::read_to_string(&file).expect("text");
        for machine in &mut machines {
            machine.start();
            machine.enrol(&enrolment);
        }
        self.owner.devices("state=pending", 2).await;
        assert!(self.says(0, &["devices", "--state", "pending"]).contains("2 devices"), "listed");
        let approved = self.json(&["devices", "approve", "--all-pending"], "");
        self.devices = approved["devices"].as_array().expect("ids").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        self.owner.devices("state=online", 2).await;
        let installer = made["installer"]["id"].as_str().expect("an id");
        self.json(&["installers", "revoke", &installer[installer.len() - 8..]], "");
        machines
    }

    /// What is to be fixed now ends with 1, so that a monitor sees it; a question changes nothing.
    fn judges_the_configuration(&self) {
        let said = self.says(1, &["posture"]);
        assert!(said.contains("fix now   P-03  One owner") && !said.contains("P-23"), "{said}");
        assert!(self.says(1, &["posture", "--all"]).contains("holds     P-23"), "what holds is told when it is asked for");
        let accept = ["posture", "accept", "P-16", "--because", "everybody travels", "--until"];
        let day: String = self.server.clock.now().plus_secs(30 * 86_400).to_string().chars().take(10).collect();
        assert!(self.says(0, &[&accept[..], &[day.as_str()]].concat()).contains(&format!("P-16 is accepted until {day}")));
        let said = self.says(1, &["posture"]);
        assert!(
            said.contains("accepted  P-16")
                && said.contains(&format!("until {day}"))
                && said.contains("everybody travels")
                && said.contains(", 1 accepted,"),
            "{said}"
        );
        assert!(self.says(2, &[&accept[..], &["soon"]].concat()).contains("no day of the form"), "a day is a day");
        assert!(self.says(2, &["posture", "reopen", "P-99"]).contains("there is no finding P-99"));
        assert!(self.says(0, &["posture", "reopen", "p-16"]).contains("accepted no longer"));
        let before = self.json(&["audit", "--limit", "1"], "")[0]["index"].clone();
        let question = ["posture", "what-if", EMAIL, "run-script", "--from", "203.0.113.40", "--devices", "2"];
        let said = self.says(0, &question);
        assert!(said.contains("wants    A-05") && said.contains("<- decides"), "{said}");
        let refused = self.json(&[&question[..], &["--with", "password"]].concat(), "");
        assert_eq!((&refused["outcome"], &refused["code"]), (&"refused".into(), &"sign_in_refused".into()));
        assert_eq!(self.json(&["audit", "--limit", "1"], "")[0]["index"], before);
    }

    /// Both machines have the name of this one.
    fn finds_devices(&self) {
        let all = self.json(&["devices"], "");
        let name = all[0]["name"].as_str().expect("a name");
        let said = self.says(2, &["devices", "show", name]);
        assert!(self.devices.iter().all(|id| said.contains(id)), "both candidates: {said}");
        let shown = self.json(&["devices", "show", &self.devices[0], "--inventory"], "");
        assert_eq!(shown["details"]["device"]["id"].as_str(), Some(self.devices[0].as_str()));
        assert!(self.says(2, &["devices", "show", "no-such-device"]).contains("there is no device no-such-device"));
        self.json(&["devices", "tag", &self.devices[0], "--add", "db", "--add", "prod"], "");
        self.json(&["devices", "tag", &self.devices[0], "--remove", "prod"], "");
        let tagged = self.json(&["devices", "--tag", "db"], "");
        assert_eq!((tagged.as_array().map(Vec::len), &tagged[0]["tags"]), (Some(1), &serde_json::json!(["db"])));
        assert!(!self.says(0, &["devices"]).contains('\u{1b}'), "no colours where there is no terminal");
    }

    fn saves_scripts(&self) {
        let save = |name: &str, content: &str, more: &[&str]| {
            std::fs::write(self.folder.path().join(name), content).expect("a file");
            self.json(&[&["scripts", "save", name], more].concat(), "")
        };
        save(
            "greet.sh",
            "echo \"hello $1 $WHOM\"; printf %s \"$PIN\" | wc -c\n",
            &["--parameter", "WHOM=you:Whom", "--parameter", "PIN!secret"],
        );
        let again = save("greet.sh", "echo \"hello $1 $WHOM,\"; printf %s \"$PIN\" | wc -c\n", &[]);
        assert_eq!((&again["script"]["version"], again["parameters"].as_array().map(Vec::len)), (&serde_json::json!(2), Some(2)));
        save("hostile.sh", "printf '\\033[2J\\033]0;owned\\007hi\\n'; exit 3\n", &[]);
        save("slow.sh", "echo begun; sleep 60\n", &[]);
        assert!(self.says(0, &["scripts"]).contains("greet"));
        assert!(self.says(0, &["scripts", "show", "greet"]).contains("version      2 of 2 versions"));
    }

    /// Two devices are class 2: a fresh code, whatever window is open.
    fn runs_on_both(&self) {
        let line = ["run", "greet", "--all", "--arg", "big", "--secret", "PIN=@-", "--code-stdin"];
        let unproven = self.run(&line, "123456\n000000\n000000\n000000\n");
        let said = text(&unproven.stdout) + &text(&unproven.stderr);
        assert_eq!(unproven.status.code(), Some(2), "{said}");
        for shown in [
            "on           2 devices",
            "SHA-256",
            "class",
            "digest",
            "arguments    \"big\"",
            "secrets      \"PIN\"",
            "sallyport requests deny",
        ] {
            assert!(said.contains(shown), "{shown}: {said}");
        }
        let waiting = self.json(&["requests"], "");
        self.json(&["requests", "deny", waiting[0]["short"].as_str().expect("short")], "");
        let result = self.json(&line, &format!("123456\n{}\n", self.code()));
        let groups = result["groups"].as_array().expect("groups");
        assert_eq!((groups.len(), groups[0]["devices"].as_array().map(Vec::len)), (1, Some(2)), "{result}");
        assert_eq!(groups[0]["output"]["stdout"], "hello big you,\n6\n");
        let job = result["job"]["id"].as_str().expect("an id");
        let said = self.says(0, &["jobs", "show", &job[job.len() - 8..], "--output"]);
        assert!(said.contains("2 devices succeeded and said exactly this:"), "{said}");
    }

    /// One device is class 1: the open window is enough.
    fn shows_what_a_hostile_device_says(&self) {
        let said = self.says(1, &["run", "hostile", "--device", &self.devices[0]]);
        assert!(said.contains("failed with exit code 3") && said.contains("␛[2J␛]0;owned␇hi") && !said.contains('\u{1b}'), "{said}");
        let jobs = self.json(&["jobs", "--limit", "1"], "");
        let job = jobs[0]["id"].as_str().expect("an id");
        let run = self.json(&["jobs", "show", job], "")["runs"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(self.says(0, &["runs", "output", &run, "--follow"]), "␛[2J␛]0;owned␇hi\n");
        assert_eq!(self.says(0, &["runs", "output", &run, "--raw"]), "\u{1b}[2J\u{1b}]0;owned\u{7}hi\n");
    }

    /// Ctrl-C where nobody can be asked leaves, and the script goes on until it is cancelled.
    fn leaves_and_cancels(&self) {
        let mut following = self.spawned(&["run", "slow", "--device", &self.devices[1]]);
        let job = self.running_job();
        let pid = following.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
        assert_eq!(following.wait().expect("it ends").code(), Some(130));
        let counts = |job: &Value| (job["counts"]["running"].as_u64(), job["counts"]["other"].as_u64());
        assert_eq!(counts(&self.json(&["jobs", "show", &job], "")["job"]), (Some(1), Some(0)), "it goes on");
        self.json(&["jobs", "cancel", &job], "");
        assert!(self.says(1, &["jobs", "follow", &job]).contains("was cancelled"));
    }

    fn spawned(&self, line: &[&str]) -> Child {
        self.command(line).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    }

    fn running_job(&self) -> String {
        for _ in 0..200 {
            let jobs = self.json(&["jobs", "--limit", "1"], "");
            if jobs[0]["name"] == "slow" && jobs[0]["counts"]["running"] == 1 {
                return jobs[0]["id"].as_str().expect("an id").to_owned();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the script did not begin");
    }

    fn reads_and_checks_the_log(&self) {
        let said = self.says(0, &["audit", "--kind", "job.created"]);
        assert!(said.contains("greet"), "{said}");
        let checked = self.json(&["audit", "verify", "--last", "7"], "");
        assert_eq!((&checked["holds"], checked["checked_entries"].as_array().map(Vec::len)), (&serde_json::json!(true), Some(7)));
        let pin = checked["authority_pin"].as_str().expect("a pin");
        assert!(self.says(0, &["audit", "verify", "--pin", pin]).contains("The log holds"));
        let said = self.says(5, &["audit", "verify", "--pin", &"0".repeat(64)]);
        assert!(said.contains("not yours"), "{said}");
    }

    fn signs_out(&self) {
        self.json(&["logout"], "");
        assert!(!self.session().exists());
        assert!(self.says(4, &["whoami"]).contains("sallyport login"));
    }
}

fn fed(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // A command that needs no input may have ended before it was given.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn step_06_a_server_that_is_never_content_is_asked_twice_and_no_more() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counter = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let _ = answer_with_a_nonce(stream);
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(program("sallyport"));
    command.args(["login", &url, "--email", EMAIL, "--password-stdin", "--code-stdin", "--json", "--session"]);
    command.arg(folder.path().join("s.json"));
    let done = fed(command, "secret\n123456\n");
    let document: Value = serde_json::from_slice(&done.stdout).expect("one document");
    assert_eq!(document["error"]["code"], "use_dpop_nonce", "{document}");
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2, "once more with the nonce, and then it ends");
}

/// Reads a request to its end, and asks for another nonce.
fn answer_with_a_nonce(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    use std::io::Read as _;
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0)) {
            break;
        }
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => request.extend_from_slice(&piece[..read]),
        }
    }
    let body = r#"{"type":"x","title":"The proof needs a nonce","status":401,"detail":"d","code":"use_dpop_nonce","request_id":"r"}"#;
    let head = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\nconnection: close\r\ndpop-nonce: another";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
