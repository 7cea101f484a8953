//! `/v1/customers`: customers and their sites.

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_decide::policy::{ManageCustomers, ReadDevices};
use sallyport_model::{CustomerId, Name, SiteId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::customers::{AddCustomer, AddSite, CustomerRow, Places, SiteRow, places};
use sallyport_store::ops::people::sites_within;

use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// Customers with their sites, by name.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadDevices>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Page<api::Customer>>, Refusal> {
    let mut reader = app.store.read().await?;
    let tenant = permit.actor().tenant;
    let sites = sites_within(&mut reader, tenant, permit.reach()).await?;
    let mut places = places(&mut reader, tenant).await?;
    places.sites.retain(|site| sites.has(&site.id));
    let reached = |customer: &&CustomerRow| {
        permit.reach().covers_customer(customer.id) || places.sites.iter().any(|site| site.customer == customer.id)
    };
    let reached = places.customers.iter().filter(reached).collect();
    paging::cut(reached, &query, |customer| (customer.name.to_lowercase(), customer.id), |customer| shown(customer, &places)).map(Json)
}

fn shown(customer: &CustomerRow, places: &Places) -> api::Customer {
    let mine = |site: &&SiteRow| site.customer == customer.id;
    let sites = places.sites.iter().filter(mine).map(|site| api::Site { id: site.id, name: site.name.clone() });
    api::Customer { id: customer.id, name: customer.name.clone(), sites: sites.collect() }
}

/// Adds a customer.
pub(crate) async fn create(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageCustomers>,
    Json(body): Json<api::NewName>,
) -> Result<(StatusCode, Json<api::Customer>), Refusal> {
    let name = name(&body)?;
    let places = places(&mut app.store.read().await?, permit.actor().tenant).await?;
    room(places.customers.len(), limits::CUSTOMERS)?;
    let at = app.clock.now();
    let id = CustomerId::new(at, app.random());
    app.store.commit(AddCustomer { permit, id, name: name.clone(), at, salt: app.random() }).await.map_err(taken)?;
    Ok((StatusCode::CREATED, Json(api::Customer { id, name: name.into_string(), sites: Vec::new() })))
}

/// Adds a site to a customer.
pub(crate) async fn create_site(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageCustomers>,
    Id(customer): Id<CustomerId>,
    Json(body): Json<api::NewName>,
) -> Result<(StatusCode, Json<api::Site>), Refusal> {
    let name = name(&body)?;
    let places = places(&mut app.store.read().await?, permit.actor().tenant).await?;
    room(places.sites.len(), limits::SITES)?;
    let at = app.clock.now();
    let id = SiteId::new(at, app.random());
    app.store.commit(AddSite { permit, id, customer, name: name.clone(), at, salt: app.random() }).await.map_err(taken)?;
    Ok((StatusCode::CREATED, Json(api::Site { id, name: name.into_string() })))
}

fn name(body: &api::NewName) -> Result<Name, Refusal> {
    Name::parse(&body.name).map_err(|error| Refusal::field("name", error))
}

fn room(there: usize, most: usize) -> Result<(), Refusal> {
    if there < most { Ok(()) } else { Err(Refusal::field("name", format!("there are {most} already, which is the most"))) }
}

fn taken(error: StoreError) -> Refusal {
    match error {
        StoreError::Exists => Refusal::field("name", "is taken"),
        other => other.into(),
    }
}
