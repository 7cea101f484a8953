//! `sallyport devices`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use sallyport_api as api;
use ureq::http::Method;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded, tell_changed};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

#[derive(Args)]
pub struct Devices {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Default, PartialEq)]
pub(crate) struct Filter {
    /// online, offline, pending, approved, quarantined, attention or removed.
    #[arg(long, value_name = "STATE")]
    state: Vec<String>,
    /// Name or id of a site, or CUSTOMER/SITE.
    #[arg(long, value_name = "SITE")]
    site: Vec<String>,
    /// A label.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Words that name, system, place, labels or signed-in users have.
    #[arg(long, value_name = "WORDS")]
    q: Option<String>,
    /// Part of the operating system's name.
    #[arg(long, value_name = "TEXT")]
    os: Vec<String>,
    #[command(flatten)]
    having: Having,
    /// name, last_seen, state, site or os; a minus before it turns the order round.
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Show at most this many.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// What devices have, as they said last.
#[derive(Args, Default, Clone, PartialEq)]
pub(crate) struct Having {
    /// A package: nginx, nginx<1.25, openssl>=3.0.
    #[arg(long, value_name = "PACKAGE")]
    software: Vec<String>,
    /// A program that runs.
    #[arg(long, value_name = "NAME")]
    process: Vec<String>,
    /// A service, running or not.
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// A port that is listened on, by its number or its program.
    #[arg(long, value_name = "PORT")]
    port: Vec<String>,
}

impl Having {
    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Subcommand)]
enum What {
    /// Show one device in full.
    Show {
        /// Name or id.
        device: String,
        /// Its inventory too.
        #[arg(long)]
        inventory: bool,
    },
    /// Let pending devices receive work.
    Approve {
        /// Names or ids.
        #[arg(required_unless_present = "all_pending", conflicts_with = "all_pending")]
        devices: Vec<String>,
        /// All that wait now.
        #[arg(long)]
        all_pending: bool,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Stop managing devices.
    Remove {
        /// Names or ids.
        #[arg(required = true)]
        devices: Vec<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Change the labels of devices.
    Tag {
        /// Names or ids.
        #[arg(required = true)]
        devices: Vec<String>,
        /// Add a label.
        #[arg(long, value_name = "TAG")]
        add: Vec<String>,
        /// Take a label away.
        #[arg(long, value_name = "TAG")]
        remove: Vec<String>,
    },
}

impl Devices {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None => list(&mut client, screen, &self.filter),
            Some(_) if self.filter != Filter::default() => {
                Err(Failure::Input("options that choose devices are for the list alone".to_owned()))
            }
            Some(What::Show { device, inventory }) => show(&mut client, screen, &device, inventory.then_some(Inventory)),
            Some(What::Approve { devices, all_pending, agreement }) => {
                let wanted = if all_pending { pending(&mut client)? } else { lookup::devices(&mut client, &devices)? };
                change(&mut client, screen, agreement, Change::Approve, &wanted)
            }
            Some(What::Remove { devices, agreement }) => {
                let wanted = lookup::devices(&mut client, &devices)?;
                change(&mut client, screen, agreement, Change::Remove, &wanted)
            }
            Some(What::Tag { devices, add, remove }) => tag(&mut client, screen, &devices, &Labels { add, remove }),
        }
    }
}

/// Devices that a filter finds.
pub(crate) fn find(client: &mut Client, filter: &Filter) -> Result<Vec<api::Device>, Failure> {
    let mut query =
        Query::default().with("limit", "1000").with_all("state", &filter.state).with_all("tag", &filter.tag).with_all("os", &filter.os);
    query = query.with_some("q", filter.q.as_deref()).with_some("sort", filter.sort.as_deref());
    let Having { software, process, service, port } = &filter.having;
    for (name, values) in [("software", software), ("process", process), ("service", service), ("port", port)] {
        query = query.with_all(name, values);
    }
    for site in &filter.site {
        query = query.with("site", &lookup::site(client, site)?.id);
    }
    client.read_up_to("/v1/devices", &query, filter.limit.unwrap_or(usize::MAX))
}

