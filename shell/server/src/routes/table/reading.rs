//! Rows of what is read: jobs and their output, the audit log, trust, live events.

use sallyport_api as api;
use sallyport_decide::policy;

use super::{CURSOR, LIMIT};
use crate::events::Event;
use crate::routes::route::{Query, Route, needs, query};
use crate::{audit, jobs, live, posture, trust};

const JOBS: &[Query] = &[
    query("script", "Only jobs that ran this script"),
    query("device", "Only jobs that ran on this device"),
    query("requested_by", "Only jobs that this user asked for"),
    query("schedule", "Only occurrences of this schedule"),
    CURSOR,
    LIMIT,
];

const ENTRIES: &[Query] = &[
    query("kind", "Only entries of this kind"),
    query("actor", "Only entries by this user, device, or `system`"),
    query(
        "device",
        "Only entries that name this device, and the jobs and schedules that ran on it. A page can be short, or empty, and have a `next`",
    ),
    query("before", "Only entries older than this index; the same as cursor"),
    CURSOR,
    LIMIT,
];

const RUN: &[&str] = &[
    "id",
    "job",
    "device",
    "device_name",
    "state",
    "exit_code",
    "signal",
    "reason",
    "started",
    "ended",
    "output_bytes",
    "output_sha256",
    "receipt",
];

const ENTRY: &[&str] = &["index", "at", "kind", "actor", "sentence", "details", "leaf"];

pub(super) fn rows() -> Vec<Route> {
    [work(), record(), judged()].into_iter().flatten().collect()
}

fn work() -> Vec<Route> {
    vec![
        Route::get("/v1/jobs", "Jobs, the newest first", needs::<policy::ReadJobs>(), jobs::list).query(JOBS).pages::<api::Job>(),
        Route::get("/v1/jobs/{id}", "One job", needs::<policy::ReadJobs>(), jobs::show).answers::<api::Job>(200),
        Route::get("/v1/jobs/{id}/runs", "A job's runs, with the digests of their outputs", needs::<policy::ReadJobs>(), jobs::runs)
            .query(const { &[query("state", "Only runs in this state"), CURSOR, LIMIT] })
            .sparse(RUN)
            .pages::<api::Run>(),
        Route::get("/v1/runs/{id}", "One run", needs::<policy::ReadJobs>(), jobs::run).answers::<api::Run>(200),
        Route::get("/v1/runs/{id}/output", "What a run wrote", needs::<policy::ReadJobs>(), jobs::output)
            .query(const { &[query("after", "The first chunk's number: `next` of the answer before")] })
            .answers::<api::Output>(200),
        Route::get("/v1/runs/{id}/receipt", "What the device signed about a run", needs::<policy::ReadJobs>(), jobs::receipt)
            .answers::<api::Receipt>(200),
    ]
}

fn record() -> Vec<Route> {
    vec![
        Route::get("/v1/audit", "The audit log, the newest entries first", needs::<policy::ReadAudit>(), audit::list)
            .query(ENTRIES)
            .sparse(ENTRY)
            .pages::<api::AuditEntry>(),
        Route::get("/v1/audit/checkpoint", "The newest signed checkpoint", needs::<policy::ReadAudit>(), audit::checkpoint)
            .answers::<api::Checkpoint>(200),
        Route::get("/v1/audit/{index}/proof", "Shows that an entry is in the log", needs::<policy::ReadAudit>(), audit::proof)
            .answers::<api::InclusionProof>(200),
        Route::get("/v1/trust", "Which keys command the devices", needs::<policy::ReadDevices>(), trust::show).answers::<api::Trust>(200),
        Route::get("/v1/events", "Live changes, until the session ends", needs::<policy::FollowEvents>(), live::follow).streams::<Event>(),
    ]
}

fn judged() -> Vec<Route> {
    vec![
        Route::get("/v1/posture", "How the configuration is judged", needs::<policy::ReadPosture>(), posture::show)
            .answers::<api::Posture>(200),
        Route::post("/v1/posture/what-if", "What would happen if: changes nothing", needs::<policy::ReadPosture>(), posture::what_if)
            .takes::<api::WhatIf>()
            .answers::<api::WhatIfAnswer>(200),
        Route::post("/v1/posture/accepted", "Accept what a rule found, for a while", needs::<policy::AcceptFindings>(), posture::accept)
            .takes::<api::AcceptFinding>()
            .empty(204)
            .audit("posture.accepted"),
        Route::delete("/v1/posture/accepted/{id}", "Accept it no longer", needs::<policy::AcceptFindings>(), posture::reopen)
            .empty(204)
            .audit("posture.reopened"),
    ]
}
