//! Access tokens of one run: got with the client's key, bound to a key that lives as long as the run, renewed, revoked at its end.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sallyport_api as api;
use sallyport_model::headers::OF_VENDORS;
use serde_json::json;
use ureq::Agent;
use ureq::http::{Request, Response};

use super::key_file::{Bound, KeyFile, public_jwk};
use super::vouch::{About, Voucher};
use crate::client::{agent, form};
use crate::clock;
use crate::dpop::{Key, Signed};
use crate::failure::{Failure, Problem};
use crate::origin::Origin;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_SECS: i64 = 60;
/// Largest answer that is passed on.
const ANSWER_BYTES: u64 = 128 * 1024 * 1024;
/// A token is replaced when this little of its time is left.
const MARGIN: Duration = Duration::from_secs(20);
/// A token that was not used for so long may be gone already.
const UNUSED: Duration = Duration::from_secs(50);

struct Token {
    text: String,
    ends: Instant,
    used: Instant,
}

/// The tokens of one run.
pub(crate) struct Tokens {
    agent: Agent,
    origin: Origin,
    file: KeyFile,
    client: String,
    /// What the tokens are bound to; it is nowhere but here.
    run: Key,
    nonce: String,
    token: Option<Token>,
    /// What is shown beside the key, where the client needs a licence.
    voucher: Option<Voucher>,
}

/// An answer to be passed on.
pub(crate) struct Passed {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request to be passed on.
pub(crate) struct Passing {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Which go on is decided where they are read.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Tokens {
    /// Begins a run: gets the first token, and replaces the client's key where that is due.
    pub(crate) fn begin(file: KeyFile, voucher: Option<Voucher>) -> Result<Self, Failure> {
        let Bound { server, client, ca } = file.bound()?;
        let origin = Origin::parse(&server)?;
        let agent = agent(&origin, ca.as_deref())?;
        let mut made = Self { agent, origin, file, client, run: Key::generate()?, nonce: String::new(), token: None, voucher };
        made.settle_next()?;
        let issued = made.renew()?;
        if issued.key_due {
            made.rotate()?;
        }
        Ok(made)
    }

    pub(crate) fn server(&self) -> String {
        self.origin.to_string()
    }

    /// A run that ended while it replaced the key left two: the server knows one of them as the present one.
    fn settle_next(&mut self) -> Result<(), Failure> {
        if self.file.next()?.is_none() {
            return Ok(());
        }
        let _alone = self.file.alone()?;
        let Some(next) = self.file.next()? else { return Ok(()) };
        match self.issue(&next) {
            Ok(_) => self.file.promote(),
            // Refused for any other reason, it may be the registered key: without it the client would be lost.
            Err(Failure::Refused(problem)) if problem.title == api::UNREGISTERED_KEY => self.file.forget_next(),
            Err(failure) => Err(failure),
        }
    }

    fn renew(&mut self) -> Result<api::IssuedToken, Failure> {
        self.file.reload()?;
        let key = self.file.key()?;
        self.issue(&key)
    }

    fn issue(&mut self, key: &Key) -> Result<api::IssuedToken, Failure> {
        let assertion = self.assertion(key)?;
        let beside = self.vouched(&assertion)?;
        let mut fields =
            vec![("grant_type", "client_credentials"), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
        if let Some((licence, host_assertion)) = &beside {
            fields.extend([("licence", licence.as_str()), ("host_assertion", host_assertion.as_str())]);
        }
        let body = form(&fields);
        // The first try learns the nonce; it does not use the assertion up.
        let answer = match self.post("/v1/oauth/token", &body) {
            Err(Failure::Refused(problem)) if problem.code == "use_dpop_nonce" => self.post("/v1/oauth/token", &body)?,
            other => other?,
        };
        let issued: api::IssuedToken = serde_json::from_slice(&answer).map_err(|error| Failure::Answer(error.to_string()))?;
        let now = Instant::now();
        let lifetime = Duration::from_secs(u64::try_from(issued.expires_in).unwrap_or_default());
        let fresh = Token { text: issued.access_token.clone(), ends: now + lifetime.saturating_sub(MARGIN), used: now };
        if let Some(before) = self.token.replace(fresh) {
            // It may live on for seconds. One that cannot be ended now ends by itself, and the new one works all the same.
            let _ = self.end(&before, key);
        }
        Ok(issued)
    }

    /// The licence, and what this host says about this very request.
    fn vouched(&self, assertion: &str) -> Result<Option<(String, String)>, Failure> {
        let Some(voucher) = &self.voucher else { return Ok(None) };
        let server = self.origin.to_string();
        let about = About { server: &server, client: &self.client, assertion, key: self.run.thumbprint() };
        Ok(Some((voucher.licence(), voucher.assertion(&about)?)))
    }

    /// Registers the next key with the present one.
    fn rotate(&mut self) -> Result<(), Failure> {
        let due = self.file.key()?.to_text();
        let _alone = self.file.alone()?;
        let (present, next) = (self.file.key()?, Key::generate()?);
        // Another run was faster, or ended in the middle of it; the next run settles that.
        if present.to_text() != due || self.file.next()?.is_some() {
            return Ok(());
        }
        self.file.prepare(&next)?;
        let (assertion, next_assertion) = (self.assertion(&present)?, self.assertion(&next)?);
        let jwk = serde_json::to_string(&public_jwk(&next)).map_err(|error| Failure::Answer(error.to_string()))?;
        let fields = [
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
            ("next_key", jwk.as_str()),
            ("next_assertion", next_assertion.as_str()),
        ];
        self.post("/v1/oauth/keys", &form(&fields))?;
        self.file.promote()
    }

    /// Ends the run's token.
    pub(crate) fn revoke(&mut self) -> Result<(), Failure> {
        let Some(token) = self.token.take() else { return Ok(()) };
        self.file.reload()?;
        let key = self.file.key()?;
        self.end(&token, &key)
    }

    fn end(&mut self, token: &Token, key: &Key) -> Result<(), Failure> {
        let assertion = self.assertion(key)?;
        let fields = [("token", token.text.as_str()), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
        self.post("/v1/oauth/revoke", &form(&fields)).map(drop)
    }

    fn assertion(&self, key: &Key) -> Result<String, Failure> {
        let mut jti = [0u8; 16];
        getrandom::fill(&mut jti).map_err(|_| Failure::NoRandomness)?;
        let now = clock::now().secs();
        let claims = json!({
            "iss": self.client, "sub": self.client, "aud": self.origin.to_string(), "jti": URL_SAFE_NO_PAD.encode(jti), "iat": now,
            "exp": now + ASSERTION_SECS,
        });
        Ok(key.sign(&json!({ "typ": "client-authentication+jwt", "alg": "ES256" }), &claims))
    }

    fn post(&mut self, path: &str, body: &str) -> Result<Vec<u8>, Failure> {
        let request = Passing {
            method: "POST".to_owned(),
            target: path.to_owned(),
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
            body: body.as_bytes().to_vec(),
        };
        let answer = self.once(&request, None)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.body);
        }
        let said: Option<api::OauthError> = serde_json::from_slice(&answer.body).ok();
        let problem = match said {
            Some(said) => Problem { title: said.error_description, status: answer.status, code: said.error, ..Problem::default() },
            None => serde_json::from_slice(&answer.body).unwrap_or_default(),
        };
        Err(Failure::Refused(Box::new(problem)))
    }

