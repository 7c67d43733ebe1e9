//! Instructions moved into the step of a scan, and all others in an order that is right again.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Function, Instruction, Op, Region, Stage, Type, ValueId};
use genesys_ir::{reads, substitute};

use crate::sink::Members;
use crate::work::value;

/// Which instruction of a function makes a value, and which read it; those within regions count as the region.
pub(crate) struct Graph {
    /// What each instruction reads.
    pub(crate) reads: Vec<BTreeSet<ValueId>>,
    makers: BTreeMap<ValueId, usize>,
    readers: BTreeMap<ValueId, BTreeSet<usize>>,
    results: BTreeSet<ValueId>,
    /// The results of each instruction.
    made: Vec<Vec<ValueId>>,
}

impl Graph {
    pub(crate) fn of(function: &Function) -> Self {
        let instructions = &function.body.instructions;
        let reads: Vec<BTreeSet<ValueId>> = instructions.iter().map(reads).collect();
        let mut readers: BTreeMap<ValueId, BTreeSet<usize>> = BTreeMap::new();
        for (at, ids) in reads.iter().enumerate() {
            ids.iter().for_each(|id| _ = readers.entry(*id).or_default().insert(at));
        }
        let made: Vec<Vec<ValueId>> = instructions.iter().map(|instruction| instruction.results.clone()).collect();
        let makers = made.iter().enumerate().flat_map(|(at, ids)| ids.iter().map(move |id| (*id, at))).collect();
        Graph { reads, makers, readers, results: function.body.results.iter().copied().collect(), made }
    }

    /// The place of the instruction that makes a value, unless it is an argument.
    pub(crate) fn maker(&self, id: ValueId) -> Option<usize> {
        self.makers.get(&id).copied()
    }

    /// The places of those that read it.
    pub(crate) fn readers(&self, id: ValueId) -> impl Iterator<Item = usize> {
        self.readers.get(&id).into_iter().flatten().copied()
    }

    /// Whether it is a result of the function.
    pub(crate) fn leaves(&self, id: ValueId) -> bool {
        self.results.contains(&id)
    }

    pub(crate) fn is_read(&self, id: ValueId) -> bool {
        self.leaves(id) || self.readers(id).next().is_some()
    }

    /// What depends on instructions, these aside unless they depend on each other.
    pub(crate) fn below(&self, from: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        closure(from, |at| self.made[at].iter().flat_map(|id| self.readers(*id)).collect())
    }

    /// What instructions depend on, these aside unless they depend on each other.
    pub(crate) fn above(&self, from: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
        closure(from, |at| self.reads[at].iter().filter_map(|id| self.maker(*id)).collect())
    }
}

fn closure(from: impl IntoIterator<Item = usize>, next: impl Fn(usize) -> Vec<usize>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = from.into_iter().flat_map(&next).collect();
    while let Some(at) = open.pop() {
        if found.insert(at) {
            open.extend(next(at));
        }
    }
    found
}

/// Moves the members into their scan.
pub(crate) fn merge(function: &mut Function, members: Members) {
    let mut instructions = std::mem::take(&mut function.body.instructions);
    let mut step = Step { types: &mut function.values, inner: BTreeMap::new() };
    let mut all: Vec<Instruction> =
        members.all.difference(&members.behind).map(|at| step.moved(&instructions[*at])).collect();
    // What the scan reads of these it reads within.
    let scan = instructions[members.scan].clone();
    let mut scan = Region { instructions: vec![scan], results: Vec::new() };
    substitute(&mut scan, &|id| step.within(id));
    let Some(Instruction { op: Op::Scan { states, class, chunk, direction, reset, body }, results: given, .. }) =
        scan.instructions.pop()
    else {
        unreachable!("members belong to a scan")
    };
    step.inner.extend(given.iter().copied().zip(body.results));
    all.extend(body.instructions);
    all.extend(members.behind.iter().map(|at| step.moved(&instructions[*at])));
    let moved: BTreeSet<usize> = members.all.difference(&members.copied).copied().collect();
    let mut results = given;
    results.extend(moved.iter().flat_map(|at| instructions[*at].results.iter().copied()));
    let inside = |at: usize| moved.contains(&at) || at == members.scan;
    results.retain(|id| members.graph.leaves(*id) || members.graph.readers(*id).any(|at| !inside(at)));
    let body = Region { instructions: all, results: results.iter().map(|id| step.within(*id)).collect() };
    let op = Op::Scan { states, class, chunk, direction, reset, body };
    instructions[members.scan] = Instruction { op, args: Vec::new(), results };
    let left = instructions.into_iter().enumerate().filter(|(at, _)| !moved.contains(at));
    function.body.instructions = ordered(left.map(|(_, instruction)| instruction).collect());
}

struct Step<'a> {
    types: &'a mut Vec<Type>,
    /// What values are called within the step.
    inner: BTreeMap<ValueId, ValueId>,
}

impl Step<'_> {
    fn within(&self, id: ValueId) -> ValueId {
        self.inner.get(&id).copied().unwrap_or(id)
    }

    /// An instruction as it stands in the step.
    fn moved(&mut self, Instruction { op, args, results }: &Instruction) -> Instruction {
        let args: Vec<ValueId> = args.iter().map(|id| self.within(*id)).collect();
        let stage = args.iter().map(|id| self.types[id.0 as usize].stage).max().unwrap_or(Stage::Const);
        let mut named = Vec::with_capacity(results.len());
        for id in results {
            let ty = Type { stage, ..self.types[id.0 as usize].clone() };
            let name = value(self.types, ty);
            self.inner.insert(*id, name);
            named.push(name);
        }
        Instruction { op: op.clone(), args, results: named }
    }
}

/// Instructions in an order in which values are made before they are read, as near to theirs as can be.
fn ordered(instructions: Vec<Instruction>) -> Vec<Instruction> {
    let makers: BTreeMap<ValueId, usize> =
        instructions.iter().enumerate().flat_map(|(at, i)| i.results.iter().map(move |id| (*id, at))).collect();
    let needs: Vec<BTreeSet<usize>> =
        instructions.iter().map(|i| reads(i).iter().filter_map(|id| makers.get(id).copied()).collect()).collect();
    let mut readers = vec![Vec::new(); instructions.len()];
    for (at, needs) in needs.iter().enumerate() {
        needs.iter().for_each(|need| readers[*need].push(at));
    }
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut ready: BTreeSet<usize> = (0..missing.len()).filter(|at| missing[*at] == 0).collect();
    let mut left: Vec<Option<Instruction>> = instructions.into_iter().map(Some).collect();
    let mut out = Vec::with_capacity(left.len());
    while let Some(at) = ready.pop_first() {
        out.extend(left[at].take());
        for reader in &readers[at] {
            missing[*reader] -= 1;
            if missing[*reader] == 0 {
                ready.insert(*reader);
            }
        }
    }
    debug_assert!(left.iter().all(Option::is_none), "members are closed, so no instruction waits for itself");
    out
}
