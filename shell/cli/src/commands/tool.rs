//! `sallyport tool`.

use std::ffi::OsString;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::Common;
use crate::failure::{Failure, Outcome};
use crate::tool::{KeyFile, Proxy, Tokens};

/// Between two looks at the command.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Args)]
pub struct Tool {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// Run a command with the API at hand, for as long as it runs.
    ///
    /// The command finds SALLYPORT_URL, an address on this computer, and SALLYPORT_TOKEN, which it shows there as `Authorization: Bearer`. What
    /// comes in there is signed and passed on. The access token and its key stay in this program: they are renewed while the command works,
    /// and revoked when it ends, crashes or is stopped. Ends with the command's own exit code.
    Exec(Exec),
}

#[derive(Args)]
struct Exec {
    /// The API client: the name that its key was made under, or the key's file.
    #[arg(long)]
    client: String,
    /// The command, after --.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Tool {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let What::Exec(exec) = self.what;
        exec.run()
    }
}

impl Exec {
    fn run(self) -> Result<Outcome, Failure> {
        let tokens = Tokens::begin(KeyFile::load(KeyFile::place(&self.client))?)?;
        let server = tokens.server();
        let tokens = Arc::new(Mutex::new(tokens));
        let ended = self.with(&tokens, &server);
        // Whatever became of the command, nothing of its run stays. A token that cannot be revoked closes by itself within a minute.
        if let Err(failure) = tokens.lock().unwrap_or_else(PoisonError::into_inner).revoke() {
            eprintln!("warning: the access token was not revoked, and ends by itself: {failure}");
        }
        ended.map(|status| Outcome::Exit(code_of(status)))
    }

    fn with(&self, tokens: &Arc<Mutex<Tokens>>, server: &str) -> Result<ExitStatus, Failure> {
        let proxy = Proxy::open(Arc::clone(tokens))?;
        let stopped = stops()?;
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).env("SALLYPORT_URL", proxy.url()).env("SALLYPORT_TOKEN", proxy.word());
        command.env("SALLYPORT_SERVER", server);
        // Through a proxy, what is for the loopback would leave this computer in clear.
        for name in ["NO_PROXY", "no_proxy"] {
            let others = std::env::var(name).unwrap_or_default();
            command.env(name, if others.is_empty() { "127.0.0.1".to_owned() } else { format!("{others},127.0.0.1") });
        }
        let failed = |why| Failure::File { path: self.command[0].clone().into(), why };
        let mut child = command.spawn().map_err(failed)?;
        loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                return Ok(status);
            }
            if stopped.swap(false, Ordering::SeqCst)
                && let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
            {
                // It ends in its own way, and is waited for.
                let _ = kill_process(pid, Signal::TERM);
            }
            sleep(LOOK);
        }
    }
}

/// Whether this program was asked to stop: then the command is.
fn stops() -> Result<Arc<AtomicBool>, Failure> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register(signal, Arc::clone(&stopped)).map_err(|why| Failure::Input(why.to_string()))?;
    }
    Ok(stopped)
}

/// As shells say it: 128 and the signal, where one ended the command.
fn code_of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
