//! What is done to people without a request: ending sessions, "not me", stopping a reset, and what time does by itself.

use sallyport_decide::policy::{Permit, StopOwnReset};
use sallyport_model::{Digest, TenantId, Timestamp, UserId};
use serde_json::json;

use super::super::automation::stop_all_of;
use super::super::schedules::pause_all_of;
use super::execute::drop_factors;
use super::links::{NewLink, make_link};
use super::mail::{NewMail, queue};
use super::rights::rights_of;
use super::seconds::remember_second;
use super::stop::{Stopped, end_sessions, stop_all};
use crate::{Actor, Audit, Change, Entry, Reader, StoreError, Tx, values};

/// An administrator ends all sessions of somebody.
pub struct EndSessionsOf {
    pub tenant: TenantId,
    pub by: UserId,
    pub user: UserId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for EndSessionsOf {
    type Out = Stopped;

    async fn apply(&self, tx: &mut Tx) -> Result<Stopped, StoreError> {
        let sessions = end_sessions(tx, self.user, self.at).await?;
        let payload = json!({ "user": self.user, "sessions": sessions, "reason": "ended_by_admin" });
        tx.append(self.tenant, Entry::new("session.ended", Actor::User(self.by), self.at, self.salt, payload)).await?;
        Ok(Stopped { sessions, ..Stopped::default() })
    }
}

/// How somebody said "not me".
#[derive(Debug, Clone, Copy)]
pub enum NotMeBy {
    /// From one of their sessions.
    Session(UserId),
    /// By the link of a mail.
    Link(Digest),
}

/// "Not me": everything of the account stops, and a reset that waits is off. [`StoreError::NotFound`] where the link does not work.
pub struct NotMe {
    pub by: NotMeBy,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

/// What it did.
#[derive(Debug, Clone)]
pub struct NotMeDone {
    pub tenant: TenantId,
    pub user: UserId,
    pub stopped: Stopped,
    pub reset_stopped: bool,
}

impl Change for NotMe {
    type Out = NotMeDone;

