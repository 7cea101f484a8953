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
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["tag", "all"])]
    device: Vec<String>,
    /// All approved devices with this tag; one more of them makes the publication void.
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// All approved devices; one more of them makes the publication void.
    #[arg(long, conflicts_with = "tag")]
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
        let targets = self.targets(client)?;
        let replaces = self.replaces.as_deref().map(|old| super::schedules::find(client, old)).transpose()?;
        let wanted = self.wanted(&details, &targets, replaces.map(|old| old.id.to_string()));
        let preview = || screen.say(format!("Publish {} on {}", one_line(&wanted.name), say::devices(targets.len())));
        let expected = |action: &api::ActionDetails| same(action, (&wanted, &details, &targets));
        let guarded = Guarded { screen, agreement: self.agreement, path: "/v1/schedules", preview: &preview, expected: &expected };
        let result = guarded.carry_out(client, &wanted)?;
        screen.give(&result, |screen| screen.say(format!("Published {}. Look at it with: sallyport schedules", one_line(&wanted.name))));
        Ok(Outcome::Done)
    }

    fn targets(&self, client: &mut Client) -> Result<Vec<api::Device>, Failure> {
        let found = match (&self.tag, self.device.is_empty()) {
            (_, false) => lookup::devices(client, &self.device)?,
            (Some(tag), _) => devices::find(client, &Filter::approved(Vec::new(), vec![tag.clone()], None))?,
            (None, _) if self.all => devices::find(client, &Filter::approved(Vec::new(), Vec::new(), None))?,
            (None, _) => return Err(Failure::Input("say where: --device, --tag or --all".to_owned())),
        };
        if found.is_empty() { Err(Failure::NothingMatches) } else { Ok(found) }
    }

    fn wanted(&self, details: &api::ScriptDetails, targets: &[api::Device], replaces: Option<String>) -> api::NewSchedule {
        let group = self.device.is_empty().then(|| api::DeviceGroup { tag: self.tag.clone(), ..api::DeviceGroup::default() });
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
                window: self.window.clone(),
                late_secs: self.late,
                jitter_secs: self.jitter,
                gap_secs: self.gap,
                at_once: self.at_once,
            },
            replaces,
        }
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
    let window = |timing: &api::ScheduleTiming| timing.window.as_ref().map(|window| (window.from.clone(), window.to.clone()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_two_times() {
        assert_eq!(window("22:00-04:00").map(|window| (window.from, window.to)), Ok(("22:00".to_owned(), "04:00".to_owned())));
        assert!(window("22:00").is_err());
    }
}
