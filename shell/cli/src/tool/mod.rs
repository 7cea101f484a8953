//! A tool with an API client: its key file, its tokens, and the way from a command's plain requests to signed ones.

mod head;
mod host_key;
mod key_file;
mod measure;
mod proxy;
mod token;
mod tpm;
mod vouch;

pub(crate) use host_key::HostKey;
pub(crate) use key_file::{KeyFile, public_jwk};
pub(crate) use measure::{Program, digest_of};
pub(crate) use proxy::Proxy;
pub(crate) use token::Tokens;
pub(crate) use vouch::{Voucher, bytes as licence_bytes};
