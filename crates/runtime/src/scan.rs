//! Recurrences: a loop over positions for what the next states need, whole sequences for the rest.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Op, Region, State, ValueId};

use crate::RuntimeError;
use crate::execute::Executor;
use crate::frame::{Frame, Slot};
use crate::named::{Label, Named, Value, stack, unstack};
use crate::plan::ScanPlan;

type Result<T> = std::result::Result<T, RuntimeError>;

impl<'m> Executor<'m> {
    /// The results of a scan: those of stage step, stacked over time.
    pub(crate) fn scan(&self, frame: &mut Frame<'m>, states: &[State], body: &'m Region) -> Result<Vec<Value>> {
        if frame.step.is_some() {
            return Err(RuntimeError::Unsupported("a scan over another scan's state"));
        }
        let plan = ScanPlan::new(states, body);
        self.run(frame, &plan.before)?;
        let mut held = self.initial(frame, states)?;
        let mut sliced = BTreeMap::new();
        self.slice(frame, &plan.captured, &mut sliced)?;
        let mut collected: BTreeMap<ValueId, Vec<Named>> = BTreeMap::new();
        for t in 0..self.masks.positions {
            frame.enter(t);
            for (id, elements) in &sliced {
                frame.set(*id, Slot::Ready(elements[t].clone().into()));
            }
            for (state, value) in states.iter().zip(&held) {
                frame.set(state.current, Slot::Ready(value.clone().into()));
            }
            self.run(frame, &plan.within)?;
            for (state, value) in states.iter().zip(&mut held) {
                *value = self.named(frame, state.next)?;
            }
            for id in &plan.collected {
                collected.entry(*id).or_default().push(self.named(frame, *id)?);
            }
        }
        frame.leave();
        if let Some(memory) = self.memory {
            states.iter().zip(&held).try_for_each(|(state, value)| memory.keep(frame.call, state.current, value))?;
        }
        for (id, values) in &collected {
            let whole = stack(values, Label::Time)?;
            self.note_parts(frame, *id, values, &whole)?;
            frame.set(*id, Slot::Ready(whole.into()));
        }
        self.run(frame, &plan.behind)?;
        body.results.iter().map(|id| self.get(frame, *id)).collect()
    }

    /// The states before the first position of the run, with all of their axes.
    fn initial(&self, frame: &mut Frame<'m>, states: &[State]) -> Result<Vec<Named>> {
        let mut held = Vec::new();
        for state in states {
            if let Some(value) = self.memory.and_then(|memory| memory.state(frame.call, state.current)) {
                held.push(value);
                continue;
            }
            let axes = self.sized(&frame.function.ty(state.current).axes)?;
            held.push(self.named(frame, state.init)?.expanded(&axes)?);
        }
        Ok(held)
    }

    /// Cuts what the loop reads into positions. A map that nobody has read and that is larger
    /// than its operands, as an outer product is, is left to the loop: its operands are cut.
    fn slice(
        &self,
        frame: &mut Frame<'m>,
        captured: &BTreeSet<ValueId>,
        sliced: &mut BTreeMap<ValueId, Vec<Named>>,
    ) -> Result<()> {
        for id in captured {
            if sliced.contains_key(id) {
                continue;
            }
            if let Slot::Deferred(instruction) = *frame.slot(*id)
                && matches!(instruction.op, Op::Map(_))
                && self.expands(frame, *id, &instruction.args)?
            {
                self.slice(frame, &instruction.args.iter().copied().collect(), sliced)?;
                continue;
            }
            if let Value::Tensor(value) = self.get(frame, *id)?
                && value.has(Label::Time)
            {
                let elements = unstack(&value, Label::Time)?;
                for element in &elements {
                    self.note_parts(frame, *id, std::slice::from_ref(&value), element)?;
                }
                sliced.insert(*id, elements);
            }
        }
        Ok(())
    }

    /// Whether a value has more elements at a position than its operands have together.
    pub(crate) fn expands(&self, frame: &Frame<'m>, id: ValueId, args: &[ValueId]) -> Result<bool> {
        let elements = |id: &ValueId| -> Result<usize> {
            let axes = &frame.function.ty(*id).axes;
            let mut product = 1;
            for axis in axes.iter().filter(|axis| !self.masks.pasts.contains_key(axis)) {
                product *= self.size(*axis)?;
            }
            Ok(product)
        };
        let operands = args.iter().map(elements).sum::<Result<usize>>()?;
        Ok(elements(&id)? > operands)
    }
}
