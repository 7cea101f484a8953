//! Downloads from a real agent over links that break: what came is kept, the rest follows, and the checksum is that of the whole.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sallyport_grant::sha256;
use sallyport_server::clock::{Clock as _, SystemClock};
use sallyport_testkit::agent::program;
use sallyport_testkit::process::ServerProcess;
use sallyport_testkit::remote::RemoteEnd;
use sallyport_testkit::server::Engine;
use sallyport_wire::stream::Payload;
use sallyport_wire::stream::files::{FileAnswer, FileDone, FileRequest};
use sallyport_wire::stream::message::read_control;
use sallyport_wire::stream::path::DevicePath;

use serde_json::{Value, json};

use super::command_line::Desk;
use super::crash::World;

const MIB: usize = 1024 * 1024;
/// More than all buffers between the two ends together: wherever it is cut, most of it has not been sent.
const SIZE: usize = 48 * MIB;

/// A file on the device that has no two places alike.
struct Source {
    _folder: tempfile::TempDir,
    path: PathBuf,
    content: Vec<u8>,
}

impl Source {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("large.bin");
        let numbers = (0..SIZE / 8).map(|n| (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let content: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        std::fs::write(&path, &content).expect("room");
        Self { _folder: folder, path, content }
    }

    fn read(&self, id: u32, from: usize) -> FileRequest {
        let path = DevicePath::parse(self.path.to_str().expect("text")).expect("a path");
        FileRequest::Read { id, path, offset: from as u64, length: None }
    }
}

/// What came so far.
#[derive(Default)]
struct Download(Vec<u8>);

impl Download {
    /// Takes what comes until there is so much of it, the device says that this was all, or the connection is gone.
    async fn go_on(&mut self, end: &mut RemoteEnd, until: usize) -> Option<FileDone> {
        while self.0.len() < until {
            match end.next().await {
                Ok(Payload::Data { bytes, .. }) => self.0.extend(bytes),
                Ok(Payload::Control(json)) => match read_control(&json).expect("an answer") {
                    FileAnswer::Ok(done) => return Some(*done),
                    other => panic!("{other:?}"),
                },
                Err(_) => return None,
            }
        }
        None
    }
}

#[tokio::test]
async fn a_download_goes_on_where_its_link_was_cut_and_no_byte_comes_twice() {
    let mut world = World::new(Engine::Sqlite).await;
    let source = Source::new();
    let (client, mut end) = world.opened("files").await;
    end.send_control(&source.read(1, 0)).await;
    let mut download = Download::default();
    // The client's connection first; then the server dies with both.
    for cut_at in [SIZE / 4, SIZE / 2] {
        assert_eq!(download.go_on(&mut end, cut_at).await, None);
        assert!((cut_at..SIZE).contains(&download.0.len()), "cut in the middle");
        if cut_at == SIZE / 2 {
            world.server.kill();
            assert_eq!(download.go_on(&mut end, usize::MAX).await, None);
            assert!(download.0.len() < SIZE, "the rest was never sent");
        }
        let kept = end.cut();
        if cut_at == SIZE / 2 {
            world.server.start();
        }
        end = world.back(&client, kept).await;
        end.up().await;
    }
    let done = download.go_on(&mut end, usize::MAX).await.expect("it ends");
    assert!(download.0 == source.content, "each byte came once and in order");
    assert_eq!((done.sent, done.sha256), (Some(SIZE as u64), Some(sha256(&[&source.content]))));
}

#[tokio::test]
async fn a_download_whose_session_is_gone_goes_on_in_the_next_one() {
    let mut world = World::new(Engine::Sqlite).await;
    let source = Source::new();
    let (client, mut end) = world.opened("files").await;
    end.send_control(&source.read(1, 0)).await;
    let mut download = Download::default();
    assert_eq!(download.go_on(&mut end, SIZE / 3).await, None);
    world.machines[0].kill();
    assert_eq!(download.go_on(&mut end, usize::MAX).await, None);
    let so_far = download.0.len();
    assert!((SIZE / 3..SIZE).contains(&so_far), "cut in the middle");
    world.machines[0].start();
    world.ended(&client).await;

    let (_, mut end) = world.opened("files").await;
    end.send_control(&source.read(2, so_far)).await;
    let done = download.go_on(&mut end, usize::MAX).await.expect("it ends");
    assert!(download.0 == source.content, "the rest fits what came before");
    assert_eq!((done.sent, done.sha256), (Some((SIZE - so_far) as u64), Some(sha256(&[&source.content]))), "of the whole");

    // Where the file became another one in between, the checksum of the whole tells.
    let mut file = std::fs::File::options().write(true).open(&source.path).expect("a file");
    file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(b"changed")).expect("room");
    download.0.truncate(so_far);
    end.send_control(&source.read(3, so_far)).await;
    let done = download.go_on(&mut end, usize::MAX).await.expect("it ends");
    assert!(done.sha256.is_some() && done.sha256 != Some(sha256(&[&download.0])));
}

