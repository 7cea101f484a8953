//! `sallyport tool`.

use std::ffi::OsString;
use std::io::{PipeReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use sallyport_grant::body::{HostKind, ToolVersion};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::Common;
use crate::failure::{Failure, Outcome};
use crate::screen::{Screen, Tone, remark};
use crate::tool::{HostKey, KeyFile, Program, Proxy, Tokens, Voucher};

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
    /// comes in there is signed and passed on, with conditions (If-Match, If-None-Match) and Idempotency-Key; a header that would change what is
    /// asked and cannot be passed on is refused. The access token and its key stay in this program: they are renewed while the command works,
    /// and revoked when it ends, crashes or is stopped. Ends with the command's own exit code.
    ///
    /// Where the client needs a licence, the command's executable is copied into memory, measured, and executed from there: what lies on the
    /// disk may change meanwhile. This host's key signs what was measured, for each token anew.
    Exec(Exec),
    /// Make this host's key where there is none, and print its public half: a licence names the hosts that a tool may run on.
    ///
    /// With a TPM, by tpm2-tools, the key is inside of it and cannot be copied. Otherwise it is a file that you alone read: root can copy it.
    HostKey(HostKeyWanted),
}

#[derive(Args)]
struct HostKeyWanted {
    /// In the TPM, and nowhere else.
    #[arg(long, conflicts_with = "file")]
    tpm: bool,
    /// In a file, although there is a TPM.
    #[arg(long)]
    file: bool,
    /// Where it is kept [default: sallyport/host-key.json in $XDG_STATE_HOME or ~/.local/state].
    #[arg(long, value_name = "FILE")]
    host_key: Option<PathBuf>,
}

#[derive(Args)]
struct Exec {
    /// The API client: the name that its key was made under, or the key's file.
    #[arg(long)]
    client: String,
    /// The licence, where the client needs one.
    #[arg(long, value_name = "FILE", requires = "tool_version")]
    licence: Option<PathBuf>,
    /// The tool's version, as its licence has it: 2.14.0. Nobody measures it; the executable is measured.
    #[arg(long, value_name = "VERSION", requires = "licence", value_parser = version)]
    tool_version: Option<ToolVersion>,
    /// Which of the command's arguments is a script that is measured too, and given to it from memory.
    #[arg(long, value_name = "FILE", requires = "licence")]
    script: Option<PathBuf>,
    /// This host's key [default: as `sallyport tool host-key` makes it].
    #[arg(long, value_name = "FILE", requires = "licence")]
    host_key: Option<PathBuf>,
    /// Hand the word over on a descriptor, whose number is in SALLYPORT_TOKEN_FD, and not as SALLYPORT_TOKEN: so it is in no environment.
    #[arg(long)]
    token_fd: bool,
    /// The command, after --.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

impl Tool {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        match self.what {
            What::Exec(exec) => exec.run(),
            What::HostKey(wanted) => wanted.run(self.common.screen()),
        }
    }
}

fn version(text: &str) -> Result<ToolVersion, String> {
    ToolVersion::parse(text).map_err(|error| error.to_string())
}

impl HostKeyWanted {
    fn run(self, screen: Screen) -> Result<Outcome, Failure> {
        let path = HostKey::place(self.host_key);
        let wanted = match (self.tpm, self.file) {
            (true, _) => Some(HostKind::Tpm),
            (_, true) => Some(HostKind::File),
            _ => None,
        };
        let key = if path.exists() { HostKey::load(&path)? } else { HostKey::make(&path, wanted)? };
        if wanted.is_some_and(|wanted| wanted != key.kind()) {
            return Err(Failure::Content { path, why: "this host has a key of the other kind: move it away to make another one" });
        }
        screen.give(&json!({ "kind": key.kind(), "key": key.text() }), |screen| {
            screen.say(format!("{}:{}", key.kind().as_str(), key.text()));
            screen.say_in(
                Tone::Quiet,
                match key.kind() {
                    HostKind::Tpm => format!("The private half is in this machine's TPM; what loads it there is in {}.", path.display()),
                    HostKind::File => format!("The private half is in {}, for you alone; root can copy it.", path.display()),
                },
            );
        });
        Ok(Outcome::Done)
    }
}

impl Exec {
    fn run(self) -> Result<Outcome, Failure> {
        let program = self.licence.is_some().then(|| Program::seal(&self.command, self.script.as_deref())).transpose()?;
        let voucher = program.as_ref().map(|program| self.voucher(program)).transpose()?;
        let tokens = Tokens::begin(KeyFile::load(KeyFile::place(&self.client))?, voucher)?;
        let server = tokens.server();
        let tokens = Arc::new(Mutex::new(tokens));
        let ended = self.with(&tokens, &server, program.as_ref());
        // Whatever became of the command, nothing of its run stays. A token that cannot be revoked closes by itself within a minute.
        if let Err(failure) = tokens.lock().unwrap_or_else(PoisonError::into_inner).revoke() {
            remark(format!("warning: the access token was not revoked, and ends by itself: {failure}"));
        }
        ended.map(|status| Outcome::Exit(code_of(status)))
    }

    fn voucher(&self, program: &Program) -> Result<Voucher, Failure> {
        let (Some(licence), Some(version)) = (&self.licence, &self.tool_version) else {
            return Err(Failure::Input("--licence and --tool-version belong together".to_owned()));
        };
        let host = HostKey::load(&HostKey::place(self.host_key.clone()))?;
        Voucher::new(licence, host, program, version.clone())
    }

    fn with(&self, tokens: &Arc<Mutex<Tokens>>, server: &str, program: Option<&Program>) -> Result<ExitStatus, Failure> {
        let proxy = Proxy::open(Arc::clone(tokens))?;
        let stopped = stops()?;
        let mut command = match program {
            Some(program) => program.command(&self.command)?,
            None => plain(&self.command),
        };
        command.env("SALLYPORT_URL", proxy.url()).env("SALLYPORT_SERVER", server);
        let handed = self.hands(&mut command, proxy.word())?;
        // Through a proxy, what is for the loopback would leave this computer in clear.
        for name in ["NO_PROXY", "no_proxy"] {
            let others = std::env::var(name).unwrap_or_default();
            command.env(name, if others.is_empty() { "127.0.0.1".to_owned() } else { format!("{others},127.0.0.1") });
        }
        let failed = |why| Failure::File { path: self.command[0].clone().into(), why };
        let mut child = command.spawn().map_err(failed)?;
        drop(handed);
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

impl Exec {
    /// Hands the word over; what is answered must stay open until the command has begun.
    fn hands(&self, command: &mut Command, word: &str) -> Result<Option<PipeReader>, Failure> {
        if !self.token_fd {
            command.env("SALLYPORT_TOKEN", word);
            return Ok(None);
        }
        let failed = |why: std::io::Error| Failure::Input(format!("no pipe for the word: {why}"));
        let (reader, mut writer) = std::io::pipe().map_err(failed)?;
        writer.write_all(word.as_bytes()).map_err(failed)?;
        fcntl_setfd(&reader, FdFlags::empty()).map_err(|why| failed(why.into()))?;
        command.env_remove("SALLYPORT_TOKEN").env("SALLYPORT_TOKEN_FD", reader.as_raw_fd().to_string());
        Ok(Some(reader))
    }
}

fn plain(words: &[OsString]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
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
