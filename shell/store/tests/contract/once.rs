//! Keys of creations: each is good for one request of one caller, and for a day.

use sallyport_grant::sha256;
use sallyport_model::limits;
use sallyport_store::ops::once::{ClaimKey, Claimed, ForgetKey, ForgetOldKeys, KeepAnswer, KeyOf};

use crate::world::{moment, together};

fn key(caller: u8) -> KeyOf {
    KeyOf { caller: [caller; 16], key: sha256(&[b"one"]) }
}

fn claim(caller: u8, request: &str, secs: i64) -> ClaimKey {
    ClaimKey { of: key(caller), request: sha256(&[request.as_bytes()]), at: moment(secs) }
}

on_both! {
    async fn a_key_is_good_for_one_request(world) {
        let store = &world.store;
        assert_eq!(store.reserve(claim(1, "a job", 0)).await.unwrap(), Claimed::Now);
        assert_eq!(store.reserve(claim(1, "a job", 1)).await.unwrap(), Claimed::UnderWay);
        store.reserve(KeepAnswer { of: key(1), answer: b"done".to_vec() }).await.unwrap();
        assert_eq!(store.reserve(claim(1, "a job", 2)).await.unwrap(), Claimed::Before(b"done".to_vec()));
        assert_eq!(store.reserve(claim(1, "another job", 2)).await.unwrap(), Claimed::ForAnother, "the answer is of the first one");
        assert_eq!(store.reserve(claim(1, "a job", limits::IDEMPOTENCY_SECS)).await.unwrap(), Claimed::Now, "a day later");
    }

    async fn a_key_is_its_callers_own(world) {
        let store = &world.store;
        assert_eq!(store.reserve(claim(1, "a job", 0)).await.unwrap(), Claimed::Now);
        store.reserve(KeepAnswer { of: key(1), answer: b"done".to_vec() }).await.unwrap();
        assert_eq!(store.reserve(claim(2, "a job", 1)).await.unwrap(), Claimed::Now, "nobody gets somebody else's answer");
        store.reserve(ForgetKey { of: key(2) }).await.unwrap();
        assert_eq!(store.reserve(claim(2, "another job", 2)).await.unwrap(), Claimed::Now, "what was refused is sent again");
        assert_eq!(store.reserve(claim(1, "a job", 2)).await.unwrap(), Claimed::Before(b"done".to_vec()));
    }

    async fn of_many_that_claim_a_key_one_has_it(world) {
        let answers = together(&world.store, (0..8).map(|_| claim(1, "a job", 0))).await;
        let first = answers.iter().filter(|answer| matches!(answer, Ok(Claimed::Now))).count();
        assert_eq!(first, 1, "{answers:?}");
        world.store.reserve(ForgetOldKeys { at: moment(limits::IDEMPOTENCY_SECS) }).await.unwrap();
        assert_eq!(world.store.reserve(claim(1, "another job", 1)).await.unwrap(), Claimed::Now);
    }
}
