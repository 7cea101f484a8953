//! The set-up: open until the first tenant exists, closed in the transaction that makes it.

use sallyport_decide::accounts::sign_in::UserState;
use sallyport_decide::accounts::throttle::{Charged, FactorCounter};
use sallyport_decide::accounts::totp::Step;
use sallyport_decide::policy::{Rights, Role};
use sallyport_model::{CustomerId, Digest, Email, FactorId, Name, SiteId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::super::people::replace_rights;
use super::factors::{RecoveryHashes, replace_recovery_codes};
use super::{NewSession, StoredPassword};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// Drafts that wait at once; the oldest goes.
const DRAFTS: i64 = 8;

/// Whether the set-up is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupState {
    /// No tenant yet.
    Open,
    /// Done, for good.
    Closed,
}

/// Offers the set-up under a new token while there is no tenant; earlier tokens are dead.
pub struct OfferSetup {
    pub token: Digest,
}

impl Change for OfferSetup {
    type Out = SetupState;
    const AUDIT: Audit = Audit::Exempt("there is no tenant yet whose log could tell");

    async fn apply(&self, tx: &mut Tx) -> Result<SetupState, StoreError> {
        tx.execute("INSERT INTO setup (one) VALUES (1) ON CONFLICT (one) DO NOTHING", &[]).await?;
        let touched = tx.execute("UPDATE setup SET token = $1 WHERE one = 1 AND closed_at IS NULL", values![self.token]).await?;
        Ok(if touched == 1 { SetupState::Open } else { SetupState::Closed })
    }
}

/// Whether the set-up is open.
pub async fn is_setup_open(reader: &mut Reader) -> Result<bool, StoreError> {
    let sql = "SELECT one FROM setup WHERE one = 1 AND closed_at IS NULL AND token IS NOT NULL";
    Ok(reader.fetch_optional(sql, &[]).await?.is_some())
}

/// Whether the set-up is open under this token.
pub async fn is_setup_token(reader: &mut Reader, token: Digest) -> Result<bool, StoreError> {
    let sql = "SELECT one FROM setup WHERE one = 1 AND closed_at IS NULL AND token = $1";
    Ok(reader.fetch_optional(sql, values![token]).await?.is_some())
}

/// A set-up that was begun: everything but the owner's proof and the authority's signature.
#[derive(Clone)]
pub struct Draft {
    pub token: Digest,
    pub tenant: TenantId,
    pub tenant_name: Name,
    pub name: Name,
    pub email: Email,
    pub password: StoredPassword,
    pub factor: FactorId,
    pub totp_sealed: Vec<u8>,
    pub keys_sealed: Vec<u8>,
    pub created: Timestamp,
}

const DRAFT_COLUMNS: &[&str] = &[
    "token",
    "tenant",
    "tenant_name",
    "name",
    "email",
    "salt",
    "hash",
    "memory_kib",
    "passes",
    "lanes",
    "factor",
    "totp_sealed",
    "keys_sealed",
    "failures",
    "created",
];

impl Draft {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            token: row.digest("token")?,
            tenant: row.id("tenant")?,
            tenant_name: row.get("tenant_name")?,
            name: row.get("name")?,
            email: row.get("email")?,
            password: StoredPassword::read(row)?,
            factor: row.id("factor")?,
            totp_sealed: row.bytes("totp_sealed")?,
            keys_sealed: row.bytes("keys_sealed")?,
            created: row.time("created")?,
        })
    }
}

/// Keeps a draft; only the newest few are kept.
pub struct SaveDraft(pub Draft);

impl Change for SaveDraft {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("there is no tenant yet whose log could tell");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let d = &self.0;
        let p = &d.password;
        let row = values![
            d.token,
            d.tenant,
            d.tenant_name,
            d.name,
            d.email,
            p.salt,
            p.hash,
            p.memory_kib,
            p.passes,
            p.lanes,
            d.factor,
            d.totp_sealed,
            d.keys_sealed,
            0u32,
            d.created,
        ];
        tx.insert_rows("setup_drafts", DRAFT_COLUMNS, &[row.to_vec()]).await?;
        let sql = "DELETE FROM setup_drafts WHERE token NOT IN (SELECT token FROM setup_drafts ORDER BY created DESC, token LIMIT $1)";
        tx.execute(sql, values![DRAFTS]).await.map(|_| ())
    }
}

/// Charges an attempt to finish a draft, before its code is judged.
pub struct ChargeDraft {
    pub token: Digest,
}

impl Change for ChargeDraft {
    type Out = Option<(Draft, Charged)>;
    const AUDIT: Audit = Audit::Exempt("attempts are counted before they are judged; there is no tenant yet whose log could tell");

