use std::io::Cursor;

use sallyport_decide::accounts::password::{Breached, Password};
use sha1::{Digest as _, Sha1};

use super::super::imported::ImportedList;
use super::*;

/// Imports a text, without an installation; gives the list.
fn import(text: &[u8], format: Option<ListFormat>, folder: &Path) -> Result<(ImportedList, Imported), ImportError> {
    let (spill_at, list_at) = (folder.join("spill"), folder.join("list"));
    let (spill, skipped) = spilled(Cursor::new(text), format, &spill_at, |_| {})?;
    let passwords = write::write(spill, &list_at).map_err(|wrong| wrong.at(&list_at))?;
    Ok((ImportedList::at(list_at), Imported { passwords, skipped }))
}

fn found(list: &ImportedList, text: &str) -> Breached {
    list.look_up(&Password::parse(text).unwrap()).unwrap()
}

fn hashed(count: u32) -> String {
    (0..count).map(|n| format!("{}:{n}\r\n", data_encoding::HEXUPPER.encode(&Sha1::digest(format!("breached {n}"))))).collect()
}

#[test]
fn pwd_04_every_imported_hash_is_found_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for count in [1, 2, 300, 20_000] {
        let (list, imported) = import(hashed(count).as_bytes(), None, folder.path()).unwrap();
        assert_eq!(imported, Imported { passwords: u64::from(count), skipped: 0 });
        let step = usize::try_from(count / 200 + 1).unwrap();
        for n in (0..count).step_by(step) {
            assert_eq!(found(&list, &format!("breached {n}")), Breached::Listed, "{n} of {count}");
            assert_eq!(found(&list, &format!("unheard of {n}")), Breached::NotListed, "{n} of {count}");
        }
    }
}

#[test]
fn pwd_04_plain_passwords_are_taken_in_the_form_that_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let text = "correct horse battery\nles cafe\u{301}s e\u{301}teints\r\n\ncorrect horse battery\n".as_bytes();
    let (list, imported) = import(&[text, b"\xff\xfe\n", &[b'x'; 5000], b"\nthe last one"].concat(), None, folder.path()).unwrap();
    assert_eq!(imported, Imported { passwords: 3, skipped: 3 });
    for word in ["correct horse battery", "les caf\u{e9}s \u{e9}teints", "the last one"] {
        assert_eq!(found(&list, word), Breached::Listed, "{word}");
    }
}

#[test]
fn pwd_04_more_keys_than_fit_in_memory_at_once_are_all_there() {
    // One part of the scratch file gets thousands of keys, so that it is written and read in pieces.
    let folder = tempfile::tempdir().unwrap();
    let lines: String = (0..5000u32).map(|n| format!("ABC{:013X}{}\n", u64::from(n) * 7, "0".repeat(24))).collect();
    let (_, imported) = import(format!("{lines}{lines}").as_bytes(), None, folder.path()).unwrap();
    assert_eq!(imported.passwords, 5000, "in any order, each once");
}

#[test]
fn pwd_04_a_list_of_another_kind_is_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |text: &str, format| import(text.as_bytes(), format, folder.path()).err().map(|error| error.to_string()).unwrap();
    assert!(wrong(&format!("{}oops\n", hashed(2)), None).starts_with("line 3 is not a SHA-1 hash"));
    assert!(wrong("password\n", Some(ListFormat::Sha1)).starts_with("line 1 is not"));
    assert!(wrong("8846F7EAEE8FB117AD06BDD830B7586C:1\n", None).contains("NTLM"));
    assert_eq!(wrong("", None), "the list has no password");
    assert_eq!(wrong("\n\n", Some(ListFormat::Plain)), "the list has no password");
}

#[test]
fn pwd_04_a_damaged_list_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (list, _) = import(hashed(300).as_bytes(), None, folder.path()).unwrap();
    let path = folder.path().join("list");
    let whole = fs::read(&path).unwrap();
    let look_up = || list.look_up(&Password::parse("breached 1").unwrap());
    assert!(look_up().is_ok());
    for damaged in [&whole[..whole.len() - 1], b"short", &[b"x", &whole[1..]].concat()] {
        fs::write(&path, damaged).unwrap();
        assert!(look_up().is_err());
    }
    let mut odd = whole;
    odd[32..44].copy_from_slice(&[2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    fs::write(&path, odd).unwrap();
    assert!(look_up().is_err(), "a bucket that ends before it begins");
}
