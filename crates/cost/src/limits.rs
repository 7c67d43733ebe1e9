//! Limits on what a model may cost at a scale, held before anything of that size is made.
//!
//! Of one row of the scale's context: how many rows go through the model at once is for the trainer to choose. The limits
//! are far above the largest rung of the ladder; what exceeds one is an axis gone astray, which no machine could hold.
//! Limits on weights, layers and operations of a unit are the checker's.
//!
//! Not here: whether a model fits into this machine.

use genesys_axis::SizeError;
use genesys_check::design::Layer;
use genesys_check::{CheckedDesign, normal_form};
use genesys_diag::{Code, Diagnostic};
use genesys_ladder::Scale;

use crate::{ModelCost, UnitCost, unit_cost};

/// Most bytes of the values of one row: 4 PiB.
pub const MAX_ROW_BYTES: i128 = 1 << 52;
/// Most operations of a forward pass over one row, elementwise ones with them.
pub const MAX_ROW_OPERATIONS: i128 = 1 << 56;

/// What is too large of a design whose blocks are `layers` at a scale, with the number and the limit.
pub fn beyond_limits(design: &CheckedDesign, layers: &[Layer], scale: &Scale) -> Option<Diagnostic> {
    let refused = |what: String| {
        let message = format!("the design is too large: {what}");
        let help = "make an axis smaller, or sum over one before it meets others";
        Diagnostic::error(Code::TOO_LARGE, design.stack_span(), message).help(help)
    };
    let cost = match model(design, layers, scale) {
        Ok(cost) => cost,
        Err(error) => return Some(refused(format!("its costs at {} cannot be counted: {error}", scale.name))),
    };
    let (bytes, operations) = (cost.row_bytes(), cost.total(|part| part.forward.saturating_add(part.elementwise)));
    if bytes > MAX_ROW_BYTES {
        let what = format!("the values of a row take {bytes} bytes at {}, more than {MAX_ROW_BYTES}", scale.name);
        return Some(refused(what));
    }
    if operations > MAX_ROW_OPERATIONS {
        let what = format!("a row takes {operations} operations at {}, more than {MAX_ROW_OPERATIONS}", scale.name);
        return Some(refused(what));
    }
    None
}

fn model(design: &CheckedDesign, layers: &[Layer], scale: &Scale) -> Result<ModelCost, SizeError> {
    let units = design.functions().iter().map(|function| unit_cost(&normal_form(&function.graph)));
    ModelCost::new(design, layers, &units.collect::<Result<Vec<UnitCost>, _>>()?, scale)
}
