//! What of a grammar ends, and what begins with itself.

use super::{BadGbnf, ByteSet, Grammar, Step};

/// Refuses rules that never end, and rules that begin with themselves in front of something else: reading them would never get to a byte.
pub(super) fn check(grammar: &Grammar, names: &[String]) -> Result<(), BadGbnf> {
    let ends = fixed(grammar, |step, known| match step {
        Step::Bytes(set) => !set.is_empty(),
        Step::Rule(rule) => known[rule],
        Step::End => true,
    });
    if let Some(endless) = ends.iter().position(|ends| !ends) {
        let why = format!("`{}` never ends: expected a way that does not lead to it again", names[endless]);
        return Err(BadGbnf { line: None, why });
    }
    let empty = fixed(grammar, |step, known| match step {
        Step::Bytes(_) => false,
        Step::Rule(rule) => known[rule],
        Step::End => true,
    });
    let first: Vec<Vec<(usize, Place)>> = (0..grammar.rules.len()).map(|rule| firsts(grammar, rule, &empty)).collect();
    for (rule, begins) in first.iter().enumerate() {
        for (begin, _) in begins.iter().filter(|(_, place)| *place == Place::Before) {
            if leads(&first, *begin, rule) {
                let why = format!("`{0}` begins with itself: expected a repetition, as `x*`, instead", names[rule]);
                return Err(BadGbnf { line: None, why });
            }
        }
    }
    Ok(())
}

/// Which rules have a way all of whose steps hold, where what holds of a rule is what is asked: the least answer.
fn fixed(grammar: &Grammar, holds: impl Fn(Step, &[bool]) -> bool) -> Vec<bool> {
    let mut known = vec![false; grammar.rules.len()];
    loop {
        let before = known.clone();
        for (rule, ways) in grammar.rules.iter().enumerate() {
            let way = |begin: &usize| way(&grammar.steps, *begin).all(|step| holds(step, &known));
            known[rule] = known[rule] || ways.iter().any(way);
        }
        if known == before {
            return known;
        }
    }
}

/// The steps of a way.
fn way(steps: &[Step], begin: usize) -> impl Iterator<Item = Step> + '_ {
    steps[begin..].iter().copied().take_while(|step| *step != Step::End)
}

/// Whether a way asks for no character of none.
pub(super) fn is_open(steps: &[Step], begin: usize) -> bool {
    way(steps, begin).all(|step| step != Step::Bytes(ByteSet::default()))
}

/// Where a rule stands in a way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before something else.
    Before,
    /// At the end.
    Last,
}

/// The rules that may stand at the beginning of what a rule matches, in its own ways.
fn firsts(grammar: &Grammar, rule: usize, empty: &[bool]) -> Vec<(usize, Place)> {
    let mut found = Vec::new();
    for begin in &grammar.rules[rule] {
        for (at, step) in grammar.steps.iter().enumerate().skip(*begin) {
            let Step::Rule(first) = step else { break };
            let place = if grammar.steps[at + 1] == Step::End { Place::Last } else { Place::Before };
            found.push((*first, place));
            if !empty[*first] {
                break;
            }
        }
    }
    found
}

/// Whether one rule may begin with another, over others or at once.
fn leads(first: &[Vec<(usize, Place)>], from: usize, to: usize) -> bool {
    let (mut seen, mut open) = (vec![false; first.len()], vec![from]);
    while let Some(rule) = open.pop() {
        if rule == to {
            return true;
        }
        if !std::mem::replace(&mut seen[rule], true) {
            open.extend(first[rule].iter().map(|(begin, _)| *begin));
        }
    }
    false
}
