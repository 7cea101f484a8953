//! The real people of this machine: lines on their terminals, notes and questions on their desktops.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sallyport_os::{find_program, kill_group};
use tokio::process::{Child, Command};

use super::{Answer, Asking, Notice};

/// Where logind says who is signed in.
const SESSIONS: &str = "/run/systemd/sessions";
/// What a program needs to find the desktop that somebody sits at.
const DESKTOP: [&str; 5] = ["DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];
const TITLE: &str = "Sallyport";

/// Tells and asks whoever is signed in on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct People;

impl Notice for People {
    fn tell(&self, text: String) {
        tokio::task::spawn_blocking(move || tell(&text));
    }

    fn ask(&self, question: String) -> Asking {
        Box::pin(ask(question))
    }
}

fn tell(text: &str) {
    for terminal in terminals() {
        if let Err(error) = sallyport_os::write_to_terminal(&terminal, text) {
            tracing::debug!(terminal, %error, "somebody is not told on a terminal");
        }
    }
    for desktop in desktops() {
        let note = desktop.program(find_program, "notify-send", &["--app-name", TITLE, TITLE, text]);
        // Desktops without notes have their terminals, and the list of open sessions.
        let _ = note.map(|note| note.into_std().spawn().map(|mut child| child.wait()));
    }
}

/// Whoever sits in front of the machine is asked, and no other account that claims to have a desktop; what it
/// means that nobody is there is the grant's to say.
async fn ask(question: String) -> Answer {
    let looked = tokio::task::spawn_blocking(|| (desktops(), sessions())).await;
    let (desktops, sessions) = looked.unwrap_or_default();
    let in_front: Vec<u32> = sessions.iter().filter_map(|session| in_front(session)).collect();
    let asked = desktops.into_iter().filter(|desktop| in_front.contains(&desktop.uid)).collect();
    ask_at(asked, find_program, &question).await
}

async fn ask_at(desktops: Vec<Desktop>, find: impl Fn(&str) -> Option<PathBuf>, question: &str) -> Answer {
    for desktop in desktops {
        let shown = desktop.question(&find, question).and_then(|mut asking| asking.process_group(0).spawn().ok());
        let Some(mut shown) = shown.map(Shown) else { continue };
        match shown.0.wait().await {
            Ok(status) if status.success() => return Answer::Allowed,
            Ok(status) if status.code() == Some(1) => return Answer::Refused,
            // It could not be shown there.
            _ => {}
        }
    }
    tracing::warn!("nobody at this machine can be asked");
    Answer::Nobody
}

/// A question on a screen. It goes once nobody waits for the answer: what shows it is a child of the program that we
/// started, and outlives that one alone.
struct Shown(Child);

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(leader) = self.0.id() {
            kill_group(leader);
        }
    }
}

/// The terminals that people are signed in at.
fn terminals() -> Vec<String> {
    sessions().iter().filter_map(|session| terminal_of(session)).collect()
}

/// What logind says of each session.
fn sessions() -> Vec<String> {
    let entries = std::fs::read_dir(SESSIONS).into_iter().flatten().flatten();
    entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect()
}

fn value<'a>(session: &'a str, key: &str) -> Option<&'a str> {
    session.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

fn terminal_of(session: &str) -> Option<String> {
    let by_hand = value(session, "CLASS") == Some("user") && value(session, "TYPE") == Some("tty");
    value(session, "TTY").filter(|_| by_hand).map(str::to_owned)
}

/// Whose session it is, if it is the one that the screen shows.
fn in_front(session: &str) -> Option<u32> {
    let shown = value(session, "CLASS") == Some("user") && value(session, "ACTIVE") == Some("1") && value(session, "SEAT").is_some();
    let graphical = matches!(value(session, "TYPE"), Some("x11" | "wayland"));
    value(session, "UID").filter(|_| shown && graphical)?.parse().ok()
}

/// A desktop that somebody is signed in at.
#[derive(Debug, PartialEq, Eq)]
struct Desktop {
    uid: u32,
    user: String,
    environment: BTreeMap<String, String>,
}

/// Every account has at most one: that of its first program that has a display.
fn desktops() -> Vec<Desktop> {
    let mut found: BTreeMap<u32, Desktop> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(uid) = owner_of_program(&entry.path()) else { continue };
        if found.contains_key(&uid) {
            continue;
        }
        let environment = surroundings(&std::fs::read(entry.path().join("environ")).unwrap_or_default());
        let user = sallyport_os::account_name(uid);
        if let Some(user) = user.filter(|_| environment.contains_key("DISPLAY") || environment.contains_key("WAYLAND_DISPLAY")) {
            found.insert(uid, Desktop { uid, user, environment });
        }
    }
    found.into_values().collect()
}

fn owner_of_program(path: &Path) -> Option<u32> {
    let is_program = path.file_name()?.to_str()?.bytes().all(|byte| byte.is_ascii_digit());
    is_program.then(|| std::fs::metadata(path).ok().map(|found| found.uid())).flatten()
}

