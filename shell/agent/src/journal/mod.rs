//! What must survive a crash: which grants are spent, how runs ended, and output that nobody has stored yet.
//!
//! A claim is durable before [`Journal::claim`] returns, and nothing runs without the [`ClaimedGrant`]
//! that it gives out. Ids are forgotten only once their grants expired by a floor of the clock that is durable too:
//! setting the clock back brings no grant back. The floor moves with obeyed grants only, whose windows the server
//! signed, so that a clock that was wrong for an hour cannot lock the device.

mod claimable;
mod record;
mod spool;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sallyport_grant::occurrence::LastRun;
use sallyport_grant::verify::{ReadyGrant, UsedIds};
use sallyport_model::{Digest, GrantId, Timestamp, limits};

pub use claimable::{Attach, Began, Claimable};
pub use sallyport_grant::body::Outcome;
pub use spool::Chunk;

use crate::disk::Disk;
use record::Record;
use spool::Spool;

const FILE: &str = "journal";
/// Room that is written in advance for the end of each open run, so that a disk that fills up meanwhile cannot lose it.
const ROOM_PER_RUN: usize = 4 * 1024;
/// Below this length a journal is not worth rewriting.
const COMPACT_FROM: u64 = 128 * 1024;
/// How many past runs are remembered for people.
const HISTORY: usize = 20;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the disk is full")]
    Full,
    #[error("the journal could not be written or read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::Full,
            _ => Self::Io(error),
        }
    }
}

/// Why a grant could not be claimed; nothing of it was executed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    #[error("the grant was used before")]
    Used,
    #[error("the journal was damaged, and the grant is from before that")]
    Damaged,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// A grant whose id is spent durably. Only [`Journal::claim`] makes one; whoever obeys consumes it.
#[derive(Debug)]
#[must_use]
pub struct ClaimedGrant<A> {
    id: GrantId,
    action: A,
    at: Timestamp,
}

impl<A> ClaimedGrant<A> {
    pub fn id(&self) -> GrantId {
        self.id
    }

    pub fn action(&self) -> &A {
        &self.action
    }

    /// When it was claimed; it begins now.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// A claimed grant, as the journal remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub grant: GrantId,
    pub expires: Timestamp,
    pub claimed_at: Timestamp,
    /// The script's name, or the kind of remote session.
    pub name: String,
    pub attach: Option<Attach>,
    /// Of a published schedule: which occurrence.
    pub occurrence: Option<Began>,
    /// Who asked for it.
    pub by: String,
    pub phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Running, or interrupted where nobody runs it.
    Claimed,
    /// Over; the receipt waits for the server.
    Ended { outcome: Outcome, receipt: String },
    /// Over, and the server knows.
    Acknowledged { outcome: Outcome },
}

/// What is known of a run's output so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputSoFar {
    pub bytes: u64,
    pub digest: Digest,
    pub chunks: u64,
}

/// The journal of one agent.
pub struct Journal {
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
    spools: Mutex<BTreeMap<GrantId, Arc<Mutex<Spool>>>>,
}

struct State {
    /// Where the next record belongs.
    end: u64,
    floor: Timestamp,
    obey_from: Timestamp,
    entries: BTreeMap<GrantId, Entry>,
}

impl Journal {
    /// Reads the journal. A torn last record is cut off; where more than that is unreadable, all grants from before
    /// now are refused, since some of them may have been spent.
    pub fn open(disk: Arc<dyn Disk>, now: Timestamp) -> Result<Self, JournalError> {
        let bytes = disk.read(FILE)?;
        let found = record::decode(bytes.as_deref().unwrap_or_default());
        let mut state =
            State { end: found.end as u64, floor: Timestamp::default(), obey_from: Timestamp::default(), entries: BTreeMap::new() };
        found.records.into_iter().for_each(|record| state.apply(record));
        if found.damaged {
            state.obey_from = state.obey_from.max(now.plus_secs(limits::GRANT_LIFETIME_SECS));
        }
        let journal = Self { disk, state: Mutex::new(state), spools: Mutex::default() };
        journal.clean_up(bytes.map(|bytes| bytes.len()), found.damaged)?;
        Ok(journal)
    }

