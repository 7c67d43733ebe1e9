//! One block with everything that is kept, called twice: names, formulas, numbers.
#![allow(clippy::unwrap_used)]

use genesys_axis::Size;
use genesys_ir::module::Module;

use crate::{Layout, layout};

/// Two calls of one block, with every kind of thing that is kept.
const MODULE: &str = r#"module Test

axis D = {D}
axis V = {100}
axis H = {4}
axis E = {D / 4}
axis W = {3}
axis Past = past skip {0}
axis Near = past window {8} skip {2}

fn Block {
  weight attention.k.weight: [H, E, D] = normal(0.5) @matrix stream 0
  weight attention.slope: [D] = 0.5 @gain stream 1
  input %0: Seq[D]
  %1: [H, E, D] = weight attention.k.weight
  %2: Seq[H, E] = contract [D] %0, %1
  %3: Seq[H, E] = past [Past] {
    %4: Seq[H, E, Past] = view [Past] %2
    %5: Seq[H, E] = sum [Past] %4
    yield %5
  }
  %6: Seq[H, E] = past [Near] {
    %7: Seq[H, E, Near] = view [Near] %2
    %8: Seq[H, E] = sum [Near] %7
    yield %8
  }
  %9: Seq[D] = past [Near] {
    %10: Seq[D, Near] = view [Near] %0
    %11: Seq[D] = sum [Near] %10
    yield %11
  }
  %12: Seq[D] = shift by {3} %0
  %13: [D] = weight attention.slope
  %14: Seq[D] = map mul($0, $1) %0, %13
  %15: Seq[W, D] = window [W] %14
  %16: Seq[D] = shift by {4} %14
  %17: [] = constant 0.0
  %18: Seq[D] = scan general (S %19: Step[D] = %17 -> %20) {
    %20: Step[D] = map tanh(add($0, $1)) %19, %14
    yield %20
  }
  %21: Seq[D] = shift by {0} %18
  return %21
}

fn main {
  weight embedding.weight: [V, D] = normal(0.02) @embedding stream 0
  input %0: Token Seq[]
  input %1: Token Seq[]
  %2: [V, D] = weight embedding.weight
  %3: Seq[D] = gather [V] %2, %0
  %4: Seq[D] = call Block layer 0 path blocks.0 %3
  %5: Seq[D] = call Block layer 1 path blocks.0 %4
  %6: Seq[V] = contract [D] %5, %2
  %7: Loss[] = cross_entropy [V] %6, %1
  return %6, %7
}
"#;

fn module() -> Module {
    let module = genesys_ir::parse(MODULE).unwrap();
    assert_eq!(genesys_ir::validate(&module), Ok(()));
    module
}

fn table(layout: &Layout, tokens: &Size) -> Vec<String> {
    layout.slots().iter().map(|slot| format!("{slot}: {}", slot.bytes(tokens, 4).unwrap())).collect()
}

#[test]
fn slots_are_named_by_call_and_weight_and_their_bytes_are_formulas() {
    let layout = layout(&module()).unwrap();
    assert_eq!(
        table(&layout, &Size::symbol("T")),
        [
            "blocks.0.attention.k past: 4*D*T",
            "blocks.0.input window: 4*D*min(T, 9)",
            "blocks.0.attention last: 4*D*min(T, 4)",
            "blocks.0.attention.S state: 4*D",
            "blocks.1.attention.k past: 4*D*T",
            "blocks.1.input window: 4*D*min(T, 9)",
            "blocks.1.attention last: 4*D*min(T, 4)",
            "blocks.1.attention.S state: 4*D",
        ]
    );
    assert_eq!(layout.fixed(4).unwrap().to_string(), "112*D");
    assert_eq!(layout.per_token(4).unwrap().to_string(), "8*D");
}

#[test]
fn at_a_scale_bytes_are_numbers() {
    let module = genesys_ir::specialize(&module(), 16).unwrap();
    let layout = layout(&module).unwrap();
    let at = |tokens: i64| layout.bytes(&Size::int(tokens), 4).unwrap().as_int().unwrap();
    assert_eq!(at(0), 2 * 4 * 16);
    assert_eq!(at(1), 2 * 4 * 16 * 4);
    assert_eq!(at(100), 2 * 4 * 16 * (100 + 9 + 4 + 1));
    assert_eq!(layout.find("blocks.1.attention.S"), Some(7));
}
