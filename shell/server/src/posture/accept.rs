//! `/v1/posture/accepted`: what is found and accepted for a while, with why.

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::policy::{AcceptFindings, Actor};
use sallyport_decide::posture::{Finding, Verdict, check_end, fingerprint};
use sallyport_model::{Digest, Note, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accepted::{AcceptFinding, ReopenFinding};

use super::judged;
use crate::{Allowed, App, Id, Json, Refusal};

/// Accepts what is found now, and what the one who accepts it may read.
pub(crate) async fn accept(
    State(app): State<App>,
    Allowed(permit): Allowed<AcceptFindings>,
    Json(body): Json<api::AcceptFinding>,
) -> Result<StatusCode, Refusal> {
    let reason = Note::parse(&body.reason).map_err(|why| Refusal::field("reason", why))?;
    let at = app.clock.now();
    let (rule, finding) = find(&app, permit.actor(), body.finding).await?;
    check_end(finding.severity, body.until, at).map_err(|why| Refusal::field("until", why))?;
    let (finding, title) = (body.finding, finding.title);
    let change = AcceptFinding { permit, finding, rule, title, reason, until: body.until, at, salt: app.random() };
    app.store.commit(change).await.map_err(|error| match error {
        StoreError::Exists => {
            Refusal::from(Code::Conflict).because(format!("At most {} findings are accepted at a time.", limits::ACCEPTED_FINDINGS))
        }
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accepts it no longer.
pub(crate) async fn reopen(
    State(app): State<App>,
    Allowed(permit): Allowed<AcceptFindings>,
    Id(finding): Id<Digest>,
) -> Result<StatusCode, Refusal> {
    app.store.commit(ReopenFinding { permit, finding, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, actor: &Actor, wanted: Digest) -> Result<(&'static str, Finding), Refusal> {
    let rules = judged(app, actor).await?.rules;
    let found = rules.into_iter().flat_map(|one| match one.verdict {
        Verdict::Found(findings) => findings.into_iter().map(|finding| (one.rule.id, finding)).collect(),
        Verdict::Holds(_) | Verdict::Unseen(_) => Vec::new(),
    });
    let mut same = found.filter(|(rule, finding)| fingerprint(rule, finding) == wanted);
    same.next().ok_or_else(|| Refusal::field("finding", "is nothing that is found now"))
}
