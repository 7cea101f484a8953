//! People on both engines: set-up closes once, codes and steps are used once, sessions end.

use sallyport_decide::accounts::recovery::RecoveryCode;
use sallyport_decide::accounts::session::{Method, StepUpWindow};
use sallyport_decide::accounts::sign_in::{
    Attempt, Counts, PasswordVerdict, RecoveryVerdict, SignedIn, TotpFactor, judge_password, judge_recovery, judge_totp,
};
use sallyport_decide::accounts::throttle::Charged;
use sallyport_decide::accounts::totp::{Code, Secret, Step};
use sallyport_decide::policy::Stage;
use sallyport_model::{CustomerId, Digest, Email, FactorId, Name, SessionId, SiteId, Timestamp, UserId, limits};
use sallyport_store::ops::accounts::{
    ChargeDraft, ChargeFactor, ChargePassword, ChargedCredential, ChargedFactor, ChargedPassword, ConfirmRecoveryCodes, Draft,
    EndOtherSessions, EndReason, EndSession, FinishSetup, NewSession, OfferSetup, OpenSession, RecordFailure, SaveDraft, SetupState,
    StoredPassword, TouchSession, Used, factors, is_setup_open, is_setup_token, live_session, recovery_codes_left, server_keys, sessions,
    trust_root,
};
use sallyport_store::{Store, StoreError};

use crate::world::ours;

const PEPPER: [u8; 32] = [9; 32];

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_790_000_010 + secs)
}

fn user() -> UserId {
    UserId::from_bytes([1; 16])
}

