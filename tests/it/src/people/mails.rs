//! Mail to a mail server that is not ours: read there, and its links followed.

use sallyport_server::config::RawMail;
use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::mail::{Busy, MailServer};
use sallyport_testkit::on_both;
use sallyport_testkit::owner::{EMAIL, Owner};
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD, activate};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::resets::reset;
use super::{assert_refused, post, role};
use crate::accounts::notices_begin;

on_both!(
    an_invitation_is_mailed_and_its_link_followed,
    notices_tell_what_happened_and_not_me_works_once,
    until_the_deadline_a_password_alone_reads_and_afterwards_it_opens_nothing,
    az_02_an_open_session_without_a_factor_reads_no_more_once_the_deadline_is_over_or_policy_takes_it_back,
    a_mail_waits_for_a_busy_server_and_is_given_up_where_nobody_is,
    a12_rec_10_a_held_reset_is_mailed_in_time_to_stop_it,
    rec_12_a_mailed_activation_link_works_for_two_hours_to_the_second,
    rec_11_break_glass_is_told_to_its_person_and_not_me_ends_its_link,
);

pub(crate) async fn mailing(engine: Engine) -> (TestServer, MailServer) {
    let mail = MailServer::start();
    let settings = RawMail { smtp: Some(mail.url()), from: Some("Sallyport <rmm@nordwind.example>".to_owned()) };
    (TestServer::configured(engine, |raw| raw.mail = Some(settings)).await, mail)
}

async fn an_invitation_is_mailed_and_its_link_followed(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    let reply = owner.invites(&server, "tara@nordwind.example", role("technician"), Value::Null).await;
    let result = reply.json()["result"].clone();
    assert_eq!((&result["delivery"], &result["link"]), (&json!("mail"), &Value::Null), "nobody but the mailbox sees it: {result}");
    let letter = mail.wait_for("tara@nordwind.example", "invites you").await;
    assert_eq!(letter.from, "Sallyport <rmm@nordwind.example>");
    assert!(letter.plain.contains("Amelie Winter") && letter.plain.contains("Nordwind IT"), "{}", letter.plain);
    let token = letter.token("invitation");
    let mut tara = activate(&server, Client::new(&server, 7), &token, THEIR_PASSWORD).await;
    assert_eq!(tara.client.get("/v1/devices").await.status, 200);
    let kept = server.bytes_at_rest();
    assert!(!kept.windows(token.len()).any(|window| window == token.as_bytes()), "the link lies nowhere in the clear");
    let listed = owner.client.get("/v1/mails").await.json();
    assert!(
        listed["items"].as_array().expect("a list").iter().any(|mail| mail["to"] == "tara@nordwind.example" && mail["state"] == "sent"),
        "{listed}"
    );
    assert!(!listed.to_string().contains(&token));
    // A lost phone: the new link comes by mail, and the admin never sees it.
    let reset = owner.does(&server, post(&format!("/v1/users/{}/reset-factor", tara.id), json!({ "confirmed": "by_call" }))).await;
    assert_eq!((&reset.json()["result"]["delivery"], &reset.json()["result"]["link"]), (&json!("mail"), &Value::Null));
    let letter = mail.wait_for("tara@nordwind.example", "was reset").await;
    let mut back = activate(&server, Client::new(&server, 8), &letter.token("activation"), THEIR_PASSWORD).await;
    assert_eq!(back.client.get("/v1/devices").await.status, 200);
}

async fn notices_tell_what_happened_and_not_me_works_once(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    // The log is read from where it was when the server first looked.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    let mut client = Client::new(&server, 9);
    let code = owner.code(&server);
    let call = Call::new("POST", "/v1/sign-in")
        .body(json!({ "email": EMAIL, "password": sallyport_testkit::owner::PASSWORD, "code": code }))
        .header("user-agent", "Elinks/0.16");
    assert_eq!(client.send(call).await.status, 200);
    let letter = mail.wait_for(EMAIL, "new device").await;
    assert!(letter.plain.contains("127.0.0.1 (Elinks/0.16)") && letter.plain.contains("UTC"), "{}", letter.plain);
    let token = letter.token("not-me");
    let mut stranger = Client::new(&server, 10);
    let done = stranger.post("/v1/not-me", json!({ "token": token })).await;
    assert_eq!(done.status, 200, "{}", done.json());
    for client in [&mut client, &mut owner.client] {
        assert_refused(&client.get("/v1/me").await, 401, "not_signed_in");
    }
    assert_refused(&stranger.post("/v1/not-me", json!({ "token": token })).await, 404, "link_refused");
    mail.wait_for(EMAIL, "Not me").await;
    // A recovery code and a change of roles are told too, each to whom it is about.
    server.clock.advance(30);
    let reply = sallyport_testkit::owner::sign_in(&mut stranger, EMAIL, sallyport_testkit::owner::PASSWORD, &owner.recovery_codes[0]).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    mail.wait_for(EMAIL, "recovery code").await;
    let before = mail.mails().len();
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(mail.mails().len(), before, "nothing is told twice");
}

