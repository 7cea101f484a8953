//! Passkeys over HTTP: options for browsers, their answers, and `POST /v1/sign-in/passkey/start|finish`.

use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::sign_in::{Counts, judge_passkey};
use sallyport_decide::accounts::webauthn::{
    Algorithm, Answer, Asserted, Challenge, Counter, CredentialId, Expected, Refused, Scope, Site, Stored, UserVerification, assert,
};
use sallyport_model::{Timestamp, UserId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{
    OpenSession, PasskeyFacts, PasskeyRow, PasskeyUse, RecordFailure, SpendChallenge, Spent, Used, passkey, passkeys,
};

use super::prove::report_copy;
use super::sign_in::Opening;
use super::{Proven, Source, device};
use crate::{App, Json, Refusal};

/// The site that passkeys of this installation are for.
pub(super) fn site(app: &App) -> Site {
    Site::of_origin(app.config.origin())
}

/// How a wrong answer looks from outside: what was wrong depends on the answer alone, never on the account.
pub(super) fn refused(why: Refused) -> Refusal {
    Refusal::from(Code::PasskeyRefused).because(format!("{why}."))
}

/// Recognises a challenge and spends it, before anything about the answer is verified.
pub(super) async fn spend(app: &App, scope: &Scope, ceremony: &str) -> Result<Challenge, Refusal> {
    let challenge = app.accounts.challenges.accept(scope, ceremony, app.clock.now());
    let challenge = challenge.map_err(|stale| Refusal::from(Code::PasskeyRefused).because(stale).at("ceremony"))?;
    match app.store.reserve(SpendChallenge { challenge: challenge.stored(), expires: challenge.expires() }).await? {
        Spent::Now => Ok(challenge),
        Spent::Before => Err(Refusal::from(Code::PasskeyRefused).because("The ceremony was answered before: begin again.").at("ceremony")),
    }
}

/// A passkey's answer, decoded.
pub(super) struct Answered {
    pub(super) credential: CredentialId,
    pub(super) user_handle: Option<Vec<u8>>,
    client_data: Vec<u8>,
    authenticator_data: Vec<u8>,
    signature: Vec<u8>,
}

impl Answered {
    pub(super) fn parse(credential: &api::Assertion) -> Result<Self, Refusal> {
        let response = &credential.response;
        if credential.kind != "public-key" {
            return Err(Refusal::field("type", "must be public-key"));
        }
        Ok(Self {
            credential: CredentialId::from_bytes(&decode("id", &credential.id)?).map_err(refused)?,
            user_handle: response.user_handle.as_deref().map(|handle| decode("userHandle", handle)).transpose()?,
            client_data: decode("clientDataJSON", &response.client_data_json)?,
            authenticator_data: decode("authenticatorData", &response.authenticator_data)?,
            signature: decode("signature", &response.signature)?,
        })
    }

    pub(super) fn verify(&self, app: &App, stored: &Stored, challenge: &[u8]) -> Result<Asserted, Refused> {
        let answer = Answer { client_data: &self.client_data, authenticator_data: &self.authenticator_data, signature: &self.signature };
        assert(&answer, stored, &Expected { site: &site(app), challenge, verification: UserVerification::Required })
    }
}

pub(super) fn decode(field: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::field(field, "must be base64url without padding"))
}

/// Options for `navigator.credentials.get`: a user's own credentials, or none where nobody has said who they are.
pub(super) async fn challenge(app: &App, user: Option<UserId>, bytes: &[u8]) -> Result<api::RequestOptions, Refusal> {
    let own = match user {
        Some(user) => passkeys(&mut app.store.read().await?, user).await?,
        None => Vec::new(),
    };
    Ok(api::RequestOptions {
        challenge: URL_SAFE_NO_PAD.encode(bytes),
        timeout: timeout(),
        rp_id: site(app).rp_id().to_owned(),
        allow_credentials: own.into_iter().map(descriptor).collect(),
        user_verification: "required".to_owned(),
    })
}

