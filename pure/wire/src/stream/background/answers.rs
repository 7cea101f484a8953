//! What a device answers: lists in parts, ends, and the rows of each list.

use sallyport_model::Timestamp;
use serde::{Deserialize, Serialize};

/// What a device says in a `background` session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
#[allow(missing_docs, reason = "a variant says what its fields are for")]
pub enum BackgroundAnswer {
    /// A piece of a list.
    Part(Part),
    /// The request is done, or a watch or followed log has begun.
    Ok(Done),
    /// The request failed.
    Error(Failure),
    /// What changed since the last look, for who watches.
    Processes { id: u32, changed: Vec<ProcessRow>, gone: Vec<ProcessKey> },
    /// Log lines, old ones before new ones.
    Log { id: u32, lines: Vec<LogLine> },
}

/// A piece of a list: exactly one of the lists is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The request's number.
    pub id: u32,
    /// The items, under the list's name.
    #[serde(flatten)]
    pub items: Items,
}

/// The lists of a `background` session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Items {
    /// Running processes.
    Processes(Vec<ProcessRow>),
    /// Services.
    Services(Vec<ServiceRow>),
    /// Users who are signed in.
    Users(Vec<UserRow>),
    /// Installed packages.
    Packages(Vec<PackageRow>),
}

/// The end of a request that succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The request's number.
    pub id: u32,
    /// Items of a list that were left out because there were too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u32>,
    /// How many processes were signalled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signalled: Option<u32>,
    /// The service, as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Box<ServiceDetails>>,
    /// Where the list of waiting updates comes from; none where nothing can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<UpdateSource>,
}

/// The end of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The request's number; none when it had none that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// A stable code.
    pub code: String,
    /// For people; from the device's system where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Which process: the number alone may have been given to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessKey {
    /// The number.
    pub pid: u32,
    /// When it began, in the kernel's ticks since the machine started. Opaque to clients.
    pub started: u64,
}

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// The number.
    pub pid: u32,
    /// When it began, in the kernel's ticks since the machine started. Opaque to clients.
    pub started: u64,
    /// When it began.
    pub since: Option<Timestamp>,
    /// The number of the process that it hangs under; 0 for none.
    pub parent: u32,
    /// Whose it is.
    pub user: String,
    /// The program's short name.
    pub name: String,
    /// The command line; empty for the kernel's own processes.
    pub command: String,
    /// Of one processor core, since the last look; since its begin at the first look.
    pub cpu_permille: u32,
    /// Memory that it holds in RAM, in bytes.
    pub memory_bytes: u64,
    /// As in proc(5): `R` running, `S` sleeping, `D` waiting for a disk, `Z` ended and not collected, `T` stopped.
    pub state: char,
    /// -20 (most of the processor) to 19 (least).
    pub nice: i8,
    /// How many threads it has.
    pub threads: u32,
    /// Where it waits for connections.
    pub ports: Vec<Port>,
}

impl ProcessRow {
    /// Which process it is.
    pub fn key(&self) -> ProcessKey {
        ProcessKey { pid: self.pid, started: self.started }
    }
}

/// A port that a process listens on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// `tcp` or `udp`.
    pub proto: PortProtocol,
    /// The address, `::` or `0.0.0.0` for all.
    pub address: std::net::IpAddr,
    /// The number.
    pub port: u16,
}

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortProtocol {
    /// TCP, waiting for connections.
    Tcp,
    /// UDP, bound.
    Udp,
}

impl PortProtocol {
    /// `tcp` or `udp`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// `ssh.service`
    pub name: String,
    /// For people.
    pub description: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`, `maintenance`.
    pub state: String,
    /// `running`, `exited`, `dead`, ...
    pub sub_state: String,
    /// `enabled`, `disabled`, `static`, `masked`, ...; empty when there is no unit file.
    pub start: String,
    /// The main process; 0 for none.
    pub pid: u32,
    /// Memory of all of its processes, where it is counted.
    pub memory_bytes: Option<u64>,
}

/// A service in detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDetails {
    /// What the list says too.
    #[serde(flatten)]
    pub row: ServiceRow,
    /// How it ended the last time: `success`, `exit-code`, `signal`, `timeout`, ...
    pub result: String,
    /// The main process' last exit code.
    pub exit_code: i32,
    /// How often it was started again by itself.
    pub restarts: u32,
    /// Since when it is in its state.
    pub since: Option<Timestamp>,
    /// Where its unit file is.
    pub file: String,
    /// Units that it cannot be without.
    pub requires: Vec<String>,
    /// Units that it would like to have.
    pub wants: Vec<String>,
    /// Units that want or require it.
    pub wanted_by: Vec<String>,
    /// Units that it starts after.
    pub after: Vec<String>,
    /// Its last log lines, oldest first.
    pub log: Vec<LogLine>,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// The unit, or else the program, that wrote it.
    pub unit: String,
    /// 0 (emergency) to 7 (debug), as in syslog.
    pub priority: u8,
    /// What it says.
    pub message: String,
    /// The process that wrote it; 0 where it is not known.
    pub pid: u32,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The account.
    pub name: String,
    /// `pts/0`, `tty1`, `:0`.
    pub terminal: String,
    /// The host that it came from; empty for the machine itself.
    pub origin: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRow {
    /// Its name.
    pub name: String,
    /// The version that is installed.
    pub version: String,
    /// The version that an update would bring.
    pub available: Option<String>,
}

/// Who says which updates wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateSource {
    /// apt's lists, as old as its last update.
    Apt,
    /// dnf's cache, as old as its last refresh.
    Dnf,
}
