//! Schedules as the API says them: what they do is read from what was signed.

use std::collections::BTreeSet;

use sallyport_api as api;
use sallyport_decide::actions::PublishSchedule;
use sallyport_decide::schedules::{MembershipRule, ScheduleState, Void};
use sallyport_decide::scripts::interpreter_word;
use sallyport_grant::body::GrantBody;
use sallyport_model::{DeviceId, Timestamp, limits};
use sallyport_store::ops::schedules::ScheduleRow;

use super::timing;

/// A schedule for somebody who reaches these of its devices.
pub(super) fn schedule(row: ScheduleRow, devices: BTreeSet<DeviceId>, now: Timestamp) -> api::Schedule {
    let (run, terms) = (&row.published_as.run, &row.published_as.terms);
    let next = match row.state {
        ScheduleState::Active => timing::next(terms, now.max(row.decided), row.expires, limits::SCHEDULE_PREVIEW),
        ScheduleState::Paused | ScheduleState::Voided | ScheduleState::Stopped | ScheduleState::Expired => Vec::new(),
    };
    api::Schedule {
        id: row.id,
        state: state(row.state),
        changed: row.changed,
        script: row.script,
        script_name: run.name.to_string(),
        version: row.script_version,
        sha256: run.script_sha256,
        interpreter: interpreter_word(run.interpreter).to_owned(),
        run_as: run.run_as.as_ref().map(ToString::to_string),
        arguments: run.arguments.clone(),
        environment: variables(&run.environment),
        time_limit_secs: run.time_limit_secs,
        timing: timing::shown(terms, row.expires),
        words: timing::words(terms),
        next,
        group: row.rule.as_ref().map(group),
        group_words: row.rule_words,
        targets: row.targets,
        devices: devices.into_iter().collect(),
        published: row.published,
        published_by: row.published_by,
        grant: row.grant,
        digest: row.digest,
        log_index: row.log_index,
        missed: row.missed,
        name: row.name,
        why: row.why,
        changed_by: row.changed_by,
    }
}

fn variables(environment: &[(sallyport_grant::body::EnvName, String)]) -> Vec<api::Variable> {
    environment.iter().map(|(name, value)| api::Variable { name: name.to_string(), value: value.clone() }).collect()
}

fn group(rule: &MembershipRule) -> api::DeviceGroup {
    api::DeviceGroup { customer: rule.customer.map(|id| id.to_string()), site: rule.site.map(|id| id.to_string()), tag: rule.tag.clone() }
}

fn state(state: ScheduleState) -> api::ScheduleState {
    match state {
        ScheduleState::Active => api::ScheduleState::Active,
        ScheduleState::Paused => api::ScheduleState::Paused,
        ScheduleState::Voided => api::ScheduleState::Voided,
        ScheduleState::Stopped => api::ScheduleState::Stopped,
        ScheduleState::Expired => api::ScheduleState::Expired,
    }
}

/// Why a publication is void, and what helps.
pub(super) fn void_words(why: Void) -> &'static str {
    match why {
        Void::ScriptChanged => "The script has a newer version than the published one: publish the schedule anew with it.",
        Void::ScriptDeleted => "The script was deleted.",
        Void::GroupGrew => "Its group means more devices than were published: publish the schedule anew with them.",
        Void::RuleChanged => {
            "The rule of its group is not the one that was published: publish the schedule anew, and ask who changed the database."
        }
        Void::PublisherGone => "Whoever published it may no longer do so: somebody else must publish it.",
        Void::NoDevices => "None of its devices is left.",
    }
}

/// A publication, exactly as its devices will check it.
pub(crate) fn details(publish: &PublishSchedule, body: &GrantBody, run: api::RunScriptDetails) -> Option<api::PublishScheduleDetails> {
    let terms = &body.action.schedule()?.terms;
    Some(api::PublishScheduleDetails {
        schedule_name: publish.name.clone(),
        timing: timing::shown(terms, body.expires),
        words: timing::words(terms),
        next: timing::next(terms, body.not_before, body.expires, limits::SCHEDULE_PREVIEW),
        group_words: publish.rule_words.clone(),
        replaces: publish.replaces,
        run,
    })
}
