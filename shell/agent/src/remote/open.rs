//! One open session: its work, who is attached, and when it ends.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use sallyport_grant::body::{Consent, OpenRemoteSession, Outcome, Record};
use sallyport_model::{Email, GrantId, RemoteSessionId, Timestamp, limits};
use sallyport_wire::stream::{ByeReason, StreamEnd, StreamError, StreamSecret};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::attachment::{Attachment, Call, Parting};
use super::consent::Asked;
use super::end::End;
use super::host::{Account, Shown, World};
use super::kind::{self, AttachmentId, Budget, Event, Events, Opening, Outlet, Teller, Working};
use super::notice::Answer;
use super::{CannotOpen, Why};
use crate::gate::ClaimedSession;
use crate::report::{Output, RunEnd};

/// Calls that wait for an attachment that is busy dialling.
const CALLS: usize = 4;

/// A session that is open.
pub(super) struct OpenSession {
    action: Arc<OpenRemoteSession>,
    by: Email,
    since: Timestamp,
    pub(super) teller: Teller,
    end: watch::Sender<Option<Why>>,
    state: Mutex<State>,
    world: std::sync::Weak<World>,
}

struct State {
    people: BTreeMap<GrantId, Person>,
    tasks: JoinSet<()>,
    last_input: Instant,
    /// Since when nobody is connected.
    unattended: Option<Instant>,
    /// Nobody can join any more.
    closing: bool,
}

