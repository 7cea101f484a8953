//! What decoders allocate for what strangers send: never more than the limits of `limits.rs` allow, whatever the bytes are.
//!
//! A program of its own, for it counts every byte that is allocated in it. Each decoder has a row with the longest input that it may take
//! and the most that it may hold at once meanwhile, and reads three kinds of bytes: the corpus of hostile messages, bombs (the dearest
//! input of each kind that just fits), and generated ones.

mod bombs;
mod decoders;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peak_alloc::PeakAlloc;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::bombs::{bombs, corpus};
use self::decoders::{Decoder, all, bodies};

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// One test at a time: the count is that of the whole program.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most bytes that were allocated at once while a decoder read this, beyond those before.
fn peak(decoder: &Decoder, bytes: &[u8]) -> usize {
    let before = COUNTED.current_usage();
    COUNTED.reset_peak_usage();
    (decoder.read)(bytes);
    COUNTED.peak_usage().saturating_sub(before)
}

type Inputs = Vec<(String, Vec<u8>)>;

/// Bombs of a size are made once.
#[derive(Default)]
struct Made(RefCell<BTreeMap<usize, Rc<Inputs>>>);

impl Made {
    fn of(&self, room: usize) -> Rc<Inputs> {
        Rc::clone(self.0.borrow_mut().entry(room).or_insert_with(|| Rc::new(bombs(room))))
    }
}

/// Reads each of these with each decoder; says what went beyond, and how near the others came.
fn hold(inputs: impl Fn(&Decoder) -> Rc<Inputs>) {
    let mut beyond = Vec::new();
    for decoder in all() {
        let mut dearest = (0, String::new(), 0);
        for (name, bytes) in inputs(&decoder).iter() {
            let held = peak(&decoder, bytes);
            dearest = dearest.max((held, name.clone(), bytes.len()));
            if held > decoder.most {
                beyond.push(format!("{}: {held} of {} bytes for {} bytes, {name}", decoder.name, decoder.most, bytes.len()));
            }
        }
        println!("{}: at most {} of {} bytes, by {} of {} bytes", decoder.name, dearest.0, decoder.most, dearest.1, dearest.2);
    }
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
}

#[test]
fn the_count_sees_what_is_allocated() {
    let _alone = alone();
    let decoder = |bytes: usize| Decoder::new("a vector", 0, 0, move |_| drop(std::hint::black_box(Vec::<u8>::with_capacity(bytes))));
    assert_eq!(peak(&decoder(0), b""), 0);
    assert_eq!(peak(&decoder(1 << 20), b""), 1 << 20);
}

#[test]
fn every_body_of_the_api_has_a_row() {
    let described: serde_json::Value = serde_json::from_str(include_str!("../../../../openapi.json")).expect("JSON");
    let operations = described["paths"].as_object().expect("paths").values().filter_map(serde_json::Value::as_object).flatten();
    let schema = |(_, operation): (_, &serde_json::Value)| {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().map(str::to_owned)
    };
    let wanted: BTreeSet<String> =
        operations.filter_map(schema).map(|path| path.trim_start_matches("#/components/schemas/").to_owned()).collect();
    let here: BTreeSet<String> = bodies().iter().map(|decoder| decoder.name.to_owned()).collect();
    assert_eq!(here, wanted);
}

#[test]
fn no_line_of_the_corpus_costs_more_than_the_limit() {
    let _alone = alone();
    let lines = Rc::new(corpus());
    assert!(lines.len() > 80, "the corpus is read");
    hold(|_| Rc::clone(&lines));
}

#[test]
fn no_bomb_costs_more_than_the_limit() {
    let _alone = alone();
    let made = Made::default();
    hold(|decoder| made.of(decoder.input));
}

#[test]
fn an_input_beyond_the_limit_costs_nothing() {
    let _alone = alone();
    let made = Made::default();
    for decoder in all().into_iter().filter(|decoder| decoder.refuses_longer) {
        for (name, bytes) in made.of(decoder.input).iter() {
            let mut longer = bytes.clone();
            longer.resize(decoder.input + 1, b' ');
            let held = peak(&decoder, &longer);
            assert!(held < 1024, "{}: {held} bytes for {name}", decoder.name);
        }
    }
}

#[test]
fn nothing_that_is_generated_costs_more_than_the_limit() {
    let _alone = alone();
    let seeds =
        [corpus().into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), bombs(4096).into_iter().map(|(_, bytes)| bytes).collect()];
    let seeds: Vec<Vec<u8>> = seeds.concat().into_iter().filter(|bytes| (1..8192).contains(&bytes.len())).collect();
    let changed = (any::<prop::sample::Index>(), proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8), 1usize..8);
    let noise = proptest::collection::vec(any::<u8>(), 0..2048);
    let decoders = all();
    let mut runner = TestRunner::new(Config::with_cases(1000));
    let judged = runner.run(&(changed, noise), |((which, changes, times), noise)| {
        let mut bytes = which.get(&seeds).clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for input in [bytes.repeat(times), noise, bytes] {
            for decoder in &decoders {
                let held = peak(decoder, &input);
                prop_assert!(held <= decoder.most, "{}: {held} of {} bytes", decoder.name, decoder.most);
            }
        }
        Ok(())
    });
    judged.expect("within the limits");
}
