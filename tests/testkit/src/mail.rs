//! A mail server that is not ours, on loopback: `aiosmtpd`, which writes each mail into a folder, for reading them and following their links.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::python::{has, python_with};

const PROGRAM: &str = r#"
import asyncio, email, email.policy, json, os, sys
from aiosmtpd.controller import Controller

class Keep:
    def __init__(self, folder):
        self.folder, self.count = folder, 0
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('nobody@'):
            return '550 no such mailbox'
        if os.path.exists(os.path.join(self.folder, 'busy')):
            return '451 come back later'
        envelope.rcpt_tos.append(address)
        return '250 OK'
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail = {'to': envelope.rcpt_tos[0], 'from': str(message['from']), 'subject': str(message['subject']),
                'plain': message.get_body(('plain',)).get_content(), 'html': message.get_body(('html',)).get_content()}
        self.count += 1
        path = os.path.join(self.folder, f'{self.count:06}.json')
        with open(path + '.part', 'w') as file:
            json.dump(mail, file)
        os.rename(path + '.part', path)
        return '250 kept'

controller = Controller(Keep(sys.argv[1]), hostname='127.0.0.1', port=int(sys.argv[2]))
controller.start()
open(os.path.join(sys.argv[1], 'ready'), 'w').close()
sys.stdin.read()
"#;

/// A mail as it arrived.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// From whom.
    pub from: String,
    /// Its subject.
    pub subject: String,
    /// The plain text.
    pub plain: String,
    /// The HTML.
    pub html: String,
}

impl Mail {
    /// The token behind the `#` of the link to a page; the plain text and the HTML must have the same.
    ///
    /// # Panics
    /// Where there is no such link.
    pub fn token(&self, page: &str) -> String {
        let begin = format!("/{page}#");
        let find = |text: &str| {
            let rest = text.split(&begin).nth(1).unwrap_or_else(|| panic!("no link to {page} in {text}"));
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect::<String>()
        };
        assert_eq!(find(&self.plain), find(&self.html));
        find(&self.plain)
    }
}

/// A running mail server; it ends with this value.
pub struct MailServer {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl MailServer {
    /// Starts one.
    ///
    /// # Panics
    /// Where it cannot be installed or started: tests are never skipped.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let child = Command::new(python())
            .args(["-c", PROGRAM])
            .arg(folder.path())
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let server = Self { port, folder, child };
        let begun = Instant::now();
        while !server.folder.path().join("ready").exists() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the mail server does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Its address, for the setting `mail.smtp`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Refuses everything for the time being, or no longer.
    pub fn set_busy(&self, busy: Busy) {
        let mark = self.folder.path().join("busy");
        match busy {
            Busy::Yes => std::fs::write(mark, "").expect("a mark"),
            Busy::No => std::fs::remove_file(mark).expect("the mark"),
        }
    }

    /// All mails until now, in the order of their arrival.
    pub fn mails(&self) -> Vec<Mail> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.folder.path()).expect("the folder").flatten().map(|file| file.path()).collect();
        files.retain(|path| path.extension().is_some_and(|kind| kind == "json"));
        files.sort();
        files.iter().map(|path| serde_json::from_slice(&std::fs::read(path).expect("a mail")).expect("JSON")).collect()
    }

    /// Waits for the last mail to somebody whose subject has these words.
    ///
    /// # Panics
    /// Where none comes.
    pub async fn wait_for(&self, to: &str, subject: &str) -> Mail {
        let begun = Instant::now();
        loop {
            let found = self.mails().into_iter().rfind(|mail| mail.to == to && mail.subject.contains(subject));
            if let Some(mail) = found {
                return mail;
            }
            let came: Vec<_> = self.mails().into_iter().map(|mail| (mail.to, mail.subject)).collect();
            assert!(begun.elapsed() < Duration::from_secs(20), "no mail to {to} about {subject}; there came {came:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether a mail server takes mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// It does not.
    Yes,
    /// It does.
    No,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A python3 that has `aiosmtpd`: the system's, or one of our own beside the build.
fn python() -> PathBuf {
    let system = PathBuf::from("python3");
    match has(&system, "aiosmtpd") {
        true => system,
        false => python_with("aiosmtpd", "mail-python", &["aiosmtpd==1.4.6"]),
    }
}
