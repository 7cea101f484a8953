//! What a webhook is asked to be, and whether the server froze just that.

use clap::Args;
use sallyport_api as api;

use super::{find, tell_secret};
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone};

#[derive(Args)]
pub(super) struct Create {
    /// What people call it.
    #[arg(long)]
    name: String,
    /// Where it sends: https://...
    #[arg(long)]
    url: String,
    /// What it is told; several times. `sallyport webhooks events` says what there is.
    #[arg(long = "event", required = true)]
    events: Vec<String>,
    #[command(flatten)]
    agreement: Agreement,
}

impl Create {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let wanted = api::WantedWebhook { name: self.name, url: self.url, events: self.events.into_iter().collect() };
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::CreateWebhook(frozen) => is_wanted(&frozen.after, &wanted),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Make the webhook {} to {}", one_line(&wanted.name), one_line(&wanted.url)));
        let guarded = Guarded { screen, agreement: self.agreement, path: "/v1/webhooks", preview: &preview, expected: &expected };
        tell_secret(screen, guarded.carry_out(client, &wanted)?)
    }
}

/// Changes a webhook; what is not named stays.
#[derive(Args)]
pub(super) struct Change {
    /// Its name or id, or the end of the id.
    webhook: String,
    /// Another name.
    #[arg(long)]
    name: Option<String>,
    /// Another address.
    #[arg(long)]
    url: Option<String>,
    /// What it is told from now on; several times.
    #[arg(long = "event")]
    events: Vec<String>,
    #[command(flatten)]
    agreement: Agreement,
}

impl Change {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let one = find(client, &self.webhook)?;
        let before = one.shape;
        let wanted = api::WantedWebhook {
            name: self.name.unwrap_or(before.name),
            url: self.url.unwrap_or(before.url),
            events: if self.events.is_empty() { before.events } else { self.events.into_iter().collect() },
        };
        let expected = |action: &api::ActionDetails| match action {
            api::ActionDetails::ChangeWebhook(frozen) if frozen.webhook != one.id => Err("the webhook"),
            api::ActionDetails::ChangeWebhook(frozen) => is_wanted(&frozen.after, &wanted),
            _ => Err("the kind of action"),
        };
        let preview = || screen.say(format!("Change the webhook {} to {}", one_line(&wanted.name), one_line(&wanted.url)));
        let path = format!("/v1/webhooks/{}", one.id);
        let guarded = Guarded { screen, agreement: self.agreement, path: &path, preview: &preview, expected: &expected };
        guarded.replace(client, &wanted)?;
        let changed: api::Webhook = client.read(&path)?;
        screen.give(&changed, |screen| screen.say_in(Tone::Good, format!("Changed {}.", one_line(&changed.shape.name))));
        Ok(Outcome::Done)
    }
}

fn is_wanted(frozen: &api::WebhookShape, wanted: &api::WantedWebhook) -> Result<(), &'static str> {
    match frozen {
        frozen if frozen.name != wanted.name.trim() => Err("the name"),
        frozen if frozen.url != wanted.url.trim() => Err("the address"),
        frozen if frozen.events != wanted.events => Err("the events"),
        _ => Ok(()),
    }
}
