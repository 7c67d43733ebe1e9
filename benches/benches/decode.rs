//! Tokens per second of two ways to go on with a text: `cargo bench -p benches --bench decode`.
//!
//! In: GPT and gated linear attention, at `nano` and at `14M`, behind texts of several lengths. Out: a line each, with the
//! whole row run again for every token, and by the step form from the state behind the text. The two are timed in turn,
//! so that what else the machine does meets both; told is the middle of the rounds.
#![allow(clippy::print_stdout)] // what is measured is printed

use std::fs;
use std::path::Path;
use std::time::Instant;

use benches as _;
use genesys_compiler::{check_text, compile};
use genesys_ladder::Scale;
use genesys_runtime::Model;
use genesys_runtime::candle_core::{DType, Device, Tensor};

const ROUNDS: usize = 5;
/// Tokens that a round goes on by steps.
const STEPS: usize = 24;

fn main() {
    println!("| design | scale | tokens before | whole row, tokens/s | step form, tokens/s | ratio |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for scale in ["nano", "14M"] {
        let scale = Scale::named(scale).expect("a rung of the ladder");
        for design in ["gpt", "gla"] {
            let model = model(design, &scale);
            for length in [64, 256, 1024] {
                let (whole, step) = measure(&model, length, scale.vocabulary as usize);
                let name = &scale.name;
                println!("| `{design}` | `{name}` | {length} | {whole:.1} | {step:.1} | {:.1} |", step / whole);
            }
        }
    }
}

fn model(name: &str, scale: &Scale) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../designs/{name}.gau"));
    let text = fs::read_to_string(path).expect("a shipped design");
    let design = check_text(name, &text).design.expect("a shipped design checks");
    let module = compile(&design, scale, scale.vocabulary).expect("a shipped design runs at every scale");
    Model::init(module, 1, DType::F32, &Device::Cpu).expect("weights are drawn")
}

/// Tokens per second behind `length` tokens: by the whole row, by steps.
fn measure(model: &Model, length: usize, vocabulary: usize) -> (f64, f64) {
    let ids: Vec<u32> = (0..length).map(|i| (i * 7919 % vocabulary) as u32).collect();
    let row = Tensor::from_slice(&ids, (1, length), &Device::Cpu).expect("as many tokens as places");
    let (mut whole, mut steps) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        model.evaluate(&row, &row).expect("a shipped design runs");
        let one = begun.elapsed().as_secs_f64();
        let mut from = model.next_logits(&model.start(1), &ids).expect("a shipped design runs").1;
        let begun = Instant::now();
        for token in 0..STEPS {
            from = model.next_logits(&from, &[token as u32]).expect("a shipped design runs").1;
        }
        let other = begun.elapsed().as_secs_f64() / STEPS as f64;
        // The first round warms up.
        if round > 0 {
            whole.push(one);
            steps.push(other);
        }
    }
    (1.0 / middle(whole), 1.0 / middle(steps))
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
