use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sallyport_grant::body::{Access, OpenRemoteSession, RemoteKind, RunAs};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::files;
use crate::remote::kind::Ended;
use crate::remote::kind::rig::{Client, Got, Rig, session};
use crate::remote::recording::Recordings;

struct Bench {
    folder: TempDir,
    rig: Rig,
    client: Client,
    next: u32,
}

impl Bench {
    fn new() -> Self {
        Self::of(session(RemoteKind::Files))
    }

    fn of(session: OpenRemoteSession) -> Self {
        let folder = tempfile::tempdir().expect("temp");
        let mut rig = Rig::open(files, session);
        let client = rig.attach("ada@example.com", Access::Control);
        Self { folder, rig, client, next: 1 }
    }

    /// A session of the account `nobody`, in a folder that is open to all; none where the agent is not privileged.
    fn of_nobody() -> Option<Self> {
        if !sallyport_os::machine::is_privileged() {
            return None;
        }
        let bench = Self::of(OpenRemoteSession { run_as: RunAs::parse("nobody").ok(), ..session(RemoteKind::Files) });
        std::fs::set_permissions(bench.folder.path(), std::fs::Permissions::from_mode(0o777)).expect("mode");
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).expect("write");
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path(name)).ok()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("folder").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Asks, and gives everything up to the end: data, other messages, the end.
    async fn whole(&mut self, mut request: Value) -> (Vec<u8>, Vec<Value>, Value) {
        if request["id"].is_null() {
            self.next += 1;
            request["id"] = self.next.into();
        }
        self.client.control(&request);
        self.until_end(&request["id"]).await
    }

    async fn until_end(&mut self, id: &Value) -> (Vec<u8>, Vec<Value>, Value) {
        let (mut data, mut others) = (Vec::new(), Vec::new());
        loop {
            match self.client.next().await {
                Got::Control(message) if message["id"] == *id && (message["t"] == "ok" || message["t"] == "error") => {
                    return (data, others, message);
                }
                Got::Control(message) => others.push(message),
                Got::Data { channel, bytes } => {
                    assert_eq!(json!(channel), *id);
                    data.extend(bytes);
                }
                Got::Bye(reason) => panic!("sent away: {reason}"),
            }
        }
    }

    async fn ask(&mut self, request: Value) -> Value {
        self.whole(request).await.2
    }

    async fn refused(&mut self, request: Value) -> String {
        let answer = self.ask(request).await;
        assert_eq!(answer["t"], "error", "{answer}");
        answer["code"].as_str().unwrap_or_default().to_owned()
    }

    async fn begin_upload(&mut self, id: u32, name: &str, content: &[u8], overwrite: &str, resume: &str) -> Value {
        let path = self.text(name);
        let write = json!({"t": "write", "id": id, "path": path, "size": content.len(), "sha256": digest(content), "mode": null,
            "overwrite": overwrite, "resume": resume});
        self.ask(write).await
    }

    async fn upload(&mut self, id: u32, name: &str, content: &[u8], overwrite: &str) -> Value {
        let begun = self.begin_upload(id, name, content, overwrite, "no").await;
        if begun["t"] != "ok" {
            return begun;
        }
        assert_eq!(begun["offset"], 0);
        content.chunks(30_000).for_each(|piece| self.client.data(id, piece));
        self.ask(json!({"t": "commit", "id": id})).await
    }
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}

