//! Argon2id in a bounded pool: two hashes at once, a short queue, and `busy` for whoever comes after that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{Algorithm, Argon2, Params, Version};
use sallyport_api::Code;
use sallyport_decide::accounts::password::Password;
use sallyport_decide::accounts::sign_in::PasswordVerdict;
use sallyport_store::ops::accounts::StoredPassword;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::Refusal;
use crate::clock::random;

/// OWASP's minimum for Argon2id; 19 MiB for each hash that runs.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Hashes that run at once: their memory is the product's peak.
const AT_ONCE: usize = 2;
/// Sign-ins that run or wait. At 20 ms each, the last one waits less than a second.
const QUEUE: usize = 64;

/// Hashes and compares passwords.
pub(super) struct Hasher {
    inner: Arc<Inner>,
    running: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

struct Inner {
    pepper: Zeroizing<[u8; 32]>,
    /// Compared with where there is no password, so that nothing is faster for names that are no account's.
    dummy: StoredPassword,
    count: AtomicU64,
}

/// A place in the queue. Taken before an attempt is charged: who is sent away has not tried.
pub(super) struct Place {
    inner: Arc<Inner>,
    running: Arc<Semaphore>,
    _queued: OwnedSemaphorePermit,
}

impl Hasher {
    pub(super) fn new(pepper: Zeroizing<[u8; 32]>) -> Self {
        let dummy = StoredPassword {
            salt: random::<SALT_BYTES>().to_vec(),
            hash: random::<HASH_BYTES>().to_vec(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
        };
        let inner = Arc::new(Inner { pepper, dummy, count: AtomicU64::new(0) });
        Self { inner, running: Arc::new(Semaphore::new(AT_ONCE)), queue: Arc::new(Semaphore::new(QUEUE)) }
    }

    pub(super) fn count(&self) -> u64 {
        self.inner.count.load(Ordering::Relaxed)
    }

    /// Takes a place, or says `busy`.
    pub(super) fn queue(&self) -> Result<Place, Refusal> {
        let queued = self.queue.clone().try_acquire_owned().map_err(|_| Refusal::from(Code::Busy).retry_after(1))?;
        Ok(Place { inner: self.inner.clone(), running: self.running.clone(), _queued: queued })
    }
}

impl Place {
    /// Compares with a stored password; with the dummy where there is none, which is never right.
    pub(super) async fn verify(&self, password: &Password, stored: Option<&StoredPassword>) -> Result<PasswordVerdict, Refusal> {
        let (wanted, exists) = (stored.unwrap_or(&self.inner.dummy).clone(), stored.is_some());
        let made = self.run(password, wanted.clone()).await?;
        let same: bool = made.hash.ct_eq(&wanted.hash).into();
        Ok(if same && exists { PasswordVerdict::Right } else { PasswordVerdict::Wrong })
    }

    /// Hashes a new password at today's cost.
    pub(super) async fn hash(&self, password: &Password) -> Result<StoredPassword, Refusal> {
        let salt = random::<SALT_BYTES>().to_vec();
        let wanted = StoredPassword { salt, hash: vec![0; HASH_BYTES], memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES };
        self.run(password, wanted).await
    }

    /// Runs on a thread for blocking work. The permit goes along, so that a caller who hangs up frees nothing too early.
    async fn run(&self, password: &Password, like: StoredPassword) -> Result<StoredPassword, Refusal> {
        let permit = self.running.clone().acquire_owned().await.map_err(|_| Code::Internal)?;
        let (inner, password) = (self.inner.clone(), password.clone());
        let work = move || {
            let made = inner.hash(&password, like);
            drop(permit);
            made
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Code::Internal)?.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Code::Internal.into()
        })
    }
}

impl Inner {
    fn hash(&self, password: &Password, mut like: StoredPassword) -> Result<StoredPassword, argon2::Error> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let params = Params::new(like.memory_kib, like.passes, like.lanes, Some(HASH_BYTES))?;
        let argon = Argon2::new_with_secret(&*self.pepper, Algorithm::Argon2id, Version::V0x13, params)?;
        let mut hash = vec![0; HASH_BYTES];
        argon.hash_password_into(password.as_bytes(), &like.salt, &mut hash)?;
        like.hash = hash;
        Ok(like)
    }
}

/// Whether a stored hash is cheaper than what is made today.
pub(super) fn is_outdated(stored: &StoredPassword) -> bool {
    stored.memory_kib < MEMORY_KIB || stored.passes < PASSES || stored.lanes < LANES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher(pepper: u8) -> Hasher {
        Hasher::new(Zeroizing::new([pepper; 32]))
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn pwd_02_passwords_that_differ_at_the_end_are_different() {
        let (hasher, long) = (hasher(1), "a".repeat(72));
        let place = hasher.queue().unwrap();
        let stored = place.hash(&password(&format!("{long}b"))).await.unwrap();
        assert_eq!(place.verify(&password(&format!("{long}b")), Some(&stored)).await.unwrap(), PasswordVerdict::Right);
        assert_eq!(place.verify(&password(&format!("{long}c")), Some(&stored)).await.unwrap(), PasswordVerdict::Wrong);
        assert_eq!(place.verify(&password(&long), Some(&stored)).await.unwrap(), PasswordVerdict::Wrong);
    }

    #[tokio::test]
    async fn pwd_07_cost_and_salt_are_stored_with_each_hash() {
        let place = hasher(1).queue().unwrap();
        let (one, two) = (place.hash(&password("the same")).await.unwrap(), place.hash(&password("the same")).await.unwrap());
        assert_eq!((one.memory_kib, one.passes, one.lanes), (19_456, 2, 1));
        assert!(one.salt.len() >= 16 && one.salt != two.salt && one.hash != two.hash);
        assert!(!is_outdated(&one) && is_outdated(&StoredPassword { memory_kib: 8192, ..one }));
    }

    #[tokio::test]
    async fn pwd_08_a_hash_is_worth_nothing_without_the_pepper() {
        let stored = hasher(1).queue().unwrap().hash(&password("the same")).await.unwrap();
        let verdict = hasher(2).queue().unwrap().verify(&password("the same"), Some(&stored)).await.unwrap();
        assert_eq!(verdict, PasswordVerdict::Wrong);
    }

    #[tokio::test]
    async fn pwd_15_no_account_costs_one_hash_too_and_is_never_right() {
        let hasher = hasher(1);
        let verdict = hasher.queue().unwrap().verify(&password("anything"), None).await.unwrap();
        assert_eq!((verdict, hasher.count()), (PasswordVerdict::Wrong, 1));
    }

    #[tokio::test]
    async fn pwd_09_two_run_the_rest_waits_and_the_queue_has_an_end() {
        let hasher = hasher(1);
        let places: Vec<Place> = (0..QUEUE).map(|_| hasher.queue().unwrap()).collect();
        assert_eq!(hasher.queue().err().map(|refusal| refusal.code()), Some(Code::Busy));
        assert_eq!(hasher.running.available_permits(), 2);
        drop(places);
        assert!(hasher.queue().is_ok());
    }
}
