//! Much at once, and clients that do not listen or leave.

use std::time::Duration;

use sallyport_grant::body::Access;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Bench, noise};
use crate::remote::kind::rig::Got;

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
