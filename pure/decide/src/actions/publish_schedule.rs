//! Publishing a schedule: a script that devices run unattended, frozen as the body that they verify at each occurrence.

use sallyport_grant::Hex;
use sallyport_grant::body::{Body, BodyError, GrantAction, GrantBody, GrantType, Person, RunSchedule};
use sallyport_grant::schedule::ScheduleTerms;
use sallyport_grant::targets::TargetTree;
use sallyport_model::{Digest, Email, Name, ScheduleId, Timestamp};
use serde::{Deserialize, Serialize};

use super::run_script::{self, CLOCK_BEHIND_SECS};
use super::sentence::named;
use super::{Action, Classified, Hour, RunScript, WantedRun, WantedRunError, classify};
use crate::schedules::{MembershipRule, in_words};

/// A schedule as it was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishSchedule {
    /// Which.
    pub schedule: ScheduleId,
    /// What people call it.
    pub name: String,
    /// The schedule that ends when this one begins.
    pub replaces: Option<ScheduleId>,
    /// How its devices were found; none where they were named one by one.
    pub rule: Option<MembershipRule>,
    /// The rule, for people.
    pub rule_words: Option<String>,
    /// What runs, with the body that devices verify.
    pub run: RunScript,
}

/// What somebody wants to publish.
#[derive(Debug, Clone)]
pub struct WantedSchedule {
    /// Its id.
    pub schedule: ScheduleId,
    /// What people call it.
    pub name: String,
    /// The schedule that it replaces.
    pub replaces: Option<ScheduleId>,
    /// How its devices are found.
    pub rule: Option<MembershipRule>,
    /// The rule, for people.
    pub rule_words: Option<String>,
    /// When it runs.
    pub terms: ScheduleTerms,
    /// When it ends.
    pub expires: Timestamp,
    /// What runs, on which devices.
    pub run: WantedRun,
}

/// Builds the action and the body that its devices will verify.
///
/// # Errors
/// When a field or the set of devices is not acceptable.
pub fn publish_schedule(wanted: WantedSchedule, hour: &Hour, now: Timestamp) -> Result<(Action, Classified), WantedRunError> {
    let tree = TargetTree::build(wanted.run.tenant, wanted.run.targets.iter().map(|target| target.thumbprint))?;
    let name = Name::parse(&wanted.name).map_err(|_| WantedRunError::Text("name"))?;
    let mut action = PublishSchedule {
        schedule: wanted.schedule,
        name: name.into_string(),
        replaces: wanted.replaces,
        rule: wanted.rule.clone(),
        rule_words: wanted.rule_words.clone(),
        run: run_script::unwritten(&wanted.run),
    };
    let classified = classify(&Action::PublishSchedule(action.clone()), hour);
    let email = Email::parse(&wanted.run.email).map_err(|_| WantedRunError::Text("email"))?;
    let schedule = RunSchedule {
        schedule: wanted.schedule,
        run: run_script::run(&wanted.run)?,
        terms: wanted.terms,
        rule: wanted.rule.as_ref().map(MembershipRule::digest),
    };
    let body = GrantBody {
        r#type: GrantType::V1,
        id: wanted.run.grant,
        tenant: wanted.run.tenant,
        class: classified.class,
        action: GrantAction::RunSchedule(schedule),
        targets: tree.targets(),
        not_before: now.plus_secs(-CLOCK_BEHIND_SECS),
        expires: wanted.expires,
        nonce: Hex(wanted.run.nonce),
        requested_by: Person { user: wanted.run.user, email },
    };
    action.run.body = String::from_utf8(body.into_bytes()?).map_err(|_| WantedRunError::Text("script"))?;
    Ok((Action::PublishSchedule(action), classified))
}

impl PublishSchedule {
    /// SHA-256 of the pre-authentication encoding of the body.
    pub fn digest(&self) -> Digest {
        self.run.digest()
    }

    /// The body, read back.
    ///
    /// # Errors
    /// When the stored text is no longer what was frozen.
    pub fn grant_body(&self) -> Result<GrantBody, BodyError> {
        self.run.grant_body()
    }

    /// What will happen, as one sentence for people.
    pub(super) fn sentence(&self) -> String {
        let body = self.grant_body().ok();
        let schedule = body.as_ref().and_then(|body| body.action.schedule());
        let Some(schedule) = schedule else { return format!("Publish the schedule {} on {}", self.name, named(&self.run.targets)) };
        let when = in_words(&schedule.terms.cron).unwrap_or_else(|_| schedule.terms.cron.clone());
        let account = schedule.run.run_as.as_ref().map_or("root", |account| account.as_str());
        let (script, version, targets) = (&schedule.run.name, self.run.version, named(&self.run.targets));
        format!("Publish {}: run {script} v{version} as {account} on {targets}, unattended, {when}", self.name)
    }
}
