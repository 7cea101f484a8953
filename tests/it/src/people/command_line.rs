//! People, roles, policy, networks, sessions and factors from a terminal. Each guarded change takes a code of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use sallyport_server::clock::Clock as _;
use sallyport_testkit::authenticators::{Authenticators, STEP_SECS};
use sallyport_testkit::owner::{EMAIL, PASSWORD, oathtool};
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD};
use serde_json::{Value, json};

use super::role;
use crate::cli::{Desk, text};

/// How long a program may take until it says what comes next.
const PATIENCE: Duration = Duration::from_secs(30);

/// An owner at a terminal who never waits for the next code.
pub(super) struct Bench {
    pub(super) desk: Desk,
    authenticators: Authenticators,
}

impl Bench {
    async fn new() -> (Self, Colleague) {
        let mut desk = Desk::begun(2 * STEP_SECS + Authenticators::ADDED_IN_SECS).await;
        let colleague = desk.owner.colleague(&desk.server, 7, "tara@nordwind.example", role("technician")).await;
        (Self::at(desk).await, colleague)
    }

    /// Signed in, with two further authenticators.
    pub(super) async fn at(mut desk: Desk) -> Self {
        let authenticators = Authenticators::of(&mut desk.owner, &desk.server).await;
        let bench = Self { desk, authenticators };
        bench.signs_in();
        bench
    }

    pub(super) fn code(&self) -> String {
        self.authenticators.code(&self.desk.server)
    }

    fn signs_in(&self) {
        let origin = self.desk.server.app.config.origin().to_owned();
        let login = ["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin"];
        let done = self.desk.run(&login, &format!("{PASSWORD}\n{}\n", self.code()));
        assert!(done.status.success(), "{}", text(&done.stderr));
    }

    /// Asks for something guarded, with a fresh code: what was said.
    pub(super) fn does_and_says(&self, line: &[&str]) -> String {
        let done = self.desk.run(&[line, &["--code-stdin"]].concat(), &format!("{}\n", self.code()));
        let said = text(&done.stdout) + &text(&done.stderr);
        assert!(done.status.success(), "{line:?}: {said}");
        said
    }

    /// Asks for something guarded, with a fresh code.
    pub(super) fn does(&self, line: &[&str]) -> Value {
        self.desk.json(&[line, &["--code-stdin"]].concat(), &format!("{}\n", self.code()))
    }

