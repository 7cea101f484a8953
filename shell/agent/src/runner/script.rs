//! The real runner: one thread per run, which hears the script, keeps its limits and stores its output.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sallyport_grant::body::{Interpreter, Outcome, RunScript};
use sallyport_grant::sha256;
use sallyport_model::GrantId;
use sallyport_os::{Account, AccountError, Activity, Ending, Launch, LaunchError, Running, Stopper, find_program};
use zeroize::Zeroize;

use super::collect::{Collector, Stopped};
use super::{Cancel, CannotRun, RunSink, Runs, StopCause};
use crate::gate::Claimed;
use crate::journal::JournalError;
use crate::report::RunEnd;

const THREAD_STACK_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 32 * 1024;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs scripts as processes of this machine.
#[derive(Debug, Clone)]
pub struct ScriptRunner {
    /// Tells the processes of this agent from those of another one on the same machine, which may obey the same grant.
    place: String,
}

impl ScriptRunner {
    /// The runner of the agent that keeps its state in this folder.
    pub fn of(state: &Path) -> Self {
        Self { place: sha256(&[state.as_os_str().as_encoded_bytes()]).to_string()[..16].to_owned() }
    }

    /// What marks all processes of a run.
    fn mark(&self, grant: GrantId) -> String {
        format!("{grant}@{}", self.place)
    }
}

impl Runs for ScriptRunner {
    fn check(&self, action: &RunScript) -> Result<(), CannotRun> {
        program(action.interpreter)?;
        account(action).map(|_| ())
    }

    fn start(&self, run: Claimed, sink: RunSink) -> Cancel {
        match launch(&run, &self.mark(run.id())) {
            Ok((running, stopper)) => follow(run, running, stopper, sink),
            Err(reason) => {
                sink.end(&RunEnd::without_code(Outcome::Refused, Some(reason)));
                Box::new(|_| {})
            }
        }
    }

    fn end_leftovers(&self, grant: GrantId) {
        sallyport_os::end_marked(&self.mark(grant));
    }
}

fn program(interpreter: Interpreter) -> Result<PathBuf, CannotRun> {
    let name = match interpreter {
        Interpreter::Bash => "bash",
        Interpreter::Sh => "sh",
        Interpreter::Python3 => "python3",
        Interpreter::Pwsh => "pwsh",
    };
    find_program(name).ok_or(CannotRun::InterpreterMissing)
}

fn interpreter_arguments(interpreter: Interpreter) -> &'static [&'static str] {
    match interpreter {
        Interpreter::Bash | Interpreter::Sh | Interpreter::Python3 => &[],
        Interpreter::Pwsh => &["-NoProfile", "-NonInteractive", "-File"],
    }
}

fn account(action: &RunScript) -> Result<Account, CannotRun> {
    let found = action.run_as.as_ref().map_or_else(Account::own, |name| Account::named(name.as_str()));
    let account = found.map_err(|error| match error {
        AccountError::Unknown | AccountError::Unreadable => CannotRun::AccountUnknown,
    })?;
    if account.is_own() || sallyport_os::machine::is_privileged() { Ok(account) } else { Err(CannotRun::AccountNotPermitted) }
}

fn launch(run: &Claimed, mark: &str) -> Result<(Running, Stopper), &'static str> {
    let action = run.action();
    let program = program(action.interpreter).map_err(CannotRun::code)?;
    let account = account(action).map_err(CannotRun::code)?;
    let mut environment = environment(run, &account);
    let launched = Running::launch(&Launch {
        program: &program,
        interpreter_arguments: interpreter_arguments(action.interpreter),
        script: run.script(),
        arguments: &action.arguments,
        environment: &environment,
        account: &account,
        mark,
    });
    environment.iter_mut().for_each(|(_, value)| value.zeroize());
    launched.map_err(|error| match error {
        LaunchError::NotPermitted => "account_not_permitted",
        LaunchError::Io(_) => "start_failed",
    })
}

/// A small fixed environment, then the grant's variables, then its secrets.
fn environment(run: &Claimed, account: &Account) -> Vec<(String, String)> {
    let home = account.home.to_string_lossy();
    let shell = account.shell.to_string_lossy();
    let fixed = [
        ("PATH", PATH),
        ("HOME", &home),
        ("SHELL", &shell),
        ("USER", &account.name),
        ("LOGNAME", &account.name),
        ("LANG", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "1"),
    ];
    let action = run.action();
    let given = action.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let secrets = action.secrets.iter().zip(run.secrets());
    // The gate lets only secrets pass that are text.
    let secrets = secrets.map(|(named, value)| (named.name.as_str(), std::str::from_utf8(value.as_bytes()).unwrap_or_default()));
    fixed.into_iter().chain(given).chain(secrets).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A thread that cannot be made drops what it was to own: the script is killed, and the sink says that it was interrupted.
fn follow(run: Claimed, running: Running, stopper: Stopper, sink: RunSink) -> Cancel {
    let thread = std::thread::Builder::new().name("run".to_owned()).stack_size(THREAD_STACK_BYTES);
    let agent_stops = Arc::new(AtomicBool::new(false));
    let told = agent_stops.clone();
    let spawned = thread.spawn(move || Follower::new(&run, running, sink, told).follow());
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread for a run");
    }
    Box::new(move |cause| {
        agent_stops.store(cause == StopCause::AgentStops, Ordering::SeqCst);
        stopper.stop();
    })
}

