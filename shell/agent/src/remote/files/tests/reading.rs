//! What is looked at: lists, files, archives, previews.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{Bench, digest, noise};

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
