//! Configuration: raw from file, environment and flags; then checked once. Errors name the key and the fix.

mod values;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sallyport_decide::client_address::Proxies;
use sallyport_decide::outbound::Networks;
use serde::Deserialize;

use values::{address, console, device_bound, mail, origin, outbound, private_ca, proxies, range_url, tls};

/// The settings as people write them; every one may be absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// Address and port to listen on.
    pub listen: Option<String>,
    /// How browsers and agents reach the server: `https://rmm.example.test`.
    pub public_url: Option<String>,
    /// Where the database (SQLite) and the master key lie.
    pub data_dir: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://...`.
    pub database: Option<String>,
    /// The master key's file.
    pub master_key: Option<PathBuf>,
    /// Certificate chain and key, both PEM.
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's key.
    pub tls_key: Option<PathBuf>,
    /// Certificates (PEM) that agents trust beside their machine's own: for a private CA. They go into enrolment files.
    pub tls_ca: Option<PathBuf>,
    /// Address and port of the metrics; absent means none.
    pub metrics_listen: Option<String>,
    /// `text` or `json`.
    pub log_format: Option<String>,
    /// What to log: `info`, `debug`, `sallyport=debug,warn`.
    pub log: Option<String>,
    /// The console's files, for development; absent means the embedded ones.
    pub console_dir: Option<PathBuf>,
    /// A list of breached passwords beside the built-in one: SHA-1 hashes, sorted, as haveibeenpwned.com offers them.
    pub breached_passwords: Option<PathBuf>,
    /// Where lists of breached passwords answer, by the first five digits of a hash: `https://api.pwnedpasswords.com/range/`.
    pub breached_range_url: Option<String>,
    /// `offered` (the default) or `off`: sessions that browsers bind to a key in their hardware.
    pub device_bound_sessions: Option<String>,
    /// A database of places in MaxMind's format (`GeoLite2-City.mmdb`), to show where addresses are.
    pub place_database: Option<PathBuf>,
    /// A database of autonomous systems in MaxMind's format (`GeoLite2-ASN.mmdb`), to tell whose network an address is.
    pub network_database: Option<PathBuf>,
    /// Networks of proxies in front of the server: from these alone is it believed whom a request was passed on for.
    pub trusted_proxies: Option<Vec<String>>,
    /// What these proxies say it with: `x-forwarded-for` (the default) or `forwarded`.
    pub forwarded_header: Option<String>,
    /// `v2` where these proxies speak the PROXY protocol instead of either header.
    pub proxy_protocol: Option<String>,
    /// Networks that are not public, and to which the server may send requests that people with accounts configure.
    pub outbound_networks: Option<Vec<String>>,
    /// `refused` (the default) or `listed`: whether these networks may be reached without TLS.
    pub outbound_http: Option<String>,
    /// Certificates (PEM) that are trusted for such requests beside the system's.
    pub outbound_ca: Option<PathBuf>,
    /// How mail is sent; absent means that links are shown to administrators instead.
    pub mail: Option<RawMail>,
}

/// How mail is sent, as people write it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMail {
    /// `smtps://user:password@mail.example.test`, or `smtp://...?tls=required`.
    pub smtp: Option<String>,
    /// From whom: `Sallyport <rmm@example.test>`.
    pub from: Option<String>,
}

/// How mail is sent. Not printed: the address has a password.
#[derive(Clone)]
pub struct Mail {
    /// The mail server, as a URL with name and password.
    pub smtp: String,
    /// From whom.
    pub from: String,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mail from {}", self.from)
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {why}. {fix}")]
pub struct ConfigError {
    key: &'static str,
    why: String,
    fix: &'static str,
}

/// Whether browsers are offered Device Bound Session Credentials. Sessions that are bound stay so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceBound {
    /// They are.
    Offered,
    /// They are not.
    Off,
}

/// Where TLS comes from.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// Settings that are good.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Scheme, host and port, without a path.
    origin: String,
    /// Database address.
    pub database: String,
    /// Where things lie.
    pub data_dir: PathBuf,
    /// The master key's file.
    pub master_key: PathBuf,
    /// TLS, or plain HTTP on loopback.
    pub tls: Option<Tls>,
    /// The private CA that agents trust, PEM.
    pub tls_ca: Option<String>,
    /// Where metrics are served.
    pub metrics_listen: Option<SocketAddr>,
    /// Console files for development.
    pub console_dir: Option<PathBuf>,
    /// The operator's list of breached passwords.
    pub breached_passwords: Option<PathBuf>,
    /// Where ranges of breached passwords are asked for; ends with a slash.
    pub breached_range_url: Option<String>,
    /// Whether browsers are offered to bind sessions to a key in their hardware.
    pub device_bound_sessions: DeviceBound,
    /// The database of places.
    pub place_database: Option<PathBuf>,
    /// The database of autonomous systems.
    pub network_database: Option<PathBuf>,
    /// Whose word on a client's address counts.
    pub proxies: Proxies,
    /// What requests that people configured may reach beside public addresses.
    pub outbound: Networks,
    /// Certificates that are trusted for them beside the system's.
    pub outbound_ca: Option<PathBuf>,
    /// How mail is sent.
    pub mail: Option<Mail>,
}

