//! Every decoder of what agents and HTTP clients send, and of what a server sends to agents.

use sallyport_api as api;
use sallyport_decide::accounts::proof::{self, Dialect, Nonces, Request};
use sallyport_decide::accounts::webauthn::{self, Expected, PublicKey, Site, UserVerification};
use sallyport_decide::automation::assertion;
use sallyport_decide::client_address::proxy_v2;
use sallyport_grant::body::Statement;
use sallyport_grant::checkpoint;
use sallyport_grant::keys::SigningKey;
use sallyport_grant::recovery::Claimed;
use sallyport_grant::{Envelope, PayloadType, VerifyKey};
use sallyport_model::{Timestamp, limits};
use sallyport_wire::stream::background::BackgroundRequest;
use sallyport_wire::stream::files::{FileAnswer, FileRequest};
use sallyport_wire::stream::message::read_control;
use sallyport_wire::stream::{terminal, viewer};
use sallyport_wire::{Inventory, ToAgent, ToServer};

/// What is not counted one by one: errors, keys, a few texts.
const SMALL: usize = 64 * 1024;
/// What one value of strict JSON takes at most while it is read: its place in a list or object that doubles, and its key, which is
/// compared with the others.
const STRICT_VALUE_BYTES: usize = 200;
/// What one value of a request's body takes at most: its place in a list that doubles, the old half beside the new whole.
const BODY_VALUE_BYTES: usize = 72;
/// Every item of an inventory and of an offer, as it was decoded and as it is kept.
const MESSAGE_ITEMS_BYTES: usize = 8 * limits::INVENTORY_ITEMS * 400;

type Read = Box<dyn Fn(&[u8])>;

/// A decoder and its limits.
pub(crate) struct Decoder {
    pub name: &'static str,
    /// The longest input, in bytes.
    pub input: usize,
    /// The most that it may hold at once, in bytes, the input not counted.
    pub most: usize,
    /// Whether it looks at the length itself; for others somebody else has.
    pub refuses_longer: bool,
    pub read: Read,
}

impl Decoder {
    pub(crate) fn new(name: &'static str, input: usize, most: usize, read: impl Fn(&[u8]) + 'static) -> Self {
        Self { name, input, most, refuses_longer: true, read: Box::new(read) }
    }

    fn of_any_length(self) -> Self {
        Self { refuses_longer: false, ..self }
    }
}

/// What was read, or why not: dropped within the measurement.
fn done<T>(_: T) {}

pub(crate) fn all() -> Vec<Decoder> {
    [messages(), control(), envelopes(), bodies(), headers()].into_iter().flatten().collect()
}

/// The agent link: a message is held as it was decoded and as it is kept, and never more often.
fn messages() -> Vec<Decoder> {
    const MOST: usize = 2 * limits::MESSAGE_BYTES + MESSAGE_ITEMS_BYTES + SMALL;
    vec![
        Decoder::new("a message from an agent", limits::MESSAGE_BYTES, MOST, |bytes| done(ToServer::decode(bytes))),
        Decoder::new("a message to an agent", limits::MESSAGE_BYTES, MOST, |bytes| done(ToAgent::decode(bytes))),
        Decoder::new("a stored inventory", limits::MESSAGE_BYTES, MOST, |bytes| done(Inventory::from_bytes(bytes))),
    ]
}

const fn strict(text: usize) -> usize {
    3 * text + limits::JSON_VALUES * STRICT_VALUE_BYTES + SMALL
}

/// The streams of remote sessions.
fn control() -> Vec<Decoder> {
    const TEXT: usize = limits::STREAM_PAYLOAD_BYTES;
    vec![
        Decoder::new("a request for files", TEXT, strict(TEXT), |bytes| done(read_control::<FileRequest>(bytes))),
        Decoder::new("a request for services", TEXT, strict(TEXT), |bytes| done(read_control::<BackgroundRequest>(bytes))),
        Decoder::new("a request of a terminal", TEXT, strict(TEXT), |bytes| done(read_control::<terminal::FromClient>(bytes))),
        Decoder::new("a request of a viewer", TEXT, strict(TEXT), |bytes| done(read_control::<viewer::FromClient>(bytes))),
        Decoder::new("an answer about files", TEXT, strict(TEXT), |bytes| done(read_control::<FileAnswer>(bytes))),
    ]
}

