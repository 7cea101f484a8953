//! Rows of what is managed: customers, devices, installers, scripts.

use sallyport_api as api;
use sallyport_decide::policy;

use super::{CURSOR, LIMIT, PAGE};
use crate::fleet::{customers, devices, installers, scripts, search};
use crate::routes::route::{Query, Route, needs, query};

const DEVICES: &[Query] = &[
    query("q", "Words that must all be found in name, operating system, signed-in users, labels or place"),
    query("state", "online, offline, pending, approved, quarantined, attention or removed; may be repeated").several(),
    query("site", "Only devices of this site; may be repeated").several(),
    query("customer", "Only devices of this customer; may be repeated").several(),
    query("tag", "Only devices with this label; may be repeated").several(),
    query("os", "Only devices whose operating system contains this; may be repeated").several(),
    query("software", "Only devices with this package: nginx, nginx<1.25, openssl>=3.0; may be repeated").several(),
    query("process", "Only devices that run a program of this name; may be repeated").several(),
    query("service", "Only devices with this service; may be repeated").several(),
    query("port", "Only devices that listen on this port, by number or program; may be repeated").several(),
    query("sort", "name, last_seen, state, site or os, with - in front for the other direction"),
    CURSOR,
    LIMIT,
];

const DEVICE: &[&str] =
    &["id", "name", "state", "online", "last_seen", "customer", "customer_name", "site", "site_name", "os", "signed_in", "alerts", "tags"];

const SEARCH: &[Query] = &[
    query("kind", "process, service, software or port"),
    query("name", "A part of the name; a port's number or program"),
    query("version_op", "lt, le, eq, ge or gt; software only"),
    query("version", "The version to compare with, as Debian orders versions"),
    query("format", "json, which is also the default, or csv: all devices at once"),
    CURSOR,
    LIMIT,
];

pub(super) fn rows() -> Vec<Route> {
    [places(), managed(), library()].into_iter().flatten().collect()
}

fn places() -> Vec<Route> {
    vec![
        Route::get("/v1/customers", "Customers with their sites, by name", needs::<policy::ReadDevices>(), customers::list)
            .query(PAGE)
            .pages::<api::Customer>(),
        Route::post("/v1/customers", "Add a customer", needs::<policy::ManageCustomers>(), customers::create)
            .takes::<api::NewName>()
            .answers::<api::Customer>(201)
            .once()
            .audit("customer.created"),
        Route::post("/v1/customers/{id}/sites", "Add a site to a customer", needs::<policy::ManageCustomers>(), customers::create_site)
            .takes::<api::NewName>()
            .answers::<api::Site>(201)
            .once()
            .audit("site.created"),
    ]
}

fn managed() -> Vec<Route> {
    vec![
        Route::get("/v1/devices", "Devices, with the counts for the tabs", needs::<policy::ReadDevices>(), devices::list)
            .query(DEVICES)
            .sparse(DEVICE)
            .answers::<api::DevicePage>(200),
        Route::get("/v1/devices/{id}", "One device", needs::<policy::ReadDevices>(), devices::show).answers::<api::DeviceDetails>(200),
        Route::get("/v1/devices/{id}/inventory", "What a device says of itself", needs::<policy::ReadDevices>(), devices::inventory)
            .answers::<api::Inventory>(200),
        Route::get("/v1/search", "Devices that run, have or listen on something", needs::<policy::ReadDevices>(), search::search)
            .query(SEARCH)
            .pages::<api::FoundOn>()
            .also_as(&["text/csv"]),
        Route::post("/v1/search/refresh", "Ask connected devices what they have now", needs::<policy::ReadDevices>(), search::refresh)
            .takes::<api::RefreshSearch>()
            .answers::<api::RefreshedSearch>(200),
        Route::put("/v1/devices/{id}/tags", "Replace a device's labels", needs::<policy::TagDevices>(), devices::tag)
            .takes::<api::SetTags>()
            .answers::<api::Device>(200)
            .audit("device.tagged"),
        Route::get("/v1/installers", "Installers, the newest first", needs::<policy::ReadInstallers>(), installers::list)
            .query(PAGE)
            .pages::<api::Installer>(),
        Route::delete("/v1/installers/{id}", "Revoke an installer", needs::<policy::ManageInstallers>(), installers::revoke)
            .empty(204)
            .audit("installer.revoked"),
    ]
}

fn library() -> Vec<Route> {
    vec![
        Route::get("/v1/scripts", "Scripts, by name", needs::<policy::ReadScripts>(), scripts::list).query(PAGE).pages::<api::Script>(),
        Route::post("/v1/scripts", "Add a script", needs::<policy::WriteScripts>(), scripts::create)
            .takes::<api::SaveScript>()
            .answers::<api::ScriptDetails>(201)
            .once()
            .audit("script.created"),
        Route::get("/v1/scripts/{id}", "One version of a script", needs::<policy::ReadScripts>(), scripts::show)
            .query(const { &[query("version", "The newest where none is named").whole(1, u32::MAX)] })
            .answers::<api::ScriptDetails>(200)
            .replaced_by_changes(&["/script/version"]),
        Route::put("/v1/scripts/{id}", "Save a new version of a script", needs::<policy::WriteScripts>(), scripts::save)
            .takes::<api::SaveScript>()
            .answers::<api::ScriptDetails>(200)
            .audit("script.saved"),
        Route::delete("/v1/scripts/{id}", "Take a script out of the library", needs::<policy::WriteScripts>(), scripts::delete)
            .empty(204)
            .audit("script.deleted"),
    ]
}
