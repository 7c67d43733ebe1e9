//! Texts made to hurt: each gives one clear error, in time, on a small stack.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use genesys_check::{Checked, Library, check};
use genesys_diag::Code;
use genesys_ladder::Scale;
use genesys_span::Sources;

/// Checks a text on a stack of 2 MiB, as test threads and worker threads have.
fn codes(text: String) -> Vec<Code> {
    let run = move || {
        let mut sources = Sources::default();
        let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
        let std = Library::new(genesys_syntax::parse(&sources, std).file);
        let file = sources.add("hostile", text);
        let parsed = genesys_syntax::parse(&sources, file);
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics[0]);
        let Checked { diagnostics, .. } = check(&Arc::new(parsed.file), &std);
        diagnostics.iter().filter(|d| d.is_error()).map(|d| d.code).collect()
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

fn unit(name: &str, body: &str) -> String {
    format!("unit {name}(x: Seq[D]) -> Seq[D] {{ {body} }}\n")
}

const DESIGN: &str = "design Hostile { stack = [Block*] }\n";

#[test]
fn a_long_chain_of_units_is_refused_not_followed() {
    let mut text = format!("{DESIGN}{}", unit("Block", "U0(x)"));
    for i in 0..1000 {
        text += &unit(&format!("U{i}"), &if i == 999 { "x".into() } else { format!("tanh(U{}(x))", i + 1) });
    }
    let found = codes(text);
    assert!(!found.is_empty() && found.iter().all(|&code| code == Code::TOO_LARGE), "{found:?}");
}

#[test]
fn sums_that_double_have_a_hash_all_the_same() {
    let lets: String = (1..200).map(|i| format!("let a{i} = a{0} + a{0}\n", i - 1)).collect();
    let found = codes(format!("{DESIGN}{}", unit("Block", &format!("let a0 = x + x\n{lets}shift(a199, 1)"))));
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_chain_that_doubles_is_refused_before_it_fills_the_memory() {
    let mut text = format!("{DESIGN}{}", unit("Block", "U0(x)"));
    for i in 0..60 {
        let body = if i == 59 { "tanh(x)".into() } else { format!("U{0}(x) + U{0}(U{0}(x))", i + 1) };
        text += &unit(&format!("U{i}"), &body);
    }
    let found = codes(text);
    assert!(!found.is_empty() && found.iter().all(|&code| code == Code::TOO_LARGE), "{found:?}");
}

#[test]
fn units_bound_in_one_another_as_deep_as_a_text_may_have_them() {
    let text = |deep: usize, body: &str| {
        let bound = format!("{}Plain<2>{}", "Wrap<F = ".repeat(deep), ">".repeat(deep));
        let wrap = format!("unit Wrap<F: unit>(x: Seq[D]) -> Seq[D] {{ {body} }}\n");
        let plain = "unit Plain<N: size>(x: Seq[D]) -> Seq[D] { x * N }\n";
        format!("design Hostile {{ stack = [{bound}*] }}\n{wrap}{plain}")
    };
    assert_eq!(codes(text(63, "x + F(x)")), []);
    let found = codes(text(63, "F(F(x) + 1)"));
    assert!(!found.is_empty() && found.iter().all(|&code| code == Code::TOO_LARGE), "{found:?}");
}

#[test]
fn as_many_units_as_a_file_may_have_are_checked_and_no_more() {
    let text = |count: usize| {
        (1..count).fold(format!("{DESIGN}{}", unit("Block", "x")), |text, i| text + &unit(&format!("U{i}"), "x"))
    };
    assert_eq!(codes(text(1024)), []);
    assert_eq!(codes(text(1025)), [Code::TOO_LARGE]);
}

/// The codes of what keeps a design from running at a scale.
fn codes_at(text: &str, scale: &Scale) -> Vec<Code> {
    let mut sources = Sources::default();
    let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let library = Library::new(genesys_syntax::parse(&sources, std).file);
    let file = sources.add("hostile", text);
    let parsed = genesys_syntax::parse(&sources, file);
    let design = check(&Arc::new(parsed.file), &library).design.unwrap();
    design.at_scale(scale).map_or_else(|told| told.iter().map(|d| d.code).collect(), |_| Vec::new())
}

#[test]
fn weights_and_layers_beyond_the_limits_are_refused_at_the_scale() {
    let nano = Scale::named("nano").unwrap();
    let wide = |size: u64| {
        let body = "linear[A -> D](linear[D -> A](x))";
        format!("design Hostile {{ stack = [Block] }}\nunit Block<A = {size}>(x: Seq[D]) -> Seq[D] {{ {body} }}\n")
    };
    // Two tables of A by D = 64, beside one of 1,024 by 64: 2^36 and less.
    let most = (1 << 29) - 512;
    assert_eq!(codes_at(&wide(most), &nano), []);
    assert_eq!(codes_at(&wide(most + 1), &nano), [Code::TOO_LARGE]);
    let deep = format!("{DESIGN}{}", unit("Block", "x"));
    assert_eq!(codes_at(&deep, &Scale { blocks: 4096, ..nano.clone() }), []);
    assert_eq!(codes_at(&deep, &Scale { blocks: 4097, ..nano }), [Code::TOO_LARGE]);
}

#[test]
fn deep_and_long_expressions_are_checked() {
    let deep = format!("{}x{}", "tanh(".repeat(60), ")".repeat(60));
    assert_eq!(codes(format!("{DESIGN}{}", unit("Block", &deep))), []);
    let long = (0..150).map(|i| format!("x * {i}")).collect::<Vec<_>>().join(" + ");
    assert_eq!(codes(format!("{DESIGN}{}", unit("Block", &long))), []);
    let lets = (0..3000).map(|_| "let y = tanh(x) ").collect::<String>();
    assert_eq!(codes(format!("{DESIGN}{}", unit("Block", &format!("{lets} x + y")))), []);
}

#[test]
fn sizes_out_of_range_are_errors() {
    for size in
        ["9223372036854775807 * D * 9223372036854775807 + 9223372036854775807", "99999999999999999999", "D / (3 - 3)"]
    {
        let text = format!("{DESIGN}unit Block<K = {size}>(x: Seq[D]) -> Seq[D] {{ x }}\n");
        let mut sources = Sources::default();
        let file = sources.add("hostile", text.clone());
        let parsed = genesys_syntax::parse(&sources, file);
        // A literal beyond 64 bits is the parser's to refuse.
        if parsed.diagnostics.is_empty() {
            assert_eq!(codes(text), [Code::SIZE_INVALID], "{size}");
        }
    }
}

#[test]
fn stacks_beyond_the_limit_are_refused() {
    for stack in ["[Block*99999999999]", "[[[Block*1000]*1000]*1000]", "[Block*0]", "[]"] {
        let text = format!("design Hostile {{ stack = {stack} }}\n{}", unit("Block", "x"));
        let mut sources = Sources::default();
        let file = sources.add("hostile", text.clone());
        if genesys_syntax::parse(&sources, file).diagnostics.is_empty() {
            let found = codes(text);
            assert!(matches!(found.as_slice(), [Code::TOO_LARGE | Code::DESIGN_FIELD]), "{stack}: {found:?}");
        }
    }
}
