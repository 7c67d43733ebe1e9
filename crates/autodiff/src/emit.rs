//! Appends operations to a list, with the types of their results inferred.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Constant, Size};
use genesys_ir::module::{
    Axis, AxisId, Expr, Function, Instruction, Op, Reduction, Region, Stage, Type, ValueId, Weight,
};
use genesys_ir::{Origins, Scope, definitions, infer, substitute};
use genesys_scalar::Function as Scalar;
use genesys_scalar::Function::Where;

use crate::Unsupported;

/// Instructions under construction within a function.
pub(crate) struct Emit<'a> {
    axes: &'a [Axis],
    functions: &'a [Function],
    weights: &'a [Weight],
    values: &'a mut Vec<Type>,
    origins: &'a mut Origins,
    /// The value that new ones are made for.
    about: Option<ValueId>,
    /// What was appended.
    pub(crate) out: Vec<Instruction>,
    /// Values that are summed over positions, and complete only where the region ends that they stand in.
    sums: BTreeSet<ValueId>,
}

impl<'a> Emit<'a> {
    /// `functions` are those that may be called.
    pub(crate) fn new(axes: &'a [Axis], functions: &'a [Function], function: &'a mut Function) -> Self {
        let Function { weights, values, origins, .. } = function;
        Emit { axes, functions, weights, values, origins, about: None, out: Vec::new(), sums: BTreeSet::new() }
    }

    /// Says that what is made from now on is made for a value, and comes from where that does; gives who it was before.
    pub(crate) fn about(&mut self, id: Option<ValueId>) -> Option<ValueId> {
        std::mem::replace(&mut self.about, id)
    }

    pub(crate) fn ty(&self, id: ValueId) -> &Type {
        &self.values[id.0 as usize]
    }

    /// A new value, which the caller defines.
    pub(crate) fn value(&mut self, ty: Type) -> ValueId {
        self.values.push(ty);
        let id = ValueId(self.values.len() as u32 - 1);
        if let Some(about) = self.about {
            self.origins.follow(id, about);
        }
        id
    }

    /// The results of an operation.
    pub(crate) fn push_all(&mut self, op: Op, args: Vec<ValueId>) -> Result<Vec<ValueId>, Unsupported> {
        let scope = Scope { axes: self.axes, functions: self.functions, weights: self.weights, values: self.values };
        let types = infer(&scope, &op, &args).map_err(Unsupported::Type)?;
        let results: Vec<ValueId> = types.into_iter().map(|ty| self.value(ty)).collect();
        if matches!(&op, Op::Adjoint(op) if op.gathers()) {
            self.sums.extend(&results);
        }
        self.out.push(Instruction { op, args, results: results.clone() });
        Ok(results)
    }

    /// The one result of an operation.
    pub(crate) fn push(&mut self, op: Op, args: Vec<ValueId>) -> Result<ValueId, Unsupported> {
        match self.push_all(op, args)?.as_slice() {
            [id] => Ok(*id),
            _ => Err(Unsupported::Type("one result is expected".into())),
        }
    }

    /// Whether a value is summed over positions where it stands.
    pub(crate) fn is_sum(&self, id: ValueId) -> bool {
        self.sums.contains(&id)
    }

    /// A value in the layout of those axes, which are its own. What an operation sums up for a weight it gives in any layout.
    pub(crate) fn laid_out(&mut self, id: ValueId, axes: &[AxisId]) -> Result<ValueId, Unsupported> {
        let defined = self.out.iter().rev().find(|instruction| instruction.results.contains(&id));
        let sums = |instruction: &Instruction| matches!(instruction.op, Op::Adjoint(_) | Op::Call { .. });
        let own = self.ty(id).stage != Stage::Seq && defined.is_some_and(sums);
        let id = if own || self.ty(id).axes == axes { id } else { self.map(Expr::Arg(0), &[id])? };
        self.values[id.0 as usize].axes = axes.to_vec();
        Ok(id)
    }

