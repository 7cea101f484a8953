//! Tools and programs that were not written for us (Authlib and jwcrypto), with what a person does for them meanwhile.
//!
//! What cannot be shown from out there is shown elsewhere: OA-02 and OA-17 across a crash or a restart (tokens.rs, proofs.rs), OA-04's idle minute (tokens.rs),
//! OA-21's count of guesses, which is of the person's side (`device_codes.rs`), OA-22's mail and passkey (`device_guards.rs`), and OA-25 for grants (schedules).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::{Call, Reply};
use sallyport_testkit::owner::Owner;
use sallyport_testkit::passkey::SoftPasskey;
use sallyport_testkit::server::TestServer;
use sallyport_testkit::tool::Tool;
use serde_json::{Value, json};

use super::SCOPES;
use super::device_codes::{self, word};
use super::foreign::{by_name, live_configured, python};
use crate::fleet::devices::{device, with_devices};

/// It says what it wants of a person, and at last what came of everything.
struct Foreign {
    server: TestServer,
    owner: Owner,
    child: Child,
    said: BufReader<ChildStdout>,
    hears: ChildStdin,
}

impl Foreign {
    /// Begins one part of a script.
    async fn begin(script: &str, part: &str) -> Self {
        let (server, owner) = live_configured(0, |raw| {
            by_name(raw);
            raw.trusted_proxies = Some(vec!["127.0.0.1".to_owned()]);
        })
        .await;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/automation");
        let mut command = Command::new(python());
        command.arg(folder.join(script)).args([server.app.config.origin(), part]).env("AUTHLIB_INSECURE_TRANSPORT", "1");
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let (said, hears) = (BufReader::new(child.stdout.take().expect("a pipe")), child.stdin.take().expect("a pipe"));
        let mut foreign = Self { server, owner, child, said, hears };
        assert_eq!(foreign.wants(), json!({ "what": "the time" }));
        foreign.answer(json!({}));
        foreign
    }

    /// A tool, which gets a client for its key.
    async fn tool(part: &str) -> Self {
        let mut foreign = Self::begin("foreign_tool.py", part).await;
        let jwk = foreign.wants()["key"].clone();
        let mut wanted = Tool::new(&foreign.server, 21).wanted(SCOPES);
        wanted["key"] = json!({ "kty": jwk["kty"], "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"] });
        let made = foreign.owner.does(&foreign.server, Call::new("POST", "/v1/clients").body(wanted)).await;
        assert_eq!(made.status, 200, "{}", made.json());
        foreign.answer(json!({ "client": made.json()["action"]["client"] }));
        foreign
    }

    /// The next thing that it says.
    fn wants(&mut self) -> Value {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.said.read_line(&mut line)).expect("it says something");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("it said: {line}"))
    }

    /// What came of it, and what time it is.
    fn answer(&mut self, mut answer: Value) {
        answer["now"] = json!(self.server.clock.now().secs());
        writeln!(self.hears, "{answer}").expect("it listens");
    }

    /// What it ends with.
    fn result(mut self, last: &Value) -> Value {
        assert!(tokio::task::block_in_place(|| self.child.wait()).expect("it ends").success(), "{last}");
        last["result"].clone()
    }

    fn code(&self) -> String {
        self.server.clock.advance(30);
        self.owner.code(&self.server)
    }
}

