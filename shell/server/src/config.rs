//! Configuration: raw from file, environment and flags; then checked once. Errors name the key and the fix.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sallyport_decide::client_address::{Method, Proxies};
use sallyport_decide::networks::Range;
use sallyport_decide::outbound::{Networks, PlainHttp};
use sallyport_model::limits;
use serde::Deserialize;

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

fn address(key: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError {
        key,
        why: format!("{text:?} is not an address and a port"),
        fix: "Write it like 127.0.0.1:8800 or [::1]:8800",
    })
}

/// One way of saying it at a time: with two, whoever reaches a proxy could choose the one that it passes on unread.
fn proxies(trusted: Option<Vec<String>>, header: Option<String>, protocol: Option<String>) -> Result<Proxies, ConfigError> {
    let fix = "Write it like trusted_proxies = [\"192.0.2.10\", \"2001:db8::/64\"]";
    let trusted = ranges("trusted_proxies", trusted, fix)?;
    let wrong = |key, why: &str, fix| ConfigError { key, why: why.to_owned(), fix };
    let method = match (header.as_deref(), protocol.as_deref()) {
        (None | Some("x-forwarded-for"), None) => Method::XForwardedFor,
        (Some("forwarded"), None) => Method::Forwarded,
        (None, Some("v2")) => Method::ProxyV2,
        (Some(_), Some(_)) => return Err(wrong("proxy_protocol", "set beside forwarded_header", "Set one of the two")),
        (Some(_), None) => return Err(wrong("forwarded_header", "unknown", "Write x-forwarded-for or forwarded")),
        (None, Some(_)) => return Err(wrong("proxy_protocol", "unknown", "Write v2")),
    };
    match (method, trusted.is_empty()) {
        (Method::Forwarded | Method::ProxyV2, true) => Err(wrong("trusted_proxies", "missing: no proxy would be believed", fix)),
        _ => Ok(Proxies { trusted, method }),
    }
}

fn ranges(key: &'static str, texts: Option<Vec<String>>, fix: &'static str) -> Result<Vec<Range>, ConfigError> {
    let wrong = |why: String| ConfigError { key, why, fix };
    let texts = texts.unwrap_or_default();
    texts.iter().map(|text| text.parse().map_err(|why| wrong(format!("{text:?} {why}")))).collect()
}

fn outbound(listed: Option<Vec<String>>, http: Option<&str>) -> Result<Networks, ConfigError> {
    let fix = "Write it like outbound_networks = [\"10.20.0.0/16\", \"192.0.2.10\"]";
    let listed = ranges("outbound_networks", listed, fix)?;
    let wrong = |key, why: String, fix| ConfigError { key, why, fix };
    let plain_http = match http {
        None | Some("refused") => PlainHttp::Refused,
        Some("listed") if listed.is_empty() => {
            return Err(wrong("outbound_networks", "missing: nothing is reached by plain HTTP".into(), fix));
        }
        Some("listed") => PlainHttp::Listed,
        Some(other) => return Err(wrong("outbound_http", format!("{other:?} is unknown"), "Write refused or listed")),
    };
    Ok(Networks { listed, plain_http })
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Tls>, ConfigError> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(Tls { certificate, key })),
        (Some(_), None) => {
            Err(ConfigError { key: "tls_key", why: "missing".into(), fix: "Set it to the PEM file of the certificate's key" })
        }
        (None, Some(_)) => {
            Err(ConfigError { key: "tls_certificate", why: "missing".into(), fix: "Set it to the PEM file of the certificate chain" })
        }
    }
}

