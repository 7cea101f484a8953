//! `/v1/clients/{id}/licences` and `/v1/licences/{id}`: licences for people. Issuing one is guarded; revoking one is a click.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::Action;
use sallyport_decide::automation::IssueLicence;
use sallyport_decide::automation::licence::IssueError;
use sallyport_decide::policy::{ManageClients, ReadClients};
use sallyport_grant::body::{Body, BodyError, HostKeys, HostKind, LicenceBody, LicenceHost, LicenceType, Scope, ToolVersion, Versions};
use sallyport_grant::{Envelope, Hex, PayloadType, licence};
use sallyport_model::{ApiClientId, LicenceId, Name, TenantId, Timestamp, limits};
use sallyport_store::ops::accounts::trust_root;
use sallyport_store::ops::automation::{self as store, ClientRow, LicenceRow, RevokeLicence};
use sallyport_store::ops::execute::Part;

use super::clients::find;
use crate::work::{ask_plainly, authority_pin};
use crate::{Allowed, App, Id, Json, Refusal};

/// The licences of a client.
pub(crate) async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadClients>,
    Id(client): Id<ApiClientId>,
) -> Result<Json<api::Licences>, Refusal> {
    let row = find(&app, permit.actor().tenant, client).await?;
    let now = app.clock.now();
    let rows = store::licences(&mut app.store.read().await?, row.id).await?;
    let items = rows.into_iter().map(|row| shown(row, now)).collect::<Result<_, _>>()?;
    Ok(Json(api::Licences { items }))
}

/// One licence.
pub(crate) async fn show(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadClients>,
    Id(id): Id<LicenceId>,
) -> Result<Json<api::Licence>, Refusal> {
    let row = found(&app, permit.actor().tenant, id).await?;
    shown(row, app.clock.now()).map(Json)
}

/// One licence as the file that its tool shows.
pub(crate) async fn file(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadClients>,
    Id(id): Id<LicenceId>,
) -> Result<Json<api::LicenceFile>, Refusal> {
    let row = found(&app, permit.actor().tenant, id).await?;
    let tool = body_of(&row)?.tool.to_string();
    let plain: String = tool.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let file_name = format!("{}.sallyport-licence.json", plain.trim_matches('-'));
    Ok(Json(api::LicenceFile { id, file_name, file: row.envelope }))
}

async fn found(app: &App, tenant: TenantId, id: LicenceId) -> Result<LicenceRow, Refusal> {
    let row = store::licence(&mut app.store.read().await?, id).await?;
    row.filter(|row| row.tenant == tenant).ok_or_else(|| Code::NotFound.into())
}

/// Asks for a licence. Who is not the client's owner gives it nothing that they do not have themselves.
pub(crate) async fn issue(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageClients>,
    Id(client): Id<ApiClientId>,
    Json(wanted): Json<api::NewLicence>,
) -> Result<Response, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let row = find(&app, actor.tenant, client).await?;
    if row.state.stopped.is_some() {
        return Err(Refusal::from(Code::Conflict).because("Its client was stopped for good."));
    }
    if row.owner != actor.user && !row.state.shape.may_be_given_by(&actor.rights) {
        return Err(Refusal::from(Code::RoleRefused).because("You can only license what you may do yourself, for the whole tenant."));
    }
    let mut reader = app.store.read().await?;
    if store::standing_licences(&mut reader, client, now).await? >= limits::LICENCES_PER_CLIENT as u64 {
        let most = limits::LICENCES_PER_CLIENT;
        return Err(Refusal::from(Code::Conflict).because(format!("It has {most} licences that stand, which is the most: revoke one.")));
    }
    let root = trust_root(&mut reader, actor.tenant).await?;
    drop(reader);
    let root = Envelope::parse(&root, PayloadType::Root).map_err(|_| Refusal::from(Code::Internal))?;
    let body = parsed(LicenceId::new(now, app.random()), wanted, &row, root, now)?;
    let action = IssueLicence::freeze(body, &row.state.shape, &actor.rights, now).map_err(refused)?;
    ask_plainly(&app, actor, Action::IssueLicence(action)).await
}

fn parsed(id: LicenceId, wanted: api::NewLicence, client: &ClientRow, root: Envelope, now: Timestamp) -> Result<LicenceBody, Refusal> {
    let name = |field: &str, text: &str| Name::parse(text.trim()).map_err(|error| Refusal::field(field, error));
    let version = |field: &str, text: &str| ToolVersion::parse(text.trim()).map_err(|error| Refusal::field(field, error));
    let scopes: Result<Vec<Scope>, _> = wanted.scopes.iter().map(|word| Scope::parse(word)).collect();
    Ok(LicenceBody {
        r#type: LicenceType::V1,
        id,
        tenant: client.tenant,
        client: client.id,
        tool: name("tool", &wanted.tool)?,
        publisher: name("publisher", &wanted.publisher)?,
        versions: Versions { from: version("from", &wanted.from)?, below: version("below", &wanted.below)? },
        executables: wanted.executables,
        scripts: wanted.scripts,
        scopes: scopes.map_err(|error| Refusal::field("scopes", error))?,
        hosts: wanted.hosts.iter().map(host).collect::<Result<_, _>>()?,
        host_keys: match wanted.host_keys {
            api::HostKeyRule::Any => HostKeys::Any,
            api::HostKeyRule::Tpm => HostKeys::Tpm,
        },
        issued: now,
        expires: wanted.expires,
        authority_pin: authority_pin(&root, now)?.0,
        root,
    })
}

