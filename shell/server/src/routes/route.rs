//! One row of the route table: what it answers, who may call it, what it leaves in the audit log.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use sallyport_decide::policy::{Capability, Row};
use sallyport_model::limits;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::App;
use crate::asking::conditional::Replaced;

/// Who may call a route.
#[derive(Debug, Clone, Copy)]
pub enum Access {
    /// Anybody; the reason is printed in `routes.txt`.
    Public(&'static str),
    /// A live session whose actor has the capability.
    Session(Row),
}

impl Access {
    /// Largest body, in bytes.
    pub(crate) fn body_limit(self) -> usize {
        match self {
            Self::Public(_) => limits::PUBLIC_BODY_BYTES,
            Self::Session(_) => limits::HTTP_BODY_BYTES,
        }
    }
}

/// Schemas by name.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// What a body is made of. The schemas of all routes take 28 MB and most of a start, so they are made when the document is.
#[derive(Clone, Copy)]
pub(super) struct Body {
    /// Its schema, and everything that it refers to; the first is its own.
    pub(super) schemas: fn() -> Schemas,
    pub(super) content_type: &'static str,
}

/// Whether a route passes requests on to somebody else, whose answers have forms of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relays {
    /// It does not.
    Nothing,
    /// Requests without a body.
    Bare,
    /// Requests with any body.
    Bodies,
}

/// A parameter of the query.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) is: Parameter,
}

/// What a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    Text,
    /// A number from this one to that one.
    Whole(u32, u32),
    /// Texts; each stands for itself in the query.
    Several,
}

/// One row of the table.
pub struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    pub(super) access: Access,
    pub(super) class: &'static str,
    pub(super) audit: &'static str,
    pub(super) query: &'static [Query],
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<(u16, Option<Body>)>,
    /// Other forms of the first answer.
    pub(super) also: &'static [&'static str],
    pub(super) relays: Relays,
    /// The members that `fields` can choose from; none where the list is not large.
    pub(super) fields: &'static [&'static str],
    /// What a change at the same address replaces, and `If-Match` compares; on the row that reads it.
    pub(super) replaced: Replaced,
    pub(super) repeats: Repeats,
    pub(super) handler: MethodRouter<App>,
}

/// What a request that is sent again does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// It is done again.
    Each,
    /// With its `Idempotency-Key` it is done once.
    Once,
}

/// A parameter of the query with its meaning.
pub(super) const fn query(name: &'static str, about: &'static str) -> Query {
    Query { name, about, is: Parameter::Text }
}

impl Query {
    /// It is a number between these two.
    pub(super) const fn whole(self, least: u32, most: u32) -> Self {
        Self { is: Parameter::Whole(least, most), ..self }
    }

    /// It may be repeated.
    pub(super) const fn several(self) -> Self {
        Self { is: Parameter::Several, ..self }
    }
}

/// A live session with this capability.
pub(super) fn needs<C: Capability>() -> Access {
    Access::Session(Row::of::<C>())
}

pub(super) fn body<T: ToSchema>(content_type: &'static str) -> Body {
    Body { schemas: schemas::<T>, content_type }
}

