//! `fanout`: from the proof that releases a job to the last result, as a client sees it by asking again and again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sallyport_testkit::agent::Machine;
use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::wire::Wire;
use serde_json::Value;

use crate::Peers;
use crate::crowd::Crowd;
use crate::measure::millis;
use crate::mesh::{self, Mesh};
use crate::report::{Op, Row};

const PATIENCE: Duration = Duration::from_secs(300);
/// Jobs on one device, which the open step-up window covers.
const SINGLE_JOBS: usize = 100;
/// Jobs on many devices: each takes a code, and codes come every 30 seconds.
const MANY_JOBS: usize = 3;
/// A reply of MeshCentral that did not come by then, does not come.
const PEER_PATIENCE: Duration = Duration::from_secs(15);
/// So many times as many runs, until as many are whole as ours has.
const PEER_TRIES: usize = 3;

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
        let installation = Installation::over_tls();
        let mut operator = Operator::set_up(&installation).await;
        // A console leaves its connection open too.
        operator.owner.client = operator.owner.client.keeping();
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
        let script = operator.owner.script("ledger", &noted(&ledger)).await;
        Self { operator, devices, script, ledger, _machines: machines, _installation: installation }
    }
}

/// A script that leaves a line and says a word.
fn noted(ledger: &Path) -> String {
    format!("echo ran >> '{}'\necho done", ledger.display())
}

/// Lines beyond one for each run.
fn doubled(ledger: &Path, runs: usize) -> u64 {
    let lines = std::fs::read_to_string(ledger).unwrap_or_default().lines().count();
    lines.saturating_sub(runs) as u64
}

/// One device; the step-up window of the sign-in covers every job. A peer in turns, so that whatever else the machine does meets both.
pub(crate) async fn one_real(peers: Peers) -> anyhow::Result<Vec<Row>> {
    let mut real = Real::gather(1).await;
    let mut theirs = Theirs::gather(1, peers).await?;
    let mut events = real.operator.owner.client.follow("/v1/events").await;
    let (mut times, mut lost) = (Vec::new(), 0);
    for _ in 0..SINGLE_JOBS {
        let begun = Instant::now();
        let reply = real.operator.job(&real.script, &real.devices).await;
        assert_eq!(reply.status, 201, "the window covers a job on one device: {}", String::from_utf8_lossy(&reply.body));
        let job = job_of(&reply.json());
        let ended = real.operator.told(&mut events, &job, 1, PATIENCE).await;
        times.push(millis(begun));
        lost += missing(&ended, 1);
        if let Some(theirs) = &mut theirs {
            theirs.run().await?;
        }
    }
    let ours = Row::of("fanout", "1-real", "ms", &times).lost(lost, doubled(&real.ledger, SINGLE_JOBS));
    Ok(beside(ours, theirs.map(|theirs| theirs.row()), 1.0))
}

/// Many devices, each with an agent process of its own on this machine.
pub(crate) async fn many_real(count: usize, peers: Peers) -> anyhow::Result<Vec<Row>> {
    let ours = many_of_ours(count).await;
    let mut theirs = Theirs::gather(count, peers).await?;
    if let Some(theirs) = &mut theirs {
        while theirs.times.len() < MANY_JOBS && theirs.runs < MANY_JOBS * PEER_TRIES {
            theirs.run().await?;
        }
    }
    Ok(beside(ours, theirs.map(|theirs| theirs.row()), 0.5))
}

async fn many_of_ours(count: usize) -> Row {
    let mut real = Real::gather(count).await;
    let (script, devices) = (real.script.clone(), real.devices.clone());
    let events = real.operator.owner.client.follow("/v1/events").await;
    let (times, lost) = jobs(&mut real.operator, &script, &devices, Learns::Told(events)).await;
    Row::of("fanout", format!("{count}-real"), "ms", &times).lost(lost, doubled(&real.ledger, MANY_JOBS * count))
}

/// The same script on as many of MeshCentral's agents, over the connection of its console. It loses replies now and then: a run counts with its
/// time where none was lost.
struct Theirs {
    mesh: Mesh,
    ledger: PathBuf,
    times: Vec<f64>,
    lost: usize,
    runs: usize,
}

impl Theirs {
    async fn gather(count: usize, peers: Peers) -> anyhow::Result<Option<Self>> {
        if peers == Peers::Absent {
            return Ok(None);
        }
        let mesh = Mesh::gather(count).await?;
        let ledger = mesh.folder().join("ledger");
        Ok(Some(Self { mesh, ledger, times: Vec::new(), lost: 0, runs: 0 }))
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        let devices = self.mesh.devices.clone();
        let (answered, took) = self.mesh.run(&noted(&self.ledger), &devices, "done", PEER_PATIENCE).await?;
        self.runs += 1;
        self.lost += devices.len() - answered;
        if answered == devices.len() {
            self.times.push(took);
        }
        Ok(())
    }

    fn row(&self) -> Row {
        let count = self.mesh.devices.len();
        let doubled = doubled(&self.ledger, self.runs * count);
        Row::of("fanout", format!("MeshCentral-{count}-real"), "ms", &self.times).lost(self.lost as u64, doubled)
    }
}

fn beside(ours: Row, theirs: Option<Row>, budget: f64) -> Vec<Row> {
    let ours = match &theirs {
        Some(theirs) if theirs.n > 0 => ours.against(mesh::NAME, theirs.p50),
        _ => ours.against_absent(mesh::NAME),
    };
    [Some(ours.budget(Op::AtMost, budget)), theirs].into_iter().flatten().collect()
}

/// The crowd, whose scripts end at once.
pub(crate) async fn simulated(crowd: &mut Crowd) -> Row {
    let devices = crowd.devices.clone();
    let script = crowd.operator.owner.script("everywhere", "true").await;
    let (times, lost) = jobs(&mut crowd.operator, &script, &devices, Learns::Looks(Duration::from_millis(50))).await;
    Row::of("fanout", format!("{}-simulated-tls", devices.len()), "ms", &times).lost(lost, crowd.doubled())
}

/// How the client learns that a job has ended.
enum Learns {
    /// By the stream of events, as the console does.
    Told(Wire),
    /// By looking again and again.
    Looks(Duration),
}

/// Runs the jobs one after another: how long each took, and how many runs never had a result.
async fn jobs(operator: &mut Operator, script: &str, devices: &[String], mut learns: Learns) -> (Vec<f64>, u64) {
    let (mut times, mut lost) = (Vec::new(), 0);
    for _ in 0..MANY_JOBS {
        let mut begun = Instant::now();
        let reply = operator.job(script, devices).await;
        let result = match reply.status {
            // One device: the window covers it.
            201 => reply.json(),
            202 => {
                let code = operator.codes.fresh().await;
                begun = Instant::now();
                operator.prove_with(&reply, &code).await
            }
            _ => panic!("a job is refused: {}", String::from_utf8_lossy(&reply.body)),
        };
        let job = job_of(&result);
        let ended = match &mut learns {
            Learns::Told(events) => operator.told(events, &job, devices.len(), PATIENCE).await,
            Learns::Looks(every) => operator.ended(&job, *every, PATIENCE).await,
        };
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
