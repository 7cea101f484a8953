//! Connections between the API's words and the domain's.

use sallyport_api as api;
use sallyport_decide::bridge::rotation::State;
use sallyport_decide::bridge::{Allow, ChangeConnection, Hook, NewSecret, Placement, Sender, Shape, Standing, Verb};
use sallyport_decide::policy::{Actor, UseConnections, permit};
use sallyport_model::Timestamp;
use sallyport_store::ops::bridge::{CallRow, ConnectionRow};

/// Terms that somebody wants, and the credential that comes with them.
pub(super) fn wanted(body: api::WantedConnection) -> (Shape, Option<String>) {
    let shape = Shape {
        name: body.name.trim().to_owned(),
        base_url: body.base_url.trim().trim_end_matches('/').to_owned(),
        placement: match body.credential {
            api::CredentialPlacement::Bearer => Placement::Bearer,
            api::CredentialPlacement::Header { name, prefix } => Placement::Header { name, prefix },
            api::CredentialPlacement::Basic { user } => Placement::Basic { user },
        },
        headers: body.headers,
        allows: body.allows.into_iter().map(|one| Allow { methods: one.methods.into_iter().map(verb).collect(), path: one.path }).collect(),
        callers: body.callers,
        per_minute: body.per_minute,
        expires: body.expires,
        check: body.check.filter(|path| !path.is_empty()),
        rotation: body.rotation.map(hook),
    };
    (shape, body.secret.filter(|secret| !secret.is_empty()))
}

fn verb(verb: api::HttpVerb) -> Verb {
    match verb {
        api::HttpVerb::Get => Verb::Get,
        api::HttpVerb::Post => Verb::Post,
        api::HttpVerb::Put => Verb::Put,
        api::HttpVerb::Patch => Verb::Patch,
        api::HttpVerb::Delete => Verb::Delete,
    }
}

fn shown_verb(verb: Verb) -> api::HttpVerb {
    match verb {
        Verb::Get => api::HttpVerb::Get,
        Verb::Post => api::HttpVerb::Post,
        Verb::Put => api::HttpVerb::Put,
        Verb::Patch => api::HttpVerb::Patch,
        Verb::Delete => api::HttpVerb::Delete,
    }
}

fn hook(hook: api::RotationHook) -> Hook {
    let new = match hook.new {
        api::SecretSource::Made => NewSecret::Made,
        api::SecretSource::Answer { pointer } => NewSecret::Answer { pointer },
    };
    Hook { every_days: hook.every_days, method: verb(hook.method), path: hook.path, body: hook.body, new }
}

fn shown_hook(hook: &Hook) -> api::RotationHook {
    let new = match &hook.new {
        NewSecret::Made => api::SecretSource::Made,
        NewSecret::Answer { pointer } => api::SecretSource::Answer { pointer: pointer.clone() },
    };
    api::RotationHook {
        every_days: hook.every_days,
        method: shown_verb(hook.method),
        path: hook.path.clone(),
        body: hook.body.clone(),
        new,
    }
}

fn shown_shape(shape: &Shape) -> api::ConnectionShape {
    let allowed =
        |rule: &Allow| api::AllowedRequests { methods: rule.methods.iter().copied().map(shown_verb).collect(), path: rule.path.clone() };
    api::ConnectionShape {
        name: shape.name.clone(),
        base_url: shape.base_url.clone(),
        credential: match &shape.placement {
            Placement::Bearer => api::CredentialPlacement::Bearer,
            Placement::Header { name, prefix } => api::CredentialPlacement::Header { name: name.clone(), prefix: prefix.clone() },
            Placement::Basic { user } => api::CredentialPlacement::Basic { user: user.clone() },
        },
        headers: shape.headers.clone(),
        allows: shape.allows.iter().map(allowed).collect(),
        callers: shape.callers.clone(),
        per_minute: shape.per_minute,
        expires: shape.expires,
        check: shape.check.clone(),
        rotation: shape.rotation.as_ref().map(shown_hook),
    }
}

/// An action on a connection, exactly as people read it before they prove it.
pub(crate) fn details(change: &ChangeConnection) -> api::ConnectionDetails {
    api::ConnectionDetails {
        connection: change.connection,
        before: change.before.as_ref().map(shown_shape),
        after: shown_shape(&change.after),
        new_credential: change.secret.is_some(),
    }
}

/// A connection as its reader sees it.
pub(super) fn connection(row: &ConnectionRow, reader: &Actor, now: Timestamp) -> api::Connection {
    let may = permit::<UseConnections>(reader).is_ok() && Sender::of(reader).may_use(&row.shape.callers);
    api::Connection {
        id: row.id,
        shape: shown_shape(&row.shape),
        state: state(row, now),
        owner: row.owner,
        owner_name: row.owner_name.clone(),
        created: row.created,
        stopped: row.stopped,
        stopped_by: row.stopped_by.clone(),
        last_used: row.last_used,
        last_refused: row.last_refused,
        last_refusal: row.last_refusal.clone(),
        secret_since: row.secret_since,
        rotation_state: rotation(row),
        usable: may && row.standing(now) == Standing::Works,
    }
}

fn state(row: &ConnectionRow, now: Timestamp) -> api::ConnectionState {
    let refused = row.last_refusal.as_deref() == Some("credential_refused") && row.last_refused >= row.last_used;
    match row.standing(now) {
        Standing::Stopped => api::ConnectionState::Stopped,
        Standing::Expired => api::ConnectionState::Expired,
        Standing::Works if refused => api::ConnectionState::CredentialRefused,
        Standing::Works if row.rotation.failure.is_some() => api::ConnectionState::RotationFailing,
        Standing::Works => api::ConnectionState::Active,
    }
}

fn rotation(row: &ConnectionRow) -> api::RotationState {
    let rotation = &row.rotation;
    api::RotationState {
        step: match rotation.state {
            State::Idle => api::RotationStep::Idle,
            State::Ready => api::RotationStep::Ready,
            State::Sent => api::RotationStep::Sent,
            State::Answered => api::RotationStep::Answered,
        },
        due: rotation.due,
        last: rotation.rotated,
        attempts: rotation.attempts,
        failure: rotation.failure.clone(),
        next_try: rotation.next_try,
    }
}

/// A call as it is shown.
pub(super) fn call(row: CallRow) -> api::ConnectionCall {
    let CallRow { at, caller, caller_name, method, path, outcome } = row;
    api::ConnectionCall { at, caller, caller_name, method, path, outcome }
}
