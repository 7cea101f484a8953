//! The tables of a standard: every requirement once and in order, each with a test or a reason, and every test that is named is there.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{Findings, markdown};
use crate::root::Root;

const PAGE: &str = "docs/asvs.md";
const TABLES: [&str; 3] = ["asvs", "asvs-sessions", "asvs-rights"];

pub(crate) fn run(root: &Root, findings: &mut Findings) -> Result<()> {
    let text = root.read(PAGE)?;
    let mut numbers = Vec::new();
    for row in TABLES.iter().map(|name| markdown::table(&text, name)).collect::<Result<Vec<_>>>()?.concat() {
        match row.as_slice() {
            [number, asked, shown] if !asked.is_empty() && !shown.is_empty() => numbers.push(number.clone()),
            _ => findings.problem(format!("{PAGE}: {row:?} says not what is asked for and what shows it")),
        }
    }
    for pair in numbers.windows(2).filter(|pair| order(&pair[0]) >= order(&pair[1])) {
        findings.problem(format!("{PAGE}: {} comes after {}", pair[1], pair[0]));
    }
    let tests = tests(root)?;
    for name in named(&text).into_iter().filter(|name| !tests.contains(name)) {
        findings.problem(format!("{PAGE}: there is no test {name}"));
    }
    Ok(())
}

fn order(number: &str) -> Vec<u32> {
    number.split('.').filter_map(|part| part.parse().ok()).collect()
}

/// What is between back-ticks and looks like the name of a test: lower case with several underscores.
fn named(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let looks =
        |word: &&str| word.matches('_').count() > 2 && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    quoted.filter(looks).map(str::to_owned).collect()
}

/// Every function of the sources that a test can be.
fn tests(root: &Root) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in root.files()?.iter().filter(|file| file.ends_with(".rs")) {
        names.extend(functions(&root.read(file)?));
    }
    Ok(names)
}

fn functions(source: &str) -> Vec<String> {
    if !["test", "on_both!", "contract!"].iter().any(|mark| source.contains(mark)) {
        return Vec::new();
    }
    let after = source.lines().filter_map(|line| line.split_once("fn ")).map(|(_, rest)| rest);
    after.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tests_are_told_from_other_words() {
        let text = "by `a01_one_code_counts_once`, `session.opened`, `device_not_shown`, `autocomplete` and a_word_without_a_quote";
        assert_eq!(named(text), ["a01_one_code_counts_once"]);
        assert_eq!(
            functions("#[test]\nfn it_holds_for_ever() {}\n    async fn and_so_does_this(world) {"),
            ["it_holds_for_ever", "and_so_does_this"]
        );
        assert!(functions("fn no_place_for_one() {}").is_empty());
    }

    #[test]
    fn what_is_missing_twice_or_made_up_is_found() {
        let folder = std::env::temp_dir().join(format!("sallyport-standards-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("docs")).unwrap();
        let table = |name: &str, rows: &str| format!("<!-- {name} -->\n| | a | b |\n|---|---|---|\n{rows}\n<!-- /{name} -->\n");
        let rows = "| 6.1.2 | x | `no_such_test_is_there` |\n| 6.1.1 | x | |";
        let page = [table("asvs", rows), table("asvs-sessions", "| 7.1.1 | x | y |"), table("asvs-rights", "| 7.1.1 | x | y |")].concat();
        std::fs::write(folder.join(PAGE), page).unwrap();
        std::process::Command::new("git").arg("init").arg("-q").arg(&folder).status().unwrap();
        let mut findings = Findings::default();
        run(&Root::at(folder.clone()), &mut findings).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(findings.problems.len(), 3, "{:?}", findings.problems);
    }
}
