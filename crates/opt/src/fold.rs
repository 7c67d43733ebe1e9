//! Computes constants, and takes away what only arranges what was arranged before.
//!
//! - An expression of numbers is its number, computed in f64; `x * 1`, `x / 1`, `x - 0` are `x`. Nothing is done that changes
//!   a bit of a result: `x + 0` stays, for it is 0 where `x` is -0. A quotient by a power of two is a product.
//! - A repeated operand of a map or a product is read as it was, where other operands have its axes; else the map is repeated
//!   instead. Operands that are neither read nor needed for the axes of the result go.
//! - An element of what was stacked is that element; a part of what was joined that part. What was regrouped twice is
//!   regrouped once, what was repeated twice repeated once. A copy is what it is a copy of.
//! - Cotangents that lie beside each other are arranged instead of added: see `joined`.
//!
//! Not here: anything that rounds differently, or that would read other values than before.

use std::collections::BTreeSet;

use genesys_axis::{Constant, Size};
use genesys_ir::module::{
    Adjoint, Axis, AxisId, Expr, Function, Instruction, Module, Op, Region, Stage, State, Type, ValueId,
};
use genesys_ir::{prune, substitute};

use crate::expr::{self, replaced, simplified};
use crate::joined;
use crate::operands::{Mapped, covers, needed};
use crate::work::{self, inner, updates};

/// Folds every function.
pub fn fold(module: &mut Module) {
    let Module { axes, functions, .. } = module;
    for function in functions {
        let changed = arrange(axes, function) | joined::join(axes, function);
        if changed {
            prune(function);
        }
    }
}

/// What each value was made by, where that is known here.
pub(crate) type Known = Vec<Option<(Op, Vec<ValueId>)>>;

/// The operations that make a function's values, those with regions aside.
pub(crate) fn known(function: &Function) -> Known {
    fn add(region: &Region, known: &mut Known) {
        for Instruction { op, args, results } in &region.instructions {
            match op {
                Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => add(body, known),
                op => {
                    if let [result] = results[..] {
                        known[result.0 as usize] = Some((op.clone(), args.clone()));
                    }
                }
            }
        }
    }
    let mut known = vec![None; function.values.len()];
    add(&function.body, &mut known);
    known
}

struct Fold<'a> {
    axes: &'a [Axis],
    types: &'a mut Vec<Type>,
    known: Known,
    /// For each value another one that is the same, or itself.
    same: Vec<ValueId>,
    /// What states hold, and what they become.
    held: BTreeSet<ValueId>,
    next: BTreeSet<ValueId>,
    changed: bool,
}

/// What an instruction becomes.
enum Becomes {
    /// Another operation on other operands.
    Op(Op, Vec<ValueId>),
    /// A value that is there.
    Value(ValueId),
    /// A map of other operands, of that type, repeated along axes.
    Repeated(Mapped, Type, Vec<AxisId>),
}

fn arrange(axes: &[Axis], function: &mut Function) -> bool {
    let mut body = std::mem::take(&mut function.body);
    let types = &mut function.values;
    let (known, same) = (vec![None; types.len()], (0..types.len() as u32).map(ValueId).collect());
    let mut fold = Fold { axes, types, known, same, held: BTreeSet::new(), next: BTreeSet::new(), changed: false };
    fold.region(&mut body, &BTreeSet::new());
    let Fold { same, changed, .. } = fold;
    if changed {
        substitute(&mut body, &|id| same[id.0 as usize]);
    }
    function.body = body;
    changed
}

