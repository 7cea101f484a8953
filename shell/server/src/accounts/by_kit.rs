//! `/v1/sign-in/kit/start|finish`: the way back of a tenant's only owner who has nothing left but the password and the authority kit.
//!
//! The kit itself is never sent. Whatever does not hold, the answer is that of every failed sign-in; who shows all of it where another
//! owner could help is told so, and so is the account's person.

use axum::extract::State;
use axum::http::HeaderMap;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::by_kit::{Asked, KitRefused, judge_kit};
use sallyport_decide::accounts::password::{Breached, Password};
use sallyport_decide::accounts::proof::Thumbprint;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::sign_in::{SignedIn, judge_password};
use sallyport_decide::accounts::webauthn::{Challenge, Scope};
use sallyport_grant::body::{Body, RootBody};
use sallyport_grant::recovery::{Claimed, Vouched};
use sallyport_grant::{Envelope, PayloadType};
use sallyport_model::{Email, Timestamp};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{
    AccountFacts, ChargePassword, ChargedPassword, OpenSession, RecordFailure, RefuseKit, SpendChallenge, Spent, Used, find_trust_root,
    owners,
};

use super::sign_in::{Opening, bucket};
use super::{Proven, Source, addresses, breached, device};
use crate::{App, Json, Refusal};

/// Begins: a challenge names nobody and proves nothing.
pub async fn start(State(app): State<App>, Proven(key): Proven) -> Json<api::KitChallenge> {
    let challenge = app.accounts.challenges.issue(&Scope::Recover(key), app.random(), app.clock.now()).to_text();
    Json(api::KitChallenge { challenge, server: app.config.origin().to_owned(), key: data_encoding::HEXLOWER.encode(key.as_bytes()) })
}

/// What was sent, parsed: malformed parts are refused by their shape alone, before any account is looked at.
struct Typed {
    email: Email,
    password: Password,
    claimed: Claimed,
}

impl Typed {
    fn parse(body: &api::KitSignIn) -> Result<Self, Refusal> {
        let claimed = Claimed::parse(body.statement.as_bytes());
        Ok(Self {
            email: Email::parse(&body.email).map_err(|why| Refusal::field("email", why))?,
            password: Password::parse(&body.password).map_err(|why| Refusal::field("password", why))?,
            claimed: claimed.map_err(|why| Refusal::from(Code::KitRefused).because(format!("{why}.")).at("statement"))?,
        })
    }
}

/// Signs in with password and statement together.
pub async fn finish(
    State(app): State<App>,
    Proven(key): Proven,
    source: Source,
    Json(body): Json<api::KitSignIn>,
) -> Result<(HeaderMap, Json<api::Me>), Refusal> {
    let typed = Typed::parse(&body)?;
    // The place comes before the charge: who is sent away as the server is busy has not tried.
    let place = app.accounts.hasher.queue()?;
    let challenge = spend(&app, &typed.claimed, key).await?;
    let now = app.clock.now();
    let attempt =
        ChargePassword { email: typed.email.clone(), address: source.address.clone(), bucket: bucket(&app, &typed.email), at: now };
    let charged = app.store.reserve(attempt).await?;
    let verdict = place.verify(&typed.password, charged.account.as_ref().map(|facts| &facts.password)).await?;
    let vouched = vouched(&app, typed.claimed.clone()).await?;
    let passed = judge_password(charged.account.as_ref().map(|facts| facts.account), charged.attempt, verdict);
    let judged = match (passed, &charged.account) {
        (Ok(passed), Some(account)) => {
            let owners = owners(&mut app.store.read().await?, account.tenant, passed.user(), now).await?;
            let asked = Asked { email: &typed.email, server: app.config.origin(), key: &key, challenge: &challenge.to_text() };
            judge_kit(passed, vouched.as_ref(), account.tenant, &asked, owners)
        }
        _ => Err(KitRefused::Refused),
    };
    match (judged, &charged.account) {
        (Ok(signed_in), Some(account)) => {
            addresses::may_open(&app, account, None, &source, &typed.email, now).await?;
            open(&app, signed_in, &typed.password, (&charged, account), (key, source, now)).await
        }
        (Err(KitRefused::NotTheOnlyOwner), Some(account)) => Err(not_alone(&app, account, &source, now).await),
        _ => Err(failed(&app, &charged, now).await),
    }
}

