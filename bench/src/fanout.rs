//! `fanout`: from the proof that releases a job to the last result, as a client sees it by asking again and again.

use std::time::{Duration, Instant};

use sallyport_testkit::agent::Machine;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use serde_json::Value;

use crate::crowd::Crowd;
use crate::measure::millis;
use crate::report::{Op, Row};

const PATIENCE: Duration = Duration::from_secs(300);
/// Jobs on one device, which the open step-up window covers.
const SINGLE_JOBS: usize = 100;
/// Jobs on many devices: each takes a code, and codes come every 30 seconds.
const MANY_JOBS: usize = 3;

/// Real agents, a script that leaves a line in a file, and how often it did.
struct Real {
    operator: Operator,
    devices: Vec<String>,
    script: String,
    ledger: std::path::PathBuf,
    _machines: Vec<Machine>,
    _installation: Installation,
}

impl Real {
    async fn gather(count: usize) -> Self {
        let installation = Installation::plain();
        let mut operator = Operator::set_up(&installation).await;
        let file = operator.installer(count).await;
        let mut machines: Vec<Machine> = (0..count).map(|_| Machine::new()).collect();
        for machine in &mut machines {
            machine.enrol(&file);
            machine.start();
        }
        let pending = operator.wait_for("state=pending", count as u64, PATIENCE).await;
        assert_eq!(pending, count as u64, "all real agents enrol");
        let devices = operator.ids("state=pending").await;
        operator.approve_all().await;
        operator.wait_for("state=online", count as u64, PATIENCE).await;
        let ledger = installation.folder().join("ledger");
        let script = operator.owner.script("ledger", &format!("echo ran >> '{}'\necho done", ledger.display())).await;
        Self { operator, devices, script, ledger, _machines: machines, _installation: installation }
    }

    /// Lines beyond one for each run.
    fn doubled(&self, runs: u64) -> u64 {
        let lines = std::fs::read_to_string(&self.ledger).unwrap_or_default().lines().count() as u64;
        lines.saturating_sub(runs)
    }
}

/// One device; the step-up window of the sign-in covers every job.
pub(crate) async fn one_real() -> Row {
    let mut real = Real::gather(1).await;
    let (mut times, mut lost) = (Vec::new(), 0);
    for _ in 0..SINGLE_JOBS {
        let begun = Instant::now();
        let reply = real.operator.job(&real.script, &real.devices).await;
        assert_eq!(reply.status, 201, "the window covers a job on one device: {}", String::from_utf8_lossy(&reply.body));
        let job = job_of(&reply.json());
        let ended = real.operator.ended(&job, Duration::from_millis(1), PATIENCE).await;
        times.push(millis(begun));
        lost += missing(&ended, 1);
    }
    let doubled = real.doubled(SINGLE_JOBS as u64);
    Row::of("fanout", "1-real", "ms", &times).lost(lost, doubled).against_absent("MeshCentral").budget(Op::AtMost, 1.0)
}

/// Many devices, each with an agent process of its own on this machine.
pub(crate) async fn many_real(count: usize) -> Row {
    let mut real = Real::gather(count).await;
    let (script, devices) = (real.script.clone(), real.devices.clone());
    let (times, lost) = jobs(&mut real.operator, &script, &devices, Duration::from_millis(5)).await;
    let doubled = real.doubled((MANY_JOBS * count) as u64);
    Row::of("fanout", format!("{count}-real"), "ms", &times).lost(lost, doubled).against_absent("MeshCentral").budget(Op::AtMost, 0.5)
}

/// The crowd, whose scripts end at once.
pub(crate) async fn simulated(crowd: &mut Crowd) -> Row {
    let devices = crowd.devices.clone();
    let script = crowd.operator.owner.script("everywhere", "true").await;
    let (times, lost) = jobs(&mut crowd.operator, &script, &devices, Duration::from_millis(50)).await;
    Row::of("fanout", format!("{}-simulated-tls", devices.len()), "ms", &times).lost(lost, crowd.doubled())
}

/// Runs the jobs one after another: how long each took, and how many runs never had a result.
async fn jobs(operator: &mut Operator, script: &str, devices: &[String], look: Duration) -> (Vec<f64>, u64) {
    let (mut times, mut lost) = (Vec::new(), 0);
    for _ in 0..MANY_JOBS {
        let request = operator.job(script, devices).await;
        assert_eq!(request.status, 202, "many devices want a code: {}", String::from_utf8_lossy(&request.body));
        let code = operator.codes.fresh().await;
        let begun = Instant::now();
        let result = operator.prove_with(&request, &code).await;
        let ended = operator.ended(&job_of(&result), look, PATIENCE).await;
        times.push(millis(begun));
        lost += missing(&ended, devices.len() as u64);
    }
    (times, lost)
}

fn job_of(result: &Value) -> String {
    result["job"].as_str().expect("a job").to_owned()
}

/// Runs that did not succeed.
fn missing(job: &Value, wanted: u64) -> u64 {
    wanted - job["counts"]["succeeded"].as_u64().unwrap_or(0).min(wanted)
}
