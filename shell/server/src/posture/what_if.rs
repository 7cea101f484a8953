//! `POST /v1/posture/what-if`: the wish as the action that it would be, the facts as they are now, and the rules' own answer.

use std::net::IpAddr;

use axum::extract::State;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::{Action, ActionKind, ChangeNetworks, CreateInstaller, OpenRemoteSession, Requirement, RunScript, Target};
use sallyport_decide::people::{ChangeMfaPolicy, InviteUser};
use sallyport_decide::policy::{self, Capability, Reach, ReadPosture, Row};
use sallyport_decide::posture::what_if::{self as decided, Answer, Outcome, State as StepState, Wish, With};
use sallyport_grant::body::{Access, Entry, RemoteKind};
use sallyport_model::{GrantId, RemoteSessionId, ScriptId, SiteId, TenantId, Timestamp, limits};
use sallyport_store::Reader;
use sallyport_store::ops::networks::rules;
use sallyport_store::ops::people::{policy as policy_of, rights_of, user};
use sallyport_store::ops::posture::{Who, question, some_devices};
use sallyport_store::ops::targets::site_place;

use crate::{Allowed, App, Json, Refusal};

/// Answers, and changes nothing.
pub(crate) async fn what_if(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadPosture>,
    Json(body): Json<api::WhatIf>,
) -> Result<Json<api::WhatIfAnswer>, Refusal> {
    may_read_people(permit.actor())?;
    let from: IpAddr = body.address.trim().parse().map_err(|error| Refusal::field("address", error))?;
    let (tenant, now) = (permit.actor().tenant, app.clock.now());
    let mut reader = app.store.read().await?;
    // Somebody of another tenant is nobody: nothing of what is asked is looked at with their roles.
    user(&mut reader, tenant, body.user, now).await?;
    let wish = wish(&mut reader, tenant, &body, now).await?;
    let who = Who { tenant, user: body.user, from: from.to_canonical(), with: with(body.with), now };
    let question = question(&mut reader, who, wish).await?;
    Ok(Json(shown(decided::what_if(&question))))
}

/// The answer tells about a person, networks, policy and how many devices there are.
fn may_read_people(actor: &policy::Actor) -> Result<(), Refusal> {
    for row in [&policy::ReadPeople::ROW, &policy::ReadNetworks::ROW, &policy::ReadPolicy::ROW, &policy::ReadDevices::ROW] {
        policy::decide(row, actor)?;
    }
    Ok(())
}

fn with(with: api::WhatIfWith) -> With {
    match with {
        api::WhatIfWith::Password => With::Password,
        api::WhatIfWith::PasswordAndCode => With::PasswordAndCode,
        api::WhatIfWith::Passkey => With::Passkey,
        api::WhatIfWith::RecoveryCode => With::RecoveryCode,
    }
}

const READ_DEVICES: &Row = &policy::ReadDevices::ROW;
const READ_AUDIT: &Row = &policy::ReadAudit::ROW;

/// What they want, as the action that would be frozen.
async fn wish(reader: &mut Reader, tenant: TenantId, body: &api::WhatIf, now: Timestamp) -> Result<Wish, Refusal> {
    let action = match body.wants {
        api::WhatIfWish::ReadDevices => return Ok(Wish::Read(READ_DEVICES)),
        api::WhatIfWish::ReadAudit => return Ok(Wish::Read(READ_AUDIT)),
        api::WhatIfWish::RunScript => Action::RunScript(script(targets(reader, tenant, body, ActionKind::RunScript).await?)),
        api::WhatIfWish::RemoveDevices => Action::RemoveDevices(targets(reader, tenant, body, ActionKind::RemoveDevices).await?),
        api::WhatIfWish::OpenTerminal => terminal(targets(reader, tenant, body, ActionKind::OpenRemoteSession).await?)?,
        api::WhatIfWish::CreateInstaller => Action::CreateInstaller(installer(reader, tenant, body, now).await?),
        api::WhatIfWish::InviteUser => {
            Action::InviteUser(InviteUser { email: String::new(), name: String::new(), assignments: Vec::new(), expires: None })
        }
        api::WhatIfWish::ChangeMfaPolicy => {
            let mfa = policy_of(reader, tenant).await?.mfa;
            Action::ChangeMfaPolicy(ChangeMfaPolicy { before: mfa.clone(), after: mfa })
        }
        api::WhatIfWish::ChangeNetworks => {
            let stored = rules(reader, tenant).await?;
            Action::ChangeNetworks(ChangeNetworks { version: stored.version, before: stored.rules.clone(), rules: stored.rules })
        }
    };
    Ok(Wish::Act(Box::new(action)))
}

fn script(targets: Vec<Target>) -> RunScript {
    let (grant, script) = (GrantId::from_bytes([0; 16]), ScriptId::from_bytes([0; 16]));
    RunScript { grant, script, version: 0, text: String::new(), body: String::new(), targets }
}