/// Passwords and links do not travel in the clear: without TLS only a mail server on this very machine is good.
fn mail(raw: RawMail) -> Result<Mail, ConfigError> {
    let fix = "Write it like smtps://user:password@mail.example.test, or smtp://mail.example.test?tls=required";
    let wrong = |why: &str| ConfigError { key: "mail.smtp", why: why.to_owned(), fix };
    let smtp = raw.smtp.ok_or_else(|| wrong("missing"))?;
    let rest =
        smtp.strip_prefix("smtps://").or_else(|| smtp.strip_prefix("smtp://")).ok_or_else(|| wrong("does not begin with smtps://"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let is_sealed = smtp.starts_with("smtps://") || smtp.contains("tls=required");
    if host.is_empty() || (!is_sealed && !matches!(host, "localhost" | "127.0.0.1" | "[::1]")) {
        return Err(wrong("is not a mail server that is reached by TLS"));
    }
    let from = raw.from.filter(|from| from.contains('@'));
    let from =
        from.ok_or_else(|| ConfigError { key: "mail.from", why: "missing".into(), fix: "Write it like Sallyport <rmm@example.test>" })?;
    Ok(Mail { smtp, from })
}

fn device_bound(text: Option<&str>) -> Result<DeviceBound, ConfigError> {
    match text {
        None | Some("offered") => Ok(DeviceBound::Offered),
        Some("off") => Ok(DeviceBound::Off),
        Some(other) => Err(ConfigError { key: "device_bound_sessions", why: format!("{other:?} is unknown"), fix: "Write offered or off" }),
    }
}

/// Who sees the questions learns something, so they travel by TLS, but for a mirror on this very machine.
fn range_url(url: String) -> Result<String, ConfigError> {
    let fix = "Write it like https://api.pwnedpasswords.com/range/";
    let wrong = |why: &str| ConfigError { key: "breached_range_url", why: format!("{url:?} {why}"), fix };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(|| wrong("is not an address"))?;
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if host.is_empty() || rest.contains(['?', '#', '@', ' ']) {
        return Err(wrong("is not just an address with a path"));
    }
    if url.starts_with("http://") && !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return Err(wrong("is plain HTTP to another machine"));
    }
    Ok(format!("{}/", url.trim_end_matches('/')))
}

fn console(folder: PathBuf) -> Result<PathBuf, ConfigError> {
    let fix = "Set it to the folder that `npm run build` makes, or leave it out";
    let wrong = || ConfigError { key: "console_dir", why: format!("{} has no index.html", folder.display()), fix };
    if folder.join("index.html").is_file() { Ok(folder) } else { Err(wrong()) }
}

fn private_ca(path: &Path) -> Result<String, ConfigError> {
    let wrong = |why: String| ConfigError { key: "tls_ca", why, fix: "Set it to a PEM file of at most a few certificates" };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
    if text.len() > limits::CA_BYTES || !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(wrong(format!("{} holds no certificates, or more than {} bytes", path.display(), limits::CA_BYTES)));
    }
    Ok(text)
}

