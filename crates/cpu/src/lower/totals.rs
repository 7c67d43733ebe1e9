//! Sums over positions of what a recurrence gives, added up while it runs.
//!
//! What leaves a step as large as a state would be written for all positions, and read again, only to be summed: the cotangents
//! of initial states, for one. Where that sum is all that reads it, the step adds it to a sum that an item has, and those are
//! added up behind the kernel.
//!
//! In: a scan that goes position by position, taken apart. Out: operations of its step, and the kernel behind it. Not here: sums
//! of what is smaller, which are taken from where it lies.

use genesys_axis::Constant;
use genesys_ir::module::{Adjoint, Expr, Instruction, Op as IrOp, Region, ValueId};
use genesys_ir::reads;
use genesys_scalar::Function;

use crate::error::Result;
use crate::kernel::{Cut, Kernel};
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::scan::Parts;
use crate::op::Op;

/// A sum over all positions that a scan has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Its instruction.
    total: usize,
    /// Where this is 0, nothing is added.
    only: Option<ValueId>,
}

impl Lowering<'_> {
    /// Takes the sums over what a scan gives from the kernels behind it, and its results their buffers. Gives the step, in which a
    /// selection that is only summed is none: its condition says where to add.
    pub(crate) fn take_totals(&mut self, parts: &Parts<'_>) -> Result<Region> {
        let mut body = parts.body.clone();
        let sizes = parts.states.iter().map(|state| self.elements(state.current)).collect::<Result<Vec<_>>>()?;
        let largest = sizes.into_iter().max().unwrap_or(0);
        for (i, result) in parts.results.iter().enumerate() {
            if self.elements(*result)? >= largest
                && let Some(total) = self.total_of(*result)
                && self.homes.remove(result).is_some()
            {
                let only = self.selection(parts, &mut body, i);
                self.totals.insert(*result, Taken { total, only });
            }
        }
        Ok(body)
    }

    /// The sum over all positions that is the only one to read a value.
    fn total_of(&self, id: ValueId) -> Option<usize> {
        let all = &self.schedule.instructions;
        let mut readers = (0..all.len()).filter(|i| reads(all[*i]).contains(&id));
        let (first, alone) = (readers.next()?, readers.next().is_none());
        let total = matches!(all[first].op, IrOp::Adjoint(Adjoint::Total));
        (total && alone && !self.function.body.results.contains(&id)).then_some(first)
    }

    /// Lets a step give what is selected in place of a selection, which nothing else reads; gives the condition.
    fn selection(&self, parts: &Parts<'_>, body: &mut Region, i: usize) -> Option<ValueId> {
        let value = body.results[i];
        let at = body.instructions.iter().position(|made| made.results.contains(&value))?;
        let Instruction { op: IrOp::Map(Expr::Apply(Function::Where, operands)), args, .. } = &body.instructions[at]
        else {
            return None;
        };
        let [Expr::Arg(only), Expr::Arg(x), Expr::Const(Constant::Real(0.0))] = operands[..] else { return None };
        let (only, x) = (args[only], args[x]);
        let read = body.instructions.iter().any(|other| other.args.contains(&value))
            || parts.states.iter().any(|state| state.next == value)
            || body.results.iter().filter(|id| **id == value).count() > 1;
        let same = self.function.ty(x).axes == self.function.ty(value).axes;
        if read || !same || !self.function.ty(only).axes.is_empty() {
            return None;
        }
        body.instructions.remove(at);
        body.results[i] = x;
        Some(only)
    }

    /// Whether an instruction is a sum that a scan has taken.
    pub(crate) fn is_taken(&self, i: usize) -> bool {
        self.totals.values().any(|taken| taken.total == i)
    }

    /// Lets what a kernel sums up begin with 0; gives what adds the parts, if there are any.
    pub(crate) fn parts_of(&self, build: &mut Build, cut: &mut Cut) -> Option<Kernel> {
        cut.zeroed.extend(build.zeroed(self));
        let finishes = std::mem::take(&mut build.finishes);
        (!finishes.is_empty()).then_some(Kernel::Finish(finishes))
    }
}

impl Build {
    /// Adds what a step gives to the sums that were taken.
    pub(crate) fn add_up(&mut self, lowering: &mut Lowering<'_>, parts: &Parts<'_>) -> Result<()> {
        for (result, value) in parts.results.iter().zip(&parts.body.results) {
            let Some(Taken { total, only }) = lowering.totals.get(result).copied() else { continue };
            let sum = lowering.schedule.instructions[total].results[0];
            let around = self.make_for(Some(sum));
            let x = self.view(lowering, *value)?;
            let only = only.map(|only| Ok(self.view(lowering, only)?.spot)).transpose()?;
            let out = self.parts_like(lowering, sum, *value)?;
            let axes = lowering.function.ty(*value).axes.clone();
            let order = self.order(lowering, &axes);
            let extents = order.iter().map(|(_, extent)| *extent).collect();
            self.ops.push(Op::Sum { a: x.walk(&order), b: None, out: out.walk(&order), order: extents, only });
            self.make_for(around);
        }
        Ok(())
    }
}
