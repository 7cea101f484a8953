//! Authorization requests as people read them before they prove: what, where, who must agree.

use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::{Action, OpenRemoteSession, Proof, RequestState, Requirement, RunScript, Target};
use sallyport_decide::policy::Actor;
use sallyport_grant::body::{Class, Consent, Entry, Record, Unanswered};
use sallyport_model::{DeviceId, TenantId, limits};
use sallyport_store::ops::requests::StoredRequest;
use sallyport_store::ops::targets::{ever_touched, places_of, script_text};

use crate::accounts::addresses::shown_rules;
use crate::{App, Refusal, automation, bridge, people, remote, schedules, webhooks};

/// One request in full.
pub(super) async fn request(app: &App, stored: &StoredRequest, viewer: &Actor) -> Result<api::AuthorizationRequest, Refusal> {
    let frozen = &stored.frozen;
    let lapsed = stored.state == RequestState::Open && app.clock.now() >= frozen.expires;
    Ok(api::AuthorizationRequest {
        id: frozen.id,
        short: frozen.id.short(),
        state: if lapsed { api::RequestState::Expired } else { state(stored.state) },
        summary: frozen.action.sentence(),
        action: details(app, stored).await?,
        class: u8::from(frozen.class),
        class_reason: frozen.class_reason.clone(),
        digest: frozen.digest,
        requirement: steps(stored, viewer),
        approve_at: format!("{}/approvals", app.config.origin()),
        requested_by: frozen.asker.user,
        requested_by_name: frozen.asker.name.clone(),
        requested_by_email: frozen.asker.email.clone(),
        number: number(app, stored, viewer),
        wants_number: wants_number(stored, viewer),
        created: frozen.created,
        expires: frozen.expires,
        hour_devices: frozen.hour_devices as u64,
        hour_limit: hour_limit(frozen.class),
        result: done(stored),
    })
}

/// The asker's own number; a tool, whose output anybody may read, does not get it.
fn number(app: &App, stored: &StoredRequest, viewer: &Actor) -> Option<String> {
    let own = viewer.user == stored.frozen.asker.user && viewer.client().is_none();
    (own && waits_for_another(stored)).then(|| app.numbers.of(stored.frozen.id).to_string())
}

fn wants_number(stored: &StoredRequest, viewer: &Actor) -> bool {
    viewer.user != stored.frozen.asker.user && waits_for_another(stored)
}

fn waits_for_another(stored: &StoredRequest) -> bool {
    let two = stored.frozen.requirement == Requirement::TwoPeople && stored.state == RequestState::Open;
    two && stored.proofs.iter().all(|proof| proof.user == stored.frozen.asker.user)
}

fn state(state: RequestState) -> api::RequestState {
    match state {
        RequestState::Open => api::RequestState::Open,
        RequestState::Executed => api::RequestState::Executed,
        RequestState::Denied => api::RequestState::Denied,
        RequestState::Expired => api::RequestState::Expired,
    }
}

/// From how many devices within the hour the next class applies.
fn hour_limit(class: Class) -> u64 {
    match class {
        Class::Read | Class::OneDevice => limits::CLASS1_DEVICES_PER_HOUR as u64,
        Class::Fleet | Class::Mass => limits::CLASS2_DEVICES_PER_HOUR as u64,
    }
}

/// What is left to tell of an executed request: its secrets were shown once.
fn done(stored: &StoredRequest) -> Option<api::ActionResult> {
    let log_index = stored.log_index.filter(|_| stored.state == RequestState::Executed)?;
    Some(api::ActionResult::Done(api::Done { job: stored.job, grant: stored.grant, log_index }))
}

fn steps(stored: &StoredRequest, viewer: &Actor) -> Vec<api::RequirementStep> {
    let frozen = &stored.frozen;
    let asker = frozen.asker.user;
    let own = stored.proofs.iter().find(|proof| proof.user == asker);
    let who = if viewer.user == asker { "You".to_owned() } else { frozen.asker.name.clone() };
    let mut steps = vec![match frozen.requirement {
        Requirement::StepUp => step("you", &format!("{who}: a passkey or a code, or an open step-up window"), "step_up", own),
        Requirement::FreshCode | Requirement::TwoPeople => {
            step("you", &format!("{who}: a passkey or a code for this request only"), "code", own)
        }
    }];
    if frozen.requirement == Requirement::TwoPeople {
        let other = stored.proofs.iter().find(|proof| proof.user != asker);
        steps.push(step("another_person", "One more person: a passkey or a code for this request only", "code", other));
    }
    if matches!(frozen.action, Action::RunScript(_) | Action::OpenRemoteSession(_) | Action::PublishSchedule(_)) {
        let text = "Each device: signature, own place among the targets, time, log entry, hash, single use";
        steps.push(step("device", text, "verifies", None));
    }
    steps
}

