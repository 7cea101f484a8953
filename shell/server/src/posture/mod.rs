//! `/v1/posture`: how the configuration is judged, what of it is accepted, and what would happen if.

mod accept;
mod what_if;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

use axum::extract::State;
use sallyport_api as api;
use sallyport_decide::policy::{Actor, ReadPosture};
use sallyport_decide::posture::{Backup, BreachedList, Finding, Judged, Link, Report, Severity, Verdict, fingerprint, judge};
use sallyport_model::{Digest, Timestamp};
use sallyport_store::ops::accepted::{AcceptedRow, accepted};
use sallyport_store::ops::posture::{MailServer, Surroundings, facts};

use crate::accounts::breached::FILE_NAME;
use crate::config::Config;
use crate::keep::LAST_BACKUP;
use crate::{Allowed, App, Json, Refusal};

pub(crate) use accept::{accept, reopen};
pub(crate) use what_if::what_if;

/// What is accepted, by its finding.
type Accepted = BTreeMap<Digest, AcceptedRow>;

/// How the configuration is judged, for whoever asks.
pub(crate) async fn show(State(app): State<App>, Allowed(permit): Allowed<ReadPosture>) -> Result<Json<api::Posture>, Refusal> {
    let now = app.clock.now();
    let report = judged(&app, permit.actor()).await?;
    let accepted = accepted(&mut app.store.read().await?, permit.actor().tenant, now).await?;
    let rules: Vec<api::PostureRule> = report.rules.into_iter().map(|one| rule(one, &accepted)).collect();
    let count = |state| rules.iter().filter(|rule| rule.state == state).count() as u64;
    let counts = api::PostureCounts {
        critical: count(api::PostureState::Critical),
        warning: count(api::PostureState::Warning),
        accepted: count(api::PostureState::Accepted),
        holds: count(api::PostureState::Holds),
        unseen: count(api::PostureState::Unseen),
        hidden: report.hidden as u64,
    };
    Ok(Json(api::Posture { judged: now, counts, rules }))
}

/// The facts of this moment, judged for somebody.
async fn judged(app: &App, actor: &Actor) -> Result<Report, Refusal> {
    let facts = facts(&mut app.store.read().await?, actor.tenant, surroundings(app)).await?;
    Ok(judge(&facts, &actor.rights))
}

fn surroundings(app: &App) -> Surroundings {
    Surroundings {
        now: app.clock.now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mail: if app.config.mail.is_some() { MailServer::Configured } else { MailServer::Absent },
        backup: last_backup(&app.config),
        breached: breached_list(&app.config),
    }
}

/// The newest list on the server, where it does not ask one over the network.
fn breached_list(config: &Config) -> BreachedList {
    if config.breached_range_url.is_some() {
        return BreachedList::Asked;
    }
    let imported = config.data_dir.join(FILE_NAME);
    let lists = [Some(imported.as_path()), config.breached_passwords.as_deref()];
    lists.into_iter().flatten().filter_map(changed).max().map_or(BreachedList::Absent, BreachedList::Held)
}

/// When a file was last written.
fn changed(path: &Path) -> Option<Timestamp> {
    let at = std::fs::metadata(path).and_then(|file| file.modified()).ok()?;
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok().map(Timestamp::from_secs)
}

/// When `sallyport backup` last ended well here, or whatever else touches its mark.
fn last_backup(config: &Config) -> Backup {
    match changed(&config.data_dir.join(LAST_BACKUP)) {
        Some(at) => Backup::Made(at),
        None if config.database.starts_with("sqlite:") => Backup::Never,
        None => Backup::Elsewhere,
    }
}

fn rule(judged: Judged, accepted: &Accepted) -> api::PostureRule {
    let (checked, findings) = match judged.verdict {
        Verdict::Holds(what) => (Some((api::PostureState::Holds, what)), Vec::new()),
        Verdict::Unseen(why) => (Some((api::PostureState::Unseen, why)), Vec::new()),
        Verdict::Found(mut findings) => {
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            (None, findings)
        }
    };
    let findings: Vec<_> = findings.into_iter().map(|one| finding(judged.rule.id, one, accepted)).collect();
    // The worst that nobody has accepted decides; they are sorted by it.
    let open = || findings.iter().find(|finding| finding.accepted.is_none()).map(|finding| finding.state);
    let state = match &checked {
        Some((state, _)) => *state,
        None => open().unwrap_or(api::PostureState::Accepted),
    };
    let checked = checked.map(|(_, what)| what);
    api::PostureRule { id: judged.rule.id.to_owned(), wants: judged.rule.wants.to_owned(), state, checked, findings }
}

fn severity(severity: Severity) -> api::PostureState {
    match severity {
        Severity::Critical => api::PostureState::Critical,
        Severity::Warning => api::PostureState::Warning,
    }
}

fn finding(rule: &str, finding: Finding, accepted: &Accepted) -> api::PostureFinding {
    let id = fingerprint(rule, &finding);
    let accepted =
        accepted.get(&id).map(|row| api::AcceptedFinding { because: row.reason.clone(), by: row.by.clone(), at: row.at, until: row.until });
    api::PostureFinding {
        id,
        accepted,
        state: severity(finding.severity),
        title: finding.title,
        why: finding.why,
        subjects: finding.subjects.into_iter().map(link).collect(),
        fix: finding.fix.map(link),
    }
}

fn link(link: Link) -> api::ConsoleLink {
    api::ConsoleLink { word: link.word, path: link.path }
}
