//! What is said in a `background` session: processes, services, logs, users and packages of a device.
//!
//! A client numbers its requests. A list comes as any number of `part` messages with the request's id, each within the
//! limit of a control message, and ends with `ok`; what fails ends with `error`. A watch and a followed log go on between
//! `ok` and the client's `stop`.

use std::fmt;

use sallyport_model::{Timestamp, limits};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// The name of a unit of systemd: `ssh.service`. No pattern and no option of a program can be one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitName(String);

/// What systemd manages (systemd.unit(5)).
const UNIT_TYPES: [&str; 11] = ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

impl UnitName {
    /// Checks a name: `name.type` of letters, digits and `: - _ . \ @`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, kind) = text.rsplit_once('.')?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        let good = UNIT_TYPES.contains(&kind) && !name.is_empty() && !name.starts_with('-');
        (good && text.len() <= limits::UNIT_NAME_BYTES && name.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The checked name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a service.
    pub fn is_service(&self) -> bool {
        self.0.ends_with(".service")
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for UnitName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UnitName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not the name of a unit"))
    }
}

/// A pattern to search log messages for: a regular expression of the device's journal, bounded in length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Checks a pattern: neither empty nor too long, without control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let good = !text.is_empty() && text.len() <= limits::LOG_PATTERN_BYTES && !text.chars().any(char::is_control);
        good.then(|| Self(text.to_owned()))
    }

    /// The checked pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a pattern"))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BackgroundRequest, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn requests_are_read_exactly() {
        let signal = read(r#"{"t":"signal","id":3,"pid":77,"started":123456,"signal":"kill","tree":"tree"}"#).expect("signal");
        let wanted = BackgroundRequest::Signal { id: 3, pid: 77, started: 123_456, signal: ProcessSignal::Kill, tree: Extent::Tree };
        assert_eq!(signal, wanted);
        let logs = read(r#"{"t":"logs","id":4,"unit":null,"priority":3,"since":null,"grep":"fail.*","follow":"yes"}"#).expect("logs");
        assert!(matches!(logs, BackgroundRequest::Logs { id: 4, unit: None, priority: Some(3), follow: YesNo::Yes, .. }));
    }

    #[test]
    fn what_is_not_exactly_a_request_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"t":"processes"}"#,
            r#"{"t":"processes","id":-1}"#,
            r#"{"t":"processes","id":1,"more":1}"#,
            r#"{"t":"processes","id":1,"id":2}"#,
            r#"{"t":"reboot","id":1}"#,
            r#"{"t":"signal","id":1,"pid":1.5,"started":1,"signal":"kill","tree":"one"}"#,
            r#"{"t":"signal","id":1,"pid":1,"started":1,"signal":"hup","tree":"one"}"#,
            r#"{"t":"signal","id":1,"pid":1,"started":1,"signal":"kill","tree":true}"#,
            r#"{"t":"service_do","id":1,"name":"--version","what":"start"}"#,
            r#"{"t":"service_do","id":1,"name":"ssh.service","what":"mask"}"#,
            r#"{"t":"logs","id":1,"unit":null,"priority":null,"since":"yesterday","grep":null,"follow":"no"}"#,
            r#"{"t":"logs","id":1,"unit":null,"priority":null,"since":null,"grep":"","follow":"no"}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_unit_name_is_neither_a_pattern_nor_an_option() {
        for good in ["ssh.service", "getty@tty1.service", "dev-disk-by\\x2duuid.swap", "a.b.service"] {
            assert!(UnitName::parse(good).is_some(), "{good}");
        }
        for bad in [
            "*.service",
            "ssh",
            "",
            ".service",
            "--now.service",
            "-.mount",
            "a b.service",
            "a/b.service",
            "é.service",
            "a.service\n",
            "x.exe",
        ] {
            assert_eq!(UnitName::parse(bad), None, "{bad:?}");
        }
        assert_eq!(UnitName::parse(&format!("{}.service", "a".repeat(255))), None);
    }

    #[test]
    fn answers_are_written_as_documented() {
        let part = BackgroundAnswer::Part(Part { id: 1, items: Items::Packages(Vec::new()) });
        assert_eq!(serde_json::to_string(&part).expect("json"), r#"{"t":"part","id":1,"packages":[]}"#);
        let done = BackgroundAnswer::Ok(Done { id: 2, ..Done::default() });
        assert_eq!(serde_json::to_string(&done).expect("json"), r#"{"t":"ok","id":2}"#);
        assert_eq!(serde_json::from_str::<BackgroundAnswer>(r#"{"t":"part","id":1,"packages":[]}"#).expect("read"), part);
    }
}
