//! From a module to what layers share: its programs, and the table of its weights.
//!
//! In: a module whose sizes are known, and which unit of it. Out: a [`Compiled`], of which layers are made. It holds no weights.

use std::sync::{Arc, PoisonError};

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{VarBuilder, VarMap};
use genesys_autodiff::{halves, pullback};
use genesys_axis::SizeError;
use genesys_cpu::CpuError;
use genesys_ir::module::{Dtype, FunctionId, Module, Stage, ValueId};
use genesys_ir::{alone, logits_alone, parameters};
use genesys_runtime::{Block, Model, Parameter, RuntimeError};
use genesys_scalar::Role;

use crate::error::LayerError;
use crate::layer::Layer;
use crate::programs::{Passes, Programs};

/// How a layer runs. It changes no bit of what it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads of a pass, of which the caller is one.
    pub threads: usize,
    /// Shapes of inputs whose programs are kept; one more takes the place of the one that was used longest ago.
    pub shapes: usize,
}

impl Default for Options {
    /// One thread, four shapes.
    fn default() -> Self {
        Self { threads: 1, shapes: 4 }
    }
}

/// A weight of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Its name: `attention.q.weight` in a block, `blocks.3.attention.q.weight` in a model.
    pub name: String,
    /// Its sizes in storage order, row-major.
    pub shape: Vec<usize>,
    /// Its first element among those of all weights.
    pub start: usize,
    /// What it is for.
    pub role: Role,
}

impl Weight {
    /// How many elements it has.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A unit or a model as programs for the processor. Cloning it copies nothing; layers of it share programs and their memory.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    /// What it is called in errors.
    pub(crate) name: String,
    pub(crate) reads: Reads,
    /// The axes of what it gives, behind rows and positions.
    pub(crate) gives: Vec<usize>,
    /// Whether it adds a loss of its own.
    pub(crate) has_loss: bool,
    pub(crate) programs: Arc<Programs>,
    weights: Vec<Weight>,
    module: Module,
    part: Part,
}

/// What a layer reads at each position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// A token below that number.
    Tokens(usize),
    /// Numbers over these axes.
    Sequence(Vec<usize>),
}

/// Which part of a module is compiled.
#[derive(Clone, Copy, Debug)]
enum Part {
    Model,
    Block(FunctionId, u32),
}

impl Compiled {
    /// The unit `unit` of the stack of a design, as block number `layer`: what a unit asks of its number, it gets. It goes from
    /// `[b, t, D]` to `[b, t, D]`.
    ///
    /// # Errors
    /// The stack has no such unit, the unit takes or gives values beside its sequence, or it has no program.
    pub fn block(module: &Module, unit: &str, layer: u32, options: Options) -> std::result::Result<Self, LayerError> {
        let function = find(module, unit)?;
        let optimized = genesys_opt::optimize(&expanded(module)?);
        let own = alone(&optimized, find(&optimized, unit)?, layer);
        let part = Part::Block(function, layer);
        Self::new(unit.to_owned(), module, part, &alone(module, function, layer), own, options)
    }

    /// The whole model: tokens `[b, t]` (u32) to scores `[b, t, v]`.
    ///
    /// # Errors
    /// It has no program.
    pub fn model(module: &Module, options: Options) -> std::result::Result<Self, LayerError> {
        let own = logits_alone(&genesys_opt::optimize(&expanded(module)?));
        Self::new(module.name.clone(), module, Part::Model, &logits_alone(module), own, options)
    }

    /// `whole` is the part as it is lowered, `own` as it runs where nothing is differentiated.
    fn new(
        name: String,
        module: &Module,
        part: Part,
        whole: &Module,
        own: Module,
        options: Options,
    ) -> std::result::Result<Self, LayerError> {
        let (reads, gives, has_loss) = signature(&name, whole)?;
        let weights = table(whole).map_err(LayerError::Size)?;
        let order = weights.iter().map(|weight| (weight.name.clone(), weight.elements())).collect();
        let both = genesys_opt::optimize(&pullback(whole).map_err(LayerError::Underivable)?);
        let passes = Passes { alone: own, halves: halves(&both, 1 + usize::from(has_loss)) };
        let programs = Programs::new(passes, order, options.threads, options.shapes).map_err(LayerError::Program)?;
        let programs = Arc::new(programs);
        let module = module.clone();
        let inner = Inner { name, reads, gives, has_loss, programs, weights, module, part };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// All weights, in the order in which they lie in a layer's tensor.
    #[must_use]
    pub fn weights(&self) -> &[Weight] {
        &self.inner.weights
    }

    /// How many numbers all weights have together.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.inner.weights.last().map_or(0, |weight| weight.start + weight.elements())
    }

    /// First values for all weights, `[elements]`: as the design says, each a function of the seed.
    ///
    /// # Errors
    /// Candle's.
    pub fn draw(&self, seed: u64) -> Result<Tensor> {
        let flat = |parameters: &[Parameter]| {
            let flat = parameters.iter().map(|parameter| parameter.var.as_detached_tensor().flatten_all());
            joined(flat.collect::<Result<Vec<_>>>()?)
        };
        let module = &self.inner.module;
        let failed = |error: RuntimeError| candle_core::Error::wrap(error);
        match self.inner.part {
            Part::Model => {
                flat(Model::init(module.clone(), seed, DType::F32, &Device::Cpu).map_err(failed)?.parameters())
            }
            Part::Block(function, layer) => {
                let block = Block::init(module, function, layer, seed, DType::F32, &Device::Cpu);
                flat(block.map_err(failed)?.parameters())
            }
        }
    }

