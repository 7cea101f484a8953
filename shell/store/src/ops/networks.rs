//! Rules about addresses, addresses that people approved, and sessions that left their ranges.

use std::net::IpAddr;

use sallyport_decide::networks::{Address, Rules, Seen};
use sallyport_model::{Digest, SessionId, TenantId, Timestamp, UserId, limits};
use serde_json::json;

use super::accounts::{Doing, UsedFactor};
use super::people::{NewMail, queue};
use crate::{Actor, Audit, Change, Entry, Reader, Row, StoreError, Tx, values};

/// A tenant's rules with their version; 0 where none were ever made.
#[derive(Debug, Clone, Default)]
pub struct StoredRules {
    pub rules: Rules,
    pub version: u64,
}

/// A tenant's rules about addresses.
pub async fn rules(reader: &mut Reader, tenant: TenantId) -> Result<StoredRules, StoreError> {
    let row = reader.fetch_optional("SELECT policy, version FROM network_policies WHERE tenant = $1", values![tenant]).await?;
    let Some(row) = row else { return Ok(StoredRules::default()) };
    let rules = serde_json::from_str(&row.text("policy")?).map_err(|_| StoreError::Corrupt("policy"))?;
    Ok(StoredRules { rules, version: row.uint("version")? })
}

/// Replaces the rules inside the execution of their action; [`StoreError::Conflict`] where others came in between.
pub(crate) async fn replace_rules(tx: &mut Tx, tenant: TenantId, version: u64, rules: &Rules) -> Result<(), StoreError> {
    let text = serde_json::to_string(rules).map_err(|_| StoreError::Corrupt("policy"))?;
    if version == 0 {
        let sql = "INSERT INTO network_policies (tenant, policy, version) VALUES ($1, $2, 1) ON CONFLICT (tenant) DO NOTHING";
        return tx.execute_versioned(sql, values![tenant, text]).await;
    }
    let sql = "UPDATE network_policies SET policy = $3, version = version + 1 WHERE tenant = $1 AND version = $2";
    tx.execute_versioned(sql, values![tenant, version, text]).await
}

/// A session's address left the allowed ranges: it waits for a factor from now on. Told once.
pub struct ChallengeSession {
    pub by: Doing,
    pub address: String,
}

impl Change for ChallengeSession {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("tells the log once; a session that waits already has nothing to tell");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let by = &self.by;
        let sql = "UPDATE sessions SET challenged_at = $2 WHERE id = $1 AND challenged_at IS NULL AND ended_at IS NULL";
        if tx.execute(sql, values![by.session, by.at]).await? > 0 {
            let payload = json!({ "session": by.session, "user": by.user, "address": self.address });
            tx.append(by.tenant, Entry::new("session.challenged", Actor::System, by.at, by.salt, payload)).await?;
        }
        Ok(())
    }
}

/// Whether a session waits for a factor since its address left the allowed ranges.
pub async fn is_challenged(reader: &mut Reader, session: SessionId) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM sessions WHERE id = $1 AND challenged_at IS NOT NULL";
    Ok(reader.fetch_optional(sql, values![session]).await?.is_some())
}

/// What is known of a user's addresses before a sign-in is let through.
#[derive(Debug, Clone)]
pub struct AddressFacts {
    pub rules: Rules,
    /// Whether this address was approved.
    pub approved: bool,
    /// Until when the verification is paused for this user.
    pub paused_until: Option<Timestamp>,
}

impl AddressFacts {
    /// Judges the address.
    pub fn judge(&self, from: IpAddr, now: Timestamp) -> Address {
        self.rules.address(Seen { approved: self.approved, paused_until: self.paused_until }, from, now)
    }
}

