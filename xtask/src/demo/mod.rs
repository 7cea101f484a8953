//! `demo`: builds what is stale, starts a server with the console on SQLite and a real agent on this machine, says how to go on, and
//! stops both on Ctrl-C. What it made stays in its folder, so the next start takes it up again.

mod agent;
pub(crate) mod build;
mod service;

use std::fs;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::args::Args;
use crate::process;
use crate::root::Root;
use crate::tools::{node, rust};
use agent::Agent;
use service::Service;

const PORT: u16 = 8800;
const PORTS_TRIED: u16 = 50;
const READY: Duration = Duration::from_secs(60);
const FLEET: RangeInclusive<u32> = 1..=10_000;

struct Wishes {
    dir: PathBuf,
    port: u16,
    fresh: bool,
    /// Simulated devices beside the real one.
    fleet: Option<u32>,
}

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    let start = Instant::now();
    let wishes = wishes(root, args)?;
    println!("Sallyport demo: builds the server, the console and the agent, and starts them here. Ctrl-C stops it.");
    let stop = stop_signal()?;
    rust::wanted(root)?;
    node::wanted()?;
    build::console(root)?;
    build::binaries(root, wishes.fleet)?;
    if stop.load(Ordering::Relaxed) {
        return Ok(ExitCode::from(130));
    }
    prepare(&wishes)?;
    serve(root, &wishes, &stop, start)
}

fn wishes(root: &Root, args: &mut Args) -> Result<Wishes> {
    let dir = args.option("--dir")?.map_or_else(|| Ok(root.target().join("demo")), std::path::absolute)?;
    let wishes = Wishes { dir, port: args.number("--port")?.unwrap_or(PORT), fresh: args.flag("--fresh"), fleet: args.number("--fleet")? };
    args.finish()?;
    if wishes.fleet.is_some_and(|count| !FLEET.contains(&count)) {
        bail!("--fleet wants {} to {} devices: one installer enrols no more", FLEET.start(), FLEET.end());
    }
    Ok(wishes)
}

/// Set by Ctrl-C, by `kill` and by a closed terminal; whoever waits looks at it.
fn stop_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot listen for signals")?;
    }
    Ok(stop)
}

/// What makes a folder ours, so that `--fresh` never empties somebody else's.
const MARK: &str = "sallyport-demo";

fn prepare(wishes: &Wishes) -> Result<()> {
    let mark = wishes.dir.join(MARK);
    service::stop_left_over(&wishes.dir)?;
    if wishes.dir.exists() && !mark.exists() && fs::read_dir(&wishes.dir)?.next().is_some() {
        bail!("{} exists and is not a demo's folder; choose another with --dir", wishes.dir.display());
    }
    if wishes.fresh && wishes.dir.exists() {
        println!("beginning anew in {}", wishes.dir.display());
        fs::remove_dir_all(&wishes.dir).with_context(|| format!("cannot empty {}", wishes.dir.display()))?;
    }
    for folder in ["server", "agent", "fleet"] {
        fs::create_dir_all(wishes.dir.join(folder)).with_context(|| format!("cannot create {}", wishes.dir.display()))?;
    }
    fs::write(&mark, "Made by `cargo xtask demo`; `--fresh` empties this folder.\n")
        .with_context(|| format!("cannot write {}", mark.display()))
}

fn serve(root: &Root, wishes: &Wishes, stop: &AtomicBool, start: Instant) -> Result<ExitCode> {
    let port = port(wishes)?;
    let config = write_config(wishes, port)?;
    let mut server = Service::start("server", &root.binary("sallyport"), &["serve", "--config", &config], &wishes.dir)?;
    wait_until_ready(port, &mut server, stop)?;
    let mut agent = Agent::start(root, &wishes.dir)?;
    let fleet = wishes.fleet.map(|count| start_fleet(root, wishes, count)).transpose()?;
    println!("{}", words(root, wishes, port, start));
    let mut services: Vec<Service> = [fleet, Some(server)].into_iter().flatten().collect();
    let ended = watch(&mut agent, &mut services, stop)?;
    println!("stopping");
    agent.service().stop();
    services.iter_mut().for_each(Service::stop);
    match ended {
        None => Ok(ExitCode::SUCCESS),
        Some(what) => bail!("{what}"),
    }
}

