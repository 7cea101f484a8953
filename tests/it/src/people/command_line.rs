//! People, roles, policy, networks, sessions and factors from a terminal. Each guarded change takes a code of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Output, Stdio};

use sallyport_server::clock::Clock as _;
use sallyport_testkit::authenticators::{Authenticators, STEP_SECS};
use sallyport_testkit::owner::{EMAIL, PASSWORD, oathtool};
use sallyport_testkit::people::Colleague;
use serde_json::{Value, json};

use super::role;
use crate::cli::{Desk, text};

/// An owner at a terminal who never waits for the next code.
struct Bench {
    desk: Desk,
    authenticators: Authenticators,
}

impl Bench {
    async fn new() -> (Self, Colleague) {
        let mut desk = Desk::begun(2 * STEP_SECS + Authenticators::ADDED_IN_SECS).await;
        let colleague = desk.owner.colleague(&desk.server, 7, "tara@nordwind.example", role("technician")).await;
        let authenticators = Authenticators::of(&mut desk.owner, &desk.server).await;
        let bench = Self { desk, authenticators };
        bench.signs_in();
        (bench, colleague)
    }

    fn code(&self) -> String {
        self.authenticators.code(&self.desk.server)
    }

    fn signs_in(&self) {
        let origin = self.desk.server.app.config.origin().to_owned();
        let login = ["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin"];
        let done = self.desk.run(&login, &format!("{PASSWORD}\n{}\n", self.code()));
        assert!(done.status.success(), "{}", text(&done.stderr));
    }

    /// Asks for something guarded, with a fresh code.
    fn does(&self, line: &[&str]) -> Value {
        self.desk.json(&[line, &["--code-stdin"]].concat(), &format!("{}\n", self.code()))
    }

    fn reads(&self, line: &[&str]) -> Value {
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
    assert!(said.contains("error") || said.contains("policy"), "the tenant requires it of everybody: {said}");
    bench.does(&["policy", "mfa", "--who", "admins"]);
    bench.does(&["users", "require-mfa", &tara.email]);
    assert_eq!(bench.reads(&["users", "show", &tara.email])["user"]["mfa_required_by"], "user");
    bench.does(&["users", "require-mfa", &tara.email, "--required", "no"]);
    assert_eq!(bench.reads(&["users", "show", &tara.email])["user"]["mfa_required_by"], Value::Null);
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
    bench.reads(&["sessions", "end-others"]);
    assert_eq!(bench.reads(&["sessions"]).as_array().map(Vec::len), Some(1));
    assert_eq!(names(&bench).len(), 3);
    assert_eq!(bench.reads(&["factors", "rename", "tablet", "Old tablet"])["name"], "Old tablet");
    let checked = bench.desk.json(&["factors", "check-up", "--code-stdin"], &format!("{}\n", bench.code()));
    assert_eq!(checked["works"], true);
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

/// Sets up one more authenticator: the key is read where people read it, and its code typed.
fn adds(bench: &Bench, name: &str) -> Output {
    let mut command = bench.desk.command(&["factors", "add", name, "--code-stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut typed = child.stdin.take().expect("a pipe");
    writeln!(typed, "{}", bench.code()).expect("it listens");
    let mut told = BufReader::new(child.stderr.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let key = told.by_ref().skip_while(|line| !line.contains("Type this key")).find(|line| line.starts_with("  ")).expect("a key");
    let uri = told.by_ref().find(|line| line.contains("otpauth://totp/")).expect("for apps that take it whole");
    assert!(uri.contains(key.trim()) && uri.contains("owner"), "{uri}");
    writeln!(typed, "{}", oathtool(key.trim(), bench.desk.server.clock.now())).expect("it listens");
    drop(typed);
    told.for_each(drop);
    child.wait_with_output().expect("it ends")
}
