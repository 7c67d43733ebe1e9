//! What computes losses and gradients: one static program, or the reference where there is none.
//!
//! In: a module, and what may be taken of the machine. Out: first a [`Plan`], which holds no memory yet and says how much it
//! would; then an [`Engine`], which goes from flat weights and a batch to losses and flat gradients.
//!
//! The program is the backward pass of the module at the shape of a batch, and beside it the loss alone, for validation. A
//! design that the executor has no loop for runs operation by operation on candle, and the plan says why.

use std::sync::Arc;

use candle_core::Device;
use genesys_autodiff::Unsupported;
use genesys_cpu::{CpuError, Executor, Losses, Program, Shape};
use genesys_data::Batch;
use genesys_ir::module::Module;
use genesys_ir::{loss_alone, without_losses};
use genesys_kernels::Pool;
use genesys_ladder::Scale;
use genesys_runtime::{Model, RuntimeError};

use crate::arena::Layout;
use crate::batch::{inputs, padded};
use crate::error::TrainError;
use crate::job::rows_per_batch;
use crate::machine::{Machine, Path};
use crate::model::store;

/// How a module will be run.
pub(crate) struct Plan {
    way: Way,
    threads: usize,
    /// How many numbers all weights have together.
    weights: usize,
}

enum Way {
    Program(Box<Programs>),
    /// Operation by operation, for that reason.
    Composed(String),
}

struct Programs {
    shape: Shape,
    /// Losses, and the gradient of each weight.
    step: Program,
    /// The loss alone.
    loss: Program,
}

/// A module that runs.
pub(crate) enum Engine {
    Program(Box<Running>),
    Composed(Box<Model>),
}

pub(crate) struct Running {
    shape: Shape,
    step: Executor,
    loss: Executor,
}

impl Plan {
    /// How `module` runs over batches of `scale`.
    ///
    /// # Errors
    /// [`TrainError::Compute`] where a step has more elements than this machine can count.
    pub(crate) fn new(module: &Module, layout: &Layout, scale: &Scale, machine: &Machine) -> Result<Self, TrainError> {
        let way = match machine.path {
            Path::Composed => Way::Composed("it was asked for".to_owned()),
            Path::Compiled => match Programs::new(module, layout, scale) {
                Ok(programs) => Way::Program(Box::new(programs)),
                Err(CpuError::TooLarge) => return Err(TrainError::compute("train")(CpuError::TooLarge)),
                Err(why @ (CpuError::Size(_) | CpuError::Unsupported { .. })) => Way::Composed(why.to_string()),
            },
        };
        Ok(Self { way, threads: machine.threads.max(1), weights: layout.len() })
    }

    /// Why steps run operation by operation, if they do.
    pub(crate) fn composed(&self) -> Option<&str> {
        match &self.way {
            Way::Program(_) => None,
            Way::Composed(why) => Some(why),
        }
    }

    /// The bytes that training will hold: weights, gradients and both moments, and what the programs need. What composed
    /// operations need besides is not known before.
    pub(crate) fn bytes(&self) -> u64 {
        let programs = match &self.way {
            Way::Program(programs) => programs.step.bytes(self.threads) + programs.loss.bytes(self.threads),
            Way::Composed(_) => 0,
        };
        (programs + 4 * size_of::<f32>() * self.weights) as u64
    }

    /// Takes the memory. `model` makes the model for composed operations.
    pub(crate) fn engine(
        self,
        pool: &Arc<Pool>,
        model: impl FnOnce() -> Result<Model, TrainError>,
    ) -> Result<Engine, TrainError> {
        match self.way {
            Way::Composed(_) => Ok(Engine::Composed(Box::new(model()?))),
            Way::Program(programs) => {
                let Programs { shape, step, loss } = *programs;
                let on = |program| Executor::on(program, Arc::clone(pool));
                Ok(Engine::Program(Box::new(Running { shape, step: on(step), loss: on(loss) })))
            }
        }
    }
}

