//! The exported grammar against the parser: what it generates is read, what we ship is in it.
//!
//! A small interpreter of GBNF, made from the exported text alone, draws texts and recognizes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use genesys_span::Sources;

/// What a rule of GBNF matches.
#[derive(Debug)]
enum Expr {
    Text(String),
    Class { negated: bool, ranges: Vec<(char, char)> },
    Rule(String),
    Seq(Vec<Expr>),
    Choice(Vec<Expr>),
    Many(Box<Expr>, char),
}

type Rules = BTreeMap<String, Expr>;

fn exported() -> Rules {
    let text = genesys_gbnf::from_pest(genesys_gbnf::GRAMMAR).expect("the grammar is exported");
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
        Expr::Many(inner, _) => named(inner, rules),
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
            while let Some(mark @ ('*' | '+' | '?')) = self.peek() {
                self.at += 1;
                part = Expr::Many(Box::new(part), mark);
            }
            parts.push(part);
        }
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
struct Recognizer<'a> {
    rules: &'a Rules,
    chars: Vec<char>,
    known: BTreeMap<(&'a str, usize), BTreeSet<usize>>,
}

impl<'a> Recognizer<'a> {
    fn reads(rules: &'a Rules, text: &str) -> bool {
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
            Expr::Many(inner, mark) => self.many(inner, *mark, at),
        }
    }

    fn many(&mut self, inner: &'a Expr, mark: char, at: usize) -> BTreeSet<usize> {
        let mut ends = if mark == '+' { BTreeSet::new() } else { BTreeSet::from([at]) };
        let mut fresh = BTreeSet::from([at]);
        while !fresh.is_empty() {
            let next: BTreeSet<usize> = fresh.into_iter().flat_map(|at| self.ends(inner, at)).collect();
            fresh = if mark == '?' { BTreeSet::new() } else { next.difference(&ends).copied().collect() };
            ends.extend(next);
        }
        ends
    }
}

/// Draws texts, and takes the shortest way out below a depth.
struct Writer<'a> {
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
        Expr::Many(inner, '+') => height(inner, of),
        Expr::Many(..) => 0,
    }
}

impl<'a> Writer<'a> {
    fn new(rules: &'a Rules) -> Self {
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

    fn text(&mut self, seed: u64) -> String {
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
            Expr::Many(inner, mark) => {
                let least = usize::from(*mark == '+');
                let more = if height(inner, &self.heights) < depth { self.draw(3) } else { 0 };
                let times = if *mark == '?' { more.min(1) } else { least + more };
                (0..times).for_each(|_| self.write(inner, depth));
            }
        }
    }
}

fn designs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../designs");
    let folders = [root.clone(), root.join("mechanisms")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("the designs are there"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|ext| ext == "gau")).collect()
}

#[test]
fn every_design_that_ships_is_in_the_exported_language() {
    let rules = exported();
    let designs = designs();
    assert!(designs.len() > 60);
    for path in designs {
        let text = fs::read_to_string(&path).expect("a design is text");
        assert!(Recognizer::reads(&rules, &text), "{} is not in the language", path.display());
        let broken = text.replacen(") ->", ") =>", 1);
        assert!(!Recognizer::reads(&rules, &broken), "{} is in the language when broken", path.display());
    }
}

#[test]
fn keywords_are_no_names_and_words_stand_apart() {
    let rules = exported();
    let unit = |body: &str| format!("unit U(x: Seq[D]) -> Seq[D] {{ {body}\n    x }}");
    for good in ["let lets = x", "let le = x", "let e = x // a comment", "let (a, b) = f(x)", "let _9 = x"] {
        assert!(Recognizer::reads(&rules, &unit(good)), "{good}");
    }
    assert!(!Recognizer::reads(&rules, "unit U(x: Seq[D]) -> Seq[D] { x // a comment }"));
    for bad in ["let let = x", "let scan = x", "axisA = 3", "let u = x; y", "let u = x\n-u;"] {
        assert!(!Recognizer::reads(&rules, &unit(bad)), "{bad}");
    }
}

#[test]
fn what_the_exported_grammar_generates_is_read() {
    let rules = exported();
    let mut writer = Writer::new(&rules);
    let (mut read, mut refused) = (0, BTreeMap::<String, String>::new());
    for seed in 0..2000 {
        let text = writer.text(seed);
        let mut sources = Sources::default();
        let file = sources.add("generated.gau", text.as_str());
        match genesys_syntax::parse(&sources, file).diagnostics.first() {
            None => read += 1,
            Some(first) => drop(refused.insert(format!("{:?}", first.code), text)),
        }
    }
    // Not all, perhaps: what the parser asks beyond its grammar is stated by hand. No text breaks a limit.
    assert!(read >= 1900, "{read} of 2000 are read; {refused:#?}");
    let known = ["syntax", "ambiguous-minus"].map(|code| format!("Code({code:?})"));
    refused.retain(|code, _| !known.contains(code));
    assert!(refused.is_empty(), "{refused:#?}");
}