/// Recognises the statement's challenge as one that this browser was asked, and spends it before anything is judged.
async fn spend(app: &App, claimed: &Claimed, key: Thumbprint) -> Result<Challenge, Refusal> {
    let refused = |why: &dyn std::fmt::Display| Refusal::from(Code::KitRefused).because(why).at("statement");
    let challenge = app.accounts.challenges.accept(&Scope::Recover(key), &claimed.body().challenge, app.clock.now());
    let challenge = challenge.map_err(|stale| refused(&stale))?;
    match app.store.reserve(SpendChallenge { challenge: challenge.stored(), expires: challenge.expires() }).await? {
        Spent::Now => Ok(challenge),
        Spent::Before => Err(refused(&"The challenge was answered before: begin again.")),
    }
}

/// The statement, where the authority of the tenant that it names signed it.
async fn vouched(app: &App, claimed: Claimed) -> Result<Option<Vouched>, Refusal> {
    let Some(stored) = find_trust_root(&mut app.store.read().await?, claimed.body().tenant).await? else { return Ok(None) };
    let envelope = Envelope::parse(&stored, PayloadType::Root).map_err(|_| Refusal::from(Code::Internal))?;
    let root = RootBody::parse(envelope.payload()).map_err(|_| Refusal::from(Code::Internal))?;
    Ok(claimed.verify(&root).ok())
}

async fn open(
    app: &App,
    signed_in: SignedIn,
    password: &Password,
    (charged, account): (&ChargedPassword, &AccountFacts),
    (key, source, at): (Thumbprint, Source, Timestamp),
) -> Result<(HeaderMap, Json<api::Me>), Refusal> {
    let breached = breached::look_up_right(app, password).await;
    let (token, sender) = (Token::from_bytes(app.random()), source.sender);
    let session = Opening { key, source, token: token.stored(Purpose::Session), at }.of(app, &signed_in);
    let id = session.id;
    let change = OpenSession {
        tenant: account.tenant,
        signed_in,
        used: Used::AuthorityKit { salt: app.random() },
        subject: Some(charged.subject),
        breached: (breached == Breached::Listed).then(|| app.random()),
        session,
    };
    match app.store.commit(change).await {
        Ok(()) => device::opened(app, &token, id, sender).await,
        Err(StoreError::Conflict) => Err(failed(app, charged, at).await),
        Err(error) => Err(error.into()),
    }
}

/// All of it was right, so its person has to know: whoever it was has the password and the kit.
async fn not_alone(app: &App, account: &AccountFacts, source: &Source, at: Timestamp) -> Refusal {
    let change = RefuseKit {
        tenant: account.tenant,
        user: account.account.user,
        address: source.address.clone(),
        user_agent: source.user_agent.clone(),
        at,
        salt: app.random(),
    };
    match app.store.commit(change).await {
        Ok(()) => Code::NotTheOnlyOwner.into(),
        Err(error) => error.into(),
    }
}

/// Counted like every failure. The password's charge is not given back, so that guessing at either part makes wait.
async fn failed(app: &App, charged: &ChargedPassword, at: Timestamp) -> Refusal {
    let account = charged.account.as_ref().map(|facts| (facts.tenant, facts.account.user));
    match app.store.reserve(RecordFailure { account, locks: Vec::new(), at, salts: [app.random(), app.random()] }).await {
        Ok(()) => Code::SignInRefused.into(),
        Err(error) => error.into(),
    }
}