fn email() -> Email {
    Email::parse("owner@nordwind.example").unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn code(n: u8) -> RecoveryCode {
    RecoveryCode::from_bytes([n; 15])
}

fn secret() -> Secret {
    Secret::from_bytes([3; 20])
}

fn draft() -> Draft {
    Draft {
        token: digest(20),
        tenant: ours(),
        tenant_name: Name::parse("Nordwind").unwrap(),
        name: Name::parse("Amelie").unwrap(),
        email: email(),
        password: StoredPassword { salt: vec![1; 16], hash: vec![2; 32], memory_kib: 19_456, passes: 2, lanes: 1 },
        factor: FactorId::from_bytes([4; 16]),
        totp_sealed: vec![5; 48],
        keys_sealed: vec![6; 188],
        created: at(0),
    }
}

fn session(token: u8, stage: Stage, now: Timestamp) -> NewSession {
    NewSession {
        id: SessionId::from_bytes([token; 16]),
        user: user(),
        token: digest(token),
        key: [7; 32],
        stage,
        method: Method::Totp,
        step_up: Some(StepUpWindow::open(now)),
        replaces: None,
        address: "192.0.2.1".to_owned(),
        user_agent: "test".to_owned(),
        at: now,
        salt: [token; 32],
    }
}

fn finish() -> FinishSetup {
    FinishSetup {
        setup_token: digest(10),
        draft: draft(),
        user: user(),
        used_step: Step::at(at(0)),
        recovery_factor: FactorId::from_bytes([8; 16]),
        recovery_hashes: (0..10).map(|n| code(n).stored(&PEPPER, user())).collect(),
        root_envelope: b"root".to_vec(),
        customer: CustomerId::from_bytes([11; 16]),
        site: SiteId::from_bytes([12; 16]),
        session: session(30, Stage::Codes, at(0)),
        at: at(0),
        salt: [1; 32],
    }
}

async fn set_up(store: &Store) {
    assert_eq!(store.reserve(OfferSetup { token: digest(10) }).await.unwrap(), SetupState::Open);
    store.reserve(SaveDraft(draft())).await.unwrap();
    store.commit(finish()).await.unwrap();
}

/// Charges password and factor as a sign-in does; the shell's verdict is given.
async fn charge(store: &Store, factor: ChargedFactor, now: Timestamp) -> (ChargedPassword, ChargedCredential) {
    let attempt = ChargePassword { email: email(), address: "192.0.2.1".to_owned(), bucket: [0; 2], at: now };
    let charged = store.reserve(attempt).await.unwrap();
    let credential = store.reserve(ChargeFactor { subject: charged.subject, factor, at: now }).await.unwrap();
    (charged, credential)
}

async fn signed_in_by_code(store: &Store, now: Timestamp) -> (ChargedPassword, SignedIn) {
    let (charged, credential) = charge(store, ChargedFactor::Totp(user()), now).await;
    let ChargedCredential::Totp(facts) = credential else { panic!("the owner has an authenticator") };
    let facts = &facts[0];
    let account = charged.account.as_ref().map(|facts| facts.account);
    let passed = judge_password(account, charged.attempt, PasswordVerdict::Right).unwrap();
    let factor = TotpFactor { secret: &secret(), last_step: facts.last_step, charged: facts.charged, counts: Counts::Now };
    let signed_in = judge_totp(passed, &factor, &Code::at(&secret(), Step::at(now)), now).unwrap();
    (charged, signed_in)
}

fn open(charged: &ChargedPassword, signed_in: SignedIn, used: Used, token: u8, now: Timestamp) -> OpenSession {
    let session = session(token, signed_in.stage, now);
    OpenSession { tenant: ours(), signed_in, used, subject: Some(charged.subject), session, breached: None }
}

on_both! {
    async fn the_set_up_closes_in_the_transaction_that_makes_the_tenant(world) {
        let store = &world.store;
        assert!(!is_setup_open(&mut store.read().await.unwrap()).await.unwrap());
        assert!(matches!(store.commit(finish()).await, Err(StoreError::Conflict)), "never offered");
        set_up(store).await;
        let mut reader = store.read().await.unwrap();
        assert!(!is_setup_token(&mut reader, digest(10)).await.unwrap());
        assert_eq!(server_keys(&mut reader).await.unwrap()[0].sealed, draft().keys_sealed);
        assert_eq!(trust_root(&mut reader, ours()).await.unwrap(), b"root");
        drop(reader);
        assert_eq!(store.reserve(OfferSetup { token: digest(11) }).await.unwrap(), SetupState::Closed);
        assert!(matches!(store.commit(finish()).await, Err(StoreError::Conflict)), "closed for good");
        assert!(store.reserve(ChargeDraft { token: digest(20) }).await.unwrap().is_none(), "drafts are gone");
        assert_eq!(world.check_log(ours()).await, 2, "setup.finished and session.opened");
    }

    async fn a_draft_is_charged_before_it_is_judged(world) {
        world.store.reserve(SaveDraft(draft())).await.unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..11 {
            outcomes.push(world.store.reserve(ChargeDraft { token: digest(20) }).await.unwrap().unwrap().1);
        }
        assert_eq!((outcomes[8], outcomes[9], outcomes[10]), (Charged::Open, Charged::Last, Charged::Locked));
    }

    async fn totp_07_of_fifty_who_judged_the_same_code_right_one_opens_a_session(world) {
        set_up(&world.store).await;
        let now = at(30);
        let (charged, signed_in) = signed_in_by_code(&world.store, now).await;
        let mut tasks = Vec::new();
        for n in 0..50 {
            let (store, charged) = (world.store.clone(), charged.clone());
            let change = open(&charged, signed_in, Used::Totp(draft().factor), 100 + n, now);
            tasks.push(tokio::spawn(async move { store.commit(change).await }));
        }
        let mut opened = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => opened += 1,
                Err(error) => assert!(matches!(error, StoreError::Conflict), "{error}"),
            }
        }
        assert_eq!(opened, 1);
        let row = factors(&mut world.store.read().await.unwrap(), user()).await.unwrap().remove(0);
        assert_eq!((row.counter.failures, row.last_used), (0, Some(now)));
    }

    async fn rec_03_a_recovery_code_is_used_once(world) {
        set_up(&world.store).await;
        let hash = code(3).stored(&PEPPER, user());
        let (charged, credential) = charge(&world.store, ChargedFactor::Recovery(user(), hash), at(60)).await;
        let ChargedCredential::Recovery { factor, charged: outcome, held } = credential else { panic!("the owner has codes") };
        assert!(held);
        let passed = judge_password(charged.account.as_ref().map(|facts| facts.account), charged.attempt, PasswordVerdict::Right).unwrap();
        let signed_in = judge_recovery(passed, outcome, RecoveryVerdict::Held).unwrap();
        let used = || Used::Recovery { factor, hash, salt: [4; 32] };
        world.store.commit(open(&charged, signed_in, used(), 40, at(60))).await.unwrap();
        let again = world.store.commit(open(&charged, signed_in, used(), 41, at(60))).await;
        assert!(matches!(again, Err(StoreError::Conflict)));
        let (_, credential) = charge(&world.store, ChargedFactor::Recovery(user(), hash), at(61)).await;
        assert!(matches!(credential, ChargedCredential::Recovery { held: false, .. }));
        assert_eq!(recovery_codes_left(&mut world.store.read().await.unwrap(), user()).await.unwrap(), 9);
    }

    async fn pwd_10_11_wrong_passwords_are_counted_for_each_kind_of_source(world) {
        set_up(&world.store).await;
        let attempt = |address: &str| ChargePassword { email: email(), address: address.to_owned(), bucket: [0; 2], at: at(60) };
        for _ in 0..10 {
            assert_eq!(world.store.reserve(attempt("198.51.100.9")).await.unwrap().attempt, Attempt::Charged);
        }
        assert_eq!(world.store.reserve(attempt("198.51.100.9")).await.unwrap().attempt, Attempt::Waiting);
        assert_eq!(world.store.reserve(attempt("203.0.113.7")).await.unwrap().attempt, Attempt::Waiting, "all strangers together");
        assert_eq!(world.store.reserve(attempt("192.0.2.1")).await.unwrap().attempt, Attempt::Charged, "where the owner signed in before");
        let unknown = ChargePassword { email: Email::parse("nobody@x.example").unwrap(), ..attempt("198.51.100.9") };
        assert!(world.store.reserve(unknown).await.unwrap().account.is_none());
    }

    async fn strangers_fill_no_log(world) {
        set_up(&world.store).await;
        let before = world.check_log(ours()).await;
        for n in 0..40 {
            let account = (n % 2 == 0).then(|| (ours(), user()));
            world.store.reserve(RecordFailure { account, locks: Vec::new(), at: at(n), salts: [[1; 32], [2; 32]] }).await.unwrap();
        }
        assert_eq!(world.check_log(ours()).await, before + 2, "one for the account, one for all other names");
        let factor = draft().factor;
        charge(&world.store, ChargedFactor::Totp(user()), at(50)).await;
        for _ in 0..2 {
            let failure = RecordFailure { account: Some((ours(), user())), locks: vec![factor], at: at(50), salts: [[1; 32], [2; 32]] };
            world.store.reserve(failure).await.unwrap();
        }
        assert_eq!(world.check_log(ours()).await, before + 3, "factor.locked, once");
    }

    async fn ses_02_05_sessions_rotate_and_end(world) {
        set_up(&world.store).await;
        let store = &world.store;
        let find = async |token: u8| live_session(&mut store.read().await.unwrap(), digest(token), crate::world::moment(0)).await.unwrap();
        let confirm = || ConfirmRecoveryCodes {
            tenant: ours(), user: user(), session: SessionId::from_bytes([30; 16]), token: digest(31), at: at(1), salt: [2; 32],
        };
        store.commit(confirm()).await.unwrap();
        assert!(matches!(store.commit(confirm()).await, Err(StoreError::Conflict)), "once");
        assert!(find(30).await.is_none(), "the old token is dead");
        let live = find(31).await.unwrap();
        assert_eq!((live.session.stage, live.email.as_str(), live.tenant), (Stage::Full, "owner@nordwind.example", ours()));
        store.reserve(TouchSession { session: live.session.id, at: at(600) }).await.unwrap();
        assert_eq!(find(31).await.unwrap().session.last_active, at(600));
        let (charged, signed_in) = signed_in_by_code(store, at(30)).await;
        store.commit(open(&charged, signed_in, Used::Totp(draft().factor), 50, at(30))).await.unwrap();
        assert_eq!(sessions(&mut store.read().await.unwrap(), user()).await.unwrap().len(), 2);
        let others = EndOtherSessions { tenant: ours(), user: user(), kept: live.session.id, at: at(700), salt: [3; 32] };
        assert_eq!(store.commit(others).await.unwrap(), [SessionId::from_bytes([50; 16])]);
        assert!(find(50).await.is_none());
        let end = || EndSession {
            tenant: ours(), user: user(), session: live.session.id, reason: EndReason::SignedOut, at: at(701), salt: [3; 32],
        };
        store.commit(end()).await.unwrap();
        assert!(find(31).await.is_none());
        assert!(matches!(store.commit(end()).await, Err(StoreError::NotFound)));
    }

    async fn a_user_has_a_limited_number_of_sessions(world) {
        set_up(&world.store).await;
        for n in 1..=25u8 {
            let now = at(i64::from(n) * 30);
            let (charged, signed_in) = signed_in_by_code(&world.store, now).await;
            world.store.commit(open(&charged, signed_in, Used::Totp(draft().factor), 100 + n, now)).await.unwrap();
        }
        let live = sessions(&mut world.store.read().await.unwrap(), user()).await.unwrap();
        assert_eq!(live.len(), limits::SESSIONS_PER_USER);
        assert_eq!(live[0].session.created, at(25 * 30), "the newest stay");
    }
}