/// Follows one script to its end.
struct Follower {
    running: Running,
    sink: RunSink,
    collector: Collector,
    deadline: Instant,
    cause: Option<Cause>,
    agent_stops: Arc<AtomicBool>,
}

/// Why a script was stopped; the first reason counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Cancelled,
    AgentStops,
    TimeLimit,
    OutputLimit,
    DiskFull,
    JournalFailed,
}

impl Follower {
    fn new(run: &Claimed, running: Running, sink: RunSink, agent_stops: Arc<AtomicBool>) -> Self {
        let action = run.action();
        let deadline = Instant::now() + Duration::from_secs(u64::from(action.time_limit_secs));
        let collector = Collector::new(run.secrets(), action.output_limit_bytes);
        Self { running, sink, collector, deadline, cause: None, agent_stops }
    }

    fn follow(mut self) {
        let mut buffer = vec![0; READ_BYTES];
        let ending = loop {
            let wake = self.collector.due().map_or(self.deadline, |due| due.min(self.deadline));
            match self.running.next(&mut buffer, Some(wake)) {
                Ok(Activity::Output(stream, read)) => {
                    if self.keeps_output() {
                        let taken = self.collector.take(stream, &buffer[..read], &mut self.sink);
                        self.note(taken);
                    }
                }
                Ok(Activity::StopAsked) => self.stop_asked(),
                Ok(Activity::Deadline) => self.deadline_passed(),
                Ok(Activity::Ended(ending)) => break Some(ending),
                Err(error) => {
                    tracing::error!(%error, "lost sight of a script");
                    break None;
                }
            }
        };
        self.end(ending);
    }

    /// A script that was cancelled may still say so; one that wrote too much may not.
    fn keeps_output(&self) -> bool {
        matches!(self.cause, None | Some(Cause::Cancelled | Cause::AgentStops | Cause::TimeLimit))
    }

    fn stop_asked(&mut self) {
        let agent_stops = self.agent_stops.load(Ordering::SeqCst);
        self.stop(if agent_stops { Cause::AgentStops } else { Cause::Cancelled });
    }

    fn deadline_passed(&mut self) {
        if Instant::now() >= self.deadline {
            self.stop(Cause::TimeLimit);
        } else {
            let flushed = self.collector.flush(&mut self.sink);
            self.note(flushed);
        }
    }

    fn note(&mut self, taken: Result<(), Stopped>) {
        match taken {
            Ok(()) => {}
            Err(Stopped::Limit) => self.stop(Cause::OutputLimit),
            Err(Stopped::Journal(JournalError::Full)) => self.stop(Cause::DiskFull),
            Err(Stopped::Journal(JournalError::Io(error))) => {
                tracing::error!(%error, "the output of a run cannot be stored");
                self.stop(Cause::JournalFailed);
            }
        }
    }

    fn stop(&mut self, cause: Cause) {
        self.cause = Some(match self.cause {
            // Too much output after a cancellation does not make it another end.
            Some(first) => first,
            None => cause,
        });
        self.running.stop();
    }

    fn end(mut self, ending: Option<Ending>) {
        if self.keeps_output() {
            let finished = self.collector.finish(&mut self.sink);
            self.note(finished);
        }
        let end = run_end(self.cause, ending);
        // Whatever is left of the script is killed before its end is reported.
        drop(self.running);
        self.sink.end(&end);
    }
}

fn run_end(cause: Option<Cause>, ending: Option<Ending>) -> RunEnd {
    let (exit_code, signal) = match ending {
        Some(Ending::Exited(code)) => (Some(code), None),
        Some(Ending::Signalled(signal)) => (None, Some(signal)),
        Some(Ending::Unkillable) | None => (None, None),
    };
    let (outcome, reason) = match (cause, ending) {
        (None, Some(Ending::Exited(_) | Ending::Signalled(_))) => (Outcome::Finished, None),
        (None, _) => (Outcome::Interrupted, Some("lost_sight")),
        (Some(Cause::Cancelled), _) => (Outcome::Cancelled, None),
        (Some(Cause::AgentStops), _) => (Outcome::Interrupted, Some("agent_stopped")),
        (Some(Cause::TimeLimit), _) => (Outcome::TimedOut, None),
        (Some(Cause::OutputLimit), _) => (Outcome::OutputLimit, None),
        (Some(Cause::DiskFull), _) => (Outcome::OutputLimit, Some("disk_full")),
        (Some(Cause::JournalFailed), _) => (Outcome::Interrupted, Some("journal_failed")),
    };
    let stuck = (ending == Some(Ending::Unkillable)).then_some("unkillable");
    RunEnd { outcome, exit_code, signal, reason: stuck.or(reason) }
}

#[cfg(test)]
mod tests;