impl Programs {
    /// # Errors
    /// The executor does not run it.
    fn new(module: &Module, layout: &Layout, scale: &Scale) -> Result<Self, CpuError> {
        let context = usize::try_from(scale.context).unwrap_or(usize::MAX);
        let shape = Shape { rows: rows_per_batch(scale), context };
        let backward = genesys_autodiff::differentiate(module).map_err(|error| underivable(&error))?;
        let mut forward = without_losses(module);
        genesys_autodiff::expand(&mut forward).map_err(|error| underivable(&error))?;
        let [backward, forward] = [&backward, &forward].map(genesys_opt::optimize);
        let forward = loss_alone(&forward);
        let program = |pass| Program::ordered(pass, shape, layout.names());
        Ok(Self { shape, step: program(&backward)?, loss: program(&forward)? })
    }
}

fn underivable(error: &Unsupported) -> CpuError {
    CpuError::Unsupported { function: "main".to_owned(), what: error.to_string() }
}

impl Engine {
    /// Losses of a batch, and the gradients of their sum: each is written, 0 where a weight takes no part in it.
    pub(crate) fn step(
        &mut self,
        layout: &Layout,
        weights: &[f32],
        batch: &Batch,
        gradients: &mut [f32],
    ) -> Result<Losses, RuntimeError> {
        match self {
            Self::Program(running) => {
                let (tokens, targets) = padded(batch, running.shape.rows);
                Ok(running.step.step(weights, gradients, &tokens, &targets))
            }
            Self::Composed(model) => composed(model, layout, weights, batch, gradients),
        }
    }

    /// The loss of a batch.
    pub(crate) fn loss(&mut self, layout: &Layout, weights: &[f32], batch: &Batch) -> Result<f32, RuntimeError> {
        match self {
            Self::Program(running) => {
                let (tokens, targets) = padded(batch, running.shape.rows);
                Ok(running.loss.step(weights, &mut [], &tokens, &targets).loss)
            }
            Self::Composed(model) => {
                store(model, layout, weights)?;
                let (tokens, targets) = inputs(batch, &Device::Cpu)?;
                Ok(model.evaluate(&tokens, &targets)?.1.to_scalar()?)
            }
        }
    }
}

/// A step on candle.
fn composed(
    model: &Model,
    layout: &Layout,
    weights: &[f32],
    batch: &Batch,
    gradients: &mut [f32],
) -> Result<Losses, RuntimeError> {
    store(model, layout, weights)?;
    let (tokens, targets) = inputs(batch, &Device::Cpu)?;
    let losses = model.losses(&tokens, &targets)?;
    // The stack is deep already: no thread of its own for every step.
    let found = losses.objective()?.backward()?;
    gradients.fill(0.0);
    for (parameter, segment) in model.parameters().iter().zip(layout.segments()) {
        if let Some(gradient) = found.get(&parameter.var) {
            gradients[segment.range.clone()].copy_from_slice(&gradient.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    let auxiliary = losses.auxiliary.map(|sum| sum.to_scalar()).transpose()?;
    Ok(Losses { loss: losses.loss.to_scalar()?, auxiliary })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::model::{compile, layout};

    #[test]
    fn every_shipped_design_and_mechanism_is_one_program_over_its_weights() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("designs");
        let scale = Scale { context: 8, rows: 1, ..Scale::named("nano").unwrap() };
        let mut seen = 0;
        for folder in [root.clone(), root.join("mechanisms")] {
            let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            for path in paths.filter(|path| path.extension().is_some_and(|ending| ending == "gau")) {
                let module = compile(&fs::read_to_string(&path).unwrap(), &scale, 11).unwrap().module;
                let layout = layout(&module).unwrap();
                let plan = Plan::new(&module, &layout, &scale, &Machine::default()).unwrap();
                assert_eq!(plan.composed(), None, "{}", path.display());
                let Way::Program(programs) = plan.way else { continue };
                let lengths = [&programs.step, &programs.loss].map(Program::weights);
                assert_eq!(lengths, [layout.len(); 2], "{}", path.display());
                seen += 1;
            }
        }
        assert!(seen > 60, "{seen} designs");
    }
}
