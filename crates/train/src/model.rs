//! From a design's text to a model: untrained, or with the weights of a checkpoint.
//!
//! In: text, scale, vocabulary, maybe weights; or a [`Checkpoint`]. Out: a model whose weights are those that the design has. A
//! design's errors come back as one line here; who has the file in hand checks it first and shows all of them.

use candle_core::{DType, Device, Tensor};
use genesys_compiler::check_text;
use genesys_ir::module::Module;
use genesys_ladder::Scale;
use genesys_runtime::{Model, RuntimeError};
use genesys_tokenize::Tokenizer;

use crate::arena::Layout;
use crate::checkpoint::{Checkpoint, Config};
use crate::error::{CheckpointError, TrainError};
use crate::job::Job;
use crate::tensors::{HostTensor, Table};

/// A design compiled at a scale.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The design's hash.
    pub hash: String,
    /// The language model, with all sizes known.
    pub module: Module,
}

/// Checks and compiles the design `text` at `scale` for a vocabulary of `vocabulary` tokens.
///
/// # Errors
/// [`TrainError::Design`] with the first error.
pub fn compile(text: &str, scale: &Scale, vocabulary: u64) -> Result<Compiled, TrainError> {
    let checked = check_text("design", text);
    let first = checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error());
    let Some(design) = checked.design else {
        let why = first.map_or_else(|| "it does not check".to_owned(), |error| error.message.clone());
        return Err(TrainError::Design(why));
    };
    let module = genesys_compiler::compile(&design, scale, vocabulary);
    let module = module.map_err(|error| TrainError::Design(error.to_string()))?;
    Ok(Compiled { hash: design.hash().to_string(), module })
}

/// An untrained model as a checkpoint: its weights are drawn from `seed`, whatever the tokenizer's texts were.
///
/// # Errors
/// [`TrainError::Design`], or [`TrainError::Compute`].
pub fn untrained(text: &str, scale: &Scale, seed: u64, tokenizer: &Tokenizer) -> Result<Checkpoint, TrainError> {
    let vocabulary = tokenizer.vocab_size() as u64;
    let Compiled { hash, module } = compile(text, scale, vocabulary)?;
    let (layout, weights) = (layout(&module)?, draw(&module, seed)?);
    let job = Job { steps: 0, ..Job::at_scale(text, scale, seed) };
    Ok(begun(Config::new(job, hash, vocabulary), layout.table(&weights, ""), tokenizer))
}

/// A model with weights from elsewhere as a checkpoint: just those of the design, in their shapes.
///
/// # Errors
/// [`TrainError::Weights`] with the first few differences, [`TrainError::Design`], or [`TrainError::Compute`].
pub fn given(text: &str, scale: &Scale, weights: Table, tokenizer: &Tokenizer) -> Result<Checkpoint, TrainError> {
    let vocabulary = tokenizer.vocab_size() as u64;
    let Compiled { hash, module } = compile(text, scale, vocabulary)?;
    match from_table(module, &weights)? {
        Err(error @ RuntimeError::Weights(_)) => return Err(TrainError::Weights(error.to_string())),
        made => made.map_err(TrainError::compute("make a model"))?,
    };
    let job = Job { steps: 0, ..Job::at_scale(text, scale, 0) };
    Ok(begun(Config::new(job, hash, vocabulary), weights, tokenizer))
}

/// A checkpoint before the first step.
fn begun(config: Config, weights: Table, tokenizer: &Tokenizer) -> Checkpoint {
    Checkpoint { config, weights, tokenizer: tokenizer.clone(), optimizer: None, history: None }
}

/// The model of a checkpoint.
///
/// # Errors
/// [`CheckpointError::OtherDesign`] where text, hash and weights do not belong together, [`TrainError::Design`].
pub fn build(checkpoint: &Checkpoint) -> Result<Model, TrainError> {
    holds(checkpoint, module_of(checkpoint)?)
}

/// The model of `module` with the weights of a checkpoint.
fn holds(checkpoint: &Checkpoint, module: Module) -> Result<Model, TrainError> {
    match from_table(module, &checkpoint.weights)? {
        Err(error @ RuntimeError::Weights(_)) => Err(CheckpointError::OtherDesign { why: error.to_string() }.into()),
        made => made.map_err(TrainError::compute("make a model")),
    }
}

/// The module of a checkpoint.
///
/// # Errors
/// [`CheckpointError::OtherDesign`] where text and hash do not belong together, [`TrainError::Design`].
pub(crate) fn module_of(checkpoint: &Checkpoint) -> Result<Module, TrainError> {
    let Config { job, design_hash, vocabulary, .. } = &checkpoint.config;
    let Compiled { hash, module } = compile(&job.design, &job.scale, *vocabulary)?;
    if hash != *design_hash {
        let why = format!("expected the hash {design_hash}, but its text has {hash}");
        return Err(CheckpointError::OtherDesign { why }.into());
    }
    Ok(module)
}

/// The model of `module` with the weights of `table`; whether they fit is the caller's to tell.
fn from_table(module: Module, table: &Table) -> Result<Result<Model, RuntimeError>, TrainError> {
    let tensor = |(name, tensor): (&String, &HostTensor)| {
        Ok((name.clone(), Tensor::from_slice(&tensor.values, tensor.shape.as_slice(), &Device::Cpu)?))
    };
    let weights: candle_core::Result<_> = table.iter().map(tensor).collect();
    Ok(Model::from_weights(module, weights.map_err(TrainError::compute("make a model"))?))
}

/// The layout of a module's weights.
pub(crate) fn layout(module: &Module) -> Result<Layout, TrainError> {
    Layout::of(module).map_err(TrainError::Design)
}

/// The weights of `module` drawn from `seed`.
pub(crate) fn draw(module: &Module, seed: u64) -> Result<Vec<f32>, TrainError> {
    let model = Model::init(module.clone(), seed, DType::F32, &Device::Cpu);
    let model = model.map_err(TrainError::compute("make a model"))?;
    let mut values = Vec::new();
    for parameter in model.parameters() {
        let read = parameter.var.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        values.extend(read.map_err(TrainError::compute("read the weights"))?);
    }
    Ok(values)
}

/// The weights of a checkpoint, which has to have just those of `module`, in one slice.
pub(crate) fn weights_of(checkpoint: &Checkpoint, module: &Module, layout: &Layout) -> Result<Vec<f32>, TrainError> {
    holds(checkpoint, module.clone())?;
    let other = |why| CheckpointError::OtherDesign { why };
    Ok(layout.slice(&checkpoint.weights, "").map_err(other)?)
}

/// The model of `module` with the weights `values`.
pub(crate) fn with(module: &Module, layout: &Layout, values: &[f32]) -> Result<Model, TrainError> {
    from_table(module.clone(), &layout.table(values, ""))?.map_err(TrainError::compute("make a model"))
}

/// Gives the model the weights `values`.
pub(crate) fn store(model: &Model, layout: &Layout, values: &[f32]) -> candle_core::Result<()> {
    for (parameter, (_, shape, values)) in model.parameters().iter().zip(layout.views(values)) {
        parameter.var.set(&Tensor::from_slice(values, shape, parameter.var.device())?)?;
    }
    Ok(())
}