/// `sallyport download` of somebody who is signed in.
struct Downloads {
    session: PathBuf,
    device: String,
    folder: PathBuf,
}

impl Downloads {
    fn begin(&self, source: &Source, name: &str) -> Child {
        let mut command = Command::new(program("sallyport"));
        command.args(["download", &self.device]).arg(&source.path).arg("--to").arg(self.folder.join(name));
        command.args(["--yes", "--json", "--session"]).arg(&self.session);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
    }

    async fn end(&self, child: Child) -> (Option<i32>, Value, String) {
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(move || child.wait_with_output().expect("it ends")).await.expect("it ends");
        (status.code(), serde_json::from_slice(&stdout).unwrap_or_default(), String::from_utf8_lossy(&stderr).into_owned())
    }

    fn part(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.part"))
    }

    /// Waits until so much of it has come.
    async fn has(&self, child: &mut Child, name: &str, bytes: usize) {
        let begun = Instant::now();
        while length(&self.part(name)) < bytes {
            if begun.elapsed() > Duration::from_secs(60) || child.try_wait().expect("a child").is_some() {
                let _ = child.kill();
                let mut said = String::new();
                child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
                panic!("{name} does not come: {said}");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn length(file: &Path) -> usize {
    std::fs::metadata(file).map_or(0, |file| usize::try_from(file.len()).expect("a length"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_goes_on_over_a_killed_server_and_after_it_was_killed_itself() {
    let desk = Desk::new().await;
    let session = desk.session();
    let Desk { server, mut owner, folder, machines: _machines, device } = desk;
    // The program follows the system's clock, and a window that opens later is not open.
    let there = server.clock.now();
    while SystemClock.now() < there {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut server = ServerProcess::instead_of(server).await;
    server.start();
    owner.client = owner.client.at(&server);
    owner.devices("state=online", 1).await;
    let (downloads, source) = (Downloads { session, device, folder: folder.path().to_owned() }, Source::new());
    let whole = |resumed: usize, name: &str| {
        let file = folder.path().join(name).display().to_string();
        json!({ "file": file, "bytes": SIZE, "resumed_from": resumed, "sha256": sha256(&[&source.content]) })
    };

    // The server dies with the link in the middle.
    let mut child = downloads.begin(&source, "first");
    downloads.has(&mut child, "first", SIZE / 4).await;
    server.kill();
    assert!(length(&downloads.part("first")) < SIZE, "cut in the middle");
    server.start();
    let (code, told, said) = downloads.end(child).await;
    assert_eq!((code, told), (Some(0), whole(0, "first")), "{said}");
    assert!(said.contains("trying to get it back"), "{said}");
    assert!(std::fs::read(folder.path().join("first")).expect("a file") == source.content);
    assert!(!downloads.part("first").exists());

    // The program itself dies in the middle, and is run again.
    let mut child = downloads.begin(&source, "second");
    downloads.has(&mut child, "second", SIZE / 4).await;
    child.kill().and_then(|()| child.wait()).expect("it ends");
    let so_far = length(&downloads.part("second"));
    assert!((SIZE / 4..SIZE).contains(&so_far) && !folder.path().join("second").exists());
    let (code, told, said) = downloads.end(downloads.begin(&source, "second")).await;
    assert_eq!((code, told), (Some(0), whole(so_far, "second")), "{said}");
    assert!(std::fs::read(folder.path().join("second")).expect("a file") == source.content);

    // A beginning of another file is no beginning of this one.
    std::fs::write(downloads.part("third"), "something else").expect("a file");
    let (code, _, said) = downloads.end(downloads.begin(&source, "third")).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("changed on the device"), "{said}");
    assert!(!downloads.part("third").exists() && !folder.path().join("third").exists());
    let (code, _, said) = downloads.end(downloads.begin(&source, "second")).await;
    assert_eq!(code, Some(3), "what is there is not replaced: {said}");
}