/// Loads what the address of a sign-in is judged by.
pub async fn address_facts(reader: &mut Reader, tenant: TenantId, user: UserId, address: &str) -> Result<AddressFacts, StoreError> {
    let rules = rules(reader, tenant).await?.rules;
    let approved = "SELECT address FROM approved_addresses WHERE user_id = $1 AND address = $2";
    let approved = reader.fetch_optional(approved, values![user, address]).await?.is_some();
    Ok(AddressFacts { rules, approved, paused_until: paused_until(reader, user).await? })
}

/// Until when the verification of a user's addresses is, or was, paused.
pub async fn paused_until(reader: &mut Reader, user: UserId) -> Result<Option<Timestamp>, StoreError> {
    let paused = reader.fetch_optional("SELECT until FROM address_pauses WHERE user_id = $1", values![user]).await?;
    paused.map(|row| row.time("until")).transpose()
}

/// A sign-in whose address is to be approved by a mailed link.
pub struct AskForAddress {
    pub tenant: TenantId,
    pub user: UserId,
    /// Of the link's token.
    pub token: Digest,
    pub address: String,
    pub user_agent: String,
    pub at: Timestamp,
    pub expires: Timestamp,
    pub mails: Vec<NewMail>,
    /// The factor that was right: its code is used up, though it opened nothing.
    pub used: Option<UsedFactor>,
    pub salt: [u8; 32],
}

