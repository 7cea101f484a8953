//! Plays the owner of a fresh installation towards one machine: writes the enrolment file where the first argument says, approves the
//! device that comes with it, and works on two services by a remote session: the second argument's, which starts by hand and stands still, is
//! started, restarted, stopped, set to start with the machine and started again; the third's, which runs and starts with the machine, is
//! stopped and set to start by hand.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sallyport_server::outside::SystemEntropy;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::remote::{RemoteClient, RemoteEnd, body};
use sallyport_wire::stream::{Payload, StreamSecret};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what| arguments.next().context(what);
    let (file, service, other) = (next("a path")?, next("a service")?, next("another service")?);
    let installation = Installation::plain();
    let mut operator = Operator::set_up(&installation).await;
    hand_over(Path::new(&file), &operator.installer(1).await)?;
    ensure!(operator.wait_for("state=pending", 1, PATIENCE).await == 1, "the device does not enrol");
    let device = operator.ids("state=pending").await.pop().context("a device")?;
    operator.approve_all().await;
    ensure!(operator.wait_for("state=online", 1, PATIENCE).await == 1, "the device does not come");
    let secret = StreamSecret::from_bytes(sallyport_server::outside::random(&SystemEntropy));
    let wanted = body(&secret, json!({ "kind": "background", "device": device }));
    let client = RemoteClient::of(operator.ask("/v1/remote-sessions", wanted).await, secret);
    let Ok(mut end) = client.dial(&installation).await else { bail!("the stream was refused") };
    end.up().await;
    manage(&mut end, &service).await?;
    retire(&mut end, &other).await?;
    refused(&mut end).await
}

/// The file is there as a whole or not at all.
fn hand_over(file: &Path, content: &str) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    std::fs::write(&new, content)?;
    Ok(std::fs::rename(new, file)?)
}

async fn manage(end: &mut RemoteEnd, service: &str) -> anyhow::Result<()> {
    let listed = asked(end, json!({ "t": "services", "id": 1 })).await?;
    ensure!(listed.to_string().contains(&format!("\"name\":\"{service}\"")), "{service} is not listed");
    let started = change(end, service, "start", "state", "active").await?;
    let again = change(end, service, "restart", "state", "active").await?;
    let pid = |told: &Value| find(told, "pid").and_then(Value::as_u64).filter(|pid| *pid > 1);
    ensure!(pid(&started).is_some() && pid(&again).is_some() && pid(&started) != pid(&again), "{started} {again}");
    let stopped = change(end, service, "stop", "state", "inactive").await?;
    ensure!(find(&stopped, "pid") == Some(&json!(0)), "{stopped}");
    change(end, service, "enable", "start", "enabled").await?;
    change(end, service, "disable", "start", "disabled").await?;
    change(end, service, "enable", "start", "enabled").await?;
    change(end, service, "start", "state", "active").await?;
    Ok(())
}

async fn retire(end: &mut RemoteEnd, service: &str) -> anyhow::Result<()> {
    let told = asked(end, json!({ "t": "service", "id": 1, "name": service })).await?;
    ensure!((find(&told, "state"), find(&told, "start")) == (Some(&json!("active")), Some(&json!("enabled"))), "{told}");
    change(end, service, "disable", "start", "disabled").await?;
    change(end, service, "stop", "state", "inactive").await?;
    Ok(())
}

/// A service that is not there, and the agent's own.
async fn refused(end: &mut RemoteEnd) -> anyhow::Result<()> {
    for (name, what, code) in [
        ("no-such.service", "start", "not_found"),
        ("sallyport-agent.service", "stop", "own_agent"),
        ("sallyport-agent.service", "disable", "own_agent"),
    ] {
        match asked(end, json!({ "t": "service_do", "id": 1, "name": name, "what": what })).await {
            Err(error) if error.to_string().contains(code) => {}
            other => bail!("{what} of {name}: {other:?}"),
        }
    }
    Ok(())
}

/// Changes a service; the answer says how it is then.
async fn change(end: &mut RemoteEnd, service: &str, what: &str, field: &str, value: &str) -> anyhow::Result<Value> {
    let told = asked(end, json!({ "t": "service_do", "id": 1, "name": service, "what": what })).await?;
    ensure!(find(&told, field) == Some(&json!(value)), "{what}: {told}");
    Ok(told)
}

/// All messages of the answer; an error where the device says so.
async fn asked(end: &mut RemoteEnd, request: Value) -> anyhow::Result<Value> {
    end.send_control(&request).await;
    let mut answer = Vec::new();
    loop {
        match end.next().await {
            Ok(Payload::Control(json)) => {
                let told: Value = serde_json::from_slice(&json)?;
                let (is_mine, t) = (told["id"] == request["id"], told["t"].clone());
                ensure!(!is_mine || t != "error", "{told}");
                if is_mine {
                    answer.push(told);
                }
                if is_mine && t == "ok" {
                    return Ok(Value::Array(answer));
                }
            }
            Ok(Payload::Data { .. }) => {}
            Err(closed) => bail!("the stream ended: {closed:?}"),
        }
    }
}

/// The first field of this name, however deep.
fn find<'a>(told: &'a Value, name: &str) -> Option<&'a Value> {
    match told {
        Value::Object(fields) => fields.get(name).or_else(|| fields.values().find_map(|field| find(field, name))),
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        _ => None,
    }
}
