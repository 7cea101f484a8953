//! What if: this person, from this address, with these factors, wants to do this. What happens, and which rule decides?
//!
//! There is no second set of rules here. Each step calls the function that decides when it is meant in earnest, in the same order, with the
//! same facts; only the proofs are made up: a password that is right, a code of a secret that exists for this question alone.

use std::net::IpAddr;

use sallyport_grant::body::Class;
use sallyport_model::{SessionId, TenantId, Timestamp};

use crate::accounts::alone::{self, Enrolled, judge_alone};
use crate::accounts::sign_in::{
    self, Attempt, Counts, HasPasskey, PasswordPassed, PasswordVerdict, RecoveryVerdict, Refused, SignedIn, TotpFactor, UserState,
    judge_means, judge_passkey, judge_password, judge_recovery, judge_totp,
};
use crate::accounts::throttle::Charged;
use crate::accounts::totp::{Code, Secret, Step as TotpStep};
use crate::accounts::webauthn::{Asserted, Backup, Counter};
use crate::actions::{Action, Eligible, Hour, Requirement, classify};
use crate::networks::{Address, Capability, Guarding, Opened, Rules, Seen, Standing};
use crate::people::{MfaPolicy, proves};
use crate::policy::{self, Actor, Place, PolicyError, Reach, Rights, Row, Stage};

/// What the person signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// The right password, and nothing else.
    Password,
    /// The right password and a right code of their authenticator.
    PasswordAndCode,
    /// A passkey.
    Passkey,
    /// The right password and one of their recovery codes.
    RecoveryCode,
}

impl With {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Password, Self::PasswordAndCode, Self::Passkey, Self::RecoveryCode];
}

/// A factor of the person.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// What charging an attempt with it says.
    pub charged: Charged,
    /// Whether it counts for guarded actions yet.
    pub counts: Counts,
}

/// What the person wants to do once they are in.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Read, by a right of the table.
    Read(&'static Row),
    /// Something guarded, frozen as if it were meant.
    Act(Box<Action>),
}

impl Wish {
    fn row(&self) -> &'static Row {
        match self {
            Self::Read(row) => row,
            Self::Act(action) => action.kind().capability(),
        }
    }
}

/// Where a wish reaches.
#[derive(Debug, Clone)]
pub enum Where {
    /// The tenant, or what all share, or whatever lies within reach.
    Anywhere,
    /// These places.
    Places(Vec<Place>),
}

/// The question, with the facts that it stands on.
#[derive(Debug, Clone)]
pub struct Question {
    /// The tenant.
    pub tenant: TenantId,
    /// The account as sign-in sees it.
    pub account: sign_in::Account,
    /// Its e-mail address and name.
    pub person: (String, String),
    /// Its roles.
    pub rights: Rights,
    /// Whether an administrator requires a factor of it.
    pub required: bool,
    /// Its authenticators.
    pub authenticators: Vec<Held>,
    /// Its passkeys.
    pub passkeys: Vec<Counts>,
    /// Its recovery codes: their counter, and whether one is left.
    pub recovery: (Charged, RecoveryVerdict),
    /// The tenant's policy of factors.
    pub mfa: MfaPolicy,
    /// The tenant's rules about addresses.
    pub networks: Rules,
    /// What is known of the address.
    pub seen: Seen,
    /// The address.
    pub from: IpAddr,
    /// What they sign in with.
    pub with: With,
    /// How long the tenant's step-up window is open.
    pub window_secs: i64,
    /// What they want.
    pub wish: Wish,
    /// Where.
    pub reaches: Where,
    /// What they reached within the hour.
    pub hour: Hour,
    /// How many others could be the second person.
    pub eligible: Eligible,
    /// The moment.
    pub now: Timestamp,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or shown.
    Done,
    /// It is frozen, and waits for this.
    Asks(Requirement),
    /// A link is mailed; nothing is opened before it is pressed.
    Link,
    /// Signing in fails, with the answer that every failure gets.
    NotIn,
    /// The network is not one that it works from.
    Network,
    /// The session has no factor: it reads, and never acts.
    Factorless,
    /// The session is good for its own recovery, or for its codes, alone.
    Stage,
    /// No role allows it.
    Role,
    /// It lies outside of where the role holds, and looks as if it did not exist.
    Elsewhere,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It goes on.
    Met,
    /// Something more is wanted.
    Wants,
    /// It ends here.
    Refuses,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The stable id of its rule.
    pub id: &'static str,
    /// What it came to, as a sentence.
    pub what: String,
    /// Whether it goes on.
    pub state: State,
}

/// The answer. The last step decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What happens.
    pub outcome: Outcome,
    /// What was judged, in order.
    pub steps: Vec<Step>,
}

/// Answers.
pub fn what_if(question: &Question) -> Answer {
    let mut steps = Vec::new();
    let outcome = walk(question, &mut steps).unwrap_or_else(|ended| ended);
    Answer { outcome, steps }
}

