//! A script that devices run unattended, as it is published.

use sallyport_model::{Digest, ScheduleId};
use serde::{Deserialize, Serialize};

use super::fields;
use super::{BodyError, RunScript};
use crate::schedule::ScheduleTerms;

/// A standing authorization: one script, with everything that it is run with, at the times of its terms, once for each.
///
/// Devices get the whole grant with each occurrence, and check all of it each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSchedule {
    /// Which schedule.
    pub schedule: ScheduleId,
    /// What runs. It has no secrets: those are sealed for one run.
    pub run: RunScript,
    /// When.
    pub terms: ScheduleTerms,
    /// SHA-256 of the rule that its targets were found by; absent where they were named one by one.
    #[serde(deserialize_with = "fields::required")]
    pub rule: Option<Digest>,
}

impl RunSchedule {
    pub(super) fn check(&self) -> Result<(), BodyError> {
        if !self.run.secrets.is_empty() {
            return Err(BodyError::Contradiction);
        }
        self.run.check()?;
        self.terms.check()
    }
}
