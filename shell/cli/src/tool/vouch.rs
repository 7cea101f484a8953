//! What this host says about a token request: who asks, with which licence, and which bytes are about to run.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_grant::body::ToolVersion;
use sallyport_grant::licence::{Licence, Measured};
use sallyport_grant::sha256;
use sallyport_model::limits;
use serde_json::json;

use super::host_key::HostKey;
use super::measure::Program;
use crate::clock;
use crate::failure::Failure;

/// A licence with the host and the program that it is shown for.
pub(crate) struct Voucher {
    file: Vec<u8>,
    licence: Licence,
    host: HostKey,
    program: Measured,
}

/// The token request that the host vouches for.
pub(crate) struct About<'a> {
    pub(crate) server: &'a str,
    pub(crate) client: &'a str,
    /// The client's assertion, as it is sent.
    pub(crate) assertion: &'a str,
    /// The thumbprint of the run's key.
    pub(crate) key: String,
}

impl Voucher {
    /// Reads a licence and looks here already whether it lets this program in: the server only says that it does not.
    pub(crate) fn new(licence: &Path, host: HostKey, program: &Program, version: ToolVersion) -> Result<Self, Failure> {
        let (file, parsed) = read(licence)?;
        let program = program.measured(version);
        let refused = |why: sallyport_grant::licence::NotCovered| Failure::Licence(why.to_string());
        parsed.stands(clock::now()).map_err(refused)?;
        parsed.host(host.point(), host.kind()).map_err(refused)?;
        parsed.covers(&program).map_err(refused)?;
        Ok(Self { file, licence: parsed, host, program })
    }

    /// The licence as the form takes it.
    pub(crate) fn licence(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.file)
    }

    /// What the host signs, for this one request.
    pub(crate) fn assertion(&self, about: &About<'_>) -> Result<String, Failure> {
        let now = clock::now().secs();
        let Measured { version, executable, script } = &self.program;
        let claims = json!({
            "iss": self.host.text(), "kind": self.host.kind(), "aud": about.server, "iat": now, "exp": now + 60, "client": about.client,
            "assertion": sha256(&[about.assertion.as_bytes()]), "jkt": about.key, "licence": self.licence.digest(), "version": version,
            "executable": executable, "script": script,
        });
        self.host.sign(&json!({ "typ": "sallyport-host+jwt", "alg": "ES256" }), &claims)
    }
}

/// Reads a licence's file; what it says is checked by the pin inside, so that a broken file is noticed here.
pub(crate) fn read(path: &Path) -> Result<(Vec<u8>, Licence), Failure> {
    let file = bytes(path)?;
    let licence = Licence::verify(&file, None, clock::now()).map_err(|error| Failure::Licence(error.to_string()))?;
    Ok((file, licence))
}

/// The file, as far as a licence can be long.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let failed = |why| Failure::File { path: path.to_owned(), why };
    let mut file = Vec::new();
    let most = limits::LICENCE_BYTES as u64 + 1;
    std::fs::File::open(path).and_then(|open| open.take(most).read_to_end(&mut file)).map_err(failed)?;
    // `echo` and editors end files with a line.
    Ok(file.trim_ascii_end().to_vec())
}
