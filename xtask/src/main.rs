//! The project's verbs: `cargo xtask demo | check | test | claims | bench | mutants | systemd-test`, one file each.

mod args;
mod bench;
mod check;
mod claims;
mod demo;
mod mutants;
mod process;
mod root;
mod systemd;
mod test;
mod tools;

use std::process::ExitCode;

use args::Args;
use root::Root;

const USAGE: &str = "\
cargo xtask <verb>

  demo [--fleet N] [--dir DIR] [--port N] [--fresh]
                                          build and start a server, the console and a real agent on this machine; --fleet adds
                                          simulated devices
  check [--update]                        formatting, lints, layers, bans, reviewed snapshots; --update rewrites the snapshots
  test [--json FILE] [FILTER]             install what the tests need and run all of them
  claims [--json FILE]                    attack a fresh installation and print what held
  bench [NAME] [--json FILE] [--peers]    measure; never part of the tests
  mutants [--sample N] [--seed S]         change the pure crates on purpose and see whether a test notices
  systemd-test                            install the agent as a service in a booted container (root only)
";

fn main() -> ExitCode {
    let mut args = Args::from_command_line();
    match run(&mut args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &mut Args) -> anyhow::Result<ExitCode> {
    let root = Root::find()?;
    if args.flag("--help") || args.flag("-h") {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    match args.verb().as_deref() {
        Some("demo") => demo::run(&root, args),
        Some("check") => check::run(&root, args),
        Some("test") => test::run(&root, args),
        Some("claims") => claims::run(&root, args),
        Some("bench") => bench::run(&root, args),
        Some("mutants") => mutants::run(&root, args),
        Some("systemd-test") => systemd::run(&root, args),
        Some("help") => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprint!("{}{USAGE}", other.map(|verb| format!("there is no verb `{verb}`\n\n")).unwrap_or_default());
            Ok(ExitCode::from(2))
        }
    }
}
