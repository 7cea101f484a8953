//! Adding, naming and removing one's own factors: `/v1/me/passkeys`, `/v1/me/totp`, `/v1/me/factors/{id}`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::recovery::RecoveryCode;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::throttle::Charged;
use sallyport_decide::accounts::totp::{self, Secret};
use sallyport_decide::accounts::webauthn::{Expected, Scope, UserVerification, register};
use sallyport_decide::policy::{Actor, EnrolFactors, Stage};
use sallyport_model::{Email, FactorId, Name, Timestamp, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{
    AddPasskey, AddTotp, Added, ChargeTotpDraft, Doing, NewFactor, RenameFactor, Replacement, SaveTotpDraft, UseFactor, UsedFactor,
    live_session_by_id, passkeys,
};

use super::passkey::{algorithms, decode, descriptor, refused, site, spend, timeout};
use super::{prove, totp as sealed};
use crate::{Allowed, App, Id, Json, Refusal};

/// How long an authenticator waits for its first code.
const DRAFT_SECS: i64 = 15 * 60;
/// How an authenticator can be reached (WebAuthn Level 3, section 5.8.4).
const TRANSPORTS: [&str; 6] = ["usb", "nfc", "ble", "hybrid", "internal", "smart-card"];

/// Who does it, now.
pub(super) fn doing(app: &App, actor: &Actor) -> Doing {
    Doing { tenant: actor.tenant, user: actor.user, session: actor.session, at: app.clock.now(), salt: app.random() }
}

/// A session after a recovery enrols without another proof, for it has none to give; each other one proves a factor for it.
async fn may_enrol(app: &App, actor: &Actor, proof: Option<&api::FactorAnswer>) -> Result<Option<UsedFactor>, Refusal> {
    match (actor.stage, proof) {
        (Stage::Restricted, _) => Ok(None),
        (_, Some(answer)) => {
            let proven = prove::prove_factor(app, actor, answer, api::ChallengePurpose::Factors).await?;
            proven.counting().map(Some)
        }
        (_, None) => Err(Refusal::field("proof", "prove a factor to add another one")),
    }
}

/// A factor that is enrolled after a recovery waits a day before it counts for guarded actions (REC-09).
fn counts_from(actor: &Actor, now: Timestamp) -> Option<Timestamp> {
    (actor.stage == Stage::Restricted).then(|| now.plus_secs(limits::NEW_FACTOR_SECS))
}

fn new_factor(app: &App, actor: &Actor, factor: FactorId, name: &str, code: &RecoveryCode) -> Result<NewFactor, Refusal> {
    let at = app.clock.now();
    let name = Name::parse(name).map_err(|why| Refusal::field("name", why))?;
    let hash = code.stored(&app.accounts.recovery_pepper, actor.user);
    let replacement = (actor.stage == Stage::Restricted).then_some(Replacement { session: actor.session, hash });
    let counts_from = counts_from(actor, at);
    Ok(NewFactor { tenant: actor.tenant, user: actor.user, factor, name, counts_from, replacement, at, salt: app.random() })
}

/// Where the factor ends a recovery by a code, the answer has the code that takes the used one's place (REC-05).
fn added(added: Added, code: &RecoveryCode) -> Result<Response, Refusal> {
    match added {
        Added::Done => Ok(StatusCode::NO_CONTENT.into_response()),
        Added::WithCode => Ok(Json(api::FreshRecoveryCode { recovery_code: code.to_text().to_string() }).into_response()),
        Added::TooMany => Err(Refusal::from(Code::Conflict).because(format!("At most {} factors.", limits::FACTORS_PER_USER))),
    }
}

/// Begins a proof by passkey for one's own changes.
pub async fn begin_challenge(
    State(app): State<App>,
    Allowed(permit): Allowed<sallyport_decide::policy::Elevate>,
    Json(body): Json<api::NewChallenge>,
) -> Result<Json<api::StartedAssertion>, Refusal> {
    prove::begin(&app, permit.actor(), body.purpose).await.map(Json)
}

/// Begins the registration of a passkey.
pub async fn start_passkey(
    State(app): State<App>,
    Allowed(permit): Allowed<EnrolFactors>,
    Json(body): Json<api::StartPasskey>,
) -> Result<Json<api::StartedRegistration>, Refusal> {
    let actor = permit.actor();
    if let Some(used) = may_enrol(&app, actor, body.proof.as_ref()).await? {
        app.store.reserve(UseFactor { used, at: app.clock.now() }).await?;
    }
    let challenge = app.accounts.challenges.issue(&Scope::Register(actor.session, actor.user), app.random(), app.clock.now());
    let mut reader = app.store.read().await?;
    let tenant_name = live_session_by_id(&mut reader, actor.session).await?.ok_or(Code::NotSignedIn)?.tenant_name;
    let own = passkeys(&mut reader, actor.user).await?;
    let options = api::CreationOptions {
        challenge: challenge.to_text(),
        rp: api::RelyingParty { id: site(&app).rp_id().to_owned(), name: tenant_name },
        user: api::CredentialUser {
            id: URL_SAFE_NO_PAD.encode(actor.user.as_bytes()),
            name: actor.email.clone(),
            display_name: actor.name.clone(),
        },
        pub_key_cred_params: algorithms(),
        timeout: timeout(),
        exclude_credentials: own.into_iter().map(descriptor).collect(),
        authenticator_selection: api::AuthenticatorSelection {
            resident_key: "required".to_owned(),
            require_resident_key: true,
            user_verification: "required".to_owned(),
        },
        attestation: "none".to_owned(),
    };
    Ok(Json(api::StartedRegistration { ceremony: challenge.to_text(), options }))
}

/// Finishes the registration of a passkey.
pub async fn finish_passkey(
    State(app): State<App>,
    Allowed(permit): Allowed<EnrolFactors>,
    Json(body): Json<api::FinishPasskey>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let code = RecoveryCode::from_bytes(app.random());
    let factor = new_factor(&app, actor, FactorId::new(app.clock.now(), app.random()), &body.name, &code)?;
    let response = &body.credential.response;
    let (client_data, object) =
        (decode("clientDataJSON", &response.client_data_json)?, decode("attestationObject", &response.attestation_object)?);
    let challenge = spend(&app, &Scope::Register(actor.session, actor.user), &body.ceremony).await?;
    let site = site(&app);
    let expected = Expected { site: &site, challenge: challenge.as_bytes(), verification: UserVerification::Required };
    let registered = register(&client_data, &object, &expected).map_err(refused)?;
    if decode("id", &body.credential.id)? != registered.credential.as_bytes() {
        return Err(Refusal::field("id", "is not the id of the new credential"));
    }
    let transports = TRANSPORTS.into_iter().filter(|known| response.transports.iter().any(|said| said == known)).map(str::to_owned);
    let change = AddPasskey { factor, registered, transports: transports.collect() };
    match app.store.commit(change).await {
        Ok(outcome) => added(outcome, &code),
        Err(StoreError::Exists) => Err(Code::PasskeyKnown.into()),
        Err(error) => Err(error.into()),
    }
}

/// Begins the enrolment of one more authenticator app.
pub async fn start_totp(
    State(app): State<App>,
    Allowed(permit): Allowed<EnrolFactors>,
    Json(body): Json<api::StartTotp>,
) -> Result<Json<api::TotpDraft>, Refusal> {
    let actor = permit.actor();
    let used = may_enrol(&app, actor, body.proof.as_ref()).await?;
    let (factor, secret, token) =
        (FactorId::new(app.clock.now(), app.random()), Secret::from_bytes(app.random()), Token::from_bytes(app.random()));
    let tenant_name = live_session_by_id(&mut app.store.read().await?, actor.session).await?.ok_or(Code::NotSignedIn)?.tenant_name;
    let (issuer, account) = (Name::parse(&tenant_name).map_err(internal)?, Email::parse(&actor.email).map_err(internal)?);
    let sealed = sealed::seal(&app.keys, factor, &secret);
    let change = SaveTotpDraft { by: doing(&app, actor), used, token: token.stored(Purpose::Draft), factor, sealed };
    app.store.reserve(change).await?;
    let totp = api::TotpSecret { secret: secret.to_base32().to_string(), uri: secret.to_uri(&issuer, &account).to_string() };
    Ok(Json(api::TotpDraft { draft: token.to_text().to_string(), totp }))
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a stored name cannot be read");
    Code::Internal.into()
}

/// Finishes the enrolment of an authenticator app: its first code is used up by it.
pub async fn finish_totp(
    State(app): State<App>,
    Allowed(permit): Allowed<EnrolFactors>,
    Json(body): Json<api::FinishTotp>,
) -> Result<Response, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let gone = || Refusal::field("draft", "was begun too long ago, in another session, or had too many wrong codes: begin again");
    let code = totp::Code::parse(&body.code).map_err(|why| Refusal::from(Code::CodeRefused).because(why).at("code"))?;
    let token = Token::parse(&body.draft).map_err(|_| gone())?.stored(Purpose::Draft);
    let name = body.name.clone();
    let draft = app.store.reserve(ChargeTotpDraft { token, user: actor.user, session: actor.session }).await?.ok_or_else(gone)?;
    if draft.charged == Charged::Locked || now >= draft.created.plus_secs(DRAFT_SECS) {
        return Err(gone());
    }
    let fresh = RecoveryCode::from_bytes(app.random());
    let factor = new_factor(&app, actor, draft.factor, &name, &fresh)?;
    let secret = sealed::unseal(&app.keys, draft.factor, &draft.sealed)?;
    let accepted = totp::judge(&secret, &code, None, now).map_err(|_| Refusal::from(Code::CodeRefused).at("code"))?;
    let change = AddTotp { factor, token, sealed: draft.sealed, step: accepted.step };
    added(app.store.commit(change).await?, &fresh)
}

/// Gives a factor another name.
pub async fn rename(
    State(app): State<App>,
    Allowed(permit): Allowed<EnrolFactors>,
    Id(factor): Id<FactorId>,
    Json(body): Json<api::RenameFactor>,
) -> Result<StatusCode, Refusal> {
    let name = Name::parse(&body.name).map_err(|why| Refusal::field("name", why))?;
    app.store.commit(RenameFactor { by: doing(&app, permit.actor()), factor, name }).await?;
    Ok(StatusCode::NO_CONTENT)
}