impl Filter {
    /// Devices that may be given work.
    pub(crate) fn approved(site: Vec<String>, tag: Vec<String>, q: Option<String>) -> Self {
        Self { state: vec!["approved".to_owned()], site, tag, q, ..Self::default() }
    }

    /// Only those that have this, too.
    pub(crate) fn with(self, having: Having) -> Self {
        Self { having, ..self }
    }
}

fn list(client: &mut Client, screen: Screen, filter: &Filter) -> Result<Outcome, Failure> {
    let devices = find(client, filter)?;
    let now = clock::now();
    screen.give(&devices, |screen| {
        let rows = devices.iter().map(|device| {
            let (word, tone) = standing(device);
            vec![
                Word::new(&device.name),
                Word::toned(word, tone),
                Word::new(format!("{} / {}", device.customer_name, device.site_name)),
                Word::new(&device.os),
                Word::new(device.tags.join(" ")),
                Word::toned(if device.online { "now".to_owned() } else { say::relative_or_dash(device.last_seen, now) }, Tone::Quiet),
                Word::toned(device.id.to_string(), Tone::Quiet),
            ]
        });
        let empty = "No such devices. New ones come by an installer: `sallyport installers create`.";
        screen.list(&["NAME", "STATE", "PLACE", "SYSTEM", "TAGS", "SEEN", "ID"], rows.collect(), empty);
        if !devices.is_empty() {
            screen.say_in(Tone::Quiet, say::devices(devices.len()));
        }
    });
    Ok(Outcome::Done)
}

fn standing(device: &api::Device) -> (&'static str, Tone) {
    match device.state {
        api::DeviceState::Pending => ("pending", Tone::Waiting),
        api::DeviceState::Quarantined => ("quarantined", Tone::Bad),
        api::DeviceState::Removed => ("removed", Tone::Quiet),
        api::DeviceState::Approved if device.online => ("online", Tone::Good),
        api::DeviceState::Approved => ("offline", Tone::Quiet),
    }
}

struct Inventory;

fn show(client: &mut Client, screen: Screen, wanted: &str, inventory: Option<Inventory>) -> Result<Outcome, Failure> {
    let device = lookup::device(client, wanted)?;
    let details: api::DeviceDetails = client.read(&format!("/v1/devices/{}", device.id))?;
    let inventory: Option<api::Inventory> = match inventory {
        Some(Inventory) => Some(client.read(&format!("/v1/devices/{}/inventory", device.id))?),
        None => None,
    };
    let document = serde_json::json!({ "details": details, "inventory": inventory });
    screen.give(&document, |screen| {
        tell(screen, &details);
        if let Some(inventory) = &inventory {
            tell_inventory(screen, inventory);
        }
    });
    Ok(Outcome::Done)
}

fn tell(screen: Screen, details: &api::DeviceDetails) {
    let (device, now) = (&details.device, clock::now());
    let (word, tone) = standing(device);
    let figures = details.figures.as_ref().map_or_else(String::new, |figures| {
        let memory = format!("{} of {}", say::bytes(figures.memory_used), say::bytes(figures.memory_total));
        format!(
            "load {}.{:02}, memory {memory}, up {}",
            figures.load_milli / 1000,
            figures.load_milli % 1000 / 10,
            say::length(figures.uptime_secs.cast_signed())
        )
    });
    let approved = details.approved.map_or_else(String::new, |at| {
        format!("{} by {}", say::relative(at, now), one_line(details.approved_by.as_deref().unwrap_or("somebody")))
    });
    screen.facts(&[
        ("name", one_line(&device.name)),
        ("id", device.id.to_string()),
        ("state", screen.painted(tone, word)),
        ("place", one_line(&format!("{} / {}", device.customer_name, device.site_name))),
        ("system", one_line(&device.os)),
        ("signed in", one_line(&device.signed_in.join(", "))),
        ("tags", one_line(&device.tags.join(" "))),
        ("alerts", screen.painted(Tone::Bad, &one_line(&device.alerts.join("; ")))),
        ("now", figures),
        ("last seen", say::relative_or_dash(device.last_seen, now)),
        ("agent", one_line(&details.agent_version)),
        ("key", one_line(&details.thumbprint)),
        ("enrolled", format!("{} from {}", say::relative(details.enrolled, now), one_line(&details.enrolled_from))),
        ("approved", approved),
        ("inventory", say::relative_or_dash(details.inventory_at, now)),
    ]);
}

