//! The session of a desktop: a bus of its own, with somebody else's key store on it (GNOME's, which speaks the Secret Service).

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// Starts the key store, says where the bus is once it answers there, and ends it when whoever began this goes away.
const SESSION: &str = r#"
gnome-keyring-daemon --foreground --components=secrets $1 < "$2" >/dev/null 2>&1 &
store=$!
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets 2>/dev/null |
    grep -q true; do kill -0 $store || exit 1; sleep 0.05; done
printf %s "$DBUS_SESSION_BUS_ADDRESS" > "$3.new" && mv "$3.new" "$3"
cat >/dev/null
kill $store
wait $store
"#;

/// A desktop's session. It ends when it is dropped; what its key store keeps lies in the folder and is there for the next one.
pub struct DesktopSession {
    child: Child,
    input: Option<ChildStdin>,
    home: PathBuf,
    bus: String,
}

impl DesktopSession {
    /// With a key store that its person has unlocked, by an empty line.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn unlocked(folder: &Path) -> Self {
        Self::start(folder, "--unlock")
    }

    /// With a key store that nobody unlocked, and nobody there who could.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn locked(folder: &Path) -> Self {
        Self::start(folder, "")
    }

    fn start(folder: &Path, how: &str) -> Self {
        let (home, place, password) = (folder.join("home"), folder.join("bus"), folder.join("no-password"));
        std::fs::create_dir_all(&home).expect("a folder");
        std::fs::write(&password, "\n").expect("a file");
        let _ = std::fs::remove_file(&place);
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "sh", "-c", SESSION, "sh", how]).arg(&password).arg(&place);
        at_home(&mut command, &home).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("dbus-run-session must be installed: apt-get install dbus gnome-keyring libsecret-tools");
        let input = child.stdin.take();
        let bus = until_there(&mut child, &place);
        Self { child, input, home, bus }
    }

    /// Lets a program run in this session.
    pub fn enter<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        at_home(command, &self.home).env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
    }

    /// What the desktop's own tool says.
    ///
    /// # Panics
    /// Where it does not run.
    pub fn secret_tool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("secret-tool");
        let output = self.enter(&mut command).args(arguments).stdin(Stdio::null()).output().expect("secret-tool runs");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// How many of our keys the store has.
    pub fn entries(&self) -> usize {
        self.secret_tool(&["search", "--all", "application", "sallyport"]).lines().filter(|line| line.starts_with("secret = ")).count()
    }
}

impl Drop for DesktopSession {
    fn drop(&mut self) {
        // The script ends with its input, and the bus with the script.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Nothing of the session of whoever runs the tests.
fn at_home<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    let runtime = home.join("run");
    std::fs::create_dir_all(&runtime).expect("a folder");
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "GNOME_KEYRING_CONTROL"] {
        command.env_remove(name);
    }
    command.env("HOME", home).env("XDG_RUNTIME_DIR", runtime)
}

fn until_there(child: &mut Child, place: &Path) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(bus) = std::fs::read_to_string(place) {
            return bus;
        }
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none() && Instant::now() < deadline, "no key store: apt-get install dbus gnome-keyring libsecret-tools");
        std::thread::sleep(LOOK);
    }
}
