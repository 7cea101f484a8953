//! The grant verifier in Python, which shares no code with ours: it must decide every golden vector as the file says.

use std::path::Path;

use anyhow::Result;

use super::{Case, Outcome};
use crate::process;
use crate::root::Root;

pub(crate) fn run(root: &Root, filter: Option<&str>) -> Result<Vec<Case>> {
    // Debian's own Python has the package that we installed; another one in the path may not.
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let output = process::capture(process::command(root.path(), python, &["docs/verify-grant.py", "pure/grant/vectors/grants.json"]))?;
    let mut cases: Vec<Case> = String::from_utf8_lossy(&output.stdout).lines().filter_map(line).collect();
    if !output.status.success() {
        println!("{}", process::said(&output));
        if cases.iter().all(|case| case.outcome == Outcome::Passed) {
            cases.push(Case::broken("docs/verify-grant.py failed; see above"));
        }
    }
    cases.retain(|case| filter.is_none_or(|filter| case.name.contains(filter)));
    Ok(cases)
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
