//! Designs with one fault each, put in by a program: does the first thing a designer looks at lie where the fault is?
//!
//! A fault is a change of a shipped design's text at a known place, of a kind that people and models make: a name
//! misspelled, an axis left out, a view of the future, a bracket lost. It is found where an error's primary place
//! touches it and is no longer than three lines. Changes that leave the design sound are no faults, and are drawn
//! again. The draws are fixed by seed.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use genesys_compiler::check_text;

/// How many faulty designs are looked at.
const FAULTS: usize = 400;
/// The share of them that must be found, in percent.
const FOUND: usize = 90;

/// A text and where its fault is.
type Faulty = (String, Range<usize>);

/// A change of a text at one of the places that the draw chooses from.
type Change = fn(&str, u64) -> Option<Faulty>;

/// The kinds of faults.
const KINDS: &[(&str, Change)] = &[
    ("a value misspelled", |text, draw| misspelled(text, draw, |c| c.is_ascii_lowercase())),
    ("an axis misspelled", |text, draw| misspelled(text, draw, |c| c.is_ascii_uppercase())),
    ("a view of the future", |text, draw| replaced(text, draw, ", 1)", ", -1)")),
    ("a past of a past", |text, draw| replaced(text, draw, "past(", "past(past(").and_then(closed)),
    ("an axis reduced that is not there", |text, draw| replaced(text, draw, "softmax[Past](", "softmax[D](")),
    ("an axis too many", |text, draw| replaced(text, draw, "linear[D -> ", "linear[D -> D, ")),
    ("an axis contracted that is not there", |text, draw| replaced(text, draw, "linear[D ->", "linear[Past ->")),
    ("an argument too many", |text, draw| replaced(text, draw, "(x)", "(x, x)")),
    ("no argument", |text, draw| replaced(text, draw, "(x)", "()")),
    ("a bracket lost", |text, draw| replaced(text, draw, "](", "](((")),
    ("a result of another type", |text, draw| replaced(text, draw, ") -> Seq[D] {", ") -> Seq[D, D] {")),
    ("another assignment", |text, draw| replaced(text, draw, " = ", " := ")),
    ("a yield left out", |text, draw| replaced(text, draw, "yield ", "let last = ")),
    ("a state of another shape", |text, draw| replaced(text, draw, "scan S: [", "scan S: [D, ")),
    ("a start that varies", |text, draw| replaced(text, draw, "] = 0 {", "] = x {")),
    ("a keyword misspelled", |text, draw| replaced(text, draw, "let ", "lte ")),
    ("an operator of another language", |text, draw| replaced(text, draw, " * ", " ** ")),
    ("an axis by option", |text, draw| replaced(text, draw, "softmax[Past](", "softmax(dim = 1, ")),
    ("a method of another language", |text, draw| replaced(text, draw, "(x)", "(x.t())")),
    ("a number for an axis", |text, draw| replaced(text, draw, "sum[Past](", "sum[1](")),
    ("an unknown option", |text, draw| replaced(text, draw, "bias = true", "biased = true")),
];

/// The places of a pattern behind the design block, where units begin.
fn places<'t>(text: &'t str, pattern: &'t str) -> Vec<usize> {
    let from = text.find("unit ").unwrap_or(0);
    let in_code = |at: &usize| !text[..*at].rsplit('\n').next().unwrap().contains("//");
    text[from..].match_indices(pattern).map(|(at, _)| from + at).filter(in_code).collect()
}

fn chosen(places: &[usize], draw: u64) -> Option<usize> {
    (!places.is_empty()).then(|| places[(draw % places.len() as u64) as usize])
}

fn replaced(text: &str, draw: u64, pattern: &str, by: &str) -> Option<Faulty> {
    let at = chosen(&places(text, pattern), draw)?;
    Some((format!("{}{by}{}", &text[..at], &text[at + pattern.len()..]), at..at + by.len()))
}

/// One more bracket behind the first that closes.
fn closed((text, at): Faulty) -> Option<Faulty> {
    let end = at.end + text[at.end..].find(')')?;
    Some((format!("{}){}", &text[..end], &text[end..]), at))
}

/// A name that begins so, where it is used, with a letter more.
fn misspelled(text: &str, draw: u64, begins: fn(char) -> bool) -> Option<Faulty> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let uses: Vec<usize> = places(text, "(").into_iter().chain(places(text, "[")).chain(places(text, ", ")).collect();
    let names = uses.into_iter().filter_map(|at| {
        let start = at + 1 + usize::from(text[at + 1..].starts_with(' '));
        let name: String = text[start..].chars().take_while(|c| word(*c)).collect();
        let is_name = name.starts_with(begins) && !["linear", "true", "false"].contains(&name.as_str());
        let is_use = text[start + name.len()..].starts_with([')', ',', ']', '(']);
        (is_name && is_use && name != "D").then_some((start, name.len()))
    });
    let names: Vec<(usize, usize)> = names.collect();
    let (start, length) = *names.get((draw % names.len().max(1) as u64) as usize)?;
    let end = start + length;
    Some((format!("{}qz{}", &text[..end], &text[end..]), start..end + 2))
}

/// Whether an error's primary place touches the fault; `None` where nothing is wrong.
fn found(text: &str, fault: &Range<usize>) -> Option<bool> {
    let checked = check_text("faulty.gau", text);
    let errors: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).collect();
    let touches = |d: &&genesys_diag::Diagnostic| {
        let span = d.primary.span;
        let (start, end) = (span.start as usize, span.end as usize);
        let lines = text.get(start..end).map_or(usize::MAX, |text| text.lines().count());
        span.file == checked.file && start <= fault.end && fault.start <= end && lines <= 3
    };
    (!errors.is_empty()).then(|| errors.iter().any(touches))
}

fn designs() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../designs");
    let mut paths = Vec::new();
    for folder in [folder.clone(), folder.join("mechanisms")] {
        paths.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "gau"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn the_first_place_that_is_told_is_that_of_the_fault() {
    let designs = designs();
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    let mut total = 0;
    for number in 0.. {
        if total == FAULTS {
            break;
        }
        assert!(number < 100 * FAULTS as u64, "only {total} faulty designs were made");
        let draw = |purpose: u64| genesys_random::at(0xFA_17, 3 * number + purpose);
        let (name, kind) = KINDS[(draw(0) % KINDS.len() as u64) as usize];
        let design = &designs[(draw(1) % designs.len() as u64) as usize];
        let Some((text, fault)) = kind(design, draw(2)) else { continue };
        let Some(hit) = found(&text, &fault) else { continue };
        total += 1;
        let (hits, all) = tally.entry(name).or_default();
        (*hits, *all) = (*hits + usize::from(hit), *all + 1);
        if !hit {
            let line = text[..fault.start].lines().count();
            let told = check_text("faulty.gau", &text);
            let said: Vec<_> = told.diagnostics.iter().map(|d| genesys_diag::render_short(&told.sources, d)).collect();
            missed.push(format!("{name}, line {line}: `{}`\n    {}", &text[fault], said.join("\n    ")));
        }
    }
    let hits: usize = tally.values().map(|(hits, _)| hits).sum();
    assert!(tally.len() >= 12, "{} kinds of faults were made", tally.len());
    assert!(hits * 100 >= FOUND * total, "{hits} of {total}: {tally:#?}\n{}", missed.join("\n"));
}
