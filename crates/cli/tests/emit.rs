//! `genesys emit`: the grammar, and designs as modules.
#![allow(clippy::unwrap_used)]

mod common;

use common::{design, file, genesys, root};

#[test]
fn the_grammar_and_the_card_need_no_design() {
    assert!(genesys(["emit", "--to", "gbnf"]).ok().contains("root ::="));
    assert!(genesys(["emit", "--to", "card"]).ok().starts_with("```gau\n"));
    for to in ["gbnf", "card"] {
        let said = genesys(["emit", "--to", to, design("gpt.gau").to_str().unwrap()]).refused();
        assert!(said.contains("expected no FILE"), "{said}");
    }
}

#[test]
fn the_grammar_is_that_of_a_decoder_unless_told_otherwise() {
    let grammar = |more: &[&str]| genesys([&["emit", "--to", "gbnf"], more].concat()).ok();
    let bounded = grammar(&[]);
    assert_eq!(bounded, grammar(&["--root", "file", "--bounds", "decoder"]));
    assert!(bounded.contains("{0,24}") && !bounded.contains("idc*"), "{bounded}");
    assert!(grammar(&["--bounds", "none"]).contains("idc*"));
    assert!(grammar(&["--root", "unit"]).contains("root ::= head unit-item end\n"));
    assert!(grammar(&["--root", "value"]).contains("root ::= expr\n"));
    let said = genesys(["emit", "--to", "card", "--bounds", "none"]).refused();
    assert!(said.contains("with `--to gbnf` alone"), "{said}");
}

#[test]
fn a_module_reads_back_to_itself_at_every_stage() {
    let path = root().join("designs/mechanisms/ttt_linear.gau");
    let path = path.to_str().unwrap();
    let module = |stage: &str| {
        let text = genesys(["emit", path, "--to", "ir", "--scale", "nano", "--stage", stage]).ok();
        assert_eq!(genesys_ir::print(&genesys_ir::parse(&text).unwrap()), text, "{stage}");
        text
    };
    let (lowered, specialized, expanded) = (module("lowered"), module("specialized"), module("expanded"));
    assert!(lowered.contains("axis D = {D}") && specialized.contains("axis D = {64}"), "{lowered}\n{specialized}");
    assert!(specialized.contains("grad") && !expanded.contains("grad"), "{specialized}\n{expanded}");
    let backward = module("backward");
    assert!(backward.contains("adjoint fn Block.adjoint") && backward.contains("adjoint gather"), "{backward}");
    let (optimized, lines) = (module("optimized"), |text: &str| text.lines().count());
    assert!(optimized.contains("adjoint fn Block.adjoint") && lines(&optimized) < lines(&backward), "{optimized}");
}

#[test]
fn a_module_is_printed_as_lowered_and_at_a_scale_as_specialized() {
    let gla = design("gla.gau");
    let gla = gla.to_str().unwrap();
    let emit = |more: &[&str]| genesys([&["emit", gla, "--to", "ir"], more].concat()).ok();
    assert_eq!(emit(&[]), emit(&["--scale", "nano", "--stage", "lowered"]));
    assert_eq!(emit(&["--scale", "14M"]), emit(&["--scale", "14M", "--stage", "specialized"]));
    assert_ne!(emit(&["--scale", "14M"]), emit(&["--scale", "nano"]));
}

#[test]
fn what_has_no_module_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let said = genesys(["emit", "--to", "ir"]).refused();
    assert!(said.contains("<FILE>"), "{said}");
    let broken = file(folder.path(), "broken.gau", "unit A(x: Seq[D] -> {");
    let said = genesys(["emit", &broken, "--to", "ir"]).refused();
    assert!(said.contains("unbalanced-bracket"), "{said}");
    let wide = "design W { stack = [Block*] }\nunit Block<H = D / 100>(x: Seq[D]) -> Seq[D] {\n    \
                linear[H -> D](linear[D -> H](x))\n}\n";
    let wide = file(folder.path(), "wide.gau", wide);
    let said = genesys(["emit", &wide, "--to", "ir", "--scale", "14M"]).refused();
    assert!(said.contains("at 14M") && said.contains("D/100"), "{said}");
}

#[test]
fn a_design_is_written_as_rust_of_its_scale() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("gla.rs");
    let gla = design("gla.gau");
    let gla = gla.to_str().unwrap();
    let printed = genesys(["emit", gla, "--to", "rust", "--scale", "14M"]).ok();
    assert!(printed.contains("pub const D: usize = 128;") && printed.contains("pub struct Gla {"), "{printed}");
    genesys(["emit", gla, "--to", "rust", "--scale", "14M", "--out", out.to_str().unwrap()]).ok();
    assert_eq!(std::fs::read_to_string(out).unwrap(), printed);
    let said = genesys(["emit", gla, "--to", "rust", "--stage", "lowered"]).refused();
    assert!(said.contains("expected no `--stage`"), "{said}");
}
