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
