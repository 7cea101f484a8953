//! Running a script: from what was typed to the exact body that devices verify.

use sallyport_grant::body::{
    Body, BodyError, Class, EnvName, FieldError, GrantAction, GrantBody, GrantType, Interpreter, Person, RunAs, RunScript as GrantRun,
    SecretParameter,
};
use sallyport_grant::targets::{TargetTree, TargetsError};
use sallyport_grant::{Hex, PayloadType, pae, sha256};
use sallyport_model::{Digest, Email, GrantId, Name, ScriptId, TenantId, Timestamp, UserId, limits};
use serde::{Deserialize, Serialize};

use super::sentence::named;
use super::{Action, Classified, Hour, Target, classify};

/// A grant's window begins this long before it was asked for: a device whose clock is behind must not refuse it.
/// Devices grant [`limits::GRANT_SKEW_SECS`] beyond the lifetime, so that this much is never too long.
pub const CLOCK_BEHIND_SECS: i64 = 60;
const _: () = assert!(CLOCK_BEHIND_SECS <= limits::GRANT_SKEW_SECS);

/// A run as it was frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunScript {
    /// The grant's id.
    pub grant: GrantId,
    /// The script of the library.
    pub script: ScriptId,
    /// Its version.
    pub version: u32,
    /// Its text.
    pub text: String,
    /// The grant's body, verbatim: what is shown, signed, logged and verified.
    pub body: String,
    /// The devices.
    pub targets: Vec<Target>,
}

/// What somebody wants to run.
#[derive(Debug, Clone)]
pub struct WantedRun {
    /// The grant's id.
    pub grant: GrantId,
    /// 128 random bits.
    pub nonce: [u8; 16],
    /// Whose devices.
    pub tenant: TenantId,
    /// Who asks.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// The script of the library.
    pub script: ScriptId,
    /// Its version.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// What executes it.
    pub interpreter: Interpreter,
    /// The account on the device.
    pub run_as: Option<String>,
    /// Arguments in order.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Secret variables: names and commitments.
    pub secrets: Vec<(String, Digest)>,
    /// Ended after this.
    pub time_limit_secs: u32,
    /// Ended after this much output.
    pub output_limit_bytes: u64,
    /// The devices.
    pub targets: Vec<Target>,
}

