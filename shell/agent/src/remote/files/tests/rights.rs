//! What an account and an access allow, and what is recorded of it.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use sallyport_grant::body::{Access, OpenRemoteSession, RemoteKind, RunAs};
use serde_json::{Value, json};

use super::{Bench, digest};
use crate::remote::files::files;
use crate::remote::kind::Ended;
use crate::remote::kind::rig::{Got, Rig, Tape, session};

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

#[tokio::test]
async fn a_recorded_session_tells_what_was_asked_and_how_it_ended() {
    let (tape, session) = (Tape::begin(), session(RemoteKind::Files));
    let recorder = tape.recorder(&session);
    let mut rig = Rig::recorded(files, session, Some(recorder));
    let folder = tempfile::tempdir().expect("temp");
    let client = rig.attach("ada@example.com", Access::Control);
    let mut bench = Bench { folder, rig, client, next: 1 };
    bench.upload(40, "a", b"content", "no").await;
    bench.refused(json!({"t": "mkdir", "id": 41, "path": bench.text("a")})).await;
    bench.rig.end();
    bench.rig.ended().await;
    let lines = tape.lines();
    let asked: Vec<&Value> = lines.iter().map(|line| &line["asked"]["t"]).filter(|asked| !asked.is_null()).collect();
    assert_eq!(asked, ["write", "commit", "mkdir"]);
    assert!(lines.iter().all(|line| line["by"] == "ada@example.com"));
    assert!(lines.iter().any(|line| line["id"] == 40 && line["outcome"] == "ok" && line["sha256"] == digest(b"content")));
    assert!(lines.iter().any(|line| line["id"] == 41 && line["outcome"] == "exists"));
    assert!(!tape.text().contains("content"), "bytes of files are not recorded");
}
