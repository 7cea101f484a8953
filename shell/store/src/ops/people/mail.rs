//! Mails that wait, were sent, or were given up. They are queued in the commit of what they tell about.

use sallyport_model::{MailId, TenantId, Timestamp};

use crate::{Audit, Change, Reader, Row, StoreError, Tx, values};

/// A mail to be queued; its text is sealed, for it may have a link.
#[derive(Debug, Clone)]
pub struct NewMail {
    pub id: MailId,
    pub tenant: TenantId,
    pub recipient: String,
    pub subject: String,
    pub sealed: Vec<u8>,
    pub at: Timestamp,
}

pub(crate) async fn queue(tx: &mut Tx, mails: &[NewMail]) -> Result<(), StoreError> {
    let columns = &["id", "tenant", "recipient", "subject", "sealed", "state", "attempts", "next_attempt", "queued"];
    let row = |mail: &NewMail| {
        values![mail.id, mail.tenant, mail.recipient, mail.subject, mail.sealed, "waiting", 0i64, mail.at, mail.at].to_vec()
    };
    tx.insert_rows("mails", columns, &mails.iter().map(row).collect::<Vec<_>>()).await
}

/// A mail that is due.
#[derive(Debug, Clone)]
pub struct DueMail {
    pub id: MailId,
    pub recipient: String,
    pub subject: String,
    pub sealed: Vec<u8>,
    pub attempts: u32,
}

/// The oldest mails that are due.
pub async fn due_mails(reader: &mut Reader, now: Timestamp) -> Result<Vec<DueMail>, StoreError> {
    let sql = "SELECT id, recipient, subject, sealed, attempts FROM mails WHERE state = 'waiting' AND next_attempt <= $1 \
               ORDER BY next_attempt, id LIMIT 20";
    let read = |row: &Row| {
        Ok(DueMail {
            id: row.get("id")?,
            recipient: row.text("recipient")?,
            subject: row.text("subject")?,
            sealed: row.bytes("sealed")?,
            attempts: row.get("attempts")?,
        })
    };
    reader.fetch_all(sql, values![now]).await?.iter().map(read).collect()
}

/// Takes a mail before it is sent, so that several processes do not send it twice; whoever comes second gets nothing.
pub struct TakeMail {
    pub mail: MailId,
    pub attempts: u32,
    /// When it is tried again, if nothing more is heard of this attempt.
    pub again: Timestamp,
}

impl Change for TakeMail {
    type Out = bool;
    const AUDIT: Audit = Audit::Exempt("a mail's delivery is not an act of anybody; what it tells is in the log");

    async fn apply(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let sql = "UPDATE mails SET attempts = attempts + 1, next_attempt = $3 WHERE id = $1 AND attempts = $2 AND state = 'waiting'";
        Ok(tx.execute(sql, values![self.mail, self.attempts, self.again]).await? == 1)
    }
}

/// What came of an attempt.
pub enum Delivery {
    /// The mail server took it.
    Sent(Timestamp),
    /// It is tried again later.
    Later(String),
    /// It is given up.
    Failed(String),
}

/// Writes down what came of an attempt. A mail that is over has no text any more.
pub struct MailTried {
    pub mail: MailId,
    pub delivery: Delivery,
}

impl Change for MailTried {
    type Out = ();
    const AUDIT: Audit = Audit::Exempt("a mail's delivery is not an act of anybody; what it tells is in the log");

    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        match &self.delivery {
            Delivery::Sent(at) => {
                let sql = "UPDATE mails SET state = 'sent', sealed = NULL, error = NULL, sent = $2 WHERE id = $1";
                tx.execute(sql, values![self.mail, at]).await
            }
            Delivery::Later(why) => tx.execute("UPDATE mails SET error = $2 WHERE id = $1", values![self.mail, why]).await,
            Delivery::Failed(why) => {
                let sql = "UPDATE mails SET state = 'failed', sealed = NULL, error = $2 WHERE id = $1";
                tx.execute(sql, values![self.mail, why]).await
            }
        }
        .map(|_| ())
    }
}

/// How mail stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailStanding {
    pub waiting: u64,
    pub failed: u64,
    pub last_sent: Option<Timestamp>,
    pub last_error: Option<String>,
}

/// How a tenant's mail stands; failures since `since`.
pub async fn mail_standing(reader: &mut Reader, tenant: TenantId, since: Timestamp) -> Result<MailStanding, StoreError> {
    let sql = "SELECT (SELECT COUNT(*) FROM mails WHERE tenant = $1 AND state = 'waiting') AS waiting, \
               (SELECT COUNT(*) FROM mails WHERE tenant = $1 AND state = 'failed' AND queued > $2) AS failed, \
               (SELECT MAX(sent) FROM mails WHERE tenant = $1) AS last_sent, \
               (SELECT error FROM mails WHERE tenant = $1 ORDER BY id DESC LIMIT 1) AS last_error";
    let row = reader.fetch_one(sql, values![tenant, since]).await?;
    Ok(MailStanding {
        waiting: row.uint("waiting")?,
        failed: row.uint("failed")?,
        last_sent: row.time_opt("last_sent")?,
        last_error: row.text_opt("last_error")?,
    })
}

/// A mail as administrators see it.
#[derive(Debug, Clone)]
pub struct MailRow {
    pub id: MailId,
    pub recipient: String,
    pub subject: String,
    pub state: String,
    pub attempts: u32,
    pub error: Option<String>,
    pub queued: Timestamp,
    pub sent: Option<Timestamp>,
}

/// A tenant's mails, the newest first.
pub async fn mails(reader: &mut Reader, tenant: TenantId, before: Option<MailId>, limit: u32) -> Result<Vec<MailRow>, StoreError> {
    let before = before.unwrap_or(MailId::from_bytes([0xff; 16]));
    let sql = "SELECT id, recipient, subject, state, attempts, error, queued, sent FROM mails WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let read = |row: &Row| {
        Ok(MailRow {
            id: row.get("id")?,
            recipient: row.text("recipient")?,
            subject: row.text("subject")?,
            state: row.text("state")?,
            attempts: row.get("attempts")?,
            error: row.text_opt("error")?,
            queued: row.time("queued")?,
            sent: row.time_opt("sent")?,
        })
    };
    reader.fetch_all(sql, values![tenant, before, limit]).await?.iter().map(read).collect()
}