/// What is signed.
fn envelopes() -> Vec<Decoder> {
    let envelope = |name, kind: PayloadType| {
        Decoder::new(name, kind.max_bytes(), strict(kind.max_bytes()), move |bytes| done(Envelope::parse(bytes, kind)))
    };
    let key = VerifyKey::of(&SigningKey::from_bytes(&[7; 32]));
    vec![
        envelope("a grant", PayloadType::Grant),
        envelope("a trust root", PayloadType::Root),
        envelope("an enrolment file", PayloadType::Enrolment),
        envelope("a receipt", PayloadType::Receipt),
        envelope("a device's answer", PayloadType::Answer),
        envelope("a licence", PayloadType::Licence),
        Decoder::new("a recovery statement", limits::RECOVERY_BYTES, strict(limits::RECOVERY_BYTES), |bytes| done(Claimed::parse(bytes))),
        Decoder::new("a server's statement", limits::STATEMENT_BYTES, strict(limits::STATEMENT_BYTES), |bytes| {
            done(Statement::parse(bytes));
        }),
        Decoder::new("a checkpoint", limits::CHECKPOINT_BYTES, limits::CHECKPOINT_BYTES + SMALL, move |bytes| {
            done(std::str::from_utf8(bytes).map(|note| checkpoint::verify(note, "log.example/a", &key)));
        }),
    ]
}

/// The bodies of HTTP requests, by the names that the description of the API gives them.
pub(crate) fn bodies() -> Vec<Decoder> {
    fn body<T: serde::de::DeserializeOwned + 'static>(name: &'static str) -> Decoder {
        const MOST: usize = 2 * limits::HTTP_BODY_BYTES + limits::HTTP_BODY_VALUES * BODY_VALUE_BYTES + SMALL;
        Decoder::new(name, limits::HTTP_BODY_BYTES, MOST, |bytes| done(api::read_body::<T>(bytes)))
    }
    macro_rules! named {
        ($($name:ident)*) => { vec![$(body::<api::$name>(stringify!($name))),*] };
    }
    named![
        AcceptFinding AddressToken ChangeApiClient ChangeAssignments ChangeNetworks ChangePassword
        ChangeRemotePolicy CheckUp DeviceCodeAnswer Devices Elevate FinishActivation
        FinishPasskey FinishSetup FinishTotp InviteUser KitSignIn LinkToken
        MfaPolicy NewApiClient NewChallenge NewInstaller NewJob NewLicence
        NewName NewProof NewRemoteSession NewSchedule NewTicket PasskeyAnswer
        PauseAddressVerification ProgramAnswer RefreshSearch RenameFactor RequireMfa ResetFactor
        SaveRole SaveScript ScheduleQuestion SessionLimits SetTags SignIn
        StartActivation StartPasskey StartSetup StartTotp TypedCode Users
        WantedConnection WantedWebhook WhatIf
    ]
}

/// What stands in headers and fields: proofs, assertions, what authenticators say, what proxies say.
fn headers() -> Vec<Decoder> {
    let nonces = Nonces::new([1; 32]);
    let site = Site::of_origin("https://rmm.example");
    let client_data = br#"{"type":"webauthn.create","challenge":"AAAA","origin":"https://rmm.example","crossOrigin":false}"#;
    vec![
        Decoder::new("a DPoP proof", limits::PROOF_BYTES, strict(limits::PROOF_BYTES), move |bytes| {
            let request = Request { dialect: Dialect::Session, method: "GET", url: "", query: None, body: b"", access_token: None };
            done(proof::verify(&[bytes], &request, &nonces, Timestamp::from_secs(0)));
        }),
        Decoder::new("an assertion", limits::ASSERTION_BYTES, strict(limits::ASSERTION_BYTES), |bytes| {
            done(std::str::from_utf8(bytes).map(assertion::read));
        }),
        Decoder::new("a browser's client data", limits::CLIENT_DATA_BYTES, 2 * limits::CLIENT_DATA_BYTES + SMALL, {
            let site = site.clone();
            move |bytes| {
                let expected = Expected { site: &site, challenge: &[0; 3], verification: UserVerification::Required };
                done(webauthn::register(bytes, b"", &expected));
            }
        }),
        Decoder::new("an attestation", limits::ATTESTATION_BYTES, 2 * limits::ATTESTATION_BYTES + SMALL, move |bytes| {
            let expected = Expected { site: &site, challenge: &[0; 3], verification: UserVerification::Required };
            done(webauthn::register(client_data, bytes, &expected));
        }),
        Decoder::new("a credential's key", limits::ATTESTATION_BYTES, limits::ATTESTATION_BYTES + SMALL, |bytes| {
            done(PublicKey::from_cose(bytes));
        })
        .of_any_length(),
        Decoder::new("a proxy's header", limits::PROXY_HEADER_BYTES, SMALL, |bytes| done(proxy_v2(bytes))).of_any_length(),
    ]
}
