//! The steps of a sign-in, in their order: charge the password, charge the code, then open a session or count a failure.

use sallyport_decide::accounts::sign_in::{Account, Attempt, CodesKept, SignedIn, UserState};
use sallyport_decide::accounts::throttle::{Charged, PasswordCounter};
use sallyport_model::{Digest, Email, FactorId, TenantId, Timestamp, UserId};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::by_kit::use_kit;
use super::factors::{self, ChargedTotp};
use super::passkeys::{PasskeyUse, use_passkey};
use super::{NewSession, StoredPassword, reports, use_recovery_code, use_totp_step};
use crate::{Actor, Audit, Change, Entry, StoreError, Tx, values};

/// Loads the named account and charges its password counter, in one transaction.
pub struct ChargePassword {
    pub email: Email,
    /// Where the attempt comes from.
    pub address: String,
    /// A keyed hash of the name: names that are no account's share 65,536 counters.
    pub bucket: [u8; 2],
    pub at: Timestamp,
}

/// What is known of an account before its password is judged.
#[derive(Clone)]
pub struct AccountFacts {
    pub tenant: TenantId,
    pub account: Account,
    pub password: StoredPassword,
}

/// A charged attempt, or one that must wait.
#[derive(Clone)]
pub struct ChargedPassword {
    pub account: Option<AccountFacts>,
    pub attempt: Attempt,
    /// Names the counter, for giving the charge back.
    pub subject: Digest,
}

impl Change for ChargePassword {
    type Out = ChargedPassword;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; failures are summed up in sign_in.failed");

    async fn apply(&self, tx: &mut Tx) -> Result<ChargedPassword, StoreError> {
        let account = account(tx, &self.email).await?;
        let subject = self.subject(tx, account.as_ref()).await?;
        let counter = counter(tx, subject).await?;
        let attempt = match counter.charge(self.at) {
            Ok(charged) => {
                store_counter(tx, subject, charged).await?;
                Attempt::Charged
            }
            Err(_) => {
                store_counter(tx, subject, counter).await?;
                Attempt::Waiting
            }
        };
        Ok(ChargedPassword { account, attempt, subject })
    }
}

impl ChargePassword {
    /// Sources that the account signed in from count apart from all strangers, so that these cannot make its owner wait there.
    async fn subject(&self, tx: &mut Tx, account: Option<&AccountFacts>) -> Result<Digest, StoreError> {
        let user = account.map_or(UserId::from_bytes([0; 16]), |facts| facts.account.user);
        let sql = "SELECT id FROM sessions WHERE user_id = $1 AND address = $2 LIMIT 1";
        let known = tx.fetch_optional(sql, values![user, self.address]).await?.is_some();
        let source: &[u8] = if known { self.address.as_bytes() } else { b"strangers" };
        let name: &[u8] = if account.is_some() { user.as_bytes() } else { &self.bucket };
        let length = [u8::try_from(name.len()).unwrap_or(u8::MAX)];
        Ok(Digest::from_bytes(Sha256::new().chain_update(length).chain_update(name).chain_update(source).finalize().into()))
    }
}

async fn account(tx: &mut Tx, email: &Email) -> Result<Option<AccountFacts>, StoreError> {
    let sql = "SELECT u.id, u.tenant, u.state, u.codes_kept, p.salt, p.hash, p.memory_kib, p.passes, p.lanes \
               FROM users u JOIN passwords p ON p.user_id = u.id WHERE u.email = $1 ORDER BY u.created, u.id LIMIT 1";
    let Some(row) = tx.fetch_optional(sql, values![email]).await? else { return Ok(None) };
    let codes_kept = if row.flag("codes_kept")? { CodesKept::Confirmed } else { CodesKept::Unconfirmed };
    let account = Account { user: row.id("id")?, state: UserState::from_stored(&row.text("state")?), codes_kept };
    Ok(Some(AccountFacts { tenant: row.id("tenant")?, account, password: StoredPassword::read(&row)? }))
}

async fn counter(tx: &mut Tx, subject: Digest) -> Result<PasswordCounter, StoreError> {
    match tx.fetch_optional("SELECT failures, last FROM password_attempts WHERE subject = $1", values![subject]).await? {
        Some(row) => Ok(PasswordCounter { failures: row.get("failures")?, last: row.time("last")? }),
        None => Ok(PasswordCounter::default()),
    }
}

async fn store_counter(tx: &mut Tx, subject: Digest, counter: PasswordCounter) -> Result<(), StoreError> {
    let sql = "INSERT INTO password_attempts (subject, failures, last) VALUES ($1, $2, $3) \
               ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last = excluded.last";
    tx.execute(sql, values![subject, counter.failures, counter.last]).await.map(|_| ())
}

/// Charges the second factor behind a right password. Behind a wrong one it writes as much and charges nothing.
pub struct ChargeFactor {
    pub subject: Digest,
    pub factor: ChargedFactor,
    pub at: Timestamp,
}

/// Which factor is charged.
pub enum ChargedFactor {
    /// The password was wrong: none.
    Nothing,
    /// The user's authenticator.
    Totp(UserId),
    /// The user's recovery codes, and the stored form of the one that was typed.
    Recovery(UserId, Digest),
}

/// What charging said, with the facts for judging.
pub enum ChargedCredential {
    /// Nothing was charged, or the user has no such factor.
    None,
    /// The user's authenticators: the code may be of any of them.
    Totp(Vec<ChargedTotp>),
    /// Recovery codes.
    Recovery {
        factor: FactorId,
        charged: Charged,
        /// Whether an unused code has this stored form.
        held: bool,
    },
}

