//! Builds what is stale.

use std::fs;
use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::process;
use crate::root::Root;
use crate::tools::node;

/// The console, when any of its files is newer than what was built last.
pub(crate) fn console(root: &Root) -> Result<()> {
    let stamp = root.join("web/dist/.built-from");
    let sources = sources(root)?;
    if root.join("web/dist/index.html").exists() && fs::read_to_string(&stamp).is_ok_and(|built| built == sources) {
        return Ok(());
    }
    let start = Instant::now();
    println!("building the console: packages");
    node::install(root, "web")?;
    println!("building the console: pages");
    process::text(node::npm(root, "web", &["run", "--silent", "build"]))?;
    fs::write(&stamp, sources).with_context(|| format!("cannot write {}", stamp.display()))?;
    println!("console built in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Names and times of change of everything that the console is built from.
fn sources(root: &Root) -> Result<String> {
    let files = root.files()?.into_iter().filter(|file| file.starts_with("web/"));
    files.map(|file| Ok(format!("{file} {}\n", changed(root, &file)?))).collect()
}

fn changed(root: &Root, file: &str) -> Result<u128> {
    let time = fs::metadata(root.join(file)).and_then(|metadata| metadata.modified()).with_context(|| format!("cannot look at {file}"))?;
    Ok(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()))
}

/// Server and agent, and the simulated devices where they are wanted. Cargo shows its own progress.
pub(crate) fn binaries(root: &Root, fleet: Option<u32>) -> Result<()> {
    println!("building the server and the agent (the first time takes some minutes)");
    process::must(process::build(root.path(), &["--bin", "sallyport", "--bin", "sallyport-agent"]))?;
    if fleet.is_some() {
        println!("building the simulated devices");
        process::must(process::build(root.path(), &["--bin", "sallyport-fleet"]))?;
    }
    Ok(())
}
