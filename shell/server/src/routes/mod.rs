//! The one route table. It builds the router, the OpenAPI document and `routes.txt`; there is no other way in.

mod around;
mod examples;
mod openapi;
mod route;
mod table;
mod values;

use axum::Router;
use axum::middleware::from_fn_with_state;

pub use openapi::described;
pub use route::{Access, Repeats, Route};
pub use table::table;

use route::Relays;

use crate::asking::conditional::Replaced;
use crate::asking::{conditional, once, sparse};
use crate::{App, error_page, front, guard, hub, remote};

/// The server's router: the API, the agent link, health, and the console's files.
pub fn router(app: App) -> Router {
    let mut router = Router::new();
    let rows = table();
    let replaced: Vec<Replaced> = rows.iter().map(|route| replaced_at(&rows, route)).collect();
    for (route, replaced) in rows.into_iter().zip(replaced) {
        let mut handler = route.handler;
        if !route.fields.is_empty() {
            handler = handler.layer(from_fn_with_state(route.fields, sparse::cut));
        }
        if route.relays == Relays::Nothing {
            handler = match route.method {
                "GET" => handler.layer(from_fn_with_state(replaced, conditional::answer)),
                _ => handler.layer(from_fn_with_state(replaced, conditional::expect)),
            };
        }
        if route.repeats == Repeats::Once {
            handler = handler.layer(from_fn_with_state(app.clone(), once::once));
        }
        let guarded = handler.layer(from_fn_with_state((app.clone(), route.access, route.class), guard::guard));
        router = router.route(route.path, guarded);
    }
    router
        .route("/agent/link", hub::accept_route())
        .route("/agent/stream", remote::agent_route())
        .route("/healthz", axum::routing::get(front::healthy))
        .route("/readyz", axum::routing::get(front::ready))
        .route(error_page::PATH, axum::routing::get(error_page::show))
        .fallback(front::file)
        .method_not_allowed_fallback(front::wrong_method)
        .layer(from_fn_with_state(app.clone(), front::finish))
        .with_state(app)
}

/// What a change at this route's address replaces: the row that reads there says it.
fn replaced_at(rows: &[Route], route: &Route) -> Replaced {
    let replaces = matches!(route.method, "GET" | "PUT" | "PATCH" | "DELETE");
    let reads = rows.iter().find(|row| replaces && row.method == "GET" && row.path == route.path);
    reads.map_or(&[], |row| row.replaced)
}

/// The table as text: method, path, permit, class and audit entries of each route; where it is public, why.
pub fn print() -> String {
    let mut lines: Vec<String> = table().iter().map(line).collect();
    for (path, why) in [
        ("/agent/link", "agents prove their key inside the link"),
        ("/agent/stream", "a one-use ticket, given over the agent's link, opens it"),
        ("/healthz", "says that the process lives"),
        ("/readyz", "says that the store answers"),
        (error_page::PATH, "what each code means, and what to do next"),
        ("/*", "the console's own files"),
    ] {
        lines.push(columns(["GET", path, "public", "-", "-"], Some(why)));
    }
    lines.sort();
    lines.join("\n") + "\n"
}

fn line(route: &Route) -> String {
    let (access, why) = match route.access {
        Access::Public(why) => ("public", Some(why)),
        Access::Session(row) => (row.name, None),
    };
    columns([route.method, route.path, access, route.class, route.audit], why)
}

/// A reason comes last, because it is as long as it must be.
fn columns([method, path, access, class, audit]: [&str; 5], why: Option<&str>) -> String {
    let why = why.map(|why| format!("  # {why}")).unwrap_or_default();
    format!("{method:<7}{path:<48}{access:<32}{class:<8}{audit}{why}")
}
