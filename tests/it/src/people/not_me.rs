//! What is said after "Not me" is true: each way back in that it names is gone, and every other one is closed.

use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::on_both;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD, activate};
use sallyport_testkit::server::{Engine, TestServer};
use serde_json::{Value, json};

use super::mails::{invited, mailing};
use super::resets::reset;
use super::{assert_refused, post, role};
use crate::accounts::notices_begin;

on_both!(
    rec_08_after_not_me_whoever_has_a_factor_signs_in_with_it,
    rec_08_after_not_me_without_a_factor_a_new_link_comes_by_mail_and_the_old_one_is_dead,
    rec_08_after_not_me_without_a_factor_or_mail_an_administrator_is_asked,
    rec_08_after_not_me_whoever_was_never_active_is_invited_anew,
);

const TARA: &str = "tara@nordwind.example";

/// Somebody who was told of something, and so has the link to "Not me".
struct Told {
    server: TestServer,
    mail: MailServer,
    owner: Owner,
    tara: Colleague,
    token: String,
}

impl Told {
    async fn new(engine: Engine) -> Self {
        let (server, mail) = mailing(engine).await;
        let mut owner = Owner::set_up(&server).await;
        notices_begin(&server).await;
        let tara = invited(&server, &mail, &mut owner, TARA, "technician").await;
        let token = new_roles(&server, &mail, &mut owner, &tara.id).await;
        Self { server, mail, owner, tara, token }
    }

    /// The link that a reset mailed, in place of all factors.
    async fn is_reset(&mut self) -> String {
        let done = self.owner.does(&self.server, reset(&self.tara.id)).await;
        assert_eq!(done.status, 200, "{}", done.json());
        self.mail.wait_for(TARA, "was reset").await.token("activation")
    }

    /// What it says to do next.
    async fn presses(&self) -> String {
        let done = Client::new(&self.server, 40).post("/v1/not-me", json!({ "token": self.token })).await;
        assert_eq!(done.status, 200, "{}", done.json());
        done.json()["next"].as_str().expect("a text").to_owned()
    }

    async fn signs_in_with_the_password_alone(&self, client: &mut Client) -> Reply {
        client.send(post("/v1/sign-in", json!({ "email": TARA, "password": THEIR_PASSWORD, "code": "" }))).await
    }
}

/// Gives somebody another role, and takes the link out of the letter that tells them.
async fn new_roles(server: &TestServer, mail: &MailServer, owner: &mut Owner, user: &str) -> String {
    let assignments = json!({ "assignments": role("auditor") });
    let changed = owner.does(server, post(&format!("/v1/users/{user}/assignments"), assignments)).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    mail.wait_for(TARA, "Your roles changed").await.token("not-me")
}

