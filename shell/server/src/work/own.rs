//! Asking for what concerns one's own factors, and for other rules about addresses.

use axum::extract::State;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::{Action, ChangeNetworks, GoneFactor, classify};
use sallyport_decide::networks::{RulesError, Verification};
use sallyport_decide::policy;
use sallyport_model::FactorId;
use sallyport_store::ops::accounts::factors;
use sallyport_store::ops::networks::rules as stored_rules;
use serde_json::json;

use super::ask::{Extra, ask, ground};
use crate::accounts::Source;
use crate::accounts::addresses::parse_rules;
use crate::asking::conditional::Expected;
use crate::{Allowed, App, Id, Json, Refusal};

/// Asks for the removal of a factor of one's own; never of the last one.
pub(crate) async fn remove_factor(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::RemoveOwnFactor>,
    Id(factor): Id<FactorId>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let own = factors(&mut app.store.read().await?, actor.user).await?;
    let gone = own.iter().find(|row| row.id == factor).ok_or(Code::NotFound)?;
    if own.len() == 1 {
        return Err(Code::LastFactor.into());
    }
    let action = Action::RemoveFactor(GoneFactor { factor, kind: gone.kind.clone(), name: gone.name.clone() });
    let ground = ground(&app, actor).await?;
    let classified = classify(&action, &ground.hour);
    ask(&app, actor, action, classified, ground, Extra::default()).await
}

/// Asks for other rules about addresses; not for such as would lock the asking person out.
pub(crate) async fn change_networks(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ChangeNetworks>,
    source: Source,
    expected: Expected,
    Json(body): Json<api::ChangeNetworks>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let stored = stored_rules(&mut app.store.read().await?, actor.tenant).await?;
    expected.is(&json!({ "version": stored.version }))?;
    let rules = parse_rules(&body)?;
    rules.check(source.ip).map_err(|why| match why {
        RulesError::LocksOut => Refusal::from(Code::LocksYouOut).because(format!("Your address is {}.", source.address)),
        other => Refusal::field("trusted", other),
    })?;
    if rules.verification == Verification::On && app.config.mail.is_none() {
        return Err(Code::MailUnavailable.into());
    }
    let action = Action::ChangeNetworks(ChangeNetworks { version: body.version, before: stored.rules, rules });
    let ground = ground(&app, actor).await?;
    let classified = classify(&action, &ground.hour);
    ask(&app, actor, action, classified, ground, Extra::default()).await
}
