//! The rows.

use sallyport_api as api;
use sallyport_decide::policy;

use super::route::{Access, Route, needs, query};
use crate::{accounts, docs};

/// Every route of the API.
pub fn table() -> Vec<Route> {
    vec![
        Route::get("/v1/openapi.json", "This description", Access::Public("the API's description has no secrets"), docs::openapi),
    ]
}
