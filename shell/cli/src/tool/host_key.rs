//! The key of this host, which vouches for the programs that run here: in its TPM, or in a file that its owner alone reads.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::Signature;
use sallyport_grant::body::HostKind;
use sallyport_grant::{Hex, sha256};
use sallyport_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tpm::{self, TpmKey};
use crate::dpop::Key;
use crate::failure::Failure;
use crate::session;

const MACHINE_ID: &str = "/etc/machine-id";

/// What is kept. It has no `Debug`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// SHA-256 of the machine's id: a copy that an image or a backup brings to another machine is noticed. Whoever means to copy it can.
    machine: Digest,
    #[serde(flatten)]
    secret: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Secret {
    Tpm(TpmKey),
    /// The P-256 scalar, base64url.
    File(String),
}

/// The key of this host.
pub(crate) struct HostKey {
    secret: Secret,
    point: [u8; 33],
}

impl HostKey {
    /// Where it is kept, unless somebody says otherwise.
    pub(crate) fn place(asked: Option<PathBuf>) -> PathBuf {
        asked.unwrap_or_else(|| session::place(None).with_file_name("host-key.json"))
    }

    /// Makes one; never in place of another one. Without a wish: in a TPM, where there is one.
    pub(crate) fn make(path: &Path, wanted: Option<HostKind>) -> Result<Self, Failure> {
        let secret = match wanted {
            Some(HostKind::Tpm) => Secret::Tpm(TpmKey::make()?),
            None if tpm::is_there() => Secret::Tpm(TpmKey::make()?),
            Some(HostKind::File) | None => Secret::File(Key::generate()?.to_text()),
        };
        let kept = Kept { machine: machine()?, secret };
        let failed = |why| Failure::File { path: path.to_owned(), why };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let text = serde_json::to_vec_pretty(&kept).map_err(|error| Failure::Answer(error.to_string()))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        Self::read(path, kept.secret)
    }

    /// Reads the key of this host; one that others can read, or of another machine, is none.
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let content = |why| Failure::Content { path: path.to_owned(), why };
        let failed = |why| Failure::File { path: path.to_owned(), why };
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(content("others can read it; make another host key, and license that one"));
        }
        let kept: Kept = serde_json::from_slice(&fs::read(path).map_err(failed)?).map_err(|_| content("not a host key"))?;
        if kept.machine != machine()? {
            return Err(content("of another machine: make one here, and license it"));
        }
        Self::read(path, kept.secret)
    }

    fn read(path: &Path, secret: Secret) -> Result<Self, Failure> {
        let point = match &secret {
            Secret::Tpm(key) => key.point(),
            Secret::File(text) => Key::from_text(text).and_then(|key| point_of(&key)),
        };
        let point = point.ok_or_else(|| Failure::Content { path: path.to_owned(), why: "its key cannot be read" })?;
        Ok(Self { secret, point })
    }

    pub(crate) fn kind(&self) -> HostKind {
        match self.secret {
            Secret::Tpm(_) => HostKind::Tpm,
            Secret::File(_) => HostKind::File,
        }
    }

    /// The public half: a compressed point.
    pub(crate) fn point(&self) -> &[u8; 33] {
        &self.point
    }

    /// As a licence names it.
    pub(crate) fn text(&self) -> String {
        Hex(self.point).to_string()
    }

    /// Signs a JWT.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> Result<String, Failure> {
        let key = match &self.secret {
            Secret::File(text) => {
                let key = Key::from_text(text).ok_or_else(|| Failure::Input("the host's key cannot be read".to_owned()))?;
                return Ok(key.sign(header, claims));
            }
            Secret::Tpm(key) => key,
        };
        let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let der = key.sign(text.as_bytes())?;
        let signature = Signature::from_der(&der).map_err(|_| Failure::Input("the TPM: its signature cannot be read".to_owned()))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
    }
}

fn point_of(key: &Key) -> Option<[u8; 33]> {
    let (x, y) = key.public();
    let (x, y) = (URL_SAFE_NO_PAD.decode(x).ok()?, URL_SAFE_NO_PAD.decode(y).ok()?);
    [&[2 + (y.last()? & 1)], x.as_slice()].concat().try_into().ok()
}

fn machine() -> Result<Digest, Failure> {
    let id = fs::read(MACHINE_ID).map_err(|why| Failure::File { path: MACHINE_ID.into(), why })?;
    Ok(sha256(&[b"sallyport.machine/1\n", id.trim_ascii()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_key_is_its_owners_alone_of_this_machine_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/host-key.json");
        let made = HostKey::make(&path, Some(HostKind::File)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(HostKey::make(&path, Some(HostKind::File)).is_err(), "a second one");
        let again = HostKey::load(&path).unwrap();
        assert_eq!((again.text(), again.kind()), (made.text(), HostKind::File));
        assert_eq!(made.text().len(), 66);
        let text = fs::read_to_string(&path).unwrap();
        let elsewhere = text.replace(&machine().unwrap().to_string(), &sha256(&[b"another machine"]).to_string());
        fs::write(&path, elsewhere).unwrap();
        assert!(matches!(HostKey::load(&path), Err(Failure::Content { .. })), "of another machine");
        fs::write(&path, text).unwrap();
        assert!(HostKey::load(&path).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(HostKey::load(&path), Err(Failure::Content { .. })), "others can read it");
    }
}
