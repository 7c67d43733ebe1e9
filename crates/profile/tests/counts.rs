//! What is counted of a step: as `genesys explain` counts it, and given to the units that the design names.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use genesys_check::core::{Graph, OWN};
use genesys_cpu::{KernelWork, Operation, Precision, Program, Shape};
use genesys_ladder::Scale;

fn designs() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("designs");
    let mut paths: Vec<PathBuf> = [root.clone(), root.join("mechanisms")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "gau"))
        .collect();
    paths.sort();
    let text = |path: PathBuf| {
        (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(text).collect()
}

fn gpt() -> String {
    designs().into_iter().find(|(name, _)| name == "gpt").unwrap().1
}

fn scale() -> Scale {
    Scale { blocks: 2, context: 100, rows: 3, vocabulary: 50, ..Scale::named("nano").unwrap() }
}

/// The kernels of a training step.
fn work(text: &str, scale: &Scale) -> Vec<KernelWork> {
    let design = genesys_compiler::check_text("design", text).design.unwrap();
    let module = genesys_compiler::compile(&design, scale, scale.vocabulary).unwrap();
    let backward = genesys_opt::optimize(&genesys_autodiff::differentiate(&module).unwrap());
    let shape = Shape { rows: scale.rows as usize, context: scale.context as usize };
    Program::new(&backward, shape, Precision::F32).unwrap().work(&backward)
}

fn operations(work: &[KernelWork]) -> impl Iterator<Item = (&KernelWork, &Operation)> {
    work.iter().flat_map(|kernel| kernel.operations.iter().map(move |operation| (kernel, operation)))
}

/// Sums of products of a function and a pass.
fn products(work: &[KernelWork], function: &str, backward: bool) -> i128 {
    let own = operations(work).filter(|(kernel, operation)| {
        kernel.function.trim_end_matches(".adjoint") == function && operation.backward == backward
    });
    own.map(|(_, operation)| i128::from(operation.work.products)).sum()
}

#[test]
fn operations_are_those_that_explain_counts() {
    let (scale, text) = (scale(), gpt());
    let work = work(&text, &scale);
    let checked = genesys_compiler::check_text("design", &text);
    let design = checked.design.clone().unwrap();
    let explained = genesys_explain::explain(&checked, &design, Some(&scale)).unwrap();
    let model = explained.model.unwrap();
    let part = |name: &str| model.parts.iter().find(|part| part.name == name).unwrap();
    let rows = i128::from(scale.rows);
    let (block, head) = (part("Block"), part("head"));
    assert_eq!(products(&work, "Block", false), rows * block.forward);
    assert_eq!(products(&work, "main", false), rows * head.forward);
    assert_eq!(products(&work, "main", true), rows * head.backward);
    // The backward pass of attention computes the scores again: a product of a query and each key that it sees.
    let pairs = i128::from(scale.context * (scale.context + 1) / 2);
    let scores = 2 * pairs * i128::from(scale.width) * i128::from(scale.blocks);
    assert_eq!(products(&work, "Block", true), rows * (block.backward + scores));
}

#[test]
fn products_run_chunk_by_chunk_are_counted_as_at_once() {
    let (scale, text) = (Scale { context: 300, ..scale() }, gpt());
    let design = genesys_compiler::check_text("design", &text).design.unwrap();
    let module = genesys_compiler::compile(&design, &scale, scale.vocabulary).unwrap();
    let backward = genesys_opt::optimize(&genesys_autodiff::differentiate(&module).unwrap());
    let shape = Shape { rows: scale.rows as usize, context: scale.context as usize };
    let order: Vec<String> = genesys_ir::parameter_names(&backward).into_iter().map(|(name, _)| name).collect();
    let chunked = Program::chunked(&backward, shape, Precision::F32, &order, 1).unwrap().work(&backward);
    assert!(chunked.iter().any(|kernel| kernel.kind == "chunks"), "nothing is cut");
    let whole = work(&text, &scale);
    for backward in [false, true] {
        assert_eq!(products(&chunked, "main", backward), products(&whole, "main", backward));
    }
}

/// All paths of calls in the text of a function of the stack.
fn paths(graph: &Graph) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::from([Vec::new()]);
    let mut known: Vec<Vec<String>> = Vec::new();
    for expansion in &graph.expansions {
        let name = match &expansion.label {
            Some(label) => format!("{label}: {}", expansion.unit),
            None => expansion.unit.clone(),
        };
        let around = if expansion.within == OWN { Vec::new() } else { known[expansion.within.0 as usize - 1].clone() };
        known.push([around, vec![name]].concat());
    }
    found.extend(known);
    found
}

#[test]
fn every_kernel_of_every_design_belongs_to_units_of_its_text() {
    let scale = Scale { context: 20, rows: 2, ..scale() };
    let mut seen = 0;
    for (name, text) in designs() {
        let design = genesys_compiler::check_text("design", &text).design.unwrap();
        let work = work(&text, &scale);
        let mut passes = BTreeSet::new();
        for (kernel, operation) in operations(&work) {
            let place = format!("{name}: {} {} {}", kernel.function, kernel.kernel, operation.what);
            let whole: f64 = operation.portions.iter().map(|portion| portion.part).sum();
            assert!((whole - 1.0).abs() < 1e-9, "{place}: {whole}");
            let function = kernel.function.trim_end_matches(".adjoint");
            let Some(own) = design.functions().iter().find(|own| own.name == function) else {
                assert_eq!(function, "main", "{place}");
                continue;
            };
            let paths = paths(&own.graph);
            for portion in &operation.portions {
                assert!(paths.contains(&portion.unit), "{place}: {:?}", portion.unit);
            }
            passes.insert((function.to_owned(), operation.backward));
        }
        for kernel in &work {
            assert!(!kernel.operations.is_empty(), "{name}: {} {} does nothing", kernel.function, kernel.kernel);
        }
        for layer in design.at_scale(&scale).unwrap() {
            let function = design.function(layer.function).name.clone();
            for backward in [false, true] {
                assert!(passes.contains(&(function.clone(), backward)), "{name}: {function}, {backward}");
            }
        }
        seen += 1;
    }
    assert!(seen > 60, "{seen} designs");
}

#[test]
fn units_are_those_that_the_text_calls() {
    let work = work(&gpt(), &scale());
    let units: BTreeSet<String> = operations(&work)
        .filter(|(kernel, _)| kernel.function != "main")
        .flat_map(|(kernel, operation)| {
            let name = kernel.function.trim_end_matches(".adjoint");
            operation.portions.iter().map(move |portion| [&[name.to_owned()], &portion.unit[..]].concat().join(" > "))
        })
        .collect();
    let expected = [
        "Block",
        "Block > Attention",
        "Block > Attention > Rope",
        "Block > SwiGlu",
        "Block > attention_norm: RmsNorm",
        "Block > mlp_norm: RmsNorm",
        "RmsNorm",
    ];
    assert_eq!(units, expected.map(str::to_owned).into());
}
