//! The evaluator's public face: a function of a module, fed position by position.

use std::collections::BTreeMap;

use genesys_ir::module::{AxisId, Function, FunctionId, Module};

use crate::evaluate::Machine;
use crate::memory::Memory;
use crate::{InterpError, Tensor};

/// Evaluates a function of a specialized module at one position after the other.
pub struct Interpreter<'m> {
    function: &'m Function,
    layer: u32,
    machine: Machine<'m>,
    memory: Memory,
}

/// What a language model gives at a position.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// A score for each entry of the vocabulary.
    pub logits: Vec<f64>,
    /// Mean cross-entropy in nats of the positions so far whose target is not
    /// [`IGNORE`](genesys_ir::module::IGNORE); 0 if there is none.
    pub loss: f64,
    /// The sum of the units' losses, where they have any, with means over the same positions.
    pub auxiliary: Option<f64>,
}

impl<'m> Interpreter<'m> {
    /// The module's main function. `weights` gives a weight of the whole model by its name, in
    /// storage order.
    pub fn new(module: &'m Module, weights: &'m dyn Fn(&str) -> Option<Vec<f64>>) -> Self {
        let main = FunctionId(module.functions.len() as u32 - 1);
        Self::function(module, main, 0, weights)
    }

    /// One function, as block number `layer`; its weights have their paths as names.
    pub fn function(
        module: &'m Module,
        function: FunctionId,
        layer: u32,
        weights: &'m dyn Fn(&str) -> Option<Vec<f64>>,
    ) -> Self {
        let machine = Machine { module, weights, loaded: BTreeMap::new(), position: 0, multiplications: 0 };
        Self { function: module.function(function), layer, machine, memory: Memory::default() }
    }

    /// How many products contractions have summed so far.
    pub fn multiplications(&self) -> u64 {
        self.machine.multiplications
    }

    /// Feeds the main function the next token and its target.
    ///
    /// # Errors
    /// The module is not specialized, uses reversed time or document starts, or lacks a weight.
    pub fn step(&mut self, token: u32, target: u32) -> Result<Step, InterpError> {
        let inputs = [Tensor::scalar(f64::from(token)), Tensor::scalar(f64::from(target))];
        let results = self.step_tensors(inputs.to_vec())?;
        let [logits, loss, auxiliary @ ..] = results.as_slice() else {
            return Err(InterpError::Unsupported("a main function that gives other than logits and losses"));
        };
        let auxiliary = auxiliary.first().map(|sum| sum.at(&[]));
        Ok(Step { logits: logits.data().to_vec(), loss: loss.at(&[]), auxiliary })
    }

    /// Feeds the function the vectors of the next position, one a sequence argument.
    ///
    /// # Errors
    /// As [`step`](Self::step), or an input does not have the argument's number of elements.
    pub fn step_vectors(&mut self, inputs: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, InterpError> {
        let mut tensors = Vec::new();
        for (input, id) in inputs.iter().zip(&self.function.inputs) {
            tensors.push(self.machine.tensor("input", &self.function.ty(*id).axes, input.clone())?);
        }
        Ok(self.step_tensors(tensors)?.into_iter().map(|result| result.data().to_vec()).collect())
    }

    fn step_tensors(&mut self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, InterpError> {
        let results = self.machine.call(self.function, inputs, self.layer, "", &mut self.memory)?;
        self.machine.position += 1;
        let axes = |i: usize| -> &[AxisId] { &self.function.ty(self.function.body.results[i]).axes };
        Ok(results.iter().enumerate().map(|(i, result)| result.arranged(axes(i))).collect())
    }
}
