//! A small interpreter of GBNF, made from the exported text alone, that draws texts and recognizes them.
#![allow(dead_code)] // each test file uses a part of it

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What a rule of GBNF matches.
#[derive(Debug)]
pub(crate) enum Expr {
    Text(String),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Rule(String),
    Seq(Vec<Expr>),
    Choice(Vec<Expr>),
    /// At least and at most so often; without a most for ever.
    Many(Box<Expr>, usize, Option<usize>),
}

pub(crate) type Rules = BTreeMap<String, Expr>;

/// The rules of an exported text, each of which names rules that are there.
pub(crate) fn read(text: &str) -> Rules {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let rules: Rules = lines
        .map(|line| {
            let (name, body) = line.split_once(" ::= ").expect("a rule");
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
            let mut reader = Reader { chars: body.chars().collect(), at: 0 };
            let expr = reader.choice();
            assert_eq!(reader.at, reader.chars.len(), "{line}");
            (name.to_owned(), expr)
        })
        .collect();
    for expr in rules.values() {
        named(expr, &rules);
    }
    rules
}

/// Holds that each rule that is named is there.
fn named(expr: &Expr, rules: &Rules) {
    match expr {
        Expr::Rule(name) => assert!(rules.contains_key(name), "no rule `{name}`"),
        Expr::Seq(parts) | Expr::Choice(parts) => parts.iter().for_each(|part| named(part, rules)),
        Expr::Many(inner, ..) => named(inner, rules),
        Expr::Text(_) | Expr::Class { .. } => {}
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> char {
        self.at += 1;
        self.chars[self.at - 1]
    }

    fn blanks(&mut self) {
        while self.peek() == Some(' ') {
            self.at += 1;
        }
    }

    fn choice(&mut self) -> Expr {
        let mut ways = vec![self.sequence()];
        while self.peek() == Some('|') {
            self.at += 1;
            ways.push(self.sequence());
        }
        Expr::Choice(ways)
    }

    fn sequence(&mut self) -> Expr {
        let mut parts = Vec::new();
        loop {
            self.blanks();
            if matches!(self.peek(), None | Some('|' | ')')) {
                return Expr::Seq(parts);
            }
            let mut part = self.atom();
            while let Some((least, most)) = self.times() {
                part = Expr::Many(Box::new(part), least, most);
            }
            parts.push(part);
        }
    }

    fn times(&mut self) -> Option<(usize, Option<usize>)> {
        let times = match self.peek()? {
            '?' => (0, Some(1)),
            '*' => (0, None),
            '+' => (1, None),
            '{' => return Some(self.counted()),
            _ => return None,
        };
        self.at += 1;
        Some(times)
    }

    /// `{1,24}`.
    fn counted(&mut self) -> (usize, Option<usize>) {
        let end = self.at + self.chars[self.at..].iter().position(|c| *c == '}').expect("a brace is closed");
        let inner: String = self.chars[self.at + 1..end].iter().collect();
        self.at = end + 1;
        let (least, most) = inner.split_once(',').expect("two numbers");
        (least.parse().expect("a number"), Some(most.parse().expect("a number")))
    }

    fn atom(&mut self) -> Expr {
        match self.next() {
            '(' => {
                let inner = self.choice();
                assert_eq!(self.next(), ')');
                inner
            }
            '"' => {
                let mut text = String::new();
                while self.peek() != Some('"') {
                    text.push(self.letter());
                }
                self.at += 1;
                Expr::Text(text)
            }
            '[' => self.class(),
            c => {
                let mut name = c.to_string();
                while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '-') {
                    self.at += 1;
                    name.push(c);
                }
                Expr::Rule(name)
            }
        }
    }

    fn class(&mut self) -> Expr {
        let negated = self.peek() == Some('^');
        self.at += usize::from(negated);
        let mut ranges = Vec::new();
        while self.peek() != Some(']') {
            let low = self.letter();
            let ranged = self.peek() == Some('-') && self.chars[self.at + 1] != ']';
            self.at += usize::from(ranged);
            ranges.push((low, if ranged { self.letter() } else { low }));
        }
        self.at += 1;
        Expr::Class { negated, ranges }
    }

    fn letter(&mut self) -> char {
        match self.next() {
            '\\' => match self.next() {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                c => c,
            },
            c => c,
        }
    }
}

/// Recognizes: for a rule and a place, every place at which it can end.
pub(crate) struct Recognizer<'a> {
    rules: &'a Rules,
    chars: Vec<char>,
    known: BTreeMap<(&'a str, usize), BTreeSet<usize>>,
}

impl<'a> Recognizer<'a> {
    /// Whether the root is all of a text.
    pub(crate) fn reads(rules: &'a Rules, text: &str) -> bool {
        let mut recognizer = Recognizer { rules, chars: text.chars().collect(), known: BTreeMap::new() };
        let end = recognizer.chars.len();
        recognizer.ends(&rules["root"], 0).contains(&end)
    }

