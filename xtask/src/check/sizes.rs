//! Files are where even good projects rot: long ones are listed, tests not counted. A note, not a failure.

use anyhow::Result;

use super::Findings;
use crate::root::Root;

const LINES: usize = 400;

pub(crate) fn run(root: &Root) -> Result<Findings> {
    let mut findings = Findings::default();
    for file in root.files()?.iter().filter(|file| is_counted(file)) {
        let lines = lines_without_tests(&root.read(file)?);
        if lines > LINES {
            findings.warnings.push(format!("{file} has {lines} lines, aim at {LINES}"));
        }
    }
    Ok(findings)
}

fn is_counted(file: &str) -> bool {
    let source = [".rs", ".ts", ".svelte", ".css"].iter().any(|ending| file.ends_with(ending));
    let generated = file.ends_with(".d.ts");
    let test = file.starts_with("tests/") || file.contains("/tests/") || file.ends_with("/tests.rs") || file.contains(".test.");
    source && !generated && !test
}

/// Rust files keep their tests last.
fn lines_without_tests(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}
