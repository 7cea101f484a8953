//! Connections to other vendors' APIs, and the requests that go over them.

use sallyport_api as api;
use sallyport_decide::policy;

use super::super::route::{Relays, Route, needs};
use super::{PAGE, asks};
use crate::bridge::{connections, proxy};

const PROXY: &str = "/v1/connections/{id}/proxy/{*path}";
/// What a change of a connection replaces.
const TERMS: &[&str] = &[
    "/name",
    "/base_url",
    "/credential",
    "/headers",
    "/allows",
    "/callers",
    "/per_minute",
    "/expires",
    "/check",
    "/rotation",
    "/secret_since",
];
const SENT: &str = "connection.used connection.refused";

pub(super) fn rows() -> Vec<Route> {
    let mut rows = vec![
        Route::get("/v1/connections", "Connections to other vendors' APIs", needs::<policy::ReadConnections>(), connections::list)
            .query(PAGE)
            .pages::<api::Connection>(),
        asks::<api::WantedConnection, _, _>(
            "/v1/connections",
            "Make a connection",
            needs::<policy::ManageConnections>(),
            connections::create,
        )
        .class("2")
        .audit("request.created connection.created"),
        Route::get("/v1/connections/{id}", "One connection", needs::<policy::ReadConnections>(), connections::show)
            .answers::<api::Connection>(200)
            .replaced_by_changes(TERMS),
        Route::put(
            "/v1/connections/{id}",
            "Change a connection, or give it another credential",
            needs::<policy::ManageConnections>(),
            connections::change,
        )
        .takes::<api::WantedConnection>()
        .answers::<api::AuthorizationRequest>(202)
        .class("2")
        .audit("request.created connection.changed"),
        Route::get("/v1/connections/{id}/calls", "The last calls of a connection", needs::<policy::ReadConnections>(), connections::calls)
            .answers::<api::ConnectionCalls>(200),
        Route::post("/v1/connections/{id}/stop", "Stop a connection for good", needs::<policy::ManageConnections>(), connections::stop)
            .empty(204)
            .audit("connection.stopped"),
        Route::post(
            "/v1/connections/{id}/rotate",
            "Have the credential of a connection replaced now",
            needs::<policy::ManageConnections>(),
            connections::rotate,
        )
        .empty(202)
        .once()
        .audit("connection.rotation_asked connection.rotation_began connection.rotated connection.rotation_failed"),
    ];
    rows.extend(passing());
    rows
}

/// A request over a connection, by what it does.
fn passing() -> [Route; 5] {
    let needed = needs::<policy::UseConnections>;
    [
        Route::get(PROXY, "Read over a connection", needed(), proxy::pass).relays(Relays::Bare).audit(SENT),
        Route::post(PROXY, "Send over a connection", needed(), proxy::pass).relays(Relays::Bodies).audit(SENT),
        Route::put(PROXY, "Replace over a connection", needed(), proxy::pass).relays(Relays::Bodies).audit(SENT),
        Route::patch(PROXY, "Change over a connection", needed(), proxy::pass).relays(Relays::Bodies).audit(SENT),
        Route::delete(PROXY, "Take away over a connection", needed(), proxy::pass).relays(Relays::Bodies).audit(SENT),
    ]
}
