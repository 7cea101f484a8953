//! A door on the loopback for one command: its plain requests go in with a word that only it was told, and come out signed.
//!
//! The token and the key that it is bound to stay in this process. What the command holds is worth something on this machine alone, while it
//! runs: the word opens this door and no other.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use sallyport_grant::sha256;

use super::token::{Passed, Passing, Tokens};
use crate::failure::Failure;

/// Longest head of a request: all of its lines together.
const HEAD_BYTES: u64 = 32 * 1024;
/// Requests that are read or wait for an answer at once; programs of other accounts can dial a port of the loopback too.
const CONNECTIONS: usize = 32;
/// Largest body: what the server takes.
const BODY_BYTES: usize = 2 * 1024 * 1024;
/// A command that begins a request finishes it within this.
const READ_TIME: Duration = Duration::from_secs(60);

/// The open door.
pub(crate) struct Proxy {
    address: SocketAddr,
    word: String,
}

impl Proxy {
    /// Opens it, for as long as the process lives.
    pub(crate) fn open(tokens: Arc<Mutex<Tokens>>) -> Result<Self, Failure> {
        let failed = |why: std::io::Error| Failure::Input(format!("no door on the loopback: {why}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut secret = [0u8; 32];
        getrandom::fill(&mut secret).map_err(|_| Failure::NoRandomness)?;
        let word: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let wanted = word.clone();
        thread::spawn(move || stand(&listener, &Arc::new(move |stream: &TcpStream| serve(stream, &wanted, &tokens))));
        Ok(Self { address, word })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the command shows as `Authorization: Bearer`.
    pub(crate) fn word(&self) -> &str {
        &self.word
    }
}

/// Lets so many in at a time, and sends the others away at once.
fn stand(listener: &TcpListener, serve: &Arc<impl Fn(&TcpStream) + Send + Sync + 'static>) {
    let inside = Arc::new(());
    for stream in listener.incoming().flatten() {
        let place = Arc::clone(&inside);
        if Arc::strong_count(&inside) > CONNECTIONS + 1 {
            let _ = write(&stream, &Passed { status: 503, headers: vec![("retry-after".to_owned(), "1".to_owned())], body: Vec::new() });
            continue;
        }
        let serve = Arc::clone(serve);
        thread::spawn(move || {
            serve(&stream);
            drop(place);
        });
    }
}

/// One request, then the connection ends.
fn serve(stream: &TcpStream, wanted: &str, tokens: &Mutex<Tokens>) {
    let answer = match read(stream, wanted) {
        Ok(request) => tokens.lock().unwrap_or_else(PoisonError::into_inner).pass(&request).unwrap_or_else(|failure| {
            let body = failure.to_json().to_string().into_bytes();
            Passed { status: 502, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body }
        }),
        Err(status) => Passed { status, headers: Vec::new(), body: Vec::new() },
    };
    // A command that hung up needs no answer.
    let _ = write(stream, &answer);
}

/// Reads a request, or says with which status it is refused.
fn read(stream: &TcpStream, wanted: &str) -> Result<Passing, u16> {
    stream.set_read_timeout(Some(READ_TIME)).map_err(|_| 500u16)?;
    let mut reader = BufReader::new(stream);
    let head = Head::parse(&lines(&mut (&mut reader).take(HEAD_BYTES))?).ok_or(400u16)?;
    if !head.is_from_the_command(wanted) {
        return Err(401);
    }
    let length = head.length.ok_or(411u16)?;
    if length > BODY_BYTES {
        return Err(413);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|_| 400u16)?;
    Ok(Passing { method: head.method, target: head.target, content_type: head.content_type, body })
}

/// The lines of a head, up to the empty one.
fn lines(head: &mut impl BufRead) -> Result<Vec<String>, u16> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        head.read_line(&mut line).map_err(|_| 400u16)?;
        if !line.ends_with('\n') || lines.len() > 100 {
            return Err(431);
        }
        match line.trim_end() {
            "" => return Ok(lines),
            line => lines.push(line.to_owned()),
        }
    }
}

struct Head {
    method: String,
    target: String,
    authorization: Option<String>,
    content_type: Option<String>,
    /// Absent where the body has no length that can be known beforehand.
    length: Option<usize>,
}

impl Head {
    fn parse(lines: &[String]) -> Option<Self> {
        let mut words = lines.first()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_method || !target.starts_with('/') || target.starts_with("//") {
            return None;
        }
        let mut head = Self { method, target, authorization: None, content_type: None, length: Some(0) };
        for line in &lines[1..] {
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "authorization" => head.authorization = Some(value.to_owned()),
                "content-type" => head.content_type = Some(value.to_owned()),
                "content-length" => head.length = Some(value.parse().ok()?),
                "transfer-encoding" => head.length = None,
                _ => {}
            }
        }
        Some(head)
    }

