//! `sallyport requests`.

use clap::{Args, Subcommand};
use sallyport_api as api;
use serde_json::json;

use crate::client::{Client, Query};
use crate::failure::{Failure, Outcome};
use crate::prove::{Agreement, deny, prove};
use crate::request;
use crate::safe::one_line;
use crate::screen::{Screen, Tone, Word};
use crate::{Common, clock, lookup, say};

const LIST: &str = "/v1/authorization-requests";

#[derive(Args)]
pub struct Requests {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Subcommand)]
enum What {
    /// List requests that wait; the same as no command.
    List,
    /// Show a request and prove it with a fresh code.
    Approve {
        /// Its id, or the end of it as it is shown: 7K2M-9QX4.
        request: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Say no: the request is over for everybody.
    Deny {
        /// Its id, or the end of it as it is shown.
        request: String,
    },
}

impl Requests {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match self.what {
            None | Some(What::List) => list(&mut client, screen),
            Some(What::Approve { request, agreement }) => approve(&mut client, screen, agreement, &request),
            Some(What::Deny { request }) => {
                let asked = find(&mut client, &request)?;
                deny(&mut client, &asked)?;
                screen.give(&json!({ "denied": asked.id }), |screen| {
                    screen.say(format!("Denied {}: {}", one_line(&asked.short), one_line(&asked.summary)));
                });
                Ok(Outcome::Done)
            }
        }
    }
}

fn list(client: &mut Client, screen: Screen) -> Result<Outcome, Failure> {
    let requests: Vec<api::AuthorizationRequest> = client.read_all(LIST, &Query::default())?;
    let now = clock::now();
    screen.give(&requests, |screen| {
        let rows = requests.iter().map(|request| {
            let missing = request.requirement.iter().filter(|step| !step.met && step.who != "device").count();
            vec![
                Word::new(&request.short),
                Word::new(&request.summary),
                Word::new(request.class.to_string()),
                Word::new(&request.requested_by_name),
                Word::toned(say::plural(i64::try_from(missing).unwrap_or(i64::MAX), "proof"), Tone::Waiting),
                Word::toned(say::relative(request.expires, now), Tone::Quiet),
            ]
        });
        screen.list(&["REQUEST", "WHAT", "CLASS", "BY", "MISSING", "LAPSES"], rows.collect(), "Nothing waits for anybody.");
    });
    Ok(Outcome::Done)
}

fn find(client: &mut Client, wanted: &str) -> Result<api::AuthorizationRequest, Failure> {
    let id = lookup::id_of(client, LIST, "request", wanted, |request: &api::AuthorizationRequest| request.id.to_string())?;
    client.read(&format!("{LIST}/{id}"))
}

fn approve(client: &mut Client, screen: Screen, agreement: Agreement, wanted: &str) -> Result<Outcome, Failure> {
    let asked = find(client, wanted)?;
    let closed = |state| Err(Failure::NotReleased { short: asked.short.clone(), state });
    match asked.state {
        api::RequestState::Open => {}
        api::RequestState::Executed => return closed("already executed"),
        api::RequestState::Denied => return closed("denied"),
        api::RequestState::Expired => return closed("expired"),
    }
    if let api::ActionDetails::CreateInstaller(_) = asked.action {
        return Err(Failure::Input(
            "an installer's file is shown once, to the command that asked for it; deny this request and make a new one".to_owned(),
        ));
    }
    if matches!(&asked.action, api::ActionDetails::RunScript(run) if !request::is_whole(run)) {
        return Err(Failure::OtherAction("the text of the script is not the one that its SHA-256 names"));
    }
    request::show(screen, &asked);
    let result = prove(client, screen, agreement, &asked)?;
    screen.give(&result, |screen| tell(screen, &result));
    Ok(Outcome::Done)
}

fn tell(screen: Screen, result: &api::ActionResult) {
    match result {
        api::ActionResult::Done(api::Done { job: Some(job), .. }) => {
            screen.say_in(Tone::Good, format!("Done. Look at it with: sallyport jobs follow {job}"));
        }
        api::ActionResult::RecoveryCodes(codes) => {
            screen.say_in(Tone::Good, "Your new recovery codes, shown once. The old ones are dead.");
            codes.recovery_codes.iter().for_each(|code| screen.say(one_line(code)));
        }
        _ => screen.say_in(Tone::Good, "Done."),
    }
}
