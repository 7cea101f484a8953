//! Opening and joining remote sessions: from what was asked to the exact body that the device verifies.

use sallyport_grant::body::{
    Access, Body, BodyError, Class, Entry, FieldError, GrantAction, GrantBody, GrantType, OpenRemoteSession as GrantOpen, Person,
    RemoteKind, RunAs,
};
use sallyport_grant::targets::{TargetTree, TargetsError};
use sallyport_grant::{Hex, PayloadType, pae, sha256};
use sallyport_model::{Digest, Email, GrantId, RemoteSessionId, TenantId, Timestamp, UserId, limits};
use serde::{Deserialize, Serialize};

use super::{Action, CLOCK_BEHIND_SECS, Classified, Hour, Target, classify};
use crate::remote_policy::SessionRules;

/// An attachment to a remote session as it was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRemoteSession {
    /// The grant's id.
    pub grant: GrantId,
    /// Which remote session.
    pub session: RemoteSessionId,
    /// What it is.
    pub kind: RemoteKind,
    /// What the asker may do in it.
    pub access: Access,
    /// Whether it is there already.
    pub joins: Entry,
    /// The grant's body, verbatim: what is signed, logged and verified.
    pub body: String,
    /// The device.
    pub target: Target,
    /// The version of the tenant's rules that it was asked for under.
    pub policy: u64,
}

/// What somebody wants.
#[derive(Debug, Clone)]
pub struct WantedSession {
    /// The grant's id.
    pub grant: GrantId,
    /// 128 random bits.
    pub nonce: [u8; 16],
    /// Whose device.
    pub tenant: TenantId,
    /// Who asks.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// A new one, or the one that is joined.
    pub session: RemoteSessionId,
    /// What it is.
    pub kind: RemoteKind,
    /// What they want to do.
    pub access: Access,
    /// Whether it is there already.
    pub joins: Entry,
    /// Their client's ephemeral key.
    pub client_key: [u8; 32],
    /// The account on the device.
    pub run_as: Option<String>,
    /// Of a terminal.
    pub columns: u16,
    /// Of a terminal.
    pub rows: u16,
    /// The device.
    pub target: Target,
    /// What the tenant's rules come to for it.
    pub rules: SessionRules,
    /// The version of those rules.
    pub policy: u64,
}

