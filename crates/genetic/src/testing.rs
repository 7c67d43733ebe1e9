//! What the tests of this crate share: texts, the standard units, the shipped designs.

use std::sync::{Arc, LazyLock};

use genesys_span::Sources;
use genesys_syntax::ast::File;

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

/// What an operator makes of a design: what each change is called, and the text it gives.
pub(crate) fn changes(operator: Operator, text: &str) -> Vec<(String, String)> {
    let genome = Genome::expand(&parse(text), std());
    let pool = Pool::new(&genome, &[Arc::clone(std())], Room { depth: 2, divisor: 64 });
    let change = |candidate: crate::candidate::Candidate| {
        let mut changed = genome.clone();
        (candidate.edit)(&mut changed);
        prune(&mut changed);
        (candidate.detail, genesys_syntax::print(&changed.collapse()))
    };
    operator(&pool).into_iter().map(change).collect()
}

/// The text of the change that is called so.
pub(crate) fn change(operator: Operator, text: &str, detail: &str) -> String {
    let all = changes(operator, text);
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
