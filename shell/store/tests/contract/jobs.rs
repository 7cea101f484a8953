//! Jobs, runs and output as people read them.

use sallyport_model::{CustomerId, DeviceId, GrantId, JobId, RunId, ScriptId, SiteId, TenantId, UserId, limits};
use sallyport_store::log;
use sallyport_store::ops::jobs::{self, JobFilter, Whose};
use sallyport_store::{Actor, Audit, Change, Entry, Store, StoreError, Tx, Value, values};
use serde_json::json;

use crate::world::{Sql, moment, ours, theirs};

fn job(n: u8) -> JobId {
    JobId::from_bytes([n; 16])
}

fn device(n: u8) -> DeviceId {
    DeviceId::from_bytes([n; 16])
}

/// The run of a job on a device.
fn run(job: u8, device: u8) -> RunId {
    let mut bytes = [device; 16];
    bytes[15] = job;
    RunId::from_bytes(bytes)
}

async fn insert(store: &Store, sql: &'static str, args: &[Value]) {
    store.reserve(Sql(sql, args.to_vec())).await.unwrap();
}

async fn add_devices(store: &Store) {
    let (customer, site) = (CustomerId::from_bytes([1; 16]), SiteId::from_bytes([1; 16]));
    insert(store, "INSERT INTO customers (id, tenant, name, created) VALUES ($1, $2, 'C', 0)", values![customer, ours()]).await;
    insert(store, "INSERT INTO sites (id, tenant, customer, name, created) VALUES ($1, $2, $3, 'S', 0)", values![site, ours(), customer])
        .await;
    for n in 1..=3 {
        let sql = "INSERT INTO devices (id, tenant, site, thumbprint, device_key, seal_key, name, os, agent_version, state, installer, enrolled, \
                   enrolled_from, tags, signed_in, alerts, version) \
                   VALUES ($1, $2, $3, $4, $4, $4, $5, 'Debian', '1', 'approved', $1, 0, '192.0.2.1', '', '', '', 1)";
        insert(store, sql, values![device(n), ours(), site, [n; 32], format!("web-{n}")]).await;
    }
}

/// Job `n` of script `n`, asked for by user `n`.
async fn add_job(store: &Store, n: u8) {
    let sql = "INSERT INTO jobs (id, tenant, grant_id, script, script_version, name, content, envelope, requested_by, requested_by_id, created, \
               expires, log_index, left_runs) VALUES ($1, $2, $3, $4, 1, 'clean', 'true', '{}', 'Anna', $5, 0, 1, 0, 1)";
    insert(store, sql, values![job(n), ours(), GrantId::from_bytes([n; 16]), ScriptId::from_bytes([n; 16]), UserId::from_bytes([n; 16])])
        .await;
}

async fn add_run(store: &Store, n: u8, on: u8, state: &'static str) {
    let sql = "INSERT INTO runs (id, tenant, job, grant_id, device, state, target_index, target_proof, next_chunk, output_bytes) \
               VALUES ($1, $2, $3, $4, $5, $6, 0, $7, 0, 0)";
    insert(store, sql, values![run(n, on), ours(), job(n), GrantId::from_bytes([n; 16]), device(on), state, Vec::<u8>::new()]).await;
}

