//! Around the execution of what was released about people: links and mails are made before it, streams and devices told after it.

use sallyport_api as api;
use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_decide::actions::{Action, Released};
use sallyport_model::{TenantId, Timestamp, UserId, limits};
use sallyport_store::ops::execute::Executed;
use sallyport_store::ops::people::{LinkPurpose, NewLink, NewMail, PeoplePart, Stopped, policy};

use crate::events::Event;
use crate::{App, Refusal, mail};

/// What an action on people needs beside itself, and what is shown of it once.
pub(crate) struct Prepared {
    pub(crate) part: PeoplePart,
    pub(crate) invitation: Option<api::CreatedInvitation>,
}

/// Makes ids, links and mails; `None` for what is not about people.
pub(crate) async fn prepare(app: &App, released: &Released) -> Result<Option<Prepared>, Refusal> {
    let (asker, now) = (&released.frozen().asker, app.clock.now());
    let nothing = |user| PeoplePart { user, link: None, mails: Vec::new(), held_mails: Vec::new() };
    Ok(Some(match &released.frozen().action {
        Action::InviteUser(invited) => {
            let user = UserId::new(now, app.random());
            let made = Made::new(app, LinkPurpose::Invitation, &asker.name, now);
            let tenant_name = policy(&mut app.store.read().await?, asker.tenant).await?.name;
            let letter = mail::invitation(&tenant_name, &invited.name, &asker.name, made.url.clone(), made.link.expires);
            let mails = mail::outgoing(app, asker.tenant, &invited.email, &letter, now);
            let invitation = made.shown(user, &invited.email, &mails);
            Prepared { part: PeoplePart { user, link: Some(made.link), mails, held_mails: Vec::new() }, invitation: Some(invitation) }
        }
        Action::ResetFactor(reset) => {
            let made = Made::new(app, LinkPurpose::Activation, &asker.name, now);
            let tenant_name = policy(&mut app.store.read().await?, asker.tenant).await?.name;
            let (user, email) = (reset.user.user, &reset.user.email);
            let letter = mail::reset(&tenant_name, &reset.user.name, &asker.name, made.url.clone(), made.link.expires);
            let mails = mail::outgoing(app, asker.tenant, email, &letter, now);
            let until = now.plus_secs(limits::HELD_RESET_SECS);
            let held = mail::held_reset(&tenant_name, &reset.user.name, &asker.name, until);
            let held_mails = mail::outgoing(app, asker.tenant, email, &held, now);
            let invitation = made.shown(user, email, &mails);
            Prepared { part: PeoplePart { user, link: Some(made.link), mails, held_mails }, invitation: Some(invitation) }
        }
        Action::DisableUsers(_)
        | Action::EnableUsers(_)
        | Action::ChangeRole(_)
        | Action::RequireMfa(_)
        | Action::ChangeMfaPolicy(_)
        | Action::ChangeSessionLimits(_)
        | Action::SaveRole(_)
        | Action::DeleteRole(_) => Prepared { part: nothing(asker.user), invitation: None },
        _ => return Ok(None),
    }))
}

/// A link that was just made: its token is in the URL alone.
pub(crate) struct Made {
    pub(crate) link: NewLink,
    pub(crate) url: String,
}

impl Made {
    pub(crate) fn new(app: &App, purpose: LinkPurpose, made_by: &str, now: Timestamp) -> Self {
        let token = Token::from_bytes(app.random());
        let (page, kind, secs) = match purpose {
            LinkPurpose::Invitation => ("invitation", Purpose::Link, limits::INVITATION_SECS),
            LinkPurpose::Activation => ("activation", Purpose::Link, limits::ACTIVATION_SECS),
            LinkPurpose::NotMe => ("not-me", Purpose::NotMe, limits::NOT_ME_SECS),
        };
        let url = format!("{}/{page}#{}", app.config.origin(), *token.to_text());
        let link = NewLink { token: token.stored(kind), purpose, made_by: made_by.to_owned(), expires: now.plus_secs(secs) };
        Self { link, url }
    }

    /// The link is shown only where it is not mailed.
    pub(crate) fn shown(&self, user: UserId, email: &str, mails: &[NewMail]) -> api::CreatedInvitation {
        let delivery = if mails.is_empty() { api::Delivery::Copy } else { api::Delivery::Mail };
        let link = mails.is_empty().then(|| self.url.clone());
        api::CreatedInvitation { user, email: email.to_owned(), expires: self.link.expires, delivery, link }
    }
}

/// Tells what happened to whoever has a stream open, and to devices.
pub(crate) fn finish(app: &App, tenant: TenantId, executed: Executed, invitation: Option<api::CreatedInvitation>) -> api::ActionResult {
    let people = executed.people;
    tell_stopped(app, tenant, &people.stopped);
    for session in &people.changed {
        app.accounts.tell_ended(*session);
    }
    match (people.held_until, invitation, people.users.first()) {
        (Some(until), _, Some(user)) => api::ActionResult::ResetHeld(api::ResetHeld { user: *user, until }),
        (_, Some(invitation), _) => api::ActionResult::Invitation(invitation),
        (_, None, Some(_)) => api::ActionResult::Users(api::ChangedUsers { users: people.users }),
        (_, None, None) => api::ActionResult::Done(api::Done { job: None, grant: None, log_index: executed.log_index }),
    }
}

/// Ends streams at once, and calls back work that no device has begun.
pub(crate) fn tell_stopped(app: &App, tenant: TenantId, stopped: &Stopped) {
    for session in &stopped.sessions {
        app.accounts.tell_ended(*session);
    }
    for (device, grant, job) in &stopped.runs {
        app.hub.cancel(*device, *grant);
        app.events.tell(tenant, Event::Job { job: job.to_string() });
    }
}
