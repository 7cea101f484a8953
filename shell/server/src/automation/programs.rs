//! Programs that sign in as a person: the console's page says yes or no, and the token endpoint gives a session for the code.

use axum::extract::State;
use axum::http::request::Parts;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::assurance::Wanted;
use sallyport_decide::accounts::program::{Asked, CLIENT_ID, IssuedCode, Words};
use sallyport_decide::accounts::proof::ProvenKey;
use sallyport_decide::accounts::session::{Method, Purpose, Token};
use sallyport_decide::networks::Address;
use sallyport_decide::policy::{Actor, ApprovePrograms, Stage};
use sallyport_model::{AgentText, SessionId, Timestamp, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::{
    EndReused, IssueCode, LiveSession, NewSession, OpenProgram, Shown, SpendCode, SpentCode, live_session_by_id,
};
use sallyport_store::ops::networks::address_facts;

use super::oauth::OauthRefusal;
use crate::accounts::{Source, authenticated_well, me};
use crate::{Allowed, App, Json, Refusal};

/// A person answers a program on their computer. Yes wants a factor that was proved within minutes: what it opens outlives this page.
pub(crate) async fn answer(
    State(app): State<App>,
    Allowed(permit): Allowed<ApprovePrograms>,
    source: Source,
    Json(body): Json<api::ProgramAnswer>,
) -> Result<Json<api::ProgramRedirect>, Refusal> {
    let asked = Asked::parse(&words(&body)).map_err(|error| Refusal::from(Code::InvalidField).because(error))?;
    let said = match body.answer {
        api::YesNo::No => "error=access_denied".to_owned(),
        api::YesNo::Yes => format!("code={}", *approve(&app, permit.actor(), &source, &asked, &body.name).await?.to_text()),
    };
    let (to, state, issuer) = (asked.redirect.as_str(), &asked.state, escaped(app.config.origin()));
    Ok(Json(api::ProgramRedirect { redirect: format!("{to}?{said}&state={state}&iss={issuer}") }))
}

fn words(body: &api::ProgramAnswer) -> Words<'_> {
    Words {
        client_id: &body.client_id,
        response_type: &body.response_type,
        redirect_uri: &body.redirect_uri,
        code_challenge: &body.code_challenge,
        code_challenge_method: &body.code_challenge_method,
        dpop_jkt: &body.dpop_jkt,
        state: &body.state,
        acr_values: body.acr_values.as_deref().unwrap_or_default(),
        max_age_secs: body.max_age,
    }
}

/// RFC 3986: everything but unreserved characters.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

async fn approve(app: &App, actor: &Actor, source: &Source, asked: &Asked, name: &str) -> Result<Token, Refusal> {
    let now = app.clock.now();
    let live = authenticated_well(app, actor.session, asked.wanted, now).await?;
    if live.program.is_some() {
        return Err(Refusal::from(Code::SessionRestricted).because("A program lets no other program in: use a browser."));
    }
    let code = Token::from_bytes(app.random());
    let change = IssueCode {
        tenant: actor.tenant,
        user: actor.user,
        approver: actor.session,
        session: SessionId::new(now, app.random()),
        code: code.stored(Purpose::ProgramCode),
        asked: IssuedCode {
            key: asked.key,
            challenge: asked.challenge,
            redirect: asked.redirect.as_str().to_owned(),
            expires: now.plus_secs(limits::PROGRAM_CODE_SECS),
        },
        program: AgentText::tame(name.trim(), limits::PROGRAM_NAME_CHARS).into_string(),
        address: source.address.clone(),
        at: now,
        salt: app.random(),
    };
    app.store.commit(change).await.map_err(|error| match error {
        StoreError::Busy => Refusal::from(Code::RateLimited).retry_after(60),
        error => error.into(),
    })?;
    Ok(code)
}

