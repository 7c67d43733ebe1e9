//! What the tests of this crate share: texts, the standard units, the shipped designs.

use std::sync::{Arc, LazyLock};

use genesys_span::Sources;
use genesys_syntax::ast::File;

use crate::candidate::Candidate;
use crate::cross::Cross;
use crate::genome::{Genome, Source};
use crate::mutate::Room;
use crate::operator::Operator;
use crate::pool::Pool;
use crate::prune::prune;

/// Parses a text that must be free of errors.
pub(crate) fn parse(text: &str) -> File {
    let mut sources = Sources::default();
    let id = sources.add("test.gau", text);
    let parsed = genesys_syntax::parse(&sources, id);
    assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
    parsed.file
}

/// The standard units.
pub(crate) fn std() -> &'static Arc<Source> {
    static STD: LazyLock<Arc<Source>> = LazyLock::new(|| Arc::new(Source::standard(&parse(genesys_stdlib::TEXT))));
    &STD
}

/// What an operator of crossover makes of two designs: what each change is called, and its text.
pub(crate) fn crossings(operator: crate::cross::Operator, first: &str, second: &str) -> Vec<(String, String)> {
    let genome = Genome::expand(&parse(first), std());
    let donor = Arc::new(Source::design(&parse(second), std()));
    let room = Room { depth: 4, divisor: 64 };
    let pool = Pool::new(&genome, std::slice::from_ref(&donor), room);
    let all = operator(&Cross { pool, donor });
    all.into_iter().map(|candidate| made(&genome, candidate)).collect()
}

/// The text of the crossing that is called so.
pub(crate) fn crossing(operator: crate::cross::Operator, first: &str, second: &str, detail: &str) -> String {
    named(&crossings(operator, first, second), detail)
}

/// What a candidate makes of a genome.
fn made(genome: &Genome, candidate: Candidate) -> (String, String) {
    let mut changed = genome.clone();
    (candidate.edit)(&mut changed);
    prune(&mut changed);
    (candidate.detail, genesys_syntax::print(&changed.collapse()))
}

/// What an operator makes of a design: what each change is called, and the text it gives.
pub(crate) fn changes(operator: Operator, text: &str) -> Vec<(String, String)> {
    let genome = Genome::expand(&parse(text), std());
    let pool = Pool::new(&genome, &[Arc::clone(std())], Room { depth: 2, divisor: 64 });
    operator(&pool).into_iter().map(|candidate| made(&genome, candidate)).collect()
}

/// The text of the change that is called so.
pub(crate) fn change(operator: Operator, text: &str, detail: &str) -> String {
    named(&changes(operator, text), detail)
}

fn named(all: &[(String, String)], detail: &str) -> String {
    let names: Vec<&String> = all.iter().map(|(name, _)| name).collect();
    match all.iter().find(|(name, _)| name == detail) {
        Some((_, text)) => text.clone(),
        None => panic!("expected `{detail}` among {names:#?}"),
    }
}

/// A design whose one block is `x + F(x)` and more, with `F` as given.
pub(crate) fn design(block: &str, units: &str) -> String {
    format!(
        "use std::{{RmsNorm, SwiGlu}}\ndesign A {{ stack = [B*] }}\nunit B(x: Seq[D]) -> Seq[D] {{\n{block}\n}}\n{units}"
    )
}
