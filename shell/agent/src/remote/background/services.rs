//! Services of systemd, by `systemctl`: docs/adr says why it is asked and not the bus itself.
//!
//! Names are checked before they come here, so none is an option or a pattern; output is asked for in the form that
//! systemd promises to keep for programs (`show`).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sallyport_model::{AgentText, Timestamp, limits};
use sallyport_wire::stream::background::{BackgroundAnswer, Done, Items, ServiceChange, ServiceDetails, ServiceRow, UnitName};

use super::answering::{Answering, Trouble};
use super::logs;
use super::program::{PATIENCE, ProgramError, Said, ask, words};

/// What the list tells of a service.
const ROW: &str = "--property=Id,Description,LoadState,ActiveState,SubState,UnitFileState,MainPID,MemoryCurrent";
/// What is told of one service.
const DETAILS: &str = "--property=Id,Description,LoadState,ActiveState,SubState,UnitFileState,MainPID,MemoryCurrent,Result,ExecMainStatus,\
    NRestarts,StateChangeTimestamp,FragmentPath,Requires,Requisite,BindsTo,Wants,RequiredBy,WantedBy,After";
/// Units that one list of dependencies names at most.
const UNITS: usize = 100;
/// Log lines that come with a service.
const LOG_LINES: u32 = 30;

/// All services, running or not.
pub(super) async fn list(answering: &Answering) -> Result<(), Trouble> {
    present()?;
    let loaded = said(ask("systemctl", &words(["show", "*.service", "--all", ROW]), PATIENCE).await)?;
    let files = words(["list-unit-files", "--type=service", "--no-legend", "--no-pager", "--plain"]);
    let files = said(ask("systemctl", &files, PATIENCE).await)?;
    answering.list(all(&loaded.output, &files.output), Items::Services).await
}

/// One service, with what it depends on and its last log lines.
pub(super) async fn details(answering: &Answering, name: &UnitName) -> Result<(), Trouble> {
    let mut service = look(name).await?;
    service.log = logs::last(name, LOG_LINES).await.unwrap_or_default();
    fit(&mut service);
    tell(answering, service).await
}

/// Changes a service, waits until that is over, and tells what it is then.
pub(super) async fn change(answering: &Answering, name: &UnitName, what: ServiceChange) -> Result<(), Trouble> {
    if !name.is_service() {
        return Err(Trouble::code("not_a_service"));
    }
    if name.as_str() == crate::unit::UNIT_NAME {
        return Err(Trouble::code("own_agent"));
    }
    look(name).await?;
    let asked = words(["--no-ask-password", "--no-pager", verb(what), name.as_str()]);
    let outcome = match ask("systemctl", &asked, Duration::from_secs(limits::SERVICE_JOB_SECS)).await {
        Err(ProgramError::TimedOut) => return Err(Trouble::code("still_under_way")),
        outcome => said(outcome)?,
    };
    if !outcome.succeeded() {
        return Err(Trouble::said("service_failed", &outcome.complaint));
    }
    tell(answering, look(name).await?).await
}

fn verb(what: ServiceChange) -> &'static str {
    match what {
        ServiceChange::Start => "start",
        ServiceChange::Stop => "stop",
        ServiceChange::Restart => "restart",
        ServiceChange::Enable => "enable",
        ServiceChange::Disable => "disable",
    }
}

async fn tell(answering: &Answering, service: ServiceDetails) -> Result<(), Trouble> {
    let service = Some(Box::new(service));
    answering.say(&BackgroundAnswer::Ok(Done { id: answering.id, service, ..Done::default() })).await
}

async fn look(name: &UnitName) -> Result<ServiceDetails, Trouble> {
    present()?;
    let shown = said(ask("systemctl", &words(["show", DETAILS, name.as_str()]), PATIENCE).await)?;
    let fields = Fields::parse(&shown.output);
    if fields.text("LoadState") == "not-found" {
        return Err(Trouble::code("not_found"));
    }
    fields.details().ok_or_else(|| Trouble::said("failed", &shown.complaint))
}

/// sd_booted(3).
fn present() -> Result<(), Trouble> {
    if Path::new("/run/systemd/system").exists() { Ok(()) } else { Err(Trouble::code("no_service_manager")) }
}

fn said(outcome: Result<Said, ProgramError>) -> Result<Said, Trouble> {
    outcome.map_err(|error| match error {
        ProgramError::Missing => Trouble::code("no_service_manager"),
        ProgramError::TimedOut => Trouble::code("timed_out"),
        ProgramError::Io(error) => Trouble::said("failed", &error.to_string()),
    })
}

/// Loaded services as `show` tells them, and those that are only unit files.
fn all(loaded: &str, files: &str) -> Vec<ServiceRow> {
    let mut found: BTreeMap<String, ServiceRow> = BTreeMap::new();
    for block in loaded.split("\n\n") {
        let fields = Fields::parse(block);
        if fields.text("LoadState") != "not-found" {
            found.extend(fields.row().map(|row| (row.name.clone(), row)));
        }
    }
    for line in files.lines() {
        let mut columns = line.split_ascii_whitespace();
        let (Some(name), Some(start)) = (columns.next(), columns.next()) else { continue };
        // A template is no service before somebody names its instance.
        if !name.contains("@.") && start != "alias" {
            found.entry(name.to_owned()).or_insert_with(|| unloaded(name, start));
        }
    }
    found.into_values().collect()
}