/// The link of an invitation that came after a former one.
async fn newer(mail: &MailServer, former: &str) -> String {
    let begun = std::time::Instant::now();
    loop {
        let token = mail.wait_for(TARA, "invites you").await.token("invitation");
        if token != former {
            return token;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "no other invitation came");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn rec_08_after_not_me_whoever_has_a_factor_signs_in_with_it(engine: Engine) {
    let told = Told::new(engine).await;
    let next = told.presses().await;
    assert!(next.starts_with("Sign in again with your password and your factor."), "{next}");
    told.server.clock.advance(30);
    let mut client = Client::new(&told.server, 41);
    assert_refused(&told.signs_in_with_the_password_alone(&mut client).await, 401, "sign_in_refused");
    assert_eq!(told.tara.sign_in(&mut client, &told.server).await.status, 200, "it is as it says");
}

async fn rec_08_after_not_me_without_a_factor_a_new_link_comes_by_mail_and_the_old_one_is_dead(engine: Engine) {
    let mut told = Told::new(engine).await;
    let former = told.is_reset().await;
    let mut client = Client::new(&told.server, 41);
    assert_eq!(client.post("/v1/invitations/look", json!({ "token": former })).await.status, 200, "the control");
    let next = told.presses().await;
    assert!(!next.contains("and your factor") && next.contains("no second factor now"), "{next}");
    assert!(next.contains("it opens nothing, but a new link comes by mail"), "{next}");
    assert_refused(&client.post("/v1/invitations/look", json!({ "token": former })).await, 404, "link_refused");
    assert_refused(&told.signs_in_with_the_password_alone(&mut client).await, 401, "sign_in_refused");
    let letter = told.mail.wait_for(TARA, "Activate your second factor").await;
    let mut back = activate(&told.server, client, &letter.token("activation"), THEIR_PASSWORD).await;
    assert_eq!(back.client.get("/v1/devices").await.status, 200, "it is as it says");
}

/// Where a password alone still reads, it says that too.
#[tokio::test]
async fn rec_08_after_not_me_while_a_password_alone_reads_it_says_where_to_press() {
    let mut told = Told::new(Engine::Sqlite).await;
    told.is_reset().await;
    let deadline = sallyport_server::clock::Clock::now(&told.server.clock).plus_secs(3600);
    let policy = json!({ "who": "all", "roles": [], "deadline": deadline, "factorless": "yes" });
    assert_eq!(told.owner.does(&told.server, Call::new("PUT", "/v1/policy/mfa").body(policy)).await.status, 200);
    let next = told.presses().await;
    assert!(next.contains("Sign in with your password alone and press Activate now"), "{next}");
    let mut client = Client::new(&told.server, 41);
    assert_eq!(told.signs_in_with_the_password_alone(&mut client).await.status, 200);
    assert_eq!(client.post("/v1/me/activation/mail", json!({})).await.status, 200);
    let letter = told.mail.wait_for(TARA, "Activate your second factor").await;
    activate(&told.server, client, &letter.token("activation"), THEIR_PASSWORD).await;
}

async fn rec_08_after_not_me_without_a_factor_or_mail_an_administrator_is_asked(engine: Engine) {
    let mut told = Told::new(engine).await;
    told.is_reset().await;
    // The next life of the server has no mail.
    told.server = told.server.restart().await;
    told.owner.client = told.owner.client.at(&told.server);
    let next = told.presses().await;
    assert!(next.contains("no second factor now") && next.contains("Ask an administrator for a new one."), "{next}");
    let mut client = Client::new(&told.server, 41);
    assert_refused(&told.signs_in_with_the_password_alone(&mut client).await, 401, "sign_in_refused");
    let resent = told.owner.client.post(&format!("/v1/users/{}/resend-invitation", told.tara.id), json!({})).await.json();
    let token = resent["link"].as_str().expect("a link to hand over").split_once('#').expect("behind #").1.to_owned();
    activate(&told.server, client, &token, THEIR_PASSWORD).await;
}

async fn rec_08_after_not_me_whoever_was_never_active_is_invited_anew(engine: Engine) {
    let (server, mail) = mailing(engine).await;
    let mut owner = Owner::set_up(&server).await;
    notices_begin(&server).await;
    let made = owner.invites(&server, TARA, role("technician"), Value::Null).await.json();
    let former = mail.wait_for(TARA, "invites you").await.token("invitation");
    let user = made["result"]["user"].as_str().expect("an id").to_owned();
    let token = new_roles(&server, &mail, &mut owner, &user).await;
    let mut client = Client::new(&server, 41);
    let done = client.post("/v1/not-me", json!({ "token": token })).await;
    let next = done.json()["next"].as_str().expect("a text").to_owned();
    assert_eq!(next, "Your account was never activated, and its invitation is dead. Ask an administrator for a new one.");
    assert_refused(&client.post("/v1/invitations/look", json!({ "token": former })).await, 404, "link_refused");
    assert_eq!(owner.client.post(&format!("/v1/users/{user}/resend-invitation"), json!({})).await.status, 200);
    let again = newer(&mail, &former).await;
    activate(&server, client, &again, THEIR_PASSWORD).await;
    server.clock.advance(30);
    let disabled = owner.does(&server, post("/v1/users/disable", json!({ "users": [user] }))).await;
    assert_eq!(disabled.status, 200, "{}", disabled.json());
    let letter = mail.wait_for(TARA, "Your account was disabled").await;
    let done = Client::new(&server, 42).post("/v1/not-me", json!({ "token": letter.token("not-me") })).await;
    assert_eq!(done.json()["next"], "Your account is disabled. Talk to an administrator.", "{}", done.json());
}
