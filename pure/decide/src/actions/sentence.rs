//! What an action says to people before they agree to it.

use super::{Action, Target};
use crate::automation::ChangeClient;
use crate::people::{self, ChangeMfaPolicy, DeviceCodes};

impl Action {
    /// What will happen, as one sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::RunScript(run) => run.sentence(),
            Self::CreateInstaller(installer) => {
                format!("Create installer {} for {}, good for {}", installer.label, installer.place, devices(installer.uses as usize))
            }
            Self::ApproveDevices(targets) => format!("Approve {}", named(targets)),
            Self::RemoveDevices(targets) => format!("Remove {}", named(targets)),
            Self::RegenerateRecoveryCodes => "Replace your recovery codes".to_owned(),
            Self::OpenRemoteSession(open) => open.sentence(),
            Self::InviteUser(invited) => format!("Invite {} ({}) as {}", invited.name, invited.email, people::roles(&invited.assignments)),
            Self::DisableUsers(users) => format!("Disable {}", people::named(users)),
            Self::EnableUsers(users) => format!("Enable {}", people::named(users)),
            Self::ChangeRole(change) => format!("Make {} {}", change.user.name, people::roles(&change.after)),
            Self::RequireMfa(wanted) => {
                let verb = if wanted.required == people::Required::Yes { "Require" } else { "Stop requiring" };
                format!("{verb} a second factor of {}", people::named(&wanted.users))
            }
            Self::ResetFactor(reset) => format!("Reset the factors of {}", reset.user.name),
            Self::ChangeMfaPolicy(change) => mfa_policy(change).to_owned(),
            Self::ChangeSessionLimits(_) => "Change how long sessions last".to_owned(),
            Self::SaveRole(role) => format!("Save the role {}", role.name),
            Self::DeleteRole(role) => format!("Take away the role {}", role.name),
            Self::RemoveFactor(gone) => format!("Remove your factor {}", gone.name),
            Self::ChangeNetworks(_) => "Change the networks that are trusted and required".to_owned(),
            Self::ChangeRemotePolicy(_) => "Change what is recorded and asked in remote sessions".to_owned(),
            Self::CreateClient(client) => format!("Create API client {} with {}", client.after.name, scopes(client)),
            Self::ChangeClient(client) => format!("Change API client {} to {}", client.after.name, scopes(client)),
            Self::PublishSchedule(publish) => publish.sentence(),
            Self::CreateConnection(new) => format!("Connect {} at {}", new.after.name, new.after.base_url),
            Self::ChangeConnection(change) => {
                let secret = if change.secret.is_some() { ", with another credential" } else { "" };
                format!("Change the connection {} at {}{secret}", change.after.name, change.after.base_url)
            }
            Self::IssueLicence(issue) => issue.sentence(),
            Self::CreateWebhook(webhook) => format!("Create webhook {} to {}", webhook.after.name, webhook.after.url),
            Self::ChangeWebhook(webhook) => format!("Change webhook {} to {}", webhook.after.name, webhook.after.url),
            Self::RotateWebhook(rotate) => format!("Replace the secret of webhook {}", rotate.name),
        }
    }
}

/// What lets strangers ask is said, and not hidden among what else changes.
fn mfa_policy(change: &ChangeMfaPolicy) -> &'static str {
    match (change.before.device_codes, change.after.device_codes) {
        (DeviceCodes::Refused, DeviceCodes::Allowed) => "Change the policy of second factors, and let programs in by device codes",
        (DeviceCodes::Allowed, DeviceCodes::Refused) => "Change the policy of second factors, and let no program in by a device code",
        _ => "Change who must have a second factor",
    }
}

fn scopes(client: &ChangeClient) -> String {
    client.after.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn devices(count: usize) -> String {
    if count == 1 { "1 device".to_owned() } else { format!("{count} devices") }
}

pub(super) fn named(targets: &[Target]) -> String {
    match targets {
        [one] => one.name.clone(),
        many => devices(many.len()),
    }
}
