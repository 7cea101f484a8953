//! `POST /v1/sign-in` and `POST /v1/sign-out`.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::alone::{Enrolled, Facts, judge_alone};
use sallyport_decide::accounts::password::{Breached, Password};
use sallyport_decide::accounts::proof::Thumbprint;
use sallyport_decide::accounts::recovery::RecoveryCode;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::sign_in::{
    Counts, Credential, PasswordPassed, RecoveryVerdict, Refused, SignedIn, TotpFactor, judge_breached, judge_means, judge_password,
    judge_recovery, judge_totp,
};
use sallyport_decide::accounts::throttle::Charged;
use sallyport_decide::accounts::totp::Code as Code6;
use sallyport_decide::policy::SignOut;
use sallyport_model::{Digest, Email, FactorId, SessionId, Timestamp};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{
    AccountFacts, ChargeFactor, ChargePassword, ChargedCredential, ChargedFactor, ChargedPassword, ChargedTotp, EndReason, EndSession,
    NewSession, OpenSession, RecordFailure, Rehash, Used, UsedFactor,
};
use sallyport_store::ops::networks::rules;
use sallyport_store::ops::people::{factorless_facts, has_factor, means_of, policy};

use super::hashing::{Place, is_outdated};
use super::{Proven, Source, addresses, breached, cookie, device, totp};
use crate::people::activate::remind;
use crate::{Allowed, App, Json, Refusal};

/// A cookie beside the body.
type WithCookie<T> = ([(header::HeaderName, HeaderValue); 1], T);

/// What a person typed, parsed. What is malformed is refused by its shape alone, before any account is looked at.
struct Typed {
    email: Email,
    password: Password,
    /// None where the password came alone.
    credential: Option<Credential>,
}

impl Typed {
    fn parse(body: &api::SignIn) -> Result<Self, Refusal> {
        Ok(Self {
            email: Email::parse(&body.email).map_err(|why| Refusal::field("email", why))?,
            password: Password::parse(&body.password).map_err(|why| Refusal::field("password", why))?,
            credential: match body.code.trim() {
                "" => None,
                code => Some(Credential::parse(code).map_err(|why| Refusal::field("code", why))?),
            },
        })
    }
}

/// Signs in with all three at once.
pub async fn sign_in(
    State(app): State<App>,
    Proven(key): Proven,
    source: Source,
    Json(body): Json<api::SignIn>,
) -> Result<(HeaderMap, Json<api::Me>), Refusal> {
    let typed = Typed::parse(&body)?;
    // The place comes before the charge: who is sent away as the server is busy has not tried.
    let place = app.accounts.hasher.queue()?;
    let now = app.clock.now();
    let attempt =
        ChargePassword { email: typed.email.clone(), address: source.address.clone(), bucket: bucket(&app, &typed.email), at: now };
    let charged = app.store.reserve(attempt).await?;
    let judged = judge(&app, &place, &typed, &charged, &source, now).await?;
    let judged = by_its_means(&app, judged, &charged).await?;
    let judged = with_breaches(&app, judged, &typed.password).await;
    if let (Ok(judged), Some(account)) = (&judged, &charged.account) {
        addresses::may_open(&app, account, judged.used_factor(), &source, &typed.email, now).await?;
    }
    let (token, sender) = (Token::from_bytes(app.random()), source.sender);
    match open(&app, &charged, judged, Opening { key, source, token: token.stored(Purpose::Session), at: now }).await? {
        Ok(session) => {
            rehash(&app, &place, &typed.password, &charged).await;
            device::opened(&app, &token, session, sender).await
        }
        Err(failure) => {
            record(&app, &charged, failure, now).await?;
            Err(Code::SignInRefused.into())
        }
    }
}

/// Where administrators prove themselves by passkeys, a code that is right opens nothing for one who has them, and the answer is that of
/// every failure.
async fn by_its_means(app: &App, judged: Result<Judged, Failure>, charged: &ChargedPassword) -> Result<Result<Judged, Failure>, Refusal> {
    let (judged, account) = match (judged, &charged.account) {
        (Ok(judged), Some(account)) => (judged, account),
        (judged, _) => return Ok(judged),
    };
    let (proves, has) = means_of(&mut app.store.read().await?, account.tenant, judged.signed_in.user).await?;
    let signed_in = judge_means(judged.signed_in, proves, has);
    Ok(signed_in.map(|signed_in| Judged { signed_in, ..judged }).map_err(|Refused| Failure { locks: Vec::new() }))
}

/// The password is looked up once everything holds: who has not proved all of it does not learn by time whether it was right.
async fn with_breaches(app: &App, judged: Result<Judged, Failure>, password: &Password) -> Result<Judged, Failure> {
    let mut judged = judged?;
    judged.breached = breached::look_up_right(app, password).await;
    judged.signed_in = judge_breached(judged.signed_in, judged.breached).map_err(|Refused| Failure { locks: Vec::new() })?;
    Ok(judged)
}

