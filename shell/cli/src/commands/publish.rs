//! `sallyport schedules publish`: choose, look, prove.

use std::collections::BTreeSet;

use clap::Args;
use sallyport_api as api;
use sallyport_api::Variable;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::Screen;
use crate::{clock, lookup, request, say};

use super::devices::{self, Filter};
use super::run::variable;
use super::scripts;

#[derive(Args)]
pub(super) struct Publish {
    /// What to call it.
    name: String,
    /// Name or id of a script of the library; its newest version is published.
    #[arg(long, value_name = "SCRIPT")]
    script: String,
    /// Minute, hour, day of the month, month and day of the week, as in crontab.
    #[arg(long, value_name = "EXPRESSION")]
    cron: String,
    /// IANA name of the time zone.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// Name or id of a device.
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["tag", "customer", "site", "all"])]
    device: Vec<String>,
    /// All approved devices with this tag; one more of them makes the publication void.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// All approved devices of this customer, by name or id; one more of them makes the publication void.
    #[arg(long, value_name = "CUSTOMER", conflicts_with = "site")]
    customer: Option<String>,
    /// All approved devices of this site: name, id, or CUSTOMER/SITE; one more of them makes the publication void.
    #[arg(long, value_name = "SITE")]
    site: Option<String>,
    /// All approved devices; one more of them makes the publication void.
    #[arg(long, conflicts_with_all = ["tag", "customer", "site"])]
    all: bool,
    /// An argument, in order.
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// An environment variable or parameter. Secrets cannot be published.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    environment: Vec<(String, String)>,
    /// The account on the devices [default: root].
    #[arg(long = "as", value_name = "USER")]
    run_as: Option<String>,
    /// End a run after this: 90s, 10m, 1h.
    #[arg(long, value_parser = say::parse_secs, value_name = "TIME")]
    time_limit: Option<u32>,
    /// Begin only in this time of the day: 22:00-04:00.
    #[arg(long, value_name = "FROM-TO", value_parser = window)]
    window: Option<api::MaintenanceWindow>,
    /// Days on which the window begins: mon-fri, or sat,sun [default: every day].
    #[arg(long, value_name = "DAYS", value_parser = days, requires = "window")]
    window_days: Option<Days>,
    /// A device that was off begins at most so much later.
    #[arg(long, value_parser = say::parse_secs, value_name = "TIME", default_value = "1h")]
    late: u32,
    /// Devices begin spread over so much time.
    #[arg(long, value_parser = say::parse_secs, value_name = "TIME", default_value = "0")]
    jitter: u32,
    /// At least so much between two runs on one device.
    #[arg(long, value_parser = say::parse_secs, value_name = "TIME", default_value = "0")]
    gap: u32,
    /// So many devices at once [default: all].
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    at_once: u32,
    /// The publication ends after this.
    #[arg(long = "for", value_parser = say::parse_secs, value_name = "TIME", default_value = "90days")]
    lasts: u32,
    /// Stop this schedule when the new one begins.
    #[arg(long, value_name = "SCHEDULE")]
    replaces: Option<String>,
    #[command(flatten)]
    agreement: Agreement,
}

impl Publish {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let script = lookup::script(client, &self.script)?;
        let details = scripts::details(client, &script, None)?;
        let group = self.group(client)?;
        let targets = self.targets(client, group.as_ref())?;
        let replaces = self.replaces.as_deref().map(|old| super::schedules::find(client, old)).transpose()?;
        let wanted = self.wanted(&details, &targets, (group, replaces.map(|old| old.id.to_string())));
        let preview = || screen.say(format!("Publish {} on {}", one_line(&wanted.name), say::devices(targets.len())));
        let expected = |action: &api::ActionDetails| same(action, (&wanted, &details, &targets));
        let guarded = Guarded { screen, agreement: self.agreement, path: "/v1/schedules", preview: &preview, expected: &expected };
        let result = guarded.carry_out(client, &wanted)?;
        screen.give(&result, |screen| screen.say(format!("Published {}. Look at it with: sallyport schedules", one_line(&wanted.name))));
        Ok(Outcome::Done)
    }

    fn days(&self) -> Vec<String> {
        self.window_days.as_ref().map_or_else(Vec::new, |Days(days)| days.clone())
    }

    /// The rule, where devices are not named one by one.
    fn group(&self, client: &mut Client) -> Result<Option<api::DeviceGroup>, Failure> {
        if !self.device.is_empty() {
            return Ok(None);
        }
        if self.tag.is_none() && self.customer.is_none() && self.site.is_none() && !self.all {
            return Err(Failure::Input("say where: --device, --tag, --customer, --site or --all".to_owned()));
        }
        let customer = self.customer.as_deref().map(|wanted| lookup::customer(client, wanted)).transpose()?;
        let site = self.site.as_deref().map(|wanted| lookup::site(client, wanted)).transpose()?;
        let (customer, site) = (customer.map(|customer| customer.id.to_string()), site.map(|place| place.id));
        Ok(Some(api::DeviceGroup { customer, site, tag: self.tag.clone() }))
    }

    fn targets(&self, client: &mut Client, group: Option<&api::DeviceGroup>) -> Result<Vec<api::Device>, Failure> {
        let found = match group {
            None => lookup::devices(client, &self.device)?,
            Some(group) => {
                let sites = sites_of(client, group)?;
                let tags = group.tag.iter().cloned().collect();
                devices::find(client, &Filter::approved(sites, tags, None))?
            }
        };
        if found.is_empty() { Err(Failure::NothingMatches) } else { Ok(found) }
    }

    fn wanted(
        &self,
        details: &api::ScriptDetails,
        targets: &[api::Device],
        (group, replaces): (Option<api::DeviceGroup>, Option<String>),
    ) -> api::NewSchedule {
        let named = if group.is_some() { &[] } else { targets };
        api::NewSchedule {
            name: self.name.clone(),
            script: details.script.id.to_string(),
            version: details.script.version,
            devices: named.iter().map(|device| device.id.to_string()).collect(),
            group,
            arguments: self.arguments.clone(),
            environment: self.environment.iter().map(|(name, value)| Variable { name: name.clone(), value: value.clone() }).collect(),
            run_as: self.run_as.clone(),
            time_limit_secs: self.time_limit,
            output_limit_bytes: None,
            timing: api::ScheduleTiming {
                cron: self.cron.clone(),
                zone: self.zone.clone(),
                expires: clock::now().plus_secs(i64::from(self.lasts)),
                window: self.window.clone().map(|window| api::MaintenanceWindow { days: self.days(), ..window }),
                late_secs: self.late,
                jitter_secs: self.jitter,
                gap_secs: self.gap,
                at_once: self.at_once,
            },
            replaces,
        }
    }
}

