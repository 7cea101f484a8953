//! A17: every secret at every door. The whole table is a reviewed snapshot, `docs/snapshots/tokens.txt`, written with `SALLYPORT_WRITE_TOKENS=1`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_model::RemoteSessionId;
use sallyport_server::config::RawMail;
use sallyport_testkit::browser::{self, Browser};
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::licence::{Asking, LicensedTool, shown};
use sallyport_testkit::mail::MailServer;
use sallyport_testkit::owner::Owner;
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD, activate};
use sallyport_testkit::remote::{PROGRAM, RemoteClient, RemoteDevice, dial};
use sallyport_testkit::rogue::{File, Rogue};
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::{ASSERTION_TYPE, Tool, posted};
use sallyport_wire::DeviceState;
use serde_json::{Value, json};

use super::device_codes::{self, word};
use super::{SCOPES, programs};
use crate::accounts::notices_begin;
use crate::remote;

/// What stands above the table.
const HEAD: &str = "\
# Secrets that the server gives or is shown, each at its doors. 200 is let in, 101 is a stream that begins, pending is a device that was
# enrolled and unknown one that was not. There are no id tokens and no refresh tokens: the server issues none, and no door takes one.
# A grant is for its device alone, which checks it: it opens nothing here.
";

/// What is shown at the doors.
const TOKENS: [&str; 20] = [
    "access token",
    "program's token",
    "program's code",
    "device code",
    "device code's token",
    "session cookie",
    "client assertion",
    "DPoP proof",
    "invitation link",
    "address link",
    "notice's link",
    "recovery code",
    "nonce",
    "licence",
    "host's assertion",
    "grant envelope",
    "device-bound session response",
    "stream ticket",
    "device's stream ticket",
    "enrolment token",
];

/// Where it is shown.
const DOORS: [&str; 17] = [
    "API as DPoP token",
    "API as bearer token",
    "API as cookie",
    "API as proof",
    "token endpoint as assertion",
    "token endpoint as code",
    "polling as device code",
    "token endpoint as licence",
    "token endpoint as host",
    "revocation as assertion",
    "invitation as link",
    "address as link",
    "not me as link",
    "client stream",
    "device stream",
    "device session renewal",
    "enrolment",
];

struct World {
    /// With a device that the test plays.
    installation: remote::World,
    tool: Tool,
    licensed: LicensedTool,
    /// What the host's assertion is about: it is good for this one request.
    asking: Option<Asking>,
    link: String,
    mailed: Mailed,
    browser: Browser,
    key: SoftPasskey,
    session: Option<RemoteSessionId>,
    /// The seed of the last machine that tried to enrol.
    machine: u8,
}

