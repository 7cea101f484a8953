//! The bridge: other vendors' APIs, used with credentials that nobody gets to see.
//!
//! A *connection* says where requests go, which ones are allowed, how the credential goes in and who may send them. [`clear`] is the only way
//! from what a caller sent to what leaves the server, and [`Returned::of`] the only way back. [`rotation`] replaces a credential so that a
//! crash between any two steps loses neither the old one nor the new one.

mod answer;
mod call;
mod check;
mod hook;
mod path;
pub mod rotation;
mod secret;
mod shape;

pub use answer::{AnswerError, Returned};
pub use call::{CallError, Cleared, Sender, clear};
pub use check::ShapeError;
pub use hook::{Hook, NewSecret};
pub use path::{Pattern, PatternError, SafePath, SafePathError};
pub use secret::{Placement, Secret, SecretError};
pub use shape::{Allow, ChangeConnection, Shape, Standing, Verb};
