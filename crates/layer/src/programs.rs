//! The programs of a layer, for each shape that was seen.
//!
//! In: the modules of the passes, and slices. Out: slices. It knows neither candle nor what a weight is called. One call runs at
//! a time: programs have one memory.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use genesys_autodiff::Halves;
use genesys_cpu::{CpuError, Executor, Precision, Program, Shape};
use genesys_ir::module::Module;
use genesys_kernels::Pool;

/// The passes, and the programs that were made of them.
pub(crate) struct Programs {
    passes: Passes,
    /// The names of the weights in the order in which they lie, with how many elements each has.
    order: Vec<(String, usize)>,
    pool: Arc<Pool>,
    /// How many shapes are kept,
    most: usize,
    /// the last used one last.
    kept: Mutex<Vec<Kept>>,
}

/// What is run, as modules.
pub(crate) struct Passes {
    /// The forward pass alone.
    pub(crate) alone: Module,
    /// The forward pass that gives the tape, and the backward pass that takes it.
    pub(crate) halves: Halves,
}

/// The programs of a shape, once they were asked for.
struct Kept {
    shape: Shape,
    alone: Option<Executor>,
    forward: Option<Executor>,
    backward: Option<Executor>,
}

/// What a layer reads: rows one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// `[rows * positions]`
    Tokens(&'a [u32]),
    /// `[rows * positions * width]`
    Sequence(&'a [f32]),
}

/// What a layer gives, or the cotangents of that.
#[derive(Clone, Debug)]
pub(crate) struct Output<T> {
    /// `[rows * positions * width]`
    pub(crate) sequence: T,
    /// What it adds to the training loss.
    pub(crate) loss: Option<f32>,
}

/// What the backward pass reads of the forward one.
pub(crate) type Tape = Vec<Vec<f32>>;

/// Cotangents of what went in.
#[derive(Clone, Debug)]
pub(crate) struct Gradients {
    /// Of the sequence; tokens have none.
    pub(crate) input: Option<Vec<f32>>,
    pub(crate) weights: Vec<f32>,
}

impl Programs {
    /// # Errors
    /// The executor has no loop for an operation of a pass.
    pub(crate) fn new(
        passes: Passes,
        order: Vec<(String, usize)>,
        threads: usize,
        most: usize,
    ) -> Result<Self, CpuError> {
        // Whether there is a program does not depend on the shape, so it is told before any input is there.
        let smallest = Shape { rows: 1, context: 1 };
        for module in [&passes.alone, &passes.halves.forward, &passes.halves.backward] {
            Program::among(module, smallest, Precision::F32, &order)?;
        }
        let pool = Arc::new(Pool::new(threads.max(1)));
        Ok(Self { passes, order, pool, most: most.max(1), kept: Mutex::default() })
    }

    /// What the layer gives for `input`.
    ///
    /// # Errors
    /// More elements than can be counted.
    pub(crate) fn alone(&self, shape: Shape, weights: &[f32], input: Input<'_>) -> Result<Output<Vec<f32>>, CpuError> {
        self.with(shape, |kept| {
            let executor = self.executor(&mut kept.alone, &self.passes.alone, shape)?;
            let (tokens, targets) = streams(executor, shape, input);
            executor.step(weights, &mut [], &tokens, &targets);
            Ok(output(executor, executor.program().outputs()))
        })
    }

    /// What the layer gives for `input`, and what its backward pass will read.
    ///
    /// # Errors
    /// As [`alone`](Self::alone).
    pub(crate) fn forward(
        &self,
        shape: Shape,
        weights: &[f32],
        input: Input<'_>,
    ) -> Result<(Output<Vec<f32>>, Tape), CpuError> {
        self.with(shape, |kept| {
            let Halves { forward, tape, .. } = &self.passes.halves;
            let executor = self.executor(&mut kept.forward, forward, shape)?;
            let (tokens, targets) = streams(executor, shape, input);
            executor.step(weights, &mut [], &tokens, &targets);
            let outputs = executor.program().outputs();
            let tape = (outputs - tape..outputs).map(|i| executor.output(i).to_vec()).collect();
            Ok((output(executor, outputs - self.passes.halves.tape), tape))
        })
    }

    /// The cotangents of `input` and weights.
    ///
    /// # Errors
    /// As [`alone`](Self::alone).
    pub(crate) fn backward(
        &self,
        shape: Shape,
        weights: &[f32],
        input: Input<'_>,
        tape: &[Vec<f32>],
        output: &Output<&[f32]>,
    ) -> Result<Gradients, CpuError> {
        self.with(shape, |kept| {
            let executor = self.executor(&mut kept.backward, &self.passes.halves.backward, shape)?;
            let (tokens, targets) = streams(executor, shape, input);
            let is_sequence = matches!(input, Input::Sequence(_));
            let taken = tape.iter().map(Vec::as_slice).chain([output.sequence]);
            for (i, taken) in (usize::from(is_sequence)..).zip(taken) {
                executor.input(i).copy_from_slice(taken);
            }
            if let Some(loss) = output.loss {
                executor.input(usize::from(is_sequence) + tape.len() + 1).fill(loss);
            }
            let mut gradients = vec![0.0; weights.len()];
            executor.step(weights, &mut gradients, &tokens, &targets);
            Ok(Gradients { input: is_sequence.then(|| executor.output(0).to_vec()), weights: gradients })
        })
    }

    /// How many shapes are kept now.
    pub(crate) fn shapes(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Works with the programs of a shape, which is then the last used one.
    fn with<T>(&self, shape: Shape, work: impl FnOnce(&mut Kept) -> T) -> T {
        // What a panic left is overwritten by the next step as a whole.
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().position(|kept| kept.shape == shape).map(|at| all.remove(at));
        if known.is_none() && all.len() == self.most {
            all.remove(0);
        }
        let mut kept = known.unwrap_or(Kept { shape, alone: None, forward: None, backward: None });
        let result = work(&mut kept);
        all.push(kept);
        result
    }

    /// The executor of a pass, made when it is first asked for.
    fn executor<'k>(
        &self,
        kept: &'k mut Option<Executor>,
        module: &Module,
        shape: Shape,
    ) -> Result<&'k mut Executor, CpuError> {
        let executor = match kept.take() {
            Some(executor) => executor,
            None => Executor::on(Program::among(module, shape, Precision::F32, &self.order)?, Arc::clone(&self.pool)),
        };
        Ok(kept.insert(executor))
    }
}

/// The first results of a step: a sequence, and maybe a loss.
fn output(executor: &Executor, results: usize) -> Output<Vec<f32>> {
    Output { sequence: executor.output(0).to_vec(), loss: (results > 1).then(|| executor.output(1)[0]) }
}

/// Puts a sequence where it is read, and gives tokens and targets. What a unit's loss takes the mean over are all positions.
fn streams(executor: &mut Executor, shape: Shape, input: Input<'_>) -> (Vec<u32>, Vec<u32>) {
    let all = vec![0; shape.rows * shape.context];
    match input {
        Input::Tokens(tokens) => (tokens.to_vec(), all),
        Input::Sequence(x) => {
            executor.input(0).copy_from_slice(x);
            (all.clone(), all)
        }
    }
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programs").field("shapes", &self.shapes()).field("threads", &self.pool.threads()).finish()
    }
}
