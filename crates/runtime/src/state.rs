//! What a model remembers of rows that it has read in part: the state of the step form.
//!
//! A [`State`] goes into a step, and another one comes out; the first stays valid, so that a search or a test may go on
//! from it twice. What it holds is what [`genesys_decode`] declares: one tensor a slot.

use std::sync::Arc;

use candle_core::Tensor;
use genesys_decode::{Kind, Layout, Slot};
use genesys_ir::module::Module;

use crate::RuntimeError;
use crate::cache::Cache;

/// What is known of rows up to a position, one document a row.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) module: Arc<Module>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) batch: usize,
    pub(crate) positions: usize,
    pub(crate) held: Vec<Held>,
}

/// What one slot holds.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// Nothing: no token was read yet.
    Nothing,
    /// What a scan's state holds: `[b, axes]`; a pool's mean and sum: `[b, 2, axes]`.
    State(Tensor),
    /// The last values of an operand.
    Values(Cache),
}

impl State {
    /// How many rows.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// How many positions of each row have been read.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// What is declared to be held.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the slot of a name holds (see [`Slot::name`]): `[b, axes]` of a scan's state, and of values that are kept
    /// `[b, n, axes]`, the oldest first, of a pool the mean and then the sum. `None` if there is no such slot, or nothing was read yet.
    ///
    /// # Errors
    /// Candle fails.
    pub fn get(&self, name: &str) -> Result<Option<Tensor>, RuntimeError> {
        let Some(at) = self.layout.find(name) else { return Ok(None) };
        Ok(match &self.held[at] {
            Held::Nothing => None,
            Held::State(tensor) => Some(tensor.clone()),
            Held::Values(cache) => {
                let values = cache.values()?;
                let time = time_of(&self.layout.slots()[at]);
                let mut order: Vec<usize> = (0..values.rank()).filter(|dim| *dim != time).collect();
                order.insert(1, time);
                Some(values.permute(order)?.contiguous()?)
            }
        })
    }

    /// Bytes of what is held, of all rows together.
    ///
    /// # Errors
    /// Candle fails.
    pub fn bytes(&self) -> Result<usize, RuntimeError> {
        let mut sum = 0;
        for held in &self.held {
            let tensor = match held {
                Held::Nothing => continue,
                Held::State(tensor) => tensor.clone(),
                Held::Values(cache) => cache.values()?,
            };
            sum += tensor.elem_count() * tensor.dtype().size_in_bytes();
        }
        Ok(sum)
    }

    /// Bytes of the buffers behind it, which have room for what comes next, and which branches of a state share.
    pub fn allocated(&self) -> usize {
        let bytes = |held: &Held| match held {
            Held::Nothing => 0,
            Held::State(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
            Held::Values(cache) => cache.allocated(),
        };
        self.held.iter().map(bytes).sum()
    }
}

/// The dimension of time of the values that a slot keeps: before the last axis, behind the others.
pub(crate) fn time_of(slot: &Slot) -> usize {
    slot.axes.len().max(1)
}

/// How many values a slot keeps at most.
pub(crate) fn most(slot: &Slot) -> Result<usize, RuntimeError> {
    match &slot.kind {
        Kind::State => Ok(1),
        Kind::Pooled => Ok(2),
        Kind::Recent(most) | Kind::Bounded(most) => crate::execute::constant(most),
        Kind::Growing => Ok(usize::MAX),
    }
}
