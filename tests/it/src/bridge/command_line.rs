//! `sallyport connections`, as a program.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use sallyport_testkit::agent::program;
use sallyport_testkit::authenticators::Authenticators;
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::{TestClock, TestServer};
use serde_json::{Value, json};

use super::vendor::{SECRET, Vendor};
use super::{listing, wanted};
use crate::automation::door::curl;
use crate::automation::foreign::Bench;

struct Desk {
    server: TestServer,
    authenticators: Authenticators,
    folder: tempfile::TempDir,
}

impl Desk {
    fn code(&self) -> String {
        format!("{}\n", self.authenticators.code(&self.server))
    }

    fn run(&self, line: &[&str], input: &str) -> Output {
        let mut command = Command::new(program("sallyport"));
        command.args(line).env("SALLYPORT_SESSION", self.folder.path().join("session.json"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it listens");
        child.wait_with_output().expect("it ends")
    }

    /// What it prints as one document.
    fn does(&self, line: &[&str], input: &str) -> Value {
        let output = self.run(line, input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?}: {said}");
        assert!(!said.contains(SECRET) && !String::from_utf8_lossy(&output.stdout).contains(SECRET), "{line:?}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{line:?}: {said}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_made_and_gets_other_terms_from_a_terminal() {
    let clock = TestClock::system();
    // Six codes on the way.
    clock.advance(-(Authenticators::ADDED_IN_SECS + 50));
    let server = TestServer::live_configured(clock, listing).await;
    let (mut owner, vendor) = (Owner::set_up(&server).await, Vendor::start().await);
    let authenticators = Authenticators::of(&mut owner, &server).await;
    let desk = Desk { authenticators, folder: tempfile::tempdir().expect("a folder"), server };
    let origin = desk.server.app.config.origin().to_owned();
    let login = ["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin"];
    let entered = desk.run(&login, &format!("{PASSWORD}\n{}", desk.code()));
    assert!(entered.status.success(), "{}", String::from_utf8_lossy(&entered.stderr));

    let add = ["connections", "add", "--name", "Tickets", "--url", &vendor.url, "--allow", "GET /**", "--check", "/me"];
    let made = desk.does(&[&add[..], &["--code-stdin", "--json"]].concat(), &format!("{SECRET}\n{}", desk.code()));
    assert_eq!((made["name"].as_str(), made["per_minute"].as_u64()), (Some("Tickets"), Some(60)));

    let terms = ["connections", "change", "Tickets", "--allow", "GET /tickets/*", "--allow", "POST /tickets", "--per-minute", "5"];
    let changed = desk.does(&[&terms[..], &["--with", "x-client=abc", "--code-stdin", "--json"]].concat(), &desk.code());
    assert_eq!((changed["id"].as_str(), changed["per_minute"].as_u64()), (made["id"].as_str(), Some(5)));
    assert_eq!((changed["allows"][1]["path"].as_str(), changed["headers"]["x-client"].as_str()), (Some("/tickets"), Some("abc")));
    for stays in ["name", "base_url", "credential", "expires", "check", "callers", "secret_since"] {
        assert_eq!(changed[stays], made[stays], "{stays} was not named");
    }
    assert!(desk.run(&["connections", "call", "Tickets", "GET", "/tickets/5"], "").status.success(), "with the credential that it had");

    // Another place for the credential wants it anew; so does whoever asks for another one.
    let header = ["connections", "change", "Tickets", "--header", "x-api-key", "--code-stdin", "--json"];
    let elsewhere = desk.does(&header, &format!("another-credential\n{}", desk.code()));
    assert_eq!((elsewhere["credential"]["in"].as_str(), elsewhere["credential"]["name"].as_str()), (Some("header"), Some("x-api-key")));
    let back = ["connections", "change", "Tickets", "--bearer", "--with-none", "--code-stdin", "--json"];
    let back = desk.does(&back, &format!("{SECRET}\n{}", desk.code()));
    assert_eq!((back["credential"]["in"].as_str(), &back["headers"]), (Some("bearer"), &serde_json::json!({})));
    assert!(desk.run(&["connections", "call", "Tickets", "GET", "/tickets/5"], "").status.success());

    let listed = desk.does(&["connections", "list", "--json"], "");
    assert_eq!((listed["items"][0]["name"].as_str(), listed["items"].as_array().map(Vec::len)), (Some("Tickets"), Some(1)));
    let none = desk.run(&["connections", "change", "Tickets", "--rotate-days", "7", "--code-stdin"], &desk.code());
    assert!(String::from_utf8_lossy(&none.stderr).contains("nothing says how its credential is replaced"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_of_a_tool_says_and_hears_what_the_vendor_should() {
    let clock = TestClock::system();
    clock.advance(-60);
    let server = TestServer::live_configured(clock, listing).await;
    let (mut owner, vendor) = (Owner::set_up(&server).await, Vendor::start().await);
    let made = owner.does(&server, Call::new("POST", "/v1/connections").body(wanted(&server, &vendor, json!({})))).await;
    let id = made.json()["action"]["connection"].as_str().expect("an id").to_owned();
    let bench = Bench::on(server, owner, &["connections.use"]).await;
    let said =
        [("Accept", "text/csv"), ("Accept-Language", "de"), ("If-None-Match", "\"7\""), ("Idempotency-Key", "once"), ("Prefer", "minimal")];
    let lines: Vec<String> = said.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let words: Vec<&str> = lines.iter().flat_map(|line| ["-H", line]).collect();
    let answer = curl(&bench, &format!("/v1/connections/{id}/proxy/tickets/5"), &words);
    assert_eq!((answer.status, answer.header("sallyport-connection")), (200, Some(id.as_str())), "{}", answer.body);
    assert_eq!((answer.header("x-total-count"), answer.header("set-cookie")), (Some("7"), None));
    assert!(answer.header("ratelimit").is_some_and(|left| left.contains("\"connection\"")), "{:?}", answer.header("ratelimit"));
    let got = vendor.got().pop().expect("a request");
    for (name, value) in said {
        assert_eq!(got.header(&name.to_ascii_lowercase()), Some(value), "{name}");
    }
    let own = curl(&bench, &format!("/v1/connections/{id}/proxy/nowhere/else"), &["-X", "DELETE"]);
    assert_eq!((own.status, own.header("sallyport-connection")), (403, None), "this server's own refusal: {}", own.body);
}
