//! An installation with one secret of each kind.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_model::RemoteSessionId;
use sallyport_server::config::RawMail;
use sallyport_testkit::browser::{self, Browser};
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::licence::{Asking, LicensedTool, shown};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::owner::{Owner, PASSWORD, token_of};
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD, activate};
use sallyport_testkit::remote::{RemoteClient, RemoteDevice};
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::super::device_codes::{self, word};
use super::super::{SCOPES, programs};
use crate::accounts::notices_begin;
use crate::remote;

pub(super) struct World {
    /// With a device that the test plays.
    pub(super) installation: remote::World,
    pub(super) tool: Tool,
    pub(super) licensed: LicensedTool,
    /// What the host's assertion is about: it is good for this one request.
    pub(super) asking: Option<Asking>,
    link: String,
    pub(super) mailed: Mailed,
    pub(super) browser: Browser,
    pub(super) key: SoftPasskey,
    /// The request that waits for its person's proof.
    pub(super) waiting: Option<String>,
    /// What a person types for a program that waits.
    typed: Option<String>,
    /// Begins the activation of a factor that was reset.
    activation: String,
    /// What a webhook's receiver compares signatures with.
    webhook: String,
    /// Another installation, which is not set up.
    pub(super) fresh: TestServer,
    /// A browser in which nobody is signed in yet.
    pub(super) elsewhere: Client,
    session: Option<RemoteSessionId>,
    /// The seed of the last machine that tried to enrol.
    pub(super) machine: u8,
}

/// What two other people got by mail.
pub(super) struct Mailed {
    /// Approves the address that one of them came from.
    pub(super) address: String,
    /// "Not me", of each: it works once.
    pub(super) notices: Vec<String>,
    server: MailServer,
}

impl Mailed {
    async fn to(people: [&str; 2], server: &TestServer, owner: &mut Owner, mails: MailServer) -> Self {
        let mut notices = Vec::new();
        let mut last = None;
        for (email, seed) in people.into_iter().zip([31, 33]) {
            let token = invited(server, owner, &mails, email).await;
            let person = activate(server, Client::new(server, seed), &token, THEIR_PASSWORD).await;
            assert_eq!(comes(&person, server, seed + 1, "127.0.0.1").await.status, 200);
            notices.push(mails.wait_for(email, "new device").await.token("not-me"));
            last = Some(person);
        }
        // Whoever is here is nowhere new.
        let here = json!([{ "label": "Office", "ranges": ["127.0.0.0/8"] }]);
        let rules = json!({ "trusted": here, "required": [], "address_verification": "on", "version": 0 });
        assert_eq!(owner.does(server, Call::new("PUT", "/v1/policy/networks").body(rules)).await.status, 200);
        let person = last.expect("somebody");
        assert_eq!(comes(&person, server, 35, "198.51.100.7").await.code(), "address_unverified");
        let address = mails.wait_for(&person.email, "new address").await.token("address");
        Self { address, notices, server: mails }
    }
}

/// Somebody signs in with another browser.
async fn comes(person: &Colleague, server: &TestServer, seed: u8, address: &str) -> Reply {
    server.clock.advance(30);
    let body = json!({ "email": person.email, "password": THEIR_PASSWORD, "code": person.code(server) });
    let call = Call::new("POST", "/v1/sign-in").body(body).header("user-agent", "Elinks/0.16");
    Client::new(server, seed).send(call.header("x-forwarded-for", address)).await
}

/// The token of the link that lets somebody in.
async fn invited(server: &TestServer, owner: &mut Owner, mails: &MailServer, email: &str) -> String {
    let asked = owner.invites(server, email, json!([{ "role": "auditor", "scope": "tenant" }]), Value::Null).await;
    assert_eq!(asked.status, 200, "{}", asked.json());
    mails.wait_for(email, "invites you").await.token("invitation")
}

/// The link that a person gets whose factor was reset. Where a reset is held, it is the same link, a day later.
async fn reset(server: &TestServer, owner: &mut Owner, mails: &MailServer, email: &str) -> String {
    let token = invited(server, owner, mails, email).await;
    let person = activate(server, Client::new(server, 37), &token, THEIR_PASSWORD).await;
    let id = person.id;
    let call = Call::new("POST", &format!("/v1/users/{id}/reset-factor")).body(json!({ "confirmed": "by_call" }));
    let done = owner.does(server, call).await;
    assert_eq!(done.status, 200, "{}", done.json());
    mails.wait_for(email, "was reset").await.token("activation")
}

