//! Which kernel computes what: a level for each instruction of a function.
//!
//! What looks at its own position only is computed in the kernel `Each` of its level, as many instructions in one as can be. What
//! must see other positions, or gives sums over them, ends a level. Within a level come constants, `Each`, then all that ends it.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Adjoint, AxisId, Direction, Function, Instruction, Op, Stage, Type, ValueId};
use genesys_ir::reads;

use crate::error::Result;
use crate::lower::convolve::Shorts;
use crate::lower::emit::restrided;
use crate::view::{LocalId, Place, Spot, View};

/// How an instruction is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Found where it is needed: constants, numbers, weights.
    Leaf,
    /// Other strides over its operand.
    View,
    /// Of the position alone: computed before the first step.
    Fixed,
    /// The same at every position.
    Once,
    /// By position.
    Each,
    /// By position, from the values of other positions.
    Far,
    /// By position, summed over all.
    Sum,
    /// A kernel of its own.
    Whole,
}

/// The levels of a function's values.
#[derive(Debug)]
pub(crate) struct Schedule<'m> {
    pub(crate) instructions: Vec<&'m Instruction>,
    pub(crate) kinds: Vec<Kind>,
    /// The level of each instruction.
    pub(crate) levels: Vec<usize>,
    /// Which instruction defines a value, and which of its results it is.
    pub(crate) definition: BTreeMap<ValueId, (usize, usize)>,
    /// The values that must have a buffer: they are read by another kernel than their own, or leave the function.
    pub(crate) kept: BTreeSet<ValueId>,
    /// The forward scans of whose results one reverse scan alone reads the largest: by that, each at most once.
    pub(crate) pairs: BTreeMap<usize, usize>,
    /// Those results: they are there only while that scan runs.
    pub(crate) held: BTreeSet<ValueId>,
    /// Short convolutions.
    pub(crate) shorts: Shorts,
}

impl<'m> Schedule<'m> {
    /// The schedule of a function; `size` tells the size of a static axis.
    pub(crate) fn new(function: &'m Function, size: &dyn Fn(AxisId) -> Result<usize>) -> Result<Self> {
        let instructions: Vec<&Instruction> = function.body.instructions.iter().collect();
        let mut definition = BTreeMap::new();
        for (i, instruction) in instructions.iter().enumerate() {
            definition.extend(instruction.results.iter().enumerate().map(|(k, id)| (*id, (i, k))));
        }
        let mut schedule = Self {
            kinds: Vec::with_capacity(instructions.len()),
            levels: vec![0; instructions.len()],
            instructions,
            definition,
            kept: BTreeSet::new(),
            pairs: BTreeMap::new(),
            held: BTreeSet::new(),
            shorts: Shorts::default(),
        };
        schedule.shorts = Shorts::new(function, &schedule.instructions);
        schedule.classify(function, size)?;
        schedule.pair(function, size)?;
        schedule.earliest();
        schedule.later(function);
        schedule.keep(function);
        Ok(schedule)
    }

    /// What an instruction reads.
    pub(crate) fn reads(&self, i: usize) -> BTreeSet<ValueId> {
        match self.shorts.by.get(&i) {
            Some(short) => BTreeSet::from([short.far, short.near]),
            None if self.shorts.gone.contains(&i) => BTreeSet::new(),
            None => reads(self.instructions[i]).into_iter().collect(),
        }
    }

    /// Whether an instruction reads a value at other positions.
    pub(crate) fn is_far(&self, i: usize, id: ValueId) -> bool {
        match self.shorts.by.get(&i) {
            Some(short) => short.far == id,
            None => self.kinds[i] == Kind::Far,
        }
    }

    /// The value whose elements a value's are, through views.
    pub(crate) fn root(&self, mut id: ValueId) -> ValueId {
        while let Some((i, _)) = self.definition.get(&id) {
            if self.kinds[*i] != Kind::View {
                break;
            }
            id = self.instructions[*i].args[0];
        }
        id
    }

