//! Addresses: what a sign-in may come from, mailed links that approve one, and rules of the tenant.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::accounts::alone::{Enrolled, Facts, stays_alone};
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::networks::{Address, Capability, Guarding, Opened, Range, Required, Rules, Standing, Trusted, Verification};
use sallyport_decide::policy::{self, Actor, Stage};
use sallyport_model::{Email, TenantId, Timestamp, limits};
use sallyport_store::ops::accounts::{AccountFacts, UseFactor, UsedFactor};
use sallyport_store::ops::networks::{
    AddressLink, ApproveAddress, AskForAddress, ChallengeSession, PauseVerification, RemoveAddress, StoredRules, TouchAddress,
    address_facts, address_link, approved_addresses, is_challenged, rules,
};
use sallyport_store::ops::people::{factorless_facts, has_factor, policy as policy_of};
use sallyport_store::{Reader, StoreError};

use super::Source;
use super::enrol::doing;
use super::whereabouts::see;
use crate::mail;
use crate::{Allowed, App, Json, Refusal};

/// Refuses a sign-in from outside of the networks that are required for it.
pub(super) async fn may_sign_in(app: &App, tenant: TenantId, source: &Source) -> Result<(), Refusal> {
    let rules = rules(&mut app.store.read().await?, tenant).await?.rules;
    if rules.allows(Capability::SignIn, source.ip) { Ok(()) } else { Err(Code::NetworkRefused.into()) }
}

/// Refuses a password's sign-in from where it is not allowed, and one from a new address until its owner approved that by a mailed link.
/// What was right so far is used up by it; the answer tells only whoever had all of it right.
pub(super) async fn may_open(
    app: &App,
    account: &AccountFacts,
    used: Option<UsedFactor>,
    source: &Source,
    email: &Email,
    now: Timestamp,
) -> Result<(), Refusal> {
    let (tenant, user) = (account.tenant, account.account.user);
    let facts = address_facts(&mut app.store.read().await?, tenant, user, &source.address).await?;
    match facts.judge(source.ip, now) {
        Address::Known => Ok(app.store.reserve(TouchAddress { user, address: source.address.clone(), at: now }).await?),
        Address::Open => Ok(()),
        Address::Forbidden => {
            if let Some(used) = used {
                app.store.reserve(UseFactor { used, at: now }).await?;
            }
            Err(Code::NetworkRefused.into())
        }
        Address::New => Err(ask(app, account, used, source, email, now).await?),
    }
}

/// Mails the link that approves the address of a sign-in.
async fn ask(
    app: &App,
    account: &AccountFacts,
    used: Option<UsedFactor>,
    source: &Source,
    email: &Email,
    at: Timestamp,
) -> Result<Refusal, Refusal> {
    let (tenant, user, token) = (account.tenant, account.account.user, Token::from_bytes(app.random()));
    let expires = at.plus_secs(limits::ADDRESS_LINK_SECS);
    let name = policy_of(&mut app.store.read().await?, tenant).await?.name;
    // Behind '#': browsers do not send it, so that no server and no proxy writes it into a log.
    let url = format!("{}/address#{}", app.config.origin(), *token.to_text());
    let place = app.places.of(&source.address);
    let letter = mail::new_address(&name, &source.address, place, &source.user_agent, url, expires);
    let mails = mail::outgoing(app, tenant, email.as_str(), &letter, at);
    let change = AskForAddress {
        tenant,
        user,
        token: token.stored(Purpose::Address),
        address: source.address.clone(),
        user_agent: source.user_agent.clone(),
        at,
        expires,
        mails,
        used,
        salt: app.random(),
    };
    match app.store.commit(change).await {
        Ok(()) => Ok(Code::AddressUnverified.into()),
        Err(StoreError::Conflict) => Ok(Code::SignInRefused.into()),
        Err(error) => Err(error.into()),
    }
}

/// What a session that waits for a factor may still do.
const WHILE_CHALLENGED: [&str; 4] = ["self.read", "self.sign_out", "self.elevate", "self.not_me"];

/// What a session without a factor may still do once its person must have one.
const WHILE_FACTOR_IS_DUE: [&str; 5] = ["self.read", "self.sign_out", "self.activate", "self.elevate", "self.not_me"];

