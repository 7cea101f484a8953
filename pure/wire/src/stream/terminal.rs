//! Control messages of terminals. Channel 0 carries keystrokes to the device and output from it.

use serde::{Deserialize, Serialize};

use super::ByeReason;

/// From the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromClient {
    /// The window has another size, in cells.
    Resize {
        /// From 1.
        columns: u16,
        /// From 1.
        rows: u16,
    },
}

/// From the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromDevice {
    /// Who is attached now, by e-mail address.
    Viewers {
        /// In the order in which they came.
        names: Vec<String>,
    },
    /// The terminal has another size, in cells.
    Size {
        /// From 1.
        columns: u16,
        /// From 1.
        rows: u16,
    },
    /// The shell ended; one of both says how.
    Exit {
        /// What it returned.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// This viewer was too slow, and output was left out for it.
    Skipped {
        /// How much.
        bytes: u64,
    },
    /// Something was refused.
    Error {
        /// The request that it answers, where it answers one.
        id: Option<u32>,
        /// A stable code: `view_only`.
        code: String,
        /// For people.
        detail: String,
    },
    /// The attachment ends.
    Bye {
        /// Why.
        reason: ByeReason,
    },
}