impl Change for AskForAddress {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        if let Some(used) = &self.used {
            used.use_up(tx, self.at).await?;
        }
        queue(tx, &self.mails).await?;
        // An older link for the same address is dead: one mail, one link.
        tx.execute(
            "DELETE FROM address_links WHERE user_id = $1 AND (address = $2 OR expires < $3)",
            values![self.user, self.address, self.at],
        )
        .await?;
        let sql = "INSERT INTO address_links (token, user_id, address, user_agent, asked, expires) VALUES ($1, $2, $3, $4, $5, $6)";
        tx.execute(sql, values![self.token, self.user, self.address, self.user_agent, self.at, self.expires]).await?;
        let payload = json!({ "user": self.user, "address": self.address, "user_agent": self.user_agent });
        tx.append(self.tenant, Entry::new("address.asked", Actor::System, self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// A link that approves an address.
#[derive(Debug, Clone)]
pub struct AddressLink {
    pub tenant: TenantId,
    pub user: UserId,
    pub email: String,
    pub address: String,
    pub user_agent: String,
    pub asked: Timestamp,
    pub expires: Timestamp,
}

/// Finds a link by the hash of its token, if it still works.
pub async fn address_link(reader: &mut Reader, token: Digest, now: Timestamp) -> Result<Option<AddressLink>, StoreError> {
    let sql = "SELECT u.tenant, l.user_id, u.email, l.address, l.user_agent, l.asked, l.expires FROM address_links l \
               JOIN users u ON u.id = l.user_id WHERE l.token = $1 AND l.expires > $2 AND u.state = 'active'";
    let row = reader.fetch_optional(sql, values![token, now]).await?;
    let read = |row: Row| {
        Ok(AddressLink {
            tenant: row.id("tenant")?,
            user: row.id("user_id")?,
            email: row.text("email")?,
            address: row.text("address")?,
            user_agent: row.text("user_agent")?,
            asked: row.time("asked")?,
            expires: row.time("expires")?,
        })
    };
    row.map(read).transpose()
}

/// Approves an address by its link, once.
pub struct ApproveAddress {
    pub link: AddressLink,
    pub token: Digest,
    /// Where the button was pressed.
    pub pressed_from: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for ApproveAddress {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let link = &self.link;
        tx.execute_versioned("DELETE FROM address_links WHERE token = $1 AND expires > $2", values![self.token, self.at]).await?;
        let sql = "INSERT INTO approved_addresses (user_id, address, user_agent, approved) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (user_id, address) DO UPDATE SET user_agent = excluded.user_agent, approved = excluded.approved";
        tx.execute(sql, values![link.user, link.address, link.user_agent, self.at]).await?;
        let room = "DELETE FROM approved_addresses WHERE user_id = $1 AND address NOT IN (SELECT address FROM approved_addresses \
                    WHERE user_id = $1 ORDER BY COALESCE(last_used, approved) DESC, address LIMIT $2)";
        tx.execute(room, values![link.user, limits::APPROVED_ADDRESSES]).await?;
        let payload = json!({ "user": link.user, "address": link.address, "user_agent": link.user_agent, "from": self.pressed_from });
        tx.append(link.tenant, Entry::new("address.approved", Actor::User(link.user), self.at, self.salt, payload)).await.map(|_| ())
    }
}

/// An approved address, as its owner sees it.
#[derive(Debug, Clone)]
pub struct ApprovedAddress {
    pub address: String,
    pub user_agent: String,
    pub approved: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// A user's approved addresses, the newest first.
pub async fn approved_addresses(reader: &mut Reader, user: UserId) -> Result<Vec<ApprovedAddress>, StoreError> {
    let sql = "SELECT address, user_agent, approved, last_used FROM approved_addresses WHERE user_id = $1 ORDER BY approved DESC, address LIMIT 200";
    let rows = reader.fetch_all(sql, values![user]).await?;
    let read = |row: &Row| {
        Ok(ApprovedAddress {
            address: row.text("address")?,
            user_agent: row.text("user_agent")?,
            approved: row.time("approved")?,
            last_used: row.time_opt("last_used")?,
        })
    };
    rows.iter().map(read).collect()
}

/// An address is no longer approved; [`StoreError::NotFound`] where it was not.
pub struct RemoveAddress {
    pub by: Doing,
    pub address: String,
}

impl Change for RemoveAddress {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let by = &self.by;
        let sql = "DELETE FROM approved_addresses WHERE user_id = $1 AND address = $2";
        if tx.execute(sql, values![by.user, self.address]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let payload = json!({ "user": by.user, "address": self.address });
        tx.append(by.tenant, Entry::new("address.removed", Actor::User(by.user), by.at, by.salt, payload)).await.map(|_| ())
    }
}

/// A sign-in from an approved address.
pub struct TouchAddress {
    pub user: UserId,
    pub address: String,
    pub at: Timestamp,
}

impl Change for TouchAddress {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("presence: the time of the last sign-in from an approved address");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let sql = "UPDATE approved_addresses SET last_used = $3 WHERE user_id = $1 AND address = $2";
        tx.execute(sql, values![self.user, self.address, self.at]).await.map(|_| ())
    }
}

/// Pauses the verification of a user's addresses, or ends the pause. [`StoreError::NotFound`] for a user of another tenant, and
/// [`StoreError::Conflict`] for one without a factor.
pub struct PauseVerification {
    pub by: Doing,
    pub user: UserId,
    pub until: Option<Timestamp>,
}

impl Change for PauseVerification {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let by = &self.by;
        tx.fetch_one("SELECT id FROM users WHERE id = $1 AND tenant = $2", values![self.user, by.tenant]).await?;
        let factor = "SELECT id FROM factors WHERE user_id = $1 AND kind <> 'recovery' LIMIT 1";
        tx.fetch_optional(factor, values![self.user]).await?.ok_or(StoreError::Conflict)?;
        tx.execute("DELETE FROM address_pauses WHERE user_id = $1", values![self.user]).await?;
        if let Some(until) = self.until {
            tx.execute("INSERT INTO address_pauses (user_id, until) VALUES ($1, $2)", values![self.user, until]).await?;
        }
        let payload = json!({ "user": self.user, "until": self.until });
        let entry = match self.until {
            Some(_) => Entry::new("address.paused", Actor::User(by.user), by.at, by.salt, payload),
            None => Entry::new("address.resumed", Actor::User(by.user), by.at, by.salt, payload),
        };
        tx.append(by.tenant, entry).await.map(|_| ())
    }
}