async fn a_mail_waits_for_a_busy_server_and_is_given_up_where_nobody_is(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    mail.set_busy(Busy::Yes);
    assert_eq!(owner.invites(&server, "tara@nordwind.example", role("technician"), Value::Null).await.status, 200);
    let state = async |owner: &mut Owner, to: &str, wanted: &str| {
        let begun = std::time::Instant::now();
        loop {
            let listed = owner.client.get("/v1/mails").await.json();
            let found = listed["items"].as_array().expect("a list").iter().find(|mail| mail["to"] == to).cloned();
            if let Some(found) =
                found.filter(|found| found["state"] == wanted && found["attempts"] != json!(0) && !found["error"].is_null())
            {
                return found;
            }
            assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{listed}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let waiting = state(&mut owner, "tara@nordwind.example", "waiting").await;
    assert!(waiting["error"].as_str().expect("why").contains("come back later"), "{waiting}");
    assert_eq!(owner.client.get("/v1/policy").await.json()["mail"]["waiting"], json!(1));
    mail.set_busy(Busy::No);
    server.clock.advance(60);
    mail.wait_for("tara@nordwind.example", "invites you").await;
    assert_eq!(owner.invites(&server, "nobody@nordwind.example", role("technician"), Value::Null).await.status, 200);
    let failed = state(&mut owner, "nobody@nordwind.example", "failed").await;
    assert!(failed["error"].as_str().expect("why").contains("no such mailbox"), "{failed}");
}

async fn rec_11_break_glass_is_told_to_its_person_and_not_me_ends_its_link(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    Owner::set_up(&server).await;
    notices_begin(&server).await;
    let link = sallyport_server::restart_enrolment(server.app.config.clone(), server.outside(), EMAIL).await.expect("a link");
    let (_, token) = link.split_once('#').expect("behind #");
    let letter = mail.wait_for(EMAIL, "enrolment was restarted").await;
    assert!(letter.plain.contains("server's own machine") && letter.plain.contains("Not me"), "{}", letter.plain);
    assert!(!letter.plain.contains(token) && !letter.html.contains(token), "the link is handed over, and not mailed");
    let mut person = Client::new(&server, 9);
    assert_eq!(person.post("/v1/invitations/look", json!({ "token": token })).await.status, 200, "the control");
    let done = person.post("/v1/not-me", json!({ "token": letter.token("not-me") })).await;
    assert_eq!(done.status, 200, "{}", done.json());
    assert_refused(&person.post("/v1/invitations/look", json!({ "token": token })).await, 404, "link_refused");
}

async fn a12_rec_10_a_held_reset_is_mailed_in_time_to_stop_it(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    let mut ada = invited(&server, &mail, &mut owner, "ada@nordwind.example", "admin").await;
    let held = owner.does(&server, reset(&ada.id)).await;
    assert_eq!(held.json()["result"]["kind"], "reset_held", "{}", held.json());
    let letter = mail.wait_for(&ada.email, "will be reset tomorrow").await;
    let until = held.json()["result"]["until"].as_str().expect("a time").replace('T', " ");
    for part in ["Amelie Winter asked", &until[..16], "press Stop the reset"] {
        assert!(letter.plain.contains(part), "{part}: {}", letter.plain);
    }
    assert!(!letter.plain.contains("/activation#"), "nobody gets a link before the day is over");
    assert_eq!(ada.client.get("/v1/me").await.json()["held_reset"]["by"], "Amelie Winter");
    assert_eq!(ada.client.send(Call::new("DELETE", "/v1/me/held-reset")).await.status, 204);
    mail.wait_for(&ada.email, "reset of your factor was stopped").await;
    assert!(mail.mails().iter().all(|letter| !letter.subject.contains("was reset")), "it did not happen");
    assert_eq!(ada.client.get("/v1/users").await.status, 200);
}

/// Somebody who followed their mailed invitation.
pub(super) async fn invited(server: &TestServer, mail: &MailServer, owner: &mut Owner, email: &str, word: &str) -> Colleague {
    let reply = owner.invites(server, email, role(word), Value::Null).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let token = mail.wait_for(email, "invites you").await.token("invitation");
    activate(server, Client::new(server, 7), &token, THEIR_PASSWORD).await
}

/// An account with a password and no factor: its factor was reset, and the link not used yet.
async fn factorless(server: &TestServer, mail: &MailServer, owner: &mut Owner) -> String {
    let tara = invited(server, mail, owner, "tara@nordwind.example", "technician").await;
    let reset = owner.does(server, reset(&tara.id)).await;
    assert_eq!(reset.status, 200, "{}", reset.json());
    tara.id
}

async fn rec_12_a_mailed_activation_link_works_for_two_hours_to_the_second(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    factorless(&server, &mail, &mut owner).await;
    let token = mail.wait_for("tara@nordwind.example", "was reset").await.token("activation");
    let mut client = Client::new(&server, 9);
    let start = json!({ "token": token, "password": THEIR_PASSWORD });
    server.clock.advance(7199);
    assert_eq!(client.post("/v1/invitations/start", start.clone()).await.status, 200, "a second before its end");
    server.clock.advance(1);
    assert_refused(&client.post("/v1/invitations/look", json!({ "token": token })).await, 404, "link_refused");
    assert_refused(&client.post("/v1/invitations/start", start).await, 404, "link_refused");
}

async fn until_the_deadline_a_password_alone_reads_and_afterwards_it_opens_nothing(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    factorless(&server, &mail, &mut owner).await;
    let mut client = Client::new(&server, 9);
    let sign_in = || post("/v1/sign-in", json!({ "email": "tara@nordwind.example", "password": THEIR_PASSWORD, "code": "" }));
    assert_refused(&client.send(sign_in()).await, 401, "sign_in_refused");
    let deadline = sallyport_server::clock::Clock::now(&server.clock).plus_secs(3600);
    let policy = json!({ "who": "all", "roles": [], "deadline": deadline, "factorless": "yes" });
    assert_eq!(owner.does(&server, Call::new("PUT", "/v1/policy/mfa").body(policy)).await.status, 200);
    assert_eq!(client.send(sign_in()).await.status, 200);
    let me = client.get("/v1/me").await.json();
    assert_eq!(
        (&me["session"]["stage"], &me["mfa"]["state"], &me["mfa"]["may_postpone"]),
        (&json!("factorless"), &json!("required"), &json!(true)),
        "{me}"
    );
    assert_eq!(client.get("/v1/devices").await.status, 200, "it reads");
    assert_refused(&client.post("/v1/jobs", json!({})).await, 403, "factor_required");
    assert_refused(&client.post("/v1/me/recovery-codes", json!({})).await, 403, "factor_required");
    server.clock.advance(600);
    let before = mail.mails().len();
    let reply = client.post("/v1/me/activation/mail", json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert_eq!(reply.json()["to"], json!("t...@nordwind.example"));
    let letter = mail.wait_for("tara@nordwind.example", "Activate your second factor").await;
    let sent = mail.mails().len();
    assert!(sent > before);
    assert_eq!(client.post("/v1/me/activation/mail", json!({})).await.status, 200, "the first one is on its way");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(mail.mails().len(), sent, "nobody's mailbox is filled by asking again");
    // After the deadline the answer is that of every failure, and a link comes by mail.
    server.clock.advance(3600);
    assert_refused(&client.send(sign_in()).await, 401, "sign_in_refused");
    let begun = std::time::Instant::now();
    let second = loop {
        let found = mail.mails().into_iter().rfind(|mail| mail.subject.contains("Activate your second factor")).expect("one");
        if found.plain != letter.plain {
            break found;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "no second link came");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let mut back = activate(&server, Client::new(&server, 10), &second.token("activation"), THEIR_PASSWORD).await;
    assert_eq!(back.client.get("/v1/me").await.json()["mfa"]["state"], json!("active"));
    server.clock.advance(30);
    assert_refused(&client.send(sign_in()).await, 401, "sign_in_refused");
}

async fn az_02_an_open_session_without_a_factor_reads_no_more_once_the_deadline_is_over_or_policy_takes_it_back(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    factorless(&server, &mail, &mut owner).await;
    let deadline = sallyport_server::clock::Clock::now(&server.clock).plus_secs(900);
    let policy = |deadline: Value, factorless: &str| {
        let body = json!({ "who": "all", "roles": [], "deadline": deadline, "factorless": factorless });
        Call::new("PUT", "/v1/policy/mfa").body(body)
    };
    let sign_in = || post("/v1/sign-in", json!({ "email": "tara@nordwind.example", "password": THEIR_PASSWORD, "code": "" }));
    for over in ["the policy", "the deadline"] {
        assert_eq!(owner.does(&server, policy(json!(deadline), "yes")).await.status, 200);
        let mut client = Client::new(&server, 9);
        assert_eq!(client.send(sign_in()).await.status, 200);
        assert_eq!(client.get("/v1/devices").await.status, 200, "the control: it reads");
        let events = Call::new("GET", "/v1/events").header("accept", "text/event-stream");
        let mut stream = crate::accounts::networks::open_stream(&mut client, events).await;
        match over {
            "the policy" => assert_eq!(owner.does(&server, policy(json!(null), "no")).await.status, 200),
            _ => server.clock.advance(900),
        }
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(std::time::Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        ended.unwrap_or_else(|_| panic!("{over}: the stream ended")).expect("it was open");
        assert_refused(&client.get("/v1/devices").await, 403, "factor_required");
        let me = client.get("/v1/me").await.json();
        assert_eq!((&me["mfa"]["state"], &me["mfa"]["may_postpone"]), (&json!("required"), &json!(false)), "{over}: {me}");
        assert_eq!(client.post("/v1/me/activation/mail", json!({})).await.status, 200, "{over}: the way on is open");
        assert_eq!(client.post("/v1/sign-out", json!({})).await.status, 204, "{over}: and the way out");
    }
}