fn unloaded(name: &str, start: &str) -> ServiceRow {
    ServiceRow {
        name: short(name),
        description: String::new(),
        state: "inactive".to_owned(),
        sub_state: "dead".to_owned(),
        start: short(start),
        pid: 0,
        memory_bytes: None,
    }
}

/// `Name=value` lines of one unit.
struct Fields<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn parse(block: &'a str) -> Self {
        Self(block.lines().filter_map(|line| line.split_once('=')).collect())
    }

    fn text(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// `[not set]` where nothing is counted.
    fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.text(name).parse().ok()
    }

    fn units(&self, names: &[&str]) -> Vec<String> {
        let units = names.iter().flat_map(|name| self.text(name).split_ascii_whitespace());
        let mut units: Vec<String> = units.map(short).collect();
        units.sort();
        units.dedup();
        units.truncate(UNITS);
        units
    }

    fn row(&self) -> Option<ServiceRow> {
        let name = self.text("Id");
        (!name.is_empty()).then(|| ServiceRow {
            name: short(name),
            description: short(self.text("Description")),
            state: short(self.text("ActiveState")),
            sub_state: short(self.text("SubState")),
            start: short(self.text("UnitFileState")),
            pid: self.number("MainPID").unwrap_or_default(),
            memory_bytes: self.number("MemoryCurrent").filter(|bytes| *bytes != u64::MAX),
        })
    }

    fn details(&self) -> Option<ServiceDetails> {
        Some(ServiceDetails {
            row: self.row()?,
            result: short(self.text("Result")),
            exit_code: self.number("ExecMainStatus").unwrap_or_default(),
            restarts: self.number("NRestarts").unwrap_or_default(),
            since: moment(self.text("StateChangeTimestamp")),
            file: AgentText::tame(self.text("FragmentPath"), limits::AGENT_TEXT_CHARS).into_string(),
            requires: self.units(&["Requires", "Requisite", "BindsTo"]),
            wants: self.units(&["Wants"]),
            wanted_by: self.units(&["RequiredBy", "WantedBy"]),
            after: self.units(&["After"]),
            log: Vec::new(),
        })
    }
}

/// `Sun 2026-11-22 02:07:11 UTC`, in UTC because the program is told to speak so.
fn moment(text: &str) -> Option<Timestamp> {
    let mut words = text.split_ascii_whitespace().skip(1);
    let (day, time, zone) = (words.next()?, words.next()?, words.next()?);
    (zone == "UTC").then(|| format!("{day}T{time}Z").parse().ok())?
}

fn short(text: &str) -> String {
    AgentText::tame(text, limits::AGENT_NAME_CHARS).into_string()
}

/// Long log lines go first when the answer would be longer than a message may be.
fn fit(service: &mut ServiceDetails) {
    const ROOM: usize = limits::STREAM_PAYLOAD_BYTES - 1024;
    while serde_json::to_vec(service).is_ok_and(|text| text.len() > ROOM) {
        if service.log.is_empty() {
            for units in [&mut service.after, &mut service.wants, &mut service.wanted_by, &mut service.requires] {
                units.truncate(units.len() / 2);
            }
        } else {
            service.log.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use sallyport_wire::stream::background::LogLine;

    use super::*;

    const SHOWN: &str = "MainPID=18\nMemoryCurrent=4096\nId=a.service\nDescription=A = B\nLoadState=loaded\nActiveState=active\n\
        SubState=running\nUnitFileState=enabled\nResult=success\nExecMainStatus=0\nNRestarts=2\n\
        StateChangeTimestamp=Sun 2026-11-22 02:07:11 UTC\nRequires=-.mount sysinit.target\nBindsTo=sysinit.target\nWantedBy=multi-user.target\nAfter=\n";

    #[test]
    fn units_are_read_from_show() {
        let details = Fields::parse(SHOWN).details().expect("details");
        assert_eq!((details.row.description.as_str(), details.row.pid, details.row.memory_bytes), ("A = B", 18, Some(4096)));
        assert_eq!(details.since.map(|at| at.to_string()).as_deref(), Some("2026-11-22T02:07:11.000000Z"));
        assert_eq!(
            (details.requires, details.wanted_by, details.after.len()),
            (vec!["-.mount".to_owned(), "sysinit.target".to_owned()], vec!["multi-user.target".to_owned()], 0)
        );
    }

    #[test]
    fn loaded_ones_and_mere_files_are_one_list() {
        let loaded = format!(
            "{SHOWN}\nId=ghost.service\nLoadState=not-found\n\nMainPID=0\nMemoryCurrent=[not set]\nId=b.service\nLoadState=loaded\n"
        );
        let rows = all(&loaded, "a.service enabled enabled\nc.service disabled enabled\nt@.service static -\nd.service alias -\n");
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["a.service", "b.service", "c.service"]);
        assert_eq!((rows[1].memory_bytes, rows[2].start.as_str(), rows[2].state.as_str()), (None, "disabled", "inactive"));
    }

    #[test]
    fn long_logs_are_cut_from_their_old_end() {
        let mut service = Fields::parse(SHOWN).details().expect("details");
        let line = |pid| LogLine { at: Timestamp::from_secs(0), unit: String::new(), priority: 6, message: "\u{1}".repeat(2000), pid };
        service.log = (0..30).map(line).collect();
        fit(&mut service);
        assert!(serde_json::to_vec(&service).expect("json").len() < limits::STREAM_PAYLOAD_BYTES);
        assert_eq!(service.log.last().map(|line| line.pid), Some(29));
    }
}
