//! Devices of an owner: installers, enrolment, approval, scripts and runs, over the API as the console uses it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::Machine;
use crate::host::Host;
use crate::owner::Owner;

/// How long anything may take that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Owner {
    /// Moves the clock on to a code that was not used and proves a request with it.
    pub async fn prove(&mut self, server: &impl Host, request: &Value) -> Value {
        server.clock().advance(30);
        let code = self.code(server);
        let path = format!("/v1/authorization-requests/{}/proofs", request["id"].as_str().expect("an id"));
        let reply = self.client.post(&path, json!({ "totp": code })).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        assert_eq!(reply.json()["state"], "executed", "{}", reply.json());
        reply.json()["result"].clone()
    }

    /// Asks for a guarded operation and proves it where its window is not enough.
    pub async fn ask(&mut self, server: &impl Host, path: &str, body: Value) -> Value {
        let reply = self.client.post(path, body).await;
        match reply.status {
            201 => reply.json(),
            202 => self.prove(server, &reply.json()).await,
            other => panic!("{path}: {other} {}", String::from_utf8_lossy(&reply.body)),
        }
    }

    /// The enrolment file of a new installer.
    pub async fn installer(&mut self, server: &impl Host, uses: u32) -> String {
        let customers = self.client.get("/v1/customers").await.json();
        let site = customers["items"][0]["sites"][0]["id"].clone();
        let body = json!({ "label": "Test", "site": site, "platform": "linux", "uses": uses, "lifetime_secs": 3600 });
        let result = self.ask(server, "/v1/installers", body).await;
        result["enrolment_file"].as_str().expect("a file").to_owned()
    }

    /// The devices that a filter finds, once there are as many as wanted.
    pub async fn devices(&mut self, filter: &str, wanted: usize) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let page = self.client.get(&format!("/v1/devices?limit=1000&{filter}")).await;
            assert_eq!(page.status, 200, "{}", String::from_utf8_lossy(&page.body));
            let items = page.json()["items"].as_array().cloned().unwrap_or_default();
            if items.len() == wanted {
                return items;
            }
            if tokio::time::Instant::now() >= deadline {
                let all = self.client.get("/v1/devices?limit=1000").await.json();
                panic!("{} devices of {wanted} with {filter} among {}", items.len(), all["items"]);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Machines that were enrolled, approved and are online.
    pub async fn machines(&mut self, server: &impl Host, count: usize) -> (Vec<Machine>, Vec<String>) {
        let file = self.installer(server, u32::try_from(count).expect("a few")).await;
        let mut machines: Vec<Machine> = (0..count).map(|_| Machine::new()).collect();
        for machine in &mut machines {
            machine.start();
            machine.enrol(&file);
        }
        let pending = self.devices("state=pending", count).await;
        let ids: Vec<String> = pending.iter().map(|device| device["id"].as_str().expect("an id").to_owned()).collect();
        self.ask(server, "/v1/devices/approve", json!({ "devices": ids })).await;
        self.devices("state=online", count).await;
        (machines, ids)
    }

    /// Saves a script and returns its id.
    pub async fn script(&mut self, name: &str, text: &str) -> String {
        let reply = self.client.post("/v1/scripts", json!({ "name": name, "interpreter": "sh", "text": text })).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        let body = reply.json();
        body["script"]["id"].as_str().or(body["id"].as_str()).expect("an id").to_owned()
    }

    /// Runs a script and returns its job's id.
    pub async fn run(&mut self, server: &impl Host, script: &str, devices: &[String], more: Value) -> String {
        let mut body = json!({ "script": script, "version": 1, "devices": devices });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        let result = self.ask(server, "/v1/jobs", body).await;
        result["job"].as_str().expect("a job").to_owned()
    }

    /// The runs of a job once all of them have ended.
    pub async fn ended_runs(&mut self, job: &str) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let state = self.client.get(&format!("/v1/jobs/{job}")).await.json();
            if !state["ended"].is_null() {
                let runs = self.client.get(&format!("/v1/jobs/{job}/runs?limit=1000")).await.json();
                return runs["items"].as_array().cloned().unwrap_or_default();
            }
            assert!(tokio::time::Instant::now() < deadline, "the job did not end: {state}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All output of a run as one text.
    pub async fn output(&mut self, run: &Value) -> String {
        let path = format!("/v1/runs/{}/output", run["id"].as_str().expect("an id"));
        let output = self.client.get(&path).await.json();
        output["chunks"].as_array().into_iter().flatten().filter_map(|chunk| chunk["text"].as_str()).collect()
    }
}
