//! The OpenAPI document, out of the route table.

use std::collections::BTreeMap;

use sallyport_api::Problem;
use serde_json::Value;
use utoipa::ToSchema as _;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{
    ArrayBuilder, ComponentsBuilder, HttpMethod, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response,
    ResponseBuilder, Schema, Type,
};

use super::route::{Access, Body, Parameter, Relays, Repeats, Route, schemas};
use super::{around, examples};
use crate::asking::conditional::Replaced;
use crate::asking::{once, sparse};

type Components = BTreeMap<String, RefOr<Schema>>;

/// Builds the document.
fn document(routes: &[Route]) -> OpenApi {
    let mut components = BTreeMap::new();
    let mut paths = PathsBuilder::new();
    components.extend(schemas::<Problem>());
    for route in routes {
        let replaced = super::replaced_at(routes, route);
        paths = paths.path(at(route), PathItem::new(method(route.method), operation(route, replaced, &mut components)));
    }
    let components = components.into_iter().fold(ComponentsBuilder::new(), |all, (name, schema)| all.schema(name, schema));
    let info = InfoBuilder::new()
        .title("Sallyport")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Every request of a session is signed by its browser key (RFC 9449, with `bh` and `htq`). Refusals are RFC 9457 problems. Every answer tells in `RateLimit` what its address has left of the limits in `RateLimit-Policy`; a `429` says in `Retry-After` in how many seconds there is something again. Answers in JSON have an `ETag`; with `If-None-Match` they are left out where nothing changed. Changes take it as `If-Match`, where they name that header; elsewhere a request that has it is refused (412).",
        ))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

/// The document with its examples, as it is told.
pub fn described(routes: &[Route]) -> Value {
    let mut document = serde_json::to_value(document(routes)).expect("the document is plain data");
    around::add(&mut document, routes);
    examples::add(&mut document);
    document
}

/// Its path there: the rest of a path is a parameter like any other.
pub(super) fn at(route: &Route) -> String {
    route.path.replace("{*", "{")
}

fn method(name: &str) -> HttpMethod {
    match name {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// Adds the schemas that it refers to.
fn operation(route: &Route, replaced: Replaced, components: &mut Components) -> OperationBuilder {
    let mut operation = OperationBuilder::new().summary(Some(route.about)).operation_id(Some(operation_id(route)));
    operation = operation.description(Some(match route.access {
        Access::Public(why) => format!("Public: {why}."),
        Access::Session(row) => format!("Needs `{}`. Class: {}. Audit: {}.", row.name, route.class, route.audit),
    }));
    for name in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|name| name.trim_start_matches('*'))
    {
        operation = operation.parameter(parameter(name, "", (ParameterIn::Path, Required::True), Parameter::Text));
    }
    for query in route.query {
        operation = operation.parameter(parameter(query.name, query.about, (ParameterIn::Query, Required::False), query.is));
    }
    if !route.fields.is_empty() {
        let about = format!(
            "Only these members of the items, with commas between them; all others are left out, those that the schema requires too: {}",
            route.fields.join(", ")
        );
        operation = operation.parameter(parameter(sparse::FIELDS, &about, (ParameterIn::Query, Required::False), Parameter::Text));
    }
    if route.repeats == Repeats::Once {
        let about = "Sent again with the same key within a day, it is not done again, and answered as before";
        operation = operation.parameter(parameter(once::KEY, about, HEADER, Parameter::Text));
    }
    if route.method != "GET" && !replaced.is_empty() {
        let about = "Done only where what it replaces is still what this ETag was read with";
        operation = operation.parameter(parameter("if-match", about, HEADER, Parameter::Text));
    }
    if let Some(body) = &route.body {
        let content = ContentBuilder::new().schema(Some(reference(body, components))).build();
        operation = operation
            .request_body(Some(RequestBodyBuilder::new().content(body.content_type, content).required(Some(Required::True)).build()));
    }
    for (status, body) in &route.answers {
        let also = if *status == 200 { route.also } else { &[] };
        operation = operation.response(status.to_string(), answer(body.as_ref(), also, components));
    }
    // A step-up window that is open is enough for some: then it is done at once.
    if route.asks() && !route.answers_json(201) {
        let done = super::route::body::<sallyport_api::ActionResult>("application/json");
        operation = operation.response("201", answer(Some(&done), &[], components));
    }
    if route.method == "GET" && route.answers_json(200) {
        let about = "The ETag of what the caller has: where it is still so, it is not sent again";
        operation = operation.parameter(parameter("if-none-match", about, HEADER, Parameter::Text));
        operation = operation.response("304", ResponseBuilder::new().description("What `If-None-Match` names is still so").build());
    }
    match route.relays {
        Relays::Nothing => operation,
        Relays::Bare => operation.response("200", relayed()).response("default", relayed_or_refused()),
        Relays::Bodies => {
            let body = RequestBodyBuilder::new().content("*/*", ContentBuilder::new().build()).description(Some("Passed on as it is"));
            operation.request_body(Some(body.build())).response("200", relayed()).response("default", relayed_or_refused())
        }
    }
}

const HEADER: (ParameterIn, Required) = (ParameterIn::Header, Required::False);

fn parameter(name: &str, about: &str, (place, required): (ParameterIn, Required), is: Parameter) -> ParameterBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String).build();
    let schema: RefOr<Schema> = match is {
        Parameter::Text => text().into(),
        Parameter::Whole(least, most) => {
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least)).maximum(Some(most)).build().into()
        }
        Parameter::Several => ArrayBuilder::new().items(text()).build().into(),
    };
    ParameterBuilder::new()
        .name(name)
        .description((!about.is_empty()).then_some(about))
        .parameter_in(place)
        .required(required)
        .schema(Some(schema))
}

fn answer(body: Option<&Body>, also: &[&str], components: &mut Components) -> Response {
    let mut builder = ResponseBuilder::new().description("Done");
    if let Some(body) = body {
        let content = ContentBuilder::new().schema(Some(reference(body, components))).build();
        builder = builder.content(body.content_type, content);
    }
    also.iter().fold(builder, |builder, kind| builder.content(*kind, ContentBuilder::new().build())).build()
}

fn relayed() -> Response {
    let about = "The vendor's answer, as it came, with the header `sallyport-connection`";
    ResponseBuilder::new().description(about).content("*/*", ContentBuilder::new().build()).build()
}

fn relayed_or_refused() -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    ResponseBuilder::new()
        .description("The vendor's answer with any other status, with the header `sallyport-connection`; without it, refused here")
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .content("*/*", ContentBuilder::new().build())
        .build()
}

fn reference(body: &Body, components: &mut Components) -> Ref {
    let schemas = (body.schemas)();
    let reference = Ref::from_schema_name(&schemas[0].0);
    components.extend(schemas);
    reference
}

/// `GET /v1/devices/{id}/inventory` is `get_devices_id_inventory`.
fn operation_id(route: &Route) -> String {
    let words = route.path.trim_start_matches("/v1/").replace(['{', '}', '*'], "").replace(['/', '-', '.'], "_");
    format!("{}_{words}", route.method.to_lowercase())
}
