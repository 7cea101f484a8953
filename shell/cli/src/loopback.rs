//! Signing in with a browser (RFC 8252): a page of the console asks its person, and the answer comes to an address of this computer that
//! lives as long as this sign-in. What comes is a code that works once, for a minute, with the verifier and the key that never left here.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::sha256;
use zeroize::Zeroizing;

use crate::client::Query;
use crate::failure::Failure;

/// How long a person has.
const PATIENCE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(20);
const READ_TIME: Duration = Duration::from_secs(2);
const HEAD_BYTES: u64 = 16 * 1024;

/// A sign-in that waits for its answer.
pub(crate) struct Loopback {
    listener: TcpListener,
    issuer: String,
    port: u16,
    state: String,
    verifier: Zeroizing<String>,
}

/// What came to this computer, and what makes it good.
pub(crate) struct Answer {
    pub(crate) code: Zeroizing<String>,
    pub(crate) verifier: Zeroizing<String>,
    pub(crate) redirect: String,
}

impl Loopback {
    /// Opens the address that the answer comes to.
    pub(crate) fn open(issuer: &str) -> Result<Self, Failure> {
        let failed = |why| Failure::File { path: "127.0.0.1".into(), why };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, issuer: issuer.to_owned(), port, state: word()?, verifier: Zeroizing::new(word()?) })
    }

    fn redirect(&self) -> String {
        format!("http://127.0.0.1:{}/callback", self.port)
    }

    /// The page that asks: the same words come back to the server from there.
    pub(crate) fn page(&self, thumbprint: &str, name: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(&[self.verifier.as_bytes()]).as_bytes());
        let query = Query::default()
            .with("response_type", "code")
            .with("client_id", "sallyport-cli")
            .with("redirect_uri", &self.redirect())
            .with("code_challenge", &challenge)
            .with("code_challenge_method", "S256")
            .with("dpop_jkt", thumbprint)
            .with("state", &self.state)
            .with("name", name);
        query.after(&format!("{}/authorize", self.issuer))
    }

    /// Waits for the browser to bring the answer. What others send here is turned away, and changes nothing.
    pub(crate) fn wait(self) -> Result<Answer, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    if let Some(answer) = self.hear(&stream)? {
                        return Ok(answer);
                    }
                }
                Err(_) => sleep(LOOK),
            }
        }
        Err(Failure::NobodyAnswered)
    }

    fn hear(&self, stream: &TcpStream) -> Result<Option<Answer>, Failure> {
        let Some(brought) = read(stream).and_then(|target| Brought::parse(&target)) else {
            say(stream, 404, "There is nothing here.");
            return Ok(None);
        };
        if brought.state.as_deref() != Some(&self.state) {
            say(stream, 400, "This answer is to no question of the program that waits here.");
            return Ok(None);
        }
        // RFC 9207: an answer of another server is given to nobody.
        if brought.issuer.as_deref() != Some(&self.issuer) {
            say(stream, 400, "This answer is of another server. Nothing was done.");
            return Err(Failure::Answer("it is of another server than the one that was asked".to_owned()));
        }
        match brought.code {
            Some(code) => {
                say(stream, 200, "You are signed in on the command line. You can close this page.");
                Ok(Some(Answer { code, verifier: self.verifier.clone(), redirect: self.redirect() }))
            }
            None => {
                say(stream, 200, "You said no, and nothing was done. You can close this page.");
                Err(Failure::Declined)
            }
        }
    }
}

/// 256 random bits, base64url.
fn word() -> Result<String, Failure> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|_| Failure::NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes.as_ref()))
}

/// The target of a plain GET; what else comes is none.
fn read(stream: &TcpStream) -> Option<Zeroizing<String>> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(READ_TIME)).ok()?;
    stream.set_write_timeout(Some(READ_TIME)).ok()?;
    let mut reader = BufReader::new(stream.take(HEAD_BYTES));
    let mut first = Zeroizing::new(String::new());
    reader.read_line(&mut first).ok()?;
    let mut line = Zeroizing::new(String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let target = first.strip_prefix("GET ")?.split(' ').next()?;
    Some(Zeroizing::new(target.to_owned()))
}

/// What a browser brings.
#[derive(Default)]
struct Brought {
    code: Option<Zeroizing<String>>,
    state: Option<String>,
    issuer: Option<String>,
}

