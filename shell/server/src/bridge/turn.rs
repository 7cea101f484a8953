//! One try to replace a credential, by whoever has the turn. What is next is `decide`'s; here it is done, and written down before it is.

use sallyport_decide::bridge::rotation::{After, Event, Next, State, Which, after, next};
use sallyport_decide::bridge::{Hook, NewSecret, SafePath, Secret, Verb};
use sallyport_decide::outbound::Target;
use sallyport_store::StoreError;
use sallyport_store::ops::bridge::{
    BeginRotation, ConnectionRow, FailRotation, FinishRotation, KeepCandidate, Kept, MarkSent, SealedSecret, secret_of,
};

use super::send::{Bare, opened, send};
use super::{LABEL, place};
use crate::App;
use crate::outbound::{Answer, OutboundError};

/// Why a try was given up: it is taken up again when the claim is over, from what is written down.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its terms or its credential cannot be used")]
    Unusable,
}

/// Goes on with a replacement until it is over, fails, or somebody else has the turn.
pub(super) async fn take(app: App, row: ConnectionRow, turn: u64) {
    let Some(hook) = row.shape.rotation.clone() else { return };
    let id = row.id;
    let this = Turn { app, row, hook, turn };
    match this.run().await {
        Ok(()) | Err(Stopped::Store(StoreError::Conflict)) => {}
        Err(error) => tracing::warn!(%error, connection = %id, "a credential could not be replaced; it is taken up again"),
    }
}

struct Turn {
    app: App,
    row: ConnectionRow,
    hook: Hook,
    turn: u64,
}

impl Turn {
    async fn run(&self) -> Result<(), Stopped> {
        let mut state = self.row.rotation.state;
        loop {
            let event = match next(state, &self.hook.new) {
                Next::Begin => {
                    self.begin().await?;
                    state = State::Ready;
                    continue;
                }
                Next::Send => {
                    self.app.store.reserve(MarkSent { connection: self.row.id, turn: self.turn }).await?;
                    state = State::Sent;
                    self.tell_vendor().await?
                }
                Next::Prove(which) => self.prove(which).await?,
            };
            let leads = match after(state, &self.hook.new, event) {
                After::AskPresent => after(state, &self.hook.new, self.prove(Which::Present).await?),
                other => other,
            };
            match leads {
                After::On(further) => state = further,
                After::Finish => return self.finish().await,
                After::Fail(state, failure) => {
                    let (app, row, turn) = (&self.app, self.row.clone(), self.turn);
                    let change = FailRotation { row, turn, state, failure, at: app.clock.now(), salt: self.app.random() };
                    return Ok(app.store.commit(change).await?);
                }
                After::AskPresent => return Err(Stopped::Unusable),
            }
        }
    }

    async fn begin(&self) -> Result<(), Stopped> {
        let candidate = match self.hook.new {
            NewSecret::Made => Some(self.sealed(&Secret::from_random(self.app.random()))),
            NewSecret::Answer { .. } => None,
        };
        let (connection, turn, at) = (self.row.id, self.turn, self.app.clock.now());
        Ok(self.app.store.commit(BeginRotation { connection, turn, candidate, at, salt: self.app.random() }).await?)
    }

    async fn finish(&self) -> Result<(), Stopped> {
        let change = FinishRotation { row: self.row.clone(), turn: self.turn, at: self.app.clock.now(), salt: self.app.random() };
        self.app.store.commit(change).await?;
        tracing::info!(connection = %self.row.id, "a credential was replaced");
        Ok(())
    }

    /// Sends the request that replaces the credential. What the vendor made is kept before anything else is done with it.
    async fn tell_vendor(&self) -> Result<Event, Stopped> {
        let present = self.secret(Which::Present).await?.ok_or(Stopped::Unusable)?;
        let new = match self.hook.new {
            NewSecret::Made => Some(self.secret(Which::Candidate).await?.ok_or(Stopped::Unusable)?),
            NewSecret::Answer { .. } => None,
        };
        let body = self.hook.body_with(new.as_ref().map_or("", Secret::expose), present.expose()).ok_or(Stopped::Unusable)?;
        let answer = self.ask((self.hook.method, &self.hook.path, body), &present).await?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(why) => return Ok(if why.may_have_arrived() { Event::Unknown } else { Event::Unsent }),
        };
        match (answer.status, &self.hook.new) {
            (200..=299, NewSecret::Made) => Ok(Event::Accepted),
            (200..=299, NewSecret::Answer { pointer }) => self.keep_answered(&answer, pointer).await,
            // Too many at once, or not now: nothing was done.
            (400..=499, _) => Ok(Event::Refused),
            _ => Ok(Event::Unknown),
        }
    }

    async fn keep_answered(&self, answer: &Answer, pointer: &str) -> Result<Event, Stopped> {
        let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        let text = body.as_ref().and_then(|body| body.pointer(pointer)).and_then(serde_json::Value::as_str);
        let Some(secret) = text.and_then(|text| Secret::parse(text).ok()) else { return Ok(Event::NoSecret) };
        let (connection, turn, at) = (self.row.id, self.turn, self.app.clock.now());
        self.app.store.reserve(KeepCandidate { connection, turn, candidate: self.sealed(&secret), at }).await?;
        Ok(Event::Accepted)
    }

    /// Asks the vendor whether it takes a credential.
    async fn prove(&self, which: Which) -> Result<Event, Stopped> {
        let Some(secret) = self.secret(which).await? else { return Ok(Event::Bad(which)) };
        let path = self.row.shape.check.as_deref().ok_or(Stopped::Unusable)?;
        Ok(match self.ask((Verb::Get, path, String::new()), &secret).await? {
            Ok(Answer { status: 200..=299, .. }) => Event::Good(which),
            Ok(Answer { status: 401 | 403, .. }) => Event::Bad(which),
            Ok(_) | Err(_) => Event::Silent(which),
        })
    }

    async fn ask(&self, (verb, path, body): (Verb, &str, String), secret: &Secret) -> Result<Result<Answer, OutboundError>, Stopped> {
        let mut headers: Vec<_> = self.row.shape.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        headers.push(("accept".to_owned(), "application/json".to_owned()));
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let bare = Bare { tenant: self.row.tenant, verb, target: self.target(path)?, headers: &headers, body: body.into_bytes() };
        Ok(send(&self.app, bare, (&self.row.shape.placement, secret)).await)
    }

    fn target(&self, path: &str) -> Result<Target, Stopped> {
        let path = SafePath::parse(path.trim_start_matches('/')).map_err(|_| Stopped::Unusable)?;
        self.row.shape.target(&path, None).map_err(|_| Stopped::Unusable)
    }

    async fn secret(&self, which: Which) -> Result<Option<Secret>, Stopped> {
        let kept = if which == Which::Present { Kept::Present } else { Kept::Candidate };
        let sealed = secret_of(&mut self.app.store.read().await?, self.row.id, kept).await?;
        sealed.map(|sealed| opened(&self.app, self.row.id, &sealed).map_err(|_| Stopped::Unusable)).transpose()
    }

    fn sealed(&self, secret: &Secret) -> SealedSecret {
        let id = self.app.random();
        SealedSecret { id, sealed: self.app.keys.seal(LABEL, &place(self.row.id, id), secret.expose().as_bytes()) }
    }
}
