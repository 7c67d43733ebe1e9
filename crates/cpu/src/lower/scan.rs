//! Recurrences, as kernels that go through an item position after position with the states in a worker's memory.
//!
//! A reverse scan often reads what a forward one held at each position. Where nothing else reads that, the two are one kernel,
//! and what was held is never kept for all positions: the forward scan keeps its states at the starts of spans, and is run again
//! for the positions of a span, the last span first, before the reverse scan goes through it.

use std::collections::BTreeSet;

use genesys_ir::module::{AxisId, Direction, Instruction, Op as IrOp, Reduction, Region, State, ValueId};

use crate::error::Result;
use crate::kernel::{Cut, Kernel, Pair, Scan, Zeroed};
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::past::untouched;
use crate::lower::sweep::in_place;
use crate::view::{LocalId, Place, Spot, View};

/// The positions of a span, unless chunks of the design ask for more.
const SPAN: usize = 16;

/// Items enough to keep workers busy. With fewer, tasks go along an axis as well, at the price of small operations in each.
const ITEMS: usize = 4;

/// The elements of a state from which on a task may have it to itself.
const LARGE: usize = 512;

/// The elements that all states have together from which on they are cut into strips, and how many a strip has at least: what a
/// span of states takes is best in the second cache, and what is read and written at a position in the first.
const WHOLE: usize = 4096;
const STRIP: usize = 1024;

/// A scan, taken apart.
pub(crate) struct Parts<'a> {
    pub(crate) states: &'a [State],
    pub(crate) chunk: Option<usize>,
    pub(crate) reverse: bool,
    pub(crate) body: &'a Region,
    pub(crate) results: &'a [ValueId],
}

