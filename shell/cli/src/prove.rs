//! Guarded operations: asked for, shown, proved with a fresh code, awaited.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use sallyport_api as api;
use ureq::http::Method;

use crate::ask::{self, Answer};
use crate::by_browser::{self, Why};
use crate::client::{Asked, Client};
use crate::clock;
use crate::failure::Failure;
use crate::request;
use crate::safe::one_line;
use crate::say;
use crate::screen::{Screen, Tone};

/// Codes that one command takes.
const TRIES: usize = 3;
const POLL: Duration = Duration::from_secs(2);

/// How the person agrees.
#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct Agreement {
    /// Read codes from standard input, one per line, instead of asking; of a second person, the asker's number in a line before.
    #[arg(long)]
    code_stdin: bool,
    /// Do not ask back where an open step-up window makes a code unnecessary.
    #[arg(long, short)]
    yes: bool,
}

/// What a request must be for before it is proved.
pub(crate) type Expected<'a> = &'a dyn Fn(&api::ActionDetails) -> Result<(), &'static str>;

/// A guarded operation in the making.
pub(crate) struct Guarded<'a> {
    pub(crate) screen: Screen,
    pub(crate) agreement: Agreement,
    pub(crate) path: &'a str,
    /// Says what will happen where there is no request to read it from.
    pub(crate) preview: &'a dyn Fn(),
    pub(crate) expected: Expected<'a>,
}

impl Guarded<'_> {
    /// Asks for it, and stays until it is done or refused.
    pub(crate) fn carry_out(&self, client: &mut Client, body: &impl serde::Serialize) -> Result<api::ActionResult, Failure> {
        self.carry_out_by(client, |client| client.ask(Method::POST, self.path, body))
    }

    /// The same for something that takes the place of what is there.
    pub(crate) fn replace(&self, client: &mut Client, body: &impl serde::Serialize) -> Result<api::ActionResult, Failure> {
        self.carry_out_by(client, |client| client.ask(Method::PUT, self.path, body))
    }

    /// The same for something that its address says entirely.
    pub(crate) fn plainly(&self, method: Method, client: &mut Client) -> Result<api::ActionResult, Failure> {
        self.carry_out_by(client, |client| client.ask_plainly(method, self.path))
    }

    fn carry_out_by(
        &self,
        client: &mut Client,
        ask: impl FnOnce(&mut Client) -> Result<Asked, Failure>,
    ) -> Result<api::ActionResult, Failure> {
        self.agree_beforehand(client)?;
        match ask(client)? {
            Asked::Done(result) => {
                self.screen.say_in(Tone::Quiet, "Your open step-up window was enough; no code was needed.");
                Ok(*result)
            }
            Asked::Waits(asked) => {
                if let Err(difference) = (self.expected)(&asked.action) {
                    deny(client, &asked)?;
                    return Err(Failure::OtherAction(difference));
                }
                request::show(self.screen, &asked);
                prove(client, self.screen, self.agreement, &asked)
            }
        }
    }

    /// With an open window there may be no request to look at: it is shown before it is asked for.
    fn agree_beforehand(&self, client: &mut Client) -> Result<(), Failure> {
        if self.agreement.yes || !ask::is_person() {
            return Ok(());
        }
        let me: api::Me = client.read("/v1/me")?;
        if me.step_up_until.is_none_or(|until| until <= clock::now()) {
            return Ok(());
        }
        (self.preview)();
        match ask::agreement("Your step-up window is open, so this may need no code. Go on?")? {
            Answer::Yes => Ok(()),
            Answer::No => Err(Failure::Declined),
        }
    }
}

