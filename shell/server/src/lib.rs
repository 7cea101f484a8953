//! The server: HTTP routes, the agent hub, background tasks. Decisions are in `decide`, bytes at rest in `store`.

pub mod accounts;
mod app;
mod audit;
mod background;
pub mod clock;
pub mod config;
mod console;
mod docs;
mod error;
pub mod events;
mod extract;
mod fleet;
mod front;
mod guard;
pub mod hub;
mod jobs;
pub mod keep;
pub mod keys;
mod live;
mod observe;
mod open;
mod paging;
mod people;
pub mod routes;
mod serve;
mod trust;
mod work;

pub use app::{App, Parts};
pub use docs::{print_errors, print_openapi, print_roles, print_unsigned_messages};
pub use error::Refusal;
pub use extract::{Id, Json, Query};
pub use guard::Allowed;
pub use observe::{files_and_agents, serve_metrics};
pub use open::open;
pub use serve::{Running, ServeError, start};
