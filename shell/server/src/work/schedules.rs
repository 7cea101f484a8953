//! Asking to publish a schedule.

use axum::extract::State;
use axum::response::Response;
use sallyport_api as api;
use sallyport_decide::actions::{WantedRun, WantedSchedule, publish_schedule};
use sallyport_decide::policy::{Permit, PublishSchedules};
use sallyport_decide::schedules::MembershipRule;
use sallyport_model::{CustomerId, GrantId, ScheduleId, ScriptId, SiteId, Timestamp, limits};
use sallyport_store::Reader;
use sallyport_store::ops::names::names;
use sallyport_store::ops::people::devices_within;
use sallyport_store::ops::schedules::{living, meant_by, schedule, targets_of};
use sallyport_store::ops::targets::{DeviceFacts, ScriptText, script_text};

use super::ask::{Extra, Ground, ask, ground, target, targets};
use super::jobs::{interpreter, refused};
use crate::schedules::timing;
use crate::{Allowed, App, Json, Refusal};

/// Asks to publish a schedule.
pub(crate) async fn publish(
    State(app): State<App>,
    Allowed(permit): Allowed<PublishSchedules>,
    Json(body): Json<api::NewSchedule>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let ground = ground(&app, actor).await?;
    let terms = timing::terms(&body.timing, ground.now)?;
    if living(&mut app.store.read().await?, actor.tenant, ground.now).await? >= limits::SCHEDULES {
        return Err(Refusal::field("name", format!("there are {} schedules already, which is the most", limits::SCHEDULES)));
    }
    let replaces = replaced(&app, &permit, body.replaces.as_deref()).await?;
    let members = members(&app, &permit, &body).await?;
    let script = script(&app, &permit, &body).await?;
    let wanted = WantedSchedule {
        schedule: ScheduleId::new(ground.now, app.random()),
        name: body.name.clone(),
        replaces,
        rule: members.rule,
        rule_words: members.words,
        terms,
        expires: whole_minute(body.timing.expires),
        run: wanted_run(&app, &permit, body, script, &members.devices, &ground)?,
    };
    let grant = wanted.run.grant;
    let (action, classified) = publish_schedule(wanted, &ground.hour, ground.now).map_err(refused)?;
    ask(&app, actor, action, classified, ground, Extra { grant: Some(grant), ..Extra::default() }).await
}

/// People choose days and minutes; nothing is gained by less.
fn whole_minute(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.secs() / 60 * 60)
}

fn wanted_run(
    app: &App,
    permit: &Permit<PublishSchedules>,
    body: api::NewSchedule,
    script: ScriptText,
    devices: &[DeviceFacts],
    ground: &Ground,
) -> Result<WantedRun, Refusal> {
    let actor = permit.actor();
    Ok(WantedRun {
        grant: GrantId::new(ground.now, app.random()),
        nonce: app.random(),
        tenant: actor.tenant,
        user: actor.user,
        email: actor.email.clone(),
        script: script.id,
        version: script.version,
        name: script.name,
        text: script.text,
        interpreter: interpreter(&script.interpreter)?,
        run_as: body.run_as.filter(|account| !account.is_empty()),
        arguments: body.arguments,
        environment: body.environment.into_iter().map(|variable| (variable.name, variable.value)).collect(),
        secrets: Vec::new(),
        time_limit_secs: body.time_limit_secs.unwrap_or(limits::RUN_TIME_DEFAULT_SECS),
        output_limit_bytes: body.output_limit_bytes.unwrap_or(limits::RUN_OUTPUT_DEFAULT_BYTES),
        targets: devices.iter().map(target).collect(),
    })
}

/// The newest version alone: an older one would be void before it began.
async fn script(app: &App, permit: &Permit<PublishSchedules>, body: &api::NewSchedule) -> Result<ScriptText, Refusal> {
    let (tenant, id): (_, ScriptId) = (permit.actor().tenant, body.script.parse().map_err(|error| Refusal::field("script", error))?);
    let mut reader = app.store.read().await?;
    let script = script_text(&mut reader, tenant, id, body.version).await?;
    let script = script.ok_or_else(|| Refusal::field("script", "there is no such version"))?;
    match script_text(&mut reader, tenant, id, body.version + 1).await? {
        Some(_) => Err(Refusal::field("version", "the script has a newer version: look at that one")),
        None => Ok(script),
    }
}

/// A schedule that may be replaced: all of its devices lie within the asker's reach.
async fn replaced(app: &App, permit: &Permit<PublishSchedules>, text: Option<&str>) -> Result<Option<ScheduleId>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let missing = || Refusal::field("replaces", "there is no such schedule");
    let (tenant, id): (_, ScheduleId) = (permit.actor().tenant, text.parse().map_err(|error| Refusal::field("replaces", error))?);
    let mut reader = app.store.read().await?;
    schedule(&mut reader, tenant, id).await.map_err(|_| missing())?;
    let within = devices_within(&mut reader, tenant, permit.reach()).await?;
    let all = targets_of(&mut reader, id).await?.iter().all(|device| within.has(device));
    if all { Ok(Some(id)) } else { Err(missing()) }
}

/// Whom it is for.
struct Members {
    devices: Vec<DeviceFacts>,
    rule: Option<MembershipRule>,
    words: Option<String>,
}

async fn members(app: &App, permit: &Permit<PublishSchedules>, body: &api::NewSchedule) -> Result<Members, Refusal> {
    let Some(group) = &body.group else {
        return Ok(Members { devices: targets(app, permit, &body.devices, "approved").await?, rule: None, words: None });
    };
    if !body.devices.is_empty() {
        return Err(Refusal::field("devices", "name either devices or a group"));
    }
    let rule = rule(group)?;
    let mut reader = app.store.read().await?;
    let tenant = permit.actor().tenant;
    let meant = meant_by(&mut reader, tenant, &rule).await?;
    let within = devices_within(&mut reader, tenant, permit.reach()).await?;
    if !meant.iter().all(|device| within.has(device)) {
        return Err(Refusal::field("group", "it means devices that you do not reach"));
    }
    let words = words(&mut reader, permit, &rule).await?;
    drop(reader);
    let ids: Vec<String> = meant.iter().map(ToString::to_string).collect();
    Ok(Members { devices: targets(app, permit, &ids, "approved").await?, rule: Some(rule), words: Some(words) })
}

fn rule(group: &api::DeviceGroup) -> Result<MembershipRule, Refusal> {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let customer = text(&group.customer).map(|id| id.parse::<CustomerId>()).transpose();
    let site = text(&group.site).map(|id| id.parse::<SiteId>()).transpose();
    Ok(MembershipRule {
        customer: customer.map_err(|error| Refusal::field("group.customer", error))?,
        site: site.map_err(|error| Refusal::field("group.site", error))?,
        tag: text(&group.tag),
    })
}

/// The rule in words, with today's names.
async fn words(reader: &mut Reader, permit: &Permit<PublishSchedules>, rule: &MembershipRule) -> Result<String, Refusal> {
    let ids = [rule.customer.map(|id| id.to_string()), rule.site.map(|id| id.to_string())].into_iter().flatten().collect();
    let known = names(reader, permit.actor().tenant, &ids).await?;
    let place: Vec<&str> = ids.iter().filter_map(|id| known.get(id)).map(String::as_str).collect();
    let of = if place.is_empty() { String::new() } else { format!(" of {}", place.join(" / ")) };
    let tagged = rule.tag.as_ref().map_or_else(String::new, |tag| format!(" with tag {tag}"));
    Ok(format!("All devices{of}{tagged}"))
}
