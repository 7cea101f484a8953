//! `sallyport login`.

use std::path::PathBuf;

use clap::Args;
use sallyport_api as api;
use ureq::http::Method;
use zeroize::Zeroizing;

use crate::client::{Client, certificates_of};
use crate::failure::{Failure, Outcome};
use crate::safe::one_line;
use crate::screen::Tone;
use crate::session::{self, Session};
use crate::{Common, ask};

use super::whoami;

#[derive(Args)]
pub struct Login {
    /// The server's address [default: the one signed in to last].
    #[arg(env = "SALLYPORT_URL", hide_env_values = true)]
    url: Option<String>,
    /// Your e-mail address [default: the one signed in with last].
    #[arg(long, env = "SALLYPORT_EMAIL", hide_env_values = true)]
    email: Option<String>,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Read the code from standard input, from the line after the password's.
    #[arg(long)]
    code_stdin: bool,
    /// Certificates (PEM) to trust besides the system's; kept with the session.
    #[arg(long, value_name = "FILE", env = "SALLYPORT_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Login {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (screen, path) = (self.common.screen(), self.common.path());
        let last = session::load(&path)?;
        let server = self.server(last.as_ref())?;
        let email = self.email(last.as_ref())?;
        let mut client = Client::begin(&server, &email, self.trusted(last.as_ref())?, path)?;
        let password = self.password()?;
        let code = self.code()?;
        let body = api::SignIn { email, password: password.to_string(), code: code.split_whitespace().collect() };
        let me: api::Me = client.change(Method::POST, "/v1/sign-in", &body)?;
        screen.give(&me, |screen| {
            screen.say_in(Tone::Good, format!("Signed in at {} as {}.", client.server(), one_line(&me.email)));
            whoami::tell(screen, &me, &client);
        });
        Ok(Outcome::Done)
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

    fn trusted(&self, last: Option<&Session>) -> Result<Option<String>, Failure> {
        let Some(path) = self.ca.clone() else { return Ok(last.and_then(|session| session.ca.clone())) };
        let pem = std::fs::read_to_string(&path).map_err(|why| Failure::File { path: path.clone(), why })?;
        match certificates_of(&pem) {
            Some(_) => Ok(Some(pem)),
            None => Err(Failure::Content { path, why: "has no certificate in PEM form" }),
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
        if self.code_stdin { ask::stdin_line(WHAT) } else { ask::line("Code from your authenticator", WHAT).map(Zeroizing::new) }
    }
}
