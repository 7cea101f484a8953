//! Ctrl-C while a job is followed: the first asks, a second one ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

use crate::failure::Outcome;
use crate::{ask, tty};

/// What the person wants after Ctrl-C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// End the runs.
    Cancel,
    /// Leave; the runs go on.
    Detach,
    /// Go on looking.
    Stay,
}

/// Watches for Ctrl-C.
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(super) fn watch() -> Self {
        let pressed = Arc::new(AtomicBool::new(false));
        let code = i32::from(Outcome::Left.exit_code());
        // In this order: the first press finds the flag unset and sets it, a second one before we looked ends the program.
        // Where a handler cannot be set, Ctrl-C ends the program at once, as it always did.
        if flag::register_conditional_shutdown(SIGINT, code, Arc::clone(&pressed)).is_ok() {
            let _ = flag::register(SIGINT, Arc::clone(&pressed));
            tty::leave_interrupts();
        }
        Self(pressed)
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Asks what is wanted. Where nobody can be asked, leaving is the harmless answer.
    pub(super) fn wish(&self) -> Wish {
        let wish = ask::line("\nCancel the runs that have not ended (c), leave and let them run (d), or stay (Enter)?", "an answer")
            .map_or(Wish::Detach, |answer| wish(&answer));
        self.0.store(false, Ordering::SeqCst);
        wish
    }
}

fn wish(answer: &str) -> Wish {
    match answer.to_lowercase().as_str() {
        "c" | "cancel" => Wish::Cancel,
        "d" | "detach" | "leave" => Wish::Detach,
        _ => Wish::Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_cancels() {
        assert_eq!(
            [wish("c"), wish("Cancel"), wish("d"), wish(""), wish("x")],
            [Wish::Cancel, Wish::Cancel, Wish::Detach, Wish::Stay, Wish::Stay]
        );
    }
}
