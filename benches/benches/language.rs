//! How fast a text becomes a checked design: `cargo bench -p benches --bench language`.
//!
//! In: designs of 0.9, 1, 2.4 and 5.3 kilobytes. Out: criterion's times for parsing a text, printing its
//! tree, checking the tree (units, stack, requirements, identity), both from the text, and the hash alone.
#![allow(missing_docs)] // criterion's macros make undocumented items

use std::hint::black_box;
use std::sync::Arc;

use benches as _;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use genesys_compiler::standard_units;
use genesys_span::Sources;
use genesys_syntax::{parse, print};

const DESIGNS: [(&str, &str); 4] = [
    ("gpt", include_str!("../../designs/gpt.gau")),
    ("gla", include_str!("../../designs/gla.gau")),
    ("octave", include_str!("../../designs/octave.gau")),
    ("hybrid", include_str!("../designs/hybrid.gau")),
];

fn language(criterion: &mut Criterion) {
    let std = standard_units();
    for (name, text) in DESIGNS {
        let mut sources = Sources::default();
        let file = sources.add(name, text);
        let tree = Arc::new(parse(&sources, file).file);
        let design = genesys_check::check(&tree, std).design.expect("the designs of the benches check");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("parse", |bencher| bencher.iter(|| parse(black_box(&sources), file)));
        group.bench_function("print", |bencher| bencher.iter(|| print(black_box(&tree))));
        group.bench_function("check", |bencher| bencher.iter(|| genesys_check::check(black_box(&tree), std)));
        group.bench_function("parse and check", |bencher| {
            bencher.iter(|| genesys_check::check(&Arc::new(parse(black_box(&sources), file).file), std));
        });
        group.bench_function("hash", |bencher| bencher.iter(|| genesys_check::DesignHash::of(black_box(&design))));
        group.finish();
    }
}

criterion_group!(benches, language);
criterion_main!(benches);