    /// Says that a value leaves its region as another: a sum over positions is one around it, too.
    pub(crate) fn passes(&mut self, inner: ValueId, outer: ValueId) {
        if self.is_sum(inner) {
            self.sums.insert(outer);
        }
    }

    /// A copy of a region in which all that it defines are new values, those of a step at the stage given; `replace` says what
    /// else is replaced.
    pub(crate) fn copy(&mut self, region: &Region, mut replace: BTreeMap<ValueId, ValueId>, step: Stage) -> Region {
        for id in definitions(region) {
            let mut ty = self.ty(id).clone();
            if ty.stage == Stage::Step {
                ty.stage = step;
            }
            let around = self.about(Some(id));
            replace.insert(id, self.value(ty));
            self.about(around);
        }
        let mut region = region.clone();
        substitute(&mut region, &|id| replace.get(&id).copied().unwrap_or(id));
        region
    }

    /// A number with the axes and the stage of a value, which is selected away.
    pub(crate) fn everywhere(&mut self, value: f64, like: ValueId) -> Result<ValueId, Unsupported> {
        self.map(apply(Where, [number(1.0), number(value), Expr::Arg(0)]), &[like])
    }

    /// A value repeated along all axes of another, which is selected away: the axes may grow with the position.
    pub(crate) fn spread(&mut self, x: ValueId, like: ValueId) -> Result<ValueId, Unsupported> {
        self.map(apply(Where, [number(1.0), Expr::Arg(0), Expr::Arg(1)]), &[x, like])
    }

    /// Whether an axis grows with the position.
    pub(crate) fn is_dependent(&self, axis: AxisId) -> bool {
        self.axes[axis.0 as usize].domain.is_dependent()
    }

    /// A scalar expression of values.
    pub(crate) fn map(&mut self, expr: Expr, args: &[ValueId]) -> Result<ValueId, Unsupported> {
        self.push(Op::Map(expr), args.to_vec())
    }

    /// The sum over axes; the value itself over none.
    pub(crate) fn sum(&mut self, x: ValueId, axes: Vec<AxisId>) -> Result<ValueId, Unsupported> {
        if axes.is_empty() {
            return Ok(x);
        }
        self.push(Op::Reduce { reduction: Reduction::Sum, axes, otherwise: None }, vec![x])
    }

    /// Sums a cotangent over the axes along which its operand was repeated.
    pub(crate) fn sum_to(&mut self, x: ValueId, operand: ValueId) -> Result<ValueId, Unsupported> {
        let kept = &self.ty(operand).axes;
        let extra = self.ty(x).axes.iter().copied().filter(|axis| !kept.contains(axis)).collect();
        self.sum(x, extra)
    }

    /// How many elements axes have together.
    pub(crate) fn count(&self, axes: &[AxisId]) -> Result<Constant, Unsupported> {
        let mut product = Size::int(1);
        for axis in axes {
            let size = self.axes[axis.0 as usize].domain.size().ok_or(Unsupported::Operation("a mean over a past"))?;
            product = product.mul(size).map_err(|error| Unsupported::Type(error.to_string()))?;
        }
        Ok(product.as_int().map_or(Constant::Size(product), |n| Constant::Real(n as f64)))
    }

    /// The size of a static axis.
    pub(crate) fn size(&self, axis: AxisId) -> Result<Size, Unsupported> {
        let size = self.axes[axis.0 as usize].domain.size();
        size.cloned().ok_or(Unsupported::Operation("an axis that grows with the position"))
    }
}

/// `function(operands)`
pub(crate) fn apply(function: Scalar, operands: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::Apply(function, operands.into_iter().collect())
}

pub(crate) fn number(value: f64) -> Expr {
    Expr::Const(Constant::Real(value))
}

/// The number that a size is.
pub(crate) fn constant(size: &Size) -> Expr {
    size.as_int().map_or_else(|| Expr::Const(Constant::Size(size.clone())), |n| number(n as f64))
}