    fn classify(&mut self, function: &Function, size: &dyn Fn(AxisId) -> Result<usize>) -> Result<()> {
        // Values that leave must lie densely, so no view will do.
        let mut leaving: BTreeSet<ValueId> = function.body.results.iter().copied().collect();
        for instruction in &self.instructions {
            if matches!(instruction.op, Op::Call { .. }) {
                leaving.extend(&instruction.args);
            }
        }
        let mut fixed: BTreeSet<ValueId> = BTreeSet::new();
        // What views are of values that lie densely; what is none is copied.
        let mut views: BTreeMap<ValueId, View> = BTreeMap::new();
        for (i, instruction) in self.instructions.iter().enumerate() {
            let stage = function.ty(instruction.results[0]).stage;
            let mut own = kind(function, instruction, stage);
            if self.shorts.gone.contains(&i) {
                own = Kind::Leaf;
            } else if self.shorts.by.contains_key(&i) && stage == Stage::Seq {
                own = Kind::Far;
            }
            if own == Kind::View {
                let arg = instruction.args[0];
                let x = match views.get(&arg) {
                    Some(view) => view.clone(),
                    None => dense(function.ty(arg), size)?,
                };
                match restrided(size, &instruction.op, &x)? {
                    Some(view) => _ = views.insert(instruction.results[0], view),
                    None => own = by_stage(stage),
                }
            }
            let alike = instruction.args.iter().all(|id| fixed.contains(id));
            let plain = matches!(own, Kind::Leaf | Kind::View | Kind::Once | Kind::Each);
            let known = !matches!(instruction.op, Op::Weight(_) | Op::Layer | Op::Gather { .. });
            if plain && known && alike && stage != Stage::Loss {
                fixed.extend(&instruction.results);
            }
            let leaves = instruction.results.iter().any(|id| leaving.contains(id));
            self.kinds.push(match own {
                Kind::View | Kind::Leaf if leaves => {
                    if stage == Stage::Seq {
                        Kind::Each
                    } else {
                        Kind::Once
                    }
                }
                Kind::Each if fixed.contains(&instruction.results[0]) && !leaves => Kind::Fixed,
                own => own,
            });
        }
        Ok(())
    }

    /// The first level in which a value can be read by position.
    fn readable(&self, id: ValueId) -> usize {
        let Some((i, _)) = self.definition.get(&id) else { return 0 };
        match self.kinds[*i] {
            Kind::Leaf | Kind::Fixed => 0,
            Kind::View => self.readable(self.instructions[*i].args[0]),
            Kind::Once | Kind::Each | Kind::Far => self.levels[*i],
            Kind::Sum | Kind::Whole => self.levels[*i] + 1,
        }
    }

    /// Whether a value is computed by position, through views.
    fn by_position(&self, id: ValueId) -> Option<usize> {
        let (i, _) = self.definition.get(&self.root(id))?;
        matches!(self.kinds[*i], Kind::Each | Kind::Far).then_some(*i)
    }

    fn earliest(&mut self) {
        for i in 0..self.instructions.len() {
            let operands = self.reads(i);
            let level = |id: &ValueId| {
                let far = self.is_far(i, *id) && self.by_position(*id).is_some();
                self.readable(*id) + usize::from(far)
            };
            self.levels[i] = operands.iter().map(level).max().unwrap_or(0);
        }
    }

    /// Moves what is read in later levels only there, where that keeps no more values: what it reads is there as well.
    fn later(&mut self, function: &Function) {
        let mut users: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
        for i in 0..self.instructions.len() {
            if self.kinds[i] != Kind::View {
                self.reads(i).into_iter().for_each(|id| users.entry(self.root(id)).or_default().push(i));
            }
        }
        let leaves: BTreeSet<ValueId> = function.body.results.iter().map(|id| self.root(*id)).collect();
        for i in (0..self.instructions.len()).rev() {
            let Instruction { op, args, results } = self.instructions[i];
            if self.kinds[i] != Kind::Each || matches!(op, Op::Contract { .. }) || leaves.contains(&results[0]) {
                continue;
            }
            let Some(readers) = users.get(&results[0]) else { continue };
            // A far reader wants it one level before.
            let far = |reader: usize| {
                self.reads(reader).iter().any(|id| self.root(*id) == results[0] && self.is_far(reader, *id))
            };
            let wanted = |reader: &usize| self.levels[*reader] - usize::from(far(*reader));
            let latest = readers.iter().map(wanted).min().unwrap_or(self.levels[i]);
            let free = |id: &ValueId| match self.by_position(*id) {
                None => true,
                Some(source) => {
                    let root = self.root(*id);
                    let own = users.get(&root).is_some_and(|users| users.iter().all(|user| *user == i));
                    let kept = users.get(&root).is_some_and(|users| {
                        users
                            .iter()
                            .any(|user| self.kinds[*user] == Kind::Whole || self.levels[*user] > self.levels[source])
                    });
                    leaves.contains(&root) || kept || own
                }
            };
            if latest > self.levels[i] && args.iter().all(free) {
                self.levels[i] = latest;
            }
        }
    }

