//! Appends operations to a list, with the types of their results inferred.

use genesys_axis::{Constant, Size};
use genesys_ir::module::{Axis, AxisId, Expr, Function, Instruction, Op, Reduction, Type, ValueId, Weight};
use genesys_ir::{Scope, infer};
use genesys_scalar::Function as Scalar;

use crate::Unsupported;

/// Instructions under construction within a function.
pub(crate) struct Emit<'a> {
    axes: &'a [Axis],
    weights: &'a [Weight],
    values: &'a mut Vec<Type>,
    /// What was appended.
    pub(crate) out: Vec<Instruction>,
}

impl<'a> Emit<'a> {
    pub(crate) fn new(axes: &'a [Axis], function: &'a mut Function) -> Self {
        Emit { axes, weights: &function.weights, values: &mut function.values, out: Vec::new() }
    }

    pub(crate) fn ty(&self, id: ValueId) -> &Type {
        &self.values[id.0 as usize]
    }

    /// The result of an operation.
    pub(crate) fn push(&mut self, op: Op, args: Vec<ValueId>) -> Result<ValueId, Unsupported> {
        let scope = Scope { axes: self.axes, functions: &[], weights: self.weights, values: self.values };
        let mut types = infer(&scope, &op, &args).map_err(Unsupported::Type)?;
        let ty = types.pop().filter(|_| types.is_empty());
        let ty = ty.ok_or_else(|| Unsupported::Type("one result is expected".into()))?;
        self.values.push(ty);
        let id = ValueId(self.values.len() as u32 - 1);
        self.out.push(Instruction { op, args, results: vec![id] });
        Ok(id)
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