    pub(super) fn reads(&self, line: &[&str]) -> Value {
        self.desk.json(line, "")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_roles_and_links_from_a_terminal() {
    let (bench, tara) = Bench::new().await;
    bench.does(&["roles", "save", "Night shift", "--can", "devices.read", "--can", "jobs.read"]);
    let roles = bench.reads(&["roles"]);
    let own = roles["roles"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "Night shift")).expect("the role").clone();
    assert_eq!((&own["kind"], &own["capabilities"]), (&json!("custom"), &json!(["devices.read", "jobs.read"])), "{own}");
    assert!(bench.desk.says(0, &["roles", "capabilities"]).contains("devices.approve"));
    bench.does(&["users", "role", &tara.email, "--role", own["id"].as_str().expect("an id")]);
    let shown = bench.reads(&["users", "show", &tara.email]);
    assert_eq!(shown["user"]["assignments"][0]["role_name"], "Night shift", "{shown}");
    let refused = bench.desk.run(&["roles", "delete", "Night shift", "--code-stdin"], &format!("{}\n", bench.code()));
    assert_eq!(refused.status.code(), Some(2), "somebody has it: {}", text(&refused.stderr));
    bench.does(&["users", "role", &tara.email, "--role", "technician"]);
    bench.does(&["roles", "delete", "night shift"]);
    assert!(!bench.desk.says(0, &["roles"]).contains("Night shift"));
    let invited = bench.does(&["users", "invite", "new@nordwind.example", "--name", "Nia", "--role", "technician"]);
    let again = bench.reads(&["users", "resend", "new@nordwind.example"]);
    assert!(again["link"].is_string() && again["link"] != invited["link"], "{again}");
    assert_eq!(bench.reads(&["users", "list", "--role", "technician", "--sort", "-email"])[0]["email"], tara.email);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_and_networks_from_a_terminal() {
    let (bench, tara) = Bench::new().await;
    let said = bench.desk.says(2, &["users", "require-mfa", &tara.email, "--yes"]);
    assert!(said.contains("requires a second factor of everybody, so nothing is required of single users"), "{said}");
    let said = bench.desk.says(0, &["users", "show", &tara.email]);
    assert!(said.contains("second factor  active (the tenant requires one of everybody)"), "{said}");
    bench.does(&["policy", "mfa", "--who", "admins"]);
    bench.does(&["users", "require-mfa", &tara.email]);
    assert_eq!(bench.reads(&["users", "show", &tara.email])["user"]["mfa_required_by"], "user");
    bench.does(&["users", "require-mfa", &tara.email, "--required", "no"]);
    assert_eq!(bench.reads(&["users", "show", &tara.email])["user"]["mfa_required_by"], Value::Null);
    assert!(bench.desk.says(0, &["users", "show", &tara.email]).contains("second factor  active (nobody requires one)"));
    bench.does(&["policy", "sessions", "--idle", "15m"]);
    assert_eq!(bench.reads(&["policy"])["sessions"]["idle_secs"], 900);
    let said = bench.desk.says(0, &["policy"]);
    assert!(said.contains("owners and administrators must have a factor") && said.contains("15 min unused"), "{said}");
    bench.does(&["networks", "trust", "Office", "192.0.2.0/24", "2001:db8::/48"]);
    let rules = bench.reads(&["networks"]);
    assert_eq!(rules["trusted"], json!([{ "label": "Office", "ranges": ["192.0.2.0/24", "2001:db8::/48"] }]), "{rules}");
    let locked_out = bench.desk.says(2, &["networks", "require", "sign-in", "203.0.113.0/24"]);
    assert!(locked_out.contains("locks_you_out"), "{locked_out}");
    bench.does(&["networks", "require", "installers", "127.0.0.0/8"]);
    bench.does(&["networks", "release", "installers"]);
    assert!(bench.desk.says(2, &["networks", "release", "installers"]).contains("nothing would change"));
    bench.does(&["networks", "distrust", "Office"]);
    let rules = bench.reads(&["networks"]);
    assert_eq!((&rules["trusted"], &rules["required"]), (&json!([]), &json!([])), "{rules}");
    let paused = bench.reads(&["users", "pause-verification", &tara.email, "--hours", "24"]);
    assert!(paused["until"].is_string(), "{paused}");
    assert!(
        bench.desk.says(2, &["users", "pause-verification", &tara.email, "--hours", "169"]).contains("invalid_field"),
        "a week at most"
    );
    assert!(bench.reads(&["users", "pause-verification", &tara.email, "--hours", "0"])["until"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn own_factors_and_sessions_from_a_terminal() {
    let (bench, _) = Bench::new().await;
    let names = |bench: &Bench| -> Vec<String> {
        let factors = bench.reads(&["factors"]);
        let factors = factors.as_array().expect("a list").iter();
        factors.map(|factor| factor["name"].as_str().expect("a name").to_owned()).collect()
    };
    let others = bench.desk.says(0, &["sessions"]);
    assert!(others.contains("this one") && others.contains("127.0.0.1"), "{others}");
    let session = bench.reads(&["sessions"]);
    assert_eq!(session.as_array().map(Vec::len), Some(2), "the browser's and this one: {session}");
    let origin = bench.desk.server.app.config.origin().to_owned();
    let second = ["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin", "--session", "second.json"];
    let me = bench.desk.json(&second, &format!("{PASSWORD}\n{}\n", bench.code()));
    let id = me["session"]["id"].as_str().expect("an id");
    assert_eq!(bench.reads(&["sessions"]).as_array().map(Vec::len), Some(3));
    assert_eq!(bench.reads(&["sessions", "end", &id[id.len() - 8..]])["ended"], id);
    assert!(bench.desk.says(4, &["whoami", "--session", "second.json"]).contains("not_signed_in"), "that one, and no other");
    assert_eq!(bench.reads(&["sessions"]).as_array().map(Vec::len), Some(2));
    bench.reads(&["sessions", "end-others"]);
    assert_eq!(bench.reads(&["sessions"]).as_array().map(Vec::len), Some(1));
    assert_eq!(names(&bench).len(), 3);
    assert_eq!(bench.reads(&["factors", "rename", "tablet", "Old tablet"])["name"], "Old tablet");
    let checked = bench.desk.json(&["factors", "check-up", "--code-stdin"], &format!("{}\n", bench.code()));
    assert_eq!(checked["works"], true);
    assert!(bench.desk.says(0, &["whoami"]).contains("recovery codes  10 left"));
    let codes = bench.does(&["factors", "recovery-codes"]);
    assert_eq!(codes["recovery_codes"].as_array().map(Vec::len), Some(10), "{codes}");
    assert!(adds(&bench, "Watch").status.success());
    assert_eq!(names(&bench).len(), 4);
    // The one that is removed can prove its own removal; another one must be there.
    bench.does(&["factors", "remove", "Old tablet"]);
    assert!(!names(&bench).contains(&"Old tablet".to_owned()), "{:?}", names(&bench));
    let stopped = bench.reads(&["sessions", "not-me"]);
    assert_eq!(stopped["sessions"].as_array().map(Vec::len), Some(1), "{stopped}");
    assert!(!stopped["recent"].as_array().is_none_or(Vec::is_empty), "what was asked for is shown: {stopped}");
    assert!(bench.desk.says(4, &["whoami"]).contains("sallyport login"), "this session is over too");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_stopped_and_reset_from_a_terminal() {
    let (bench, mut tara) = Bench::new().await;
    let desk = &bench.desk;
    let shown = |email: &str| bench.reads(&["users", "show", email])["user"].clone();
    assert!(desk.says(0, &["mails"]).contains("No mail server is configured"), "an empty list says why");
    assert_eq!(bench.reads(&["mails"]), json!([]));
    assert_eq!(tara.client.get("/v1/me").await.status, 200);
    assert!(desk.says(0, &["users", "end-sessions", &tara.email]).contains("All sessions of tara ended"));
    assert_eq!(tara.client.get("/v1/me").await.status, 401);
    assert!(bench.does_and_says(&["users", "disable", &tara.email]).contains("Done."));
    assert_eq!(bench.reads(&["users", "list", "--state", "disabled"])[0]["email"], tara.email);
    assert_eq!(tara.client.get("/v1/me").await.status, 401);
    bench.does(&["users", "enable", &tara.email]);
    assert_eq!(shown(&tara.email)["state"], "active");
    let customer = desk.owner.client.clone().get("/v1/customers").await.json()["items"][0].clone();
    let place = format!("technician@{}", customer["id"].as_str().expect("an id"));
    bench.does(&["users", "role", &tara.email, "--role", &place]);
    let scope = &shown(&tara.email)["assignments"][0]["scope"];
    assert_eq!((&scope["kind"], &scope["id"]), (&json!("customer"), &customer["id"]));
    bench.does(&["users", "invite", "sam@partner.example", "--name", "Sam", "--role", "support", "--ends-after", "14"]);
    let ends: sallyport_model::Timestamp = serde_json::from_value(shown("sam@partner.example")["expires"].clone()).expect("an end");
    let days = (ends.secs() - desk.server.clock.now().secs()) as f64 / 86_400.0;
    assert!((days - 14.0).abs() < 0.01, "{days}");
    let handed = bench.does_and_says(&["users", "reset-factor", &tara.email, "--confirmed", "by-call"]);
    assert!(handed.contains("made sure") && handed.contains("by call") && handed.contains("Hand it over"), "{handed}");
    assert_eq!(shown(&tara.email)["mfa"], "required");
    takes_up_a_link(desk, &tara.email, handed.lines().find(|line| line.contains("/activation#")).expect("a link"));
    assert_eq!(shown(&tara.email)["mfa"], "active");
    judges_for_monitors(&bench);
}

/// A link that was handed over, up to a full session. Codes that nobody keeps open nothing.
fn takes_up_a_link(desk: &Desk, email: &str, link: &str) {
    let line = ["activate", "--link", "--stdin", "--session", "tara.json"];
    let wrong = desk.run(&line, &format!("{link}\nnot the right password\n"));
    assert!(wrong.status.code() == Some(2) && text(&wrong.stderr).contains("password_refused"), "{}", text(&wrong.stderr));
    let done = enrols_and(desk, &line, &format!("{link}\n{THEIR_PASSWORD}"), "no");
    let shown = text(&done.done.stdout);
    assert!(done.done.status.success() && shown.contains(email) && shown.contains("sallyport activate --codes-kept"), "{shown}");
    assert_eq!(shown.lines().filter(|line| line.len() == 27 && !line.contains(' ')).count(), 10, "{shown}");
    let at_hers = |exit, line: &[&str]| desk.says(exit, &[line, &["--session", "tara.json"]].concat());
    assert!(at_hers(0, &["whoami"]).contains("Say it: sallyport activate --codes-kept"));
    assert!(at_hers(2, &["devices"]).contains("session_restricted"));
    at_hers(0, &["activate", "--codes-kept"]);
    at_hers(0, &["devices"]);
    assert!(at_hers(2, &["activate"]).contains("your second factor is active"));
}

/// A monitor reads one document and an exit code: 1 while something is to be fixed now, 0 once that is accepted.
fn judges_for_monitors(bench: &Bench) {
    let judged = bench.desk.run(&["posture", "--json"], "");
    let posture: Value = serde_json::from_slice(&judged.stdout).expect("one document");
    assert_eq!(judged.status.code(), Some(1), "{posture}");
    let rules = posture["rules"].as_array().expect("rules");
    let critical: Vec<&Value> = rules.iter().filter(|rule| rule["state"] == "critical").collect();
    assert!(critical.iter().any(|rule| rule["id"] == "P-03"), "one owner: {critical:?}");
    let day: String = bench.desk.server.clock.now().plus_secs(20 * 86_400).to_string().chars().take(10).collect();
    for rule in critical {
        let id = rule["id"].as_str().expect("an id");
        bench.desk.says(0, &["posture", "accept", id, "--because", "a test of monitors", "--until", &day]);
    }
    assert_eq!(bench.reads(&["posture"])["counts"]["critical"], 0);
}

/// Sets up one more authenticator.
fn adds(bench: &Bench, name: &str) -> Output {
    enrols(&bench.desk, &["factors", "add", name, "--code-stdin"], &bench.code()).done
}

/// What came of setting up an authenticator.
pub(super) struct Enrolling {
    pub(super) done: Output,
    /// What people were told on standard error.
    pub(super) told: String,
    /// The authenticator's secret, in base32.
    pub(super) secret: String,
}

/// Sets up an authenticator: the key is read where people read it, and its code typed, after these lines and before others.
pub(super) fn enrols(desk: &Desk, line: &[&str], before: &str) -> Enrolling {
    enrols_and(desk, line, before, "yes")
}

/// The same, with this answer to the question whether recovery codes are kept.
fn enrols_and(desk: &Desk, line: &[&str], before: &str, kept: &str) -> Enrolling {
    let mut command = desk.command(line);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut typed = child.stdin.take().expect("a pipe");
    if !before.is_empty() {
        writeln!(typed, "{before}").expect("it listens");
    }
    let (tell, lines) = mpsc::channel();
    let heard = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    std::thread::spawn(move || heard.map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut told = String::new();
    let mut next = |wanted: &dyn Fn(&str) -> bool| loop {
        // What asks for more than it is given says nothing for good.
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|why| panic!("{why}: {told}"));
        told.push_str(&line);
        told.push('\n');
        if wanted(&line) {
            break line.trim().to_owned();
        }
    };
    next(&|line| line.contains("Type this key"));
    let secret = next(&|line| line.starts_with("  "));
    let uri = next(&|line| line.contains("otpauth://totp/"));
    assert!(uri.contains(&secret), "for apps that take it whole: {uri}");
    writeln!(typed, "{}\n{kept}", oathtool(&secret, desk.server.clock.now())).expect("it listens");
    drop(typed);
    lines.iter().for_each(|line| told.push_str(&line));
    Enrolling { done: child.wait_with_output().expect("it ends"), told, secret }
}
