//! `/v1/setup`: the first tenant and its owner, once.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::password::{self, Context, Password};
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::setup::{DRAFT_LIFETIME_SECS, ServerKeys, SignedRoot, check_root};
use sallyport_decide::accounts::sign_in::enrolled;
use sallyport_decide::accounts::throttle::Charged;
use sallyport_decide::accounts::totp::{self, Accepted, Code as TotpCode, Secret};
use sallyport_grant::{Envelope, VerifyKey};
use sallyport_model::{CustomerId, Digest, Email, FactorId, Name, SiteId, TenantId, UserId};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{
    ChargeDraft, Draft, FinishSetup, NewSession, RecoveryHashes, SaveDraft, is_setup_open, is_setup_token,
};
use sallyport_wire::LinkSecret;
use zeroize::Zeroizing;

use super::sign_in::Opening;
use super::{Proven, Source, breached, device, me};
use crate::keys::{Keys, TenantKeys};
use crate::{App, Json, Refusal};

const KEYS_LABEL: &str = "server-keys";

/// Whether the set-up is still to be done.
pub async fn state(State(app): State<App>) -> Result<Json<api::SetupState>, Refusal> {
    Ok(Json(api::SetupState { open: is_setup_open(&mut app.store.read().await?).await? }))
}

/// Refuses a token that is not the printed one, or any once the set-up is over: the two look the same.
async fn setup_token(app: &App, text: &str) -> Result<Token, Refusal> {
    let token = Token::parse(text).map_err(|_| Code::SetupClosed)?;
    let open = is_setup_token(&mut app.store.read().await?, token.stored(Purpose::Setup)).await?;
    if open { Ok(token) } else { Err(Code::SetupClosed.into()) }
}

/// Who the owner will be, parsed.
struct Owner {
    tenant_name: Name,
    name: Name,
    email: Email,
    password: Password,
}

impl Owner {
    async fn parse(app: &App, body: &api::StartSetup) -> Result<Self, Refusal> {
        let tenant_name = Name::parse(&body.tenant_name).map_err(|why| Refusal::field("tenant_name", why))?;
        let name = Name::parse(&body.name).map_err(|why| Refusal::field("name", why))?;
        let email = Email::parse(&body.email).map_err(|why| Refusal::field("email", why))?;
        let refused = |why| Refusal::from(Code::PasswordRefused).because(why).at("password");
        let password = Password::parse(&body.password).map_err(refused)?;
        let breached = breached::look_up(app, &password).await;
        password::check(&password, &Context::new(&tenant_name, &name, &email), breached).map_err(refused)?;
        Ok(Self { tenant_name, name, email, password })
    }
}

/// Begins: checks the owner's password, makes the tenant's keys and an authenticator.
pub async fn start(State(app): State<App>, Json(body): Json<api::StartSetup>) -> Result<Json<api::SetupDraft>, Refusal> {
    setup_token(&app, &body.token).await?;
    let owner = Owner::parse(&app, &body).await?;
    let stored = app.accounts.hasher.queue()?.hash(&owner.password).await?;
    let now = app.clock.now();
    let (tenant, factor) = (TenantId::new(now, app.random()), FactorId::new(now, app.random()));
    let (secret, keys, token) =
        (Secret::from_bytes(app.random()), Zeroizing::new(app.random::<{ TenantKeys::BYTES }>()), Token::from_bytes(app.random()));
    let answer = api::SetupDraft {
        draft: token.to_text().to_string(),
        totp: api::TotpSecret { secret: secret.to_base32().to_string(), uri: secret.to_uri(&owner.tenant_name, &owner.email).to_string() },
        tenant,
        server_keys: shown(&public(&TenantKeys::from_bytes(&keys))),
    };
    let draft = Draft {
        token: token.stored(Purpose::Draft),
        tenant,
        tenant_name: owner.tenant_name,
        name: owner.name,
        email: owner.email,
        password: stored,
        factor,
        totp_sealed: super::totp::seal(&app.keys, factor, &secret),
        keys_sealed: app.keys.seal(KEYS_LABEL, tenant.as_bytes(), &*keys),
        created: now,
    };
    app.store.reserve(SaveDraft(draft)).await?;
    Ok(Json(answer))
}

/// Finishes: a code of the new authenticator and the authority's signature make the tenant; nothing is left half-done.
pub async fn finish(
    State(app): State<App>,
    Proven(key): Proven,
    source: Source,
    Json(body): Json<api::FinishSetup>,
) -> Result<(StatusCode, HeaderMap, Json<api::RecoveryCodes>), Refusal> {
    let setup_token = setup_token(&app, &body.token).await?;
    let (draft, accepted) = prove(&app, &body).await?;
    let tenant_keys = unseal_keys(&app.keys, draft.tenant, &draft.keys_sealed)?;
    let root = signed_root(&app, &body, &draft, &tenant_keys)?;
    let (now, token) = (app.clock.now(), Token::from_bytes(app.random()));
    let user = UserId::new(now, app.random());
    let codes = me::new_recovery_codes(&app, user);
    let sender = source.sender;
    let opening = Opening { key, source, token: token.stored(Purpose::Session), at: now };
    let session = opening.of(&app, &enrolled(user, accepted, now));
    let headers = device::cookies(&app, &token, (session.id, user), sender);
    // The log's key signs in the very transaction that makes the tenant.
    app.keys.keep(draft.tenant, tenant_keys);
    let change = finished(&app, setup_token.stored(Purpose::Setup), draft, accepted, codes.hashes, &root, session);
    app.store.commit(change).await.map_err(closed_meanwhile)?;
    Ok((StatusCode::CREATED, headers, Json(api::RecoveryCodes { recovery_codes: codes.shown })))
}

