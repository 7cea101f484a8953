//! Reading nextest's JUnit report: one `<testcase>` each, with a `<failure>` or `<error>` inside when it did not pass.

use super::{Case, Outcome};

pub(crate) fn cases(report: &str) -> Vec<Case> {
    report.split("<testcase ").skip(1).map(case).collect()
}

fn case(text: &str) -> Case {
    let (head, rest) = text.split_once('>').unwrap_or((text, ""));
    let body = if head.ends_with('/') { "" } else { rest.split("</testcase>").next().unwrap_or_default() };
    let seconds: f64 = attribute(head, "time").and_then(|time| time.parse().ok()).unwrap_or(0.0);
    Case {
        name: format!("{}::{}", attribute(head, "classname").unwrap_or_default(), attribute(head, "name").unwrap_or_default()),
        outcome: outcome(body),
        millis: std::time::Duration::from_secs_f64(seconds.clamp(0.0, 1e6)).as_millis().try_into().unwrap_or(u64::MAX),
    }
}

fn outcome(body: &str) -> Outcome {
    if body.contains("<failure") || body.contains("<error") {
        Outcome::Failed
    } else if body.contains("<flaky") {
        Outcome::PassedLater
    } else if body.contains("<skipped") {
        Outcome::Skipped
    } else {
        Outcome::Passed
    }
}

/// The value of ` name="..."` in the head of an element.
fn attribute(head: &str, name: &str) -> Option<String> {
    let padded = format!(" {head}");
    let value = padded.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0;
    Some(unescaped(value))
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = r#"<testsuites><testsuite name="a">
            <testcase name="totp_01" classname="sallyport-decide" timestamp="x" time="0.012"></testcase>
            <testcase name="b&lt;c" classname="it" time="1.5"><failure message="&quot;x&quot;" type="t">no</failure></testcase>
            <testcase name="d" classname="it" time="0"/>
            <testcase name="e" classname="it" time="2"><flakyFailure message="once" type="t"/></testcase>
            <testcase name="f" classname="it" time="2"><failure message="twice" type="t"/><rerunFailure message="twice" type="t"/></testcase>
            </testsuite></testsuites>"#;
        let found = cases(report);
        assert_eq!(found[0], Case { name: "sallyport-decide::totp_01".into(), outcome: Outcome::Passed, millis: 12 });
        assert_eq!(found[1], Case { name: "it::b<c".into(), outcome: Outcome::Failed, millis: 1500 });
        assert_eq!(found[2].outcome, Outcome::Passed);
        assert_eq!((found[3].outcome, found[4].outcome), (Outcome::PassedLater, Outcome::Failed));
        assert_eq!(found.len(), 5);
    }
}
