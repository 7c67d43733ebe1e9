//! Moves into a recurrence what would be of its states' size at every position.
//!
//! A state that is a matrix is written from vectors and read to vectors. Around the scan, the products that are written, the
//! states that are read, and in a backward pass the cotangents of both, would each be a matrix at every position. Computed in
//! the step, they need not be stored: vectors go in, vectors leave.
//!
//! What moves is computed at each position by itself: maps, contractions, reductions over static axes, arrangements of axes.
//! Of what is large and needed elsewhere too, the step gets a copy, as another scan may. A scan is left as it is where
//! nothing of the size of its state would go. Scans come from the last to the first, so that the states of a forward scan
//! that its reverse reads are read there alone.
//!
//! No bit of a result changes, but for sums over tokens that are taken in another order: see `summed`. The update of a state of
//! class `diagonal` keeps its form; what it writes may be computed before it, in the step.
//!
//! Not here: sums over positions, which no step may hold, so what is summed over tokens and large stays outside.

use std::collections::{BTreeSet, VecDeque};

use genesys_ir::module::{Axis, Direction, Function, Instruction, Module, Op, Stage, Type, ValueId};
use genesys_ir::prune;

use crate::merge::{Graph, merge};
use crate::work::elements;
use crate::{shifted, summed};

/// Sinks in every function.
pub fn sink(module: &mut Module) {
    let Module { axes, functions, .. } = module;
    for function in functions {
        let is_scan = |instruction: &Instruction| matches!(instruction.op, Op::Scan { .. });
        if !function.body.instructions.iter().any(is_scan) {
            continue;
        }
        let changed = around(axes, function);
        if changed {
            prune(function);
        }
    }
}

/// Sinks into every scan of a function, the last first.
fn around(axes: &[Axis], function: &mut Function) -> bool {
    let states = function.body.instructions.iter().filter_map(|instruction| largest(axes, function, instruction));
    let Some(least) = states.min() else { return false };
    let mut trial = function.clone();
    shifted::expand(axes, &mut trial);
    summed::split(axes, &mut trial, least);
    let scans = trial.body.instructions.iter().rev().filter(|i| matches!(i.op, Op::Scan { .. }));
    let scans: Vec<ValueId> = scans.filter_map(|scan| scan.results.first().copied()).collect();
    let mut changed = false;
    for scan in scans {
        // Where its first result has gone, it has sunk already.
        let found = trial.body.instructions.iter().position(|i| i.results.contains(&scan));
        if let Some(members) = found.and_then(|scan| members(axes, &trial, scan)) {
            merge(&mut trial, members);
            changed = true;
        }
    }
    if changed {
        *function = trial;
    }
    changed
}

/// A scan, and what moves into it.
pub(crate) struct Members {
    pub(crate) graph: Graph,
    pub(crate) scan: usize,
    /// What moves, and copies of which are made: places of instructions.
    pub(crate) all: BTreeSet<usize>,
    /// Those that read what the scan gives.
    pub(crate) behind: BTreeSet<usize>,
    /// Those of which the original stays for what else reads it.
    pub(crate) copied: BTreeSet<usize>,
}

/// What moves into the scan at a place; nothing where that would not make large values fewer.
fn members(axes: &[Axis], function: &Function, scan: usize) -> Option<Members> {
    let least = largest(axes, function, &function.body.instructions[scan])?;
    let graph = Graph::of(function);
    let mut search = Search { axes, function, graph: &graph, scan, least, foreign: BTreeSet::new() };
    search.foreign = search.foreign();
    if !search.meets() {
        return None;
    }
    let mut refused = BTreeSet::new();
    let (all, behind, copied) = loop {
        let all = search.connected(&refused);
        match search.closed(all) {
            Ok(found) => break found,
            Err(more) => refused.extend(more),
        }
    };
    let found = search.saves(&all, &copied).then_some((all, behind, copied));
    found.map(|(all, behind, copied)| Members { graph, scan, all, behind, copied })
}

/// The elements of the largest state of a scan.
fn largest(axes: &[Axis], function: &Function, Instruction { op, .. }: &Instruction) -> Option<u64> {
    let Op::Scan { states, .. } = op else { return None };
    let sizes = states.iter().map(|state| elements(axes, function.ty(state.current)));
    sizes.collect::<Option<Vec<u64>>>()?.into_iter().max()
}

