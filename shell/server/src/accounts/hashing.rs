//! Argon2id in a bounded pool: two hashes at once, a short queue, and `busy` for whoever comes after that.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use sallyport_api::Code;
use sallyport_decide::accounts::password::Password;
use sallyport_decide::accounts::sign_in::PasswordVerdict;
use sallyport_model::limits;
use sallyport_store::ops::accounts::StoredPassword;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use zeroize::Zeroizing;

use crate::Refusal;
use crate::outside::{SharedEntropy, random};

/// OWASP's minimum for Argon2id; 19 MiB for each hash that runs.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Hashes that run at once: their memory is the product's peak.
const AT_ONCE: usize = 2;

/// Hashes and compares passwords.
pub(super) struct Hasher {
    inner: Arc<Inner>,
    queue: Arc<Semaphore>,
}

struct Inner {
    pepper: Zeroizing<[u8; 32]>,
    entropy: SharedEntropy,
    /// Compared with where there is no password, so that nothing is faster for names that are no account's.
    dummy: StoredPassword,
    count: AtomicU64,
    line: Mutex<Line>,
}

/// What waits to be hashed, and how many threads are at it.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    running: usize,
}

struct Job {
    password: Password,
    like: StoredPassword,
    made: oneshot::Sender<Result<StoredPassword, argon2::Error>>,
}

/// A place in the queue. Taken before an attempt is charged: who is sent away has not tried.
pub(super) struct Place {
    inner: Arc<Inner>,
    _queued: OwnedSemaphorePermit,
}

impl Hasher {
    pub(super) fn new(pepper: Zeroizing<[u8; 32]>, entropy: SharedEntropy) -> Self {
        let dummy = StoredPassword {
            salt: random::<SALT_BYTES>(&*entropy).to_vec(),
            hash: random::<HASH_BYTES>(&*entropy).to_vec(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
        };
        let inner = Inner { pepper, entropy, dummy, count: AtomicU64::new(0), line: Mutex::default() };
        Self { inner: Arc::new(inner), queue: Arc::new(Semaphore::new(limits::PASSWORDS_AT_ONCE)) }
    }

    pub(super) fn count(&self) -> u64 {
        self.inner.count.load(Ordering::Relaxed)
    }

    /// Takes a place, or says `busy`.
    pub(super) fn queue(&self) -> Result<Place, Refusal> {
        let queued = self.queue.clone().try_acquire_owned().map_err(|_| Refusal::from(Code::Busy).retry_after(1))?;
        Ok(Place { inner: self.inner.clone(), _queued: queued })
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
        let salt = random::<SALT_BYTES>(&*self.inner.entropy).to_vec();
        let wanted = StoredPassword { salt, hash: vec![0; HASH_BYTES], memory_kib: MEMORY_KIB, passes: PASSES, lanes: LANES };
        self.run(password, wanted).await
    }

    async fn run(&self, password: &Password, like: StoredPassword) -> Result<StoredPassword, Refusal> {
        let (made, answer) = oneshot::channel();
        if self.inner.wait_in_line(Job { password: password.clone(), like, made }) == Thread::Wanted {
            let inner = self.inner.clone();
            tokio::task::spawn_blocking(move || inner.work());
        }
        answer.await.map_err(|_| Code::Internal)?.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Code::Internal.into()
        })
    }
}

/// Whether the threads that hash are enough.
#[derive(PartialEq, Eq)]
enum Thread {
    Wanted,
    Enough,
}

impl Inner {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_in_line(&self, job: Job) -> Thread {
        let mut line = self.line();
        line.waiting.push_back(job);
        if line.running == AT_ONCE {
            return Thread::Enough;
        }
        line.running += 1;
        Thread::Wanted
    }

    /// Hashes until nobody waits. Its memory is taken once and given back at the end: fresh pages for each hash are a tenth of its time.
    fn work(&self) {
        let mut memory = Vec::new();
        while let Some(job) = self.next() {
            // Who hung up needs no hash; their attempt stays charged.
            if !job.made.is_closed() {
                let made = self.hash(&job.password, job.like, &mut memory);
                let _ = job.made.send(made);
            }
        }
    }

    /// The next in line; where there is none, the thread that asked counts as gone, under the same lock.
    fn next(&self) -> Option<Job> {
        let mut line = self.line();
        let job = line.waiting.pop_front();
        if job.is_none() {
            line.running -= 1;
        }
        job
    }

    fn hash(&self, password: &Password, mut like: StoredPassword, memory: &mut Vec<Block>) -> Result<StoredPassword, argon2::Error> {
        self.count.fetch_add(1, Ordering::Relaxed);
        let params = Params::new(like.memory_kib, like.passes, like.lanes, Some(HASH_BYTES))?;
        if memory.len() < params.block_count() {
            memory.resize(params.block_count(), Block::default());
        }
        let argon = Argon2::new_with_secret(&*self.pepper, Algorithm::Argon2id, Version::V0x13, params)?;
        let mut hash = vec![0; HASH_BYTES];
        argon.hash_password_into_with_memory(password.as_bytes(), &like.salt, &mut hash, memory)?;
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
        Hasher::new(Zeroizing::new([pepper; 32]), Arc::new(crate::outside::SystemEntropy))
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
        let places: Vec<Place> = (0..limits::PASSWORDS_AT_ONCE).map(|_| hasher.queue().unwrap()).collect();
        assert_eq!(hasher.queue().err().map(|refusal| refusal.code()), Some(Code::Busy));
        drop(places);
        assert!(hasher.queue().is_ok());
        let wanted: Vec<bool> = (0..limits::PASSWORDS_AT_ONCE).map(|_| hasher.inner.wait_in_line(job().0) == Thread::Wanted).collect();
        assert_eq!(wanted.iter().filter(|wanted| **wanted).count(), 2);
    }

    fn job() -> (Job, oneshot::Receiver<Result<StoredPassword, argon2::Error>>) {
        let (made, answer) = oneshot::channel();
        let like = StoredPassword { salt: vec![7; SALT_BYTES], hash: Vec::new(), memory_kib: 64, passes: PASSES, lanes: LANES };
        (Job { password: password("the same"), like, made }, answer)
    }

    #[test]
    fn memory_that_was_used_changes_no_hash() {
        let hasher = hasher(1);
        let alone = |kib: u32| {
            let like = StoredPassword { memory_kib: kib, ..job().0.like };
            hasher.inner.hash(&password("the same"), like, &mut Vec::new()).unwrap().hash
        };
        let mut memory = Vec::new();
        for kib in [64, 128, 64, 32] {
            let like = StoredPassword { memory_kib: kib, ..job().0.like };
            assert_eq!(hasher.inner.hash(&password("the same"), like, &mut memory).unwrap().hash, alone(kib), "{kib} KiB");
        }
    }

    #[test]
    fn a_thread_hashes_all_who_wait_but_those_who_hung_up_and_is_gone() {
        let hasher = hasher(1);
        let mut answers: Vec<_> = (0..5)
            .map(|_| {
                let (job, answer) = job();
                hasher.inner.wait_in_line(job);
                answer
            })
            .collect();
        answers.truncate(3);
        hasher.inner.work();
        assert!(answers.iter_mut().all(|answer| answer.try_recv().unwrap().is_ok()));
        assert_eq!((hasher.count(), hasher.inner.line().waiting.len()), (3, 0));
        assert_eq!(hasher.inner.line().running, 1, "the other thread that was wanted has not come by yet");
        hasher.inner.work();
        assert!(hasher.inner.wait_in_line(job().0) == Thread::Wanted);
    }
}
