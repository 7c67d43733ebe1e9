//! The composed back end, trained as `genesys-train` trained before there was an executor: the figures before and after.

use genesys_cpu::Precision;
use genesys_kernels::Pool;
use genesys_runtime::candle_core::{Device, Tensor};
use genesys_runtime::{Model, RuntimeError, on_large_stack};
use genesys_train::adamw::{AdamW, Hyper};

use super::work::{Extent, RATE, Task, Weights};
use super::{Loaded, Side, threads};

/// The longest row that is measured: scores of every pair of positions are kept.
const LONGEST: usize = 1024;

/// Plain candle operations with candle's derivatives.
pub(super) struct Runtime;

impl Side for Runtime {
    fn library(&self) -> String {
        "genesys-runtime".to_owned()
    }

    fn load(&mut self, task: Task) -> Result<Box<dyn Loaded>, String> {
        if task.precision != Precision::F32 {
            return Err(format!("the composed back end computes in f32, not in {}", task.precision));
        }
        if task.shape.1 > LONGEST && task.extent == Extent::Update {
            return Err(format!("the composed back end is measured up to {LONGEST} positions a row"));
        }
        Ok(Box::new(Trainer::new(&task)?))
    }

    /// There is nothing to do: a module runs as it is.
    fn compile(&self, _: &Task) -> Result<(), String> {
        Ok(())
    }
}

struct Trainer {
    model: Model,
    /// `[b, t]`
    tokens: Tensor,
    targets: Tensor,
    weights: Weights,
    adamw: AdamW,
    pool: Pool,
    extent: Extent,
}

impl Trainer {
    fn new(task: &Task) -> Result<Self, String> {
        let model = task.model().map_err(|error| error.to_string())?;
        let weights = task.weights(&model)?;
        let (tokens, targets) = task.batch();
        let batch =
            |numbers: Vec<u32>| Tensor::from_vec(numbers, task.shape, &Device::Cpu).map_err(|error| error.to_string());
        let adamw = AdamW::new(Hyper::default(), weights.values.len());
        Ok(Self {
            model,
            tokens: batch(tokens)?,
            targets: batch(targets)?,
            weights,
            adamw,
            pool: Pool::new(threads()),
            extent: task.extent,
        })
    }

    fn run(&mut self) -> Result<f32, RuntimeError> {
        if self.extent == Extent::Loss {
            return Ok(self.model.evaluate(&self.tokens, &self.targets)?.1.to_scalar()?);
        }
        let (loss, gradients) = self.gradients()?;
        if self.extent == Extent::Update {
            let Weights { values, segments, .. } = &mut self.weights;
            self.adamw.update(&self.pool, segments, values, &gradients, RATE);
            for (parameter, segment) in self.model.parameters().iter().zip(segments) {
                let values = &values[segment.range.clone()];
                parameter.var.set(&Tensor::from_slice(values, parameter.shape.as_slice(), &Device::Cpu)?)?;
            }
        }
        Ok(loss)
    }

    fn gradients(&self) -> Result<(f32, Vec<f32>), RuntimeError> {
        on_large_stack(|| {
            let loss = self.model.losses(&self.tokens, &self.targets)?.objective()?;
            let store = loss.backward()?;
            let mut flat = vec![0.0; self.weights.values.len()];
            for (parameter, segment) in self.model.parameters().iter().zip(&self.weights.segments) {
                if let Some(gradient) = store.get(&parameter.var) {
                    flat[segment.range.clone()].copy_from_slice(&gradient.flatten_all()?.to_vec1::<f32>()?);
                }
            }
            Ok((loss.to_scalar::<f32>()?, flat))
        })
    }
}

impl Loaded for Trainer {
    fn step(&mut self) -> Result<f32, String> {
        self.run().map_err(|error| error.to_string())
    }

    fn plain(&self) -> &[String] {
        &self.weights.plain
    }
}
