//! The example is a program: its design becomes a model that learns.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, unreachable_pub)]
#[path = "../examples/program.rs"]
mod program;

#[test]
fn a_design_in_a_program_is_a_model_that_learns() {
    let (before, behind) = program::train(5).unwrap();
    assert!((before - 256f32.ln()).abs() < 0.5, "{before}");
    assert!(behind < before - 0.5, "{before}, then {behind}");
    assert_eq!(program::gpt::NAME, "Gpt");
    assert!(program::gpt::SOURCE.contains("design Gpt") && program::gpt::HASH.starts_with("g2-"));
}
