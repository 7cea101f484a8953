//! Installed packages, as dpkg, rpm and apk know them.

use sallyport_wire::Software;

use super::short;
use super::text::{output_of, read};

pub(super) fn installed() -> Vec<Software> {
    let mut packages = parse_dpkg(&read("/var/lib/dpkg/status"));
    packages.extend(parse_apk(&read("/lib/apk/db/installed")));
    if std::path::Path::new("/var/lib/rpm").exists() || std::path::Path::new("/usr/lib/sysimage/rpm").exists() {
        packages.extend(parse_rpm(&output_of("rpm", &["-qa", "--qf", "%{NAME}\t%{VERSION}-%{RELEASE}\n"])));
    }
    packages
}

fn package(name: &str, version: &str, source: &str) -> Software {
    Software { name: short(name), version: short(version), source: short(source) }
}

/// Stanzas of `Name: value` lines; packages that were removed keep a stanza with another status.
pub(super) fn parse_dpkg(text: &str) -> Vec<Software> {
    let stanza = |stanza: &str| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let installed = field("Status")?.ends_with(" installed");
        installed.then(|| Some(package(field("Package")?, field("Version")?, "dpkg")))?
    };
    text.split("\n\n").filter_map(stanza).collect()
}

/// Stanzas of `P:name` and `V:version` lines.
pub(super) fn parse_apk(text: &str) -> Vec<Software> {
    let stanza = |stanza: &str| {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
        Some(package(field("P:")?, field("V:")?, "apk"))
    };
    text.split("\n\n").filter_map(stanza).collect()
}

pub(super) fn parse_rpm(text: &str) -> Vec<Software> {
    text.lines().filter_map(|line| line.split_once('\t')).map(|(name, version)| package(name, version, "rpm")).collect()
}
