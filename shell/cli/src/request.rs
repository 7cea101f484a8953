//! An authorization request as people read it before they prove it: what exactly, where, how dangerous, by whom.

use sallyport_api as api;
use sallyport_grant::sha256;

use crate::clock;
use crate::commands::{connections, licence, remote_policy, schedules};
use crate::people;
use crate::safe::{lines, one_line};
use crate::say;
use crate::screen::{Screen, Tone};

/// Names that are listed; the rest is counted.
const NAMES: usize = 20;

/// Shows a frozen request.
pub(crate) fn show(screen: Screen, request: &api::AuthorizationRequest) {
    screen.say(one_line(&request.summary));
    action(screen, &request.action);
    let tone = if request.class > 1 { Tone::Waiting } else { Tone::Plain };
    screen.facts(&[
        ("class", screen.painted(tone, &format!("{}: {}", request.class, one_line(&request.class_reason)))),
        ("this hour", format!("{} touched, {} is the limit of the class", say::devices(count(request.hour_devices)), request.hour_limit)),
        ("asked by", format!("{}, {}", one_line(&request.requested_by_name), one_line(&request.requested_by_email))),
        ("digest", say::groups(&request.digest)),
        ("request", format!("{}, lapses {}", one_line(&request.short), say::relative(request.expires, clock::now()))),
    ]);
    for step in request.requirement.iter().filter(|step| step.who != "device") {
        let mark = if step.met { "done" } else { "open" };
        screen.say(format!("  [{mark}] {}", one_line(&step.text)));
    }
}

/// Shows what an action does.
pub(crate) fn action(screen: Screen, action: &api::ActionDetails) {
    match action {
        api::ActionDetails::RunScript(run) => run_script(screen, run),
        api::ActionDetails::PublishSchedule(publish) => {
            screen.facts(&[
                ("schedule", one_line(&publish.schedule_name)),
                ("group", publish.group_words.as_deref().map_or_else(|| "named one by one".to_owned(), one_line)),
                ("replaces", publish.replaces.map_or_else(|| "nothing".to_owned(), |id| id.to_string())),
            ]);
            schedules::timing(screen, (&publish.timing, &publish.words), &publish.next);
            run_script(screen, &publish.run);
        }
        api::ActionDetails::CreateInstaller(wanted) => screen.facts(&[
            ("label", one_line(&wanted.label)),
            ("place", one_line(&wanted.place)),
            ("platform", one_line(&wanted.platform)),
            ("uses", wanted.uses.to_string()),
            ("expires", say::relative(wanted.expires, clock::now())),
            ("network", wanted.network.as_deref().map_or_else(|| "any".to_owned(), one_line)),
        ]),
        api::ActionDetails::ApproveDevices(targets) | api::ActionDetails::RemoveDevices(targets) => devices(screen, targets),
        api::ActionDetails::RegenerateRecoveryCodes => {}
        api::ActionDetails::OpenRemoteSession(open) => remote_session(screen, open),
        api::ActionDetails::RemoveFactor(gone) => {
            screen.facts(&[("factor", format!("{} ({})", one_line(&gone.name), one_line(&gone.factor_kind)))]);
        }
        api::ActionDetails::ChangeNetworks(rules) => networks(screen, rules),
        api::ActionDetails::ChangeRemotePolicy(change) => remote_policy::changes(screen, &change.before, &change.after),
        api::ActionDetails::CreateClient(client) | api::ActionDetails::ChangeClient(client) => api_client(screen, client),
        api::ActionDetails::CreateConnection(details) | api::ActionDetails::ChangeConnection(details) => connection(screen, details),
        api::ActionDetails::IssueLicence(issue) => {
            screen.facts(&[
                ("client", format!("{} ({})", one_line(&issue.client_name), issue.client)),
                ("licence", issue.licence.to_string()),
            ]);
            licence::terms(screen, &issue.terms);
        }
        api::ActionDetails::CreateWebhook(webhook) | api::ActionDetails::ChangeWebhook(webhook) => webhook_change(screen, webhook),
        api::ActionDetails::RotateWebhook(rotate) => {
            screen.facts(&[("webhook", format!("{} ({})", one_line(&rotate.name), rotate.webhook))]);
        }
        other => people::action(screen, other),
    }
}

