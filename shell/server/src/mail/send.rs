//! Sends what is due. An attempt is counted before it is made, so that a crash in between costs one attempt and not a second mail.

use std::time::Duration;

use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use sallyport_model::limits;
use sallyport_store::StoreError;
use sallyport_store::ops::people::{Delivery, DueMail, MailTried, TakeMail, due_mails};

use super::{Body, LABEL};
use crate::App;
use crate::config::Mail;

const EVERY: Duration = Duration::from_secs(1);
/// A mail server that says nothing for this long is tried again later.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs until the process ends; there is nothing to do where there is no mail server.
pub(crate) async fn run(app: App) {
    let Some(mail) = app.config.mail.clone() else { return };
    let sender = match Sender::new(&mail) {
        Ok(sender) => sender,
        Err(error) => return tracing::error!(%error, "mail cannot be sent"),
    };
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = sender.round(&app).await {
            tracing::warn!(%error, "the outbox cannot be read");
        }
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the mail cannot be written: {0}")]
    Written(#[from] lettre::error::Error),
    #[error("not an address: {0}")]
    Address(#[from] lettre::address::AddressError),
    #[error("{0}")]
    Smtp(#[from] SmtpError),
    #[error("its text does not open")]
    Sealed,
    #[error("the mail server did not answer")]
    Silent,
}

impl SendError {
    /// Whether trying again can help.
    fn is_final(&self) -> bool {
        match self {
            Self::Smtp(error) => error.is_permanent(),
            Self::Silent => false,
            Self::Written(_) | Self::Address(_) | Self::Sealed => true,
        }
    }
}

struct Sender {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Sender {
    fn new(mail: &Mail) -> Result<Self, SendError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&mail.smtp)?.timeout(Some(PATIENCE)).build();
        Ok(Self { transport, from: mail.from.parse()? })
    }

    async fn round(&self, app: &App) -> Result<(), StoreError> {
        let due = due_mails(&mut app.store.read().await?, app.clock.now()).await?;
        for mail in due {
            let again = app.clock.now().plus_secs(wait_secs(mail.attempts));
            if !app.store.reserve(TakeMail { mail: mail.id, attempts: mail.attempts, again }).await? {
                continue;
            }
            let delivery = match self.send(app, &mail).await {
                Ok(()) => Delivery::Sent(app.clock.now()),
                Err(error) if error.is_final() || mail.attempts + 1 >= limits::MAIL_ATTEMPTS => {
                    tracing::warn!(%error, mail = %mail.id, "a mail is given up");
                    Delivery::Failed(told(&error))
                }
                Err(error) => Delivery::Later(told(&error)),
            };
            app.store.reserve(MailTried { mail: mail.id, delivery }).await?;
        }
        Ok(())
    }

    async fn send(&self, app: &App, mail: &DueMail) -> Result<(), SendError> {
        let opened = app.keys.open_sealed(LABEL, mail.id.as_bytes(), &mail.sealed).map_err(|_| SendError::Sealed)?;
        let body: Body = serde_json::from_slice(&opened).map_err(|_| SendError::Sealed)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(mail.recipient.parse()?)
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .multipart(MultiPart::alternative_plain_html(body.plain, body.html))?;
        let sent = tokio::time::timeout(PATIENCE, self.transport.send(message)).await;
        sent.map_err(|_| SendError::Silent)??;
        Ok(())
    }
}

/// 30 s, doubled by each attempt, up to six hours.
fn wait_secs(attempts: u32) -> i64 {
    (30i64 << attempts.min(10)).min(6 * 60 * 60)
}

/// What administrators read of it: one short line.
fn told(error: &SendError) -> String {
    error.to_string().chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_tried_over_about_two_days() {
        let waits: Vec<i64> = (0..limits::MAIL_ATTEMPTS).map(wait_secs).collect();
        assert_eq!((waits[0], waits[1], waits[11]), (30, 60, 21_600));
        assert!(waits.iter().sum::<i64>() < 3 * 86_400);
    }
}
