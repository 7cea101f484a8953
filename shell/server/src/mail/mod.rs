//! Mail: written into the outbox in the commit of what it tells about, sent in the background, tried again until it is given up.

mod letter;
mod letters;
mod notices;
mod send;

use sallyport_model::{MailId, TenantId, Timestamp};
use sallyport_store::ops::people::NewMail;
use serde::{Deserialize, Serialize};

use crate::App;
pub(crate) use letter::{Letter, moment};
pub(crate) use letters::{activation, held_reset, invitation, new_address, reset};
pub(crate) use notices::run as tell;
pub(crate) use send::run;

const LABEL: &str = "mail";

/// The text of a mail as it is sealed.
#[derive(Serialize, Deserialize)]
struct Body {
    plain: String,
    html: String,
}

/// A letter for the outbox; nothing where there is no mail server.
pub(crate) fn outgoing(app: &App, tenant: TenantId, to: &str, letter: &Letter, at: Timestamp) -> Vec<NewMail> {
    if app.config.mail.is_none() {
        return Vec::new();
    }
    let id = MailId::new(at, app.random());
    let body = serde_json::to_vec(&Body { plain: letter.plain(), html: letter.html() }).unwrap_or_default();
    let sealed = app.keys.seal(LABEL, id.as_bytes(), &body);
    vec![NewMail { id, tenant, recipient: to.to_owned(), subject: letter.subject.clone(), sealed, at }]
}
