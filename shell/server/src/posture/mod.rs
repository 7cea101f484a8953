//! `/v1/posture`: how the configuration is judged, and what would happen if. Both read, and change nothing.

mod what_if;

use std::time::UNIX_EPOCH;

use axum::extract::State;
use sallyport_api as api;
use sallyport_decide::policy::ReadPosture;
use sallyport_decide::posture::{Backup, Finding, Judged, Link, Severity, Verdict, judge};
use sallyport_model::Timestamp;
use sallyport_store::ops::posture::{MailServer, Surroundings, facts};

use crate::config::Config;
use crate::keep::LAST_BACKUP;
use crate::{Allowed, App, Json, Refusal};

pub(crate) use what_if::what_if;

/// How the configuration is judged, for whoever asks.
pub(crate) async fn show(State(app): State<App>, Allowed(permit): Allowed<ReadPosture>) -> Result<Json<api::Posture>, Refusal> {
    let around = surroundings(&app);
    let judged = around.now;
    let facts = facts(&mut app.store.read().await?, permit.actor().tenant, around).await?;
    let report = judge(&facts, &permit.actor().rights);
    let rules: Vec<api::PostureRule> = report.rules.into_iter().map(rule).collect();
    let count = |state| rules.iter().filter(|rule| rule.state == state).count() as u64;
    let counts = api::PostureCounts {
        critical: count(api::PostureState::Critical),
        warning: count(api::PostureState::Warning),
        holds: count(api::PostureState::Holds),
        unseen: count(api::PostureState::Unseen),
        hidden: report.hidden as u64,
    };
    Ok(Json(api::Posture { judged, counts, rules }))
}

fn surroundings(app: &App) -> Surroundings {
    Surroundings {
        now: app.clock.now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mail: if app.config.mail.is_some() { MailServer::Configured } else { MailServer::Absent },
        backup: last_backup(&app.config),
    }
}

/// When `sallyport backup` last ended well here, or whatever else touches its mark.
fn last_backup(config: &Config) -> Backup {
    let touched = std::fs::metadata(config.data_dir.join(LAST_BACKUP)).and_then(|mark| mark.modified());
    let since = touched.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    match since.and_then(|since| i64::try_from(since.as_secs()).ok()) {
        Some(secs) => Backup::Made(Timestamp::from_secs(secs)),
        None if config.database.starts_with("sqlite:") => Backup::Never,
        None => Backup::Elsewhere,
    }
}

fn rule(judged: Judged) -> api::PostureRule {
    let worst = judged.severity().map(severity);
    let (state, checked, findings) = match judged.verdict {
        Verdict::Holds(what) => (api::PostureState::Holds, Some(what), Vec::new()),
        Verdict::Unseen(why) => (api::PostureState::Unseen, Some(why), Vec::new()),
        Verdict::Found(mut findings) => {
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            (worst.unwrap_or(api::PostureState::Warning), None, findings)
        }
    };
    api::PostureRule {
        id: judged.rule.id.to_owned(),
        wants: judged.rule.wants.to_owned(),
        state,
        checked,
        findings: findings.into_iter().map(finding).collect(),
    }
}

fn severity(severity: Severity) -> api::PostureState {
    match severity {
        Severity::Critical => api::PostureState::Critical,
        Severity::Warning => api::PostureState::Warning,
    }
}

fn finding(finding: Finding) -> api::PostureFinding {
    api::PostureFinding {
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