fn connection(screen: Screen, details: &api::ConnectionDetails) {
    let shape = |shape: &api::ConnectionShape| {
        let rotation = shape.rotation.as_ref().map_or_else(
            || "credential kept".to_owned(),
            |hook| format!("credential replaced every {} days by {:?} {}", hook.every_days, hook.method, one_line(&hook.path)),
        );
        let headers: Vec<_> = shape.headers.iter().map(|(name, value)| one_line(&format!("{name}={value}"))).collect();
        format!(
            "{}; {}; with {}; {}; for {}; {} calls a minute; until {}; {rotation}",
            one_line(&shape.base_url),
            connections::placement(&shape.credential),
            if headers.is_empty() { "no other header".to_owned() } else { headers.join(" ") },
            connections::allowed(shape),
            connections::for_whom(shape),
            shape.per_minute,
            say::relative(shape.expires, clock::now()),
        )
    };
    screen.facts(&[
        ("connection", format!("{} ({})", one_line(&details.after.name), details.connection)),
        ("credential", if details.new_credential { "another one, sealed already" } else { "stays" }.to_owned()),
        ("before", details.before.as_ref().map(shape).unwrap_or_default()),
        ("after", shape(&details.after)),
    ]);
}

fn webhook_change(screen: Screen, details: &api::WebhookDetails) {
    let shape = |shape: &api::WebhookShape| {
        let events = shape.events.iter().map(|word| one_line(word)).collect::<Vec<_>>().join(" ");
        format!("{} to {}: {events}", one_line(&shape.name), one_line(&shape.url))
    };
    screen.facts(&[
        ("webhook", details.webhook.to_string()),
        ("before", details.before.as_ref().map(shape).unwrap_or_default()),
        ("after", shape(&details.after)),
    ]);
}

fn api_client(screen: Screen, details: &api::ApiClientDetails) {
    let shape = |shape: &api::ApiClientShape| {
        let scopes = shape.scopes.iter().map(|word| one_line(word)).collect::<Vec<_>>().join(" ");
        let key = if shape.rotation == api::KeyRotation::Daily { "replaced each day" } else { "kept" };
        let licence = if shape.licence == api::LicenceRule::Needed { "; needs a licence" } else { "" };
        let (networks, until) = (one_line(&shape.networks.join(" ")), say::relative(shape.expires, clock::now()));
        format!("{scopes}; from {networks}; until {until}; key {key}{licence}")
    };
    screen.facts(&[
        ("client", format!("{} ({})", one_line(&details.after.name), details.client)),
        ("key", details.key.as_ref().map(|key| format!("{} {}", one_line(&key.crv), one_line(&key.x))).unwrap_or_default()),
        ("before", details.before.as_ref().map(shape).unwrap_or_default()),
        ("after", shape(&details.after)),
    ]);
}

/// Shows other rules about addresses.
pub(crate) fn networks(screen: Screen, rules: &api::ChangeNetworksDetails) {
    let before = &rules.before;
    let [was_trusted, was_required, was_verified] = network_lines(&before.trusted, &before.required, before.address_verification);
    let [trusted, required, verified] = network_lines(&rules.trusted, &rules.required, rules.address_verification);
    screen.facts(&[
        ("trusted so far", was_trusted),
        ("trusted then", trusted),
        ("required so far", was_required),
        ("required then", required),
        ("new addresses are verified", format!("{was_verified} so far, then {verified}")),
    ]);
}

/// Trusted and required networks, and whether new addresses are verified.
fn network_lines(trusted: &[api::TrustedNetwork], required: &[api::RequiredNetwork], verification: api::Switch) -> [String; 3] {
    let ranges = |ranges: &[String]| ranges.iter().map(|range| one_line(range)).collect::<Vec<_>>().join(", ");
    let trusted: Vec<String> = trusted.iter().map(|network| format!("{}: {}", one_line(&network.label), ranges(&network.ranges))).collect();
    let required: Vec<String> = required.iter().map(|network| format!("{:?}: {}", network.capability, ranges(&network.ranges))).collect();
    let verification = match verification {
        api::Switch::On => "on",
        api::Switch::Off => "off",
    };
    let or_none = |lines: Vec<String>| if lines.is_empty() { "none".to_owned() } else { lines.join("; ") };
    [or_none(trusted), or_none(required), verification.to_owned()]
}