    /// Finds the forward scans of whose results one reverse scan alone reads the largest.
    fn pair(&mut self, function: &Function, size: &dyn Fn(AxisId) -> Result<usize>) -> Result<()> {
        let direction = |i: usize| match &self.instructions[i].op {
            Op::Scan { direction, .. } => Some(*direction),
            _ => None,
        };
        let mut readers: BTreeMap<ValueId, BTreeSet<usize>> = BTreeMap::new();
        for i in 0..self.instructions.len() {
            self.reads(i).into_iter().for_each(|id| _ = readers.entry(id).or_default().insert(i));
        }
        // What leaves is read by nobody here, and yet kept.
        function.body.results.iter().for_each(|id| _ = readers.entry(*id).or_default().insert(usize::MAX));
        let elements =
            |id: &ValueId| -> Result<usize> { function.ty(*id).axes.iter().map(|axis| size(*axis)).product() };
        for (i, instruction) in self.instructions.iter().enumerate() {
            if direction(i) != Some(Direction::Forward) {
                continue;
            }
            let mut alone: BTreeMap<usize, Vec<ValueId>> = BTreeMap::new();
            let mut others = 0;
            for id in &instruction.results {
                match readers.get(id).map(|readers| readers.iter().copied().collect::<Vec<_>>()).as_deref() {
                    Some([reader]) if *reader != usize::MAX && direction(*reader) == Some(Direction::Reverse) => {
                        alone.entry(*reader).or_default().push(*id);
                    }
                    Some(_) => others = others.max(elements(id)?),
                    None => {}
                }
            }
            for (reader, held) in alone {
                let largest = held.iter().map(&elements).collect::<Result<Vec<_>>>()?.into_iter().max();
                if largest > Some(others) && !self.pairs.contains_key(&reader) {
                    self.pairs.insert(reader, i);
                    self.held.extend(held);
                    break;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, function: &Function) {
        let mut kept: BTreeSet<ValueId> = function.body.results.iter().copied().collect();
        for i in 0..self.instructions.len() {
            if self.kinds[i] == Kind::View {
                continue;
            }
            for id in self.reads(i) {
                let Some((source, _)) = self.definition.get(&self.root(id)) else { continue };
                let near = matches!(self.kinds[i], Kind::Each | Kind::Sum | Kind::Far)
                    && !self.is_far(i, id)
                    && self.levels[i] == self.levels[*source];
                match self.kinds[*source] {
                    Kind::Leaf | Kind::View => {}
                    Kind::Each | Kind::Far if near => {}
                    Kind::Fixed if self.kinds[i] == Kind::Fixed => {}
                    _ => _ = kept.insert(self.root(id)),
                }
            }
        }
        for (i, instruction) in self.instructions.iter().enumerate() {
            if matches!(self.kinds[i], Kind::Whole | Kind::Sum | Kind::Once) {
                kept.extend(&instruction.results);
            }
        }
        kept.retain(|id| !self.held.contains(id));
        self.kept = kept;
    }
}

/// How an operation is run whose result has that stage.
fn kind(function: &Function, Instruction { op, args, .. }: &Instruction, stage: Stage) -> Kind {
    let by_stage = by_stage(stage);
    match op {
        Op::Weight(_) | Op::Constant(_) | Op::Layer | Op::Index(_) => Kind::Leaf,
        Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Broadcast { .. } => Kind::View,
        Op::Position | Op::Age(_) | Op::Map(_) | Op::Reduce { .. } | Op::Softmax { .. } | Op::Contract { .. } => {
            by_stage
        }
        Op::Concat { .. } | Op::Pad { .. } | Op::Stack { .. } | Op::Top { .. } | Op::Picked { .. } => by_stage,
        Op::Cumsum(_) | Op::After(_) | Op::Gather { .. } | Op::View(_) | Op::Blocks { .. } | Op::Grad { .. } => {
            by_stage
        }
        Op::Shift { .. } | Op::Window { .. } | Op::Pool { .. } => Kind::Far,
        Op::Past { .. } | Op::Scan { .. } | Op::Call { .. } => Kind::Whole,
        Op::CrossEntropy { .. } | Op::MeanTokens => Kind::Sum,
        Op::Adjoint(op) => match op {
            Adjoint::Total => Kind::Sum,
            Adjoint::Contract { axes } => {
                let kept = |i: usize| -> BTreeSet<AxisId> {
                    function.ty(args[i]).axes.iter().filter(|axis| !axes.contains(axis)).copied().collect()
                };
                // Without columns of its own on both sides it is no product of matrices.
                let (a, b) = (kept(0), kept(1));
                if a.is_subset(&b) || b.is_subset(&a) { Kind::Sum } else { Kind::Whole }
            }
            Adjoint::Gather { .. } => Kind::Whole,
            Adjoint::CrossEntropy { .. } | Adjoint::MeanTokens | Adjoint::Top { .. } | Adjoint::Before(_) => by_stage,
            Adjoint::View(_) | Adjoint::Blocks { .. } => by_stage,
            Adjoint::Window { .. } | Adjoint::Pool { .. } => Kind::Far,
        },
    }
}

fn by_stage(stage: Stage) -> Kind {
    match stage {
        Stage::Const | Stage::Loss => Kind::Once,
        Stage::Seq | Stage::Step => Kind::Each,
    }
}

/// A value that lies densely in the order of its axes.
fn dense(ty: &Type, size: &dyn Fn(AxisId) -> Result<usize>) -> Result<View> {
    let sized: Vec<(AxisId, usize)> = ty.axes.iter().map(|axis| Ok((*axis, size(*axis)?))).collect::<Result<_>>()?;
    let row = sized.iter().map(|(_, n)| n).product();
    Ok(View::dense(Spot::new(Place::Local(LocalId(0)), row), &sized))
}
