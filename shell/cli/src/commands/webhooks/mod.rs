//! `sallyport webhooks`.

mod deliveries;
mod shape;

use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, Guarded};
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

#[derive(Args)]
pub struct Webhooks {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List webhooks, the newest first; the same as no command.
    List,
    /// List the events that you could ask for.
    Events,
    /// Ask for a webhook in your own name. Its secret is shown once.
    Create(shape::Create),
    /// Show a webhook.
    Show {
        /// Its name or id, or the end of the id.
        webhook: String,
    },
    /// Ask for another name, address or other events. What is not named stays; the webhook is yours from then on.
    Change(shape::Change),
    /// Ask for another secret, which is shown once. The present one signs too for a day.
    Rotate {
        /// Its name or id, or the end of the id.
        webhook: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Pause a webhook: what happens waits.
    Pause {
        /// Its name or id, or the end of the id.
        webhook: String,
    },
    /// Let a paused webhook go on, with what waited.
    Resume {
        /// Its name or id, or the end of the id.
        webhook: String,
    },
    /// Remove a webhook with its secret, its queue and its log.
    Remove {
        /// Its name or id, or the end of the id.
        webhook: String,
    },
    /// Send a test, and wait for what comes of it.
    Test {
        /// Its name or id, or the end of the id.
        webhook: String,
    },
    /// List what became of events, the newest first.
    Deliveries(deliveries::Deliveries),
    /// Show what was sent of an event, and every attempt.
    Delivery {
        /// The webhook's name or id, or the end of the id.
        webhook: String,
        /// The event's id.
        event: String,
    },
    /// Send an event once more.
    Redeliver {
        /// The webhook's name or id, or the end of the id.
        webhook: String,
        /// The event's id.
        event: String,
    },
}

impl Webhooks {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        let client = &mut client;
        match self.what {
            None | Some(What::List) => list(client, screen),
            Some(What::Events) => events(client, screen),
            Some(What::Create(create)) => create.run(client, screen),
            Some(What::Show { webhook }) => show(client, screen, &webhook),
            Some(What::Change(change)) => change.run(client, screen),
            Some(What::Rotate { webhook, agreement }) => rotate(client, screen, &webhook, agreement),
            Some(What::Pause { webhook }) => order(client, screen, (Method::POST, "/pause", "Paused"), &webhook),
            Some(What::Resume { webhook }) => order(client, screen, (Method::POST, "/resume", "Resumed"), &webhook),
            Some(What::Remove { webhook }) => order(client, screen, (Method::DELETE, "", "Removed"), &webhook),
            Some(What::Test { webhook }) => deliveries::test(client, screen, &webhook),
            Some(What::Deliveries(wanted)) => wanted.run(client, screen),
            Some(What::Delivery { webhook, event }) => deliveries::show(client, screen, &webhook, &event),
            Some(What::Redeliver { webhook, event }) => deliveries::redeliver(client, screen, &webhook, &event),
        }
    }
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let webhooks: api::Webhooks = client.read_whole("/v1/webhooks")?;
    let now = clock::now();
    screen.give(&webhooks, |screen| {
        let rows = webhooks.items.iter().map(|one| {
            let (word, tone) = standing(one);
            vec![
                Word::new(&one.shape.name),
                Word::toned(word, tone),
                Word::new(&one.shape.url),
                Word::new(one.shape.events.len().to_string()),
                Word::new(one.waiting.to_string()),
                Word::new(say::relative_or_dash(one.last_arrival, now)),
                Word::new(&one.owner_name),
                Word::toned(one.id.to_string(), Tone::Quiet),
            ]
        });
        screen.list(
            &["NAME", "STATE", "ADDRESS", "EVENTS", "WAITING", "LAST ARRIVAL", "OWNER", "ID"],
            rows.collect(),
            "No webhooks yet: `sallyport webhooks create` asks for one.",
        );
    });
    Ok(Outcome::Done)
}

fn events(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let webhooks: api::Webhooks = client.read("/v1/webhooks")?;
    screen.give(&webhooks.events, |screen| {
        let rows = webhooks.events.iter().map(|event| vec![Word::new(&event.name), Word::new(&event.about)]);
        screen.table(&["EVENT", "WHAT HAPPENED"], rows.collect());
    });
    Ok(Outcome::Done)
}

fn standing(one: &api::Webhook) -> (String, Tone) {
    match (one.state, one.paused_why.as_deref()) {
        (api::WebhookState::Active, _) => ("active".to_owned(), Tone::Good),
        (api::WebhookState::Paused, Some("failing")) => ("paused: nothing arrives".to_owned(), Tone::Bad),
        (api::WebhookState::Paused, Some("gone")) => ("paused: receiver is gone".to_owned(), Tone::Bad),
        (api::WebhookState::Paused, _) => ("paused".to_owned(), Tone::Waiting),
        (api::WebhookState::OwnerOver, _) => ("owner left".to_owned(), Tone::Bad),
    }
}

fn find(client: &mut Client, wanted: &str) -> Result<api::Webhook, Failure> {
    lookup::named(client, ("/v1/webhooks", "webhook"), wanted, |one: &api::Webhook| (one.id.to_string(), one.shape.name.as_str()))
}

fn show(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let (one, now) = (find(client, wanted)?, clock::now());
    screen.give(&one, |screen| {
        screen.say(one_line(&one.shape.name));
        let (word, tone) = standing(&one);
        screen.facts(&[
            ("state", screen.painted(tone, &word)),
            ("address", one_line(&one.shape.url)),
            ("events", one.shape.events.iter().map(|event| one_line(event)).collect::<Vec<_>>().join(" ")),
            ("owner", one_line(&one.owner_name)),
            ("waiting", one.waiting.to_string()),
            ("last arrival", say::relative_or_dash(one.last_arrival, now)),
            (
                "former secret",
                one.former_secret_until.map(|until| format!("signs until {}", say::relative(until, now))).unwrap_or_default(),
            ),
            ("id", one.id.to_string()),
        ]);
    });
    Ok(Outcome::Done)
}

fn order(client: &mut Client, screen: Screen, (method, end, done): (Method, &str, &str), wanted: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    client.act(method, &format!("/v1/webhooks/{}{end}", one.id))?;
    screen.give(&json!({ "webhook": one.id, "done": done.to_lowercase() }), |screen| {
        screen.say(format!("{done} {}.", one_line(&one.shape.name)));
    });
    Ok(Outcome::Done)
}

fn rotate(client: &mut Client, screen: Screen, wanted: &str, agreement: Agreement) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    let expected = |action: &api::ActionDetails| match action {
        api::ActionDetails::RotateWebhook(frozen) if frozen.webhook == one.id => Ok(()),
        _ => Err("the webhook"),
    };
    let preview = || screen.say(format!("Replace the secret of {}", one_line(&one.shape.name)));
    let path = format!("/v1/webhooks/{}/secret", one.id);
    let guarded = Guarded { screen, agreement, path: &path, preview: &preview, expected: &expected };
    tell_secret(screen, guarded.carry_out(client, &json!({}))?)
}

/// Shows a secret, this once.
fn tell_secret(screen: Screen, result: api::ActionResult) -> Result<Outcome, Failure> {
    let api::ActionResult::WebhookSecret(made) = result else {
        return Err(Failure::Input("somebody else's proof released it: its secret was shown to them".to_owned()));
    };
    screen.give(&made, |screen| {
        screen.facts(&[("webhook", made.webhook.to_string()), ("secret", one_line(&made.secret))]);
        screen.say("The secret is shown this once: its receiver verifies signatures with it.");
    });
    Ok(Outcome::Done)
}
