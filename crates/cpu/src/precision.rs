//! In which numbers a program computes, and which of its values lie in fewer bits.
//!
//! In: a module, and the schedules of its functions. Out: of each function, the values whose buffers hold bf16. Everything is
//! computed in f32 from what lies there; products alone read bf16, and sum in f32. Not here: who reads and writes such a buffer.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use genesys_ir::module::{Adjoint, AxisId, Expr, Function, Instruction, Module, Op, Region, Stage, ValueId};
use genesys_ir::reads;
use genesys_scalar::Function as Scalar;

use crate::lower::schedule::{Kind, Schedule};

/// In which numbers products are computed and values are kept. Weights, gradients, moments, sums and losses are f32 in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// Products of bf16 that are summed in f32, and bf16 for what is kept at every position.
    Bf16,
}

impl Precision {
    /// What this processor computes instead: bf16 only where it multiplies these.
    #[must_use]
    pub fn here(self) -> Self {
        self.with(genesys_kernels::has_bf16())
    }

    /// What a processor computes that multiplies bf16, or does not.
    fn with(self, multiplies: bool) -> Self {
        match self {
            Self::Bf16 if multiplies => Self::Bf16,
            Self::Bf16 | Self::F32 => Self::F32,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Self::F32, Self::Bf16];
        let found = all.into_iter().find(|precision| precision.to_string() == name);
        found.ok_or_else(|| format!("expected f32 or bf16, found `{name}`"))
    }
}

/// Elements that a value has at a position, to be worth rounding. They are even, so that pairs follow one another.
const WIDTH: usize = 16;

/// A value of a function, by the numbers of both.
type Home = (usize, ValueId);

/// How many elements a value's axes have together; none where a position sees more than another.
type Count<'a> = dyn Fn(&[AxisId]) -> Option<usize> + 'a;