fn origin(url: String) -> Result<String, ConfigError> {
    let wrong = |why: &str| ConfigError {
        key: "public_url",
        why: format!("{url:?} {why}"),
        fix: "Write it like https://rmm.example.test, without a path",
    };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(|| wrong("does not begin with https://"))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ']) {
        return Err(wrong("is not just scheme, host and port"));
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if url.starts_with("http://") && !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return Err(wrong("is plain HTTP to another machine"));
    }
    Ok(format!("{}{}", &url[..url.len() - rest.len()], authority.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn wrong(raw: Raw) -> String {
        raw.check().unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_good_and_on_loopback() {
        let config = Raw::default().check().unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.origin(), "http://localhost:8800");
    }

    #[test]
    fn errors_name_the_key_and_the_fix() {
        assert!(wrong(Raw { listen: Some("0.0.0.0:80".into()), ..Raw::default() }).contains("Set tls_certificate"));
        assert!(wrong(Raw { listen: Some("here".into()), ..Raw::default() }).starts_with("listen: "));
        assert!(wrong(Raw { tls_key: Some("k".into()), ..Raw::default() }).starts_with("tls_certificate: missing"));
        assert!(wrong(Raw { public_url: Some("http://rmm.example.test".into()), ..Raw::default() }).contains("plain HTTP"));
        assert!(wrong(Raw { public_url: Some("https://a/b".into()), ..Raw::default() }).starts_with("public_url"));
        assert!(toml::from_str::<Raw>("lisen = \"x\"").is_err(), "unknown keys are refused");
    }

    #[test]
    fn net_03_proxies_are_listed_and_say_it_in_one_way() {
        let raw = |trusted: &[&str], header: Option<&str>, protocol: Option<&str>| Raw {
            trusted_proxies: Some(trusted.iter().map(|text| (*text).to_owned()).collect()),
            forwarded_header: header.map(str::to_owned),
            proxy_protocol: protocol.map(str::to_owned),
            ..Raw::default()
        };
        assert_eq!(raw(&["192.0.2.1"], None, None).check().unwrap().proxies.method, Method::XForwardedFor);
        assert_eq!(raw(&["192.0.2.1"], Some("forwarded"), None).check().unwrap().proxies.method, Method::Forwarded);
        assert_eq!(raw(&["2001:db8::/64"], None, Some("v2")).check().unwrap().proxies.method, Method::ProxyV2);
        assert!(wrong(raw(&["192.0.2.1"], Some("forwarded"), Some("v2"))).starts_with("proxy_protocol"));
        assert!(wrong(raw(&[], None, Some("v2"))).starts_with("trusted_proxies"));
        assert!(wrong(raw(&["proxy.example"], None, None)).starts_with("trusted_proxies"));
        assert!(wrong(raw(&["192.0.2.1"], Some("x-real-ip"), None)).starts_with("forwarded_header"));
        assert!(wrong(raw(&["192.0.2.1"], None, Some("v1"))).starts_with("proxy_protocol"));
    }

    #[test]
    fn networks_behind_the_server_are_reached_where_they_are_listed() {
        let raw = |listed: &[&str], http: Option<&str>| Raw {
            outbound_networks: Some(listed.iter().map(|text| (*text).to_owned()).collect()),
            outbound_http: http.map(str::to_owned),
            ..Raw::default()
        };
        assert_eq!(Raw::default().check().unwrap().outbound, Networks::default());
        assert_eq!(raw(&["10.0.0.0/8"], None).check().unwrap().outbound.plain_http, PlainHttp::Refused);
        assert_eq!(raw(&["10.0.0.0/8"], Some("listed")).check().unwrap().outbound.plain_http, PlainHttp::Listed);
        assert!(wrong(raw(&[], Some("listed"))).starts_with("outbound_networks"));
        assert!(wrong(raw(&["psa.example"], None)).starts_with("outbound_networks"));
        assert!(wrong(raw(&["10.0.0.0/8"], Some("yes"))).starts_with("outbound_http"));
    }

    #[test]
    fn mail_goes_by_tls_or_stays_on_this_machine() {
        let raw = |smtp: &str| Raw {
            mail: Some(RawMail { smtp: Some(smtp.into()), from: Some("Sallyport <rmm@example.test>".into()) }),
            ..Raw::default()
        };
        for good in
            ["smtps://u:p@mail.example.test", "smtp://mail.example.test:587?tls=required", "smtp://127.0.0.1:2525", "smtp://localhost"]
        {
            assert!(raw(good).check().is_ok(), "{good}");
        }
        for bad in ["smtp://mail.example.test", "smtp://u:localhost@mail.example.test", "mail.example.test", "smtp://"] {
            assert!(wrong(raw(bad)).starts_with("mail.smtp"), "{bad}");
        }
        assert!(toml::from_str::<Raw>("[mail]\nsmtp = \"smtps://m.test\"\nfrom = \"a@m.test\"").unwrap().check().is_ok());
        assert!(!format!("{:?}", raw("smtps://u:secret@m.test").check().unwrap()).contains("secret"));
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let raw = Raw { listen: Some("127.0.0.1:1".into()), ..Raw::default() };
        let raw = raw.with_environment(|key| (key == "SALLYPORT_LISTEN").then(|| "127.0.0.1:2".to_owned()));
        assert_eq!(raw.check().unwrap().listen.port(), 2);
    }

    /// The keys that the guide has a row for.
    fn in_the_guide() -> BTreeSet<String> {
        let guide = include_str!("../../../docs/guide/configuration.md");
        let rows = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        rows.flat_map(|row| row.split(", ").map(|key| key.trim_matches('`').to_owned())).collect()
    }

    #[test]
    fn every_key_of_the_guide_is_one_of_the_environment_and_of_the_file_and_there_are_no_others() {
        let asked = std::cell::RefCell::new(BTreeSet::new());
        let everything = Raw::default().with_environment(|key| {
            asked.borrow_mut().insert(key.strip_prefix("SALLYPORT_").expect("our prefix").to_lowercase());
            Some("from-the-environment".to_owned())
        });
        let shown = format!("{everything:?}");
        assert!(!shown.contains("None"), "the environment sets every one: {shown}");
        let keys = in_the_guide();
        assert!(keys.len() > 20, "{keys:?}");
        assert_eq!(asked.into_inner(), keys.iter().map(|key| key.replace('.', "_")).collect());
        let listed = ["trusted_proxies", "outbound_networks"];
        for key in keys {
            let value = if listed.contains(&key.as_str()) { "[\"x\"]" } else { "\"x\"" };
            let read: Raw = toml::from_str(&format!("{key} = {value}")).unwrap_or_else(|error| panic!("{key}: {error}"));
            let over = format!("{:?}", read.with_environment(|_| Some("from-the-environment".to_owned())));
            assert_eq!(over, shown, "{key} of the file gives way");
        }
    }
}