impl Raw {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or a key is unknown or of the wrong kind.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let wrong = |why: String| ConfigError { key: "configuration file", why, fix: "See docs/guide/configuration.md for every key" };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
        toml::from_str(&text).map_err(|error| wrong(error.to_string()))
    }

    /// Takes `SALLYPORT_LISTEN` and the like over what the file says.
    #[must_use]
    pub fn with_environment(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let text = |key: &str| variable(&format!("SALLYPORT_{key}"));
        let path = |key: &str| text(key).map(PathBuf::from);
        self.listen = text("LISTEN").or(self.listen);
        self.public_url = text("PUBLIC_URL").or(self.public_url);
        self.data_dir = path("DATA_DIR").or(self.data_dir);
        self.database = text("DATABASE").or(self.database);
        self.master_key = path("MASTER_KEY").or(self.master_key);
        self.tls_certificate = path("TLS_CERTIFICATE").or(self.tls_certificate);
        self.tls_key = path("TLS_KEY").or(self.tls_key);
        self.tls_ca = path("TLS_CA").or(self.tls_ca);
        self.metrics_listen = text("METRICS_LISTEN").or(self.metrics_listen);
        self.log_format = text("LOG_FORMAT").or(self.log_format);
        self.log = text("LOG").or(self.log);
        self.console_dir = path("CONSOLE_DIR").or(self.console_dir);
        self.breached_passwords = path("BREACHED_PASSWORDS").or(self.breached_passwords);
        self.device_bound_sessions = text("DEVICE_BOUND_SESSIONS").or(self.device_bound_sessions);
        self.breached_range_url = text("BREACHED_RANGE_URL").or(self.breached_range_url);
        self.place_database = path("PLACE_DATABASE").or(self.place_database);
        self.network_database = path("NETWORK_DATABASE").or(self.network_database);
        let list = |key: &str| text(key).map(|value| value.split(',').map(|part| part.trim().to_owned()).collect());
        self.trusted_proxies = list("TRUSTED_PROXIES").or(self.trusted_proxies);
        self.forwarded_header = text("FORWARDED_HEADER").or(self.forwarded_header);
        self.proxy_protocol = text("PROXY_PROTOCOL").or(self.proxy_protocol);
        self.outbound_networks = list("OUTBOUND_NETWORKS").or(self.outbound_networks);
        self.outbound_http = text("OUTBOUND_HTTP").or(self.outbound_http);
        self.outbound_ca = path("OUTBOUND_CA").or(self.outbound_ca);
        let written = self.mail.take().unwrap_or_default();
        let mail = RawMail { smtp: text("MAIL_SMTP").or(written.smtp), from: text("MAIL_FROM").or(written.from) };
        self.mail = (mail.smtp.is_some() || mail.from.is_some()).then_some(mail);
        self
    }

    /// Checks everything at once, so that a wrong setting is found at start and not at three in the morning.
    ///
    /// # Errors
    /// Names the first key that is wrong, and how to mend it.
    pub fn check(self) -> Result<Config, ConfigError> {
        let listen = address("listen", self.listen.as_deref().unwrap_or("127.0.0.1:8800"))?;
        let tls = tls(self.tls_certificate, self.tls_key)?;
        if tls.is_none() && !listen.ip().is_loopback() {
            return Err(ConfigError {
                key: "listen",
                why: format!("{listen} is not a loopback address and there is no certificate"),
                fix: "Set tls_certificate and tls_key, or listen on 127.0.0.1 behind a proxy that terminates TLS",
            });
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = origin(self.public_url.unwrap_or_else(|| format!("{scheme}://localhost:{}", listen.port())))?;
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from("/var/lib/sallyport"));
        Ok(Config {
            listen,
            origin,
            database: self.database.unwrap_or_else(|| format!("sqlite:{}", data_dir.join("sallyport.db").display())),
            master_key: self.master_key.unwrap_or_else(|| data_dir.join("master.key")),
            data_dir,
            tls,
            tls_ca: self.tls_ca.as_deref().map(private_ca).transpose()?,
            metrics_listen: self.metrics_listen.as_deref().map(|text| address("metrics_listen", text)).transpose()?,
            console_dir: self.console_dir.map(console).transpose()?,
            breached_passwords: self.breached_passwords,
            device_bound_sessions: device_bound(self.device_bound_sessions.as_deref())?,
            breached_range_url: self.breached_range_url.map(range_url).transpose()?,
            place_database: self.place_database,
            network_database: self.network_database,
            proxies: proxies(self.trusted_proxies, self.forwarded_header, self.proxy_protocol)?,
            outbound: outbound(self.outbound_networks, self.outbound_http.as_deref())?,
            outbound_ca: self.outbound_ca,
            mail: self.mail.map(mail).transpose()?,
        })
    }
}

impl Config {
    /// Scheme, host and port as browsers write them.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address that agents dial.
    pub fn link_url(&self) -> String {
        format!("{}/agent/link", self.origin.replacen("http", "ws", 1))
    }
}
