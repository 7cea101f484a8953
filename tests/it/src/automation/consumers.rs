//! A17: every secret at every door. The whole table is a reviewed snapshot, `docs/snapshots/tokens.txt`, written with `SALLYPORT_WRITE_TOKENS=1`.

use std::path::Path;

use sallyport_testkit::client::{Call, Client};
use sallyport_testkit::licence::{Asking, LicensedTool, shown};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::server::{Engine, TestServer};
use sallyport_testkit::tool::{ASSERTION_TYPE, Tool, posted};
use serde_json::{Value, json};

use super::{SCOPES, programs};

/// What is shown at the doors.
const TOKENS: [&str; 11] = [
    "access token",
    "program's token",
    "program's code",
    "session cookie",
    "client assertion",
    "DPoP proof",
    "invitation link",
    "recovery code",
    "nonce",
    "licence",
    "host's assertion",
];

/// Where it is shown.
const DOORS: [&str; 12] = [
    "API as DPoP token",
    "API as bearer token",
    "API as cookie",
    "API as proof",
    "token endpoint as assertion",
    "token endpoint as code",
    "token endpoint as licence",
    "token endpoint as host",
    "revocation as assertion",
    "invitation as link",
    "address as link",
    "not me as link",
];

struct World {
    server: TestServer,
    owner: Owner,
    tool: Tool,
    licensed: LicensedTool,
    /// What the host's assertion is about: it is good for this one request.
    asking: Option<Asking>,
    link: String,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::start_on(Engine::Sqlite).await;
        let mut owner = Owner::set_up(&server).await;
        let mut tool = Tool::made(&server, &mut owner, 21, SCOPES).await;
        assert_eq!(tool.gets_token().await.status, 200);
        let invited = owner.invites(&server, "nora@nordwind.example", json!([{ "role": "auditor", "scope": "tenant" }]), Value::Null).await;
        let link = invited.json()["result"]["link"].as_str().expect("a link").split_once('#').expect("a token").1.to_owned();
        let licensed = LicensedTool::made(&server, &mut owner, 22, SCOPES).await;
        Self { server, owner, tool, licensed, asking: None, link }
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
            // Of the same key as the tool's, so that it is not the key that keeps it out.
            "program's token" => programs::let_in(&self.server, &mut self.owner.client, 21).await.token,
            "program's code" => programs::gets_code(&self.server, &mut self.owner.client, 21).await,
            "session cookie" => self.owner.client.cookie.clone().expect("a cookie"),
            "client assertion" => self.tool.assertion(),
            "DPoP proof" => {
                let call = Call::new("GET", "/v1/devices");
                self.tool.wire.signed(&self.tool.proof_header(), &self.tool.proof_claims(&call))
            }
            "invitation link" => self.link.clone(),
            "recovery code" => self.owner.recovery_codes[0].clone(),
            _ => self.tool.nonce.clone(),
        }
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
                let mut browser = self.owner.client.clone();
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
            "token endpoint as licence" => self.licensed.asks(|asking| asking.licence = Some(shown.to_owned())).await,
            "token endpoint as host" => {
                let about = self.asking.take().unwrap_or_else(|| self.licensed.asking());
                self.licensed.asks(|asking| *asking = Asking { instead: Some(shown.to_owned()), ..about }).await
            }
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
                Client::new(&self.server, 90).post(path, json!({ "token": shown })).await
            }
        };
        let body = reply.json();
        let why = body["code"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned();
        format!("{} {why}", reply.status).trim_end().to_owned()
    }
}

#[tokio::test]
async fn a17_every_secret_opens_its_own_door_alone() {
    let mut world = World::new().await;
    let mut table = String::new();
    let mut opened = Vec::new();
    for kind in TOKENS {
        for door in DOORS {
            // A person has only so many codes for programs that nobody used: the oldest ones lapse.
            world.server.clock.advance(if kind == "program's code" { 6 } else { 1 });
            let shown = world.token(kind).await;
            let answer = world.answer(&shown, door).await;
            if answer.starts_with('2') {
                opened.push((kind, door));
            }
            table.push_str(&format!("{kind:<18}{door:<30}{answer}\n"));
        }
    }
    let wanted = [
        ("access token", "API as DPoP token"),
        ("program's token", "API as DPoP token"),
        ("program's code", "token endpoint as code"),
        ("session cookie", "API as cookie"),
        ("client assertion", "token endpoint as assertion"),
        ("client assertion", "revocation as assertion"),
        ("DPoP proof", "API as proof"),
        ("invitation link", "invitation as link"),
        ("licence", "token endpoint as licence"),
        ("host's assertion", "token endpoint as host"),
    ];
    assert_eq!(opened, wanted, "{table}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/snapshots/tokens.txt");
    if std::env::var_os("SALLYPORT_WRITE_TOKENS").is_some() {
        std::fs::write(&file, &table).expect("a file");
    }
    let reviewed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(table == reviewed, "docs/snapshots/tokens.txt differs; read the change, then write it with SALLYPORT_WRITE_TOKENS=1:\n{table}");
}
