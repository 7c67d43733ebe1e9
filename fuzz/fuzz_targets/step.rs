//! A random program keeps the laws of soundness: its two forms are equal, values and gradients, it is causal, and what a
//! state holds is what is declared.
#![no_main]

#[allow(dead_code, reason = "what the programs are tallied by is for the tests")]
#[path = "../../tests/tests/soundness/grow.rs"]
mod grow;
#[path = "../../tests/tests/soundness/laws.rs"]
mod laws;
#[path = "../../tests/tests/soundness/steps.rs"]
mod steps;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, u8)| {
    let program = grow::grow(input.0, 2 + usize::from(input.1 % 12));
    let violations = laws::violations(&program.text, input.0);
    assert!(violations.is_empty(), "{violations:?} in\n{}", program.text);
});
