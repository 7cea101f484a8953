//! Uploads: whole or not at all.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sallyport_grant::body::Access;
use serde_json::json;

use super::{Bench, digest, noise};

#[tokio::test]
async fn a_file_is_written_whole_and_replaces_only_when_told_so() {
    let mut bench = Bench::new();
    let content = noise(200_000);
    let done = bench.upload(50, "new", &content, "no").await;
    assert_eq!((&done["t"], &done["sha256"], &done["entry"]["mode"]), (&json!("ok"), &json!(digest(&content)), &json!(0o644)));
    assert_eq!(bench.read("new"), Some(content));
    assert_eq!(bench.upload(51, "new", b"other", "no").await["code"], "exists");
    std::fs::set_permissions(bench.path("new"), std::fs::Permissions::from_mode(0o750)).expect("mode");
    assert_eq!(bench.upload(52, "new", b"other", "yes").await["entry"]["mode"], 0o750);
    assert_eq!((bench.read("new"), bench.names()), (Some(b"other".to_vec()), vec!["new".to_owned()]));
    assert_eq!(bench.upload(53, "empty", b"", "no").await["t"], "ok");
}

#[tokio::test]
async fn nothing_half_written_or_wrong_replaces_a_good_file() {
    let mut bench = Bench::new();
    bench.write("good", b"good");
    bench.begin_upload(60, "good", b"better", "yes", "no").await;
    bench.client.data(60, b"bet");
    assert_eq!(bench.refused(json!({"t": "commit", "id": 60})).await, "incomplete");
    assert_eq!(bench.read("good"), Some(b"good".to_vec()));
    bench.begin_upload(61, "good", b"better", "yes", "no").await;
    bench.client.data(61, b"wrong!");
    assert_eq!(bench.refused(json!({"t": "commit", "id": 61})).await, "checksum_mismatch");
    bench.begin_upload(62, "good", b"better", "yes", "no").await;
    bench.client.data(62, b"better and more");
    assert_eq!(bench.until_end(&json!(62)).await.2["code"], "too_much_data");
    assert_eq!(bench.refused(json!({"t": "commit", "id": 62})).await, "no_such_write");
    bench.begin_upload(63, "good", b"better", "yes", "no").await;
    bench.client.data(63, b"bet");
    assert_eq!(bench.ask(json!({"t": "abort", "id": 63})).await["t"], "ok");
    assert_eq!((bench.read("good"), bench.names()), (Some(b"good".to_vec()), vec!["good".to_owned()]));
}

#[tokio::test]
async fn an_upload_goes_on_after_the_link_was_lost() {
    let mut bench = Bench::new();
    let content = noise(150_000);
    bench.begin_upload(70, "far", &content, "no", "yes").await;
    bench.client.data(70, &content[..90_000]);
    // A request that comes after the data is answered after it.
    bench.ask(json!({"t": "stat", "path": bench.text("")})).await;
    let next = bench.rig.attach("ada@example.com", Access::Control);
    std::mem::replace(&mut bench.client, next).leave();
    let begun = loop {
        let begun = bench.begin_upload(1, "far", &content, "no", "yes").await;
        if begun["code"] != "busy" {
            break begun;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(begun["offset"], 90_000);
    bench.client.data(1, &content[90_000..]);
    assert_eq!(bench.ask(json!({"t": "commit", "id": 1})).await["t"], "ok");
    assert_eq!((bench.read("far"), bench.names()), (Some(content), vec!["far".to_owned()]));
}

#[tokio::test]
async fn two_uploads_of_one_file_do_not_mix() {
    let mut bench = Bench::new();
    assert_eq!(bench.begin_upload(80, "same", b"same", "no", "yes").await["t"], "ok");
    assert_eq!(bench.begin_upload(81, "same", b"same", "no", "yes").await["code"], "busy");
    assert_eq!(bench.begin_upload(82, "same", b"same", "no", "no").await["code"], "busy");
    assert_eq!(bench.begin_upload(80, "else", b"else", "no", "no").await["code"], "id_in_use");
}

#[tokio::test]
async fn what_somebody_planted_under_the_hidden_name_is_not_written_to() {
    let mut bench = Bench::new();
    bench.write("victim", b"victim");
    bench.begin_upload(90, "file", b"content", "no", "yes").await;
    bench.ask(json!({"t": "abort", "id": 90})).await;
    // The hidden name is known to everybody who knows the content.
    bench.begin_upload(91, "file", b"content", "no", "yes").await;
    let hidden = bench.names().into_iter().find(|name| name.ends_with(".sallyport-part")).expect("hidden");
    bench.ask(json!({"t": "abort", "id": 91})).await;
    symlink(bench.path("victim"), bench.path(&hidden)).expect("plant");
    assert_eq!(bench.upload(92, "file", b"content", "no").await["t"], "error");
    std::fs::remove_file(bench.path(&hidden)).expect("remove");
    std::fs::hard_link(bench.path("victim"), bench.path(&hidden)).expect("plant");
    assert_eq!(bench.begin_upload(93, "file", b"content", "no", "yes").await["offset"], 0);
    bench.client.data(93, b"content");
    assert_eq!(bench.ask(json!({"t": "commit", "id": 93})).await["t"], "ok");
    assert_eq!((bench.read("victim"), bench.read("file")), (Some(b"victim".to_vec()), Some(b"content".to_vec())));
}

/// A small file system of its own, where the machine allows one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir(at).expect("folder");
        let mounted = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_good_file_stays() {
    let mut bench = Bench::new();
    let Some(_disk) = SmallDisk::mount(&bench.path("small")) else {
        // Without the right to mount, the kernel's own full device says the same.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("device");
        let error = std::io::Write::write_all(&mut &full, b"x").expect_err("full");
        return assert_eq!(crate::remote::trouble::Trouble::from(error).code, "disk_full");
    };
    bench.write("small/good", b"good");
    assert_eq!(bench.upload(1, "small/good", &noise(1_000_000), "yes").await["code"], "disk_full");
    assert_eq!(bench.read("small/good"), Some(b"good".to_vec()));
    assert_eq!(std::fs::read_dir(bench.path("small")).expect("folder").count(), 1);
    assert_eq!(bench.refused(json!({"t": "remove", "path": bench.text("small"), "recursive": "yes"})).await, "mount_point");
}
