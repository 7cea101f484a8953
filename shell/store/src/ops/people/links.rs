//! Links that were mailed or handed over, and the activations that they begin.

use sallyport_decide::accounts::throttle::{Charged, FactorCounter};
use sallyport_decide::accounts::totp::Step;
use sallyport_model::{Digest, Email, FactorId, Name, SessionId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::mail::{NewMail, queue};
use super::rights::rights_of;
use super::stop::Stopped;
use crate::ops::accounts::{NewSession, RecoveryHashes, StoredPassword, replace_recovery_codes};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// A new account: password and factor.
    Invitation,
    /// An account with a password and no factor.
    Activation,
    /// "Not me" of a mail.
    NotMe,
}

impl LinkPurpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Activation => "activation",
            Self::NotMe => "not_me",
        }
    }

    fn parse(word: &str) -> Result<Self, StoreError> {
        let known = [Self::Invitation, Self::Activation, Self::NotMe];
        known.into_iter().find(|purpose| purpose.as_str() == word).ok_or(StoreError::Corrupt("purpose"))
    }
}

/// A link to be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub token: Digest,
    pub purpose: LinkPurpose,
    pub made_by: String,
    pub expires: Timestamp,
}

/// Makes a link. One that begins an activation replaces all earlier ones of its user, and what they began.
pub(crate) async fn make_link(tx: &mut Tx, tenant: TenantId, user: UserId, link: &NewLink, at: Timestamp) -> Result<(), StoreError> {
    if link.purpose != LinkPurpose::NotMe {
        forget_links(tx, user).await?;
    }
    let sql = "INSERT INTO links (token, tenant, user_id, purpose, made_by, created, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    tx.execute(sql, values![link.token, tenant, user, link.purpose.as_str(), link.made_by, at, link.expires]).await.map(|_| ())
}

/// Takes all links that let somebody in, and what they began.
pub(super) async fn forget_links(tx: &mut Tx, user: UserId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM links WHERE user_id = $1 AND purpose <> 'not_me'", values![user]).await?;
    tx.execute("DELETE FROM activation_drafts WHERE user_id = $1", values![user]).await.map(|_| ())
}

/// A link that works, with its user.
#[derive(Clone)]
pub struct LinkRow {
    pub tenant: TenantId,
    pub tenant_name: Name,
    pub user: UserId,
    pub name: Name,
    pub email: Email,
    pub purpose: LinkPurpose,
    pub made_by: String,
    pub expires: Timestamp,
    /// The present password, where there is one.
    pub password: Option<StoredPassword>,
}

/// Looks a link up. One that is too old, or whose user is disabled or has a factor already, does not work.
pub async fn live_link(reader: &mut Reader, token: Digest, now: Timestamp) -> Result<Option<LinkRow>, StoreError> {
    let sql = "SELECT l.tenant, l.user_id, l.purpose, l.made_by, l.expires, u.name, u.email, t.name AS tenant_name, \
               p.salt, p.hash, p.memory_kib, p.passes, p.lanes FROM links l JOIN users u ON u.id = l.user_id JOIN tenants t ON t.id = l.tenant \
               LEFT JOIN passwords p ON p.user_id = l.user_id WHERE l.token = $1 AND l.expires > $2 AND u.state <> 'disabled' \
               AND (u.expires IS NULL OR u.expires > $2)";
    let row = reader.fetch_optional(sql, values![token, now]).await?;
    row.as_ref().map(link_row).transpose()
}

fn link_row(row: &Row) -> Result<LinkRow, StoreError> {
    Ok(LinkRow {
        tenant: row.get("tenant")?,
        tenant_name: row.get("tenant_name")?,
        user: row.get("user_id")?,
        name: row.get("name")?,
        email: row.get("email")?,
        purpose: LinkPurpose::parse(&row.text("purpose")?)?,
        made_by: row.text("made_by")?,
        expires: row.time("expires")?,
        password: if row.get_opt::<Vec<u8>>("hash")?.is_some() { Some(StoredPassword::read(row)?) } else { None },
    })
}

/// Charges a guess at the present password of somebody who has an activation link; never locks, only makes wait like any other guess.
pub struct ActivationDraft {
    pub token: Digest,
    pub link: Digest,
    pub user: UserId,
    /// The password that was chosen; absent where the present one stays.
    pub password: Option<StoredPassword>,
    pub factor: FactorId,
    pub totp_sealed: Vec<u8>,
    pub created: Timestamp,
}

/// Keeps the draft of an activation: one for each user, so that of two that race one is left (A15).
pub struct SaveActivation(pub ActivationDraft);

