//! How one run reads a state, and what it leaves behind for the next.
//!
//! A run goes over positions `start .. start + n` of its rows. Everything that looks at a single position does so as it
//! does without a memory; views in time see the values that are remembered in front of those of the run, and scans begin
//! where the last run ended. The training form is the run that remembers nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::Tensor;
use genesys_decode::{CallId, Slot};
use genesys_ir::module::ValueId;

use crate::RuntimeError;
use crate::cache::Cache;
use crate::execute::{constant, labels};
use crate::layout;
use crate::named::{Label, Named};
use crate::state::{Held, State, most, time_of};

type Result<T> = std::result::Result<T, RuntimeError>;

/// Whether a run can be differentiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Graph {
    /// Gradients flow through it, and through the states before it.
    Kept,
    /// Nothing is recorded: caches are written in place.
    None,
}

/// Values in time: of the positions `start - before .. start + n`, where `start .. start + n` are those of the run.
/// Without a label for time they are the same at all of them.
pub(crate) struct Seen {
    pub(crate) values: Named,
    pub(crate) before: usize,
}

/// The memory of one run.
pub(crate) struct Memory<'a> {
    before: &'a State,
    /// How many positions the run goes over.
    positions: usize,
    graph: Graph,
    after: RefCell<Vec<Held>>,
    /// Operands that have been joined with what is remembered of them.
    seen: RefCell<BTreeMap<usize, Cache>>,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(before: &'a State, positions: usize, graph: Graph) -> Self {
        Self { before, positions, graph, after: RefCell::new(before.held.clone()), seen: RefCell::default() }
    }

    /// The positions before the run.
    pub(crate) fn start(&self) -> usize {
        self.before.positions
    }

    /// The state behind the run.
    pub(crate) fn finish(self) -> State {
        State {
            positions: self.before.positions + self.positions,
            held: self.after.into_inner(),
            ..self.before.clone()
        }
    }

    /// The call that `caller` makes where it defines a value.
    pub(crate) fn callee(&self, caller: CallId, result: ValueId) -> CallId {
        self.before.layout.callee(caller, result).expect("the layout was made of this module")
    }

    /// An operand of a view, behind what is remembered of it: `None` where nothing ever is.
    pub(crate) fn join(&self, call: CallId, id: ValueId, x: &Named) -> Result<Option<Seen>> {
        let Some(at) = self.before.layout.slot(call, id) else { return Ok(None) };
        let slot = &self.before.layout.slots()[at];
        let order = self.order(slot, Some(self.positions))?;
        let known = self.seen.borrow().get(&at).cloned();
        let cache = match known {
            Some(cache) => cache,
            None => self.remember(at, slot, &x.expand(&order)?)?,
        };
        let before = cache.len() - self.positions;
        let values = Named::new(cache.values()?, order.iter().map(|(label, _)| *label).collect());
        Ok(Some(Seen { values, before }))
    }

    fn remember(&self, at: usize, slot: &Slot, x: &Tensor) -> Result<Cache> {
        let held = match &self.before.held[at] {
            Held::Values(cache) => Some(cache),
            Held::Nothing | Held::State(_) => None,
        };
        let cache = match self.graph {
            Graph::Kept => Cache::joined(held, x, time_of(slot))?,
            Graph::None => Cache::appended(held, x, time_of(slot))?,
        };
        self.after.borrow_mut()[at] = Held::Values(cache.last(most(slot)?));
        self.seen.borrow_mut().insert(at, cache.clone());
        Ok(cache)
    }

    /// The mean over the last completed block of `size` positions, at each position of the run; `None` where nothing of it
    /// is ever remembered. `result` is the value that it gives.
    pub(crate) fn pool(&self, (call, result): (CallId, ValueId), x: &Named, size: usize) -> Result<Option<Named>> {
        let Some(at) = self.before.layout.pool(call, result) else { return Ok(None) };
        let each = self.order(&self.before.layout.slots()[at], None)?;
        let order = [&[(Label::Time, self.positions)], each.as_slice()].concat();
        let held = match &self.before.held[at] {
            Held::State(held) if self.graph == Graph::None => held.detach(),
            Held::State(held) => held.clone(),
            Held::Nothing | Held::Values(_) => {
                let mut dims: Vec<usize> = each.iter().map(|(_, n)| *n).collect();
                dims.insert(1, 2);
                Tensor::zeros(dims, x.tensor().dtype(), x.tensor().device())?
            }
        };
        let pooled = layout::pool_on(&x.expand(&order)?, size, self.start() % size, &held)?;
        self.after.borrow_mut()[at] = Held::State(pooled.held);
        Ok(Some(Named::new(pooled.values, order.iter().map(|(label, _)| *label).collect())))
    }

    /// What a scan's state holds before the run; `None` before the first position.
    pub(crate) fn state(&self, call: CallId, current: ValueId) -> Option<Named> {
        let at = self.before.layout.slot(call, current)?;
        let Held::State(tensor) = &self.before.held[at] else { return None };
        let tensor = if self.graph == Graph::None { tensor.detach() } else { tensor.clone() };
        let axes = labels(&self.before.layout.slots()[at].axes);
        Some(Named::new(tensor, [vec![Label::Batch], axes].concat()))
    }

    /// Keeps what a scan's state holds behind the run.
    pub(crate) fn keep(&self, call: CallId, current: ValueId, value: &Named) -> Result<()> {
        let at = self.before.layout.slot(call, current).expect("the layout was made of this module");
        let order = self.order(&self.before.layout.slots()[at], None)?;
        self.after.borrow_mut()[at] = Held::State(value.expand(&order)?.contiguous()?);
        Ok(())
    }

    /// The labels of what a slot holds, with their sizes, time before the last axis.
    fn order(&self, slot: &Slot, positions: Option<usize>) -> Result<Vec<(Label, usize)>> {
        let mut order = vec![(Label::Batch, self.before.batch)];
        for axis in &slot.axes {
            let size = self.before.module.axis(*axis).domain.size().expect("what is kept has static axes");
            order.push((Label::Axis(*axis), constant(size)?));
        }
        if let Some(positions) = positions {
            order.insert(time_of(slot), (Label::Time, positions));
        }
        Ok(order)
    }
}
