//! Which events lie within a reach: of a device elsewhere, not even that it came or went is told.

use std::collections::BTreeMap;

use sallyport_decide::policy::Reach;
use sallyport_decide::webhooks::Subject;
use sallyport_model::TenantId;
use sallyport_store::ops::jobs::{self, Whose};
use sallyport_store::ops::people::{device_within, touched};
use sallyport_store::ops::remote::remote_session;
use sallyport_store::ops::requests::request;
use sallyport_store::{Reader, StoreError};

use crate::App;
use crate::events::Event;

/// Answers that are remembered; then it is asked anew.
const REMEMBERED: usize = 4096;

/// What a follower reaches, with what was found out of single things.
pub(super) struct Reached {
    tenant: TenantId,
    reach: Reach,
    known: BTreeMap<String, bool>,
}

impl Reached {
    pub(super) fn new(tenant: TenantId, reach: Reach) -> Self {
        Self { tenant, reach, known: BTreeMap::new() }
    }

    /// What cannot be found out is not told.
    pub(super) async fn covers(&mut self, app: &App, event: &Event) -> bool {
        let id = match event {
            _ if self.reach.is_tenant() => return true,
            Event::Missed | Event::Audit { .. } => return true,
            Event::Device { device, .. } => device,
            Event::Job { job } => job,
            Event::Run { run, .. } | Event::Output { run, .. } => run,
            Event::Request { request, .. } => request,
            Event::RemoteSession { remote_session, .. } => remote_session,
        };
        if let Some(known) = self.known.get(id) {
            return *known;
        }
        let Ok(mut reader) = app.store.read().await else { return false };
        let Ok(covered) = self.look(&mut reader, event).await else { return false };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known.insert(id.clone(), covered);
        covered
    }

    async fn look(&self, reader: &mut Reader, event: &Event) -> Result<bool, StoreError> {
        match subject(event) {
            Some(subject) => covers(reader, (self.tenant, &self.reach), subject).await,
            None => Ok(false),
        }
    }
}

/// What an event is about; `None` where its id is none.
fn subject(event: &Event) -> Option<Subject> {
    Some(match event {
        Event::Device { device, .. } => Subject::Device(device.parse().ok()?),
        Event::Job { job } => Subject::Job(job.parse().ok()?),
        Event::Run { run, .. } | Event::Output { run, .. } => Subject::Run(run.parse().ok()?),
        Event::Request { request, .. } => Subject::Request(request.parse().ok()?),
        Event::RemoteSession { remote_session, .. } => Subject::RemoteSession(remote_session.parse().ok()?),
        Event::Audit { .. } | Event::Missed => Subject::Tenant,
    })
}

/// Whether something lies within a reach. What does not exist lies nowhere.
pub(crate) async fn covers(reader: &mut Reader, (tenant, reach): (TenantId, &Reach), subject: Subject) -> Result<bool, StoreError> {
    let found = |found: Result<(), StoreError>| match found {
        Ok(()) => Ok(true),
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => Err(error),
    };
    let whose = Whose::within(reader, tenant, reach).await?;
    match subject {
        Subject::Device(device) => device_within(reader, tenant, reach, device).await,
        Subject::Job(job) => found(jobs::job(reader, &whose, job).await.map(|_| ())),
        Subject::Run(run) => found(jobs::run(reader, &whose, run).await.map(|_| ())),
        Subject::Request(id) => {
            let stored = request(reader, tenant, id).await?;
            Ok(touched(reader, tenant, &stored.frozen.action).await?.is_within(reach))
        }
        Subject::RemoteSession(id) => found(remote_session(reader, &whose, id).await.map(|_| ())),
        Subject::Tenant => Ok(true),
        Subject::Schedule(_) | Subject::Installer(_) => Ok(reach.is_tenant()),
    }
}
