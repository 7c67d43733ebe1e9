//! Every shipped design and mechanism: losses and gradients of the program against the interpreter.
//!
//! A design is compiled at a small width and differentiated. The program runs its backward pass in f32, the interpreter in f64,
//! one element at a time. Rows differ in how many of their tokens count.
#![allow(clippy::unwrap_used)]

mod common;

use common::{compiled, designs, differences, wrong};
use genesys_cpu::{Precision, Program, Shape};

/// Rows are of two tiles and of five spans.
fn hold(folder: &str) {
    let only = std::env::var("GENESYS_DESIGN").ok();
    let mut wrongs = Vec::new();
    for (name, text) in designs(folder) {
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        match wrong(&name, &text, Shape { rows: 2, context: 70 }) {
            Ok(found) => wrongs.extend(found.into_iter().map(|found| format!("{name}: {found}"))),
            Err(why) => wrongs.push(format!("{name}: {why}")),
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

#[test]
fn shipped_designs_have_the_gradients_of_the_interpreter() {
    hold("designs");
}

#[test]
fn mechanisms_have_the_gradients_of_the_interpreter() {
    hold("designs/mechanisms");
}

/// Wide enough that a worker has a head's state to itself.
#[test]
fn large_states_are_cut_by_head() {
    let all = [designs("designs"), designs("designs/mechanisms")].concat();
    for name in ["gla", "gated_delta_net", "retnet"] {
        let (_, text) = all.iter().find(|(known, _)| known == name).expect("a shipped design");
        let module = compiled(name, text, 128).unwrap();
        assert_eq!(differences(&module, Shape { rows: 2, context: 19 }), Ok(vec![]), "{name}");
    }
}

/// A logarithm that has a value at the ages that are seen, and at no other, times a weight: what it is elsewhere reaches no gradient.
#[test]
fn functions_of_ages_need_no_value_where_nothing_is_seen() {
    let (name, text) = designs("designs/mechanisms").into_iter().find(|(name, _)| name == "alibi").unwrap();
    let (head, tail) = text.split_once("- outer(slope, age[Past])").unwrap();
    let text = format!("{head}- outer(rate, log1p(age[Past])){tail}");
    let text = text.replacen("    let q", "    param rate: [H] = 0.5 @decay\n    let q", 1);
    assert_eq!(wrong(&name, &text, Shape { rows: 2, context: 70 }), Ok(vec![]), "{text}");
}

/// Large enough to be cut into strips: what strips add to (Mamba-2's readers and writers of all heads), and what they do not.
#[test]
fn large_states_are_gone_through_in_strips() {
    let all = [designs("designs"), designs("designs/mechanisms")].concat();
    for name in ["mamba2", "gated_delta_net"] {
        let (_, text) = all.iter().find(|(known, _)| known == name).expect("a shipped design");
        let module = compiled(name, text, 192).unwrap();
        assert_eq!(differences(&module, Shape { rows: 4, context: 19 }), Ok(vec![]), "{name}");
    }
}

/// Scalar decays and delta rules, at chunks of 32, 32 and 6 positions; with one row, workers share heads.
#[test]
fn recurrences_of_scalar_decays_go_through_chunks() {
    let all = by_chunks(64, &[]);
    for name in ["mamba2", "simple_gla", "delta_net", "gated_delta_net", "mlstm"] {
        assert!(all.iter().any(|known| known == name), "{name} is none of {all:?}");
    }
}

/// The same where each row of a state fades by itself.
#[test]
fn recurrences_of_diagonal_decays_go_through_chunks() {
    let all = by_chunks(128, &["gla", "rwkv6"]);
    assert_eq!(all, ["gla", "rwkv6"]);
}

/// The designs that have recurrences in chunkwise form at a width, whose gradients are held to the interpreter; all, or those named.
fn by_chunks(width: u64, names: &[&str]) -> Vec<String> {
    let shape = Shape { rows: 2, context: 70 };
    let mut chunkwise = Vec::new();
    for (name, text) in [designs("designs"), designs("designs/mechanisms")].concat() {
        let Ok(module) = compiled(&name, &text, width) else { continue };
        if !names.is_empty() && !names.contains(&name.as_str()) {
            continue;
        }
        let backward = genesys_opt::optimize(&genesys_autodiff::differentiate(&module).unwrap());
        let program = Program::new(&backward, shape, Precision::F32).unwrap();
        if program.work(&backward).iter().any(|kernel| kernel.kind == "chunkwise") {
            assert_eq!(differences(&module, shape), Ok(vec![]), "{name}");
            if name == "gated_delta_net" || name == "gla" {
                assert_eq!(differences(&module, Shape { rows: 1, context: 33 }), Ok(vec![]), "a row of {name}");
            }
            chunkwise.push(name);
        }
    }
    chunkwise
}

/// What is kept of a transformer lies in half the memory, but for what is passed from block to block and sums.
#[test]
fn what_is_kept_in_bf16_takes_less_memory() {
    let (_, text) = designs("designs").into_iter().find(|(name, _)| name == "gpt").expect("a shipped design");
    let backward = genesys_autodiff::differentiate(&compiled("gpt", &text, 128).unwrap()).unwrap();
    let backward = genesys_opt::optimize(&backward);
    let bytes = [Precision::F32, Precision::Bf16].map(|precision| {
        let program = Program::new(&backward, Shape { rows: 4, context: 256 }, precision).unwrap();
        assert_eq!(program.precision(), precision.here());
        program.bytes(1)
    });
    match Precision::Bf16.here() {
        Precision::Bf16 => assert!(4 * bytes[1] < 3 * bytes[0], "{bytes:?}"),
        Precision::F32 => assert_eq!(bytes[1], bytes[0]),
    }
}

/// The way back of a maximum finds the elements that are equal to it, so these are the very numbers that it was found among.
#[test]
fn what_a_choice_is_made_by_is_not_rounded_on_the_way_back() {
    let text = "design Largest { stack = [Block] }\nunit Block(x: Seq[D]) -> Seq[D] {\n    axis E = 2 * D\n    \
                let h = linear[D -> E](x)\n    x + linear[E -> D](tanh(h - max[E](h)))\n}";
    let module = compiled("largest", text, 32).unwrap();
    assert_eq!(differences(&module, Shape { rows: 2, context: 70 }), Ok(vec![]));
}

/// A write under a condition, which a pass takes with the state, or with 16 rows a chunk: at the other positions there is none.
#[test]
fn what_a_condition_leaves_out_is_not_written() {
    let text = "design Thirds { stack = [Block] }\n\
        unit Block<K = 8, V = 16>(x: Seq[D]) -> Seq[D] {\n\
            let q = linear[D -> K](x)\n\
            let k = linear[D -> K](x)\n\
            let v = linear[D -> V](x)\n\
            let y = scan S: [K, V] = 0 {\n\
                S <- 0.9 * S + where(pos % 3 < 1, outer(k, v), 0)\n\
                yield dot[K](q, S)\n\
            }\n\
            linear[V -> D](y)\n\
        }";
    for rows in [8, 16] {
        let module = compiled("thirds", &text.replace("K = 8", &format!("K = {rows}")), 16).unwrap();
        assert_eq!(differences(&module, Shape { rows: 2, context: 40 }), Ok(vec![]), "{rows} rows");
    }
}

/// What a loop has no room for is refused with a name, before anything runs.
#[test]
fn an_expression_of_many_operands_is_refused() {
    let weights: String = (0..30).map(|i| format!("    param w{i}: [D] = {i}\n")).collect();
    let sum: Vec<String> = (0..30).map(|i| format!("w{i}")).collect();
    let text = format!(
        "design Many {{ stack = [Block] }}\nunit Block(x: Seq[D]) -> Seq[D] {{\n{weights}    x * tanh({} + x)\n}}",
        sum.join(" + x * ")
    );
    let module = compiled("many", &text, 16).unwrap();
    let refused = Program::new(&module, Shape { rows: 1, context: 4 }, Precision::F32);
    let why = refused.map(drop).map_err(|error| error.to_string()).unwrap_err();
    assert!(why.contains("operands, more than 24"), "{why}");
}

/// Larger states are lowered another way than small ones, few items another way than many.
#[test]
fn every_design_has_a_program_at_every_width() {
    let mut wrongs = Vec::new();
    for (name, text) in [designs("designs"), designs("designs/mechanisms")].concat() {
        for width in [128, 256, 512] {
            let module = compiled(&name, &text, width).unwrap();
            let backward = genesys_autodiff::differentiate(&module).unwrap();
            for module in [&backward, &genesys_opt::optimize(&backward)] {
                for (rows, precision) in [(1, Precision::F32), (4, Precision::F32), (4, Precision::Bf16)] {
                    if let Err(why) = Program::new(module, Shape { rows, context: 100 }, precision) {
                        wrongs.push(format!("{name} at {width}, {rows} rows in {precision}: {why}"));
                    }
                }
            }
        }
    }
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}
