//! Shifts of what is large, as what is computed from shifts of what is small.
//!
//! `shift f(x..)` is `where(there, f(shift x..), 0)`, with `there` 1 where the position that is looked at exists. So a decay
//! that is the size of a state need not be stored to be read at the next position: see `sink`. No bit of a result changes.

use std::collections::BTreeMap;

use genesys_ir::module::{Axis, Expr, Function, Instruction, Op, Stage, Type, ValueId};
use genesys_scalar::Function::Where;

use crate::expr::{apply, number};
use crate::fold::{Known, known};
use crate::work::{elements, value};

/// Rewrites the shifts of a function that read maps of smaller values; says whether there was one.
pub(crate) fn expand(axes: &[Axis], function: &mut Function) -> bool {
    let known = known(function);
    let Function { values, body, .. } = function;
    let mut changed = false;
    let mut kept = Vec::with_capacity(body.instructions.len());
    for instruction in std::mem::take(&mut body.instructions) {
        let mut shifts =
            Shifts { axes, types: values, known: &known, op: &instruction.op, done: BTreeMap::new(), out: Vec::new() };
        if shifts.is_smaller(&instruction) {
            shifts.rewrite(&instruction);
            kept.append(&mut shifts.out);
            changed = true;
        } else {
            kept.push(instruction);
        }
    }
    body.instructions = kept;
    changed
}

struct Shifts<'a> {
    axes: &'a [Axis],
    types: &'a mut Vec<Type>,
    known: &'a Known,
    /// The shift.
    op: &'a Op,
    /// What values are called where they are shifted.
    done: BTreeMap<ValueId, ValueId>,
    out: Vec<Instruction>,
}

impl Shifts<'_> {
    fn size(&self, id: ValueId) -> Option<u64> {
        elements(self.axes, &self.types[id.0 as usize])
    }

    /// Whether an instruction shifts what is computed from less.
    fn is_smaller(&self, Instruction { op, args, .. }: &Instruction) -> bool {
        let (Op::Shift { .. }, Some(size)) = (op, args.first().and_then(|id| self.size(*id))) else { return false };
        let mut leaves = Vec::new();
        self.leaves(args[0], size, &mut leaves);
        let read: Option<u64> = leaves.iter().map(|id| self.size(*id)).sum();
        !leaves.is_empty() && read.is_some_and(|read| read < size)
    }

    /// What a value is a map of, or an outer product; nothing of any other value.
    fn mapped(&self, id: ValueId) -> Option<(&Op, &[ValueId])> {
        match self.known.get(id.0 as usize)?.as_ref()? {
            (op @ Op::Map(_), args) => Some((op, args)),
            (op @ Op::Contract { axes }, args) if axes.is_empty() => Some((op, args)),
            _ => None,
        }
    }

    /// What a value of that many elements is computed from, through maps of as many.
    fn leaves(&self, id: ValueId, size: u64, found: &mut Vec<ValueId>) {
        if self.types[id.0 as usize].stage == Stage::Const || found.contains(&id) {
            return;
        }
        match self.mapped(id).filter(|_| self.size(id) == Some(size)) {
            Some((_, args)) => args.iter().for_each(|arg| self.leaves(*arg, size, found)),
            None => found.push(id),
        }
    }

    fn rewrite(&mut self, Instruction { args, results, .. }: &Instruction) {
        let size = self.size(args[0]).unwrap_or(0);
        let inner = self.shifted(args[0], size);
        let plain = Type { axes: Vec::new(), ..self.types[results[0].0 as usize].clone() };
        let position = self.push(Op::Position, Vec::new(), plain.clone());
        let one = self.push(Op::Map(number(1.0)), vec![position], plain.clone());
        let there = self.push(self.op.clone(), vec![one], plain);
        let op = Op::Map(apply(Where, [Expr::Arg(0), Expr::Arg(1), number(0.0)]));
        self.out.push(Instruction { op, args: vec![there, inner], results: results.clone() });
    }

    /// The value that one is at the position that is looked at; anything where there is none.
    fn shifted(&mut self, id: ValueId, size: u64) -> ValueId {
        let ty = self.types[id.0 as usize].clone();
        if ty.stage == Stage::Const {
            return id;
        }
        if let Some(done) = self.done.get(&id) {
            return *done;
        }
        let map = self.mapped(id).filter(|_| self.size(id) == Some(size));
        let result = match map.map(|(op, args)| (op.clone(), args.to_vec())) {
            Some((op, args)) => {
                let args = args.into_iter().map(|arg| self.shifted(arg, size)).collect();
                self.push(op, args, ty)
            }
            None => self.push(self.op.clone(), vec![id], ty),
        };
        self.done.insert(id, result);
        result
    }

    fn push(&mut self, op: Op, args: Vec<ValueId>, ty: Type) -> ValueId {
        let result = value(self.types, ty);
        self.out.push(Instruction { op, args, results: vec![result] });
        result
    }
}
