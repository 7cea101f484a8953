//! What is printed where: results on standard output, questions on standard error; with `--json` one document and nothing else.

use std::io::{self, IsTerminal as _, Write as _};

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use serde::Serialize;

use crate::safe;

/// Names of facts are at least this wide, so that facts below each other stand in one column.
const FACT_CHARS: usize = 11;

/// How results are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Tables and sentences.
    Text,
    /// One JSON document.
    Json,
}

/// The terminal, or what stands in for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    form: Form,
}

/// What a text says about the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Waiting,
    Quiet,
    Plain,
}

impl Screen {
    pub(crate) fn new(form: Form) -> Self {
        Self { form }
    }

    pub(crate) fn form(self) -> Form {
        self.form
    }

    /// The document, with `--json`; otherwise what `tell` prints.
    pub(crate) fn give(self, document: &impl Serialize, tell: impl FnOnce(Self)) {
        match self.form {
            Form::Text => tell(self),
            Form::Json => print_json(document),
        }
    }

    /// A line for people. With `--json` it goes to standard error. The text is already harmless.
    pub(crate) fn say(self, text: impl AsRef<str>) {
        // Whoever closes the pipe has seen enough.
        let _ = match self.form {
            Form::Text => writeln!(io::stdout(), "{}", text.as_ref()),
            Form::Json => writeln!(io::stderr(), "{}", text.as_ref()),
        };
    }

    /// A line in the tone that it has.
    pub(crate) fn say_in(self, tone: Tone, text: impl AsRef<str>) {
        self.say(self.painted(tone, text.as_ref()));
    }

    /// A text in its colour, where there are colours.
    pub(crate) fn painted(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Waiting => "33",
            Tone::Quiet => "2",
            Tone::Plain => "0",
        };
        if tone != Tone::Plain && self.has_colours() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn has_colours(self) -> bool {
        let is_terminal = match self.form {
            Form::Text => io::stdout().is_terminal(),
            Form::Json => io::stderr().is_terminal(),
        };
        is_terminal
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// A table with these headings.
    pub(crate) fn table(self, headings: &[&str], rows: Vec<Vec<Word>>) {
        let mut table = Table::new();
        table.load_preset(NOTHING);
        if self.has_colours() {
            table.enforce_styling().set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        }
        table.set_header(headings.iter().map(|heading| Cell::new(heading).add_attribute(Attribute::Bold)));
        for row in rows {
            table.add_row(row.into_iter().map(Word::cell));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.lines().for_each(|line| self.say(line.trim_end()));
    }

    /// `name: value` lines.
    pub(crate) fn facts(self, facts: &[(&str, String)]) {
        let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(FACT_CHARS);
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            let padded = format!("{name:width$}");
            self.say(format!("{}  {value}", self.painted(Tone::Quiet, &padded)));
        }
    }
}

/// One field of a table, made harmless.
pub(crate) struct Word {
    text: String,
    tone: Tone,
}

impl Word {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: safe::one_line(text.as_ref()), tone }
    }

    fn cell(self) -> Cell {
        let cell = Cell::new(self.text);
        match self.tone {
            Tone::Good => cell.fg(Color::Green),
            Tone::Bad => cell.fg(Color::Red),
            Tone::Waiting => cell.fg(Color::Yellow),
            Tone::Quiet => cell.add_attribute(Attribute::Dim),
            Tone::Plain => cell,
        }
    }
}

/// Prints one document on standard output.
pub(crate) fn print_json(document: &impl Serialize) {
    if let Ok(text) = serde_json::to_string_pretty(document) {
        let _ = writeln!(io::stdout(), "{}", safe::json(&text));
    }
}