fn host(host: &api::LicenceHost) -> Result<LicenceHost, Refusal> {
    let key: Result<Hex<33>, _> = host.key.trim().parse();
    let wrong = || Refusal::field("hosts", IssueError::HostKey(host.key.chars().take(80).collect()));
    Ok(LicenceHost {
        name: Name::parse(host.name.trim()).map_err(|error| Refusal::field("hosts", error))?,
        kind: match host.kind {
            api::HostKeyKind::Tpm => HostKind::Tpm,
            api::HostKeyKind::File => HostKind::File,
        },
        key: key.map_err(|_| wrong())?,
    })
}

fn refused(error: IssueError) -> Refusal {
    match &error {
        IssueError::Scope(_) => Refusal::field("scopes", error),
        IssueError::NotYours(_) => Refusal::from(Code::RoleRefused).because(error).at("scopes"),
        IssueError::Expiry | IssueError::Body(BodyError::TimeOrder) => Refusal::field("expires", error),
        IssueError::HostKey(_) => Refusal::field("hosts", error),
        IssueError::Body(BodyError::Contradiction) => Refusal::field("host_keys", "every host's key must be in its TPM"),
        IssueError::Body(BodyError::OutOfRange) => Refusal::field("below", "must be above the first version"),
        IssueError::Body(_) => Refusal::field("licence", error),
    }
}

/// Ends a licence before its time, and the tokens that stand on it with it.
pub(crate) async fn revoke(
    State(app): State<App>,
    Allowed(permit): Allowed<ManageClients>,
    Id(licence): Id<LicenceId>,
) -> Result<StatusCode, Refusal> {
    app.store.commit(RevokeLicence { permit, licence, at: app.clock.now(), salt: app.random() }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs a released licence: the frozen bytes, by the key that signs enrolment files. Devices believe that key for no grant.
pub(crate) fn signed(app: &App, tenant: TenantId, issue: &IssueLicence) -> Result<Part, Refusal> {
    let keys = app.keys.of(tenant).ok_or(Code::Internal)?;
    let envelope = licence::sign(issue.body.as_bytes(), &keys.enrolment).map_err(|_| Refusal::from(Code::Internal))?;
    Ok(Part::IssueLicence { envelope })
}

fn body_of(row: &LicenceRow) -> Result<LicenceBody, Refusal> {
    let broken = || Refusal::from(Code::Internal);
    let envelope = Envelope::parse(row.envelope.as_bytes(), PayloadType::Licence).map_err(|_| broken())?;
    LicenceBody::parse(envelope.payload()).map_err(|_| broken())
}

fn shown(row: LicenceRow, now: Timestamp) -> Result<api::Licence, Refusal> {
    let terms = terms(&body_of(&row)?);
    Ok(api::Licence {
        id: row.id,
        client: row.client,
        state: match row.expires.micros_since(now) {
            _ if row.revoked.is_some() => api::LicenceState::Revoked,
            left if left <= 0 => api::LicenceState::Expired,
            left if left < limits::LICENCE_SOON_SECS * 1_000_000 => api::LicenceState::ExpiringSoon,
            _ => api::LicenceState::Valid,
        },
        terms,
        digest: row.digest,
        issued: row.issued,
        issued_by: row.issued_by,
        revoked: row.revoked,
        revoked_by: row.revoked_by,
        last_used: row.last_used,
        last_host: row.last_host,
    })
}

fn terms(body: &LicenceBody) -> api::LicenceTerms {
    let host = |host: &LicenceHost| api::LicenceHost {
        name: host.name.to_string(),
        kind: match host.kind {
            HostKind::Tpm => api::HostKeyKind::Tpm,
            HostKind::File => api::HostKeyKind::File,
        },
        key: host.key.to_string(),
    };
    api::LicenceTerms {
        tool: body.tool.to_string(),
        publisher: body.publisher.to_string(),
        from: body.versions.from.to_string(),
        below: body.versions.below.to_string(),
        executables: body.executables.clone(),
        scripts: body.scripts.clone(),
        scopes: body.scopes.iter().map(ToString::to_string).collect(),
        hosts: body.hosts.iter().map(host).collect(),
        host_keys: match body.host_keys {
            HostKeys::Any => api::HostKeyRule::Any,
            HostKeys::Tpm => api::HostKeyRule::Tpm,
        },
        expires: body.expires,
    }
}

/// A licence exactly as people read it before they prove it, from the very bytes that will be signed.
pub(crate) fn details(issue: &IssueLicence) -> Result<api::LicenceDetails, BodyError> {
    let body = issue.licence_body()?;
    Ok(api::LicenceDetails { licence: issue.licence, client: issue.client, client_name: issue.client_name.clone(), terms: terms(&body) })
}
