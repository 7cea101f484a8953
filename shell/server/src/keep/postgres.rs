//! PostgreSQL by its own programs: `pg_dump` copies one moment of a running database, `pg_restore` puts it into an empty one, in one transaction.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::{KeepError, wrong};

/// What both are told: nobody is there to be asked, and accounts of the database differ from machine to machine.
const COMMON: [&str; 3] = ["--no-password", "--no-owner", "--no-privileges"];

/// Writes the copy into a new file, readable by its owner alone.
pub(super) fn dump(database: &str, to: &Path) -> Result<(), KeepError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(wrong(to))?;
    run("pg_dump", database, &[OsStr::new("--format=custom"), OsStr::new("--file"), to.as_os_str()])
}

/// Puts a copy into an empty database, whole or not at all.
pub(super) fn restore(database: &str, from: &Path) -> Result<(), KeepError> {
    run("pg_restore", database, &[OsStr::new("--single-transaction"), OsStr::new("--exit-on-error"), from.as_os_str()])
}

fn run(program: &'static str, database: &str, arguments: &[&OsStr]) -> Result<(), KeepError> {
    let (address, password) = apart(database);
    let mut command = Command::new(program);
    command.args(COMMON).arg("--dbname").arg(address).args(arguments).stdin(Stdio::null());
    if let Some(password) = password {
        command.env("PGPASSWORD", password.as_str());
    }
    let output = command.output().map_err(|error| KeepError::Program(program, error))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(KeepError::Refused(program, said)) }
}

/// The address without its password, which every account of this machine could read in a list of processes.
fn apart(database: &str) -> (String, Option<Zeroizing<String>>) {
    let start = database.find("://").map_or(0, |at| at + 3);
    let end = database[start..].find(['/', '?']).map_or(database.len(), |at| start + at);
    let named = database[start..end].rsplit_once('@').and_then(|(person, host)| Some((person.split_once(':')?, host)));
    let (mut address, mut password) = match named {
        Some(((person, password), host)) => (format!("{}{person}@{host}{}", &database[..start], &database[end..]), Some(decoded(password))),
        None => (database.to_owned(), None),
    };
    if let Some((before, query)) = address.clone().split_once('?') {
        let (said, rest): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with("password="));
        password = said.first().map(|pair| decoded(&pair["password=".len()..])).or(password);
        address = if rest.is_empty() { before.to_owned() } else { format!("{before}?{}", rest.join("&")) };
    }
    (address, password)
}

/// A part of an address as it is meant: `%40` is `@`.
fn decoded(text: &str) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escaped = more.get(..2).filter(|_| *first == b'%').and_then(|two| data_encoding::HEXLOWER_PERMISSIVE.decode(two).ok());
        bytes.push(escaped.as_ref().map_or(*first, |decoded| decoded[0]));
        rest = if escaped.is_some() { &more[2..] } else { more };
    }
    Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_told_apart_from_its_address() {
        for (given, address, password) in [
            ("postgres://sallyport@db/x", "postgres://sallyport@db/x", None),
            ("postgres://db", "postgres://db", None),
            ("postgres://a:s%40cret@db:5432/x?sslmode=require", "postgres://a@db:5432/x?sslmode=require", Some("s@cret")),
            ("postgresql://a:b:c@db?host=/run", "postgresql://a@db?host=/run", Some("b:c")),
            ("postgres://a@localhost/x?host=/tmp/p&password=pq", "postgres://a@localhost/x?host=/tmp/p", Some("pq")),
            ("postgres://a@db/x?password=pq", "postgres://a@db/x", Some("pq")),
            ("postgres://a:100%25%zz%@db/x", "postgres://a@db/x", Some("100%%zz%")),
        ] {
            let (found, secret) = apart(given);
            assert_eq!((found.as_str(), secret.as_deref().map(String::as_str)), (address, password), "{given}");
        }
    }
}