impl Lowering<'_> {
    fn parts<'a>(&self, instruction: &'a Instruction) -> Result<Parts<'a>> {
        let IrOp::Scan { states, chunk, direction, reset, body, .. } = &instruction.op else {
            unreachable!("asked for scans only")
        };
        if reset.is_some() {
            return Err(self.unsupported("rows of several documents"));
        }
        let reverse = *direction == Direction::Reverse;
        if chunk.is_some() && reverse {
            return Err(self.unsupported("chunks in reverse"));
        }
        let chunk = chunk.as_ref().map(Build::number).transpose()?;
        Ok(Parts { states, chunk, reverse, body, results: &instruction.results })
    }

    /// A scan.
    pub(crate) fn scan(&mut self, instruction: &Instruction) -> Result<()> {
        let parts = self.parts(instruction)?;
        if self.chunkwise(&[&parts])? {
            return Ok(());
        }
        let body = self.take_totals(&parts)?;
        let parts = Parts { body: &body, ..parts };
        let (task, mut cut) = self.cut(&[&parts])?;
        let mut build = Build { single: true, region: true, task, strips: cut.strips > 1, ..Build::new(1) };
        for id in parts.states.iter().flat_map(State::defined) {
            build.state(self, id);
        }
        build.initial(self, &parts)?;
        let begin = build.ops.len();
        build.chunk(self, &parts)?;
        let anew = build.ops.len();
        build.replace(parts.states, parts.body);
        build.step(self, &parts)?;
        build.carry(self, &parts)?;
        let kept = build.across(&[begin, anew]);
        let (chunk, reverse) = (parts.chunk, parts.reverse);
        let behind = self.parts_of(&mut build, &mut cut);
        self.ends.push(Kernel::Scan(Scan { tile: build.tile(kept), cut, begin, anew, chunk, reverse }));
        self.ends.extend(behind);
        Ok(())
    }

    /// A reverse scan, and the forward one whose results it alone reads.
    pub(crate) fn pair(&mut self, forward: &Instruction, reverse: &Instruction) -> Result<()> {
        let (first, second) = (self.parts(forward)?, self.parts(reverse)?);
        if self.chunkwise(&[&first, &second])? {
            return Ok(());
        }
        let chunk = first.chunk.unwrap_or(1);
        let span = chunk * SPAN.div_ceil(chunk);
        let body = self.take_totals(&second)?;
        let second = Parts { body: &body, ..second };
        let (task, mut cut) = self.cut(&[&first, &second])?;
        let mut build = Build { single: true, region: true, task, strips: cut.strips > 1, ..Build::new(1) };
        let mut states = Vec::new();
        for state in first.states {
            let (now, next, local) = build.held(self, state.current, span);
            states.push(local);
            build.views.insert(state.current, now);
            build.targets.insert(state.next, next);
            if let Some(start) = state.start {
                build.state(self, start);
            }
        }
        build.initial(self, &first)?;
        let begin = build.ops.len();
        build.chunk(self, &first)?;
        let anew = build.ops.len();
        build.step_held(self, &first, span)?;
        let through = build.ops.len();
        for id in second.states.iter().flat_map(State::defined) {
            build.state(self, id);
        }
        build.initial(self, &second)?;
        let back = build.ops.len();
        build.replace(second.states, second.body);
        build.step(self, &second)?;
        build.carry(self, &second)?;
        let spans = self.shape.context.div_ceil(span);
        let widths: Vec<(LocalId, usize)> = states;
        let whole: usize = widths.iter().map(|(_, width)| width).sum();
        let saved = build.memory(whole * spans);
        let mut kept = build.across(&[begin, anew, through, back]);
        kept.push(saved);
        let chunk = first.chunk;
        let behind = self.parts_of(&mut build, &mut cut);
        let tile = build.tile(kept);
        self.ends.push(Kernel::Pair(Pair {
            tile,
            cut,
            begin,
            anew,
            through,
            back,
            chunk,
            span,
            states: widths,
            saved,
        }));
        self.ends.extend(behind);
        Ok(())
    }

    /// The axis that states are cut along, and how: for workers if there are few items, into strips where states are large.
    fn cut(&self, scans: &[&Parts<'_>]) -> Result<(Option<AxisId>, Cut)> {
        let (axis, whole) = self.tasks(scans)?;
        if axis.is_some() {
            return Ok((axis, whole));
        }
        let states = scans.iter().flat_map(|scan| scan.states.iter().map(|state| state.current));
        let sizes = states.map(|id| self.elements(id)).collect::<Result<Vec<_>>>()?;
        if sizes.iter().sum::<usize>() < WHOLE {
            return Ok((None, whole));
        }
        let Some(axis) = self.strip_axis(scans, sizes.into_iter().max().unwrap_or(0))? else {
            return Ok((None, whole));
        };
        let last = scans.last().expect("there is a scan");
        let added = last.results.iter().filter(|id| !self.function.ty(**id).axes.contains(&axis));
        let zeroed = added.filter_map(|id| Some((*id, self.homes.get(id)?)));
        let zeroed = zeroed.map(|(id, home)| {
            let order: Vec<_> = self.function.ty(id).axes.iter().map(|axis| (*axis, self.extent(*axis))).collect();
            Zeroed { x: home.walk(&order), each: true, order: order.into_iter().map(|(_, extent)| extent).collect() }
        });
        Ok((Some(axis), Cut { strips: self.size(axis)?, zeroed: zeroed.collect(), ..whole }))
    }

    /// The axis that workers share where items are few.
    pub(crate) fn tasks(&self, scans: &[&Parts<'_>]) -> Result<(Option<AxisId>, Cut)> {
        let whole = Cut { tasks: 1, strips: 1, zeroed: Vec::new() };
        let states = scans.iter().flat_map(|scan| scan.states.iter().map(|state| state.current));
        let sizes = states.map(|id| self.elements(id)).collect::<Result<Vec<_>>>()?;
        if self.shape.rows < ITEMS
            && let Some((axis, size)) = self.shared_axis(scans)?
            && sizes.iter().max() >= Some(&(LARGE * size))
        {
            return Ok((Some(axis), Cut { tasks: size, ..whole }));
        }
        Ok((None, whole))
    }

    /// How many elements a value has at a position.
    pub(crate) fn elements(&self, id: ValueId) -> Result<usize> {
        self.function.ty(id).axes.iter().map(|axis| self.size(*axis)).product()
    }

    /// The axis that all states and results have, and no operation looks across.
    fn shared_axis(&self, scans: &[&Parts<'_>]) -> Result<Option<(AxisId, usize)>> {
        let bodies: Vec<&Region> = scans.iter().map(|scan| scan.body).collect();
        let states = scans.iter().flat_map(|scan| scan.states.iter().flat_map(|state| [state.current, state.next]));
        let leaving = scans.iter().flat_map(|scan| scan.results.iter().chain(&scan.body.results)).copied();
        let all: Vec<ValueId> = states.chain(leaving).collect();
        self.task_axis(&bodies, &all).map(|axis| Ok((axis, self.size(axis)?))).transpose()
    }

    /// The axis that strips go along: all states have it, and what has it not is the same for all strips, or a sum over them
    /// that leaves.
    fn strip_axis(&self, scans: &[&Parts<'_>], largest: usize) -> Result<Option<AxisId>> {
        let mut best: Option<(usize, std::cmp::Reverse<usize>, AxisId)> = None;
        let axes = scans[0].states.iter().flat_map(|state| &self.function.ty(state.current).axes);
        for axis in axes.copied().collect::<BTreeSet<AxisId>>() {
            let size = self.size(axis)?;
            // The innermost axis are the columns of passes.
            let inner = scans.iter().flat_map(|scan| scan.states).any(|state| {
                let own = &self.function.ty(state.current).axes;
                own.last() == Some(&axis) || !own.contains(&axis)
            });
            if size < 2 || inner || largest / size < STRIP {
                continue;
            }
            let sums = scans.iter().enumerate().map(|(i, scan)| self.strip_sums(scan, axis, i + 1 == scans.len()));
            if let Some(sums) = sums.sum::<Option<usize>>() {
                best = best.max(Some((size, std::cmp::Reverse(sums), axis)));
            }
        }
        Ok(best.map(|(.., axis)| axis))
    }

    /// How many sums over an axis leave a recurrence; nothing where it looks across the axis otherwise. `may` says whether any
    /// may leave.
    fn strip_sums(&self, scan: &Parts<'_>, axis: AxisId, may: bool) -> Option<usize> {
        let has = |id: ValueId| self.function.ty(id).axes.contains(&axis);
        let mut sums = 0;
        for instruction in &scan.body.instructions {
            let result = instruction.results[0];
            let read = scan.body.instructions.iter().any(|other| other.args.contains(&result));
            let carried = scan.states.iter().any(|state| state.next == result);
            let sum = matches!(
                &instruction.op,
                IrOp::Contract { axes } | IrOp::Reduce { reduction: Reduction::Sum, axes, otherwise: None }
                    if axes.contains(&axis)
            );
            if sum {
                let leaves = scan.body.results.iter().filter(|id| **id == result).count() == 1;
                if !may || read || carried || !leaves {
                    return None;
                }
                sums += 1;
            } else if !untouched(&instruction.op, axis) || !has(result) && instruction.args.iter().any(|id| has(*id)) {
                return None;
            }
        }
        // Results are computed in the step.
        let made = |id: &ValueId| scan.body.instructions.iter().any(|instruction| instruction.results.contains(id));
        let current = |id: &ValueId| scan.states.iter().any(|state| state.current == *id || state.start == Some(*id));
        scan.body.results.iter().all(|id| made(id) || current(id)).then_some(sums)
    }
}

impl Build {
    /// Memory for a state.
    fn state(&mut self, lowering: &Lowering<'_>, id: ValueId) {
        let axes = lowering.function.ty(id).axes.clone();
        let view = self.local(lowering, &axes, false);
        self.views.insert(id, view);
    }

    /// Memory for a value at all positions of a span, and one more: where it lies at a position and at the next one.
    fn held(&mut self, lowering: &Lowering<'_>, id: ValueId, span: usize) -> (View, View, (LocalId, usize)) {
        let axes = lowering.function.ty(id).axes.clone();
        let sized: Vec<_> = self.order(lowering, &axes).into_iter().map(|(axis, n)| (axis, self.room(n))).collect();
        let width: usize = sized.iter().map(|(_, n)| n).product();
        let local = self.memory(width * (span + 1));
        let at = |ahead| View::dense(Spot::new(Place::Span { local, row: width, ahead }, 0), &sized);
        (at(0), at(1), (local, width))
    }

    /// Lets states be updated where they lie.
    fn replace(&mut self, states: &[State], body: &Region) {
        let free = in_place(states, body);
        for state in states.iter().filter(|state| free.contains(&state.current)) {
            let view = self.views[&state.current].clone();
            self.targets.insert(state.next, view);
        }
    }

    /// What the states hold at first.
    pub(crate) fn initial(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>) -> Result<()> {
        for state in parts.states {
            let init = self.view(lowering, state.init)?;
            let to = self.views[&state.current].clone();
            self.copy(lowering, &init, &to, state.current);
        }
        Ok(())
    }

    /// What happens where a chunk begins.
    fn chunk(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>) -> Result<()> {
        for state in parts.states {
            let current = self.views[&state.current].clone();
            if state.anew {
                let init = self.view(lowering, state.init)?;
                self.copy(lowering, &init, &current, state.current);
            }
            if let Some(start) = state.start {
                let to = self.views[&start].clone();
                self.copy(lowering, &current, &to, state.current);
            }
        }
        Ok(())
    }

    /// A step whose results leave.
    fn step(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>) -> Result<()> {
        self.leaving(lowering, parts);
        self.steps(lowering, parts.states, parts.body)?;
        self.add_up(lowering, parts)?;
        self.left(lowering, parts)
    }

    /// Says where the results of a step go.
    pub(crate) fn leaving(&mut self, lowering: &Lowering<'_>, parts: &Parts<'_>) {
        for (result, value) in parts.results.iter().zip(&parts.body.results) {
            let Some(home) = lowering.homes.get(result).cloned() else { continue };
            if !self.views.contains_key(value) && !self.targets.contains_key(value) {
                self.target(*value, home);
            }
        }
    }

    /// Copies the results of a step that are not where they go.
    pub(crate) fn left(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>) -> Result<()> {
        for (result, value) in parts.results.iter().zip(&parts.body.results) {
            let Some(home) = lowering.homes.get(result).cloned() else { continue };
            let (home, view) = (self.here(home), self.view(lowering, *value)?);
            if view != home {
                self.copy(lowering, &view, &home, *result);
            }
        }
        Ok(())
    }

    /// A step whose results are held for the positions of a span.
    fn step_held(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>, span: usize) -> Result<()> {
        for (result, value) in parts.results.iter().zip(&parts.body.results) {
            // What the chunk began with is the same all along a span of its length.
            let began = parts.states.iter().any(|state| state.start == Some(*value));
            if began && parts.chunk == Some(span) && !lowering.homes.contains_key(result) {
                let view = self.view(lowering, *value)?;
                self.views.insert(*result, view);
                continue;
            }
            let there = lowering.homes.contains_key(result);
            if !there && parts.states.iter().all(|state| state.current != *value && state.next != *value) {
                let (now, ..) = self.held(lowering, *result, span);
                self.views.insert(*result, now.clone());
                if !self.views.contains_key(value) && !self.targets.contains_key(value) {
                    self.targets.insert(*value, now);
                }
            }
        }
        self.steps(lowering, parts.states, parts.body)?;
        for state in parts.states {
            let (view, next) = (self.view(lowering, state.next)?, self.targets[&state.next].clone());
            if view != next {
                self.copy(lowering, &view, &next, state.current);
            }
        }
        for (result, value) in parts.results.iter().zip(&parts.body.results) {
            if lowering.homes.contains_key(result) {
                continue;
            }
            if let Some(state) = parts.states.iter().find(|state| state.next == *value) {
                self.views.insert(*result, self.targets[&state.next].clone());
                continue;
            }
            let view = self.view(lowering, *value)?;
            match self.views.get(result).cloned() {
                Some(held) if held != view => self.copy(lowering, &view, &held, *result),
                Some(_) => {}
                None => _ = self.views.insert(*result, view),
            }
        }
        Ok(())
    }

    /// The next states, when all that reads the present ones has run.
    fn carry(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>) -> Result<()> {
        for state in parts.states {
            let next = self.view(lowering, state.next)?;
            let current = self.views[&state.current].clone();
            if next == current {
                continue;
            }
            let held = parts.states.iter().any(|other| self.views[&other.current] == next);
            if held && parts.states.len() > 1 {
                return Err(lowering.unsupported("states that change places"));
            }
            self.copy(lowering, &next, &current, state.current);
        }
        Ok(())
    }
}
