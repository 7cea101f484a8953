//! What a configuration is judged by, at one moment.

use sallyport_model::{ApiClientId, InstallerId, Timestamp, UserId};

use crate::automation::{Rotation, Stopped};
use crate::networks::{Range, Rules};
use crate::people::MfaPolicy;
use crate::policy::Rights;

/// Everything about a tenant at one moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The moment.
    pub now: Timestamp,
    /// The policy of factors.
    pub mfa: MfaPolicy,
    /// The rules about addresses.
    pub networks: Rules,
    /// All accounts.
    pub accounts: Vec<Account>,
    /// Installers that still work.
    pub installers: Vec<Installer>,
    /// Devices that wait for approval: how many, and since when the first one.
    pub pending: (u64, Option<Timestamp>),
    /// Versions of approved devices' agents, with how many have each.
    pub agents: Vec<(String, u64)>,
    /// This server's version.
    pub version: String,
    /// How mail stands.
    pub mail: Mail,
    /// The latest time that the database has of anything.
    pub newest_record: Option<Timestamp>,
    /// Authenticators that were used within the last day, and how many of their codes were of a moment that had not come yet by the
    /// server's clock.
    pub codes: (u64, u64),
    /// The last backup.
    pub backup: Backup,
    /// Live sessions, and how many of them have no browser key.
    pub sessions: (u64, u64),
    /// API clients that work, and those that were stopped lately.
    pub clients: Vec<ApiClient>,
    /// What passwords are compared with.
    pub breached: BreachedList,
}

/// An API client.
#[derive(Debug, Clone)]
pub struct ApiClient {
    /// Which.
    pub id: ApiClientId,
    /// What people call it.
    pub name: String,
    /// In whose name it works.
    pub owner: String,
    /// Where it works from.
    pub networks: Vec<Range>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
    /// When it ends by itself.
    pub expires: Timestamp,
    /// Whether it replaces its key each day.
    pub rotation: Rotation,
    /// When its present key was registered.
    pub key_created: Timestamp,
    /// Why and when it was stopped.
    pub stopped: Option<(Stopped, Timestamp)>,
}

/// What passwords are compared with, beside the built-in list of common ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreachedList {
    /// Nothing.
    Absent,
    /// A list on the server, of this day.
    Held(Timestamp),
    /// A list that is asked over the network.
    Asked,
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// Its person has not come yet.
    Invited,
    /// It may sign in.
    Active,
    /// It may not.
    Disabled,
}

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Whose.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// Where it stands, its end reckoned in.
    pub state: AccountState,
    /// Its roles.
    pub rights: Rights,
    /// Whether an administrator requires a factor of it.
    pub required: bool,
    /// How many authenticator apps it has.
    pub totp: u32,
    /// How many passkeys.
    pub passkeys: u32,
    /// Recovery codes that are left.
    pub codes_left: u32,
    /// When it was made.
    pub created: Timestamp,
    /// When it last signed in.
    pub last_sign_in: Option<Timestamp>,
    /// When it ends by itself.
    pub expires: Option<Timestamp>,
    /// Until when the verification of its addresses is paused.
    pub paused_until: Option<Timestamp>,
}

impl Account {
    /// Whether it has a second factor.
    pub fn has_factor(&self) -> bool {
        self.totp + self.passkeys > 0
    }

    pub(crate) fn is_active(&self) -> bool {
        self.state == AccountState::Active
    }
}

/// An installer that works.
#[derive(Debug, Clone)]
pub struct Installer {
    /// Which.
    pub id: InstallerId,
    /// What people call it.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it stops working.
    pub expires: Timestamp,
    /// How many devices may still use it.
    pub left: u32,
    /// The only network that it works from.
    pub network: Option<String>,
}

/// How mail stands.
#[derive(Debug, Clone)]
pub enum Mail {
    /// No mail server is configured.
    Absent,
    /// One is.
    Configured(MailFacts),
}

/// What became of mails.
#[derive(Debug, Clone, Default)]
pub struct MailFacts {
    /// How many wait.
    pub waiting: u64,
    /// How many were given up within the last week.
    pub failed: u64,
    /// When the last one was taken by the mail server.
    pub last_sent: Option<Timestamp>,
    /// What the mail server said last, where it refused.
    pub last_error: Option<String>,
}

/// The last backup, as far as the server can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backup {
    /// It was made then.
    Made(Timestamp),
    /// `sallyport backup` never ran here.
    Never,
    /// The database is backed up by its own tools, which tell nobody here.
    Elsewhere,
}