/// What two other people got by mail.
struct Mailed {
    /// Approves the address that one of them came from.
    address: String,
    /// "Not me", of each: it works once.
    notices: Vec<String>,
    _server: MailServer,
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
        let rules = json!({ "trusted": [], "required": [], "address_verification": "on", "version": 0 });
        assert_eq!(owner.does(server, Call::new("PUT", "/v1/policy/networks").body(rules)).await.status, 200);
        let person = last.expect("somebody");
        assert_eq!(comes(&person, server, 35, "198.51.100.7").await.code(), "address_unverified");
        let address = mails.wait_for(&person.email, "new address").await.token("address");
        Self { address, notices, _server: mails }
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

impl World {
    async fn new() -> Self {
        let mails = MailServer::start();
        let server = TestServer::configured(Engine::Sqlite, |raw| {
            raw.trusted_proxies = Some(vec!["127.0.0.1".to_owned()]);
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
        Self { installation, tool, licensed, asking: None, link, mailed, browser, key, session: None, machine: 0 }
    }

    /// The owner's fresh proof: without one nobody lets a program in.
    async fn proves(&mut self) {
        let remote::World { server, owner, .. } = &mut self.installation;
        server.clock.advance(30);
        let proof = json!({ "proof": { "totp": owner.code(server) } });
        assert_eq!(owner.client.post("/v1/me/elevate", proof).await.status, 200);
    }

    /// A fresh one of each kind, all of them good where they belong.
    async fn token(&mut self, kind: &str) -> String {
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

    /// A person has only so many sessions, and the oldest end: those of the tests above stay.
    async fn ends_programs(&mut self) {
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

    async fn answer(&mut self, shown: &str, door: &str) -> String {
        let devices = Call::new("GET", "/v1/devices");
        let reply = match door {
            "API as DPoP token" | "API as bearer token" => {
                let scheme = if door.ends_with("DPoP token") { "DPoP" } else { "Bearer" };
                let mut tool = self.tool.clone();
                shown.clone_into(&mut tool.token);
                let call = devices.header("authorization", &format!("{scheme} {shown}"));
                let proof = tool.wire.signed(&tool.proof_header(), &tool.proof_claims(&call));
                tool.sends_with(&call, &proof).await
            }
            "API as cookie" => {
                let mut browser = self.installation.owner.client.clone();
                browser.cookie = Some(shown.to_owned());
                browser.send(devices).await
            }
            "API as proof" => {
                let call = devices.header("authorization", &format!("DPoP {}", self.tool.token));
                self.tool.wire.send_with(&call, Some(shown)).await
            }
            "token endpoint as assertion" => {
                self.tool.token.clear();
                self.tool.attempts(&Tool::token_call(shown), |_, _| {}).await
            }
            "token endpoint as code" => {
                self.tool.token.clear();
                self.tool.attempts(&programs::shows_code(shown), |_, _| {}).await
            }
            "polling as device code" => {
                self.tool.token.clear();
                self.tool.attempts(&device_codes::polled(shown), |_, _| {}).await
            }
            "token endpoint as licence" => self.licensed.asks(|asking| asking.licence = Some(shown.to_owned())).await,
            "token endpoint as host" => {
                let about = self.asking.take().unwrap_or_else(|| self.licensed.asking());
                self.licensed.asks(|asking| *asking = Asking { instead: Some(shown.to_owned()), ..about }).await
            }
            "client stream" => return self.streams("/v1/remote-sessions/stream", shown, PROGRAM).await,
            "device stream" => return self.streams("/agent/stream", shown, &[]).await,
            "enrolment" => return self.enrols(shown).await,
            "device session renewal" => self.browser.own(browser::RENEW, Some(shown)).await,
            "revocation as assertion" => {
                let fields = [("token", "x"), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", shown)];
                self.tool.wire.send_with(&posted("/v1/oauth/revoke", &fields), None).await
            }
            door => {
                let path = match door {
                    "invitation as link" => "/v1/invitations/look",
                    "address as link" => "/v1/addresses/look",
                    _ => "/v1/not-me",
                };
                let reply = Client::new(&self.installation.server, 90).post(path, json!({ "token": shown })).await;
                if path == "/v1/not-me" {
                    // It works once; the next door is shown that of somebody else.
                    self.mailed.notices.retain(|notice| notice != shown);
                }
                reply
            }
        };
        let body = reply.json();
        let why = body["code"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned();
        format!("{} {why}", reply.status).trim_end().to_owned()
    }

    async fn streams(&self, path: &str, shown: &str, headers: &[(&str, &str)]) -> String {
        match dial(&self.installation.server, path, shown, headers).await {
            Ok(_) => "101".to_owned(),
            Err(refused) => format!("{} {}", refused.status, refused.code),
        }
    }

    /// Another machine each time: one that is known needs no token.
    async fn enrols(&mut self, shown: &str) -> String {
        self.machine += 1;
        let file = File { token_secret: secret(shown), ..self.installation.file.clone() };
        match Rogue::new(self.machine).enrol(&self.installation.server, &file).await {
            Ok(link) if link.state == DeviceState::Pending => "pending".to_owned(),
            Ok(link) => format!("{:?}", link.state).to_lowercase(),
            Err(_) => "closed".to_owned(),
        }
    }
}

/// The 32 bytes of a secret that has as many, and the first of any other.
fn secret(shown: &str) -> [u8; 32] {
    let decoded = URL_SAFE_NO_PAD.decode(shown).ok().and_then(|bytes| bytes.try_into().ok());
    decoded.unwrap_or_else(|| std::array::from_fn(|at| shown.as_bytes().get(at).copied().unwrap_or_default()))
}

fn lets_in(answer: &str) -> bool {
    answer.starts_with('2') || answer == "101" || answer == "pending"
}

#[tokio::test]
async fn a17_every_secret_opens_its_own_door_alone() {
    let mut world = World::new().await;
    let mut table = HEAD.to_owned();
    let mut opened = Vec::new();
    for kind in TOKENS {
        world.proves().await;
        world.ends_programs().await;
        for door in DOORS {
            // A person has only so many codes for programs that nobody used: the oldest ones lapse.
            world.installation.server.clock.advance(if kind == "program's code" { 6 } else { 1 });
            let shown = world.token(kind).await;
            let answer = world.answer(&shown, door).await;
            if lets_in(&answer) {
                opened.push((kind, door));
            }
            table.push_str(&format!("{kind:<31}{door:<29}{answer}\n"));
        }
    }
    let wanted = [
        ("access token", "API as DPoP token"),
        ("program's token", "API as DPoP token"),
        ("program's code", "token endpoint as code"),
        ("device code", "polling as device code"),
        ("device code's token", "API as DPoP token"),
        ("session cookie", "API as cookie"),
        ("client assertion", "token endpoint as assertion"),
        ("client assertion", "revocation as assertion"),
        ("DPoP proof", "API as proof"),
        ("invitation link", "invitation as link"),
        ("address link", "address as link"),
        ("notice's link", "not me as link"),
        ("licence", "token endpoint as licence"),
        ("host's assertion", "token endpoint as host"),
        ("device-bound session response", "device session renewal"),
        ("stream ticket", "client stream"),
        ("device's stream ticket", "device stream"),
        ("enrolment token", "enrolment"),
    ];
    assert_eq!(opened, wanted, "{table}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/snapshots/tokens.txt");
    if std::env::var_os("SALLYPORT_WRITE_TOKENS").is_some() {
        std::fs::write(&file, &table).expect("a file");
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(table == reviewed, "docs/snapshots/tokens.txt differs; read the change, then write it with SALLYPORT_WRITE_TOKENS=1:\n{table}");
}
