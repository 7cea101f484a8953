//! `/v1/webhooks`: addresses that are told what happens. Making one, changing it and replacing its secret are guarded; pausing, trying and
//! removing it are clicks. What is sent is decided when it is sent ([`told`]).

mod control;
mod deliver;
mod presence;
mod send;
mod shown;
mod told;

use std::cmp::Reverse;

use axum::extract::State;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::Action;
use sallyport_decide::outbound::Target;
use sallyport_decide::policy::{ManageWebhooks, ReadWebhooks, Rights};
use sallyport_decide::webhooks::{ChangeWebhook, Endpoint, EndpointError, EventKind, RotateWebhook};
use sallyport_model::{TenantId, WebhookId, limits};
use sallyport_store::ops::webhooks as store;

use crate::asking::conditional::Expected;
use crate::work::ask_plainly;
use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

pub(crate) use control::{deliveries, delivery, pause, redeliver, remove, resume, test};
pub(crate) use deliver::run;
pub(crate) use presence::run as watch_presence;
pub(crate) use send::{new_secret, secret_text};
pub(crate) use shown::{details, rotate_details};

/// Webhooks of the tenant, the newest first, and the events that the reader could ask for.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadWebhooks>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Webhooks>, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let rows = store::webhooks(&mut app.store.read().await?, actor.tenant).await?;
    let own = EventKind::subscribable().filter(|kind| actor.rights.reach(kind.needs()).is_some());
    let events = own.map(|kind| api::WebhookEventKind { name: kind.as_str().to_owned(), about: kind.about().to_owned() }).collect();
    let api::Page { items, next, .. } = paging::cut(rows, &query, |row| Reverse(row.id), |row| shown::webhook(&row, now))?;
    Ok(Json(api::Webhooks { items, next, events }))
}

/// One webhook.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadWebhooks>,
    Id(id): Id<WebhookId>,
) -> Result<Json<api::Webhook>, Refusal> {
    let row = find(&app, permit.actor().tenant, id).await?;
    Ok(Json(shown::webhook(&row, app.clock.now())))
}

async fn find(app: &App, tenant: TenantId, id: WebhookId) -> Result<store::WebhookRow, Refusal> {
    let row = store::webhook(&mut app.store.read().await?, id).await?;
    row.filter(|row| row.tenant == tenant).ok_or_else(|| Code::NotFound.into())
}

/// Asks for a webhook in the asker's own name.
pub(crate) async fn create(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Json(body): Json<api::WantedWebhook>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let after = wanted(&app, body, &actor.rights)?;
    let count = store::webhooks(&mut app.store.read().await?, actor.tenant).await?.len();
    if count >= limits::WEBHOOKS {
        return Err(Refusal::field("name", format!("there are {} webhooks already, which is the most", limits::WEBHOOKS)));
    }
    let webhook = WebhookId::new(app.clock.now(), app.random());
    ask_plainly(&app, actor, Action::CreateWebhook(ChangeWebhook { webhook, before: None, after })).await
}

/// Asks for another name, address or other events. Whoever proves it owns the webhook from then on.
pub(crate) async fn change(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Id(webhook): Id<WebhookId>,
    expected: Expected,
    Json(body): Json<api::WantedWebhook>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let row = find(&app, actor.tenant, webhook).await?;
    expected.is(&shown::webhook(&row, app.clock.now()))?;
    let after = wanted(&app, body, &actor.rights)?;
    if after == row.endpoint {
        return Err(Refusal::from(Code::NothingToDo).because("That is what it is."));
    }
    ask_plainly(&app, actor, Action::ChangeWebhook(ChangeWebhook { webhook, before: Some(row.endpoint), after })).await
}

/// Asks for another secret; the present one signs too for a day.
pub(crate) async fn rotate(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageWebhooks>,
    Id(webhook): Id<WebhookId>,
) -> Result<Response, Refusal> {
    let row = find(&app, permit.actor().tenant, webhook).await?;
    ask_plainly(&app, permit.actor(), Action::RotateWebhook(RotateWebhook { webhook, name: row.endpoint.name })).await
}

/// What somebody wants, where its address can be reached at all as far as the text tells; a name is judged whenever it is used.
fn wanted(app: &App, body: api::WantedWebhook, rights: &Rights) -> Result<Endpoint, Refusal> {
    let endpoint = Endpoint { name: body.name.trim().to_owned(), url: body.url.trim().to_owned(), events: body.events };
    endpoint.check(rights).map_err(|error| match &error {
        EndpointError::Name => Refusal::field("name", error),
        EndpointError::NotYours(_) => Refusal::from(Code::RoleRefused).because(error).at("events"),
        EndpointError::NoEvents | EndpointError::Event(_) => Refusal::field("events", error),
        EndpointError::Long => Refusal::field("url", error),
    })?;
    let target = Target::parse(&endpoint.url).map_err(|error| Refusal::field("url", error))?;
    app.webhooks.accepts(&target).map_err(|error| Refusal::field("url", error))?;
    Ok(endpoint)
}
