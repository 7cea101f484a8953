use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn reach(path: &Path, links: Links, last: Last) -> Result<Place, ReachError> {
    Place::reach(path, links, last)
}

fn kind_of(error: &ReachError) -> String {
    match error {
        ReachError::Io(error) => format!("{:?}", error.kind()),
        other => other.to_string(),
    }
}

#[test]
fn a_path_leads_through_links_only_where_it_may() {
    let temp = tempfile::tempdir().expect("temp");
    std::fs::create_dir(temp.path().join("real")).expect("folder");
    std::fs::write(temp.path().join("real/file"), b"x").expect("file");
    symlink("real", temp.path().join("own")).expect("link");
    symlink(temp.path().join("real/file"), temp.path().join("last")).expect("link");
    let place = reach(&temp.path().join("own/file"), Links::Trusted, Last::Kept).expect("an own link");
    assert_eq!(place.folder.entry(&place.name).expect("entry").size, 1);
    let kept = reach(&temp.path().join("last"), Links::Any, Last::Kept).expect("kept");
    assert_eq!(kept.folder.entry(&kept.name).expect("entry").kind, EntryKind::Link);
    let followed = reach(&temp.path().join("last"), Links::Any, Last::Followed).expect("followed");
    assert_eq!((followed.folder.entry(&followed.name).expect("entry").kind, followed.name), (EntryKind::File, "file".into()));
}

#[test]
fn a_link_that_another_account_planted_chooses_nothing() {
    let temp = tempfile::tempdir().expect("temp");
    std::fs::create_dir(temp.path().join("victim")).expect("folder");
    let link = temp.path().join("planted");
    symlink("victim", &link).expect("link");
    if std::os::unix::fs::lchown(&link, Some(65534), Some(65534)).is_err() {
        return assert!(!rustix::process::geteuid().is_root(), "root may give files away");
    }
    let refused = reach(&link.join("new"), Links::Trusted, Last::Kept).expect_err("refused");
    assert!(matches!(refused, ReachError::ForeignLink), "{refused}");
    reach(&link.join("new"), Links::Any, Last::Kept).expect("looking is allowed");
}

#[test]
fn the_links_of_proc_lead_nowhere() {
    for path in ["/proc/self/root/etc/passwd", "/proc/self/cwd/x", "/proc/self/fd/0", "/proc/thread-self/root/etc"] {
        let refused = reach(path.as_ref(), Links::Any, Last::Followed).expect_err(path);
        assert!(matches!(refused, ReachError::SystemLink), "{path}: {refused}");
    }
    reach("/proc/1/status".as_ref(), Links::Any, Last::Followed).expect("its files can be read");
}

#[test]
fn loops_and_long_paths_end() {
    let temp = tempfile::tempdir().expect("temp");
    symlink("b", temp.path().join("a")).expect("link");
    symlink("a", temp.path().join("b")).expect("link");
    let refused = reach(&temp.path().join("a/x"), Links::Any, Last::Kept).expect_err("a loop");
    assert_eq!(kind_of(&refused), "FilesystemLoop");
    let long = temp.path().join("x".repeat(5000));
    assert_eq!(kind_of(&reach(&long.join("y"), Links::Any, Last::Kept).expect_err("long")), "InvalidFilename");
    let up = reach(&temp.path().join("../../../../../../../../.."), Links::Any, Last::Followed).expect("the root's parent is the root");
    assert_eq!(up.folder.itself().expect("root").number, Folder::root().expect("root").itself().expect("root").number);
}

#[test]
fn a_folder_that_was_swapped_for_a_link_is_not_entered() {
    let temp = tempfile::tempdir().expect("temp");
    std::fs::create_dir(temp.path().join("inner")).expect("folder");
    let place = reach(&temp.path().join("inner"), Links::Trusted, Last::Kept).expect("place");
    std::fs::remove_dir(temp.path().join("inner")).expect("remove");
    symlink("/etc", temp.path().join("inner")).expect("swap");
    assert!(place.open_folder().is_err());
    symlink("/etc/passwd", temp.path().join("file")).expect("link");
    for opened in [place.folder.open("file".as_ref()), place.folder.open_to_write("file".as_ref()), place.folder.create("file".as_ref())] {
        assert!(opened.is_err());
    }
}

#[test]
fn pipes_and_devices_are_not_opened_and_nothing_waits() {
    let temp = tempfile::tempdir().expect("temp");
    rustix::fs::mkfifoat(CWD, temp.path().join("pipe"), Mode::RWXU).expect("pipe");
    let place = reach(&temp.path().join("pipe"), Links::Any, Last::Followed).expect("place");
    assert_eq!(place.folder.open(&place.name).map_err(|error| error.kind()).err(), Some(io::ErrorKind::InvalidInput));
    let null = reach("/dev/null".as_ref(), Links::Any, Last::Followed).expect("place");
    assert!(null.folder.open(&null.name).is_err());
}

#[test]
fn renaming_replaces_only_when_told_so() {
    let temp = tempfile::tempdir().expect("temp");
    for name in ["a", "b"] {
        std::fs::write(temp.path().join(name), name).expect("write");
    }
    let place = reach(&temp.path().join("a"), Links::Trusted, Last::Kept).expect("place");
    let here = &place.folder;
    let refused = here.rename("a".as_ref(), here, "b".as_ref(), Existing::Refused).expect_err("b is there");
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(here.rename_by_link("a".as_ref(), here, "b".as_ref()).expect_err("b").kind(), io::ErrorKind::AlreadyExists);
    here.rename("a".as_ref(), here, "b".as_ref(), Existing::Replaced).expect("replace");
    assert_eq!(std::fs::read(temp.path().join("b")).expect("b"), b"a");
}

#[test]
fn modes_are_of_the_file_itself_and_never_of_a_link() {
    let temp = tempfile::tempdir().expect("temp");
    std::fs::write(temp.path().join("file"), b"").expect("write");
    symlink("file", temp.path().join("link")).expect("link");
    let place = reach(&temp.path().join("file"), Links::Trusted, Last::Kept).expect("place");
    place.folder.hold("file".as_ref()).and_then(|held| held.set_mode(0o640)).expect("mode");
    assert_eq!(std::fs::metadata(temp.path().join("file")).expect("file").permissions().mode() & 0o7777, 0o640);
    assert!(place.folder.hold("link".as_ref()).and_then(|held| held.set_mode(0o777)).is_err());
}
