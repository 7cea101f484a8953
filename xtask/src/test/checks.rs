//! Check ids in test names. tests/checks.txt lists those that this version claims; each must be shown by a test that passed.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Case, Outcome};
use crate::root::Root;

const LIST: &str = "tests/checks.txt";

/// Families of ids, as they stand in test names: `totp_07_...`, `a25_...`, or `TOTP-07 ...` in a browser test's title.
const FAMILIES: [&str; 13] = ["TOTP", "PWD", "REC", "SES", "WA", "STEP", "AZ", "OA", "TX", "NET", "LOG", "WEB", "CISA"];

/// One id and one test that shows it, or none.
pub(crate) struct Shown {
    pub id: String,
    pub case: Option<Case>,
}

/// The ids of the list: single ones, or a range such as `TOTP-01..17`; a `#` begins a remark.
pub(crate) fn required(root: &Root) -> Result<Vec<String>> {
    let text = root.read(LIST)?;
    let words = text.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    Ok(words.flat_map(range).collect())
}

fn range(word: &str) -> Vec<String> {
    let Some((first, last)) = word.split_once("..") else { return vec![word.to_owned()] };
    let Some((family, first)) = first.split_once('-') else { return vec![word.to_owned()] };
    match (first.parse::<u32>(), last.parse::<u32>()) {
        (Ok(first), Ok(last)) => (first..=last).map(|number| format!("{family}-{number:02}")).collect(),
        _ => vec![word.to_owned()],
    }
}

/// The ids that a test's name carries.
fn ids(name: &str) -> Vec<String> {
    let upper = name.to_uppercase();
    let tokens: Vec<&str> = upper.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|token| !token.is_empty()).collect();
    let pairs = tokens.windows(2).filter(|pair| FAMILIES.contains(&pair[0]) && is_number(pair[1]));
    let mut found: Vec<String> = pairs.map(|pair| format!("{}-{}", pair[0], pair[1])).collect();
    found.extend(tokens.iter().filter(|token| is_attack(token)).map(|token| (*token).to_owned()));
    found.sort();
    found.dedup();
    found
}

fn is_number(token: &str) -> bool {
    token.len() == 2 && token.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_attack(token: &str) -> bool {
    token.strip_prefix('A').is_some_and(is_number)
}

/// Every id that a test shows, and every required one that none does.
pub(crate) fn judge(required: &[String], cases: &[Case]) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for case in cases {
        shown.extend(ids(&case.name).into_iter().map(|id| Shown { id, case: Some(case.clone()) }));
    }
    for id in required {
        if !shown.iter().any(|entry| entry.id == *id) {
            shown.push(Shown { id: id.clone(), case: None });
        }
    }
    shown.sort_by(|left, right| left.id.cmp(&right.id));
    shown
}

/// Required ids without any test. A test that failed or was skipped is counted as itself.
pub(crate) fn missing(shown: &[Shown]) -> Vec<String> {
    shown.iter().filter(|entry| entry.case.is_none()).map(|entry| entry.id.clone()).collect()
}

pub(crate) fn json(shown: &[Shown]) -> Result<String> {
    let entries: Vec<Value> = shown.iter().map(entry).collect();
    Ok(serde_json::to_string_pretty(&entries)? + "\n")
}

fn entry(shown: &Shown) -> Value {
    match &shown.case {
        Some(case) => json!({ "id": shown.id, "test": case.name, "outcome": word(case.outcome), "ms": case.millis }),
        None => json!({ "id": shown.id, "test": null, "outcome": "missing", "ms": null }),
    }
}

pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::PassedLater => "passed at the second try",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str) -> Case {
        Case { name: name.to_owned(), outcome: Outcome::Passed, millis: 3 }
    }

    #[test]
    fn ids_are_read_from_both_kinds_of_names() {
        assert_eq!(ids("sallyport-it::sign_in::totp_07_fifty_at_once_one_success"), ["TOTP-07"]);
        assert_eq!(ids("story.spec.ts > A25 REC-01: codes are shown once"), ["A25", "REC-01"]);
        assert!(ids("sha256_of_10_bytes").is_empty());
        assert!(ids("pwd_128_characters").is_empty());
    }

    #[test]
    fn ranges_are_spelt_out() {
        assert_eq!(range("SES-08..10"), ["SES-08", "SES-09", "SES-10"]);
        assert_eq!(range("PWD-13"), ["PWD-13"]);
    }

    #[test]
    fn an_id_without_a_test_is_missing() {
        let shown = judge(&["TOTP-01".to_owned(), "TOTP-02".to_owned()], &[case("totp_01_vectors"), case("rec_03_once")]);
        assert_eq!(missing(&shown), ["TOTP-02"]);
        assert_eq!(shown.len(), 3);
    }
}
