//! Where each of them is shown.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_testkit::browser;
use sallyport_testkit::client::{Call, Client, Reply};
use sallyport_testkit::licence::Asking;
use sallyport_testkit::owner::{EMAIL, PASSWORD, start_body};
use sallyport_testkit::people::THEIR_PASSWORD;
use sallyport_testkit::remote::{PROGRAM, dial};
use sallyport_testkit::rogue::{File, Rogue};
use sallyport_testkit::tool::{ASSERTION_TYPE, Tool, posted};
use sallyport_wire::DeviceState;
use serde_json::{Value, json};

use super::super::{device_codes, programs};
use super::world::World;

impl World {
    pub(super) async fn answer(&mut self, shown: &str, door: &str) -> String {
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
            door if door.ends_with("as passkey") => self.by_passkey(door, shown).await,
            door if door.starts_with("sign-in") => self.signs_in_with(door, shown).await,
            "step-up as code" => self.installation.owner.client.post("/v1/me/elevate", json!({ "proof": { "totp": shown } })).await,
            "request as code" => {
                let path = self.request().await;
                self.installation.owner.client.post(&format!("{path}/proofs"), json!({ "totp": shown })).await
            }
            "code that is typed" => self.installation.owner.client.post("/v1/me/device-codes/look", json!({ "user_code": shown })).await,
            "set-up as link" => Client::new(&self.fresh, 92).post("/v1/setup/start", start_body(shown)).await,
            "activation as link" => {
                let body = json!({ "token": shown, "password": THEIR_PASSWORD });
                Client::new(&self.installation.server, 90).post("/v1/invitations/start", body).await
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

    /// In another browser, with everything else right; who is let in goes again.
    async fn signs_in_with(&mut self, door: &str, shown: &str) -> Reply {
        let (password, code) =
            if door.ends_with("password") { (shown.to_owned(), self.code()) } else { (PASSWORD.to_owned(), shown.to_owned()) };
        let reply = self.elsewhere.post("/v1/sign-in", json!({ "email": EMAIL, "password": password, "code": code })).await;
        if reply.status == 200 {
            self.signs_out().await;
        }
        reply
    }

    /// What is no passkey's answer stands where the signature of a right one is.
    async fn by_passkey(&mut self, door: &str, shown: &str) -> Reply {
        let answer = match answered(shown) {
            Some(answer) => answer,
            None => {
                let mut answer = answered(&self.passkey(door).await).expect("an answer");
                let bytes = URL_SAFE_NO_PAD.decode(shown).unwrap_or_else(|_| shown.as_bytes().to_vec());
                answer["credential"]["response"]["signature"] = json!(URL_SAFE_NO_PAD.encode(bytes));
                answer
            }
        };
        if door == "sign-in as passkey" {
            let reply = self.elsewhere.post("/v1/sign-in/passkey/finish", answer).await;
            if reply.status == 200 {
                self.signs_out().await;
            }
            return reply;
        }
        if door == "step-up as passkey" {
            return self.installation.owner.client.post("/v1/me/elevate", json!({ "proof": { "passkey": answer } })).await;
        }
        let path = self.request().await;
        let proof = json!({ "passkey": { "credential": answer["credential"] } });
        self.installation.owner.client.post(&format!("{path}/proofs"), proof).await
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

/// A passkey's answer that was written as one word.
fn answered(shown: &str) -> Option<Value> {
    let answer: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(shown).ok()?).ok()?;
    answer["credential"].is_object().then_some(answer)
}
