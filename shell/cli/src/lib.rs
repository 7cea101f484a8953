//! The operators' command line, for people and scripts: one file per command.
//!
//! Requests are signed by the session's key ([`client`], [`dpop`]). Guarded operations go through [`prove`]: shown, checked against what
//! was asked for, proved. Whatever came from a device passes [`safe`] before it reaches a terminal. What is printed goes through [`screen`]:
//! the standard library's macros end the program where nobody reads on.

#![deny(clippy::print_stdout, clippy::print_stderr)]

mod ask;
mod by_browser;
mod client;
mod clock;
mod commands;
mod device_code;
mod dpop;
mod failure;
mod files;
mod keystore;
mod lookup;
mod loopback;
mod origin;
mod people;
mod prove;
mod query;
mod request;
mod safe;
mod say;
mod screen;
mod session;
mod stream;
mod tool;
mod tty;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use client::Client;
use commands::{
    activate, audit, clients, completion, connections, devices, download, factors, installers, jobs, licence, login, logout, mails,
    networks, password, policy, posture, recover, remote_sessions, requests, roles, run, runs, schedules, scripts, sessions, step_up,
    terminal, tool as tool_command, users, viewer, webhooks, whoami,
};
use failure::{Failure, Outcome};
use screen::{Form, Screen, print_json};

/// What operators do from a terminal.
#[derive(Subcommand)]
pub enum Command {
    /// Sign in to a server with your browser, or with password and code.
    ///
    /// Opens a page of the console, or prints its address: there you see what asks and let it in. What comes back works on this computer
    /// alone. Where no browser of this computer can be opened, --terminal asks for password and code here; they may also come by
    /// SALLYPORT_PASSWORD and standard input, and are never arguments, which everybody on this computer could read.
    Login(login::Login),
    /// Set up your first second factor, by a link that is mailed to you or that you have.
    ///
    /// For whoever must have one and has none yet. Without options: mails the link to whoever signed in with a password alone. With --link:
    /// goes on here instead of in a browser, up to the recovery codes; an invitation is taken up the same way.
    Activate(activate::Activate),
    /// End this session.
    Logout(logout::Logout),
    /// Show who is signed in, and for how long.
    Whoami(whoami::Whoami),
    /// Prove a factor now: what needs a fresh one goes on.
    ///
    /// Opens the step-up window of this session. A session that a browser let in asks for it after some hours.
    StepUp(step_up::StepUp),
    /// Change your password.
    ///
    /// Wants the present one, the new one and a fresh code. Your other sessions end, unless you say otherwise. The secrets are asked for;
    /// without a terminal they come by standard input.
    Password(password::ChangePassword),
    /// Get back in as a tenant's only owner who has lost everything but the password and the authority kit.
    ///
    /// The kit is read here and never sent: its key signs for this one try. What comes of it sets up a new authenticator and does nothing
    /// else; for guarded actions that counts after 24 hours.
    Recover(recover::Recover),
    /// List, add, rename and remove what you prove yourself with; make new recovery codes.
    Factors(factors::Factors),
    /// List and end your sessions; say that somebody else is in your account.
    Sessions(sessions::Sessions),
    /// List, show, approve, remove and tag devices.
    ///
    /// Without a command: lists devices, all or those that the options name. Values of one option are alternatives; the options hold
    /// together.
    Devices(devices::Devices),
    /// List, show and save scripts of the library.
    Scripts(scripts::Scripts),
    /// Make, list and revoke installers.
    Installers(installers::Installers),
    /// Run a script of the library on devices, and follow it.
    ///
    /// Shows exactly what will happen, asks for a fresh code, and shows each result as it comes. Ctrl-C asks whether to cancel or to leave.
    /// Ends with 0 when all devices succeeded, with 1 when some did not, with 2 when it was refused.
    Run(run::Run),
    /// List, show, follow and cancel jobs.
    Jobs(jobs::Jobs),
    /// List, publish, pause and stop schedules: scripts that run unattended.
    Schedules(schedules::Schedules),
    /// Show the output of a run, or cancel it.
    Runs(runs::Runs),
    /// Open a terminal of a device here.
    ///
    /// Everything is encrypted between this program and the device. Ends with the shell's own exit code; Enter, then ~. leaves before that
    /// and ends the shell. A lost connection is dialled again, and neither shell nor output is lost.
    Terminal(terminal::Terminal),
    /// Show a device's screen to a VNC client of this computer.
    ///
    /// Opens a port on 127.0.0.1 that takes one connection, of your own account, and passes it on. Everything is encrypted between this
    /// program and the device. The session ends when the VNC client leaves; a lost connection is dialled again.
    Viewer(viewer::Viewer),
    /// Download a file of a device, checked by its digest.
    ///
    /// Everything is encrypted between this program and the device. A lost connection is dialled again. What came is kept in FILE.part: run
    /// the same again, and it goes on where it stopped.
    Download(download::Download),
    /// List and end remote sessions; show and change their rules.
    RemoteSessions(remote_sessions::RemoteSessions),
    /// List, approve and deny authorization requests.
    Requests(requests::Requests),
    /// List, invite, disable and enable users; change roles; reset factors; end sessions.
    Users(users::Users),
    /// List, make, change and delete roles.
    Roles(roles::Roles),
    /// Show and change who must have a second factor, and how long sessions last.
    Policy(policy::Policy),
    /// List what was mailed to whom, and what became of it.
    Mails(mails::Mails),
    /// Show and change from where people sign in and work.
    Networks(networks::Networks),
    /// Double-check the configuration: which rules hold, and what to mend.
    ///
    /// Ends with 1 when something is to be fixed now. With what-if: what would happen if somebody wanted to do something.
    Posture(posture::Posture),
    /// List, make, show, change and stop API clients: tools that work in somebody's name.
    Clients(clients::Clients),
    /// List, make, show, stop and use connections to other vendors' APIs.
    ///
    /// Their credentials are kept sealed on the server, and shown to nobody.
    Connections(connections::Connections),
    /// Run a tool with an API client.
    Tool(tool_command::Tool),
    /// Issue, list, show, revoke and verify licences: which program may use an API client, on which hosts.
    Licence(licence::Licences),
    /// List, make, change, pause and try webhooks: addresses that are told what happens.
    Webhooks(webhooks::Webhooks),
    /// Read the audit log, and check that it holds.
    Audit(audit::Audit),
    /// Print a shell's completion script.
    ///
    /// For instance: sallyport completion bash > /etc/bash_completion.d/sallyport
    Completion(completion::Completion),
}

