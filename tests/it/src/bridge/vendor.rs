//! Another vendor's API on the loopback: real HTTP, a credential of its own, and a memory of what it was sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The credential that it takes at first.
pub(super) const SECRET: &str = "Kx7-vendor-credential-Qz2";

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Where it stops and answers nobody, until it is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    Nowhere,
    /// Nowhere; what was held is not answered any more.
    Dropped,
    /// Told of a new credential, before it takes it.
    BeforeTaking,
    /// After it took it, before it says so.
    AfterTaking,
    /// Asked whether it takes a credential.
    Proving,
}

/// What it does with a new credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Takes,
    /// Says no.
    Refuses,
    /// Says yes, and goes on with the old one.
    Lies,
    /// Takes neither the old one nor the new one any more.
    Forgets,
}

struct Inside {
    takes: String,
    made: u32,
    mood: Mood,
    told: Vec<String>,
    got: Vec<Got>,
}

#[derive(Clone)]
pub(super) struct Vendor {
    pub(super) url: String,
    inside: Arc<Mutex<Inside>>,
    hold: watch::Sender<Hold>,
    holding: watch::Sender<bool>,
}

impl Vendor {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/api", listener.local_addr().expect("an address"));
        let inside = Inside { takes: SECRET.to_owned(), made: 0, mood: Mood::Takes, told: Vec::new(), got: Vec::new() };
        let (hold, holding) = (watch::Sender::new(Hold::Nowhere), watch::Sender::new(false));
        let vendor = Self { url, inside: Arc::new(Mutex::new(inside)), hold, holding };
        let own = vendor.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().talk(stream));
            }
        });
        vendor
    }

    pub(super) fn is_now(&self, mood: Mood) {
        self.inside.lock().expect("a lock").mood = mood;
    }

    /// The credential that it takes now.
    pub(super) fn takes(&self) -> String {
        self.inside.lock().expect("a lock").takes.clone()
    }

    /// Every new credential that it was told of, or made.
    pub(super) fn told(&self) -> Vec<String> {
        self.inside.lock().expect("a lock").told.clone()
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.inside.lock().expect("a lock").got.clone()
    }

    pub(super) fn holds(&self, hold: Hold) {
        self.hold.send_replace(hold);
    }

    /// Waits until a request is held.
    pub(super) async fn is_holding(&self) {
        let mut holding = self.holding.subscribe();
        let held = tokio::time::timeout(Duration::from_secs(60), holding.wait_for(|holding| *holding)).await;
        held.expect("a request comes").expect("the vendor lives");
    }

    /// `None` where what was held is not answered any more.
    async fn held_at(&self, place: Hold) -> Option<()> {
        if *self.hold.borrow() != place {
            return Some(());
        }
        self.holding.send_replace(true);
        let mut hold = self.hold.subscribe();
        let let_go = hold.wait_for(|hold| *hold != place).await.map(|hold| *hold);
        self.holding.send_replace(false);
        (let_go.ok()? != Hold::Dropped).then_some(())
    }

    async fn talk(self, mut stream: TcpStream) {
        let Some(got) = read(&mut stream).await else { return };
        self.inside.lock().expect("a lock").got.push(got.clone());
        if let Some(answer) = self.answer(&got).await {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }

    async fn answer(&self, got: &Got) -> Option<String> {
        let (method, path) = got.line.split_once(' ').unwrap_or_default();
        let path = path.split(' ').next().unwrap_or_default().strip_prefix("/api").unwrap_or_default();
        if (method, path) == ("GET", "/me") {
            self.held_at(Hold::Proving).await?;
        }
        if got.header("authorization") != Some(format!("Bearer {}", self.takes()).as_str()) {
            return Some(reply("401 Unauthorized", "www-authenticate: Bearer\r\n", &json!({ "error": "who are you?" })));
        }
        match (method, path) {
            ("POST", "/keys") => self.replaced(serde_json::from_str(&got.body).unwrap_or_default()).await,
            ("POST", "/keys/made") => self.replaced(Value::Null).await,
            _ => Some(self.plain(got, (method, path))),
        }
    }

    fn plain(&self, got: &Got, (method, path): (&str, &str)) -> String {
        match (method, path) {
            ("GET", "/echo") => reply("200 OK", "", &json!({ "you": got.header("authorization") })),
            ("GET", "/echo/header") => reply("200 OK", &format!("etag: {}\r\n", self.takes()), &json!({})),
            ("GET", "/gzip") => reply("200 OK", "content-encoding: gzip\r\n", &json!({})),
            ("GET", "/moved") => reply("302 Found", "location: https://elsewhere.example/\r\n", &json!({})),
            ("GET", "/refused") => reply("403 Forbidden", "", &json!({ "error": "not this one" })),
            ("GET", "/unsure") => reply("401 Unauthorized", "", &json!({})),
            _ => reply(
                "200 OK",
                "set-cookie: vendor=1\r\nx-accel-redirect: /etc/passwd\r\nx-total-count: 7\r\n",
                &json!({ "path": path, "body": got.body }),
            ),
        }
    }

    async fn replaced(&self, wanted: Value) -> Option<String> {
        self.held_at(Hold::BeforeTaking).await?;
        let answer = self.taken(&wanted);
        self.held_at(Hold::AfterTaking).await?;
        Some(answer)
    }

    fn taken(&self, wanted: &Value) -> String {
        let mut inside = self.inside.lock().expect("a lock");
        inside.made += 1;
        let new = wanted["key"].as_str().map_or_else(|| format!("made-by-the-vendor-{}", inside.made), str::to_owned);
        inside.told.push(new.clone());
        match inside.mood {
            Mood::Refuses => return reply("409 Conflict", "", &json!({ "error": "not now" })),
            Mood::Lies => {}
            Mood::Takes => inside.takes.clone_from(&new),
            Mood::Forgets => inside.takes = "nobody knows this one".to_owned(),
        }
        reply("200 OK", "", &json!({ "data": { "token": new } }))
    }
}

fn reply(status: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}")
}

async fn read(stream: &mut TcpStream) -> Option<Got> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: Vec<_> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Got { line, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
