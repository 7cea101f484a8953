//! The work of one agent: offers that came, runs that are on, and who waits for a place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use sallyport_grant::GrantError;
use sallyport_grant::body::Outcome;
use sallyport_model::GrantId;
use sallyport_wire::GrantOffer;
use tokio::sync::Notify;

use crate::gate::{self, Admitted, Claimed, Gate, Refusal};
use crate::journal::{ClaimError, Entry, Journal, Phase};
use crate::remote::{Host, Why};
use crate::report::{Output, Reporter, RunEnd};
use crate::runner::{Cancel, RunSink, StopCause};
use crate::trust::Trust;

/// Runs at one time.
const RUNNING: usize = 16;
/// Offers that wait for a place; each may hold a script of [`sallyport_model::limits::SCRIPT_BYTES`].
const WAITING: usize = 64;
/// Cancellations of grants that have not come yet.
const CANCELLED: usize = 256;

/// What became of an offer, where the server or people must hear of it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It runs; the journal has all that is to be told.
    Begun,
    Waits,
    /// It was obeyed before; what is known is told again.
    Known(GrantId),
    /// It is not obeyed. The receipt is for the server, where the offer says which grant it is.
    Refused {
        grant: Option<GrantId>,
        refusal: Refusal,
        receipt: Option<String>,
    },
    /// It was cancelled before it came.
    Cancelled {
        grant: GrantId,
        receipt: String,
    },
}

pub(crate) struct Desk {
    gate: Gate,
    reporter: Reporter,
    wake: Arc<Notify>,
    running: BTreeMap<GrantId, Cancel>,
    waiting: VecDeque<GrantOffer>,
    cancelled: BTreeSet<GrantId>,
}

impl Desk {
    pub(crate) fn new(gate: Gate, reporter: Reporter, wake: Arc<Notify>) -> Self {
        let desk = Self { gate, reporter, wake, running: BTreeMap::new(), waiting: VecDeque::new(), cancelled: BTreeSet::new() };
        desk.report_interrupted();
        desk
    }

    /// Claims without an end are runs that a crash cut off: what is left of them is ended, and they are never run again.
    fn report_interrupted(&self) {
        let journal = &self.gate.journal;
        for entry in journal.unreported().into_iter().filter(|entry| entry.phase == Phase::Claimed) {
            let output = self.end_leftovers(&entry);
            let end = RunEnd::without_code(Outcome::Interrupted, Some("agent_restarted"));
            let receipt = self.reporter.receipt(entry.grant, &end, entry.claimed_at, output);
            if let Err(error) = journal.end(entry.grant, end.outcome, receipt) {
                tracing::error!(grant = %entry.grant, %error, "the interruption of a run is known to this process only");
            }
        }
    }

    /// Ends what a crash left, and says what there is of its output.
    fn end_leftovers(&self, entry: &Entry) -> Output {
        if let Some(attach) = entry.attach {
            return self.gate.sessions.end_leftovers(attach);
        }
        self.gate.runs.end_leftovers(entry.grant);
        self.gate.journal.output(entry.grant).map_or(Output::none(), Output::from)
    }

    /// From now on the keys of this root count, and this server is dialled.
    pub(crate) fn trust(&mut self, trust: &Trust) {
        self.gate.root = trust.root.clone();
        self.gate.sessions.dial_at(trust.server.clone(), trust.ca.clone());
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.gate.journal
    }

    /// Takes an offer: runs it, lets it wait, or says why not.
    pub(crate) fn offered(&mut self, offer: GrantOffer) -> Answer {
        let grant = gate::claimed_id(&offer);
        if let Some(known) = grant.filter(|grant| self.gate.journal.entry(*grant).is_some()) {
            // The server may have lost sight of the stream as well.
            if let Some(ticket) = offer.stream_ticket {
                self.gate.sessions.ticket(known, ticket);
            }
            return self.known(known);
        }
        if let Some(grant) = grant.filter(|grant| self.cancelled.remove(grant)) {
            return Answer::Cancelled { grant, receipt: self.reporter.cancelled(grant) };
        }
        if grant.is_some() && self.waiting.iter().any(|waiting| gate::claimed_id(waiting) == grant) {
            return Answer::Waits;
        }
        match self.running.len() {
            full if full >= RUNNING && self.waiting.len() >= WAITING => self.refused(grant, Refusal::Busy),
            full if full >= RUNNING => {
                self.waiting.push_back(offer);
                Answer::Waits
            }
            _ => self.begin(&offer, grant),
        }
    }

