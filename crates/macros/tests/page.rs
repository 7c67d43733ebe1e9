//! The code that `docs/rust.md` shows of sources and the macro: each block stands here as it stands there, and runs, or is in what is emitted.

#![allow(clippy::unwrap_used)]

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use genesys_compiler::{check_text, emit_rust};
use genesys_ladder::Scale;

const PAGE: &str = include_str!("../../../docs/rust.md");

#[test]
fn the_macro_is_as_the_page_has_it() {
    let run = || -> Result<()> {
        let device = Device::Cpu;
        genesys_macros::design!(pub mod gla = "../../designs/gla.gau", scale = "14M", vocabulary = 256);

        let weights = VarMap::new();
        let model = gla::Gla::new(VarBuilder::from_varmap(&weights, DType::F32, &device))?;
        assert_eq!(gla::NAME, "Gla");

        let tokens = Tensor::new(&[[1u32, 2, 3]], &device)?;
        let expected = model.forward(&tokens)?.flatten_all()?.to_vec1::<f32>()?;
        let folder = tempfile::tempdir()?;
        std::env::set_current_dir(folder.path())?;
        std::fs::create_dir("gla.ckpt")?;
        weights.save("gla.ckpt/model.safetensors")?;
        assert_eq!(loaded(&tokens, &device)?.flatten_all()?.to_vec1::<f32>()?, expected);
        return Ok(());

        fn loaded(tokens: &Tensor, device: &Device) -> Result<Tensor> {
            let (tokens, device) = (tokens.clone(), device.clone());
            let weights = candle_core::safetensors::load("gla.ckpt/model.safetensors", &device)?;
            let model = gla::Gla::new(VarBuilder::from_tensors(weights, DType::F32, &device))?;
            let logits = model.forward(&tokens)?; // [b, t] to [b, t, V]
            Ok(logits)
        }
    };
    run().unwrap();
}

genesys_macros::design! {
    mod tiny {
        /// Adds the mean of what was seen.
        unit Block(x: Seq[D]) -> Seq[D] {
            x + linear[D -> D](mean[Past](past(x)))
        }

        design Tiny { stack = [Block*] }
    },
    vocabulary = 256
}

#[test]
fn the_design_in_the_text_is_as_the_page_has_it() {
    let weights = VarMap::new();
    let model = tiny::Tiny::new(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu)).unwrap();
    let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu).unwrap();
    assert_eq!(model.forward(&tokens).unwrap().dims(), [1, 3, 256]);
}

/// A text without the blanks in front of its lines.
fn flush(text: &str) -> String {
    text.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
}

#[test]
fn every_block_of_the_page_runs_here_or_is_emitted() {
    let gla = include_str!("../../../designs/gla.gau");
    let checked = check_text("gla.gau", gla);
    let scale = Scale::named("14M").unwrap();
    let emitted = emit_rust(&checked, checked.design.as_ref().unwrap(), &scale, scale.vocabulary).unwrap();
    let own = include_str!("page.rs").replace("../../designs/", "designs/");
    // Compiled blocks have a crate of their own, which holds their code.
    let (page, _) = PAGE.split_once("## A compiled block").unwrap();
    let blocks: Vec<&str> = page.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 4, "{blocks:#?}");
    for block in blocks {
        let there = |text: &str| flush(text).contains(&flush(block));
        assert!(there(&own) || there(&emitted), "neither run nor emitted:\n{block}");
    }
    assert!(PAGE.contains("genesys emit designs/gla.gau --to rust --scale 14M --out gla.rs"));
}
