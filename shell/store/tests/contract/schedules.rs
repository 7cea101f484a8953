//! Occurrences of schedules: decided once, whoever comes, and let go one by one.

use std::collections::BTreeSet;

use sallyport_decide::schedules::{MembershipRule, ScheduleState, Void};
use sallyport_grant::body::{
    Body, Class, FactorProof, GrantAction, GrantBody, GrantType, Interpreter, Person, ProofMethod, RunSchedule, RunScript,
};
use sallyport_grant::schedule::{Offset, ScheduleTerms, jitter, occurrence_id};
use sallyport_grant::targets::TargetTree;
use sallyport_grant::{Hex, KeyId, SigningKey, attest, sha256};
use sallyport_model::{
    CustomerId, DeviceId, Digest, Email, GrantId, InstallerId, JobId, Name, ScheduleId, ScriptId, SiteId, Timestamp, UserId, limits,
};
use sallyport_store::ops::jobs::{self, JobFilter, Whose};
use sallyport_store::ops::schedules::{Advance, Advanced, Release, Resume, Resumed, ScheduleRow, candidates, due_before, schedule};
use sallyport_store::{Store, StoreError, Value, values};

use crate::fleet::allowed;
use crate::world::{Sql, moment, ours, theirs, together};

const HOUR: i64 = 3600;

fn id() -> ScheduleId {
    ScheduleId::from_bytes([7; 16])
}

fn user() -> UserId {
    UserId::from_bytes([1; 16])
}

fn device(n: u8) -> DeviceId {
    DeviceId::from_bytes([n; 16])
}

fn script() -> ScriptId {
    ScriptId::from_bytes([5; 16])
}

async fn insert(store: &Store, sql: &'static str, args: &[Value]) {
    store.reserve(Sql(sql, args.to_vec())).await.unwrap();
}

/// What a schedule of these tests differs in.
#[derive(Default)]
struct Published {
    rule: Option<MembershipRule>,
    jitter_secs: u32,
}

fn body(devices: u8, published: &Published) -> GrantBody {
    let run = RunScript {
        name: Name::parse("nightly").unwrap(),
        interpreter: Interpreter::Sh,
        script_sha256: sha256(&[b"true"]),
        script_bytes: 4,
        run_as: None,
        arguments: Vec::new(),
        environment: Vec::new(),
        secrets: Vec::new(),
        time_limit_secs: 60,
        output_limit_bytes: 1024,
    };
    let terms = ScheduleTerms {
        cron: "0 * * * *".to_owned(),
        zone: "UTC".to_owned(),
        offsets: vec![Offset { from: Timestamp::default(), secs: 0 }],
        window: None,
        late_secs: 1800,
        jitter_secs: published.jitter_secs,
        gap_secs: 0,
        at_once: 1,
    };
    let tree = TargetTree::build(ours(), (1..=devices).map(|n| KeyId(Digest::from_bytes([n; 32])))).unwrap();
    GrantBody {
        r#type: GrantType::V1,
        id: GrantId::from_bytes([3; 16]),
        tenant: ours(),
        class: Class::Fleet,
        action: GrantAction::RunSchedule(RunSchedule {
            schedule: id(),
            run,
            terms,
            rule: published.rule.as_ref().map(MembershipRule::digest),
        }),
        targets: tree.targets(),
        not_before: moment(0),
        expires: moment(10 * 24 * HOUR),
        nonce: Hex([1; 16]),
        requested_by: Person { user: user(), email: Email::parse("ada@example.test").unwrap() },
    }
}

async fn add_owner(store: &Store) {
    insert(store, "INSERT INTO tenants (id, name, step_up_secs, created, version) VALUES ($1, 'Nordwind', 300, 0, 1)", values![ours()])
        .await;
    let sql = "INSERT INTO users (id, tenant, email, name, state, codes_kept, created, version) VALUES ($1, $2, 'ada@example.test', 'Ada', 'active', 1, 0, 1)";
    insert(store, sql, values![user(), ours()]).await;
    let sql = "INSERT INTO assignments (user_id, role, scope_kind, scope) VALUES ($1, 'owner', 'tenant', $2)";
    insert(store, sql, values![user(), ours()]).await;
}

/// An hourly schedule on so many devices, published at the world's time, which is 14:13:20.
async fn published(store: &Store, devices: u8) {
    published_as(store, devices, &Published::default()).await;
}

