//! The second factor of a tool, at the token endpoint: its licence, and what the licence's host says about the program that asks.

use sallyport_api as api;
use sallyport_decide::accounts::proof::Thumbprint;
use sallyport_decide::automation::host::Asked;
use sallyport_decide::automation::{LicenceRefusal, LicenceRule, Licensed, licence};
use sallyport_grant::VerifyKey;
use sallyport_store::ops::automation::{self as store, RefuseLicence};

use super::oauth::{Authenticated, OauthRefusal};
use crate::{App, Refusal};

/// What a client shows beside its assertion, for the key that signs the request.
pub(super) struct Shown<'a> {
    pub(super) form: &'a api::TokenForm,
    pub(super) key: &'a Thumbprint,
    pub(super) address: String,
}

/// Nothing where no licence is needed and none is shown. A licence that is shown is always judged: it narrows the token.
pub(super) async fn licensed(app: &App, client: &Authenticated, shown: &Shown<'_>) -> Result<Option<Licensed>, OauthRefusal> {
    let silent = shown.form.licence.is_none() && shown.form.host_assertion.is_none();
    if silent && client.row.state.shape.licence == LicenceRule::NotNeeded {
        return Ok(None);
    }
    match judge(app, client, shown).await? {
        Ok(licensed) => Ok(Some(licensed)),
        Err(why) => Err(refuse(app, client, shown, why).await?),
    }
}

async fn judge(app: &App, client: &Authenticated, shown: &Shown<'_>) -> Result<Result<Licensed, LicenceRefusal>, OauthRefusal> {
    let keys = app.keys.of(client.row.tenant).ok_or(Refusal::from(api::Code::Internal))?;
    let licence = match licence::read(shown.form.licence.as_deref(), &VerifyKey::of(&keys.enrolment), client.row.id) {
        Ok(licence) => licence,
        Err(why) => return Ok(Err(why)),
    };
    let row = store::licence(&mut app.store.read().await?, licence.body().id).await?;
    let asked = Asked {
        issuer: app.config.origin(),
        asserted: &client.asserted,
        assertion: shown.form.client_assertion.as_deref().unwrap_or_default(),
        key: shown.key,
        licence: licence.digest(),
    };
    let issued = row.map(|row| row.as_issued());
    Ok(licence::admit(&licence, issued, shown.form.host_assertion.as_deref(), &asked, app.clock.now()))
}

/// Whoever asks is told that it was the licence, and not more; the owner reads why.
async fn refuse(app: &App, client: &Authenticated, shown: &Shown<'_>, why: LicenceRefusal) -> Result<OauthRefusal, OauthRefusal> {
    let change = RefuseLicence {
        tenant: client.row.tenant,
        client: client.row.id,
        assertion: client.used(),
        why,
        address: shown.address.clone(),
        at: app.clock.now(),
        salt: app.random(),
    };
    app.store.commit(change).await?;
    Ok(OauthRefusal::Client(api::LICENCE_REFUSED.to_owned()))
}
