//! `/v1/jobs` and `/v1/runs`, reading. What ran is read out of the signed grant, not out of columns beside it.

use axum::extract::State;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::policy::ReadJobs;
use sallyport_decide::scripts::interpreter_word;
use sallyport_grant::body::{Body, GrantBody, RunAs, RunScript};
use sallyport_grant::{Envelope, PayloadType};
use sallyport_model::{JobId, RunId};
use sallyport_store::ops::jobs::{self as store, JobFilter, JobRow, RunRow, Whose};
use serde::Deserialize;

use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// Which jobs, and which page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListJobs {
    cursor: Option<String>,
    limit: Option<u32>,
    script: Option<String>,
    device: Option<String>,
    requested_by: Option<String>,
    schedule: Option<String>,
}

/// Jobs, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadJobs>,
    Query(query): Query<ListJobs>,
) -> Result<Json<api::Page<api::Job>>, Refusal> {
    let limit = paging::limit(query.limit)?;
    let filter = JobFilter {
        script: paging::parsed("script", query.script.as_deref())?,
        device: paging::parsed("device", query.device.as_deref())?,
        requested_by: paging::parsed("requested_by", query.requested_by.as_deref())?,
        schedule: paging::parsed("schedule", query.schedule.as_deref())?,
    };
    let after = paging::parsed("cursor", query.cursor.as_deref())?;
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let rows = store::list(&mut reader, &whose, &filter, after, limit + 1).await?;
    let page = paging::page(rows, limit, |row| row.id.to_string(), shown);
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(api::Page { items, next: page.next, total: None }))
}

/// One job.
pub(crate) async fn show(State(app): State<App>, Allowed(permit): Allowed<ReadJobs>, Id(id): Id<JobId>) -> Result<Json<api::Job>, Refusal> {
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let row = store::job(&mut reader, &whose, id).await?;
    shown(row).map(Json)
}

/// A job as the API says it.
pub(crate) fn shown(row: JobRow) -> Result<api::Job, Refusal> {
    let action = granted(&row)?.action;
    let run = action.script().cloned().ok_or(Code::Internal)?;
    Ok(api::Job {
        id: row.id,
        grant: row.grant,
        script: Some(row.script),
        version: row.version,
        sha256: run.script_sha256,
        interpreter: interpreter_word(run.interpreter).to_owned(),
        run_as: run.run_as.as_ref().map(|account| RunAs::as_str(account).to_owned()),
        secrets: secrets(&run),
        name: run.name.into_string(),
        arguments: run.arguments,
        requested_by: row.requested_by,
        created: row.created,
        expires: row.expires,
        ended: row.ended,
        log_index: row.log_index,
        occurrence: row.occurrence.map(|one| api::JobOccurrence { schedule: one.schedule, name: one.name, due: one.due }),
        counts: counts(row.runs.iter().map(|(word, runs)| (word.as_str(), *runs))),
    })
}

fn granted(row: &JobRow) -> Result<GrantBody, Refusal> {
    let envelope = Envelope::parse(row.envelope.as_bytes(), PayloadType::Grant).ok();
    let body = envelope.and_then(|envelope| GrantBody::parse(envelope.payload()).ok());
    body.ok_or_else(|| {
        tracing::error!(job = %row.id, "a stored grant cannot be read");
        Code::Internal.into()
    })
}

fn secrets(run: &RunScript) -> Vec<String> {
    run.secrets.iter().map(|secret| secret.name.as_str().to_owned()).collect()
}

fn counts<'a>(runs: impl Iterator<Item = (&'a str, u64)>) -> api::RunCounts {
    let mut counts = api::RunCounts::default();
    for (word, runs) in runs {
        counts.total += runs;
        let place = match state(word) {
            Some(api::RunState::Waiting | api::RunState::Delivered) => &mut counts.waiting,
            Some(api::RunState::Running) => &mut counts.running,
            Some(api::RunState::Succeeded) => &mut counts.succeeded,
            Some(api::RunState::Failed | api::RunState::TimedOut | api::RunState::OutputLimit) => &mut counts.failed,
            Some(api::RunState::Refused) => &mut counts.refused,
            Some(api::RunState::Cancelled | api::RunState::Interrupted | api::RunState::Expired) | None => &mut counts.other,
        };
        *place += runs;
    }
    counts
}

/// Reads a state's word; the same in the store, in queries and in answers.
fn state(word: &str) -> Option<api::RunState> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

/// Which runs, and which page of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListRuns {
    cursor: Option<String>,
    limit: Option<u32>,
    state: Option<String>,
}

/// Runs of a job, with the digests of their outputs, so that equal results can be shown together.
pub(crate) async fn runs(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadJobs>,
    Id(job): Id<JobId>,
    Query(query): Query<ListRuns>,
) -> Result<Json<api::Page<api::Run>>, Refusal> {
    let limit = paging::limit(query.limit)?;
    let after = paging::parsed("cursor", query.cursor.as_deref())?;
    let wanted = query.state.as_deref().filter(|word| !word.is_empty());
    if wanted.is_some_and(|word| state(word).is_none()) {
        return Err(Refusal::field("state", "is not a state of runs"));
    }
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let rows = store::runs(&mut reader, &whose, job, wanted, after, limit + 1).await?;
    if rows.is_empty() {
        // No runs of a job that is there, or no such job.
        store::job(&mut reader, &whose, job).await?;
    }
    let page = paging::page(rows, limit, |row| row.id.to_string(), shown_run);
    let items = page.items.into_iter().collect::<Result<_, _>>()?;
    Ok(Json(api::Page { items, next: page.next, total: None }))
}

/// One run.
pub(crate) async fn run(State(app): State<App>, Allowed(permit): Allowed<ReadJobs>, Id(id): Id<RunId>) -> Result<Json<api::Run>, Refusal> {
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let row = store::run(&mut reader, &whose, id).await?;
    shown_run(row).map(Json)
}

fn shown_run(row: RunRow) -> Result<api::Run, Refusal> {
    Ok(api::Run {
        id: row.id,
        job: row.job,
        device: row.device,
        device_name: row.device_name,
        state: state(&row.state).ok_or_else(|| {
            tracing::error!(run = %row.id, state = row.state, "a stored run's state is not known");
            Refusal::from(Code::Internal)
        })?,
        exit_code: row.exit_code,
        signal: row.signal,
        reason: row.reason,
        output_sha256: row.output_sha256,
        output_bytes: row.output_bytes,
        started: row.started,
        ended: row.ended,
        receipt: row.receipt.is_some(),
    })
}

/// What the device signed about a run.
pub(crate) async fn receipt(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadJobs>,
    Id(id): Id<RunId>,
) -> Result<Json<api::Receipt>, Refusal> {
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let row = store::run(&mut reader, &whose, id).await?;
    let envelope = row.receipt.ok_or(Code::NotFound)?;
    Ok(Json(api::Receipt { run: id, envelope }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [&str; 11] = [
        "waiting",
        "delivered",
        "running",
        "succeeded",
        "failed",
        "refused",
        "cancelled",
        "timed_out",
        "output_limit",
        "interrupted",
        "expired",
    ];

    #[test]
    fn every_run_is_counted_in_one_place() {
        let counts = counts(STATES.into_iter().map(|word| (word, 1)));
        let api::RunCounts { total, waiting, running, succeeded, failed, refused, other } = counts;
        assert_eq!((total, waiting, running, succeeded, failed, refused, other), (11, 2, 1, 1, 3, 1, 3));
        assert!(STATES.into_iter().all(|word| state(word).is_some()) && state("lost").is_none());
    }
}
