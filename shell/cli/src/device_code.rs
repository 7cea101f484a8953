//! Signing in on a computer without a browser (RFC 8628), where the tenant allows it: its person types a code on a page of the console wherever they
//! are, and this program asks again and again what they said.

use std::thread::sleep;
use std::time::{Duration, Instant};

use sallyport_api as api;
use ureq::http::Method;

use crate::client::Client;
use crate::failure::{Failure, Problem};
use crate::loopback;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CLIENT_ID: (&str, &str) = ("client_id", "sallyport-cli");
/// RFC 8628, section 3.5: so much longer after each poll that came too early.
const SLOWER: Duration = Duration::from_secs(5);

/// Asks for a code, shows it by `show`, and waits for the answer. What comes of it is kept as other sessions are.
pub(crate) fn enter(client: &mut Client, show: &dyn Fn(&api::DeviceCode)) -> Result<api::Me, Failure> {
    client.act(Method::GET, "/v1/nonce")?;
    let asked: api::DeviceCode = client.post_form("/v1/oauth/device", &[CLIENT_ID, ("name", &loopback::name())]).map_err(explained)?;
    show(&asked);
    let issued = wait(client, &asked)?;
    client.entered(issued)
}

fn wait(client: &mut Client, asked: &api::DeviceCode) -> Result<api::IssuedToken, Failure> {
    let secs = |secs: i64| Duration::from_secs(secs.clamp(1, 3600).unsigned_abs());
    let (begun, patience, mut interval) = (Instant::now(), secs(asked.expires_in), secs(asked.interval));
    let fields = [("grant_type", GRANT_TYPE), CLIENT_ID, ("device_code", &asked.device_code)];
    loop {
        sleep(interval);
        match client.post_form("/v1/oauth/token", &fields) {
            Ok(issued) => return Ok(issued),
            Err(Failure::Refused(problem)) if problem.code == "authorization_pending" => {}
            Err(Failure::Refused(problem)) if problem.code == "slow_down" => interval += SLOWER,
            // A line that is gone for a moment costs nobody a new code.
            Err(Failure::Unreachable { .. }) if begun.elapsed() < patience => interval += SLOWER,
            Err(failure) => return Err(explained(failure)),
        }
    }
}

/// What an answer means to whoever waits here, and what to do next.
fn explained(failure: Failure) -> Failure {
    let Failure::Refused(problem) = failure else { return failure };
    let (title, detail) = match problem.code.as_str() {
        "access_denied" => (
            "somebody said no on the page; nobody was signed in",
            "If that was not you, somebody else saw the code. Begin again, and pass it on to nobody.",
        ),
        "expired_token" => {
            ("nobody answered on the page within ten minutes; nobody was signed in", "Begin again: sallyport login --device")
        }
        "unauthorized_client" | "unsupported_grant_type" => (
            "this server lets no program in by a device code",
            "Sign in beside a browser, or with `sallyport login --terminal`. An owner allows codes with `sallyport policy mfa --device-codes yes`.",
        ),
        _ => return Failure::Refused(problem),
    };
    Failure::Refused(Box::new(Problem { title: title.to_owned(), detail: detail.to_owned(), ..*problem }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oa_21_each_end_is_told_in_words_with_its_own_code() {
        for code in ["access_denied", "expired_token", "unauthorized_client", "unsupported_grant_type"] {
            let told = explained(Failure::Refused(Box::new(Problem { code: code.to_owned(), status: 400, ..Problem::default() })));
            assert_eq!((told.code(), told.exit_code()), (code, 2));
            assert!(!told.to_string().contains('_') && !told.next_step().is_empty(), "{told}");
        }
        let other = explained(Failure::Refused(Box::new(Problem { title: "as it came".to_owned(), status: 400, ..Problem::default() })));
        assert_eq!(other.to_string(), "as it came");
    }
}