#[tokio::test]
async fn a_folder_is_listed_with_every_name_exact() {
    let mut bench = Bench::new();
    bench.write("b.txt", b"hello");
    std::fs::create_dir(bench.path("sub")).expect("folder");
    symlink("b.txt", bench.path("link")).expect("link");
    std::fs::write(bench.folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), b"x").expect("raw");
    bench.write("evil\u{202e}txt.exe", b"");
    let (_, parts, end) = bench.whole(json!({"t": "list", "path": bench.text("")})).await;
    assert_eq!(end["t"], "ok");
    let entries: Vec<Value> = parts.iter().flat_map(|part| part["entries"].as_array().cloned().unwrap_or_default()).collect();
    assert_eq!((&entries[0]["name"], &entries[0]["kind"]), (&json!("sub"), &json!("folder")));
    let find = |raw: Value| entries.iter().find(|entry| entry["raw"] == raw).cloned().unwrap_or_default();
    assert_eq!(find(json!("caf%E9"))["size"], 1);
    assert!(!find(json!("evil%E2%80%AEtxt.exe"))["name"].as_str().expect("a harmless name").contains('\u{202e}'));
    let link = entries.iter().find(|entry| entry["name"] == "link").expect("link");
    assert_eq!((&link["kind"], &link["target"], &link["raw"]), (&json!("link"), &json!("b.txt"), &Value::Null));
    let exact = format!("raw:{}/caf%E9", bench.folder.path().display());
    assert_eq!(bench.whole(json!({"t": "read", "path": exact, "offset": 0, "length": null})).await.0, b"x");
}

#[tokio::test]
async fn a_large_folder_comes_in_pieces() {
    let mut bench = Bench::new();
    (0..1500).for_each(|at| bench.write(&format!("a-file-with-a-name-{at:05}"), b""));
    let (_, parts, _) = bench.whole(json!({"t": "list", "path": bench.text("")})).await;
    assert!(parts.len() > 3);
    assert_eq!(parts.iter().map(|part| part["entries"].as_array().map_or(0, Vec::len)).sum::<usize>(), 1500);
}

#[tokio::test]
async fn reading_goes_on_where_it_stopped_and_is_checked_as_a_whole() {
    let mut bench = Bench::new();
    let content = noise(300_000);
    bench.write("big", &content);
    let path = bench.text("big");
    let (data, _, end) = bench.whole(json!({"t": "read", "path": path, "offset": 0, "length": 100_000})).await;
    assert_eq!((data.as_slice(), &end["sha256"]), (&content[..100_000], &Value::Null));
    let (data, _, end) = bench.whole(json!({"t": "read", "path": path, "offset": 100_000, "length": null})).await;
    assert_eq!((data.as_slice(), &end["sha256"], &end["sent"]), (&content[100_000..], &json!(digest(&content)), &json!(200_000)));
    assert_eq!(bench.refused(json!({"t": "read", "path": path, "offset": 300_001, "length": null})).await, "out_of_range");
    assert_eq!(bench.refused(json!({"t": "read", "path": bench.text(""), "offset": 0, "length": null})).await, "not_a_file");
}

#[tokio::test]
async fn files_of_the_system_that_have_no_size_are_read_too() {
    let mut bench = Bench::new();
    let (data, _, end) = bench.whole(json!({"t": "read", "path": "/proc/version", "offset": 0, "length": null})).await;
    assert!(data.starts_with(b"Linux") && end["t"] == "ok", "{end}");
}

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

#[tokio::test]
async fn links_in_the_last_place_are_never_written_through() {
    let mut bench = Bench::new();
    bench.write("victim", b"victim");
    symlink("victim", bench.path("link")).expect("link");
    assert_eq!(bench.upload(100, "link", b"x", "yes").await["code"], "is_link");
    assert_eq!(bench.refused(json!({"t": "chmod", "path": bench.text("link"), "mode": 0o777})).await, "is_link");
    assert_eq!(bench.refused(json!({"t": "chown", "path": bench.text("link"), "owner": "0", "group": null})).await, "is_link");
    std::fs::hard_link(bench.path("victim"), bench.path("second")).expect("link");
    assert_eq!(bench.refused(json!({"t": "chmod", "path": bench.text("second"), "mode": 0o777})).await, "several_names");
    assert_eq!(bench.upload(101, "second", b"x", "yes").await["t"], "ok");
    assert_eq!(bench.read("victim"), Some(b"victim".to_vec()), "the other name keeps its content");
    assert_eq!(bench.ask(json!({"t": "remove", "path": bench.text("link"), "recursive": "yes"})).await["t"], "ok");
    assert!(bench.read("victim").is_some());
}