/// Gives a session for a code. The code is used up by being shown; shown twice, it ends what it gave.
pub(super) async fn redeem(app: &App, parts: &Parts, form: &api::TokenForm, proof: &ProvenKey) -> Result<api::IssuedToken, OauthRefusal> {
    if form.client_id.as_deref() != Some(CLIENT_ID) || form.client_assertion.is_some() {
        return Err(OauthRefusal::Client(format!("client_id must be {CLIENT_ID}, which has no other authentication")));
    }
    let wanted = |field: &Option<String>, why| field.clone().ok_or(OauthRefusal::Request(why));
    let (code, verifier) = (wanted(&form.code, "code is missing")?, wanted(&form.code_verifier, "code_verifier is missing")?);
    let redirect = wanted(&form.redirect_uri, "redirect_uri is missing")?;
    let unknown = || OauthRefusal::Grant("the code is none, or was used".to_owned());
    let (now, code) = (app.clock.now(), Token::parse(&code).map_err(|_| unknown())?.stored(Purpose::ProgramCode));
    let spent = match app.store.reserve(SpendCode { code, at: now }).await? {
        Shown::First(spent) => spent,
        Shown::Unknown => return Err(unknown()),
        Shown::Again { tenant, user, session } => {
            app.store.commit(EndReused { tenant, user, session, at: now, salt: app.random() }).await?;
            app.accounts.tell_ended(session);
            return Err(unknown());
        }
    };
    spent.issued.judge(&verifier, &redirect, proof, now).map_err(|error| OauthRefusal::Grant(error.to_string()))?;
    let source = Source::of(parts)?;
    let approver = live_session_by_id(&mut app.store.read().await?, spent.approver).await?.ok_or_else(unknown)?;
    may_work_from(app, &spent, &approver, &source, now).await?;
    let token = Token::from_bytes(app.random());
    let session = begun(app, &spent, &approver, source, (*proof.key().as_bytes(), &token), now);
    let change = OpenProgram {
        tenant: spent.tenant,
        code,
        approver: spent.approver,
        program: spent.program,
        auth_time: approver.session.auth_time,
        session,
    };
    app.store.commit(change).await.map_err(|error| match error {
        StoreError::Conflict => unknown(),
        error => error.into(),
    })?;
    issued(app, spent.session, &token, now).await
}

/// A program may be where its browser is, and else where a sign-in may come from without asking.
async fn may_work_from(app: &App, spent: &SpentCode, approver: &LiveSession, source: &Source, now: Timestamp) -> Result<(), OauthRefusal> {
    let facts = address_facts(&mut app.store.read().await?, spent.tenant, spent.user, &source.address).await?;
    let new = "the program is at another address than the browser, and a new one: sign in from there with a browser first";
    match facts.judge(source.ip, now) {
        Address::Known | Address::Open => Ok(()),
        Address::Forbidden => Err(Refusal::from(Code::NetworkRefused).into()),
        Address::New if source.address == spent.address || approver.session.method == Method::Passkey => Ok(()),
        Address::New => Err(OauthRefusal::Grant(new.to_owned())),
    }
}

/// The same person by the same proof, in a session of the program's own. No step-up window comes along: that belongs to one session.
fn begun(
    app: &App,
    spent: &SpentCode,
    approver: &LiveSession,
    source: Source,
    (key, token): ([u8; 32], &Token),
    at: Timestamp,
) -> NewSession {
    NewSession {
        id: spent.session,
        user: spent.user,
        token: token.stored(Purpose::Session),
        key,
        stage: Stage::Full,
        method: approver.session.method,
        step_up: None,
        replaces: None,
        address: source.address,
        user_agent: source.user_agent,
        at,
        salt: app.random(),
    }
}

pub(super) async fn issued(app: &App, session: SessionId, token: &Token, now: Timestamp) -> Result<api::IssuedToken, OauthRefusal> {
    let me = me::of_session(app, session).await?;
    Ok(api::IssuedToken {
        access_token: token.to_text().to_string(),
        token_type: "DPoP".to_owned(),
        expires_in: me.session.expires.micros_since(now) / 1_000_000,
        scope: String::new(),
        key_due: false,
        acr: Some(me.acr),
        amr: me.amr,
        auth_time: Some(me.auth_time.secs()),
    })
}

/// What a program asks for something guarded in: a session that was proved strongly and lately enough (RFC 9470). Browsers are asked for
/// the proof itself.
pub(crate) async fn may_ask(app: &App, actor: &Actor) -> Result<(), Refusal> {
    let asked = authenticated_well(app, actor.session, Wanted::GUARDED, app.clock.now()).await;
    asked.map(|_| ()).map_err(|refusal| match actor.stage {
        Stage::DeviceCode => {
            refusal.because("This session was let in by a device code more than four hours ago, and proves nothing: sign in again.")
        }
        _ => refusal,
    })
}
