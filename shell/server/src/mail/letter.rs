//! What a mail says: plain text and simple HTML from one value. What people typed is escaped; nothing in a mail is loaded from anywhere.

use sallyport_model::Timestamp;

/// A mail as a value.
pub(crate) struct Letter {
    pub(crate) subject: String,
    /// What happened, in sentences.
    pub(crate) what: Vec<String>,
    /// When, from where: names and values.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// The one thing to press, with its address.
    pub(crate) link: Option<(&'static str, String)>,
    /// What to do next.
    pub(crate) next: String,
    /// "Not me", where it is a notice.
    pub(crate) not_me: Option<String>,
}

impl Letter {
    /// The text for people who read plain mail.
    pub(crate) fn plain(&self) -> String {
        let mut text = self.what.join("\n\n");
        text.push_str("\n\n");
        for (name, value) in &self.facts {
            text.push_str(&format!("{name}: {value}\n"));
        }
        if let Some((label, url)) = &self.link {
            text.push_str(&format!("\n{label}:\n{url}\n"));
        }
        text.push_str(&format!("\n{}\n", self.next));
        if let Some(url) = &self.not_me {
            text.push_str(&format!(
                "\nIf this was not you, say so here. It ends all of your sessions and stops what they asked for:\n{url}\n"
            ));
        }
        text
    }

    /// The same as HTML.
    pub(crate) fn html(&self) -> String {
        let mut body: String = self.what.iter().map(|line| format!("<p>{}</p>", escaped(line))).collect();
        if !self.facts.is_empty() {
            let row = |(name, value): &(&str, String)| format!("<tr><td>{}&nbsp;</td><td>{}</td></tr>", escaped(name), escaped(value));
            body.push_str(&format!("<table>{}</table>", self.facts.iter().map(row).collect::<String>()));
        }
        if let Some((label, url)) = &self.link {
            body.push_str(&format!("<p><a href=\"{}\">{}</a></p>", escaped(url), escaped(label)));
        }
        body.push_str(&format!("<p>{}</p>", escaped(&self.next)));
        if let Some(url) = &self.not_me {
            let why = "It ends all of your sessions and stops what they asked for.";
            body.push_str(&format!("<p><a href=\"{}\">Not me</a>: {why}</p>", escaped(url)));
        }
        format!("<!doctype html><html><body>{body}</body></html>")
    }
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A moment as people read it: `2026-03-01 14:05 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            subject: "S".into(),
            what: vec!["Anna <script>alert(1)</script> & Co".into()],
            facts: vec![("When", moment(Timestamp::from_secs(1_772_373_900)))],
            link: Some(("Open", "https://a.test/invitation#x".into())),
            next: "Nothing else.".into(),
            not_me: Some("https://a.test/not-me#y".into()),
        }
    }

    #[test]
    fn names_are_text_and_never_html() {
        let html = letter().html();
        assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; Co"), "{html}");
        assert!(!html.contains("src="), "a mail loads nothing");
    }

    #[test]
    fn both_forms_say_the_same() {
        for form in [letter().plain(), letter().html()] {
            for part in ["2026-03-01 14:05 UTC", "https://a.test/invitation#x", "https://a.test/not-me#y", "Nothing else."] {
                assert!(form.contains(part), "{part} in {form}");
            }
        }
    }
}
