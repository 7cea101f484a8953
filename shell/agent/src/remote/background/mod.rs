//! Background management: processes, services, logs, users and packages, without disturbing who sits at the machine.
//!
//! Every request is a task of its own that answers its one attachment and ends with it; a lister that is slow delays nobody.
//! What looks at the machine is here; what may be asked is in `sallyport_wire::stream::background`.

mod answering;
mod logs;
mod packages;
mod processes;
mod program;
mod services;
mod signing;

use std::collections::BTreeMap;

use sallyport_grant::body::Access;
use sallyport_model::limits;
use sallyport_wire::stream::background::BackgroundRequest;
use tokio::task::JoinSet;

use self::answering::{Answering, Trouble};
pub(crate) use self::processes::listening;
use super::kind::{Attachment, AttachmentId, Ended, Event, Message, Opening};
use super::ledger::Ledger;
use super::recording::RecordingError;

/// The kind `background`.
pub async fn background(mut opening: Opening) -> Ended {
    if opening.session.run_as.is_some() {
        return Ended::Failed("run_as_unsupported");
    }
    let mut desk = Desk::new(Ledger::of(&opening));
    loop {
        tokio::select! {
            event = opening.events.next() => match event {
                Event::Joined(attachment) => desk.joined(attachment),
                Event::Control { from, message } => {
                    if let Err(error) = desk.control(from, &message) {
                        return Ended::Failed(error.code());
                    }
                }
                // No request of this kind of session has data.
                Event::Data { from, .. } => desk.refuse(from, "unexpected_data"),
                Event::Left(attachment) => desk.left(attachment),
                Event::Room | Event::Away(_) | Event::Back(_) => {}
                Event::End => return Ended::Told,
            },
            Some(_) = desk.works.join_next() => {}
        }
    }
}

/// Who is attached, and what is under way for them. Dropping it ends all of it.
struct Desk {
    ledger: Ledger,
    attached: BTreeMap<AttachmentId, Attachment>,
    works: JoinSet<()>,
    under_way: BTreeMap<(AttachmentId, u32), tokio::task::AbortHandle>,
}

impl Desk {
    fn new(ledger: Ledger) -> Self {
        Self { ledger, attached: BTreeMap::new(), works: JoinSet::new(), under_way: BTreeMap::new() }
    }

    fn joined(&mut self, attachment: Attachment) {
        self.attached.insert(attachment.id, attachment);
    }

    fn left(&mut self, attachment: AttachmentId) {
        self.attached.remove(&attachment);
        self.under_way.retain(|(of, _), work| {
            let stays = *of != attachment;
            if !stays {
                work.abort();
            }
            stays
        });
    }

    fn refuse(&mut self, from: AttachmentId, code: &'static str) {
        if let Some(attachment) = self.attached.get(&from) {
            attachment.outlet.refuse(code);
        }
    }

    fn control(&mut self, from: AttachmentId, message: &Message) -> Result<(), RecordingError> {
        let Some(attachment) = self.attached.get(&from) else { return Ok(()) };
        let Ok(request) = message.parse::<BackgroundRequest>() else {
            attachment.outlet.refuse("unknown_message");
            return Ok(());
        };
        if attachment.access == Access::View && changes_something(&request) {
            attachment.outlet.refuse("view_only");
            return Ok(());
        }
        self.ledger.asked(&attachment.name, &request)?;
        let answering = Answering::new(request.id(), attachment.outlet.clone());
        let told = (self.ledger.clone(), attachment.name.clone());
        self.begin(from, request, answering, told);
        Ok(())
    }

    fn begin(&mut self, from: AttachmentId, request: BackgroundRequest, answering: Answering, (ledger, name): (Ledger, String)) {
        self.under_way.retain(|_, work| !work.is_finished());
        if let BackgroundRequest::Stop { id } = request {
            return self.stop(from, id, answering);
        }
        let busy = self.under_way.keys().filter(|(of, _)| *of == from).count() >= limits::BACKGROUND_WORKS;
        if busy || self.under_way.contains_key(&(from, request.id())) {
            let trouble = if busy { Trouble::code("too_many_requests") } else { Trouble::code("id_in_use") };
            self.works.spawn(async move { answering.failed(trouble).await });
            return;
        }
        let key = (from, request.id());
        let id = request.id();
        let working = async move {
            let outcome = work(request, &answering).await;
            ledger.ended(&name, id, outcome.as_ref().err().map_or("ok", |trouble| trouble.code), None);
            if let Err(trouble) = outcome {
                answering.failed(trouble).await;
            }
        };
        self.under_way.insert(key, self.works.spawn(working));
    }

    fn stop(&mut self, from: AttachmentId, id: u32, answering: Answering) {
        if let Some(work) = self.under_way.remove(&(from, id)) {
            work.abort();
        }
        self.works.spawn(async move { answering.done().await });
    }
}

fn changes_something(request: &BackgroundRequest) -> bool {
    use BackgroundRequest as Asked;
    match request {
        Asked::Signal { .. } | Asked::Priority { .. } | Asked::ServiceDo { .. } => true,
        Asked::Processes { .. }
        | Asked::WatchProcesses { .. }
        | Asked::Services { .. }
        | Asked::Service { .. }
        | Asked::Logs { .. }
        | Asked::Stop { .. }
        | Asked::Users { .. }
        | Asked::Packages { .. } => false,
    }
}

/// One request, from its beginning to its answer.
async fn work(request: BackgroundRequest, answering: &Answering) -> Result<(), Trouble> {
    use BackgroundRequest as Asked;
    match request {
        Asked::Processes { .. } => processes::list(answering).await,
        Asked::WatchProcesses { every_ms, .. } => processes::watch(answering, every_ms).await,
        Asked::Signal { pid, started, signal, tree, .. } => processes::end(answering, pid, started, signal, tree).await,
        Asked::Priority { pid, started, nice, .. } => processes::set_priority(answering, pid, started, nice).await,
        Asked::Services { .. } => services::list(answering).await,
        Asked::Service { name, .. } => services::details(answering, &name).await,
        Asked::ServiceDo { name, what, .. } => services::change(answering, &name, what).await,
        Asked::Logs { unit, priority, since, grep, follow, .. } => {
            let wanted = logs::Wanted { unit, priority, since, grep, follow };
            logs::tell(answering, &wanted).await
        }
        Asked::Users { .. } => signing::list(answering).await,
        Asked::Packages { q, .. } => packages::list(answering, q.unwrap_or_default()).await,
        // Answered where the works are known.
        Asked::Stop { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests;
