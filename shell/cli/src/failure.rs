//! What can go wrong, told to people and to scripts: what happened, what to do, a code, an exit code.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::safe::{lines, one_line};
use crate::screen::remark;

/// How a command ended that was not stopped by a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it was done.
    Done,
    /// It was done, and did not succeed everywhere.
    SomeFailed,
    /// Its person left before it was over; it goes on without them.
    Left,
    /// What ran elsewhere ended with this code.
    Exit(u8),
}

impl Outcome {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Left => 130,
            Self::Exit(code) => code,
        }
    }
}

/// A refusal of the server (RFC 9457). Codes that are newer than this program stay text.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) request_id: String,
    pub(crate) field: Option<String>,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", refusal(.0))]
    Refused(Box<Problem>),
    #[error("nobody is signed in here")]
    NoSession(PathBuf),
    #[error("{url} does not answer: {why}")]
    Unreachable { url: String, why: String },
    #[error("the server's answer cannot be read: {0}")]
    Answer(String),
    #[error("{0}")]
    Url(&'static str),
    #[error("{}: {why}", path.display())]
    File { path: PathBuf, why: std::io::Error },
    #[error("{}: {why}", path.display())]
    Content { path: PathBuf, why: &'static str },
    #[error("standard output does not take what is printed: {0}")]
    Output(std::io::Error),
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("{0} is needed, and there is no terminal to ask for it")]
    NoTerminal(&'static str),
    #[error("there is no {what} {wanted}")]
    Unknown { what: &'static str, wanted: String },
    #[error("{wanted} names more than one {what}:\n{}", candidates.join("\n"))]
    Ambiguous { what: &'static str, wanted: String, candidates: Vec<String> },
    #[error("nothing matches")]
    NothingMatches,
    #[error("{0}")]
    Input(String),
    #[error("nobody answered in the browser within ten minutes")]
    NobodyAnswered,
    #[error("you said no; nothing was done")]
    Declined,
    #[error("none of the codes was accepted; request {0} still waits")]
    Unproven(String),
    #[error("request {short} is {state}; nothing was done")]
    NotReleased { short: String, state: &'static str },
    #[error("the server froze something else than was asked for: {0}")]
    OtherAction(&'static str),
    #[error("the remote session is over: {0}")]
    Ended(String),
    #[error("the audit log does not hold: {0}")]
    Log(String),
    #[error("the licence does not hold: {0}")]
    Licence(String),
}

fn refusal(problem: &Problem) -> String {
    let title = if problem.title.is_empty() { "the server refused" } else { &problem.title };
    match &problem.field {
        Some(field) => format!("{} ({})", one_line(title), one_line(field)),
        None => one_line(title),
    }
}

impl Failure {
    /// What to do about it.
    pub(crate) fn next_step(&self) -> String {
        match self {
            Self::Refused(problem) if matches!(problem.code.as_str(), "token_refused" | "not_signed_in") => {
                "Sign in again with `sallyport login`.".to_owned()
            }
            // Where the server says nothing closer, what its console says is said for a terminal.
            Self::Refused(problem) if problem.detail == sallyport_api::Code::FactorRequired.remedy() => {
                "Set one up with `sallyport activate`; where you have one, prove it with `sallyport step-up`.".to_owned()
            }
            Self::Refused(problem) if problem.detail == sallyport_api::Code::NotFound.remedy() => {
                "List what there is, and use a name or an id from that list; what was removed is in none.".to_owned()
            }
            Self::Refused(problem) => one_line(&problem.detail),
            Self::NoSession(path) => format!("Sign in with `sallyport login URL`. Sessions are looked for in {}.", path.display()),
            Self::Unreachable { .. } => {
                "Check the address, the network, and that the server runs; `--ca FILE` at login trusts a private CA.".to_owned()
            }
            Self::Answer(_) => "Check that the address is a Sallyport server, and that this program is not older than it.".to_owned(),
            Self::Url(_) => "Give an address like https://rmm.example; plain http works on this computer only.".to_owned(),
            Self::File { .. } => "Check the path and its permissions.".to_owned(),
            Self::Content { .. } => "Check that it is the file that you meant.".to_owned(),
            Self::Output(_) => "Make room there, or print elsewhere. What was asked for may be done: look before you ask again.".to_owned(),
            Self::NoRandomness => "Try again; if it stays, this computer must not make keys.".to_owned(),
            Self::NoTerminal(_) => "Give it on standard input; `--help` names the option.".to_owned(),
            Self::Unknown { .. } => "List what there is, and use a name or an id from that list.".to_owned(),
            Self::Ambiguous { .. } => "Use the id.".to_owned(),
            Self::NothingMatches => "Choose at least one.".to_owned(),
            Self::Input(_) => "See `--help`.".to_owned(),
            Self::NobodyAnswered => "Run the command again, and answer on the page that it shows.".to_owned(),
            Self::Declined => "Run the command again when it is right.".to_owned(),
            Self::Unproven(short) => {
                format!("`sallyport requests approve {short}` tries again, `sallyport requests deny {short}` ends it.")
            }
            Self::NotReleased { .. } => "Start the action again.".to_owned(),
            Self::Ended(_) => "Open a new one.".to_owned(),
            Self::OtherAction(_) => "The request was denied. Do not approve it elsewhere; tell whoever runs the server.".to_owned(),
            Self::Log(_) => {
                "Do not go on as if nothing happened: compare with a device's `sallyport-agent status`, and tell the owner.".to_owned()
            }
            Self::Licence(_) => "Ask whoever issued it; `sallyport licence verify FILE` says what it is for.".to_owned(),
        }
    }

    /// A stable code.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Refused(problem) => &problem.code,
            Self::NoSession(_) => "no_session",
            Self::Unreachable { .. } => "unreachable",
            Self::Answer(_) => "unreadable_answer",
            Self::Url(_) => "bad_url",
            Self::File { .. } | Self::Content { .. } => "file",
            Self::Output(_) => "output",
            Self::NoRandomness => "no_randomness",
            Self::NoTerminal(_) => "no_terminal",
            Self::Unknown { .. } => "unknown_name",
            Self::Ambiguous { .. } => "ambiguous_name",
            Self::NothingMatches => "nothing_to_do",
            Self::Input(_) => "bad_input",
            Self::NobodyAnswered => "nobody_answered",
            Self::Declined => "declined",
            Self::Unproven(_) => "code_refused",
            Self::NotReleased { .. } => "not_released",
            Self::OtherAction(_) => "other_action",
            Self::Ended(_) => "remote_session_ended",
            Self::Log(_) => "log_does_not_hold",
            Self::Licence(_) => "licence_does_not_hold",
        }
    }

    /// 2 refused or wrongly asked, 3 the surroundings, 4 not signed in, 5 the log or a licence does not hold.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(problem) => match problem.code.as_str() {
                "not_signed_in" | "proof_refused" | "token_refused" => 4,
                _ if problem.status >= 500 => 3,
                _ => 2,
            },
            Self::NoSession(_) => 4,
            Self::Unreachable { .. }
            | Self::Answer(_)
            | Self::File { .. }
            | Self::Content { .. }
            | Self::Output(_)
            | Self::NoRandomness => 3,
            Self::Log(_) | Self::Licence(_) => 5,
            _ => 2,
        }
    }

    /// For `--json`.
    pub(crate) fn to_json(&self) -> Value {
        let mut error =
            json!({ "code": self.code(), "title": self.to_string(), "detail": self.next_step(), "exit_code": self.exit_code() });
        if let Self::Refused(problem) = self {
            error["request_id"] = json!(problem.request_id);
            error["field"] = json!(problem.field);
        }
        json!({ "error": error })
    }

    /// For people, on standard error.
    pub(crate) fn tell(&self) {
        remark(lines(&format!("error: {self}")));
        let next = self.next_step();
        if !next.is_empty() {
            remark(format!("  {}", lines(&next)));
        }
        match self {
            Self::Refused(problem) if !problem.request_id.is_empty() => {
                remark(format!("  code {}, request {}", one_line(&problem.code), one_line(&problem.request_id)));
            }
            _ => remark(format!("  code {}", one_line(self.code()))),
        }
    }

    /// Whether the server refused with this code.
    pub(crate) fn is_refusal(&self, code: sallyport_api::Code) -> bool {
        matches!(self, Self::Refused(problem) if problem.code == code.as_str())
    }
}
