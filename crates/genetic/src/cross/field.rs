//! Takes what the second parent says beside its stack: its last unit, and whether it ties.

use std::sync::Arc;

use genesys_syntax::ast::FieldValue;

use super::Cross;
use crate::candidate::Candidate;

/// `final`, and `tie_embeddings`.
pub(super) fn field(cross: &Cross<'_>) -> Vec<Candidate> {
    let (mine, theirs) = (cross.pool.genome, cross.donor.genome());
    let mut all = Vec::new();
    if let Some(FieldValue::Unit(last)) = theirs.field("final") {
        let (last, donor) = (last.clone(), Arc::clone(&cross.donor));
        all.push(Candidate::new("cross-field", format!("final: {}", last.name.text), move |genome| {
            let mut last = last;
            last.name.text = genome.graft(&donor, &last.name.text);
            genome.set_field("final", FieldValue::Unit(last));
        }));
    }
    let tied = |field: Option<&FieldValue>| !matches!(field, Some(FieldValue::Bool(false)));
    let (old, new) = (tied(mine.field("tie_embeddings")), tied(theirs.field("tie_embeddings")));
    if old != new {
        all.push(Candidate::new("cross-field", format!("tie_embeddings: {new}"), move |genome| {
            genome.set_field("tie_embeddings", FieldValue::Bool(new));
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{crossing, crossings};

    #[test]
    fn fields_are_taken_where_they_differ() {
        let first = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { shift(x, 1) }";
        let second = "design C { stack = [B*] final = F tie_embeddings = false }\n\
                      unit B(x: Seq[D]) -> Seq[D] { shift(x, 1) }\nunit F(x: Seq[D]) -> Seq[D] { tanh(x) }";
        let out = crossing(field, first, second, "final: F");
        assert!(out.contains("final = F") && out.contains("unit F("), "{out}");
        assert!(crossing(field, first, second, "tie_embeddings: false").contains("tie_embeddings = false"));
        assert!(crossings(field, first, first).is_empty());
    }
}