/// The address of a live session's request: within the ranges where it may be, and where this route works from.
/// Who left them waits for a factor from now on, with open streams too (NET-05).
pub(crate) async fn check_address(app: &App, parts: &Parts, actor: &Actor, word: &str, guarding: Guarding) -> Result<(), Refusal> {
    let ConnectInfo(client) = parts.extensions.get::<ConnectInfo<SocketAddr>>().ok_or(Code::Internal)?;
    let from = client.ip().to_canonical();
    see(app, actor, from).await;
    let mut reader = app.store.read().await?;
    let rules = rules(&mut reader, actor.tenant).await?.rules;
    let challenged = is_challenged(&mut reader, actor.session).await?;
    let alone = alone(&mut reader, actor, &rules, from, app.clock.now()).await?;
    drop(reader);
    if rules.session(actor.stage, alone.opened, from) == Standing::Challenged && !challenged {
        app.store.reserve(ChallengeSession { by: doing(app, actor), address: from.to_string() }).await?;
        app.accounts.tell_ended(actor.session);
        return if WHILE_CHALLENGED.contains(&word) { Ok(()) } else { Err(Code::AddressLeft.into()) };
    }
    if challenged && !WHILE_CHALLENGED.contains(&word) {
        return Err(Code::AddressLeft.into());
    }
    if !alone.stays && !WHILE_FACTOR_IS_DUE.contains(&word) {
        return Err(Code::FactorRequired.into());
    }
    match Capability::of_route(word, guarding).into_iter().find(|needed| !rules.allows(*needed, from)) {
        Some(_) => Err(Code::NetworkRefused.into()),
        None => Ok(()),
    }
}

/// Whether a session still stands at an address: it waits for no factor, and the rules of this moment allow the address.
pub(super) async fn stands(reader: &mut Reader, actor: &Actor, from: IpAddr, now: Timestamp) -> Result<Standing, Refusal> {
    if is_challenged(reader, actor.session).await? {
        return Ok(Standing::Challenged);
    }
    let rules = rules(reader, actor.tenant).await?.rules;
    let alone = alone(reader, actor, &rules, from, now).await?;
    Ok(if alone.stays { rules.session(actor.stage, alone.opened, from) } else { Standing::Challenged })
}

/// What a session without a factor stands on; every other one needs nothing of it.
struct Alone {
    /// Why it could be opened: who has a factor was in a trusted network.
    opened: Opened,
    /// Whether it goes on (AZ-02).
    stays: bool,
}

async fn alone(reader: &mut Reader, actor: &Actor, rules: &Rules, from: IpAddr, now: Timestamp) -> Result<Alone, Refusal> {
    if actor.stage != Stage::Factorless {
        return Ok(Alone { opened: Opened::ByPolicy, stays: true });
    }
    let enrolled = if has_factor(reader, actor.user).await? { Enrolled::Yes } else { Enrolled::No };
    let (required, rights) = factorless_facts(reader, actor.user).await?;
    let policy = policy_of(reader, actor.tenant).await?.mfa;
    let facts = Facts { enrolled, rights: &rights, required, policy: &policy, rules, from };
    let opened = if enrolled == Enrolled::No { Opened::ByPolicy } else { Opened::ByNetwork };
    Ok(Alone { opened, stays: stays_alone(&facts, now) })
}

/// The tenant's rules about addresses.
pub async fn show_rules(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadNetworks>,
    source: Source,
) -> Result<Json<api::NetworkPolicy>, Refusal> {
    let stored = rules(&mut app.store.read().await?, permit.actor().tenant).await?;
    Ok(Json(shown(stored, source.ip)))
}

fn shown(stored: StoredRules, from: IpAddr) -> api::NetworkPolicy {
    let (trusted, required, address_verification) = shown_rules(&stored.rules);
    api::NetworkPolicy { version: stored.version, trusted, required, address_verification, your_address: from.to_string() }
}

/// Rules as the API says them.
pub(crate) fn shown_rules(rules: &Rules) -> (Vec<api::TrustedNetwork>, Vec<api::RequiredNetwork>, api::Switch) {
    let texts = |ranges: &[Range]| ranges.iter().map(ToString::to_string).collect();
    let trusted = rules.trusted.iter().map(|network| api::TrustedNetwork { label: network.label.clone(), ranges: texts(&network.ranges) });
    let required = rules.required.iter().map(|network| api::RequiredNetwork {
        capability: match network.capability {
            Capability::SignIn => api::NetworkCapability::SignIn,
            Capability::Guarded => api::NetworkCapability::Guarded,
            Capability::Installers => api::NetworkCapability::Installers,
            Capability::Administration => api::NetworkCapability::Administration,
            Capability::AgentLink => api::NetworkCapability::AgentLink,
        },
        ranges: texts(&network.ranges),
    });
    let verification = match rules.verification {
        Verification::On => api::Switch::On,
        Verification::Off => api::Switch::Off,
    };
    (trusted.collect(), required.collect(), verification)
}