    fn clean_up(&self, file_len: Option<usize>, damaged: bool) -> Result<(), JournalError> {
        let mut state = self.state();
        match file_len {
            None => self.disk.replace(FILE, b"")?,
            Some(_) if damaged => self.rewrite(&mut state)?,
            Some(len) if len as u64 > state.end => self.disk.cut(FILE, state.end)?,
            Some(_) => {}
        }
        let kept: Vec<String> = state.reported().map(|entry| Spool::named(entry.grant)).collect();
        let stray = |name: &String| name.starts_with("output-") && !kept.contains(name);
        for name in self.disk.names()?.into_iter().filter(stray) {
            self.disk.remove(&name)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The earliest time that the clock is believed to be.
    pub fn floor(&self) -> Timestamp {
        self.state().floor
    }

    /// Spends the grant's id. When this returns `Ok`, no crash can make the device obey it again.
    pub fn claim<A: Claimable>(&self, ready: ReadyGrant<A>, now: Timestamp) -> Result<ClaimedGrant<A>, ClaimError> {
        let wanted = ready.grant().used_up();
        let mut state = self.state();
        // Offers are verified before they wait for their turn: another occurrence of the schedule may have begun meanwhile.
        let overtaken = wanted.occurrence.is_some_and(|one| state.last_run(one.publication).is_some_and(|last| one.due <= last.due));
        if overtaken || state.entries.contains_key(&wanted.id) {
            return Err(ClaimError::Used);
        }
        if wanted.since < state.obey_from {
            return Err(ClaimError::Damaged);
        }
        let at = now.max(state.floor);
        let by = ready.grant().body().requested_by.email.as_str().to_owned();
        let (name, attach) = (ready.grant().action().title(), ready.grant().action().attach());
        let occurrence = wanted.occurrence.map(Began::from);
        self.append(&mut state, Record::Claimed { grant: wanted.id, expires: wanted.until, at, name, by, attach, occurrence })?;
        Ok(ClaimedGrant { id: wanted.id, at, action: ready.into_action() })
    }

    /// Writes a record and makes it safe; after a failure the record does not count, whatever is on the disk.
    fn append(&self, state: &mut State, record: Record) -> Result<(), JournalError> {
        let mut bytes = record::encode(&record);
        let length = bytes.len() as u64;
        let open = state.entries.values().filter(|entry| entry.phase == Phase::Claimed).count();
        let room = match record {
            Record::Claimed { .. } => (open + 1) * ROOM_PER_RUN,
            _ => 0,
        };
        bytes.resize(bytes.len() + room, 0);
        let written = self.disk.write_at(FILE, state.end, &bytes).and_then(|()| self.disk.sync(FILE));
        if let Err(error) = written {
            // A record that failed must not be found at the next start; where even that fails, the next one overwrites it.
            let _ = self.disk.cut(FILE, state.end);
            return Err(error.into());
        }
        state.end += length;
        state.apply(record);
        Ok(())
    }

    fn spool(&self, grant: GrantId) -> Result<Arc<Mutex<Spool>>, JournalError> {
        let mut spools = self.spools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spool) = spools.get(&grant) {
            return Ok(spool.clone());
        }
        let spool = Arc::new(Mutex::new(Spool::reopen(&*self.disk, grant)?));
        spools.insert(grant, spool.clone());
        Ok(spool)
    }

    /// Stores a piece of output, at most [`limits::OUTPUT_CHUNK_BYTES`] long and not empty.
    pub fn append_output(&self, grant: GrantId, chunk: &Chunk) -> Result<(), JournalError> {
        let spool = self.spool(grant)?;
        let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(spool.append(&*self.disk, chunk)?)
    }

    /// Reads a piece of output back; `None` where there is none of that number yet.
    pub fn chunk(&self, grant: GrantId, seq: u64) -> Result<Option<Chunk>, JournalError> {
        let spool = self.spool(grant)?;
        let spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(spool.read(&*self.disk, seq)?)
    }

    /// What is stored of a run's output.
    pub fn output(&self, grant: GrantId) -> Result<OutputSoFar, JournalError> {
        let spool = self.spool(grant)?;
        let spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(OutputSoFar { bytes: spool.bytes(), digest: spool.digest(), chunks: spool.chunks() })
    }

    /// Notes that a run is over: its output and its receipt are safe when this returns `Ok`. Where the disk fails, this
    /// process still reports the end; after a crash the run counts as interrupted.
    pub fn end(&self, grant: GrantId, outcome: Outcome, receipt: String) -> Result<(), JournalError> {
        let output_safe = self.spool(grant).and_then(|spool| {
            let spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(spool.make_safe(&*self.disk)?)
        });
        let mut state = self.state();
        let record = Record::Ended { grant, outcome, receipt };
        let written = output_safe.and_then(|()| self.append(&mut state, record.clone()));
        if written.is_err() {
            state.apply(record);
        }
        written
    }

    /// Notes that the server has the receipt, and lets the output go. The id stays spent.
    pub fn acknowledge(&self, grant: GrantId) -> Result<(), JournalError> {
        let mut state = self.state();
        let Some(Phase::Ended { outcome, .. }) = state.entries.get(&grant).map(|entry| &entry.phase) else { return Ok(()) };
        let outcome = *outcome;
        self.append(&mut state, Record::Acknowledged { grant, outcome })?;
        let spool = self.spool(grant)?;
        self.spools.lock().unwrap_or_else(PoisonError::into_inner).remove(&grant);
        spool.lock().unwrap_or_else(PoisonError::into_inner).remove(&*self.disk)?;
        if state.end > COMPACT_FROM {
            self.rewrite(&mut state)?;
        }
        Ok(())
    }

    fn rewrite(&self, state: &mut State) -> Result<(), JournalError> {
        state.forget();
        let bytes: Vec<u8> = state.records().iter().flat_map(record::encode).collect();
        self.disk.replace(FILE, &bytes)?;
        state.end = bytes.len() as u64;
        Ok(())
    }

    /// One grant, as remembered.
    pub fn entry(&self, grant: GrantId) -> Option<Entry> {
        self.state().entries.get(&grant).cloned()
    }

    /// All that the server does not know to be over, oldest first.
    pub fn unreported(&self) -> Vec<Entry> {
        self.state().reported().cloned().collect()
    }

    /// The latest grants that were obeyed, newest first.
    pub fn history(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.state().entries.values().cloned().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.claimed_at));
        entries.truncate(HISTORY);
        entries
    }
}

