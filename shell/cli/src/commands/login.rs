//! `sallyport login`.

use std::path::PathBuf;

use clap::Args;
use sallyport_api as api;
use ureq::http::Method;
use zeroize::Zeroizing;

use crate::client::{Client, certificates_of};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::{Tone, remark};
use crate::session::{self, Session};
use crate::{Common, ask, device_code, files, keystore, loopback, say};

use super::whoami;

#[derive(Args)]
pub struct Login {
    /// The server's address [default: the one signed in to last].
    #[arg(env = "SALLYPORT_URL", hide_env_values = true)]
    url: Option<String>,
    /// Ask for password and code here, where no browser of this computer can be opened.
    #[arg(long)]
    terminal: bool,
    /// Show a code to type in a browser on another computer, where the tenant allows that. Such a session proves nothing.
    #[arg(long, conflicts_with_all = ["terminal", "no_open", "email", "password_stdin", "code_stdin"])]
    device: bool,
    /// Print the address of the page and do not open it.
    #[arg(long, conflicts_with_all = ["terminal", "password_stdin", "code_stdin"])]
    no_open: bool,
    /// Your e-mail address, for the terminal [default: the one signed in with last].
    #[arg(long, env = "SALLYPORT_EMAIL", hide_env_values = true)]
    email: Option<String>,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Read the code, or a recovery code, from standard input, from the line after the password's.
    #[arg(long)]
    code_stdin: bool,
    /// Certificates (PEM) to trust besides the system's; kept with the session.
    #[arg(long, value_name = "FILE", env = "SALLYPORT_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What its person types, and where.
fn show_code(asked: &api::DeviceCode) {
    let (page, code) = (one_line(&asked.verification_uri), one_line(&asked.user_code));
    remark(format!("Open this page in a browser in front of you, and sign in there:\n\n  {page}\n\nType this code:\n\n  {code}\n"));
    remark(format!("It works once, for {}, from this computer's address or within one trusted network.", say::length(asked.expires_in)));
    remark("Nobody who helps you needs it. Waiting for your answer there; Ctrl-C ends it.");
}

impl Login {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (screen, path) = (self.common.screen(), self.common.path());
        let last = session::load(&path)?;
        let (server, ca) = (self.server(last.as_ref())?, trusted(self.ca.as_ref(), last.as_ref())?);
        let (client, me) = if self.device {
            let mut client = Client::begin(&server, "", ca, path)?;
            let me = device_code::enter(&mut client, &show_code)?;
            (client, me)
        } else if self.is_here() {
            let email = self.email(last.as_ref())?;
            self.by_password(Client::begin(&server, &email, ca, path)?, email)?
        } else {
            let mut client = Client::begin(&server, "", ca, path)?;
            let me = client.enter(&|page| self.show(page))?;
            (client, me)
        };
        if let Some(name) = last.and_then(|session| session.key_name) {
            keystore::forget(&name);
        }
        screen.give(&me, |screen| {
            screen.say_in(Tone::Good, format!("Signed in at {} as {}.", client.server(), one_line(&me.email)));
            whoami::tell(screen, &me, &client);
        });
        Ok(Outcome::Done)
    }

    /// Whoever brings a password wants to sign in here.
    fn is_here(&self) -> bool {
        let brought = std::env::var_os("SALLYPORT_PASSWORD").is_some_and(|password| !password.is_empty());
        self.terminal || self.password_stdin || self.code_stdin || brought
    }

    fn show(&self, page: &str) {
        remark(format!("Let this program in on the page that opens in your browser, on this computer:\n\n  {page}\n"));
        remark("No browser here? Press Ctrl-C, and use: sallyport login --terminal, or --device where your tenant allows it");
        if !self.no_open {
            loopback::show(page);
        }
    }

    fn by_password(&self, mut client: Client, email: String) -> Result<(Client, api::Me), Failure> {
        let (password, code) = (self.password()?, self.code()?);
        let body = api::SignIn { email, password: password.to_string(), code: code.split_whitespace().collect() };
        let me = client.change(Method::POST, "/v1/sign-in", &body)?;
        Ok((client, me))
    }

    fn server(&self, last: Option<&Session>) -> Result<String, Failure> {
        match self.url.clone().or_else(|| last.map(|session| session.server.clone())) {
            Some(url) => Ok(url),
            None => ask::line("Server", "the server's address"),
        }
    }

    fn email(&self, last: Option<&Session>) -> Result<String, Failure> {
        match self.email.clone().or_else(|| last.map(|session| session.email.clone())) {
            Some(email) => Ok(email),
            None => ask::line("E-mail", "your e-mail address (--email)"),
        }
    }

    fn password(&self) -> Result<Zeroizing<String>, Failure> {
        const WHAT: &str = "your password (SALLYPORT_PASSWORD or --password-stdin)";
        match std::env::var("SALLYPORT_PASSWORD") {
            Ok(password) if !password.is_empty() && !self.password_stdin => Ok(Zeroizing::new(password)),
            _ if self.password_stdin => ask::stdin_line(WHAT),
            _ => ask::hidden("Password", WHAT),
        }
    }

    fn code(&self) -> Result<Zeroizing<String>, Failure> {
        const WHAT: &str = "a code (--code-stdin)";
        if self.code_stdin {
            ask::stdin_line(WHAT)
        } else {
            ask::line("Code from your authenticator, or a recovery code", WHAT).map(Zeroizing::new)
        }
    }
}

/// Certificates to trust: those that are named, else the last session's.
pub(super) fn trusted(ca: Option<&PathBuf>, last: Option<&Session>) -> Result<Option<String>, Failure> {
    let Some(path) = ca.cloned() else { return Ok(last.and_then(|session| session.ca.clone())) };
    let pem = files::text(&path, files::CERTIFICATES_BYTES)?;
    match certificates_of(&pem) {
        Some(_) => Ok(Some(pem.to_string())),
        None => Err(Failure::Content { path, why: "has no certificate in PEM form" }),
    }
}
