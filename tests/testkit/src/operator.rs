//! The owner of an installation on the system's clock: codes come every 30 seconds, and each is used once.

use std::time::Duration;

use sallyport_model::Timestamp;
use sallyport_server::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use crate::client::Reply;
use crate::installation::Installation;
use crate::owner::{Owner, begin_with, oathtool};
use crate::wire::Wire;

const STEP_SECS: i64 = 30;
/// A code of the step before is not begun with so shortly before the step ends.
const TOO_LATE_SECS: i64 = 25;
/// Between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(100);

/// An authenticator that never shows a code twice, and waits where there is no fresh one yet.
pub struct Codes {
    secret: String,
    last_step: i64,
}

impl Codes {
    /// Of a base32 secret.
    pub fn new(secret: &str) -> Self {
        Self { secret: secret.to_owned(), last_step: 0 }
    }

    /// A code that was not used. The server takes one step more or less, so three are there at once.
    pub async fn fresh(&mut self) -> String {
        let step = loop {
            let now = SystemClock.now().secs();
            let earliest = if now % STEP_SECS < TOO_LATE_SECS { now / STEP_SECS - 1 } else { now / STEP_SECS };
            let step = earliest.max(self.last_step + 1);
            if step <= now / STEP_SECS + 1 {
                break step;
            }
            tokio::time::sleep(LOOK).await;
        };
        self.last_step = step;
        self.last()
    }

    /// The code that was shown last.
    pub fn last(&self) -> String {
        oathtool(&self.secret, Timestamp::from_secs(self.last_step * STEP_SECS))
    }
}

/// The first owner, signed in.
pub struct Operator {
    /// Browser, secret, recovery codes.
    pub owner: Owner,
    /// The authenticator.
    pub codes: Codes,
}

impl Operator {
    /// Does the whole set-up as the console does.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn set_up(installation: &Installation) -> Self {
        let mut client = installation.browser(1);
        let begun = begin_with(installation.setup_token(), &mut client).await;
        let mut codes = Codes::new(begun.secret());
        let body = begun.finish(&codes.fresh().await, &begun.root(SystemClock.now()));
        let reply = client.post("/v1/setup/finish", body).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let recovery_codes = serde_json::from_value(reply.json()["recovery_codes"].clone()).expect("codes");
        assert_eq!(client.post("/v1/me/recovery-codes/saved", json!({})).await.status, 204);
        let (secret, authority) = (begun.secret().to_owned(), begun.authority);
        Self { owner: Owner { client, secret, recovery_codes, authority }, codes }
    }

    /// Asks for a guarded operation and proves it where the open window is not enough; returns what came of it.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn ask(&mut self, path: &str, body: Value) -> Value {
        let reply = self.owner.client.post(path, body).await;
        match reply.status {
            201 => reply.json(),
            202 => self.prove(&reply).await,
            other => panic!("{path}: {other} {}", String::from_utf8_lossy(&reply.body)),
        }
    }

    /// Proves a request with a fresh code.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn prove(&mut self, request: &Reply) -> Value {
        let code = self.codes.fresh().await;
        self.prove_with(request, &code).await
    }

    /// Proves a request with this code.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn prove_with(&mut self, request: &Reply, code: &str) -> Value {
        let path = format!("/v1/authorization-requests/{}/proofs", request.json()["id"].as_str().expect("an id"));
        let reply = self.owner.client.post(&path, json!({ "totp": code })).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()["result"].clone()
    }

    /// The enrolment file of a new installer.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn installer(&mut self, uses: usize) -> String {
        let customers = self.owner.client.get("/v1/customers").await.json();
        let site = customers["items"][0]["sites"][0]["id"].clone();
        let body = json!({ "label": "Fleet", "site": site, "platform": "linux", "uses": uses, "lifetime_secs": 86_400 });
        let result = self.ask("/v1/installers", body).await;
        result["enrolment_file"].as_str().expect("a file").to_owned()
    }

    /// How many devices a filter finds.
    pub async fn count(&mut self, filter: &str) -> u64 {
        let page = self.owner.client.get(&format!("/v1/devices?limit=1&{filter}")).await;
        assert_eq!(page.status, 200, "{}", String::from_utf8_lossy(&page.body));
        page.json()["total"].as_u64().unwrap_or(0)
    }

    /// Waits until a filter finds so many; says how many it is in the end.
    pub async fn wait_for(&mut self, filter: &str, wanted: u64, patience: Duration) -> u64 {
        let deadline = Instant::now() + patience;
        loop {
            let count = self.count(filter).await;
            if count >= wanted || Instant::now() > deadline {
                return count;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ids of all devices that a filter finds, page by page.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn ids(&mut self, filter: &str) -> Vec<String> {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.owner.client.get(&format!("/v1/devices?limit=1000&{filter}{cursor}")).await;
            assert_eq!(page.status, 200, "{}", String::from_utf8_lossy(&page.body));
            let page = page.json();
            ids.extend(page["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str().map(str::to_owned)));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return ids,
            }
        }
    }

    /// Approves everything that waits for it, at once.
    pub async fn approve_all(&mut self) -> usize {
        let pending = self.ids("state=pending").await;
        self.ask("/v1/devices/approve", json!({ "devices": pending })).await;
        pending.len()
    }

    /// Asks to run the first version of a script.
    pub async fn job(&mut self, script: &str, devices: &[String]) -> Reply {
        self.owner.client.post("/v1/jobs", json!({ "script": script, "version": 1, "devices": devices })).await
    }

    /// A job once it has ended, or as it is when patience ends.
    pub async fn ended(&mut self, job: &str, look: Duration, patience: Duration) -> Value {
        let deadline = Instant::now() + patience;
        loop {
            let state = self.owner.client.get(&format!("/v1/jobs/{job}")).await.json();
            if !state["ended"].is_null() || Instant::now() > deadline {
                return state;
            }
            tokio::time::sleep(look).await;
        }
    }

    /// A job on so many devices once it has ended, or as it is when patience ends: told by the stream of events, as the console is.
    pub async fn told(&mut self, events: &mut Wire, job: &str, runs: usize, patience: Duration) -> Value {
        let ended = ["succeeded", "failed", "refused", "interrupted", "cancelled", "timed_out", "output_limit"];
        let words: Vec<String> = ended.map(|state| format!("\"job\":\"{job}\",\"state\":\"{state}\"")).into();
        let (mut heard, mut count) = (Vec::new(), 0);
        let hears = async {
            while count < runs && events.read_buf(&mut heard).await.expect("a stream") > 0 {
                // What may still grow into a word is kept.
                let whole = heard.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let text = String::from_utf8_lossy(&heard[..whole]);
                count += words.iter().map(|word| text.matches(word).count()).sum::<usize>();
                if text.contains("event: missed") {
                    break;
                }
                heard.drain(..whole);
            }
        };
        // Where not all is told, or not in time, the job as it is says so.
        let begun = Instant::now();
        let _ = tokio::time::timeout(patience, hears).await;
        self.ended(job, Duration::from_millis(5), patience.saturating_sub(begun.elapsed())).await
    }
}
