//! `kill -9` of the server and of agents, at 200 seeded points of the life of jobs.
//!
//! Whatever the moment: what was acknowledged is still there, no script runs twice on a device, every run reaches a
//! final state, and the log is whole. A server that dies costs no run at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use sallyport_store::log;
use sallyport_testkit::agent::Machine;
use sallyport_testkit::client::Call;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::process::ServerProcess;
use sallyport_testkit::server::{Engine, TestClock, TestServer};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// As many devices as one person touches without a fresh code.
const DEVICES: usize = 5;
/// Kills of the server in one test; there are four of them.
const SERVER_POINTS: u64 = 25;
/// Rounds in which every agent is killed once; four tests of five devices make 100.
const AGENT_ROUNDS: u64 = 5;
/// After so many kills agents start anew, for an agent that loses its link again and again waits longer and longer.
const ROUNDS_PER_LIFE: u64 = 4;
/// How long everything may take until it is quiet again.
const PATIENCE: Duration = Duration::from_secs(40);
/// Says who runs it and for which job, then writes for a third of a second.
const SCRIPT: &str = r#"echo "$1 $PPID" >> "$LEDGER"
i=0
while [ $i -lt 15 ]; do echo "$1 line $i"; i=$((i+1)); sleep 0.02; done
echo "$1 end""#;

macro_rules! kills {
    ($($name:ident: $kill:ident on $engine:ident, seed $seed:literal;)+) => {$(
        #[tokio::test]
        async fn $name() {
            $kill(Engine::$engine, $seed).await;
        }
    )+};
}

kills! {
    a27_server_killed_on_sqlite_1: kill_server on Sqlite, seed 1;
    a27_server_killed_on_sqlite_2: kill_server on Sqlite, seed 2;
    a27_server_killed_on_postgres_1: kill_server on Postgres, seed 3;
    a27_server_killed_on_postgres_2: kill_server on Postgres, seed 4;
    a27_agents_killed_on_sqlite_1: kill_agents on Sqlite, seed 5;
    a27_agents_killed_on_sqlite_2: kill_agents on Sqlite, seed 6;
    a27_agents_killed_on_postgres_1: kill_agents on Postgres, seed 7;
    a27_agents_killed_on_postgres_2: kill_agents on Postgres, seed 8;
}

/// Moments of one seed (SplitMix64).
struct Moments(u64);

impl Moments {
    fn below(&mut self, ceiling: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % ceiling
    }
}

struct World {
    server: ServerProcess,
    owner: Owner,
    machines: Vec<Machine>,
    devices: Vec<String>,
    script: String,
    ledger: PathBuf,
    /// Every process that an agent ever was, and whose.
    lives: BTreeMap<u32, usize>,
    /// Jobs whose creation was acknowledged.
    acknowledged: BTreeSet<String>,
    /// Output that was shown of runs before a crash.
    shown: BTreeMap<String, String>,
}

impl World {
    async fn new(engine: Engine) -> Self {
        // It is set up a little in the past, so that codes can be shown one after the other without waiting.
        let clock = TestClock::system();
        clock.advance(-150);
        let server = TestServer::live_on(engine, clock).await;
        let mut owner = Owner::set_up(&server).await;
        let (machines, devices) = owner.machines(&server, DEVICES).await;
        let script = owner.script("ledger", SCRIPT).await;
        let ledger = server.folder().join("ledger");
        let mut server = ServerProcess::instead_of(server).await;
        server.start();
        owner.client = owner.client.at(&server);
        let mut world = Self {
            server,
            owner,
            machines,
            devices,
            script,
            ledger,
            lives: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            shown: BTreeMap::new(),
        };
        world.note_lives();
        world
    }

    fn note_lives(&mut self) {
        self.lives.extend(self.machines.iter().enumerate().filter_map(|(index, machine)| Some((machine.pid()?, index))));
    }

    fn restart(&mut self, index: usize) {
        self.machines[index].kill();
        self.machines[index].start();
        self.note_lives();
    }

    /// Waits until every device is linked; what is asked for next happens at once.
    async fn online(&mut self) {
        self.owner.devices("state=online", DEVICES).await;
    }

    /// The requests for one more job on each device: one by one, they need no code while the step-up window is open.
    async fn wanted(&mut self, label: &str) -> Vec<Call> {
        self.owner.client.get("/v1/nonce").await;
        let environment = [json!({ "name": "LEDGER", "value": self.ledger.display().to_string() })];
        let call = |(index, device): (usize, &String)| {
            let (arguments, environment) = ([format!("{label}-{index}")], environment.clone());
            let body = json!({
                "script": self.script, "version": 1, "devices": [device], "arguments": arguments, "environment": environment,
            });
            Call::new("POST", "/v1/jobs").body(body)
        };
        self.devices.iter().enumerate().map(call).collect()
    }

