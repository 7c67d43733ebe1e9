//! What computes losses and gradients: one static program, or the reference where there is none.
//!
//! In: a module, and what may be taken of the machine. Out: first a [`Plan`], which holds no memory yet and says how much it
//! would; then an [`Engine`], which goes from flat weights and a batch to losses and flat gradients.
//!
//! The program is the backward pass of the module at the shape of a batch, or of a part of its rows, and beside it the loss
//! alone, for validation. Gradients of parts are summed in their order, each weighed by the tokens it predicts of those of the
//! batch. A
//! design that the executor has no loop for runs operation by operation on candle, and the plan says why.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::Device;
use genesys_autodiff::Unsupported;
use genesys_cpu::{CpuError, Executor, Losses, Precision, Program, Shape, Through};
use genesys_data::Batch;
use genesys_ir::module::Module;
use genesys_ir::{loss_alone, without_losses};
use genesys_kernels::{Pool, add_to};
use genesys_ladder::Scale;
use genesys_opt::{Recompute, optimize, optimize_with};
use genesys_runtime::{Model, RuntimeError};

use crate::arena::Layout;
use crate::batch::{inputs, padded};
use crate::error::TrainError;
use crate::job::rows_per_batch;
use crate::machine::{Machine, Path};
use crate::model::store;

/// The passes of a module, whatever the shape of a batch.
pub(crate) struct Passes {
    way: Result<[Module; 2], String>,
    precision: Precision,
    threads: usize,
}

/// How a module will be run.
pub(crate) struct Plan {
    way: Way,
    threads: usize,
    /// How many numbers all weights have together.
    weights: usize,
    /// Whether a batch is run in parts.
    in_parts: bool,
    rows: usize,
}

enum Way {
    Program(Box<Programs>),
    /// Operation by operation, for that reason.
    Composed(String),
}

struct Programs {
    /// Losses, and the gradient of each weight.
    step: Program,
    /// The loss alone.
    loss: Program,
}

/// A module that runs, so many rows at a time.
pub(crate) struct Engine {
    rows: usize,
    runs: Runs,
    /// The gradients of a part, where a batch has several.
    part: Vec<f32>,
}

enum Runs {
    Program(Box<Running>),
    Composed(Box<Model>),
}

struct Running {
    step: Executor,
    loss: Executor,
}

impl Passes {
    /// The backward pass of a module, which computes so much again, and its loss alone; or why it has none. They run in that
    /// precision where the processor has it.
    pub(crate) fn of(module: &Module, machine: &Machine, how: Recompute, precision: Precision) -> Self {
        let way = match machine.path {
            Path::Composed => Err("it was asked for".to_owned()),
            Path::Compiled => passes(module, how).map_err(|why| underivable(&why).to_string()),
        };
        Self { way, precision, threads: machine.threads.max(1) }
    }

    /// How the module runs over batches of `scale`, so many rows at a time.
    ///
    /// # Errors
    /// [`TrainError::Compute`] where a step has more elements than this machine can count.
    pub(crate) fn plan(&self, layout: &Layout, scale: &Scale, rows: usize) -> Result<Plan, TrainError> {
        let context = usize::try_from(scale.context).unwrap_or(usize::MAX);
        let programs = |passes: &[Module; 2]| {
            let [step, loss] = passes.each_ref();
            let program = |pass| Program::ordered(pass, Shape { rows, context }, self.precision, layout.names());
            Ok(Programs { step: program(step)?, loss: program(loss)? })
        };
        let way = match self.way.as_ref().map(programs) {
            Ok(Ok(programs)) => Way::Program(Box::new(programs)),
            Ok(Err(CpuError::TooLarge)) => return Err(TrainError::compute("train")(CpuError::TooLarge)),
            Ok(Err(why @ (CpuError::Size(_) | CpuError::Unsupported { .. }))) => Way::Composed(why.to_string()),
            Err(why) => Way::Composed(why.clone()),
        };
        let in_parts = rows < rows_per_batch(scale);
        Ok(Plan { way, threads: self.threads, weights: layout.len(), in_parts, rows })
    }
}

