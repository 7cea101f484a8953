//! Reviewed snapshots: what people read to judge the product, written by the product itself. A snapshot that differs fails;
//! `cargo xtask check --update` rewrites them, and the diff is what gets reviewed.

use std::fs;

use anyhow::{Context, Result};

use super::{Findings, Snapshots};
use crate::process;
use crate::root::Root;

/// A file of the tree and the topic of `sallyport dump` that writes it.
struct Snapshot {
    file: &'static str,
    topic: &'static str,
}

const SNAPSHOTS: [Snapshot; 5] = [
    Snapshot { file: "docs/snapshots/routes.txt", topic: "routes" },
    Snapshot { file: "docs/snapshots/roles.txt", topic: "roles" },
    Snapshot { file: "docs/snapshots/unsigned-messages.txt", topic: "unsigned-messages" },
    Snapshot { file: "docs/guide/errors.md", topic: "errors" },
    Snapshot { file: "openapi.json", topic: "openapi" },
];

const AGENT: &str = "docs/snapshots/agent-deps.txt";

/// What a machine that is not ours never runs, whatever the snapshot says.
const NEVER_ON_AGENTS: [&str; 8] = ["sqlx", "rusqlite", "libsqlite3-sys", "axum", "argon2", "ureq", "reqwest", "openssl-sys"];

pub(crate) fn run(root: &Root, mode: Snapshots) -> Result<Findings> {
    let mut findings = Findings::default();
    let dependencies = agent_dependencies(root)?;
    never_on_agents(&dependencies, &mut findings);
    keep(root, AGENT, &dependencies, mode, &mut findings)?;
    process::text(process::build(root.path(), &["--quiet", "--bin", "sallyport"]))?;
    for snapshot in &SNAPSHOTS {
        let program = root.binary("sallyport").display().to_string();
        let text = process::text(process::command(root.path(), &program, &["dump", snapshot.topic]))?;
        keep(root, snapshot.file, &text, mode, &mut findings)?;
    }
    Ok(findings)
}

/// Compares, or rewrites.
fn keep(root: &Root, file: &str, now: &str, mode: Snapshots, findings: &mut Findings) -> Result<()> {
    let committed = fs::read_to_string(root.join(file)).unwrap_or_default();
    if committed == now {
        return Ok(());
    }
    match mode {
        Snapshots::Compare => findings
            .problem(format!("{file} is not up to date; review it after `cargo xtask check --update`\n{}", changes(&committed, now))),
        Snapshots::Rewrite => {
            write(root, file, now)?;
            findings.warnings.push(format!("{file} is rewritten: review its diff"));
        }
    }
    Ok(())
}

fn write(root: &Root, file: &str, text: &str) -> Result<()> {
    let path = root.join(file);
    let folder = path.parent().context("a snapshot has a folder")?;
    fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).with_context(|| format!("cannot write {file}"))
}

const SHOWN: usize = 12;

/// The first lines that only one side has.
fn changes(committed: &str, now: &str) -> String {
    let gone = committed.lines().filter(|line| !now.lines().any(|other| other == *line)).map(|line| format!("- {line}"));
    let new = now.lines().filter(|line| !committed.lines().any(|other| other == *line)).map(|line| format!("+ {line}"));
    let all: Vec<String> = gone.chain(new).collect();
    let mut text = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    if all.len() > SHOWN {
        text.push_str(&format!("\n... and {} more lines", all.len() - SHOWN));
    }
    text
}

/// Every crate that is compiled into the agent, with its version, each once.
fn agent_dependencies(root: &Root) -> Result<String> {
    let arguments = ["tree", "--package", "sallyport-agent", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked"];
    let text = process::text(process::cargo(root.path(), &arguments))?;
    let mut crates: Vec<String> = text.lines().filter_map(name_and_version).collect();
    crates.sort();
    crates.dedup();
    Ok(crates.join("\n") + "\n")
}

/// `name v1.2.3 (somewhere) (*)` without what follows the version.
fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    Some(format!("{} {}", words.next()?, words.next()?.trim_start_matches('v')))
}

fn never_on_agents(dependencies: &str, findings: &mut Findings) {
    let names: Vec<&str> = dependencies.lines().filter_map(|line| line.split(' ').next()).collect();
    for name in NEVER_ON_AGENTS.iter().filter(|name| names.contains(name)) {
        findings.problem(format!("the agent is built with {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_line_becomes_name_and_version() {
        assert_eq!(name_and_version("sallyport-os v0.1.0 (/somewhere/shell/os) (*)").as_deref(), Some("sallyport-os 0.1.0"));
        assert_eq!(name_and_version(""), None);
    }

    #[test]
    fn differences_are_shown_line_by_line() {
        assert_eq!(changes("a\nb\n", "a\nc\n"), "- b\n+ c");
    }

    #[test]
    fn what_an_agent_never_runs_is_found() {
        let mut findings = Findings::default();
        never_on_agents("axum 0.8.9\naxum-core 0.5.0\ntokio 1.0.0\n", &mut findings);
        assert_eq!(findings.problems, ["the agent is built with axum"]);
    }
}