/// Names that are no account's share 65,536 counters, chosen by a key that strangers do not have.
pub(super) fn bucket(app: &App, email: &Email) -> [u8; 2] {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(&*app.accounts.unknown_names).expect("HMAC takes any key");
    let hash = mac.chain_update(email.as_str()).finalize().into_bytes();
    [hash[0], hash[1]]
}

/// A sign-in that holds, and what it uses up.
struct Judged {
    signed_in: SignedIn,
    used: Used,
    breached: Breached,
}

impl Judged {
    fn new(signed_in: SignedIn, used: Used) -> Self {
        Self { signed_in, used, breached: Breached::NotListed }
    }
}

impl Judged {
    /// The code that was right, where one was: it is used up even where the address keeps the session shut.
    fn used_factor(&self) -> Option<UsedFactor> {
        match (&self.used, self.signed_in.used_step) {
            (Used::Totp(factor), Some(step)) => Some(UsedFactor::Totp { factor: *factor, step }),
            _ => None,
        }
    }
}

/// A sign-in that does not; the factor is locked where it was the last attempt.
struct Failure {
    locks: Vec<FactorId>,
}

async fn judge(
    app: &App,
    place: &Place,
    typed: &Typed,
    charged: &ChargedPassword,
    source: &Source,
    now: Timestamp,
) -> Result<Result<Judged, Failure>, Refusal> {
    let account = charged.account.as_ref();
    let verdict = place.verify(&typed.password, account.map(|facts| &facts.password)).await?;
    let passed = judge_password(account.map(|facts| facts.account), charged.attempt, verdict);
    if let (Ok(passed), Some(account)) = (&passed, account) {
        remind(app, account.tenant, passed.user());
    }
    let factor = match (&passed, &typed.credential) {
        (Err(Refused), _) => ChargedFactor::Nothing,
        (Ok(_), None) => ChargedFactor::Nothing,
        (Ok(passed), Some(Credential::Totp(_))) => ChargedFactor::Totp(passed.user()),
        (Ok(passed), Some(Credential::Recovery(code))) => ChargedFactor::Recovery(passed.user(), stored(app, code, passed)),
    };
    let facts = app.store.reserve(ChargeFactor { subject: charged.subject, factor, at: now }).await?;
    match (passed, &typed.credential, account) {
        (Ok(passed), Some(credential), _) => judge_credential(app, passed, credential, facts, now),
        (Ok(passed), None, Some(account)) => judge_password_alone(app, passed, account, source, now).await,
        (Ok(_), None, None) | (Err(Refused), _, _) => Ok(Err(Failure { locks: Vec::new() })),
    }
}

/// A right password without a code: a session that reads, where policy or a trusted network allows it.
async fn judge_password_alone(
    app: &App,
    passed: PasswordPassed,
    account: &AccountFacts,
    source: &Source,
    now: Timestamp,
) -> Result<Result<Judged, Failure>, Refusal> {
    let mut reader = app.store.read().await?;
    let enrolled = if has_factor(&mut reader, passed.user()).await? { Enrolled::Yes } else { Enrolled::No };
    let (required, rights) = factorless_facts(&mut reader, passed.user()).await?;
    let policy = policy(&mut reader, account.tenant).await?.mfa;
    let rules = rules(&mut reader, account.tenant).await?.rules;
    let facts = Facts { enrolled, rights: &rights, required, policy: &policy, rules: &rules, from: source.ip };
    let judged = judge_alone(passed, &facts, now).map(|signed_in| Judged::new(signed_in, Used::Nothing));
    Ok(judged.map_err(|Refused| Failure { locks: Vec::new() }))
}

fn stored(app: &App, code: &RecoveryCode, passed: &PasswordPassed) -> Digest {
    code.stored(&app.accounts.recovery_pepper, passed.user())
}

fn judge_credential(
    app: &App,
    passed: PasswordPassed,
    credential: &Credential,
    facts: ChargedCredential,
    now: Timestamp,
) -> Result<Result<Judged, Failure>, Refusal> {
    let (last, judged) = match (credential, facts) {
        (Credential::Totp(code), ChargedCredential::Totp(charged)) => judge_authenticators(app, passed, code, &charged, now)?,
        (Credential::Recovery(code), ChargedCredential::Recovery { factor, charged, held }) => {
            let verdict = if held { RecoveryVerdict::Held } else { RecoveryVerdict::NotHeld };
            let used = Used::Recovery { factor, hash: stored(app, code, &passed), salt: app.random() };
            let last = if charged == Charged::Last { vec![factor] } else { Vec::new() };
            (last, judge_recovery(passed, charged, verdict).map(|signed_in| Judged::new(signed_in, used)))
        }
        _ => return Ok(Err(Failure { locks: Vec::new() })),
    };
    Ok(judged.map_err(|Refused| Failure { locks: last }))
}

