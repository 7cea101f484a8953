//! C5, as far as it is built: the server counts what one person reaches in a rolling hour, over all of the person's sessions.

use std::time::Instant;

use sallyport_testkit::client::{Client, Reply};
use serde_json::json;

use crate::report::{Attack, Outcome, code_of};
use crate::world::World;

/// Devices in one hour that are still class 1, one by one.
const CLASS_1: usize = 5;
/// Devices in one hour that are still class 2.
const CLASS_2: usize = 25;

pub(crate) async fn attack(world: &mut World, second: &mut Client) -> Vec<Attack> {
    let script = world.operator.owner.script("count", "true").await;
    vec![one_by_one(world, second, &script).await, in_parts(world, second, &script).await]
}

async fn ask(client: &mut Client, script: &str, devices: &[String]) -> Reply {
    client.post("/v1/jobs", json!({ "script": script, "version": 1, "devices": devices })).await
}

/// Waits for a fresh code although a window is open, and has at least this class.
fn is_stopped(reply: &Reply, class: u64) -> Outcome {
    let body = reply.json();
    let stopped = reply.status == 202 && body["class"].as_u64() >= Some(class) && body["state"] == "open";
    let code = if reply.status == 202 { format!("class_{}_waits", body["class"]) } else { code_of(reply) };
    Outcome::unless(stopped, code)
}

/// One device after the other, from two sessions whose windows are open.
async fn one_by_one(world: &mut World, second: &mut Client, script: &str) -> Attack {
    let mut attack = Attack::new("SUM-1", "one device after the other, over two sessions");
    let mut reached = 0;
    for (number, device) in world.crowd.clone().into_iter().enumerate().take(12) {
        let client = if number % 2 == 0 { &mut *second } else { &mut world.operator.owner.client };
        let begun = Instant::now();
        let reply = ask(client, script, &[device]).await;
        // The real device and the one with the turned clock were reached before.
        if reply.status == 201 && reached + 2 < CLASS_1 {
            reached += 1;
        } else {
            attack.tried(&format!("device {number}"), is_stopped(&reply, 2), begun);
        }
    }
    attack.control(reached + 2 == CLASS_1)
}

/// The whole crowd at once, and in two parts that are small enough each.
async fn in_parts(world: &mut World, second: &mut Client, script: &str) -> Attack {
    let mut attack = Attack::new("SUM-2", "more than 25 devices within the hour, at once and in parts");
    let all = world.crowd.clone();
    for client in [&mut *second, &mut world.operator.owner.client] {
        let begun = Instant::now();
        let reply = ask(client, script, &all[..=CLASS_2]).await;
        attack.tried("at once", is_stopped(&reply, 3), begun);
    }
    // The first part is legitimate: class 2, with a code for it.
    let (part, rest) = all.split_at(CLASS_2 - 10);
    let reply = world.operator.job(script, part).await;
    let is_class_2 = reply.json()["class"] == 2;
    let result = world.operator.prove(&reply).await;
    let ended = world.ended(&result).await;
    let begun = Instant::now();
    let reply = ask(second, script, rest).await;
    attack.tried("the rest, from another session", is_stopped(&reply, 3), begun);
    attack.control(is_class_2 && ended["counts"]["succeeded"] == part.len())
}
