//! Licences: everything that is linked must be usable in an Apache-2.0 product without asking anybody.

use anyhow::{Context, Result};
use serde_json::Value;

use super::Findings;
use crate::process;
use crate::root::Root;

/// CDLA-Permissive-2.0 is for data: Mozilla's list of certificate authorities. IJG is the JPEG group's own, permissive one.
const ALLOWED: [&str; 12] = [
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "0BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "IJG",
];

pub(crate) fn run(root: &Root) -> Result<Findings> {
    let text = process::text(process::cargo(root.path(), &["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let mut findings = Findings::default();
    for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
        let (name, licence) = (package["name"].as_str().unwrap_or_default(), package["license"].as_str().unwrap_or("none"));
        if !is_allowed(licence) {
            findings.problem(format!("{name} is under {licence}"));
        }
    }
    Ok(findings)
}

/// An SPDX expression that can be fulfilled with allowed licences alone. Exceptions (`WITH`) only add permissions.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>) -> bool {
    let mut allowed = all(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all(words);
    }
    allowed
}

fn all(words: &mut Words<'_>) -> bool {
    let mut allowed = one(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words);
    }
    allowed
}

fn one(words: &mut Words<'_>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        return any(words) & words.next_if_eq(&")").is_some();
    }
    let allowed = words.next().is_some_and(|name| ALLOWED.contains(&name));
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_weighed() {
        assert!(is_allowed("MIT/Apache-2.0"));
        assert!(is_allowed("GPL-3.0-only OR MIT"));
        assert!(is_allowed("ISC AND (Apache-2.0 OR ISC)"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception"));
        assert!(!is_allowed("MIT AND (GPL-2.0-only OR AGPL-3.0-only)"));
        assert!(!is_allowed("none"));
        assert!(!is_allowed("(MIT"));
        assert!(!is_allowed("MIT MIT"));
    }
}