fn finished(
    app: &App,
    setup_token: Digest,
    draft: Draft,
    accepted: Accepted,
    recovery_hashes: RecoveryHashes,
    root: &Envelope,
    session: NewSession,
) -> FinishSetup {
    let at = session.at;
    FinishSetup {
        setup_token,
        draft,
        user: session.user,
        used_step: accepted.step,
        recovery_factor: FactorId::new(at, app.random()),
        recovery_hashes,
        root_envelope: root.to_bytes(),
        customer: CustomerId::new(at, app.random()),
        site: SiteId::new(at, app.random()),
        session,
        at,
        salt: app.random(),
    }
}

fn closed_meanwhile(error: StoreError) -> Refusal {
    match error {
        StoreError::Conflict => Code::SetupClosed.into(),
        other => other.into(),
    }
}

/// Charges the draft, then judges the code of its authenticator.
async fn prove(app: &App, body: &api::FinishSetup) -> Result<(Draft, Accepted), Refusal> {
    let code = TotpCode::parse(&body.code).map_err(|why| Refusal::from(Code::CodeRefused).because(why).at("code"))?;
    let wrong = || Refusal::field("draft", "this set-up was begun too long ago, or too many codes were wrong: begin again");
    let token = Token::parse(&body.draft).map_err(|_| wrong())?;
    let (draft, charged) = app.store.reserve(ChargeDraft { token: token.stored(Purpose::Draft) }).await?.ok_or_else(wrong)?;
    let now = app.clock.now();
    if charged == Charged::Locked || now >= draft.created.plus_secs(DRAFT_LIFETIME_SECS) {
        return Err(wrong());
    }
    let secret = super::totp::unseal(&app.keys, draft.factor, &draft.totp_sealed)?;
    let accepted = totp::judge(&secret, &code, None, now).map_err(|_| Refusal::from(Code::CodeRefused).at("code"))?;
    Ok((draft, accepted))
}

fn signed_root(app: &App, body: &api::FinishSetup, draft: &Draft, keys: &TenantKeys) -> Result<Envelope, Refusal> {
    let root_body = STANDARD.decode(&body.root_body).map_err(|_| Refusal::field("root_body", "must be base64"))?;
    let signature = STANDARD.decode(&body.root_signature).map_err(|_| Refusal::field("root_signature", "must be base64"))?;
    let mut authority_key = [0u8; 32];
    let decoded = data_encoding::HEXLOWER.decode(body.authority_key.as_bytes()).ok().filter(|bytes| bytes.len() == 32);
    authority_key.copy_from_slice(&decoded.ok_or_else(|| Refusal::field("authority_key", "must be 64 hexadecimal digits"))?);
    let signed = SignedRoot { body: &root_body, authority_key: &authority_key, signature: &signature };
    check_root(&signed, draft.tenant, &public(keys), app.clock.now()).map_err(|why| Refusal::field("root_body", why))
}

/// Opens the sealed keys of a tenant.
pub(super) fn unseal_keys(keys: &Keys, tenant: TenantId, sealed: &[u8]) -> Result<TenantKeys, Refusal> {
    let opened = keys.open_sealed(KEYS_LABEL, tenant.as_bytes(), sealed).map_err(|error| {
        tracing::error!(%error, %tenant, "a tenant's keys do not open");
        Refusal::from(Code::Internal)
    })?;
    opened.as_slice().try_into().map(TenantKeys::from_bytes).map_err(|_| Code::Internal.into())
}

/// The public halves of a tenant's keys.
fn public(keys: &TenantKeys) -> ServerKeys {
    ServerKeys {
        link: *LinkSecret::from_bytes(*keys.link).link_key().as_bytes(),
        attestation: VerifyKey::of(&keys.attestation),
        log: VerifyKey::of(&keys.log),
        fresh: VerifyKey::of(&keys.fresh),
        enrolment: VerifyKey::of(&keys.enrolment),
    }
}

fn shown(keys: &ServerKeys) -> api::ServerKeys {
    let hex = |bytes: &[u8; 32]| data_encoding::HEXLOWER.encode(bytes);
    api::ServerKeys {
        link: hex(&keys.link),
        attestation: hex(keys.attestation.as_bytes()),
        log: hex(keys.log.as_bytes()),
        fresh: hex(keys.fresh.as_bytes()),
        enrolment: hex(keys.enrolment.as_bytes()),
    }
}
