//! What a reader admits, held to cases, to the bytes of tokens, and to a matcher that tries all ways of random grammars.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Vocabulary;

fn reader(gbnf: &str) -> (Reader, State) {
    Reader::new(Grammar::read(gbnf).unwrap())
}

/// Whether a text is read to an end; none where it could not even go on.
fn reads(gbnf: &str, text: &str) -> Option<bool> {
    let (mut reader, start) = reader(gbnf);
    reader.read(start, text.as_bytes()).map(|state| reader.may_end(state))
}

#[test]
fn texts_are_read_as_the_notation_says() {
    let cases = [
        ("root ::= \"ab\" | \"ac\" \"d\"?", "ab", Some(true)),
        ("root ::= \"ab\" | \"ac\" \"d\"?", "a", Some(false)),
        ("root ::= \"ab\" | \"ac\" \"d\"?", "acd", Some(true)),
        ("root ::= \"ab\" | \"ac\" \"d\"?", "abd", None),
        ("root ::= [a-c]{2,3}", "ab", Some(true)),
        ("root ::= [a-c]{2,3}", "a", Some(false)),
        ("root ::= [a-c]{2,3}", "abca", None),
        ("root ::= [^a-c\\]]+", "de\u{e9}\u{1f600}", Some(true)),
        ("root ::= [^a-c\\]]+", "]", None),
        ("root ::= .", "\u{65e5}", Some(true)),
        ("root ::= [\\u00e0-\\u00ef]", "\u{e9}", Some(true)),
        ("root ::= [\\u00e0-\\u00ef]", "\u{f0}", None),
        ("root ::= \"(\" root \")\" | \"\"", "((()))", Some(true)),
        ("root ::= \"(\" root \")\" | \"\"", "((())", Some(false)),
        ("root ::= \"(\" root \")\" | \"\"", "())", None),
        ("root ::= (\"a\"*)* \"b\"", "aab", Some(true)),
    ];
    for (gbnf, text, expected) in cases {
        assert_eq!(reads(gbnf, text), expected, "{gbnf} of {text}");
    }
}

#[test]
fn a_character_that_is_cut_is_gone_on_with_and_no_text_ends_in_it() {
    let (mut reader, start) = reader("root ::= [\\u00e9\\u20ac]");
    let cut = reader.read(start, b"\xe2\x82").unwrap();
    assert!(!reader.may_end(cut));
    assert_eq!(reader.next(cut).bytes().collect::<Vec<_>>(), [0xac]);
    assert_eq!(reader.next(start).bytes().collect::<Vec<_>>(), [0xc3, 0xe2]);
}

#[test]
fn repetitions_and_what_was_forgotten_do_not_grow() {
    let (mut reader, start) = reader("root ::= line*\nline ::= [a-z ]* \"\\n\"");
    let text = "some words\n".repeat(50);
    let state = reader.read(start, text.as_bytes()).unwrap();
    assert!(reader.met() < 8, "{} states", reader.met());
    let next = reader.next(state);
    let again = reader.forget(state);
    assert_eq!((reader.met(), reader.next(again), reader.may_end(again)), (1, next, true));
    let end = reader.read(again, b"more\n").unwrap();
    assert!(reader.may_end(end) && reader.read(again, b"A").is_none());
}

/// Tokens of one to three bytes of an alphabet, some of which are equal.
fn tokens() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[ab()\u{e9}\u{20ac}]{1,3}", 1..30)
}

proptest! {
    #[test]
    fn those_tokens_are_admitted_whose_bytes_are(tokens in tokens(), begin in "[ab(\u{e9}]{0,4}", cut in 0..3_usize) {
        let gbnf = "root ::= (\"a\" | \"b\"+ [\u{e9}\u{20ac}]? | \"(\" root \")\")*";
        let (mut reader, start) = reader(gbnf);
        let begin = &begin.as_bytes()[..begin.len().saturating_sub(cut)];
        let Some(state) = reader.read(start, begin) else { return Ok(()) };
        let bytes = tokens.iter().map(|token| token.as_bytes().to_vec());
        let vocabulary = Vocabulary::new((0..).zip(bytes.chain([Vec::new()])));
        let admitted = vocabulary.admitted(&mut reader, state);
        let fits = |token: &u32| reader.read(state, tokens[*token as usize].as_bytes()).is_some();
        let each: Vec<u32> = (0..u32::try_from(tokens.len()).unwrap()).filter(fits).collect();
        prop_assert_eq!(admitted, each);
    }
}

/// What a rule of a random grammar matches.
#[derive(Clone, Debug)]
enum Expr {
    Text(String),
    Class(bool, Vec<(char, char)>),
    /// A rule of a higher number, or one behind a letter.
    Later(usize),
    Behind(char, usize),
    Seq(Vec<Expr>),
    Choice(Vec<Expr>),
    Repeat(Box<Expr>, u32, Option<u32>),
}

