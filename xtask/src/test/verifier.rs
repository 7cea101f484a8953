//! The grant verifiers in Python, which share no code with ours: the long one must decide every golden vector as the file says, and the short
//! one must tell the genuine ones from those that somebody made or changed.

use std::path::Path;

use anyhow::Result;

use super::{Case, Outcome};
use crate::process;
use crate::root::Root;

const VECTORS: &str = "pure/grant/vectors/grants.json";
/// Cases for the short verifier, and whether they are genuine.
const ONE_BY_ONE: [(&str, bool); 10] = [
    ("one device", true),
    ("twenty-six devices", true),
    ("signed by a stranger", false),
    ("a name changed in the statement", false),
    ("an argument changed after signing", false),
    ("the same text with crlf", false),
    ("another device", false),
    ("expired", false),
    ("a signature added after logging", false),
    ("a checkpoint of another log", false),
];

pub(crate) fn run(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    // Debian's own Python has the package that we installed; another one in the path may not.
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let output = process::capture(process::command(root.path(), python, &["docs/verify-grant.py", VECTORS]))?;
    let mut cases: Vec<Case> = String::from_utf8_lossy(&output.stdout).lines().filter_map(line).collect();
    if !output.status.success() {
        println!("{}", process::said(&output));
        if cases.iter().all(|case| case.outcome == Outcome::Passed) {
            cases.push(Case::broken("docs/verify-grant.py failed; see above"));
        }
    }
    for (name, genuine) in ONE_BY_ONE {
        cases.push(one(root, python, name, genuine)?);
    }
    cases.retain(|case| filter.is_none_or(|filter| case.name.contains(filter)));
    Ok(cases)
}

fn one(root: &Root, python: &str, name: &str, genuine: bool) -> Result<Case> {
    let output = process::capture(process::command(root.path(), python, &["docs/verify-one-grant.py", VECTORS, name]))?;
    let refused = String::from_utf8_lossy(&output.stderr);
    // A missing package or a slip in the script is no refusal.
    let held = if genuine { output.status.success() } else { refused.contains("AssertionError") || refused.contains("InvalidSignature") };
    if !held {
        println!("{}", process::said(&output));
    }
    let outcome = if held { Outcome::Passed } else { Outcome::Failed };
    Ok(Case { name: format!("verify-one-grant.py > {name}"), outcome, millis: 0 })
}

/// `ok    a grant that is fine: accepted`, or another word in front where the verifier decided otherwise.
fn line(line: &str) -> Option<Case> {
    let (verdict, name) = line.split_once(char::is_whitespace)?;
    let outcome = if verdict == "ok" { Outcome::Passed } else { Outcome::Failed };
    Some(Case { name: format!("verify-grant.py > {}", name.trim()), outcome, millis: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read() {
        assert_eq!(line("ok    a grant: accepted").unwrap().outcome, Outcome::Passed);
        assert_eq!(line("WRONG a grant: accepted").unwrap().outcome, Outcome::Failed);
    }
}
