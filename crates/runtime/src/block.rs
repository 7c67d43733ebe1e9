//! One function of a module, for use in other candle programs.

use candle_core::{DType, Device, Tensor};
use genesys_ir::alone;
use genesys_ir::module::{Axis, Function, FunctionId, Module, Stage, ValueId};

use crate::error::into_candle;
use crate::memory::Graph;
use crate::named::{Label, Named};
use crate::program::{Parameter, Program};
use crate::state::State;
use crate::{RuntimeError, execute::constant};

/// A function from one sequence to another, with its own weights: `[b, t, axes]` to
/// `[b, t, axes]`, the axes in the order of the function's types.
#[derive(Clone, Debug)]
pub struct Block {
    program: Program,
    /// Whether it takes the targets behind its sequence, and gives a loss behind it.
    gives_loss: bool,
}

impl Block {
    /// The function as block number `layer`, its weights drawn from a seed; they have their paths
    /// as names.
    ///
    /// # Errors
    /// As [`Model::init`](crate::Model::init), or the function does not map one sequence to one.
    pub fn init(
        module: &Module,
        function: FunctionId,
        layer: u32,
        seed: u64,
        dtype: DType,
        device: &Device,
    ) -> Result<Self, RuntimeError> {
        let callee = module.function(function);
        let gives_loss = callee.body.results.last().is_some_and(|id| callee.ty(*id).stage == Stage::Loss);
        let sequences = 1 + usize::from(gives_loss);
        if callee.inputs.len() != sequences || callee.body.results.len() != sequences {
            return Err(RuntimeError::Unsupported("a block of other than one sequence in and one out"));
        }
        let program = Program::init(alone(module, function, layer), seed, dtype, device)?;
        Ok(Self { program, gives_loss })
    }

    /// All weights, in the order of the function.
    pub fn parameters(&self) -> &[Parameter] {
        &self.program.parameters
    }

    /// The function's result.
    ///
    /// # Errors
    /// The input does not have the shape `[b, t, axes]`; candle fails.
    pub fn run(&self, x: &Tensor) -> Result<Tensor, RuntimeError> {
        let results = self.program.predict(self.inputs(x)?, x.dims()[1], Graph::Kept)?;
        self.output(&results[0], x)
    }

    /// The function's result, and what it adds to the training loss, `[]`, where it adds something: its means are over all
    /// positions of all rows.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_with_loss(&self, x: &Tensor) -> Result<(Tensor, Option<Tensor>), RuntimeError> {
        let results = self.program.run(self.inputs(x)?, x.dims()[1], Graph::Kept)?;
        let loss = results.get(1).map(|loss| loss.tensor().clone());
        Ok((self.output(&results[0], x)?, loss))
    }

    /// The state of `batch` rows of which nothing was read.
    pub fn start(&self, batch: usize) -> State {
        self.program.start(batch)
    }

    /// The function's result at the next positions, `[b, n, axes]`, and the state behind them. Gradients flow, also through
    /// the state; what goes in stays valid.
    ///
    /// # Errors
    /// The state is another block's, or of other than `b` rows; the shape is not `[b, n, axes]`; candle fails.
    pub fn extend(&self, state: &State, x: &Tensor) -> Result<(Tensor, State), RuntimeError> {
        self.go_on(state, x, Graph::Kept)
    }

    /// As [`extend`](Self::extend), without a graph: caches grow in place, and no gradient flows.
    ///
    /// # Errors
    /// As [`extend`](Self::extend).
    pub fn read(&self, state: &State, x: &Tensor) -> Result<(Tensor, State), RuntimeError> {
        self.go_on(state, x, Graph::None)
    }

    fn go_on(&self, state: &State, x: &Tensor, graph: Graph) -> Result<(Tensor, State), RuntimeError> {
        let (results, state) = self.program.extend(state, self.inputs(x)?, (x.dims()[0], x.dims()[1]), graph)?;
        Ok((self.output(&results[0], x)?, state))
    }

    /// The sequence, and targets that all count where the function takes targets.
    fn inputs(&self, x: &Tensor) -> Result<Vec<Named>, RuntimeError> {
        let mut inputs = vec![self.input(x)?];
        if self.gives_loss {
            let targets = Tensor::zeros(&x.dims()[..2], DType::U32, x.device())?;
            inputs.push(Named::new(targets, vec![Label::Batch, Label::Time]));
        }
        Ok(inputs)
    }

    fn input(&self, x: &Tensor) -> Result<Named, RuntimeError> {
        let main = self.program.module.main();
        let axes = self.sizes(main, main.inputs[0])?;
        let expected: Vec<usize> = axes.iter().map(|(_, n)| *n).collect();
        if x.rank() != axes.len() + 2 || x.dims()[2..] != expected || x.elem_count() == 0 {
            let expected = format!("[b, t] and {expected:?}");
            return Err(RuntimeError::Shape { expected, found: x.dims().to_vec() });
        }
        let labels = [Label::Batch, Label::Time].into_iter().chain(axes.iter().map(|(l, _)| *l)).collect();
        Ok(Named::new(x.clone(), labels))
    }

    /// The result in the function's order of axes, for an input `x`.
    fn output(&self, result: &Named, x: &Tensor) -> Result<Tensor, RuntimeError> {
        let main = self.program.module.main();
        let mut order = vec![(Label::Batch, x.dims()[0]), (Label::Time, x.dims()[1])];
        order.extend(self.sizes(main, main.body.results[0])?);
        Ok(result.expand(&order)?.contiguous()?)
    }

    fn sizes(&self, function: &Function, id: ValueId) -> Result<Vec<(Label, usize)>, RuntimeError> {
        let size = |axis: &Axis| {
            constant(axis.domain.size().ok_or(RuntimeError::Unsupported("a block over a dependent axis"))?)
        };
        function
            .ty(id)
            .axes
            .iter()
            .map(|axis| Ok((Label::Axis(*axis), size(self.program.module.axis(*axis))?)))
            .collect()
    }
}

impl candle_nn::Module for Block {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.run(x).map_err(into_candle)
    }
}