/// Of one to four bytes each.
const LETTERS: [char; 5] = ['a', 'b', '\u{e9}', '\u{20ac}', '\u{1f600}'];

fn letter() -> impl Strategy<Value = char> {
    proptest::sample::select(LETTERS.to_vec())
}

fn exprs() -> impl Strategy<Value = Expr> {
    let ranges = proptest::collection::vec((letter(), letter()).prop_map(|(a, b)| (a.min(b), a.max(b))), 0..3);
    let leaf = prop_oneof![
        4 => proptest::collection::vec(letter(), 0..3).prop_map(|text| Expr::Text(text.into_iter().collect())),
        2 => (any::<bool>(), ranges).prop_map(|(negated, ranges)| Expr::Class(negated, ranges)),
        1 => (1..3_usize).prop_map(Expr::Later),
        1 => (letter(), 0..3_usize).prop_map(|(letter, rule)| Expr::Behind(letter, rule)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = proptest::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            some.clone().prop_map(Expr::Seq),
            some.prop_map(Expr::Choice),
            (inner, 0..3_u32, proptest::option::of(0..3_u32)).prop_map(|(inner, least, more)| Expr::Repeat(
                Box::new(inner),
                least,
                more.map(|more| least + more)
            )),
        ]
    })
}

/// Three rules, each of which names itself and those in front of it only behind a letter.
fn grammars() -> impl Strategy<Value = Vec<Expr>> {
    proptest::collection::vec(exprs(), 3).prop_map(|mut rules| {
        rules.iter_mut().enumerate().for_each(|(number, rule)| raise(rule, number));
        rules
    })
}

/// Has a rule name only those of higher numbers.
fn raise(expr: &mut Expr, number: usize) {
    match expr {
        Expr::Later(rule) if number == 2 => *expr = Expr::Behind('b', *rule),
        Expr::Later(rule) => *rule = (number + *rule).min(2),
        Expr::Seq(parts) | Expr::Choice(parts) => parts.iter_mut().for_each(|part| raise(part, number)),
        Expr::Repeat(inner, ..) => raise(inner, number),
        Expr::Text(_) | Expr::Class(..) | Expr::Behind(..) => {}
    }
}

const NAMES: [&str; 3] = ["root", "one", "t-2"];

fn written(expr: &Expr) -> String {
    let all = |parts: &[Expr], mark: &str| parts.iter().map(written).collect::<Vec<_>>().join(mark);
    match expr {
        Expr::Text(text) => format!("\"{text}\""),
        Expr::Class(negated, ranges) => {
            let ranges: String =
                ranges.iter().map(|(low, high)| format!("{low}-\\U{:08x}", u32::from(*high))).collect();
            format!("[{}{ranges}]", if *negated { "^" } else { "" })
        }
        Expr::Later(rule) => NAMES[*rule].to_owned(),
        Expr::Behind(letter, rule) => format!("\"{letter}\" {}", NAMES[*rule]),
        Expr::Seq(parts) => format!("({})", all(parts, " ")),
        Expr::Choice(ways) => format!("({})", all(ways, " | ")),
        Expr::Repeat(inner, least, most) => {
            let times = match (least, most) {
                (0, None) => "*".to_owned(),
                (1, None) => "+".to_owned(),
                (0, Some(1)) => "?".to_owned(),
                (least, None) => format!("{{{least},}}"),
                (least, Some(most)) if least == most => format!("{{{least}}}"),
                (least, Some(most)) => format!("{{{least},{most}}}"),
            };
            format!("({}){times}", written(inner))
        }
    }
}

fn gbnf(rules: &[Expr]) -> String {
    rules.iter().zip(NAMES).map(|(rule, name)| format!("{name} ::= {}\n", written(rule))).collect()
}

/// Tries all ways in which the rules may match a text.
struct Matcher<'a> {
    rules: &'a [Expr],
    text: &'a str,
    /// Where what a rule matches may end, by the rule and where it begins.
    known: BTreeMap<(usize, usize), BTreeSet<usize>>,
}

