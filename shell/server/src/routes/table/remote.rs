//! Rows of remote sessions. Opening one is a guarded operation like any other; a stream is opened by a ticket alone.

use sallyport_api as api;
use sallyport_decide::policy;

use super::{CURSOR, LIMIT, asks};
use crate::routes::route::{Access, Query, Route, needs, query};
use crate::{remote, work};

const SESSIONS: &[Query] =
    &[query("device", "Only those of this device"), query("state", "open, which is also the default, ended or any"), CURSOR, LIMIT];

pub(super) fn rows() -> Vec<Route> {
    vec![
        asks::<api::NewRemoteSession, _, _>(
            "/v1/remote-sessions",
            "Open a remote session, or join one",
            needs::<policy::OpenRemoteSessions>(),
            work::create_remote_session,
        )
        .class("1-3")
        .audit("request.created remote_session.opened remote_session.joined"),
        Route::get("/v1/remote-sessions", "Remote sessions, the newest first", needs::<policy::ReadRemoteSessions>(), remote::list)
            .query(SESSIONS)
            .pages::<api::RemoteSession>(),
        Route::get(
            "/v1/remote-sessions/stream",
            "A client's end of a stream, as a WebSocket",
            Access::Public("needs a one-use ticket"),
            remote::client,
        )
        .empty(101),
        Route::get("/v1/remote-sessions/{id}", "One remote session", needs::<policy::ReadRemoteSessions>(), remote::show)
            .answers::<api::RemoteSession>(200),
        Route::delete("/v1/remote-sessions/{id}", "End a remote session for everybody", needs::<policy::EndRemoteSessions>(), remote::end)
            .empty(204)
            .audit("remote_session.ended"),
        Route::post(
            "/v1/remote-sessions/{id}/tickets",
            "Another ticket for one's own stream",
            needs::<policy::OpenRemoteSessions>(),
            remote::ticket,
        )
        .takes::<api::NewTicket>()
        .answers::<api::StreamTicket>(200),
        Route::get("/v1/policy/remote", "The rules for remote sessions", needs::<policy::ReadRemoteSessions>(), remote::show_policy)
            .answers::<api::StoredRemotePolicy>(200)
            .replaced_by_changes(&["/version"]),
        Route::put("/v1/policy/remote", "Ask for other rules for remote sessions", needs::<policy::ChangePolicy>(), remote::change_policy)
            .takes::<api::ChangeRemotePolicy>()
            .answers::<api::AuthorizationRequest>(202)
            .answers::<api::ActionResult>(201)
            .class("2")
            .audit("request.created policy.remote_changed"),
        Route::get(
            "/v1/remote-sessions/{id}/recording",
            "What was recorded, with its digest in Sallyport-Sha256",
            needs::<policy::ReadRemoteSessions>(),
            remote::recording,
        )
        .empty(200),
    ]
}
