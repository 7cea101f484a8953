//! Names, links and folders: what a path may lead to.

use std::os::unix::fs::symlink;

use sallyport_grant::body::Access;
use serde_json::json;

use super::Bench;

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
