//! Random chains of maps, contractions, regroupings, shifts and pasts against the step evaluator.
#![allow(clippy::unwrap_used)]

mod support;

use genesys_ir::module::{AxisId, Module, Op, Reduction, ValueId};
use genesys_scalar::Function::*;
use proptest::prelude::*;
use support::{D, Sketch, agrees};

/// Appends one random operation; every value is `Seq[D]` between operations.
fn grow(s: &mut Sketch, axes: [AxisId; 4], have: &mut Vec<ValueId>, (kind, left, right): (u8, usize, usize)) {
    let [a, b, e, p] = axes;
    let (x, y) = (have[left % have.len()], have[right % have.len()]);
    let next = match kind {
        0..=3 => {
            let function = [Add, Sub, Mul, Max][usize::from(kind)];
            let z = s.map(function, &[x, y]);
            s.map(Tanh, &[z])
        }
        4 => {
            let hidden = s.linear(x, &[D], &[e]);
            let hidden = s.map(Silu, &[hidden]);
            s.linear(hidden, &[e], &[D])
        }
        5 => {
            let split = s.op(Op::Regroup { from: vec![D], to: vec![a, b] }, &[x]);
            s.op(Op::Regroup { from: vec![b, a], to: vec![D] }, &[split])
        }
        6 => {
            let split = s.op(Op::Regroup { from: vec![D], to: vec![a, b] }, &[x]);
            let other = s.op(Op::Regroup { from: vec![D], to: vec![a, b] }, &[y]);
            let shared = s.contract(split, other, &[if right.is_multiple_of(2) { a } else { b }]);
            let number = shared_number(s, shared, a, b, right);
            s.map(Mul, &[x, number])
        }
        7 => s.shift(x, 1 + (right % 3) as i64),
        8 => s.past(p, |s| {
            let seen = s.view(y, p);
            let score = s.contract(x, seen, &[D]);
            let weights = s.softmax(score, &[p], (right.is_multiple_of(2)).then_some(0.5));
            let product = s.map(Mul, &[weights, seen]);
            s.reduce(Reduction::Sum, product, &[p], None)
        }),
        _ => s.past(p, |s| {
            let seen = s.view(x, p);
            let gap = s.map(Sub, &[seen, y]);
            s.reduce(Reduction::Mean, gap, &[p], None)
        }),
    };
    have.push(next);
}

/// The sum of what a contraction over one of two axes has left.
fn shared_number(s: &mut Sketch, x: ValueId, a: AxisId, b: AxisId, right: usize) -> ValueId {
    s.reduce(Reduction::Sum, x, &[if right.is_multiple_of(2) { b } else { a }], None)
}

fn module(ops: &[(u8, usize, usize)], window: Option<i64>, skip: i64) -> Module {
    let mut s = Sketch::new(6);
    let axes = [s.axis("A", 2), s.axis("B", 3), s.axis("E", 5), s.past_axis("P", window, skip)];
    let mut have = vec![s.input()];
    for op in ops {
        grow(&mut s, axes, &mut have, *op);
    }
    let last = *have.last().unwrap();
    s.finish(last)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_functions_have_the_value_of_their_definition(
        ops in prop::collection::vec((0u8..10, 0usize..8, 0usize..8), 1..8),
        window in prop::option::of(1i64..6),
        skip in 0i64..3,
    ) {
        agrees(&format!("{ops:?}"), &module(&ops, window, skip), &[1, 2, 9]);
    }
}