async fn published_as(store: &Store, devices: u8, published: &Published) {
    let (customer, site) = (CustomerId::from_bytes([1; 16]), SiteId::from_bytes([1; 16]));
    insert(store, "INSERT INTO customers (id, tenant, name, created) VALUES ($1, $2, 'C', 0)", values![customer, ours()]).await;
    insert(store, "INSERT INTO sites (id, tenant, customer, name, created) VALUES ($1, $2, $3, 'S', 0)", values![site, ours(), customer])
        .await;
    insert(
        store,
        "INSERT INTO scripts (id, tenant, name, description, version) VALUES ($1, $2, 'nightly', '', 1)",
        values![script(), ours()],
    )
    .await;
    add_owner(store).await;
    for n in 1..=devices {
        let sql = "INSERT INTO devices (id, tenant, site, thumbprint, device_key, seal_key, name, os, agent_version, state, installer, enrolled, \
                   enrolled_from, tags, signed_in, alerts, version) \
                   VALUES ($1, $2, $3, $4, $4, $4, 'web', 'Debian', '1', 'approved', $5, 0, '192.0.2.1', '', '', '', 1)";
        insert(store, sql, values![device(n), ours(), site, [n; 32], InstallerId::from_bytes([1; 16])]).await;
    }
    let email = Email::parse("ada@example.test").unwrap();
    let proof = FactorProof { user: user(), email, method: ProofMethod::Totp, at: moment(0) };
    let envelope = attest::sign(body(devices, published).into_envelope().unwrap(), vec![proof], &SigningKey::from_bytes(&[7; 32])).unwrap();
    let text = String::from_utf8(envelope.to_bytes()).unwrap();
    let sql = "INSERT INTO schedules (id, tenant, name, script, script_version, state, changed, changed_by, grant_id, envelope, digest, content, \
               published, published_by, published_by_id, expires, log_index, decided, next_due, missed, version, rule) \
               VALUES ($1, $2, 'Nightly', $3, 1, 'active', $4, 'Ada', $5, $6, $7, 'true', $4, 'Ada', $8, $9, 0, $4, $10, 0, 1, $11)";
    let grant = GrantId::from_bytes([3; 16]);
    let rule = published.rule.as_ref().map(|rule| serde_json::to_string(rule).unwrap());
    let (expires, next_due) = (moment(10 * 24 * HOUR), moment(2800));
    let args = values![id(), ours(), script(), moment(0), grant, text, envelope.digest(), user(), expires, next_due, rule];
    insert(store, sql, args).await;
    for n in 1..=devices {
        let sql = "INSERT INTO schedule_targets (schedule, device, thumbprint, target_index, target_proof) VALUES ($1, $2, $3, 0, $4)";
        insert(store, sql, values![id(), device(n), [n; 32], Vec::<u8>::new()]).await;
    }
}

async fn row(store: &Store) -> ScheduleRow {
    schedule(&mut store.read().await.unwrap(), ours(), id()).await.unwrap()
}

/// 15:00 is 2800 seconds after the world's time.
fn due(hours: i64) -> Timestamp {
    moment(2800 + hours * HOUR)
}

fn advance(row: &ScheduleRow, at: Timestamp, n: u8) -> Advance {
    Advance { tenant: ours(), schedule: id(), version: row.version, job: JobId::from_bytes([n; 16]), at, salt: [n; 32] }
}

async fn occurrences(store: &Store) -> Vec<jobs::JobRow> {
    let filter = JobFilter { schedule: Some(id()), ..JobFilter::default() };
    jobs::list(&mut store.read().await.unwrap(), &Whose::all(ours()), &filter, None, 100).await.unwrap()
}

