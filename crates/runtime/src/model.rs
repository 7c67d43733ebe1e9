//! A language model: tokens in, logits and losses out.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor};
use genesys_ir::module::{AxisId, IGNORE, Module};

use crate::backward::{gradients, on_large_stack};
use crate::error::into_candle;
use crate::memory::Graph;
use crate::named::{Label, Named};
use crate::origin::Origin;
use crate::program::{Parameter, Program};
use crate::state::State;
use crate::{RuntimeError, execute::constant};

/// A text is read in pieces of at most so many tokens,
const PIECE: usize = 256;
/// of which each one looks at all before it: so many pairs at most, but for a single token.
const SCORES: usize = 1 << 20;

/// A language model with weights, one variable a parameter.
#[derive(Clone, Debug)]
pub struct Model {
    program: Program,
}

/// What a training step needs; nothing in it is part of a graph.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// `[b, t, v]`
    pub logits: Tensor,
    /// What is minimized, and its parts.
    pub losses: Losses,
    /// Those of the objective: one for each parameter, in their order; `None` where it does not depend on it.
    pub gradients: Vec<Option<Tensor>>,
}

/// What training minimizes: how well tokens are predicted, and what units add to that.
#[derive(Clone, Debug)]
pub struct Losses {
    /// `[]`: the mean in nats over the targets that count. This alone is reported, and compared.
    pub loss: Tensor,
    /// `[]`: the sum of the losses of all units, with means over the tokens of this batch; `None` where they have none.
    pub auxiliary: Option<Tensor>,
}

impl Losses {
    /// `[]`: the sum of both, which gradients are taken of.
    ///
    /// # Errors
    /// Candle fails.
    pub fn objective(&self) -> Result<Tensor, RuntimeError> {
        Ok(match &self.auxiliary {
            // The loss is in f32 where weights are narrower.
            Some(auxiliary) => (&self.loss + auxiliary.to_dtype(self.loss.dtype())?)?,
            None => self.loss.clone(),
        })
    }

    fn detach(&self) -> Self {
        Self { loss: self.loss.detach(), auxiliary: self.auxiliary.as_ref().map(Tensor::detach) }
    }
}

impl Model {
    /// A model whose weights are drawn from a seed: each element a function of the seed, the
    /// weight's random stream and the element's index alone.
    ///
    /// # Errors
    /// The module is not valid, not specialized, or uses reversed time or document starts; candle fails.
    pub fn init(module: Module, seed: u64, dtype: DType, device: &Device) -> Result<Self, RuntimeError> {
        validated(&module)?;
        Ok(Self { program: Program::init(module, seed, dtype, device)? })
    }

    /// A model with given weights, which fix element type and device.
    ///
    /// # Errors
    /// As [`init`](Self::init), or names and shapes are not just the module's.
    pub fn from_weights(module: Module, weights: BTreeMap<String, Tensor>) -> Result<Self, RuntimeError> {
        validated(&module)?;
        Ok(Self { program: Program::from_weights(module, weights)? })
    }

    /// The module it runs.
    pub fn module(&self) -> &Module {
        &self.program.module
    }

    /// All weights, in the order of their use.
    pub fn parameters(&self) -> &[Parameter] {
        &self.program.parameters
    }

    /// The element type of weights and activations.
    pub fn dtype(&self) -> DType {
        self.program.place.dtype
    }

    /// Where the weights are.
    pub fn device(&self) -> &Device {
        &self.program.place.device
    }

    /// Scores `[b, t, v]` of tokens `[b, t]` (u32).
    ///
    /// # Errors
    /// The shape is not `[b, t]`, or a token is outside the vocabulary; candle fails.
    pub fn logits(&self, tokens: &Tensor) -> Result<Tensor, RuntimeError> {
        let targets = Tensor::full(IGNORE, tokens.shape(), tokens.device())?;
        Ok(self.predict(tokens, &targets, Graph::Kept)?.0)
    }

    /// The mean in nats over the targets `[b, t]` (u32) that are not
    /// [`IGNORE`](genesys_ir::module::IGNORE).
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<Tensor, RuntimeError> {
        Ok(self.predict(tokens, targets, Graph::Kept)?.1)
    }