    fn ends(&mut self, expr: &'a Expr, at: usize) -> BTreeSet<usize> {
        match expr {
            Expr::Text(text) => {
                let there = text.chars().enumerate().all(|(i, c)| self.chars.get(at + i) == Some(&c));
                there.then(|| at + text.chars().count()).into_iter().collect()
            }
            Expr::Class { negated, ranges } => {
                let fits = |c: &char| ranges.iter().any(|(low, high)| low <= c && c <= high) != *negated;
                self.chars.get(at).filter(|c| fits(c)).map(|_| at + 1).into_iter().collect()
            }
            Expr::Rule(name) => {
                if let Some(known) = self.known.get(&(name.as_str(), at)) {
                    return known.clone();
                }
                let rules = self.rules;
                let ends = self.ends(&rules[name], at);
                self.known.insert((name, at), ends.clone());
                ends
            }
            Expr::Seq(parts) => parts
                .iter()
                .fold(BTreeSet::from([at]), |from, part| from.into_iter().flat_map(|at| self.ends(part, at)).collect()),
            Expr::Choice(ways) => ways.iter().flat_map(|way| self.ends(way, at)).collect(),
            Expr::Many(inner, least, most) => self.many(inner, *least, *most, at),
        }
    }

    fn many(&mut self, inner: &'a Expr, least: usize, most: Option<usize>, at: usize) -> BTreeSet<usize> {
        let mut ends = if least == 0 { BTreeSet::from([at]) } else { BTreeSet::new() };
        let mut fresh = BTreeSet::from([at]);
        for times in 1.. {
            if fresh.is_empty() || most.is_some_and(|most| times > most) {
                break;
            }
            let next: BTreeSet<usize> = fresh.into_iter().flat_map(|at| self.ends(inner, at)).collect();
            // What was an end with fewer goes on from there with no more.
            fresh = next.difference(&ends).copied().collect();
            if times >= least {
                ends.extend(next);
            }
        }
        ends
    }
}

/// Draws texts, and takes the shortest way out below a depth.
pub(crate) struct Writer<'a> {
    rules: &'a Rules,
    heights: BTreeMap<&'a str, usize>,
    seed: u64,
    drawn: u64,
    out: String,
}

const ENDLESS: usize = 1 << 20;

/// The least number of rules that a text of `expr` goes through.
fn height(expr: &Expr, of: &BTreeMap<&str, usize>) -> usize {
    match expr {
        Expr::Text(_) | Expr::Class { .. } => 0,
        Expr::Rule(name) => of.get(name.as_str()).map_or(ENDLESS, |height| height + 1),
        Expr::Seq(parts) => parts.iter().map(|part| height(part, of)).max().unwrap_or(0),
        Expr::Choice(ways) => ways.iter().map(|way| height(way, of)).min().unwrap_or(0),
        Expr::Many(_, 0, _) => 0,
        Expr::Many(inner, ..) => height(inner, of),
    }
}

impl<'a> Writer<'a> {
    pub(crate) fn new(rules: &'a Rules) -> Self {
        let mut heights = BTreeMap::new();
        for _ in rules {
            for (name, expr) in rules {
                let found = height(expr, &heights);
                if found < ENDLESS {
                    heights.insert(name.as_str(), found);
                }
            }
        }
        assert_eq!(heights.len(), rules.len(), "each rule ends somewhere");
        Self { rules, heights, seed: 0, drawn: 0, out: String::new() }
    }

    /// A text of the root.
    pub(crate) fn text(&mut self, seed: u64) -> String {
        (self.seed, self.drawn) = (genesys_random::mix(seed), 0);
        self.out.clear();
        self.write(&self.rules["root"], 14);
        self.out.clone()
    }

    fn draw(&mut self, below: usize) -> usize {
        self.drawn += 1;
        usize::try_from(genesys_random::at(self.seed, self.drawn) % below as u64).expect("it is small")
    }

    fn write(&mut self, expr: &'a Expr, depth: usize) {
        match expr {
            Expr::Text(text) => self.out.push_str(text),
            Expr::Class { negated: true, .. } => self.out.push('c'),
            Expr::Class { negated: false, ranges } => {
                let (low, high) = ranges[self.draw(ranges.len())];
                let letter = u32::from(low) as usize + self.draw((u32::from(high) - u32::from(low)) as usize + 1);
                self.out.push(char::from_u32(letter as u32).expect("classes are ASCII"));
            }
            Expr::Rule(name) => self.write(&self.rules[name], depth.saturating_sub(1)),
            Expr::Seq(parts) => parts.iter().for_each(|part| self.write(part, depth)),
            Expr::Choice(ways) => {
                let fits: Vec<_> = ways.iter().filter(|way| height(way, &self.heights) < depth).collect();
                let way = if fits.is_empty() {
                    ways.iter().min_by_key(|way| height(way, &self.heights)).expect("a choice has ways")
                } else {
                    fits[self.draw(fits.len())]
                };
                self.write(way, depth);
            }
            Expr::Many(inner, least, most) => {
                let more = if height(inner, &self.heights) < depth { self.draw(3) } else { 0 };
                let times = most.map_or(least + more, |most| most.min(least + more));
                (0..times).for_each(|_| self.write(inner, depth));
            }
        }
    }
}

/// The designs that ship, mechanisms and those of the proposals among them.
pub(crate) fn designs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../designs");
    let folders = [root.clone(), root.join("mechanisms"), root.join("../benches/proposals")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("the designs are there"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|ext| ext == "gau")).collect()
}
