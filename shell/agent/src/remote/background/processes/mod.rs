//! Processes: who runs, what they take, and their end.

mod family;
mod ports;
mod sampler;
mod stat;

use std::time::Duration;

use sallyport_model::limits;
use sallyport_os::{EndSignal, Target, TargetError};
use sallyport_wire::stream::background::{BackgroundAnswer, Done, Extent, Items, Port, ProcessKey, ProcessSignal};

use self::sampler::{Look, Sampler};
use super::answering::{Answering, Trouble, pieces};

/// Between the two looks that a list takes, so that its processor shares are those of this moment.
const GLANCE: Duration = Duration::from_millis(250);
/// A program that forks faster than it is stopped is not chased for ever.
const ROUNDS: usize = 8;

/// Where processes wait for connections: each port with its process and that one's short name.
pub(crate) fn listening() -> Vec<(Port, u32, String)> {
    let sockets = ports::listening();
    let mut found: Vec<(Port, u32, String)> = stat::pids()
        .flat_map(|pid| ports::of(pid, &sockets).into_iter().map(move |port| (port, pid)))
        .map(|(port, pid)| (port, pid, stat::Stat::of(pid).map(|stat| stat.name).unwrap_or_default()))
        .collect();
    found.sort();
    // Workers that share a socket are one listener.
    found.dedup_by(|one, other| one.0 == other.0 && one.2 == other.2);
    found
}

/// All processes, once.
pub(super) async fn list(answering: &Answering) -> Result<(), Trouble> {
    let (sampler, _) = look(Sampler::default()).await?;
    tokio::time::sleep(GLANCE).await;
    let (sampler, _) = look(sampler).await?;
    answering.list(sampler.rows(), Items::Processes).await
}

/// All processes, and then what changed, until somebody stops it.
pub(super) async fn watch(answering: &Answering, every_ms: u32) -> Result<(), Trouble> {
    let every = Duration::from_millis(every_ms.clamp(limits::WATCH_MIN_MILLIS, limits::WATCH_MAX_MILLIS).into());
    let (mut sampler, _) = look(Sampler::default()).await?;
    answering.list(sampler.rows(), Items::Processes).await?;
    loop {
        tokio::time::sleep(every).await;
        let (next, seen) = look(sampler).await?;
        sampler = next;
        tell(answering, seen).await?;
    }
}

async fn tell(answering: &Answering, look: Look) -> Result<(), Trouble> {
    let id = answering.id;
    for gone in pieces(look.gone) {
        answering.say(&BackgroundAnswer::Processes { id, changed: Vec::new(), gone }).await?;
    }
    for changed in pieces(look.changed) {
        answering.say(&BackgroundAnswer::Processes { id, changed, gone: Vec::new() }).await?;
    }
    Ok(())
}

/// Reading /proc takes milliseconds that the agent's one thread has not.
async fn look(mut sampler: Sampler) -> Result<(Sampler, Look), Trouble> {
    let looked = tokio::task::spawn_blocking(move || {
        let look = sampler.look();
        (sampler, look)
    });
    looked.await.map_err(|_| Trouble::code("internal"))
}

/// Ends a process, or it and all that it began.
pub(super) async fn end(answering: &Answering, pid: u32, started: u64, signal: ProcessSignal, tree: Extent) -> Result<(), Trouble> {
    let key = ProcessKey { pid, started };
    let ended = tokio::task::spawn_blocking(move || match tree {
        Extent::One => end_one(key, signal),
        Extent::Tree => end_tree(key, signal),
    });
    let signalled = Some(ended.await.map_err(|_| Trouble::code("internal"))??);
    answering.say(&BackgroundAnswer::Ok(Done { id: answering.id, signalled, ..Done::default() })).await
}

fn end_one(key: ProcessKey, signal: ProcessSignal) -> Result<u32, Trouble> {
    protect(&[key])?;
    sallyport_os::signal(target(key), wanted(signal)).map_err(trouble)?;
    Ok(1)
}

/// Whoever is to be killed is halted first, so that none begins another one behind our back.
fn end_tree(key: ProcessKey, signal: ProcessSignal) -> Result<u32, Trouble> {
    let mut family = members(key)?;
    if signal == ProcessSignal::Kill {
        for _ in 0..ROUNDS {
            family.iter().for_each(|key| drop(sallyport_os::signal(target(*key), EndSignal::Halt)));
            let now = members(key)?;
            let complete = now.len() <= family.len();
            family = now;
            if complete {
                break;
            }
        }
    }
    let told = family.iter().map(|key| sallyport_os::signal(target(*key), wanted(signal)));
    let told: Vec<Result<(), TargetError>> = told.collect();
    match told.into_iter().partition::<Vec<_>, _>(Result::is_ok) {
        (reached, failed) if reached.is_empty() => Err(failed.into_iter().find_map(Result::err).map_or(Trouble::code("gone"), trouble)),
        (reached, _) => Ok(u32::try_from(reached.len()).unwrap_or(u32::MAX)),
    }
}

fn members(key: ProcessKey) -> Result<Vec<ProcessKey>, Trouble> {
    let family = family::of(&stat::all(), key);
    if family.is_empty() {
        return Err(trouble(TargetError::Gone));
    }
    protect(&family)?;
    Ok(family)
}

/// The first process holds the machine together, and without the agent nobody could bring it back.
fn protect(family: &[ProcessKey]) -> Result<(), Trouble> {
    let own = std::process::id();
    match family.iter().find(|key| key.pid == 1 || key.pid == own) {
        Some(key) if key.pid == own => Err(Trouble::code("own_agent")),
        Some(_) => Err(Trouble::code("first_process")),
        None => Ok(()),
    }
}

/// Changes a process' share of the processor.
pub(super) async fn set_priority(answering: &Answering, pid: u32, started: u64, nice: i8) -> Result<(), Trouble> {
    if !(-20..=19).contains(&nice) {
        return Err(Trouble::code("out_of_range"));
    }
    sallyport_os::set_nice(target(ProcessKey { pid, started }), nice.into()).map_err(trouble)?;
    answering.done().await;
    Ok(())
}

fn target(key: ProcessKey) -> Target {
    Target { pid: key.pid, started_ticks: key.started }
}

fn wanted(signal: ProcessSignal) -> EndSignal {
    match signal {
        ProcessSignal::Term => EndSignal::Term,
        ProcessSignal::Kill => EndSignal::Kill,
    }
}

fn trouble(error: TargetError) -> Trouble {
    match error {
        TargetError::Gone => Trouble::code("process_gone"),
        TargetError::Denied => Trouble::code("permission_denied"),
        TargetError::Io(error) => Trouble::said("failed", &error.to_string()),
    }
}
