use proptest::prelude::*;

use super::*;
use crate::disk::MemoryDisk;
use crate::testing::{NOW, World};

fn grant(number: u8) -> GrantId {
    GrantId::from_bytes([number; 16])
}

fn claim(journal: &Journal, number: u8, expires: i64, at: i64) -> Result<(), JournalError> {
    let at = Timestamp::from_secs(at);
    let record = Record::Claimed {
        grant: grant(number),
        expires: Timestamp::from_secs(expires),
        at,
        name: "n".to_owned(),
        by: "b".to_owned(),
        attach: None,
        occurrence: None,
    };
    journal.append(&mut journal.state(), record)
}

fn open(disk: MemoryDisk) -> (Journal, Arc<MemoryDisk>) {
    let disk = Arc::new(disk);
    (Journal::open(disk.clone(), Timestamp::from_secs(NOW)).expect("open"), disk)
}

#[test]
fn what_was_acknowledged_to_the_caller_survives_a_power_cut_at_every_step() {
    // Claim, output, end and acknowledgement take fewer steps than this.
    for steps in 0..14 {
        for kept in [0, 3, 40, 10_000] {
            let (journal, disk) = open(MemoryDisk::default());
            disk.fail_after(steps);
            let claimed = claim(&journal, 1, NOW + 60, NOW).is_ok();
            let chunk = Chunk { stream: sallyport_os::Stream::Stdout, bytes: b"hello".to_vec() };
            let written = claimed && journal.append_output(grant(1), &chunk).is_ok();
            let ended = written && journal.end(grant(1), Outcome::Finished, "{}".to_owned()).is_ok();
            let acknowledged = ended && journal.acknowledge(grant(1)).is_ok();
            let (again, _) = open(disk.crash(kept));
            assert!(!claimed || again.is_used(grant(1)), "{steps} {kept}: a claim was lost");
            let phase = again.entry(grant(1)).map(|entry| entry.phase);
            if ended {
                assert!(matches!(phase, Some(Phase::Ended { .. } | Phase::Acknowledged { .. })), "{steps} {kept}: {phase:?}");
            }
            if let Some(Phase::Ended { .. }) = phase {
                assert_eq!(
                    again.chunk(grant(1), 0).expect("chunk"),
                    Some(chunk.clone()),
                    "{steps} {kept}: output of an ended run was lost"
                );
            }
            assert!(!acknowledged || matches!(phase, Some(Phase::Acknowledged { .. })), "{steps} {kept}: {phase:?}");
            assert_eq!(again.state().obey_from, Timestamp::default(), "{steps} {kept}: a torn write is no damage");
            claim(&again, 2, NOW + 60, NOW).expect("the journal goes on");
        }
    }
}

#[test]
fn a_claim_that_failed_does_not_count_later() {
    let (journal, disk) = open(MemoryDisk::default());
    disk.limit(Some(10));
    assert!(matches!(claim(&journal, 1, NOW + 60, NOW), Err(JournalError::Full)));
    assert!(!journal.is_used(grant(1)));
    disk.limit(None);
    let (again, _) = open(disk.killed());
    assert!(!again.is_used(grant(1)));
}

#[test]
fn the_end_of_a_run_fits_on_a_disk_that_filled_up_meanwhile() {
    let (journal, disk) = open(MemoryDisk::default());
    claim(&journal, 1, NOW + 60, NOW).expect("claim");
    let full = disk.names().expect("names").iter().map(|name| disk.read(name).expect("read").expect("there").len()).sum();
    disk.limit(Some(full));
    journal.end(grant(1), Outcome::Finished, "x".repeat(2000)).expect("there is room for the end");
    let (again, _) = open(disk.crash(0));
    assert!(matches!(again.entry(grant(1)).map(|entry| entry.phase), Some(Phase::Ended { .. })));
}