#[tokio::test]
async fn a_planted_link_in_the_path_chooses_nothing() {
    let mut bench = Bench::new();
    if !sallyport_os::machine::is_privileged() {
        return assert_eq!(bench.upload(1, "a", b"x", "no").await["t"], "ok");
    }
    std::fs::create_dir(bench.path("victim")).expect("folder");
    symlink("victim", bench.path("planted")).expect("link");
    std::os::unix::fs::lchown(bench.path("planted"), Some(65534), Some(65534)).expect("owner");
    assert_eq!(bench.upload(110, "planted/new", b"x", "no").await["code"], "foreign_link");
    for request in [
        json!({"t": "mkdir", "path": bench.text("planted/new")}),
        json!({"t": "rename", "from": bench.text("planted/a"), "to": bench.text("b"), "overwrite": "no"}),
        json!({"t": "remove", "path": bench.text("planted/a"), "recursive": "yes"}),
        json!({"t": "chmod", "path": bench.text("planted/a"), "mode": 0}),
    ] {
        assert_eq!(bench.refused(request).await, "foreign_link");
    }
    assert_eq!(bench.ask(json!({"t": "list", "path": bench.text("planted")})).await["t"], "ok");
}

#[tokio::test]
async fn roads_around_the_names_are_closed() {
    let mut bench = Bench::new();
    for path in ["/proc/self/root/etc/passwd", "/proc/self/cwd/Cargo.toml", "/proc/1/root/etc/passwd", "/dev/fd/0"] {
        let code = bench.refused(json!({"t": "read", "path": path, "offset": 0, "length": null})).await;
        assert_eq!(code, "system_link", "{path}");
    }
    assert_eq!(bench.refused(json!({"t": "remove", "path": "/", "recursive": "yes"})).await, "is_folder");
    assert_eq!(bench.refused(json!({"t": "remove", "path": "/proc", "recursive": "yes"})).await, "mount_point");
    assert_eq!(bench.refused(json!({"t": "read", "path": "/dev/zero", "offset": 0, "length": null})).await, "not_a_file");
    assert_eq!(bench.refused(json!({"t": "stat", "path": format!("/{}", "x/".repeat(2000))})).await, "not_found");
    for path in ["srv", "/srv/../etc", "/a\u{0}b", "raw:/%2e%2e/etc"] {
        let mut client = bench.rig.attach("grace@example.com", Access::Control);
        client.control(&json!({"t": "list", "id": 1, "path": path}));
        assert_eq!(client.next_control().await["code"], "unknown_message", "{path:?}");
    }
}

#[tokio::test]
async fn removing_a_tree_leaves_what_its_links_lead_to() {
    let mut bench = Bench::new();
    std::fs::create_dir_all(bench.path("tree/a/b/c")).expect("folders");
    std::fs::create_dir(bench.path("kept")).expect("folder");
    bench.write("kept/file", b"kept");
    bench.write("tree/a/file", b"x");
    symlink("../../kept", bench.path("tree/a/link")).expect("link");
    assert_eq!(bench.refused(json!({"t": "remove", "path": bench.text("tree"), "recursive": "no"})).await, "not_empty");
    let done = bench.ask(json!({"t": "remove", "path": bench.text("tree"), "recursive": "yes"})).await;
    assert_eq!((&done["usage"]["files"], &done["usage"]["folders"]), (&json!(2), &json!(4)));
    assert_eq!((bench.names(), bench.read("kept/file")), (vec!["kept".to_owned()], Some(b"kept".to_vec())));
}

