//! The code that `docs/rust.md` shows of this crate: each block stands here as it stands there, and runs. And the example.
#![allow(clippy::unwrap_used)]

#[path = "../examples/program.rs"]
#[allow(dead_code)]
mod program;

use std::error::Error;

use candle_core::{DType, Device, Tensor};
use candle_nn::{AdamW, Module, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use genesys_ladder::Scale;
use genesys_layer::{Compiled, Options};

const PAGE: &str = include_str!("../../../docs/rust.md");

#[test]
fn a_block_and_a_model_are_as_the_page_has_them() {
    let run = || -> Result<(), Box<dyn Error>> {
        let text = include_str!("../../../designs/gla.gau");
        let scale = Scale::named("nano").ok_or("no scale of that name")?;
        let design = genesys_compiler::check_text("gla.gau", text).design.ok_or("the design does not check")?;
        let module = genesys_compiler::compile(&design, &scale, 256)?;

        let vars = VarMap::new();
        let compiled = Compiled::block(&module, "Block", 0, Options::default())?;
        let block = compiled.init(&vars, "block", 1)?; // drawn as the design says, from seed 1
        let x = Tensor::randn(0f32, 1.0, (2, 32, 64), &Device::Cpu)?;

        let mut optimizer = AdamW::new(vars.all_vars(), ParamsAdamW::default())?;
        let y = block.forward(&x)?; // [b, t, D] to [b, t, D]
        optimizer.backward_step(&y.sqr()?.mean_all()?)?;

        let q = &block.named()?["h.q.weight"]; // [H, K, D], a view
        let smaller = (y.sqr()?.mean_all()? + (q.sqr()?.sum_all()? * 0.01)?)?;
        optimizer.backward_step(&smaller)?;

        assert_eq!(q.dims(), [1, 32, 64]);
        let model = Compiled::model(&module, Options::default())?;
        let whole = model.layer(model.draw(1)?)?;
        let folder = tempfile::tempdir()?;
        std::env::set_current_dir(folder.path())?;
        std::fs::create_dir("gla.ckpt")?;
        let named = whole.named()?.into_iter().collect();
        candle_core::safetensors::save(&named, "gla.ckpt/model.safetensors")?;

        let weights = candle_core::safetensors::load("gla.ckpt/model.safetensors", &Device::Cpu)?;
        let vb = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
        let first = compiled.layer(compiled.load(&vb.pp("blocks").pp("0"))?)?;
        let model = Compiled::model(&module, Options { threads: 2, ..Options::default() })?;
        let model = model.layer(model.load(&vb)?)?;
        let logits = model.forward(&Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?)?; // [b, t] to [b, t, V]

        assert_eq!(logits.dims(), [1, 3, 256]);
        assert_eq!(first.forward(&x)?.dims(), x.dims());
        Ok(())
    };
    run().unwrap();
}

/// A text without the blanks in front of its lines.
fn flush(text: &str) -> String {
    text.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
}

#[test]
fn every_block_of_the_page_about_layers_runs_here() {
    let own = include_str!("page.rs").replace("../../../designs/", "designs/");
    let section = PAGE.split("\n## ").find(|section| section.starts_with("A compiled block")).unwrap();
    let blocks: Vec<&str> = section.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4, "{blocks:#?}");
    for block in blocks {
        assert!(flush(&own).contains(&flush(block)), "it does not run here:\n{block}");
    }
}

#[test]
fn an_ordinary_candle_program_trains_it() {
    let losses = program::train(3).unwrap();
    assert!(losses[0] < 6.5 && losses.windows(2).all(|pair| pair[1] < pair[0] - 0.1), "{losses:?}");
}