/// Proves a request that was shown.
pub(crate) fn prove(
    client: &mut Client,
    screen: Screen,
    agreement: Agreement,
    asked: &api::AuthorizationRequest,
) -> Result<api::ActionResult, Failure> {
    // Whoever hands codes over has an app.
    let by_browser = by_browser::why(client)?.filter(|why| *why == Why::DeviceCode || !agreement.code_stdin);
    if let Some(why) = by_browser.filter(|_| asked.wants_number) {
        return Err(Failure::Input(format!("{}; agree in a browser: {}", why.words(), one_line(&asked.approve_at))));
    }
    let number = if asked.wants_number { Some(number(agreement, asked)?) } else { None };
    if let Some(number) = &asked.number {
        screen
            .say_in(Tone::Waiting, format!("Number for the second person: {}. Read it to them; they are asked for it.", one_line(number)));
    }
    if let Some(why) = by_browser {
        screen.say_in(Tone::Waiting, format!("Prove it in your browser, as {}: {}", why.words(), one_line(&asked.approve_at)));
        return end(client, screen, asked.clone());
    }
    client.is_keepable()?;
    for _ in 0..TRIES {
        let code = code(agreement, asked)?;
        if code.is_empty() {
            deny(client, asked)?;
            return Err(Failure::Declined);
        }
        let proof = api::NewProof { totp: Some(code), passkey: None, number: number.clone() };
        match client.change::<api::AuthorizationRequest>(Method::POST, &path(asked, "/proofs"), &proof) {
            Ok(proved) => return outcome(client, screen, proved),
            Err(failure) if failure.is_refusal(api::Code::CodeRefused) => {
                screen.say_in(Tone::Bad, format!("Not accepted. {}", failure.next_step()));
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Unproven(asked.short.clone()))
}

/// What only the asker sees: whoever knows it has talked to them.
fn number(agreement: Agreement, asked: &api::AuthorizationRequest) -> Result<String, Failure> {
    const WHAT: &str = "the number on the asker's screen";
    if agreement.code_stdin {
        return ask::stdin_line(WHAT).map(|line| line.trim().to_owned());
    }
    ask::line(&format!("Number on the screen of {}, three digits", one_line(&asked.requested_by_name)), WHAT)
}

fn code(agreement: Agreement, asked: &api::AuthorizationRequest) -> Result<String, Failure> {
    const WHAT: &str = "a code";
    if agreement.code_stdin {
        return ask::stdin_line(WHAT).map(|line| line.trim().to_owned());
    }
    let typed = ask::line(&format!("Code for request {} (Enter alone says no)", one_line(&asked.short)), WHAT);
    typed.map(|line| line.split_whitespace().collect())
}

/// Says no to a request.
pub(crate) fn deny(client: &mut Client, asked: &api::AuthorizationRequest) -> Result<(), Failure> {
    client.act(Method::POST, &path(asked, "/deny"))
}

/// Where a second person is needed, waits for them.
fn outcome(client: &mut Client, screen: Screen, proved: api::AuthorizationRequest) -> Result<api::ActionResult, Failure> {
    if proved.state == api::RequestState::Open {
        screen.say(format!("Your code was accepted. One more person must agree: sallyport requests approve {}", one_line(&proved.short)));
    }
    end(client, screen, proved)
}

/// Waits until it is done, denied or lapsed: others prove it elsewhere.
fn end(client: &mut Client, screen: Screen, asked: api::AuthorizationRequest) -> Result<api::ActionResult, Failure> {
    let mut request = asked;
    if request.state == api::RequestState::Open {
        screen.say(format!("Waiting; the request lapses {}.", say::relative(request.expires, clock::now())));
    }
    while request.state == api::RequestState::Open {
        sleep(POLL);
        request = client.read(&path(&request, ""))?;
    }
    let refused = |state| Failure::NotReleased { short: request.short.clone(), state };
    match request.state {
        api::RequestState::Executed => {
            request.result.clone().ok_or_else(|| Failure::Answer("an executed request without a result".to_owned()))
        }
        api::RequestState::Denied => Err(refused("denied")),
        api::RequestState::Open | api::RequestState::Expired => Err(refused("expired")),
    }
}

fn path(asked: &api::AuthorizationRequest, end: &str) -> String {
    format!("/v1/authorization-requests/{}{end}", asked.id)
}

/// Says what came of a request that changed devices.
pub(crate) fn tell_changed(screen: Screen, result: &api::ActionResult, verb: &str) {
    screen.give(result, |screen| {
        if let api::ActionResult::Devices(changed) = result {
            screen.say_in(Tone::Good, format!("{verb} {}.", say::devices(changed.devices.len())));
        } else {
            screen.say_in(Tone::Good, format!("{verb}."));
        }
    });
}
