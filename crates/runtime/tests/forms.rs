//! The two forms of one recurrence, as a scan and as attention, against each other: outputs and
//! gradients.
#![allow(clippy::unwrap_used)]

mod support;

use support::close;
use support::formula::{block, outputs_and_gradients};

const RETNET: &str = include_str!("../../../designs/retnet.gau");
const MAMBA2: &str = include_str!("../../../designs/mamba2.gau");

/// The positions of a row.
const T: usize = 7;

/// The same design with its scan written as a look at the past, under the same weights.
fn same_in_both_forms(text: &str, read: &str) {
    let start = text.find("scan S").unwrap();
    let end = start + text[start..].find("}\n").unwrap();
    let (scan, attention) = (block(text), block(&format!("{}{read}{}", &text[..start], &text[end + 1..])));
    for (one, other) in scan.parameters().iter().zip(attention.parameters()) {
        assert_eq!((&one.name, &one.shape), (&other.name, &other.shape));
        other.var.set(one.var.as_tensor()).unwrap();
    }
    let (scan, attention) = (outputs_and_gradients(&scan, T), outputs_and_gradients(&attention, T));
    close("outputs", &scan.0, &attention.0, 1e-9);
    for ((name, a), (_, b)) in scan.1.iter().zip(&attention.1) {
        close(&format!("gradient of {name}"), a, b, 1e-9);
    }
}

#[test]
fn retention_is_attention_with_a_decay_by_age() {
    same_in_both_forms(RETNET, "sum[Past](dot[K](q, past(k)) * gamma ^ age[Past] * past(v))");
}

#[test]
fn a_selective_state_is_attention_that_forgets() {
    let decay = "exp(after[Past](past(-exp(a) * dt)))";
    same_in_both_forms(MAMBA2, &format!("sum[Past](dot[N](c, past(b)) * {decay} * past(dt * u))"));
}
