//! An operator of one's own, held to the laws: `cargo run -p genesys-strategies --example own_operator`.
//!
//! In: the shipped designs. Out: how many children were judged, or the smallest failure. The README
//! shows this file from the first `use` on.
#![allow(clippy::print_stdout)] // it is a program

use genesys_check::{CheckedDesign, Library, check};
use genesys_genetic::Context;
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_strategies::{Plan, hold};
use genesys_syntax::ast::{FieldValue, File, ItemKind, Repeat, StackItem};

/// Puts one of the stack's entries, once, before all others.
fn widen_front(parent: &CheckedDesign, seed: u64) -> Option<File> {
    let mut file = File::clone(parent.file());
    let fields = file.items.iter_mut().flat_map(|item| match &mut item.kind {
        ItemKind::Design(design) => design.fields.as_mut_slice(),
        ItemKind::Use(_) | ItemKind::Unit(_) => &mut [],
    });
    let stacks = fields.filter_map(|field| match &mut field.value {
        FieldValue::Stack(items) => Some(items),
        FieldValue::Unit(_) | FieldValue::Bool(_) => None,
    });
    for stack in stacks {
        let entry = stack[seed as usize % stack.len()].clone();
        stack.insert(0, StackItem { repeat: Repeat::Once, share: false, ..entry });
    }
    Some(file)
}

/// The tree of a text.
fn read(name: &str, text: &str) -> File {
    let mut sources = Sources::default();
    let id = sources.add(name, text);
    genesys_syntax::parse(&sources, id).file
}

pub(crate) fn main() {
    let library = Library::new(read("std.gau", genesys_stdlib::TEXT));
    let texts = [include_str!("../../../designs/gpt.gau"), include_str!("../../../designs/gla.gau")];
    let designs: Vec<CheckedDesign> =
        texts.iter().filter_map(|text| check(&read("design.gau", text).into(), &library).design).collect();
    let context = Context::new(&library, &designs, &Scale::all());
    let plan = Plan { children: 100, depth: 3, kept: Some("proptest-regressions/own_operator.txt") };
    match hold(&widen_front, &designs, &context, plan) {
        Ok(tally) => println!("{} children keep the laws", tally.offspring),
        Err(failure) => panic!("{failure}"),
    }
}
