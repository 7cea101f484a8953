//! The remote frame buffer protocol (RFC 6143 and the extensions that noVNC and TigerVNC speak): bytes in, messages out, and back.
//!
//! Nothing here touches a screen. What a client sends is hostile input: every length is bounded before a byte of it is kept.

pub(crate) mod client;
pub(crate) mod clipboard;
pub(crate) mod format;
pub(crate) mod server;

/// What this server says first; older clients answer with what they speak.
pub(crate) const VERSION: &[u8; 12] = b"RFB 003.008\n";

/// Encodings and pseudo-encodings by their registered numbers.
pub(crate) mod number {
    pub(crate) const RAW: i32 = 0;
    pub(crate) const COPY_RECT: i32 = 1;
    pub(crate) const TIGHT: i32 = 7;
    pub(crate) const ZRLE: i32 = 16;
    pub(crate) const QUALITY_LOWEST: i32 = -32;
    pub(crate) const QUALITY_HIGHEST: i32 = -23;
    pub(crate) const DESKTOP_SIZE: i32 = -223;
    pub(crate) const LAST_RECT: i32 = -224;
    pub(crate) const CURSOR: i32 = -239;
    pub(crate) const EXTENDED_DESKTOP_SIZE: i32 = -308;
    pub(crate) const FENCE: i32 = -312;
    pub(crate) const CONTINUOUS_UPDATES: i32 = -313;
    pub(crate) const EXTENDED_CLIPBOARD: i32 = 0xC0A1_E5CE_u32 as i32;
}
