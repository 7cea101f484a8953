//! What is said in a `background` session: processes, services, logs, users and packages of a device.
//!
//! A client numbers its requests. A list comes as any number of `part` messages with the request's id, each within the
//! limit of a control message, and ends with `ok`; what fails ends with `error`. A watch and a followed log go on between
//! `ok` and the client's `stop`.

mod answers;
mod names;

#[cfg(test)]
mod tests;

use sallyport_model::Timestamp;
use serde::{Deserialize, Serialize};

pub use answers::{
    BackgroundAnswer, Done, Failure, Items, LogLine, PackageRow, Part, Port, PortProtocol, ProcessKey, ProcessRow, ServiceDetails,
    ServiceRow, UpdateSource, UserRow,
};
pub use names::{Pattern, UnitName};

/// What a client asks of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "a variant says what its fields are for")]
pub enum BackgroundRequest {
    /// All processes, once.
    Processes { id: u32 },
    /// All processes, and then what changes.
    WatchProcesses { id: u32, every_ms: u32 },
    /// Ends a process, or it and all that it began.
    Signal { id: u32, pid: u32, started: u64, signal: ProcessSignal, tree: Extent },
    /// Changes a process' share of the processor: -20 (most) to 19 (least).
    Priority { id: u32, pid: u32, started: u64, nice: i8 },
    /// All services.
    Services { id: u32 },
    /// One service, with its last log lines.
    Service { id: u32, name: UnitName },
    /// Changes a service, and waits for the outcome.
    ServiceDo { id: u32, name: UnitName, what: ServiceChange },
    /// Log lines: the last ones since `since`, and then new ones.
    Logs { id: u32, unit: Option<UnitName>, priority: Option<u8>, since: Option<Timestamp>, grep: Option<Pattern>, follow: YesNo },
    /// Ends a watch or a followed log; `id` is that of the request that began it.
    Stop { id: u32 },
    /// Who is signed in.
    Users { id: u32 },
    /// Installed packages, those that have `q` in their names.
    Packages { id: u32, q: Option<String> },
}

impl BackgroundRequest {
    /// The client's number for the request.
    pub fn id(&self) -> u32 {
        match self {
            Self::Processes { id }
            | Self::WatchProcesses { id, .. }
            | Self::Signal { id, .. }
            | Self::Priority { id, .. }
            | Self::Services { id }
            | Self::Service { id, .. }
            | Self::ServiceDo { id, .. }
            | Self::Logs { id, .. }
            | Self::Stop { id }
            | Self::Users { id }
            | Self::Packages { id, .. } => *id,
        }
    }
}

/// A switch, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum YesNo {
    /// On.
    Yes,
    /// Off.
    No,
}

/// How a process is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessSignal {
    /// It is asked to end.
    Term,
    /// It ends.
    Kill,
}

/// How far the end of a process reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// It alone.
    One,
    /// It and everything that it began.
    Tree,
}

/// What is done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceChange {
    /// Starts it now.
    Start,
    /// Ends it now.
    Stop,
    /// Ends and starts it now.
    Restart,
    /// Starts it at every start of the machine.
    Enable,
    /// Does not start it by itself any more.
    Disable,
}
