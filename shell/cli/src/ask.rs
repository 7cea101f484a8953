//! Questions to the person, or lines of standard input where there is none. Secrets are never arguments.

use std::io::{self, BufRead as _, IsTerminal as _};

use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::screen;
use crate::tty::Unseen;

/// Whether somebody can be asked.
pub(crate) fn is_person() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line that may be seen.
pub(crate) fn line(question: &str, what: &'static str) -> Result<String, Failure> {
    if !is_person() {
        return Err(Failure::NoTerminal(what));
    }
    screen::prompt(question);
    stdin_line(what).map(|line| line.trim().to_owned())
}

/// Asks for a line that is not shown.
pub(crate) fn hidden(question: &str, what: &'static str) -> Result<Zeroizing<String>, Failure> {
    if !is_person() {
        return Err(Failure::NoTerminal(what));
    }
    let _unseen = Unseen::enter();
    screen::prompt(question);
    stdin_line(what)
}

/// The next line of standard input, without its end.
pub(crate) fn stdin_line(what: &'static str) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().read_line(&mut line).map_err(|_| Failure::NoTerminal(what))?;
    if read == 0 {
        return Err(Failure::NoTerminal(what));
    }
    let end = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(end);
    Ok(line)
}

/// What was answered to a question that wants a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

/// Asks for a yes; anything else is a no.
pub(crate) fn agreement(question: &str) -> Result<Answer, Failure> {
    let answer = line(&format!("{question} [y/N]"), "an answer")?;
    Ok(if matches!(answer.to_lowercase().as_str(), "y" | "yes") { Answer::Yes } else { Answer::No })
}