async fn found(store: &Store, tenant: TenantId, filter: JobFilter, after: Option<JobId>, limit: u32) -> Vec<JobId> {
    let rows = jobs::list(&mut store.read().await.unwrap(), &Whose::all(tenant), &filter, after, limit).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

on_both! {
    async fn jobs_come_newest_first_and_by_script_device_and_person(world) {
        add_devices(&world.store).await;
        for n in 1..=3 {
            add_job(&world.store, n).await;
            add_run(&world.store, n, n, "waiting").await;
        }
        add_run(&world.store, 3, 1, "succeeded").await;
        let all = JobFilter::default;
        assert_eq!(found(&world.store, ours(), all(), None, 2).await, [job(3), job(2)]);
        assert_eq!(found(&world.store, ours(), all(), Some(job(2)), 2).await, [job(1)]);
        assert!(found(&world.store, theirs(), all(), None, 9).await.is_empty());
        assert_eq!(found(&world.store, ours(), JobFilter { device: Some(device(1)), ..all() }, None, 9).await, [job(3), job(1)]);
        assert_eq!(found(&world.store, ours(), JobFilter { script: Some(ScriptId::from_bytes([2; 16])), ..all() }, None, 9).await, [job(2)]);
        let both = JobFilter { device: Some(device(1)), requested_by: Some(UserId::from_bytes([1; 16])), ..all() };
        assert_eq!(found(&world.store, ours(), both, None, 9).await, [job(1)]);
    }

    async fn a_job_counts_its_runs_by_state(world) {
        add_devices(&world.store).await;
        add_job(&world.store, 1).await;
        for (on, state) in [(1, "waiting"), (2, "succeeded"), (3, "succeeded")] {
            add_run(&world.store, 1, on, state).await;
        }
        let mut reader = world.store.read().await.unwrap();
        let row = jobs::job(&mut reader, &Whose::all(ours()), job(1)).await.unwrap();
        assert_eq!(row.runs, [("succeeded".to_owned(), 2), ("waiting".to_owned(), 1)].into());
        assert!(matches!(jobs::job(&mut reader, &Whose::all(theirs()), job(1)).await, Err(StoreError::NotFound)));
    }

    async fn runs_come_in_pages_with_their_devices_names(world) {
        add_devices(&world.store).await;
        add_job(&world.store, 1).await;
        for (on, state) in [(1, "waiting"), (2, "failed"), (3, "failed")] {
            add_run(&world.store, 1, on, state).await;
        }
        let mut reader = world.store.read().await.unwrap();
        let names = |rows: Vec<jobs::RunRow>| rows.into_iter().map(|row| row.device_name).collect::<Vec<_>>();
        assert_eq!(names(jobs::runs(&mut reader, &Whose::all(ours()), job(1), None, None, 2).await.unwrap()), ["web-1", "web-2"]);
        assert_eq!(names(jobs::runs(&mut reader, &Whose::all(ours()), job(1), None, Some(run(1, 2)), 2).await.unwrap()), ["web-3"]);
        assert_eq!(names(jobs::runs(&mut reader, &Whose::all(ours()), job(1), Some("failed"), None, 1).await.unwrap()), ["web-2"]);
        assert!(jobs::runs(&mut reader, &Whose::all(theirs()), job(1), None, None, 2).await.unwrap().is_empty());
        assert!(matches!(jobs::run(&mut reader, &Whose::all(theirs()), run(1, 1)).await, Err(StoreError::NotFound)));
        assert_eq!(jobs::run(&mut reader, &Whose::all(ours()), run(1, 1)).await.unwrap().state, "waiting");
    }

    async fn output_is_read_on_and_back_by_stream(world) {
        add_devices(&world.store).await;
        add_job(&world.store, 1).await;
        add_run(&world.store, 1, 1, "running").await;
        for (seq, stream) in [(0u64, 1u8), (1, 2), (2, 1), (3, 1), (4, 1)] {
            let sql = "INSERT INTO output_chunks (run, seq, stream, content) VALUES ($1, $2, $3, $4)";
            insert(&world.store, sql, values![run(1, 1), seq, stream, vec![0xff, stream]]).await;
        }
        let mut reader = world.store.read().await.unwrap();
        let numbers = |chunks: Vec<jobs::Chunk>| chunks.into_iter().map(|chunk| chunk.seq).collect::<Vec<_>>();
        assert_eq!(numbers(jobs::chunks(&mut reader, run(1, 1), 3, 9).await.unwrap()), [3, 4]);
        assert_eq!(numbers(jobs::chunks_before(&mut reader, run(1, 1), 1, 4, 2).await.unwrap()), [2, 3]);
        assert_eq!(jobs::chunks_before(&mut reader, run(1, 1), 2, 4, 3).await.unwrap()[0].content, [0xff, 2]);
    }

    async fn the_log_of_a_device_has_what_names_it_and_the_jobs_that_ran_there(world) {
        add_devices(&world.store).await;
        world.store.commit(Told).await.unwrap();
        // The job that the entry 2 created ran on the first device.
        add_job(&world.store, 1).await;
        add_run(&world.store, 1, 1, "succeeded").await;
        insert(&world.store, "UPDATE jobs SET log_index = 2 WHERE id = $1", values![job(1)]).await;
        let told = async |filter: log::Filter, before, limit| {
            let page = log::page(&mut world.store.read().await.unwrap(), ours(), &filter, before, limit).await.unwrap();
            (page.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), page.next)
        };
        let of = |n| log::Filter { device: Some(device(n)), ..log::Filter::default() };
        assert_eq!(told(of(1), None, 9).await, (vec![4, 2, 1], None), "5 names it within a text, and tells of nothing that was done to it");
        assert_eq!(told(of(1), None, 2).await, (vec![4, 2], Some(2)));
        assert_eq!(told(of(1), Some(2), 2).await, (vec![1], None));
        assert_eq!(told(of(2), None, 9).await, (vec![4], None));
        assert_eq!(told(of(3), None, 9).await, (vec![], None));
        assert_eq!(told(log::Filter { kind: Some("device.tagged".to_owned()), ..of(1) }, None, 9).await, (vec![1], None));
        assert_eq!(told(log::Filter { actor: Some(device(1).to_string()), ..of(1) }, None, 9).await, (vec![], None));
    }

    async fn a_page_of_a_devices_log_reads_so_far_and_says_where_to_go_on(world) {
        add_devices(&world.store).await;
        world.store.commit(Told).await.unwrap();
        // As if so many others had been written since.
        let size = limits::AUDIT_LOOKED_INTO * 2 + 1;
        insert(&world.store, "UPDATE log_heads SET size = $2 WHERE tenant = $1", values![ours(), size]).await;
        let mut next = None;
        let mut pages = Vec::new();
        for _ in 0..3 {
            let filter = log::Filter { device: Some(device(1)), ..log::Filter::default() };
            let page = log::page(&mut world.store.read().await.unwrap(), ours(), &filter, next, 9).await.unwrap();
            pages.push(page.entries.iter().map(|entry| entry.index).collect::<Vec<_>>());
            next = page.next;
        }
        assert_eq!((pages, next), (vec![vec![], vec![4, 1], vec![]], None));
    }
}

/// Six entries: of something else, of a device, of a job, of something else, of two devices, of a text with an id in it.
struct Told;

impl Change for Told {
    type Out = ();
    const AUDIT: Audit = Audit::Required;
    async fn apply(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let said = [
            ("script.saved", json!({ "script": ScriptId::from_bytes([1; 16]) })),
            ("device.tagged", json!({ "device": device(1), "tags": "a" })),
            ("job.created", json!({ "job": job(1), "targets": 1 })),
            ("script.saved", json!({ "script": ScriptId::from_bytes([1; 16]) })),
            ("devices.approved", json!({ "devices": [{ "id": device(1) }, { "id": device(2) }] })),
            ("script.saved", json!({ "name": format!("about \"{}\"", device(1)) })),
        ];
        for (at, (kind, payload)) in (0..).zip(said) {
            tx.append(ours(), Entry::new(kind, Actor::System, moment(at), [at as u8; 32], payload)).await?;
        }
        Ok(())
    }
}
