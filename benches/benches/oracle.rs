//! How long a step of the composed reference takes: `cargo bench -p benches --bench oracle`.
//!
//! In: every design in `designs/`, at `nano`. Out: criterion's times for evaluating a batch, and for a training step
//! without its optimizer: forward and backward. The thread pool is the reader's: `RAYON_NUM_THREADS=1` is what a worker
//! of a run has.
#![allow(missing_docs)] // criterion's macros make undocumented items

use std::fs;
use std::path::Path;

use benches as _;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use genesys_compiler::{check_text, compile};
use genesys_ladder::Scale;
use genesys_runtime::Model;
use genesys_runtime::candle_core::{DType, Device, Tensor};

fn oracle(criterion: &mut Criterion) {
    let scale = Scale::named("nano").expect("the smallest scale");
    let (rows, context) = (scale.rows as usize, scale.context as usize);
    let ids: Vec<u32> = (0..rows * context).map(|i| (i * 7919) as u32 % scale.vocabulary as u32).collect();
    let tokens = Tensor::from_vec(ids, (rows, context), &Device::Cpu).expect("as many tokens as places");
    for (name, text) in designs() {
        let design = check_text(&name, &text).design.expect("a shipped design checks");
        let module = compile(&design, &scale, scale.vocabulary).expect("a shipped design runs at every scale");
        let model = Model::init(module, 1, DType::F32, &Device::Cpu).expect("weights are drawn");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(scale.tokens_per_step())).sample_size(20);
        group.bench_function("evaluate", |bencher| bencher.iter(|| model.evaluate(&tokens, &tokens)));
        group.bench_function("step", |bencher| bencher.iter(|| model.forward_backward(&tokens, &tokens)));
        group.finish();
    }
}

/// Name and text of the shipped designs, by name.
fn designs() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../designs");
    let entries = fs::read_dir(folder).expect("the shipped designs");
    let mut designs: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("an entry of the folder").path();
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a readable design"))
        })
        .collect();
    designs.sort();
    designs
}

criterion_group!(benches, oracle);
criterion_main!(benches);