/// Of each function, the values whose buffers hold bf16; `count` tells how many elements axes have.
///
/// It is a value that only products of matrices read, which round it anyway; or one that a product of matrices gave. A value that
/// is passed is one buffer for all functions that know it, so this holds in all of them. It stays f32 where one of them
/// - takes it and gives it on, as blocks do with what they add to, or takes it from or gives it to who runs the program,
/// - reads or writes it in a recurrence, or at other positions by itself, or adds it to the rows of a table,
/// - sums it up where it lies,
/// - decides by it: comparisons and the largest must come out the same wherever they are computed.
pub(crate) fn narrow(module: &Module, schedules: &[Schedule<'_>], count: &Count<'_>) -> Vec<BTreeSet<ValueId>> {
    let mut classes = Classes::default();
    let mut wide: BTreeSet<Home> = BTreeSet::new();
    let (mut read, mut made): (BTreeSet<Home>, BTreeSet<Home>) = (BTreeSet::new(), BTreeSet::new());
    for (f, (function, schedule)) in module.functions.iter().zip(schedules).enumerate() {
        for (own, theirs) in passed(module, schedule) {
            classes.join((f, own), theirs);
        }
        let small = |id: &ValueId| count(&function.ty(*id).axes).is_none_or(|n| n < WIDTH || !n.is_multiple_of(2));
        let kept = homes(function, schedule);
        let apart = of_apart(schedule).into_iter().chain(of_decisions(schedule));
        wide.extend(kept.iter().copied().filter(small).chain(apart).map(|id| (f, id)));
        let products = Products { function, count };
        read.extend(products.read_otherwise(schedule).into_iter().map(|id| (f, id)));
        made.extend(kept.into_iter().filter(|id| !products.gave(schedule, *id)).map(|id| (f, id)));
    }
    // What is handed in and out.
    let main = module.main();
    wide.extend(main.inputs.iter().chain(&main.body.results).map(|id| (module.functions.len() - 1, *id)));
    // What a function takes and gives on.
    for (f, function) in module.functions.iter().enumerate() {
        let taken: BTreeSet<Home> = function.inputs.iter().map(|id| classes.of((f, *id))).collect();
        wide.extend(function.body.results.iter().map(|id| classes.of((f, *id))).filter(|class| taken.contains(class)));
    }
    let [mut wide, read, made] = [wide, read, made].map(|all| all.into_iter().map(|home| classes.of(home)).collect());
    BTreeSet::extend(&mut wide, BTreeSet::intersection(&read, &made));
    let of = |(f, (function, schedule)): (usize, (&Function, &Schedule<'_>))| {
        homes(function, schedule).into_iter().filter(|id| !wide.contains(&classes.of((f, *id)))).collect()
    };
    module.functions.iter().zip(schedules).enumerate().map(of).collect()
}

/// The values that a function passes to others and takes from them, with what they are there.
fn passed(module: &Module, schedule: &Schedule<'_>) -> Vec<(ValueId, Home)> {
    let mut found = Vec::new();
    for instruction in &schedule.instructions {
        let Op::Call { function: callee, .. } = &instruction.op else { continue };
        let other = module.function(*callee);
        let pairs =
            instruction.args.iter().zip(&other.inputs).chain(instruction.results.iter().zip(&other.body.results));
        found.extend(pairs.map(|(own, theirs)| (*own, (callee.0 as usize, *theirs))));
    }
    found
}

/// The products of matrices of a function: those large enough to be worth rounding.
struct Products<'a> {
    function: &'a Function,
    count: &'a Count<'a>,
}

impl Products<'_> {
    /// Whether it is a product of matrices, by its axes; where all values of an axis are seen, they are many.
    fn is_one(&self, instruction: &Instruction) -> bool {
        let (Op::Contract { axes } | Op::Adjoint(Adjoint::Contract { axes })) = &instruction.op else { return false };
        let own = |i: usize, j: usize| -> Vec<AxisId> {
            let axes_of = |i: usize| &self.function.ty(instruction.args[i]).axes;
            axes_of(i).iter().copied().filter(|axis| !axes.contains(axis) && !axes_of(j).contains(axis)).collect()
        };
        let many = |axes: &[AxisId]| (self.count)(axes).is_none_or(|n| n >= WIDTH);
        match instruction.op {
            // Positions are summed over, too.
            Op::Adjoint(_) => many(&own(0, 1)) && many(&own(1, 0)),
            _ => many(axes) && (many(&own(0, 1)) || many(&own(1, 0))),
        }
    }

    /// The values that a kernel reads otherwise than as operands of such products, but for what is at hand where it was computed.
    fn read_otherwise(&self, schedule: &Schedule<'_>) -> BTreeSet<ValueId> {
        let mut found = BTreeSet::new();
        for (i, instruction) in schedule.instructions.iter().enumerate() {
            let kind = schedule.kinds[i];
            if kind == Kind::View || matches!(instruction.op, Op::Call { .. }) || self.is_one(instruction) {
                continue;
            }
            let own = schedule.reads(i);
            let near = |id: &ValueId| {
                let source = schedule.definition.get(id).map(|(source, _)| *source);
                let level = source.is_some_and(|source| schedule.levels[source] == schedule.levels[i]);
                level && matches!(kind, Kind::Each | Kind::Sum)
            };
            let all = match &instruction.op {
                Op::Past { body, .. } => self.read_within(body, &own),
                _ => own,
            };
            found.extend(all.into_iter().filter(|id| !near(id)).map(|id| schedule.root(id)));
        }
        found
    }

    /// Of `all`, what a region reads otherwise than by products, through what sees and arranges it.
    fn read_within(&self, body: &Region, all: &BTreeSet<ValueId>) -> BTreeSet<ValueId> {
        let mut found = BTreeSet::new();
        for start in all {
            let mut same = BTreeSet::from([*start]);
            let mut others = body.results.contains(start);
            for instruction in &body.instructions {
                if !reads(instruction).iter().any(|id| same.contains(id)) {
                    continue;
                }
                match &instruction.op {
                    Op::View(_) | Op::Blocks { .. } => same.extend(&instruction.results),
                    Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Broadcast { .. } => {
                        same.extend(&instruction.results);
                    }
                    _ => others |= !self.is_one(instruction),
                }
            }
            if others {
                found.insert(*start);
            }
        }
        found
    }

    /// Whether such a product gave a value here, or another function did.
    fn gave(&self, schedule: &Schedule<'_>, id: ValueId) -> bool {
        let Some((i, which)) = schedule.definition.get(&id) else { return true };
        let instruction = schedule.instructions[*i];
        match &instruction.op {
            Op::Call { .. } => true,
            Op::Past { body, .. } => {
                let made = body.instructions.iter().find(|made| made.results.contains(&body.results[*which]));
                made.is_some_and(|made| self.is_one(made))
            }
            _ => self.is_one(instruction),
        }
    }
}

