//! The adjoint of a recurrence: what must go step by step, one position after the other in reverse; all else at once.
//!
//! A forward scan that is differentiated also gives what its states held when each step began (see `prepare`). From these
//! the body is computed again for all positions together, as if it were no step. Then:
//!
//! 1. A scan in the other direction carries the cotangents of the states. Its body holds just what leads from the states to
//!    the next ones, and reads all else of the body from outside.
//! 2. With what it carried, the body is gone through backwards for all positions together. So weights and what the body
//!    reads get their cotangents by sums and products over whole sequences, never step by step.
//!
//! `next = decay * state + write` has a reverse scan of the same form: `g(t) = decay(t + 1) g(t + 1) + direct(t)`.
//!
//! Where a chunk begins, a state that does so anew takes nothing from the one before it, and what its start was read for
//! in the chunk is added.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Constant, Size};
use genesys_ir::module::{Direction, Dtype, Expr, Instruction, Op, Region, Stage, State, StateClass, Type, ValueId};
use genesys_ir::reads;
use genesys_scalar::Function::{Add, Equal, Mul, Rem, Where};

use crate::cotangents::Cotangents;
use crate::emit::{Emit, apply, constant, number};
use crate::sweep::{NoCalls, needed, sweep};
use crate::{Unsupported, split};

/// A scan whose body is computed again, for all positions together.
struct Unrolled<'a> {
    states: &'a [State],
    direction: Direction,
    reset: Option<ValueId>,
    chunk: Option<&'a Size>,
    /// The body, with one scalar function an instruction.
    body: Vec<Instruction>,
    /// What each state holds when a step begins and ends, and at the start of the chunk.
    current: Vec<ValueId>,
    next: Vec<ValueId>,
    start: Vec<Option<ValueId>>,
    /// The cotangents that there are of the body's results.
    given: Vec<(ValueId, ValueId)>,
}

/// Appends the adjoint of a scan that also gives its states: see [`prepare`](crate::prepare).
pub(crate) fn adjoint(
    emit: &mut Emit<'_>,
    instruction: &Instruction,
    active: &BTreeSet<ValueId>,
    cotangents: &mut Cotangents,
) -> Result<(), Unsupported> {
    let Op::Scan { states, class, body, .. } = &instruction.op else { unreachable!("asked for scans only") };
    let mut active = active.clone();
    let unrolled = unroll(emit, instruction, &mut active, cotangents)?;
    let decays = (*class == StateClass::Diagonal).then(|| decays(states, body)).flatten();
    let begun = match decays {
        Some(decays) => {
            unrolled.diagonal(emit, &decays, cotangents)?;
            sweep(emit, &unrolled.body, &active, cotangents, &mut NoCalls)?;
            unrolled.current.iter().map(|id| cotangents.get(*id)).collect()
        }
        None => {
            let (carried, begun) = unrolled.general(emit)?;
            for (next, carried) in unrolled.next.iter().zip(carried) {
                cotangents.add(emit, *next, carried)?;
            }
            for (value, g) in &unrolled.given {
                cotangents.add(emit, *value, *g)?;
            }
            sweep(emit, &unrolled.body, &active, cotangents, &mut NoCalls)?;
            begun.into_iter().map(Some).collect::<Vec<_>>()
        }
    };
    for (state, begun) in states.iter().zip(begun) {
        if let (Some(g), true) = (begun, active.contains(&state.init)) {
            unrolled.initial(emit, state, g, cotangents)?;
        }
    }
    Ok(())
}

/// Computes the body again, from what the states held.
fn unroll<'a>(
    emit: &mut Emit<'_>,
    instruction: &'a Instruction,
    active: &mut BTreeSet<ValueId>,
    cotangents: &Cotangents,
) -> Result<Unrolled<'a>, Unsupported> {
    let Op::Scan { states, chunk, direction, reset, body, .. } = &instruction.op else {
        unreachable!("asked for scans only")
    };
    let results = &instruction.results;
    let held: Vec<ValueId> = states.iter().flat_map(State::defined).collect();
    let given = results.len() - held.len();
    let kept: BTreeMap<ValueId, ValueId> = held.into_iter().zip(results[given..].iter().copied()).collect();
    active.extend(kept.values());
    // The states' last values are no results of the body; as such they are replaced with it.
    let mut whole = body.clone();
    whole.results.truncate(given);
    whole.results.extend(states.iter().map(|state| state.next));
    let copy = emit.copy(&whole, kept.clone(), Stage::Seq);
    let before = emit.out.len();
    for instruction in copy.instructions {
        split::append(emit, active, instruction)?;
    }
    let pairs = copy.results[..given].iter().zip(results);
    Ok(Unrolled {
        states,
        direction: *direction,
        reset: *reset,
        chunk: chunk.as_ref(),
        body: emit.out[before..].to_vec(),
        current: states.iter().map(|state| kept[&state.current]).collect(),
        next: copy.results[given..].to_vec(),
        start: states.iter().map(|state| state.start.map(|id| kept[&id])).collect(),
        given: pairs.filter_map(|(value, result)| Some((*value, cotangents.get(*result)?))).collect(),
    })
}