fn passes(module: &Module, how: Recompute) -> Result<[Module; 2], Unsupported> {
    let mut forward = without_losses(module);
    genesys_autodiff::expand(&mut forward)?;
    Ok([backward(module, how)?, loss_alone(&optimize(&forward))])
}

impl Plan {
    /// Why steps run operation by operation, if they do.
    pub(crate) fn composed(&self) -> Option<&str> {
        match &self.way {
            Way::Program(_) => None,
            Way::Composed(why) => Some(why),
        }
    }

    /// In which numbers steps are computed. Composed operations are f32.
    pub(crate) fn precision(&self) -> Precision {
        match &self.way {
            Way::Program(programs) => programs.step.precision(),
            Way::Composed(_) => Precision::F32,
        }
    }

    /// The bytes that training will hold: weights, gradients and both moments, and what the programs need. What composed
    /// operations need besides is not known before.
    pub(crate) fn bytes(&self) -> u64 {
        let programs = match &self.way {
            Way::Program(programs) => programs.step.bytes(self.threads) + programs.loss.bytes(self.threads),
            Way::Composed(_) => 0,
        };
        let copies = 4 + usize::from(self.in_parts);
        (programs + copies * size_of::<f32>() * self.weights) as u64
    }

    /// Takes the memory. `model` makes the model for composed operations.
    pub(crate) fn engine(
        self,
        pool: &Arc<Pool>,
        model: impl FnOnce() -> Result<Model, TrainError>,
    ) -> Result<Engine, TrainError> {
        let runs = match self.way {
            Way::Composed(_) => Runs::Composed(Box::new(model()?)),
            Way::Program(programs) => {
                let Programs { step, loss } = *programs;
                let on = |program| Executor::on(program, Arc::clone(pool));
                Runs::Program(Box::new(Running { step: on(step), loss: on(loss) }))
            }
        };
        let part = vec![0.0; if self.in_parts { self.weights } else { 0 }];
        Ok(Engine { rows: self.rows, runs, part })
    }
}

/// What the program of a step is made of: the backward pass, optimized.
pub(crate) fn backward(module: &Module, how: Recompute) -> Result<Module, Unsupported> {
    Ok(optimize_with(&genesys_autodiff::differentiate(module)?, how))
}

fn underivable(error: &Unsupported) -> CpuError {
    CpuError::Unsupported { function: "main".to_owned(), what: error.to_string() }
}

impl Engine {
    /// What runs the program of a step, if there is one.
    pub(crate) fn executor(&mut self) -> Option<&mut Executor> {
        match &mut self.runs {
            Runs::Program(running) => Some(&mut running.step),
            Runs::Composed(_) => None,
        }
    }

