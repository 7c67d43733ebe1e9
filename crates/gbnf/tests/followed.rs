//! The exported grammar, followed as a decoder is: designs that ship are followed to their ends, and what is drawn token by token is read by
//! the parser of designs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use genesys_gbnf::{Bounds, GRAMMAR, Grammar, Reader, Root, State, Vocabulary, export};
use genesys_span::Sources;
use proptest::prelude::*;

/// A reader of designs, and its state in front of one.
fn reader(bounds: Bounds) -> (Reader, State) {
    let gbnf = export(GRAMMAR, Root::File, bounds).expect("the grammar is exported");
    Reader::new(Grammar::read(&gbnf).expect("it is a grammar"))
}

/// The designs that ship.
fn designs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../designs");
    let within =
        |dir: &Path| fs::read_dir(dir).expect("there are designs").map(|entry| entry.expect("it is read").path());
    let mut designs: Vec<PathBuf> = within(&root).chain(within(&root.join("mechanisms"))).collect();
    designs.retain(|path| path.extension().is_some_and(|ending| ending == "gau"));
    designs.sort();
    assert!(designs.len() > 20, "{designs:?}");
    designs
}

#[test]
fn every_design_that_ships_is_followed_and_states_stay_few() {
    for bounds in [Bounds::None, Bounds::Decoder] {
        let (mut reader, start) = reader(bounds);
        let mut bytes = 0;
        for path in designs() {
            let text = fs::read_to_string(&path).expect("a design is text");
            bytes += text.len();
            let end = reader.read(start, text.as_bytes());
            assert!(end.is_some_and(|end| reader.may_end(end)), "{}", path.display());
        }
        assert!(reader.met() < bytes / 2, "{} states of {bytes} bytes, {bounds:?}", reader.met());
        assert!(!reader.is_overrun());
    }
}

/// What a model of few words writes with: none that begins a comment, in which anything goes.
const WORDS: &str = "design unit axis let weight scan use -> = => : , . ( ) [ ] { } \n x y U V D Seq Seq[D] map max 1 2.5 + - * @ ! ~ < >";

/// Behind so many tokens what closes comes first, and a text ends where it may.
const CLOSING: u64 = 60;

/// How often a token is drawn behind another: blanks and longer names are rare, since the rest has more to tell.
fn weight(token: &str, before: &str, n: u64) -> u64 {
    let is_word = |token: &str| token.chars().all(|letter| letter.is_ascii_alphanumeric());
    match token {
        "}" | ")" | "]" if n > CLOSING => 1000,
        _ if token.trim().is_empty() => u64::from(!before.trim().is_empty()) * if n > CLOSING { 20 } else { 4 },
        _ if is_word(token) && is_word(before) => 1,
        _ => 20,
    }
}

/// Tokens that a grammar admits, drawn; the text, and whether it came to its end.
fn drawn(reader: &mut Reader, start: State, seed: u64) -> (String, bool) {
    let tokens: Vec<&str> = WORDS.split(' ').chain([" ", "    ", " / "]).collect();
    let vocabulary = Vocabulary::new((0..).zip(tokens.iter().map(|token| token.as_bytes().to_vec())));
    let (mut state, mut text, mut before, draws) = (start, String::new(), "", genesys_random::mix(seed));
    for n in 0..400 {
        if n > CLOSING && reader.may_end(state) {
            return (text, true);
        }
        let admitted = vocabulary.admitted(reader, state);
        let weights = admitted.iter().map(|token| weight(tokens[*token as usize], before, n));
        let sums: Vec<u64> = weights
            .scan(0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        let at = genesys_random::at(draws, n) % sums.last().copied().unwrap_or(0).max(1);
        // No token goes on where a letter would have to that these words have not.
        let Some(token) =
            sums.iter().position(|sum| at < *sum).map(|place| admitted[place]).or(admitted.first().copied())
        else {
            break;
        };
        before = tokens[token as usize];
        text.push_str(before);
        state = reader.read(state, before.as_bytes()).expect("it is admitted");
    }
    (text, false)
}

/// Readers for all cases, without bounds and with those of decoders: states are met once.
fn shared() -> &'static Mutex<[(Reader, State); 2]> {
    static SHARED: OnceLock<Mutex<[(Reader, State); 2]>> = OnceLock::new();
    SHARED.get_or_init(|| Mutex::new([reader(Bounds::None), reader(Bounds::Decoder)]))
}

/// The first thing that the parser says of a text.
fn told(text: &str) -> Option<String> {
    let mut sources = Sources::default();
    let file = sources.add("drawn.gau", text);
    let parsed = genesys_syntax::parse(&sources, file);
    parsed.diagnostics.first().map(|first| format!("{:?}: {}", first.code, first.message))
}

#[test]
fn most_that_is_drawn_comes_to_its_end() {
    let (mut reader, start) = reader(Bounds::None);
    let whole = (0..100).filter(|seed| drawn(&mut reader, start, *seed).1).count();
    assert!(whole >= 60, "{whole} of 100");
}

proptest! {
    #[test]
    fn what_is_drawn_token_by_token_is_read_by_the_parser(seed: u64) {
        for (reader, start) in shared().lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            let (text, is_whole) = drawn(reader, *start, seed);
            prop_assert!(reader.read(*start, text.as_bytes()).is_some(), "{}", text);
            if is_whole {
                prop_assert_eq!(told(&text), None, "{}", text);
            }
        }
    }
}