#[tokio::test]
async fn folders_are_made_and_things_are_renamed_and_given_modes() {
    let mut bench = Bench::new();
    assert_eq!(bench.ask(json!({"t": "mkdir", "path": bench.text("d")})).await["entry"]["kind"], "folder");
    assert_eq!(bench.refused(json!({"t": "mkdir", "path": bench.text("d")})).await, "exists");
    bench.write("a", b"a");
    bench.write("b", b"b");
    let rename = |overwrite: &str| json!({"t": "rename", "from": bench.text("a"), "to": bench.text("b"), "overwrite": overwrite});
    let (kept, replaced) = (rename("no"), rename("yes"));
    assert_eq!(bench.refused(kept).await, "exists");
    assert_eq!(bench.ask(replaced).await["entry"]["name"], "b");
    assert_eq!(bench.ask(json!({"t": "chmod", "path": bench.text("b"), "mode": 0o600})).await["entry"]["mode"], 0o600);
    assert_eq!(bench.refused(json!({"t": "chmod", "path": bench.text("b"), "mode": 0o20000})).await, "out_of_range");
    assert_eq!(bench.refused(json!({"t": "chown", "path": bench.text("b"), "owner": "no-such", "group": null})).await, "account_unknown");
    if sallyport_os::machine::is_privileged() {
        let owned = bench.ask(json!({"t": "chown", "path": bench.text("b"), "owner": "nobody", "group": "4242"})).await;
        assert_eq!((&owned["entry"]["owner"], &owned["entry"]["group"]), (&json!("nobody"), &json!("4242")));
    }
}

#[tokio::test]
async fn an_archive_is_what_tar_reads() {
    let mut bench = Bench::new();
    let long = "n".repeat(120);
    std::fs::create_dir_all(bench.path(&format!("top/{long}"))).expect("folders");
    bench.write("top/file", &noise(70_000));
    bench.write(&format!("top/{long}/inner"), b"inner");
    std::fs::write(bench.path("top").join(std::ffi::OsStr::from_bytes(b"caf\xe9")), b"raw").expect("raw");
    symlink("file", bench.path("top/link")).expect("link");
    let (tar, _, end) = bench.whole(json!({"t": "archive", "path": bench.text("top")})).await;
    assert_eq!((&end["sha256"], &end["sent"], &end["usage"]["files"]), (&json!(digest(&tar)), &json!(tar.len()), &json!(4)));
    bench.write("out.tar", &tar);
    std::fs::create_dir(bench.path("out")).expect("folder");
    let (archive, out) = (bench.text("out.tar"), bench.text("out"));
    let status = std::process::Command::new("tar").args(["-xf", &archive, "-C", &out]).status().expect("tar");
    assert!(status.success());
    let same = std::process::Command::new("diff").args(["-r", "--no-dereference", &bench.text("top"), &bench.text("out/top")]).status();
    assert!(same.expect("diff").success());
}

#[tokio::test]
async fn room_is_summed_up_once_for_each_file() {
    let mut bench = Bench::new();
    std::fs::create_dir(bench.path("sub")).expect("folder");
    bench.write("sub/a", &noise(100_000));
    std::fs::hard_link(bench.path("sub/a"), bench.path("sub/b")).expect("second name");
    let usage = bench.ask(json!({"t": "usage", "path": bench.text("")})).await["usage"].clone();
    let bytes = usage["bytes"].as_u64().expect("bytes");
    assert!((100_000..180_000).contains(&bytes), "{usage}");
    assert_eq!((&usage["files"], &usage["folders"], &usage["skipped"]), (&json!(2), &json!(2), &json!(0)));
}

#[tokio::test]
async fn a_preview_shows_text_only() {
    let mut bench = Bench::new();
    bench.write("text", "größe\n".as_bytes());
    bench.write("binary", &[0, 1, 2, 255]);
    let text = bench.ask(json!({"t": "preview", "path": bench.text("text")})).await;
    assert_eq!((&text["preview"]["kind"], &text["preview"]["text"]), (&json!("text"), &json!("größe\n")));
    assert_eq!(bench.ask(json!({"t": "preview", "path": bench.text("binary")})).await["preview"]["kind"], "binary");
}

