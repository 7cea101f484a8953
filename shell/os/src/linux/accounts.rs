//! Accounts of the machine, local ones and those of directory services alike.

use std::ffi::{CStr, CString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Gid, Uid};

const BUFFER_BYTES: usize = 64 * 1024;
const GROUPS: usize = 1024;

/// Whom a script can run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub home: PathBuf,
    pub shell: PathBuf,
    pub(crate) uid: Uid,
    pub(crate) gid: Gid,
    pub(crate) groups: Vec<Gid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("there is no such account")]
    Unknown,
    #[error("the account database could not be read")]
    Unreadable,
}

impl Account {
    /// Looks an account up by its name.
    pub fn named(name: &str) -> Result<Self, AccountError> {
        let name = CString::new(name).map_err(|_| AccountError::Unknown)?;
        query(|entry, buffer, found| {
            // SAFETY: all pointers are valid for the call, and the buffer's length is its own.
            unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
        })
    }

    /// The account that the agent itself runs under.
    pub fn own() -> Result<Self, AccountError> {
        let uid = rustix::process::geteuid();
        query(|entry, buffer, found| {
            // SAFETY: as above.
            unsafe { libc::getpwuid_r(uid.as_raw(), entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
        })
    }

    /// The agent's own account lives where its environment says, as for any program; in a folder of its own alone, for
    /// shells read their profiles there.
    fn where_it_lives(self, named: Option<PathBuf>) -> Self {
        let owned =
            |path: &Path| path.is_absolute() && path.metadata().is_ok_and(|folder| folder.is_dir() && folder.uid() == self.uid.as_raw());
        match named.filter(|path| self.is_own() && owned(path)) {
            Some(home) => Self { home, ..self },
            None => self,
        }
    }

    /// Its number.
    pub fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// Whether the agent is this account already.
    pub fn is_own(&self) -> bool {
        self.uid == rustix::process::geteuid()
    }

    /// Whether the account is the machine's administrator.
    pub fn is_administrator(&self) -> bool {
        self.uid.is_root()
    }
}

/// The name behind a user's number.
pub fn account_name(uid: u32) -> Option<String> {
    let found = query(|entry, buffer, found| {
        // SAFETY: all pointers are valid for the call, and the buffer's length is its own.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
    });
    found.ok().map(|account| account.name)
}

/// The number behind a user's name; a number stands for itself.
pub fn user_id(name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| Some(Account::named(name).ok()?.uid.as_raw()))
}

/// The name behind a group's number.
pub fn group_name(gid: u32) -> Option<String> {
    let found = query_group(|entry, buffer, found| {
        // SAFETY: all pointers are valid for the call, and the buffer's length is its own.
        unsafe { libc::getgrgid_r(gid, entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
    });
    found.map(|(name, _)| name)
}

/// The number behind a group's name; a number stands for itself.
pub fn group_id(name: &str) -> Option<u32> {
    let named = CString::new(name).ok()?;
    name.parse().ok().or_else(|| {
        let found = query_group(|entry, buffer, found| {
            // SAFETY: as above, and the name ends in a zero byte.
            unsafe { libc::getgrnam_r(named.as_ptr(), entry, buffer.as_mut_ptr().cast(), buffer.len(), found) }
        });
        found.map(|(_, gid)| gid)
    })
}

type AskGroup<'a> = &'a mut libc::group;

fn query_group(ask: impl Fn(AskGroup<'_>, &mut [u8], &mut *mut libc::group) -> libc::c_int) -> Option<(String, u32)> {
    let mut buffer = vec![0u8; BUFFER_BYTES];
    // SAFETY: `group` is plain data for which all zeroes is a valid value.
    let mut entry: libc::group = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    if ask(&mut entry, &mut buffer, &mut found) != 0 || found.is_null() || entry.gr_name.is_null() {
        return None;
    }
    // SAFETY: a filled entry has a name that ends in a zero byte and lives in the buffer.
    let name = unsafe { CStr::from_ptr(entry.gr_name) }.to_string_lossy().into_owned();
    Some((name, entry.gr_gid))
}

type Ask<'a> = &'a mut libc::passwd;

fn query(ask: impl Fn(Ask<'_>, &mut [u8], &mut *mut libc::passwd) -> libc::c_int) -> Result<Account, AccountError> {
    let mut buffer = vec![0u8; BUFFER_BYTES];
    // SAFETY: `passwd` is plain data for which all zeroes is a valid value.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    match ask(&mut entry, &mut buffer, &mut found) {
        0 if found.is_null() => Err(AccountError::Unknown),
        0 => Ok(account(&entry).where_it_lives(std::env::var_os("HOME").map(PathBuf::from))),
        libc::ENOENT | libc::ESRCH => Err(AccountError::Unknown),
        _ => Err(AccountError::Unreadable),
    }
}

fn account(entry: &libc::passwd) -> Account {
    let uid = Uid::from_raw(entry.pw_uid);
    let gid = Gid::from_raw(entry.pw_gid);
    let text = |pointer: *const libc::c_char| {
        if pointer.is_null() {
            return String::new();
        }
        // SAFETY: a filled entry has strings that end in a zero byte and live in the caller's buffer.
        unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
    };
    Account {
        name: text(entry.pw_name),
        home: text(entry.pw_dir).into(),
        shell: text(entry.pw_shell).into(),
        uid,
        gid,
        groups: groups(entry.pw_name, entry.pw_gid),
    }
}

fn groups(name: *const libc::c_char, gid: libc::gid_t) -> Vec<Gid> {
    let mut raw = vec![0; GROUPS];
    let mut count = GROUPS as libc::c_int;
    // SAFETY: the array has room for `count` entries, and the call never writes more.
    let listed = unsafe { libc::getgrouplist(name, gid, raw.as_mut_ptr(), &mut count) };
    match usize::try_from(count) {
        Ok(count) if listed >= 0 => raw[..count.min(GROUPS)].iter().map(|raw| Gid::from_raw(*raw)).collect(),
        _ => vec![Gid::from_raw(gid)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_users_and_groups() {
        assert_eq!((account_name(0).as_deref(), group_name(0).as_deref()), (Some("root"), Some("root")));
        assert_eq!((user_id("root"), group_id("root"), user_id("4711"), group_id("4711")), (Some(0), Some(0), Some(4711), Some(4711)));
        assert_eq!((user_id("no-such"), group_id("no-such"), group_id("a\0b"), account_name(4_000_000_001)), (None, None, None, None));
    }

    #[test]
    fn the_own_account_lives_where_the_environment_says_if_that_is_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = Account::own().expect("own");
        let lives = |named: &str| own.clone().where_it_lives(Some(named.into())).home;
        assert_eq!(lives(folder.path().to_str().expect("text")), folder.path());
        for elsewhere in ["", "tmp", "/no/such/folder", "/proc/self/status"] {
            assert_eq!(lives(elsewhere), own.home, "{elsewhere}");
        }
        let other = Account { uid: Uid::from_raw(4711), ..own.clone() };
        assert_eq!(other.where_it_lives(Some(folder.path().into())).home, own.home, "somebody else's shell");
        if own.is_administrator() {
            rustix::fs::chown(folder.path(), Some(Uid::from_raw(4711)), None).expect("given away");
            assert_eq!(lives(folder.path().to_str().expect("text")), own.home, "somebody else's folder");
        }
    }

    #[test]
    fn root_is_found_and_strangers_are_not() {
        let root = Account::named("root").expect("root");
        assert!(root.is_administrator() && root.groups.contains(&Gid::ROOT));
        assert_eq!(Account::named("no-such-account"), Err(AccountError::Unknown));
        assert_eq!(Account::named("root\0x"), Err(AccountError::Unknown));
        assert!(Account::own().expect("own").is_own());
    }
}