/// Reads the rules that somebody wants.
pub(crate) fn parse_rules(body: &api::ChangeNetworks) -> Result<Rules, Refusal> {
    let ranges = |field: &str, texts: &[String]| -> Result<Vec<Range>, Refusal> {
        texts.iter().map(|text| text.parse().map_err(|why| Refusal::field(field, why))).collect()
    };
    let trusted =
        |network: &api::TrustedNetwork| Ok(Trusted { label: network.label.trim().to_owned(), ranges: ranges("trusted", &network.ranges)? });
    let required = |network: &api::RequiredNetwork| {
        let capability = match network.capability {
            api::NetworkCapability::SignIn => Capability::SignIn,
            api::NetworkCapability::Guarded => Capability::Guarded,
            api::NetworkCapability::Installers => Capability::Installers,
            api::NetworkCapability::Administration => Capability::Administration,
            api::NetworkCapability::AgentLink => Capability::AgentLink,
        };
        Ok(Required { capability, ranges: ranges("required", &network.ranges)? })
    };
    Ok(Rules {
        trusted: body.trusted.iter().map(trusted).collect::<Result<_, Refusal>>()?,
        required: body.required.iter().map(required).collect::<Result<_, Refusal>>()?,
        verification: match body.address_verification {
            api::Switch::On => Verification::On,
            api::Switch::Off => Verification::Off,
        },
    })
}

/// What a mailed link would approve: shown before anybody presses a button.
pub async fn look(State(app): State<App>, Json(body): Json<api::AddressToken>) -> Result<Json<api::AddressToApprove>, Refusal> {
    let (link, _) = find(&app, &body.token).await?;
    Ok(Json(api::AddressToApprove {
        email: link.email,
        place: app.places.of(&link.address),
        address: link.address,
        user_agent: link.user_agent,
        asked: link.asked,
        expires: link.expires,
    }))
}

/// Approves an address: the button was pressed.
pub async fn approve(State(app): State<App>, source: Source, Json(body): Json<api::AddressToken>) -> Result<StatusCode, Refusal> {
    let (link, token) = find(&app, &body.token).await?;
    let change = ApproveAddress { link, token, pressed_from: source.address, at: app.clock.now(), salt: app.random() };
    app.store.commit(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(app: &App, token: &str) -> Result<(AddressLink, sallyport_model::Digest), Refusal> {
    let gone = || Refusal::from(Code::NotFound).because("The link was used, is older than half an hour, or is not whole.");
    let token = Token::parse(token).map_err(|_| gone())?.stored(Purpose::Address);
    let link = address_link(&mut app.store.read().await?, token, app.clock.now()).await?.ok_or_else(gone)?;
    Ok((link, token))
}

/// Addresses that one approved.
pub async fn list(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManageOwnAddresses>,
) -> Result<Json<api::Page<api::ApprovedAddress>>, Refusal> {
    let rows = approved_addresses(&mut app.store.read().await?, permit.actor().user).await?;
    let items = rows.into_iter().map(|row| api::ApprovedAddress {
        place: app.places.of(&row.address),
        address: row.address,
        user_agent: row.user_agent,
        approved: row.approved,
        last_used: row.last_used,
    });
    Ok(Json(api::Page { items: items.collect(), next: None, total: None }))
}

/// An address is approved no longer.
pub async fn remove(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManageOwnAddresses>,
    Path(address): Path<String>,
) -> Result<StatusCode, Refusal> {
    let address = address.parse::<IpAddr>().map_err(|_| Refusal::from(Code::NotFound))?.to_string();
    app.store.commit(RemoveAddress { by: doing(&app, permit.actor()), address }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses the verification of a user's addresses, for a week at most; it goes on by itself (NET-06).
pub async fn pause(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ManagePeople>,
    Json(body): Json<api::PauseAddressVerification>,
) -> Result<Json<api::PausedAddressVerification>, Refusal> {
    if body.hours > limits::ADDRESS_PAUSE_HOURS {
        return Err(Refusal::field("hours", format!("must be 0 to {}", limits::ADDRESS_PAUSE_HOURS)));
    }
    let by = doing(&app, permit.actor());
    let until = (body.hours > 0).then(|| by.at.plus_secs(i64::from(body.hours) * 3600));
    app.store.commit(PauseVerification { by, user: body.user, until }).await.map_err(|error| match error {
        sallyport_store::StoreError::Conflict => Refusal::from(Code::FactorRequired).because("Only for users who have a factor."),
        other => other.into(),
    })?;
    Ok(Json(api::PausedAddressVerification { user: body.user, until }))
}
