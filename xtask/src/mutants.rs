//! `mutants`: cargo-mutants over a sample of the pure crates. A changed function that no test notices is a missing test.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::args::Args;
use crate::process;
use crate::root::Root;
use crate::tools::cargo_tool;

const SAMPLE: usize = 20;
const PURE: &str = "pure/**/*.rs";

pub(crate) fn run(root: &Root, args: &mut Args) -> Result<ExitCode> {
    let sample = args.number("--sample")?.unwrap_or(SAMPLE);
    let seed: u64 = args.number("--seed")?.unwrap_or(1);
    args.finish()?;
    if !cargo_tool::ready(root, "mutants")? {
        bail!("cargo-mutants could not be installed; try `cargo install --locked cargo-mutants`");
    }
    let all = list(root)?;
    let chosen = choose(all.len(), sample, seed);
    println!("{} of {} mutants of pure/, seed {seed}", chosen.len(), all.len());
    let chosen: Vec<&str> = chosen.into_iter().map(|at| all[at].as_str()).collect();
    test(root, &chosen)
}

/// The name of every mutant of the pure crates, in cargo-mutants' own order. Left out are those that take a field away from a struct:
/// cargo-mutants 27 runs these few always, whatever expression it is given.
fn list(root: &Root) -> Result<Vec<String>> {
    let text = process::text(process::cargo(root.path(), &["mutants", "--workspace", "--file", PURE, "--list", "--json"]))?;
    let list: Value = serde_json::from_str(&text).context("cargo mutants --list --json")?;
    let mutants = list.as_array().context("the list of mutants is no list")?;
    let names = mutants.iter().map(|mutant| mutant["name"].as_str().context("a mutant has no name"));
    names.filter(|name| !matches!(name, Ok(name) if name.contains(": delete field "))).map(|name| Ok(name?.to_owned())).collect()
}

/// `sample` distinct places below `count`: a partial Fisher-Yates shuffle.
fn choose(count: usize, sample: usize, seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    let mut state = seed;
    for at in 0..sample.min(count) {
        let other = at + usize::try_from(next(&mut state) % (count - at) as u64).unwrap_or(0);
        places.swap(at, other);
    }
    places.truncate(sample);
    places.sort_unstable();
    places
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Runs the chosen ones, each with the tests of its own package; the exit code is cargo-mutants' own (2 when one survived).
fn test(root: &Root, chosen: &[&str]) -> Result<ExitCode> {
    let output = root.target().join("xtask");
    fs::create_dir_all(&output).with_context(|| format!("cannot create {}", output.display()))?;
    let mut command = process::cargo(root.path(), &["mutants", "--workspace", "--file", PURE, "--colors", "never", "--output"]);
    // The mutants are built in a copy of the tree; a folder of their own keeps the crates from outside built from run to run.
    command.arg(&output).env("CARGO_TARGET_DIR", root.target().join("mutants"));
    if cargo_tool::ready(root, "nextest")? {
        command.args(["--test-tool", "nextest"]);
    }
    for name in chosen {
        command.args(["--re", &exactly(name)]);
    }
    let status = command.status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A regular expression that matches this text alone.
fn exactly(text: &str) -> String {
    let mut pattern = String::from("^");
    for letter in text.chars() {
        if !letter.is_alphanumeric() && !matches!(letter, ' ' | '_' | '/' | ':' | '<' | '>' | '"' | ',' | '\'' | '=' | '!' | '%' | '@') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern + "$"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_distinct_members_and_follows_the_seed() {
        let first = choose(500, 20, 7);
        assert_eq!(first.len(), 20);
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(first, choose(500, 20, 7));
        assert_ne!(first, choose(500, 20, 8));
        assert_eq!(choose(3, 20, 1), [0, 1, 2]);
    }

    #[test]
    fn a_name_is_matched_as_it_is_written() {
        assert_eq!(exactly("a.rs:1:2: replace f -> Option<u8> with Some(0)"), "^a\\.rs:1:2: replace f \\-> Option<u8> with Some\\(0\\)$");
    }
}