impl Fold<'_> {
    /// Folds a region; `fixed` are values whose maps keep their form.
    fn region(&mut self, region: &mut Region, fixed: &BTreeSet<ValueId>) {
        let fixed = &fixed.union(&updates(region)).copied().collect();
        let mut kept = Vec::with_capacity(region.instructions.len());
        for mut instruction in std::mem::take(&mut region.instructions) {
            if let Op::Scan { states, .. } = &instruction.op {
                self.held.extend(states.iter().flat_map(State::defined));
                self.next.extend(states.iter().map(|state| state.next));
            }
            if let Some(body) = inner(&mut instruction.op) {
                self.region(body, fixed);
                kept.push(instruction);
            } else {
                kept.extend(self.instruction(instruction, fixed));
            }
        }
        region.instructions = kept;
    }

    /// The instruction in its last form, with what goes before it; nothing where its value is there.
    fn instruction(&mut self, mut instruction: Instruction, fixed: &BTreeSet<ValueId>) -> Vec<Instruction> {
        instruction.args.iter_mut().for_each(|id| *id = self.same[id.0 as usize]);
        let [result] = instruction.results[..] else { return vec![instruction] };
        let mut before = Vec::new();
        while !fixed.contains(&result)
            && let Some(becomes) = self.step(&instruction, result)
        {
            self.changed = true;
            match becomes {
                Becomes::Op(op, args) => (instruction.op, instruction.args) = (op, args),
                Becomes::Value(id) => {
                    self.same[result.0 as usize] = id;
                    return before;
                }
                Becomes::Repeated((expr, args), ty, axes) => {
                    let once = work::value(self.types, ty);
                    self.same.push(once);
                    self.known.push(Some((Op::Map(expr.clone()), args.clone())));
                    before.push(Instruction { op: Op::Map(expr), args, results: vec![once] });
                    (instruction.op, instruction.args) = (Op::Broadcast { axes }, vec![once]);
                }
            }
        }
        self.known[result.0 as usize] = Some((instruction.op.clone(), instruction.args.clone()));
        before.push(instruction);
        before
    }

    fn made(&self, id: ValueId) -> Option<(&Op, &[ValueId])> {
        self.known[id.0 as usize].as_ref().map(|(op, args)| (op, args.as_slice()))
    }

    fn ty(&self, id: ValueId) -> &Type {
        &self.types[id.0 as usize]
    }

    /// One simplification, where there is one.
    fn step(&self, Instruction { op, args, .. }: &Instruction, result: ValueId) -> Option<Becomes> {
        match op {
            Op::Map(expr) => self.map(expr, args, result),
            Op::Select { axis, index } => self.select(*axis, index, args[0], result),
            Op::Slice { whole, part, offset } => self.slice(*whole, *part, offset, args[0], result),
            Op::Regroup { from, to } => self.regroup(from, to, args[0], result),
            Op::Broadcast { axes } => self.broadcast(axes, args[0]),
            Op::Contract { axes } | Op::Adjoint(Adjoint::Contract { axes }) => self.contract(op, axes, args),
            _ => None,
        }
    }

    /// A value in place of another: the value itself, or a copy in the other's layout.
    fn instead(&self, id: ValueId, result: ValueId) -> Option<Becomes> {
        let (found, wanted) = (self.ty(id), self.ty(result));
        if found.stage != wanted.stage || found.dtype != wanted.dtype {
            return None;
        }
        let copy = || Becomes::Op(Op::Map(Expr::Arg(0)), vec![id]);
        Some(if found == wanted { Becomes::Value(id) } else { copy() })
    }

    fn map(&self, before: &Expr, args: &[ValueId], result: ValueId) -> Option<Becomes> {
        let ty = self.ty(result);
        let number = |i: usize| match self.made(args[i]) {
            Some((Op::Constant(constant), _)) => Expr::Const(constant.clone()),
            Some((Op::Map(Expr::Const(constant)), _)) => Expr::Const(constant.clone()),
            _ => Expr::Arg(i),
        };
        let expr = simplified(replaced(before, &number));
        if let (Some(value), true) = (expr::value(&expr), ty.axes.is_empty() && ty.stage == Stage::Const) {
            return Some(Becomes::Op(Op::Constant(Constant::Real(value)), Vec::new()));
        }
        let args_before = args;
        let (expr, args) = needed(self.types, ty, &(expr, self.unrepeated(args, ty)));
        // A copy of what a state holds stays where a state becomes it: so states change places.
        if let (Expr::Arg(0), [id]) = (&expr, &args[..])
            && self.ty(*id) == ty
            && !(self.held.contains(id) && self.next.contains(&result))
        {
            return Some(Becomes::Value(*id));
        }
        if args != args_before || expr != *before {
            return Some(Becomes::Op(Op::Map(expr), args));
        }
        self.behind(expr, args, ty)
    }

    /// A map with a repeated operand, whose axes no other one has, as the map of what is repeated: computed once, and repeated.
    fn behind(&self, expr: Expr, mut args: Vec<ValueId>, ty: &Type) -> Option<Becomes> {
        let repeated = args.iter().enumerate().find_map(|(i, id)| match self.made(*id)? {
            (Op::Broadcast { axes }, source) => Some((i, axes.clone(), source[0])),
            _ => None,
        });
        let (i, axes, source) = repeated?;
        let elsewhere = |j: usize| j != i && axes.iter().any(|axis| self.ty(args[j]).axes.contains(axis));
        if (0..args.len()).any(elsewhere) {
            return None;
        }
        args[i] = source;
        let kept = ty.axes.iter().copied().filter(|axis| !axes.contains(axis)).collect();
        Some(Becomes::Repeated((expr, args), Type { axes: kept, ..ty.clone() }, axes))
    }

    /// Operands as they were before they were repeated, where others have the axes.
    fn unrepeated(&self, args: &[ValueId], result: &Type) -> Vec<ValueId> {
        let mut args = args.to_vec();
        for i in 0..args.len() {
            let Some((Op::Broadcast { .. }, source)) = self.made(args[i]) else { continue };
            let before = std::mem::replace(&mut args[i], source[0]);
            if !covers(self.types, &args, result) {
                args[i] = before;
            }
        }
        args
    }

    fn select(&self, axis: AxisId, index: &Size, x: ValueId, result: ValueId) -> Option<Becomes> {
        match self.made(x)? {
            (Op::Stack { axis: stacked }, parts) if *stacked == axis => {
                self.instead(*parts.get(usize::try_from(index.as_int()?).ok()?)?, result)
            }
            _ => None,
        }
    }

    /// A part of what was joined, where it lies within one operand.
    fn slice(&self, whole: AxisId, part: AxisId, offset: &Size, x: ValueId, result: ValueId) -> Option<Becomes> {
        let size = |axis: AxisId| self.axes[axis.0 as usize].domain.size().and_then(Size::as_int);
        let (start, length) = (offset.as_int()?, size(part)?);
        let (Op::Concat { parts, whole: joined }, operands) = self.made(x)? else { return None };
        if *joined != whole {
            return None;
        }
        let mut begins = 0;
        for (own, id) in parts.iter().zip(operands) {
            let ends = begins + size(*own)?;
            if begins <= start && start + length <= ends {
                if self.ty(*id).stage != self.ty(result).stage {
                    return None;
                }
                if ends - begins > length {
                    let offset = Size::int(start - begins);
                    return Some(Becomes::Op(Op::Slice { whole: *own, part, offset }, vec![*id]));
                }
                let regrouped = Op::Regroup { from: vec![*own], to: vec![part] };
                return if *own == part { self.instead(*id, result) } else { Some(Becomes::Op(regrouped, vec![*id])) };
            }
            begins = ends;
        }
        None
    }

    fn regroup(&self, from: &[AxisId], to: &[AxisId], x: ValueId, result: ValueId) -> Option<Becomes> {
        let (Op::Regroup { from: first, to: middle }, source) = self.made(x)? else { return None };
        if middle.as_slice() != from {
            return None;
        }
        if first.as_slice() == to {
            return self.instead(source[0], result);
        }
        // The axes made may be there already, under the names of those that were taken.
        let free = to.iter().all(|axis| first.contains(axis) || !self.ty(source[0]).axes.contains(axis));
        let op = Op::Regroup { from: first.clone(), to: to.to_vec() };
        free.then(|| Becomes::Op(op, vec![source[0]]))
    }

    /// A product with what was repeated along axes that are not summed over, and that the other factor has.
    fn contract(&self, op: &Op, axes: &[AxisId], args: &[ValueId]) -> Option<Becomes> {
        for (own, other) in [(0, 1), (1, 0)] {
            let Some((Op::Broadcast { axes: repeated }, source)) = self.made(args[own]) else { continue };
            let there = &self.ty(args[other]).axes;
            if repeated.iter().all(|axis| there.contains(axis) && !axes.contains(axis)) {
                let mut args = args.to_vec();
                args[own] = source[0];
                return Some(Becomes::Op(op.clone(), args));
            }
        }
        None
    }

    fn broadcast(&self, axes: &[AxisId], x: ValueId) -> Option<Becomes> {
        let (Op::Broadcast { axes: before }, source) = self.made(x)? else { return None };
        let axes = axes.iter().chain(before).copied().collect();
        Some(Becomes::Op(Op::Broadcast { axes }, vec![source[0]]))
    }
}
