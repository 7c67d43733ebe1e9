//! The executor: one static program for forward and backward, then AdamW over flat slices.

use std::sync::Arc;

use genesys_cpu::{Executor, Program, Shape};
use genesys_ir::{parameter_names, without_losses};
use genesys_kernels::Pool;
use genesys_train::adamw::{AdamW, Hyper};

use super::work::{Extent, RATE, Task, Weights};
use super::{Loaded, Side, threads};

/// Programs on threads of their own.
pub(super) struct Cpu;

impl Side for Cpu {
    fn library(&self) -> String {
        "genesys-cpu".to_owned()
    }

    fn load(&mut self, task: Task) -> Result<Box<dyn Loaded>, String> {
        let program = program(&task)?;
        // The model is there for its first weights alone.
        let model = task.model().map_err(|error| error.to_string())?;
        let weights = task.weights(&model)?;
        drop(model);
        let (tokens, targets) = task.batch();
        let gradients = match task.extent {
            Extent::Loss => Vec::new(),
            Extent::Gradients | Extent::Update => vec![0.0; weights.values.len()],
        };
        let adamw = match task.extent {
            Extent::Update => Some(AdamW::new(Hyper::default(), weights.values.len())),
            Extent::Loss | Extent::Gradients => None,
        };
        let pool = Arc::new(Pool::new(threads()));
        let executor = Executor::on(program, Arc::clone(&pool));
        Ok(Box::new(Trainer { executor, pool, weights, gradients, adamw, tokens, targets }))
    }

    fn compile(&self, task: &Task) -> Result<(), String> {
        program(task).map(drop)
    }
}

/// What a step runs: the module's backward pass, or the module, behind the passes.
fn program(task: &Task) -> Result<Program, String> {
    let module = match task.extent {
        Extent::Loss => without_losses(&task.module),
        Extent::Gradients | Extent::Update => {
            genesys_autodiff::differentiate(&task.module).map_err(|error| error.to_string())?
        }
    };
    let shape = Shape { rows: task.shape.0, context: task.shape.1 };
    // The order of the model, whatever order a pass uses its weights in.
    let order: Vec<String> = parameter_names(&task.module).into_iter().map(|(name, _)| name).collect();
    let program = Program::ordered(&genesys_opt::optimize(&module), shape, task.precision, &order);
    let program = program.map_err(|error| error.to_string())?;
    if program.precision() != task.precision {
        return Err(format!("this processor does not multiply numbers in {}", task.precision));
    }
    Ok(program)
}

struct Trainer {
    executor: Executor,
    pool: Arc<Pool>,
    weights: Weights,
    /// None where they are not asked for.
    gradients: Vec<f32>,
    adamw: Option<AdamW>,
    tokens: Vec<u32>,
    targets: Vec<u32>,
}

impl Loaded for Trainer {
    fn step(&mut self) -> Result<f32, String> {
        let Self { executor, pool, weights, gradients, adamw, tokens, targets } = self;
        let losses = executor.step(&weights.values, gradients, tokens, targets);
        if let Some(adamw) = adamw {
            adamw.update(pool, &weights.segments, &mut weights.values, gradients, RATE);
        }
        Ok(losses.loss + losses.auxiliary.unwrap_or_default())
    }

    fn plain(&self) -> &[String] {
        &self.weights.plain
    }
}
