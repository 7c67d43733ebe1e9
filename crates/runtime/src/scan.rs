//! Recurrences: a loop over positions for what the next states need, whole sequences for the rest.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Size;
use genesys_ir::module::{Op, Region, State, ValueId};

use crate::RuntimeError;
use crate::execute::{Executor, constant};
use crate::frame::{Frame, Slot};
use crate::memory::Memory;
use crate::named::{Label, Named, Value, stack, unstack};
use genesys_ir::plan::ScanPlan;

type Result<T> = std::result::Result<T, RuntimeError>;

impl<'m> Executor<'m> {
    /// The results of a scan: those of stage step, stacked over time.
    pub(crate) fn scan(
        &self,
        frame: &mut Frame<'m>,
        states: &[State],
        chunk: Option<&Size>,
        body: &'m Region,
    ) -> Result<Vec<Value>> {
        if frame.step.is_some() {
            return Err(RuntimeError::Unsupported("a scan over another scan's state"));
        }
        let plan = ScanPlan::new(states, body);
        self.run(frame, &plan.before)?;
        let (mut held, mut starts) = (self.initial(frame, states)?, self.starts(frame, states));
        let chunk = chunk.map(constant).transpose()?;
        let before = self.memory.map_or(0, Memory::start);
        let mut sliced = BTreeMap::new();
        self.slice(frame, &plan.captured, &mut sliced)?;
        let mut collected: BTreeMap<ValueId, Vec<Named>> = BTreeMap::new();
        for t in 0..self.masks.positions {
            frame.enter(t);
            for (id, elements) in &sliced {
                frame.set(*id, Slot::Ready(elements[t].clone().into()));
            }
            if chunk.is_some_and(|chunk| (before + t).is_multiple_of(chunk)) {
                self.begin_chunk(frame, states, &mut held, &mut starts)?;
            }
            for (state, value) in states.iter().zip(&held) {
                frame.set(state.current, Slot::Ready(value.clone().into()));
            }
            starts.iter().for_each(|(id, value)| frame.set(*id, Slot::Ready(value.clone().into())));
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
            starts.iter().try_for_each(|(id, value)| memory.keep(frame.call, *id, value))?;
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
            held.push(self.begun(frame, state)?);
        }
        Ok(held)
    }

    /// A state's initial value with all of its axes.
    fn begun(&self, frame: &mut Frame<'m>, state: &State) -> Result<Named> {
        let axes = self.sized(&frame.function.ty(state.current).axes)?;
        Ok(self.named(frame, state.init)?.expanded(&axes)?)
    }

    /// What the states held at the start of the chunk that an earlier run began.
    fn starts(&self, frame: &Frame<'m>, states: &[State]) -> BTreeMap<ValueId, Named> {
        let kept = |id: ValueId| Some((id, self.memory?.state(frame.call, id)?));
        states.iter().filter_map(|state| state.start).filter_map(kept).collect()
    }

    /// A chunk begins: states that do so anew take their initial value, and starts are what states hold.
    fn begin_chunk(
        &self,
        frame: &mut Frame<'m>,
        states: &[State],
        held: &mut [Named],
        starts: &mut BTreeMap<ValueId, Named>,
    ) -> Result<()> {
        for (state, value) in states.iter().zip(held) {
            if state.anew {
                *value = self.begun(frame, state)?;
            }
            starts.extend(state.start.map(|id| (id, value.clone())));
        }
        Ok(())
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
