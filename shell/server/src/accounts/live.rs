//! What signing in keeps in memory: nonces, used proofs, the hashing pool, and who was signed out.

use std::sync::{Mutex, PoisonError};

use axum::http::HeaderValue;
use sallyport_api::Code;
use sallyport_decide::accounts::device_bound::DeviceCookies;
use sallyport_decide::accounts::proof::{Nonces, ProofError, ProvenKey, Seen};
use sallyport_decide::accounts::webauthn::Challenges;
use sallyport_model::{SessionId, Timestamp};
use tokio::sync::broadcast;
use zeroize::Zeroizing;

use super::BreachedLists;
use super::hashing::Hasher;
use super::whereabouts::Whereabouts;
use crate::keys::Keys;
use crate::outside::{SharedEntropy, random};
use crate::{App, Refusal};

/// Notes of ended sessions that wait for a slow stream; who misses one looks into the store.
const ENDED_BACKLOG: usize = 256;

/// The live part of signing in.
pub struct Live {
    pub(super) nonces: Nonces,
    pub(super) challenges: Challenges,
    pub(super) device_cookies: DeviceCookies,
    pub(super) hasher: Hasher,
    pub(super) breached: BreachedLists,
    pub(super) recovery_pepper: Zeroizing<[u8; 32]>,
    user_code_pepper: Zeroizing<[u8; 32]>,
    pub(super) unknown_names: Zeroizing<[u8; 32]>,
    pub(super) ended: broadcast::Sender<SessionId>,
    pub(super) whereabouts: Whereabouts,
    strangers: Mutex<Seen>,
    sessions: Mutex<Seen>,
}

impl Live {
    /// Derives what it needs from the master key. Nonces have a new key at each start, so that proofs from before a restart are dead.
    pub fn new(keys: &Keys, breached: BreachedLists, entropy: SharedEntropy) -> Self {
        Self {
            nonces: Nonces::new(random(&*entropy)),
            challenges: Challenges::new(*keys.derive("passkey-challenges")),
            device_cookies: DeviceCookies::new(*keys.derive("device-cookies")),
            hasher: Hasher::new(keys.derive("pepper"), entropy),
            breached,
            recovery_pepper: keys.derive("recovery-codes"),
            user_code_pepper: keys.derive("user-codes"),
            unknown_names: keys.derive("unknown-names"),
            ended: broadcast::Sender::new(ENDED_BACKLOG),
            whereabouts: Whereabouts::default(),
            strangers: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// What hashes the codes that people type for programs.
    pub(crate) fn user_code_pepper(&self) -> &[u8; 32] {
        &self.user_code_pepper
    }

    /// How many times Argon2id ran: every way through a sign-in must cost the same.
    pub fn hash_count(&self) -> u64 {
        self.hasher.count()
    }

    /// Listens to sessions that end here.
    pub(crate) fn endings(&self) -> broadcast::Receiver<SessionId> {
        self.ended.subscribe()
    }

    /// Tells open streams that a session ended.
    pub(crate) fn tell_ended(&self, session: SessionId) {
        // No stream listening is fine: the next request reads the store.
        let _ = self.ended.send(session);
    }

    /// Uses up the proof of somebody who has no session; apart from those who have, so that strangers cannot crowd them out.
    pub(crate) fn use_up_strange(&self, proof: &ProvenKey, now: Timestamp) -> Result<(), Refusal> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner).remember(proof, now).map_err(refused)
    }

    /// Uses up the proof of a live session.
    pub(crate) fn use_up(&self, proof: &ProvenKey, now: Timestamp) -> Result<(), Refusal> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remember(proof, now).map_err(refused)
    }
}

/// How a proof's error looks from outside.
pub(crate) fn refused(error: ProofError) -> Refusal {
    match error {
        ProofError::Nonce => Code::UseDpopNonce.into(),
        ProofError::Crowded => Refusal::from(Code::Busy).retry_after(1),
        other => Refusal::from(Code::ProofRefused).because(other),
    }
}

/// The nonce for the header `DPoP-Nonce` of every answer.
pub fn dpop_nonce(app: &App) -> HeaderValue {
    let nonce = app.accounts.nonces.issue(app.clock.now());
    HeaderValue::from_str(&nonce).expect("base64url is a header value")
}
