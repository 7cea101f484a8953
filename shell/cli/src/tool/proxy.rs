//! A door on the loopback for one command: its plain requests go in with a word that only it was told, and come out signed.
//!
//! The token and the key that it is bound to stay in this process. What the command holds is worth something on this machine alone, while it
//! runs: the word opens this door and no other.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::head::{Head, Stays, lines};
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
            let mut answer = Stays::new(503, "door_busy", "Too many requests of this run are under way.").answer();
            answer.headers.push(("retry-after".to_owned(), "1".to_owned()));
            let _ = write(&stream, &answer);
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
        Err(stays) => stays.answer(),
    };
    // A command that hung up needs no answer.
    let _ = write(stream, &answer);
}

/// Reads a request, or says why it stays here.
fn read(stream: &TcpStream, wanted: &str) -> Result<Passing, Stays> {
    stream.set_read_timeout(Some(READ_TIME)).map_err(|_| Stays::unreadable())?;
    let mut reader = BufReader::new(stream);
    let head = Head::parse(&lines(&mut (&mut reader).take(HEAD_BYTES))?)?;
    if !head.is_from_the_command(wanted) {
        return Err(Stays::new(401, "word_refused", "Show the word in SALLYPORT_TOKEN as `Authorization: Bearer`."));
    }
    let length = head.length.ok_or_else(|| Stays::new(411, "length_required", "Send Content-Length, and no Transfer-Encoding."))?;
    if length > BODY_BYTES {
        return Err(Stays::new(413, "body_too_large", "The server takes no body that is longer than 2 MiB."));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(|_| Stays::unreadable())?;
    Ok(Passing { method: head.method, target: head.target, headers: head.headers, body })
}

fn write(mut stream: &TcpStream, answer: &Passed) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} -\r\nconnection: close\r\n", answer.status);
    // Of these, the length would be that of a body that is not sent.
    if !matches!(answer.status, 204 | 304) {
        head.push_str(&format!("content-length: {}\r\n", answer.body.len()));
    }
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

    #[test]
    fn a_head_is_bounded_as_a_whole() {
        let long = format!("GET / HTTP/1.1\r\n{}\r\n", format!("x: {}\r\n", "y".repeat(4_000)).repeat(9));
        assert!(long.len() as u64 > HEAD_BYTES);
        assert_eq!(lines(&mut long.as_bytes().take(HEAD_BYTES)).map_err(|stays| stays.status), Err(431));
        assert_eq!(lines(&mut "GET / HTTP/1.1\r\nx: y\r\n\r\nbody".as_bytes().take(HEAD_BYTES)).map(|lines| lines.len()), Ok(2));
    }

    #[test]
    fn a_crowd_at_the_door_is_sent_away() {
        use std::io::Read as _;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let refuse = |stream: &TcpStream| {
            let stays = read(stream, "word").err().unwrap_or_else(Stays::unreadable);
            let _ = write(stream, &stays.answer());
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
}