/// Goes the way of the request; an error is an early end.
fn walk(question: &Question, steps: &mut Vec<Step>) -> Result<Outcome, Outcome> {
    let signed_in = enter(question, steps)?;
    place(question, steps)?;
    let actor = actor(question, &signed_in);
    let reach = allowed(question, &actor, steps)?;
    standing(question, &actor, steps)?;
    covered(question, &reach, steps)?;
    Ok(match &question.wish {
        Wish::Read(_) => Outcome::Done,
        Wish::Act(action) => weighed(question, &actor, action, steps),
    })
}

fn met(steps: &mut Vec<Step>, id: &'static str, what: impl Into<String>) {
    steps.push(Step { id, what: what.into(), state: State::Met });
}

fn ended(steps: &mut Vec<Step>, id: &'static str, what: impl Into<String>, outcome: Outcome) -> Outcome {
    let state = if outcome == Outcome::Link { State::Wants } else { State::Refuses };
    steps.push(Step { id, what: what.into(), state });
    outcome
}

/// Signing in.
fn enter(question: &Question, steps: &mut Vec<Step>) -> Result<SignedIn, Outcome> {
    let passed = judge_password(Some(question.account), Attempt::Charged, PasswordVerdict::Right);
    match passed {
        Ok(_) => met(steps, "S-01", "The account may sign in"),
        Err(Refused) => return Err(ended(steps, "S-01", "The account is disabled, over, or not activated yet", Outcome::NotIn)),
    }
    let (good, bad) = match question.with {
        With::Password => ("The password alone opens a session that reads", "A password alone opens nothing here"),
        With::PasswordAndCode => ("Password and code are right", "There is no authenticator whose code could be right, or it is locked"),
        With::Passkey => ("The passkey stands for both factors", "There is no passkey"),
        With::RecoveryCode => ("A recovery code opens a session for one's own factors", "No recovery code is left, or they are locked"),
    };
    let means = |signed_in| judge_means(signed_in, proves(&question.mfa, &question.rights), has_passkey(question));
    let (judged, bad) = match judged(question, passed) {
        Ok(signed_in) => (means(signed_in), "The policy takes a passkey of whoever manages others, and they have one"),
        Err(Refused) => (Err(Refused), bad),
    };
    match judged {
        Ok(signed_in) => {
            met(steps, "S-02", good);
            Ok(signed_in)
        }
        Err(Refused) => Err(ended(steps, "S-02", bad, Outcome::NotIn)),
    }
}

fn judged(question: &Question, passed: Result<PasswordPassed, Refused>) -> Result<SignedIn, Refused> {
    let now = question.now;
    match question.with {
        With::Password => judge_alone(passed?, &alone_facts(question), now),
        With::PasswordAndCode => {
            let (passed, secret) = (passed?, Secret::from_bytes([7; 20]));
            let code = Code::at(&secret, TotpStep::at(now));
            let one = |held: &Held| {
                let factor = TotpFactor { secret: &secret, last_step: None, charged: held.charged, counts: held.counts };
                judge_totp(passed, &factor, &code, now)
            };
            question.authenticators.iter().map(one).reduce(Result::or).unwrap_or(Err(Refused))
        }
        With::Passkey => {
            let asserted = Asserted { sign_count: 1, backup: Backup::None, counter: Counter::Forward };
            let one = |counts: &Counts| judge_passkey(question.account, &asserted, *counts, now);
            question.passkeys.iter().map(one).reduce(Result::or).unwrap_or(Err(Refused))
        }
        With::RecoveryCode => judge_recovery(passed?, question.recovery.0, question.recovery.1),
    }
}

fn has_passkey(question: &Question) -> HasPasskey {
    if question.passkeys.is_empty() { HasPasskey::No } else { HasPasskey::Yes }
}

fn alone_facts(question: &Question) -> alone::Facts<'_> {
    alone::Facts {
        enrolled: enrolled(question),
        rights: &question.rights,
        required: question.required,
        policy: &question.mfa,
        rules: &question.networks,
        from: question.from,
    }
}

fn enrolled(question: &Question) -> Enrolled {
    if question.authenticators.is_empty() && question.passkeys.is_empty() { Enrolled::No } else { Enrolled::Yes }
}

/// The address of the sign-in. A passkey needs no other proof of the place than the networks that are required.
fn place(question: &Question, steps: &mut Vec<Step>) -> Result<(), Outcome> {
    let (rules, from) = (&question.networks, question.from);
    let address = match question.with {
        With::Passkey if rules.allows(Capability::SignIn, from) => Address::Open,
        With::Passkey => Address::Forbidden,
        With::Password | With::PasswordAndCode | With::RecoveryCode => rules.address(question.seen, from, question.now),
    };
    let said = match address {
        Address::Known => "The address was approved before",
        Address::Open => "Nothing more is asked about the address",
        Address::Forbidden => return Err(ended(steps, "N-01", "The address is outside of the networks for signing in", Outcome::Network)),
        Address::New => return Err(ended(steps, "N-02", "The address is new: it wants a mailed link, or a passkey", Outcome::Link)),
    };
    met(steps, "N-02", said);
    Ok(())
}

