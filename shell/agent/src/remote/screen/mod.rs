//! The screen: shows it to whoever is attached, and lets those control it who may. An RFB server over an encrypted stream.
//!
//! Each attachment has a viewer of its own, on a thread of its own, with its own connection to the X server, so that a slow
//! one slows nobody. [`find`] says which display is meant, [`x11`] captures and types, [`picture`] knows what changed,
//! [`encode`] packs it, [`rfb`] reads and writes the protocol, and [`viewer`] ties them together.

mod encode;
pub mod find;
pub mod local;
mod picture;
mod rfb;
mod session;
mod tape;
mod viewer;
mod virtual_display;
mod x11;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use session::{Rules, VirtualDisplays, kind};
pub use viewer::Clipboard;
