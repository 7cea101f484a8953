//! Executing what was released: ids, signatures and secrets are made here, everything else happens in one transaction.

use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::{Action, Missing, OpenRemoteSession, Proof, Released, RunScript, release};
use sallyport_decide::webhooks::{ChangeWebhook, RotateWebhook, Secret};
use sallyport_grant::body::{Body, EnrolmentBody, EnrolmentType, Platform, RootBody, ServerUrl, TokenSecret};
use sallyport_grant::{AuthorityPin, Envelope, PayloadType, TrustRoot, attest, enrol, sha256};
use sallyport_model::{InstallerId, JobId, Name, RequestId, RunId, TenantId, Timestamp, UserId, WebhookId};
use sallyport_store::ops::accounts::{UsedFactor, trust_root};
use sallyport_store::ops::execute::{AtOnce, Execute, Executed, NewRun, Part};
use sallyport_store::ops::installers;
use sallyport_store::ops::remote::{EndReason, NewAttachment, NewWindow, attachment};
use sallyport_store::ops::requests::{Freeze, NotFrozen};
use sallyport_store::ops::targets::site_place;
use sallyport_wire::DeviceState;

use super::view;
use crate::events::Event;
use crate::fleet::installers::shown as shown_installer;
use crate::{App, Refusal, accounts, automation, hub, people, remote, webhooks};

/// What a proof uses up, and the step-up window that it opens.
#[derive(Default)]
pub(super) struct Spent {
    pub(super) used: Option<UsedFactor>,
    pub(super) window: Option<NewWindow>,
}

/// Executes a released action, once: whoever comes second finds the request closed.
pub(super) async fn execute(app: &App, released: Released, spent: Spent) -> Result<api::ActionResult, Refusal> {
    let (change, keep) = ready(app, released, spent).await?;
    let done = Done::of(&change);
    let executed = app.store.commit(change).await?;
    done.finish(app, keep, executed).await
}

/// Freezes an action and executes it: the asker's open window, said by `proof`, is all that it takes.
pub(super) async fn at_once(app: &App, freeze: Freeze, proof: Proof) -> Result<Result<api::ActionResult, NotFrozen>, Refusal> {
    let released = release(freeze.frozen.clone(), vec![proof], app.clock.now()).map_err(|missing| match missing {
        Missing::Lapsed | Missing::Asker | Missing::Another => Refusal::from(Code::RequestClosed),
    })?;
    let (execute, keep) = ready(app, released, Spent::default()).await?;
    let done = Done::of(&execute);
    match app.store.commit(AtOnce { freeze, execute }).await? {
        Ok(executed) => Ok(Ok(done.finish(app, keep, executed).await?)),
        Err(refused) => Ok(Err(refused)),
    }
}

/// Makes what the execution needs beside the action.
async fn ready(app: &App, released: Released, spent: Spent) -> Result<(Execute, Keep), Refusal> {
    let (part, keep) = match people::execute::prepare(app, &released).await? {
        Some(prepared) => (Part::People(prepared.part), Keep::Invitation(prepared.invitation)),
        None => prepare(app, &released, spent.window)?,
    };
    Ok((Execute { released, part, used: spent.used, salt: app.random() }, keep))
}

/// What is about to be done, for afterwards.
struct Done {
    tenant: TenantId,
    user: UserId,
    request: RequestId,
    action: Action,
}

impl Done {
    fn of(change: &Execute) -> Self {
        let frozen = change.released.frozen();
        Self { tenant: frozen.asker.tenant, user: frozen.asker.user, request: frozen.id, action: frozen.action.clone() }
    }

    /// Tells whom it concerns, and says what came of it.
    async fn finish(self, app: &App, keep: Keep, executed: Executed) -> Result<api::ActionResult, Refusal> {
        let Self { tenant, user, request, action } = self;
        app.events.tell(tenant, Event::Request { request: request.to_string(), state: "executed".to_owned() });
        match keep {
            Keep::Nothing => {}
            Keep::Invitation(invitation) => return Ok(people::execute::finish(app, tenant, executed, invitation)),
            Keep::Token(id, secret) => return created_installer(app, tenant, id, secret).await,
            Keep::Codes(codes) => {
                tracing::info!(%user, "recovery codes were replaced");
                return Ok(api::ActionResult::RecoveryCodes(api::RecoveryCodes { recovery_codes: codes }));
            }
            Keep::WebhookSecret(webhook, secret) => {
                let secret = webhooks::secret_text(&secret);
                return Ok(api::ActionResult::WebhookSecret(api::WebhookSecret { webhook, secret, log_index: executed.log_index }));
            }
        }
        finish(app, tenant, &action, executed).await
    }
}

/// Secrets that are shown once and stored nowhere.
enum Keep {
    Nothing,
    Token(InstallerId, [u8; 32]),
    Codes(Vec<String>),
    WebhookSecret(WebhookId, Secret),
    /// Of an action on people: its link, where one is made.
    Invitation(Option<api::CreatedInvitation>),
}

