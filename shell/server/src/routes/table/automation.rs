//! Automation: API clients for people, and the OAuth endpoints for the clients themselves.

use sallyport_api as api;
use sallyport_decide::policy;

use super::super::route::{Access, Query, Route, needs, query};
use super::{CURSOR, LIMIT, PAGE, asks};
use crate::automation::{clients, device_codes, keys, licences, metadata, programs, token};
use crate::{schedules, webhooks, work};

const SCHEDULES: &[Query] =
    &[query("state", "Only schedules in this state"), query("script", "Only schedules of this script"), CURSOR, LIMIT];

const DELIVERIES: &[Query] =
    &[query("state", "Only deliveries in this state"), query("type", "Only deliveries of this event"), CURSOR, LIMIT];

pub(super) fn rows() -> Vec<Route> {
    [tools(), told()].into_iter().flatten().collect()
}

/// Webhooks: addresses that are told what happens.
fn told() -> Vec<Route> {
    let (read, manage) = (needs::<policy::ReadWebhooks>(), needs::<policy::ManageWebhooks>());
    vec![
        Route::get("/v1/webhooks", "Webhooks, and what can be told", read, webhooks::list).query(PAGE).answers::<api::Webhooks>(200),
        asks::<api::WantedWebhook, _, _>("/v1/webhooks", "Make a webhook", manage, webhooks::create)
            .class("2")
            .audit("request.created webhook.created"),
        Route::get("/v1/webhooks/{id}", "One webhook", read, webhooks::show)
            .answers::<api::Webhook>(200)
            .replaced_by_changes(&["/name", "/url", "/events", "/owner"]),
        Route::put("/v1/webhooks/{id}", "Change a webhook: name, address, events", manage, webhooks::change)
            .takes::<api::WantedWebhook>()
            .answers::<api::AuthorizationRequest>(202)
            .class("2")
            .audit("request.created webhook.changed"),
        Route::delete("/v1/webhooks/{id}", "Remove a webhook with its secret, queue and log", manage, webhooks::remove)
            .empty(204)
            .audit("webhook.removed"),
        Route::post("/v1/webhooks/{id}/secret", "Replace a webhook's secret: both sign for a day", manage, webhooks::rotate)
            .answers::<api::AuthorizationRequest>(202)
            .once()
            .class("2")
            .audit("request.created webhook.rotated"),
        Route::post("/v1/webhooks/{id}/pause", "Pause a webhook: what happens waits", manage, webhooks::pause)
            .empty(204)
            .audit("webhook.paused"),
        Route::post("/v1/webhooks/{id}/resume", "Let a paused webhook go on", manage, webhooks::resume).empty(204).audit("webhook.resumed"),
        Route::post("/v1/webhooks/{id}/test", "Send a test to a webhook", manage, webhooks::test)
            .answers::<api::WebhookDelivery>(201)
            .once()
            .audit("webhook.tested"),
        Route::get("/v1/webhooks/{id}/deliveries", "What became of events, the newest first", read, webhooks::deliveries)
            .query(DELIVERIES)
            .pages::<api::WebhookDelivery>(),
        Route::get("/v1/webhooks/{id}/deliveries/{event}", "What was sent, and every attempt", read, webhooks::delivery)
            .answers::<api::DeliveryDetails>(200),
        Route::post(
            "/v1/webhooks/{id}/deliveries/{event}/redeliver",
            "Send a delivery that is over once more",
            manage,
            webhooks::redeliver,
        )
        .empty(204)
        .audit("webhook.redelivered"),
    ]
}

