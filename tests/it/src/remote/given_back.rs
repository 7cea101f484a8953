//! A window's own settings: what they were before a command, they are again, however it ends.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use sallyport_testkit::agent::program;
use sallyport_testkit::owner::EMAIL;

use super::command_line::{Desk, Terminal};

/// Says which terminal it has and how that is set, does a command, and says the same again. Ctrl-C is for the command alone.
const AROUND: &str = r#"trap : INT; tty; stty -g; "$@"; code=$?; echo; stty -g; echo "over $code"; read -r gone"#;

/// A window with a command in it.
struct Window {
    terminal: Terminal,
    file: String,
    before: String,
}

impl Window {
    async fn open(desk: &Desk, words: &[&str]) -> Self {
        let sallyport = program("sallyport").display().to_string();
        let session = desk.session().display().to_string();
        let line = [&["-c", AROUND, "sh", &sallyport][..], words, &["--session", &session]].concat();
        let mut terminal = desk.window(Path::new("/bin/sh"), &line);
        let mut shown = String::new();
        while settings(&shown).is_none() {
            shown += &terminal.until("\n").await;
        }
        let file = shown.lines().find(|line| line.starts_with("/dev/")).expect("a terminal").trim().to_owned();
        Self { before: settings(&shown).expect("settings"), terminal, file }
    }

    /// One of the device, with a shell that listens.
    async fn of_device(desk: &Desk) -> Self {
        let mut window = Self::open(desk, &["terminal", &desk.device, "--yes"]).await;
        window.terminal.until("Connected to").await;
        window.terminal.keys("echo re''ady\r");
        window.terminal.until("ready").await;
        assert_ne!(window.now(), window.before, "keys go through as they are");
        window
    }

    /// How it is set while the command is in it.
    fn now(&self) -> String {
        let told = Command::new("stty").args(["-g", "-F", &self.file]).output().expect("stty is part of coreutils");
        settings(&String::from_utf8_lossy(&told.stdout)).expect("settings")
    }

    /// Sends a signal to the command, and to nobody else.
    fn signal(&self, desk: &Desk, signal: &str) {
        let session = desk.session().display().to_string();
        let listed = Command::new("pgrep").args(["-f", "--", &format!("^{} .*{session}$", program("sallyport").display())]).output();
        let pid = String::from_utf8_lossy(&listed.expect("pgrep is part of procps").stdout).trim().to_owned();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success(), "{pid:?}");
    }

    /// The command's exit code; the window is as it was.
    async fn given_back(mut self) -> i32 {
        let shown = self.terminal.until("over ").await;
        let code = self.terminal.until("\n").await.trim().parse().expect("a code");
        assert_eq!(settings(&shown).as_ref(), Some(&self.before), "{shown}");
        self.terminal.keys("\r");
        code
    }
}

/// The last line of `stty -g`.
fn settings(shown: &str) -> Option<String> {
    let is_settings = |line: &&str| line.matches(':').count() > 10 && line.chars().all(|c| c == ':' || c.is_ascii_hexdigit());
    shown.lines().map(str::trim).rfind(is_settings).map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_what_it_was_after_its_shell_ended_and_after_it_was_left() {
    let desk = Desk::new().await;
    for (keys, code) in [("exit 7\r", 7), ("\r~.", 130)] {
        let window = Window::of_device(&desk).await;
        window.terminal.keys(keys);
        assert_eq!(window.given_back().await, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_what_it_was_after_a_signal_ended_its_command() {
    let desk = Desk::new().await;
    for (signal, code) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let window = Window::of_device(&desk).await;
        window.signal(&desk, signal);
        assert_eq!(window.given_back().await, code, "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_what_it_was_after_its_link_was_lost() {
    let mut desk = Desk::new().await;
    let mut window = Window::of_device(&desk).await;
    desk.machines[0].kill();
    window.terminal.until("the connection was lost").await;
    window.terminal.keys("\x03");
    assert_eq!(window.given_back().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_what_it_was_after_a_password_was_not_given() {
    let desk = Desk::new().await;
    let url = desk.server.app.config.origin().to_owned();
    for (signal, code) in [(None, 130), (Some("-TERM"), 143)] {
        let mut window = Window::open(&desk, &["login", &url, "--terminal", "--email", EMAIL]).await;
        window.terminal.until("Password: ").await;
        window.terminal.keys("half a pass\x1a");
        assert_ne!(window.now(), window.before, "it is not shown");
        match signal {
            Some(signal) => window.signal(&desk, signal),
            None => window.terminal.keys("\x03"),
        }
        assert_eq!(window.given_back().await, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_whose_output_nobody_gets_is_left_and_says_so() {
    let desk = Desk::new().await;
    for full in [true, false] {
        let out = if full {
            File::options().write(true).open("/dev/full").expect("a device").into()
        } else {
            std::io::pipe().expect("a pipe").1.into()
        };
        let mut command = Command::new(program("sallyport"));
        command.args(["terminal", &desk.device, "--yes", "--session"]).arg(desk.session());
        let child = command.stdin(Stdio::null()).stdout::<Stdio>(out).stderr(Stdio::piped()).spawn().expect("it starts");
        let done = tokio::task::spawn_blocking(|| child.wait_with_output().expect("it ends")).await.expect("it ends");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(3) && said.contains("standard output does not take"), "{said}");
        assert!(!said.contains("the connection was lost"), "{said}");
        desk.quiet().await;
    }
}
