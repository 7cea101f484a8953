//! How strongly a session was authenticated, in the words of RFC 9470 (`acr`, `auth_time`) and RFC 8176 (`amr`).

use sallyport_model::{Timestamp, limits};

use super::session::{Method, Session};
use super::webauthn::Eligibility;

/// Our classes of authentication, weakest first. Each satisfies what asks for a weaker one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// A password, or a password and a recovery code or the authority kit.
    Password,
    /// Two factors.
    MultiFactor,
    /// Two factors that no page of another origin can pass on: a passkey.
    PhishingResistant,
    /// The same, with a key that never leaves its hardware.
    PhishingResistantHardware,
}

impl Acr {
    /// All of them, weakest first.
    pub const ALL: [Acr; 4] = [Acr::Password, Acr::MultiFactor, Acr::PhishingResistant, Acr::PhishingResistantHardware];

    /// The documented name.
    pub fn as_str(self) -> &'static str {
        match self {
            Acr::Password => "urn:sallyport:acr:pwd",
            Acr::MultiFactor => "urn:sallyport:acr:mfa",
            Acr::PhishingResistant => "urn:sallyport:acr:phr",
            Acr::PhishingResistantHardware => "urn:sallyport:acr:phr-hw",
        }
    }

    /// Reads the name; others are nobody's.
    pub fn parse(text: &str) -> Option<Self> {
        Acr::ALL.into_iter().find(|acr| acr.as_str() == text)
    }

    /// Of a session's method. Only keys that no cloud may copy are taken for hardware.
    pub fn of(method: Method, keys: Eligibility) -> Self {
        match (method, keys) {
            (Method::Password | Method::RecoveryCode | Method::AuthorityKit, _) => Acr::Password,
            (Method::Totp, _) => Acr::MultiFactor,
            (Method::Passkey, Eligibility::Synced) => Acr::PhishingResistant,
            (Method::Passkey, Eligibility::DeviceBound) => Acr::PhishingResistantHardware,
        }
    }

    /// Whether it satisfies one of those that are asked for (RFC 9470, section 4: any one of the list is enough).
    pub fn satisfies(self, wanted: &[Acr]) -> bool {
        wanted.iter().any(|one| self >= *one)
    }
}

/// The methods of a session, from IANA's registry alone (RFC 8176): `mfa` where there were two, `hwk` only for a key that is not synced.
pub fn amr(method: Method, keys: Eligibility) -> &'static [&'static str] {
    match (method, keys) {
        // The registry has no word for a key that is kept on paper.
        (Method::Password | Method::AuthorityKit, _) => &["pwd"],
        (Method::RecoveryCode, _) => &["pwd", "otp"],
        (Method::Totp, _) => &["pwd", "otp", "mfa"],
        (Method::Passkey, Eligibility::Synced) => &["swk", "user", "mfa"],
        (Method::Passkey, Eligibility::DeviceBound) => &["hwk", "user", "mfa"],
    }
}

/// Whether a session's last active authentication is young enough (RFC 9470's `max_age`, in seconds). Zero always asks anew.
pub fn is_recent(session: &Session, max_age_secs: i64, now: Timestamp) -> bool {
    // A clock that went back makes no authentication younger.
    session.auth_time <= now && now.micros_since(session.auth_time) < max_age_secs.saturating_mul(1_000_000)
}

/// What is asked of the authentication behind a request (RFC 9470).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The weakest class that is enough.
    pub least: Acr,
    /// How old it may be, in seconds.
    pub max_age_secs: i64,
}

impl Wanted {
    /// Of a program that asks for something guarded in a person's session: two factors, proved within
    /// [`limits::PROGRAM_AUTH_SECS`]. The browser in which they were proved is not in front of the program.
    pub const GUARDED: Wanted = Wanted { least: Acr::MultiFactor, max_age_secs: limits::PROGRAM_AUTH_SECS };

    /// Whether a session's authentication is strong and young enough.
    pub fn is_met(self, session: &Session, keys: Eligibility, now: Timestamp) -> bool {
        Acr::of(session.method, keys) >= self.least && is_recent(session, self.max_age_secs, now)
    }

