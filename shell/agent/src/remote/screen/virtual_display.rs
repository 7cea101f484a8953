//! A display for machines that have none: Xvfb with the account's own session in it, until the remote session ends.

use std::path::Path;
use std::time::{Duration, Instant};

use sallyport_os::{Account, Activity, Launch, Running, SealedFile, Stopper, Stream};

use super::find::{Cookie, NoScreen, Seat, authority};

/// How long the server may take.
const START: Duration = Duration::from_secs(10);
const COOKIE_BYTES: usize = 16;

/// Starts the server with a cookie of its own, says its number, and starts what the account would get at a monitor: its
/// session, or at least a window manager. A terminal too, because bare window managers show nothing.
const SCRIPT: &str = r#"umask 077
folder=$(mktemp -d /tmp/sallyport-display.XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
# Everybody was told to end; when this shell does, whoever is left is killed, and a server that is killed leaves its socket.
trap 'wait "$server"; exit 0' TERM
export XAUTHORITY="$folder/authority"
printf 'COOKIE' >"$XAUTHORITY"
mkfifo "$folder/number"
Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp -noreset -auth "$XAUTHORITY" 3>"$folder/number" &
server=$!
read -r number <"$folder/number" || exit 1
echo "$number"
export DISPLAY=":$number"
cd "$HOME" 2>/dev/null
(
  for terminal in x-terminal-emulator xterm; do
    command -v "$terminal" >/dev/null && { "$terminal" & break; }
  done
  for session in x-session-manager startxfce4 x-window-manager openbox twm; do
    command -v "$session" >/dev/null && exec "$session"
  done
  wait
) &
wait "$server"
"#;

/// A display and its session; both end when it is dropped.
pub(super) struct VirtualDisplay {
    number: u32,
    cookie: Cookie,
    owner: u32,
    stopper: Stopper,
}

impl VirtualDisplay {
    /// Blocks until the display can be used. `mark` is on all of its processes.
    pub(super) fn start(account: &Account, mark: &str) -> Result<Self, NoScreen> {
        let mut secret = vec![0; COOKIE_BYTES];
        getrandom::fill(&mut secret).map_err(|_| NoScreen::Virtual)?;
        let (mut running, stopper) = launch(account, mark, &secret).ok_or(NoScreen::Virtual)?;
        let number = first_line(&mut running).and_then(|line| line.trim().parse().ok()).ok_or(NoScreen::Virtual)?;
        let watch = move || watch(running);
        std::thread::Builder::new().name("display".to_owned()).spawn(watch).map_err(|_| NoScreen::Virtual)?;
        Ok(Self { number, cookie: Cookie(secret), owner: account.uid(), stopper })
    }

    pub(super) fn seat(&self) -> Seat {
        Seat::of(self.number, Some(self.cookie.clone()), self.owner)
    }
}

impl Drop for VirtualDisplay {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

fn launch(account: &Account, mark: &str, secret: &[u8]) -> Option<(Running, Stopper)> {
    // Good for any number, because the server chooses it.
    let cookie: String = authority::file_for(None, secret).iter().map(|byte| format!("\\{byte:03o}")).collect();
    let script = SealedFile::holding(SCRIPT.replace("COOKIE", &cookie).as_bytes()).ok()?;
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = [
        variable("HOME", account.home.to_str()?),
        variable("SHELL", account.shell.to_str()?),
        variable("USER", &account.name),
        variable("LOGNAME", &account.name),
        variable("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"),
        variable("LANG", "C.UTF-8"),
    ];
    let launch = Launch {
        program: Path::new("/bin/sh"),
        interpreter_arguments: &[],
        script: &script,
        arguments: &[],
        environment: &environment,
        account,
        mark,
    };
    Running::launch(&launch).ok()
}

fn first_line(running: &mut Running) -> Option<String> {
    let (mut line, mut buffer, deadline) = (Vec::new(), [0; 64], Instant::now() + START);
    while !line.contains(&b'\n') && line.len() < buffer.len() {
        match running.next(&mut buffer, Some(deadline)).ok()? {
            Activity::Output(Stream::Stdout, count) => line.extend_from_slice(&buffer[..count]),
            // What the server says of itself is for nobody.
            Activity::Output(Stream::Stderr, _) => {}
            Activity::StopAsked | Activity::Deadline | Activity::Ended(_) => return None,
        }
    }
    String::from_utf8(line).ok()
}

/// Reads what programs of the session print, so that none of them waits, until everything is over.
fn watch(mut running: Running) {
    let mut buffer = [0; 4096];
    loop {
        match running.next(&mut buffer, None) {
            Ok(Activity::StopAsked) => running.stop(),
            Ok(Activity::Ended(_)) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
