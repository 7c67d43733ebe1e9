//! What is measured, as both sides are told it, and what both begin with: a batch, and first weights.

use std::fs;
use std::path::PathBuf;

use genesys_cpu::Precision;
use genesys_ir::module::Module;
use genesys_ladder::Scale;
use genesys_runtime::candle_core::{DType, Device};
use genesys_runtime::{Model, RuntimeError};
use genesys_train::adamw::Segment;
use genesys_train::tensors::{HostTensor, Table, to_bytes};
use serde::Deserialize;

use super::Expression;

/// The one learning rate of a measured training.
pub(super) const RATE: f64 = 3e-4;

/// A training, or an expression.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Work {
    /// Steps of a design on one batch.
    Training(Training),
    /// An expression over rows.
    Expression {
        /// What is computed.
        #[serde(flatten)]
        expression: Expression,
        /// Where the first weights go.
        weights_file: Option<PathBuf>,
    },
}

/// Steps of a design on one batch of tokens that look random.
#[derive(Debug, Deserialize)]
pub struct Training {
    /// The design's file.
    pub design: PathBuf,
    /// The size of the axis `D`.
    pub width: u64,
    /// How often the starred part of the stack is repeated.
    pub blocks: u64,
    /// Positions a row.
    pub context: u64,
    /// Rows a step.
    pub rows: u64,
    /// Entries of the vocabulary.
    pub vocabulary: u64,
    /// `f32` or `bf16`.
    pub dtype: String,
    /// Where the first weights go, for the other side to begin with.
    pub weights_file: Option<PathBuf>,
}

/// How much of a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The loss alone.
    Loss,
    /// The loss and the gradients of all weights.
    Gradients,
    /// Both, then clipping and AdamW.
    Update,
}

/// A work as the sides run it: a module, a shape, and how far to go.
#[derive(Debug)]
pub struct Task {
    /// The language model, with all sizes known.
    pub module: Module,
    /// Rows and positions of a batch.
    pub shape: (usize, usize),
    /// What a step does.
    pub extent: Extent,
    /// In which numbers.
    pub precision: Precision,
    vocabulary: u64,
    weights: Option<PathBuf>,
}

/// First weights of a task, all in one slice in the order of their use.
#[derive(Debug)]
pub struct Weights {
    /// The numbers.
    pub values: Vec<f32>,
    /// Where each weight lies.
    pub segments: Vec<Segment>,
    /// Those that do not decay, by name.
    pub plain: Vec<String>,
}

impl Training {
    /// The module of the design, and what a step of it is.
    ///
    /// # Errors
    /// The file cannot be read, the type is none, or the design does not run at these sizes.
    pub fn task(&self) -> Result<Task, String> {
        let &Self { width, blocks, context, rows, vocabulary, .. } = self;
        let name = "versus".to_owned();
        let scale = Scale { name, width, blocks, context, rows, vocabulary, learning_rate: RATE, steps: 1 };
        let text = fs::read_to_string(&self.design).map_err(|error| format!("{}: {error}", self.design.display()))?;
        let precision = self.dtype.parse()?;
        Ok(Task { precision, ..Task::new(&text, &scale, Extent::Update, self.weights_file.clone())? })
    }
}

impl Work {
    /// The work as a task.
    ///
    /// # Errors
    /// As [`Training::task`].
    pub fn task(&self) -> Result<Task, String> {
        match self {
            Work::Training(training) => training.task(),
            Work::Expression { expression, weights_file } => {
                let extent = if expression.backward { Extent::Gradients } else { Extent::Loss };
                Task::new(&expression.design()?, &expression.scale(), extent, weights_file.clone())
            }
        }
    }
}

impl Task {
    fn new(text: &str, scale: &Scale, extent: Extent, weights: Option<PathBuf>) -> Result<Self, String> {
        let compiled = genesys_train::compile(text, scale, scale.vocabulary).map_err(|error| error.to_string())?;
        let shape = (scale.rows as usize, scale.context as usize);
        let precision = Precision::F32;
        Ok(Self { module: compiled.module, shape, extent, precision, vocabulary: scale.vocabulary, weights })
    }

    /// Tokens and targets, row by row: `i * 2654435761 mod 2^32 mod vocabulary`, and the token behind each.
    #[must_use]
    pub fn batch(&self) -> (Vec<u32>, Vec<u32>) {
        let token = |i: u64| ((i * 2_654_435_761 % (1 << 32)) % self.vocabulary) as u32;
        let count = (self.shape.0 * self.shape.1) as u64;
        ((0..count).map(token).collect(), (1..=count).map(token).collect())
    }

    /// The model of the composed back end, with its first weights.
    ///
    /// # Errors
    /// Candle fails.
    pub fn model(&self) -> Result<Model, RuntimeError> {
        Model::init(self.module.clone(), 1, DType::F32, &Device::Cpu)
    }

    /// The weights of that model, which are also written where the other side looks for them.
    ///
    /// # Errors
    /// Candle fails, or the file cannot be written.
    pub fn weights(&self, model: &Model) -> Result<Weights, String> {
        let mut weights = Weights { values: Vec::new(), segments: Vec::new(), plain: Vec::new() };
        let mut table = Table::new();
        for parameter in model.parameters() {
            let read = parameter.var.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
            let values = read.map_err(|error| error.to_string())?;
            let start = weights.values.len();
            weights.values.extend_from_slice(&values);
            let decayed = parameter.role.is_decayed();
            weights.segments.push(Segment { range: start..weights.values.len(), decayed });
            if !decayed {
                weights.plain.push(parameter.name.clone());
            }
            table.insert(parameter.name.clone(), HostTensor { shape: parameter.shape.clone(), values });
        }
        if let Some(path) = &self.weights {
            fs::write(path, to_bytes(&table)).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(weights)
    }
}
