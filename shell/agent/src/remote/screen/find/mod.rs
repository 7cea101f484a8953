//! Finds the screen that somebody sits at: the signed-in user's display, or the greeter that waits for one.
//!
//! [`facts`] reads what the system says; [`choose`] decides; both are apart so that decisions are tested without a system.

pub(crate) mod authority;
mod choose;
mod facts;

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use choose::choose;
pub(crate) use facts::Facts;

/// A display of an X server and how to be let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub(crate) socket: PathBuf,
    pub(crate) cookie: Option<Cookie>,
    /// Accounts that the server may run as.
    pub(crate) servers: Vec<u32>,
}

/// The secret that an X server wants.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Cookie(pub(crate) Vec<u8>);

impl fmt::Debug for Cookie {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a cookie")
    }
}

impl Seat {
    pub(crate) fn may_be_served_by(&self, uid: u32) -> bool {
        self.servers.contains(&uid)
    }

    /// A display by its number, which one account's server shows.
    pub(crate) fn of(number: u32, cookie: Option<Cookie>, owner: u32) -> Self {
        Self { socket: facts::socket(Path::new("/"), number), cookie, servers: vec![owner] }
    }

    /// A display of the account that this program runs as, without a cookie: for measurements.
    pub fn of_own(number: u32) -> Self {
        Self::of(number, None, own_uid())
    }
}

fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    // What the kernel says of this process; nobody when it says nothing.
    std::fs::metadata("/proc/self").map_or(u32::MAX, |process| process.uid())
}

/// Why there is nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoScreen {
    #[error("the session in front is a Wayland session, which nobody else can capture")]
    Wayland,
    #[error("this device has no display, and may not start a virtual one")]
    NoDisplay,
    #[error("the account has no display on this device")]
    NotOfAccount,
    #[error("a virtual display could not be started: the program Xvfb is missing or failed")]
    Virtual,
}

impl NoScreen {
    /// For people: what is the matter, and what works instead.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Wayland => {
                "Somebody is signed in with Wayland, which lets no other program see or use the screen. Terminal, files and \
                 background management work; the screen does after signing in with an Xorg session."
            }
            Self::NoDisplay => "This device has no display, and may not start a virtual one.",
            Self::NotOfAccount => "This account has no display on this device.",
            Self::Virtual => "A virtual display could not be started: Xvfb is not installed, or it failed.",
        }
    }

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::Wayland => "wayland_no_capture",
            Self::NoDisplay => "no_display",
            Self::NotOfAccount => "no_display_of_account",
            Self::Virtual => "virtual_display_failed",
        }
    }
}

/// Finds the screen of this machine; that of one account where one is named.
pub(crate) fn find(account: Option<u32>) -> Result<Seat, NoScreen> {
    let facts = Facts::gather(Path::new("/"));
    let server = choose(&facts, account)?;
    Ok(facts.seat_of(server))
}
