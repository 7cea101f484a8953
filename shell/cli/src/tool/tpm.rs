//! A host key inside of the machine's TPM, by the programs of `tpm2-tools`: made there, and never given out.
//!
//! The key is a child of the TPM's storage key. What is kept outside are two pieces that this TPM alone can load: a copy of them is worth
//! nothing on another machine. Programs get a folder of their own, which nobody else can read, and a short time.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A TPM answers within a second; one that does not for so long is broken.
const TIME: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);
/// `fixedtpm` and `fixedparent`: it can be moved nowhere. `sensitivedataorigin`: the TPM made it.
const ATTRIBUTES: &str = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign";
/// The same as the bits of TPMA_OBJECT (TPM 2.0 library, part 2, section 8.3).
const ATTRIBUTE_BITS: [u8; 4] = [0, 4, 0, 0x72];
/// Where the coordinates begin in a TPM2B_PUBLIC of an ECC signing key without a policy.
const POINT_AT: usize = 22;

/// What is kept of a key that is in a TPM.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TpmKey {
    /// TPM2B_PUBLIC, base64.
    public: String,
    /// TPM2B_PRIVATE, base64: encrypted by the TPM.
    private: String,
}

impl TpmKey {
    /// Has the TPM make one.
    pub(crate) fn make() -> Result<Self, Failure> {
        let folder = Folder::new()?;
        folder.primary()?;
        folder.run(
            "tpm2_create",
            &["-C", "primary", "-g", "sha256", "-G", "ecc256:ecdsa-sha256", "-a", ATTRIBUTES, "-u", "public", "-r", "private"],
        )?;
        folder.flush();
        let key = Self { public: STANDARD.encode(folder.read("public")?), private: STANDARD.encode(folder.read("private")?) };
        key.point().ok_or_else(|| failed("the TPM made another key than it was asked for"))?;
        Ok(key)
    }

    /// The public half, as a compressed point.
    pub(crate) fn point(&self) -> Option<[u8; 33]> {
        let public = STANDARD.decode(&self.public).ok()?;
        if public.get(6..10)? != ATTRIBUTE_BITS {
            return None;
        }
        let (x, rest) = coordinate(public.get(POINT_AT..)?)?;
        let (y, _) = coordinate(rest)?;
        let mut point = [0; 33];
        point[0] = 2 + (y[31] & 1);
        point[1..].copy_from_slice(&x);
        Some(point)
    }

    /// Signs: ECDSA with P-256 and SHA-256, in DER.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let broken = |_| failed("the kept pieces of the key cannot be read");
        let folder = Folder::new()?;
        folder.write("public", &STANDARD.decode(&self.public).map_err(broken)?)?;
        folder.write("private", &STANDARD.decode(&self.private).map_err(broken)?)?;
        folder.write("message", message)?;
        folder.primary()?;
        folder.run("tpm2_load", &["-C", "primary", "-u", "public", "-r", "private", "-c", "key"])?;
        folder.flush();
        folder.run("tpm2_sign", &["-c", "key", "-g", "sha256", "-s", "ecdsa", "-f", "plain", "-o", "signature", "message"])?;
        folder.flush();
        folder.read("signature")
    }
}

/// Whether there is a TPM to ask: the kernel's, or the one that the environment names.
pub(crate) fn is_there() -> bool {
    std::env::var_os("TPM2TOOLS_TCTI").is_some() || Path::new("/dev/tpmrm0").exists()
}

/// A length of two bytes and so many bytes, which a TPM may have shortened by their leading zeros.
fn coordinate(bytes: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
    let (digits, rest) = rest.split_at_checked(length).filter(|_| length <= 32)?;
    let mut whole = [0; 32];
    whole[32 - length..].copy_from_slice(digits);
    Some((whole, rest))
}

/// Where the programs leave what they made; gone with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failure> {
        let mut name = [0u8; 16];
        getrandom::fill(&mut name).map_err(|_| Failure::NoRandomness)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("sallyport-tpm-{name}"));
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(|why| Failure::File { path: path.clone(), why })?;
        Ok(Self(path))
    }

    /// The TPM's storage key: the same each time, so that nothing has to be left inside.
    fn primary(&self) -> Result<(), Failure> {
        self.run("tpm2_createprimary", &["-C", "o", "-g", "sha256", "-G", "ecc256", "-c", "primary"])?;
        self.flush();
        Ok(())
    }

    /// Where no resource manager stands between, what a program loaded stays and fills the TPM.
    fn flush(&self) {
        let _ = self.run("tpm2_flushcontext", &["-t"]);
    }

    fn run(&self, program: &'static str, arguments: &[&str]) -> Result<(), Failure> {
        let mut command = Command::new(program);
        command.arg("-Q").args(arguments).current_dir(&self.0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env_clear();
        for name in ["PATH", "TPM2TOOLS_TCTI", "TCTI"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().map_err(|why| failed(&format!("{program} cannot be started ({why}): install tpm2-tools")))?;
        let begun = Instant::now();
        while child.try_wait().map_err(|why| failed(&why.to_string()))?.is_none() {
            if begun.elapsed() > TIME {
                let _ = child.kill();
            }
            sleep(LOOK);
        }
        let done = child.wait_with_output().map_err(|why| failed(&why.to_string()))?;
        let said = String::from_utf8_lossy(&done.stderr);
        let why = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason was given");
        if done.status.success() { Ok(()) } else { Err(failed(&format!("{program}: {why}"))) }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let path = self.0.join(name);
        fs::read(&path).map_err(|why| Failure::File { path, why })
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.0.join(name);
        fs::write(&path, content).map_err(|why| Failure::File { path, why })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left are pieces that are worth nothing elsewhere.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn failed(why: &str) -> Failure {
    Failure::Input(format!("the TPM: {}", crate::safe::one_line(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a TPM wrote it.
    const PUBLIC: &str =
        "AFgAIwALAAQAcgAAABAAGAALAAMAEAAgs14cQTzQJZ/n1IEosbhuCoE0iwNcsoJwdBzovtRzPe0AIHvZdWRJAwezOllhyWpPDJYTaHOomanv2ow27Gf2/GF1";

    #[test]
    fn the_point_is_read_from_what_a_tpm_writes() {
        let key = TpmKey { public: PUBLIC.to_owned(), private: String::new() };
        let point: String = key.point().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(point, "03b35e1c413cd0259fe7d48128b1b86e0a81348b035cb28270741ce8bed4733ded");
    }

    #[test]
    fn a_key_that_could_leave_the_tpm_is_none() {
        let mut public = STANDARD.decode(PUBLIC).unwrap();
        public[9] = 0x70;
        assert_eq!(TpmKey { public: STANDARD.encode(&public), private: String::new() }.point(), None);
        assert_eq!(TpmKey { public: STANDARD.encode(&public[..40]), private: String::new() }.point(), None);
        assert_eq!(TpmKey { public: "?".to_owned(), private: String::new() }.point(), None);
    }
}
