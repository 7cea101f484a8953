//! The way back of a tenant's only owner who has lost every factor and every code: the password, and the authority's word for exactly
//! this browser, this challenge and this account.
//!
//! Two proofs of different kinds, as NIST SP 800-63B-4 wants for a recovery (section 4.2.1): one that is known, one that is kept. A mailbox
//! is neither.

use sallyport_grant::recovery::Vouched;
use sallyport_model::{Email, TenantId};

use super::proof::Thumbprint;
use super::session::Method;
use super::sign_in::{PasswordPassed, SignedIn};
use crate::policy::Stage;

/// What a statement must be for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The address that was typed.
    pub email: &'a Email,
    /// This server's origin.
    pub server: &'a str,
    /// The key that signed the request.
    pub key: &'a Thumbprint,
    /// The challenge that was spent for it.
    pub challenge: &'a str,
}

/// Who else could help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// The account is an owner's, and no other owner could sign in and reset its factor.
    OnlyThis,
    /// It is none, or another owner could.
    Others,
}

/// Why a kit opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KitRefused {
    /// Something is wrong: the one answer of every failed sign-in.
    #[error("e-mail address, password or code is wrong")]
    Refused,
    /// All of it was right, and this is not the way for this account: people are.
    #[error("the kit recovers a tenant's only owner")]
    NotTheOnlyOwner,
}

/// Judges a right password with the authority's word beside it: a restricted session, which enrols a factor and nothing else.
///
/// # Errors
/// [`KitRefused::Refused`] for a statement that is missing, or for anything else than what was asked; whoever had all of it right is told
/// that another owner has to help.
pub fn judge_kit(
    passed: PasswordPassed,
    vouched: Option<&Vouched>,
    tenant: TenantId,
    asked: &Asked<'_>,
    owners: Owners,
) -> Result<SignedIn, KitRefused> {
    let user = passed.user();
    match (vouched.is_some_and(|vouched| is_for(vouched, tenant, asked)), owners) {
        (false, _) => Err(KitRefused::Refused),
        (true, Owners::Others) => Err(KitRefused::NotTheOnlyOwner),
        (true, Owners::OnlyThis) => {
            Ok(SignedIn { user, stage: Stage::Restricted, method: Method::AuthorityKit, used_step: None, step_up: None })
        }
    }
}

fn is_for(vouched: &Vouched, tenant: TenantId, asked: &Asked<'_>) -> bool {
    let said = vouched.body();
    let (key, wanted) = (said.key.as_bytes(), asked.key.as_bytes());
    said.tenant == tenant && said.email == *asked.email && said.server == asked.server && key == wanted && said.challenge == asked.challenge
}

#[cfg(test)]
mod tests {
    use sallyport_grant::body::{Body, LogKey, RecoveryBody, RecoveryType, RootBody, RootType};
    use sallyport_grant::recovery::Claimed;
    use sallyport_grant::{Hex, SignatureKind, SigningKey, VerifyKey};
    use sallyport_model::{Digest, Timestamp, UserId};

    use super::*;
    use crate::accounts::sign_in::{Account, Attempt, CodesKept, PasswordVerdict, UserState, judge_password};

    const SERVER: &str = "https://rmm.example";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn tenant() -> TenantId {
        TenantId::from_bytes([1; 16])
    }

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    fn body() -> RecoveryBody {
        RecoveryBody {
            r#type: RecoveryType::V1,
            tenant: tenant(),
            email: email("owner@nordwind.example"),
            server: SERVER.into(),
            key: Digest::from_bytes([7; 32]),
            challenge: "challenge".into(),
        }
    }

    fn vouched(body: RecoveryBody) -> Vouched {
        let public = |seed: u8| VerifyKey::of(&key(seed));
        let root = RootBody {
            r#type: RootType::V1,
            tenant: body.tenant,
            version: 1,
            issued: Timestamp::from_secs(1_790_000_000),
            expires: Timestamp::from_secs(1_890_000_000),
            threshold: 1,
            authority: vec![public(7)],
            link: Hex([1; 32]),
            attestation: public(2),
            log: LogKey { origin: LogKey::origin_of(body.tenant), key: public(3) },
            fresh: public(4),
            enrolment: public(5),
        };
        let envelope = body.into_envelope().unwrap().and_signed(SignatureKind::NativeEd25519, &key(7));
        Claimed::parse(&envelope.to_bytes()).unwrap().verify(&root).unwrap()
    }

    fn passed() -> PasswordPassed {
        let account = Account { user: UserId::from_bytes([1; 16]), state: UserState::Active, codes_kept: CodesKept::Confirmed };
        judge_password(Some(account), Attempt::Charged, PasswordVerdict::Right).unwrap()
    }

    fn judge(vouched: Option<&Vouched>, owners: Owners) -> Result<SignedIn, KitRefused> {
        let (email, key) = (email("owner@nordwind.example"), Thumbprint::from_bytes([7; 32]));
        judge_kit(passed(), vouched, tenant(), &Asked { email: &email, server: SERVER, key: &key, challenge: "challenge" }, owners)
    }

    #[test]
    fn rec_09_password_and_kit_open_a_restricted_session_without_a_step_up_window() {
        let signed_in = judge(Some(&vouched(body())), Owners::OnlyThis).expect("all of it holds");
        assert_eq!((signed_in.stage, signed_in.method, signed_in.step_up), (Stage::Restricted, Method::AuthorityKit, None));
        assert_eq!(judge(None, Owners::OnlyThis), Err(KitRefused::Refused));
    }

    #[test]
    fn rec_06_a_statement_for_anything_else_opens_nothing() {
        for other in [
            RecoveryBody { tenant: TenantId::from_bytes([2; 16]), ..body() },
            RecoveryBody { email: email("admin@nordwind.example"), ..body() },
            RecoveryBody { server: "https://rmm.example.evil.example".into(), ..body() },
            RecoveryBody { key: Digest::from_bytes([8; 32]), ..body() },
            RecoveryBody { challenge: "another".into(), ..body() },
        ] {
            assert_eq!(judge(Some(&vouched(other.clone())), Owners::OnlyThis), Err(KitRefused::Refused), "{other:?}");
        }
    }

    #[test]
    fn a12_where_another_owner_could_help_people_are_the_way() {
        assert_eq!(judge(Some(&vouched(body())), Owners::Others), Err(KitRefused::NotTheOnlyOwner));
        assert_eq!(judge(None, Owners::Others), Err(KitRefused::Refused), "who has not all of it right is told nothing");
    }
}
