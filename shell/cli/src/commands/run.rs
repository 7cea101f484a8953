//! `sallyport run`: choose, look, prove, follow.

use std::collections::BTreeSet;

use clap::Args;
use sallyport_api as api;
use sallyport_api::Variable;
use sallyport_model::limits;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::request;
use crate::safe::one_line;
use crate::screen::Screen;
use crate::{Common, ask, lookup, say};

use super::devices::{self, Filter, Having};
use super::secrets::SecretFrom;
use super::{follow, scripts};

#[derive(Args)]
pub struct Run {
    /// Name or id of a script of the library.
    script: String,
    /// An older version of it.
    #[arg(long = "script-version", id = "script_version", value_name = "NUMBER")]
    version: Option<u32>,
    #[command(flatten)]
    targets: Targets,
    /// An argument, in order.
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// An environment variable or parameter.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    environment: Vec<(String, String)>,
    /// A secret: typed unseen, or NAME=@FILE, or NAME=@- for a line of standard input.
    #[arg(long = "secret", value_name = "NAME")]
    secrets: Vec<SecretFrom>,
    /// The account on the devices [default: root].
    #[arg(long = "as", value_name = "USER")]
    run_as: Option<String>,
    /// End a run after this: 90s, 10m, 1h.
    #[arg(long, value_parser = say::parse_secs, value_name = "TIME")]
    time_limit: Option<u32>,
    /// End a run after this much output: 64k, 1M.
    #[arg(long, value_parser = say::parse_bytes, value_name = "BYTES")]
    output_limit: Option<u64>,
    /// Show the script's text too.
    #[arg(long)]
    text: bool,
    /// Do not wait for results.
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    agreement: Agreement,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
struct Targets {
    /// Name or id of a device.
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["tag", "site", "q", "all", "software", "process", "service", "port"])]
    device: Vec<String>,
    /// Approved devices with this label.
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Approved devices of this site.
    #[arg(long, value_name = "SITE")]
    site: Vec<String>,
    /// Approved devices that these words find.
    #[arg(long, value_name = "WORDS")]
    q: Option<String>,
    /// All approved devices.
    #[arg(long, conflicts_with_all = ["tag", "site", "q", "software", "process", "service", "port"])]
    all: bool,
    #[command(flatten)]
    having: Having,
}

impl Run {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let script = lookup::script(&mut client, &self.script)?;
        let details = scripts::details(&mut client, &script, self.version)?;
        let targets = self.targets.find(&mut client)?;
        let job = self.job(&details, &targets)?;
        let wanted = shown(&details, &job, &targets);
        if !request::is_whole(&wanted) {
            return Err(Failure::OtherAction("the text of the script is not the one that its SHA-256 names"));
        }
        if self.text {
            request::text(screen, &details.text);
        }
        let id = ask_for(&mut client, screen, self.agreement, &job, &wanted)?;
        if self.detach { follow::detached(&mut client, screen, &id) } else { follow::follow(&mut client, screen, &id) }
    }

    fn job(&self, details: &api::ScriptDetails, targets: &[api::Device]) -> Result<api::NewJob, Failure> {
        let mut environment: Vec<Variable> =
            self.environment.iter().map(|(name, value)| Variable { name: name.clone(), value: value.clone() }).collect();
        let mut secrets = self.secrets.clone();
        for parameter in &details.parameters {
            let is_given = environment.iter().any(|variable| variable.name == parameter.name)
                || secrets.iter().any(|secret| secret.name == parameter.name);
            match (is_given, parameter.secret) {
                (true, _) => {}
                (false, true) if parameter.required => secrets.push(SecretFrom::person(&parameter.name)),
                (false, true) => {}
                (false, false) => environment.extend(value(parameter)?),
            }
        }
        Ok(api::NewJob {
            script: details.script.id.to_string(),
            version: details.script.version,
            devices: targets.iter().map(|device| device.id.to_string()).collect(),
            arguments: self.arguments.clone(),
            environment,
            secrets: secrets.iter().map(SecretFrom::read).collect::<Result<_, _>>()?,
            run_as: self.run_as.clone(),
            time_limit_secs: self.time_limit,
            output_limit_bytes: self.output_limit,
        })
    }
}