    /// Passes a request on with the token and a proof; with another token where this one has ended.
    pub(crate) fn pass(&mut self, request: &Passing) -> Result<Passed, Failure> {
        let now = Instant::now();
        if self.token.as_ref().is_none_or(|token| now >= token.ends || now >= token.used + UNUSED) && self.renew()?.key_due {
            self.rotate()?;
        }
        let mut answer = self.with_token(request)?;
        if answer.status == 401 && code_of(&answer) == "use_dpop_nonce" {
            answer = self.with_token(request)?;
        }
        if answer.status == 401 && code_of(&answer) == "token_refused" {
            self.token = None;
            self.renew()?;
            answer = self.with_token(request)?;
        }
        Ok(answer)
    }

    fn with_token(&mut self, request: &Passing) -> Result<Passed, Failure> {
        let token = self.token.as_mut().map(|token| {
            token.used = Instant::now();
            token.text.clone()
        });
        self.once(request, token.as_deref())
    }

    fn once(&mut self, request: &Passing, token: Option<&str>) -> Result<Passed, Failure> {
        let (path, query) = request.target.split_once('?').map_or((request.target.as_str(), None), |(path, query)| (path, Some(query)));
        let signed = Signed {
            method: &request.method,
            url: format!("{}{path}", self.origin),
            query,
            body: &request.body,
            nonce: &self.nonce,
            secs: clock::now().secs(),
            token,
        };
        let mut call = Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}{}", self.origin, request.target))
            .header("dpop", self.run.prove(&signed)?);
        if !request.headers.iter().any(|(name, _)| name == "accept") {
            call = call.header("accept", "application/json");
        }
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        if let Some(token) = token {
            call = call.header("authorization", format!("DPoP {token}"));
        }
        let call = call.body(request.body.clone()).map_err(|error| Failure::Input(error.to_string()))?;
        let unreachable = |error: ureq::Error| Failure::Unreachable { url: self.origin.to_string(), why: error.to_string() };
        let response = self.agent.run(call).map_err(unreachable)?;
        let (status, headers) = (response.status().as_u16(), returned(&response));
        if let Some(nonce) = response.headers().get("dpop-nonce").and_then(|value| value.to_str().ok()) {
            nonce.clone_into(&mut self.nonce);
        }
        let body = response.into_body().into_with_config().limit(ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error: ureq::Error| Failure::Unreachable { url: self.origin.to_string(), why: error.to_string() })?;
        Ok(Passed { status, headers, body })
    }
}

/// What of an answer's head a command may want beside what a connection's vendor says. Neither the nonce nor what belongs to the connection
/// between two programs is its business.
const OF_SERVER: [&str; 8] = [
    "allow",
    "idempotency-replayed",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "sallyport-connection",
    "www-authenticate",
    "x-request-id",
];

fn returned<B>(response: &Response<B>) -> Vec<(String, String)> {
    let all =
        OF_SERVER.into_iter().chain(OF_VENDORS).flat_map(|name| response.headers().get_all(name).iter().map(move |value| (name, value)));
    all.filter_map(|(name, value)| Some((name.to_owned(), value.to_str().ok()?.to_owned()))).collect()
}

fn code_of(answer: &Passed) -> String {
    serde_json::from_slice::<Problem>(&answer.body).map(|problem| problem.code).unwrap_or_default()
}