#[test]
fn damage_in_the_middle_is_noticed_and_old_grants_are_refused() {
    let world = World::new();
    let journal = world.journal();
    claim(&journal, 1, NOW + 60, NOW).expect("claim");
    claim(&journal, 2, NOW + 60, NOW).expect("claim");
    let mut bytes = world.disk.read(FILE).expect("read").expect("journal");
    bytes[20] ^= 1;
    world.disk.replace(FILE, &bytes).expect("damage");
    let refusal = world.gate().admit(&world.script(9, "true").offer()).map(|_| ()).expect_err("refused");
    assert_eq!(refusal.code(), "journal_damaged");
    assert!(world.journal().is_used(grant(2)), "what can still be read counts");
    let again = world.gate().admit(&world.script(9, "true").offer()).map(|_| ()).expect_err("refused after a restart too");
    assert_eq!(again.code(), "journal_damaged");
}

#[test]
fn expired_ids_are_forgotten_and_live_ones_are_not() {
    let (journal, disk) = open(MemoryDisk::default());
    for round in 0..200u8 {
        let at = NOW + i64::from(round) * 10;
        claim(&journal, round, at + 600, at).expect("claim");
        journal.end(grant(round), Outcome::Finished, "x".repeat(2000)).expect("end");
        journal.acknowledge(grant(round)).expect("acknowledge");
    }
    let length = disk.read(FILE).expect("read").expect("journal").len();
    assert!(length < 200 * 1024, "{length}");
    let (again, _) = open(disk.crash(0));
    assert_eq!(again.floor(), Timestamp::from_secs(NOW + 1990));
    for round in 0..200u8 {
        let live = NOW + i64::from(round) * 10 + 600 > NOW + 1990;
        assert!(!live || again.is_used(grant(round)), "{round} can still be replayed");
    }
    assert!(!again.is_used(grant(0)), "an id that the floor makes worthless is let go");
}

#[test]
fn output_is_numbered_and_let_go_once_the_server_has_it() {
    let (journal, disk) = open(MemoryDisk::default());
    claim(&journal, 1, NOW + 60, NOW).expect("claim");
    for text in ["a", "b", "c"] {
        let chunk = Chunk { stream: sallyport_os::Stream::Stderr, bytes: text.as_bytes().to_vec() };
        journal.append_output(grant(1), &chunk).expect("stored");
    }
    let (again, disk) = open(disk.killed());
    assert_eq!(again.chunk(grant(1), 2).expect("read").map(|chunk| chunk.bytes), Some(b"c".to_vec()));
    assert_eq!(again.chunk(grant(1), 3).expect("read"), None);
    let output = again.output(grant(1)).expect("output");
    assert_eq!((output.bytes, output.digest), (3, sallyport_grant::sha256(&[b"abc"])));
    again.end(grant(1), Outcome::Finished, "{}".to_owned()).expect("end");
    again.acknowledge(grant(1)).expect("acknowledge");
    assert_eq!(disk.names().expect("names"), [FILE]);
}

#[test]
fn output_without_a_run_is_cleaned_up() {
    let disk = MemoryDisk::default();
    disk.write_at(&Spool::named(grant(7)), 0, b"left over").expect("write");
    let (_journal, disk) = open(disk);
    assert_eq!(disk.names().expect("names"), [FILE]);
}

proptest! {
    #[test]
    fn any_cut_of_a_journal_gives_a_prefix_of_its_records(count in 1u8..6, cut in 0usize..2000) {
        let (journal, disk) = open(MemoryDisk::default());
        let mut ends = Vec::new();
        for number in 0..count {
            claim(&journal, number, NOW + 60, NOW).expect("claim");
            ends.push(usize::try_from(journal.state().end).expect("short"));
        }
        let mut bytes = disk.read(FILE).expect("read").expect("journal");
        bytes.truncate(cut);
        let found = record::decode(&bytes);
        prop_assert!(!found.damaged);
        prop_assert_eq!(found.records.len(), ends.iter().filter(|end| **end <= cut).count());
    }

    #[test]
    fn garbage_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let found = record::decode(&bytes);
        prop_assert!(found.records.is_empty() && found.end == 0);
        let disk = MemoryDisk::default();
        disk.write_at(&Spool::named(grant(1)), 0, &bytes).expect("write");
        prop_assert!(Spool::reopen(&disk, grant(1)).is_ok());
    }
}
