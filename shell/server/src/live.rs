//! `/v1/events`: live changes of one's tenant, as server-sent events, for as long as the session lives.

mod reached;

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use sallyport_api::Code;
use sallyport_decide::policy::{Actor, Capability, FollowEvents, ReadAudit, ReadRemoteSessions, ReadRequests, permit};
use sallyport_model::TenantId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::accounts::Source;
use crate::events::{Event, Place};
use crate::{Allowed, App, Refusal, accounts};
use reached::Reached;
pub(crate) use reached::covers;

/// Something is sent at least this often, so that both ends notice when the other is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Follows the changes of one's tenant. Ends at once when the session ends.
pub(crate) async fn follow(State(app): State<App>, Allowed(permit): Allowed<FollowEvents>, source: Source) -> Result<Response, Refusal> {
    let actor = permit.actor().clone();
    let place = app.events.place(actor.session).ok_or_else(|| Refusal::from(Code::RateLimited).retry_after(5))?;
    let reached = Reached::new(actor.tenant, permit.reach().clone());
    let follower = Follower::new(app, actor, source.ip, reached, place);
    let body = Body::from_stream(stream::unfold(follower, |mut follower| async move {
        let piece = follower.next().await?;
        Some((Ok::<_, Infallible>(piece), follower))
    }));
    Ok(([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store, no-transform")], body).into_response())
}

/// One open stream.
struct Follower {
    app: App,
    actor: Actor,
    reached: Reached,
    events: Receiver<(TenantId, Event)>,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    heartbeat: Interval,
    greeted: Greeted,
    _place: Place,
}

/// Whether the stream has said anything: the first piece makes proxies and browsers pass the head on.
#[derive(PartialEq, Eq)]
enum Greeted {
    No,
    Yes,
}

impl Follower {
    fn new(app: App, actor: Actor, from: IpAddr, reached: Reached, place: Place) -> Self {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let events = app.events.listen();
        let stopped = app.events.until_closed();
        let session = actor.session;
        let of = app.clone();
        let ended = Box::pin(async move {
            tokio::select! {
                () = accounts::until_ended(of, session, from) => {}
                () = stopped => {}
            }
        });
        Self { app, actor, reached, events, ended, heartbeat, greeted: Greeted::No, _place: place }
    }

    /// The next bytes to send; `None` once the session or the server has ended.
    async fn next(&mut self) -> Option<Bytes> {
        if std::mem::replace(&mut self.greeted, Greeted::Yes) == Greeted::No {
            return Some(Bytes::from_static(b": hello\n\n"));
        }
        loop {
            // In this order: once the session has ended, nothing more is told, however much waits.
            tokio::select! {
                biased;
                () = &mut self.ended => return None,
                _ = self.heartbeat.tick() => return Some(Bytes::from_static(b": heartbeat\n\n")),
                told = self.events.recv() => match told {
                    Ok((tenant, event)) if tenant == self.actor.tenant && may_see(&self.actor, &event) => {
                        if self.reached.covers(&self.app, &event).await {
                            return Some(written(&event));
                        }
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return Some(written(&Event::Missed)),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

/// A note of something that the actor could not read is not told either.
fn may_see(actor: &Actor, event: &Event) -> bool {
    match event {
        Event::Request { .. } => may::<ReadRequests>(actor),
        Event::Audit { .. } => may::<ReadAudit>(actor),
        Event::RemoteSession { .. } => may::<ReadRemoteSessions>(actor),
        Event::Device { .. } | Event::Job { .. } | Event::Run { .. } | Event::Output { .. } | Event::Missed => true,
    }
}

fn may<C: Capability>(actor: &Actor) -> bool {
    permit::<C>(actor).is_ok()
}

/// The event's kind stands twice: as the event's name for those who listen by name, and in the data.
fn written(event: &Event) -> Bytes {
    let data = serde_json::to_string(event).unwrap_or_default();
    Bytes::from(format!("event: {}\ndata: {data}\n\n", event.name()))
}

#[cfg(test)]
mod tests {
    use sallyport_decide::policy::{Rights, Role, Stage};
    use sallyport_model::{SessionId, UserId};

    use super::*;

    fn actor(role: Role) -> Actor {
        Actor {
            tenant: TenantId::from_bytes([1; 16]),
            user: UserId::from_bytes([2; 16]),
            email: "a@b.test".into(),
            name: "A".into(),
            rights: Rights::of(role),
            session: SessionId::from_bytes([3; 16]),
            stage: Stage::Full,
            step_up_until: None,
            step_up_kind: None,
        }
    }

    #[test]
    fn nobody_is_told_of_what_they_may_not_read() {
        let request = Event::Request { request: "req".into(), state: "open".into() };
        assert!(may_see(&actor(Role::Technician), &request) && !may_see(&actor(Role::Auditor), &request));
        let audit = Event::Audit { size: 1 };
        assert!(may_see(&actor(Role::Auditor), &audit) && !may_see(&actor(Role::Technician), &audit));
    }

    #[test]
    fn an_event_is_one_name_and_one_line_of_json() {
        let event = Event::Device { device: "dev_1\n\nevent: x".into(), online: true };
        assert_eq!(
            String::from_utf8(written(&event).to_vec()).unwrap(),
            "event: device\ndata: {\"kind\":\"device\",\"device\":\"dev_1\\n\\nevent: x\",\"online\":true}\n\n"
        );
        assert_eq!(written(&Event::Missed), "event: missed\ndata: {\"kind\":\"missed\"}\n\n");
    }
}