fn prepare(app: &App, released: &Released, window: Option<NewWindow>) -> Result<(Part, Keep), Refusal> {
    let now = app.clock.now();
    let frozen = released.frozen();
    Ok(match &frozen.action {
        Action::RunScript(run) => (run_script(app, run, released)?, Keep::Nothing),
        Action::PublishSchedule(publish) => {
            (Part::PublishSchedule { envelope: attested(app, &publish.run.body, released)? }, Keep::Nothing)
        }
        Action::CreateInstaller(_) => {
            let (installer, secret): (_, [u8; 32]) = (InstallerId::new(now, app.random()), app.random());
            (Part::CreateInstaller { installer, secret_hash: sha256(&[&secret]) }, Keep::Token(installer, secret))
        }
        Action::ApproveDevices(_) => (Part::ApproveDevices, Keep::Nothing),
        Action::RemoveDevices(_) => (Part::RemoveDevices, Keep::Nothing),
        Action::RemoveFactor(_) => (Part::RemoveFactor, Keep::Nothing),
        Action::ChangeNetworks(_) => (Part::ChangeNetworks, Keep::Nothing),
        Action::ChangeRemotePolicy(_) => (Part::ChangeRemotePolicy, Keep::Nothing),
        Action::CreateClient(_) | Action::ChangeClient(_) => (Part::Client, Keep::Nothing),
        Action::CreateConnection(_) | Action::ChangeConnection(_) => (Part::Connection, Keep::Nothing),
        Action::IssueLicence(issue) => (automation::signed_licence(app, frozen.asker.tenant, issue)?, Keep::Nothing),
        Action::CreateWebhook(ChangeWebhook { webhook, .. }) | Action::RotateWebhook(RotateWebhook { webhook, .. }) => {
            let (sealed, secret) = webhooks::new_secret(&app.keys, *webhook, app.random());
            (Part::Webhook { secret: sealed }, Keep::WebhookSecret(*webhook, secret))
        }
        Action::ChangeWebhook(_) => (Part::Webhook { secret: Vec::new() }, Keep::Nothing),
        Action::RegenerateRecoveryCodes => {
            let codes = accounts::me::new_recovery_codes(app, frozen.asker.user);
            (Part::RegenerateRecoveryCodes { hashes: codes.hashes }, Keep::Codes(codes.shown))
        }
        Action::OpenRemoteSession(open) => (open_remote_session(app, open, released, window)?, Keep::Nothing),
        // What is about people is prepared there.
        _ => return Err(Code::Internal.into()),
    })
}

fn run_script(app: &App, run: &RunScript, released: &Released) -> Result<Part, Refusal> {
    let now = app.clock.now();
    let envelope = attested(app, &run.body, released)?;
    let runs = run.targets.iter().map(|target| NewRun { run: RunId::new(now, app.random()), device: target.device }).collect();
    Ok(Part::RunScript { job: JobId::new(now, app.random()), envelope, runs })
}

/// Refused before anything is spent where the device went away meanwhile: a grant for a session is not kept for later.
fn open_remote_session(app: &App, open: &OpenRemoteSession, released: &Released, window: Option<NewWindow>) -> Result<Part, Refusal> {
    if !app.hub.is_online(open.target.device) {
        return Err(Code::DeviceOffline.into());
    }
    Ok(Part::OpenRemoteSession(NewAttachment { envelope: attested(app, &open.body, released)?, window }))
}

/// Attests with the server's key which proofs were verified for the very bytes that were frozen.
fn attested(app: &App, body: &str, released: &Released) -> Result<Envelope, Refusal> {
    let keys = app.keys.of(released.frozen().asker.tenant).ok_or(Code::Internal)?;
    let proofs = released.attested().map_err(|_| Refusal::from(Code::Internal))?;
    let unsigned = Envelope::unsigned(PayloadType::Grant, body.as_bytes().to_vec());
    attest::sign(unsigned, proofs, &keys.attestation).map_err(|error| {
        tracing::error!(%error, request = %released.request(), "a released grant cannot be attested");
        Refusal::from(Code::Internal)
    })
}

