//! The values of one call, whole sequences and, within a scan, those of the present step.
//!
//! A scalar map is kept unevaluated until it is read: a sum over its product then becomes a matrix
//! product, and one that a scan's loop reads is computed a step at a time where it is larger than
//! its operands. So is a linear recurrence, which may be read without its states.

use std::collections::BTreeSet;

use genesys_decode::CallId;
use genesys_ir::module::{Function, Instruction, ValueId};

use crate::RuntimeError;
use crate::named::Value;
use genesys_ir::plan::contracted;

/// What is known of a value.
#[derive(Clone, Debug)]
pub(crate) enum Slot<'m> {
    /// Nothing yet.
    Empty,
    /// A map, or a scan of one result, that nobody has read.
    Deferred(&'m Instruction),
    /// The value.
    Ready(Value),
}

/// A call under evaluation.
pub(crate) struct Frame<'m> {
    pub(crate) function: &'m Function,
    pub(crate) layer: u32,
    pub(crate) path: String,
    /// The number of the call.
    pub(crate) call: CallId,
    /// The position of the step within the run, in a scan's loop.
    pub(crate) step: Option<usize>,
    /// Values that are operands of contractions only.
    pub(crate) contracted: BTreeSet<ValueId>,
    sequence: Vec<Slot<'m>>,
    moment: Vec<Slot<'m>>,
}

impl<'m> Frame<'m> {
    pub(crate) fn new(function: &'m Function, layer: u32, path: String, call: CallId) -> Self {
        let sequence = vec![Slot::Empty; function.values.len()];
        let contracted = contracted(&function.body);
        Self { function, layer, path, call, step: None, contracted, sequence, moment: Vec::new() }
    }

    /// Begins a step with nothing known but what holds for all positions.
    pub(crate) fn enter(&mut self, t: usize) {
        self.step = Some(t);
        self.moment = vec![Slot::Empty; self.function.values.len()];
    }

    /// Goes back to whole sequences.
    pub(crate) fn leave(&mut self) {
        self.step = None;
        self.moment = Vec::new();
    }

    pub(crate) fn set(&mut self, id: ValueId, slot: Slot<'m>) {
        let slots = if self.step.is_some() { &mut self.moment } else { &mut self.sequence };
        slots[id.0 as usize] = slot;
    }

    pub(crate) fn slot(&self, id: ValueId) -> &Slot<'m> {
        let i = id.0 as usize;
        match self.moment.get(i) {
            None | Some(Slot::Empty) => &self.sequence[i],
            Some(slot) => slot,
        }
    }

    /// The value, where it has been evaluated.
    pub(crate) fn ready(&self, id: ValueId) -> Result<Option<Value>, RuntimeError> {
        match self.slot(id) {
            Slot::Ready(value) => Ok(Some(value.clone())),
            Slot::Deferred(_) => Ok(None),
            Slot::Empty => Err(RuntimeError::Module(format!("value {} is used before it is defined", id.0))),
        }
    }
}
