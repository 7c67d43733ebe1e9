//! Appends instructions to the regions of one function, with types inferred.
//!
//! In go operations and operands; out comes a [`Function`]. Regions are the caller's, so that
//! several can be open at once. Nothing is validated beyond the types of each operation.

use crate::infer::{Scope, infer};
use crate::module::{Axis, Function, Instruction, Op, Region, Type, ValueId, Weight, WeightId};
use crate::origins::Origins;

/// A function under construction.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    weights: Vec<Weight>,
    values: Vec<Type>,
    inputs: Vec<ValueId>,
}

impl Builder {
    /// A new argument of the function.
    pub fn input(&mut self, ty: Type) -> ValueId {
        let id = self.value(ty);
        self.inputs.push(id);
        id
    }

    /// A new weight of the function.
    pub fn weight(&mut self, weight: Weight) -> WeightId {
        self.weights.push(weight);
        WeightId((self.weights.len() - 1) as u32)
    }

    /// A new value that the caller defines: what a state holds when a step begins.
    pub fn value(&mut self, ty: Type) -> ValueId {
        self.values.push(ty);
        ValueId((self.values.len() - 1) as u32)
    }

    /// The type of a value.
    pub fn ty(&self, id: ValueId) -> &Type {
        &self.values[id.0 as usize]
    }

    /// Appends an operation to a region and gives the values it defines, or says why the
    /// operation is not well typed. `axes` and `functions` are the module's so far.
    pub fn push(
        &mut self,
        (axes, functions): (&[Axis], &[Function]),
        region: &mut Region,
        op: Op,
        args: Vec<ValueId>,
    ) -> Result<Vec<ValueId>, String> {
        let scope = Scope { axes, functions, weights: &self.weights, values: &self.values };
        let types = infer(&scope, &op, &args)?;
        let results: Vec<ValueId> = types.into_iter().map(|ty| self.value(ty)).collect();
        region.instructions.push(Instruction { op, args, results: results.clone() });
        Ok(results)
    }

    /// The function, once its body is complete.
    pub fn finish(self, name: String, body: Region) -> Function {
        let (adjoint, origins) = (false, Origins::default());
        Function { name, adjoint, weights: self.weights, values: self.values, inputs: self.inputs, body, origins }
    }
}
