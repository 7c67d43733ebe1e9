//! All rows of a bench, one after the other.

use genesys_llm::LlmError;

use crate::measure::{Measured, Setting, measure};
use crate::row::{Proposal, Row};
use crate::variant::Variant;

/// The rows of all proposals by all variants, proposal by proposal; `done` are the first of them. `keep` is handed each new one, and may
/// correct its row before it is kept.
///
/// # Errors
/// Why the model does not answer, or what `keep` says.
pub fn run<E: From<LlmError>>(
    setting: &Setting<'_>,
    (proposals, variants): (&[Proposal], &[Variant]),
    done: Vec<Row>,
    keep: &mut dyn FnMut(&mut Measured) -> Result<(), E>,
) -> Result<Vec<Row>, E> {
    let pairs = proposals.iter().flat_map(|proposal| variants.iter().map(move |variant| (proposal, *variant)));
    let mut rows = done;
    for (proposal, variant) in pairs.skip(rows.len()) {
        let mut measured = measure(setting, proposal, variant)?;
        keep(&mut measured)?;
        rows.push(measured.row);
    }
    Ok(rows)
}
