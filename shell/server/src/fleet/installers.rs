//! `/v1/installers`: seeing and revoking installers. They are asked for like every guarded operation.

use axum::extract::State;
use axum::http::StatusCode;
use sallyport_api as api;
use sallyport_decide::policy::{ManageInstallers, ReadInstallers};
use sallyport_model::InstallerId;
use sallyport_store::ops::installers::{self as store, InstallerRow, RevokeInstaller};
use sallyport_store::ops::people::sites_within;

use crate::{Allowed, App, Id, Json, Query, Refusal, paging};

/// Installers, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadInstallers>,
    Query(query): Query<paging::Wanted>,
) -> Result<Json<api::Page<api::Installer>>, Refusal> {
    let (limit, after) = (query.limit()?, query.after()?);
    let mut reader = app.store.read().await?;
    let tenant = permit.actor().tenant;
    let sites = sites_within(&mut reader, tenant, permit.reach()).await?;
    let rows = store::list(&mut reader, tenant, &sites, after, limit + 1).await?;
    Ok(Json(paging::page(rows, limit, |row| row.id.to_string(), shown)))
}

/// An installer without its secret's hash.
pub(crate) fn shown(row: InstallerRow) -> api::Installer {
    api::Installer {
        id: row.id,
        label: row.label,
        site: row.site,
        site_name: row.site_name,
        customer_name: row.customer_name,
        platform: row.platform,
        uses: row.uses,
        used: row.used,
        network: row.network,
        created: row.created,
        created_by: row.created_by,
        expires: row.expires,
        revoked: row.revoked,
    }
}

/// Ends an installer before its time.
pub(crate) async fn revoke(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageInstallers>,
    Id(installer): Id<InstallerId>,
) -> Result<StatusCode, Refusal> {
    app.store.commit(RevokeInstaller { permit, installer, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}
