//! What a device obeys.

use sallyport_model::{Digest, Email, GrantId, Name, TenantId, Timestamp, UserId, limits};
use serde::{Deserialize, Serialize};

use super::fields::{self, EnvName, RunAs};
use super::{Body, BodyError, OpenRemoteSession, RunSchedule, at_most, distinct, in_range, passable, type_tag};
use crate::Hex;
use crate::envelope::PayloadType;
use crate::targets::Targets;

type_tag!(
    /// The type of a grant.
    GrantType = "sallyport.grant/1"
);

/// One frozen action for its targets, within a window.
///
/// Its bytes are final when the action is asked for: people see, prove and sign their digest. What comes later (who
/// proved what) stands beside them, in a [`super::Statement`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    /// Always the same text.
    pub r#type: GrantType,
    /// Each id is obeyed once by each device.
    pub id: GrantId,
    /// Whose devices.
    pub tenant: TenantId,
    /// At least what the action and the number of targets make it.
    pub class: Class,
    /// What to do.
    pub action: GrantAction,
    /// On which devices.
    pub targets: Targets,
    /// Not obeyed before.
    pub not_before: Timestamp,
    /// Not obeyed from then on.
    pub expires: Timestamp,
    /// 128 random bits.
    pub nonce: Hex<16>,
    /// Who asked.
    pub requested_by: Person,
}

/// How much proof an action wants (DESIGN, section 4), written as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Class {
    /// 0: reads.
    Read,
    /// 1: touches one device.
    OneDevice,
    /// 2: touches several devices, or is privileged.
    Fleet,
    /// 3: touches very many devices, or trust itself.
    Mass,
}

impl From<Class> for u8 {
    fn from(class: Class) -> Self {
        match class {
            Class::Read => 0,
            Class::OneDevice => 1,
            Class::Fleet => 2,
            Class::Mass => 3,
        }
    }
}

impl TryFrom<u8> for Class {
    type Error = BodyError;
    fn try_from(number: u8) -> Result<Self, BodyError> {
        match number {
            0 => Ok(Self::Read),
            1 => Ok(Self::OneDevice),
            2 => Ok(Self::Fleet),
            3 => Ok(Self::Mass),
            _ => Err(BodyError::OutOfRange),
        }
    }
}

/// Everything that a grant can make a device do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GrantAction {
    /// Runs a script once.
    RunScript(RunScript),
    /// Lets one client attach to a remote session, which the first one opens.
    OpenRemoteSession(OpenRemoteSession),
    /// Runs a script at its times, once for each.
    RunSchedule(RunSchedule),
}

impl GrantAction {
    /// The name of the action in the audit log, as in the body.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunScript(_) => "run_script",
            Self::OpenRemoteSession(_) => "open_remote_session",
            Self::RunSchedule(_) => "run_schedule",
        }
    }

    /// The script, where it is one, be it run once or by a schedule.
    pub fn script(&self) -> Option<&RunScript> {
        match self {
            Self::RunScript(run) => Some(run),
            Self::RunSchedule(schedule) => Some(&schedule.run),
            Self::OpenRemoteSession(_) => None,
        }
    }

    /// The script to change, where it is one.
    pub fn script_mut(&mut self) -> Option<&mut RunScript> {
        match self {
            Self::RunScript(run) => Some(run),
            Self::RunSchedule(schedule) => Some(&mut schedule.run),
            Self::OpenRemoteSession(_) => None,
        }
    }

    /// The schedule, where it is one.
    pub fn schedule(&self) -> Option<&RunSchedule> {
        match self {
            Self::RunSchedule(schedule) => Some(schedule),
            Self::RunScript(_) | Self::OpenRemoteSession(_) => None,
        }
    }

    /// The remote session, where it is one.
    pub fn remote_session(&self) -> Option<&OpenRemoteSession> {
        match self {
            Self::OpenRemoteSession(open) => Some(open),
            Self::RunScript(_) | Self::RunSchedule(_) => None,
        }
    }

    fn check(&self) -> Result<(), BodyError> {
        match self {
            Self::RunScript(run) => run.check(),
            Self::OpenRemoteSession(open) => open.check(),
            Self::RunSchedule(schedule) => schedule.check(),
        }
    }

    fn most_targets(&self) -> usize {
        match self {
            Self::RunScript(_) | Self::RunSchedule(_) => limits::TARGETS,
            Self::OpenRemoteSession(_) => 1,
        }
    }

    /// How long a grant for it may live: a publication stands, everything else is for minutes.
    pub fn max_lifetime_secs(&self) -> i64 {
        match self {
            Self::RunSchedule(_) => limits::SCHEDULE_LIFETIME_SECS + limits::GRANT_SKEW_SECS,
            Self::RunScript(_) | Self::OpenRemoteSession(_) => limits::GRANT_LIFETIME_SECS + limits::GRANT_SKEW_SECS,
        }
    }
}

/// A script and everything that it is run with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunScript {
    /// What people call it; decides nothing.
    #[serde(deserialize_with = "fields::name")]
    pub name: Name,
    /// What executes it.
    pub interpreter: Interpreter,
    /// SHA-256 of its exact bytes.
    pub script_sha256: Digest,
    /// Their number.
    pub script_bytes: u32,
    /// The account that it runs as; the agent's own where nothing is said.
    #[serde(deserialize_with = "fields::required")]
    pub run_as: Option<RunAs>,
    /// Arguments in order.
    pub arguments: Vec<String>,
    /// Environment variables beside the agent's fixed ones.
    pub environment: Vec<(EnvName, String)>,
    /// Secret environment variables, sealed apart and committed to here.
    pub secrets: Vec<SecretParameter>,
    /// Ended after this.
    pub time_limit_secs: u32,
    /// Ended when it wrote more than this.
    pub output_limit_bytes: u64,
}

impl RunScript {
    pub(super) fn check(&self) -> Result<(), BodyError> {
        in_range(self.script_bytes as usize, 1..=limits::SCRIPT_BYTES)?;
        in_range(self.time_limit_secs, 1..=limits::RUN_TIME_LIMIT_SECS)?;
        in_range(self.output_limit_bytes, 1..=limits::RUN_OUTPUT_BYTES)?;
        at_most(self.arguments.len(), limits::ARGUMENTS)?;
        at_most(self.environment.len(), limits::ENVIRONMENT)?;
        at_most(self.secrets.len(), limits::SECRETS)?;
        self.arguments.iter().try_for_each(|argument| passable(argument))?;
        self.environment.iter().try_for_each(|(_, value)| passable(value))?;
        distinct(self.environment.iter().map(|(name, _)| name).chain(self.secrets.iter().map(|secret| &secret.name)))
    }
}

/// What executes a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpreter {
    /// GNU bash.
    Bash,
    /// The system's POSIX shell.
    Sh,
    /// Python 3.
    Python3,
    /// PowerShell 7.
    Pwsh,
}

/// A secret environment variable, by its name and a commitment to its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretParameter {
    /// Name of the variable.
    pub name: EnvName,
    /// See [`crate::sealed::commitment`].
    pub commitment: Digest,
}

/// A user, for people who read the grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Who.
    pub user: UserId,
    /// The address at that time.
    #[serde(deserialize_with = "fields::email")]
    pub email: Email,
}

impl Body for GrantBody {
    const TYPE: PayloadType = PayloadType::Grant;

    fn check(&self) -> Result<(), BodyError> {
        in_range(self.targets.count as usize, 1..=self.action.most_targets())?;
        if self.not_before >= self.expires {
            return Err(BodyError::TimeOrder);
        }
        self.action.check()
    }
}