    /// The challenge of RFC 9470, section 3, in the scheme of our tokens: every class that is enough, and the age.
    pub fn challenge(self) -> String {
        let enough: Vec<&str> = Acr::ALL.into_iter().filter(|acr| *acr >= self.least).map(Acr::as_str).collect();
        let (acr, max_age) = (enough.join(" "), self.max_age_secs);
        format!("DPoP error=\"insufficient_user_authentication\", acr_values=\"{acr}\", max_age=\"{max_age}\", algs=\"ES256\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::proof::Thumbprint;
    use crate::accounts::session::{Activity, Timers};
    use crate::policy::Stage;
    use sallyport_model::SessionId;

    const METHODS: [Method; 5] = [Method::Totp, Method::Passkey, Method::RecoveryCode, Method::AuthorityKit, Method::Password];
    const KEYS: [Eligibility; 2] = [Eligibility::Synced, Eligibility::DeviceBound];

    #[test]
    fn step_02_classes_are_named_ordered_and_any_of_a_list_satisfies() {
        assert!(Acr::ALL.is_sorted());
        for acr in Acr::ALL {
            assert_eq!(Acr::parse(acr.as_str()), Some(acr));
            assert!(acr.satisfies(&[acr, Acr::PhishingResistantHardware]) && acr.satisfies(&[Acr::Password]));
            assert!(!acr.satisfies(&[]));
        }
        assert!(!Acr::of(Method::Totp, Eligibility::DeviceBound).satisfies(&[Acr::PhishingResistant]), "an authenticator can be phished");
        assert!(!Acr::of(Method::RecoveryCode, Eligibility::DeviceBound).satisfies(&[Acr::MultiFactor]));
        assert_eq!(Acr::parse("urn:sallyport:acr:MFA"), None);
    }

    #[test]
    fn step_03_the_age_counts_from_the_last_active_authentication() {
        let begun = Timestamp::from_secs(1_790_000_000);
        let session = Session {
            id: SessionId::from_bytes([1; 16]),
            key: Thumbprint::from_bytes([2; 32]),
            stage: Stage::Full,
            created: begun,
            last_active: begun,
            auth_time: begun,
            method: Method::Totp,
            step_up: None,
            timers: Timers::default(),
            account_ends: None,
        };
        let later = begun.plus_secs(300);
        let touched = Session { last_active: session.touch(Activity::Person, later).expect("activity"), ..session.clone() };
        for session in [&session, &touched] {
            assert!(is_recent(session, 301, later) && !is_recent(session, 300, later), "using a session does not renew it");
            assert!(!is_recent(session, 0, begun), "zero always asks");
            assert!(!is_recent(session, 600, begun.plus_secs(-1)), "nor does a clock that goes back");
        }
    }

    #[test]
    fn step_01_the_challenge_names_every_class_that_is_enough_and_the_age() {
        assert_eq!(
            Wanted { least: Acr::PhishingResistant, max_age_secs: 300 }.challenge(),
            "DPoP error=\"insufficient_user_authentication\", acr_values=\"urn:sallyport:acr:phr urn:sallyport:acr:phr-hw\", \
             max_age=\"300\", algs=\"ES256\""
        );
    }

    #[test]
    fn step_05_methods_are_registered_ones_and_say_what_is_true() {
        const IANA: [&str; 19] = [
            "face", "fpt", "geo", "hwk", "iris", "kba", "mca", "mfa", "otp", "pin", "pwd", "rba", "retina", "sc", "sms", "swk", "tel",
            "user", "vbm",
        ];
        for (method, keys) in METHODS.into_iter().flat_map(|method| KEYS.map(|keys| (method, keys))) {
            let amr = amr(method, keys);
            assert!(amr.iter().all(|word| IANA.contains(word)), "{amr:?}");
            assert_eq!(amr.contains(&"mfa"), Acr::of(method, keys) >= Acr::MultiFactor, "{amr:?}");
            assert!(!(amr.contains(&"hwk") && keys == Eligibility::Synced), "a synced key is in no hardware");
        }
    }
}