/// Somebody who is attached.
struct Person {
    name: Email,
    outlet: Outlet,
    calls: mpsc::Sender<Call>,
    connected: Connected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connected {
    NotYet,
    Now,
    Before,
}

/// Somebody on the way in.
struct Coming {
    attachment: Attachment,
    person: Person,
    joined: kind::Attachment,
    ticket: [u8; 32],
    asked: Asked,
}

/// Why somebody could not be attached, with what must be settled.
pub(super) type NotAttached = (Account, &'static str);

impl OpenSession {
    /// Opens a session for its first client.
    pub(super) fn open(world: &Arc<World>, claimed: &ClaimedSession, account: Account) -> Result<(), NotAttached> {
        let (teller, events) = Teller::pair();
        let now = Instant::now();
        let state = State { people: BTreeMap::new(), tasks: JoinSet::new(), last_input: now, unattended: Some(now), closing: false };
        let session = Arc::new(Self {
            action: Arc::new(claimed.action().clone()),
            by: claimed.by().clone(),
            since: claimed.at(),
            teller,
            end: watch::Sender::new(None),
            state: Mutex::new(state),
            world: Arc::downgrade(world),
        });
        let coming = match session.prepare(world, claimed) {
            Ok(coming) => coming,
            Err(code) => return Err((account, code)),
        };
        // Whoever opens it is asked for by the session itself.
        let asked = coming.asked.nothing();
        session.admit(world, Coming { asked, ..coming }, None);
        world.list(session.clone());
        tokio::spawn(session.live(world.clone(), events, account));
        Ok(())
    }

    /// Whether another client may join.
    pub(super) fn check(&self, wanted: &OpenRemoteSession) -> Result<(), CannotOpen> {
        let state = self.state();
        if wanted.kind != self.action.kind || state.closing {
            return Err(CannotOpen::NotOpen);
        }
        // Nobody is led to believe that they are recorded, or that they are not.
        if wanted.record != self.action.record {
            return Err(CannotOpen::RecordDiffers);
        }
        if state.people.len() >= limits::ATTACHMENTS_PER_SESSION { Err(CannotOpen::TooMany) } else { Ok(()) }
    }

    /// Lets another client join.
    pub(super) fn join(self: &Arc<Self>, world: &Arc<World>, claimed: &ClaimedSession, account: Account) -> Result<(), NotAttached> {
        if let Err(error) = self.check(claimed.action()) {
            return Err((account, error.code()));
        }
        match self.prepare(world, claimed) {
            Ok(coming) => {
                self.admit(world, coming, Some(account));
                Ok(())
            }
            Err(code) => Err((account, code)),
        }
    }

    fn prepare(self: &Arc<Self>, world: &Arc<World>, claimed: &ClaimedSession) -> Result<Coming, &'static str> {
        let secret = world.ports.entropy.random_32().map_err(|_| "no_entropy")?;
        let secret = StreamSecret::from_bytes(secret);
        let stream = StreamEnd::device(claimed.terms(), world.identity.signing_key(), &secret).map_err(StreamError::code)?;
        let (outlet, waiting) = self.teller.outlet(claimed.terms().window);
        let (caller, calls) = mpsc::channel(CALLS);
        let id = AttachmentId(claimed.id());
        let attachment = Attachment {
            id,
            ports: world.ports.clone(),
            place: world.place(),
            timing: world.timing,
            session: self.clone(),
            stream,
            window: claimed.terms().window,
            waiting,
            budget: Budget::default(),
            calls,
            born: Instant::now(),
            farewell: None,
        };
        let person = Person { name: claimed.by().clone(), outlet: outlet.clone(), calls: caller, connected: Connected::NotYet };
        let &OpenRemoteSession { access, clipboard, .. } = claimed.action();
        let joined = kind::Attachment { id, name: claimed.by().as_str().to_owned(), access, clipboard, outlet };
        let asked = Asked::of(claimed.action(), world.timing.consent);
        Ok(Coming { attachment, person, joined, ticket: *claimed.ticket(), asked })
    }

    /// An account is settled when the attachment ends; that of whoever opened the session, when the session ends.
    fn admit(self: &Arc<Self>, world: &Arc<World>, coming: Coming, account: Option<Account>) {
        let Coming { attachment, person, joined, ticket, asked } = coming;
        let (session, world) = (self.clone(), world.clone());
        let mut state = self.state();
        while state.tasks.try_join_next().is_some() {}
        state.people.insert(joined.id.0, person);
        state.tasks.spawn(async move { session.attached(&world, attachment, joined, ticket, asked, account).await });
    }

    /// One attachment from its consent to its receipt.
    async fn attached(
        self: Arc<Self>,
        world: &World,
        attachment: Attachment,
        joined: kind::Attachment,
        ticket: [u8; 32],
        asked: Asked,
        account: Option<Account>,
    ) {
        let (id, outlet) = (joined.id, joined.outlet.clone());
        let asked = async {
            let answer = asked.answer(&*world.ports.notice, &joined.name).await;
            match answer {
                Answer::Allowed => self.teller.tell(Event::Joined(joined)),
                Answer::Refused | Answer::Nobody => outlet.bye(ByeReason::ConsentRefused),
            }
            answer
        };
        let (answer, parting) = tokio::join!(asked, attachment.last(ticket));
        self.state().people.remove(&id.0);
        self.teller.tell(Event::Left(id));
        world.changed();
        if let Some(account) = account {
            account.settle(&self.joiner_end(answer, parting), Output::none());
        }
    }

    fn joiner_end(&self, answer: Answer, parting: Parting) -> RunEnd {
        match (answer, parting, *self.end.borrow()) {
            (Answer::Refused | Answer::Nobody, _, _) => Why::ConsentRefused.run_end(),
            (_, Parting::Broken(code), _) => RunEnd::without_code(Outcome::Interrupted, Some(code)),
            (_, Parting::Left, Some(why)) => why.run_end(),
            (_, Parting::Left, None) => RunEnd::exited(0),
        }
    }

    /// The session from its consent to its receipt.
    async fn live(self: Arc<Self>, world: Arc<World>, events: Events, account: Account) {
        // A kind that fails must not leave a session that nobody ends.
        let worked = AssertUnwindSafe(self.work(&world, events)).catch_unwind().await;
        let end = worked.unwrap_or(End::Failed("agent_failed"));
        tracing::info!(session = %self.id(), kind = self.action.kind.as_str(), ?end, "a remote session ended");
        self.farewell(&world, end.bye()).await;
        world.unlist(self.id());
        if self.action.consent != Consent::None {
            world.ports.notice.tell(format!("{} is no longer connected to this computer", self.by));
        }
        let recorded = world.recordings.finish(self.id());
        account.settle(&end.run_end(), recorded.unwrap_or(Output::none()));
    }

    async fn work(self: &Arc<Self>, world: &World, events: Events) -> End {
        let mut ending = self.end.subscribe();
        let asked = Asked::of(&self.action, world.timing.consent);
        let answer = tokio::select! {
            answer = asked.answer(&*world.ports.notice, self.by.as_str()) => answer,
            why = told(&mut ending) => return self.told_to_end(why),
        };
        if answer != Answer::Allowed {
            return self.told_to_end(Why::ConsentRefused);
        }
        let kind = match world.ports.remote.open(&self.action) {
            Ok(kind) => kind,
            Err(error) => return End::Failed(error.code()),
        };
        let recorder = (self.action.record == Record::Session).then(|| world.recordings.begin(self.id()));
        let mut working = kind.work(Opening { session: self.action.clone(), at: self.since, events, recorder });
        tracing::info!(session = %self.id(), kind = self.action.kind.as_str(), by = %self.by, "a remote session is open");
        let why = tokio::select! {
            ended = &mut working => return End::of(ended),
            why = told(&mut ending) => why,
            why = self.expiry(world) => why,
        };
        self.tidy(world, why, working).await
    }

    /// Says goodbye first, so that nothing more is shown, and lets the kind tidy up.
    async fn tidy(&self, world: &World, why: Why, mut working: Working) -> End {
        let end = self.told_to_end(why);
        self.bye(why.bye());
        self.teller.tell(Event::End);
        if tokio::time::timeout(world.timing.tidy, &mut working).await.is_err() {
            tracing::warn!(session = %self.id(), "a remote session did not tidy up in time");
        }
        end
    }

    fn told_to_end(&self, why: Why) -> End {
        self.end(why);
        End::Why(self.end.borrow().unwrap_or(why))
    }

    /// Waits for the first limit that is reached.
    async fn expiry(&self, world: &World) -> Why {
        let limit = Instant::now() + Duration::from_secs(u64::from(self.action.max_secs));
        loop {
            let (at, why) = self.next_limit(world, limit);
            if Instant::now() >= at {
                return why;
            }
            // A limit that moved meanwhile is found then; one that came nearer is at least a second away.
            tokio::time::sleep_until(at.min(Instant::now() + world.timing.unattended)).await;
        }
    }

    fn next_limit(&self, world: &World, limit: Instant) -> (Instant, Why) {
        let state = self.state();
        let idle = (state.last_input + Duration::from_secs(u64::from(self.action.idle_secs)), Why::Idle);
        let unattended = state.unattended.map(|since| (since + world.timing.unattended, Why::Unattended));
        [Some((limit, Why::Limit)), unattended].into_iter().flatten().fold(idle, |first, next| if next.0 < first.0 { next } else { first })
    }

    /// Lets the attachments send what is left, and ends them.
    async fn farewell(&self, world: &World, reason: ByeReason) {
        self.bye(reason);
        let mut tasks = std::mem::take(&mut self.state().tasks);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(world.timing.goodbye(reason) * 2, all).await.is_err() {
            tasks.shutdown().await;
        }
    }

    fn bye(&self, reason: ByeReason) {
        let mut state = self.state();
        state.closing = true;
        for person in state.people.values() {
            person.outlet.bye(reason);
            // An attachment that is already told has heard it.
            let _ = person.calls.try_send(Call::Farewell(reason));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn id(&self) -> RemoteSessionId {
        self.action.session
    }

    /// Ends it; the first reason counts.
    pub(super) fn end(&self, why: Why) {
        self.end.send_if_modified(|first| {
            let new = first.is_none();
            *first = Some(first.unwrap_or(why));
            new
        });
    }

    /// Ends one attachment.
    pub(super) fn send_away(&self, grant: GrantId) {
        if let Some(person) = self.state().people.get(&grant) {
            person.outlet.bye(ByeReason::Ended);
            let _ = person.calls.try_send(Call::Farewell(ByeReason::Ended));
        }
    }

    pub(super) fn ticket(&self, grant: GrantId, ticket: [u8; 32]) {
        if let Some(person) = self.state().people.get(&grant) {
            // One who is called that often without answering needs no further call.
            let _ = person.calls.try_send(Call::Ticket(ticket));
        }
    }

    /// Somebody did something.
    pub(super) fn input(&self) {
        self.state().last_input = Instant::now();
    }

    pub(super) fn connected(&self, id: AttachmentId) {
        let mut state = self.state();
        state.unattended = None;
        state.last_input = Instant::now();
        let before = state.people.get_mut(&id.0).map(|person| std::mem::replace(&mut person.connected, Connected::Now));
        drop(state);
        if before == Some(Connected::Before) {
            self.teller.tell(Event::Back(id));
        }
        self.changed();
    }

    pub(super) fn disconnected(&self, id: AttachmentId) {
        let mut state = self.state();
        if let Some(person) = state.people.get_mut(&id.0) {
            person.connected = Connected::Before;
        }
        if !state.people.values().any(|person| person.connected == Connected::Now) {
            state.unattended = Some(Instant::now());
        }
        drop(state);
        self.teller.tell(Event::Away(id));
        self.changed();
    }

    fn changed(&self) {
        if let Some(world) = self.world.upgrade() {
            world.changed();
        }
    }

    pub(super) fn shown(&self) -> Shown {
        let state = self.state();
        let connected = state.people.values().filter(|person| person.connected == Connected::Now);
        Shown {
            session: self.id().to_string(),
            kind: self.action.kind.as_str().to_owned(),
            by: self.by.as_str().to_owned(),
            since: self.since,
            attached: connected.map(|person| person.name.as_str().to_owned()).collect(),
            recorded: self.action.record == Record::Session,
        }
    }
}

/// Waits until the session is told to end.
async fn told(ending: &mut watch::Receiver<Option<Why>>) -> Why {
    match ending.wait_for(Option::is_some).await {
        Ok(why) => why.unwrap_or(Why::Machine),
        // The session holds the sender as long as it lives.
        Err(_) => Why::Machine,
    }
}
