//! What devices report. All of it is hostile input: a device can speak of its own runs alone.

use std::time::Duration;

use sallyport_grant::body::Outcome;
use sallyport_grant::receipt;
use sallyport_model::{AgentText, GrantId, TenantId, Timestamp, limits};
use sallyport_store::StoreError;
use sallyport_store::ops::enrolment::{ALERTS, CLOCK_ALERT, KeepClockAlert, KeepInventory};
use sallyport_store::ops::remote::is_attachment;
use sallyport_store::ops::runs::{Ended, KeepOutput, Reported, Started};
use sallyport_wire::{Inventory, Stream, ToServer, UnsignedToAgent};

use super::enrol;
use super::link::{LinkEnd, Linked};
use crate::events::Event;
use crate::fleet::findable::findable;
use crate::{App, remote};

/// Inventories of one device closer together than this are not kept.
const INVENTORY_EVERY: Duration = Duration::from_secs(8);
/// A file system this full is an alert, in percent.
const DISK_FULL_PERCENT: u64 = 90;

/// A clock that is off by this much is an alert. Grants hold for longer than that, so it is told before devices begin to refuse.
const CLOCK_OFF_SECS: u64 = 120;

/// What was told of a device's clock.
#[derive(Default)]
pub(super) struct ClockSeen {
    alert: Option<Box<str>>,
    told: Option<tokio::time::Instant>,
}

/// Takes one message.
pub(super) async fn take(linked: &mut Linked, message: ToServer) -> Result<(), LinkEnd> {
    match message {
        ToServer::Heartbeat(heartbeat) => {
            linked.app.hub.keep_figures(linked.device, linked.number, heartbeat);
            let server_time = linked.app.clock.now();
            Box::pin(keep_clock(linked, heartbeat.sent_at, server_time)).await?;
            linked.send(&UnsignedToAgent::HeartbeatAck { server_time }.into()).await
        }
        ToServer::Inventory(inventory) => Box::pin(keep_inventory(linked, inventory)).await,
        ToServer::RunStarted { grant, started_at } => Box::pin(started(linked, grant, started_at)).await,
        ToServer::Output { grant, seq, stream, chunk } => Box::pin(output(linked, grant, seq, stream, chunk)).await,
        ToServer::RunEnded { grant, receipt } => Box::pin(ended(linked, grant, receipt)).await,
        ToServer::Recording { session, seq, chunk, place } => {
            let piece = remote::keep_piece(&linked.app, linked.tenant, linked.device, session, (seq, chunk, place));
            let answer = Box::pin(piece).await?;
            linked.send(&answer.into()).await
        }
    }
}

/// Writes down that a clock went wrong or right again. A device that says something else each time is heard as seldom as its inventory.
async fn keep_clock(linked: &mut Linked, theirs: Timestamp, ours: Timestamp) -> Result<(), LinkEnd> {
    let alert = clock_alert(theirs.secs().saturating_sub(ours.secs()));
    let now = tokio::time::Instant::now();
    if alert.as_deref() == linked.clock.alert.as_deref() || linked.clock.told.is_some_and(|last| now.duration_since(last) < INVENTORY_EVERY)
    {
        return Ok(());
    }
    linked.app.store.commit(KeepClockAlert { device: linked.device, alert: alert.clone() }).await?;
    linked.clock = ClockSeen { alert: alert.map(String::into_boxed_str), told: Some(now) };
    linked.app.events.tell(linked.tenant, Event::Device { device: linked.device.to_string(), online: true });
    Ok(())
}

/// How a clock that is off by so many seconds is shown, in the largest unit that fits.
fn clock_alert(off_secs: i64) -> Option<String> {
    let off = off_secs.unsigned_abs();
    if off < CLOCK_OFF_SECS {
        return None;
    }
    let (unit, secs) =
        [("year", 365 * 86_400), ("day", 86_400), ("hour", 3_600)].into_iter().find(|(_, secs)| off >= *secs).unwrap_or(("minute", 60));
    let (count, side) = (off / secs, if off_secs > 0 { "ahead" } else { "behind" });
    Some(format!("{CLOCK_ALERT}{count} {unit}{} {side}", if count == 1 { "" } else { "s" }))
}

async fn keep_inventory(linked: &mut Linked, inventory: Box<Inventory>) -> Result<(), LinkEnd> {
    let now = tokio::time::Instant::now();
    if linked.last_inventory.is_some_and(|last| now.duration_since(last) < INVENTORY_EVERY) {
        return Ok(());
    }
    linked.last_inventory = Some(now);
    let _turn = linked.app.hub.turn().await;
    let Some(change) = told(linked, *inventory, linked.app.clock.now()) else { return Ok(()) };
    // Memory of its own only from its turn on: thousands may wait.
    Box::pin(linked.app.store.commit(change)).await?;
    linked.app.events.tell(linked.tenant, Event::Device { device: linked.device.to_string(), online: true });
    Ok(())
}

/// What an inventory says of its device.
fn told(linked: &Linked, inventory: Inventory, at: Timestamp) -> Option<KeepInventory> {
    let inventory = inventory.fitted();
    let content = inventory.to_bytes().ok()?;
    let mut signed_in: Vec<&str> = inventory.signed_in.iter().map(|person| person.name.as_str()).collect();
    signed_in.sort_unstable();
    signed_in.dedup();
    signed_in.truncate(20);
    let system = &inventory.system;
    Some(KeepInventory {
        device: linked.device,
        name: enrol::name(&system.hostname),
        os: AgentText::tame(format!("{} {}", system.os_name, system.os_version).trim(), limits::AGENT_NAME_CHARS),
        agent_version: system.agent_version.clone(),
        signed_in: signed_in.join("\n"),
        alerts: alerts(linked.clock.alert.as_deref(), &inventory),
        content,
        findable: findable(&inventory),
        at,
    })
}