/// The decay of each state (none is 1) of a scan all of whose results are states; nothing of any other scan.
fn decays(states: &[State], body: &Region) -> Option<Vec<Option<ValueId>>> {
    let known = |id: &ValueId| states.iter().any(|s| s.current == *id || s.next == *id || s.start == Some(*id));
    if !body.results.iter().all(known) || states.iter().any(|state| state.anew || state.start.is_some()) {
        return None;
    }
    states.iter().map(|state| decay(state, body)).collect()
}

/// The decay of `next = decay * state + write`; the outer option says whether the update has this form.
fn decay(state: &State, body: &Region) -> Option<Option<ValueId>> {
    let update = body.instructions.iter().find(|instruction| instruction.results == [state.next])?;
    let Op::Map(expr) = &update.op else { return None };
    let linear = match expr {
        Expr::Apply(Add, operands) => &operands[0],
        expr => expr,
    };
    match linear {
        Expr::Arg(0) if update.args[0] == state.current => Some(None),
        Expr::Apply(Mul, factors) => match factors.as_slice() {
            [Expr::Arg(decay), Expr::Arg(0)] if update.args[0] == state.current => Some(Some(update.args[*decay])),
            _ => None,
        },
        _ => None,
    }
}

impl Unrolled<'_> {
    /// Adds the cotangents of the states, each by a scan of the class that the forward one has.
    fn diagonal(
        &self,
        emit: &mut Emit<'_>,
        decays: &[Option<ValueId>],
        cotangents: &mut Cotangents,
    ) -> Result<(), Unsupported> {
        for (k, decay) in decays.iter().enumerate() {
            let (current, next) = (self.current[k], self.next[k]);
            let (mut now, mut later) = (None, None);
            for (value, g) in &self.given {
                if *value == next {
                    now = Some(sum(emit, now, *g)?);
                }
                if *value == current {
                    later = Some(sum(emit, later, *g)?);
                    cotangents.add(emit, current, *g)?;
                }
            }
            let later = later.map(|g| self.following(emit, g)).transpose()?;
            let Some(direct) = both(emit, now, later)? else { continue };
            let decay = decay.map(|id| self.following(emit, id)).transpose()?;
            let total = self.reversed(emit, k, decay, direct)?;
            cotangents.add(emit, next, total)?;
        }
        Ok(())
    }

    /// The scan `g <- decay * g + direct` in the other direction.
    fn reversed(
        &self,
        emit: &mut Emit<'_>,
        k: usize,
        decay: Option<ValueId>,
        direct: ValueId,
    ) -> Result<ValueId, Unsupported> {
        let init = emit.push(Op::Constant(Constant::Real(0.0)), Vec::new())?;
        let current = self.carry(emit, k);
        let around = std::mem::take(&mut emit.out);
        let (arg, mut args) = (Expr::Arg, vec![current]);
        args.extend(decay);
        args.push(direct);
        let held = if decay.is_some() { apply(Mul, [arg(1), arg(0)]) } else { arg(0) };
        let next = emit.map(apply(Add, [held, arg(args.len() - 1)]), &args)?;
        let instructions = std::mem::replace(&mut emit.out, around);
        let state = State { name: self.states[k].name.clone(), init, current, next, start: None, anew: false };
        let body = Region { instructions, results: vec![next] };
        emit.push(self.scan(StateClass::Diagonal, vec![state], body), Vec::new())
    }

    fn scan(&self, class: StateClass, states: Vec<State>, body: Region) -> Op {
        Op::Scan { states, class, chunk: None, direction: self.direction.reversed(), reset: self.reset, body }
    }

    /// A value at the next position, in the order of the forward scan; 0 behind the last.
    fn following(&self, emit: &mut Emit<'_>, id: ValueId) -> Result<ValueId, Unsupported> {
        if emit.ty(id).stage == Stage::Const {
            return Ok(id);
        }
        let op = Op::Shift { by: Size::int(1), direction: self.direction.reversed(), reset: self.reset };
        emit.push(op, vec![id])
    }

    /// What the reverse scan holds of a state: the cotangent of what it is when a step ends.
    fn carry(&self, emit: &mut Emit<'_>, k: usize) -> ValueId {
        let axes = emit.ty(self.current[k]).axes.clone();
        emit.value(Type { stage: Stage::Step, dtype: Dtype::Real, axes })
    }

    /// The cotangents that steps behind each position give to the states as it ends, and those of the states as it begins.
    fn general(&self, emit: &mut Emit<'_>) -> Result<(Vec<ValueId>, Vec<ValueId>), Unsupported> {
        let init = emit.push(Op::Constant(Constant::Real(0.0)), Vec::new())?;
        let begins = self.chunk.map(|chunk| begins(emit, chunk)).transpose()?;
        let carried: Vec<ValueId> = (0..self.states.len()).map(|k| self.carry(emit, k)).collect();
        let started: Vec<Option<ValueId>> =
            (0..self.states.len()).map(|k| self.start[k].map(|_| self.carry(emit, k))).collect();
        let around = std::mem::take(&mut emit.out);
        let step = self.step(emit, &carried)?;
        let (mut states, mut begun) = (Vec::new(), Vec::new());
        for (k, state) in self.states.iter().enumerate() {
            let name = state.name.clone();
            let mut g = or_zero(emit, step.get(self.current[k]), carried[k])?;
            if let (Some(held), Some(start), Some(begins)) = (started[k], self.start[k], begins) {
                let all = match step.get(start) {
                    Some(own) => sum(emit, Some(held), own)?,
                    None => held,
                };
                let with = sum(emit, Some(g), all)?;
                g = choose(emit, begins, Expr::Arg(1), Expr::Arg(2), &[with, g])?;
                let next = choose(emit, begins, number(0.0), Expr::Arg(1), &[all])?;
                let name = format!("{name} start");
                states.push(State { name, init, current: held, next, start: None, anew: false });
            }
            begun.push(g);
            let next = match begins.filter(|_| state.anew) {
                Some(begins) => choose(emit, begins, number(0.0), Expr::Arg(1), &[g])?,
                None => emit.map(Expr::Arg(0), &[g])?,
            };
            states.push(State { name, init, current: carried[k], next, start: None, anew: false });
        }
        let inside = std::mem::replace(&mut emit.out, around);
        let results = [carried, begun].concat();
        let ends = states.iter().map(|state| state.next);
        let instructions = needed(inside, results.iter().copied().chain(ends));
        let body = Region { instructions, results };
        let mut results = emit.push_all(self.scan(StateClass::General, states, body), Vec::new())?;
        let begun = results.split_off(self.states.len());
        Ok((results, begun))
    }

    /// The cotangents of the states as one step begins, from those as it ends and those of what it gives.
    fn step(&self, emit: &mut Emit<'_>, carried: &[ValueId]) -> Result<Cotangents, Unsupported> {
        let mut found = Cotangents::default();
        let mut moved: BTreeSet<ValueId> = self.current.iter().chain(self.start.iter().flatten()).copied().collect();
        let mut path = Vec::new();
        for instruction in &self.body {
            if !reads(instruction).is_disjoint(&moved) {
                moved.extend(&instruction.results);
                path.push(instruction.clone());
            }
        }
        let ends = self.next.iter().copied().zip(carried.iter().copied());
        for (value, g) in ends.chain(self.given.iter().copied()).filter(|(value, _)| moved.contains(value)) {
            found.add(emit, value, g)?;
        }
        sweep(emit, &path, &moved, &mut found, &mut NoCalls)?;
        Ok(found)
    }

    /// What an initial value gets: from the first positions of documents, or from all at which a chunk begins.
    fn initial(
        &self,
        emit: &mut Emit<'_>,
        state: &State,
        g: ValueId,
        cotangents: &mut Cotangents,
    ) -> Result<(), Unsupported> {
        let first = match self.chunk.filter(|_| state.anew) {
            Some(chunk) => begins(emit, chunk)?,
            None => {
                let position = emit.push(Op::Position, Vec::new())?;
                let first = apply(Equal, [Expr::Arg(0), number(0.0)]);
                match self.reset {
                    Some(reset) => emit.map(apply(Where, [Expr::Arg(1), number(1.0), first]), &[position, reset])?,
                    None => emit.map(first, &[position])?,
                }
            }
        };
        let there = choose(emit, first, Expr::Arg(1), number(0.0), &[g])?;
        let own = emit.sum_to(there, state.init)?;
        cotangents.add(emit, state.init, own)
    }
}