impl World {
    pub(super) async fn new() -> Self {
        let mails = MailServer::start();
        let server = TestServer::configured(Engine::Sqlite, |raw| {
            raw.trusted_proxies = Some(vec!["127.0.0.1".to_owned()]);
            raw.outbound_networks = Some(vec!["127.0.0.0/8".to_owned()]);
            raw.outbound_http = Some("listed".to_owned());
            raw.mail = Some(RawMail { smtp: Some(mails.url()), from: Some("Sallyport <rmm@nordwind.example>".to_owned()) });
        });
        let mut installation = remote::World::on(server.await).await;
        let remote::World { server, owner, .. } = &mut installation;
        notices_begin(server).await;
        let mut tool = Tool::made(server, owner, 21, SCOPES).await;
        assert_eq!(tool.gets_token().await.status, 200);
        let link = invited(server, owner, &mails, "nora@nordwind.example").await;
        let licensed = LicensedTool::made(server, owner, 22, SCOPES).await;
        server.clock.advance(30);
        let (mut browser, challenge) = browser::sign_in(server, owner, 23).await;
        assert_eq!(browser.register(&challenge).await.status, 200);
        server.clock.advance(30);
        let code = owner.code(server);
        let key = SoftPasskey::added(server, &mut owner.client, &code).await;
        assert_eq!(owner.does(server, device_codes::policy("yes")).await.status, 200);
        let mailed = Mailed::to(["tara@nordwind.example", "uma@nordwind.example"], server, owner, mails).await;
        let activation = reset(server, owner, &mailed.server, "vera@nordwind.example").await;
        let hook = json!({ "name": "hook", "url": "http://127.0.0.1:9/hook", "events": ["job.finished"] });
        let made = owner.does(server, Call::new("POST", "/v1/webhooks").body(hook)).await;
        assert_eq!(made.status, 200, "{}", made.json());
        let webhook = word(&made.json()["result"], "secret").to_owned();
        let (fresh, elsewhere) = (TestServer::start().await, Client::new(server, 91));
        let (asking, waiting, typed, session) = (None, None, None, None);
        let (link, machine) = (link, 0);
        Self {
            installation,
            tool,
            licensed,
            asking,
            link,
            mailed,
            browser,
            key,
            waiting,
            typed,
            activation,
            webhook,
            fresh,
            elsewhere,
            session,
            machine,
        }
    }

    /// The owner's authenticator, a step after the code that was shown last.
    pub(super) fn code(&self) -> String {
        let remote::World { server, owner, .. } = &self.installation;
        server.clock.advance(30);
        owner.code(server)
    }

    /// The owner's fresh proof: without one nobody lets a program in.
    pub(super) async fn proves(&mut self) {
        let proof = json!({ "proof": { "totp": self.code() } });
        assert_eq!(self.installation.owner.client.post("/v1/me/elevate", proof).await.status, 200);
    }

    /// The browser whose session is bound to its device goes on working, as it would: a session that is over is answered otherwise.
    pub(super) async fn browses(&mut self) {
        self.browser.renew().await;
        assert_eq!(self.browser.page("/v1/me").await.status, 200);
    }

    /// A whole sign-in: strangers' wrong passwords are forgotten, and nobody has to wait.
    pub(super) async fn signs_in(&mut self) {
        let code = self.code();
        assert_eq!(self.installation.owner.sign_in(&mut self.elsewhere, &code).await.status, 200);
        self.signs_out().await;
    }

    pub(super) async fn signs_out(&mut self) {
        assert_eq!(self.elsewhere.post("/v1/sign-out", json!({})).await.status, 204);
    }

    /// A request of the owner's that waits for a proof.
    pub(super) async fn request(&mut self) -> String {
        let owner = &mut self.installation.owner.client;
        if let Some(path) = &self.waiting
            && owner.get(path).await.json()["state"] == "open"
        {
            return path.clone();
        }
        let site = owner.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
        let body = json!({ "label": "L", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 3600 });
        let asked = owner.post("/v1/installers", body).await;
        let path = asked.header("location").unwrap_or_else(|| panic!("{}", asked.json())).to_owned();
        self.waiting.insert(path).clone()
    }

    /// The passkey's right answer to what a door asks of it, as one word.
    pub(super) async fn passkey(&mut self, door: &str) -> String {
        let started = match door {
            "sign-in as passkey" => self.elsewhere.post("/v1/sign-in/passkey/start", json!({})).await,
            "step-up as passkey" => self.installation.owner.client.post("/v1/me/challenges", json!({ "purpose": "elevate" })).await,
            _ => {
                let path = self.request().await;
                self.installation.owner.client.post(&format!("{path}/passkey"), json!({})).await
            }
        };
        assert_eq!(started.status, 200, "{}", started.json());
        let started = started.json();
        let credential = self.key.get(&started["options"]).await;
        shown(&json!({ "ceremony": started["ceremony"], "credential": credential }).to_string())
    }