impl Brought {
    /// Reads it; a name that is there twice makes it none.
    fn parse(target: &str) -> Option<Self> {
        let mut brought = Self::default();
        for pair in target.strip_prefix("/callback?")?.split('&') {
            let (name, value) = pair.split_once('=')?;
            let value = decoded(value)?;
            let taken = match name {
                "code" => brought.code.replace(Zeroizing::new(value)).is_some(),
                "state" => brought.state.replace(value).is_some(),
                "iss" => brought.issuer.replace(value).is_some(),
                _ => false,
            };
            if taken {
                return None;
            }
        }
        Some(brought)
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// A page without anything that runs, and that no cache keeps.
fn say(mut stream: &TcpStream, status: u16, text: &str) {
    let body = format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sallyport</title><p>{text}</p></html>");
    let head = "content-type: text/html; charset=utf-8\r\ncontent-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\ncache-control: no-store\r\nconnection: close";
    // Whoever left does not need the page.
    let _ = write!(stream, "HTTP/1.1 {status} -\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
}

/// Shows a page in the person's browser, if this computer has a way to do that.
pub(crate) fn show(page: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    let quiet = command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(mut child) = quiet.spawn() {
        // It may stay as long as the browser does; nobody waits for it but this thread.
        std::thread::spawn(move || child.wait());
    }
}

/// What this program is called on the page that asks: itself, and this computer's name.
pub(crate) fn name() -> String {
    let host = rustix::system::uname();
    format!("sallyport {} on {}", env!("CARGO_PKG_VERSION"), host.nodename().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(loopback: &Loopback, target: &str) -> std::thread::JoinHandle<String> {
        let (port, target) = (loopback.port, target.to_owned());
        std::thread::spawn(move || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            said
        })
    }

    #[test]
    fn oa_23_only_the_answer_to_this_question_is_taken() {
        let loopback = Loopback::open("https://rmm.example").unwrap();
        let (state, port) = (loopback.state.clone(), loopback.port);
        let issuer = "iss=https%3A%2F%2Frmm.example";
        for wrong in ["/favicon.ico", "/callback", "/callback?code=x", "/callback?code=x&state=other&iss=y", "/callback?code=x&code=y"] {
            let said = ask(&loopback, wrong);
            while !said.is_finished() {
                if let Ok((stream, _)) = loopback.listener.accept() {
                    assert!(loopback.hear(&stream).unwrap().is_none(), "{wrong}");
                }
            }
            assert!(said.join().unwrap().starts_with("HTTP/1.1 40"), "{wrong}");
        }
        let said = ask(&loopback, &format!("/callback?code=good&state={state}&{issuer}"));
        let answer = loopback.wait().unwrap();
        assert_eq!((answer.code.as_str(), answer.redirect), ("good", format!("http://127.0.0.1:{port}/callback")));
        assert_eq!(answer.verifier.len(), 43);
        assert!(said.join().unwrap().contains("signed in"));
    }

    #[test]
    fn an_answer_of_another_server_ends_the_sign_in() {
        let loopback = Loopback::open("https://rmm.example").unwrap();
        let said = ask(&loopback, &format!("/callback?code=good&state={}&iss=https%3A%2F%2Fevil.example", loopback.state));
        assert!(matches!(loopback.wait(), Err(Failure::Answer(_))));
        assert!(said.join().unwrap().contains("another server"));
        let loopback = Loopback::open("https://rmm.example").unwrap();
        let said = ask(&loopback, &format!("/callback?error=access_denied&state={}&iss=https%3A%2F%2Frmm.example", loopback.state));
        assert!(matches!(loopback.wait(), Err(Failure::Declined)));
        assert!(said.join().unwrap().contains("You said no"));
    }

    #[test]
    fn oa_23_the_page_is_told_the_hash_of_the_verifier_and_never_the_verifier() {
        let loopback = Loopback::open("https://rmm.example").unwrap();
        let page = loopback.page("thumb", "sallyport on a&b");
        assert!(page.starts_with("https://rmm.example/authorize?response_type=code&client_id=sallyport-cli&"), "{page}");
        assert!(page.contains("code_challenge_method=S256") && page.ends_with("&name=sallyport%20on%20a%26b"), "{page}");
        assert!(!page.contains(loopback.verifier.as_str()));
    }
}