    async fn apply(&self, tx: &mut Tx) -> Result<Option<(Draft, Charged)>, StoreError> {
        let sql = "UPDATE setup_drafts SET failures = failures + 1 WHERE token = $1 RETURNING token, tenant, tenant_name, name, email, salt, \
                   hash, memory_kib, passes, lanes, factor, totp_sealed, keys_sealed, failures, created";
        let Some(row) = tx.fetch_optional(sql, values![self.token]).await? else { return Ok(None) };
        let failures: u32 = row.get("failures")?;
        let (_, charged) = FactorCounter { failures: failures.saturating_sub(1) }.charge();
        Ok(Some((Draft::read(&row)?, charged)))
    }
}

/// Makes the first tenant and its owner, and closes the set-up, all or nothing.
/// [`StoreError::Conflict`] where the set-up was closed meanwhile.
pub struct FinishSetup {
    pub setup_token: Digest,
    pub draft: Draft,
    pub user: UserId,
    pub used_step: Step,
    pub recovery_factor: FactorId,
    pub recovery_hashes: RecoveryHashes,
    pub root_envelope: Vec<u8>,
    /// The first place for devices, so that an installer can be made at once.
    pub customer: CustomerId,
    pub site: SiteId,
    pub session: NewSession,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for FinishSetup {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let close = "UPDATE setup SET closed_at = $2, token = NULL WHERE one = 1 AND closed_at IS NULL AND token = $1";
        tx.execute_versioned(close, values![self.setup_token, self.at]).await?;
        tx.execute("DELETE FROM setup_drafts", &[]).await?;
        self.insert_tenant(tx).await?;
        self.insert_owner(tx).await?;
        self.insert_place(tx).await?;
        let payload = json!({ "tenant_name": self.draft.tenant_name, "owner": self.user, "email": self.draft.email });
        let entry = Entry::new("setup.finished", Actor::User(self.user), self.at, self.salt, payload);
        tx.append(self.draft.tenant, entry).await?;
        self.session.insert(tx, self.draft.tenant).await
    }
}

impl FinishSetup {
    async fn insert_tenant(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let draft = &self.draft;
        let sql = "INSERT INTO tenants (id, name, step_up_secs, created, version) VALUES ($1, $2, $3, $4, 1)";
        tx.execute(sql, values![draft.tenant, draft.tenant_name, limits::STEP_UP_WINDOW_SECS, self.at]).await?;
        let sql = "INSERT INTO server_keys (tenant, sealed, created) VALUES ($1, $2, $3)";
        tx.execute(sql, values![draft.tenant, draft.keys_sealed, self.at]).await?;
        let sql = "INSERT INTO trust_roots (tenant, version, envelope) VALUES ($1, 1, $2)";
        tx.execute(sql, values![draft.tenant, self.root_envelope]).await.map(|_| ())
    }

    /// The company itself is its first customer.
    async fn insert_place(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let draft = &self.draft;
        let sql = "INSERT INTO customers (id, tenant, name, created) VALUES ($1, $2, $3, $4)";
        tx.execute(sql, values![self.customer, draft.tenant, draft.tenant_name, self.at]).await?;
        let sql = "INSERT INTO sites (id, tenant, customer, name, created) VALUES ($1, $2, $3, 'Main', $4)";
        tx.execute(sql, values![self.site, draft.tenant, self.customer, self.at]).await.map(|_| ())
    }

    async fn insert_owner(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (draft, password) = (&self.draft, &self.draft.password);
        let sql = "INSERT INTO users (id, tenant, email, name, state, codes_kept, created, version) VALUES ($1, $2, $3, $4, $5, 0, $6, 1)";
        tx.execute(sql, values![self.user, draft.tenant, draft.email, draft.name, UserState::Active.as_str(), self.at]).await?;
        replace_rights(tx, draft.tenant, self.user, &Rights::of(Role::Owner)).await?;
        let sql = "INSERT INTO passwords (user_id, salt, hash, memory_kib, passes, lanes, changed) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let p = password;
        tx.execute(sql, values![self.user, p.salt, p.hash, p.memory_kib, p.passes, p.lanes, self.at]).await?;
        let sql = "INSERT INTO factors (id, user_id, kind, name, sealed, last_step, failures, last_used, created) \
                   VALUES ($1, $2, 'totp', 'Authenticator', $3, $4, 0, $5, $5)";
        tx.execute(sql, values![draft.factor, self.user, draft.totp_sealed, self.used_step.to_stored(), self.at]).await?;
        let sql = "INSERT INTO factors (id, user_id, kind, name, failures, created) VALUES ($1, $2, 'recovery', 'Recovery codes', 0, $3)";
        tx.execute(sql, values![self.recovery_factor, self.user, self.at]).await?;
        replace_recovery_codes(tx, self.user, &self.recovery_hashes, self.at).await
    }
}