/// 1 where a chunk begins.
fn begins(emit: &mut Emit<'_>, chunk: &Size) -> Result<ValueId, Unsupported> {
    let position = emit.push(Op::Position, Vec::new())?;
    let within = apply(Rem, [Expr::Arg(0), constant(chunk)]);
    emit.map(apply(Equal, [within, number(0.0)]), &[position])
}

/// A selection by a value, which is operand 0.
fn choose(emit: &mut Emit<'_>, by: ValueId, yes: Expr, no: Expr, args: &[ValueId]) -> Result<ValueId, Unsupported> {
    emit.map(apply(Where, [Expr::Arg(0), yes, no]), &[&[by], args].concat())
}

fn or_zero(emit: &mut Emit<'_>, g: Option<ValueId>, like: ValueId) -> Result<ValueId, Unsupported> {
    g.map_or_else(|| emit.everywhere(0.0, like), Ok)
}

fn sum(emit: &mut Emit<'_>, a: Option<ValueId>, b: ValueId) -> Result<ValueId, Unsupported> {
    let add = |emit: &mut Emit<'_>, a| emit.map(apply(Add, [Expr::Arg(0), Expr::Arg(1)]), &[a, b]);
    a.map_or(Ok(b), |a| add(emit, a))
}

fn both(emit: &mut Emit<'_>, a: Option<ValueId>, b: Option<ValueId>) -> Result<Option<ValueId>, Unsupported> {
    b.map_or(Ok(a), |b| sum(emit, a, b).map(Some))
}