    /// Losses of a batch, and the gradients of their sum: each is written, 0 where a weight takes no part in it. Parts are
    /// summed in their order. `watch` is told of each kernel of a program when it is through.
    pub(crate) fn step(
        &mut self,
        pool: &Pool,
        layout: &Layout,
        weights: &[f32],
        batch: &Batch,
        gradients: &mut [f32],
        watch: &mut dyn FnMut(Through<'_>),
    ) -> Result<Losses, RuntimeError> {
        let Self { rows, runs, part: spare } = self;
        let mut sum: Option<Losses> = None;
        for part in batch.parts(*rows) {
            let share = Share { of: part.predictions(), all: batch.predictions() };
            sum = Some(match sum {
                None => runs.step(layout, weights, &part, *rows, share, gradients, watch)?,
                Some(sum) => {
                    let losses = runs.step(layout, weights, &part, *rows, share, spare, watch)?;
                    add(pool, spare, gradients);
                    both(sum, losses)
                }
            });
        }
        Ok(sum.expect("a batch has rows"))
    }

    /// The loss of a batch of as many rows as are in memory at a time, or fewer.
    pub(crate) fn loss(&mut self, layout: &Layout, weights: &[f32], batch: &Batch) -> Result<f32, RuntimeError> {
        match &mut self.runs {
            Runs::Program(running) => {
                let (tokens, targets) = padded(batch, self.rows);
                Ok(running.loss.step(weights, &mut [], &tokens, &targets).loss)
            }
            Runs::Composed(model) => {
                store(model, layout, weights)?;
                let (tokens, targets) = inputs(batch, &Device::Cpu)?;
                Ok(model.evaluate(&tokens, &targets)?.1.to_scalar()?)
            }
        }
    }
}

/// How many tokens a part predicts, of those of the batch.
#[derive(Clone, Copy)]
struct Share {
    of: u64,
    all: u64,
}

impl Runs {
    /// What a part gives to losses and gradients of the batch.
    #[allow(clippy::too_many_arguments)] // a part of a step: what the step has, and which part
    fn step(
        &mut self,
        layout: &Layout,
        weights: &[f32],
        part: &Batch,
        rows: usize,
        share: Share,
        gradients: &mut [f32],
        watch: &mut dyn FnMut(Through<'_>),
    ) -> Result<Losses, RuntimeError> {
        match self {
            Self::Program(running) => {
                let (tokens, targets) = padded(part, rows);
                Ok(running.step.part(weights, gradients, &tokens, &targets, share.all as usize, watch))
            }
            Self::Composed(model) => composed(model, layout, weights, part, share, gradients),
        }
    }
}

fn both(a: Losses, b: Losses) -> Losses {
    let auxiliary = a.auxiliary.zip(b.auxiliary).map(|(a, b)| a + b);
    Losses { loss: a.loss + b.loss, auxiliary }
}

/// So many elements are one thread's at a time.
const PIECE: usize = 1 << 15;

/// `sum += x`, on the threads of `pool`.
fn add(pool: &Pool, x: &[f32], sum: &mut [f32]) {
    let pieces: Vec<_> = x.chunks(PIECE).zip(sum.chunks_mut(PIECE).map(Mutex::new)).collect();
    pool.run(pieces.len(), &|i, _| {
        let (x, sum) = &pieces[i];
        add_to(x, &mut sum.lock().unwrap_or_else(PoisonError::into_inner));
    });
}

/// A step on candle.
fn composed(
    model: &Model,
    layout: &Layout,
    weights: &[f32],
    part: &Batch,
    share: Share,
    gradients: &mut [f32],
) -> Result<Losses, RuntimeError> {
    store(model, layout, weights)?;
    let (tokens, targets) = inputs(part, &Device::Cpu)?;
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
    let losses = Losses { loss: losses.loss.to_scalar()?, auxiliary };
    if share.of == share.all {
        return Ok(losses);
    }
    // Its means are over its own tokens.
    let scale = (share.of as f64 / share.all as f64) as f32;
    gradients.iter_mut().for_each(|gradient| *gradient *= scale);
    Ok(Losses { loss: losses.loss * scale, auxiliary: losses.auxiliary.map(|sum| sum * scale) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use genesys_ir::additive_losses;

    use super::*;
    use crate::model::{self, compile, layout};

    const VOCABULARY: u64 = 11;

    /// Calls `look` with the name and the module of every shipped design and mechanism; gives their number.
    fn shipped(scale: &Scale, mut look: impl FnMut(&str, Module)) -> usize {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("designs");
        let folders = [root.clone(), root.join("mechanisms")];
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        let mut seen = 0;
        for path in files.filter(|path| path.extension().is_some_and(|ending| ending == "gau")) {
            let module = compile(&fs::read_to_string(&path).unwrap(), scale, VOCABULARY).unwrap().module;
            look(&path.display().to_string(), module);
            seen += 1;
        }
        seen
    }

    fn small(rows: u64) -> Scale {
        Scale { context: 8, rows, ..Scale::named("nano").unwrap() }
    }

    #[test]
    fn every_shipped_design_and_mechanism_is_one_program_over_its_weights() {
        let scale = small(1);
        let seen = shipped(&scale, |name, module| {
            let layout = layout(&module).unwrap();
            let plan = Passes::of(&module, &Machine::default(), Recompute::Little, Precision::F32)
                .plan(&layout, &scale, 1)
                .unwrap();
            assert_eq!(plan.composed(), None, "{name}");
            let Way::Program(programs) = plan.way else { return };
            let lengths = [&programs.step, &programs.loss].map(Program::weights);
            assert_eq!(lengths, [layout.len(); 2], "{name}");
        });
        assert!(seen > 60, "{seen} designs");
    }

    /// Five rows of which two are padded, one of them almost all.
    fn batch() -> Batch {
        let lengths = vec![9, 9, 2, 9, 6];
        let token = |i: u32| i.wrapping_mul(2_654_435_761).rotate_left(11) % VOCABULARY as u32;
        let mut tokens: Vec<u32> = (0..45).map(token).collect();
        for (row, length) in tokens.chunks_mut(9).zip(&lengths) {
            row[*length as usize..].fill(0);
        }
        Batch { tokens, lengths, bytes: vec![8, 8, 1, 8, 5], width: 9 }
    }

    /// Losses and gradients, so many rows at a time.
    fn step(module: &Module, scale: &Scale, machine: &Machine, rows: usize) -> (Losses, Vec<f32>) {
        let layout = layout(module).unwrap();
        let weights = model::draw(module, 4).unwrap();
        let pool = Arc::new(Pool::new(2));
        let plan = Passes::of(module, machine, Recompute::Little, Precision::F32).plan(&layout, scale, rows).unwrap();
        let mut engine = plan.engine(&pool, || model::with(module, &layout, &weights)).unwrap();
        let mut gradients = vec![f32::NAN; layout.len()];
        let losses = engine.step(&pool, &layout, &weights, &batch(), &mut gradients, &mut |_| {}).unwrap();
        (losses, gradients)
    }

    /// The largest difference, by the root of the mean square of the first.
    fn difference(a: &[f32], b: &[f32]) -> f64 {
        let square = a.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>() / a.len() as f64;
        let largest = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        if b.iter().all(|b| b.is_finite()) { largest / square.sqrt() } else { f64::INFINITY }
    }

    fn alike((a, x): &(Losses, Vec<f32>), (b, y): &(Losses, Vec<f32>), bound: f64) -> Result<(), String> {
        let close = |a: f32, b: f32| f64::from((a - b).abs()) <= bound * f64::from(a.abs());
        let auxiliary = match (a.auxiliary, b.auxiliary) {
            (Some(a), Some(b)) => close(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        let found = difference(x, y);
        if close(a.loss, b.loss) && auxiliary && found <= bound {
            Ok(())
        } else {
            Err(format!("{a:?}, {b:?}, {found}"))
        }
    }

    #[test]
    fn gradients_of_parts_add_up_to_those_of_the_batch() {
        let (scale, machine) = (small(5), Machine::default());
        let mut whole_only = Vec::new();
        shipped(&scale, |name, module| {
            let whole = step(&module, &scale, &machine, 5);
            for rows in [1, 2, 3] {
                let parts = step(&module, &scale, &machine, rows);
                match additive_losses(&module) {
                    Ok(()) => alike(&whole, &parts, 2e-4).unwrap_or_else(|why| panic!("{name}, {rows} rows: {why}")),
                    Err(_) => assert!(alike(&whole, &parts, 2e-4).is_err(), "{name} adds up"),
                }
            }
            if additive_losses(&module).is_err() {
                whole_only.push(name.rsplit('/').next().unwrap_or_default().to_owned());
            }
        });
        assert_eq!(whole_only, ["moe_balance.gau"]);
    }

    #[test]
    fn parts_add_up_operation_by_operation_as_well() {
        let (scale, machine) = (small(5), Machine { path: Path::Composed, ..Machine::default() });
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("designs");
        for design in ["gpt.gau", "mechanisms/vq_vae.gau"] {
            let module = compile(&fs::read_to_string(root.join(design)).unwrap(), &scale, VOCABULARY).unwrap().module;
            let whole = step(&module, &scale, &machine, 5);
            for rows in [1, 2] {
                let parts = step(&module, &scale, &machine, rows);
                alike(&whole, &parts, 2e-4).unwrap_or_else(|why| panic!("{design}, {rows} rows: {why}"));
                alike(&whole, &step(&module, &scale, &Machine::default(), rows), 1e-3).unwrap();
            }
        }
    }
}