struct Search<'a> {
    axes: &'a [Axis],
    function: &'a Function,
    graph: &'a Graph,
    scan: usize,
    /// The elements of the largest state: a value of as many is large.
    least: u64,
    /// What is large and given by other scans, which take in what reads it.
    foreign: BTreeSet<ValueId>,
}

type Found = (BTreeSet<usize>, BTreeSet<usize>, BTreeSet<usize>);

impl Search<'_> {
    fn is_large(&self, id: ValueId) -> bool {
        let ty = self.function.ty(id);
        ty.stage == Stage::Seq && elements(self.axes, ty).is_some_and(|n| n >= self.least)
    }

    /// Whether what the scan reads is made large from what is small, or what it gives contracted to what is small, by maps in
    /// between at most.
    fn meets(&self) -> bool {
        let large = |ids: &[ValueId]| ids.iter().any(|id| self.is_large(*id));
        let instructions = &self.function.body.instructions;
        let writes =
            |at: usize| self.may_move(at) && large(&instructions[at].results) && !large(&instructions[at].args);
        let reads = |at: usize| {
            let contracts = matches!(instructions[at].op, Op::Contract { .. });
            contracts && self.may_move(at) && large(&instructions[at].args) && !large(&instructions[at].results)
        };
        let read = self.graph.reads[self.scan].iter().copied();
        let makers =
            self.through_maps(read, |id| self.graph.maker(id).into_iter().collect(), |at| &instructions[at].args);
        let given = instructions[self.scan].results.iter().copied();
        let readers = self.through_maps(given, |id| self.graph.readers(id).collect(), |at| &instructions[at].results);
        makers.into_iter().any(writes) || readers.into_iter().any(reads)
    }

    /// The instructions at large values, and those at large values of the maps among them.
    fn through_maps<'b>(
        &self,
        from: impl Iterator<Item = ValueId>,
        at: impl Fn(ValueId) -> Vec<usize>,
        next: impl Fn(usize) -> &'b Vec<ValueId>,
    ) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open: Vec<ValueId> = from.filter(|id| self.is_large(*id)).collect();
        while let Some(id) = open.pop() {
            for at in at(id).into_iter().filter(|at| found.insert(*at)) {
                if matches!(self.function.body.instructions[at].op, Op::Map(_)) {
                    open.extend(next(at).iter().filter(|id| self.is_large(**id)));
                }
            }
        }
        found
    }

    /// The large results of other scans, those aside that this one goes through again.
    fn foreign(&self) -> BTreeSet<ValueId> {
        let retraced = self.retraced();
        let instructions = self.function.body.instructions.iter().enumerate();
        let others = instructions.filter(|(at, other)| *at != self.scan && matches!(other.op, Op::Scan { .. }));
        let results = others.flat_map(|(_, other)| other.results.iter().copied());
        results.filter(|id| self.is_large(*id) && !retraced.contains(id)).collect()
    }

    /// Whether an instruction is computed at each position by itself. A product with a weight that has axes of its own is a
    /// matrix product, and better computed for all positions at once.
    fn may_move(&self, at: usize) -> bool {
        let instruction = &self.function.body.instructions[at];
        if at == self.scan || instruction.args.iter().any(|id| self.foreign.contains(id)) {
            return false;
        }
        let local = match &instruction.op {
            Op::Map(_) | Op::Reduce { .. } | Op::Softmax { .. } | Op::Regroup { .. } | Op::Concat { .. } => true,
            Op::Slice { .. } | Op::Pad { .. } | Op::Select { .. } | Op::Stack { .. } | Op::Broadcast { .. } => true,
            Op::Top { .. } | Op::Picked { .. } => true,
            Op::Contract { .. } => {
                let [a, b] = [0, 1].map(|i| self.function.ty(instruction.args[i]));
                let within = |own: &Type, other: &Type| own.axes.iter().all(|axis| other.axes.contains(axis));
                let weighs = |own: &Type, other: &Type| own.stage != Stage::Const || within(own, other);
                weighs(a, b) && weighs(b, a)
            }
            Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) => false,
            Op::Shift { .. } | Op::Window { .. } | Op::Pool { .. } | Op::Past { .. } | Op::Scan { .. } => false,
            Op::View(_) | Op::Blocks { .. } | Op::Cumsum(_) | Op::After(_) | Op::Grad { .. } => false,
            Op::Gather { .. } | Op::CrossEntropy { .. } | Op::MeanTokens | Op::Call { .. } | Op::Adjoint(_) => false,
        };
        local && instruction.results.iter().all(|id| self.function.ty(*id).stage == Stage::Seq)
    }

    /// What is connected to the scan by large values, through what may move and is not refused.
    fn connected(&self, refused: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let instructions = &self.function.body.instructions;
        let own = self.graph.reads[self.scan].iter().chain(&instructions[self.scan].results).copied();
        let mut open: VecDeque<ValueId> = own.chain(self.retraced()).filter(|id| self.is_large(*id)).collect();
        while let Some(id) = open.pop_front() {
            if !seen.insert(id) {
                continue;
            }
            for at in self.graph.maker(id).into_iter().chain(self.graph.readers(id)) {
                if self.may_move(at) && !refused.contains(&at) && found.insert(at) {
                    let beside = instructions[at].args.iter().chain(&instructions[at].results);
                    open.extend(beside.copied().filter(|id| self.is_large(*id)));
                }
            }
        }
        found
    }

    /// Of a scan in reverse the states of the forward scans that are gone through again with what it carries.
    fn retraced(&self) -> Vec<ValueId> {
        let instructions = &self.function.body.instructions;
        let runs =
            |at: usize, way: Direction| matches!(&instructions[at].op, Op::Scan { direction, .. } if *direction == way);
        if !runs(self.scan, Direction::Reverse) {
            return Vec::new();
        }
        let behind = self.graph.below([self.scan]);
        let read = |id: &ValueId| self.is_large(*id) && self.graph.readers(*id).any(|at| behind.contains(&at));
        let scans =
            (0..instructions.len()).filter(|at| runs(*at, Direction::Forward)).map(|at| &instructions[at].results);
        scans.filter(|results| results.iter().any(read)).flatten().copied().collect()
    }

    /// The members with what lies between them, and which of them read the scan's results, and which stay outside too; or
    /// those that what lies between keeps from moving.
    fn closed(&self, mut all: BTreeSet<usize>) -> Result<Found, BTreeSet<usize>> {
        let behind_scan = self.graph.below([self.scan]);
        loop {
            let large = |at: &usize| self.function.body.instructions[*at].results.iter().all(|id| self.is_large(*id));
            let copied: BTreeSet<usize> =
                all.iter().copied().filter(|at| !behind_scan.contains(at) && large(at)).collect();
            let moved = all.difference(&copied).copied().chain([self.scan]);
            let below = self.graph.below(moved);
            let above = self.graph.above(all.iter().copied().chain([self.scan]));
            let between: Vec<usize> =
                below.intersection(&above).copied().filter(|at| !all.contains(at) && *at != self.scan).collect();
            if between.is_empty() {
                let behind = all.intersection(&behind_scan).copied().collect();
                return Ok((all, behind, copied));
            }
            if let Some(blocking) = between.iter().find(|at| !self.may_move(**at)) {
                return Err(self.kept_by(*blocking, &all, &behind_scan));
            }
            all.extend(between);
        }
    }

    /// The members that an instruction between them keeps from moving: those behind it where it needs the scan, else those
    /// before it.
    fn kept_by(&self, at: usize, all: &BTreeSet<usize>, behind_scan: &BTreeSet<usize>) -> BTreeSet<usize> {
        let side = if behind_scan.contains(&at) { self.graph.below([at]) } else { self.graph.above([at]) };
        side.intersection(all).copied().collect()
    }

    /// Whether fewer large values are left.
    fn saves(&self, all: &BTreeSet<usize>, copied: &BTreeSet<usize>) -> bool {
        let results = |at: &usize| self.function.body.instructions[*at].results.iter().copied();
        let own = all.iter().chain([&self.scan]).flat_map(results).filter(|id| self.is_large(*id));
        let leaves = |id: &ValueId| {
            let made = self.graph.maker(*id);
            let inside = |at: usize| all.contains(&at) || at == self.scan;
            let outside = self.graph.leaves(*id) || self.graph.readers(*id).any(|at| !inside(at));
            outside && made.is_some_and(|at| !copied.contains(&at))
        };
        let (before, after) = (own.clone().filter(|id| self.graph.is_read(*id)).count(), own.filter(leaves).count());
        after < before
    }
}