    /// Hashes are compared, so that nothing is learnt from how long it takes.
    fn is_from_the_command(&self, wanted: &str) -> bool {
        let shown = self.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        sha256(&[shown.as_bytes()]) == sha256(&[wanted.as_bytes()])
    }
}

fn write(mut stream: &TcpStream, answer: &Passed) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} -\r\ncontent-length: {}\r\nconnection: close\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Head> {
        Head::parse(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_word_of_this_run_opens_the_door() {
        let head = parsed("GET /v1/devices?limit=5 HTTP/1.1\nHost: x\nAuthorization: Bearer abc").unwrap();
        assert!(head.is_from_the_command("abc") && !head.is_from_the_command("abd"));
        assert_eq!((head.target.as_str(), head.length), ("/v1/devices?limit=5", Some(0)));
        assert!(!parsed("GET / HTTP/1.1").unwrap().is_from_the_command("abc"), "nothing shown");
    }

    #[test]
    fn a_head_is_bounded_as_a_whole() {
        let long = format!("GET / HTTP/1.1\r\n{}\r\n", format!("x: {}\r\n", "y".repeat(4_000)).repeat(9));
        assert!(long.len() as u64 > HEAD_BYTES);
        assert_eq!(lines(&mut long.as_bytes().take(HEAD_BYTES)), Err(431));
        assert_eq!(lines(&mut "GET / HTTP/1.1\r\nx: y\r\n\r\nbody".as_bytes().take(HEAD_BYTES)).map(|lines| lines.len()), Ok(2));
    }

    #[test]
    fn a_crowd_at_the_door_is_sent_away() {
        use std::io::Read as _;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let refuse = |stream: &TcpStream| {
            let status = read(stream, "word").err().unwrap_or(200);
            let _ = write(stream, &Passed { status, headers: Vec::new(), body: Vec::new() });
        };
        thread::spawn(move || stand(&listener, &Arc::new(refuse)));
        let crowd: Vec<TcpStream> = (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut said = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 503"), "{said}");
        // One that leaves makes room: it is answered, if only by a no.
        drop(crowd);
        let answered = (0..500).any(|_| {
            thread::sleep(Duration::from_millis(20));
            let mut stream = TcpStream::connect(address).unwrap();
            let mut said = String::new();
            let told = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").and_then(|()| stream.read_to_string(&mut said));
            told.is_ok() && said.starts_with("HTTP/1.1 401")
        });
        assert!(answered);
    }

    #[test]
    fn what_is_no_request_for_this_server_is_refused() {
        for text in ["", "GET", "GET http://evil.example/ HTTP/1.1", "GET //evil.example HTTP/1.1", "get / HTTP/1.1", "GET / HTTP/1.1\nx"] {
            assert!(parsed(text).is_none(), "{text}");
        }
        assert_eq!(parsed("POST / HTTP/1.1\nTransfer-Encoding: chunked").unwrap().length, None);
    }
}
