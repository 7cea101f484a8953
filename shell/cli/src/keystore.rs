//! The operating system's key store, where this computer has one that we can reach: the Secret Service of a desktop, through `secret-tool`.
//! Everywhere else a key lies in a file that its owner alone reads. Nothing is ever an argument of a program: everybody could read that.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

const PROGRAM: &str = "secret-tool";
/// A key store that is locked asks its person first.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
const SECRET_BYTES: u64 = 4 * 1024;

/// Keeps a secret under a name. None where there is no key store, or it does not give back what it was given.
pub(crate) fn keep(name: &str, secret: &str) -> Option<()> {
    // Without a session bus there is no Secret Service, and nobody whom it could ask.
    std::env::var_os("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty())?;
    let label = format!("--label=Sallyport: the key of {name}");
    run(&["store", &label, "application", "sallyport", "session", name], secret)?;
    (recall(name)?.as_str() == secret).then_some(())
}

/// The secret that is kept under a name.
pub(crate) fn recall(name: &str) -> Option<Zeroizing<String>> {
    run(&["lookup", "application", "sallyport", "session", name], "")
}

/// Forgets it. What cannot be forgotten is of no use: its session is over.
pub(crate) fn forget(name: &str) {
    let _ = run(&["clear", "application", "sallyport", "session", name], "");
}

fn run(line: &[&str], input: &str) -> Option<Zeroizing<String>> {
    let mut command = Command::new(PROGRAM);
    let mut child = command.args(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    // What it is told goes by a pipe that is closed behind it.
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let mut said = Zeroizing::new(String::new());
    let ended = ended(&mut child);
    child.stdout.take()?.take(SECRET_BYTES).read_to_string(&mut said).ok()?;
    ended.then_some(said)
}

fn ended(child: &mut Child) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => sleep(LOOK),
            Err(_) => break,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    false
}
