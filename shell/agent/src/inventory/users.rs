//! Accounts of the machine, and who is signed in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sallyport_model::Timestamp;
use sallyport_wire::{LocalUser, SignedIn};

use super::short;
use super::text::{bytes, read};

/// Length of a record of utmp(5) on 64-bit Linux.
const UTMP_BYTES: usize = 384;
const USER_PROCESS: u16 = 7;
/// Groups whose members may become root on common distributions.
const ADMINISTRATORS: [&str; 4] = ["root", "sudo", "wheel", "admin"];

/// A line of passwd(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    shell: String,
}

pub(super) fn accounts() -> Vec<Account> {
    parse_passwd(&read("/etc/passwd"))
}

pub(super) fn parse_passwd(text: &str) -> Vec<Account> {
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, _, shell] = fields.as_slice() else { return None };
        Some(Account { name: (*name).to_owned(), uid: uid.parse().ok()?, shell: (*shell).to_owned() })
    };
    text.lines().filter_map(account).filter(|account| !account.name.is_empty()).collect()
}

/// Names by number, for processes.
pub(super) fn names(accounts: &[Account]) -> BTreeMap<u32, String> {
    accounts.iter().rev().map(|account| (account.uid, account.name.clone())).collect()
}

/// Accounts that somebody can sign in with come first.
pub(super) fn local(accounts: &[Account]) -> Vec<LocalUser> {
    let administrators = parse_administrators(&read("/etc/group"));
    let mut accounts: Vec<&Account> = accounts.iter().collect();
    accounts.sort_by_key(|account| account.shell.ends_with("nologin") || account.shell.ends_with("false"));
    let user = |account: &Account| LocalUser {
        name: short(&account.name),
        id: short(&account.uid.to_string()),
        is_administrator: account.uid == 0 || administrators.contains(&account.name),
    };
    accounts.into_iter().map(user).collect()
}

pub(super) fn parse_administrators(group: &str) -> BTreeSet<String> {
    let members = group.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        ADMINISTRATORS.contains(&name).then(|| rest.rsplit(':').next().unwrap_or_default())
    });
    members.flat_map(|members| members.split(',')).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

pub(super) fn signed_in() -> Vec<SignedIn> {
    parse_utmp(&bytes("/var/run/utmp"), |pid| Path::new("/proc").join(pid.to_string()).exists())
}

/// utmp(5): type, process, line, id, user, host, exit, session, time; texts end at their first zero byte. Not every program takes its
/// record back when a session ends, so one whose process is gone counts for nothing, as who(1) has it.
pub(super) fn parse_utmp(bytes: &[u8], runs: impl Fn(u32) -> bool) -> Vec<SignedIn> {
    let session = |record: &[u8]| {
        let kind = u16::from_ne_bytes([*record.first()?, *record.get(1)?]);
        let text = |from: usize, len: usize| {
            let field = record.get(from..from + len).unwrap_or_default();
            String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
        };
        let pid = i32::from_ne_bytes(record.get(4..8)?.try_into().ok()?);
        let is_over = u32::try_from(pid).is_ok_and(|pid| pid > 0 && !runs(pid));
        let secs = u32::from_ne_bytes(record.get(340..344)?.try_into().ok()?);
        let (terminal, user, origin) = (text(8, 32), text(44, 32), text(76, 256));
        let since = Some(Timestamp::from_secs(i64::from(secs)));
        (kind == USER_PROCESS && !user.is_empty() && !is_over).then(|| SignedIn {
            name: short(&user),
            terminal: short(&terminal),
            origin: short(&origin),
            since,
        })
    };
    bytes.chunks_exact(UTMP_BYTES).filter_map(session).collect()
}
