//! What is printed where: results on standard output, questions on standard error; with `--json` one document and nothing else.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use serde::Serialize;

use crate::failure::Failure;
use crate::{safe, tty};

/// Names of facts are at least this wide, so that facts below each other stand in one column.
const FACT_CHARS: usize = 11;

/// Spaces between columns.
const GAP: u16 = 2;

/// Headings of ids: whoever wants to use one must get it whole, in one line.
const IDS: [&str; 2] = ["ID", "RUN"];

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
        match self.form {
            Form::Text => print(format!("{}\n", text.as_ref())),
            Form::Json => remark(text),
        }
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

    /// A table; where it has no rows, what that means and the next step.
    pub(crate) fn list(self, headings: &[&str], rows: Vec<Vec<Word>>, empty: &str) {
        if rows.is_empty() {
            self.say_in(Tone::Quiet, empty);
        } else {
            self.table(headings, rows);
        }
    }

    /// A table with these headings.
    pub(crate) fn table(self, headings: &[&str], rows: Vec<Vec<Word>>) {
        let (shown, hidden) = self.columns(headings, &rows);
        let mut table = Table::new();
        table.load_preset(NOTHING);
        if self.has_colours() {
            table.enforce_styling().set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        }
        let is_shown = |at: &usize| shown.contains(at);
        table.set_header(shown.iter().map(|at| Cell::new(headings[*at]).add_attribute(Attribute::Bold)));
        for row in rows {
            table.add_row(row.into_iter().enumerate().filter(|(at, _)| is_shown(at)).map(|(_, word)| word.cell()));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, GAP));
        }
        table.lines().for_each(|line| self.say(line.trim_end()));
        if !hidden.is_empty() {
            self.say_in(Tone::Quiet, format!("{} would not fit: widen the window, or use --json", hidden.join(", ")));
        }
    }

    /// The columns that are shown, and the headings of those that a narrow window has no room for.
    fn columns<'a>(self, headings: &[&'a str], rows: &[Vec<Word>]) -> (Vec<usize>, Vec<&'a str>) {
        let has_ids = headings.last().is_some_and(|last| IDS.contains(last));
        if !has_ids || !self.has_colours() {
            return ((0..headings.len()).collect(), Vec::new());
        }
        let chars = |text: &str| text.chars().count();
        let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|word| chars(&word.text)).max().unwrap_or(0);
        let widths: Vec<usize> =
            headings.iter().enumerate().map(|(at, heading)| width(at).max(chars(heading)) + usize::from(GAP)).collect();
        let shown = fitting(&widths, usize::from(tty::size().0));
        let hidden = headings.iter().enumerate().filter(|(at, _)| !shown.contains(at)).map(|(_, heading)| *heading).collect();
        (shown, hidden)
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

/// Which columns a window has room for, so that a row stays one line: the first two say what it is and how it stands, the last is its id, and
/// of the rest comes what fits, from the left. All of them, in several lines, where not even these three fit.
fn fitting(widths: &[usize], room: usize) -> Vec<usize> {
    let last = widths.len().saturating_sub(1);
    let is_kept = |at: usize| at < 2 || at == last;
    let Some(mut left) = room.checked_sub(widths.iter().enumerate().filter(|(at, _)| is_kept(*at)).map(|(_, width)| width).sum()) else {
        return (0..widths.len()).collect();
    };
    let mut fits = |at: usize| {
        let rest = left.checked_sub(widths[at]);
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    (0..widths.len()).filter(|at| is_kept(*at) || fits(*at)).collect()
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
        print(safe::json(&text) + "\n");
    }
}

/// Why standard output did not take all that was printed.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints on standard output. Whoever closes the pipe has seen enough; what is lost otherwise is told by [`printed`].
pub(crate) fn print(bytes: impl AsRef<[u8]>) {
    lost_unless(io::stdout().write_all(bytes.as_ref()));
}

/// Whether standard output took all of it.
pub(crate) fn printed() -> Result<(), Failure> {
    lost_unless(io::stdout().flush());
    LOST.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), |why| Err(Failure::Output(why)))
}

fn lost_unless(taken: io::Result<()>) {
    if let Err(why) = taken.or_else(|why| if why.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(why) }) {
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

/// A line on standard error. Where that takes nothing nobody can be told, and nothing ends by it.
pub(crate) fn remark(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
}

/// A question on standard error, whose answer follows on the same line.
pub(crate) fn prompt(question: &str) {
    let _ = write!(io::stderr(), "{question}: ").and_then(|()| io::stderr().flush());
}

#[cfg(test)]
mod tests {
    use super::fitting;

    /// Devices as a fleet has them: name, state, place, system, labels, seen, id.
    const DEVICES: [usize; 7] = [25, 8, 21, 32, 6, 6, 32];

    #[test]
    fn a_wide_window_shows_all_columns() {
        assert_eq!(fitting(&DEVICES, 130), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_narrow_window_keeps_name_state_and_id_and_what_else_fits() {
        assert_eq!(fitting(&DEVICES, 82), [0, 1, 4, 5, 6]);
        assert_eq!(fitting(&DEVICES, 65), [0, 1, 6]);
    }

    #[test]
    fn where_nothing_fits_nothing_is_left_out() {
        assert_eq!(fitting(&DEVICES, 64), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(fitting(&[90], 80), [0]);
        assert!(fitting(&[], 80).is_empty());
    }
}
