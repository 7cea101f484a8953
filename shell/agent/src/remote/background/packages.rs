//! Installed packages, and the versions that updates would bring.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sallyport_wire::stream::background::{BackgroundAnswer, Done, Items, PackageRow, Part, UpdateSource};

use super::answering::{Answering, Trouble, pieces};
use super::program::{ask, words};
use crate::inventory::installed;

/// The package manager works out what an update would do.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest text to look for in names, in bytes.
const QUERY_BYTES: usize = 100;

/// Packages with `q` in their names.
pub(super) async fn list(answering: &Answering, q: String) -> Result<(), Trouble> {
    if q.len() > QUERY_BYTES {
        return Err(Trouble::code("too_long"));
    }
    let found = tokio::task::spawn_blocking(installed).await.map_err(|_| Trouble::code("internal"))?;
    let (available, updates) = waiting().await;
    let rows = found.into_iter().filter(|package| package.name.as_str().contains(&q)).map(|package| {
        let name = package.name.into_string();
        let available = available.get(&name).cloned();
        PackageRow { name, version: package.version.into_string(), available }
    });
    for piece in pieces(rows.collect()) {
        answering.say(&BackgroundAnswer::Part(Part { id: answering.id, items: Items::Packages(piece) })).await?;
    }
    answering.say(&BackgroundAnswer::Ok(Done { id: answering.id, updates, ..Done::default() })).await
}

/// New versions by the names of the packages. Neither program changes anything, and neither asks the network.
async fn waiting() -> (BTreeMap<String, String>, Option<UpdateSource>) {
    if Path::new("/var/lib/dpkg/status").exists() {
        let asked = words(["--simulate", "-o", "Debug::NoLocking=true", "--assume-no", "dist-upgrade"]);
        if let Ok(said) = ask("apt-get", &asked, PATIENCE).await {
            return (parse_apt(&said.output), Some(UpdateSource::Apt));
        }
    }
    match ask("dnf", &words(["--quiet", "--cacheonly", "check-update"]), PATIENCE).await {
        // 100 says that there are updates.
        Ok(said) if said.succeeded() || said.code == Some(100) => (parse_dnf(&said.output), Some(UpdateSource::Dnf)),
        _ => (BTreeMap::new(), None),
    }
}

/// `Inst name [old] (new Suite [arch])`
fn parse_apt(text: &str) -> BTreeMap<String, String> {
    let update = |line: &str| {
        let mut words = line.strip_prefix("Inst ")?.split_ascii_whitespace();
        let (name, old) = (words.next()?, words.next()?);
        let new = words.next()?.strip_prefix('(')?;
        old.starts_with('[').then(|| (name.to_owned(), new.to_owned()))
    };
    text.lines().filter_map(update).collect()
}

/// `name.arch version repository`, up to the list of what is obsolete.
fn parse_dnf(text: &str) -> BTreeMap<String, String> {
    let update = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [package, version, _] = words.as_slice() else { return None };
        Some((package.rsplit_once('.')?.0.to_owned(), (*version).to_owned()))
    };
    text.lines().take_while(|line| !line.starts_with("Obsoleting")).filter_map(update).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_read() {
        let apt = "Reading lists...\nInst libc6 [2.36-9] (2.36-9+deb12u13 Debian:12/stable [amd64])\nInst fresh (1.0 Debian [all])\nConf libc6 (2 x)\n";
        assert_eq!(parse_apt(apt), BTreeMap::from([("libc6".to_owned(), "2.36-9+deb12u13".to_owned())]));
        let dnf = "\nbash.x86_64   5.2.26-4.fc40   updates\nnot a package line here\nObsoleting Packages\nold.x86_64 1 updates\n";
        assert_eq!(parse_dnf(dnf), BTreeMap::from([("bash".to_owned(), "5.2.26-4.fc40".to_owned())]));
    }
}
