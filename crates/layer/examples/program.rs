//! An ordinary candle program with compiled blocks in it: embedding, norm, head, loss and optimizer are candle's. It learns to
//! predict the next byte of a text, and prints the loss every ten steps.

use candle_core::{DType, Device, Tensor};
use candle_nn::{AdamW, Embedding, LayerNorm, Linear, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use genesys_ladder::Scale;
use genesys_layer::{Compiled, Layer, Options};

/// What `main` may end with.
pub(crate) type Error = Box<dyn std::error::Error>;

const TEXT: &str = include_str!("../../../docs/language.md");
const WIDTH: usize = 64;
const ROWS: usize = 4;
const POSITIONS: usize = 64;

/// Bytes to scores of the next ones.
struct Network {
    embedding: Embedding,
    blocks: [Layer; 2],
    norm: LayerNorm,
    head: Linear,
}

impl Network {
    fn new(vars: &VarMap) -> Result<Self, Error> {
        let vb = VarBuilder::from_varmap(vars, DType::F32, &Device::Cpu);
        let checked = genesys_compiler::check_text("gla", include_str!("../../../designs/gla.gau"));
        let scale = Scale::named("nano").ok_or("`nano` is a rung")?;
        let module = genesys_compiler::compile(&checked.design.ok_or("it does not check")?, &scale, 256)?;
        let block = Compiled::block(&module, "Block", 0, Options::default())?;
        Ok(Self {
            embedding: candle_nn::embedding(256, WIDTH, vb.pp("embedding"))?,
            blocks: [block.init(vars, "blocks.0", 1)?, block.init(vars, "blocks.1", 2)?],
            norm: candle_nn::layer_norm(WIDTH, 1e-5, vb.pp("norm"))?,
            head: candle_nn::linear(WIDTH, 256, vb.pp("head"))?,
        })
    }
}

impl Module for Network {
    fn forward(&self, tokens: &Tensor) -> candle_core::Result<Tensor> {
        let mut x = self.embedding.forward(tokens)?; // [b, t, D]
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.head.forward(&self.norm.forward(&x)?)
    }
}

/// The rows of a step, and what follows at each position.
fn batch(step: usize) -> candle_core::Result<(Tensor, Tensor)> {
    let bytes: Vec<u32> = TEXT.bytes().map(u32::from).collect();
    let rows = (0..ROWS).map(|row| (step * ROWS + row) * POSITIONS % (bytes.len() - POSITIONS - 1));
    let from = |ahead: usize| {
        let rows = rows.clone().flat_map(|start| &bytes[start + ahead..][..POSITIONS]);
        Tensor::from_iter(rows.copied(), &Device::Cpu)
    };
    Ok((from(0)?.reshape((ROWS, POSITIONS))?, from(1)?))
}

/// The mean loss of each ten steps, in nats.
pub(crate) fn train(tens: usize) -> Result<Vec<f32>, Error> {
    let vars = VarMap::new();
    let network = Network::new(&vars)?;
    let mut optimizer = AdamW::new(vars.all_vars(), ParamsAdamW { lr: 1e-2, ..ParamsAdamW::default() })?;
    let mut losses = Vec::new();
    for ten in 0..tens {
        let mut sum = 0.0;
        for step in 0..10 {
            let (tokens, next) = batch(10 * ten + step)?;
            let scores = network.forward(&tokens)?.flatten(0, 1)?;
            let loss = candle_nn::loss::cross_entropy(&scores, &next)?;
            optimizer.backward_step(&loss)?;
            sum += loss.to_scalar::<f32>()?;
        }
        losses.push(sum / 10.0);
    }
    Ok(losses)
}

#[allow(clippy::print_stdout)] // it reports to the terminal
fn main() -> Result<(), Error> {
    for (ten, loss) in train(10)?.into_iter().enumerate() {
        println!("steps {:3} to {:3}: {loss:.3} nats a byte", 10 * ten + 1, 10 * ten + 10);
    }
    Ok(())
}