/// They wait for an enrolment file as the real agent does: nothing joins a fleet that nobody invited.
fn start_fleet(root: &Root, wishes: &Wishes, count: u32) -> Result<Service> {
    let (state, count) = (wishes.dir.join("fleet").display().to_string(), count.to_string());
    let enrolment = enrolment_of_the_fleet(wishes);
    let arguments = ["--enrolment", &enrolment, "--count", &count, "--state", &state];
    Service::start("fleet", &root.binary("sallyport-fleet"), &arguments, &wishes.dir)
}

fn enrolment_of_the_fleet(wishes: &Wishes) -> String {
    wishes.dir.join("fleet").join("enrolment.json").display().to_string()
}

/// The port of the last time, so that enrolled agents and signed-in browsers find the server again; otherwise the first free one.
fn port(wishes: &Wishes) -> Result<u16> {
    let file = wishes.dir.join("port");
    if let Some(port) = fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()) {
        TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("port {port}, which this demo had before, is taken; free it or use --fresh"))?;
        return Ok(port);
    }
    let mut ports = wishes.port..=wishes.port.saturating_add(PORTS_TRIED);
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let port = free.with_context(|| format!("no port from {} on is free; choose one with --port", wishes.port))?;
    fs::write(&file, port.to_string()).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(port)
}

fn write_config(wishes: &Wishes, port: u16) -> Result<String> {
    let path = wishes.dir.join("sallyport.toml");
    let data = wishes.dir.join("server");
    let text = format!(
        "# Written by `cargo xtask demo`.\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\ndata_dir = {:?}\n",
        data.display().to_string()
    );
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.display().to_string())
}

fn wait_until_ready(port: u16, server: &mut Service, stop: &AtomicBool) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < READY && !stop.load(Ordering::Relaxed) {
        if let Some(end) = server.ended()? {
            bail!("{end}");
        }
        if service::answers(port, "/readyz") {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    bail!("the server was not ready after {} s; its log is {}", start.elapsed().as_secs(), server.log().display())
}

/// Waits for a signal, or says which of them ended by itself.
fn watch(agent: &mut Agent, services: &mut [Service], stop: &AtomicBool) -> Result<Option<String>> {
    while !stop.load(Ordering::Relaxed) {
        agent.look()?;
        for service in services.iter_mut().chain([agent.service()]) {
            if let Some(end) = service.ended()? {
                return Ok(Some(end));
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(None)
}

/// What a person needs next.
fn words(root: &Root, wishes: &Wishes, port: u16, start: Instant) -> String {
    let agent = root.binary("sallyport-agent").display().to_string();
    let dir = wishes.dir.display();
    let fleet = wishes.fleet.map_or_else(String::new, |count| {
        let file = enrolment_of_the_fleet(wishes);
        format!("\n  {count} simulated devices wait too (their names begin with sim-). Create an installer for {count} devices and save its file as:\n    {file}\n")
    });
    let first = match setup_link(&wishes.dir) {
        Some(link) => format!("  set up      {link}\n              (works once: create the owner there, with any authenticator app)"),
        None => format!("  sign in     http://localhost:{port}/"),
    };
    format!(
        "\nready after {:.1} s\n\n  console     http://localhost:{port}/\n{first}\n\
         \n  This machine's agent is running, without any privilege, and waits for an enrolment. In the console create an installer, download its file, then:\n    {agent} enrol FILE --state {dir}/agent\n\
         \n  A second device on the same machine:\n    {agent} enrol FILE --state {dir}/agent-2 && {agent} run --state {dir}/agent-2\n\
         {fleet}\n  logs        {dir}/server.log, {dir}/agent.log\n  stop        Ctrl-C; the next `cargo xtask demo` goes on from here, `--fresh` begins anew\n",
        start.elapsed().as_secs_f64()
    )
}

/// The one-time link that the server writes at start as long as it has no owner; it does so just after it is ready.
fn setup_link(dir: &Path) -> Option<String> {
    let start = Instant::now();
    loop {
        let log = fs::read_to_string(dir.join("server.log")).unwrap_or_default();
        let link = log.split_whitespace().rfind(|word| word.contains("://") && word.contains("/setup#")).map(str::to_owned);
        if link.is_some() || start.elapsed() > Duration::from_millis(500) {
            return link;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Shared by the parts that start programs.
fn terminate(pid: u32) {
    process::command(Path::new("/"), "kill", &["-TERM", &pid.to_string()]).status().ok();
}
