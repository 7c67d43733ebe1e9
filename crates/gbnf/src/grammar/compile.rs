//! Rules as steps.
//!
//! A choice, a repetition and a class with characters beyond ASCII become rules of their own.

use std::collections::BTreeMap;

use super::bytes::{ByteSet, sequences};
use super::read::Expr;
use super::{BadGbnf, Grammar, Step};

/// The most steps of a grammar.
const LARGEST: usize = 1 << 16;

struct Compiler<'a> {
    numbers: BTreeMap<&'a str, usize>,
    steps: Vec<Step>,
    rules: Vec<Vec<usize>>,
    names: Vec<String>,
    /// The rule whose body is compiled.
    within: &'a str,
}

/// The grammar, and the name of each rule: of one that stands for a part, that of the rule around it.
pub(super) fn grammar(rules: &[(String, Expr)]) -> Result<(Grammar, Vec<String>), BadGbnf> {
    let Some((_, root)) = rules.iter().find(|(name, _)| name == "root") else {
        return Err(BadGbnf { line: None, why: "expected a rule `root`, found none".to_owned() });
    };
    let others = rules.iter().filter(|(name, _)| name != "root");
    let named: Vec<(&str, &Expr)> =
        std::iter::once(("root", root)).chain(others.map(|(name, body)| (name.as_str(), body))).collect();
    let mut compiler = Compiler {
        numbers: named.iter().enumerate().map(|(number, (name, _))| (*name, number)).collect(),
        steps: Vec::new(),
        rules: vec![Vec::new(); named.len()],
        names: named.iter().map(|(name, _)| (*name).to_owned()).collect(),
        within: "root",
    };
    for (number, (name, body)) in named.iter().enumerate() {
        compiler.within = name;
        compiler.rules[number] = compiler.ways(body)?;
    }
    let Compiler { steps, rules, names, .. } = compiler;
    Ok((Grammar { steps, rules }, names))
}

impl Compiler<'_> {
    /// Where the ways of an expression begin.
    fn ways(&mut self, expr: &Expr) -> Result<Vec<usize>, BadGbnf> {
        match expr {
            Expr::Choice(ways) => ways.iter().map(|way| self.way(way)).collect(),
            Expr::Text(_) | Expr::Class { .. } | Expr::Rule(_) | Expr::Seq(_) | Expr::Repeat(..) => {
                Ok(vec![self.way(expr)?])
            }
        }
    }

    fn way(&mut self, expr: &Expr) -> Result<usize, BadGbnf> {
        let steps = self.sequence(expr)?;
        self.put(steps)
    }

    /// Puts a way down, and says where it begins.
    fn put(&mut self, steps: Vec<Step>) -> Result<usize, BadGbnf> {
        if self.steps.len() + steps.len() > LARGEST {
            let why = format!("`{}` is too large: expected fewer repetitions, as `x*` for `x{{0,9999}}`", self.within);
            return Err(BadGbnf { line: None, why });
        }
        let begin = self.steps.len();
        self.steps.extend(steps);
        self.steps.push(Step::End);
        Ok(begin)
    }

    /// A rule that stands for a part.
    fn part(&mut self, ways: Vec<usize>) -> usize {
        self.rules.push(ways);
        self.names.push(self.within.to_owned());
        self.rules.len() - 1
    }

    fn sequence(&mut self, expr: &Expr) -> Result<Vec<Step>, BadGbnf> {
        match expr {
            Expr::Text(text) => Ok(text.bytes().map(|byte| Step::Bytes(ByteSet::range(byte, byte))).collect()),
            Expr::Rule(name) => match self.numbers.get(name.as_str()) {
                Some(number) => Ok(vec![Step::Rule(*number)]),
                None => {
                    let why = format!("`{}` names `{name}`, and there is no such rule", self.within);
                    Err(BadGbnf { line: None, why })
                }
            },
            Expr::Seq(parts) => {
                let parts = parts.iter().map(|part| self.sequence(part)).collect::<Result<Vec<_>, _>>()?;
                Ok(parts.concat())
            }
            Expr::Choice(_) => {
                let ways = self.ways(expr)?;
                Ok(vec![Step::Rule(self.part(ways))])
            }
            Expr::Class { negated, ranges } => Ok(vec![self.class(*negated, ranges)?]),
            Expr::Repeat(inner, least, most) => self.repeat(inner, *least, *most),
        }
    }

    fn repeat(&mut self, inner: &Expr, least: u32, most: Option<u32>) -> Result<Vec<Step>, BadGbnf> {
        let nothing = self.put(Vec::new())?;
        let mut tail: Vec<Step> = Vec::new();
        match most {
            None => {
                let again = self.part(Vec::new());
                let mut once = self.sequence(inner)?;
                once.push(Step::Rule(again));
                self.rules[again] = vec![self.put(once)?, nothing];
                tail.push(Step::Rule(again));
            }
            Some(most) => {
                for _ in least..most {
                    let mut once = self.sequence(inner)?;
                    once.append(&mut tail);
                    let once = self.put(once)?;
                    tail = vec![Step::Rule(self.part(vec![once, nothing]))];
                }
            }
        }
        let mut steps = Vec::new();
        for _ in 0..least {
            steps.extend(self.sequence(inner)?);
            if steps.len() > LARGEST {
                return self.put(steps).map(|_| Vec::new());
            }
        }
        steps.append(&mut tail);
        Ok(steps)
    }

    /// One character.
    fn class(&mut self, negated: bool, ranges: &[(char, char)]) -> Result<Step, BadGbnf> {
        let ranges = if negated { complement(ranges) } else { ranges.to_vec() };
        let all: Vec<Vec<ByteSet>> = ranges.iter().flat_map(|(low, high)| sequences(*low, *high)).collect();
        let (single, longer): (Vec<_>, Vec<_>) = all.into_iter().partition(|sets| sets.len() == 1);
        let ascii = single.iter().fold(ByteSet::default(), |all, sets| all.or(sets[0]));
        if longer.is_empty() {
            return Ok(Step::Bytes(ascii));
        }
        let mut ways = Vec::new();
        if !ascii.is_empty() {
            ways.push(self.put(vec![Step::Bytes(ascii)])?);
        }
        for sets in longer {
            ways.push(self.put(sets.into_iter().map(Step::Bytes).collect())?);
        }
        Ok(Step::Rule(self.part(ways)))
    }
}

/// The characters that are in none of the ranges.
fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable();
    let (mut next, mut others) = (Some('\0'), Vec::new());
    for (low, high) in ranges {
        let Some(from) = next else { break };
        if let Some(before) = ('\0'..low).next_back()
            && from <= before
        {
            others.push((from, before));
        }
        if high >= from {
            next = (high..=char::MAX).nth(1);
        }
    }
    others.extend(next.map(|from| (from, char::MAX)));
    others
}
