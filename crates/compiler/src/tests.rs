//! Shipped designs through the whole front.

use genesys_diag::render_short;
use genesys_ladder::Scale;

use crate::{check_text, compile};

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
