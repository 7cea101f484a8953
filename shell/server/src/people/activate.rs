//! `/v1/invitations`: from a link to an account with a password, a factor and recovery codes. Nothing happens by looking: a scanner that
//! opens the link uses nothing up, and the token is in the fragment, which no server sees.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::password::{Breached, Context, Password};
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::accounts::sign_in::{Attempt, PasswordVerdict, enrolled};
use sallyport_decide::accounts::throttle::Charged;
use sallyport_decide::accounts::totp::{self, Accepted, Code as TotpCode, Secret};
use sallyport_decide::people::{Grace, grace};
use sallyport_decide::policy::ActivateOwnFactor;
use sallyport_model::{FactorId, TenantId, UserId, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::accounts::StoredPassword;
use sallyport_store::ops::people::{
    ActivationDraft, ChargeActivation, FinishActivation, LinkBy, LinkPurpose, LinkRow, SaveActivation, has_factor, live_link,
};

use super::facts::Facts;
use super::users::renewal;
use crate::accounts::activation::{self, judge_present, seal_totp, unseal_totp};
use crate::accounts::{self, Opening, Proven, Source, breached, device};
use crate::{Allowed, App, Json, Refusal};

async fn link(app: &App, text: &str) -> Result<(Token, LinkRow), Refusal> {
    let token = Token::parse(text).map_err(|_| Code::LinkRefused)?;
    let row = live_link(&mut app.store.read().await?, token.stored(Purpose::Link), app.clock.now()).await?;
    let row = row.filter(|row| row.purpose != LinkPurpose::NotMe).ok_or(Code::LinkRefused)?;
    Ok((token, row))
}

/// What a link is for, and whose browser is about to be let in. Uses nothing up.
pub(crate) async fn look(
    State(app): State<App>,
    source: Source,
    Json(body): Json<api::LinkToken>,
) -> Result<Json<api::Invitation>, Refusal> {
    let (_, row) = link(&app, &body.token).await?;
    Ok(Json(api::Invitation {
        tenant: row.tenant_name.into_string(),
        name: row.name.into_string(),
        email: row.email.as_str().to_owned(),
        invited_by: row.made_by,
        expires: row.expires,
        needs: if row.purpose == LinkPurpose::Invitation { api::InvitationNeeds::Password } else { api::InvitationNeeds::Factor },
        address: source.address,
        user_agent: source.user_agent,
    }))
}

/// Begins: judges the password, and makes an authenticator that waits for its first code.
pub(crate) async fn start(
    State(app): State<App>,
    source: Source,
    Json(body): Json<api::StartActivation>,
) -> Result<Json<api::ActivationDraft>, Refusal> {
    let (link_token, row) = link(&app, &body.token).await?;
    let password = match row.purpose {
        LinkPurpose::Invitation => Some(choose_password(&app, &row, &body.password, "password").await?),
        LinkPurpose::Activation | LinkPurpose::NotMe => {
            let present = present_password(&app, &row, &body.password, &source.address).await?;
            instead_of_breached(&app, &row, &present, body.new_password.as_deref()).await?
        }
    };
    let (now, token) = (app.clock.now(), Token::from_bytes(app.random()));
    let (factor, secret) = (FactorId::new(now, app.random()), Secret::from_bytes(app.random()));
    let draft = ActivationDraft {
        token: token.stored(Purpose::ActivationDraft),
        link: link_token.stored(Purpose::Link),
        user: row.user,
        password,
        factor,
        totp_sealed: seal_totp(&app.keys, factor, &secret),
        created: now,
    };
    app.store.reserve(SaveActivation(draft)).await?;
    let totp = api::TotpSecret { secret: secret.to_base32().to_string(), uri: secret.to_uri(&row.tenant_name, &row.email).to_string() };
    Ok(Json(api::ActivationDraft { draft: token.to_text().to_string(), totp }))
}

/// The link alone is one proof; the present password is the other. Guesses are counted like those of a sign-in.
async fn present_password(app: &App, row: &LinkRow, text: &str, address: &str) -> Result<Password, Refusal> {
    let wrong = || Refusal::from(Code::PasswordRefused).because("That is not your present password.").at("password");
    let password = Password::parse(text).map_err(|_| wrong())?;
    let judged = judge_present(app, &row.email, address, &password).await?;
    match judged {
        (Attempt::Charged, PasswordVerdict::Right) => Ok(password),
        (Attempt::Waiting, _) => Err(Refusal::from(Code::RateLimited).because("Too many wrong passwords: wait a while.").retry_after(30)),
        (Attempt::Charged, PasswordVerdict::Wrong) => Err(wrong()),
    }
}

/// A present password that is on a list of breached ones activates nothing: another one takes its place with the activation. Whoever comes
/// here has shown the link and the password, and learns nothing about anybody else's.
async fn instead_of_breached(app: &App, row: &LinkRow, present: &Password, new: Option<&str>) -> Result<Option<StoredPassword>, Refusal> {
    match (breached::look_up_right(app, present).await, new) {
        (Breached::NotListed, None) => Ok(None),
        (Breached::NotListed, Some(_)) => Err(Refusal::field("new_password", "is only for a password that is known from a data breach")),
        (Breached::Listed, None) => Err(Refusal::from(Code::PasswordBreached).at("new_password")),
        (Breached::Listed, Some(text)) => choose_password(app, row, text, "new_password").await.map(Some),
    }
}

/// Checks a password that somebody chose, and hashes it.
async fn choose_password(app: &App, row: &LinkRow, text: &str, field: &str) -> Result<StoredPassword, Refusal> {
    activation::choose_password(app, &Context::new(&row.tenant_name, &row.name, &row.email), text, field).await
}

/// Finishes: a code of the new authenticator makes the account active, and a session begins that shows the recovery codes.
pub(crate) async fn finish(
    State(app): State<App>,
    Proven(key): Proven,
    source: Source,
    Json(body): Json<api::FinishActivation>,
) -> Result<(StatusCode, HeaderMap, Json<api::RecoveryCodes>), Refusal> {
    let (link_token, row) = link(&app, &body.token).await?;
    let (draft, accepted) = prove(&app, &link_token, &body).await?;
    let (now, token) = (app.clock.now(), Token::from_bytes(app.random()));
    let codes = accounts::me::new_recovery_codes(&app, row.user);
    let sender = source.sender;
    let session = Opening { key, source, token: token.stored(Purpose::Session), at: now }.of(&app, &enrolled(row.user, accepted, now));
    let headers = device::cookies(&app, &token, (session.id, row.user), sender);
    let change = FinishActivation {
        tenant: row.tenant,
        draft,
        used_step: accepted.step,
        recovery_factor: FactorId::new(now, app.random()),
        recovery_hashes: codes.hashes,
        session,
        at: now,
        salts: [app.random(), app.random()],
    };
    let ended = app.store.commit(change).await.map_err(|error| match error {
        StoreError::Conflict => Refusal::from(Code::LinkRefused),
        other => other.into(),
    })?;
    ended.into_iter().for_each(|session| app.accounts.tell_ended(session));
    Ok((StatusCode::CREATED, headers, Json(api::RecoveryCodes { recovery_codes: codes.shown })))
}

/// Charges the draft, then judges the code of its authenticator. A draft is of one link and one browser's making.
async fn prove(app: &App, link: &Token, body: &api::FinishActivation) -> Result<(ActivationDraft, Accepted), Refusal> {
    let code = TotpCode::parse(&body.code).map_err(|why| Refusal::from(Code::CodeRefused).because(why).at("code"))?;
    let wrong = || Refusal::field("draft", "this was begun too long ago, elsewhere anew, or too many codes were wrong: begin again");
    let token = Token::parse(&body.draft).map_err(|_| wrong())?;
    let change = ChargeActivation { token: token.stored(Purpose::ActivationDraft), link: link.stored(Purpose::Link) };
    let (draft, charged) = app.store.reserve(change).await?.ok_or_else(wrong)?;
    let now = app.clock.now();
    if charged == Charged::Locked || now >= draft.created.plus_secs(limits::ACTIVATION_DRAFT_SECS) {
        return Err(wrong());
    }
    let secret = unseal_totp(&app.keys, draft.factor, &draft.totp_sealed)?;
    let accepted = totp::judge(&secret, &code, None, now).map_err(|_| Refusal::from(Code::CodeRefused).at("code"))?;
    Ok((draft, accepted))
}

/// Mails an activation link to whoever signed in without a factor: *Activate now*.
pub(crate) async fn mail_own(
    State(app): State<App>,
    Allowed(permit): Allowed<ActivateOwnFactor>,
) -> Result<Json<api::ActivationMail>, Refusal> {
    let actor = permit.actor();
    if app.config.mail.is_none() {
        return Err(Refusal::from(Code::MailUnavailable).because("Ask an administrator: they can hand you an activation link."));
    }
    let facts = Facts::load(&app, actor.tenant).await?;
    let user = facts.user(actor.user)?;
    let (change, invitation) = renewal(&app, &facts, user, LinkBy::Own, &actor.name);
    let expires = match app.store.commit(change).await {
        Ok(_) => invitation.expires,
        // One was mailed a moment ago, by them or by whoever reset their factor: it is on its way, and another one would only end it.
        Err(StoreError::Conflict) => invitation.expires.plus_secs(-limits::ACTIVATION_MAIL_SECS),
        Err(error) => return Err(error.into()),
    };
    Ok(Json(api::ActivationMail { to: shortened(&user.email), expires }))
}

/// `a...@example.test`: enough for its owner.
fn shortened(email: &str) -> String {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    format!("{}...@{domain}", local.chars().next().unwrap_or_default())
}

/// After a right password of an account that has no factor and gets no session: the answer is that of every failure, and its owner
/// finds a link in the mailbox. It happens apart from the answer, which must not take longer for it.
pub(crate) fn remind(app: &App, tenant: TenantId, user: UserId) {
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(refusal) = reminded(&app, tenant, user).await {
            tracing::debug!(?refusal, %user, "no activation link was mailed");
        }
    });
}

async fn reminded(app: &App, tenant: TenantId, user: UserId) -> Result<(), Refusal> {
    if app.config.mail.is_none() || has_factor(&mut app.store.read().await?, user).await? {
        return Ok(());
    }
    let facts = Facts::load(app, tenant).await?;
    let row = facts.user(user)?;
    if matches!(grace(&facts.policy.mfa, &row.rights, row.mfa_required, facts.now), Grace::Until(_)) {
        return Ok(());
    }
    let (change, _) = renewal(app, &facts, row, LinkBy::Own, &row.name);
    app.store.commit(change).await?;
    Ok(())
}