/// The person with the session that they would have.
fn actor(question: &Question, signed_in: &SignedIn) -> Actor {
    Actor {
        tenant: question.tenant,
        user: question.account.user,
        email: question.person.0.clone(),
        name: question.person.1.clone(),
        rights: question.rights.clone(),
        session: SessionId::from_bytes([0; 16]),
        stage: signed_in.stage,
        step_up_until: signed_in.step_up.map(|window| window.closes(question.window_secs)),
        step_up_kind: None,
    }
}

/// Whether the session stays where it is, and what this kind of request works from.
fn standing(question: &Question, actor: &Actor, steps: &mut Vec<Step>) -> Result<(), Outcome> {
    let (rules, from) = (&question.networks, question.from);
    let opened = if enrolled(question) == Enrolled::Yes { Opened::ByNetwork } else { Opened::ByPolicy };
    if rules.session(actor.stage, opened, from) == Standing::Challenged {
        return Err(ended(steps, "N-03", "The session waits for a factor: its address is not one where it may be", Outcome::Network));
    }
    let guarding = if matches!(question.wish, Wish::Act(_)) { Guarding::Guarded } else { Guarding::Free };
    match Capability::of_route(question.wish.row().name, guarding).into_iter().find(|needed| !rules.allows(*needed, from)) {
        Some(needed) => Err(ended(steps, "N-04", format!("This works from other networks only ({})", needed.as_str()), Outcome::Network)),
        None => Ok(()),
    }
}

/// What policy says.
fn allowed(question: &Question, actor: &Actor, steps: &mut Vec<Step>) -> Result<Reach, Outcome> {
    let row = question.wish.row();
    let reach = match policy::decide(row, actor) {
        Ok(reach) => reach,
        Err(PolicyError::Stage) => {
            let outcome = if actor.stage == Stage::Factorless { Outcome::Factorless } else { Outcome::Stage };
            return Err(ended(steps, "A-01", stage_says(actor.stage), outcome));
        }
        Err(PolicyError::Role) => {
            return Err(ended(steps, "A-02", format!("No role gives them {}", row.name), Outcome::Role));
        }
    };
    met(steps, "A-02", format!("A role gives them {}", row.name));
    Ok(reach)
}

/// Whether it lies where their role holds.
fn covered(question: &Question, reach: &Reach, steps: &mut Vec<Step>) -> Result<(), Outcome> {
    match &question.reaches {
        Where::Anywhere => Ok(()),
        Where::Places(places) if places.iter().all(|place| reach.covers(*place)) => {
            met(steps, "A-03", "All of it lies where the role holds");
            Ok(())
        }
        Where::Places(_) => {
            Err(ended(steps, "A-03", "It lies outside of where the role holds: it looks as if it did not exist", Outcome::Elsewhere))
        }
    }
}

fn stage_says(stage: Stage) -> &'static str {
    match stage {
        Stage::Factorless => "A session without a factor reads, and never acts",
        Stage::Restricted => "A session of a recovery is for one's own factors alone",
        Stage::Codes => "The recovery codes have to be confirmed as saved first",
        Stage::NewPassword => "A password that is known from a data breach has to be changed first",
        Stage::Full => "The session is not good for it",
        Stage::DeviceCode => "A program that was let in by a device code asks, and proves nothing",
        Stage::Client => "Identities, factors, policy, trust and proofs are for people, and never for tools",
    }
}

/// What a guarded action takes.
fn weighed(question: &Question, actor: &Actor, action: &Action, steps: &mut Vec<Step>) -> Outcome {
    let classified = classify(action, &question.hour);
    met(steps, "A-04", format!("Class {}: {}", number(classified.class), classified.reason));
    let requirement = Requirement::of(classified.class, question.eligible);
    if requirement == Requirement::StepUp && actor.window_covers(action, question.now) {
        met(steps, "A-05", "The step-up window that the sign-in opened is enough");
        return Outcome::Done;
    }
    let what = match requirement {
        Requirement::StepUp => "A fresh proof of a factor: the step-up window is not open",
        Requirement::FreshCode => "A fresh proof of a factor for this very request",
        Requirement::TwoPeople => "A fresh proof of their own, and one of another person, both for this very request",
    };
    steps.push(Step { id: "A-05", what: what.to_owned(), state: State::Wants });
    Outcome::Asks(requirement)
}

fn number(class: Class) -> u8 {
    class.into()
}

/// Whether an account signs in at all: its stored state, and its end.
pub fn user_state(stored: &str, expires: Option<Timestamp>, now: Timestamp) -> UserState {
    match expires {
        Some(end) if now >= end => UserState::Disabled,
        _ => UserState::from_stored(stored),
    }
}
