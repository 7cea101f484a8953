//! `/v1/scripts`: the script library.

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_decide::policy::{ReadScripts, WriteScripts};
use sallyport_decide::scripts::{CheckedScript, Parameter, ScriptError, WantedScript, interpreter_word};
use sallyport_model::{ScriptId, TenantId, limits};
use sallyport_store::ops::scripts::{self as store, CreateScript, DeleteScript, SaveScript, ScriptRow};
use serde::Deserialize;

use crate::asking::conditional::Expected;
use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// Versions that a script's history shows.
const HISTORY: u32 = 200;

/// Scripts, by name.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadScripts>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Page<api::Script>>, Refusal> {
    let rows = store::list(&mut app.store.read().await?, permit.actor().tenant).await?;
    paging::cut(rows, &query, |row| (row.name.to_lowercase(), row.id), shown).map(Json)
}

fn shown(row: ScriptRow) -> api::Script {
    api::Script {
        id: row.id,
        name: row.name,
        description: row.description,
        interpreter: interpreter_word(row.interpreter).to_owned(),
        version: row.version,
        sha256: row.sha256,
        updated: row.saved,
        updated_by: row.saved_by,
        last_run: row.last_run,
    }
}

/// Which version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowScript {
    version: Option<u32>,
}

/// One version in full; the newest where none is named.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadScripts>,
    Id(id): Id<ScriptId>,
    Query(query): Query<ShowScript>,
) -> Result<Json<api::ScriptDetails>, Refusal> {
    details(&app, permit.actor().tenant, id, query.version).await.map(Json)
}

async fn details(app: &App, tenant: TenantId, id: ScriptId, version: Option<u32>) -> Result<api::ScriptDetails, Refusal> {
    let mut reader = app.store.read().await?;
    let script = store::script(&mut reader, tenant, id, version).await?;
    let versions = store::versions(&mut reader, tenant, id, HISTORY).await?;
    let version =
        |row: store::VersionRow| api::ScriptVersion { version: row.version, sha256: row.sha256, saved: row.saved, saved_by: row.saved_by };
    Ok(api::ScriptDetails {
        last_run_version: script.row.last_run_version,
        text: script.text,
        parameters: script.parameters.into_iter().map(shown_parameter).collect(),
        versions: versions.into_iter().map(version).collect(),
        script: shown(script.row),
    })
}

fn shown_parameter(of: Parameter) -> api::Parameter {
    api::Parameter { name: of.name, label: of.label, secret: of.secret, required: of.required, default: of.default }
}

/// Adds a script.
pub(crate) async fn create(
    State(app): State<App>,
    Allowed(permit): Allowed<WriteScripts>,
    Json(body): Json<api::SaveScript>,
) -> Result<(StatusCode, Json<api::ScriptDetails>), Refusal> {
    if body.based_on.is_some() {
        return Err(Refusal::field("based_on", "must be absent for a new script"));
    }
    let script = checked(body)?;
    let tenant = permit.actor().tenant;
    if store::count(&mut app.store.read().await?, tenant).await? >= limits::SCRIPTS as u64 {
        return Err(Refusal::field("name", format!("there are {} scripts already, which is the most", limits::SCRIPTS)));
    }
    let at = app.clock.now();
    let id = ScriptId::new(at, app.random());
    app.store.commit(CreateScript { permit, id, script, at, salt: app.random() }).await?;
    Ok((StatusCode::CREATED, Json(details(&app, tenant, id, None).await?)))
}

/// Adds a version to a script; another version than the one that was edited is a conflict.
pub(crate) async fn save(
    State(app): State<App>,
    Allowed(permit): Allowed<WriteScripts>,
    Id(id): Id<ScriptId>,
    expected: Expected,
    Json(body): Json<api::SaveScript>,
) -> Result<Json<api::ScriptDetails>, Refusal> {
    let based_on = body.based_on.ok_or_else(|| Refusal::field("based_on", "must be the version that was edited"))?;
    let script = checked(body)?;
    let tenant = permit.actor().tenant;
    as_expected(&app, tenant, id, &expected).await?;
    let version = app.store.commit(SaveScript { permit, id, script, based_on, at: app.clock.now(), salt: app.random() }).await?;
    details(&app, tenant, id, Some(version)).await.map(Json)
}

/// The version that the caller's condition allows; none where there is no condition.
async fn as_expected(app: &App, tenant: TenantId, id: ScriptId, expected: &Expected) -> Result<Option<u32>, Refusal> {
    if !expected.is_stated() {
        return Ok(None);
    }
    let newest = details(app, tenant, id, None).await?;
    expected.is(&newest)?;
    Ok(Some(newest.script.version))
}

fn checked(body: api::SaveScript) -> Result<CheckedScript, Refusal> {
    let parameter =
        |of: api::Parameter| Parameter { name: of.name, label: of.label, secret: of.secret, required: of.required, default: of.default };
    let wanted = WantedScript {
        name: body.name,
        description: body.description,
        interpreter: body.interpreter,
        text: body.text,
        parameters: body.parameters.into_iter().map(parameter).collect(),
    };
    CheckedScript::check(wanted).map_err(|error: ScriptError| Refusal::field(error.field(), error))
}

/// Takes a script out of the library.
pub(crate) async fn delete(
    State(app): State<App>,
    Allowed(permit): Allowed<WriteScripts>,
    Id(id): Id<ScriptId>,
    expected: Expected,
) -> Result<StatusCode, Refusal> {
    let version = as_expected(&app, permit.actor().tenant, id, &expected).await?;
    app.store.commit(DeleteScript { permit, id, version, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}