#[tokio::test]
async fn the_kernel_says_what_another_account_may_do() {
    let Some(mut bench) = Bench::of_nobody() else {
        let asked = OpenRemoteSession { run_as: RunAs::parse("root").ok(), ..session(RemoteKind::Files) };
        return assert_eq!(Rig::open(files, asked).ended().await, Ended::Failed("account_not_permitted"));
    };
    bench.write("private", b"of the administrator");
    std::fs::set_permissions(bench.path("private"), std::fs::Permissions::from_mode(0o600)).expect("mode");
    let path = bench.text("private");
    for request in [
        json!({"t": "read", "path": path, "offset": 0, "length": null}),
        json!({"t": "preview", "path": path}),
        json!({"t": "chmod", "path": path, "mode": 0o777}),
        json!({"t": "read", "path": "/etc/shadow", "offset": 0, "length": null}),
        json!({"t": "mkdir", "path": "/etc/of-nobody"}),
        json!({"t": "list", "path": "/root"}),
    ] {
        assert_eq!(bench.refused(request).await, "permission_denied");
    }
    let kept = bench.upload(5, "own", b"own", "no").await;
    assert_eq!(kept["entry"]["owner"], "nobody", "{kept}");
    assert_eq!(std::fs::metadata(bench.path("own")).expect("own").uid(), 65534);
    assert_eq!(bench.refused(json!({"t": "chown", "path": bench.text("own"), "owner": "root", "group": null})).await, "permission_denied");
    let skipped = bench.ask(json!({"t": "usage", "path": "/var/lib"})).await;
    assert!(skipped["t"] == "ok" && skipped["usage"]["skipped"].as_u64() > Some(0), "{skipped}");
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

#[tokio::test]
async fn who_may_only_look_cannot_change_anything() {
    let mut bench = Bench::new();
    bench.write("a", b"a");
    let changes = [
        json!({"t": "mkdir", "id": 1, "path": bench.text("d")}),
        json!({"t": "remove", "id": 1, "path": bench.text("a"), "recursive": "no"}),
        json!({"t": "chmod", "id": 1, "path": bench.text("a"), "mode": 0}),
        json!({"t": "commit", "id": 1}),
    ];
    for change in changes {
        let mut viewer = bench.rig.attach("grace@example.com", Access::View);
        viewer.control(&json!({"t": "stat", "id": 9, "path": bench.text("a")}));
        assert_eq!(viewer.next_control().await["t"], "ok");
        viewer.control(&change);
        assert_eq!(viewer.next_control().await["code"], "view_only");
        assert_eq!(viewer.next().await, Got::Bye("ended"));
    }
    assert_eq!(bench.names(), ["a"]);
}

/// What one process holds of memory, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("line");
    line.split_ascii_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("number") * 1024
}

