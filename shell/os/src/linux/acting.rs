//! File work of one thread with the rights of another account, so that the kernel says what that account may do.

use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::{Account, LaunchError};

/// Gives this thread the file rights of `account`, for the rest of the thread's life. Start a thread for it.
///
/// Only the ids that count for files change (credentials(7)): the thread keeps the agent's real and saved ids, so the
/// account can neither signal nor trace it. All capabilities go: with some of them left the thread could still look into
/// other accounts' processes through /proc.
pub fn act_on_files_as(account: &Account) -> Result<(), LaunchError> {
    if account.is_own() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        return Err(LaunchError::NotPermitted);
    }
    rustix::thread::set_thread_groups(&account.groups).map_err(io::Error::from)?;
    set_file_ids(account.uid, account.gid);
    if file_ids() != (account.uid, account.gid) {
        return Err(LaunchError::NotPermitted);
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(io::Error::from)?;
    Ok(())
}

/// The user whose file rights this thread has.
pub(crate) fn file_user() -> Uid {
    file_ids().0
}

fn set_file_ids(uid: Uid, gid: Gid) {
    // The group comes first: the change of the user takes the right to change groups away.
    // SAFETY: both calls change ids of this thread only and touch no memory.
    unsafe {
        libc::setfsgid(gid.as_raw());
        libc::setfsuid(uid.as_raw());
    }
}

/// The calls answer with the ids of before, and an id that cannot be changes nothing.
fn file_ids() -> (Uid, Gid) {
    // SAFETY: as above.
    let (uid, gid) = unsafe { (libc::setfsuid(u32::MAX), libc::setfsgid(u32::MAX)) };
    (Uid::from_raw(uid.cast_unsigned()), Gid::from_raw(gid.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    /// Runs on a thread of its own; an agent without privileges is refused instead, which is checked here.
    fn as_nobody<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let nobody = Account::named("nobody").expect("nobody");
        let privileged = rustix::process::geteuid().is_root();
        let thread = std::thread::spawn(move || match act_on_files_as(&nobody) {
            Ok(()) => Some(work()),
            Err(error) => {
                assert!(matches!(error, LaunchError::NotPermitted) && !privileged, "{error}");
                None
            }
        });
        thread.join().expect("thread")
    }

    #[test]
    fn the_kernel_decides_what_the_account_may_do_with_files() {
        let temp = tempfile::tempdir().expect("temp");
        std::fs::set_permissions(temp.path(), std::fs::Permissions::from_mode(0o777)).expect("open to all");
        let secret = temp.path().join("secret");
        std::fs::write(&secret, b"of the administrator").expect("write");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("mode");
        let made = temp.path().join("made");
        let seen = as_nobody(move || {
            let denied = [secret.as_path(), "/etc/shadow".as_ref(), "/proc/1/environ".as_ref(), "/proc/1/root/etc".as_ref()]
                .map(|path| std::fs::File::open(path).err().map(|error| error.kind()));
            std::fs::write(&made, b"mine").expect("its own file");
            (denied, std::fs::metadata(&made).expect("made").uid(), std::os::unix::fs::chown(&made, Some(0), None).is_err())
        });
        if let Some((denied, owner, keeps_it)) = seen {
            assert_eq!(denied, [Some(io::ErrorKind::PermissionDenied); 4]);
            assert_eq!((owner, keeps_it), (65534, true));
        }
    }

    #[test]
    fn the_other_threads_stay_who_they_are() {
        as_nobody(|| ());
        assert_eq!(file_user(), rustix::process::geteuid());
    }

    #[test]
    fn the_account_cannot_signal_the_thread() {
        let allowed = as_nobody(|| {
            let ids = rustix::thread::gettid();
            let uids = std::fs::read_to_string(format!("/proc/self/task/{}/status", ids.as_raw_nonzero())).unwrap_or_default();
            uids.lines().find(|line| line.starts_with("Uid:")).map(str::to_owned)
        });
        if let Some(line) = allowed {
            assert_eq!(line.expect("readable").split_ascii_whitespace().collect::<Vec<_>>(), ["Uid:", "0", "0", "0", "65534"]);
        }
    }
}
