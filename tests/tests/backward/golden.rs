//! Three small designs and their backward passes, as text.
//!
//! `UPDATE_GOLDENS=1 cargo test -p tests --test backward golden` writes what is made now; read the difference before it is
//! kept.

use std::path::Path;

use genesys_compiler::{Stage, check_text, compile_to};
use genesys_ladder::Scale;

use crate::hold::differentiated;

/// The backward pass of a unit, of sizes in `D`, as the only one of a stack.
fn holds(name: &str, unit: &str) {
    let text = format!("use std::RmsNorm\ndesign Small {{ stack = [Block] }}\n{unit}");
    let checked = check_text(name, &text);
    let design = checked.design.unwrap_or_else(|| panic!("{name}: {:?}", checked.diagnostics));
    let scale = Scale { blocks: 1, vocabulary: 256, ..Scale::named("nano").expect("the first rung") };
    let module = compile_to(Stage::Lowered, &design, &scale, scale.vocabulary).expect("a small design");
    let backward = differentiated(&module).unwrap_or_else(|why| panic!("{name}: {why}"));
    let found = genesys_ir::print(&backward);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/backward/golden").join(format!("{name}.ir"));
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &found).expect("the folder of goldens");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs; it is now:\n{found}", path.display());
}

#[test]
fn golden_linear_layer() {
    holds("linear", "unit Block(x: Seq[D]) -> Seq[D] { x + linear[D -> D](RmsNorm(x)) }");
}

#[test]
fn golden_attention() {
    let unit = "unit Block<H = 2, E = D / 2>(x: Seq[D]) -> Seq[D] {
        let (q, k, v) = (linear[D -> H, E](x), linear[D -> H, E](x), linear[D -> H, E](x))
        let y = sum[Past](softmax[Past](dot[E](q, past(k))) * past(v))
        linear[H, E -> D](y)
    }";
    holds("attention", unit);
}

#[test]
fn golden_diagonal_scan() {
    let unit = "unit Block(x: Seq[D]) -> Seq[D] {
        let decay = sigmoid(linear[D -> D](x))
        let write = linear[D -> D](x)
        scan S: [D] = 0 { S <- decay * S + write  yield S }
    }";
    holds("diagonal", unit);
}