impl UsedIds for Journal {
    fn is_used(&self, grant: GrantId) -> bool {
        self.state().entries.contains_key(&grant)
    }

    fn last_run(&self, publication: GrantId) -> Option<LastRun> {
        self.state().last_run(publication)
    }
}

impl State {
    fn apply(&mut self, record: Record) {
        match record {
            Record::Floor { at } => self.floor = self.floor.max(at),
            Record::Damaged { obey_from } => self.obey_from = self.obey_from.max(obey_from),
            Record::Claimed { grant, expires, at, name, by, attach, occurrence } => {
                self.floor = self.floor.max(at);
                let entry = Entry { grant, expires, claimed_at: at, name, attach, occurrence, by, phase: Phase::Claimed };
                self.entries.insert(grant, entry);
            }
            Record::Ended { grant, outcome, receipt } => self.set_phase(grant, Phase::Ended { outcome, receipt }),
            Record::Acknowledged { grant, outcome } => self.set_phase(grant, Phase::Acknowledged { outcome }),
        }
    }

    fn last_run(&self, publication: GrantId) -> Option<LastRun> {
        let of = |entry: &Entry| entry.occurrence.filter(|one| one.publication == publication).map(|one| (one.due, entry.claimed_at));
        self.entries.values().filter_map(of).max().map(|(due, began)| LastRun { due, began })
    }

    fn set_phase(&mut self, grant: GrantId, phase: Phase) {
        if let Some(entry) = self.entries.get_mut(&grant) {
            entry.phase = phase;
        }
    }

    fn reported(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !matches!(entry.phase, Phase::Acknowledged { .. }))
    }

    /// Drops what is over, known to the server and expired by the floor, except for the latest.
    fn forget(&mut self) {
        let mut over: Vec<(Timestamp, GrantId)> =
            self.entries.values().filter(|entry| self.may_go(entry)).map(|entry| (entry.claimed_at, entry.grant)).collect();
        over.sort();
        let surplus = over.len().saturating_sub(HISTORY);
        for (_, grant) in over.into_iter().take(surplus) {
            self.entries.remove(&grant);
        }
    }

    fn may_go(&self, entry: &Entry) -> bool {
        matches!(entry.phase, Phase::Acknowledged { .. }) && entry.expires <= self.floor
    }

    fn records(&self) -> Vec<Record> {
        let mut records = vec![Record::Floor { at: self.floor }];
        if self.obey_from > Timestamp::default() {
            records.push(Record::Damaged { obey_from: self.obey_from });
        }
        for entry in self.entries.values() {
            let grant = entry.grant;
            records.push(Record::Claimed {
                grant,
                expires: entry.expires,
                at: entry.claimed_at,
                name: entry.name.clone(),
                by: entry.by.clone(),
                attach: entry.attach,
                occurrence: entry.occurrence,
            });
            match &entry.phase {
                Phase::Claimed => {}
                Phase::Ended { outcome, receipt } => records.push(Record::Ended { grant, outcome: *outcome, receipt: receipt.clone() }),
                Phase::Acknowledged { outcome } => records.push(Record::Acknowledged { grant, outcome: *outcome }),
            }
        }
        records
    }
}

#[cfg(test)]
mod tests;
