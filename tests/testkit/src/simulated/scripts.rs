//! Scripts that are not executed. Everything around them is real: by the time one begins, its grant was verified and its id spent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sallyport_agent_core::gate::Claimed;
use sallyport_agent_core::report::RunEnd;
use sallyport_agent_core::runner::{Cancel, CannotRun, RunSink, Runs, StopCause, Stream};
use sallyport_grant::body::{Outcome, RunScript};
use sallyport_model::GrantId;
use tokio::sync::watch;

use super::entropy::choice;

/// How long simulated scripts take, and how they end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// One line, exit code 0, at once.
    AtOnce,
    /// Some lines within a few seconds, and a few devices on which the script fails: for people to look at.
    Lively,
}

/// What a fleet's scripts did, over all of its devices.
#[derive(Debug, Default)]
pub struct Tally {
    begun: AtomicU64,
    doubled: AtomicU64,
    by_grant: Mutex<BTreeMap<GrantId, u64>>,
}

impl Tally {
    /// Scripts that were begun.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Scripts that a device began although it had begun the same grant before.
    pub fn doubled(&self) -> u64 {
        self.doubled.load(Ordering::Relaxed)
    }

    /// Devices that began a grant's script.
    pub fn of(&self, grant: GrantId) -> u64 {
        self.grants().get(&grant).copied().unwrap_or(0)
    }

    fn grants(&self) -> MutexGuard<'_, BTreeMap<GrantId, u64>> {
        self.by_grant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One device's runner.
pub struct SimulatedScripts {
    seed: u64,
    pace: Pace,
    tally: Arc<Tally>,
    /// This device's own book of what it began; kept apart from the journal, which it checks.
    begun: Mutex<Vec<GrantId>>,
}

impl SimulatedScripts {
    /// The runner of the device with this seed.
    pub fn new(seed: u64, pace: Pace, tally: Arc<Tally>) -> Self {
        Self { seed, pace, tally, begun: Mutex::default() }
    }

    fn count(&self, grant: GrantId) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.contains(&grant) {
            self.tally.doubled.fetch_add(1, Ordering::Relaxed);
        }
        begun.push(grant);
        self.tally.begun.fetch_add(1, Ordering::Relaxed);
        *self.tally.grants().entry(grant).or_default() += 1;
    }
}

impl Runs for SimulatedScripts {
    fn check(&self, _: &RunScript) -> Result<(), CannotRun> {
        Ok(())
    }

    fn start(&self, run: Claimed, sink: RunSink) -> Cancel {
        self.count(run.id());
        let (cancel, cancelled) = watch::channel(None);
        let luck = choice(self.seed, &run.id().to_string());
        let pace = self.pace;
        tokio::spawn(async move {
            match pace {
                Pace::AtOnce => end(sink, "simulated\n", &RunEnd::exited(0)),
                Pace::Lively => lively(run, sink, luck, cancelled).await,
            }
        });
        Box::new(move |cause| {
            let _ = cancel.send(Some(cause));
        })
    }

    fn end_leftovers(&self, _: GrantId) {}
}

async fn lively(run: Claimed, mut sink: RunSink, luck: u64, mut cancelled: watch::Receiver<Option<StopCause>>) {
    let lines = 3 + luck % 6;
    let first = format!("[simulated] {} ({} bytes)\n", run.action().name, run.action().script_bytes);
    let _ = sink.output(Stream::Stdout, first.as_bytes());
    for line in 1..=lines {
        let pause = Duration::from_millis(150 + luck.rotate_left(u32::try_from(line).unwrap_or(0)) % 600);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            stopped = cancelled.wait_for(Option::is_some) => {
                let outcome = match stopped.ok().and_then(|cause| *cause) {
                    Some(StopCause::AgentStops) => Outcome::Interrupted,
                    Some(StopCause::Cancelled) | None => Outcome::Cancelled,
                };
                return sink.end(&RunEnd::without_code(outcome, None));
            }
        }
        let _ = sink.output(Stream::Stdout, format!("[simulated] step {line} of {lines}\n").as_bytes());
    }
    if luck.is_multiple_of(23) {
        let _ = sink.output(Stream::Stderr, b"[simulated] no space left on device\n");
        return sink.end(&RunEnd::exited(1));
    }
    end(sink, "[simulated] done\n", &RunEnd::exited(0));
}

fn end(mut sink: RunSink, line: &str, end: &RunEnd) {
    let _ = sink.output(Stream::Stdout, line.as_bytes());
    sink.end(end);
}