    /// Asks for all of them.
    async fn ask_all(&mut self, calls: &[Call]) -> Vec<String> {
        let mut jobs = Vec::new();
        for call in calls {
            jobs.push(self.ask(call).await.expect("a job"));
        }
        jobs
    }

    /// Asks for a job; `None` where the server ended before it answered.
    async fn ask(&mut self, call: &Call) -> Option<String> {
        let reply = self.owner.client.attempt(call).await?;
        let result = match reply.status {
            201 => reply.json(),
            // The step-up window is over: one fresh code opens another one.
            202 => {
                let code = self.owner.code(&self.server);
                let path = format!("/v1/authorization-requests/{}/proofs", reply.json()["id"].as_str().expect("an id"));
                let proved = self.owner.client.attempt(&Call::new("POST", &path).body(json!({ "totp": code }))).await?;
                assert_eq!(proved.status, 200, "{}", String::from_utf8_lossy(&proved.body));
                proved.json()["result"].clone()
            }
            other => panic!("{other} {}", String::from_utf8_lossy(&reply.body)),
        };
        let job = result["job"].as_str().expect("a job").to_owned();
        self.acknowledged.insert(job.clone());
        Some(job)
    }

    async fn jobs(&mut self) -> Vec<Value> {
        self.owner.client.get("/v1/jobs?limit=1000").await.json()["items"].as_array().cloned().unwrap_or_default()
    }

