//! Guarded operations over HTTP: asked for, frozen, proved, executed.

mod ask;
mod execute;
mod jobs;
mod own;
mod remote;
mod requests;
mod schedules;
mod secrets;
mod view;

pub(crate) use ask::{approve_devices, ask_plainly, ask_with_credential, create_installer, regenerate_recovery_codes, remove_devices};
pub(crate) use execute::authority_pin;
pub(crate) use jobs::{cancel_job, cancel_run, create as create_job};
pub(crate) use own::{change_networks, remove_factor};
pub(crate) use remote::create as create_remote_session;
pub(crate) use requests::{begin_passkey, deny, list, prove, show};
pub(crate) use schedules::publish as publish_schedule;
