//! The ways in from a terminal of somebody whose factor is lost, or was never there.

use sallyport_model::limits;
use sallyport_server::clock::Clock as _;
use sallyport_server::config::RawMail;
use sallyport_testkit::authenticators::{Authenticators, STEP_SECS};
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::owner::{EMAIL, PASSWORD, oathtool};
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD, activate};
use serde_json::{Value, json};

use super::command_line::{Bench, enrols};
use super::role;
use crate::accounts::towns;
use crate::cli::{Desk, text};

/// Signs the owner in with the password and a code of some kind: what was said.
fn enters(desk: &Desk, exit: i32, code: &str) -> String {
    let origin = desk.server.app.config.origin().to_owned();
    let done = desk.run(&["login", &origin, "--email", EMAIL, "--password-stdin", "--code-stdin"], &format!("{PASSWORD}\n{code}\n"));
    let said = text(&done.stdout) + &text(&done.stderr);
    assert_eq!(done.status.code(), Some(exit), "{said}");
    said
}

fn factor<'a>(factors: &'a Value, name: &str) -> &'a Value {
    factors.as_array().and_then(|all| all.iter().find(|one| one["name"] == name)).unwrap_or_else(|| panic!("{name}: {factors}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn rec_05_a_lost_phone_is_replaced_at_a_terminal_and_the_used_recovery_code_too() {
    let desk = Desk::begun(0).await;
    let used = desk.owner.recovery_codes[0].clone();
    let said = enters(&desk, 0, &used);
    assert!(said.contains("recovery codes  9 left"), "{said}");
    assert!(said.contains("does one thing") && said.contains("sallyport factors add NAME"), "{said}");
    assert!(desk.says(2, &["devices"]).contains("session_restricted"), "it reads nothing");
    let enrolling = enrols(&desk, &["factors", "add", "New phone", "--code-stdin"], "");
    let shown = text(&enrolling.done.stdout);
    assert!(enrolling.done.status.success(), "{shown}{}", enrolling.told);
    assert!(shown.contains("For guarded actions it counts after 24 hours") && shown.contains("off this computer"), "{shown}");
    assert!(shown.contains("sallyport login --terminal http"), "{shown}");
    let fresh = shown.lines().skip_while(|line| !line.contains("shown once")).nth(1).expect("a code").to_owned();
    assert!(fresh.len() == used.len() && !desk.owner.recovery_codes.contains(&fresh), "{shown}");
    assert_eq!((shown.matches(&fresh).count(), enrolling.told.contains(&fresh)), (1, false), "once, and in one place");
    let me = desk.json(&["whoami"], "");
    assert_eq!((&me["recovery_codes_left"], &me["session"]["stage"]), (&json!(10), &json!("restricted")), "{me}");
    desk.server.clock.advance(STEP_SECS);
    let said = enters(&desk, 0, &oathtool(&enrolling.secret, desk.server.clock.now()));
    assert!(said.contains("recovery codes  10 left") && !said.contains("does one thing"), "{said}");
    let factors = desk.json(&["factors"], "");
    assert!(factor(&factors, "New phone")["last_used"].is_string(), "{factors}");
    let listed = desk.says(0, &["factors"]);
    let row = listed.lines().find(|line| line.starts_with("New phone")).expect("a row");
    assert!(row.contains("authenticator app  counts for guarded actions in") && row.contains(" s ago "), "{listed}");
    assert!(enters(&desk, 0, &fresh).contains("recovery codes  9 left"), "the new one signs in");
    enters(&desk, 2, &used);
}

const HOME: &str = "192.0.2.7";
const AWAY: &str = "198.51.100.7";

/// An owner at a terminal of a server that sends mail, knows places, and believes what loopback says of where requests come from.
async fn mailing(before_secs: i64) -> (Desk, MailServer) {
    let mail = MailServer::start();
    let settings = RawMail { smtp: Some(mail.url()), from: Some("Sallyport <rmm@nordwind.example>".into()) };
    let desk = Desk::configured(before_secs, |raw| {
        raw.mail = Some(settings);
        raw.trusted_proxies = Some(vec!["127.0.0.1".into()]);
        raw.place_database = Some(towns());
    });
    (desk.await, mail)
}

async fn invited(desk: &mut Desk, mail: &MailServer, seed: u8, name: &str, word: &str) -> Colleague {
    let email = format!("{name}@nordwind.example");
    let reply = desk.owner.invites(&desk.server, &email, role(word), Value::Null).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let token = mail.wait_for(&email, "invites you").await.token("invitation");
    activate(&desk.server, Client::new(&desk.server, seed), &token, THEIR_PASSWORD).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mailed_is_followed_from_a_terminal() {
    // Two colleagues, two authenticators, a reset, and the time after which a further link is mailed.
    let reset_secs = limits::ACTIVATION_MAIL_SECS;
    let (mut desk, mail) = mailing(3 * STEP_SECS + Authenticators::ADDED_IN_SECS + reset_secs).await;
    let tara = invited(&mut desk, &mail, 7, "tara", "technician").await;
    let ada = invited(&mut desk, &mail, 8, "ada", "admin").await;
    let reset = Call::new("POST", &format!("/v1/users/{}/reset-factor", tara.id)).body(json!({ "confirmed": "by_call" }));
    assert_eq!(desk.owner.does(&desk.server, reset).await.status, 200);
    desk.server.clock.advance(reset_secs);
    let bench = Bench::at(desk).await;
    a_role_must_have_a_factor_by_a_day(&bench, &tara, &ada);
    activates_by_mail(&bench, &mail, &tara).await;
    stops_a_reset(&bench, &ada);
    lists_mails(&bench);
    verifies_addresses(&bench, &mail).await;
}

/// Runs as a colleague, who has a session of their own.
fn as_colleague(bench: &Bench, exit: i32, name: &str, line: &[&str]) -> String {
    bench.desk.says(exit, &[line, &["--session", &format!("{name}.json")]].concat())
}

fn colleague_enters(bench: &Bench, name: &str, code: &str) -> String {
    let (origin, email) = (bench.desk.server.app.config.origin().to_owned(), format!("{name}@nordwind.example"));
    let session = format!("{name}.json");
    let line = ["login", &origin, "--email", &email, "--password-stdin", "--code-stdin", "--session", &session];
    let done = bench.desk.run(&line, &format!("{THEIR_PASSWORD}\n{code}\n"));
    let said = text(&done.stdout) + &text(&done.stderr);
    assert!(done.status.success(), "{said}");
    said
}

/// A policy by role, set and seen to hold: the technician reads until a day and is told so, others are not asked.
fn a_role_must_have_a_factor_by_a_day(bench: &Bench, tara: &Colleague, ada: &Colleague) {
    let required = |email: &str| bench.reads(&["users", "show", email])["user"]["mfa_required_by"].clone();
    bench.does(&["policy", "mfa", "--who", "roles", "--role", "auditor", "--factorless", "yes"]);
    assert_eq!((required(&tara.email), required(&ada.email)), (Value::Null, json!("role")), "whoever manages others always must");
    let day: String = bench.desk.server.clock.now().plus_secs(9 * 86_400).to_string().chars().take(10).collect();
    bench.does(&["policy", "mfa", "--role", "technician", "--deadline", &day]);
    assert_eq!(required(&tara.email), "role");
    assert!(bench.desk.says(0, &["policy"]).contains("owners, administrators, technician must have a factor"));
    assert!(bench.desk.says(0, &["users", "show", &tara.email]).contains("second factor  required (a role requires one)"));
    let said = bench.desk.says(2, &["users", "pause-verification", &tara.email, "--hours", "1"]);
    assert!(said.contains("Only for users who have a factor"), "{said}");
    let said = colleague_enters(bench, "tara", "");
    assert!(said.contains(&format!("You must set up a second factor by {day} (in ")), "{said}");
    assert!(said.contains("This session reads only") && said.contains("sallyport activate"), "{said}");
    let acts = as_colleague(bench, 2, "tara", &["factors", "recovery-codes", "--yes"]);
    assert!(acts.contains("code factor_required") && acts.contains("Set one up with `sallyport activate`"), "{acts}");
}

async fn activates_by_mail(bench: &Bench, mail: &MailServer, tara: &Colleague) {
    let said = as_colleague(bench, 0, "tara", &["activate"]);
    assert!(said.contains("on its way to t...@nordwind.example") && said.contains("sallyport activate --link"), "{said}");
    let token = mail.wait_for(&tara.email, "Activate your second factor").await.token("activation");
    let link = format!("{}/activation#{token}", bench.desk.server.app.config.origin());
    let line = ["activate", "--link", "--stdin", "--session", "tara.json"];
    let enrolling = enrols(&bench.desk, &line, &format!("{link}\n{THEIR_PASSWORD}"));
    let shown = text(&enrolling.done.stdout);
    assert!(enrolling.done.status.success() && shown.contains("off this computer"), "{shown}{}", enrolling.told);
    assert!(enrolling.told.contains("A phone is better than an app on this computer"), "{}", enrolling.told);
    let me = bench.desk.json(&["whoami", "--session", "tara.json"], "");
    let state = (&me["session"]["stage"], &me["mfa"]["state"], &me["recovery_codes_left"]);
    assert_eq!(state, (&json!("full"), &json!("active"), &json!(10)), "{me}");
    let again = bench.desk.run(&line, &format!("{link}\n"));
    assert!(again.status.code() == Some(2) && text(&again.stderr).contains("link_refused"), "once: {}", text(&again.stderr));
}

/// The factor of somebody who manages others waits a day where there is no second person, and they stop it.
fn stops_a_reset(bench: &Bench, ada: &Colleague) {
    let held = bench.does_and_says(&["users", "reset-factor", &ada.email, "--confirmed", "in-person"]);
    assert!(held.contains("24 h, in which the user can stop it") && held.contains("There is no second person: it happens in"), "{held}");
    let said = colleague_enters(bench, "ada", &ada.code(&bench.desk.server));
    assert!(said.contains("asked to take your factors away; it happens in") && said.contains("sallyport factors stop-reset"), "{said}");
    assert!(as_colleague(bench, 0, "ada", &["factors", "stop-reset"]).contains("Stopped: your factor stays."));
    assert!(!as_colleague(bench, 0, "ada", &["whoami"]).contains("take your factors away"));
}

fn lists_mails(bench: &Bench) {
    let said = bench.desk.says(0, &["mails"]);
    let row = said.lines().find(|line| line.starts_with("ada@nordwind.example") && line.contains("invites you")).expect("a row");
    assert!(row.contains("  sent  ") && said.contains("Activate your second factor"), "{said}");
    assert_eq!(bench.reads(&["mails", "--limit", "1"]).as_array().map(Vec::len), Some(1));
}

/// Signs the owner in with a browser elsewhere.
async fn from(bench: &Bench, seed: u8, address: &str) -> Reply {
    let body = json!({ "email": EMAIL, "password": PASSWORD, "code": bench.code() });
    Client::new(&bench.desk.server, seed).send(Call::new("POST", "/v1/sign-in").body(body).header("x-forwarded-for", address)).await
}

/// New addresses want a mailed link; what was approved is listed with its place, taken back, and paused for a while.
async fn verifies_addresses(bench: &Bench, mail: &MailServer) {
    bench.does(&["networks", "verification", "on"]);
    assert!(bench.desk.says(0, &["networks"]).contains("a mailed link or a passkey"));
    assert!(bench.desk.says(0, &["factors", "addresses"]).contains("No address was approved"));
    assert_eq!(from(bench, 21, HOME).await.code(), "address_unverified");
    let token = mail.wait_for(EMAIL, "Is this you?").await.token("address");
    let approved = Client::new(&bench.desk.server, 22).post("/v1/addresses/approve", json!({ "token": token })).await;
    assert_eq!(approved.status, 204);
    assert_eq!(from(bench, 23, HOME).await.status, 200);
    let said = bench.desk.says(0, &["factors", "addresses"]);
    assert!(said.lines().any(|line| line.starts_with(HOME) && line.contains("  Porto, Portugal  ")), "{said}");
    let said = bench.desk.says(0, &["sessions"]);
    assert!(said.contains("192.0.2.7, Porto, Portugal  "), "{said}");
    assert!(bench.desk.says(0, &["factors", "forget-address", HOME]).contains("192.0.2.7 is approved no longer"));
    assert_eq!(bench.reads(&["factors", "addresses"]), json!([]));
    assert_eq!(from(bench, 24, HOME).await.code(), "address_unverified");
    let said = bench.desk.says(0, &["users", "pause-verification", EMAIL, "--hours", "1"]);
    assert!(said.contains("are not verified; that ends by itself in"), "{said}");
    assert_eq!(from(bench, 25, AWAY).await.status, 200, "paused");
    assert!(bench.desk.says(0, &["users", "pause-verification", EMAIL, "--hours", "0"]).contains("are verified"));
}
