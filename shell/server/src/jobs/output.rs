//! `/v1/runs/{id}/output`: what a run wrote, from a given chunk on.

use axum::extract::State;
use sallyport_api as api;
use sallyport_decide::policy::ReadJobs;
use sallyport_model::{RunId, limits};
use sallyport_store::ops::jobs::{self as store, Chunk, RunRow, Whose};
use sallyport_store::{Reader, StoreError};
use serde::Deserialize;

use super::utf8::Decoder;
use crate::{Allowed, App, Id, Json, Query, Refusal};

/// Chunks of one answer, however short they are.
const CHUNKS: usize = 1000;
/// Chunks that are read at once.
const CHUNKS_AT_ONCE: u32 = 16;
/// A character has at most four bytes: what is begun of it lies in the last three chunks of its stream.
const CHUNKS_BEFORE: u32 = 3;
/// The stored numbers of the streams, with their words.
const STREAMS: [(u8, &str); 2] = [(1, "stdout"), (2, "stderr")];

/// From where on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadOutput {
    #[serde(default)]
    after: u64,
}

/// Output from the chunk `after` on; `next` of one answer is `after` of the next.
pub(crate) async fn output(
    State(app): State<App>,
    Allowed(permit): Allowed<ReadJobs>,
    Id(id): Id<RunId>,
    Query(query): Query<ReadOutput>,
) -> Result<Json<api::Output>, Refusal> {
    let mut reader = app.store.read().await?;
    let whose = Whose::within(&mut reader, permit.actor().tenant, permit.reach()).await?;
    let run = store::run(&mut reader, &whose, id).await?;
    let after = query.after.min(run.next_chunk);
    let chunks = fitting(&mut reader, id, after).await?;
    let decoders = [begun(&mut reader, id, STREAMS[0].0, after).await?, begun(&mut reader, id, STREAMS[1].0, after).await?];
    Ok(Json(told(&run, after, &chunks, decoders)))
}

/// As many chunks as fit into one answer, read a few at a time: there may be far more of them.
async fn fitting(reader: &mut Reader, run: RunId, after: u64) -> Result<Vec<Chunk>, StoreError> {
    let mut page = Page::default();
    loop {
        let from = page.chunks.last().map_or(after, |chunk| chunk.seq + 1);
        let chunks = store::chunks(reader, run, from, CHUNKS_AT_ONCE).await?;
        let is_last = chunks.len() < CHUNKS_AT_ONCE as usize;
        let all_fit = chunks.into_iter().all(|chunk| page.take(chunk));
        if is_last || !all_fit {
            return Ok(page.chunks);
        }
    }
}

/// Chunks of one answer, within its bounds.
#[derive(Default)]
struct Page {
    chunks: Vec<Chunk>,
    bytes: usize,
}

impl Page {
    /// Takes a chunk if it fits; the first one always does.
    fn take(&mut self, chunk: Chunk) -> bool {
        self.bytes += chunk.content.len();
        let fits = self.chunks.is_empty() || (self.bytes <= limits::OUTPUT_PAGE_BYTES && self.chunks.len() < CHUNKS);
        if fits {
            self.chunks.push(chunk);
        }
        fits
    }
}

/// A decoder that continues where the answer before this one ended.
async fn begun(reader: &mut Reader, run: RunId, stream: u8, before: u64) -> Result<Decoder, StoreError> {
    let chunks = store::chunks_before(reader, run, stream, before, CHUNKS_BEFORE).await?;
    let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.content).collect();
    Ok(Decoder::after(&bytes[bytes.len().saturating_sub(3)..]))
}

fn told(run: &RunRow, after: u64, chunks: &[Chunk], mut decoders: [Decoder; 2]) -> api::Output {
    let mut told: Vec<api::OutputChunk> = chunks
        .iter()
        .map(|chunk| {
            let place = usize::from(chunk.stream != STREAMS[0].0);
            api::OutputChunk { seq: chunk.seq, stream: STREAMS[place].1.to_owned(), text: decoders[place].read(&chunk.content) }
        })
        .collect();
    let next = chunks.last().map_or(after, |chunk| chunk.seq + 1);
    let more = next < run.next_chunk;
    // With its receipt a run is over: what is begun of a character now will never be finished.
    if !more && run.receipt.is_some() {
        for (place, (_, word)) in STREAMS.iter().enumerate() {
            if let Some(last) = told.iter_mut().rev().find(|chunk| chunk.stream == *word) {
                last.text.push_str(&decoders[place].end());
            }
        }
    }
    api::Output { chunks: told, next, more }
}

#[cfg(test)]
mod tests {
    use sallyport_model::{DeviceId, JobId};

    use super::*;

    fn run(next_chunk: u64, receipt: Option<&str>) -> RunRow {
        RunRow {
            id: RunId::from_bytes([1; 16]),
            job: JobId::from_bytes([2; 16]),
            device: DeviceId::from_bytes([3; 16]),
            device_name: "web-1".into(),
            state: "running".into(),
            exit_code: None,
            signal: None,
            reason: None,
            output_sha256: None,
            output_bytes: 0,
            next_chunk,
            started: None,
            ended: None,
            receipt: receipt.map(str::to_owned),
        }
    }

    fn chunk(seq: u64, stream: u8, content: &[u8]) -> Chunk {
        Chunk { seq, stream, content: content.to_vec() }
    }

    fn texts(output: &api::Output) -> Vec<(u64, &str, &str)> {
        output.chunks.iter().map(|chunk| (chunk.seq, chunk.stream.as_str(), chunk.text.as_str())).collect()
    }

    #[test]
    fn a_character_of_one_stream_is_not_broken_by_the_other() {
        let chunks = [chunk(0, 1, b"caf\xc3"), chunk(1, 2, b"no\xe2"), chunk(2, 1, b"\xa9"), chunk(3, 2, b"\x82\xac")];
        let output = told(&run(4, None), 0, &chunks, Default::default());
        assert_eq!(texts(&output), [(0, "stdout", "caf"), (1, "stderr", "no"), (2, "stdout", "é"), (3, "stderr", "€")]);
        assert_eq!((output.next, output.more), (4, false));
    }

    #[test]
    fn only_the_end_of_a_run_gives_up_on_a_character() {
        let chunks = [chunk(0, 1, b"caf\xc3")];
        assert_eq!(texts(&told(&run(1, None), 0, &chunks, Default::default())), [(0, "stdout", "caf")]);
        assert_eq!(texts(&told(&run(2, Some("{}")), 0, &chunks, Default::default())), [(0, "stdout", "caf")], "more follows");
        assert_eq!(texts(&told(&run(1, Some("{}")), 0, &chunks, Default::default())), [(0, "stdout", "caf\u{fffd}")]);
    }

    #[test]
    fn an_answer_is_bounded_and_never_empty() {
        let large = vec![b'x'; limits::OUTPUT_CHUNK_BYTES];
        let mut page = Page::default();
        let taken = (0..100).take_while(|seq| page.take(chunk(*seq, 1, &large))).count();
        assert_eq!(taken, limits::OUTPUT_PAGE_BYTES / limits::OUTPUT_CHUNK_BYTES);
        assert!(Page::default().take(chunk(0, 1, &vec![0; limits::OUTPUT_PAGE_BYTES + 1])));
        let mut page = Page::default();
        assert_eq!((0..5000).take_while(|seq| page.take(chunk(*seq, 1, b"x"))).count(), CHUNKS);
        let output = told(&run(0, None), 0, &[], Default::default());
        assert_eq!((output.next, output.more), (0, false));
    }
}
