//! A tool with an API client: its key file, its tokens, and the way from a command's plain requests to signed ones.

mod key_file;
mod proxy;
mod token;

pub(crate) use key_file::{KeyFile, public_jwk};
pub(crate) use proxy::Proxy;
pub(crate) use token::Tokens;
