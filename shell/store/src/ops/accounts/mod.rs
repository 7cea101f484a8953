//! People and their sessions: set-up, sign-in, factors, recovery codes.
//!
//! Whatever is judged is charged first, in a transaction of its own ([`Store::reserve`](crate::Store::reserve));
//! whatever is accepted is used up in the transaction that acts on it, on condition that it was not used meanwhile.

mod breached;
mod by_kit;
mod device_codes;
mod factors;
mod own;
mod passkeys;
mod programs;
mod reports;
mod sessions;
mod setup;
mod sign_in;
mod tenants;
mod whereabouts;

use sallyport_decide::accounts::session::{Method, Session, StepUpWindow, Timers};
use sallyport_decide::policy::Stage;
use sallyport_grant::body::RemoteKind;
use sallyport_model::{Digest, SessionId, TenantId, Timestamp, UserId};

use crate::{Actor, Entry, Row, StoreError, Tx, Value, values};

pub use breached::{RecordImport, ReportSilentList};
pub use by_kit::{RefuseKit, owners};
pub(crate) use device_codes::refuse_approved_programs;
pub use device_codes::{
    AllowByCode, AllowedProgram, AskByCode, ChargeGuess, DenyByCode, ForgetDeviceCodes, JudgedPoll, OpenByCode, PollByCode, RefundGuess,
    any_allows_device_codes, waiting_program,
};
pub(crate) use factors::replace_recovery_codes;
pub use factors::{
    ChargeTotp, ChargedTotp, FactorRow, LockFactor, RecoveryHashes, Replacement, factors, recovery_codes_left, use_recovery_code,
    use_totp_step,
};
pub(crate) use own::remove_factor;
pub use own::{
    AddTotp, ChangePassword, ChargeTotpDraft, CheckFactor, Doing, ElevateSession, OtherSessions, RenameFactor, SaveTotpDraft, TotpDraftRow,
    UseFactor, UsedFactor,
};
pub use passkeys::{
    AddPasskey, Added, ForgetChallenges, NewFactor, PasskeyFacts, PasskeyRow, PasskeyUse, ReportCopy, SpendChallenge, Spent, passkey,
    passkeys,
};
pub use programs::{EndReused, IssueCode, OpenProgram, Shown, SpendCode, SpentCode};
pub(crate) use reports::due as report_due;
pub use sessions::{
    BindDevice, ConfirmRecoveryCodes, DeviceBinding, DeviceBound, EndOtherSessions, EndReason, EndSession, LiveSession, SessionRow,
    ShownToken, TouchSession, live_session, live_session_by_id, open_step_up, sessions,
};
pub use setup::{ChargeDraft, Draft, FinishSetup, OfferSetup, SaveDraft, SetupState, is_setup_open, is_setup_token};
pub use sign_in::{
    AccountFacts, ChargeFactor, ChargePassword, ChargedCredential, ChargedFactor, ChargedPassword, OpenSession, RecordFailure,
    RefundPassword, Rehash, Used,
};
pub use tenants::{ServerKeysRow, find_trust_root, server_keys, trust_root};
pub use whereabouts::{ForgetOldNetworks, Pair, SeeSession, pairs};

/// A stored Argon2id hash with its cost.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    pub salt: Vec<u8>,
    pub hash: Vec<u8>,
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl StoredPassword {
    pub(crate) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            salt: row.bytes("salt")?,
            hash: row.bytes("hash")?,
            memory_kib: row.get("memory_kib")?,
            passes: row.get("passes")?,
            lanes: row.get("lanes")?,
        })
    }
}

/// A session that is about to begin.
#[derive(Clone)]
pub struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    pub token: Digest,
    pub key: [u8; 32],
    pub stage: Stage,
    pub method: Method,
    pub step_up: Option<StepUpWindow>,
    /// The token that the same browser came with: its session ends where this one begins.
    pub replaces: Option<Digest>,
    pub address: String,
    pub user_agent: String,
    pub at: Timestamp,
    pub salt: [u8; 32],
}

impl NewSession {
    /// Writes the session down, ends the one that it replaces and the oldest beyond the limit, and tells the log.
    pub(crate) async fn insert(&self, tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
        let replaced = sessions::end_replaced(tx, self).await?;
        sessions::make_room(tx, self.user, self.at).await?;
        tx.insert_rows("sessions", SESSION_COLUMNS, &[self.row()]).await?;
        tx.execute("UPDATE users SET last_sign_in = $2 WHERE id = $1", values![self.user, self.at]).await?;
        let mut payload = serde_json::json!({
            "session": self.id, "method": self.method.as_str(), "stage": stage_word(self.stage),
            "address": self.address, "user_agent": self.user_agent, "replaces": replaced,
        });
        if self.stage == Stage::DeviceCode {
            // It reads as a sentence of its own.
            payload["reason"] = "device_code".into();
        }
        tx.append(tenant, Entry::new("session.opened", Actor::User(self.user), self.at, self.salt, payload)).await?;
        Ok(())
    }

    fn row(&self) -> Vec<Value> {
        let opened_at = self.step_up.map(|window| window.opened_at);
        let auth_time = self.at;
        values![
            self.id,
            self.user,
            self.token,
            self.key,
            stage_word(self.stage),
            self.at,
            self.at,
            auth_time,
            self.method.as_str(),
            opened_at,
            self.address,
            self.user_agent,
        ]
        .to_vec()
    }
}

const SESSION_COLUMNS: &[&str] =
    &["id", "user_id", "token", "jkt", "stage", "created", "last_active", "auth_time", "method", "step_up_at", "address", "user_agent"];

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Codes => "codes",
        Stage::Full => "full",
        Stage::Restricted => "restricted",
        Stage::Factorless => "factorless",
        Stage::NewPassword => "new_password",
        Stage::DeviceCode => "device_code",
        Stage::Client => "client",
    }
}

fn read_stage(row: &Row) -> Result<Stage, StoreError> {
    let word = row.text("stage")?;
    Stage::ALL.into_iter().find(|stage| stage_word(*stage) == word).ok_or(StoreError::Corrupt("stage"))
}

fn read_session(row: &Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.id("id")?,
        key: sallyport_decide::accounts::proof::Thumbprint::from_bytes(row.get("jkt")?),
        stage: read_stage(row)?,
        created: row.time("created")?,
        last_active: row.time("last_active")?,
        auth_time: row.time("auth_time")?,
        method: Method::parse(&row.text("method")?).ok_or(StoreError::Corrupt("method"))?,
        step_up: read_window(row)?,
        timers: Timers { idle_secs: row.int("session_idle_secs")?, lifetime_secs: row.int("session_lifetime_secs")? },
        account_ends: row.time_opt("account_ends")?,
    })
}

fn read_window(row: &Row) -> Result<Option<StepUpWindow>, StoreError> {
    let kind = row.text_opt("step_up_kind")?;
    let kind = kind.map(|word| RemoteKind::parse(&word).ok_or(StoreError::Corrupt("step_up_kind"))).transpose()?;
    Ok(row.time_opt("step_up_at")?.map(|opened_at| StepUpWindow { opened_at, kind }))
}
