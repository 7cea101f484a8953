//! Remote sessions: what people attach to while it lives on this device.

pub mod kind;
pub mod recording;