/// Compares the code with each of the account's authenticators; tells beside it which of them had their last attempt.
fn judge_authenticators(
    app: &App,
    passed: PasswordPassed,
    code: &Code6,
    charged: &[ChargedTotp],
    now: Timestamp,
) -> Result<(Vec<FactorId>, Result<Judged, Refused>), Refusal> {
    let mut judged = Err(Refused);
    for facts in charged {
        let secret = totp::unseal(&app.keys, facts.factor, &facts.sealed)?;
        let counts = Counts::of(facts.counts_from, now);
        let factor = TotpFactor { secret: &secret, last_step: facts.last_step, charged: facts.charged, counts };
        let one = judge_totp(passed, &factor, code, now).map(|signed_in| Judged::new(signed_in, Used::Totp(facts.factor)));
        judged = judged.or(one);
    }
    let last = charged.iter().filter(|facts| facts.charged == Charged::Last).map(|facts| facts.factor).collect();
    Ok((last, judged))
}

/// The session that is opened if everything holds; whose and what for is filled in from the judgement.
pub(crate) struct Opening {
    pub(crate) key: Thumbprint,
    pub(crate) source: Source,
    pub(crate) token: Digest,
    pub(crate) at: Timestamp,
}

impl Opening {
    pub(crate) fn of(self, app: &App, signed_in: &SignedIn) -> NewSession {
        NewSession {
            id: SessionId::new(self.at, app.random()),
            user: signed_in.user,
            token: self.token,
            key: *self.key.as_bytes(),
            stage: signed_in.stage,
            method: signed_in.method,
            step_up: signed_in.step_up,
            replaces: self.source.token.map(|token| token.stored(Purpose::Session)),
            address: self.source.address,
            user_agent: self.source.user_agent,
            at: self.at,
            salt: app.random(),
        }
    }
}

/// Opens the session and uses up code or step. One that was used in the meantime is a failure like every other.
async fn open(
    app: &App,
    charged: &ChargedPassword,
    judged: Result<Judged, Failure>,
    opening: Opening,
) -> Result<Result<SessionId, Failure>, Refusal> {
    let (judged, account) = match (judged, &charged.account) {
        (Ok(judged), Some(account)) => (judged, account),
        (Err(failure), _) => return Ok(Err(failure)),
        (Ok(_), None) => return Ok(Err(Failure { locks: Vec::new() })),
    };
    let session = opening.of(app, &judged.signed_in);
    let id = session.id;
    let change = OpenSession {
        tenant: account.tenant,
        signed_in: judged.signed_in,
        used: judged.used,
        subject: Some(charged.subject),
        breached: (judged.breached == Breached::Listed).then(|| app.random()),
        session,
    };
    match app.store.commit(change).await {
        Ok(()) => Ok(Ok(id)),
        Err(StoreError::Conflict) => Ok(Err(Failure { locks: Vec::new() })),
        Err(error) => Err(error.into()),
    }
}

async fn record(app: &App, charged: &ChargedPassword, failure: Failure, at: Timestamp) -> Result<(), Refusal> {
    let account = charged.account.as_ref().map(|facts| (facts.tenant, facts.account.user));
    app.store.reserve(RecordFailure { account, locks: failure.locks, at, salts: [app.random(), app.random()] }).await.map_err(Refusal::from)
}

/// Raises the cost of an older hash now that the password is at hand. It can wait for the next time if it fails.
async fn rehash(app: &App, place: &Place, password: &Password, charged: &ChargedPassword) {
    let Some(account) = charged.account.as_ref().filter(|facts| is_outdated(&facts.password)) else { return };
    let Ok(new) = place.hash(password).await else { return };
    let change = Rehash { user: account.account.user, old: account.password.clone(), new };
    if let Err(error) = app.store.reserve(change).await {
        tracing::warn!(%error, "a password was not hashed anew");
    }
}

/// Ends this session.
pub async fn sign_out(State(app): State<App>, Allowed(permit): Allowed<SignOut>) -> Result<WithCookie<StatusCode>, Refusal> {
    let actor = permit.actor();
    let (tenant, user, session) = (actor.tenant, actor.user, actor.session);
    app.store.commit(EndSession { tenant, user, session, reason: EndReason::SignedOut, at: app.clock.now(), salt: app.random() }).await?;
    app.accounts.tell_ended(session);
    Ok(([(header::SET_COOKIE, cookie::clear())], StatusCode::NO_CONTENT))
}