/// Why a remote session cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WantedSessionError {
    /// The device cannot be a target.
    #[error(transparent)]
    Target(#[from] TargetsError),
    /// The account is not acceptable.
    #[error("run_as: {0}")]
    RunAs(FieldError),
    /// The user's address is not acceptable.
    #[error("the address is not acceptable")]
    Email,
    /// Something is out of its limits, or does not go together.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// Builds the action and the body that the device will verify.
///
/// # Errors
/// When a field is not acceptable.
pub fn open_remote_session(wanted: WantedSession, hour: &Hour, now: Timestamp) -> Result<(Action, Classified), WantedSessionError> {
    let mut action = OpenRemoteSession {
        grant: wanted.grant,
        session: wanted.session,
        kind: wanted.kind,
        access: wanted.access,
        joins: wanted.joins,
        body: String::new(),
        target: wanted.target.clone(),
        policy: wanted.policy,
    };
    let classified = classify(&Action::OpenRemoteSession(action.clone()), hour);
    let bytes = body(&wanted, classified.class, now)?.into_bytes()?;
    action.body = String::from_utf8(bytes).map_err(|_| WantedSessionError::Email)?;
    Ok((Action::OpenRemoteSession(action), classified))
}

fn body(wanted: &WantedSession, class: Class, now: Timestamp) -> Result<GrantBody, WantedSessionError> {
    let email = Email::parse(&wanted.email).map_err(|_| WantedSessionError::Email)?;
    Ok(GrantBody {
        r#type: GrantType::V1,
        id: wanted.grant,
        tenant: wanted.tenant,
        class,
        action: GrantAction::OpenRemoteSession(open(wanted)?),
        targets: TargetTree::build(wanted.tenant, [wanted.target.thumbprint])?.targets(),
        not_before: now.plus_secs(-CLOCK_BEHIND_SECS),
        expires: now.plus_secs(limits::GRANT_LIFETIME_SECS),
        nonce: Hex(wanted.nonce),
        requested_by: Person { user: wanted.user, email },
    })
}

fn open(wanted: &WantedSession) -> Result<GrantOpen, WantedSessionError> {
    let rules = wanted.rules;
    Ok(GrantOpen {
        session: wanted.session,
        kind: wanted.kind,
        access: wanted.access,
        joins: wanted.joins,
        client_key: Hex(wanted.client_key),
        run_as: wanted.run_as.as_deref().map(RunAs::parse).transpose().map_err(WantedSessionError::RunAs)?,
        columns: wanted.columns,
        rows: wanted.rows,
        consent: rules.consent,
        record: rules.record,
        ask_secs: rules.ask_secs,
        unanswered: rules.unanswered,
        clipboard: rules.clipboard,
        virtual_display: rules.virtual_display,
        idle_secs: limits::REMOTE_IDLE_DEFAULT_SECS,
        max_secs: limits::REMOTE_LIFETIME_SECS,
    })
}

impl OpenRemoteSession {
    /// SHA-256 of the pre-authentication encoding of the body.
    pub fn digest(&self) -> Digest {
        sha256(&[&pae(PayloadType::Grant.media_type(), self.body.as_bytes())])
    }

    /// The body, read back.
    ///
    /// # Errors
    /// When the stored text is no longer what was frozen.
    pub fn grant_body(&self) -> Result<GrantBody, BodyError> {
        GrantBody::parse(self.body.as_bytes())
    }

    /// What will happen, as one sentence for people.
    pub(super) fn sentence(&self) -> String {
        let what = match self.kind {
            RemoteKind::Terminal => "a terminal",
            RemoteKind::Background => "background management",
            RemoteKind::Files => "the files",
            RemoteKind::Viewer => "the screen",
        };
        let body = self.grant_body().ok();
        let account = body.as_ref().and_then(|body| body.action.remote_session()).and_then(|open| open.run_as.as_ref());
        let account = account.map_or(String::new(), |account| format!(" as {account}"));
        match (self.joins, self.access) {
            (Entry::Opens, Access::Control) => format!("Open {what}{account} on {}", self.target.name),
            (Entry::Opens, Access::View) => format!("Look at {what}{account} on {}", self.target.name),
            (Entry::Joins, Access::Control) => format!("Join {what} on {}", self.target.name),
            (Entry::Joins, Access::View) => format!("Watch {what} on {}", self.target.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use sallyport_grant::KeyId;
    use sallyport_grant::body::{Clipboard, Consent, Record, Unanswered};
    use sallyport_model::{DeviceId, RequestId};

    use super::*;
    use crate::remote_policy::{KindRules, RemotePolicy, Wish};

    const NOW: i64 = 1_790_000_000;

    fn wanted(kind: RemoteKind) -> WantedSession {
        let (columns, rows) = if kind == RemoteKind::Terminal { (80, 24) } else { (0, 0) };
        WantedSession {
            grant: GrantId::from_bytes([1; 16]),
            nonce: [2; 16],
            tenant: TenantId::from_bytes([3; 16]),
            user: UserId::from_bytes([4; 16]),
            email: "ada@example.test".into(),
            session: RemoteSessionId::from_bytes([5; 16]),
            kind,
            access: Access::Control,
            joins: Entry::Opens,
            client_key: [6; 32],
            run_as: None,
            columns,
            rows,
            target: Target { device: DeviceId::from_bytes([7; 16]), name: "web-1".into(), thumbprint: KeyId(sha256(&[b"web-1"])) },
            rules: RemotePolicy::default().apply(kind, Wish::None).unwrap(),
            policy: 0,
        }
    }

    fn asked(wanted: WantedSession, touched: u8) -> Result<(Action, Classified), WantedSessionError> {
        let hour = Hour { touched: (100..100 + touched).map(|n| DeviceId::from_bytes([n; 16])).collect() };
        open_remote_session(wanted, &hour, Timestamp::from_secs(NOW))
    }

    #[test]
    fn what_is_frozen_is_what_the_device_verifies() {
        let (action, classified) = asked(WantedSession { run_as: Some("deploy".into()), ..wanted(RemoteKind::Terminal) }, 0).unwrap();
        let Action::OpenRemoteSession(open) = &action else { panic!("a remote session") };
        let body = open.grant_body().unwrap();
        assert_eq!((classified.class, body.class, body.targets.count), (Class::OneDevice, Class::OneDevice, 1));
        assert_eq!(action.digest(RequestId::from_bytes([7; 16]), None), body.into_envelope().unwrap().digest());
        assert_eq!(action.sentence(), "Open a terminal as deploy on web-1");
    }

    #[test]
    fn the_tenants_rules_are_in_the_grant() {
        let rules = KindRules { consent: Consent::Ask, ask_secs: 20, unanswered: Unanswered::Allow, ..RemotePolicy::default().viewer };
        let policy = RemotePolicy { viewer: rules, clipboard: Clipboard::Off, ..RemotePolicy::default() };
        let rules = policy.apply(RemoteKind::Viewer, Wish::None).unwrap();
        let (action, _) = asked(WantedSession { rules, policy: 7, ..wanted(RemoteKind::Viewer) }, 0).unwrap();
        let Action::OpenRemoteSession(open) = &action else { panic!("a remote session") };
        let body = open.grant_body().unwrap();
        let granted = body.action.remote_session().unwrap();
        assert_eq!((granted.consent, granted.ask_secs, granted.unanswered), (Consent::Ask, 20, Unanswered::Allow));
        assert_eq!((granted.clipboard, granted.record, open.policy), (Clipboard::Off, Record::Session, 7));
    }

    #[test]
    fn every_kind_can_be_asked_for_and_watched() {
        for kind in RemoteKind::ALL {
            assert!(asked(wanted(kind), 0).is_ok(), "{kind:?}");
            let watched = WantedSession { joins: Entry::Joins, access: Access::View, columns: 0, rows: 0, ..wanted(kind) };
            assert!(asked(watched, 0).is_ok(), "{kind:?}");
        }
    }

    #[test]
    fn c5_the_sixth_device_of_an_hour_takes_a_fresh_code() {
        assert_eq!(asked(wanted(RemoteKind::Viewer), 4).unwrap().1.class, Class::OneDevice);
        assert_eq!(asked(wanted(RemoteKind::Viewer), 5).unwrap().1.class, Class::Fleet);
        assert_eq!(asked(wanted(RemoteKind::Viewer), 25).unwrap().1.class, Class::Mass);
    }

    #[test]
    fn what_no_device_would_take_is_not_asked_for() {
        let wrong = WantedSession { run_as: Some("deploy".into()), ..wanted(RemoteKind::Viewer) };
        assert_eq!(asked(wrong, 0), Err(WantedSessionError::Body(BodyError::Contradiction)));
        let wrong = WantedSession { run_as: Some("-x".into()), ..wanted(RemoteKind::Terminal) };
        assert_eq!(asked(wrong, 0), Err(WantedSessionError::RunAs(FieldError::RunAs)));
    }
}