fn step(who: &str, text: &str, proof: &str, met: Option<&Proof>) -> api::RequirementStep {
    api::RequirementStep {
        who: who.to_owned(),
        text: text.to_owned(),
        proof: proof.to_owned(),
        met: met.is_some(),
        by: met.map(|proof| proof.email.clone()),
        at: met.map(|proof| proof.at),
    }
}

async fn details(app: &App, stored: &StoredRequest) -> Result<api::ActionDetails, Refusal> {
    let asker = &stored.frozen.asker;
    Ok(match &stored.frozen.action {
        Action::RunScript(run) => api::ActionDetails::RunScript(run_details(app, asker, run).await?),
        Action::PublishSchedule(publish) => {
            let body = publish.grant_body().map_err(|_| Refusal::from(Code::Internal))?;
            let run = run_details(app, asker, &publish.run).await?;
            api::ActionDetails::PublishSchedule(schedules::details(publish, &body, run).ok_or(Code::Internal)?)
        }
        Action::CreateInstaller(wanted) => api::ActionDetails::CreateInstaller(api::CreateInstallerDetails {
            label: wanted.label.clone(),
            place: wanted.place.clone(),
            platform: "linux".to_owned(),
            uses: wanted.uses,
            expires: wanted.expires,
            network: wanted.network.clone(),
        }),
        Action::ApproveDevices(targets) => api::ActionDetails::ApproveDevices(target_details(app, asker, targets).await?),
        Action::RemoveDevices(targets) => api::ActionDetails::RemoveDevices(target_details(app, asker, targets).await?),
        Action::RegenerateRecoveryCodes => api::ActionDetails::RegenerateRecoveryCodes,
        Action::OpenRemoteSession(open) => api::ActionDetails::OpenRemoteSession(session_details(app, asker, open).await?),
        Action::RemoveFactor(gone) => api::ActionDetails::RemoveFactor(api::RemoveFactorDetails {
            factor: gone.factor,
            factor_kind: gone.kind.clone(),
            name: gone.name.clone(),
        }),
        Action::ChangeNetworks(change) => {
            let (trusted, required, address_verification) = shown_rules(&change.rules);
            let before = shown_rules(&change.before);
            let before = api::NetworkRules { trusted: before.0, required: before.1, address_verification: before.2 };
            api::ActionDetails::ChangeNetworks(api::ChangeNetworksDetails { trusted, required, address_verification, before })
        }
        Action::ChangeRemotePolicy(change) => api::ActionDetails::ChangeRemotePolicy(remote::policy_details(change)),
        Action::CreateClient(client) => api::ActionDetails::CreateClient(automation::details(client)),
        Action::ChangeClient(client) => api::ActionDetails::ChangeClient(automation::details(client)),
        Action::CreateConnection(change) => api::ActionDetails::CreateConnection(bridge::details(change)),
        Action::ChangeConnection(change) => api::ActionDetails::ChangeConnection(bridge::details(change)),
        Action::IssueLicence(issue) => {
            api::ActionDetails::IssueLicence(automation::licence_details(issue).map_err(|_| Refusal::from(Code::Internal))?)
        }
        Action::CreateWebhook(change) => api::ActionDetails::CreateWebhook(webhooks::details(change)),
        Action::ChangeWebhook(change) => api::ActionDetails::ChangeWebhook(webhooks::details(change)),
        Action::RotateWebhook(rotate) => api::ActionDetails::RotateWebhook(webhooks::rotate_details(rotate)),
        other => people::shown::details(other).ok_or(Code::Internal)?,
    })
}