    /// All weights, `[elements]`, from tensors of their names: those of a checkpoint, of which a block reads its own behind
    /// a prefix, as in `vb.pp("blocks").pp("0")`.
    ///
    /// # Errors
    /// A weight is missing, or has another shape.
    pub fn load(&self, vb: &VarBuilder<'_>) -> Result<Tensor> {
        let read = |weight: &Weight| {
            let tensor = vb.get(weight.shape.as_slice(), &weight.name)?;
            tensor.detach().to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()
        };
        joined(self.inner.weights.iter().map(read).collect::<Result<Vec<_>>>()?)
    }

    /// A layer with these weights: `[elements]`, in f32, on the processor. Gradients flow to the tensor, and what it was made
    /// of.
    ///
    /// # Errors
    /// They are none of that shape, type and place.
    pub fn layer(&self, weights: Tensor) -> Result<Layer> {
        Layer::new(self.clone(), weights)
    }

    /// A layer whose weights are the variable `name` of `vars`: it is drawn from the seed where there is none yet.
    ///
    /// # Errors
    /// There is one of another shape or type.
    pub fn init(&self, vars: &VarMap, name: &str, seed: u64) -> Result<Layer> {
        let mut all = vars.data().lock().unwrap_or_else(PoisonError::into_inner);
        let weights = match all.get(name) {
            Some(known) => known.as_tensor().clone(),
            None => {
                let var = Var::from_tensor(&self.draw(seed)?)?;
                let weights = var.as_tensor().clone();
                all.insert(name.to_owned(), var);
                weights
            }
        };
        self.layer(weights)
    }

    /// How many shapes of inputs have programs now.
    #[must_use]
    pub fn shapes(&self) -> usize {
        self.inner.programs.shapes()
    }
}

/// Vectors one behind the other.
fn joined(parts: Vec<Tensor>) -> Result<Tensor> {
    if parts.is_empty() { Tensor::zeros(0, DType::F32, &Device::Cpu) } else { Tensor::cat(&parts, 0) }
}

fn expanded(module: &Module) -> std::result::Result<Module, LayerError> {
    let mut module = module.clone();
    genesys_autodiff::expand(&mut module).map_err(LayerError::Underivable)?;
    Ok(module)
}

/// The function of a unit.
fn find(module: &Module, unit: &str) -> std::result::Result<FunctionId, LayerError> {
    let units = &module.functions[..module.functions.len() - 1];
    let number = units.iter().position(|function| function.name == unit);
    let number = number.ok_or_else(|| LayerError::Unknown {
        unit: unit.to_owned(),
        known: units.iter().map(|function| function.name.clone()).collect(),
    })?;
    Ok(FunctionId(number as u32))
}

/// What the main function reads and gives at each position, and whether it gives a loss.
fn signature(name: &str, module: &Module) -> std::result::Result<(Reads, Vec<usize>, bool), LayerError> {
    let main = module.main();
    let sizes = |id: &ValueId| -> std::result::Result<Vec<usize>, LayerError> {
        main.ty(*id).axes.iter().map(|axis| extent(module, *axis)).collect()
    };
    let sequences: Vec<&ValueId> = main.inputs.iter().filter(|id| main.ty(**id).dtype == Dtype::Real).collect();
    let given: Vec<&ValueId> = main.body.results.iter().filter(|id| main.ty(**id).stage != Stage::Loss).collect();
    let has_loss = given.len() < main.body.results.len();
    match (sequences.as_slice(), given.as_slice()) {
        ([], [scores]) => {
            let gives = sizes(scores)?;
            Ok((Reads::Tokens(gives.iter().product()), gives, has_loss))
        }
        ([x], [y]) => Ok((Reads::Sequence(sizes(x)?), sizes(y)?, has_loss)),
        (takes, gives) => Err(LayerError::Sides { unit: name.to_owned(), takes: takes.len(), gives: gives.len() }),
    }
}

/// How many elements an axis has.
fn extent(module: &Module, axis: genesys_ir::module::AxisId) -> std::result::Result<usize, LayerError> {
    let axis = module.axis(axis);
    let size = axis.domain.size().ok_or_else(|| LayerError::Size(SizeError::Unbound(axis.name.clone())))?;
    let size = size.eval(&|_| None).map_err(LayerError::Size)?;
    usize::try_from(size).map_err(|_| LayerError::Program(CpuError::TooLarge))
}

/// The weights of a module whose sizes are known, one behind the other.
fn table(module: &Module) -> std::result::Result<Vec<Weight>, SizeError> {
    let mut start = 0;
    let mut place = |parameter: genesys_ir::ParameterInfo| {
        let weight = Weight { name: parameter.name, shape: parameter.shape, start, role: parameter.role };
        start += weight.elements();
        weight
    };
    Ok(parameters(module)?.into_iter().map(&mut place).collect())
}
