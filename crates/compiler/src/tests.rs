//! Shipped designs through the whole front.

use genesys_diag::{Code, render_short};
use genesys_ladder::Scale;

use crate::{CompileError, check_text, compile};

const GPT: &str = include_str!("../../../designs/gpt.gau");
const GLA: &str = include_str!("../../../designs/gla.gau");

#[test]
fn the_standard_units_are_sound() {
    let found = crate::standard_units().diagnostics();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn shipped_designs_check_without_a_warning_and_compile_at_every_scale() {
    for (name, text) in [("gpt", GPT), ("gla", GLA)] {
        let checked = check_text(name, text);
        let shown: Vec<String> = checked.diagnostics.iter().map(|d| render_short(&checked.sources, d)).collect();
        assert!(shown.is_empty(), "{shown:#?}");
        let design = checked.design.expect("no error was found");
        for scale in Scale::all() {
            compile(&design, &scale, scale.vocabulary).unwrap_or_else(|e| panic!("{name} at {}: {e}", scale.name));
        }
    }
}

/// What a design is told at the smallest scale.
fn too_large(unit: &str) -> String {
    let checked = check_text("large.gau", &format!("design T {{ stack = [Block] }}\n{unit}"));
    let shown: Vec<String> = checked.diagnostics.iter().map(|d| render_short(&checked.sources, d)).collect();
    let design = checked.design.unwrap_or_else(|| panic!("{shown:#?}"));
    let scale = Scale::named("nano").expect("it is on the ladder");
    match compile(&design, &scale, scale.vocabulary) {
        Err(CompileError::Scale(told)) => {
            assert!(told.iter().all(|d| d.code == Code::TOO_LARGE && d.help.is_some()), "{told:#?}");
            told.iter().map(|d| d.message.clone()).collect()
        }
        other => panic!("it is too large, and gives {other:?}"),
    }
}

#[test]
fn what_no_machine_could_hold_is_refused_before_it_is_made() {
    let bytes = too_large("unit Block<A = 1000000000000>(x: Seq[D]) -> Seq[D] { sum[A](outer(x, index[A])) }");
    assert!(bytes.contains("bytes at nano, more than 4503599627370496"), "{bytes}");
    let operations = too_large(
        "unit Block<A = 131072, B = 131072, C = 50000>(x: Seq[D]) -> Seq[D] {\n    \
         let h = outer(linear[D -> A](x), index[C])\n    linear[B -> D](max[C](linear[A -> B](h)))\n}",
    );
    assert!(operations.contains("operations at nano, more than 72057594037927936"), "{operations}");
    let square = too_large(
        "unit Block<A = 3037000500, B = 3037000500>(x: Seq[D]) -> Seq[D] {\n    \
                            sum[A, B](outer(x, index[A], index[B]))\n}",
    );
    assert!(square.contains("bytes") || square.contains("cannot be counted"), "{square}");
}

#[test]
fn a_broken_item_hides_its_own_name_and_nothing_else() {
    let text = "design T { stack = [Block*] }\n\
                unit Block(x: Seq[D]) -> Seq[D] {\n    Half(x) + Halv(x) + y\n}\n\
                unit Half(x: Seq[D]) -> Seq[D] {\n    x / / 2\n}\n";
    let checked = check_text("t", text);
    let shown: Vec<String> = checked.diagnostics.iter().map(|d| render_short(&checked.sources, d)).collect();
    assert_eq!(shown.len(), 3, "{shown:#?}");
    for (line, part) in shown.iter().zip(["`Halv`", "`y`", "error[syntax]"]) {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
}
