//! Recurrences, as kernels that go through an item position after position with the states in a worker's memory.
//!
//! A reverse scan often reads what a forward one held at each position. Where nothing else reads that, the two are one kernel,
//! and what was held is never kept for all positions: the forward scan keeps its states at the starts of spans, and is run again
//! for the positions of a span, the last span first, before the reverse scan goes through it.

use genesys_ir::module::{AxisId, Direction, Instruction, Op as IrOp, Region, State, ValueId};

use crate::error::Result;
use crate::kernel::{Kernel, Pair, Scan};
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::sweep::in_place;
use crate::view::{LocalId, Place, Spot, View};

/// The positions of a span, unless chunks of the design ask for more.
const SPAN: usize = 16;

/// Items enough to keep workers busy. With fewer, tasks go along an axis as well, at the price of small operations in each.
const ITEMS: usize = 4;

/// The elements of a state from which on a task may have it to itself.
const LARGE: usize = 512;

/// A scan, taken apart.
struct Parts<'a> {
    states: &'a [State],
    chunk: Option<usize>,
    reverse: bool,
    body: &'a Region,
    results: &'a [ValueId],
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
        let (task, tasks) = self.scan_tasks(&[&parts])?;
        let mut build = Build { single: true, region: true, task, ..Build::new(1) };
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
        self.ends.push(Kernel::Scan(Scan { tile: build.tile(kept), tasks, begin, anew, chunk, reverse }));
        Ok(())
    }

    /// A reverse scan, and the forward one whose results it alone reads.
    pub(crate) fn pair(&mut self, forward: &Instruction, reverse: &Instruction) -> Result<()> {
        let (first, second) = (self.parts(forward)?, self.parts(reverse)?);
        let chunk = first.chunk.unwrap_or(1);
        let span = chunk * SPAN.div_ceil(chunk);
        let (task, tasks) = self.scan_tasks(&[&first, &second])?;
        let mut build = Build { single: true, region: true, task, ..Build::new(1) };
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
        let tile = build.tile(kept);
        self.ends.push(Kernel::Pair(Pair {
            tile,
            tasks,
            begin,
            anew,
            through,
            back,
            chunk,
            span,
            states: widths,
            saved,
        }));
        Ok(())
    }

    /// The axis that tasks go along, if there are few items and states are large enough to be cut, and how many there are.
    fn scan_tasks(&self, scans: &[&Parts<'_>]) -> Result<(Option<AxisId>, usize)> {
        if self.shape.rows >= ITEMS {
            return Ok((None, 1));
        }
        let bodies: Vec<&Region> = scans.iter().map(|scan| scan.body).collect();
        let states = scans.iter().flat_map(|scan| scan.states.iter().flat_map(|state| [state.current, state.next]));
        let leaving = scans.iter().flat_map(|scan| scan.results.iter().chain(&scan.body.results)).copied();
        let all: Vec<ValueId> = states.clone().chain(leaving).collect();
        let Some(axis) = self.task_axis(&bodies, &all) else { return Ok((None, 1)) };
        let elements =
            |id: ValueId| -> Result<usize> { self.function.ty(id).axes.iter().map(|axis| self.size(*axis)).product() };
        let largest = states.map(elements).collect::<Result<Vec<_>>>()?.into_iter().max().unwrap_or(0);
        let size = self.size(axis)?;
        Ok(if largest / size >= LARGE { (Some(axis), size) } else { (None, 1) })
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
    fn initial(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>) -> Result<()> {
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
        for (result, value) in parts.results.iter().zip(&parts.body.results) {
            let Some(home) = lowering.homes.get(result).cloned() else { continue };
            if !self.views.contains_key(value) && !self.targets.contains_key(value) {
                self.target(*value, home);
            }
        }
        self.steps(lowering, parts.states, parts.body)?;
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
