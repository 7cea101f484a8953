//! The tenant's rules for remote sessions: shown, and asked to be others.

use axum::extract::State;
use axum::response::Response;
use sallyport_api as api;
use sallyport_api::Code;
use sallyport_decide::actions::Action;
use sallyport_decide::policy;
use sallyport_decide::remote_policy::{ChangeRemotePolicy, KindRules, Recording, RemotePolicy};
use sallyport_grant::body::{Clipboard, Consent, Unanswered, VirtualDisplay};
use sallyport_store::ops::remote::remote_policy;

use crate::asking::conditional::Expected;
use crate::work::ask_plainly;
use crate::{Allowed, App, Json, Refusal};

/// The rules that hold: whoever opens sessions sees what is recorded.
pub(crate) async fn show_policy(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ReadRemoteSessions>,
) -> Result<Json<api::StoredRemotePolicy>, Refusal> {
    let stored = remote_policy(&mut app.store.read().await?, permit.actor().tenant).await?;
    Ok(Json(api::StoredRemotePolicy { version: stored.version, rules: shown(&stored.policy) }))
}

/// Asks for other rules.
pub(crate) async fn change_policy(
    State(app): State<App>,
    Allowed(permit): Allowed<policy::ChangePolicy>,
    expected: Expected,
    Json(body): Json<api::ChangeRemotePolicy>,
) -> Result<Response, Refusal> {
    let actor = permit.actor();
    let stored = remote_policy(&mut app.store.read().await?, actor.tenant).await?;
    expected.is(&api::StoredRemotePolicy { version: stored.version, rules: shown(&stored.policy) })?;
    let after = parse(&body.rules);
    after.check().map_err(|(kind, why)| Refusal::field(&format!("rules.{}.ask_secs", kind.as_str()), why))?;
    if stored.version != body.version {
        return Err(Refusal::from(Code::Conflict).because("Somebody changed these rules meanwhile: look at them again."));
    }
    if stored.policy == after {
        return Err(Refusal::from(Code::NothingToDo).because("These are the rules that hold."));
    }
    let change = ChangeRemotePolicy { version: stored.version, before: stored.policy, after };
    ask_plainly(&app, actor, Action::ChangeRemotePolicy(change)).await
}

/// A change as the API says it.
pub(crate) fn details(change: &ChangeRemotePolicy) -> api::ChangeRemotePolicyDetails {
    api::ChangeRemotePolicyDetails { before: shown(&change.before), after: shown(&change.after) }
}

fn shown(policy: &RemotePolicy) -> api::RemotePolicy {
    api::RemotePolicy {
        terminal: shown_rules(&policy.terminal),
        background: shown_rules(&policy.background),
        files: shown_rules(&policy.files),
        viewer: shown_rules(&policy.viewer),
        clipboard: switch(policy.clipboard == Clipboard::Both),
        virtual_display: switch(policy.virtual_display == VirtualDisplay::Allowed),
    }
}

fn switch(is_on: bool) -> api::Switch {
    if is_on { api::Switch::On } else { api::Switch::Off }
}

fn shown_rules(rules: &KindRules) -> api::RemoteKindRules {
    let record = match rules.record {
        Recording::Always => api::RecordRule::Always,
        Recording::Never => api::RecordRule::Never,
        Recording::Optional => api::RecordRule::Optional,
    };
    let consent = match rules.consent {
        Consent::None => api::ConsentRule::None,
        Consent::Banner => api::ConsentRule::Banner,
        Consent::Ask => api::ConsentRule::Ask,
    };
    let unanswered = match rules.unanswered {
        Unanswered::Refuse => api::SilenceRule::Refuse,
        Unanswered::Allow => api::SilenceRule::Allow,
    };
    api::RemoteKindRules { record, consent, ask_secs: rules.ask_secs, unanswered }
}

fn parse(rules: &api::RemotePolicy) -> RemotePolicy {
    RemotePolicy {
        terminal: parse_rules(&rules.terminal),
        background: parse_rules(&rules.background),
        files: parse_rules(&rules.files),
        viewer: parse_rules(&rules.viewer),
        clipboard: if rules.clipboard == api::Switch::On { Clipboard::Both } else { Clipboard::Off },
        virtual_display: if rules.virtual_display == api::Switch::On { VirtualDisplay::Allowed } else { VirtualDisplay::Never },
    }
}

fn parse_rules(rules: &api::RemoteKindRules) -> KindRules {
    let record = match rules.record {
        api::RecordRule::Always => Recording::Always,
        api::RecordRule::Never => Recording::Never,
        api::RecordRule::Optional => Recording::Optional,
    };
    let consent = match rules.consent {
        api::ConsentRule::None => Consent::None,
        api::ConsentRule::Banner => Consent::Banner,
        api::ConsentRule::Ask => Consent::Ask,
    };
    let unanswered = match rules.unanswered {
        api::SilenceRule::Refuse => Unanswered::Refuse,
        api::SilenceRule::Allow => Unanswered::Allow,
    };
    KindRules { record, consent, ask_secs: rules.ask_secs, unanswered }
}