/// The value of a parameter that was not given: its default, or what the person types.
fn value(parameter: &api::Parameter) -> Result<Option<Variable>, Failure> {
    let variable = |value| Some(Variable { name: parameter.name.clone(), value });
    if !parameter.default.is_empty() {
        return Ok(variable(parameter.default.clone()));
    }
    if !parameter.required {
        return Ok(None);
    }
    let question = format!("{} {}", one_line(&parameter.name), one_line(&parameter.label));
    ask::line(question.trim(), "a parameter of the script (--env NAME=VALUE)").map(variable)
}

impl Targets {
    fn find(&self, client: &mut Client) -> Result<Vec<api::Device>, Failure> {
        let found = if !self.device.is_empty() {
            lookup::devices(client, &self.device)?
        } else if self.all || self.narrows() {
            let filter = Filter::approved(self.site.clone(), self.tag.clone(), self.q.clone()).with(self.having.clone());
            devices::find(client, &filter)?
        } else {
            let ways = "--device, --tag, --site, --q, --software, --process, --service, --port or --all";
            return Err(Failure::Input(format!("say where: {ways}")));
        };
        if found.is_empty() { Err(Failure::NothingMatches) } else { Ok(found) }
    }

    fn narrows(&self) -> bool {
        !self.tag.is_empty() || !self.site.is_empty() || self.q.is_some() || !self.having.is_empty()
    }
}

/// Asks for the job and returns its id.
fn ask_for(
    client: &mut Client,
    screen: Screen,
    agreement: Agreement,
    job: &api::NewJob,
    wanted: &api::RunScriptDetails,
) -> Result<String, Failure> {
    let preview = || request::run_script(screen, wanted);
    let expected = |action: &api::ActionDetails| same(action, wanted);
    match (Guarded { screen, agreement, path: "/v1/jobs", preview: &preview, expected: &expected }).carry_out(client, job)? {
        api::ActionResult::Done(api::Done { job: Some(id), .. }) => Ok(id.to_string()),
        _ => Err(Failure::Answer("the request was executed and names no job".to_owned())),
    }
}

/// What is asked for, in the form in which the server shows what it froze.
fn shown(details: &api::ScriptDetails, job: &api::NewJob, targets: &[api::Device]) -> api::RunScriptDetails {
    let device = |device: &api::Device| api::TargetDevice {
        id: device.id,
        name: device.name.clone(),
        online: device.online,
        place: format!("{} / {}", device.customer_name, device.site_name),
    };
    api::RunScriptDetails {
        name: details.script.name.clone(),
        version: details.script.version,
        text: details.text.clone(),
        sha256: details.script.sha256,
        bytes: details.text.len() as u64,
        previous: None,
        interpreter: details.script.interpreter.clone(),
        run_as: job.run_as.clone(),
        arguments: job.arguments.clone(),
        environment: job.environment.clone(),
        secrets: job.secrets.iter().map(|secret| secret.name.clone()).collect(),
        time_limit_secs: job.time_limit_secs.unwrap_or(limits::RUN_TIME_DEFAULT_SECS),
        output_limit_bytes: job.output_limit_bytes.unwrap_or(limits::RUN_OUTPUT_DEFAULT_BYTES),
        targets: api::TargetDetails {
            count: targets.len() as u64,
            online: targets.iter().filter(|device| device.online).count() as u64,
            first_time: 0,
            devices: targets.iter().map(device).collect(),
        },
    }
}

