//! The key of an API client, on the machine where its tool runs: a file that only its owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sallyport_api as api;
use serde::{Deserialize, Serialize};

use crate::dpop::Key;
use crate::failure::Failure;
use crate::session;

/// What is kept. Whoever has it is the client, from the client's networks: it has no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// The P-256 scalar, base64url.
    key: String,
    /// The key that is being registered in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The server's origin, once there is a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    /// The client's id, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    /// Certificates (PEM) that are trusted besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<String>,
}

/// A key file that was read or made.
pub(crate) struct KeyFile {
    path: PathBuf,
    kept: Kept,
}

/// Which server a client is of, and what it is called there.
pub(crate) struct Bound {
    pub(crate) server: String,
    pub(crate) client: String,
    pub(crate) ca: Option<String>,
}

impl KeyFile {
    /// Where the key of a name is: beside the session, or at a path that is written as one.
    pub(crate) fn place(name: &str) -> PathBuf {
        if name.contains('/') || name.contains('.') {
            return PathBuf::from(name);
        }
        session::place(None).with_file_name("clients").join(format!("{name}.json"))
    }

    /// Makes a key; never in place of another one.
    pub(crate) fn generate(path: PathBuf) -> Result<Self, Failure> {
        let kept = Kept { key: Key::generate()?.to_text(), next: None, server: None, client: None, ca: None };
        let failed = |why| Failure::File { path: path.clone(), why };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let text = written(&kept)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Self { path, kept })
    }

    /// Reads a key; one that others can read is none.
    pub(crate) fn load(path: PathBuf) -> Result<Self, Failure> {
        let failed = |why| Failure::File { path: path.clone(), why };
        let mode = fs::metadata(&path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Failure::Content { path, why: "others can read it; run: chmod 600 on it, and replace the key" });
        }
        let text = fs::read(&path).map_err(failed)?;
        let kept = serde_json::from_slice(&text).map_err(|_| Failure::Content { path: path.clone(), why: "not a key of an API client" })?;
        Ok(Self { path, kept })
    }

    /// Holds back other runs with this key while it is replaced, until what comes out is dropped; the file is read anew, as others left it.
    pub(crate) fn alone(&mut self) -> Result<File, Failure> {
        let path = self.path.with_extension("lock");
        let failed = |why| Failure::File { path: path.clone(), why };
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        self.reload()?;
        Ok(lock)
    }

    /// Reads it anew: another run may have replaced the key.
    pub(crate) fn reload(&mut self) -> Result<(), Failure> {
        *self = Self::load(self.path.clone())?;
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key that is registered.
    pub(crate) fn key(&self) -> Result<Key, Failure> {
        self.read(&self.kept.key)
    }

    /// A key that was about to be registered when the program ended: the server knows whether it was.
    pub(crate) fn next(&self) -> Result<Option<Key>, Failure> {
        self.kept.next.as_deref().map(|text| self.read(text)).transpose()
    }

    fn read(&self, text: &str) -> Result<Key, Failure> {
        Key::from_text(text).ok_or_else(|| Failure::Content { path: self.path.clone(), why: "its key cannot be read" })
    }

    /// Of which client it is.
    pub(crate) fn bound(&self) -> Result<Bound, Failure> {
        match (&self.kept.server, &self.kept.client) {
            (Some(server), Some(client)) => Ok(Bound { server: server.clone(), client: client.clone(), ca: self.kept.ca.clone() }),
            _ => Err(Failure::Input(format!("{} is of no client yet: `sallyport clients bind` says of which", self.path.display()))),
        }
    }

    /// Says of which client it is.
    pub(crate) fn bind(&mut self, server: &str, client: &str, ca: Option<String>) -> Result<(), Failure> {
        (self.kept.server, self.kept.client, self.kept.ca) = (Some(server.to_owned()), Some(client.to_owned()), ca);
        self.save()
    }

    /// Keeps the next key before it is registered: one that is registered and lost would stop the client.
    pub(crate) fn prepare(&mut self, next: &Key) -> Result<(), Failure> {
        self.kept.next = Some(next.to_text());
        self.save()
    }

    /// The next key is the key now.
    pub(crate) fn promote(&mut self) -> Result<(), Failure> {
        if let Some(next) = self.kept.next.take() {
            self.kept.key = next;
        }
        self.save()
    }

    /// The next key was not registered.
    pub(crate) fn forget_next(&mut self) -> Result<(), Failure> {
        self.kept.next = None;
        self.save()
    }

    fn save(&self) -> Result<(), Failure> {
        session::write_private(&self.path, &written(&self.kept)?)
    }
}

fn written(kept: &Kept) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec_pretty(kept).map_err(|error| Failure::Answer(error.to_string()))
}

/// The public half, as the server and the console take it.
pub(crate) fn public_jwk(key: &Key) -> api::PublicJwk {
    let (x, y) = key.public();
    api::PublicJwk { kty: "EC".to_owned(), crv: "P-256".to_owned(), x, y: Some(y) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_owners_alone_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/nightly.json");
        let mut made = KeyFile::generate(path.clone()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(KeyFile::generate(path.clone()).is_err(), "a second one");
        assert!(made.bound().is_err());
        made.bind("https://a", "cli_1", None).unwrap();
        let (first, next) = (made.key().unwrap().to_text(), Key::generate().unwrap());
        made.prepare(&next).unwrap();
        let mut again = KeyFile::load(path.clone()).unwrap();
        assert_eq!((again.key().unwrap().to_text(), again.bound().unwrap().client.as_str()), (first, "cli_1"));
        again.promote().unwrap();
        assert_eq!(KeyFile::load(path.clone()).unwrap().key().unwrap().to_text(), next.to_text());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyFile::load(path), Err(Failure::Content { .. })));
    }

    #[test]
    fn a_name_is_no_path() {
        assert!(KeyFile::place("nightly").ends_with("clients/nightly.json"));
        assert_eq!(KeyFile::place("./nightly"), PathBuf::from("./nightly"));
        assert_eq!(KeyFile::place("client.key"), PathBuf::from("client.key"));
    }
}
