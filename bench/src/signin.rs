//! `signin`: sign-ins with password and code, sixteen at a time, against nothing but the hash.
//!
//! A code works once for each account, so there are sixteen installations in this process, each with its own account, pool of two hashes
//! and clock, which moves one step for each sign-in. Hashing is bound by the cores and not by the pools.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use argon2::{Algorithm, Argon2, Params, Version};
use sallyport_model::Timestamp;
use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::Client;
use sallyport_testkit::owner::{self, EMAIL, Owner, PASSWORD};
use sallyport_testkit::server::TestServer;

use crate::measure::millis;
use crate::report::{Op, Row};

const CONCURRENCY: usize = 16;
const EACH: usize = 16;
/// As the server hashes: OWASP's minimum.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

pub(crate) async fn measure() -> Vec<Row> {
    let mut accounts = Vec::new();
    for _ in 0..CONCURRENCY {
        let server = TestServer::start().await;
        let owner = Owner::set_up(&server).await;
        accounts.push((server, owner.secret));
    }
    let before = raw_per_sec().await;
    let begun = Instant::now();
    let tasks: Vec<_> = accounts.into_iter().map(|(server, secret)| tokio::spawn(account(server, secret))).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("an account's sign-ins"));
    }
    let per_sec = latencies.len() as f64 / begun.elapsed().as_secs_f64();
    let raw = f64::midpoint(before, raw_per_sec().await);
    let variant = format!("concurrency-{CONCURRENCY}-in-process");
    vec![
        Row::of("signin", &variant, "ms", &latencies),
        Row { n: latencies.len(), ..Row::of("signin", variant, "1/s", &[per_sec]) }.against("raw Argon2id", raw).budget(Op::AtLeast, 0.9),
    ]
}

/// One person after another at the same account; how long each took.
async fn account(server: TestServer, secret: String) -> Vec<f64> {
    let codes = codes(&secret, server.clock.now());
    let mut client = Client::new(&server, 9);
    let mut latencies = Vec::with_capacity(EACH);
    for code in codes {
        client.cookie = None;
        let begun = Instant::now();
        let reply = owner::sign_in(&mut client, EMAIL, PASSWORD, &code).await;
        latencies.push(millis(begun));
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        server.clock.advance(30);
    }
    latencies
}

/// The next codes, all at once: a program for each would take a tenth of what is measured.
fn codes(secret: &str, from: Timestamp) -> Vec<String> {
    let (now, more) = (format!("@{}", from.secs()), (EACH - 1).to_string());
    let output = std::process::Command::new("oathtool").args(["--totp", "-b", secret, "--now", &now, "-w", &more]).output();
    let output = output.expect("oathtool must be installed: apt-get install oathtool");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Nothing but hashes, on as many threads as there are cores, as the operating system schedules them.
async fn raw_per_sec() -> f64 {
    const HASHES: usize = 96;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let left = Arc::new(AtomicUsize::new(HASHES));
    let begun = Instant::now();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            tokio::task::spawn_blocking({
                let left = left.clone();
                move || {
                    while take(&left) {
                        hash();
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.await.expect("a thread that hashes");
    }
    HASHES as f64 / begun.elapsed().as_secs_f64()
}

fn take(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn hash() {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).expect("good parameters");
    let argon = Argon2::new_with_secret(&[7; 32], Algorithm::Argon2id, Version::V0x13, params).expect("a good pepper");
    let mut out = [0; 32];
    argon.hash_password_into(PASSWORD.as_bytes(), &[3; 16], &mut out).expect("a hash");
    std::hint::black_box(out);
}