/// What is of use in an environment as the kernel shows it.
fn surroundings(environ: &[u8]) -> BTreeMap<String, String> {
    let entries = environ.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='));
    let wanted = entries.filter(|(name, value)| DESKTOP.contains(name) && !value.is_empty());
    wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Desktop {
    /// A program as the person of this desktop, who may stop it.
    fn program(&self, find: impl Fn(&str) -> Option<PathBuf>, name: &str, arguments: &[&str]) -> Option<Command> {
        let (runuser, program) = (find("runuser")?, find(name)?);
        let mut command = Command::new(runuser);
        command.args(["-u", &self.user, "--"]).arg(program).args(arguments);
        command.env_clear().envs(&self.environment).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Some(command)
    }

    fn question(&self, find: impl Fn(&str) -> Option<PathBuf>, question: &str) -> Option<Command> {
        let zenity = ["--question", "--no-markup", "--title", TITLE, "--text", question, "--ok-label", "Allow", "--cancel-label", "Refuse"];
        let kdialog = ["--title", TITLE, "--yes-label", "Allow", "--no-label", "Refuse", "--yesno", question];
        self.program(&find, "zenity", &zenity).or_else(|| self.program(&find, "kdialog", &kdialog))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_of_people_are_told_and_those_of_services_are_not() {
        let session = |class: &str, kind: &str| format!("# x\nUID=1000\nUSER=ada\nTTY=pts/3\nTYPE={kind}\nCLASS={class}\n");
        assert_eq!(terminal_of(&session("user", "tty")).as_deref(), Some("pts/3"));
        for (class, kind) in [("greeter", "tty"), ("user", "x11"), ("manager", "unspecified")] {
            assert_eq!(terminal_of(&session(class, kind)), None);
        }
        assert_eq!(terminal_of("garbage"), None);
    }

    #[test]
    fn only_the_session_that_the_screen_shows_is_asked() {
        let session =
            |class: &str, kind: &str, active: u8, seat: &str| format!("UID=1000\nTYPE={kind}\nCLASS={class}\nACTIVE={active}\n{seat}\n");
        assert_eq!(in_front(&session("user", "x11", 1, "SEAT=seat0")), Some(1000));
        let others = [
            ("greeter", "x11", 1, "SEAT=seat0"),
            ("user", "tty", 1, "SEAT=seat0"),
            ("user", "x11", 0, "SEAT=seat0"),
            ("user", "x11", 1, ""),
        ];
        for (class, kind, active, seat) in others {
            assert_eq!(in_front(&session(class, kind, active, seat)), None);
        }
    }

    #[test]
    fn of_an_environment_only_the_way_to_the_desktop_is_taken() {
        let environ = b"LD_PRELOAD=/tmp/x.so\0DISPLAY=:0\0XAUTHORITY=/home/ada/.Xauthority\0PATH=/tmp\0EMPTY\0WAYLAND_DISPLAY=\0\xff=1\0";
        let taken = surroundings(environ);
        assert_eq!(taken.keys().map(String::as_str).collect::<Vec<_>>(), ["DISPLAY", "XAUTHORITY"]);
    }

    /// Programs that stand for those of a desktop, and somebody who sits at it.
    struct Stage(tempfile::TempDir);

    impl Stage {
        /// `zenity` or `kdialog`, as a script.
        fn with(program: &str, script: &str) -> Self {
            let stage = Self(tempfile::tempdir().expect("a folder"));
            // As the real one does, it waits for its child instead of becoming it.
            stage.program("runuser", "shift 3\n\"$@\"\nexit $?");
            stage.program(program, &format!("echo \"$@\" >'{0}/asked'\n{script}", stage.0.path().display()));
            stage
        }

        fn program(&self, name: &str, script: &str) {
            let path = self.0.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a program");
        }

        async fn ask(&self) -> Answer {
            let desktop = Desktop { uid: 1, user: "ada".to_owned(), environment: BTreeMap::new() };
            ask_at(vec![desktop], |name| Some(self.0.path().join(name)).filter(|path| path.exists()), "May <b>I</b>?").await
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.0.path().join(name)).unwrap_or_default()
        }
    }

    #[tokio::test]
    async fn the_button_that_somebody_presses_is_the_answer() {
        for program in ["zenity", "kdialog"] {
            for (script, answer) in [("exit 0", Answer::Allowed), ("exit 1", Answer::Refused), ("exit 5", Answer::Nobody)] {
                let stage = Stage::with(program, script);
                assert_eq!(stage.ask().await, answer, "{program} {script}");
                assert!(stage.read("asked").contains("May <b>I</b>?"), "{program} {}", stage.read("asked"));
            }
        }
        let killed = Stage::with("zenity", "kill -9 $$");
        assert_eq!(killed.ask().await, Answer::Nobody, "a question that breaks is no answer");
        assert_eq!(Stage::with("another", "exit 0").ask().await, Answer::Nobody, "there is nothing to ask with");
    }

    #[tokio::test]
    async fn a_question_that_nobody_answers_in_time_goes_from_the_screen() {
        let stage = Stage::with("zenity", "echo $$ >\"$0.pid\"\nexec sleep 300");
        let second = std::time::Duration::from_secs(1);
        let silence = tokio::time::timeout(second, stage.ask()).await;
        assert!(silence.is_err(), "{silence:?}");
        let shown = PathBuf::from("/proc").join(stage.read("zenity.pid").trim()).join("stat");
        let is_shown = || std::fs::read_to_string(&shown).is_ok_and(|stat| !stat.contains(") Z "));
        let begun = std::time::Instant::now();
        while is_shown() {
            assert!(begun.elapsed() < second, "it is still there");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn where_nobody_can_be_asked_nobody_is_said_to_have_allowed() {
        let desktop = Desktop { uid: 1, user: "no-such-account".to_owned(), environment: BTreeMap::new() };
        assert!(desktop.program(find_program, "no-such-program", &[]).is_none());
        if desktops().is_empty() {
            assert_eq!(ask("May I?".to_owned()).await, Answer::Nobody);
        }
    }
}