on_both! {
    async fn a27_of_many_that_decide_one_occurrence_one_does(world) {
        published(&world.store, 2).await;
        let row = row(&world.store).await;
        let answers = together(&world.store, (1..=8).map(|n| advance(&row, due(0), n))).await;
        let began = answers.iter().filter(|answer| matches!(answer, Ok(Advanced::Began { .. }))).count();
        let lost = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Conflict))).count();
        assert_eq!((began, lost), (1, 7));
        let jobs = occurrences(&world.store).await;
        assert_eq!((jobs.len(), jobs[0].runs["waiting"], jobs[0].grant), (1, 2, occurrence_id(row.digest, due(0))));
        assert_eq!(jobs[0].occurrence.as_ref().unwrap().due, due(0));
        assert!(due_before(&mut world.store.read().await.unwrap(), due(0)).await.unwrap().is_empty());
        assert_eq!(world.check_log(ours()).await, 1, "one entry says so");
        assert!(matches!(schedule(&mut world.store.read().await.unwrap(), theirs(), id()).await, Err(StoreError::NotFound)));
    }

    async fn a_later_occurrence_takes_the_place_of_one_that_no_device_has_begun(world) {
        published(&world.store, 1).await;
        world.store.commit(advance(&row(&world.store).await, due(0), 1)).await.unwrap();
        let Advanced::Began { late, .. } = world.store.commit(advance(&row(&world.store).await, due(3), 2)).await.unwrap() else {
            panic!("it begins")
        };
        assert_eq!(late.len(), 1);
        let jobs = occurrences(&world.store).await;
        assert_eq!((jobs[0].runs["waiting"], jobs[1].runs["expired"], jobs[1].ended), (1, 1, Some(due(3))));
        assert_eq!(row(&world.store).await.missed, 2, "two came in between");
    }

    async fn what_came_too_long_ago_is_left_out_with_an_entry(world) {
        published(&world.store, 1).await;
        let late = Timestamp::from_secs(due(1).secs() + 1800);
        assert_eq!(world.store.commit(advance(&row(&world.store).await, late, 1)).await.unwrap(), Advanced::Nothing);
        assert_eq!((occurrences(&world.store).await.len(), row(&world.store).await.missed), (0, 2));
        assert_eq!(row(&world.store).await.next_due, Some(due(2)));
    }

    async fn a_changed_script_a_publisher_who_left_and_no_devices_void_it(world) {
        published(&world.store, 1).await;
        insert(&world.store, "UPDATE devices SET state = 'removed'", &[]).await;
        let answer = world.store.commit(advance(&row(&world.store).await, due(0), 1)).await;
        assert_eq!(answer.unwrap(), Advanced::Voided(Void::NoDevices, Vec::new()));
        assert_eq!(row(&world.store).await.state, ScheduleState::Voided);
        for (sql, why) in [
            ("UPDATE users SET state = 'disabled'", Void::PublisherGone),
            ("UPDATE scripts SET version = 2", Void::ScriptChanged),
            ("UPDATE scripts SET deleted = 1", Void::ScriptDeleted),
        ] {
            insert(&world.store, "UPDATE schedules SET state = 'active'", &[]).await;
            insert(&world.store, sql, &[]).await;
            let answer = world.store.commit(advance(&row(&world.store).await, due(0), 1)).await;
            assert_eq!(answer.unwrap(), Advanced::Voided(why, Vec::new()));
        }
        assert!(occurrences(&world.store).await.is_empty());
    }

    async fn a_rule_that_is_not_the_published_one_voids_it(world) {
        let rule = MembershipRule { tag: Some("web".to_owned()), ..MembershipRule::default() };
        published_as(&world.store, 1, &Published { rule: Some(rule.clone()), ..Published::default() }).await;
        insert(&world.store, "UPDATE devices SET tags = 'web db'", &[]).await;
        let decide = async |hours, n| world.store.commit(advance(&row(&world.store).await, due(hours), n)).await.unwrap();
        assert!(matches!(decide(0, 1).await, Advanced::Began { .. }), "the control: it is what was published");
        // Somebody writes into the database: the one device that was published is still all that is meant.
        for (n, kept) in [(2, Some(r#"{"customer":null,"site":null,"tag":"db"}"#)), (3, None)] {
            insert(&world.store, "UPDATE schedules SET rule = $1, state = 'active'", values![kept.map(str::to_owned)]).await;
            assert!(matches!(decide(i64::from(n), n).await, Advanced::Voided(Void::RuleChanged, _)), "{kept:?}");
        }
        let again = serde_json::to_string(&rule).unwrap();
        insert(&world.store, "UPDATE schedules SET rule = $1, state = 'active'", values![again]).await;
        assert!(matches!(decide(4, 4).await, Advanced::Began { .. }));
    }

    async fn devices_begin_spread_over_the_jitter_and_not_all_when_it_is_due(world) {
        const JITTER: u32 = 600;
        published_as(&world.store, 20, &Published { jitter_secs: JITTER, ..Published::default() }).await;
        let row = row(&world.store).await;
        world.store.commit(advance(&row, due(0), 1)).await.unwrap();
        let begun = async |secs: i64| candidates(&mut world.store.read().await.unwrap(), due(0).plus_secs(secs)).await.unwrap().len();
        let counts = [begun(0).await, begun(150).await, begun(300).await, begun(450).await, begun(i64::from(JITTER)).await];
        assert_eq!((counts[0], counts[4]), (0, 20), "{counts:?}");
        assert!(counts.windows(2).all(|pair| pair[0] < pair[1]), "they fill the time: {counts:?}");
        let grant = occurrence_id(row.digest, due(0));
        let waits: BTreeSet<u32> = (1..=20u8).map(|n| jitter(grant, Digest::from_bytes([n; 32]), JITTER)).collect();
        assert!(waits.len() > 15, "each device has its own: {waits:?}");
    }

    async fn a_paused_schedule_goes_on_only_while_it_is_what_was_published(world) {
        published(&world.store, 1).await;
        let resume = |tenant, secs| Resume { permit: allowed(tenant), schedule: id(), at: moment(secs), salt: [9; 32] };
        assert!(matches!(world.store.commit(resume(ours(), 5)).await, Err(StoreError::Conflict)), "it is not paused");
        let pause = "UPDATE schedules SET state = 'paused', next_due = NULL";
        insert(&world.store, pause, &[]).await;
        assert!(matches!(world.store.commit(resume(theirs(), 5)).await, Err(StoreError::NotFound)), "another tenant's looks like none");
        assert!(matches!(world.store.commit(resume(ours(), 10 * 24 * HOUR)).await, Err(StoreError::Conflict)), "its time is over");
        // What came while it was paused is not caught up with, and a clock that was set back brings nothing back.
        assert_eq!(world.store.commit(resume(ours(), 2800 + 2 * HOUR)).await.unwrap(), Resumed::Active);
        assert_eq!((row(&world.store).await.state, row(&world.store).await.next_due), (ScheduleState::Active, Some(due(3))));
        insert(&world.store, pause, &[]).await;
        assert_eq!(world.store.commit(resume(ours(), 5)).await.unwrap(), Resumed::Active);
        assert_eq!(row(&world.store).await.next_due, Some(due(3)));
        for (sql, why) in [
            ("UPDATE scripts SET version = 2", Void::ScriptChanged),
            ("UPDATE users SET state = 'disabled'", Void::PublisherGone),
        ] {
            insert(&world.store, pause, &[]).await;
            insert(&world.store, sql, &[]).await;
            assert_eq!(world.store.commit(resume(ours(), 2800 + 3 * HOUR)).await.unwrap(), Resumed::Void(why));
            assert_eq!(row(&world.store).await.state, ScheduleState::Voided);
            insert(&world.store, "UPDATE scripts SET version = 1", &[]).await;
        }
    }

    async fn runs_are_let_go_one_at_a_time_and_never_two_of_one_schedule_on_a_device(world) {
        published(&world.store, 3).await;
        world.store.commit(advance(&row(&world.store).await, due(0), 1)).await.unwrap();
        assert!(candidates(&mut world.store.read().await.unwrap(), moment(0)).await.unwrap().is_empty(), "not before its moment");
        let held = candidates(&mut world.store.read().await.unwrap(), due(0)).await.unwrap();
        assert_eq!(held.len(), 3);
        let job = JobId::from_bytes([1; 16]);
        let never = Timestamp::from_micros(i64::MAX);
        let release = |at_once| Release { job, schedule: id(), runs: held.clone(), at_once, not_since: never };
        assert_eq!(world.store.commit(release(1)).await.unwrap().len(), 1);
        assert_eq!(world.store.commit(release(1)).await.unwrap().len(), 0, "the place is taken");
        insert(&world.store, "UPDATE runs SET state = 'succeeded', started = $1 WHERE held_until IS NULL", values![due(0)]).await;
        assert_eq!(world.store.commit(release(1)).await.unwrap().len(), 1);
        assert_eq!(world.store.commit(release(0)).await.unwrap().len(), 1, "no limit");
        insert(&world.store, "UPDATE runs SET state = 'running', started = $1", values![due(0)]).await;
        world.store.commit(advance(&row(&world.store).await, due(1), 2)).await.unwrap();
        let held = candidates(&mut world.store.read().await.unwrap(), due(1)).await.unwrap();
        let job = JobId::from_bytes([2; 16]);
        let release = |not_since| Release { job, schedule: id(), runs: held.clone(), at_once: 0, not_since };
        assert!(world.store.commit(release(never)).await.unwrap().is_empty(), "the last ones still go");
        insert(&world.store, "UPDATE runs SET state = 'succeeded' WHERE state = 'running'", &[]).await;
        assert!(world.store.commit(release(moment(0))).await.unwrap().is_empty(), "too short a time ago");
        assert_eq!(world.store.commit(release(due(0))).await.unwrap().len(), 3);
        const { assert!(limits::SCHEDULE_RELEASES >= 3, "all three fit into one release") }
    }
}
