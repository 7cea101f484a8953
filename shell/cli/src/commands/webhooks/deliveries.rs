//! The log of deliveries.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use sallyport_api as api;
use serde_json::json;
use ureq::http::Method;

use super::find;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::query::Query;
use crate::safe::{lines, one_line};
use crate::screen::{Screen, Tone, Word};
use crate::{clock, say};

/// Between two looks at a test, and how many there are: as long as an endpoint may take.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 80;

#[derive(Args)]
pub(super) struct Deliveries {
    /// The webhook's name or id, or the end of the id.
    webhook: String,
    /// Only those in this state: waiting, delivered, failed, withheld.
    #[arg(long)]
    state: Option<String>,
    /// Only those of this event.
    #[arg(long = "event")]
    kind: Option<String>,
    /// The most that are listed.
    #[arg(long, default_value_t = 50)]
    most: usize,
}

impl Deliveries {
    pub(super) fn run(self, client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
        let one = find(client, &self.webhook)?;
        let query = Query::default().with_some("state", self.state.as_deref()).with_some("type", self.kind.as_deref());
        let list: Vec<api::WebhookDelivery> = client.read_up_to(&format!("/v1/webhooks/{}/deliveries", one.id), &query, self.most)?;
        let now = clock::now();
        screen.give(&list, |screen| {
            let rows = list.iter().map(|delivery| {
                let (word, tone) = standing(delivery);
                vec![
                    Word::new(say::relative(delivery.at, now)),
                    Word::new(&delivery.kind),
                    Word::toned(word, tone),
                    Word::new(delivery.attempts.to_string()),
                    Word::new(answer(delivery)),
                    Word::new(say::relative_or_dash(delivery.next_attempt, now)),
                    Word::toned(delivery.event.to_string(), Tone::Quiet),
                ]
            });
            screen.list(
                &["HAPPENED", "EVENT", "STATE", "ATTEMPTS", "ANSWER", "NEXT", "ID"],
                rows.collect(),
                "Nothing was sent yet: `sallyport webhooks test` sends a test.",
            );
        });
        Ok(Outcome::Done)
    }
}

fn standing(delivery: &api::WebhookDelivery) -> (&'static str, Tone) {
    match delivery.state {
        api::DeliveryState::Waiting => ("waiting", Tone::Waiting),
        api::DeliveryState::Delivered => ("delivered", Tone::Good),
        api::DeliveryState::Failed => ("failed", Tone::Bad),
        api::DeliveryState::Withheld => ("withheld", Tone::Quiet),
    }
}

fn answer(delivery: &api::WebhookDelivery) -> String {
    match (delivery.last_status, &delivery.last_error) {
        (Some(status), _) => status.to_string(),
        (None, Some(error)) => one_line(error),
        (None, None) => "-".to_owned(),
    }
}

pub(super) fn show(client: &mut Client, screen: Screen, wanted: &str, event: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    let details: api::DeliveryDetails = client.read(&format!("/v1/webhooks/{}/deliveries/{event}", one.id))?;
    screen.give(&details, |screen| tell(screen, &details));
    Ok(Outcome::Done)
}

fn tell(screen: Screen, details: &api::DeliveryDetails) {
    let (word, tone) = standing(&details.delivery);
    screen.facts(&[
        ("event", details.delivery.kind.clone()),
        ("state", screen.painted(tone, word)),
        ("id", details.delivery.event.to_string()),
    ]);
    screen.say(lines(&serde_json::to_string_pretty(&details.payload).unwrap_or_default()));
    let now = clock::now();
    let rows = details.tries.iter().map(|attempt| {
        let answer = attempt.status.map_or_else(|| attempt.error.clone().unwrap_or_default(), |status| status.to_string());
        vec![
            Word::new(attempt.number.to_string()),
            Word::new(say::relative(attempt.at, now)),
            Word::new(one_line(&answer)),
            Word::new(format!("{} ms", attempt.millis)),
            Word::toned(one_line(&attempt.answer), Tone::Quiet),
        ]
    });
    screen.table(&["ATTEMPT", "AT", "ANSWER", "TOOK", "FIRST BYTES"], rows.collect());
}

pub(super) fn redeliver(client: &mut Client, screen: Screen, wanted: &str, event: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    client.act(Method::POST, &format!("/v1/webhooks/{}/deliveries/{event}/redeliver", one.id))?;
    screen.give(&json!({ "webhook": one.id, "event": event }), |screen| screen.say(format!("{} is sent once more.", one_line(event))));
    Ok(Outcome::Done)
}

/// Sends a test; ends with 1 where it did not arrive.
pub(super) fn test(client: &mut Client, screen: Screen, wanted: &str) -> Result<Outcome, Failure> {
    let one = find(client, wanted)?;
    let sent: api::WebhookDelivery = client.change(Method::POST, &format!("/v1/webhooks/{}/test", one.id), &json!({}))?;
    let path = format!("/v1/webhooks/{}/deliveries/{}", one.id, sent.event);
    let mut details: api::DeliveryDetails = client.read(&path)?;
    for _ in 0..LOOKS {
        if !details.tries.is_empty() || details.delivery.state != api::DeliveryState::Waiting {
            break;
        }
        sleep(LOOK);
        details = client.read(&path)?;
    }
    screen.give(&details, |screen| tell(screen, &details));
    Ok(if details.delivery.state == api::DeliveryState::Delivered { Outcome::Done } else { Outcome::SomeFailed })
}
