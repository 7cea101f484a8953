//! A remote session, as a device opens it for one client.

use sallyport_model::{RemoteSessionId, limits};
use serde::{Deserialize, Serialize};

use super::fields::{self, RunAs};
use super::{BodyError, in_range};
use crate::Hex;

/// One client's right to attach to a remote session, until the session ends.
///
/// Every client has a grant of its own: whoever opens the session, and each person who joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRemoteSession {
    /// Which remote session.
    pub session: RemoteSessionId,
    /// What it is.
    pub kind: RemoteKind,
    /// What the client may do in it.
    pub access: Access,
    /// Whether it is there already.
    pub joins: Entry,
    /// The client's ephemeral X25519 key: only its holder reads the stream.
    pub client_key: Hex<32>,
    /// The account that it works as; the agent's own where nothing is said. Only terminals and files, and only by whoever opens.
    #[serde(deserialize_with = "fields::required")]
    pub run_as: Option<RunAs>,
    /// Of a terminal that is opened, in cells; otherwise 0.
    pub columns: u16,
    /// Of a terminal that is opened, in cells; otherwise 0.
    pub rows: u16,
    /// What the person at the machine is told or asked.
    pub consent: Consent,
    /// Whether the agent records it.
    pub record: Record,
    /// How long the person there has to answer, where they are asked; otherwise 0.
    pub ask_secs: u32,
    /// What it means where nobody answers. Only where somebody is asked can it be anything but a refusal.
    pub unanswered: Unanswered,
    /// Of a viewer: whether copied text goes between client and machine.
    pub clipboard: Clipboard,
    /// Of a viewer: whether a display may be made where there is none.
    pub virtual_display: VirtualDisplay,
    /// The session ends after this time without input.
    pub idle_secs: u32,
    /// The session ends at this age.
    pub max_secs: u32,
}

/// A kind of remote session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemoteKind {
    /// A shell.
    Terminal,
    /// Processes, services, logs, users and packages.
    Background,
    /// Files and folders.
    Files,
    /// The screen.
    Viewer,
}

impl RemoteKind {
    /// All of them.
    pub const ALL: [RemoteKind; 4] = [Self::Terminal, Self::Background, Self::Files, Self::Viewer];

    /// The word, as in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Background => "background",
            Self::Files => "files",
            Self::Viewer => "viewer",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a client may do. The device enforces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// See and act.
    Control,
    /// See.
    View,
}

impl Access {
    /// The word, as in the body.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::View => "view",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Control, Self::View].into_iter().find(|access| access.as_str() == text)
    }
}

/// How a client comes to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// It begins with this client.
    Opens,
    /// It is open, and this client joins.
    Joins,
}

/// What happens at the machine before anything is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Nothing.
    None,
    /// The person there is told who is connected.
    Banner,
    /// The person there is asked.
    Ask,
}

/// What it means where the person at the machine does not answer, or nobody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// No.
    Refuse,
    /// Yes.
    Allow,
}

/// Whether copied text goes between client and machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clipboard {
    /// It does not.
    Off,
    /// Both ways.
    Both,
}

/// Whether a display may be made on a machine that shows none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VirtualDisplay {
    /// There is nothing to see then.
    Never,
    /// One is started for the session, and ends with it.
    Allowed,
}

/// Whether a session is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// It is not.
    None,
    /// From its beginning to its end.
    Session,
}

impl OpenRemoteSession {
    pub(super) fn check(&self) -> Result<(), BodyError> {
        in_range(self.idle_secs, 1..=limits::REMOTE_IDLE_SECS)?;
        in_range(self.max_secs, self.idle_secs..=limits::REMOTE_LIFETIME_SECS)?;
        in_range(self.client_key.0.iter().filter(|byte| **byte != 0).count(), 1..=32)?;
        self.check_size()?;
        self.check_run_as()?;
        self.check_asking()?;
        self.check_screen()?;
        // A shell that nobody may type into has nothing to show.
        let blind = (self.kind, self.access, self.joins) == (RemoteKind::Terminal, Access::View, Entry::Opens);
        if blind { Err(BodyError::Contradiction) } else { Ok(()) }
    }

    fn check_size(&self) -> Result<(), BodyError> {
        match (self.kind, self.joins) {
            (RemoteKind::Terminal, Entry::Opens) => {
                in_range(self.columns, 1..=limits::TERMINAL_CELLS)?;
                in_range(self.rows, 1..=limits::TERMINAL_CELLS)
            }
            _ if self.columns != 0 || self.rows != 0 => Err(BodyError::Contradiction),
            _ => Ok(()),
        }
    }

    fn check_asking(&self) -> Result<(), BodyError> {
        match self.consent {
            Consent::Ask => in_range(self.ask_secs, limits::CONSENT_LEAST_SECS..=limits::CONSENT_SECS),
            Consent::None | Consent::Banner if (self.ask_secs, self.unanswered) == (0, Unanswered::Refuse) => Ok(()),
            Consent::None | Consent::Banner => Err(BodyError::Contradiction),
        }
    }

    fn check_screen(&self) -> Result<(), BodyError> {
        let nothing = (self.clipboard, self.virtual_display) == (Clipboard::Off, VirtualDisplay::Never);
        if nothing || self.kind == RemoteKind::Viewer { Ok(()) } else { Err(BodyError::Contradiction) }
    }

    fn check_run_as(&self) -> Result<(), BodyError> {
        let allowed = matches!(self.kind, RemoteKind::Terminal | RemoteKind::Files) && self.joins == Entry::Opens;
        if self.run_as.is_some() && !allowed { Err(BodyError::Contradiction) } else { Ok(()) }
    }
}
