//! How fast design text is read and written: `cargo bench -p benches --bench text`.
//!
//! In: the shipped designs. Out: criterion's times for parsing a file and for printing its tree.
#![allow(missing_docs)] // criterion's macros make undocumented items

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use genesys_span::Sources;
use genesys_syntax::{parse, print};

const DESIGNS: [(&str, &str); 2] =
    [("gpt", include_str!("../../designs/gpt.gau")), ("gla", include_str!("../../designs/gla.gau"))];

fn text(criterion: &mut Criterion) {
    for (name, text) in DESIGNS {
        let mut sources = Sources::default();
        let file = sources.add(name, text);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("parse", |bencher| bencher.iter(|| parse(black_box(&sources), file)));
        let tree = parse(&sources, file).file;
        group.bench_function("print", |bencher| bencher.iter(|| print(black_box(&tree))));
        group.finish();
    }
}

criterion_group!(benches, text);
criterion_main!(benches);
