//! The oracle against the step evaluator: values of every operation, at lengths that cross the
//! edges of powers of two.
#![allow(clippy::unwrap_used)]

mod support;

use support::{agrees, designs};

#[test]
fn every_operation_has_the_value_of_its_definition() {
    for (name, module, _) in designs::all() {
        agrees(name, &module, &[1, 2, 63, 64, 65, 100]);
    }
}
