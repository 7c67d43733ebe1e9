//! Designs in, IR text out.
//!
//! `UPDATE_GOLDENS=1 cargo test -p genesys-lower` writes what is made now; read the difference
//! before it is kept.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use genesys_ir::module::{Instruction, Module, Op, Region, StateClass};
use genesys_ladder::Scale;
use genesys_span::Sources;

/// The module of a text, symbolic in the width, at the layers of the smallest scale.
fn lowered(text: &str) -> Module {
    let mut sources = Sources::default();
    let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let file = sources.add("test.gau", text);
    let std = genesys_check::Library::new(genesys_syntax::parse(&sources, std).file);
    let parsed = genesys_syntax::parse(&sources, file);
    let checked = genesys_check::check(&Arc::new(parsed.file), &std);
    let Some(design) = checked.design else { panic!("{:?} {:?}", parsed.diagnostics, checked.diagnostics) };
    let layers = design.at_scale(&Scale::named("nano").unwrap()).unwrap();
    genesys_lower::lower(&design, &layers, 1024)
}

/// Every module keeps the invariants, as made and at a width, and survives its text form.
fn sound(module: &Module) {
    assert_eq!(genesys_ir::validate(module), Ok(()));
    let text = genesys_ir::print(module);
    assert_eq!(genesys_ir::parse(&text).unwrap(), *module);
    let special = genesys_ir::specialize(module, 64).unwrap();
    assert_eq!(genesys_ir::validate(&special), Ok(()));
    assert_eq!(genesys_ir::parse(&genesys_ir::print(&special)).unwrap(), special);
}

fn check(name: &str, text: &str) {
    let module = lowered(text);
    sound(&module);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.ir"));
    let found = genesys_ir::print(&module);
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs; it is now:\n{found}", path.display());
}

fn instructions<'a>(region: &'a Region, found: &mut Vec<&'a Instruction>) {
    for instruction in &region.instructions {
        found.push(instruction);
        match &instruction.op {
            Op::Past { body, .. } | Op::Scan { body, .. } => instructions(body, found),
            _ => {}
        }
    }
}

/// The classes of the scans of a function, in order.
fn classes(module: &Module, function: &str) -> Vec<StateClass> {
    let function = module.functions.iter().find(|f| f.name == function).unwrap();
    let mut found = Vec::new();
    instructions(&function.body, &mut found);
    let scans = found.iter().filter_map(|instruction| match &instruction.op {
        Op::Scan { class, .. } => Some(*class),
        _ => None,
    });
    scans.collect()
}

#[test]
fn gpt() {
    check("gpt", include_str!("../../../designs/gpt.gau"));
}

#[test]
fn gla() {
    check("gla", include_str!("../../../designs/gla.gau"));
}

#[test]
fn recurrences() {
    check("recurrences", include_str!("designs/recurrences.gau"));
}

#[test]
fn pasts() {
    check("pasts", include_str!("designs/pasts.gau"));
}

#[test]
fn scans_are_split_and_classified() {
    let module = lowered(include_str!("designs/recurrences.gau"));
    assert_eq!(classes(&module, "Composed"), [StateClass::Diagonal]);
    assert_eq!(classes(&module, "Delta"), [StateClass::General]);
    assert_eq!(classes(&module, "Stabilized").len(), 3);
    assert_eq!(classes(&module, "Stabilized").iter().filter(|class| **class == StateClass::Diagonal).count(), 2);
    assert_eq!(classes(&module, "Held"), []);
    assert_eq!(classes(&module, "Queries"), [StateClass::General]);
}

#[test]
fn a_recurrence_of_several_values_runs_once() {
    let body = "let (a, b) = scan S: [D] = 0 { let c = S S <- tanh(S + x) yield (c, S * x) }
                let (d, e) = repeat 2 R: [D] = a, Q: [D] = b { R <- tanh(R + Q) Q <- R * Q yield (Q, R) }
                d + e";
    let module = lowered(&format!("design A {{ stack = [B*] }}\nunit B(x: Seq[D]) -> Seq[D] {{ {body} }}"));
    sound(&module);
    assert_eq!(classes(&module, "B"), [StateClass::General]);
}

#[test]
fn an_untied_head_is_a_matrix_of_its_own() {
    let module = lowered(include_str!("designs/recurrences.gau"));
    let special = genesys_ir::specialize(&module, 64).unwrap();
    let table = genesys_ir::parameters(&special).unwrap();
    let names: Vec<&str> = table.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("embedding.weight", "head.weight"));
    assert!(names.contains(&"blocks.0.q.weight") && names.contains(&"final.q.weight"), "{names:?}");
    let q = table.iter().find(|row| row.name == "blocks.1.q.weight").unwrap();
    assert_eq!((&q.shape[..], q.layer, q.stream.0), (&[1, 32, 64][..], 1, 2));
}

#[test]
fn what_is_the_same_for_each_copy_of_a_unit_is_repeated_where_it_is_stacked() {
    let module = lowered(
        "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] {\naxis X = 4\nsum[X](each[X] Copy(shift(x, 1))) }\n\
         unit Copy<K = 8>(x: Seq[D]) -> Seq[D] {\naxis Two = 2\naxis L = 16\nlet a = linear[D -> K](x)\n\
         let k = mean[D](x) * (index[K] + 1)\n\
         sum[Two](stack[Two](x, linear[K -> D](a))) + linear[L -> D](concat[K, K -> L](k, a)) }",
    );
    sound(&module);
}
