//! What all commands that open remote sessions share.

use sallyport_api as api;
use sallyport_grant::body::{Body as _, GrantBody, Record};
use sallyport_grant::{Envelope, Hex, PayloadType, VerifyKey};
use sallyport_model::DeviceId;
use sallyport_wire::stream::{ByeReason, StreamEnd, StreamSecret};
use ureq::http::Method;

use crate::client::Client;
use crate::failure::Failure;

pub(super) const LIST: &str = "/v1/remote-sessions";

/// The key of one stream, which never leaves this program.
pub(super) fn secret() -> Result<StreamSecret, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| Failure::NoRandomness)?;
    Ok(StreamSecret::from_bytes(bytes))
}

/// Whether what the server froze is what was asked for.
pub(super) fn expected(action: &api::ActionDetails, asked: &api::NewRemoteSession, device: DeviceId) -> Result<(), &'static str> {
    let api::ActionDetails::OpenRemoteSession(frozen) = action else { return Err("the kind of action") };
    if frozen.session_kind != asked.session_kind || frozen.joins || frozen.access != asked.access {
        return Err("the kind of session");
    }
    if frozen.run_as != asked.run_as {
        return Err("the account");
    }
    if frozen.recorded && asked.record == Some(api::YesNo::No) {
        return Err("whether it is recorded");
    }
    if frozen.targets.devices.iter().any(|target| target.id != device) { Err("the device") } else { Ok(()) }
}

/// What the execution came to.
pub(super) fn opened(result: api::ActionResult) -> Result<api::OpenedRemoteSession, Failure> {
    match result {
        api::ActionResult::RemoteSession(opened) => Ok(opened),
        _ => Err(Failure::Answer("the request was executed and names no remote session".to_owned())),
    }
}

/// The stream's keys come from the grant itself, which must be for this key and for that device.
pub(super) fn stream(opened: &api::OpenedRemoteSession, secret: StreamSecret) -> Result<StreamEnd, Failure> {
    let key = opened.device.device_key.parse::<Hex<32>>().ok().and_then(|Hex(key)| VerifyKey::from_bytes(&key).ok());
    let key = key.ok_or_else(|| Failure::Answer("the device's key cannot be read".to_owned()))?;
    StreamEnd::client(opened.envelope.as_bytes(), &key, secret).map_err(|_| Failure::OtherAction("the grant is not for this session"))
}

/// Whether the device records the session, as its grant says.
pub(super) fn recording(opened: &api::OpenedRemoteSession) -> Result<Record, Failure> {
    let envelope = Envelope::parse(opened.envelope.as_bytes(), PayloadType::Grant).ok();
    let body = envelope.and_then(|envelope| GrantBody::parse(envelope.payload()).ok());
    let record = body.and_then(|body| body.action.remote_session().map(|session| session.record));
    record.ok_or_else(|| Failure::Answer("the grant cannot be read".to_owned()))
}

/// What people are told of it, as a sentence.
pub(super) fn recording_words(record: Record, what: &str) -> String {
    match record {
        Record::Session => format!("The device records {what}."),
        Record::None => "This session is not recorded.".to_owned(),
    }
}

/// Another ticket, after a connection was lost.
pub(super) fn another_ticket(client: &mut Client, opened: &api::OpenedRemoteSession) -> Result<String, Failure> {
    let body = api::NewTicket { grant: opened.grant.to_string() };
    let path = format!("{LIST}/{}/tickets", opened.session);
    client.change::<api::StreamTicket>(Method::POST, &path, &body).map(|answer| answer.ticket)
}

/// Why the device said goodbye.
pub(super) fn goodbye(reason: ByeReason) -> &'static str {
    match reason {
        ByeReason::Ended => "the session was ended",
        ByeReason::Revoked => "a right behind it ended",
        ByeReason::Idle => "nobody did anything for too long",
        ByeReason::Limit => "it reached its limit",
        ByeReason::ConsentRefused => "the person at the machine did not agree",
        ByeReason::Machine => "the machine goes down",
    }
}