impl Change for SaveActivation {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a draft gives nobody anything; its end is logged");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let d = &self.0;
        tx.execute("DELETE FROM activation_drafts WHERE user_id = $1", values![d.user]).await?;
        let sql = "INSERT INTO activation_drafts (token, link, user_id, salt, hash, memory_kib, passes, lanes, factor, totp_sealed, failures, created) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11)";
        let p = d.password.as_ref();
        let args = values![
            d.token,
            d.link,
            d.user,
            p.map(|p| p.salt.clone()),
            p.map(|p| p.hash.clone()),
            p.map(|p| p.memory_kib),
            p.map(|p| p.passes),
            p.map(|p| p.lanes),
            d.factor,
            d.totp_sealed,
            d.created,
        ];
        tx.execute(sql, args).await.map(|_| ())
    }
}

/// Charges an attempt to finish an activation, before its code is judged.
pub struct ChargeActivation {
    pub token: Digest,
    pub link: Digest,
}

impl Change for ChargeActivation {
    type Out = Option<(ActivationDraft, Charged)>;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; a draft gives nobody anything");

    async fn apply(&self, tx: &mut Tx) -> Result<Option<(ActivationDraft, Charged)>, StoreError> {
        let sql = "UPDATE activation_drafts SET failures = failures + 1 WHERE token = $1 AND link = $2 \
                   RETURNING token, link, user_id, salt, hash, memory_kib, passes, lanes, factor, totp_sealed, failures, created";
        let Some(row) = tx.fetch_optional(sql, values![self.token, self.link]).await? else { return Ok(None) };
        let failures: u32 = row.get("failures")?;
        let (_, charged) = FactorCounter { failures: failures.saturating_sub(1) }.charge();
        let password = if row.get_opt::<Vec<u8>>("hash")?.is_some() { Some(StoredPassword::read(&row)?) } else { None };
        let draft = ActivationDraft {
            token: row.get("token")?,
            link: row.get("link")?,
            user: row.get("user_id")?,
            password,
            factor: row.get("factor")?,
            totp_sealed: row.bytes("totp_sealed")?,
            created: row.time("created")?,
        };
        Ok(Some((draft, charged)))
    }
}

/// Ends an activation: password, factor and recovery codes are there, the link is used, the account is active, a session begins. Those
/// before it end: a password alone may have opened them, and anybody's.
/// [`StoreError::Conflict`] where the link was used, replaced or withdrawn meanwhile.
pub struct FinishActivation {
    pub tenant: TenantId,
    pub draft: ActivationDraft,
    pub used_step: Step,
    pub recovery_factor: FactorId,
    pub recovery_hashes: RecoveryHashes,
    pub session: NewSession,
    pub at: Timestamp,
    /// For its own entry, and for the one of a password that took the place of a present one.
    pub salts: [[u8; 32]; 2],
}

impl Change for FinishActivation {
    /// The sessions that ended.
    type Out = Vec<SessionId>;

    async fn apply(&self, tx: &mut Tx) -> Result<Vec<SessionId>, StoreError> {
        let (draft, user) = (&self.draft, self.draft.user);
        let spend = "DELETE FROM links WHERE token = $1 AND user_id = $2 AND purpose <> 'not_me' AND expires > $3";
        tx.execute_versioned(spend, values![draft.link, user, self.at]).await?;
        let spend = "DELETE FROM activation_drafts WHERE token = $1";
        tx.execute_versioned(spend, values![draft.token]).await?;
        super::links::forget_links(tx, user).await?;
        let ended = self.end_sessions(tx).await?;
        if let Some(password) = &draft.password {
            self.set_password(tx, password, &ended).await?;
        }
        self.insert_factors(tx).await?;
        let sql = "UPDATE users SET state = 'active', codes_kept = 0, version = version + 1 WHERE id = $1 AND state <> 'disabled' \
                   AND (expires IS NULL OR expires > $2)";
        tx.execute_versioned(sql, values![user, self.at]).await?;
        let payload = json!({ "user": user, "factor": draft.factor, "address": self.session.address, "sessions": ended });
        tx.append(self.tenant, Entry::new("user.activated", Actor::User(user), self.at, self.salts[0], payload)).await?;
        self.session.insert(tx, self.tenant).await?;
        Ok(ended)
    }
}

impl FinishActivation {
    async fn end_sessions(&self, tx: &mut Tx) -> Result<Vec<SessionId>, StoreError> {
        let sql = "UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL RETURNING id";
        tx.fetch_all(sql, values![self.draft.user, self.at]).await?.iter().map(|row| row.id("id")).collect()
    }

    /// Sets the password. Where it takes the place of a present one, which strangers know, that is an entry of its own.
    async fn set_password(&self, tx: &mut Tx, password: &StoredPassword, ended: &[SessionId]) -> Result<(), StoreError> {
        let (user, p) = (self.draft.user, password);
        let replaced = tx.execute("DELETE FROM passwords WHERE user_id = $1", values![user]).await?;
        let sql = "INSERT INTO passwords (user_id, salt, hash, memory_kib, passes, lanes, changed) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        tx.execute(sql, values![user, p.salt, p.hash, p.memory_kib, p.passes, p.lanes, self.at]).await?;
        if replaced == 0 {
            return Ok(());
        }
        let payload = json!({ "user": user, "sessions": ended });
        tx.append(self.tenant, Entry::new("password.changed", Actor::User(user), self.at, self.salts[1], payload)).await?;
        Ok(())
    }

