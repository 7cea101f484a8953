//! Many simulated agents on one server, over TLS. `agents` measures what they cost while nothing happens, `fanout` what work costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sallyport_testkit::installation::Installation;
use sallyport_testkit::operator::Operator;
use sallyport_testkit::simulated::{Fleet, Plan};

use crate::measure::{cpu_time, rss_bytes};
use crate::report::{Op, Row};

/// Most devices of one installer.
const PER_INSTALLER: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(600);
/// Inventories and the first heartbeats are over by then, and the server has tidied up after them, which it does every 20 s.
const SETTLE: Duration = Duration::from_secs(45);
/// One heartbeat of each agent.
const WATCH: Duration = Duration::from_secs(60);

pub(crate) struct Crowd {
    pub(crate) operator: Operator,
    pub(crate) devices: Vec<String>,
    installation: Installation,
    fleets: Vec<Fleet>,
}

impl Crowd {
    /// Enrols and approves a crowd; says how fast that was and what it costs the server in memory.
    pub(crate) async fn gather(count: usize) -> (Self, Vec<Row>) {
        let installation = Installation::over_tls();
        let operator = Operator::set_up(&installation).await;
        let mut crowd = Self { operator, devices: Vec::new(), installation, fleets: Vec::new() };
        let files = crowd.installers(count).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let before = rss_bytes(crowd.installation.pid());
        let begun = Instant::now();
        let pending = crowd.enrol(&files, count).await;
        let enrolled_per_sec = pending as f64 / begun.elapsed().as_secs_f64();
        crowd.devices = crowd.operator.ids("state=pending").await;
        crowd.operator.approve_all().await;
        let online = crowd.operator.wait_for("state=online", count as u64, PATIENCE).await;
        tokio::time::sleep(SETTLE).await;
        let bytes = rss_bytes(crowd.installation.pid()).saturating_sub(before) as f64 / count.max(1) as f64;
        let lost = (count as u64).saturating_sub(online);
        let rows = vec![
            Row { n: count, ..Row::of("agents", format!("{count}-simulated-tls-rss"), "bytes per agent", &[bytes]) }
                .lost(lost, 0)
                .budget(Op::AtMost, 16_000.0),
            Row { n: count, ..Row::of("agents", format!("{count}-simulated-tls-enrol"), "devices/s", &[enrolled_per_sec]) },
        ];
        (crowd, rows)
    }

    /// Kills the server and starts it again: how long until every agent is back, and what it takes that nobody has enrolled in this life.
    pub(crate) async fn again(&mut self) -> Vec<Row> {
        let count = self.devices.len();
        self.installation.kill();
        self.installation.start();
        let begun = Instant::now();
        let before = rss_bytes(self.installation.pid());
        let online = self.operator.wait_for("state=online", count as u64, PATIENCE).await;
        let back = begun.elapsed().as_secs_f64();
        tokio::time::sleep(SETTLE).await;
        let bytes = rss_bytes(self.installation.pid()).saturating_sub(before) as f64 / count.max(1) as f64;
        let lost = (count as u64).saturating_sub(online);
        vec![
            Row { n: count, ..Row::of("agents", format!("{count}-simulated-tls-back"), "s", &[back]) }.lost(lost, 0),
            Row { n: count, ..Row::of("agents", format!("{count}-simulated-tls-rss-back"), "bytes per agent", &[bytes]) }
                .budget(Op::AtMost, 16_000.0),
        ]
    }

    async fn installers(&mut self, count: usize) -> Vec<(usize, String)> {
        let mut files = Vec::new();
        for at in (0..count).step_by(PER_INSTALLER) {
            let uses = PER_INSTALLER.min(count - at);
            files.push((uses, self.operator.installer(uses).await));
        }
        files
    }

    async fn enrol(&mut self, files: &[(usize, String)], count: usize) -> u64 {
        for (seed, (uses, file)) in (1..).zip(files) {
            let plan = Plan::new(*uses, seed, Arc::new(self.installation.network()));
            self.fleets.push(Fleet::start(&plan, Some(file.as_bytes())).expect("agents in memory start"));
        }
        self.operator.wait_for("state=pending", count as u64, PATIENCE).await
    }

    /// The server's processor time while there is nothing but heartbeats.
    pub(crate) async fn heartbeats(&self) -> Row {
        let pid = self.installation.pid();
        let (before, begun) = (cpu_time(pid), Instant::now());
        tokio::time::sleep(WATCH).await;
        let percent = (cpu_time(pid) - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
        let count = self.devices.len();
        Row { n: count, ..Row::of("agents", format!("{count}-simulated-tls-heartbeats"), "% of one core", &[percent]) }
    }

    /// Scripts that were begun twice, so far.
    pub(crate) fn doubled(&self) -> u64 {
        self.fleets.iter().map(|fleet| fleet.tally().doubled()).sum()
    }

    pub(crate) async fn leave(self) {
        for fleet in self.fleets {
            fleet.stop().await;
        }
    }
}