pub(super) fn timeout() -> u64 {
    limits::CEREMONY_SECS.unsigned_abs() * 1000
}

pub(super) fn descriptor(row: PasskeyRow) -> api::CredentialDescriptor {
    api::CredentialDescriptor { kind: "public-key".to_owned(), id: URL_SAFE_NO_PAD.encode(row.credential), transports: row.transports }
}

/// The algorithms that are taken, the preferred one first.
pub(super) fn algorithms() -> Vec<api::CredentialParameter> {
    Algorithm::ALL.into_iter().map(|algorithm| api::CredentialParameter { kind: "public-key".to_owned(), alg: algorithm.cose() }).collect()
}

/// Begins a sign-in by passkey: nobody's name is asked for, so nothing is told about any account.
pub async fn start(State(app): State<App>, Proven(key): Proven) -> Result<Json<api::StartedAssertion>, Refusal> {
    let begun = app.accounts.challenges.issue(&Scope::SignIn(key), app.random(), app.clock.now());
    let options = challenge(&app, None, begun.as_bytes()).await?;
    Ok(Json(api::StartedAssertion { ceremony: begun.to_text(), options }))
}

/// Finishes a sign-in by passkey. Whatever does not hold, the answer is the one of every failed sign-in.
pub async fn finish(
    State(app): State<App>,
    Proven(key): Proven,
    source: Source,
    Json(body): Json<api::PasskeyAnswer>,
) -> Result<(HeaderMap, Json<api::Me>), Refusal> {
    let answered = Answered::parse(&body.credential)?;
    let now = app.clock.now();
    let challenge = spend(&app, &Scope::SignIn(key), &body.ceremony).await?;
    let facts = passkey(&mut app.store.read().await?, answered.credential.as_bytes()).await?;
    let Some((facts, used)) = facts.and_then(|facts| verified(&app, &answered, facts, &challenge)) else {
        return Err(failed(&app, None, now).await);
    };
    if used.asserted.counter == Counter::Regressed {
        report_copy(&app, &facts).await?;
    }
    let Ok(signed_in) = judge_passkey(facts.account, &used.asserted, Counts::of(facts.counts_from, now), now) else {
        return Err(failed(&app, Some(&facts), now).await);
    };
    super::addresses::may_sign_in(&app, facts.tenant, &source).await?;
    let (token, sender) = (Token::from_bytes(app.random()), source.sender);
    let session = Opening { key, source, token: token.stored(Purpose::Session), at: now }.of(&app, &signed_in);
    let id = session.id;
    let change = OpenSession { tenant: facts.tenant, signed_in, used: Used::Passkey(used), subject: None, breached: None, session };
    match app.store.commit(change).await {
        Ok(()) => device::opened(&app, &token, id, sender).await,
        Err(StoreError::Conflict) => Err(failed(&app, Some(&facts), now).await),
        Err(error) => Err(error.into()),
    }
}

/// The credential's account is the one that the authenticator names, and the answer holds.
fn verified(app: &App, answered: &Answered, facts: PasskeyFacts, challenge: &Challenge) -> Option<(PasskeyFacts, PasskeyUse)> {
    if answered.user_handle.as_deref() != Some(facts.account.user.as_bytes().as_slice()) {
        return None;
    }
    let asserted = answered.verify(app, &facts.stored, challenge.as_bytes()).ok()?;
    let used = PasskeyUse { factor: facts.factor, before: facts.stored.sign_count, asserted };
    Some((facts, used))
}

/// Counts a failure for the log's summaries; only an answer that held names an account.
async fn failed(app: &App, facts: Option<&PasskeyFacts>, at: Timestamp) -> Refusal {
    let account = facts.map(|facts| (facts.tenant, facts.account.user));
    match app.store.reserve(RecordFailure { account, locks: Vec::new(), at, salts: [app.random(), app.random()] }).await {
        Ok(()) => Code::SignInRefused.into(),
        Err(error) => error.into(),
    }
}
