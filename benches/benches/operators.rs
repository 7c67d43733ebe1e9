//! How fast operators make checked offspring: `cargo bench -p benches --bench operators`.
//!
//! In: the shipped designs, every scale of the ladder. Out: criterion's times and checked offspring a second for mutation
//! and for crossover, as trees (what an offspring is) and with its text (what a file of it takes). An iteration makes and
//! checks every change there is of one parent, or one pair of parents, equal ones too, and listing them is part of it.
#![allow(missing_docs)] // criterion's macros make undocumented items

use std::hint::black_box;

use benches as _;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use genesys_check::CheckedDesign;
use genesys_compiler::{check_text, standard_units};
use genesys_genetic::{Brood, Context, crossover, mutations};
use genesys_ladder::Scale;

const DESIGNS: [&str; 2] = [include_str!("../../designs/gpt.gau"), include_str!("../../designs/gla.gau")];

fn operators(criterion: &mut Criterion) {
    let parents: Vec<CheckedDesign> =
        DESIGNS.iter().map(|text| check_text("design", text).design.expect("a shipped design checks")).collect();
    let context = Context::new(standard_units(), &parents, &Scale::all());
    let alone = Context::new(standard_units(), &[], &Scale::all());
    let [gpt, gla] = parents.as_slice() else { unreachable!("two designs were read") };
    measure(criterion, "mutate gpt", || mutations(gpt, &context, 1));
    measure(criterion, "mutate gpt without donors", || mutations(gpt, &alone, 1));
    measure(criterion, "mutate gla", || mutations(gla, &context, 1));
    measure(criterion, "crossover gpt gla", || crossover(gpt, gla, &context, 1));
    measure(criterion, "crossover gla gpt", || crossover(gla, gpt, &context, 1));
}

fn measure(criterion: &mut Criterion, name: &str, brood: impl Fn() -> Brood) {
    let mut all = brood();
    all.by_ref().for_each(drop);
    let count = all.tally().tried;
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(count as u64)).sample_size(20);
    group.bench_function("trees", |bencher| bencher.iter(|| black_box(brood().count())));
    group.bench_function("texts", |bencher| {
        bencher.iter(|| brood().map(|child| black_box(child.text()).len()).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, operators);
criterion_main!(benches);
