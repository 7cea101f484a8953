//! Which entries of the audit log a person is told of by mail, and in which words. What happened is in the log anyway; this reads it.

use serde_json::Value;

/// Failed sign-ins below this many are nobody's concern.
const FAILURES_TOLD: u64 = 5;

/// What is known of a session's origin, beside its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The account never signed in before: its person has just activated it.
    First,
    /// From an address and with a browser that it signed in with before.
    Known,
    /// With a browser that it never signed in with.
    NewDevice,
    /// From an address that it never signed in from.
    NewAddress,
}

/// What somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// A few words.
    pub subject: String,
    /// What happened, as one sentence.
    pub what: String,
    /// From where, where an entry says so.
    pub from: Option<String>,
    /// What to do next.
    pub next: &'static str,
}

const LOOK: &str = "If that was you, nothing is to be done.";
const CODES: &str = "Count how many recovery codes you have left, and set up an authenticator app again if you lost yours: with it \
                     comes a new code in place of the used one.";
const PASSWORD: &str = "If these were not you, somebody tries your password. It is not in danger as long as nobody else knows it.";

/// What the person whom an entry is about is told of it; `None` for what needs no mail.
pub fn notice(kind: &str, payload: &Value, origin: Origin) -> Option<Notice> {
    let text = |key: &str| payload[key].as_str().unwrap_or_default();
    let from = (!text("address").is_empty()).then(|| format!("{} ({})", text("address"), text("user_agent")));
    let of = |subject: &str, what: String, next| Some(Notice { subject: subject.to_owned(), what, from: from.clone(), next });
    match kind {
        "session.opened" if text("reason") == "device_code" => of(
            "A program was let in by a device code",
            "Somebody typed a code in a browser in which you are signed in, and proved a passkey of yours: a program now reads and asks as you."
                .into(),
            "If you started that program yourself, nothing is to be done. If somebody talked you into typing the code, press Not me.",
        ),
        "session.opened" => match origin {
            Origin::First | Origin::Known => None,
            Origin::NewDevice => of(
                "Sign-in from a new device",
                "Somebody signed in to your account with a browser that you have not used before.".into(),
                LOOK,
            ),
            Origin::NewAddress => of(
                "Sign-in from a new address",
                "Somebody signed in to your account from an address that you have not used before.".into(),
                LOOK,
            ),
        },
        "session.two_networks" => of(
            "A session of yours was used from two networks at once",
            format!("One session of your account was used from {} and from {} at the same time.", text("here"), text("there")),
            "If that was you, as with a VPN that came and went, nothing is to be done. If one of them is not yours, press Not me, look for \
             what runs on your computer that should not, and choose another password from another computer.",
        ),
        "sign_in.failed" => {
            let attempts = payload["attempts"].as_u64().unwrap_or(0);
            let what = format!("{attempts} sign-ins to your account failed.");
            if attempts >= FAILURES_TOLD { of("Failed sign-ins", what, PASSWORD) } else { None }
        }
        "factor.locked" => of(
            "Your factor is locked",
            "One of your factors was locked after too many wrong codes. Whoever entered them knows your password.".into(),
            "Choose another password, and sign in with a recovery code: it opens the factor again.",
        ),
        "user.activated" => of(
            "Your second factor was set up",
            "A second factor was set up for your account, through the link that was mailed to you.".into(),
            LOOK,
        ),
        "factor.added" => of("A factor was added", format!("A factor was added to your account: {}.", text("name")), LOOK),
        "factor.removed" => of("A factor was removed", format!("A factor was removed from your account: {}.", text("name")), LOOK),
        "factor.copied" => of(
            "A passkey seems to be copied",
            "A passkey of yours was used in a way that only a copy of it explains.".into(),
            "Remove that passkey on your profile page, and enrol another one.",
        ),
        "recovery_code.used" => {
            of("A recovery code was used", "Somebody signed in to your account with one of your recovery codes.".into(), CODES)
        }
        "recovery_code.issued" => of(
            "A new recovery code was issued",
            "A factor was set up after a sign-in with a recovery code, and a new code took the place of the used one.".into(),
            "If that was you, keep it with the others. The new factor counts for guarded actions after 24 hours.",
        ),
        "authority_kit.used" => of(
            "Your account was recovered with the authority kit",
            "Somebody signed in to your account with its password and the authority kit of your tenant.".into(),
            "If that was you, set up a factor now: it counts for guarded actions after 24 hours. If it was not, somebody has the kit and \
             your password: press Not me, change the password, and replace every factor that is not yours.",
        ),
        "authority_kit.refused" => of(
            "The authority kit was used for your account",
            "Somebody showed your password and the authority kit of your tenant. They were not let in: another owner can help you.".into(),
            "If that was you, ask another owner to reset your factor. If it was not, somebody has the kit and your password: change it.",
        ),
        "recovery_codes.regenerated" => {
            of("Your recovery codes were replaced", "All recovery codes of your account were replaced by new ones.".into(), LOOK)
        }
        "password.breached" => of(
            "Your password is known from a data breach",
            "Somebody signed in to your account with its password, which is on a list of passwords that were stolen elsewhere.".into(),
            "Sign in and choose another password: until then nothing else works. Do not use the old one anywhere any more.",
        ),
        "password.changed" => of("Your password was changed", "The password of your account was changed.".into(), LOOK),
        "user.enrolment_restarted" => of(
            "Your enrolment was restarted",
            "Somebody at the server's own machine restarted the enrolment of your account. Its factors and recovery codes are gone, all of \
             its sessions ended, and a link was made that sets up a new authenticator with your password."
                .into(),
            "If you asked for that, use the link that you are handed. If you did not, press Not me: the link stops working. Then tell \
             whoever looks after the server.",
        ),
        "user.role_changed" => of(
            "Your roles changed",
            format!("Your roles are now: {}.", given(&payload["after"])),
            "If you expected other ones, ask an administrator.",
        ),
        "users.disabled" => of(
            "Your account was disabled",
            "An administrator disabled your account. All of its sessions ended.".into(),
            "Ask an administrator, if you did not expect it.",
        ),
        "user.expired" => of(
            "Your account has ended",
            "The time of your account is over. All of its sessions ended.".into(),
            "Ask an administrator, if you still need it.",
        ),
        "user.not_me" => of(
            "\"Not me\" was pressed",
            "All sessions of your account ended, and what they asked for was stopped.".into(),
            "Sign in again, choose another password, and look through your factors.",
        ),
        "factor.reset_stopped" => of(
            "The reset of your factor was stopped",
            "The reset of your factor, which an administrator asked for, will not happen.".into(),
            "If you did not stop it, tell an administrator at a number that you know.",
        ),
        "webhook.created" => of(
            "A webhook was made in your name",
            format!("The webhook {} was made. It sends what happens to {}, as far as you may see it.", text("name"), text("url")),
            "If you did not ask for it, remove it under Automation, and choose another password.",
        ),
        "webhook.paused" => match text("reason") {
            "failing" => of(
                "A webhook was paused: nothing reaches it",
                format!("Nothing reached your webhook {} for about a day. What happens waits until it goes on.", text("name")),
                "Look at its deliveries under Automation, mend its receiver, and let it go on.",
            ),
            "gone" => of(
                "A webhook was paused: its receiver is gone",
                format!("The receiver of your webhook {} answered that it is gone. What happens waits until it goes on.", text("name")),
                "Change its address, or remove it under Automation.",
            ),
            _ => None,
        },
        "client.created" => of(
            "An API client was made in your name",
            format!("The API client {} was made. It may do, within its scopes, what you may do.", text("name")),
            "If you did not ask for it, stop it under Automation, and choose another password.",
        ),
        "client.key_due" => of(
            "An API client did not replace its key",
            format!("The key of your API client {} is older than a day.", text("name")),
            "Look whether its tool still runs: half a day later the client is stopped.",
        ),
        "licence.refused" => of(
            "A tool was refused for want of a licence",
            format!("Somebody with the key of your API client {} got no access token: {}.", text("name"), text("why")),
            "If its tool did not change, somebody has a copy of its key: stop the client under Automation.",
        ),
        "client.stopped" => match text("reason") {
            "rotation_missed" => of(
                "An API client was stopped",
                format!("Your API client {} did not replace its key in time, and was stopped.", text("name")),
                "Make another one, if its tool is still needed.",
            ),
            "key_reused" => of(
                "An API client was stopped: its key was copied",
                format!("A key that your API client {} had replaced was used again: somebody has a copy of it.", text("name")),
                "Find out who had access to the machine where its tool runs before you make another one.",
            ),
            _ => None,
        },
        "connection.rotation_failed" if payload["told"] == true => match text("reason") {
            "neither" => of(
                "A credential must be replaced by hand",
                format!("The vendor behind the connection {} takes neither the old credential nor the new one.", text("name")),
                "Make a credential at the vendor, and change the connection to it under Automation.",
            ),
            _ => of(
                "A credential was not replaced",
                format!(
                    "The credential of the connection {} could not be replaced. The old one stays until a new one has proved itself.",
                    text("name")
                ),
                "It is tried again by itself. Look under Automation what the vendor says.",
            ),
        },
        _ => None,
    }
}

