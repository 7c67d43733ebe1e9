//! How soon a question is answered over 10,000 documents, and units are ranked for a hole: `cargo bench -p benches --bench retrieval`.
//!
//! In: documents of 300 words, drawn so that a few words are frequent and most are rare, each with a vector of 384 numbers,
//! in an index in memory and in one in a file. Out: the median, the 99th percentile and the most of the milliseconds from a
//! question to its ten entries with excerpts, by words alone and by words and meaning, and what filling the index took. The
//! model of meaning draws its vectors: what a real one needs for a question is its own. Then, of units of one interface with comments
//! of nine such words, what ranking them takes, where their words are indexed for it and where they are.
#![allow(clippy::print_stdout)] // what is measured is printed

use std::collections::BTreeMap;
use std::time::Instant;

use benches as _;
use genesys_agents::offer::{UnitWords, ranked};
use genesys_compiler::check_text;
use genesys_literature::{Batch, Document, Embed, Index, Kind, LiteratureError, Query};
use genesys_random::mix;
use genesys_registry::{Entry, Origin, Registry};

const DOCUMENTS: u64 = 10_000;

/// Words that there are.
const VOCABULARY: u64 = 20_000;

/// Questions of a kind, none asked twice.
const QUESTIONS: u64 = 500;

/// Draws vectors, as wide as those of small models of sentences.
struct Drawn;

impl Embed for Drawn {
    fn model(&self) -> &str {
        "drawn"
    }

    fn width(&self) -> usize {
        384
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, LiteratureError> {
        let number = |seed: u64, at: u64| (mix(seed ^ at) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        let seed = |text: &str| text.bytes().fold(7, |seed, byte| mix(seed ^ u64::from(byte)));
        let vector = |text: &&str| (0..self.width() as u64).map(|at| number(seed(text), at << 32)).collect();
        Ok(texts.iter().map(vector).collect())
    }
}

fn main() {
    let folder = std::env::temp_dir().join(format!("genesys-retrieval-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is a folder for what is soon deleted");
    let opened = [("memory", Index::in_memory()), ("a file", Index::open(&folder.join("index.db")))];
    println!("| index | questions | p50, ms | p99, ms | most, ms |");
    println!("| --- | --- | --- | --- | --- |");
    for (place, index) in opened {
        measure(place, index.expect("an index can be made"));
    }
    std::fs::remove_dir_all(&folder).expect("the folder can be deleted again");
    println!("\n| units | first, ms | then: p50, ms | p99, ms |\n| --- | --- | --- | --- |");
    [60, 600, 1_200].into_iter().for_each(rank);
}

/// Ranks so many units for holes.
fn rank(units: u64) {
    let mut registry = Registry::default();
    for at in 0..units {
        let docs = words(at * 1_000, 9);
        let text = format!(
            "design A {{ stack = [U{at}*] }}\n/// {docs}\nunit U{at}(x: Seq[D]) -> Seq[D] {{ x + shift(x, {}) }}",
            at + 1
        );
        registry.add(&check_text("unit.gau", &text).design.expect("it checks"), Origin::default());
    }
    let (known, none) = (UnitWords::default(), BTreeMap::new());
    let ranked = |at: u64| {
        let entries: Vec<&Entry> = registry.entries().collect();
        let begun = Instant::now();
        let ranked = ranked(entries, &none, &known, &words(77_000_000 + at * 100, 9));
        let time = begun.elapsed().as_secs_f64() * 1e3;
        assert_eq!(ranked.len() as u64, units);
        time
    };
    let first = ranked(0);
    let mut times: Vec<f64> = (1..=QUESTIONS).map(ranked).collect();
    times.sort_by(f64::total_cmp);
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("| {units} | {first:.2} | {p50:.2} | {p99:.2} |");
}

fn measure(place: &str, mut index: Index) {
    let begun = Instant::now();
    let batches: Vec<Batch> = (0..DOCUMENTS).map(|at| Batch::of(&at.to_string(), vec![document(at)])).collect();
    index.replace("documents", &batches).expect("documents can be put in");
    let filled = begun.elapsed().as_secs_f64();
    index.embed(&Drawn, |_| ()).expect("vectors can be drawn");
    for (kind, model) in [("words", None), ("words and meaning", Some(&Drawn as &dyn Embed))] {
        let mut times: Vec<f64> = (0..QUESTIONS).map(|at| answered(&index, &question(at), model)).collect();
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        println!("| {place} | {kind} | {p50:.2} | {p99:.2} | {:.2} |", times[times.len() - 1]);
    }
    println!("filling it, vectors apart, took {filled:.1} s");
}

/// Milliseconds of an answer.
fn answered(index: &Index, question: &str, model: Option<&dyn Embed>) -> f64 {
    let begun = Instant::now();
    let found = index.search(&Query { text: question, limit: 10, kinds: &[] }, model).expect("a question has words");
    let time = begun.elapsed().as_secs_f64() * 1e3;
    assert_eq!(found.hits.len(), 10, "{question}");
    time
}

fn document(at: u64) -> Document {
    Document {
        summary: words(at * 1_000 + 100, 25),
        text: words(at * 1_000 + 200, 300),
        ..Document::new(Kind::File, &format!("d{at}"), &words(at * 1_000, 8), &format!("d{at}.txt:1"))
    }
}

/// From two to twelve words, of which a third are among the most frequent, and now and then a beginning.
fn question(at: u64) -> String {
    let beginning = if at.is_multiple_of(4) { format!(" w{}*", 10 + at % 90) } else { String::new() };
    words(77_000_000 + at * 100, 2 + at % 11) + &beginning
}

fn words(seed: u64, count: u64) -> String {
    (0..count).map(|at| word(mix(seed + at))).collect::<Vec<_>>().join(" ")
}

/// A word: its number is the product of two draws, so that small ones are frequent.
fn word(draw: u64) -> String {
    let (a, b) = (draw % 1_000, draw / 1_000 % 1_000);
    format!("w{}", a * a * b * VOCABULARY / 1_000_000_000)
}
