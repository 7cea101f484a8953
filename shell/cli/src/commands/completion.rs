//! `sallyport completion`.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::failure::Outcome;
use crate::screen;

#[derive(Args)]
pub struct Completion {
    shell: Shell,
}

impl Completion {
    /// Writes the script for the program's whole command.
    pub(crate) fn run(self, mut whole: clap::Command) -> Outcome {
        let name = whole.get_name().to_owned();
        let mut script = Vec::new();
        generate(self.shell, &mut whole, name, &mut script);
        screen::print(script);
        Outcome::Done
    }
}