#[tokio::test]
async fn a_hundred_megabytes_take_little_memory_both_ways() {
    const PIECE: usize = 30_000;
    const PIECES: usize = 3_500;
    let mut bench = Bench::new();
    let piece = noise(PIECE);
    let mut hasher = Sha256::new();
    (0..PIECES).for_each(|_| hasher.update(&piece));
    let sha256: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let before = memory();
    let size = PIECE * PIECES;
    let write = json!({"t": "write", "id": 1, "path": bench.text("big"), "size": size, "sha256": sha256, "mode": null, "overwrite": "no", "resume": "no"});
    assert_eq!(bench.ask(write).await["t"], "ok");
    for _ in 0..PIECES {
        bench.client.data(1, &piece);
        while bench.client.held() > 256 * 1024 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(bench.ask(json!({"t": "commit", "id": 1})).await["sha256"], sha256);
    bench.client.control(&json!({"t": "read", "id": 2, "path": bench.text("big"), "offset": 0, "length": null}));
    let (mut got, mut most) = (0, 0);
    let digest = loop {
        match bench.client.next().await {
            Got::Data { bytes, .. } => got += bytes.len(),
            Got::Control(end) => break end["sha256"].clone(),
            Got::Bye(reason) => panic!("{reason}"),
        }
        if got % (PIECE * 100) < 40_000 {
            most = most.max(memory());
        }
    };
    assert_eq!((got, digest), (size, json!(sha256)));
    assert!(most.saturating_sub(before) < 16 * 1024 * 1024, "{before} then {most}");
}

#[tokio::test]
async fn a_download_that_nobody_takes_waits_and_can_be_aborted() {
    let mut bench = Bench::new();
    bench.write("big", &noise(5_000_000));
    bench.client.control(&json!({"t": "read", "id": 1, "path": bench.text("big"), "offset": 0, "length": null}));
    tokio::time::sleep(Duration::from_millis(200)).await;
    bench.client.control(&json!({"t": "abort", "id": 1}));
    // The link of a client that takes everything from now on: it lets the session hear the request first.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (data, _, end) = bench.until_end(&json!(1)).await;
    assert!(end["code"] == "aborted" && data.len() < 1_000_000, "{} {end}", data.len());
}

#[tokio::test]
async fn whoever_leaves_takes_along_what_was_begun() {
    let mut bench = Bench::new();
    bench.write("big", &noise(5_000_000));
    bench.begin_upload(2, "up", b"up", "no", "no").await;
    bench.client.control(&json!({"t": "read", "id": 1, "path": bench.text("big"), "offset": 0, "length": null}));
    let next = bench.rig.attach("grace@example.com", Access::Control);
    std::mem::replace(&mut bench.client, next).leave();
    let mut answer = bench.begin_upload(3, "up", b"up", "no", "no").await;
    while answer["code"] == "busy" {
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = bench.begin_upload(3, "up", b"up", "no", "no").await;
    }
    assert_eq!(answer["t"], "ok");
    let left = || std::fs::read_dir("/proc/self/task").expect("tasks").count();
    let until = std::time::Instant::now() + Duration::from_secs(5);
    bench.rig.end();
    drop(bench.client);
    while left() > 3 && std::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(left() <= 3, "{} threads", left());
}

#[tokio::test]
async fn a_recorded_session_tells_what_was_asked_and_how_it_ended() {
    let state = tempfile::tempdir().expect("temp");
    let disk = sallyport_os::PrivateDir::hold(state.path()).expect("hold");
    let recordings = Arc::new(Recordings::open(Arc::new(disk), Arc::new(tokio::sync::Notify::new())));
    let session = session(RemoteKind::Files);
    let recorder = recordings.begin(session.session);
    let mut rig = Rig::recorded(files, session, Some(recorder));
    let folder = tempfile::tempdir().expect("temp");
    let client = rig.attach("ada@example.com", Access::Control);
    let mut bench = Bench { folder, rig, client, next: 1 };
    bench.upload(40, "a", b"content", "no").await;
    bench.refused(json!({"t": "mkdir", "id": 41, "path": bench.text("a")})).await;
    bench.rig.end();
    bench.rig.ended().await;
    let names = std::fs::read_dir(state.path()).expect("state").flatten();
    let text: String = names.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect();
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let asked: Vec<&Value> = lines.iter().map(|line| &line["asked"]["t"]).filter(|asked| !asked.is_null()).collect();
    assert_eq!(asked, ["write", "commit", "mkdir"]);
    assert!(lines.iter().all(|line| line["by"] == "ada@example.com"));
    assert!(lines.iter().any(|line| line["id"] == 40 && line["outcome"] == "ok" && line["sha256"] == digest(b"content")));
    assert!(lines.iter().any(|line| line["id"] == 41 && line["outcome"] == "exists"));
    assert!(!text.contains("content"), "bytes of files are not recorded");
}