    async fn runs(&mut self, job: &str) -> Vec<Value> {
        self.owner.client.get(&format!("/v1/jobs/{job}/runs?limit=1000")).await.json()["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until every job has ended.
    async fn quiet(&mut self) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let jobs = self.jobs().await;
            if jobs.iter().all(|job| !job["ended"].is_null()) {
                return jobs;
            }
            if Instant::now() >= deadline {
                let open = jobs.iter().find(|job| job["ended"].is_null()).expect("an open job");
                let runs = self.runs(open["id"].as_str().expect("an id")).await;
                panic!("a job did not end: {open} {runs:?}\n{}", self.machines.iter().map(Machine::log).collect::<String>());
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until one of the jobs is as far as wanted, and notes what was shown of its output.
    async fn until(&mut self, jobs: &[String], is_so_far: fn(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        for job in jobs.iter().cycle() {
            assert!(Instant::now() < deadline, "none of {jobs:?} came so far");
            let runs = self.runs(job).await;
            for run in &runs {
                let output = self.owner.output(run).await;
                self.shown.insert(run["id"].as_str().expect("an id").to_owned(), output);
            }
            if runs.iter().any(is_so_far) {
                return;
            }
        }
    }

    /// What must be true whatever was killed; returns how many runs there were in each state.
    async fn judge(mut self) -> BTreeMap<String, usize> {
        let jobs = self.quiet().await;
        let ids: BTreeSet<String> = jobs.iter().filter_map(|job| job["id"].as_str().map(str::to_owned)).collect();
        assert!(self.acknowledged.is_subset(&ids), "every acknowledged job is there");
        let mut states: BTreeMap<String, usize> = BTreeMap::new();
        let mut begun: BTreeMap<String, usize> = BTreeMap::new();
        for job in &jobs {
            let label = job["arguments"][0].as_str().expect("a label").to_owned();
            let runs = self.runs(job["id"].as_str().expect("an id")).await;
            assert_eq!(runs.len(), 1);
            for run in &runs {
                let state = run["state"].as_str().expect("a state");
                *states.entry(state.to_owned()).or_default() += 1;
                *begun.entry(label.clone()).or_default() += 1;
                assert!(matches!(state, "succeeded" | "interrupted"), "{run}");
                assert_eq!(run["receipt"], true, "the device signed how it ended: {run}");
                self.assert_output(run, &label).await;
            }
        }
        self.assert_once(&begun);
        self.assert_journals();
        self.assert_log().await;
        states
    }

    async fn assert_output(&mut self, run: &Value, label: &str) {
        let whole: String = (0..15).map(|i| format!("{label} line {i}\n")).chain([format!("{label} end\n")]).collect();
        let output = self.owner.output(run).await;
        match run["state"].as_str() {
            Some("succeeded") => assert_eq!(output, whole, "{run}"),
            _ => assert!(whole.starts_with(&output), "{run}: {output:?}"),
        }
        assert_eq!(run["output_bytes"], output.len(), "{run}");
        assert_eq!(
            run["output_sha256"],
            sallyport_grant::sha256(&[output.as_bytes()]).to_string(),
            "all that the device kept is stored: {run}"
        );
        let shown = self.shown.get(run["id"].as_str().expect("an id"));
        assert!(shown.is_none_or(|shown| output.starts_with(shown)), "what was shown is still there: {shown:?} {output:?}");
    }

    /// The scripts' own account: never twice on one device.
    fn assert_once(&self, runs: &BTreeMap<String, usize>) {
        let text = std::fs::read_to_string(&self.ledger).expect("a ledger");
        let mut counts: BTreeMap<(&str, Option<usize>), usize> = BTreeMap::new();
        let mut by_job: BTreeMap<&str, usize> = BTreeMap::new();
        for line in text.lines() {
            let (label, parent) = line.split_once(' ').expect("two words");
            let device = parent.parse().ok().and_then(|pid: u32| self.lives.get(&pid).copied());
            *counts.entry((label, device)).or_default() += 1;
            *by_job.entry(label).or_default() += 1;
        }
        for ((label, device), count) in &counts {
            // Where the agent died before its script had read its parent, nobody knows whose script it was.
            assert!(*count <= 1 || device.is_none(), "{label} ran {count} times on device {device:?}");
        }
        for (label, count) in by_job {
            assert!(count <= runs.get(label).copied().unwrap_or(0), "{label} ran {count} times");
        }
    }

    fn assert_journals(&self) {
        for machine in &self.machines {
            let status = machine.status();
            let obeyed = status["obeyed"].as_array().expect("a list");
            assert!(!obeyed.is_empty(), "{status}");
            assert!(obeyed.iter().all(|run| matches!(run["outcome"].as_str(), Some("finished" | "interrupted"))), "{status}");
            let log = machine.log();
            assert!(!log.contains("panicked") && !log.contains("damaged"), "{log}");
        }
    }

    async fn assert_log(self) {
        let tenant = self.owner_tenant().await;
        let words = self.server.log();
        assert!(!words.contains("panicked"), "{words}");
        let server = self.server.open().await;
        let mut reader = server.app.store.read().await.expect("a snapshot");
        let head = log::check(&mut reader, tenant).await.expect("the log is whole");
        assert!(head.size > self.acknowledged.len() as u64);
    }

    async fn owner_tenant(&self) -> sallyport_model::TenantId {
        let mut client = self.owner.client.clone();
        client.get("/v1/me").await.json()["tenant"].as_str().expect("a tenant").parse().expect("an id")
    }
}

async fn kill_server(engine: Engine, seed: u64) {
    let mut world = World::new(engine).await;
    let mut moments = Moments(seed);
    for point in 0..SERVER_POINTS {
        if point % ROUNDS_PER_LIFE == 0 {
            (0..DEVICES).for_each(|index| world.restart(index));
        }
        world.online().await;
        let calls = world.wanted(&format!("s{point}")).await;
        match point % 4 {
            // While the job is asked for: nobody knows what the server had done.
            0 => {
                let moment = Duration::from_millis(moments.below(60));
                let asked: Vec<_> = calls
                    .into_iter()
                    .map(|call| {
                        let mut client = world.owner.client.clone();
                        tokio::spawn(async move { client.attempt(&call).await })
                    })
                    .collect();
                sleep(moment).await;
                world.server.kill();
                for asked in asked {
                    let reply = asked.await.expect("no panic").filter(|reply| reply.status == 201);
                    world.acknowledged.extend(reply.and_then(|reply| reply.json()["job"].as_str().map(str::to_owned)));
                }
            }
            1 => {
                let jobs = world.ask_all(&calls).await;
                world.until(&jobs, |run| run["state"] != "waiting").await;
            }
            2 => {
                let jobs = world.ask_all(&calls).await;
                world.until(&jobs, |run| run["output_bytes"].as_u64() > Some(0)).await;
                sleep(Duration::from_millis(moments.below(300))).await;
            }
            // While no agent is back yet: the jobs wait for them.
            _ => {
                world.server.kill();
                world.server.start();
                world.owner.client.get("/v1/nonce").await;
                world.ask_all(&calls).await;
                sleep(Duration::from_millis(moments.below(900))).await;
            }
        }
        world.server.kill();
        world.server.start();
        world.quiet().await;
    }
    let states = world.judge().await;
    assert_eq!(states.keys().collect::<Vec<_>>(), ["succeeded"], "no run is lost by the server's death: {states:?}");
}

async fn kill_agents(engine: Engine, seed: u64) {
    let mut world = World::new(engine).await;
    let mut moments = Moments(seed);
    for round in 0..AGENT_ROUNDS {
        world.online().await;
        let calls = world.wanted(&format!("a{round}")).await;
        let mut deaths: Vec<(u64, usize)> = (0..DEVICES).map(|index| (moments.below(900), index)).collect();
        deaths.sort_unstable();
        let begun = Instant::now();
        world.ask_all(&calls).await;
        for (moment, index) in deaths {
            tokio::time::sleep_until(begun + Duration::from_millis(moment)).await;
            world.restart(index);
        }
        world.quiet().await;
    }
    let states = world.judge().await;
    let runs = AGENT_ROUNDS as usize * DEVICES;
    assert_eq!(states.values().sum::<usize>(), runs, "{states:?}");
    assert!(states.len() == 2, "the moments are spread over the jobs' lives: {states:?}");
}