async fn finish(app: &App, tenant: TenantId, action: &Action, executed: Executed) -> Result<api::ActionResult, Refusal> {
    match action {
        Action::RunScript(_) => {
            let job = executed.job.ok_or(Code::Internal)?;
            hub::deliver_job(app, tenant, job).await?;
            app.events.tell(tenant, Event::Job { job: job.to_string() });
            Ok(api::ActionResult::Done(api::Done { job: Some(job), grant: executed.grant, log_index: executed.log_index }))
        }
        Action::ApproveDevices(_) => {
            app.hub.state_changed(&executed.devices, DeviceState::Approved);
            Ok(changed(app, tenant, executed))
        }
        Action::RemoveDevices(_) => {
            app.hub.state_changed(&executed.devices, DeviceState::Removed);
            Ok(changed(app, tenant, executed))
        }
        Action::PublishSchedule(_) => {
            Ok(api::ActionResult::Done(api::Done { job: None, grant: executed.grant, log_index: executed.log_index }))
        }
        Action::OpenRemoteSession(open) => opened(app, tenant, open, executed).await,
        Action::ChangeNetworks(_) => {
            hub::keep_inside(app, tenant).await?;
            Ok(api::ActionResult::Done(api::Done { job: None, grant: None, log_index: executed.log_index }))
        }
        Action::RemoveFactor(_) => Ok(people::execute::finish(app, tenant, executed, None)),
        Action::CreateInstaller(_)
        | Action::RegenerateRecoveryCodes
        | Action::ChangeRemotePolicy(_)
        | Action::CreateClient(_)
        | Action::ChangeClient(_)
        | Action::CreateConnection(_)
        | Action::ChangeConnection(_)
        | Action::IssueLicence(_)
        | Action::ChangeWebhook(_) => Ok(api::ActionResult::Done(api::Done { job: None, grant: None, log_index: executed.log_index })),
        // What is about people is finished there.
        _ => Err(Code::Internal.into()),
    }
}

/// Offers the grant to the device; one that is not there in this very moment leaves nothing open.
async fn opened(app: &App, tenant: TenantId, open: &OpenRemoteSession, executed: Executed) -> Result<api::ActionResult, Refusal> {
    let attachment = attachment(&mut app.store.read().await?, tenant, open.grant).await?.ok_or(Code::RemoteSessionEnded)?;
    let Some(ticket) = remote::deliver(app, &attachment).await? else {
        remote::end_attachment(app, tenant, open.grant, EndReason::Undelivered).await?;
        return Err(Code::DeviceOffline.into());
    };
    app.events.tell(tenant, Event::RemoteSession { remote_session: open.session.to_string(), state: "open".to_owned() });
    Ok(api::ActionResult::RemoteSession(api::OpenedRemoteSession {
        session: open.session,
        grant: open.grant,
        ticket: ticket.to_text().to_string(),
        device: remote::device(&attachment),
        envelope: attachment.envelope,
        log_index: executed.log_index,
    }))
}

fn changed(app: &App, tenant: TenantId, executed: Executed) -> api::ActionResult {
    for device in &executed.devices {
        app.events.tell(tenant, Event::Device { device: device.to_string(), online: app.hub.is_online(*device) });
    }
    api::ActionResult::Devices(api::ChangedDevices { devices: executed.devices })
}

/// Writes and signs the enrolment file: the only place where the token's secret ever is, besides the machine it goes to.
async fn created_installer(app: &App, tenant: TenantId, id: InstallerId, secret: [u8; 32]) -> Result<api::ActionResult, Refusal> {
    let keys = app.keys.of(tenant).ok_or(Code::Internal)?;
    let mut reader = app.store.read().await?;
    let stored = installers::one(&mut reader, tenant, id).await?;
    let place = site_place(&mut reader, tenant, stored.site).await?.ok_or(Code::Internal)?;
    let root = trust_root(&mut reader, tenant).await?;
    drop(reader);
    let root = Envelope::parse(&root, PayloadType::Root).map_err(|_| Refusal::from(Code::Internal))?;
    let pin = authority_pin(&root, app.clock.now())?;
    let broken = |_| Refusal::from(Code::Internal);
    let name = |text: &str| Name::parse(text).map_err(|_| Refusal::from(Code::Internal));
    let file = EnrolmentBody {
        r#type: EnrolmentType::V1,
        tenant,
        tenant_name: name(&place.tenant)?,
        site: stored.site,
        site_name: name(&place.site)?,
        customer_name: name(&place.customer)?,
        server: ServerUrl::parse(&app.config.link_url()).map_err(|_| Refusal::from(Code::Internal))?,
        authority_pin: pin.0,
        root,
        token_id: id,
        token_secret: TokenSecret::from_bytes(secret),
        expires: stored.expires,
        platform: Platform::Linux,
        ca: app.config.tls_ca.clone(),
    };
    let file = enrol::sign(file, &keys.enrolment).map_err(broken)?;
    let enrolment_file = String::from_utf8(file).map_err(|_| Refusal::from(Code::Internal))?;
    let file_name = view::file_name(&stored.label);
    Ok(api::ActionResult::Installer(api::CreatedInstaller { installer: shown_installer(stored), file_name, enrolment_file }))
}

/// The pin of the authority that signed the root, after checking that it did.
pub(crate) fn authority_pin(root: &Envelope, now: Timestamp) -> Result<AuthorityPin, Refusal> {
    let body = RootBody::parse(root.payload()).map_err(|_| Refusal::from(Code::Internal))?;
    let pin = AuthorityPin::of(body.threshold, &body.authority);
    TrustRoot::verify_envelope(root, pin, now).map(|_| pin).map_err(|error| {
        tracing::error!(%error, "the trust root cannot be used");
        Refusal::from(Code::Internal)
    })
}
