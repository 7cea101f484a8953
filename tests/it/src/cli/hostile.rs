//! The command line where everything around it is wrong: outputs, sessions, servers. It ends with a code and a sentence, and loses nothing.

use std::fs::{File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;

impl Desk {
    /// A copy of the session, changed.
    fn copied(&self, name: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut session = serde_json::from_slice(&std::fs::read(self.session()).expect("a session")).expect("JSON");
        change(&mut session);
        self.kept(name, &session.to_string(), 0o600)
    }

    fn kept(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
        path.display().to_string()
    }

    /// Both outputs go somewhere; gives the code and what was said on standard error where that is piped.
    fn given(&self, line: &[&str], out: Stdio, err: Stdio) -> (Option<i32>, String) {
        let done = self.command(line).stdin(Stdio::null()).stdout(out).stderr(err).spawn().and_then(Child::wait_with_output);
        let done = done.expect("it runs");
        (done.status.code(), text(&done.stderr))
    }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("the full device").into()
}

/// A pipe whose reader has gone.
fn closed() -> Stdio {
    std::io::pipe().expect("a pipe").1.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_standard_output_does_not_take_is_told_and_what_nobody_reads_ends_nothing() {
    let desk = Desk::new().await;
    desk.signs_in_without_a_terminal();
    for line in [&["whoami"][..], &["devices", "--json"], &["audit", "--limit", "3"], &["completion", "bash"]] {
        let (code, said) = desk.given(line, full(), Stdio::piped());
        assert_eq!(code, Some(3), "{line:?}: {said}");
        assert!(said.contains("standard output does not take what is printed") && said.contains("code output"), "{said}");
        assert_eq!(desk.given(line, closed(), Stdio::piped()), (Some(0), String::new()), "whoever closes the pipe has seen enough");
        for err in [full(), closed()] {
            assert_eq!(desk.given(line, full(), err).0, Some(3), "{line:?}");
        }
    }
    for err in [full(), closed()] {
        assert_eq!(desk.given(&["devices", "show", "nope"], Stdio::null(), err).0, Some(2), "it is refused, and does not panic");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_used_is_told_and_kept() {
    let desk = Desk::new().await;
    desk.signs_in_without_a_terminal();
    let whole = std::fs::read_to_string(desk.session()).expect("text");
    let cases = [
        (desk.kept("cut", &whole[..60], 0o600), 3, "not a session of this program; remove it and sign in"),
        (desk.kept("empty", "", 0o600), 3, "not a session of this program; remove it and sign in"),
        (desk.kept("exposed", &whole, 0o644), 3, "others can read it"),
        (desk.copied("key", |session| session["key"] = "AAAA".into()), 3, "its key cannot be read; sign in again"),
        (desk.copied("cookie", |session| session["cookie"] = "other".into()), 4, "Sign in again with `sallyport login`"),
        (desk.copied("plain", |session| session["server"] = "http://rmm.example".into()), 2, "plain http"),
        (desk.folder.path().display().to_string(), 3, "Is a directory"),
        ("/dev/zero".to_owned(), 3, "is larger than such a file may be"),
    ];
    for (session, code, told) in cases {
        for line in [&["whoami"][..], &["logout"], &["devices", "--json"]] {
            if code == 4 && line == ["logout"] {
                continue;
            }
            let said = desk.says(code, &[line, &["--session", &session]].concat());
            assert!(said.contains(told), "{session}: {said}");
            assert!(std::path::Path::new(&session).exists(), "{session} is left as it is");
        }
    }
    assert!(desk.says(0, &["whoami"]).contains(EMAIL));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_code_is_spent_on_a_session_that_could_not_be_kept() {
    let desk = Desk::new().await;
    let origin = desk.server.app.config.origin().to_owned();
    let secrets = format!("{PASSWORD}\n{}\n", desk.code());
    let enter = ["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin"];
    let refused = desk.run(&[&enter[..], &["--session", "/proc/session.json"]].concat(), &secrets);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(desk.run(&enter, &secrets).status.success(), "the same code is good yet");
    desk.next_step();
    // It is read through a descriptor, beside which nothing can be made.
    let mut step_up = desk.command(&["step-up", "--code-stdin", "--session", "/proc/self/fd/0"]);
    step_up.stdin(File::open(desk.session()).expect("a session"));
    let refused = step_up.output().expect("it runs");
    let said = text(&refused.stderr);
    assert!(refused.status.code() == Some(3) && said.contains("/proc/self/fd/0"), "{said}");
    assert!(desk.says(0, &["whoami"]).contains(EMAIL), "the session goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_answers_in_the_servers_place_is_told_and_moves_no_cursor() {
    let desk = Desk::new().await;
    desk.signs_in_without_a_terminal();
    let json = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes();
    let away = b"HTTP/1.1 302 Found\r\nlocation: http://rmm.example/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
    let hostile = r#"{"items":[{"id":"dev_1","state":"\u001b[2J\u202e"}],"next":null}"#;
    let cases = [
        (json("<html>\u{1b}[2J</html>"), 3, "cannot be read"),
        (json(hostile), 3, "cannot be read"),
        (json(r#"{"items":[],"next":"again"}"#), 3, "goes round in a circle"),
        (json(""), 3, "cannot be read"),
        (json(&"[".repeat(200_000)), 3, "cannot be read"),
        (away, 2, "status 302"),
        (b"\0\x1b[2J garbage\r\n\r\n".to_vec(), 3, "does not answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(), 3, "does not answer"),
        (Vec::new(), 3, "does not answer"),
    ];
    for (answer, code, told) in cases {
        let url = answers(answer.clone());
        let session = desk.copied("elsewhere", |session| session["server"] = url.into());
        let said = desk.says(code, &["devices", "--session", &session]);
        assert!(said.contains(told), "{said}");
        assert!(said.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{said:?}");
    }
    let page = answers(json("<html>Back soon</html>"));
    let session = desk.copied("page", |session| session["server"] = page.into());
    assert!(desk.says(3, &["logout", "--session", &session]).contains("cannot be read"));
    assert!(std::path::Path::new(&session).exists(), "a page in the server's place signs nobody out");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_begun_leaves_nothing_behind() {
    let desk = Desk::new().await;
    desk.signs_in_without_a_terminal();
    let there = |desk: &Desk| std::fs::read_dir(desk.folder.path()).expect("a folder").count();
    let before = there(&desk);
    assert!(desk.says(2, &["download", "nope", "/etc/hostname"]).contains("there is no device nope"));
    assert!(desk.says(2, &["scripts", "save", "/dev/zero", "--interpreter", "sh"]).contains("larger than a script may be"));
    assert!(desk.says(2, &["installers", "create", "--site", "nope", "--out", "enrolment.json"]).contains("there is no site nope"));
    assert_eq!(there(&desk), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_can_follow_a_job_no_more_knows_how_to_look_again() {
    let mut desk = Desk::new().await;
    desk.signs_in_without_a_terminal();
    let machines = desk.enrols_two_machines().await;
    desk.saves_scripts();
    let mut run = desk.command(&["run", "slow", "--device", &desk.devices[0]]);
    let following = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let job = desk.running_job();
    desk.json(&["logout"], "");
    let done = following.wait_with_output().expect("it ends");
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(4), "{said}");
    assert!(said.contains(&format!("The runs go on. Look at them with: sallyport jobs follow {job}")), "{said}");
    drop(machines);
}

#[test]
fn an_agents_status_is_told_where_it_is_not_taken_and_ends_where_nobody_reads_it() {
    let mut machine = Machine::new();
    machine.start();
    while !machine.state().join("status.json").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let state = machine.state();
    let status = |more: &[&str], out: Stdio| {
        let mut command = Command::new(program("sallyport-agent"));
        let child = command.args(["status", "--state"]).arg(&state).args(more).stdout(out).stderr(Stdio::piped()).spawn();
        let done = child.and_then(Child::wait_with_output).expect("it runs");
        (done.status.code(), text(&done.stderr))
    };
    for more in [&[][..], &["--json"]] {
        assert_eq!(status(more, closed()), (Some(0), String::new()));
        let (code, said) = status(more, full());
        assert!(code == Some(1) && said.contains("standard output does not take") && !said.contains("panicked"), "{said}");
    }
}

/// Answers everybody in the same way.
fn answers(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                let mut piece = [0; 4096];
                match stream.read(&mut piece) {
                    Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                    _ => break,
                }
            }
            let _ = stream.write_all(&answer);
        }
    });
    url
}
