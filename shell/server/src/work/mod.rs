//! Guarded operations over HTTP: asked for, frozen, proved, executed.

mod ask;
mod execute;
mod jobs;
mod remote;
mod requests;
mod secrets;
mod view;

pub(crate) use ask::{approve_devices, create_installer, regenerate_recovery_codes, remove_devices};
pub(crate) use jobs::{cancel_job, cancel_run, create as create_job};
pub(crate) use remote::create as create_remote_session;
pub(crate) use requests::{deny, list, prove, show};
