use proptest::prelude::*;
use sallyport_grant::sha256;

use super::tape::SEGMENT_BYTES;
use super::*;
use crate::disk::MemoryDisk;

const PIECE: usize = limits::RECORDING_CHUNK_BYTES;

fn session(number: u8) -> RemoteSessionId {
    RemoteSessionId::from_bytes([number; 16])
}

fn on(disk: MemoryDisk) -> (Arc<Recordings>, Arc<MemoryDisk>) {
    let disk = Arc::new(disk);
    (Arc::new(Recordings::open(disk.clone(), Arc::default())), disk)
}

/// The server's end: stores pieces in order, and acknowledges.
#[derive(Default)]
struct Server {
    bytes: Vec<u8>,
    next_seq: u64,
    complete: bool,
}

impl Server {
    fn take(&mut self, piece: &Piece) {
        if piece.seq == self.next_seq {
            assert!(!self.complete);
            self.bytes.extend(&piece.bytes);
            self.next_seq += 1;
            self.complete = piece.last;
        }
    }

    fn fetch(&mut self, recordings: &Recordings, most: usize) {
        for _ in 0..most {
            let Some((of, piece)) = recordings.next().expect("read") else { return };
            self.take(&piece);
            recordings.stored(of, self.next_seq).expect("stored");
        }
    }
}

fn files(disk: &MemoryDisk) -> Vec<String> {
    disk.names().expect("names")
}

#[test]
fn a_recording_is_uploaded_while_it_grows_and_nothing_of_it_stays() {
    let (recordings, disk) = on(MemoryDisk::default());
    let (recorder, mut server) = (recordings.begin(session(1)), Server::default());
    let content: Vec<u8> = (0..PIECE * 3 + 7).map(|at| at as u8).collect();
    recorder.append(&content).expect("append");
    server.fetch(&recordings, 100);
    assert_eq!((server.next_seq, server.complete), (3, false));
    let output = recordings.finish(session(1)).expect("known");
    assert_eq!((output.digest, output.bytes), (sha256(&[&content]), content.len() as u64));
    server.fetch(&recordings, 100);
    assert!(server.complete && server.bytes == content);
    assert_eq!(files(&disk), Vec::<String>::new());
    assert_eq!(recordings.output(session(1)).map(|output| output.bytes), None);
}

#[test]
fn an_empty_recording_and_one_of_whole_pieces_have_a_last_piece() {
    for length in [0, PIECE, 2 * PIECE] {
        let (recordings, _) = on(MemoryDisk::default());
        let (recorder, mut server) = (recordings.begin(session(1)), Server::default());
        recorder.append(&vec![7; length]).expect("append");
        server.fetch(&recordings, 100);
        assert!(!server.complete);
        recordings.finish(session(1));
        server.fetch(&recordings, 100);
        assert!(server.complete && server.bytes.len() == length);
    }
}

#[test]
fn what_the_server_has_is_dropped_and_the_digest_survives_a_crash() {
    let (recordings, disk) = on(MemoryDisk::default());
    let (recorder, mut server) = (recordings.begin(session(1)), Server::default());
    let content: Vec<u8> = (0..SEGMENT_BYTES as usize * 2 + 100).map(|at| (at / 3) as u8).collect();
    recorder.append(&content).expect("append");
    server.fetch(&recordings, 1000);
    assert!(!files(&disk).iter().any(|name| name.ends_with(".0000") || name.ends_with(".0001")), "{:?}", files(&disk));
    let (after, disk) = on(disk.killed());
    let output = after.output(session(1)).expect("taken up");
    assert_eq!((output.digest, output.bytes), (sha256(&[&content]), content.len() as u64));
    server.fetch(&after, 1000);
    assert!(server.complete && server.bytes == content);
    assert_eq!(files(&disk), Vec::<String>::new());
}

#[test]
fn a_recording_ends_at_its_limit_and_says_so() {
    let (recordings, _) = on(MemoryDisk::default());
    let (recorder, mut server) = (recordings.begin(session(1)), Server::default());
    let piece = vec![1; SEGMENT_BYTES as usize];
    for _ in 0..limits::RECORDING_BYTES / SEGMENT_BYTES {
        recorder.append(&piece).expect("append");
        server.fetch(&recordings, 1000);
        server.bytes.clear();
    }
    assert!(matches!(recorder.append(b"x"), Err(RecordingError::Full)));
}

#[test]
fn a_disk_that_is_full_is_told() {
    let disk = MemoryDisk::default();
    disk.limit(Some(100));
    let (recordings, _) = on(disk);
    assert!(matches!(recordings.begin(session(1)).append(&[0; 200]), Err(RecordingError::Io(_))));
}

#[test]
fn a_server_that_claims_to_have_more_than_there_is_changes_nothing() {
    let (recordings, _) = on(MemoryDisk::default());
    let recorder = recordings.begin(session(1));
    recorder.append(b"hello").expect("append");
    recordings.stored(session(1), u64::MAX).expect("stored");
    recordings.stored(session(2), 1).expect("a stranger");
    recorder.append(b" world").expect("append");
    assert_eq!(recordings.finish(session(1)).map(|output| output.digest), Some(sha256(&[b"hello world"])));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_lost_and_whenever_the_agent_dies_the_server_gets_what_was_recorded(
        steps in proptest::collection::vec((1usize..90_000, 0usize..6, 0u8..10), 1..60),
    ) {
        let (mut recordings, mut disk) = on(MemoryDisk::default());
        let mut recorder = Some(recordings.begin(session(1)));
        let (mut content, mut server) = (Vec::new(), Server::default());
        for (length, fetched, accident) in steps {
            if let Some(recorder) = &recorder {
                let piece = vec![content.len() as u8; length];
                recorder.append(&piece).expect("append");
                content.extend(piece);
            }
            server.fetch(&recordings, fetched);
            match accident {
                0 if recorder.is_some() => {
                    recorder = None;
                    (recordings, disk) = on(disk.killed());
                }
                1 => recordings.resume(),
                2 | 3 => drop(recordings.next().expect("a piece that is lost on its way")),
                _ => {}
            }
        }
        recordings.finish(session(1));
        recordings.resume();
        server.fetch(&recordings, 10_000);
        prop_assert!(server.complete);
        prop_assert_eq!(sha256(&[&server.bytes]), sha256(&[&content]));
        prop_assert_eq!(files(&disk), Vec::<String>::new());
    }
}
