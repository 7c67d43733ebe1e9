//! An ordinary candle program around a design: a few steps of training, and the loss before and behind them.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};

genesys_macros::design!(pub mod gpt = "../../designs/gpt.gau", scale = "nano", vocabulary = 256);

/// The loss before training, and behind `steps` steps on one line of text.
pub fn train(steps: usize) -> Result<(f32, f32)> {
    let device = Device::Cpu;
    let weights = VarMap::new();
    let model = gpt::Gpt::new(VarBuilder::from_varmap(&weights, DType::F32, &device))?;
    let text: Vec<u32> = b"a design is data, and never runs as code".iter().map(|byte| u32::from(*byte)).collect();
    let n = text.len() - 1;
    let tokens = Tensor::from_slice(&text[..n], (1, n), &device)?;
    let targets = Tensor::from_slice(&text[1..], (1, n), &device)?;
    let before = model.loss(&tokens, &targets)?.to_scalar()?;
    let mut optimizer = AdamW::new(weights.all_vars(), ParamsAdamW { lr: 3e-3, ..ParamsAdamW::default() })?;
    for _ in 0..steps {
        optimizer.backward_step(&model.loss(&tokens, &targets)?)?;
    }
    Ok((before, model.loss(&tokens, &targets)?.to_scalar()?))
}

#[allow(clippy::print_stdout)] // it reports to the terminal
fn main() -> Result<()> {
    let (before, behind) = train(10)?;
    println!("{} of {} weights: {before:.3} nats, then {behind:.3}", gpt::NAME, gpt::PARAMETERS);
    Ok(())
}
