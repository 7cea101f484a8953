//! The session file: server, cookie and key, readable by its owner alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use crate::dpop::Key;
use crate::failure::Failure;
use crate::{files, keystore};

/// Largest session that is read: certificates that are trusted are in it.
const SESSION_BYTES: usize = 2 * files::CERTIFICATES_BYTES;

/// What is kept between commands. Whoever has it is signed in as its person until it ends: it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// The server's origin.
    pub(crate) server: String,
    /// Who signed in.
    pub(crate) email: String,
    /// The P-256 scalar, base64url; empty where the operating system's key store has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) key: String,
    /// The name under which the key store has the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_name: Option<String>,
    /// The cookie's value, of a sign-in with a password; none where signed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cookie: Option<String>,
    /// The token, of a sign-in with a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// Certificates (PEM) that are trusted besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
}

impl Session {
    /// Whether there is something to show for it.
    pub(crate) fn is_open(&self) -> bool {
        self.cookie.is_some() || self.token.is_some()
    }

    /// Gives the key to the operating system's key store, where there is one: the file alone is worth nothing then.
    pub(crate) fn keep_key(&mut self) -> Result<(), Failure> {
        let mut salt = [0u8; 8];
        getrandom::fill(&mut salt).map_err(|_| Failure::NoRandomness)?;
        let name = format!("{} {:016x}", self.server, u64::from_be_bytes(salt));
        if keystore::keep(&name, &self.key).is_some() {
            self.key_name = Some(name);
            self.key.zeroize();
        }
        Ok(())
    }

    /// The key, from where it is kept.
    pub(crate) fn key(&self) -> Option<Key> {
        match &self.key_name {
            None => Key::from_text(&self.key),
            Some(name) => Key::from_text(keystore::recall(name)?.as_str()),
        }
    }

    /// Where the key is kept, for people.
    pub(crate) fn key_place(&self) -> &'static str {
        if self.key_name.is_some() { "in this computer's key store" } else { "in a file that your account alone can read" }
    }
}

/// Where the session is kept, from what was asked for and the environment.
pub(crate) fn place(asked: Option<PathBuf>) -> PathBuf {
    let state = || {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // Where the environment names no home, the account has one: what lies in the working folder may be anybody's.
        let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        variable("XDG_STATE_HOME").or_else(|| home().map(|home| home.join(".local/state"))).unwrap_or_else(|| PathBuf::from("."))
    };
    asked.unwrap_or_else(|| state().join("sallyport/session.json"))
}

/// Reads the session; none where there is no file.
pub(crate) fn load(path: &Path) -> Result<Option<Session>, Failure> {
    let content = |why| Failure::Content { path: path.to_owned(), why };
    match fs::metadata(path) {
        Ok(about) if about.is_file() && about.permissions().mode() & 0o077 != 0 => {
            return Err(content("others can read it, and be you: remove it, sign in again, and end the session that it was"));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(_) => {}
        Err(why) => return Err(Failure::File { path: path.to_owned(), why }),
    }
    let session = serde_json::from_slice(&files::bytes(path, SESSION_BYTES)?);
    session.map(Some).map_err(|_| content("not a session of this program; remove it and sign in"))
}

/// Whether a session could be kept here: asked before a password or a code is spent on one that would be lost.
pub(crate) fn is_keepable(path: &Path) -> Result<(), Failure> {
    let failed = |why| Failure::File { path: path.to_owned(), why };
    let fresh = fresh_beside(path)?;
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
    fs::remove_file(&fresh).map_err(failed)
}

/// Writes the session in one step: other commands see the old or the new one.
pub(crate) fn save(path: &Path, session: &Session) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(session).map_err(|error| Failure::Answer(error.to_string()))?;
    write_private(path, &text)
}

/// Forgets the session, and its key.
pub(crate) fn forget(path: &Path) -> Result<(), Failure> {
    if let Some(name) = load(path).ok().flatten().and_then(|session| session.key_name) {
        keystore::forget(&name);
    }
    match fs::remove_file(path) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(Failure::File { path: path.to_owned(), why }),
        _ => Ok(()),
    }
}

/// Writes a file that only its owner reads, in one step.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |why| Failure::File { path: path.to_owned(), why };
    let fresh = fresh_beside(path)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&fresh, path)).map_err(failed)
}

/// A name that is free, in the folder where the file will be.
fn fresh_beside(path: &Path) -> Result<PathBuf, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let failed = |why| Failure::File { path: path.to_owned(), why };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let fresh = path.with_file_name(name);
    // Whatever lies there is of an earlier process with our number, which is gone.
    let _ = fs::remove_file(&fresh);
    Ok(fresh)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/session.json");
        assert!(load(&path).unwrap().is_none());
        let (server, email, key) = ("https://a".to_owned(), "a@b".to_owned(), "k".to_owned());
        let session = Session { server, email, key, key_name: None, cookie: Some("c".into()), token: None, ca: None };
        save(&path, &session).unwrap();
        save(&path, &session).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(load(&path).unwrap().unwrap().cookie.as_deref(), Some("c"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        forget(&path).unwrap();
        forget(&path).unwrap();
        assert!(load(&path).unwrap().is_none());
    }

    #[test]
    fn another_file_is_not_taken_for_a_session() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        let why = |path: &Path| match load(path) {
            Err(Failure::Content { why, .. }) => why,
            _ => panic!("it was taken"),
        };
        for content in ["", "{}", "{\"server\":\"https://a\"", "\u{0}"] {
            write_private(&path, content.as_bytes()).unwrap();
            assert!(why(&path).starts_with("not a session"), "{content:?}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(why(&path).starts_with("others can read it"));
        assert!(why(Path::new("/dev/zero")).contains("larger"));
    }

    #[test]
    fn where_nothing_can_be_kept_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/session.json");
        is_keepable(&path).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing is left of the question");
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(matches!(is_keepable(&folder.path().join("file/session.json")), Err(Failure::File { .. })));
        assert!(matches!(is_keepable(Path::new("/proc/session.json")), Err(Failure::File { .. })));
    }
}