/// Nobody proves what they did not ask for: the frozen action is compared with the wanted one before it is shown.
fn same(action: &api::ActionDetails, wanted: &api::RunScriptDetails) -> Result<(), &'static str> {
    let api::ActionDetails::RunScript(frozen) = action else { return Err("the kind of action") };
    let pairs = |run: &api::RunScriptDetails| run.environment.iter().map(|v| (v.name.clone(), v.value.clone())).collect::<BTreeSet<_>>();
    let names = |run: &api::RunScriptDetails| run.secrets.iter().cloned().collect::<BTreeSet<_>>();
    let ids = |run: &api::RunScriptDetails| run.targets.devices.iter().map(|device| device.id).collect::<BTreeSet<_>>();
    let checks = [
        (request::is_whole(frozen) && frozen.text == wanted.text && frozen.sha256 == wanted.sha256, "the script"),
        (frozen.interpreter == wanted.interpreter, "the interpreter"),
        (frozen.run_as == wanted.run_as, "the account"),
        (frozen.arguments == wanted.arguments, "the arguments"),
        (pairs(frozen) == pairs(wanted), "the environment"),
        (names(frozen) == names(wanted), "the secrets"),
        (frozen.time_limit_secs == wanted.time_limit_secs && frozen.output_limit_bytes == wanted.output_limit_bytes, "the limits"),
        (ids(frozen) == ids(wanted) && frozen.targets.count == frozen.targets.devices.len() as u64, "the devices"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
}

pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "NAME=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use sallyport_grant::sha256;
    use sallyport_model::DeviceId;

    use super::*;

    fn wanted() -> api::RunScriptDetails {
        let device =
            |n| api::TargetDevice { id: DeviceId::from_bytes([n; 16]), name: format!("web-{n}"), online: true, place: String::new() };
        api::RunScriptDetails {
            name: "up".into(),
            version: 1,
            text: "uptime".into(),
            sha256: sha256(&[b"uptime"]),
            bytes: 6,
            previous: None,
            interpreter: "sh".into(),
            run_as: None,
            arguments: vec!["a".into(), "b".into()],
            environment: Vec::new(),
            secrets: vec!["P".into()],
            time_limit_secs: 600,
            output_limit_bytes: 1024,
            targets: api::TargetDetails { count: 2, online: 2, first_time: 0, devices: vec![device(1), device(2)] },
        }
    }

    fn difference(change: impl Fn(&mut api::RunScriptDetails)) -> Result<(), &'static str> {
        let mut frozen = wanted();
        change(&mut frozen);
        same(&api::ActionDetails::RunScript(frozen), &wanted())
    }

    #[test]
    fn what_the_server_adds_of_its_own_is_fine() {
        assert_eq!(difference(|run| (run.targets.first_time, run.targets.online) = (2, 0)), Ok(()));
        assert_eq!(difference(|run| run.targets.devices.reverse()), Ok(()));
    }

    #[test]
    fn whatever_else_differs_is_not_proved() {
        assert_eq!(difference(|run| run.text = "rm -rf /".into()), Err("the script"));
        assert_eq!(difference(|run| (run.text, run.sha256, run.bytes) = ("rm".into(), sha256(&[b"rm"]), 2)), Err("the script"));
        assert_eq!(difference(|run| run.run_as = Some("root".into())), Err("the account"));
        assert_eq!(difference(|run| run.arguments.reverse()), Err("the arguments"));
        assert_eq!(
            difference(|run| run.environment.push(Variable { name: "LD_PRELOAD".into(), value: "x".into() })),
            Err("the environment")
        );
        assert_eq!(difference(|run| run.secrets.clear()), Err("the secrets"));
        assert_eq!(difference(|run| run.time_limit_secs = 1), Err("the limits"));
        assert_eq!(difference(|run| drop(run.targets.devices.pop())), Err("the devices"));
        assert_eq!(difference(|run| run.targets.count = 3), Err("the devices"));
        assert_eq!(same(&api::ActionDetails::RegenerateRecoveryCodes, &wanted()), Err("the kind of action"));
    }

    #[test]
    fn variables_have_a_name() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(variable("=x").is_err() && variable("A").is_err());
    }
}
