//! Changes what a design says beside its stack: the last norm, and whether the logits use the
//! embedding's weights.
//!
//! `final` takes any unit `Seq[D] -> Seq[D]`, to which a unit over a row is instantiated;
//! tying is a choice between two weights of one type.

use std::sync::Arc;

use genesys_syntax::ast::FieldValue;

use super::stack::plain;
use crate::candidate::Candidate;
use crate::pool::Pool;

/// Sets `final` to another norm.
pub(super) fn replace_final(pool: &Pool<'_>) -> Vec<Candidate> {
    let old = match pool.genome.field("final") {
        Some(FieldValue::Unit(unit)) => unit.name.text.as_str(),
        Some(FieldValue::Stack(_) | FieldValue::Bool(_)) | None => "none",
    };
    let mut all = Vec::new();
    for norm in pool.norms().filter(|norm| !norm.is_own(old)) {
        let detail = format!("final: {old} -> {}", norm.name);
        let norm = Arc::clone(norm);
        all.push(Candidate::new("replace-final", detail, move |genome| {
            let name = norm.bring(genome);
            genome.set_field("final", FieldValue::Unit(plain(&name)));
        }));
    }
    all
}

/// Ties the logits to the embedding, or unties them.
pub(super) fn toggle_tie(pool: &Pool<'_>) -> Vec<Candidate> {
    let tied = matches!(pool.genome.field("tie_embeddings"), Some(FieldValue::Bool(true)));
    let detail = format!("tie_embeddings: {tied} -> {}", !tied);
    vec![Candidate::new("toggle-tie", detail, move |genome| {
        genome.set_field("tie_embeddings", FieldValue::Bool(!tied));
    })]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    #[test]
    fn fields_are_set_or_added() {
        let text = design("x + SwiGlu(x)", "");
        assert!(change(replace_final, &text, "final: none -> LayerNorm").contains("    final = LayerNorm\n"));
        assert!(change(toggle_tie, &text, "tie_embeddings: false -> true").contains("    tie_embeddings = true\n"));
        assert_eq!(changes(toggle_tie, &text).len(), 1);
    }
}
