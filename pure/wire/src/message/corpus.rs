//! Replays what attackers and broken peers sent, or might: every line of the corpus gets the verdict that stands beside it.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::{ToAgent, ToServer};

/// `SIDE VERDICT PIECES # WHY`: who sent it, `ok` or the code of the refusal, and bytes in hex, repeated where `*COUNT` follows.
const CORPUS: &str = include_str!("../../corpus/messages.txt");

struct Line {
    side: &'static str,
    verdict: &'static str,
    bytes: Vec<u8>,
    why: &'static str,
}

fn lines() -> impl Iterator<Item = Line> {
    CORPUS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let (rest, why) = line.split_once(" # ").expect("each line says why");
        let mut words = rest.split(' ');
        let (side, verdict) = (words.next().unwrap(), words.next().unwrap());
        Line { side, verdict, bytes: words.flat_map(piece).collect(), why }
    })
}

/// The lines that are worth changing byte by byte.
static SMALL: LazyLock<Vec<Line>> = LazyLock::new(|| lines().filter(|line| (1..4096).contains(&line.bytes.len())).collect());

fn piece(word: &str) -> Vec<u8> {
    let (hex, count) = word.split_once('*').unwrap_or((word, "1"));
    hex::decode(hex.trim_matches('-')).unwrap().repeat(count.parse().unwrap())
}

fn verdict(side: &str, bytes: &[u8]) -> &'static str {
    let refusal = match side {
        "agent" => ToServer::decode(bytes).err(),
        "server" => ToAgent::decode(bytes).err(),
        other => panic!("{other} sends nothing"),
    };
    refusal.map_or("ok", |refusal| refusal.code())
}

#[test]
fn every_line_gets_its_verdict() {
    let told: Vec<_> = lines().map(|line| (line.why, line.side, verdict(line.side, &line.bytes))).collect();
    let wanted: Vec<_> = lines().map(|line| (line.why, line.side, line.verdict)).collect();
    assert!(told.len() > 80 && told.iter().any(|(.., verdict)| *verdict == "ok"), "the corpus is read");
    for (told, wanted) in told.iter().zip(&wanted) {
        assert_eq!(told, wanted);
    }
}

/// Who sends to the wrong side is refused like anybody, and nothing panics.
#[test]
fn every_line_is_read_by_both_sides() {
    for line in lines() {
        verdict("agent", &line.bytes);
        verdict("server", &line.bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn changed_lines_never_panic(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = which.get(&SMALL).bytes.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        verdict("agent", &bytes);
        verdict("server", &bytes);
        bytes.truncate(cut.index(bytes.len()));
        verdict("agent", &bytes);
        verdict("server", &bytes);
    }
}
