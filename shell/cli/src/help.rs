//! Every help text, as a reviewed snapshot: `help.txt`, rewritten with `SALLYPORT_WRITE_HELP=1`.

use std::path::Path;

use clap::Subcommand as _;

use crate::Command;

fn texts(command: &mut clap::Command, path: &str, all: &mut String) {
    let text = command.clone().term_width(100).bin_name(path).render_long_help().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    all.push_str(&format!("=== {path}\n{}\n\n", lines.join("\n").trim_end()));
    for child in command.get_subcommands_mut() {
        let path = format!("{path} {}", child.get_name());
        if child.get_name() != "help" {
            texts(child, &path, all);
        }
    }
}

#[test]
fn help_texts_are_the_reviewed_ones() {
    let mut whole = Command::augment_subcommands(clap::Command::new("sallyport")).disable_help_subcommand(true);
    whole.build();
    let mut all = String::new();
    texts(&mut whole, "sallyport", &mut all);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("help.txt");
    if std::env::var_os("SALLYPORT_WRITE_HELP").is_some() {
        std::fs::write(&file, &all).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = all.lines().zip(reviewed.lines()).find(|(now, then)| now != then);
    assert!(all == reviewed, "help.txt differs, first at {differs:?}; read the change, then write it with SALLYPORT_WRITE_HELP=1");
}

#[test]
fn no_two_options_collide() {
    Command::augment_subcommands(clap::Command::new("sallyport").version("1").propagate_version(true)).debug_assert();
}

/// An argument with the name of one that all commands take would be read as that one, and the program would end there.
#[test]
fn no_argument_has_the_name_of_one_that_all_commands_take() {
    fn looks(command: &clap::Command, path: &str) {
        for argument in command.get_arguments().filter(|one| ["session", "json"].contains(&one.get_id().as_str())) {
            assert_eq!(argument.get_long(), Some(argument.get_id().as_str()), "{path}");
        }
        command.get_subcommands().for_each(|child| looks(child, &format!("{path} {}", child.get_name())));
    }
    looks(&Command::augment_subcommands(clap::Command::new("sallyport")), "sallyport");
}
