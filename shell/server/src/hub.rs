//! Agents that are connected.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{MethodRouter, get};

use crate::{App, Refusal};

/// Every live agent link.
#[derive(Clone, Default)]
pub struct Hub(Arc<()>);

impl Hub {
    /// Ends every link.
    pub fn close_all(&self) {}
}

/// The route of the agent link.
pub(crate) fn accept_route() -> MethodRouter<App> {
    get(accept)
}

async fn accept(State(_): State<App>) -> Refusal {
    sallyport_api::Code::NotFound.into()
}
