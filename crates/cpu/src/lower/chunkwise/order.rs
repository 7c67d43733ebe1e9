//! In which order a chunk is computed: small operations as soon as what they read is there, sums as soon as all is known that
//! the positions write, and where a write waits for what is read before it, both together.
//!
//! In: a form. Out: its steps, or nothing if there is no such order.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Instruction, Op as IrOp, ValueId};

use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::chunkwise::form::{At, By, Form, Item, Read, Scale};
use crate::lower::sweep::{own_axes, terms};

/// A step of a chunk, for all its positions.
#[derive(Clone, Debug)]
pub(super) enum Step<'a> {
    Small(&'a Instruction),
    Read(Read),
    Solve(Solve<'a>),
}

/// A delta rule: a write that is linear in what is read before it, so the positions of a chunk are a triangular system.
#[derive(Clone, Debug)]
pub(super) struct Solve<'a> {
    pub(super) read: Read,
    pub(super) at: At,
    /// What gives a factor of the write from what was read.
    pub(super) map: &'a Instruction,
    /// Which write of the chain.
    pub(super) write: usize,
    /// The derivative of the factor by what is read.
    pub(super) slope: Scale,
    /// Whether others want what was read.
    pub(super) wanted: bool,
}

/// What is known of a form at some point.
struct Known<'f, 'a> {
    form: &'f Form<'a>,
    made: BTreeMap<ValueId, usize>,
    done: BTreeSet<usize>,
}

/// The steps of a form, in an order in which each finds what it reads.
pub(super) fn order<'a>(build: &Build, lowering: &Lowering<'_>, form: &Form<'a>) -> Option<Vec<Step<'a>>> {
    let made = form.items.iter().enumerate().map(|(i, item)| (item.result(), i)).collect();
    let mut known = Known { form, made, done: BTreeSet::new() };
    let mut steps = Vec::new();
    while known.done.len() < form.items.len() {
        let before = known.done.len();
        for (i, item) in form.items.iter().enumerate() {
            if !known.done.contains(&i) && known.is_ready(item) {
                known.done.insert(i);
                steps.push(match item {
                    Item::Small(instruction) => Step::Small(instruction),
                    Item::Read(read) => Step::Read(read.clone()),
                });
            }
        }
        if known.done.len() == before {
            let (solve, pair) = (0..form.items.len()).find_map(|i| known.solve(build, lowering, i))?;
            known.done.extend(pair);
            steps.push(Step::Solve(solve));
        }
    }
    Some(steps)
}

/// The steps that the writes of a chain need.
pub(super) fn writing<'a>(steps: &[Step<'a>], form: &Form<'_>, chain: usize) -> Vec<Step<'a>> {
    let mut wanted: BTreeSet<ValueId> = form.chains[chain].values().collect();
    let mut kept: Vec<Step<'a>> = Vec::new();
    for step in steps.iter().rev() {
        match step {
            Step::Small(instruction) if instruction.results.iter().any(|id| wanted.contains(id)) => {
                wanted.extend(&instruction.args);
                kept.push(step.clone());
            }
            Step::Read(own) if wanted.contains(&own.result) => {
                wanted.extend(own.values());
                kept.push(step.clone());
            }
            Step::Solve(solve) if wanted.contains(&solve.map.results[0]) => {
                let needed = wanted.contains(&solve.read.result);
                wanted.extend(&solve.map.args);
                wanted.extend(solve.read.values());
                kept.push(Step::Solve(Solve { wanted: needed, ..solve.clone() }));
            }
            Step::Small(_) | Step::Read(_) | Step::Solve(_) => {}
        }
    }
    kept.reverse();
    kept
}

impl<'a> Known<'_, 'a> {
    fn has(&self, id: ValueId) -> bool {
        let id = self.form.aliases.get(&id).copied().unwrap_or(id);
        self.made.get(&id).is_none_or(|i| self.done.contains(i))
    }

    fn is_ready(&self, item: &Item<'_>) -> bool {
        let written = |chain: usize| self.form.chains[chain].values().all(|id| self.has(id));
        match item {
            Item::Small(instruction) => instruction.args.iter().all(|id| self.has(*id)),
            Item::Read(read) => {
                let other = if let By::State(other) = read.by { Some(other) } else { None };
                read.values().all(|id| self.has(id)) && read.at.into_iter().chain(other).all(|at| written(at.chain))
            }
        }
    }

    /// A read that a write of the same chain waits for, of which all else is known; and the two items that it is.
    fn solve(&self, build: &Build, lowering: &Lowering<'_>, i: usize) -> Option<(Solve<'a>, [usize; 2])> {
        let Item::Read(read) = &self.form.items[i] else { return None };
        let (By::Vector(by), Some(at), []) = (&read.by, read.at, read.own.as_slice()) else { return None };
        let chain = &self.form.chains[at.chain];
        let missing: BTreeSet<ValueId> = chain.values().filter(|id| !self.has(*id)).collect();
        if self.done.contains(&i) || !self.has(*by) || missing.len() != 1 {
            return None;
        }
        let factor = *missing.first()?;
        let down = read.axes.contains(&chain.space.rows());
        let of = |list: &[ValueId]| list == [factor];
        let mut writes = chain.writes.iter().enumerate().filter(|(_, write)| write.values().any(|id| id == factor));
        let (write, own) = writes.next()?;
        // The factor stands on the side that the sum leaves, and alone, so that the system is one of its rows.
        let fits = if down { of(&own.columns) } else { of(&own.rows) };
        if writes.next().is_some() || !fits || at.stage >= own.stage || read.axes.len() != 1 {
            return None;
        }
        let j = *self.made.get(&factor)?;
        let Item::Small(map) = &self.form.items[j] else { return None };
        let IrOp::Map(expr) = &map.op else { return None };
        let others = map.args.iter().all(|id| *id == read.result || self.has(*id));
        let found = terms(expr, &map.args, &|id| build.known(lowering, id))?;
        let has = |factors: &[ValueId]| factors.contains(&read.result);
        let mut linear = found.iter().filter(|term| has(&term.factors));
        let term = linear.next()?;
        let factors: Vec<ValueId> = term.factors.iter().copied().filter(|id| *id != read.result).collect();
        if chain.diagonal.is_some() && !down {
            return None;
        }
        let around = factors.iter().all(|id| chain.space.is_around(&own_axes(build, lowering, *id)));
        let alone = linear.next().is_none() && factors.len() + 1 == term.factors.len() && term.only.is_none();
        if !(others && around && alone) {
            return None;
        }
        let slope = Scale { number: term.number, factors };
        let read = read.clone();
        Some((Solve { read, at, map, write, slope, wanted: true }, [i, j]))
    }
}

impl Item<'_> {
    fn result(&self) -> ValueId {
        match self {
            Item::Small(instruction) => instruction.results[0],
            Item::Read(read) => read.result,
        }
    }
}