    /// The server does not know what it was told before; only where everything was told already is the offer refused.
    fn known(&self, grant: GrantId) -> Answer {
        match self.gate.journal.entry(grant).map(|entry| entry.phase) {
            Some(Phase::Acknowledged { .. }) => self.refused(Some(grant), GrantError::Used.into()),
            _ => Answer::Known(grant),
        }
    }

    fn begin(&mut self, offer: &GrantOffer, grant: Option<GrantId>) -> Answer {
        match self.gate.admit(offer) {
            Ok(Admitted::Script(claimed)) => self.run(claimed),
            Ok(Admitted::Session(claimed)) => self.gate.sessions.attach(claimed),
            Err(refusal) => return self.refused(grant, refusal),
        }
        self.wake.notify_one();
        Answer::Begun
    }

    fn run(&mut self, claimed: Claimed) {
        let id = claimed.id();
        let sink = RunSink::new(&claimed, self.gate.journal.clone(), self.reporter.clone(), self.wake.clone());
        let cancel = self.gate.runs.start(claimed, sink);
        self.running.insert(id, cancel);
    }

    fn refused(&self, grant: Option<GrantId>, refusal: Refusal) -> Answer {
        let receipt = grant.map(|grant| self.reporter.refusal(grant, refusal.code()));
        if let Refusal::Claim(ClaimError::Journal(error)) = &refusal {
            tracing::error!(%error, "a grant was refused since it cannot be claimed");
        }
        Answer::Refused { grant, refusal, receipt }
    }

    /// Lets go of runs that are over and begins what waited for their places.
    pub(crate) fn tidy(&mut self) -> Vec<Answer> {
        let journal = self.gate.journal.clone();
        self.running.retain(|grant, _| journal.entry(*grant).is_some_and(|entry| entry.phase == Phase::Claimed));
        let mut answers = Vec::new();
        while self.running.len() < RUNNING
            && let Some(offer) = self.waiting.pop_front()
        {
            answers.push(self.begin(&offer, gate::claimed_id(&offer)));
        }
        answers
    }

    /// The remote sessions that are open.
    pub(crate) fn sessions(&self) -> &Host {
        &self.gate.sessions
    }

    /// Ends a run early, or remembers that it shall not begin.
    pub(crate) fn cancel(&mut self, grant: GrantId) -> Option<Answer> {
        if let Some(cancel) = self.running.get(&grant) {
            cancel(StopCause::Cancelled);
            return None;
        }
        if self.gate.journal.entry(grant).is_some() {
            return None;
        }
        let before = self.waiting.len();
        self.waiting.retain(|offer| gate::claimed_id(offer) != Some(grant));
        if self.waiting.len() < before {
            return Some(Answer::Cancelled { grant, receipt: self.reporter.cancelled(grant) });
        }
        if self.cancelled.len() < CANCELLED {
            self.cancelled.insert(grant);
        }
        None
    }

    /// The server offers again what waited when the link was lost.
    pub(crate) fn link_lost(&mut self) {
        self.waiting.clear();
    }

    /// Ends all runs and remote sessions since the agent stops.
    pub(crate) fn stop_all(&self) {
        self.gate.sessions.end_all(Why::Machine);
        self.running.values().for_each(|cancel| cancel(StopCause::AgentStops));
    }

    pub(crate) fn is_idle(&mut self) -> bool {
        let journal = self.gate.journal.clone();
        self.running.retain(|grant, _| journal.entry(*grant).is_some_and(|entry| entry.phase == Phase::Claimed));
        self.running.is_empty() && self.gate.sessions.is_idle()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop_all();
    }
}