impl Change for ChargeFactor {
    type Out = ChargedCredential;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; failures are summed up in sign_in.failed");

    async fn apply(&self, tx: &mut Tx) -> Result<ChargedCredential, StoreError> {
        let counter = counter(tx, self.subject).await?;
        match self.factor {
            ChargedFactor::Nothing => {
                store_counter(tx, self.subject, counter).await?;
                Ok(ChargedCredential::None)
            }
            ChargedFactor::Totp(user) => {
                store_counter(tx, self.subject, counter.refund()).await?;
                Ok(match factors::charge_totp(tx, user).await? {
                    none if none.is_empty() => ChargedCredential::None,
                    charged => ChargedCredential::Totp(charged),
                })
            }
            ChargedFactor::Recovery(user, hash) => {
                store_counter(tx, self.subject, counter.refund()).await?;
                factors::charge_recovery(tx, user, hash).await
            }
        }
    }
}

/// Gives a charge back outside of sign-in: the password was right.
pub struct RefundPassword {
    pub subject: Digest,
}

impl Change for RefundPassword {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; what follows on a right password is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let counter = counter(tx, self.subject).await?;
        store_counter(tx, self.subject, counter.refund()).await
    }
}

/// Counts a sign-in that was refused; locks a factor whose last attempt it was.
pub struct RecordFailure {
    pub account: Option<(TenantId, UserId)>,
    /// The factors whose last judged attempt was wrong.
    pub locks: Vec<FactorId>,
    pub at: Timestamp,
    pub salts: [[u8; 32]; 2],
}

impl Change for RecordFailure {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("failed sign-ins are summed up, one entry in a quarter of an hour for each account");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        reports::count(tx, self.account, self.at, self.salts[0]).await?;
        let Some((tenant, user)) = self.account else { return Ok(()) };
        for factor in &self.locks {
            // Each entry has a salt of its own.
            let salt = Sha256::new().chain_update(self.salts[1]).chain_update(factor.as_bytes()).finalize().into();
            factors::lock(tx, tenant, user, *factor, self.at, salt).await?;
        }
        Ok(())
    }
}

/// What a sign-in uses up.
pub enum Used {
    /// A step of an authenticator; the step itself is in [`SignedIn`].
    Totp(FactorId),
    /// Nothing: the password came alone.
    Nothing,
    /// A passkey's answer.
    Passkey(PasskeyUse),
    /// A recovery code.
    Recovery { factor: FactorId, hash: Digest, salt: [u8; 32] },
    /// The authority's word for a tenant's only owner; its challenge was spent before.
    AuthorityKit { salt: [u8; 32] },
}

/// Opens a session and uses up what it was opened with; [`StoreError::Conflict`] where that was used meanwhile.
pub struct OpenSession {
    pub tenant: TenantId,
    pub signed_in: SignedIn,
    pub used: Used,
    /// The password counter to set to zero: this source's alone. None where no password was asked for.
    pub subject: Option<Digest>,
    /// Where the password is known from a data breach: the salt of the entry that tells so.
    pub breached: Option<[u8; 32]>,
    pub session: NewSession,
}

impl Change for OpenSession {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (user, at) = (self.signed_in.user, self.session.at);
        match (&self.used, self.signed_in.used_step) {
            (Used::Totp(factor), Some(step)) => use_totp_step(tx, *factor, step, at).await?,
            (Used::Nothing, None) => {}
            (Used::Passkey(used), None) => use_passkey(tx, used, at).await?,
            (Used::Recovery { factor, hash, salt }, None) => {
                use_recovery_code(tx, user, *factor, *hash, &self.session).await?;
                let payload = json!({ "session": self.session.id });
                tx.append(self.tenant, Entry::new("recovery_code.used", Actor::User(user), at, *salt, payload)).await?;
            }
            (Used::AuthorityKit { salt }, None) => use_kit(tx, self.tenant, &self.session, *salt).await?,
            _ => return Err(StoreError::Conflict),
        }
        // Disabled meanwhile, or the account's time is over: the facts that were judged are not true any more.
        let active = UserState::Active.as_str();
        let sql = "SELECT id FROM users WHERE id = $1 AND state = $2 AND (expires IS NULL OR expires > $3)";
        if tx.fetch_optional(sql, values![user, active, at]).await?.is_none() {
            return Err(StoreError::Conflict);
        }
        if let Some(subject) = self.subject {
            tx.execute("DELETE FROM password_attempts WHERE subject = $1", values![subject]).await?;
        }
        if let Some(salt) = self.breached {
            let payload = json!({ "user": user, "session": self.session.id });
            tx.append(self.tenant, Entry::new("password.breached", Actor::System, at, salt, payload)).await?;
        }
        self.session.insert(tx, self.tenant).await
    }
}

/// Stores the same password at the cost of today.
pub struct Rehash {
    pub user: UserId,
    pub old: StoredPassword,
    pub new: StoredPassword,
}

impl Change for Rehash {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("the same password at a higher cost");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE passwords SET salt = $3, hash = $4, memory_kib = $5, passes = $6, lanes = $7 WHERE user_id = $1 AND hash = $2";
        let new = &self.new;
        tx.execute(sql, values![self.user, self.old.hash, new.salt, new.hash, new.memory_kib, new.passes, new.lanes]).await.map(|_| ())
    }
}
