//! Asking to run a script, and cancelling what runs.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::{WantedRun, WantedRunError, run_script};
use sallyport_decide::policy::{self, Actor, Permit};
use sallyport_grant::body::{BodyError, Interpreter};
use sallyport_model::{GrantId, JobId, RunId, ScriptId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::people::devices_within;
use sallyport_store::ops::runs::{Cancel, CancelWhat};
use sallyport_store::ops::targets::{ScriptText, script_text};

use super::ask::{Extra, ask, ground, target, targets};
use super::secrets;
use crate::events::Event;
use crate::{Allowed, App, Id, Json, Refusal};

/// Asks to run a script on devices.
pub(crate) async fn create(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::RunScripts>,
    Json(body): Json<api::NewJob>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let facts = targets(&app, &permit, &body.devices, "approved").await?;
    let script = script(&app, actor, &body).await?;
    let ground = ground(&app, actor).await?;
    let grant = GrantId::new(ground.now, app.random());
    let (secrets, devices, entropy) = (body.secrets, facts.clone(), app.entropy.clone());
    // For a large fleet this takes seconds, which must not be anybody else's.
    let sealed = tokio::task::spawn_blocking(move || secrets::seal_all(&*entropy, grant, &secrets, &devices))
        .await
        .map_err(|_| Code::Internal)??;
    let wanted = WantedRun {
        grant,
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
        secrets: sealed.commitments,
        time_limit_secs: body.time_limit_secs.unwrap_or(limits::RUN_TIME_DEFAULT_SECS),
        output_limit_bytes: body.output_limit_bytes.unwrap_or(limits::RUN_OUTPUT_DEFAULT_BYTES),
        targets: facts.iter().map(target).collect(),
    };
    let (action, classified) = run_script(wanted, &ground.hour, ground.now).map_err(refused)?;
    ask(&app, actor, action, classified, ground, Extra { grant: Some(grant), secrets: sealed.sealed, credential: None }).await
}

/// The script as it was seen: another version in the meantime is a conflict, never a surprise.
async fn script(app: &App, actor: &Actor, body: &api::NewJob) -> Result<ScriptText, Refusal> {
    let id: ScriptId = body.script.parse().map_err(|error| Refusal::field("script", error))?;
    let script = script_text(&mut app.store.read().await?, actor.tenant, id, body.version).await?;
    script.ok_or_else(|| Refusal::field("script", "there is no such version"))
}

pub(super) fn interpreter(word: &str) -> Result<Interpreter, Refusal> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| Code::Internal.into())
}

pub(super) fn refused(error: WantedRunError) -> Refusal {
    match &error {
        WantedRunError::Targets(_) => Refusal::field("devices", error),
        WantedRunError::Field { field, why } => Refusal::field(field, why),
        WantedRunError::Text(field) => Refusal::field(field, "is not acceptable"),
        WantedRunError::Body(BodyError::OutOfRange) => Refusal::field("limits", "a number is out of its range"),
        WantedRunError::Body(_) => Refusal::from(Code::InvalidField).because(error),
    }
}

/// Cancels every run of a job that has not ended.
pub(crate) async fn cancel_job(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::CancelRuns>,
    Id(job): Id<JobId>,
) -> Result<StatusCode, Refusal> {
    cancel(&app, &permit, CancelWhat::Job(job)).await
}

/// Cancels one run.
pub(crate) async fn cancel_run(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::CancelRuns>,
    Id(run): Id<RunId>,
) -> Result<StatusCode, Refusal> {
    cancel(&app, &permit, CancelWhat::Run(run)).await
}

async fn cancel(app: &App, permit: &Permit<policy::CancelRuns>, what: CancelWhat) -> Result<StatusCode, Refusal> {
    let actor = permit.actor();
    let devices = devices_within(&mut app.store.read().await?, actor.tenant, permit.reach()).await?;
    let (tenant, by, by_name) = (actor.tenant, sallyport_store::Actor::of(actor), actor.name.clone());
    let change = Cancel { tenant, devices, what, by, by_name, at: app.clock.now(), salt: app.random() };
    let told = app.store.commit(change).await.map_err(|error| match error {
        StoreError::Conflict => Refusal::from(Code::Conflict).because("It has ended: nothing is left to cancel."),
        error => error.into(),
    })?;
    for cancelled in &told {
        app.hub.cancel(cancelled.device, cancelled.grant);
    }
    if let Some(first) = told.first() {
        app.events.tell(actor.tenant, Event::Job { job: first.job.to_string() });
    }
    Ok(StatusCode::NO_CONTENT)
}
