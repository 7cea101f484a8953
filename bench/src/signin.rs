//! `signin`: sign-ins with password and code, sixteen people at a time, against nothing but the hash.
//!
//! A code works once for each account, and the codes of three steps are taken at any time. So each person signs in with all three, one
//! after another, while fifteen others do the same; once everybody has, the installation's clock moves three steps on. The hash alone is
//! measured before and after each such round, because the processor is not equally fast all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use argon2::{Algorithm, Argon2, Params, Version};
use sallyport_model::Timestamp;
use sallyport_server::clock::Clock as _;
use sallyport_testkit::client::Client;
use sallyport_testkit::owner::{self, Owner, PASSWORD};
use sallyport_testkit::people::{Colleague, THEIR_PASSWORD};
use sallyport_testkit::server::TestServer;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::measure::millis;
use crate::report::{Op, Row};

const CONCURRENCY: usize = 16;
/// So many that a round's beginning and end, when fewer than sixteen sign in, are a small part of it.
const PEOPLE: usize = 64;
const ROUNDS: usize = 3;
/// The step before, the present one and the next.
const CODES: usize = 3;
const STEP_SECS: i64 = 30;
/// As the server hashes: OWASP's minimum.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;

/// Somebody's browser and the codes that it will show.
struct Person {
    client: Client,
    email: String,
    codes: std::vec::IntoIter<String>,
}

pub(crate) async fn measure() -> Vec<Row> {
    let server = TestServer::start().await;
    let mut people = people(&server).await;
    let mut latencies = Vec::new();
    let mut raw = vec![raw_per_sec().await];
    let mut secs = 0.0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let (again, took) = everybody_signs_in(people).await;
        secs += begun.elapsed().as_secs_f64();
        people = again;
        latencies.extend(took);
        raw.push(raw_per_sec().await);
        server.clock.advance(CODES as i64 * STEP_SECS);
    }
    let raw = raw.iter().sum::<f64>() / raw.len() as f64;
    let variant = format!("concurrency-{CONCURRENCY}-in-process");
    let per_sec = latencies.len() as f64 / secs;
    vec![
        Row::of("signin", &variant, "ms", &latencies),
        Row { n: latencies.len(), ..Row::of("signin", variant, "1/s", &[per_sec]) }.against("raw Argon2id", raw).budget(Op::AtLeast, 0.9),
    ]
}

/// Sixteen at a time: who is through makes room for the next. Gives them back with how long each sign-in took.
async fn everybody_signs_in(people: Vec<Person>) -> (Vec<Person>, Vec<f64>) {
    let room = Arc::new(Semaphore::new(CONCURRENCY));
    let come = |person: Person| {
        let room = room.clone();
        tokio::spawn(async move {
            let _place = room.acquire().await.expect("nobody closes the room");
            signs_in(person).await
        })
    };
    let tasks: Vec<_> = people.into_iter().map(come).collect();
    let (mut people, mut latencies) = (Vec::new(), Vec::new());
    for task in tasks {
        let (person, took) = task.await.expect("a person's sign-ins");
        latencies.extend(took);
        people.push(person);
    }
    (people, latencies)
}

/// Invites everybody; all of them have activated their accounts, some steps ago.
async fn people(server: &TestServer) -> Vec<Person> {
    let mut owner = Owner::set_up(server).await;
    let mut colleagues: Vec<Colleague> = Vec::new();
    for seed in 0..PEOPLE as u8 {
        let everywhere = json!([{ "role": "auditor", "scope": "tenant" }]);
        colleagues.push(owner.colleague(server, 10 + seed, &format!("person{seed}@example.com"), everywhere).await);
    }
    server.clock.advance(CODES as i64 * STEP_SECS);
    let from = server.clock.now().plus_secs(-STEP_SECS);
    let person = |one: Colleague| Person { codes: codes(&one.secret, from).into_iter(), client: one.client, email: one.email };
    colleagues.into_iter().map(person).collect()
}

/// One person's sign-ins, one after another, and how long each took.
async fn signs_in(mut person: Person) -> (Person, Vec<f64>) {
    let mut latencies = Vec::with_capacity(CODES);
    for code in person.codes.by_ref().take(CODES) {
        person.client.cookie = None;
        let begun = Instant::now();
        let reply = owner::sign_in(&mut person.client, &person.email, THEIR_PASSWORD, &code).await;
        latencies.push(millis(begun));
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    (person, latencies)
}

/// The codes of all rounds, at once: a program for each would take a tenth of what is measured.
fn codes(secret: &str, from: Timestamp) -> Vec<String> {
    let (now, more) = (format!("@{}", from.secs()), (ROUNDS * CODES - 1).to_string());
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
