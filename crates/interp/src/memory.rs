//! What earlier positions left behind, for one call of a function.

use std::collections::BTreeMap;

use genesys_ir::module::ValueId;

use crate::Tensor;

/// The memory of a call; the key is the value that an operation defines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// Operands of shifts, windows and views at every position so far, oldest first.
    pub(crate) history: BTreeMap<ValueId, Vec<Tensor>>,
    /// What each state of a scan holds, by the value that reads it.
    pub(crate) states: BTreeMap<ValueId, Tensor>,
    /// Sum and count of the cross-entropies so far.
    pub(crate) losses: BTreeMap<ValueId, (f64, f64)>,
    /// Sums over the tokens so far that count, and their number.
    pub(crate) means: BTreeMap<ValueId, (Tensor, f64)>,
    /// The memories of the calls made from here.
    pub(crate) calls: BTreeMap<ValueId, Memory>,
}

impl Memory {
    /// Remembers an operand at the present position, and gives all of them, the present one last.
    pub(crate) fn remember(&mut self, key: ValueId, operand: Tensor) -> &[Tensor] {
        let history = self.history.entry(key).or_default();
        history.push(operand);
        history
    }
}