    /// The loss and what the units add to it in training, over the targets `[b, t]` (u32) that are not
    /// [`IGNORE`](genesys_ir::module::IGNORE).
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn losses(&self, tokens: &Tensor, targets: &Tensor) -> Result<Losses, RuntimeError> {
        Ok(self.run(tokens, targets, Graph::Kept)?.1)
    }

    /// Logits, then loss.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn forward_loss(&self, tokens: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor), RuntimeError> {
        self.predict(tokens, targets, Graph::Kept)
    }

    /// Logits, then loss, without a graph: less memory, and no gradient.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn evaluate(&self, tokens: &Tensor, targets: &Tensor) -> Result<(Tensor, Tensor), RuntimeError> {
        self.predict(tokens, targets, Graph::None)
    }

    /// Logits, losses and all gradients; the graph lives and dies on a thread with a large stack.
    ///
    /// # Errors
    /// As [`logits`](Self::logits), or no thread can be started.
    pub fn forward_backward(&self, tokens: &Tensor, targets: &Tensor) -> Result<Evaluated, RuntimeError> {
        on_large_stack(|| {
            let (logits, losses) = self.run(tokens, targets, Graph::Kept)?;
            let gradients = gradients(&losses.objective()?, self)?;
            Ok(Evaluated { logits: logits.detach(), losses: losses.detach(), gradients })
        })
    }

    /// The state of `batch` rows of which nothing was read.
    pub fn start(&self, batch: usize) -> State {
        self.program.start(batch)
    }

    /// Scores `[b, v]` behind the next tokens `[b]` (u32), and the state behind them. Gradients flow, also through the
    /// state; what goes in stays valid.
    ///
    /// # Errors
    /// As [`extend`](Self::extend).
    pub fn step(&self, state: &State, tokens: &Tensor) -> Result<(Tensor, State), RuntimeError> {
        let (logits, state) = self.extend(state, &tokens.unsqueeze(D::Minus1)?)?;
        Ok((logits.squeeze(1)?, state))
    }

    /// Scores `[b, n, v]` behind each of the next tokens `[b, n]` (u32), and the state behind the last: the whole-sequence
    /// form, which begins where the state ends. Gradients flow, also through the state; what goes in stays valid.
    ///
    /// # Errors
    /// The state is another model's, or of other than `b` rows; the shape is not `[b, n]`, or a token is outside the
    /// vocabulary; candle fails.
    pub fn extend(&self, state: &State, tokens: &Tensor) -> Result<(Tensor, State), RuntimeError> {
        self.go_on(state, tokens, Graph::Kept)
    }

    /// As [`extend`](Self::extend), without a graph: caches grow in place, and no gradient flows.
    ///
    /// # Errors
    /// As [`extend`](Self::extend).
    pub fn read(&self, state: &State, tokens: &Tensor) -> Result<(Tensor, State), RuntimeError> {
        self.go_on(state, tokens, Graph::None)
    }

    /// The scores `[v]`, in f32, behind the last of the next tokens of one row, of which there is at least one, and the
    /// state behind them. A long text is read in pieces, so that memory grows with its length, not with the square of it.
    ///
    /// # Errors
    /// As [`extend`](Self::extend), or there are no tokens.
    pub fn next_logits(&self, state: &State, tokens: &[u32]) -> Result<(Vec<f32>, State), RuntimeError> {
        let (mut state, mut rest) = (state.clone(), tokens);
        loop {
            let most = (SCORES / (state.positions + 1)).clamp(1, PIECE);
            let (piece, behind) = rest.split_at(rest.len().min(most));
            let piece = Tensor::from_slice(piece, (1, piece.len()), self.device())?;
            let (logits, next) = self.read(&state, &piece)?;
            if behind.is_empty() {
                let last = logits.narrow(1, logits.dim(1)? - 1, 1)?.flatten_all()?;
                return Ok((last.to_dtype(DType::F32)?.to_vec1()?, next));
            }
            (state, rest) = (next, behind);
        }
    }

    fn go_on(&self, state: &State, tokens: &Tensor, graph: Graph) -> Result<(Tensor, State), RuntimeError> {
        let targets = Tensor::full(IGNORE, tokens.shape(), tokens.device())?;
        let size = self.check(tokens, &targets)?;
        let inputs = vec![in_time(tokens), in_time(&targets)];
        let (results, state) = self.program.extend(state, inputs, size, graph)?;
        Ok((self.scores(&results[0], size)?, state))
    }

    /// Where the loss, or what the units add to it, stops being finite, for the operation that is to blame; `None` where it is finite.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn origin(&self, tokens: &Tensor, targets: &Tensor) -> Result<Option<Origin>, RuntimeError> {
        let (_, positions) = self.check(tokens, targets)?;
        self.program.origin(vec![in_time(tokens), in_time(targets)], positions)
    }

    fn run(&self, tokens: &Tensor, targets: &Tensor, graph: Graph) -> Result<(Tensor, Losses), RuntimeError> {
        let size = self.check(tokens, targets)?;
        let results = self.program.run(vec![in_time(tokens), in_time(targets)], size.1, graph)?;
        let loss = results[1].tensor().clone();
        let auxiliary = results.get(2).map(|sum| sum.tensor().clone());
        Ok((self.scores(&results[0], size)?, Losses { loss, auxiliary }))
    }

    fn predict(&self, tokens: &Tensor, targets: &Tensor, graph: Graph) -> Result<(Tensor, Tensor), RuntimeError> {
        let size = self.check(tokens, targets)?;
        let results = self.program.predict(vec![in_time(tokens), in_time(targets)], size.1, graph)?;
        Ok((self.scores(&results[0], size)?, results[1].tensor().clone()))
    }

    /// `[b, t, v]`
    fn scores(&self, logits: &Named, (batch, positions): (usize, usize)) -> Result<Tensor, RuntimeError> {
        let vocabulary = (Label::Axis(self.vocabulary()?), self.vocabulary_size()?);
        let logits = logits.expand(&[(Label::Batch, batch), (Label::Time, positions), vocabulary])?;
        Ok(logits.contiguous()?)
    }

    fn check(&self, tokens: &Tensor, targets: &Tensor) -> Result<(usize, usize), RuntimeError> {
        let vocabulary = self.vocabulary_size()?;
        for (x, may_ignore) in [(tokens, false), (targets, true)] {
            if x.dims() != tokens.dims() || x.rank() != 2 || x.elem_count() == 0 || x.dtype() != DType::U32 {
                let expected = "tokens and targets of one shape [b, t] in u32".to_string();
                return Err(RuntimeError::Shape { expected, found: x.dims().to_vec() });
            }
            for found in x.flatten_all()?.to_vec1::<u32>()? {
                if found as usize >= vocabulary && !(may_ignore && found == IGNORE) {
                    return Err(RuntimeError::Token { found, vocabulary });
                }
            }
        }
        Ok(tokens.dims2()?)
    }

    fn vocabulary(&self) -> Result<AxisId, RuntimeError> {
        let main = self.program.module.main();
        let logits = main.body.results.first().map(|id| main.ty(*id).axes.as_slice());
        match logits {
            Some([axis]) => Ok(*axis),
            _ => Err(RuntimeError::Module("the main function gives logits over one axis, then a loss".into())),
        }
    }

    fn vocabulary_size(&self) -> Result<usize, RuntimeError> {
        let domain = &self.program.module.axis(self.vocabulary()?).domain;
        constant(domain.size().ok_or_else(|| RuntimeError::Module("a vocabulary that varies".into()))?)
    }
}

fn in_time(x: &Tensor) -> Named {
    Named::new(x.clone(), vec![Label::Batch, Label::Time])
}

fn validated(module: &Module) -> Result<(), RuntimeError> {
    genesys_ir::validate(module).map_err(|violations| {
        let first = violations.first().map(ToString::to_string);
        RuntimeError::Module(first.unwrap_or_else(|| "no reason given".to_string()))
    })?;
    if module.main().adjoint {
        return Err(RuntimeError::Unsupported("a backward pass as a model"));
    }
    Ok(())
}

impl candle_nn::Module for Model {
    /// Tokens `[b, t]` to logits `[b, t, v]`.
    fn forward(&self, tokens: &Tensor) -> candle_core::Result<Tensor> {
        self.logits(tokens).map_err(into_candle)
    }
}