fn tell_inventory(screen: Screen, inventory: &api::Inventory) {
    let hardware = &inventory.hardware;
    screen.say("");
    screen.facts(&[
        ("kernel", one_line(&format!("{} {}", inventory.kernel, inventory.arch))),
        ("processor", one_line(&format!("{}, {} cores", hardware.cpu, hardware.cores))),
        ("memory", say::bytes(hardware.memory)),
        ("machine", one_line(&format!("{} {} {}", hardware.vendor, hardware.product, hardware.virtualization))),
        ("software", format!("{} packages", inventory.software.len())),
        ("processes", inventory.processes.len().to_string()),
        ("services", inventory.services.len().to_string()),
    ]);
    let disks = inventory.disks.iter().map(|disk| {
        vec![Word::new(&disk.mount), Word::new(&disk.filesystem), Word::new(say::bytes(disk.total)), Word::new(say::bytes(disk.free))]
    });
    screen.table(&["MOUNT", "KIND", "SIZE", "FREE"], disks.collect());
    let network = inventory
        .network
        .iter()
        .map(|interface| vec![Word::new(&interface.name), Word::new(&interface.mac), Word::new(interface.addresses.join(" "))]);
    screen.table(&["INTERFACE", "ADDRESS", "NETWORK"], network.collect());
}

fn pending(client: &mut Client) -> Result<Vec<api::Device>, Failure> {
    find(client, &Filter { state: vec!["pending".to_owned()], ..Filter::default() })
}

#[derive(Clone, Copy)]
enum Change {
    Approve,
    Remove,
}

fn change(client: &mut Client, screen: Screen, agreement: Agreement, change: Change, devices: &[api::Device]) -> Result<Outcome, Failure> {
    if devices.is_empty() {
        return Err(Failure::NothingMatches);
    }
    let ids: BTreeSet<String> = devices.iter().map(|device| device.id.to_string()).collect();
    let names: Vec<String> = devices.iter().map(|device| device.name.clone()).collect();
    let (path, verb) = match change {
        Change::Approve => ("/v1/devices/approve", "Approve"),
        Change::Remove => ("/v1/devices/remove", "Remove"),
    };
    let expected = |action: &api::ActionDetails| match (change, action) {
        (Change::Approve, api::ActionDetails::ApproveDevices(targets)) | (Change::Remove, api::ActionDetails::RemoveDevices(targets)) => {
            let frozen: BTreeSet<String> = targets.devices.iter().map(|device| device.id.to_string()).collect();
            if frozen == ids { Ok(()) } else { Err("the devices") }
        }
        _ => Err("the kind of action"),
    };
    let preview = || screen.say(format!("{verb} {}: {}", say::devices(names.len()), say::names(&names, 20)));
    let body = api::Devices { devices: ids.iter().cloned().collect() };
    let result = Guarded { screen, agreement, path, preview: &preview, expected: &expected }.carry_out(client, &body)?;
    tell_changed(screen, &result, &format!("{verb}d"));
    Ok(Outcome::Done)
}

struct Labels {
    add: Vec<String>,
    remove: Vec<String>,
}

fn tag(client: &mut Client, screen: Screen, wanted: &[String], labels: &Labels) -> Result<Outcome, Failure> {
    if labels.add.is_empty() && labels.remove.is_empty() {
        return Err(Failure::Input("name labels with --add or --remove".to_owned()));
    }
    let devices = lookup::devices(client, wanted)?;
    let mut changed: Vec<api::Device> = Vec::with_capacity(devices.len());
    for device in devices {
        let mut tags: BTreeSet<String> = device.tags.into_iter().filter(|tag| !labels.remove.contains(tag)).collect();
        tags.extend(labels.add.iter().cloned());
        let body = api::SetTags { tags: tags.into_iter().collect() };
        changed.push(client.change(Method::PUT, &format!("/v1/devices/{}/tags", device.id), &body)?);
    }
    screen.give(&changed, |screen| {
        for device in &changed {
            screen.say(format!("{}: {}", one_line(&device.name), one_line(&device.tags.join(" "))));
        }
    });
    Ok(Outcome::Done)
}
