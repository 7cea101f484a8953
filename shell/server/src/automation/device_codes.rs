//! Programs on computers without a browser (RFC 8628), where a tenant allows it: they ask here as strangers, a person types their code on a page of
//! the console and answers with a passkey, and what comes of it reads and asks, and proves nothing.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::device_code::{DeviceRequest, Ground, MayNot, Poll, UserCode};
use sallyport_decide::accounts::program::CLIENT_ID;
use sallyport_decide::accounts::proof::ProvenKey;
use sallyport_decide::accounts::session::{Method, Purpose, Token};
use sallyport_decide::accounts::sign_in::HasPasskey;
use sallyport_decide::networks::{Capability, Rules};
use sallyport_decide::people::DeviceCodes;
use sallyport_decide::policy::{Actor, ApprovePrograms, Stage};
use sallyport_decide::rate;
use sallyport_model::{AgentText, Digest, SessionId, Timestamp, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{
    AllowByCode, AllowedProgram, AskByCode, ChargeGuess, DenyByCode, Doing, NewSession, OpenByCode, PollByCode, RefundGuess,
    any_allows_device_codes, live_session_by_id, waiting_program,
};
use sallyport_store::ops::networks::rules;
use sallyport_store::ops::people::{means_of, policy};

use super::oauth::{OauthRefusal, form};
use super::programs::issued;
use crate::accounts::{self, Source};
use crate::{Allowed, App, Json, Refusal};

/// Whether this server has the grant at all: one tenant that allows it is enough, for nobody has said yet whose the program will be.
pub(super) async fn exists(app: &App) -> Result<bool, StoreError> {
    any_allows_device_codes(&mut app.store.read().await?).await
}

/// A program asks, and shows its person where to go and what to type. The address never has the code in it: such a link is what phishing sends.
pub(crate) async fn ask(State(app): State<App>, request: Request) -> Result<Json<api::DeviceCode>, OauthRefusal> {
    let (parts, _) = request.into_parts();
    let (form, body) = form::<api::DeviceCodeForm>(&parts)?;
    if form.client_id != CLIENT_ID {
        return Err(OauthRefusal::Client(format!("client_id must be {CLIENT_ID}, which has no other authentication")));
    }
    let (proof, now) = (accounts::prove_for_token(&app, &parts, &body, None)?, app.clock.now());
    app.accounts.use_up_strange(&proof, now)?;
    if !exists(&app).await? {
        return Err(OauthRefusal::Unauthorized("this server lets no program in by a device code: sign in with a browser"));
    }
    let source = Source::of(&parts)?;
    let (code, user_code) = (Token::from_bytes(app.random()), UserCode::from_random(app.random()));
    let request = DeviceRequest {
        code: code.stored(Purpose::DeviceCode),
        key: *proof.key(),
        program: AgentText::tame(form.name.as_deref().unwrap_or_default().trim(), limits::PROGRAM_NAME_CHARS).into_string(),
        address: source.address,
        user_agent: source.user_agent,
        asked: now,
        expires: now.plus_secs(limits::DEVICE_REQUEST_SECS),
    };
    let user_code_stored = user_code.stored(app.accounts.user_code_pepper());
    let change = AskByCode { request, user_code: user_code_stored, network: network(source.ip) };
    app.store.reserve(change).await.map_err(|error| match error {
        StoreError::Busy => Refusal::from(Code::RateLimited).retry_after(60).into(),
        // The same code as another program's: once in many years.
        StoreError::Exists => Refusal::from(Code::Busy).retry_after(1).into(),
        error => OauthRefusal::from(error),
    })?;
    Ok(Json(api::DeviceCode {
        device_code: code.to_text().to_string(),
        user_code: user_code.to_text(),
        verification_uri: format!("{}/device", app.config.origin()),
        expires_in: limits::DEVICE_REQUEST_SECS,
        interval: limits::DEVICE_POLL_SECS,
    }))
}

fn network(address: IpAddr) -> String {
    rate::network(address).to_string()
}

/// A person typed a code: they see what asks, and the challenge that a yes to exactly this answers.
pub(crate) async fn look(
    State(app): State<App>,
    Allowed(permit): Allowed<ApprovePrograms>,
    source: Source,
    Json(body): Json<api::TypedCode>,
) -> Result<Json<api::WaitingProgram>, Refusal> {
    let actor = permit.actor();
    let request = find(&app, actor, &source, &body.user_code).await?;
    may_say_yes(&app, actor, &source, &request).await?;
    let proof = accounts::begin_request(&app, actor, &request.digest(actor.user)).await?;
    Ok(Json(api::WaitingProgram {
        name: request.program,
        place: app.places.of(&request.address),
        address: request.address,
        user_agent: request.user_agent,
        asked: request.asked,
        expires: request.expires,
        proof,
    }))
}

/// A person answers. Yes takes a passkey's answer whose challenge is the digest of what they were shown; no is one word.
pub(crate) async fn answer(
    State(app): State<App>,
    Allowed(permit): Allowed<ApprovePrograms>,
    source: Source,
    Json(body): Json<api::DeviceCodeAnswer>,
) -> Result<StatusCode, Refusal> {
    let (actor, now) = (permit.actor(), app.clock.now());
    let request = find(&app, actor, &source, &body.user_code).await?;
    let by = Doing { tenant: actor.tenant, user: actor.user, session: actor.session, at: now, salt: app.random() };
    match body.answer {
        api::YesNo::No => app.store.commit(DenyByCode { by, request }).await?,
        api::YesNo::Yes => {
            may_say_yes(&app, actor, &source, &request).await?;
            let credential = body.credential.as_ref().ok_or_else(|| Refusal::from(Code::PasskeyRequired).because(MayNot::NoPasskey))?;
            let digest = request.digest(actor.user);
            let used = accounts::prove_passkey(&app, actor, credential, digest.as_bytes()).await?.counting()?;
            app.store.commit(AllowByCode { by, request, session: SessionId::new(now, app.random()), used }).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The program behind a code that somebody typed. The try is charged before anything is looked up, and given back where it was right.
async fn find(app: &App, actor: &Actor, source: &Source, typed: &str) -> Result<DeviceRequest, Refusal> {
    let live = live_session_by_id(&mut app.store.read().await?, actor.session).await?.ok_or(Code::NotSignedIn)?;
    if live.program.is_some() {
        return Err(Refusal::from(Code::SessionRestricted).because("A program lets no other program in: use a browser."));
    }
    let (allowed, passkey, rules) = ground(app, actor).await?;
    Ground { allowed, passkey, rules: &rules }.begins().map_err(refused)?;
    let code = UserCode::parse(typed).map_err(|why| Refusal::from(Code::CodeRefused).because(format!("{why}.")).at("user_code"))?;
    let (user, network, at) = (actor.user, network(source.ip), app.clock.now());
    if let Err(wait) = app.store.reserve(ChargeGuess { user, network: network.clone(), at }).await? {
        let why = format!("Too many wrong codes. Try again in {} min.", wait.secs.div_ceil(60));
        return Err(Refusal::from(Code::RateLimited).because(why).retry_after(wait.secs));
    }
    let found = waiting_program(&mut app.store.read().await?, code.stored(app.accounts.user_code_pepper()), at).await?;
    let wrong = "No program waits under this code: it is mistyped, was answered before, or is older than ten minutes.";
    let request = found.ok_or_else(|| Refusal::from(Code::CodeRefused).because(wrong).at("user_code"))?;
    app.store.reserve(RefundGuess { user, network }).await?;
    Ok(request)
}

async fn ground(app: &App, actor: &Actor) -> Result<(DeviceCodes, HasPasskey, Rules), Refusal> {
    let mut reader = app.store.read().await?;
    let allowed = policy(&mut reader, actor.tenant).await?.mfa.device_codes;
    let (_, passkey) = means_of(&mut reader, actor.tenant, actor.user).await?;
    Ok((allowed, passkey, rules(&mut reader, actor.tenant).await?.rules))
}

async fn may_say_yes(app: &App, actor: &Actor, source: &Source, request: &DeviceRequest) -> Result<(), Refusal> {
    let (allowed, passkey, rules) = ground(app, actor).await?;
    let program: IpAddr = request.address.parse().map_err(|_| Code::Internal)?;
    Ground { allowed, passkey, rules: &rules }.judge(program, source.ip).map_err(|why| match why {
        MayNot::Apart => refused(why).because(format!(
            "The program is at {program}, you are at {}, and no trusted network of your tenant has both.",
            source.address
        )),
        other => refused(other),
    })
}

fn refused(why: MayNot) -> Refusal {
    let code = match why {
        MayNot::Off | MayNot::Apart => Code::DeviceCodeRefused,
        MayNot::NoPasskey => Code::PasskeyRequired,
        MayNot::Forbidden => Code::NetworkRefused,
    };
    Refusal::from(code).because(why)
}

/// A program polls for its person's answer; after a yes it gets its session, once.
pub(super) async fn redeem(app: &App, parts: &Parts, form: &api::TokenForm, proof: &ProvenKey) -> Result<api::IssuedToken, OauthRefusal> {
    if !exists(app).await? {
        return Err(OauthRefusal::GrantType);
    }
    if form.client_id.as_deref() != Some(CLIENT_ID) || form.client_assertion.is_some() {
        return Err(OauthRefusal::Client(format!("client_id must be {CLIENT_ID}, which has no other authentication")));
    }
    let nothing = || OauthRefusal::Grant("the code is none, was used, or is bound to another key".to_owned());
    let code = form.device_code.as_deref().ok_or(OauthRefusal::Request("device_code is missing"))?;
    let (now, code) = (app.clock.now(), Token::parse(code).map_err(|_| nothing())?.stored(Purpose::DeviceCode));
    let judged = app.store.reserve(PollByCode { code, proof: *proof, at: now }).await?;
    let allowed = match (judged.poll, judged.allowed) {
        (Poll::Approved, Some(allowed)) => allowed,
        (Poll::Pending, _) => return Err(OauthRefusal::Poll("authorization_pending", "nobody has answered yet")),
        (Poll::TooFast, _) => return Err(OauthRefusal::Poll("slow_down", "wait five seconds longer between two polls, from now on")),
        (Poll::Denied, _) => return Err(OauthRefusal::Poll("access_denied", "a person said no")),
        (Poll::Expired, _) => return Err(OauthRefusal::Poll("expired_token", "nobody answered within ten minutes")),
        (Poll::Nothing | Poll::Approved, _) => return Err(nothing()),
    };
    open(app, parts, code, allowed, (proof, now)).await
}

async fn open(
    app: &App,
    parts: &Parts,
    code: Digest,
    allowed: AllowedProgram,
    (proof, now): (&ProvenKey, Timestamp),
) -> Result<api::IssuedToken, OauthRefusal> {
    let source = Source::of(parts)?;
    if source.address != allowed.address {
        return Err(OauthRefusal::Grant("the program asks from another address than the one that was shown: begin again".to_owned()));
    }
    let rules = rules(&mut app.store.read().await?, allowed.tenant).await?.rules;
    if !rules.allows(Capability::SignIn, source.ip) {
        return Err(Refusal::from(Code::NetworkRefused).into());
    }
    let (token, id) = (Token::from_bytes(app.random()), allowed.session);
    // The passkey was proved in the browser; the window that it may have there is the browser's.
    let session = NewSession {
        id,
        user: allowed.user,
        token: token.stored(Purpose::Session),
        key: *proof.key().as_bytes(),
        stage: Stage::DeviceCode,
        method: Method::Passkey,
        step_up: None,
        replaces: None,
        address: source.address,
        user_agent: source.user_agent,
        at: now,
        salt: app.random(),
    };
    app.store.commit(OpenByCode { code, allowed, session }).await.map_err(|error| match error {
        StoreError::Conflict => OauthRefusal::Grant("what said yes to it is over: begin again".to_owned()),
        error => error.into(),
    })?;
    issued(app, id, &token, now).await
}
