//! `sallyport recover`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use sallyport_api as api;
use sallyport_grant::body::{Body as _, RecoveryBody, RecoveryType};
use sallyport_grant::{SignatureKind, SigningKey};
use sallyport_model::Email;
use serde::Deserialize;
use serde_json::json;
use ureq::http::Method;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::screen::{Screen, Tone};
use crate::{Common, ask, files, session};

use super::factors;
use super::login::trusted;

/// RFC 8410: what stands before the 32 bytes of an Ed25519 key.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Largest file that is read as a kit; one has less than a thousand.
const KIT_BYTES: usize = 64 * 1024;

#[derive(Args)]
pub struct Recover {
    /// The server's address [default: the one that the kit names].
    #[arg(env = "SALLYPORT_URL", hide_env_values = true)]
    url: Option<String>,
    /// The authority kit that was kept at set-up.
    #[arg(long, value_name = "FILE")]
    kit: PathBuf,
    /// Your e-mail address.
    #[arg(long, env = "SALLYPORT_EMAIL", hide_env_values = true)]
    email: Option<String>,
    /// What the new authenticator is called.
    #[arg(long, default_value = "Authenticator")]
    name: String,
    /// Read the password, and later the code, from two lines of standard input.
    #[arg(long)]
    stdin: bool,
    /// Certificates (PEM) to trust besides the system's.
    #[arg(long, value_name = "FILE", env = "SALLYPORT_CA", hide_env_values = true)]
    ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The kit, as the set-up wrote it. What else it says is for people.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Kit {
    r#type: String,
    tenant: String,
    server: String,
    private_key_pkcs8: String,
}

impl Recover {
    pub(crate) fn run(self) -> Result<Outcome, Failure> {
        let (screen, path) = (self.common.screen(), self.common.path());
        let kit = self.kit()?;
        let server = self.url.clone().unwrap_or_else(|| kit.server.clone());
        let email = match self.email.clone() {
            Some(email) => email,
            None => ask::line("E-mail", "your e-mail address (--email)")?,
        };
        let mut client = Client::begin(&server, &email, trusted(self.ca.as_ref(), None)?, path)?;
        self.enter(&mut client, &kit, &email)?;
        let enrolled = self.enrol(&mut client, &screen);
        // The session is good for nothing else, whether a factor came of it or not.
        let _ = client.act(Method::POST, "/v1/sign-out");
        session::forget(client.path())?;
        enrolled?;
        screen.give(&json!({ "enrolled": self.name }), |screen| {
            screen.say_in(Tone::Good, format!("{} is set up. Sign in with it: sallyport login {}", self.name, client.server()));
            screen.say("For guarded actions it counts after 24 hours. Put the kit back where it was.");
        });
        Ok(Outcome::Done)
    }

    fn kit(&self) -> Result<Kit, Failure> {
        let wrong = |why| Failure::Content { path: self.kit.clone(), why };
        let text = files::text(&self.kit, KIT_BYTES)?;
        let kit: Kit = serde_json::from_str(&text).map_err(|_| wrong("is not the authority kit that was downloaded at set-up"))?;
        if kit.r#type == "sallyport.authority-kit/1" { Ok(kit) } else { Err(wrong("is another kind of file than the authority kit")) }
    }

    /// Signs in: the kit's key signs for exactly this server, this challenge and the key of this program.
    fn enter(&self, client: &mut Client, kit: &Kit, email: &str) -> Result<(), Failure> {
        let password = self.secret("Password", "your password (--stdin)")?;
        let asked: api::KitChallenge = client.change(Method::POST, "/v1/sign-in/kit/start", &json!({}))?;
        // Signed is what this program dialled, and not what a server in between says of itself.
        let statement = statement(kit, &self.kit, email, &api::KitChallenge { server: client.server(), ..asked })?;
        let body = api::KitSignIn { email: email.to_owned(), password: password.to_string(), statement };
        let _: api::Me = client.change(Method::POST, "/v1/sign-in/kit/finish", &body)?;
        Ok(())
    }

    fn enrol(&self, client: &mut Client, screen: &Screen) -> Result<(), Failure> {
        let draft: api::TotpDraft = client.change(Method::POST, "/v1/me/totp/start", &json!({}))?;
        factors::show_key(&draft.totp);
        let code = match self.stdin {
            true => ask::stdin_line("a code (--stdin)")?,
            false => ask::line("Code that it shows now", "a code (--stdin)").map(Zeroizing::new)?,
        };
        let body = api::FinishTotp { draft: draft.draft, name: self.name.clone(), code: code.split_whitespace().collect() };
        client.tell(Method::POST, "/v1/me/totp/finish", &body)?;
        screen.say_in(Tone::Good, "The code was right.");
        Ok(())
    }

    fn secret(&self, question: &str, what: &'static str) -> Result<Zeroizing<String>, Failure> {
        if self.stdin { ask::stdin_line(what) } else { ask::hidden(question, what) }
    }
}

fn statement(kit: &Kit, path: &Path, email: &str, asked: &api::KitChallenge) -> Result<String, Failure> {
    let wrong = |why| Failure::Content { path: path.to_owned(), why };
    let body = RecoveryBody {
        r#type: RecoveryType::V1,
        tenant: kit.tenant.parse().map_err(|_| wrong("names no tenant"))?,
        email: Email::parse(email).map_err(|why| Failure::Input(format!("--email {why}")))?,
        server: asked.server.clone(),
        key: asked.key.parse().map_err(|_| Failure::Answer("the server named no key".to_owned()))?,
        challenge: asked.challenge.clone(),
    };
    let key = key_of(kit).ok_or_else(|| wrong("has no key that can be read: it is damaged"))?;
    let envelope = body.into_envelope().map_err(|_| Failure::Answer("the server's challenge is too long".to_owned()))?;
    let envelope = envelope.and_signed(SignatureKind::NativeEd25519, &key);
    Ok(String::from_utf8_lossy(&envelope.to_bytes()).into_owned())
}

fn key_of(kit: &Kit) -> Option<SigningKey> {
    let bytes = Zeroizing::new(STANDARD.decode(kit.private_key_pkcs8.as_bytes()).ok()?);
    let seed: &[u8; 32] = bytes.strip_prefix(&PKCS8)?.try_into().ok()?;
    Some(SigningKey::from_bytes(seed))
}
