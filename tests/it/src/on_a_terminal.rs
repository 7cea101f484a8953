//! The command line on a terminal, which util-linux's `script` makes.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sallyport_testkit::agent::program;
use sallyport_testkit::owner::{EMAIL, Owner, PASSWORD, oathtool};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::json;

/// Codes move the server's clock on; what the program signs may be off by a minute.
const BEHIND_SECS: i64 = -120;

/// `sallyport` with these words, on a terminal of its own.
fn on_a_terminal(folder: &Path, words: &str) -> Child {
    typed_into(folder, words, Stdio::null())
}

/// The same, with keys from here.
fn typed_into(folder: &Path, words: &str, keys: Stdio) -> Child {
    let mut script = Command::new("script");
    script.args(["-qefc", &format!("'{}' {words}", program("sallyport").display()), "/dev/null"]);
    script.env("SALLYPORT_SESSION", folder.join("session.json")).env("TERM", "xterm").env("COLUMNS", "120").env_remove("NO_COLOR");
    script.stdin(keys).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("script is part of util-linux")
}

/// Reads on until something was shown.
fn until(child: &mut Child, shown: &mut String, wanted: &str) {
    let out = child.stdout.as_mut().expect("a pipe");
    let mut piece = [0; 4096];
    while !shown.contains(wanted) {
        let read = out.read(&mut piece).expect("it is read");
        assert!(read > 0, "it ended without {wanted}: {shown}");
        shown.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_followed_with_a_bar_on_a_terminal_and_without_one_elsewhere() {
    let clock = TestClock::system();
    clock.advance(BEHIND_SECS);
    let server = TestServer::live_on(Engine::Sqlite, clock).await;
    let mut owner = Owner::set_up(&server).await;
    let (_machines, devices) = owner.machines(&server, 2).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut login = Command::new(program("sallyport"));
    login.args(["login", server.app.config.origin(), "--email", EMAIL, "--password-stdin", "--code-stdin"]);
    login.env("SALLYPORT_SESSION", folder.path().join("session.json")).stdin(Stdio::piped()).stdout(Stdio::null());
    server.clock.advance(30);
    let mut entering = login.spawn().expect("it starts");
    let typed = format!("{PASSWORD}\n{}\n", owner.code(&server));
    entering.stdin.take().expect("a pipe").write_all(typed.as_bytes()).expect("it listens");
    assert!(entering.wait().expect("it ends").success());

    let [first, second] = ["first", "second"].map(|name| folder.path().join(name).display().to_string());
    let text = "if mkdir \"$FIRST\" 2>/dev/null; then echo quick; else while [ ! -e \"$SECOND\" ]; do sleep 0.05; done; fi";
    let script = owner.script("slow", text).await;
    let environment = json!([{ "name": "FIRST", "value": first }, { "name": "SECOND", "value": second }]);
    let job = owner.run(&server, &script, &devices, json!({ "environment": environment })).await;

    let mut terminal = on_a_terminal(folder.path(), &format!("jobs follow {job}"));
    let mut shown = String::new();
    until(&mut terminal, &mut shown, "1/2");
    assert!(shown.contains('\u{1b}'), "it is drawn over itself: {shown:?}");
    let elsewhere = {
        let mut command = Command::new(program("sallyport"));
        command.args(["jobs", "follow", &job]).env("SALLYPORT_SESSION", folder.path().join("session.json"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    std::fs::write(&second, "").expect("a file");
    terminal.stdout.as_mut().expect("a pipe").read_to_string(&mut shown).expect("text");
    assert!(terminal.wait().expect("it ends").success() && shown.contains("2 devices"), "{shown:?}");
    let plain = elsewhere.wait_with_output().expect("it ends");
    let plain = String::from_utf8_lossy(&plain.stdout).into_owned() + &String::from_utf8_lossy(&plain.stderr);
    assert!(plain.contains("2 devices") && !plain.contains('\u{1b}') && !plain.contains("1/2"), "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_taken_up_on_a_terminal_and_no_password_is_shown() {
    use sallyport_server::clock::Clock as _;
    let clock = TestClock::system();
    clock.advance(BEHIND_SECS);
    let server = TestServer::live_on(Engine::Sqlite, clock).await;
    let mut owner = Owner::set_up(&server).await;
    let everywhere = json!([{ "role": "technician", "scope": "tenant" }]);
    let invited = owner.invites(&server, "tara@nordwind.example", everywhere, serde_json::Value::Null).await;
    let link = invited.json()["result"]["link"].as_str().expect("a link to hand over").to_owned();
    // What the program signs may be off by a minute.
    server.clock.advance(30);
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = typed_into(folder.path(), "activate --link", Stdio::piped());
    let mut keys = terminal.stdin.take().expect("a pipe");
    let mut shown = String::new();
    let mut answers = |question: &str, answer: &str| {
        until(&mut terminal, &mut shown, question);
        writeln!(keys, "{answer}").expect("it listens");
        std::mem::take(&mut shown)
    };
    answers("The link: ", &link);
    let whose = answers("did you expect it? [y/N]: ", "y");
    assert!(whose.contains("tara@nordwind.example") && whose.contains("Amelie Winter") && whose.contains("this computer"), "{whose}");
    answers("used nowhere else: ", THEIR_PASSWORD);
    answers("The same again: ", THEIR_PASSWORD);
    let told = answers("Code that it shows now: ", "000000");
    assert!(!told.contains(THEIR_PASSWORD), "{told}");
    let key = told.lines().skip_while(|line| !line.contains("Type this key")).map(str::trim).nth(2).expect("a key").to_owned();
    let again = answers("Code that it shows now: ", &oathtool(&key, server.clock.now()));
    assert!(again.contains("Not accepted."), "{again}");
    let codes = answers("Do you keep them? [y/N]: ", "yes");
    assert_eq!(codes.lines().filter(|line| line.trim().len() == 27 && !line.trim().contains(' ')).count(), 10, "{codes}");
    until(&mut terminal, &mut shown, "You are signed in at http");
    assert!(terminal.wait().expect("it ends").success(), "{shown}");
    let mut whoami = Command::new(program("sallyport"));
    let done = whoami.arg("whoami").env("SALLYPORT_SESSION", folder.path().join("session.json")).output().expect("it runs");
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        said.contains("tara@nordwind.example") && said.contains("recovery codes  10 left") && !said.contains("does one thing"),
        "{said}"
    );
}