/// Sites that a rule means; none where it means all.
fn sites_of(client: &mut Client, group: &api::DeviceGroup) -> Result<Vec<String>, Failure> {
    match (&group.customer, &group.site) {
        (_, Some(site)) => Ok(vec![site.clone()]),
        (Some(customer), None) => {
            let sites: Vec<String> = lookup::customer(client, customer)?.sites.iter().map(|site| site.id.to_string()).collect();
            if sites.is_empty() { Err(Failure::NothingMatches) } else { Ok(sites) }
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// Nobody proves what they did not ask for.
fn same(
    action: &api::ActionDetails,
    (wanted, script, targets): (&api::NewSchedule, &api::ScriptDetails, &[api::Device]),
) -> Result<(), &'static str> {
    let api::ActionDetails::PublishSchedule(frozen) = action else { return Err("the kind of action") };
    let run = &frozen.run;
    let pairs = |variables: &[Variable]| variables.iter().map(|v| (v.name.clone(), v.value.clone())).collect::<BTreeSet<_>>();
    let ids: BTreeSet<_> = run.targets.devices.iter().map(|device| device.id).collect();
    let plain = |timing: &api::ScheduleTiming| {
        let cron = timing.cron.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        // The end is cut to the minute.
        (
            cron,
            timing.zone.trim().to_owned(),
            timing.expires.secs() / 60,
            timing.late_secs,
            timing.jitter_secs,
            timing.gap_secs,
            timing.at_once,
        )
    };
    let window = |timing: &api::ScheduleTiming| {
        let days = |window: &api::MaintenanceWindow| window.days.iter().cloned().collect::<BTreeSet<_>>();
        timing.window.as_ref().map(|window| (window.from.clone(), window.to.clone(), days(window)))
    };
    let checks = [
        (request::is_whole(run) && run.text == script.text && run.sha256 == script.script.sha256, "the script"),
        (run.interpreter == script.script.interpreter, "the interpreter"),
        (run.run_as == wanted.run_as, "the account"),
        (run.arguments == wanted.arguments, "the arguments"),
        (pairs(&run.environment) == pairs(&wanted.environment) && run.secrets.is_empty(), "the environment"),
        (ids == targets.iter().map(|device| device.id).collect(), "the devices"),
        (plain(&frozen.timing) == plain(&wanted.timing) && window(&frozen.timing) == window(&wanted.timing), "the times"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
}

fn window(text: &str) -> Result<api::MaintenanceWindow, String> {
    let (from, to) = text.split_once('-').ok_or_else(|| "FROM-TO like 22:00-04:00".to_owned())?;
    Ok(api::MaintenanceWindow { from: from.trim().to_owned(), to: to.trim().to_owned(), days: Vec::new() })
}

/// Days of the week, from `sun` to `sat`; all seven are none, as the server shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Days(Vec<String>);

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// `mon-fri`, `sat,sun`, `fri-mon`: ranges go on past Saturday.
fn days(text: &str) -> Result<Days, String> {
    let day = |word: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(word.trim()));
    let unknown = || "days like mon-fri, or sat,sun".to_owned();
    let mut chosen = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first).ok_or_else(unknown)?, day(last).ok_or_else(unknown)?);
        (0..=(last + 7 - first) % 7).for_each(|step| chosen[(first + step) % 7] = true);
    }
    let named = DAYS.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(day, _)| (*day).to_owned()).collect::<Vec<_>>();
    Ok(Days(if named.len() == 7 { Vec::new() } else { named }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_names_lists_and_ranges() {
        let read = |text: &str| days(text).map(|Days(days)| days.join(" "));
        assert_eq!(read("mon-fri"), Ok("mon tue wed thu fri".to_owned()));
        assert_eq!(read("Sat, sun"), Ok("sun sat".to_owned()));
        assert_eq!(read("fri-mon"), Ok("sun mon fri sat".to_owned()));
        assert_eq!(read("sun-sat"), Ok(String::new()), "every day is no choice");
        for text in ["", "monday", "mon-", "1-5"] {
            assert!(days(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn windows_are_two_times() {
        assert_eq!(window("22:00-04:00").map(|window| (window.from, window.to)), Ok(("22:00".to_owned(), "04:00".to_owned())));
        assert!(window("22:00").is_err());
    }
}