/// Shows a script run.
pub(crate) fn run_script(screen: Screen, run: &api::RunScriptDetails) {
    let list = |items: &[String]| items.iter().map(|item| format!("{:?}", one_line(item))).collect::<Vec<_>>().join(" ");
    let environment: Vec<String> = run.environment.iter().map(|variable| format!("{}={}", variable.name, variable.value)).collect();
    screen.facts(&[
        ("script", format!("{} version {}, {}", one_line(&run.name), run.version, say::bytes(run.bytes))),
        ("SHA-256", say::groups(&run.sha256)),
        ("interpreter", one_line(&run.interpreter)),
        ("run as", run.run_as.as_deref().map_or_else(|| "root".to_owned(), one_line)),
        ("arguments", list(&run.arguments)),
        ("environment", list(&environment)),
        ("secrets", list(&run.secrets)),
        ("limits", format!("{}, {} of output", say::length(i64::from(run.time_limit_secs)), say::bytes(run.output_limit_bytes))),
        ("changed", changed(run)),
    ]);
    devices(screen, &run.targets);
}

fn remote_session(screen: Screen, open: &api::RemoteSessionDetails) {
    let joins = if open.joins { ", which is open already" } else { "" };
    screen.facts(&[
        ("opens", format!("{}, {}{joins}", one_line(&open.session_kind), one_line(&open.access))),
        ("run as", open.run_as.as_deref().map_or_else(|| "root".to_owned(), one_line)),
        ("at the machine", at_the_machine(open)),
        ("recorded", if open.recorded { "yes" } else { "no" }.to_owned()),
        ("ends", format!("after {} without input, or {}", say::length(i64::from(open.idle_secs)), say::length(i64::from(open.max_secs)))),
    ]);
    devices(screen, &open.targets);
}

fn at_the_machine(open: &api::RemoteSessionDetails) -> String {
    match (open.consent.as_str(), open.unanswered) {
        ("ask", api::SilenceRule::Refuse) => format!("the person there is asked, and silence for {} s is no", open.ask_secs),
        ("ask", api::SilenceRule::Allow) => format!("the person there is asked, and silence for {} s is yes", open.ask_secs),
        ("banner", _) => "the person there is told your name".to_owned(),
        (other, _) => one_line(other),
    }
}

fn changed(run: &api::RunScriptDetails) -> String {
    match &run.previous {
        None => String::new(),
        Some(previous) if previous.text == run.text => "not since it last ran".to_owned(),
        Some(previous) => format!("version {} ran last", previous.version),
    }
}

fn devices(screen: Screen, targets: &api::TargetDetails) {
    let names: Vec<String> = targets.devices.iter().map(|device| device.name.clone()).collect();
    let offline = targets.count.saturating_sub(targets.online);
    let mut remarks = vec![say::devices(count(targets.count))];
    if offline > 0 {
        remarks.push(format!("{offline} not connected now"));
    }
    if targets.first_time > 0 {
        remarks.push(format!("{} for the first time", targets.first_time));
    }
    screen.facts(&[("on", remarks.join(", ")), ("", say::names(&names, NAMES))]);
}

/// Shows a script's text with line numbers.
pub(crate) fn text(screen: Screen, text: &str) {
    for (number, line) in lines(text).lines().enumerate() {
        screen.say(format!("{} {line}", screen.painted(Tone::Quiet, &format!("{:4}", number + 1))));
    }
}

/// Whether the text is the one that its SHA-256 names.
pub(crate) fn is_whole(run: &api::RunScriptDetails) -> bool {
    sha256(&[run.text.as_bytes()]) == run.sha256 && run.bytes == run.text.len() as u64
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
