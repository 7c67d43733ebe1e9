//! Joins maps to expressions: what one map gives another is never stored.
//!
//! A map becomes part of the maps that read it where these are all its readers, have its axes (so that nothing is computed
//! more often), and stand in its region. One that is read several times is joined only where it is a few sums, products and
//! comparisons, which cost less than a value that is stored, and its readers are few. Joined expressions hold at most
//! [`APPLICATIONS`] functions and [`OPERANDS`] operands.
//!
//! The order of operations within an element is what it was: no bit of a result changes.
//!
//! Not here: reductions, which read maps; constants into what varies, which would be computed at every position; the updates
//! of scans of class `diagonal`, whose form says what is decay.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Function, Instruction, Module, Op, Region, Stage, Type, ValueId};
use genesys_ir::{Origins, renumber};

use crate::expr::{applications, is_cheap, operands};
use crate::operands::{Mapped, inlined};
use crate::work::{counts, inner, updates};

/// The most functions of a joined expression.
const APPLICATIONS: usize = 24;

/// The most operands of a joined expression.
const OPERANDS: usize = 12;

/// The most readers of a map that is joined to several, and the most functions that it holds.
const READERS: usize = 3;
const REPEATED: usize = 4;

/// Fuses every function.
pub fn fuse(module: &mut Module) {
    for function in &mut module.functions {
        let counts = counts(function);
        let Function { values, body, origins, .. } = function;
        let mut fusion = Fusion { types: values, origins, counts, changed: false };
        fusion.region(body, &BTreeSet::new());
        if fusion.changed {
            renumber(function);
        }
    }
}

struct Fusion<'a> {
    types: &'a [Type],
    origins: &'a mut Origins,
    /// How often each value is named.
    counts: Vec<u32>,
    changed: bool,
}

/// The instructions of a region, some of them taken away, and which of its maps read a value.
struct Maps {
    instructions: Vec<Option<Instruction>>,
    readers: BTreeMap<ValueId, BTreeSet<usize>>,
}

impl Fusion<'_> {
    fn region(&mut self, region: &mut Region, around: &BTreeSet<ValueId>) {
        let fixed: BTreeSet<ValueId> = around.union(&updates(region)).copied().collect();
        for instruction in &mut region.instructions {
            if let Some(body) = inner(&mut instruction.op) {
                self.region(body, &fixed);
            }
        }
        let mut maps = Maps::of(std::mem::take(&mut region.instructions), &fixed);
        for i in 0..maps.instructions.len() {
            if let Some((result, readers)) = self.joins(&maps, i, &fixed) {
                self.join(&mut maps, i, result, readers);
            }
        }
        region.instructions = maps.instructions.into_iter().flatten().collect();
    }

    /// The result of a map that becomes part of its readers, and these.
    fn joins(&self, maps: &Maps, i: usize, fixed: &BTreeSet<ValueId>) -> Option<(ValueId, BTreeSet<usize>)> {
        let (map, result) = maps.map(i)?;
        let readers = maps.readers.get(&result)?;
        let cheap = is_cheap(&map.0) && applications(&map.0) <= REPEATED && readers.len() <= READERS;
        let mut named = 0;
        for (reader, into) in readers.iter().map(|reader| maps.map(*reader)).collect::<Option<Vec<_>>>()? {
            named += reader.1.iter().filter(|id| **id == result).count();
            let mut times = 0;
            operands(&reader.0, &mut |which| times += usize::from(reader.1[which] == result));
            let once = readers.len() == 1 && times <= 1;
            let joined = inlined(&reader, result, &map);
            let small = applications(&joined.0) <= APPLICATIONS && joined.1.len() <= OPERANDS;
            if !(cheap || once) || !small || !self.alike(result, into) {
                return None;
            }
        }
        let all = named == self.counts[result.0 as usize] as usize;
        (all && !fixed.contains(&result)).then(|| (result, readers.clone()))
    }

    /// Whether values are computed equally often: of the same axes, and both at each position or both not.
    fn alike(&self, a: ValueId, b: ValueId) -> bool {
        let (a, b) = (&self.types[a.0 as usize], &self.types[b.0 as usize]);
        let each = |ty: &Type| matches!(ty.stage, Stage::Seq | Stage::Step);
        let stages = a.stage == b.stage || (each(a) && each(b));
        stages && a.axes.len() == b.axes.len() && a.axes.iter().all(|axis| b.axes.contains(axis))
    }

    fn join(&mut self, maps: &mut Maps, i: usize, result: ValueId, readers: BTreeSet<usize>) {
        self.changed = true;
        let Some((map, _)) = maps.map(i) else { return };
        self.named(&map.1, false);
        map.1.iter().for_each(|id| _ = maps.readers.get_mut(id).map(|readers| readers.remove(&i)));
        maps.instructions[i] = None;
        for j in readers {
            let Some((reader, into)) = maps.map(j) else { continue };
            self.origins.join(into, result);
            let (expr, args) = inlined(&reader, result, &map);
            self.named(&reader.1, false);
            self.named(&args, true);
            args.iter().for_each(|id| _ = maps.readers.entry(*id).or_default().insert(j));
            if let Some(instruction) = &mut maps.instructions[j] {
                (instruction.op, instruction.args) = (Op::Map(expr), args);
            }
        }
    }

    /// Counts operands as named, or as no longer named.
    fn named(&mut self, args: &[ValueId], more: bool) {
        for id in args {
            let count = &mut self.counts[id.0 as usize];
            *count = if more { *count + 1 } else { *count - 1 };
        }
    }
}

impl Maps {
    fn of(instructions: Vec<Instruction>, fixed: &BTreeSet<ValueId>) -> Self {
        let mut readers: BTreeMap<ValueId, BTreeSet<usize>> = BTreeMap::new();
        for (i, Instruction { op, args, results }) in instructions.iter().enumerate() {
            if matches!(op, Op::Map(_)) && !fixed.contains(&results[0]) {
                args.iter().for_each(|id| _ = readers.entry(*id).or_default().insert(i));
            }
        }
        Maps { instructions: instructions.into_iter().map(Some).collect(), readers }
    }

    /// The map at a place, and its result.
    fn map(&self, i: usize) -> Option<(Mapped, ValueId)> {
        match self.instructions[i].as_ref()? {
            Instruction { op: Op::Map(expr), args, results } => Some(((expr.clone(), args.clone()), results[0])),
            _ => None,
        }
    }
}