/// A type's schema, and everything that it refers to.
pub(super) fn schemas<T: ToSchema>() -> Schemas {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

/// A schema of its own for the pages of each kind of item.
fn page_schemas<T: ToSchema>() -> Schemas {
    let mut page = schemas::<sallyport_api::Page<T>>();
    page[0].0 = format!("{}Page", T::name());
    page.extend(schemas::<T>());
    page
}

impl Route {
    fn new(method: &'static str, path: &'static str, about: &'static str, access: Access, handler: MethodRouter<App>) -> Self {
        Self {
            method,
            path,
            about,
            access,
            class: "-",
            audit: "-",
            query: &[],
            body: None,
            answers: Vec::new(),
            also: &[],
            relays: Relays::Nothing,
            fields: &[],
            replaced: &[],
            repeats: Repeats::Each,
            handler,
        }
    }

    /// Reads; must not change anything.
    pub fn get<H: Handler<T, App>, T: 'static>(path: &'static str, about: &'static str, access: Access, handler: H) -> Self {
        Self::new("GET", path, about, access, on(MethodFilter::GET, handler))
    }

    /// Changes, or asks for a change.
    pub fn post<H: Handler<T, App>, T: 'static>(path: &'static str, about: &'static str, access: Access, handler: H) -> Self {
        Self::new("POST", path, about, access, on(MethodFilter::POST, handler))
    }

    /// Replaces.
    pub fn put<H: Handler<T, App>, T: 'static>(path: &'static str, about: &'static str, access: Access, handler: H) -> Self {
        Self::new("PUT", path, about, access, on(MethodFilter::PUT, handler))
    }

    /// Changes a part.
    pub fn patch<H: Handler<T, App>, T: 'static>(path: &'static str, about: &'static str, access: Access, handler: H) -> Self {
        Self::new("PATCH", path, about, access, on(MethodFilter::PATCH, handler))
    }

    /// Ends or takes away.
    pub fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, about: &'static str, access: Access, handler: H) -> Self {
        Self::new("DELETE", path, about, access, on(MethodFilter::DELETE, handler))
    }

    /// The class of the guarded operation that it asks for.
    pub fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// The audit entries that it leaves.
    pub fn audit(mut self, kinds: &'static str) -> Self {
        self.audit = kinds;
        self
    }

    /// Parameters of its query.
    pub fn query(mut self, parameters: &'static [Query]) -> Self {
        self.query = parameters;
        self
    }

    /// A list that is large: `fields` chooses from these members of its items.
    pub fn sparse(mut self, fields: &'static [&'static str]) -> Self {
        self.fields = fields;
        self
    }

    /// What a change at the same address replaces, as JSON pointers: such a change takes `If-Match`.
    pub fn replaced_by_changes(mut self, pointers: &'static [&'static str]) -> Self {
        self.replaced = pointers;
        self
    }

    /// It makes something: with an `Idempotency-Key`, once.
    pub fn once(mut self) -> Self {
        self.repeats = Repeats::Once;
        self
    }

    /// The JSON that it takes.
    pub fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(body::<T>("application/json"));
        self
    }

    /// The form that it takes.
    pub fn takes_form<T: ToSchema>(mut self) -> Self {
        self.body = Some(body::<T>("application/x-www-form-urlencoded"));
        self
    }

    /// The JSON that it answers with.
    pub fn answers<T: ToSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Some(body::<T>("application/json"))));
        self
    }

    /// The page of a list that it answers with.
    pub fn pages<T: ToSchema>(mut self) -> Self {
        self.answers.push((200, Some(Body { schemas: page_schemas::<T>, content_type: "application/json" })));
        self
    }

    /// The server-sent events that it answers with.
    pub fn streams<T: ToSchema>(mut self) -> Self {
        self.answers.push((200, Some(body::<T>("text/event-stream"))));
        self
    }

    /// Answers with 200 and bytes of these kinds too.
    pub fn also_as(mut self, kinds: &'static [&'static str]) -> Self {
        self.also = kinds;
        self
    }

    /// Whether it answers with JSON and this status.
    pub(super) fn answers_json(&self, status: u16) -> bool {
        self.answers.iter().any(|(one, body)| *one == status && body.is_some_and(|body| body.content_type == "application/json"))
    }

    /// Whether an authorization request comes of it.
    pub(super) fn asks(&self) -> bool {
        self.class != "-" && self.answers_json(202)
    }

    /// Passes requests on, and whatever comes back.
    pub(super) fn relays(mut self, what: Relays) -> Self {
        self.relays = what;
        self
    }

    /// Answers without a body.
    pub fn empty(mut self, status: u16) -> Self {
        self.answers.push((status, None));
        self
    }
}