fn terminal(mut targets: Vec<Target>) -> Result<Action, Refusal> {
    let target = targets.pop().filter(|_| targets.is_empty());
    let target = target.ok_or_else(|| Refusal::field("devices", "a terminal is of one device"))?;
    Ok(Action::OpenRemoteSession(OpenRemoteSession {
        grant: GrantId::from_bytes([0; 16]),
        session: RemoteSessionId::from_bytes([0; 16]),
        kind: RemoteKind::Terminal,
        access: Access::Control,
        joins: Entry::Opens,
        body: String::new(),
        policy: 0,
        target,
    }))
}

async fn installer(reader: &mut Reader, tenant: TenantId, body: &api::WhatIf, now: Timestamp) -> Result<CreateInstaller, Refusal> {
    let site = match site(reader, tenant, body).await? {
        Some(site) => site,
        None => any_site(reader, tenant, body).await?,
    };
    let (label, place) = (String::new(), String::new());
    Ok(CreateInstaller { label, site, place, uses: 1, expires: now.plus_secs(limits::INSTALLER_LIFETIME_SECS), network: None })
}

async fn site(reader: &mut Reader, tenant: TenantId, body: &api::WhatIf) -> Result<Option<SiteId>, Refusal> {
    let Some(text) = body.site.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    let site: SiteId = text.parse().map_err(|error| Refusal::field("site", error))?;
    let place = site_place(reader, tenant, site).await?;
    place.map(|_| Some(site)).ok_or_else(|| Refusal::field("site", "does not exist"))
}

/// A site that they reach; where they reach none, any: then policy says so.
async fn any_site(reader: &mut Reader, tenant: TenantId, body: &api::WhatIf) -> Result<SiteId, Refusal> {
    let reach = reach(reader, body, ActionKind::CreateInstaller).await?;
    let sites = sallyport_store::ops::people::sites_within(reader, tenant, &reach).await?;
    let places = sallyport_store::ops::customers::places(reader, tenant).await?;
    let found = places.sites.iter().find(|one| sites.has(&one.id)).or(places.sites.first());
    found.map(|one| one.id).ok_or_else(|| Refusal::field("site", "there is no site yet"))
}

async fn reach(reader: &mut Reader, body: &api::WhatIf, kind: ActionKind) -> Result<Reach, Refusal> {
    Ok(rights_of(reader, body.user).await?.reach(kind.capability()).unwrap_or(Reach::Tenant))
}

/// Devices as the action would name them: of the site, or of wherever they reach.
async fn targets(reader: &mut Reader, tenant: TenantId, body: &api::WhatIf, kind: ActionKind) -> Result<Vec<Target>, Refusal> {
    let count = body.devices.unwrap_or(1) as usize;
    if count == 0 || count > limits::TARGETS {
        return Err(Refusal::field("devices", format!("must be 1 to {}", limits::TARGETS)));
    }
    let site = site(reader, tenant, body).await?;
    let reach = if site.is_some() { Reach::Tenant } else { reach(reader, body, kind).await? };
    let found = some_devices(reader, tenant, &reach, site, count).await?;
    match found.len() < count {
        true => Err(Refusal::field("devices", format!("there are {} approved devices there", found.len()))),
        false => Ok(found),
    }
}

fn shown(answer: Answer) -> api::WhatIfAnswer {
    let (outcome, sentence, code, people) = said(answer.outcome);
    let steps = answer.steps.into_iter().map(|step| api::WhatIfStep {
        id: step.id.to_owned(),
        what: step.what,
        state: match step.state {
            StepState::Met => api::WhatIfState::Met,
            StepState::Wants => api::WhatIfState::Wants,
            StepState::Refuses => api::WhatIfState::Refuses,
        },
    });
    let code = code.map(|code| code.as_str().to_owned());
    api::WhatIfAnswer { outcome, sentence: sentence.to_owned(), code, people, steps: steps.collect() }
}

fn said(outcome: Outcome) -> (api::WhatIfOutcome, &'static str, Option<Code>, Option<u32>) {
    use api::WhatIfOutcome::{Asks, Done, Link, Refused};
    match outcome {
        Outcome::Done => (Done, "They sign in, and it is done at once.", None, None),
        Outcome::Asks(Requirement::StepUp | Requirement::FreshCode) => {
            (Asks, "They sign in, and it waits for a fresh proof of theirs.", None, Some(1))
        }
        Outcome::Asks(Requirement::TwoPeople) => {
            (Asks, "They sign in, and it waits for a fresh proof of theirs and one of another person.", None, Some(2))
        }
        Outcome::Link => (Link, "They do not sign in before they have pressed the link in a mail.", Some(Code::AddressUnverified), None),
        Outcome::NotIn => (Refused, "They do not sign in, and are not told why.", Some(Code::SignInRefused), None),
        Outcome::Network => (Refused, "It does not work from that network.", Some(Code::NetworkRefused), None),
        Outcome::Factorless => (Refused, "They sign in, and only read: this wants a factor.", Some(Code::FactorRequired), None),
        Outcome::Stage => (Refused, "They sign in, and the session is not good for it.", Some(Code::SessionRestricted), None),
        Outcome::Role => (Refused, "They sign in, and their roles do not allow it.", Some(Code::RoleRefused), None),
        Outcome::Elsewhere => {
            (Refused, "They sign in, and do not see it: it lies where their roles do not hold.", Some(Code::InvalidField), None)
        }
    }
}
