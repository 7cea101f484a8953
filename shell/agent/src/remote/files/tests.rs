use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sallyport_grant::body::{Access, OpenRemoteSession, RemoteKind, RunAs};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::files;
use crate::remote::kind::rig::{Client, Got, Rig, session};

mod load;
mod paths;
mod reading;
mod rights;
mod writing;

struct Bench {
    folder: TempDir,
    rig: Rig,
    client: Client,
    next: u32,
}

impl Bench {
    fn new() -> Self {
        Self::of(session(RemoteKind::Files))
    }

    fn of(session: OpenRemoteSession) -> Self {
        let folder = tempfile::tempdir().expect("temp");
        let mut rig = Rig::open(files, session);
        let client = rig.attach("ada@example.com", Access::Control);
        Self { folder, rig, client, next: 1 }
    }

    /// A session of the account `nobody`, in a folder that is open to all; none where the agent is not privileged.
    fn of_nobody() -> Option<Self> {
        if !sallyport_os::machine::is_privileged() {
            return None;
        }
        let bench = Self::of(OpenRemoteSession { run_as: RunAs::parse("nobody").ok(), ..session(RemoteKind::Files) });
        std::fs::set_permissions(bench.folder.path(), std::fs::Permissions::from_mode(0o777)).expect("mode");
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).expect("write");
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path(name)).ok()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("folder").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Asks, and gives everything up to the end: data, other messages, the end.
    async fn whole(&mut self, mut request: Value) -> (Vec<u8>, Vec<Value>, Value) {
        if request["id"].is_null() {
            self.next += 1;
            request["id"] = self.next.into();
        }
        self.client.control(&request);
        self.until_end(&request["id"]).await
    }

    async fn until_end(&mut self, id: &Value) -> (Vec<u8>, Vec<Value>, Value) {
        let (mut data, mut others) = (Vec::new(), Vec::new());
        loop {
            match self.client.next().await {
                Got::Control(message) if message["id"] == *id && (message["t"] == "ok" || message["t"] == "error") => {
                    return (data, others, message);
                }
                Got::Control(message) => others.push(message),
                Got::Data { channel, bytes } => {
                    assert_eq!(json!(channel), *id);
                    data.extend(bytes);
                }
                Got::Bye(reason) => panic!("sent away: {reason}"),
            }
        }
    }

    async fn ask(&mut self, request: Value) -> Value {
        self.whole(request).await.2
    }

    async fn refused(&mut self, request: Value) -> String {
        let answer = self.ask(request).await;
        assert_eq!(answer["t"], "error", "{answer}");
        answer["code"].as_str().unwrap_or_default().to_owned()
    }

    async fn begin_upload(&mut self, id: u32, name: &str, content: &[u8], overwrite: &str, resume: &str) -> Value {
        let path = self.text(name);
        let write = json!({"t": "write", "id": id, "path": path, "size": content.len(), "sha256": digest(content), "mode": null,
            "overwrite": overwrite, "resume": resume});
        self.ask(write).await
    }

    async fn upload(&mut self, id: u32, name: &str, content: &[u8], overwrite: &str) -> Value {
        let begun = self.begin_upload(id, name, content, overwrite, "no").await;
        if begun["t"] != "ok" {
            return begun;
        }
        assert_eq!(begun["offset"], 0);
        content.chunks(30_000).for_each(|piece| self.client.data(id, piece));
        self.ask(json!({"t": "commit", "id": id})).await
    }
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}
