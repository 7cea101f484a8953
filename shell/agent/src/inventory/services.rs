//! Services, where systemd runs; other init systems have no common list.

use std::collections::BTreeMap;
use std::path::Path;

use sallyport_wire::{Service, ServiceStart, ServiceState};

use super::text::output_of;
use super::{long, short};

pub(super) fn all() -> Vec<Service> {
    if !Path::new("/run/systemd/system").exists() {
        return Vec::new();
    }
    let starts = parse_unit_files(&output_of("systemctl", &["list-unit-files", "--type=service", "--no-legend", "--no-pager", "--plain"]));
    let units = output_of("systemctl", &["list-units", "--type=service", "--all", "--no-legend", "--no-pager", "--plain", "--full"]);
    parse_units(&units, &starts)
}

/// Lines of unit, load, active, sub and description.
pub(super) fn parse_units(text: &str, starts: &BTreeMap<String, ServiceStart>) -> Vec<Service> {
    let service = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (name, load, active, sub) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let description = fields.collect::<Vec<_>>().join(" ");
        (load != "not-found").then(|| Service {
            name: short(name),
            description: long(&description),
            state: state(active, sub),
            start: starts.get(name).copied().unwrap_or(ServiceStart::Other),
        })
    };
    text.lines().filter_map(service).collect()
}

fn state(active: &str, sub: &str) -> ServiceState {
    match (active, sub) {
        ("active", "running") => ServiceState::Running,
        ("failed", _) => ServiceState::Failed,
        ("inactive", _) | ("active", "exited") => ServiceState::Stopped,
        ("activating" | "deactivating" | "reloading", _) => ServiceState::Changing,
        _ => ServiceState::Other,
    }
}

/// Lines of unit file and state.
pub(super) fn parse_unit_files(text: &str) -> BTreeMap<String, ServiceStart> {
    let start = |state: &str| match state {
        "enabled" | "enabled-runtime" | "generated" => ServiceStart::Automatic,
        "static" | "indirect" | "transient" | "alias" => ServiceStart::Manual,
        "disabled" | "masked" | "masked-runtime" => ServiceStart::Disabled,
        _ => ServiceStart::Other,
    };
    let entry = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        Some((fields.next()?.to_owned(), start(fields.next()?)))
    };
    text.lines().filter_map(entry).collect()
}