impl Matcher<'_> {
    /// Every place at which what a rule matches from a place on may end.
    fn rule(&mut self, rule: usize, from: usize) -> BTreeSet<usize> {
        if let Some(known) = self.known.get(&(rule, from)) {
            return known.clone();
        }
        let rules = self.rules;
        let ends = self.ends(&rules[rule], from);
        self.known.insert((rule, from), ends.clone());
        ends
    }

    fn behind(&mut self, expr: &Expr, starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        starts.iter().flat_map(|from| self.ends(expr, *from)).collect()
    }

    fn ends(&mut self, expr: &Expr, from: usize) -> BTreeSet<usize> {
        let (here, rest) = (BTreeSet::from([from]), &self.text[from..]);
        match expr {
            Expr::Text(part) => rest.starts_with(part.as_str()).then_some(from + part.len()).into_iter().collect(),
            Expr::Class(negated, ranges) => {
                let fits = |letter: &char| ranges.iter().any(|(low, high)| low <= letter && letter <= high) != *negated;
                rest.chars().next().filter(fits).map(|letter| from + letter.len_utf8()).into_iter().collect()
            }
            Expr::Later(rule) => self.rule(*rule, from),
            Expr::Behind(letter, rule) => match rest.starts_with(*letter) {
                true => self.rule(*rule, from + letter.len_utf8()),
                false => BTreeSet::new(),
            },
            Expr::Seq(parts) => parts.iter().fold(here, |starts, part| self.behind(part, &starts)),
            Expr::Choice(ways) => ways.iter().flat_map(|way| self.ends(way, from)).collect(),
            Expr::Repeat(inner, least, most) => {
                let mut now = (0..*least).fold(here, |starts, _| self.behind(inner, &starts));
                let mut all = now.clone();
                // Behind as many times as there are places nothing new comes.
                for _ in 0..most.map_or(self.text.len() + 1, |most| (most - least) as usize) {
                    now = self.behind(inner, &now);
                    all.extend(&now);
                }
                all
            }
        }
    }
}

fn is_matched(rules: &[Expr], text: &str) -> bool {
    Matcher { rules, text, known: BTreeMap::new() }.rule(0, 0).contains(&text.len())
}

/// A random grammar that is one; it may be refused only for what never ends.
fn accepted(rules: &[Expr]) -> Option<(Reader, State)> {
    match Grammar::read(&gbnf(rules)) {
        Ok(grammar) => Some(Reader::new(grammar)),
        Err(bad) => {
            assert!(bad.why.contains("never ends"), "{bad} {}", gbnf(rules));
            None
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn a_text_is_read_where_trying_all_ways_matches_it(rules in grammars(), text in proptest::collection::vec(letter(), 0..7)) {
        let Some((mut reader, start)) = accepted(&rules) else { return Err(TestCaseError::reject("it never ends")) };
        let text: String = text.into_iter().collect();
        let mut state = Some(start);
        for (at, letter) in text.char_indices().map(|(at, letter)| (at, Some(letter))).chain([(text.len(), None)]) {
            let is_read = state.is_some_and(|state| reader.may_end(state));
            prop_assert_eq!(is_read, is_matched(&rules, &text[..at]), "{:?} of {}", &text[..at], gbnf(&rules));
            let Some(letter) = letter else { break };
            state = state.and_then(|state| reader.read(state, letter.to_string().as_bytes()));
        }
    }

    #[test]
    fn what_is_admitted_can_be_gone_on_with_and_ends_in_a_match(rules in grammars(), seed: u64) {
        let Some((mut reader, start)) = accepted(&rules) else { return Err(TestCaseError::reject("it never ends")) };
        let (mut state, mut text, draws) = (start, Vec::new(), genesys_random::mix(seed));
        for n in 0..40_u64 {
            let next: Vec<u8> = reader.next(state).bytes().collect();
            // Letters of the naive matcher's alphabet alone keep texts short; any other is as good.
            if let Some(text) = str::from_utf8(&text).ok().filter(|text| reader.may_end(state) && text.len() < 24) {
                prop_assert!(is_matched(&rules, text), "{:?} of {}", text, gbnf(&rules));
                if next.is_empty() || genesys_random::at(draws, 2 * n).is_multiple_of(3) {
                    return Ok(());
                }
            }
            prop_assert!(!next.is_empty() || reader.may_end(state), "{:?} of {}", text, gbnf(&rules));
            if next.is_empty() {
                return Ok(());
            }
            let byte = next[usize::try_from(genesys_random::at(draws, 2 * n + 1) % next.len() as u64).unwrap()];
            text.push(byte);
            state = reader.step(state, byte).expect("the byte may come next");
        }
    }
}

#[test]
fn a_reader_gives_up_on_ways_without_number_and_says_so() {
    let (mut reader, start) = reader("root ::= \"x\" root \"y\" | \"x\" root \"z\" | \"w\"");
    assert!(reader.read(start, b"xxxxw").is_some() && !reader.is_overrun());
    assert!(reader.read(start, &[b'x'; 20]).is_none() && reader.is_overrun());
}

#[test]
fn a_way_that_asks_for_no_character_is_none() {
    let (mut reader, start) = reader("root ::= \"a\" \"b\" [] | \"c\" (\"d\" | [])");
    assert_eq!(reader.next(start).bytes().collect::<Vec<_>>(), b"c");
    let next = reader.read(start, b"c").unwrap();
    assert_eq!(reader.next(next).bytes().collect::<Vec<_>>(), b"d");
}