/// Why a run cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WantedRunError {
    /// The devices are none, too many, or repeated.
    #[error(transparent)]
    Targets(#[from] TargetsError),
    /// A name or account is not acceptable.
    #[error("{field}: {why}")]
    Field {
        /// Which field of the request.
        field: &'static str,
        /// What is wrong.
        why: FieldError,
    },
    /// The script's name or the user's address is not acceptable.
    #[error("{0} is not acceptable")]
    Text(&'static str),
    /// Something is out of its limits.
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// Builds the action and the body that its devices will verify. The class is part of the body.
///
/// # Errors
/// When a field or the set of devices is not acceptable.
pub fn run_script(wanted: WantedRun, hour: &Hour, now: Timestamp) -> Result<(Action, Classified), WantedRunError> {
    let tree = TargetTree::build(wanted.tenant, wanted.targets.iter().map(|target| target.thumbprint))?;
    let mut action = unwritten(&wanted);
    let classified = classify(&Action::RunScript(action.clone()), hour);
    let bytes = body(&wanted, &tree, classified.class, now)?.into_bytes()?;
    action.body = String::from_utf8(bytes).map_err(|_| WantedRunError::Text("script"))?;
    Ok((Action::RunScript(action), classified))
}

/// The action before its body is written.
pub(super) fn unwritten(wanted: &WantedRun) -> RunScript {
    RunScript {
        grant: wanted.grant,
        script: wanted.script,
        version: wanted.version,
        text: wanted.text.clone(),
        body: String::new(),
        targets: wanted.targets.clone(),
    }
}

fn body(wanted: &WantedRun, tree: &TargetTree, class: Class, now: Timestamp) -> Result<GrantBody, WantedRunError> {
    let email = Email::parse(&wanted.email).map_err(|_| WantedRunError::Text("email"))?;
    Ok(GrantBody {
        r#type: GrantType::V1,
        id: wanted.grant,
        tenant: wanted.tenant,
        class,
        action: GrantAction::RunScript(run(wanted)?),
        targets: tree.targets(),
        not_before: now.plus_secs(-CLOCK_BEHIND_SECS),
        expires: now.plus_secs(limits::GRANT_LIFETIME_SECS),
        nonce: Hex(wanted.nonce),
        requested_by: Person { user: wanted.user, email },
    })
}

pub(super) fn run(wanted: &WantedRun) -> Result<GrantRun, WantedRunError> {
    let variable = |field: &'static str, name: &str| EnvName::parse(name).map_err(|why| WantedRunError::Field { field, why });
    Ok(GrantRun {
        name: Name::parse(&wanted.name).map_err(|_| WantedRunError::Text("name"))?,
        interpreter: wanted.interpreter,
        script_sha256: sha256(&[wanted.text.as_bytes()]),
        script_bytes: u32::try_from(wanted.text.len()).unwrap_or(u32::MAX),
        run_as: wanted.run_as.as_deref().map(RunAs::parse).transpose().map_err(|why| WantedRunError::Field { field: "run_as", why })?,
        arguments: wanted.arguments.clone(),
        environment: wanted
            .environment
            .iter()
            .map(|(name, value)| Ok((variable("environment", name)?, value.clone())))
            .collect::<Result<_, WantedRunError>>()?,
        secrets: wanted
            .secrets
            .iter()
            .map(|(name, commitment)| Ok(SecretParameter { name: variable("secrets", name)?, commitment: *commitment }))
            .collect::<Result<_, WantedRunError>>()?,
        time_limit_secs: wanted.time_limit_secs,
        output_limit_bytes: wanted.output_limit_bytes,
    })
}

impl RunScript {
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
        let Ok(GrantBody { action: GrantAction::RunScript(run), .. }) = self.grant_body() else {
            return format!("Run a script on {}", named(&self.targets));
        };
        let account = run.run_as.as_ref().map_or("root", RunAs::as_str);
        format!("Run {} v{} as {account} on {}", run.name, self.version, named(&self.targets))
    }
}

#[cfg(test)]
mod tests {
    use sallyport_grant::body::{FactorProof, ProofMethod};
    use sallyport_grant::{Envelope, KeyId, SigningKey, attest};
    use sallyport_model::DeviceId;

    use super::*;

    fn frozen(now: Timestamp) -> RunScript {
        frozen_with([2; 16], now)
    }

    fn frozen_with(nonce: [u8; 16], now: Timestamp) -> RunScript {
        let target = Target { device: DeviceId::from_bytes([5; 16]), name: "web-1".into(), thumbprint: KeyId(sha256(&[b"web-1"])) };
        let wanted = WantedRun {
            grant: GrantId::from_bytes([1; 16]),
            nonce,
            tenant: TenantId::from_bytes([3; 16]),
            user: UserId::from_bytes([4; 16]),
            email: "ada@example.test".into(),
            script: ScriptId::from_bytes([6; 16]),
            version: 1,
            name: "disk-clean".into(),
            text: "df -h\n".into(),
            interpreter: Interpreter::Sh,
            run_as: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            secrets: Vec::new(),
            time_limit_secs: limits::RUN_TIME_DEFAULT_SECS,
            output_limit_bytes: limits::RUN_OUTPUT_DEFAULT_BYTES,
            targets: vec![target],
        };
        match run_script(wanted, &Hour::default(), now).unwrap().0 {
            Action::RunScript(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_window_forgives_clocks_that_are_behind_and_is_not_too_long() {
        let now = Timestamp::from_secs(1_790_000_000);
        let body = frozen(now).grant_body().unwrap();
        assert_eq!(body.not_before, now.plus_secs(-CLOCK_BEHIND_SECS));
        let longest = limits::GRANT_LIFETIME_SECS + limits::GRANT_SKEW_SECS;
        assert!(body.expires <= body.not_before.plus_secs(longest));
        assert!(body.expires >= now.plus_secs(limits::REQUEST_LIFETIME_SECS), "some of it is left when the request lapses");
    }

    #[test]
    fn wa_15_every_bit_of_the_nonce_is_in_what_a_passkey_signs() {
        let now = Timestamp::from_secs(1_790_000_000);
        for bit in 0..128 {
            let mut nonce = [2; 16];
            nonce[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(frozen_with(nonce, now).digest(), frozen(now).digest(), "bit {bit}");
        }
    }

    #[test]
    fn what_was_frozen_is_attested_as_it_is_until_the_request_lapses() {
        let now = Timestamp::from_secs(1_790_000_000);
        let run = frozen(now);
        for secs in [0, limits::REQUEST_LIFETIME_SECS] {
            let email = Email::parse("ada@example.test").unwrap();
            let proof = FactorProof { user: UserId::from_bytes([4; 16]), email, method: ProofMethod::Totp, at: now.plus_secs(secs) };
            let unsigned = Envelope::unsigned(PayloadType::Grant, run.body.clone().into_bytes());
            let envelope = attest::sign(unsigned, vec![proof], &SigningKey::from_bytes(&[7; 32])).unwrap();
            assert_eq!((envelope.digest(), envelope.payload()), (run.digest(), run.body.as_bytes()));
        }
    }
}
