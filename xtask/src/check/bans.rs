//! The pure crates' bans. Clippy reads pure/clippy.toml for the crates below it; that this is so, and that the rules bite, is shown
//! each time on a small workspace with planted violations. A scan of the sources covers what clippy's lists cannot name.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Findings;
use crate::process;
use crate::root::Root;

/// One line of Rust for each kind of ban, and what clippy must say about it.
const PLANTED: [(&str, &str); 10] = [
    ("pub fn clock() { let _ = std::time::SystemTime::now(); }", "std::time::SystemTime::now"),
    ("pub fn ticks() { let _ = std::time::Instant::now(); }", "std::time::Instant::now"),
    ("pub fn file() { let _ = std::fs::read(\"x\"); }", "std::fs::read"),
    ("pub fn look() -> bool { std::path::Path::new(\"x\").exists() }", "std::path::Path::exists"),
    ("pub fn setting() { let _ = std::env::var(\"X\"); }", "std::env::var"),
    ("pub fn thread() { std::thread::spawn(|| ()); }", "std::thread::spawn"),
    ("pub fn socket(_: std::net::TcpStream) {}", "std::net::TcpStream"),
    ("pub fn process(_: std::process::Command) {}", "std::process::Command"),
    ("pub fn order(_: std::collections::HashMap<u8, u8>) {}", "std::collections::HashMap"),
    ("pub fn print() { println!(); }", "std::println"),
];

/// What no pure source may contain, comments apart.
const FORBIDDEN: [(&str, &str); 13] = [
    ("std::fs", "files"),
    ("std::env::", "the environment"),
    ("std::thread", "threads"),
    ("std::process", "processes"),
    ("::now()", "clocks"),
    ("async ", "async"),
    (".await", "async"),
    ("unsafe ", "unsafe code"),
    ("static mut", "shared state"),
    ("HashMap", "maps of random order"),
    ("HashSet", "sets of random order"),
    ("allow(clippy::disallowed", "switching the bans off"),
    ("expect(clippy::disallowed", "switching the bans off"),
];

pub(crate) fn run(root: &Root) -> Result<Findings> {
    let mut findings = Findings::default();
    probe(root, &mut findings)?;
    for file in root.files()?.iter().filter(|file| is_pure_source(file)) {
        scan(file, &root.read(file)?, &mut findings);
    }
    Ok(findings)
}

fn is_pure_source(file: &str) -> bool {
    file.starts_with("pure/") && file.contains("/src/") && file.ends_with(".rs")
}

fn scan(file: &str, text: &str, findings: &mut Findings) {
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (_, what) in FORBIDDEN.iter().filter(|(fragment, _)| code.contains(fragment)) {
            findings.problem(format!("{file}:{}: pure crates do without {what}", number + 1));
        }
    }
}

/// Plants every violation in a pure crate and in another one; clippy must object to the first and only to the first.
fn probe(root: &Root, findings: &mut Findings) -> Result<()> {
    let dir = root.target().join("xtask/bans");
    plant(root, &dir)?;
    let mut command = process::cargo(&dir, &["clippy", "--workspace", "--offline", "--message-format", "short"]);
    command.env("CARGO_TARGET_DIR", dir.join("target"));
    let said = process::said(&process::capture(command)?);
    for (_, name) in PLANTED.iter().filter(|(_, name)| !said.lines().any(|line| line.starts_with("pure/") && line.contains(name))) {
        findings.problem(format!("pure/clippy.toml does not stop {name}"));
    }
    if let Some(line) = said.lines().find(|line| line.starts_with("shell/") && line.contains("disallowed")) {
        findings.problem(format!("the pure crates' bans reach other crates: {line}"));
    }
    Ok(())
}

fn plant(root: &Root, dir: &Path) -> Result<()> {
    let lines: Vec<&str> = PLANTED.iter().map(|(line, _)| *line).collect();
    write(&dir.join("Cargo.toml"), "[workspace]\nresolver = \"3\"\nmembers = [\"pure/planted\", \"shell/planted\"]\n")?;
    write(&dir.join("clippy.toml"), &root.read("clippy.toml")?)?;
    write(&dir.join("pure/clippy.toml"), &root.read("pure/clippy.toml")?)?;
    for layer in ["pure", "shell"] {
        let package = format!("[package]\nname = \"{layer}-planted\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
        write(&dir.join(layer).join("planted/Cargo.toml"), &package)?;
        write(&dir.join(layer).join("planted/src/lib.rs"), &lines.join("\n"))?;
    }
    Ok(())
}

/// Writes the file anew: an unchanged time stamp would let cargo answer from what it remembers, without its warnings.
fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_gone_is_noticed() {
        let root = Root::find().unwrap();
        let dir = root.target().join("xtask/rule-gone");
        let rules = root.read("pure/clippy.toml").unwrap();
        let without: Vec<&str> = rules.lines().filter(|line| !line.contains("std::collections::HashMap")).collect();
        write(&dir.join("clippy.toml"), &root.read("clippy.toml").unwrap()).unwrap();
        write(&dir.join("pure/clippy.toml"), &without.join("\n")).unwrap();
        let mut findings = Findings::default();
        probe(&Root::at(dir), &mut findings).unwrap();
        assert_eq!(findings.problems, ["pure/clippy.toml does not stop std::collections::HashMap"]);
    }

    #[test]
    fn the_scan_sees_code_and_passes_over_comments() {
        let mut findings = Findings::default();
        scan("pure/x/src/lib.rs", "// std::fs is banned\nuse std::fs;\n#[allow(clippy::disallowed_types)]\n", &mut findings);
        assert_eq!(findings.problems.len(), 2, "{:?}", findings.problems);
    }
}
