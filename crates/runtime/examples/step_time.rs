//! Milliseconds of a training step (forward and backward, no optimizer) of designs at a rung:
//! `cargo run -p genesys-runtime --example step_time -- SCALE STEPS FILE..`
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::time::Instant;

use genesys_ladder::Scale;
use genesys_runtime::Model;
use genesys_runtime::candle_core::{DType, Device, Tensor};

/// The allocator that the command line uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [scale, steps, files @ ..] = args.as_slice() else { return Err("SCALE STEPS FILE..".into()) };
    let scale = Scale::named(scale).ok_or("no such scale")?;
    for file in files {
        let design = genesys_compiler::check_text(file, &std::fs::read_to_string(file)?).design;
        let module = genesys_compiler::compile(&design.ok_or("the design does not check")?, &scale, scale.vocabulary)?;
        time(file, module, &scale, steps.parse()?)?;
    }
    Ok(())
}

fn time(file: &str, module: genesys_ir::module::Module, scale: &Scale, steps: u32) -> Result<(), Box<dyn Error>> {
    let model = Model::init(module, 1, DType::F32, &Device::Cpu)?;
    let shape = (scale.rows as usize, scale.context as usize);
    let tokens = (0..shape.0 * shape.1).map(|i| (i * 7919 % scale.vocabulary as usize) as u32).collect();
    let tokens = Tensor::from_vec::<_, u32>(tokens, shape, &Device::Cpu)?;
    let (mut forward, mut both) = (Vec::new(), Vec::new());
    for _ in 0..steps {
        let start = Instant::now();
        model.evaluate(&tokens, &tokens)?;
        forward.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        model.forward_backward(&tokens, &tokens)?;
        both.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    println!("{file}: evaluate {:.1} ms, forward and backward {:.1} ms", median(&mut forward), median(&mut both));
    Ok(())
}