fn given(roles: &Value) -> String {
    let one =
        |one: &Value| format!("{} of {}", one["role_name"].as_str().unwrap_or_default(), one["scope_name"].as_str().unwrap_or_default());
    roles.as_array().map(|roles| roles.iter().map(one).collect::<Vec<_>>().join(", ")).unwrap_or_default()
}

/// The ids of the people whom an entry is about: those whom it names, else whoever did it.
pub fn about<'a>(kind: &str, payload: &'a Value, actor: Option<&'a str>) -> Vec<&'a str> {
    match kind {
        "users.disabled" => payload["users"].as_array().into_iter().flatten().filter_map(|user| user["user"].as_str()).collect(),
        "user.role_changed" => payload["user"]["user"].as_str().into_iter().collect(),
        _ => payload["user"].as_str().or(actor).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_new_is_told_of_sign_ins() {
        let payload = json!({ "address": "192.0.2.7", "user_agent": "Firefox" });
        let told = |origin| notice("session.opened", &payload, origin);
        assert_eq!((told(Origin::First), told(Origin::Known)), (None, None));
        assert_eq!(told(Origin::NewAddress).unwrap().from.unwrap(), "192.0.2.7 (Firefox)");
        assert!(told(Origin::NewDevice).unwrap().subject.contains("new device"));
    }

    #[test]
    fn a_credential_that_is_not_replaced_is_its_owners_news_now_and_then() {
        let told = |reason: &str, told: bool| {
            notice("connection.rotation_failed", &json!({ "name": "PSA", "reason": reason, "told": told }), Origin::Known)
        };
        assert_eq!(told("refused", false), None);
        assert!(told("refused", true).unwrap().what.contains("PSA"));
        assert!(told("neither", true).unwrap().what.contains("neither"));
    }

    #[test]
    fn a_few_failures_are_nobodys_concern() {
        let told = |attempts: u32| notice("sign_in.failed", &json!({ "attempts": attempts }), Origin::Known);
        assert_eq!(told(4), None);
        assert!(told(5).unwrap().what.starts_with("5 sign-ins"));
    }

    #[test]
    fn rec_11_whatever_weakens_an_account_is_told_to_its_person() {
        for kind in [
            "factor.locked",
            "factor.added",
            "factor.removed",
            "factor.copied",
            "session.two_networks",
            "recovery_code.used",
            "recovery_code.issued",
            "authority_kit.used",
            "authority_kit.refused",
            "recovery_codes.regenerated",
            "password.changed",
            "password.breached",
            "user.enrolment_restarted",
            "user.role_changed",
            "users.disabled",
            "user.expired",
            "user.not_me",
            "client.created",
            "client.key_due",
            "licence.refused",
            "webhook.created",
        ] {
            let notice = notice(kind, &json!({}), Origin::Known).unwrap_or_else(|| panic!("{kind}"));
            assert!(!notice.subject.is_empty() && !notice.next.is_empty());
        }
        assert_eq!(notice("device.tagged", &json!({}), Origin::Known), None);
    }

    #[test]
    fn a_stopped_client_is_its_owners_news_unless_a_person_stopped_it() {
        let told = |reason: &str| notice("client.stopped", &json!({ "name": "nightly", "reason": reason }), Origin::Known);
        assert!(told("key_reused").unwrap().what.contains("nightly") && told("rotation_missed").is_some());
        assert_eq!(told("by_person"), None);
        assert_eq!(about("client.stopped", &json!({ "user": "usr_1" }), Some("system")), ["usr_1"]);
    }

    #[test]
    fn a_webhook_that_nothing_reaches_is_its_owners_news_unless_a_person_paused_it() {
        let told = |reason: &str| notice("webhook.paused", &json!({ "name": "Tickets", "reason": reason }), Origin::Known);
        assert!(told("failing").unwrap().what.contains("Tickets") && told("gone").is_some());
        assert_eq!(told("by_person"), None);
        assert_eq!(about("webhook.paused", &json!({ "user": "usr_1" }), Some("system")), ["usr_1"]);
    }

    #[test]
    fn entries_are_told_to_those_whom_they_are_about() {
        assert_eq!(about("factor.added", &json!({ "factor": "f" }), Some("usr_1")), ["usr_1"]);
        assert_eq!(about("factor.locked", &json!({ "user": "usr_2" }), None), ["usr_2"]);
        let disabled = json!({ "users": [{ "user": "usr_3" }, { "user": "usr_4" }] });
        assert_eq!(about("users.disabled", &disabled, Some("usr_1")), ["usr_3", "usr_4"]);
        assert_eq!(about("user.enrolment_restarted", &json!({ "user": "usr_6" }), Some("system")), ["usr_6"]);
        assert_eq!(about("user.role_changed", &json!({ "user": { "user": "usr_5" } }), Some("usr_1")), ["usr_5"]);
    }
}
