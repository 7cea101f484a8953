//! What every handler reaches: configuration, store, clock, keys and the live parts.

use std::ops::Deref;
use std::sync::Arc;

use sallyport_decide::actions::approvals::Numbers;
use sallyport_store::Store;

use crate::accounts;
use crate::client::Rate;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::events::Events;
use crate::hub::Hub;
use crate::keys::Keys;
use crate::outbound::Outbound;
use crate::outside::{self, SharedEntropy};
use crate::places::Places;
use crate::remote::Remote;

/// The running server; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of a running server.
pub struct Parts {
    /// What its operator set.
    pub config: Config,
    /// Everything that lasts.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// Where random bytes come from.
    pub entropy: SharedEntropy,
    /// The master key and every tenant's keys.
    pub keys: Arc<Keys>,
    /// Agents that are connected.
    pub hub: Hub,
    /// Live changes for the console.
    pub events: Events,
    /// How much each address asks.
    pub rate: Rate,
    /// The numbers of requests that take two people.
    pub numbers: Numbers,
    /// Where addresses are, and whose.
    pub places: Places,
    /// What signing in needs in memory.
    pub accounts: accounts::Live,
    /// What sends requests to other servers.
    pub outbound: Outbound,
    /// The same for webhooks, with places of its own: neither waits for the other.
    pub webhooks: Outbound,
    /// Remote sessions that are open.
    pub remote: Remote,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// So many random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        outside::random(&*self.entropy)
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