/// Where a test fails, nobody is left behind.
impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Each member on its own, so that what differs is seen.
#[track_caller]
fn assert_each(result: &Value, expected: &Value) {
    let (result, expected) = (result.as_object().expect("results"), expected.as_object().expect("results"));
    for (name, value) in expected {
        assert_eq!(result.get(name), Some(value), "{name}");
    }
    assert_eq!(result.len(), expected.len(), "{:?}", result.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_01_oa_02_oa_03_oa_04_oa_24_a_foreign_tool_says_who_it_is_rightly_or_gets_nothing() {
    let mut foreign = Foreign::tool("assertions").await;
    let last = foreign.wants();
    let (no, not_asked) = (json!([401, "invalid_client"]), json!([400, "unsupported_grant_type"]));
    let expected = json!({
        "OA-01 good": ["DPoP", SCOPES.join(" "), false],
        "OA-01 other grants": [not_asked, not_asked],
        "OA-01 more scope": [400, "invalid_scope"],
        "OA-02 jti twice": [[200, ""], no],
        "OA-02 jti missing": no,
        "OA-02 exp missing": no,
        "OA-02 exp past": no,
        "OA-02 exp too far": no,
        "OA-02 iat in the future": no,
        "OA-02 nbf in the future": no,
        "OA-02 iss is another": no,
        "OA-02 sub is another": no,
        "OA-02 half a minute off": [200, ""],
        "OA-03 the token endpoint": "invalid_client",
        "OA-03 a list": "invalid_client",
        "OA-03 none": no,
        "OA-03 plain type": "invalid_client",
        "OA-03 no type": no,
        "OA-04 seconds": 300,
        "OA-04 an assertion as a token": [401, "token_refused"],
        "OA-04 a token as an assertion": no,
        "OA-04 a proof as an assertion": no,
        "OA-24 another's key": "invalid_client",
        "OA-24 jwk": [no, no],
        "OA-24 jku": [no, no],
        "OA-24 x5u": [no, no],
        "OA-24 none": no,
        "OA-24 public key as a secret": [no, no, no],
        "none of it harmed it": [200, [200, ""]],
    });
    assert_each(&foreign.result(&last), &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_05_oa_06_oa_07_oa_08_oa_09_oa_10_oa_11_oa_12_oa_13_oa_14_oa_15_oa_16_oa_17_oa_18_oa_19_a_foreign_tool_proves_each_request() {
    let mut foreign = Foreign::tool("proofs").await;
    let last = foreign.wants();
    let (good, no, nonce) = (json!([200, ""]), json!([401, "proof_refused"]), json!([[401, "use_dpop_nonce"], true]));
    let (bearer, proof) = (json!([401, "token_refused"]), json!([400, "invalid_dpop_proof"]));
    let expected = json!({
        "the control": [good, good],
        "OA-05 none, two": [no, 401, no],
        "OA-06 not a JWT": [no, no, no, no, no],
        "OA-07 missing": [no, no, no, no],
        "OA-08 type": [no, no, no],
        "OA-09 none": no,
        "OA-09 symmetric": no,
        "OA-09 public key as a secret": no,
        "OA-10 signature": [no, no],
        "OA-11 private key": no,
        "OA-12 method": no,
        "OA-13 address": [no, no, no, no],
        "OA-14 nonce": [nonce, nonce, nonce, nonce],
        "OA-15 time": [no, no, no, no],
        "OA-16 token": [no, no, bearer],
        "OA-17 the same one": [good, no],
        "OA-18 told and tried again": [["use_dpop_nonce", "use_dpop_nonce"], 200, 200],
        "OA-19 as a bearer's": [bearer, bearer],
        "at the token endpoint": [proof, proof, proof, proof],
        "none of it harmed it": good,
    });
    assert_each(&foreign.result(&last), &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_20_a_foreign_tool_ends_its_token() {
    let mut foreign = Foreign::tool("revocation").await;
    let last = foreign.wants();
    let (good, over) = (json!([200, ""]), json!([401, "token_refused"]));
    let expected = json!({
        "OA-20 before": [good, good],
        "OA-20 unknown": good,
        "OA-20 by a thief": [[401, "invalid_client"], good],
        "OA-20 revoked": [good, over, good],
        "OA-20 the other": good,
    });
    assert_each(&foreign.result(&last), &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_25_what_a_foreign_tool_asks_for_is_approved_by_a_person() {
    let mut foreign = Foreign::tool("approval").await;
    let Foreign { server, owner, .. } = &mut foreign;
    with_devices(server, owner, 3).await;
    let script = owner.script("uptime", "uptime").await;
    assert_eq!(foreign.wants()["what"], "wants");
    let (job, code) = (json!({ "script": script, "version": 1, "devices": [device(0), device(1), device(2)] }), foreign.code());
    foreign.answer(json!({ "job": job, "code": code }));
    let asked = foreign.wants();
    // What the tool could not do with it, its person does with the very code.
    let path = format!("/v1/authorization-requests/{}/proofs", word(&asked, "approve"));
    let proved = foreign.owner.client.post(&path, json!({ "totp": code })).await;
    assert_eq!((proved.status, &proved.json()["state"]), (200, &json!("executed")), "{}", proved.json());
    foreign.answer(json!({}));
    let last = foreign.wants();
    let no = json!([403, "client_refused"]);
    let expected = json!({
        "OA-25 asked": [202, 2, true],
        "OA-25 its person's code in its hands": [no, no],
        "OA-25 before and after": ["open", "executed", "job_"],
    });
    assert_each(&foreign.result(&last), &expected);
}

impl Foreign {
    /// A person types a code, looks, and answers with their passkey where there is something to answer.
    async fn typed(&mut self, key: &mut SoftPasskey, code: &str) -> Value {
        let looked = self.owner.client.post("/v1/me/device-codes/look", json!({ "user_code": code })).await;
        if looked.status != 200 {
            return json!({ "refused": [looked.status, looked.code()] });
        }
        assert_eq!(device_codes::allows(&mut self.owner.client, key, code).await.status, 204);
        let site = self.owner.client.get("/v1/customers").await.json()["items"][0]["sites"][0]["id"].clone();
        let body = json!({ "label": "L", "site": site, "platform": "linux", "uses": 1, "lifetime_secs": 3600 });
        let asked = self.owner.client.post("/v1/installers", body).await;
        assert_eq!(asked.status, 202, "{}", asked.json());
        json!({ "request": asked.header("location"), "code": self.code() })
    }

    /// What the page of the console does with the address that the program opened.
    async fn browser(&mut self, asked: &Value) -> Value {
        let mut body = asked.clone();
        (body["answer"], body["name"]) = (json!("yes"), json!("somebody else's program"));
        let reply: Reply = self.owner.client.post("/v1/me/programs", body).await;
        if reply.status == 200 { reply.json() } else { json!({ "refused": [reply.status, reply.code()] }) }
    }

    /// Does what it asks for until it is done.
    async fn serves(mut self, mut key: Option<SoftPasskey>) -> Value {
        loop {
            let wants = self.wants();
            let answer = match (&wants, key.as_mut()) {
                (wants, _) if wants["result"].is_object() => return self.result(wants),
                (wants, _) if wants["what"] == "later" => {
                    self.server.clock.advance(wants["by"].as_i64().expect("seconds"));
                    json!({})
                }
                (wants, _) if wants["browser"].is_object() => self.browser(&wants["browser"]).await,
                (wants, Some(key)) if wants["approve"].is_string() => self.typed(key, word(wants, "approve")).await,
                (wants, _) if wants["deny"].is_string() => {
                    let no = json!({ "user_code": wants["deny"], "answer": "no" });
                    assert_eq!(self.owner.client.post("/v1/me/device-codes/answer", no).await.status, 204);
                    json!({})
                }
                (wants, _) => {
                    assert_eq!(wants["what"], "switched on");
                    assert_eq!(self.owner.does(&self.server, device_codes::policy("yes")).await.status, 200);
                    json!({})
                }
            };
            self.answer(answer);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_21_oa_22_a_foreign_program_is_let_in_by_a_code_that_is_typed() {
    let mut foreign = Foreign::begin("foreign_program.py", "codes").await;
    let code = foreign.code();
    let key = SoftPasskey::added(&foreign.server, &mut foreign.owner.client, &code).await;
    let result = foreign.serves(Some(key)).await;
    let restricted = json!([403, "session_restricted"]);
    let refused = json!([401, "token_refused"]);
    let names = ["device_code", "expires_in", "interval", "user_code", "verification_uri"];
    let expected = json!({
        "OA-22 off": [[400, "unauthorized_client"], "unsupported_grant_type", false],
        "OA-21 codes": [names, 600, 5, 43, 9],
        "OA-21 waits": ["authorization_pending", "slow_down"],
        "OA-21 ten seconds later": "authorization_pending",
        "OA-21 another key": "invalid_grant",
        "OA-21 let in, once": ["DPoP", "urn:sallyport:acr:phr", false, "invalid_grant"],
        "OA-21 no": "access_denied",
        "OA-21 too late": "expired_token",
        "OA-22 what it is": ["device_code", "somebody else's program"],
        "OA-22 what it may": {
            "elevate": restricted, "programs": restricted, "totp/start": restricted, "proofs": restricted, "read": [200, ""],
            "bearer": refused, "another key": refused,
        },
        "OA-22 from elsewhere": [[403, "device_code_refused"], "authorization_pending"],
    });
    assert_each(&result, &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn oa_23_a_foreign_program_is_let_in_by_the_browser_beside_it() {
    let foreign = Foreign::begin("foreign_program.py", "browser").await;
    let result = foreign.serves(None).await;
    let nothing = json!(["invalid_grant", "invalid_grant"]);
    let expected = json!({
        "OA-23 let in": ["DPoP", false, [200, ""]],
        "OA-23 reused": ["invalid_grant", [401, "token_refused"]],
        "OA-23 shown wrongly": {
            "another verifier": nothing, "the challenge as verifier": nothing, "no verifier": ["invalid_request", "DPoP"],
            "another address": nothing, "another path": nothing,
        },
        "OA-23 by another key": "invalid_grant",
        "OA-23 after a minute": "invalid_grant",
        "OA-23 plain": { "refused": [422, "invalid_field"] },
        "OA-23 refresh": "unsupported_grant_type",
    });
    assert_each(&result, &expected);
}
