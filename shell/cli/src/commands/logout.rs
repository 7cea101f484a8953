//! `sallyport logout`.

use clap::Args;
use sallyport_api::Code;
use serde_json::json;
use ureq::http::Method;

use crate::Common;
use crate::failure::{Failure, Outcome};
use crate::session;

#[derive(Args)]
pub struct Logout {
    #[command(flatten)]
    pub(crate) common: Common,
}

impl Logout {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (mut client, screen) = self.common.desk()?;
        match client.act(Method::POST, "/v1/sign-out") {
            Err(failure) if !failure.is_refusal(Code::NotSignedIn) && !failure.is_refusal(Code::TokenRefused) => return Err(failure),
            // It had ended before; what is left of it here goes too.
            _ => session::forget(client.path())?,
        }
        screen.give(&json!({ "signed_out": client.server() }), |screen| screen.say(format!("Signed out from {}.", client.server())));
        Ok(Outcome::Done)
    }
}