/// The values of positions that have a buffer.
fn homes(function: &Function, schedule: &Schedule<'_>) -> BTreeSet<ValueId> {
    let fixed = |id: &ValueId| schedule.definition.get(id).is_some_and(|(i, _)| schedule.kinds[*i] == Kind::Fixed);
    let ends = function.inputs.iter().chain(&function.body.results);
    let all = schedule.kept.iter().chain(ends).copied();
    all.filter(|id| function.ty(*id).stage == Stage::Seq && !fixed(id)).collect()
}

/// What kernels read or write that know f32 alone.
fn of_apart(schedule: &Schedule<'_>) -> BTreeSet<ValueId> {
    let mut found = BTreeSet::new();
    for (i, instruction) in schedule.instructions.iter().enumerate() {
        let all = match &instruction.op {
            _ if schedule.shorts.by.contains_key(&i) => true,
            Op::Scan { .. } => true,
            Op::Adjoint(Adjoint::Gather { .. }) => true,
            _ => schedule.kinds[i] == Kind::Far,
        };
        if all {
            found.extend(schedule.reads(i));
            found.extend(&instruction.results);
        }
        if let Op::Past { body, .. } = &instruction.op {
            let summed = |id: &ValueId| {
                let made = body.instructions.iter().find(|made| made.results.contains(id));
                made.is_some_and(|made| matches!(made.op, Op::Adjoint(Adjoint::View(_) | Adjoint::Blocks { .. })))
            };
            let pairs = instruction.results.iter().zip(&body.results);
            found.extend(pairs.filter(|(_, value)| summed(value)).map(|(result, _)| *result));
        }
    }
    found.into_iter().map(|id| schedule.root(id)).collect()
}

/// What a decision is computed from, however far away.
fn of_decisions(schedule: &Schedule<'_>) -> BTreeSet<ValueId> {
    let mut found = BTreeSet::new();
    let decides = schedule.instructions.iter().filter(|instruction| is_sharp(instruction));
    let mut left: Vec<ValueId> = decides.flat_map(|instruction| reads(instruction)).collect();
    while let Some(id) = left.pop() {
        if !found.insert(id) {
            continue;
        }
        match schedule.definition.get(&id).map(|(i, _)| schedule.instructions[*i]) {
            Some(Instruction { op: Op::Call { .. }, .. }) | None => {}
            Some(instruction) => left.extend(reads(instruction)),
        }
    }
    found
}

/// Whether a small change of an operand changes its result by much.
fn is_sharp(instruction: &Instruction) -> bool {
    let within = |body: &Region| body.instructions.iter().any(is_sharp);
    match &instruction.op {
        Op::Map(expr) => decides(expr),
        Op::Top { .. } | Op::Picked { .. } | Op::Adjoint(Adjoint::Top { .. }) => true,
        Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => within(body),
        _ => false,
    }
}

fn decides(expr: &Expr) -> bool {
    match expr {
        Expr::Arg(_) | Expr::Const(_) => false,
        Expr::Apply(function, operands) => {
            let sharp = matches!(
                function,
                Scalar::Sign
                    | Scalar::Floor
                    | Scalar::Round
                    | Scalar::Rem
                    | Scalar::Less
                    | Scalar::AtMost
                    | Scalar::Equal
            );
            sharp || operands.iter().any(decides)
        }
    }
}

/// Values that are one buffer.
#[derive(Default)]
struct Classes(BTreeMap<Home, Home>);

impl Classes {
    fn of(&self, mut home: Home) -> Home {
        while let Some(next) = self.0.get(&home) {
            home = *next;
        }
        home
    }

    fn join(&mut self, a: Home, b: Home) {
        let (a, b) = (self.of(a), self.of(b));
        if a != b {
            self.0.insert(a, b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_without_the_instructions_computes_f32() {
        use Precision::{Bf16, F32};
        let all = [(Bf16, true), (Bf16, false), (F32, true), (F32, false)];
        assert_eq!(all.map(|(asked, multiplies)| asked.with(multiplies)), [Bf16, F32, F32, F32]);
    }
}