    /// An account that has a factor already gets none by a link.
    async fn insert_factors(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (draft, user) = (&self.draft, self.draft.user);
        let there = "SELECT id FROM factors WHERE user_id = $1 AND kind <> 'recovery' LIMIT 1";
        if tx.fetch_optional(there, values![user]).await?.is_some() {
            return Err(StoreError::Conflict);
        }
        let sql = "INSERT INTO factors (id, user_id, kind, name, sealed, last_step, failures, last_used, created) \
                   VALUES ($1, $2, 'totp', 'Authenticator', $3, $4, 0, $5, $5)";
        tx.execute(sql, values![draft.factor, user, draft.totp_sealed, self.used_step.to_stored(), self.at]).await?;
        tx.execute("DELETE FROM factors WHERE user_id = $1 AND kind = 'recovery'", values![user]).await?;
        let sql = "INSERT INTO factors (id, user_id, kind, name, failures, created) VALUES ($1, $2, 'recovery', 'Recovery codes', 0, $3)";
        tx.execute(sql, values![self.recovery_factor, user, self.at]).await?;
        replace_recovery_codes(tx, user, &self.recovery_hashes, self.at).await
    }
}

/// Whose doing a new link is.
#[derive(Debug, Clone, Copy)]
pub enum LinkBy {
    /// An administrator's.
    User(UserId),
    /// The account's own, which signed in without a factor; at most one in [`limits::ACTIVATION_MAIL_SECS`].
    Own,
    /// Break-glass on the server's own machine: what factors there are go, and all sessions end.
    Machine,
}

/// Makes another invitation or activation link for a user without a factor; earlier ones are dead.
pub struct RenewLink {
    pub tenant: TenantId,
    pub user: UserId,
    pub by: LinkBy,
    pub link: NewLink,
    pub mails: Vec<NewMail>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for RenewLink {
    type Out = Stopped;

    async fn apply(&self, tx: &mut Tx) -> Result<Stopped, StoreError> {
        let mut stopped = Stopped::default();
        match self.by {
            LinkBy::Own => not_too_often(tx, self.user, self.at).await?,
            LinkBy::User(_) => {}
            LinkBy::Machine => {
                super::seconds::remember_second(tx, self.tenant, self.user, self.at).await?;
                super::execute::drop_factors(tx, self.user).await?;
                stopped = super::stop::stop_all(tx, self.tenant, self.user, self.at, self.salt).await?;
            }
        }
        let sql = "SELECT u.id FROM users u WHERE u.tenant = $1 AND u.id = $2 AND u.state <> 'disabled' \
                   AND NOT EXISTS (SELECT 1 FROM factors f WHERE f.user_id = u.id AND f.kind <> 'recovery')";
        tx.fetch_optional(sql, values![self.tenant, self.user]).await?.ok_or(StoreError::Conflict)?;
        make_link(tx, self.tenant, self.user, &self.link, self.at).await?;
        queue(tx, &self.mails).await?;
        let payload = json!({ "user": self.user, "purpose": self.link.purpose.as_str(), "expires": self.link.expires });
        let renewed = |by: Actor| Entry::new("user.link_renewed", by, self.at, self.salt, payload.clone());
        let entry = match self.by {
            LinkBy::User(user) => renewed(Actor::User(user)),
            LinkBy::Own => renewed(Actor::User(self.user)),
            LinkBy::Machine => Entry::new("user.enrolment_restarted", Actor::System, self.at, self.salt, payload),
        };
        tx.append(self.tenant, entry).await?;
        Ok(stopped)
    }
}

async fn not_too_often(tx: &mut Tx, user: UserId, at: Timestamp) -> Result<(), StoreError> {
    let sql = "SELECT token FROM links WHERE user_id = $1 AND purpose <> 'not_me' AND created > $2 LIMIT 1";
    match tx.fetch_optional(sql, values![user, at.plus_secs(-limits::ACTIVATION_MAIL_SECS)]).await? {
        Some(_) => Err(StoreError::Conflict),
        None => Ok(()),
    }
}

/// Whether a person has a factor at all.
pub async fn has_factor(reader: &mut Reader, user: UserId) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM factors WHERE user_id = $1 AND kind <> 'recovery' LIMIT 1";
    Ok(reader.fetch_optional(sql, values![user]).await?.is_some())
}

/// What a right password alone is judged on, for an account without a factor.
pub async fn factorless_facts(reader: &mut Reader, user: UserId) -> Result<(bool, sallyport_decide::policy::Rights), StoreError> {
    let row = reader.fetch_one("SELECT mfa_required FROM users WHERE id = $1", values![user]).await?;
    Ok((row.flag("mfa_required")?, rights_of(reader, user).await?))
}
