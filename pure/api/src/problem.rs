//! Refusals: RFC 9457 problem details with a stable code.

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A refusal (RFC 9457): what happened, what to do, a code to search for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A page about this code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened, in a few words.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// What to do about it.
    pub detail: String,
    /// The stable code.
    pub code: Code,
    /// The id under which the server's log has this request.
    pub request_id: String,
    /// The field of the request that is wrong, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $title:literal, $remedy:literal;)*) => {
        /// Every code that a refusal may carry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Code {
            $($(#[$doc])* #[doc = $title] #[serde(rename = $code)] $name,)*
        }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }

            /// What happened, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// What to do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$name => $remedy,)* }
            }
        }
    };
}

/// The words that are sent: a derived schema would have the names of the variants.
impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let words = Code::ALL.iter().map(|code| code.as_str());
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
        schema.description(Some("Every code that a refusal may carry.")).build().into()
    }
}

impl ToSchema for Code {}

codes! {
    Malformed = 400, "malformed", "The request is malformed", "Compare the body and the query with the API's description.";
    InvalidField = 422, "invalid_field", "A field is not acceptable", "Correct the named field and send the request again.";
    BodyTooLarge = 413, "body_too_large", "The body is too large", "Send less at once; the limits are in the documentation.";
    UnsupportedMediaType = 415, "unsupported_media_type", "The body is not JSON", "Send Content-Type: application/json.";
    NotFound = 404, "not_found", "There is nothing here", "Check the address; what was removed is not shown either.";
    MethodNotAllowed = 405, "method_not_allowed", "This method does not exist here", "See the API's description for the methods of this address.";
    SignInRefused = 401, "sign_in_refused", "That did not sign you in", "Check the address, the password and the current code. Each code works once: wait for the next one.";
    NotSignedIn = 401, "not_signed_in", "There is no live session", "Sign in.";
    DeviceNotShown = 401, "device_not_shown", "The session belongs to another device", "Reload the page; if it stays, sign in again in this browser.";
    UseDpopNonce = 401, "use_dpop_nonce", "The proof of possession needs the server's nonce", "Repeat the request with the nonce of the DPoP-Nonce header.";
    ProofRefused = 401, "proof_refused", "The request is not signed by the session's key", "Sign in again in this browser or on this computer.";
    TokenRefused = 401, "token_refused", "The access token is not accepted", "Get a new one; it ends after five minutes, or one without use, and works as `Authorization: DPoP` with its own key alone.";
    AuthenticationTooWeak = 401, "insufficient_user_authentication", "This needs a stronger or a fresher proof of who you are", "Prove a factor in this session, with `sallyport step-up` or at `/v1/me/elevate`, and repeat it; WWW-Authenticate says what is enough.";
    ClientRefused = 403, "client_refused", "API clients cannot do this", "Identities, factors, policy, trust and proofs are for people: sign in to the console.";
    ConnectionRefused = 403, "connection_refused", "The connection does not allow this request", "See the connection for what it allows, and for whom.";
    ConnectionOver = 409, "connection_over", "The connection does not work any more", "It was stopped or has expired: ask for another one, or for a later end.";
    VendorRefused = 502, "vendor_refused", "The vendor does not take the credential", "Look whether the credential still works at the vendor, and give the connection another one.";
    VendorUnreachable = 502, "vendor_unreachable", "The vendor did not answer", "Try again later; the detail says what went wrong.";
    AnswerRefused = 502, "answer_refused", "The vendor's answer does not go back", "The detail says what is wrong with it. Answers that have the credential in them are never passed on.";
    ScopeRefused = 403, "scope_refused", "This is not among what the API client may do", "Its scopes, or its owner's roles of this moment, do not allow it; see the client in the console.";
    SessionRestricted = 403, "session_restricted", "This session may not do that", "Confirm that the recovery codes are saved; after a recovery code, sign in again with a code from the authenticator.";
    RoleRefused = 403, "role_refused", "Your role does not allow this", "Ask an owner or an admin of the tenant.";
    PasskeyRequired = 403, "passkey_required", "A passkey is needed", "The tenant wants passkeys of whoever manages others: prove it with yours, or add one on your profile page.";
    PasswordBreached = 403, "password_breached", "Your password is known from a data breach", "Choose another password first; the session then goes on.";
    FactorRequired = 403, "factor_required", "This needs an active factor", "Enrol an authenticator on your profile page first.";
    OriginRefused = 403, "origin_refused", "The request comes from another site", "Use the console at its own address.";
    CodeRefused = 422, "code_refused", "The code was not accepted", "Enter the code that your authenticator shows now; each code works once.";
    FactorLocked = 429, "factor_locked", "The factor is locked after too many wrong codes", "Sign in with a recovery code: it opens the factor again.";
    PasskeyRefused = 422, "passkey_refused", "The passkey's answer was not accepted", "Start again with a passkey of this account; it must verify you by fingerprint, face or PIN.";
    PasskeyKnown = 409, "passkey_known", "This passkey is registered already", "Use another authenticator, or the passkey as it is.";
    DeviceCodeRefused = 403, "device_code_refused", "This program cannot be let in by its code", "Sign in with `sallyport login` where a browser is beside it, or with `sallyport login --terminal`.";
    KitRefused = 422, "kit_refused", "The authority kit's answer was not accepted", "Begin again; an answer works once, within five minutes, in the browser or program that asked for it.";
    NotTheOnlyOwner = 409, "not_the_only_owner", "The authority kit lets a tenant's only owner back in, and nobody else", "Ask another owner or an administrator to reset your factor.";
    LastFactor = 409, "last_factor", "This is the last factor", "Enrol another factor first: an account without one could do nothing.";
    FactorTooNew = 403, "factor_too_new", "This factor does not count yet", "A factor that was enrolled after a recovery counts for guarded actions after 24 hours.";
    AddressUnverified = 403, "address_unverified", "This address is new for your account", "Open the link that was mailed to you, in the browser of your choice, and sign in again; or sign in with a passkey.";
    AddressLeft = 403, "address_left", "Your address changed to one outside the allowed networks", "Prove a factor again, or go back to an allowed network.";
    NetworkRefused = 403, "network_refused", "This is not allowed from your network", "Use a network that your tenant's policy allows for this.";
    LocksYouOut = 409, "locks_you_out", "That would lock you out", "Your own address must be within the ranges that you require; see the address in the answer of /v1/policy/networks.";
    RequestClosed = 409, "request_closed", "This request no longer waits for proofs", "Start the action again.";
    TooManyRequests = 429, "too_many_open_requests", "Too many requests wait for proofs", "Prove or deny one of the open requests first.";
    AskerMuted = 429, "asker_muted", "A second person said no a moment ago", "Talk to them first; for 15 minutes nobody is asked again.";
    NumberRefused = 422, "number_refused", "That is not the number on the asker's screen", "Call them and let them read it to you; three wrong ones end the request.";
    IdempotencyKeyReused = 422, "idempotency_key_reused", "This key belongs to another request", "Make a new Idempotency-Key for each creation; send a key again only with the very same request.";
    IdempotencyRunning = 409, "idempotency_running", "The request with this key has no answer yet", "Wait a moment and send it again; where it stays so, the server stopped in between: look whether it was done.";
    Conflict = 409, "conflict", "It changed in the meantime", "Load it again, then repeat your change.";
    PreconditionFailed = 412, "precondition_failed", "It is not what you read", "Read it again, look at what changed, and send its new ETag as If-Match.";
    PasswordRefused = 422, "password_refused", "The password is not acceptable", "Choose a longer or less common one; a sentence works well.";
    SetupClosed = 404, "setup_closed", "There is nothing here", "Set-up is over, or the link is not the one that the server printed.";
    DeviceOffline = 409, "device_offline", "The device is not connected", "Try again once it is online; a remote session needs it now.";
    ScheduleVoid = 409, "schedule_void", "What was published is no longer so", "Publish the schedule anew: look at the script and the devices as they are now.";
    RemoteSessionEnded = 409, "remote_session_ended", "The remote session is over", "Open a new one.";
    RemoteSessionsFull = 409, "remote_sessions_full", "The device has as many open remote sessions as it may have", "End one of them first.";
    TicketRefused = 403, "ticket_refused", "The ticket of this stream is not good", "Ask for a new one; each ticket works once, and for half a minute.";
    NothingToDo = 422, "nothing_to_do", "Nothing matches", "Choose at least one device that this applies to.";
    MailUnavailable = 409, "mail_unavailable", "The server has no mail server", "Set mail.smtp and mail.from in its configuration; links are shown to you until then.";
    LastOwner = 409, "last_owner", "The tenant would have no owner left", "Make somebody else an owner first.";
    LinkRefused = 404, "link_refused", "This link does not work", "It was used, replaced, or is too old. Ask for a new one.";
    RateLimited = 429, "rate_limited", "Too many requests", "Wait for the time in the Retry-After header.";
    Busy = 503, "busy", "The server is busy", "Try again in a moment.";
    LogUnavailable = 503, "log_unavailable", "The audit log cannot be written", "The action was not done. Check the server's disk, then try again.";
    Internal = 500, "internal", "Something went wrong on the server", "Try again; if it stays, give the request id to whoever runs the server.";
}