/// What all commands take.
#[derive(Args, Debug, Clone)]
pub(crate) struct Common {
    /// Print one JSON document, and nothing else on standard output.
    #[arg(long, global = true)]
    json: bool,
    /// The file that keeps the session [default: sallyport/session.json in $XDG_STATE_HOME or ~/.local/state].
    #[arg(long, global = true, env = "SALLYPORT_SESSION", hide_env_values = true, value_name = "FILE")]
    session: Option<PathBuf>,
}

impl Common {
    fn screen(&self) -> Screen {
        Screen::new(if self.json { Form::Json } else { Form::Text })
    }

    fn path(&self) -> PathBuf {
        session::place(self.session.clone())
    }

    /// The signed-in client and where to print.
    fn desk(&self) -> Result<(Client, Screen), Failure> {
        Ok((Client::resume(self.path())?, self.screen()))
    }
}

impl Command {
    /// Does it and tells what went wrong. `whole` is the program's command, for completion scripts.
    ///
    /// Exit codes: 0 done, 1 some runs did not succeed, 2 refused or wrongly asked, 3 network, files, outputs, an unreadable answer,
    /// 4 not signed in, 5 the audit log or a licence does not hold, 130 left before it was over.
    pub fn run(self, whole: clap::Command) -> ExitCode {
        let form = self.form();
        // A result that nobody got is no success.
        match self.outcome(whole).and_then(|outcome| screen::printed().map(|()| outcome)) {
            Ok(outcome) => outcome.exit_code().into(),
            Err(failure) => {
                failure.tell();
                if form == Form::Json {
                    print_json(&failure.to_json());
                }
                failure.exit_code().into()
            }
        }
    }

    fn outcome(self, whole: clap::Command) -> Result<Outcome, Failure> {
        match self {
            Self::Login(command) => command.run(),
            Self::Activate(command) => command.run(),
            Self::Logout(command) => command.run(),
            Self::Whoami(command) => command.run(),
            Self::StepUp(command) => command.run(),
            Self::Password(command) => command.run(),
            Self::Recover(command) => command.run(),
            Self::Factors(command) => command.run(),
            Self::Sessions(command) => command.run(),
            Self::Devices(command) => command.run(),
            Self::Scripts(command) => command.run(),
            Self::Installers(command) => command.run(),
            Self::Run(command) => command.run(),
            Self::Jobs(command) => command.run(),
            Self::Schedules(command) => command.run(),
            Self::Runs(command) => command.run(),
            Self::Terminal(command) => command.run(),
            Self::Viewer(command) => command.run(),
            Self::Download(command) => command.run(),
            Self::RemoteSessions(command) => command.run(),
            Self::Requests(command) => command.run(),
            Self::Users(command) => command.run(),
            Self::Roles(command) => command.run(),
            Self::Policy(command) => command.run(),
            Self::Mails(command) => command.run(),
            Self::Networks(command) => command.run(),
            Self::Posture(command) => command.run(),
            Self::Clients(command) => command.run(),
            Self::Connections(command) => command.run(),
            Self::Tool(command) => command.run(),
            Self::Licence(command) => command.run(),
            Self::Webhooks(command) => command.run(),
            Self::Audit(command) => command.run(),
            Self::Completion(command) => Ok(command.run(whole)),
        }
    }

    fn form(&self) -> Form {
        let common = match self {
            Self::Login(command) => &command.common,
            Self::Activate(command) => &command.common,
            Self::Logout(command) => &command.common,
            Self::Whoami(command) => &command.common,
            Self::StepUp(command) => &command.common,
            Self::Password(command) => &command.common,
            Self::Recover(command) => &command.common,
            Self::Factors(command) => &command.common,
            Self::Sessions(command) => &command.common,
            Self::Devices(command) => &command.common,
            Self::Scripts(command) => &command.common,
            Self::Installers(command) => &command.common,
            Self::Run(command) => &command.common,
            Self::Jobs(command) => &command.common,
            Self::Schedules(command) => &command.common,
            Self::Runs(command) => &command.common,
            Self::Terminal(command) => &command.common,
            Self::Viewer(command) => &command.common,
            Self::Download(command) => &command.common,
            Self::RemoteSessions(command) => &command.common,
            Self::Requests(command) => &command.common,
            Self::Users(command) => &command.common,
            Self::Roles(command) => &command.common,
            Self::Policy(command) => &command.common,
            Self::Mails(command) => &command.common,
            Self::Networks(command) => &command.common,
            Self::Posture(command) => &command.common,
            Self::Clients(command) => &command.common,
            Self::Connections(command) => &command.common,
            Self::Tool(command) => &command.common,
            Self::Licence(command) => &command.common,
            Self::Webhooks(command) => &command.common,
            Self::Audit(command) => &command.common,
            Self::Completion(_) => return Form::Text,
        };
        common.screen().form()
    }
}

#[cfg(test)]
mod help;