    /// A fresh one of each kind, all of them good where they belong.
    pub(super) async fn token(&mut self, kind: &str) -> String {
        assert_eq!(self.tool.gets_token().await.status, 200);
        self.asking = None;
        match kind {
            "licence" => shown(&self.licensed.file),
            "host's assertion" => {
                let asking = self.asking.insert(self.licensed.asking());
                asking.host.signs(&json!({ "typ": "sallyport-host+jwt", "alg": "ES256" }), &asking.claims.to_string())
            }
            "access token" => self.tool.token.clone(),
            "grant envelope" => shown(self.remote_session().await.0.opened["envelope"].as_str().expect("an envelope")),
            "stream ticket" => self.remote_session().await.0.ticket().to_owned(),
            "device's stream ticket" => self.remote_session().await.1.ticket,
            "device-bound session response" => {
                let challenge = self.browser.challenge().await;
                browser::jwt(&self.browser.key, &Value::Null, &challenge)
            }
            "enrolment token" => URL_SAFE_NO_PAD.encode(self.installation.file.token_secret),
            // Of the same key as the tool's, so that it is not the key that keeps it out.
            "program's token" => programs::let_in(&self.installation.server, &mut self.installation.owner.client, 21).await.token,
            "program's code" => programs::gets_code(&self.installation.server, &mut self.installation.owner.client, 21).await,
            "device code" => self.device_code().await,
            "device code's token" => {
                let code = self.device_code().await;
                let mut tool = self.without_token();
                word(&device_codes::polls(&mut tool, &code, None).await.json(), "access_token").to_owned()
            }
            "session cookie" => self.installation.owner.client.cookie.clone().expect("a cookie"),
            "client assertion" => self.tool.assertion(),
            "DPoP proof" => {
                let call = Call::new("GET", "/v1/devices");
                self.tool.wire.signed(&self.tool.proof_header(), &self.tool.proof_claims(&call))
            }
            "invitation link" => self.link.clone(),
            "address link" => self.mailed.address.clone(),
            "notice's link" => self.mailed.notices.last().cloned().unwrap_or_default(),
            "activation link" => self.activation.clone(),
            "set-up link" => token_of(&self.fresh),
            "webhook's secret" => self.webhook.clone(),
            "password" => PASSWORD.to_owned(),
            "authenticator's code" => self.code(),
            "passkey's sign-in" => self.passkey("sign-in as passkey").await,
            "passkey's step-up" => self.passkey("step-up as passkey").await,
            "passkey's approval" => self.passkey("request as passkey").await,
            "typed code" => self.typed_code().await,
            "recovery code" => self.installation.owner.recovery_codes[0].clone(),
            _ => self.tool.nonce.clone(),
        }
    }

    /// The tool's key, and nothing that it shows beside it.
    fn without_token(&self) -> Tool {
        let mut tool = self.tool.clone();
        tool.token.clear();
        tool
    }

    /// One that its person said yes to.
    async fn device_code(&mut self) -> String {
        let mut tool = self.without_token();
        let asked = device_codes::asks(&mut tool, None).await.json();
        let client = &mut self.installation.owner.client;
        assert_eq!(device_codes::allows(client, &mut self.key, word(&asked, "user_code")).await.status, 204);
        word(&asked, "device_code").to_owned()
    }

    /// One that nobody has answered yet; looking at it answers nothing.
    async fn typed_code(&mut self) -> String {
        if self.typed.is_none() {
            let asked = device_codes::asks(&mut self.without_token(), None).await.json();
            self.typed = Some(word(&asked, "user_code").to_owned());
        }
        self.typed.clone().unwrap_or_default()
    }

    /// A person has only so many sessions, and the oldest end: those of the tests above stay.
    pub(super) async fn ends_programs(&mut self) {
        let client = &mut self.installation.owner.client;
        let list = client.get("/v1/me/sessions").await.json();
        for session in list["items"].as_array().into_iter().flatten().filter(|one| one["program"].is_string()) {
            let path = format!("/v1/me/sessions/{}", word(session, "id"));
            assert_eq!(client.send(Call::new("DELETE", &path)).await.status, 204);
        }
    }

    /// A new one; the one before ends, since a device has only so many.
    async fn remote_session(&mut self) -> (RemoteClient, RemoteDevice) {
        if let Some(before) = self.session.take() {
            let ended = self.installation.owner.client.send(Call::new("DELETE", &format!("/v1/remote-sessions/{before}"))).await;
            assert_eq!(ended.status, 204, "{}", ended.json());
        }
        let (client, device) = self.installation.open("terminal").await;
        self.session = Some(client.session());
        (client, device)
    }
}