    async fn apply(&self, tx: &mut Tx) -> Result<NotMeDone, StoreError> {
        let row = match self.by {
            NotMeBy::Session(user) => tx.fetch_one("SELECT id, tenant FROM users WHERE id = $1", values![user]).await?,
            NotMeBy::Link(token) => {
                let sql = "DELETE FROM links WHERE token = $1 AND purpose = 'not_me' AND expires > $2 RETURNING user_id AS id, tenant";
                tx.fetch_one(sql, values![token, self.at]).await?
            }
        };
        let (tenant, user): (TenantId, UserId) = (row.get("tenant")?, row.get("id")?);
        let stopped = stop_all(tx, tenant, user, self.at, self.salt).await?;
        // Whoever was in the account may have left one for later.
        let clients = stop_all_of(tx, (tenant, user), (self.at, self.salt)).await?;
        let schedules = pause_all_of(tx, (tenant, user), (self.at, self.salt)).await?;
        let reset_stopped = tx.execute("DELETE FROM held_resets WHERE user_id = $1", values![user]).await? > 0;
        super::links::forget_links(tx, user).await?;
        let payload = json!({ "user": user, "sessions": stopped.sessions, "requests": stopped.requests, "runs": stopped.runs.len(),
            "reset_stopped": reset_stopped, "clients": clients, "schedules": schedules });
        tx.append(tenant, Entry::new("user.not_me", Actor::User(user), self.at, self.salt, payload)).await?;
        Ok(NotMeDone { tenant, user, stopped, reset_stopped })
    }
}

/// Somebody stops the reset of their own factor: [`StoreError::NotFound`] where none waits.
pub struct StopReset {
    pub permit: Permit<StopOwnReset>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for StopReset {
    type Out = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let actor = self.permit.actor();
        if tx.execute("DELETE FROM held_resets WHERE user_id = $1", values![actor.user]).await? == 0 {
            return Err(StoreError::NotFound);
        }
        let payload = json!({ "user": actor.user });
        tx.append(actor.tenant, Entry::new("factor.reset_stopped", Actor::User(actor.user), self.at, self.salt, payload)).await?;
        Ok(())
    }
}

/// A reset whose day is over.
#[derive(Debug, Clone)]
pub struct DueReset {
    pub tenant: TenantId,
    pub user: UserId,
    pub name: String,
    pub email: String,
    pub by: String,
}

/// Resets whose day is over.
pub async fn due_resets(reader: &mut Reader, now: Timestamp) -> Result<Vec<DueReset>, StoreError> {
    let sql = "SELECT h.tenant, h.user_id, h.asked_by_name, u.name, u.email FROM held_resets h JOIN users u ON u.id = h.user_id WHERE h.until <= $1 LIMIT 100";
    let read = |row: &crate::Row| {
        Ok(DueReset {
            tenant: row.get("tenant")?,
            user: row.get("user_id")?,
            name: row.text("name")?,
            email: row.text("email")?,
            by: row.text("asked_by_name")?,
        })
    };
    reader.fetch_all(sql, values![now]).await?.iter().map(read).collect()
}

/// The day is over and nobody stopped it: the factors go. Void where whoever asked may no longer ask.
pub struct FinishReset {
    pub tenant: TenantId,
    pub user: UserId,
    pub link: NewLink,
    pub mails: Vec<NewMail>,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for FinishReset {
    type Out = Option<Stopped>;

    async fn apply(&self, tx: &mut Tx) -> Result<Option<Stopped>, StoreError> {
        let sql = "DELETE FROM held_resets WHERE user_id = $1 AND until <= $2 RETURNING asked_by";
        let row = tx.fetch_optional(sql, values![self.user, self.at]).await?.ok_or(StoreError::NotFound)?;
        let asker: UserId = row.get("asked_by")?;
        let active = tx.fetch_optional("SELECT id FROM users WHERE id = $1 AND state = 'active'", values![asker]).await?.is_some();
        let (own, theirs) = (rights_of(tx, asker).await?, rights_of(tx, self.user).await?);
        let payload = json!({ "user": self.user, "asked_by": asker });
        if !active || !sallyport_decide::policy::may_act_on(&own, &theirs) {
            tx.append(self.tenant, Entry::new("factor.reset_void", Actor::System, self.at, self.salt, payload)).await?;
            return Ok(None);
        }
        remember_second(tx, self.tenant, self.user, self.at).await?;
        let stopped = stop_all(tx, self.tenant, self.user, self.at, self.salt).await?;
        drop_factors(tx, self.user).await?;
        make_link(tx, self.tenant, self.user, &self.link, self.at).await?;
        queue(tx, &self.mails).await?;
        tx.append(self.tenant, Entry::new("factor.reset", Actor::System, self.at, self.salt, payload)).await?;
        Ok(Some(stopped))
    }
}

/// Accounts whose time is over are disabled, one entry each.
pub struct DisableExpired {
    pub tenant: TenantId,
    pub user: UserId,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl Change for DisableExpired {
    type Out = Stopped;

    async fn apply(&self, tx: &mut Tx) -> Result<Stopped, StoreError> {
        let sql = "UPDATE users SET state = 'disabled', version = version + 1 WHERE id = $1 AND state <> 'disabled' AND expires <= $2";
        tx.execute_versioned(sql, values![self.user, self.at]).await?;
        super::links::forget_links(tx, self.user).await?;
        let stopped = stop_all(tx, self.tenant, self.user, self.at, self.salt).await?;
        let payload = json!({ "user": self.user });
        tx.append(self.tenant, Entry::new("user.expired", Actor::System, self.at, self.salt, payload)).await?;
        Ok(stopped)
    }
}

/// Accounts whose time is over and that are not disabled yet.
pub async fn expired_users(reader: &mut Reader, now: Timestamp) -> Result<Vec<(TenantId, UserId)>, StoreError> {
    let sql = "SELECT tenant, id FROM users WHERE state <> 'disabled' AND expires <= $1 LIMIT 100";
    reader.fetch_all(sql, values![now]).await?.iter().map(|row| Ok((row.get("tenant")?, row.get("id")?))).collect()
}

/// Links and drafts that no longer work, and mails that are long over.
pub struct ForgetOldLinks {
    pub at: Timestamp,
    pub mails_before: Timestamp,
}

impl Change for ForgetOldLinks {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("what no longer works is forgotten; that it was made is in the log");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        tx.execute("DELETE FROM links WHERE expires <= $1", values![self.at]).await?;
        tx.execute("DELETE FROM former_seconds WHERE until <= $1", values![self.at]).await?;
        tx.execute("DELETE FROM mails WHERE state <> 'waiting' AND queued <= $1", values![self.mails_before]).await?;
        let sql = "DELETE FROM activation_drafts WHERE link NOT IN (SELECT token FROM links)";
        tx.execute(sql, &[]).await.map(|_| ())
    }
}
