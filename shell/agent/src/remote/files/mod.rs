//! Files: browse, read, write, change, sum up and archive, with the rights of the account that the grant names.
//!
//! File calls block, so each attachment has a clerk: a thread that took on the account's file rights and serves requests in
//! their order. What takes long (reads, sums, archives, removals) gets a thread of its own with the same rights.
//! A path leads where its names say: see `sallyport_os::Place`. A file is written beside its place and moved there whole.

mod archive;
mod change;
mod clerk;
mod listing;
mod look;
mod read;
mod tar;
mod teller;
mod upload;
mod walk;

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};

use sallyport_grant::body::Access;
use sallyport_os::Account;
use sallyport_wire::stream::files::FileRequest;

use self::clerk::{Clerk, Errand};
use self::teller::Back;
use super::kind::{Attachment, AttachmentId, Ended, Event, Message, Opening, Received};
use super::ledger::Ledger;
use super::recording::RecordingError;

/// The kind `files`.
pub async fn files(mut opening: Opening) -> Ended {
    let account = match opening.session.run_as.as_ref().map_or_else(Account::own, |name| Account::named(name.as_str())) {
        Err(_) => return Ended::Failed("account_unknown"),
        Ok(account) if account.is_own() || sallyport_os::machine::is_privileged() => account,
        Ok(_) => return Ended::Failed("account_not_permitted"),
    };
    let mut desk = Desk { account, ledger: Ledger::of(&opening), attached: BTreeMap::new() };
    loop {
        match opening.events.next().await {
            Event::Joined(attachment) => desk.joined(attachment),
            Event::Control { from, message } => {
                if let Err(error) = desk.control(from, &message) {
                    return Ended::Failed(error.code());
                }
            }
            Event::Data { from, channel, bytes } => desk.data(from, channel, bytes),
            Event::Left(attachment) => drop(desk.attached.remove(&attachment)),
            Event::Room | Event::Away(_) | Event::Back(_) => {}
            Event::End => return Ended::Told,
        }
    }
}

/// Who is attached, each with a clerk. Without their sender clerks end, and what they began.
struct Desk {
    account: Account,
    ledger: Ledger,
    attached: BTreeMap<AttachmentId, Served>,
}

struct Served {
    attachment: Attachment,
    /// What waits for the clerk counts against what the client may have under way.
    errands: Sender<Errand>,
}

impl Desk {
    fn joined(&mut self, attachment: Attachment) {
        let (errands, waiting) = channel();
        let clerk = Clerk::new(Back {
            outlet: attachment.outlet.clone(),
            runtime: tokio::runtime::Handle::current(),
            ledger: self.ledger.clone(),
            name: attachment.name.clone(),
        });
        match clerk.start(self.account.clone(), waiting) {
            Ok(()) => drop(self.attached.insert(attachment.id, Served { attachment, errands })),
            Err(error) => {
                tracing::error!(%error, "no thread for file work");
                attachment.outlet.refuse("start_failed");
            }
        }
    }

    fn control(&mut self, from: AttachmentId, message: &Message) -> Result<(), RecordingError> {
        let Some(served) = self.attached.get(&from) else { return Ok(()) };
        let outlet = &served.attachment.outlet;
        match message.parse::<FileRequest>() {
            Err(_) => outlet.refuse("unknown_message"),
            Ok(request) if served.attachment.access == Access::View && changes_something(&request) => outlet.refuse("view_only"),
            Ok(request) => {
                self.ledger.asked(&served.attachment.name, &request)?;
                served.hand_over(Errand::Request(request));
            }
        }
        Ok(())
    }

    fn data(&mut self, from: AttachmentId, channel: u32, bytes: Received) {
        if let Some(served) = self.attached.get(&from) {
            if served.attachment.access == Access::View {
                return served.attachment.outlet.refuse("view_only");
            }
            served.hand_over(Errand::Data(channel, bytes));
        }
    }
}

impl Served {
    fn hand_over(&self, errand: Errand) {
        if self.errands.send(errand).is_err() {
            self.attachment.outlet.refuse("failed");
        }
    }
}

fn changes_something(request: &FileRequest) -> bool {
    use FileRequest as Asked;
    match request {
        Asked::Write { .. }
        | Asked::Commit { .. }
        | Asked::Mkdir { .. }
        | Asked::Rename { .. }
        | Asked::Remove { .. }
        | Asked::Chmod { .. }
        | Asked::Chown { .. } => true,
        Asked::List { .. }
        | Asked::Stat { .. }
        | Asked::Preview { .. }
        | Asked::Read { .. }
        | Asked::Abort { .. }
        | Asked::Usage { .. }
        | Asked::Archive { .. } => false,
    }
}

#[cfg(test)]
mod tests;
