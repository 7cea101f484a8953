//! Notices where each session is used from: not at each request, but where its network changes and once in a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use sallyport_decide::accounts::whereabouts::Network;
use sallyport_decide::policy::Actor;
use sallyport_model::{SessionId, Timestamp, limits};
use sallyport_store::ops::accounts::SeeSession;

use crate::App;

/// The network that each session was last seen in, and when that was written down.
#[derive(Default)]
pub(super) struct Whereabouts(Mutex<HashMap<SessionId, (Network, Timestamp)>>);

impl Whereabouts {
    /// Whether this is to be written down: another network than the last, or the same after a while.
    fn is_news(&self, session: SessionId, network: &Network, now: Timestamp) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = known
            .get(&session)
            .is_some_and(|(last, at)| last == network && (0..limits::SESSION_SEEN_SECS * 1_000_000).contains(&now.micros_since(*at)));
        if told {
            return false;
        }
        if known.len() >= limits::SESSIONS_REMEMBERED && !known.contains_key(&session) {
            // What is forgotten is written down once more.
            known.clear();
        }
        known.insert(session, (network.clone(), now));
        true
    }
}

/// A session's request came from here. What cannot be written down is noticed with the next one.
pub(super) async fn see(app: &App, actor: &Actor, address: IpAddr) {
    let (now, operator) = (app.clock.now(), app.places.operator(address));
    if !app.accounts.whereabouts.is_news(actor.session, &Network::of(address, operator), now) {
        return;
    }
    let (tenant, user, session) = (actor.tenant, actor.user, actor.session);
    let change = SeeSession { tenant, user, session, address, operator, at: now, salt: app.random() };
    if let Err(error) = app.store.reserve(change).await {
        tracing::warn!(%error, %session, "where a session is used from was not written down");
    }
}
