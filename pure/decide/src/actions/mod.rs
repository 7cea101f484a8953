//! Guarded operations: the closed set of actions, who may ask for them and what it takes to release them.
//!
//! An action is asked for, frozen as an authorization request, proved by people, released, and then
//! executed once by the one function that takes a [`Released`].

mod action;
pub mod approvals;
mod class;
mod kind;
mod publish_schedule;
mod release;
mod remote;
mod request;
mod run_script;
mod sentence;

pub use action::{Action, ChangeNetworks, CreateInstaller, GoneFactor, Target};
pub use class::{Classified, Hour, classify};
pub use kind::ActionKind;
pub use publish_schedule::{PublishSchedule, WantedSchedule, publish_schedule};
pub use release::{Eligible, Method, Missing, Proof, Released, Requirement, release};
pub use remote::{OpenRemoteSession, WantedSession, WantedSessionError, open_remote_session};
pub use request::{Frozen, RequestState, freeze};
pub use run_script::{CLOCK_BEHIND_SECS, RunScript, WantedRun, WantedRunError, run_script};
