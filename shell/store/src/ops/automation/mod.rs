//! API clients and their access tokens.

mod clients;
mod keys;
mod licences;
mod tokens;

pub use clients::{ClientRow, Refused, StopClient, StoppedBy, client, clients, living_clients, owner_rights, recent_clients};
pub(crate) use clients::{change, create, still_stands, stop_all_of};
pub use keys::{RegisteredKey, RotateKey, StopStale, WarnOfKey, keys_of, stale_keys};
pub(crate) use licences::issue;
pub use licences::{LicenceRow, RefuseLicence, RevokeLicence, licence, licences, standing_licences};
pub use tokens::{ForgetTokens, IssueToken, LiveToken, NewToken, RevokeToken, UseToken, live_token};