/// What is wrong with a device, most urgent first, one per line.
fn alerts(clock: Option<&str>, inventory: &Inventory) -> String {
    let used = |disk: &sallyport_wire::Disk| match disk.total_bytes {
        0 => 0,
        total => 100 - disk.free_bytes.min(total).saturating_mul(100) / total,
    };
    let mut full: Vec<_> =
        inventory.disks.iter().map(|disk| (used(disk), disk.mount.as_str())).filter(|(used, _)| *used >= DISK_FULL_PERCENT).collect();
    full.sort_unstable_by(|one, other| other.cmp(one));
    let failed = inventory.services.iter().filter(|service| service.state == sallyport_wire::ServiceState::Failed);
    let disks = full.iter().map(|(used, mount)| format!("Disk {mount} {used} %"));
    let services = failed.map(|service| format!("{} failed", service.name));
    clock.map(str::to_owned).into_iter().chain(disks).chain(services).take(ALERTS).collect::<Vec<_>>().join("\n")
}

async fn started(linked: &mut Linked, grant: GrantId, at: Timestamp) -> Result<(), LinkEnd> {
    let report = known(linked.app.store.commit(Started { grant, device: linked.device, at }).await)?;
    if let Some(report) = report {
        tell_run(linked, &report);
    }
    Ok(())
}

async fn output(linked: &mut Linked, grant: GrantId, seq: u64, stream: Stream, content: Vec<u8>) -> Result<(), LinkEnd> {
    let stream = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    let report = known(linked.app.store.commit(KeepOutput { grant, device: linked.device, seq, stream, content }).await)?;
    // For a run that is not this device's: everything is acknowledged and nothing kept.
    let next_seq = report.as_ref().map_or(u64::MAX, |report| report.next_chunk);
    linked.send(&UnsignedToAgent::OutputAck { grant, next_seq }.into()).await?;
    if let Some(report) = report {
        let (run, job) = (report.run.to_string(), report.job.to_string());
        linked.app.events.tell(linked.tenant, Event::Output { run, job, next: report.next_chunk });
    }
    Ok(())
}

async fn ended(linked: &mut Linked, grant: GrantId, envelope: Vec<u8>) -> Result<(), LinkEnd> {
    let body = receipt::verify(&envelope, &linked.key).ok().filter(|body| body.grant == grant && body.tenant == linked.tenant);
    let (Some(body), Ok(receipt)) = (body, String::from_utf8(envelope)) else {
        // Its own key did not sign it: nothing that this device sends from here on is worth reading.
        tracing::warn!(device = %linked.device, "a receipt is not what it should be");
        return Err(LinkEnd::Ended);
    };
    if is_remote(&linked.app, linked.tenant, grant).await? {
        remote::keep_receipt(&linked.app, linked.tenant, linked.device, &body, receipt).await?;
        return linked.send(&UnsignedToAgent::ReceiptAck { grant }.into()).await;
    }
    let change = Ended {
        tenant: linked.tenant,
        grant,
        device: linked.device,
        state: state(body.outcome, body.exit_code),
        exit_code: body.exit_code,
        signal: body.signal,
        reason: body.reason.map(|reason| reason.to_string()),
        output_sha256: body.output_sha256,
        started: body.started,
        ended: body.ended,
        receipt,
        at: linked.app.clock.now(),
        salt: linked.app.random(),
    };
    let report = known(linked.app.store.commit(change).await)?;
    linked.send(&UnsignedToAgent::ReceiptAck { grant }.into()).await?;
    if let Some(report) = report {
        tell_run(linked, &report);
    }
    Ok(())
}

async fn is_remote(app: &App, tenant: TenantId, grant: GrantId) -> Result<bool, StoreError> {
    is_attachment(&mut app.store.read().await?, tenant, grant).await
}

fn state(outcome: Outcome, exit_code: Option<i32>) -> &'static str {
    match outcome {
        Outcome::Finished if exit_code == Some(0) => "succeeded",
        Outcome::Finished => "failed",
        Outcome::Refused => "refused",
        Outcome::Interrupted => "interrupted",
        Outcome::Cancelled => "cancelled",
        Outcome::TimedOut => "timed_out",
        Outcome::OutputLimit => "output_limit",
    }
}

/// A run that is not there, or not this device's, is no error of ours.
fn known(report: Result<Reported, StoreError>) -> Result<Option<Reported>, LinkEnd> {
    match report {
        Ok(report) => Ok(Some(report)),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn tell_run(linked: &Linked, report: &Reported) {
    let (run, job) = (report.run.to_string(), report.job.to_string());
    linked.app.events.tell(linked.tenant, Event::Run { run, job, state: report.state.clone() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_in_the_largest_unit_that_fits() {
        for (secs, said) in [
            (0, None),
            (119, None),
            (-119, None),
            (120, Some("Clock is 2 minutes ahead")),
            (-3_600, Some("Clock is 1 hour behind")),
            (3 * 86_400, Some("Clock is 3 days ahead")),
            (-10 * 365 * 86_400, Some("Clock is 10 years behind")),
            (i64::MIN, Some("Clock is 292471208677 years behind")),
        ] {
            assert_eq!(clock_alert(secs).as_deref(), said, "{secs}");
        }
    }
}
