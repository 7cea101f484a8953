//! The letters that people get because somebody asked for them.

use sallyport_model::Timestamp;

use super::{Letter, moment};

/// Somebody is invited.
pub(crate) fn invitation(tenant: &str, name: &str, by: &str, url: String, expires: Timestamp) -> Letter {
    Letter {
        subject: format!("{by} invites you to {tenant}"),
        what: vec![
            format!("Hello {name},"),
            format!("{by} made you an account at {tenant}. It opens once you have chosen a password and set up an authenticator app."),
        ],
        facts: vec![("Works until", moment(expires))],
        link: Some(("Open the invitation", url)),
        next: "The link works once. If you expected no invitation, leave it alone: nothing happens before you press a button.".to_owned(),
        not_me: None,
    }
}

/// Somebody signed in from an address that their account does not know.
pub(crate) fn new_address(tenant: &str, address: &str, place: Option<String>, browser: &str, url: String, expires: Timestamp) -> Letter {
    let mut facts = vec![("Address", address.to_owned())];
    facts.extend(place.map(|place| ("Place", place)));
    facts.extend([("Browser", browser.to_owned()), ("Works until", moment(expires))]);
    Letter {
        subject: format!("Is this you? A sign-in to {tenant} from a new address"),
        what: vec![
            "Somebody entered your password and a right code at an address that your account does not know. Nothing was opened.".to_owned(),
        ],
        facts,
        link: Some(("Approve this address", url)),
        next: "Approve it only if you know the address and the browser, then sign in again there. If that was not you, somebody has your \
               password and your authenticator: choose another password and remove the factor."
            .to_owned(),
        not_me: None,
    }
}

/// Somebody sets up their first factor.
pub(crate) fn activation(tenant: &str, name: &str, url: String, expires: Timestamp) -> Letter {
    Letter {
        subject: format!("Activate your second factor at {tenant}"),
        what: vec![
            format!("Hello {name},"),
            format!(
                "This link begins the activation of a second factor for your account at {tenant}. You need your password and a phone with an authenticator app."
            ),
        ],
        facts: vec![("Works until", moment(expires))],
        link: Some(("Activate", url)),
        next: "The link works once. If you did not ask for it, somebody may know your password: sign in and choose another one.".to_owned(),
        not_me: None,
    }
}

/// Somebody's factors were taken away by an administrator.
pub(crate) fn reset(tenant: &str, name: &str, by: &str, url: String, expires: Timestamp) -> Letter {
    Letter {
        subject: format!("Your second factor at {tenant} was reset"),
        what: vec![
            format!("Hello {name},"),
            format!(
                "{by} took away the factors of your account at {tenant}, because you told them that you lost yours. All sessions ended. Your password is the same."
            ),
        ],
        facts: vec![("Works until", moment(expires))],
        link: Some(("Set up a new authenticator", url)),
        next: format!("If you told nobody, call {by} or another administrator at a number that you know."),
        not_me: None,
    }
}

/// Somebody's factors will be taken away in a day.
pub(crate) fn held_reset(tenant: &str, name: &str, by: &str, until: Timestamp) -> Letter {
    Letter {
        subject: format!("Your second factor at {tenant} will be reset tomorrow"),
        what: vec![
            format!("Hello {name},"),
            format!("{by} asked to take away the factors of your account at {tenant}. It happens by itself unless you stop it."),
        ],
        facts: vec![("Happens", moment(until))],
        link: None,
        next: "To stop it, sign in as always and press Stop the reset on your profile page.".to_owned(),
        not_me: None,
    }
}
