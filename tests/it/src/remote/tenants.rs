//! What belongs to another tenant is answered as what does not exist.

use sallyport_model::{RemoteSessionId, TenantId};
use sallyport_store::values;
use sallyport_testkit::client::{Call, Reply};
use sallyport_testkit::on_both;
use sallyport_testkit::remote::{NotLetIn, PROGRAM, body, dial};
use sallyport_testkit::server::Engine;
use sallyport_wire::stream::StreamSecret;
use serde_json::{Value, json};

use super::World;

on_both!(a26_what_another_tenant_has_is_answered_as_unknown,);

/// Everything of an answer but what names the request.
fn answer(reply: &Reply) -> (u16, Value) {
    let mut problem = reply.json();
    for own in ["request_id", "instance"] {
        problem.as_object_mut().expect("a problem").remove(own);
    }
    (reply.status, problem)
}

/// The person goes to another tenant, with session and rights; everything else stays where it is.
async fn emigrate(world: &World) {
    let elsewhere = TenantId::from_bytes([9; 16]);
    let sql = "INSERT INTO tenants (id, name, step_up_secs, created, version) VALUES ($1, 'Elsewhere', 300, 0, 1)";
    world.change(sql, values![elsewhere]).await;
    world.change("UPDATE users SET tenant = $1", values![elsewhere]).await;
    world.change("UPDATE assignments SET scope = $1", values![elsewhere]).await;
}

async fn a26_what_another_tenant_has_is_answered_as_unknown(engine: Engine) {
    let mut world = World::new(engine).await;
    let stream = world.streaming("terminal").await;
    let (session, grant) = (stream.client.session(), stream.client.grant().to_string());
    let unknown = RemoteSessionId::from_bytes([7; 16]);
    let nowhere = sallyport_model::DeviceId::from_bytes([7; 16]).to_string();
    let ticket = stream.client.another_ticket(&mut world.owner).await;
    emigrate(&world).await;
    let key = StreamSecret::from_bytes([1; 32]);
    let open = |device: &str| body(&key, json!({ "device": device }));
    let join = |session: RemoteSessionId| body(&key, json!({ "device": world.device, "joins": session.to_string() }));
    let (theirs, none) = (open(&world.device), open(&nowhere));
    let client = &mut world.owner.client;
    let device = answer(&client.post("/v1/remote-sessions", theirs).await);
    assert_eq!(device, answer(&client.post("/v1/remote-sessions", none).await));
    assert!(matches!(device.0, 404 | 409 | 422), "{device:?}");
    assert_eq!(answer(&client.post("/v1/remote-sessions", join(session)).await), device, "the device comes first");
    for path in ["", "/recording"] {
        let (theirs, none) = (format!("/v1/remote-sessions/{session}{path}"), format!("/v1/remote-sessions/{unknown}{path}"));
        let theirs = answer(&client.get(&theirs).await);
        assert_eq!((theirs.0, &theirs), (404, &answer(&client.get(&none).await)));
    }
    let (theirs, none) = (format!("/v1/remote-sessions/{session}"), format!("/v1/remote-sessions/{unknown}"));
    let ended = answer(&client.send(Call::new("DELETE", &theirs)).await);
    assert_eq!((ended.0, &ended), (404, &answer(&client.send(Call::new("DELETE", &none)).await)));
    let again = answer(&client.post(&format!("{theirs}/tickets"), json!({ "grant": grant })).await);
    let made_up = sallyport_model::GrantId::from_bytes([7; 16]).to_string();
    assert_eq!(again, answer(&client.post(&format!("{none}/tickets"), json!({ "grant": made_up })).await));
    let listed = client.get("/v1/remote-sessions?state=any").await.json();
    assert_eq!(listed["items"], json!([]));
    // A ticket of theirs opens no stream for a person of this tenant, and says no more than one that never was.
    let path = "/v1/remote-sessions/stream";
    let refused = Err(NotLetIn { status: 403, code: "ticket_refused".to_owned() });
    assert_eq!(dial(&world.server, path, &ticket, PROGRAM).await.map(|_| ()), refused);
    assert_eq!(dial(&world.server, path, &"A".repeat(43), PROGRAM).await.map(|_| ()), refused);
}
