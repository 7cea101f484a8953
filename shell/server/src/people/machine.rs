//! Break-glass on the server's own machine: restarts somebody's enrolment. It proves nothing and authorizes nothing; it leaves an entry in the
//! audit log, takes the account's factors, ends its sessions, and gives a link that works once and wants the present password.

use sallyport_decide::accounts::session::{Purpose, Token};
use sallyport_model::limits;
use sallyport_store::StoreError;
use sallyport_store::ops::people::{LinkBy, LinkPurpose, NewLink, RenewLink, tenants, user_by_email};

use crate::config::Config;
use crate::outside::Outside;
use crate::{ServeError, open};

/// Why an enrolment was not restarted.
#[derive(Debug, thiserror::Error)]
pub enum RestartError {
    /// The installation cannot be opened.
    #[error(transparent)]
    Open(#[from] ServeError),
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody has this address.
    #[error("nobody has the address {0}")]
    Nobody(String),
    /// The account is disabled.
    #[error("the account of {0} is disabled: enable it first")]
    Disabled(String),
}

/// Restarts the enrolment of whoever has this address; gives the link.
///
/// # Errors
/// When the installation cannot be opened, or there is no such account, or it is disabled.
pub async fn restart_enrolment(config: Config, outside: Outside, email: &str) -> Result<String, RestartError> {
    let email = email.trim().to_lowercase();
    let app = open::quietly(config, outside).await?;
    let at = app.clock.now();
    let mut found = None;
    let tenants = tenants(&mut app.store.read().await?).await?;
    for tenant in tenants {
        let user = user_by_email(&mut app.store.read().await?, tenant, &email, at).await?;
        found = found.or(user.map(|user| (tenant, user)));
    }
    let (tenant, user) = found.ok_or_else(|| RestartError::Nobody(email.clone()))?;
    let (purpose, page, secs) = match user.state.as_str() {
        "disabled" => return Err(RestartError::Disabled(email)),
        "invited" => (LinkPurpose::Invitation, "invitation", limits::INVITATION_SECS),
        _ => (LinkPurpose::Activation, "activation", limits::ACTIVATION_SECS),
    };
    let token = Token::from_bytes(app.random());
    let url = format!("{}/{page}#{}", app.config.origin(), *token.to_text());
    let made_by = "the server's own machine".to_owned();
    let link = NewLink { token: token.stored(Purpose::Link), purpose, made_by, expires: at.plus_secs(secs) };
    let change = RenewLink { tenant, user: user.id, by: LinkBy::Machine, link, mails: Vec::new(), at, salt: app.random() };
    app.store.commit(change).await?;
    app.store.close().await;
    Ok(url)
}