/// Everything shown of a run is read from the very body that the devices will verify.
async fn run_details(app: &App, asker: &Actor, action: &RunScript) -> Result<api::RunScriptDetails, Refusal> {
    let body = action.grant_body().map_err(|_| Refusal::from(Code::Internal))?;
    let run = body.action.script().cloned().ok_or(Code::Internal)?;
    let variable =
        |(name, value): &(sallyport_grant::body::EnvName, String)| api::Variable { name: name.to_string(), value: value.clone() };
    Ok(api::RunScriptDetails {
        name: run.name.to_string(),
        version: action.version,
        text: action.text.clone(),
        sha256: run.script_sha256,
        bytes: u64::from(run.script_bytes),
        previous: previous(app, asker.tenant, action).await?,
        interpreter: interpreter(run.interpreter),
        run_as: run.run_as.as_ref().map(ToString::to_string),
        environment: run.environment.iter().map(variable).collect(),
        secrets: run.secrets.iter().map(|secret| secret.name.to_string()).collect(),
        arguments: run.arguments,
        time_limit_secs: run.time_limit_secs,
        output_limit_bytes: run.output_limit_bytes,
        targets: target_details(app, asker, &action.targets).await?,
    })
}

/// As in a run: read from the very body that the device will verify.
async fn session_details(app: &App, asker: &Actor, action: &OpenRemoteSession) -> Result<api::RemoteSessionDetails, Refusal> {
    let body = action.grant_body().map_err(|_| Refusal::from(Code::Internal))?;
    let open = body.action.remote_session().ok_or(Code::Internal)?;
    let consent = match open.consent {
        Consent::None => "none",
        Consent::Banner => "banner",
        Consent::Ask => "ask",
    };
    Ok(api::RemoteSessionDetails {
        session: open.session,
        session_kind: open.kind.as_str().to_owned(),
        access: open.access.as_str().to_owned(),
        joins: open.joins == Entry::Joins,
        run_as: open.run_as.as_ref().map(ToString::to_string),
        consent: consent.to_owned(),
        ask_secs: open.ask_secs,
        unanswered: match open.unanswered {
            Unanswered::Refuse => api::SilenceRule::Refuse,
            Unanswered::Allow => api::SilenceRule::Allow,
        },
        recorded: open.record == Record::Session,
        idle_secs: open.idle_secs,
        max_secs: open.max_secs,
        targets: target_details(app, asker, std::slice::from_ref(&action.target)).await?,
    })
}

fn interpreter(interpreter: sallyport_grant::body::Interpreter) -> String {
    serde_json::to_value(interpreter).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The version that ran last, be it the same: people compare with what they know.
async fn previous(app: &App, tenant: TenantId, action: &RunScript) -> Result<Option<api::PreviousScript>, Refusal> {
    let mut reader = app.store.read().await?;
    let Some(current) = script_text(&mut reader, tenant, action.script, action.version).await? else { return Ok(None) };
    let Some(version) = current.last_run_version else { return Ok(None) };
    let previous = script_text(&mut reader, tenant, action.script, version).await?;
    Ok(previous.map(|previous| api::PreviousScript { version, text: previous.text }))
}

async fn target_details(app: &App, asker: &Actor, targets: &[Target]) -> Result<api::TargetDetails, Refusal> {
    let mut ids: Vec<DeviceId> = targets.iter().map(|target| target.device).collect();
    ids.sort_unstable();
    let mut reader = app.store.read().await?;
    let places = places_of(&mut reader, asker.tenant, &ids).await?;
    let touched = ever_touched(&mut reader, asker.tenant, asker.user).await?;
    drop(reader);
    let online = app.hub.online(asker.tenant);
    let device = |target: &Target| api::TargetDevice {
        id: target.device,
        name: target.name.clone(),
        online: online.contains(&target.device),
        place: places.get(&target.device).cloned().unwrap_or_default(),
    };
    Ok(api::TargetDetails {
        count: targets.len() as u64,
        online: ids.iter().filter(|id| online.contains(id)).count() as u64,
        first_time: ids.iter().filter(|id| !touched.contains(id)).count() as u64,
        devices: targets.iter().map(device).collect(),
    })
}

/// A file name of plain characters, from what people called the installer.
pub(super) fn file_name(label: &str) -> String {
    let plain: String = label.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{}.sallyport-enrolment.json", plain.trim_matches('-'))
}