fn tools() -> Vec<Route> {
    vec![
        Route::get("/v1/clients", "API clients, and what they can have", needs::<policy::ReadClients>(), clients::list)
            .query(PAGE)
            .answers::<api::ApiClients>(200),
        asks::<api::NewApiClient, _, _>("/v1/clients", "Make an API client", needs::<policy::ManageClients>(), clients::create)
            .class("2")
            .audit("request.created client.created"),
        Route::get("/v1/clients/{id}", "One API client", needs::<policy::ReadClients>(), clients::show)
            .answers::<api::ApiClient>(200)
            .replaced_by_changes(&["/name", "/scopes", "/networks", "/expires", "/rotation", "/licence"]),
        Route::put("/v1/clients/{id}", "Change an API client", needs::<policy::ManageClients>(), clients::change)
            .takes::<api::ChangeApiClient>()
            .answers::<api::AuthorizationRequest>(202)
            .class("2")
            .audit("request.created client.changed"),
        Route::post("/v1/clients/{id}/stop", "Stop an API client for good", needs::<policy::ManageClients>(), clients::stop)
            .empty(204)
            .audit("client.stopped"),
        Route::get("/v1/clients/{id}/licences", "The licences of an API client", needs::<policy::ReadClients>(), licences::list)
            .answers::<api::Licences>(200),
        asks::<api::NewLicence, _, _>(
            "/v1/clients/{id}/licences",
            "Issue a licence: what lets a tool's program in",
            needs::<policy::ManageClients>(),
            licences::issue,
        )
        .class("2")
        .audit("request.created licence.issued"),
        Route::get("/v1/licences/{id}", "One licence", needs::<policy::ReadClients>(), licences::show).answers::<api::Licence>(200),
        Route::get("/v1/licences/{id}/file", "A licence as the file that its tool shows", needs::<policy::ReadClients>(), licences::file)
            .answers::<api::LicenceFile>(200),
        Route::post("/v1/licences/{id}/revoke", "Revoke a licence for good", needs::<policy::ManageClients>(), licences::revoke)
            .empty(204)
            .audit("licence.revoked"),
        Route::post(
            "/v1/me/programs",
            "Answer a program that wants to sign in as oneself",
            needs::<policy::ApprovePrograms>(),
            programs::answer,
        )
        .takes::<api::ProgramAnswer>()
        .answers::<api::ProgramRedirect>(200)
        .audit("program.approved"),
        Route::post(
            "/v1/me/device-codes/look",
            "What waits under a code that one typed, and the challenge for a yes",
            needs::<policy::ApprovePrograms>(),
            device_codes::look,
        )
        .takes::<api::TypedCode>()
        .answers::<api::WaitingProgram>(200),
        Route::post(
            "/v1/me/device-codes/answer",
            "Answer a program that waits under a code; yes takes a passkey",
            needs::<policy::ApprovePrograms>(),
            device_codes::answer,
        )
        .takes::<api::DeviceCodeAnswer>()
        .empty(204)
        .audit("device_code.approved device_code.denied factor.copied"),
        Route::get("/v1/schedules", "Published schedules, the newest first", needs::<policy::ReadJobs>(), schedules::list)
            .query(SCHEDULES)
            .pages::<api::Schedule>(),
        asks::<api::NewSchedule, _, _>(
            "/v1/schedules",
            "Publish a schedule: a script that runs unattended",
            needs::<policy::PublishSchedules>(),
            work::publish_schedule,
        )
        .class("2-3")
        .audit("request.created schedule.published"),
        Route::post("/v1/schedules/preview", "What a timing means: keeps nothing", needs::<policy::ReadJobs>(), schedules::preview)
            .takes::<api::ScheduleQuestion>()
            .answers::<api::ScheduleAnswer>(200),
        Route::get("/v1/schedules/{id}", "One schedule", needs::<policy::ReadJobs>(), schedules::show).answers::<api::Schedule>(200),
        Route::post("/v1/schedules/{id}/pause", "Pause a schedule", needs::<policy::StopSchedules>(), schedules::pause)
            .empty(204)
            .audit("schedule.paused"),
        Route::post(
            "/v1/schedules/{id}/resume",
            "Let a paused schedule go on, where it still is what was published",
            needs::<policy::PublishSchedules>(),
            schedules::resume,
        )
        .empty(204)
        .class("1")
        .audit("schedule.resumed schedule.voided"),
        Route::post("/v1/schedules/{id}/stop", "Stop a schedule for good", needs::<policy::StopSchedules>(), schedules::stop)
            .empty(204)
            .audit("schedule.stopped"),
        Route::get(
            "/.well-known/oauth-authorization-server",
            "How tools get access tokens (RFC 8414)",
            Access::Public("says where and how, and has no secrets"),
            metadata::show,
        )
        .answers::<api::OauthMetadata>(200),
        oauth("/v1/oauth/token", "Get an access token", token::issue)
            .takes_form::<api::TokenForm>()
            .answers::<api::IssuedToken>(200)
            .audit("client.used client.stopped licence.refused session.opened program.code_reused"),
        Route::post(
            "/v1/oauth/device",
            "Ask to be let in by a device code (RFC 8628), where a tenant allows it",
            Access::Public("anybody may ask; a person answers with a passkey, from where the program is"),
            device_codes::ask,
        )
        .takes_form::<api::DeviceCodeForm>()
        .answers::<api::DeviceCode>(200)
        .answers::<api::OauthError>(400)
        .answers::<api::OauthError>(401),
        oauth("/v1/oauth/revoke", "End an access token before its time (RFC 7009)", token::revoke)
            .takes_form::<api::RevokeForm>()
            .empty(200),
        oauth("/v1/oauth/keys", "Replace a client's key", keys::rotate)
            .takes_form::<api::RotateForm>()
            .answers::<api::RotatedKey>(200)
            .audit("client.key_rotated client.stopped"),
    ]
}

fn oauth<H: axum::handler::Handler<T, crate::App>, T: 'static>(path: &'static str, about: &'static str, handler: H) -> Route {
    Route::post(path, about, Access::Public("asks for an assertion that a client signed, or a code that a person gave"), handler)
        .answers::<api::OauthError>(400)
        .answers::<api::OauthError>(401)
}
