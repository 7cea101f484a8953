//! `files`: a large file down and up, checked by its digest at both ends, over a session that is open.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use sallyport_grant::sha256;
use sallyport_model::limits;
use sallyport_testkit::remote::RemoteEnd;
use serde_json::{Value, json};

use crate::Peers;
use crate::place::{Place, Said, mib_per_sec, next, text};
use crate::report::{Op, Row};
use crate::ssh::Ssh;

const BYTES: usize = 50 << 20;
const ROUNDS: usize = 5;

/// MiB per second, each round.
#[derive(Default)]
struct Reached {
    down: Vec<f64>,
    up: Vec<f64>,
}

pub(crate) async fn measure(peers: Peers) -> anyhow::Result<Vec<Row>> {
    let mut place = Place::make().await?;
    place.prove("files").await?;
    let path = place.text_file(BYTES)?;
    let content = text(BYTES);
    let (client, mut end) = place.stream("files").await?;
    let (begun, before) = (Instant::now(), place.cpu());
    let ours = reach(&mut end, &path, &content).await?;
    let (took, after) = (begun.elapsed().as_secs_f64(), place.cpu());
    place.end(&client).await?;
    let ssh = match peers {
        Peers::Absent => None,
        Peers::Beside => Some(tokio::task::spawn_blocking(move || Ssh::start()?.files(&path, &content)).await??),
    };
    let against = |row: Row, of: fn(&Reached) -> &Vec<f64>| match &ssh {
        Some(ssh) => row.against("OpenSSH", Row::of("files", "OpenSSH", "", of(ssh)).p50),
        None => row.against_absent("OpenSSH"),
    };
    let share = |after: Duration, before: Duration| [(after - before).as_secs_f64() / took * 100.0];
    let mut rows = vec![
        against(Row::of("files", "download-50-MiB", "MiB/s", &ours.down), |reached| &reached.down).budget(Op::AtLeast, 3.0),
        against(Row::of("files", "upload-50-MiB", "MiB/s", &ours.up), |reached| &reached.up).budget(Op::AtLeast, 3.0),
        Row::of("files", "cpu-agent", "% of a core", &share(after.0, before.0)),
        Row::of("files", "cpu-server", "% of a core", &share(after.1, before.1)),
    ];
    if let Some(ssh) = &ssh {
        rows.push(Row::of("files", "OpenSSH-download-50-MiB", "MiB/s", &ssh.down));
        rows.push(Row::of("files", "OpenSSH-upload-50-MiB", "MiB/s", &ssh.up));
    }
    Ok(rows)
}

async fn reach(end: &mut RemoteEnd, path: &Path, content: &[u8]) -> anyhow::Result<Reached> {
    let mut reached = Reached::default();
    let digest = sha256(&[content]).to_string();
    for round in 0..ROUNDS as u32 {
        let begun = Instant::now();
        let (came, told) = download(end, round * 2 + 1, path).await?;
        reached.down.push(mib_per_sec(BYTES, begun));
        // A client of ours looks while it reads, on another core than server and agent.
        ensure!(came == content && told == digest, "another file came");
        let begun = Instant::now();
        let told = upload(end, round * 2 + 2, &path.with_extension("up"), content, &digest).await?;
        reached.up.push(mib_per_sec(BYTES, begun));
        ensure!(told == digest, "another file arrived");
    }
    Ok(reached)
}

async fn download(end: &mut RemoteEnd, id: u32, path: &Path) -> anyhow::Result<(Vec<u8>, String)> {
    end.send_control(&json!({ "t": "read", "id": id, "path": path, "offset": 0, "length": null })).await;
    let mut came = Vec::with_capacity(BYTES);
    loop {
        match next(end).await? {
            Said::Data(bytes) => came.extend(bytes),
            Said::Control(message) => return Ok((came, digest_of(&message)?)),
        }
    }
}

/// Until the device has it on its disk, by its name.
async fn upload(end: &mut RemoteEnd, id: u32, path: &Path, content: &[u8], digest: &str) -> anyhow::Result<String> {
    let size = content.len();
    let write =
        json!({ "t": "write", "id": id, "path": path, "size": size, "sha256": digest, "mode": null, "overwrite": "yes", "resume": "no" });
    end.send_control(&write).await;
    ok(end).await?;
    for piece in content.chunks(limits::STREAM_PAYLOAD_BYTES) {
        if let Err(closed) = end.make_room().await {
            bail!("the stream ended: {closed:?}");
        }
        end.send_data(id, piece).await;
    }
    if let Err(closed) = end.make_room().await {
        bail!("the stream ended: {closed:?}");
    }
    end.send_control(&json!({ "t": "commit", "id": id })).await;
    digest_of(&ok(end).await?)
}

async fn ok(end: &mut RemoteEnd) -> anyhow::Result<Value> {
    loop {
        if let Said::Control(message) = next(end).await? {
            ensure!(message["t"] == "ok", "{message}");
            return Ok(message);
        }
    }
}

fn digest_of(message: &Value) -> anyhow::Result<String> {
    match (message["t"].as_str(), message["sha256"].as_str()) {
        (Some("ok"), Some(digest)) => Ok(digest.to_owned()),
        _ => bail!("{message}"),
    }
}

impl Ssh {
    /// The same over a connection that is open; uploads are on the disk too. Blocks.
    fn files(&self, path: &Path, content: &[u8]) -> anyhow::Result<Reached> {
        let shared = self.connection()?;
        let (from, to) = (path.display(), path.with_extension("ssh"));
        let mut reached = Reached::default();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let came = shared.read(&format!("cat '{from}'"))?;
            reached.down.push(mib_per_sec(BYTES, begun));
            ensure!(came == content, "another file came");
            let begun = Instant::now();
            shared.write(&format!("cat > '{0}' && sync '{0}'", to.display()), content)?;
            reached.up.push(mib_per_sec(BYTES, begun));
        }
        Ok(reached)
    }
}
