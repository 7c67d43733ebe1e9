//! What became of the changes of each operator: `cargo run --release -p genesys-strategies --example tally`.
//!
//! In: the shipped designs, every scale. Out: for each operator, over every change of every design and every pair of
//! them, how many were tried, gave an offspring, were equal to another, or were left out, and why.
#![allow(clippy::print_stdout)] // it is a program

use std::collections::BTreeMap;

use genesys_check::{CheckedDesign, Library, check};
use genesys_genetic::{Brood, Context, Tally, crossover, mutations};
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_syntax::ast::File;

const DESIGNS: [&str; 2] = [include_str!("../../../designs/gla.gau"), include_str!("../../../designs/gpt.gau")];

fn read(text: &str) -> File {
    let mut sources = Sources::default();
    let id = sources.add("design.gau", text);
    genesys_syntax::parse(&sources, id).file
}

fn main() {
    let library = Library::new(read(genesys_stdlib::TEXT));
    let checked = |text: &&str| check(&read(text).into(), &library).design;
    let designs: Vec<CheckedDesign> = DESIGNS.iter().filter_map(checked).collect();
    let context = Context::new(&library, &designs, &Scale::all());
    let mut all: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut count = |mut brood: Brood| {
        brood.by_ref().for_each(drop);
        for (operator, tally) in brood.tally_by_operator() {
            let sum = all.entry(operator).or_default();
            *sum = sum.plus(*tally);
        }
    };
    for first in &designs {
        count(mutations(first, &context, 0));
        designs.iter().for_each(|second| count(crossover(first, second, &context, 0)));
    }
    println!("| operator | tried | offspring | equal | off scale | blind | idle | unchecked | valid |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let sum = all.values().fold(Tally::default(), |sum, tally| sum.plus(*tally));
    for (operator, tally) in all.iter().chain([(&"all", &sum)]) {
        let Tally { tried, offspring, equal, off_scale, blind, idle, unchecked, .. } = tally;
        let share = 100.0 * tally.valid_share();
        println!(
            "| {operator} | {tried} | {offspring} | {equal} | {off_scale} | {blind} | {idle} | {unchecked} | {share:.1} % |"
        );
    }
}
