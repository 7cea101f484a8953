//! The thread that does one attachment's file work, with the file rights of the session's account.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use sallyport_model::limits;
use sallyport_os::Account;
use sallyport_wire::stream::files::{FileDone, FileRequest};

use super::teller::{Back, Stop, Teller};
use super::upload::Upload;
use super::{archive, change, look, read, walk};
use crate::remote::kind::Received;
use crate::remote::trouble::Trouble;

const STACK_BYTES: usize = 512 * 1024;

/// What a clerk is sent for.
#[derive(Debug)]
pub(super) enum Errand {
    Request(FileRequest),
    Data(u32, Received),
}

pub(super) struct Clerk {
    back: Back,
    uploads: BTreeMap<u32, Upload>,
    works: BTreeMap<u32, Work>,
}

/// A long work on a thread of its own.
struct Work {
    thread: JoinHandle<()>,
    stop: Stop,
    /// Set before the end is told: whoever was told may use the number again at once.
    ended: Arc<AtomicBool>,
}

impl Work {
    fn is_over(&self) -> bool {
        self.ended.load(Ordering::SeqCst) || self.thread.is_finished()
    }
}

impl Clerk {
    pub(super) fn new(back: Back) -> Self {
        Self { back, uploads: BTreeMap::new(), works: BTreeMap::new() }
    }

    /// Takes on the account's file rights, and works until nobody can send errands any more.
    pub(super) fn start(self, account: Account, errands: Receiver<Errand>) -> io::Result<()> {
        let begun = thread(move || match sallyport_os::act_on_files_as(&account) {
            Ok(()) => self.serve(&errands),
            Err(error) => {
                tracing::error!(%error, "cannot act as the account of a session");
                self.back.outlet.refuse("account_not_permitted");
            }
        });
        begun.map(drop)
    }

    fn serve(mut self, errands: &Receiver<Errand>) {
        while let Ok(errand) = errands.recv() {
            match errand {
                Errand::Request(request) => self.request(request),
                Errand::Data(channel, bytes) => self.data(channel, &bytes),
            }
        }
    }

    fn request(&mut self, request: FileRequest) {
        use FileRequest as Asked;
        let teller = Teller::new(request.id(), self.back.clone());
        self.works.retain(|_, work| !work.is_over());
        let opens = !matches!(request, Asked::Commit { .. } | Asked::Abort { .. });
        if opens && (self.uploads.contains_key(&teller.id) || self.works.contains_key(&teller.id)) {
            return teller.end(Err(Trouble::code("id_in_use")));
        }
        let outcome = match request {
            Asked::List { path, .. } => look::list(&teller, &path),
            Asked::Stat { path, .. } => look::stat(&path),
            Asked::Preview { path, .. } => look::preview(&path),
            Asked::Mkdir { path, .. } => change::make_folder(&path),
            Asked::Rename { from, to, overwrite, .. } => change::rename(&from, &to, overwrite),
            Asked::Chmod { path, mode, .. } => change::set_mode(&path, mode),
            Asked::Chown { path, owner, group, .. } => change::set_owner(&path, owner.as_deref(), group.as_deref()),
            Asked::Write { .. } => self.write(&teller, &request),
            Asked::Commit { id } => self.uploads.remove(&id).ok_or(Trouble::code("no_such_write")).and_then(Upload::commit),
            Asked::Abort { id } => return self.abort(id, &teller),
            Asked::Read { .. } | Asked::Remove { .. } | Asked::Usage { .. } | Asked::Archive { .. } => return self.begin(teller, request),
        };
        teller.end(outcome);
    }

    fn write(&mut self, teller: &Teller, request: &FileRequest) -> Result<FileDone, Trouble> {
        if self.uploads.len() >= limits::UPLOADS {
            return Err(Trouble::code("too_many_requests"));
        }
        let (upload, offset) = Upload::begin(request)?;
        self.uploads.insert(teller.id, upload);
        Ok(FileDone { offset: Some(offset), ..FileDone::default() })
    }

    /// What comes for a write that has failed is on its way since before the client could know.
    fn data(&mut self, channel: u32, bytes: &[u8]) {
        let Some(upload) = self.uploads.get_mut(&channel) else { return };
        if let Err(trouble) = upload.take(bytes) {
            if let Some(upload) = self.uploads.remove(&channel) {
                upload.discard();
            }
            Teller::new(channel, self.back.clone()).end(Err(trouble));
        }
    }

    /// A work answers its own request when it ends; a write is answered here.
    fn abort(&mut self, id: u32, teller: &Teller) {
        if let Some(work) = self.works.get(&id) {
            return work.stop.stop();
        }
        if let Some(upload) = self.uploads.remove(&id) {
            upload.discard();
        }
        teller.end(Ok(FileDone::default()));
    }

    fn begin(&mut self, teller: Teller, request: FileRequest) {
        if self.works.len() >= limits::FILE_WORKS {
            return teller.end(Err(Trouble::code("too_many_requests")));
        }
        let (id, stop, told) = (teller.id, teller.stop.clone(), teller.clone());
        let ended = Arc::new(AtomicBool::new(false));
        let over = ended.clone();
        let works = move || {
            let outcome = work(&teller, request);
            over.store(true, Ordering::SeqCst);
            teller.end(outcome);
        };
        // A thread has the rights of the one that begins it.
        match thread(works) {
            Ok(thread) => drop(self.works.insert(id, Work { thread, stop, ended })),
            Err(error) => told.end(Err(error.into())),
        }
    }
}

fn work(teller: &Teller, request: FileRequest) -> Result<FileDone, Trouble> {
    match request {
        FileRequest::Read { path, offset, length, .. } => read::send(teller, &path, offset, length),
        FileRequest::Remove { path, recursive, .. } => change::remove(teller, &path, recursive),
        FileRequest::Usage { path, .. } => walk::usage(teller, &path),
        FileRequest::Archive { path, .. } => archive::send(teller, &path),
        // Everything else is done by the clerk itself.
        _ => Err(Trouble::code("internal")),
    }
}

/// Whoever leaves takes along what was begun for them.
impl Drop for Clerk {
    fn drop(&mut self) {
        self.works.values().for_each(|work| work.stop.stop());
    }
}

fn thread(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("files".to_owned()).stack_size(STACK_BYTES).spawn(work)
}
